//! What the environment says about the hub, under the names that the hub's own tools go by.

use anyhow::{Result, bail};
use hf_hub::Cache;
use std::path::PathBuf;
use std::time::Duration;

/// Where files come from and where they are kept.
#[derive(Clone)]
pub(super) struct Settings {
    /// The folder of `models--…` and `datasets--…`.
    pub(super) cache: Cache,
    /// The server, without a slash at the end.
    pub(super) endpoint: String,
    /// Sent to the endpoint alone, never to where it redirects.
    pub(super) token: Option<String>,
    /// Whether nothing may be asked for.
    pub(super) offline: bool,
    /// The wait before a second try; it doubles with each one after.
    pub(super) pause: Duration,
}

// By hand, so that no log ever holds the token.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("cache", self.cache.path())
            .field("endpoint", &self.endpoint)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("offline", &self.offline)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// From the process's environment.
    pub(super) fn from_env() -> Result<Self> {
        Self::from_vars(|name| std::env::var(name).ok(), std::env::home_dir())
    }

    fn from_vars(var: impl Fn(&str) -> Option<String>, user_home: Option<PathBuf>) -> Result<Self> {
        let var = |name: &str| var(name).filter(|value| !value.trim().is_empty());
        let folder = |name: &str| var(name).map(PathBuf::from);
        let own_cache = || Some(user_home.as_ref()?.join(".cache"));
        let home = folder("HF_HOME").or_else(|| {
            let caches = folder("XDG_CACHE_HOME").or_else(own_cache)?;
            Some(caches.join("huggingface"))
        });
        let Some(home) = home else {
            bail!("this user has no home folder for what is fetched: set HF_HOME to a folder");
        };
        let token = var("HF_TOKEN").map(|token| token.trim().to_string());
        let endpoint = var("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        let endpoint = endpoint.trim().trim_end_matches('/').to_string();
        if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
            bail!("HF_ENDPOINT is `{endpoint}`: it begins with https://, or is left unset");
        }
        let offline = var("HF_HUB_OFFLINE")
            .is_some_and(|value| ["1", "ON", "YES", "TRUE"].contains(&&*value.to_uppercase()));
        let hub = home.join("hub");
        Ok(Self {
            // The token that `hf auth login` leaves lies beside HF_HOME's cache, wherever files go.
            token: token.or_else(|| Cache::new(hub.clone()).token()),
            cache: Cache::new(folder("HF_HUB_CACHE").unwrap_or(hub)),
            endpoint,
            offline,
            pause: Duration::from_secs(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn settings(vars: &[(&str, &str)]) -> Result<Settings> {
        let var = |name: &str| {
            let found = vars.iter().find(|(own, _)| *own == name);
            found.map(|(_, value)| value.to_string())
        };
        Settings::from_vars(var, Some("/home/me".into()))
    }

    #[test]
    fn the_cache_is_where_other_tools_have_it() {
        let cache = |vars: &[(&str, &str)]| settings(vars).unwrap().cache.path().clone();
        assert_eq!(cache(&[]), Path::new("/home/me/.cache/huggingface/hub"));
        let xdg = ("XDG_CACHE_HOME", "/x");
        assert_eq!(cache(&[xdg]), Path::new("/x/huggingface/hub"));
        let home = ("HF_HOME", "/h");
        assert_eq!(cache(&[xdg, home]), Path::new("/h/hub"));
        assert_eq!(cache(&[home, ("HF_HUB_CACHE", "/c")]), Path::new("/c"));
        assert_eq!(cache(&[home, ("HF_HUB_CACHE", " ")]), Path::new("/h/hub"));
    }

    #[test]
    fn a_token_comes_from_the_environment_or_from_logging_in() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "filed\n").unwrap();
        let home = ("HF_HOME", folder.path().to_str().unwrap());
        let token = |vars: &[(&str, &str)]| settings(vars).unwrap().token;
        assert_eq!(token(&[home]).as_deref(), Some("filed"));
        let elsewhere = ("HF_HUB_CACHE", "/c");
        assert_eq!(token(&[home, elsewhere]).as_deref(), Some("filed"));
        assert_eq!(token(&[home, ("HF_TOKEN", "t ")]).as_deref(), Some("t"));
        let shown = format!("{:?}", settings(&[("HF_TOKEN", "secret")]).unwrap());
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn the_server_and_the_offline_switch() {
        let plain = settings(&[]).unwrap();
        assert_eq!(plain.endpoint, "https://huggingface.co");
        assert!(!plain.offline);
        let mirror = settings(&[("HF_ENDPOINT", "http://m:8/"), ("HF_HUB_OFFLINE", "true")]);
        let mirror = mirror.unwrap();
        assert_eq!((&*mirror.endpoint, mirror.offline), ("http://m:8", true));
        assert!(!settings(&[("HF_HUB_OFFLINE", "0")]).unwrap().offline);
        let wrong = settings(&[("HF_ENDPOINT", "hub.example")]).unwrap_err();
        assert!(wrong.to_string().contains("HF_ENDPOINT"), "{wrong}");
        let homeless = Settings::from_vars(|_| None, None).unwrap_err();
        assert!(homeless.to_string().contains("HF_HOME"), "{homeless}");
    }
}

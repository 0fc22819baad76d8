//! What can go wrong between here and the hub, whether it may pass, and what to do about it.

use super::place::Place;
use anyhow::anyhow;
use std::time::Duration;

/// Why a try failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server answered, but not with what was asked for; with the wait it asks for, if any.
    Status(u16, Option<Duration>),
    /// No answer, or one that broke off; in the words of whoever noticed.
    Network(String),
    /// Nothing that trying again would mend.
    Final(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Final(error)
    }
}

impl Failure {
    /// Whether another try may go better.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Status(status, _) => matches!(status, 408 | 429 | 500..),
            Self::Network(_) => true,
            Self::Final(_) => false,
        }
    }

    /// What happened, for the line that says there will be another try.
    pub(super) fn brief(&self, endpoint: &str) -> String {
        match self {
            Self::Status(429, _) => format!("{endpoint} has had too many requests (429)"),
            Self::Status(status, _) => format!("{endpoint} answered {status}"),
            Self::Network(why) => why.clone(),
            Self::Final(error) => format!("{error:#}"),
        }
    }

    /// The error to end with: what `file` of which repository, what happened, what to do.
    pub(super) fn into_error(self, place: &Place, file: Option<&str>) -> anyhow::Error {
        let of = place.title();
        let what = file.map_or_else(|| of.clone(), |file| format!("{file} of {of}"));
        let settings = &place.hub.settings;
        let endpoint = &settings.endpoint;
        let page = format!("{endpoint}/{}", place.repo.url());
        let had = self.brief(endpoint);
        match self {
            Self::Final(error) => error.context(what),
            Self::Status(status @ (401 | 403), _) => {
                let token = match settings.token {
                    Some(_) => {
                        "the token in HF_TOKEN (or of `hf auth login`) may not read it, or \
                                has ended: make one that may"
                    }
                    None => "if it is private or asks for terms, set HF_TOKEN to a token of yours",
                };
                anyhow!(
                    "{what}: {endpoint} refuses it ({status}). Is the id spelled right? Then {token}, \
                     and accept the terms at {page} if it has any"
                )
            }
            Self::Status(404, _) => anyhow!(
                "{what}: {endpoint} has nothing of that name (404). Is the id spelled right, as in \
                 google-t5/t5-base, and is there a revision `{}`? See {page}",
                place.repo.revision()
            ),
            Self::Status(429, _) => anyhow!(
                "{what}: {had}: wait some minutes and give the same command; what has come is kept. \
                 With HF_TOKEN set the hub allows more"
            ),
            Self::Status(status, _) => anyhow!(
                "{what}: {endpoint} answered {status}: try again later; what has come is kept"
            ),
            Self::Network(why) => anyhow!(
                "{what}: {why}. Is there a network, and is a proxy needed (HTTPS_PROXY) or another \
                 server (HF_ENDPOINT)? What has come is kept: the same command goes on from there"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for status in [408, 429, 500, 503] {
            assert!(Failure::Status(status, None).may_pass(), "{status}");
        }
        for status in [400, 401, 403, 404, 416] {
            assert!(!Failure::Status(status, None).may_pass(), "{status}");
        }
        assert!(Failure::Network("closed".into()).may_pass());
        assert!(!Failure::from(anyhow!("disk")).may_pass());
    }
}

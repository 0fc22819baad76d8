//! Requests: redirects that keep the token at home, the headers that matter, patience.

use super::failure::Failure;
use super::settings::Settings;
use crate::{interrupt, output};
use anyhow::{anyhow, bail};
use std::io::Read;
use std::time::{Duration, Instant};
use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::{Agent, Body};

/// Further tries after one that failed, as long as nothing comes in between.
const TRIES: u32 = 5;
/// The hub counts requests over five minutes, so that a longer wait is not its own.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Redirects that are followed: the hub's own are at most three.
const REDIRECTS: usize = 10;
/// Bytes of a listing; the largest repositories have some megabytes.
const LARGEST_LISTING: u64 = 64 << 20;

/// What the hub says about a file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct About {
    /// The hash of the content, or whatever else the server calls it by.
    pub(super) etag: Option<String>,
    /// In bytes.
    pub(super) size: Option<u64>,
    /// Whether the ETag is that of a file kept elsewhere, which no later one replaces.
    linked: bool,
}

/// An answer with a body yet to be read.
pub(super) struct Reply {
    pub(super) about: About,
    /// Where in the file the body begins: 0 if the server does not know ranges.
    pub(super) start: u64,
    body: Body,
}

/// Where a request ended without leaving the server that was asked.
pub(super) enum Answer {
    /// With the body.
    Body(Reply),
    /// With the address at another server, and what was said of the file on the way.
    Elsewhere(About, String),
}

impl Answer {
    /// What is known of the file.
    pub(super) fn about(&self) -> &About {
        match self {
            Self::Body(reply) => &reply.about,
            Self::Elsewhere(about, _) => about,
        }
    }
}

impl Reply {
    /// The body, of which nothing was read so far.
    pub(super) fn into_reader(self) -> impl Read {
        self.body.into_reader()
    }
}

/// Asks the endpoint, and whom it redirects to.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
    pause: Duration,
}

impl Client {
    pub(super) fn new(settings: &Settings) -> Self {
        let seconds = |count| Some(Duration::from_secs(count));
        let agent = Agent::config_builder()
            .user_agent(concat!("compacter/", env!("CARGO_PKG_VERSION")))
            // A packed body has neither the size nor the ranges of the file.
            .accept_encoding("identity")
            .http_status_as_error(false)
            // Followed here: the token stays with the endpoint, and its headers come before the
            // redirect.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(seconds(15))
            .timeout_connect(seconds(15))
            .timeout_recv_response(seconds(30))
            // A body that takes longer is gone on with by another request; so one that hangs ends.
            .timeout_recv_body(seconds(120))
            .build();
        Self {
            agent: agent.into(),
            endpoint: settings.endpoint.clone(),
            token: settings.token.clone(),
            pause: settings.pause,
        }
    }

    /// The whole of a JSON answer, with several tries.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self, url: &str) -> Result<T, Failure> {
        let mut patience = self.patience();
        loop {
            match self.get(url, 0).and_then(whole) {
                Ok(bytes) => {
                    let wrong = |e| anyhow!("{url} answers with other JSON than the hub's: {e}");
                    return serde_json::from_slice(&bytes).map_err(|e| wrong(e).into());
                }
                Err(failure) => patience.wait(failure, output::say)?,
            }
        }
    }

    /// One try for a file from byte `start` on, wherever it leads.
    pub(super) fn get(&self, url: &str, start: u64) -> Result<Reply, Failure> {
        let mut url = url.to_string();
        let mut said = About::default();
        for _ in 0..REDIRECTS {
            match self.find(&url, start)? {
                Answer::Body(Reply { about, start, body }) => {
                    let about = said.or(about);
                    return Ok(Reply { about, start, body });
                }
                Answer::Elsewhere(about, next) => (said, url) = (said.or(about), next),
            }
        }
        Err(too_many(&url))
    }

    /// One try for a file from byte `start` on, up to where another server has it.
    pub(super) fn find(&self, url: &str, start: u64) -> Result<Answer, Failure> {
        let mut url = url.to_string();
        let mut about = About::default();
        for _ in 0..REDIRECTS {
            let response = self.ask(&url, start)?;
            let status = response.status();
            let at_home = origin(&url) == origin(&self.endpoint);
            if at_home && (status.is_success() || status.is_redirection()) {
                about.learn(response.headers());
            }
            if status.is_redirection() {
                let next = target(&url, response.headers())?;
                if origin(&next) != origin(&url) {
                    return Ok(Answer::Elsewhere(about, next));
                }
                url = next;
                continue;
            }
            if status == StatusCode::RANGE_NOT_SATISFIABLE && start > 0 {
                // Whatever lies here is longer than the file: it is fetched anew.
                return self.find(&url, 0);
            }
            if !status.is_success() {
                let wait = asked_wait(response.headers());
                return Err(Failure::Status(status.as_u16(), wait));
            }
            return reply(about, response).map(Answer::Body);
        }
        Err(too_many(&url))
    }

    fn ask(&self, url: &str, start: u64) -> Result<Response<Body>, Failure> {
        let mut request = self.agent.get(url);
        if start > 0 {
            request = request.header("Range", format!("bytes={start}-"));
        }
        if let Some(token) = &self.token
            && origin(url) == origin(&self.endpoint)
        {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let host = origin(url).unwrap_or(url);
        request.call().map_err(|error| match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::InvalidProxyUrl => {
                anyhow!("{url} cannot be asked for: {error}").into()
            }
            error => Failure::Network(format!("{host} cannot be reached ({error})")),
        })
    }

    /// Patience for one thing to fetch.
    pub(super) fn patience(&self) -> Patience<'_> {
        Patience {
            client: self,
            tried: 0,
        }
    }
}

/// Counts the tries and sleeps between them.
pub(super) struct Patience<'a> {
    client: &'a Client,
    tried: u32,
}

impl Patience<'_> {
    /// Something came: count from here.
    pub(super) fn renew(&mut self) {
        self.tried = 0;
    }

    /// Waits before another try, saying so; gives the failure back if there is to be none.
    pub(super) fn wait(&mut self, failure: Failure, say: impl Fn(String)) -> Result<(), Failure> {
        if !failure.may_pass() || self.tried >= TRIES {
            return Err(failure);
        }
        let own = self.client.pause * 2_u32.pow(self.tried);
        let wait = match failure {
            Failure::Status(_, Some(asked)) => asked.max(own),
            _ => own,
        };
        if wait > LONGEST_WAIT {
            return Err(failure);
        }
        self.tried += 1;
        let brief = failure.brief(&self.client.endpoint);
        let pause = output::duration(wait.as_secs_f64());
        say(format!("{brief}: another try in {pause}"));
        sleep(wait)?;
        Ok(())
    }
}

/// Sleeps, unless Ctrl-C is pressed.
fn sleep(wait: Duration) -> anyhow::Result<()> {
    let end = Instant::now() + wait;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        if interrupt::asked() {
            bail!("stopped");
        }
        std::thread::sleep(left.min(Duration::from_millis(100)));
    }
    Ok(())
}

fn too_many(url: &str) -> Failure {
    anyhow!("{url}: more than {REDIRECTS} redirects one after another").into()
}

impl About {
    /// This, and where it says nothing the other.
    fn or(self, other: Self) -> Self {
        Self {
            etag: self.etag.or(other.etag),
            size: self.size.or(other.size),
            linked: self.linked || other.linked,
        }
    }

    /// Takes over what a server says; what it says of a linked file goes before what it says of
    /// the answer itself.
    fn learn(&mut self, headers: &HeaderMap) {
        let etag = |name| Some(plain_etag(text(headers, name)?).to_string());
        let linked = etag("x-linked-etag");
        self.linked |= linked.is_some();
        let plain = etag("etag").filter(|_| !self.linked);
        self.etag = linked.or(plain).or_else(|| self.etag.take());
        let size = text(headers, "x-linked-size").and_then(|size| size.parse().ok());
        self.size = size.or(self.size);
    }
}

fn reply(mut about: About, response: Response<Body>) -> Result<Reply, Failure> {
    let headers = response.headers();
    let length = text(headers, "content-length").and_then(|length| length.parse::<u64>().ok());
    let (start, whole) = match response.status() {
        StatusCode::PARTIAL_CONTENT => range(headers).ok_or_else(|| {
            anyhow!("a part of a file came without saying which: is a proxy in between?")
        })?,
        _ => (0, length),
    };
    about.size = about.size.or(whole);
    Ok(Reply {
        about,
        start,
        body: response.into_body(),
    })
}

fn whole(reply: Reply) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut reader = reply.into_reader().take(LARGEST_LISTING);
    match reader.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Failure::Network(format!("the answer broke off ({error})"))),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Without the quotes, and the mark of one that stands for equal rather than identical content.
fn plain_etag(etag: &str) -> &str {
    etag.trim().trim_start_matches("W/").trim_matches('"')
}

/// The first byte of a part, and the size of the whole: `bytes 5-9/10`, `bytes 5-9/*`.
fn range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let range = text(headers, "content-range")?.strip_prefix("bytes ")?;
    let (part, whole) = range.split_once('/')?;
    let start = part.split_once('-')?.0;
    Some((start.trim().parse().ok()?, whole.trim().parse().ok()))
}

/// The seconds that a server asks for: by `Retry-After`, or by the `t=` of the hub's `RateLimit`.
fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let limit = || {
        text(headers, "ratelimit")?
            .split(';')
            .find_map(|part| part.trim().strip_prefix("t="))
    };
    let seconds = text(headers, "retry-after").or_else(limit)?;
    Some(Duration::from_secs(seconds.trim().parse().ok()?))
}

/// Scheme, host and port: to whom a token may be shown.
fn origin(url: &str) -> Option<&str> {
    let host = url.find("://")? + 3;
    let length = url[host..].find(['/', '?', '#']);
    Some(length.map_or(url, |length| &url[..host + length]))
}

/// Where a redirect leads.
fn target(url: &str, headers: &HeaderMap) -> Result<String, Failure> {
    let location = text(headers, "location").unwrap_or_default();
    let home = origin(url).unwrap_or_default();
    if location.starts_with("https://") || location.starts_with("http://") {
        Ok(location.to_string())
    } else if location.starts_with('/') && !location.starts_with("//") {
        Ok(format!("{home}{location}"))
    } else {
        Err(anyhow!("{home} redirects to `{location}`, which is no address").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            let name = ureq::http::HeaderName::from_static(name);
            (name, value.parse().unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn the_linked_file_counts_and_not_the_redirect_to_it() {
        let mut about = About::default();
        about.learn(&headers(&[
            ("x-linked-etag", "\"ab\""),
            ("x-linked-size", "7"),
            ("etag", "W/\"cd\""),
        ]));
        // The hub redirects within itself, too.
        about.learn(&headers(&[("etag", "\"ef\"")]));
        assert_eq!((about.etag.as_deref(), about.size), (Some("ab"), Some(7)));
        let mut plain = About::default();
        plain.learn(&headers(&[("etag", "of-the-redirect")]));
        plain.learn(&headers(&[("etag", "W/\"cd\"")]));
        assert_eq!(plain.etag.as_deref(), Some("cd"));
    }

    #[test]
    fn waits_are_read_in_both_forms() {
        let wait = |name, value| asked_wait(&headers(&[(name, value)])).map(|wait| wait.as_secs());
        assert_eq!(wait("retry-after", "7"), Some(7));
        assert_eq!(wait("ratelimit", "\"resolvers\";r=0;t=55"), Some(55));
        assert_eq!(wait("retry-after", "Fri, 31 Dec 2027 23:59:59 GMT"), None);
    }

    #[test]
    fn redirects_and_origins() {
        let to = |location: &str| {
            let headers = headers(&[("location", location)]);
            target("https://hub.example:8/a?b", &headers)
        };
        assert_eq!(to("/c").unwrap(), "https://hub.example:8/c");
        assert_eq!(to("http://cdn/c").unwrap(), "http://cdn/c");
        assert!(to("//cdn/c").is_err() && to("file:///etc").is_err() && to("").is_err());
        assert_eq!(origin("https://a:1/b"), Some("https://a:1"));
        assert_eq!(origin("https://a?x=/y"), Some("https://a"));
        assert_ne!(origin("https://a.evil/b"), origin("https://a"));
    }

    #[test]
    fn ranges() {
        let of = |value| range(&headers(&[("content-range", value)]));
        assert_eq!(of("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(of("bytes 5-9/*"), Some((5, None)));
        assert_eq!(of("bytes */10"), None);
    }
}

//! A server on this machine that speaks the hub's addresses, with a second one as the hosts that
//! large files are redirected to. Both write down what they are asked, and can be told to fail.

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What goes wrong with one answer.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// The connection is closed after this many bytes of the body.
    Cut(usize),
    /// The body ends after this many bytes, and the answer says that this is all.
    Short(usize),
    /// Another status, with header lines.
    Status(u16, &'static str),
    /// Bytes of another file.
    Wrong,
    /// The range is not honoured.
    Whole,
}

/// A repository at one revision: the commit, and the files by their paths.
struct Revision {
    commit: String,
    files: BTreeMap<String, Vec<u8>>,
}

#[derive(Default)]
struct State {
    /// By the repository's address (`org/name`, `datasets/org/name`) and the revision.
    repos: Mutex<BTreeMap<(String, String), Revision>>,
    /// The heads of all requests, the host's part in front.
    asked: Mutex<Vec<String>>,
    /// What is to go wrong when an address that contains the text is asked for, each once.
    troubles: Mutex<Vec<(String, Trouble)>>,
    hub: Mutex<String>,
    store: Mutex<String>,
}

/// The hub and its store.
pub(crate) struct Server {
    state: Arc<State>,
    pub(crate) endpoint: String,
}

impl Server {
    /// Starts both; they end with the process.
    pub(crate) fn start() -> Self {
        let state = Arc::new(State::default());
        let hub = listen("127.0.0.1", &state, "hub");
        // Another name, as a store is another host.
        let store = listen("localhost", &state, "store");
        (*state.hub.lock().unwrap()).clone_from(&hub);
        *state.store.lock().unwrap() = store;
        Self {
            state,
            endpoint: hub,
        }
    }

    /// Puts files into a repository (`org/name`, `datasets/org/name`) at a revision; the commit.
    pub(crate) fn put(&self, repo: &str, revision: &str, files: &[(&str, &[u8])]) -> String {
        let files: BTreeMap<String, Vec<u8>> = files
            .iter()
            .map(|(name, bytes)| (name.to_string(), bytes.to_vec()))
            .collect();
        let all: Vec<u8> = files.values().flatten().copied().collect();
        let commit = hash("commit", &all);
        for name in [revision, &*commit] {
            let (commit, files) = (commit.clone(), files.clone());
            let key = (repo.to_string(), name.to_string());
            let mut repos = self.state.repos.lock().unwrap();
            repos.insert(key, Revision { commit, files });
        }
        commit
    }

    /// The next answer for an address that contains `part` fails so; several are taken in order.
    pub(crate) fn fail(&self, part: &str, trouble: Trouble) {
        self.state
            .troubles
            .lock()
            .unwrap()
            .push((part.into(), trouble));
    }

    /// Nothing is to go wrong any more.
    pub(crate) fn mend(&self) {
        self.state.troubles.lock().unwrap().clear();
    }

    /// The heads of all requests since the last look, each begun by `hub ` or `store `.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.state.asked.lock().unwrap())
    }
}

fn listen(host: &str, state: &Arc<State>, who: &'static str) -> String {
    let listener = TcpListener::bind((host, 0)).unwrap();
    let address = format!("http://{host}:{}", listener.local_addr().unwrap().port());
    let state = state.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let state = state.clone();
            std::thread::spawn(move || answer(stream, &state, who));
        }
    });
    address
}

/// SHA-256 of a large file, or git's hash of a small one or of a commit.
fn hash(kind: &str, bytes: &[u8]) -> String {
    let digest = match kind {
        "sha256" => Sha256::digest(bytes).to_vec(),
        _ => {
            let head = format!("{kind} {}\0", bytes.len());
            sha1::Sha1::digest([head.as_bytes(), bytes].concat()).to_vec()
        }
    };
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_large(file: &str) -> bool {
    [".safetensors", ".bin", ".parquet"]
        .iter()
        .any(|end| file.ends_with(end))
}

/// An answer: status, header lines, body.
type Answer = (u16, String, Vec<u8>);

fn answer(mut stream: TcpStream, state: &State, who: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
    let path = head.split(' ').nth(1).unwrap_or("/").to_string();
    if head.is_empty() {
        return;
    }
    state.asked.lock().unwrap().push(format!("{who} {head}"));
    let trouble = {
        let mut troubles = state.troubles.lock().unwrap();
        let at = troubles
            .iter()
            .position(|(part, _)| format!("{who} {path}").contains(part));
        at.map(|at| troubles.remove(at).1)
    };
    let found = match who {
        "hub" => hub(state, &path),
        _ => store(state, &path),
    };
    let (mut status, mut headers, mut body) = found.unwrap_or((404, String::new(), Vec::new()));
    let start: Option<usize> = head.to_ascii_lowercase().lines().find_map(|line| {
        line.strip_prefix("range: bytes=")?
            .strip_suffix('-')?
            .parse()
            .ok()
    });
    if let Some(start) = start.filter(|_| status == 200 && !matches!(trouble, Some(Trouble::Whole)))
    {
        let length = body.len();
        if start >= length {
            (status, body) = (416, Vec::new());
        } else {
            status = 206;
            headers += &format!("Content-Range: bytes {start}-{}/{length}\r\n", length - 1);
            body.drain(..start);
        }
    }
    let mut sent = body.len();
    match trouble {
        Some(Trouble::Cut(count)) => sent = count.min(sent),
        Some(Trouble::Short(count)) => {
            body.truncate(count);
            sent = body.len();
        }
        Some(Trouble::Status(other, lines)) => {
            (status, headers, sent) = (other, lines.to_string(), 0);
            body.clear();
        }
        Some(Trouble::Wrong) => body.iter_mut().for_each(|byte| *byte ^= 1),
        Some(Trouble::Whole) | None => {}
    }
    let length = body.len();
    let lines = format!("{headers}Content-Length: {length}\r\nConnection: close");
    // Whoever asked may be gone.
    let _ = write!(stream, "HTTP/1.1 {status} Said\r\n{lines}\r\n\r\n");
    let _ = stream.write_all(&body[..sent]);
}

/// `/api/models/ID/revision/REV`, `/ID/resolve/REV/FILE`, and where small files are led on to.
fn hub(state: &State, path: &str) -> Option<Answer> {
    let path = path.replace("%2F", "/");
    let repos = state.repos.lock().unwrap();
    if let Some(rest) = path.strip_prefix("/api/resolve-cache/") {
        let bytes = file(&repos, rest)?.1;
        return Some((
            200,
            format!("ETag: \"{}\"\r\n", hash("blob", bytes)),
            bytes.clone(),
        ));
    }
    if let Some(rest) = path.strip_prefix("/api/") {
        let (repo, revision) = rest.split_once("/revision/")?;
        let repo = repo.strip_prefix("models/").unwrap_or(repo);
        let found = repos.get(&(repo.to_string(), revision.to_string()))?;
        let file = |name| format!("{{\"rfilename\": \"{name}\"}}");
        let files: Vec<String> = found.files.keys().map(file).collect();
        let json = format!(
            "{{\"id\": \"{repo}\", \"sha\": \"{}\", \"siblings\": [{}]}}",
            found.commit,
            files.join(", ")
        );
        return Some((
            200,
            "Content-Type: application/json\r\n".into(),
            json.into_bytes(),
        ));
    }
    let rest = path.strip_prefix('/')?;
    let (commit, bytes) = file(&repos, rest)?;
    let (large, length) = (is_large(rest), bytes.len());
    let hash = hash(if large { "sha256" } else { "blob" }, bytes);
    let about = format!(
        "X-Repo-Commit: {commit}\r\nX-Linked-Etag: \"{hash}\"\r\nX-Linked-Size: {length}\r\n"
    );
    let target = match large {
        true => format!("{}/{rest}?signature=1", state.store.lock().unwrap()),
        false => format!("/api/resolve-cache/{rest}"),
    };
    let status = if large { 302 } else { 307 };
    Some((
        status,
        format!("{about}Location: {target}\r\n"),
        b"redirect".to_vec(),
    ))
}

/// A store answers with a hash of its own kind, which is not the hub's.
fn store(state: &State, path: &str) -> Option<Answer> {
    let repos = state.repos.lock().unwrap();
    let path = path.strip_prefix('/')?.split('?').next()?;
    let bytes = file(&repos, path)?.1;
    Some((200, "ETag: \"of-the-store\"\r\n".into(), bytes.clone()))
}

/// The commit and content of `ID/resolve/REV/FILE`.
fn file<'a>(
    repos: &'a BTreeMap<(String, String), Revision>,
    path: &str,
) -> Option<(&'a str, &'a Vec<u8>)> {
    let (repo, rest) = path.split_once("/resolve/")?;
    repos.iter().find_map(|((own, revision), found)| {
        let file = rest.strip_prefix(revision.as_str())?.strip_prefix('/')?;
        let bytes = found.files.get(file).filter(|_| own == repo)?;
        Some((found.commit.as_str(), bytes))
    })
}

//! A static server on this machine, which can be stopped as a network can.

use std::hash::{Hash, Hasher};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// What is served: a folder under a path that begins and ends with a slash, and pages of the test's own.
struct Site {
    folder: PathBuf,
    base: String,
    pages: Vec<(String, String)>,
}

/// Serves until it is stopped or dropped.
pub(crate) struct Server {
    port: u16,
    base: String,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves a folder under `base`, with pages of the test's own (name, text) beside its files.
    pub(crate) fn start(folder: &Path, base: &str, pages: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let own = |&(name, text): &(&str, &str)| (name.to_string(), text.to_string());
        let site = Arc::new(Site {
            folder: folder.to_path_buf(),
            base: base.to_string(),
            pages: pages.iter().map(own).collect(),
        });
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = stopped.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let site = site.clone();
                std::thread::spawn(move || answer(stream, &site));
            }
        });
        Self {
            port,
            base: base.to_string(),
            stopped,
            thread: Some(thread),
        }
    }

    /// The address of a file, by another name for this machine if one is given.
    pub(crate) fn address(&self, host: &str, name: &str) -> String {
        format!("http://{host}:{}{}{name}", self.port, self.base)
    }

    /// From now on nothing listens at the address.
    pub(crate) fn stop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // A last visitor wakes the thread, which then looks at the flag.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn answer(mut stream: TcpStream, site: &Site) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
    let mut words = head.split_whitespace();
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or("/"));
    let path = path.split('?').next().unwrap_or("/");
    let found = path.strip_prefix(&*site.base).map(|name| file(site, name));
    let Some(Some((kind, bytes))) = found else {
        let _ = respond(&mut stream, "404 Not Found", "", b"", 0);
        return;
    };
    let length = bytes.len();
    let kind = format!("Content-Type: {kind}\r\nETag: \"{:x}\"\r\n", hash(&bytes));
    // A browser that goes away in the middle is no failure of the test.
    let _ = match range(&head, length) {
        _ if method == "HEAD" => respond(&mut stream, "200 OK", &kind, b"", length),
        Some((start, end)) => {
            let range = format!(
                "{kind}Content-Range: bytes {start}-{}/{length}\r\n",
                end - 1
            );
            let part = &bytes[start..end];
            respond(&mut stream, "206 Partial Content", &range, part, part.len())
        }
        None => respond(&mut stream, "200 OK", &kind, &bytes, length),
    };
}

/// The one range that a request asks for, if it asks for one within the file.
fn range(head: &str, length: usize) -> Option<(usize, usize)> {
    let head = head.to_ascii_lowercase();
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix("range: bytes="))?;
    let (start, last) = line.trim().split_once('-')?;
    let (start, end) = (start.parse().ok()?, last.parse::<usize>().ok()? + 1);
    (start < end && end <= length).then_some((start, end))
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

fn file(site: &Site, name: &str) -> Option<(&'static str, Vec<u8>)> {
    let name = if name.is_empty() { "index.html" } else { name };
    let kind = match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript",
        Some("css") => "text/css",
        Some("json") => "application/json",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    };
    let own = site.pages.iter().find(|(own, _)| own == name);
    match own {
        Some((_, text)) => Some((kind, text.clone().into_bytes())),
        None => Some((kind, std::fs::read(site.folder.join(name)).ok()?)),
    }
}

fn respond(
    stream: &mut TcpStream,
    status: &str,
    headers: &str,
    body: &[u8],
    length: usize,
) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(body)
}

//! A static server for `web/dist` and the test's page, which sends its reports back.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Says whether the page was drawn, and every error on the way.
const PROBE: &str = r#"
const errors = [];
const note = (words) => errors.push(String(words));
addEventListener("error", (event) => note(event.message ?? event.target?.src));
addEventListener("unhandledrejection", (event) => note(event.reason));
addEventListener("securitypolicyviolation", (event) => note(event.violatedDirective + " " + event.blockedURI));
console.error = (...words) => note(words.join(" "));
const start = performance.now();
const timer = setInterval(() => {
  const drawn = !document.getElementById("status");
  if (!drawn && performance.now() - start < 60000) return;
  clearInterval(timer);
  const seconds = (performance.now() - start) / 1000;
  // A moment more, in which the worker would fail.
  setTimeout(() => fetch("/said", { method: "POST", body: JSON.stringify({ drawn, seconds, errors }) }), 3000);
}, 50);
"#;

/// Serves until the test ends.
pub(crate) struct Server {
    port: u16,
    said: Receiver<Vec<u8>>,
}

impl Server {
    pub(crate) fn start(dist: &Path, page: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, said) = channel();
        let (dist, page) = (dist.to_path_buf(), page.to_string());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (dist, page, sender) = (dist.clone(), page.clone(), sender.clone());
                std::thread::spawn(move || answer(stream, &dist, &page, &sender));
            }
        });
        Self { port, said }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/test.html", self.port)
    }

    /// What the page posts at its end.
    pub(crate) fn said(&self, limit: Duration) -> Vec<u8> {
        let said = self.said.recv_timeout(limit);
        said.expect("the page said nothing in time")
    }
}

fn answer(mut stream: TcpStream, dist: &Path, page: &str, sender: &Sender<Vec<u8>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
    let mut words = head.split_whitespace();
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or("/"));
    if method == "POST" {
        let length = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length:")?
                    .trim()
                    .parse()
                    .ok()
            })
            .unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let _ = respond(&mut stream, "200 OK", "text/plain", b"");
        sender.send(body).unwrap();
        return;
    }
    let own = match path {
        "/test.html" => Some(("text/html", page)),
        "/probe.js" => Some(("text/javascript", PROBE)),
        _ => None,
    };
    if let Some((kind, text)) = own {
        let _ = respond(&mut stream, "200 OK", kind, text.as_bytes());
        return;
    }
    let kind = match path.rsplit('.').next() {
        Some("js") => "text/javascript",
        Some("css") => "text/css",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    };
    let _ = match std::fs::read(dist.join(path.trim_start_matches('/'))) {
        Ok(bytes) => respond(&mut stream, "200 OK", kind, &bytes),
        Err(_) => respond(&mut stream, "404 Not Found", "text/plain", b""),
    };
}

fn respond(stream: &mut TcpStream, status: &str, kind: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(body)
}

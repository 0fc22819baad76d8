//! A static server for one's own machine.

use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

const ADDRESS: &str = "127.0.0.1:8080";

/// Serves the folder until the program is stopped.
pub(crate) fn serve(dist: &Path) -> Result<()> {
    let listener = TcpListener::bind(ADDRESS).with_context(|| format!("{ADDRESS} is taken"))?;
    println!("http://{ADDRESS}/ shows the page; Ctrl-C ends it");
    for stream in listener.incoming().flatten() {
        let dist = dist.to_path_buf();
        // A browser that goes away in the middle is no reason to stop.
        std::thread::spawn(move || answer(stream, &dist).ok());
    }
    Ok(())
}

fn answer(mut stream: TcpStream, dist: &Path) -> Result<()> {
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line)?;
    let path = line.split_whitespace().nth(1).unwrap_or("/");
    let path = path
        .split(['?', '#'])
        .next()
        .unwrap_or("/")
        .trim_start_matches('/');
    let name = if path.is_empty() { "index.html" } else { path };
    let inside = !name.split('/').any(|part| part == "..");
    let bytes = inside
        .then(|| std::fs::read(dist.join(name)).ok())
        .flatten();
    let (status, bytes) = match bytes {
        Some(bytes) => ("200 OK", bytes),
        None => ("404 Not Found", Vec::new()),
    };
    let (kind, length) = (kind(name), bytes.len());
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n"
    )?;
    Ok(stream.write_all(&bytes)?)
}

/// Browsers run modules and compile wasm by these types only.
fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css",
        Some("js") => "text/javascript",
        Some("json") => "application/json",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}

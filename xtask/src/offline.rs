//! The list that the service worker keeps the page by: every file of the build and its hash.

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

const WORKER: &str = "sw.js";

/// A file of the build.
#[derive(Debug, PartialEq)]
struct File {
    /// Its address, relative to the page.
    name: String,
    hash: String,
    bytes: usize,
}

/// Writes the list at the head of the service worker in `dist`. A browser compares that script with
/// the one it has, so the list being part of it is what makes a new build known.
pub(crate) fn list_files(dist: &Path) -> Result<()> {
    let path = dist.join(WORKER);
    let script = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut files = Vec::new();
    collect(dist, "", &mut files)?;
    fs::write(&path, head(files, &script)? + &script)?;
    Ok(())
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<File>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().context("a file without a name")?;
        let name = format!("{prefix}{}", name.to_string_lossy());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files)?;
        } else if name != WORKER {
            let bytes = fs::read(&path)?;
            let (hash, bytes) = (hex(&bytes), bytes.len());
            files.push(File { name, hash, bytes });
        }
    }
    Ok(())
}

/// Two constants: the build's own hash, and the files, the smallest first, so that a host that does
/// not serve them as they were built is noticed before the large ones are fetched.
fn head(mut files: Vec<File>, script: &str) -> Result<String> {
    files.sort_by(|a, b| (a.bytes, &a.name).cmp(&(b.bytes, &b.name)));
    let mut list = String::new();
    for file in &files {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        if !file.name.chars().all(plain) {
            bail!("{}: the page's files have plain names", file.name);
        }
        list += &format!("  \"{}\": \"{}\",\n", file.name, file.hash);
    }
    let build = hex((list.clone() + script).as_bytes());
    Ok(format!(
        "const BUILD = \"{}\";\nconst FILES = {{\n{list}}};\n",
        &build[..16]
    ))
}

fn hex(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, hash: &str, bytes: usize) -> File {
        File {
            name: name.into(),
            hash: hash.into(),
            bytes,
        }
    }

    #[test]
    fn the_list_is_small_first_and_its_hash_changes_with_any_file() {
        let one = head(vec![file("b/c.js", "22", 9), file("a.js", "11", 3)], "code").unwrap();
        let end = "const FILES = {\n  \"a.js\": \"11\",\n  \"b/c.js\": \"22\",\n};\n";
        assert!(one.ends_with(end), "{one}");
        let other = head(vec![file("b/c.js", "23", 9), file("a.js", "11", 3)], "code").unwrap();
        let code = head(vec![file("b/c.js", "22", 9), file("a.js", "11", 3)], "more").unwrap();
        let build = |text: &str| text.lines().next().map(str::to_string);
        assert_ne!(build(&one), build(&other));
        assert_ne!(build(&one), build(&code));
    }

    #[test]
    fn a_name_that_would_break_the_script_is_refused() {
        assert!(head(vec![file("a\".js", "11", 3)], "code").is_err());
    }
}

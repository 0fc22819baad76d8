//! Whether a file is the one that the hub means: by its ETag, which is a hash of the content.

use sha2::{Digest, Sha256};
use std::fs::File;
use std::io;
use std::path::Path;

/// What an ETag says about the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hash {
    /// Of a large file: the SHA-256.
    Sha256,
    /// Of a file that git itself keeps: the SHA-1 of git's blob.
    GitBlob,
    /// Of a server that makes ETags of another kind: only the size can be checked.
    Unknown,
}

impl Hash {
    /// By the ETag's length.
    pub(super) fn of(etag: &str) -> Self {
        let hex = etag.bytes().all(|byte| byte.is_ascii_hexdigit());
        match etag.len() {
            64 if hex => Self::Sha256,
            40 if hex => Self::GitBlob,
            _ => Self::Unknown,
        }
    }
}

/// Whether the file has the content that `etag` names, as far as that can be told.
pub(super) fn matches(path: &Path, etag: &str) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let found = match Hash::of(etag) {
        Hash::Unknown => return Ok(true),
        Hash::Sha256 => digest(&mut file, Sha256::new())?,
        Hash::GitBlob => {
            let head = format!("blob {}\0", file.metadata()?.len());
            digest(&mut file, sha1::Sha1::new_with_prefix(head))?
        }
    };
    Ok(found.eq_ignore_ascii_case(etag))
}

fn digest<D: Digest + io::Write>(file: &mut File, mut hasher: D) -> io::Result<String> {
    io::copy(file, &mut hasher)?;
    let bytes = hasher.finalize();
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_hash_are_told_apart_and_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "hello\n").unwrap();
        // By `sha256sum` and `git hash-object`.
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        let blob = "ce013625030ba8dba906f756967f9e9ca394464a";
        for etag in [sha256, blob, &blob.to_uppercase(), "some-other-tag"] {
            assert!(matches(&path, etag).unwrap(), "{etag}");
        }
        std::fs::write(&path, "hullo\n").unwrap();
        assert!(!matches(&path, sha256).unwrap());
        assert!(!matches(&path, blob).unwrap());
    }
}

//! Reading files, with their names in every error, and unpacking gzip.

use anyhow::Result;
use compacter_core::Error;
use compacter_core::task::Files;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The whole file, unpacked if it is gzip.
pub(crate) fn read(path: &Path) -> compacter_core::Result<Vec<u8>> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|e| Error::file(&name, e.to_string()))?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice())
        .read_to_end(&mut text)
        .map_err(|e| Error::file(&name, format!("broken gzip: {e}")))?;
    Ok(text)
}

/// Reads JSON; errors name the file.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = read(path)?;
    let wrong =
        |e: serde_json::Error| Error::line(path.display().to_string(), e.line(), e.to_string());
    Ok(serde_json::from_slice(&bytes).map_err(wrong)?)
}

/// The files of one folder, each also found as `name.gz`.
pub(crate) struct DirFiles(pub(crate) PathBuf);

impl Files for DirFiles {
    fn read(&self, name: &str) -> compacter_core::Result<Option<Vec<u8>>> {
        for name in [name.to_string(), format!("{name}.gz")] {
            let path = self.0.join(name);
            if path.is_file() {
                return read(&path).map(Some);
            }
        }
        Ok(None)
    }
}

/// Files by the names they are asked for, wherever they lie.
pub(crate) struct NamedFiles(pub(crate) BTreeMap<String, PathBuf>);

impl Files for NamedFiles {
    fn read(&self, name: &str) -> compacter_core::Result<Option<Vec<u8>>> {
        self.0.get(name).map(|path| read(path)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn gzip_is_found_and_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(folder.path().join("train.tsv.gz")).unwrap();
        let mut gz = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        gz.write_all(b"a\tb\n").unwrap();
        gz.finish().unwrap();
        let files = DirFiles(folder.path().into());
        assert_eq!(files.read("train.tsv").unwrap().unwrap(), b"a\tb\n");
        assert!(files.read("dev.tsv").unwrap().is_none());
    }
}

//! The index of weights in several files.

use crate::{Error, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The files that an index (`model.safetensors.index.json`) names, each of which lies beside it;
/// `file` is for errors.
pub fn shards(index: &[u8], file: &str) -> Result<BTreeSet<String>> {
    let wrong = |e: serde_json::Error| Error::line(file, e.line(), e.to_string());
    let index: Index = serde_json::from_slice(index).map_err(wrong)?;
    let names: BTreeSet<String> = index.weight_map.into_values().collect();
    // A colon is a drive on Windows, and joins to nothing else.
    let outside = |name: &&String| name.contains(['/', '\\', ':']) || *name == ".." || *name == ".";
    match names.iter().find(outside) {
        None => Ok(names),
        Some(name) => {
            let message = format!("`{name}` is outside this folder: a shard is a plain file name");
            Err(Error::file(file, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_cannot_lead_out_of_its_folder() {
        for outside in ["../b.safetensors", "/b", "..", ".", "a\\\\b", "c:b"] {
            let index = format!(r#"{{"weight_map": {{"a": "{outside}"}}}}"#);
            let error = shards(index.as_bytes(), "i").unwrap_err().to_string();
            assert!(error.contains("outside this folder"), "{error}");
        }
        let index = br#"{"weight_map": {"a": "2", "b": "1", "c": "2"}}"#;
        assert_eq!(shards(index, "i").unwrap(), ["1".into(), "2".into()].into());
        assert!(
            shards(b"{}", "i")
                .unwrap_err()
                .to_string()
                .contains("weight_map")
        );
    }
}

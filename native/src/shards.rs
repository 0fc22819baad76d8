//! Weights of a model: the names that they go by, and the index of several files.

use crate::files;
use anyhow::Result;
use compacter_core::Error;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The forms of weights that are read, the one to take first: the file, or an index of several.
pub(crate) const WEIGHTS: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];

#[derive(serde::Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The files that an index (`model.safetensors.index.json`) names, each of which lies beside it.
pub(crate) fn names(index: &Path) -> Result<BTreeSet<String>> {
    let names: BTreeSet<String> = files::read_json::<Index>(index)?
        .weight_map
        .into_values()
        .collect();
    let outside = |name: &&String| name.contains(['/', '\\']) || *name == "..";
    if let Some(name) = names.iter().find(outside) {
        let message = format!("`{name}` is outside this folder: a shard is a plain file name");
        return Err(Error::file(index.display().to_string(), message).into());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_cannot_lead_out_of_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors.index.json");
        for outside in ["../b.safetensors", "/b", "..", "a\\\\b"] {
            let index = format!(r#"{{"weight_map": {{"a": "{outside}"}}}}"#);
            std::fs::write(&path, index).unwrap();
            let error = names(&path).unwrap_err().to_string();
            assert!(error.contains("outside this folder"), "{error}");
        }
        std::fs::write(&path, r#"{"weight_map": {"a": "2", "b": "1", "c": "2"}}"#).unwrap();
        assert_eq!(names(&path).unwrap(), ["1".into(), "2".into()].into());
    }
}

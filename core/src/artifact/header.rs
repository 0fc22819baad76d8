//! What stands in an adapter file beside its tensors, and the file's frame.

use crate::method::Method;
use crate::t5::T5Config;
use crate::task::Scoring;
use crate::{Error, Result};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

const KEY: &str = "compacter";
const VERSION: u32 = 1;

/// What an adapter file says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the layout.
    pub version: u32,
    /// The method with its resolved sizes.
    pub method: Method,
    /// Sizes of the base that it was trained on.
    pub base: T5Config,
    /// The base's hash (`T5::hash`), if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_hash: Option<String>,
    /// Seed of the run that trained it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Its score on the validation rows, by which it was chosen, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<f64>,
    /// Task name.
    pub task: String,
    /// Label strings; empty for free text.
    pub labels: Vec<String>,
    /// How it was scored.
    pub score: Scoring,
    /// Tokens a source was cut at.
    pub max_source: usize,
    /// Longest target in tokens, the end token included.
    pub max_target: usize,
}

impl Header {
    /// A header of the present version.
    pub fn new(method: Method, base: T5Config) -> Self {
        Self {
            version: VERSION,
            method,
            base,
            base_hash: None,
            seed: None,
            validation: None,
            task: String::new(),
            labels: Vec::new(),
            score: Scoring::Generate,
            max_source: 128,
            max_target: 16,
        }
    }

    /// As the metadata of a safetensors file.
    pub fn metadata(&self) -> Result<HashMap<String, String>> {
        let text = serde_json::to_string(self).map_err(|e| Error::Setting(e.to_string()))?;
        Ok(HashMap::from([(KEY.to_string(), text)]))
    }

    /// Reads it from the bytes of an adapter file; no tensor is touched.
    pub fn read(bytes: &[u8], file: &str) -> Result<Self> {
        let (_, metadata) = safetensors::SafeTensors::read_metadata(bytes)
            .map_err(|e| Error::file(file, format!("not an adapter file: {e}")))?;
        let found = match metadata.metadata() {
            Some(metadata) => Self::find(metadata, file)?,
            None => None,
        };
        found.ok_or_else(|| {
            let message = "not an adapter file: its metadata has no `compacter`";
            Error::file(file, message)
        })
    }

    /// Takes it out of the metadata of a safetensors file; `None` if that is no adapter file.
    pub fn find(metadata: &HashMap<String, String>, file: &str) -> Result<Option<Self>> {
        let Some(text) = metadata.get(KEY) else {
            return Ok(None);
        };
        let header: Self = serde_json::from_str(text)
            .map_err(|e| Error::file(file, format!("the adapter's metadata is unreadable: {e}")))?;
        if header.version != VERSION {
            let message = format!("adapter version {}, expected {VERSION}", header.version);
            return Err(Error::file(file, message));
        }
        // Names and lengths of tensors follow from these numbers, and much memory with them.
        header.base.check(file)?;
        let method = header.method.check(&header.base);
        method.map_err(|e| Error::file(file, format!("its method fits no base: {e}")))?;
        Ok(Some(header))
    }
}

/// A safetensors file of f32 tensors, by name, shape and bytes, with metadata.
pub(crate) fn write(
    tensors: &[(String, Vec<usize>, Vec<u8>)],
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>> {
    let mut sorted: Vec<_> = tensors.iter().collect();
    sorted.sort_by_key(|(name, ..)| name);
    let shapes = sorted.iter();
    let shapes = shapes.map(|(name, shape, _)| (name.clone(), shape.clone()));
    let mut file = front(shapes.collect(), metadata)?;
    file.reserve_exact(sorted.iter().map(|(.., bytes)| bytes.len()).sum());
    for (.., bytes) in sorted {
        file.extend_from_slice(bytes);
    }
    Ok(file)
}

/// What stands in front of such a file's numbers: all that is missing are the tensors' bytes in this
/// order, so that no two copies of them need be in memory.
pub(crate) fn front(
    tensors: Vec<(String, Vec<usize>)>,
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>> {
    let fail = |e: String| Error::file("safetensors", e);
    let mut end = 0;
    let info = |(name, shape): (String, Vec<usize>)| {
        let start = end;
        end += 4 * shape.iter().product::<usize>();
        let info = TensorInfo {
            dtype: Dtype::F32,
            shape,
            data_offsets: (start, end),
        };
        (name, info)
    };
    let infos = tensors.into_iter().map(info).collect();
    let header = Metadata::new(Some(metadata), infos).map_err(|e| fail(e.to_string()))?;
    let mut text = serde_json::to_vec(&header).map_err(|e| fail(e.to_string()))?;
    // The format wants the numbers aligned.
    text.resize(text.len().next_multiple_of(8), b' ');
    let length = (text.len() as u64).to_le_bytes();
    Ok([&length[..], &text].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// What is said of a header of this method with a value put in at a place.
    fn changed(method: &str, place: &str, value: Value) -> String {
        let base = T5Config::preset("t5-small").unwrap();
        let header = Header::new(Method::preset(method, &base).unwrap(), base);
        let mut json = serde_json::to_value(header).unwrap();
        *json.pointer_mut(place).unwrap() = value;
        let metadata = HashMap::from([(KEY.to_string(), json.to_string())]);
        match Header::find(&metadata, "a.safetensors") {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn numbers_that_ask_for_endless_tensors_are_refused() {
        for (method, place, value, expected) in [
            (
                "compacter",
                "/base/num_layers",
                json!(1u64 << 60),
                "num_layers",
            ),
            ("full", "/base/d_model", json!(u64::MAX), "d_model"),
            ("compacter", "/method/adapters/layer/n", json!(0), "n = 0"),
            (
                "compacter",
                "/method/adapters/layer/n",
                json!(1u64 << 40),
                "n = ",
            ),
            (
                "compacter",
                "/method/adapters/layer/rank",
                json!(u64::MAX),
                "rank 1",
            ),
            (
                "adapter",
                "/method/adapters/bottleneck",
                json!(0),
                "bottleneck 0",
            ),
            (
                "adapter",
                "/method/adapters/bottleneck",
                json!(u64::MAX),
                "bottleneck",
            ),
            (
                "prompt-random",
                "/method/prompt/rows",
                json!(u64::MAX),
                "prompt = ",
            ),
            (
                "intrinsic-said",
                "/method/intrinsic/dimension",
                json!(u64::MAX),
                "dimension = ",
            ),
            (
                "intrinsic-said",
                "/method/intrinsic/dimension",
                json!(0),
                "dimension = 0",
            ),
        ] {
            let error = changed(method, place, value);
            assert!(error.starts_with("a.safetensors: "), "{place}: {error}");
            assert!(error.contains(expected), "{place}: {error}");
        }
        for name in crate::method::NAMES {
            assert_eq!(changed(name, "/task", json!("t")), "");
        }
    }
}

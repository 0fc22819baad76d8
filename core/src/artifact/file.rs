//! Our adapter file: trained tensors under their names, everything else as JSON in the metadata.

use crate::engine::float_values;
use crate::method::{Group, Method, Part};
use crate::t5::{T5, T5Config, Weights, read_safetensors, upload};
use crate::task::Scoring;
use crate::{Error, Result};
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

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
        let text = metadata.metadata().as_ref().and_then(|map| map.get(KEY));
        let Some(text) = text else {
            return Err(Error::file(
                file,
                "not an adapter file: its metadata has no `compacter`",
            ));
        };
        let header: Self = serde_json::from_str(text)
            .map_err(|e| Error::file(file, format!("the adapter's metadata is unreadable: {e}")))?;
        if header.version != VERSION {
            let message = format!("adapter version {}, expected {VERSION}", header.version);
            return Err(Error::file(file, message));
        }
        Ok(header)
    }
}

/// The trained tensors of a method on a base of these sizes, base tensors as groups of one part.
fn groups(method: &Method, config: &T5Config) -> Vec<Group> {
    let mut groups = method.added(config);
    for (name, shape) in method.trained_base(config) {
        let part = Part {
            name: name.clone(),
            shape,
            init: crate::method::Init::Zero,
        };
        groups.push(Group {
            name,
            parts: vec![part],
        });
    }
    groups
}

/// The bytes of an adapter file.
pub async fn save(weights: &Weights, header: &Header) -> Result<Vec<u8>> {
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for group in groups(&header.method, &header.base) {
        let Some(tensor) = weights.tensors.get(&group.name) else {
            return Err(Error::tensor("adapter", group.name, "was not trained"));
        };
        let values = float_values(tensor.clone()).await?;
        let mut start = 0;
        for part in group.parts {
            let end = start + part.len();
            let bytes = values[start..end]
                .iter()
                .flat_map(|v| v.to_le_bytes())
                .collect();
            start = end;
            tensors.push((part.name, part.shape, bytes));
        }
    }
    write(&tensors, header.metadata()?)
}

/// A safetensors file of f32 tensors with metadata.
pub(crate) fn write(
    tensors: &[(String, Vec<usize>, Vec<u8>)],
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>> {
    let fail = |e: safetensors::SafeTensorError| Error::file("safetensors", e.to_string());
    let views = tensors.iter().map(|(name, shape, bytes)| {
        Ok((
            name.as_str(),
            TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(fail)?,
        ))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    safetensors::serialize(views, Some(metadata)).map_err(fail)
}

/// Reads an adapter for this base; another base is refused.
pub fn load(bytes: &[u8], file: &str, model: &T5) -> Result<(Header, Weights)> {
    let header = Header::read(bytes, file)?;
    let config = model.config();
    if header.base != *config {
        let describe = |c: &T5Config| {
            let (enc, dec) = (c.num_layers, c.num_decoder_layers);
            format!(
                "d_model {}, {enc} + {dec} layers, {} ids",
                c.d_model, c.vocab_size
            )
        };
        let (want, have) = (describe(&header.base), describe(config));
        let message = format!("was trained on a base of {want}; this base has {have}");
        return Err(Error::file(file, message));
    }
    let mut found = read_safetensors(bytes, file)?;
    let mut tensors = BTreeMap::new();
    for group in groups(&header.method, config) {
        let mut values = Vec::with_capacity(group.len());
        for part in &group.parts {
            match found.remove(&part.name) {
                Some((shape, part_values)) if shape == part.shape => values.extend(part_values),
                Some((shape, _)) => {
                    let message = format!("is {shape:?}, expected {:?}", part.shape);
                    return Err(Error::tensor(file, &part.name, message));
                }
                None => {
                    let message = format!("missing, expected {:?}", part.shape);
                    return Err(Error::tensor(file, &part.name, message));
                }
            }
        }
        let shape = group.packed_shape();
        tensors.insert(group.name, upload(values, shape, model.device()));
    }
    if let Some(name) = found.keys().next() {
        return Err(Error::tensor(file, name, "is no tensor of this method"));
    }
    Ok((
        header.clone(),
        Weights {
            method: Some(header.method),
            tensors,
        },
    ))
}

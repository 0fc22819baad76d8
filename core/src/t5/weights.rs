//! Weights from `model.safetensors` (or shards of it) under Hugging Face's names.

use super::model::{two_dims, upload};
use super::{T5, T5Config};
use crate::random::Stream;
use crate::{Error, Result};
use burn::tensor::Device;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::collections::{BTreeMap, BTreeSet};

/// Carried by published files, used by nothing (Hugging Face lists it as unexpected).
const IGNORED: &str = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";
/// Copies of the table that published files carry.
const COPIES: [&str; 3] = [
    "encoder.embed_tokens.weight",
    "decoder.embed_tokens.weight",
    "lm_head.weight",
];

/// Host values of a tensor file: name → (shape, values).
type HostTensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Reads every float tensor of a safetensors file as f32.
pub(crate) fn read_safetensors(bytes: &[u8], file: &str) -> Result<HostTensors> {
    let parsed = SafeTensors::deserialize(bytes).map_err(|e| {
        Error::file(
            file,
            format!("not a whole safetensors file ({e}): fetch or copy it again"),
        )
    })?;
    let mut tensors = BTreeMap::new();
    for (name, view) in parsed.iter() {
        tensors.insert(
            name.to_string(),
            (view.shape().to_vec(), floats(&view, name, file)?),
        );
    }
    Ok(tensors)
}

fn floats(view: &TensorView<'_>, name: &str, file: &str) -> Result<Vec<f32>> {
    let data = view.data();
    let pair = |c: &[u8]| [c[0], c[1]];
    Ok(match view.dtype() {
        Dtype::F32 => data
            .chunks_exact(4)
            .map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]]))
            .collect(),
        Dtype::F16 => data
            .chunks_exact(2)
            .map(|c| half::f16::from_le_bytes(pair(c)).to_f32())
            .collect(),
        Dtype::BF16 => data
            .chunks_exact(2)
            .map(|c| half::bf16::from_le_bytes(pair(c)).to_f32())
            .collect(),
        other => {
            let message = format!("stored as {other:?}, expected F32, F16 or BF16");
            return Err(Error::tensor(file, name, message));
        }
    })
}

impl T5 {
    /// Loads a base from the bytes of its files, each with its name; missing, extra and mis-shaped
    /// tensors are errors, except what published files are known to carry.
    pub fn from_safetensors(
        config: T5Config,
        shards: &[(String, Vec<u8>)],
        device: &Device,
    ) -> Result<Self> {
        let mut found: BTreeMap<String, (Vec<usize>, Vec<f32>, &str)> = BTreeMap::new();
        for (file, bytes) in shards {
            for (name, (shape, values)) in read_safetensors(bytes, file)? {
                if found.insert(name.clone(), (shape, values, file)).is_some() {
                    return Err(Error::tensor(file, name, "is in more than one file"));
                }
            }
        }
        let all = shards
            .iter()
            .map(|(file, _)| file.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        // Files that carry only a copy of the table name it by the copy.
        let named_so = |name: &String| match name.as_str() {
            "shared.weight" if !found.contains_key(name) => COPIES[0].to_string(),
            _ => name.clone(),
        };
        let own: Vec<_> = config
            .tensors()
            .into_iter()
            .map(|(name, shape)| (named_so(&name), name, shape))
            .collect();
        for (alias, name, shape) in &own {
            let Some((have, _, file)) = found.get(alias) else {
                let message = format!("missing, expected {shape:?}");
                return Err(Error::tensor(&all, name, message));
            };
            if have != shape {
                let message = format!("is {have:?}, expected {shape:?} by config.json");
                return Err(Error::tensor(*file, name, message));
            }
        }
        refuse_extra(&found, &config)?;
        let mut tensors = BTreeMap::new();
        for (alias, name, shape) in own {
            if let Some((_, values, _)) = found.remove(&alias) {
                tensors.insert(name, upload(values, two_dims(&shape), device));
            }
        }
        Ok(Self::new(config, tensors, device))
    }

    /// Random weights of the given sizes, for benchmarks: normal, scaled by 1/√in.
    pub fn random(config: T5Config, seed: u64, device: &Device) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for (name, shape) in config.tensors() {
            let count: usize = shape.iter().product();
            let mut stream = Stream::new(seed, &name);
            let values = if name.ends_with("layer_norm.weight") {
                vec![1.0; count]
            } else {
                let width = shape.last().copied().unwrap_or(1);
                let bound = (3.0 / width as f64).sqrt();
                (0..count)
                    .map(|_| ((stream.uniform() * 2.0 - 1.0) * bound) as f32)
                    .collect()
            };
            tensors.insert(name, upload(values, two_dims(&shape), device));
        }
        Ok(Self::new(config, tensors, device))
    }
}

fn refuse_extra(
    found: &BTreeMap<String, (Vec<usize>, Vec<f32>, &str)>,
    config: &T5Config,
) -> Result<()> {
    let own: BTreeSet<String> = config.tensors().into_iter().map(|(name, _)| name).collect();
    let shared = found.get("shared.weight").or_else(|| found.get(COPIES[0]));
    for (name, (shape, values, file)) in found {
        if own.contains(name) || name == IGNORED {
            continue;
        }
        if !COPIES.contains(&name.as_str()) {
            return Err(Error::tensor(
                *file,
                name,
                "is no tensor of the T5 in config.json",
            ));
        }
        if shared.is_none_or(|shared| shared.0 != *shape || shared.1 != *values) {
            let message = "differs from shared.weight, which it should equal";
            return Err(Error::tensor(*file, name, message));
        }
    }
    Ok(())
}

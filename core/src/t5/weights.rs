//! Float values of safetensors files, and bases from whole files or from nothing.

use super::model::{Weight, two_dims};
use super::{Loader, Storage, T5, T5Config};
use crate::random::Stream;
use crate::{Error, Result};
use burn::tensor::Device;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;

/// Host values of a tensor file: name → (shape, values).
type HostTensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// What is said of a file that is cut off or no safetensors file at all.
pub(super) fn not_whole(file: &str, why: impl std::fmt::Display) -> Error {
    Error::file(
        file,
        format!("not a whole safetensors file ({why}): fetch or copy it again"),
    )
}

/// Reads every float tensor of a safetensors file as f32.
pub(crate) fn read_safetensors(bytes: &[u8], file: &str) -> Result<HostTensors> {
    let parsed = SafeTensors::deserialize(bytes).map_err(|e| not_whole(file, e))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in parsed.iter() {
        let values = Floats::new(view.dtype(), name, file)?.values(view.data());
        tensors.insert(name.to_string(), (view.shape().to_vec(), values.collect()));
    }
    Ok(tensors)
}

/// The types that checkpoints hold floats in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Floats {
    F32,
    F16,
    Bf16,
}

impl Floats {
    /// Refuses what is no float; `name` and `file` are for the error.
    pub(super) fn new(dtype: Dtype, name: &str, file: &str) -> Result<Self> {
        match dtype {
            Dtype::F32 => Ok(Self::F32),
            Dtype::F16 => Ok(Self::F16),
            Dtype::BF16 => Ok(Self::Bf16),
            other => {
                let message = format!("stored as {other:?}, expected F32, F16 or BF16");
                Err(Error::tensor(file, name, message))
            }
        }
    }

    /// f32 values of little-endian bytes, one after another.
    pub(super) fn values(self, bytes: &[u8]) -> impl Iterator<Item = f32> {
        let width = match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        };
        bytes.chunks_exact(width).map(move |c| match self {
            Self::F32 => f32::from_le_bytes([c[0], c[1], c[2], c[3]]),
            Self::F16 => half::f16::from_le_bytes([c[0], c[1]]).to_f32(),
            Self::Bf16 => half::bf16::from_le_bytes([c[0], c[1]]).to_f32(),
        })
    }
}

impl T5 {
    /// Loads a base in f32 from the bytes of its files, each with its name; missing, extra and
    /// mis-shaped tensors are errors, except what published files are known to carry.
    ///
    /// A [`Loader`] keeps weights in fewer bits, or takes files that are not in memory.
    pub fn from_safetensors(
        config: T5Config,
        shards: &[(String, Vec<u8>)],
        device: &Device,
    ) -> Result<Self> {
        Loader::new(config, Storage::F32, device).load(shards)
    }

    /// Random weights of the given sizes, for benchmarks: normal, scaled by 1/√in.
    pub fn random(config: T5Config, storage: Storage, seed: u64, device: &Device) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for (name, shape) in config.tensors() {
            let mut stream = Stream::new(seed, &name);
            let norm = name.ends_with("layer_norm.weight");
            let width = shape.last().copied().unwrap_or(1);
            let bound = (3.0 / width as f64).sqrt();
            let values = std::iter::repeat_with(|| match norm {
                true => 1.0,
                false => ((stream.uniform() * 2.0 - 1.0) * bound) as f32,
            });
            let values = values.take(shape.iter().product());
            let packing = storage.packing(&name, &shape);
            let weight = Weight::new(values, two_dims(&shape), packing, device);
            let weight = weight.map_err(|value| storage.refuses(value, "random weights", &name))?;
            tensors.insert(name, weight);
        }
        Ok(Self::new(config, storage, tensors, device))
    }
}

//! The float types of tensor files, and safetensors as host values.

use super::HostTensors;
use crate::{Error, Result};
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;

/// What is said of a file that is cut off or no safetensors file at all.
pub(crate) fn not_whole(file: &str, why: impl std::fmt::Display) -> Error {
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
pub(crate) enum Floats {
    F32,
    F16,
    Bf16,
}

impl Floats {
    /// Refuses what is no float; `name` and `file` are for the error.
    pub(crate) fn new(dtype: Dtype, name: &str, file: &str) -> Result<Self> {
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
    pub(crate) fn values(self, bytes: &[u8]) -> impl Iterator<Item = f32> {
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

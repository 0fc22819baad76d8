//! What a base's frozen weights are kept as.

use crate::packing::Packing;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What the frozen matrices are kept as; they are computed with in f32 whichever it is.
///
/// Only linears, the embedding table and the head: norms and position biases are a thousandth of the
/// whole and stay f32, as does a matrix whose rows fill no whole words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// Four bytes a weight, as computed with.
    #[default]
    F32,
    /// Two bytes, exact for checkpoints in f16 and nearly all of bf16.
    F16,
    /// One byte, and a scale for each 128 weights of a row.
    Int8,
}

impl Storage {
    /// All of them, the widest first.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Int8];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
        }
    }

    /// How a tensor of the base is packed; `None` for f32.
    pub fn packing(self, name: &str, shape: &[usize]) -> Option<Packing> {
        let [_, columns] = shape[..] else {
            return None;
        };
        if name.ends_with("relative_attention_bias.weight") {
            return None;
        }
        match self {
            Self::F32 => None,
            Self::F16 => Packing::f16(columns),
            Self::Int8 => Packing::int8(columns),
        }
    }

    /// The error for a value that cannot be packed.
    #[cfg(feature = "engine")]
    pub(super) fn refuses(self, value: f32, file: &str, tensor: &str) -> Error {
        let message = format!(
            "holds {value}, which {self} cannot: keep it as f32, or fetch it again if it is damaged"
        );
        Error::tensor(file, tensor, message)
    }

    /// Bytes that a tensor of the base takes.
    pub fn bytes(self, name: &str, shape: &[usize]) -> u64 {
        let values: usize = shape.iter().product();
        let (words, scales) = match self.packing(name, shape) {
            Some(packing) => packing.lengths(values),
            None => (values, 0),
        };
        4 * (words as u64 + scales as u64)
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Storage {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|storage| storage.name() == text);
        known.ok_or_else(|| Error::Setting(format!("weights `{text}`: they are f32, f16 or int8")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::t5::T5Config;

    #[test]
    fn names_are_read_as_they_are_written() {
        for storage in Storage::ALL {
            assert_eq!(storage.to_string().parse(), Ok(storage));
            let json = serde_json::to_string(&storage).unwrap();
            assert_eq!(json, format!("\"{storage}\""));
        }
        let error = "f8".parse::<Storage>().unwrap_err().to_string();
        assert_eq!(error, "weights `f8`: they are f32, f16 or int8");
    }

    #[test]
    fn norms_and_position_biases_stay_as_they_are() {
        let config = T5Config::preset("t5-small").unwrap();
        for (name, shape) in config.tensors() {
            let small = name.contains("norm") || name.contains("relative_attention_bias");
            for storage in [Storage::F16, Storage::Int8] {
                assert_eq!(storage.packing(&name, &shape).is_none(), small, "{name}");
            }
            assert_eq!(Storage::F32.packing(&name, &shape), None, "{name}");
        }
    }
}

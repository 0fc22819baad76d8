//! What a tensor file holds, from its header alone.

use super::header::{LENGTH, read_header, take};
use super::{Archive, is_torch};
use crate::{Error, Result};
use safetensors::Dtype;
use std::collections::HashMap;
use std::io::{Read, Seek};

/// Name, type and sizes of a tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its name in the file.
    pub name: String,
    /// The type of its numbers.
    pub dtype: Dtype,
    /// Its sizes.
    pub shape: Vec<usize>,
}

/// What a tensor file says of itself.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Whether it is one of `torch.save`; else it is safetensors.
    pub torch: bool,
    /// Texts beside the tensors, which only safetensors has.
    pub metadata: HashMap<String, String>,
    /// Its tensors, by name.
    pub tensors: Vec<Entry>,
}

/// Reads a file's header, or a torch file's state dict, and no tensor.
pub fn list(mut reader: impl Read + Seek, file: &str) -> Result<Listing> {
    let first = take(&mut reader, LENGTH, file)?;
    if is_torch(&first) {
        reader
            .rewind()
            .map_err(|e| Error::file(file, e.to_string()))?;
        let archive = Archive::open(reader, file)?;
        let entry = |(name, dtype, shape): (&str, Dtype, &[usize])| Entry {
            name: name.into(),
            dtype,
            shape: shape.into(),
        };
        return Ok(Listing {
            torch: true,
            metadata: HashMap::new(),
            tensors: sorted(archive.tensors().map(entry).collect()),
        });
    }
    let header = read_header(reader, &first, file)?;
    let entry = |(name, info): (String, &safetensors::tensor::TensorInfo)| Entry {
        name,
        dtype: info.dtype,
        shape: info.shape.clone(),
    };
    Ok(Listing {
        torch: false,
        metadata: header.metadata().clone().unwrap_or_default(),
        tensors: sorted(header.tensors().into_iter().map(entry).collect()),
    })
}

fn sorted(mut tensors: Vec<Entry>) -> Vec<Entry> {
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    tensors
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn the_header_alone_is_enough() {
        let bytes = compacter_assets::WEIGHTS;
        let text = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
        let listing = list(Cursor::new(&bytes[..8 + text]), "m").unwrap();
        assert!(!listing.torch);
        assert!(listing.tensors.iter().any(|t| t.name == "shared.weight"));
        for cut in [0, 7, 8, text] {
            assert!(list(Cursor::new(&bytes[..cut]), "m").is_err(), "{cut}");
        }
        assert!(list(Cursor::new([0xff; 16]), "m").is_err());
    }
}

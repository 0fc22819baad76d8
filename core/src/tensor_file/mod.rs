//! Files of tensors: safetensors, and what `torch.save` writes.

mod floats;
mod header;
mod index;
mod list;
#[cfg(feature = "engine")]
mod stream;
mod torch;

use crate::Result;
use std::collections::BTreeMap;
use std::io::Cursor;

pub(crate) use floats::{Floats, not_whole, read_safetensors};
pub use header::header_bytes;
#[cfg(feature = "engine")]
pub(crate) use header::{LENGTH, parse_header};
pub use index::shards;
pub use list::{Entry, Listing, list};
#[cfg(feature = "engine")]
pub(crate) use stream::Stream;
pub use torch::{Archive, Stored, is_torch};

/// Host values of a tensor file: name → (shape, values).
pub type HostTensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Every tensor of a small file as f32, of either kind by its first bytes.
pub fn read(bytes: &[u8], file: &str) -> Result<HostTensors> {
    if is_torch(bytes) {
        Archive::open(Cursor::new(bytes), file)?.read()
    } else {
        read_safetensors(bytes, file)
    }
}

//! Files of `torch.save`: a zip archive with a pickled state dict and one entry per storage, or
//! before version 1.6 the same one after another.
//!
//! Nothing in such a file is executed (see [`machine`]).

mod archive;
mod machine;
mod node;
mod old;
mod pickle;
mod tensor;
mod zip;

use crate::Error;

pub use archive::{Archive, Stored};

/// How a zip archive begins.
const ZIP: &[u8] = b"PK\x03\x04";

/// Whether a file's first bytes, eight or more, are those of `torch.save`, the old form included.
pub fn is_torch(first: &[u8]) -> bool {
    first.starts_with(ZIP) || first.starts_with(&pickle::OLD[..8])
}

fn broken(file: &str, why: impl std::fmt::Display) -> Error {
    let message = format!("not a whole file of torch.save ({why}): fetch or copy it again");
    Error::file(file, message)
}

fn big_endian(file: &str) -> Error {
    let message = "was written on a big-endian machine: save it on a little-endian one";
    Error::file(file, message)
}

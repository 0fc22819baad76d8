//! Files of `torch.save`: a zip archive with a pickled state dict and one entry per storage.
//!
//! Nothing in such a file is executed (see [`pickle`]).

mod archive;
mod node;
mod pickle;
mod tensor;

pub use archive::{Archive, Stored, is_torch};

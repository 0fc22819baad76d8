//! Adapter files: what a method trained, alone, in one safetensors file.

mod file;

pub(crate) use file::write;
pub use file::{Header, load, save};

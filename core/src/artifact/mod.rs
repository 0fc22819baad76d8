//! Adapter files: what a method trained, alone, in one safetensors file; and as text for a link.

#[cfg(feature = "engine")]
mod file;
mod header;
mod share;

#[cfg(feature = "engine")]
pub use file::{load, save};
pub use header::Header;
pub(crate) use header::write;
pub use share::{from_text, to_text};

//! Adapter files: what a method trained, alone, in one safetensors file; and as text for a link.

pub mod adapterhub;
#[cfg(feature = "engine")]
mod file;
mod header;
mod merge;
mod share;

#[cfg(feature = "engine")]
pub use file::{load, save};
pub use header::Header;
#[cfg(feature = "engine")]
pub(crate) use header::front;
pub(crate) use header::write;
pub use merge::mergeable;
#[cfg(feature = "engine")]
pub use merge::write_base;
pub use share::{from_text, to_text};

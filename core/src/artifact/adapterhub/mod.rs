//! Adapters of the AdapterHub library (`adapters`, earlier `adapter-transformers`) for T5: a folder
//! with `adapter_config.json` and the tensors as a torch pickle or as safetensors.
//!
//! The library's bottleneck adapters are this crate's under other names. In T5 it freezes the norms
//! ([`BaseTrains::Nothing`](crate::method::BaseTrains::Nothing)), and its compacter++ computes with
//! the residual stream after the feed-forward block
//! ([`AdapterInput::Residual`](crate::method::AdapterInput::Residual)), with GELU's erf form. Its dropout
//! comes before the adapter and ours after it, which matters to further training alone.

mod config;
mod export;
mod import;
mod names;

pub use export::{Exported, export};
pub use import::{Imported, Source, import};

/// The library's name of the file that says what an adapter is.
pub const CONFIG: &str = "adapter_config.json";
/// Its names of the file with an adapter's tensors: as safetensors and as a torch pickle.
pub const WEIGHTS: [&str; 2] = ["adapter.safetensors", "pytorch_adapter.bin"];

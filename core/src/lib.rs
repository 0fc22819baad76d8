//! Parameter-efficient fine-tuning of T5 with Compacter.
#![warn(missing_docs)]

pub mod data;
mod error;
pub mod method;
pub mod metric;
pub mod random;
pub mod t5;
pub mod task;
pub mod train;

#[cfg(feature = "engine")]
pub mod artifact;
#[cfg(feature = "engine")]
mod engine;
#[cfg(feature = "engine")]
pub mod kernels;

#[cfg(feature = "engine")]
pub use burn::tensor::{Device, DeviceKind};
#[cfg(all(feature = "engine", not(target_arch = "wasm32")))]
pub use engine::block_on;
#[cfg(feature = "engine")]
pub use engine::{cpu_device, float_values, gpu_device, int_values};

pub use error::{Error, Result};

//! Parameter-efficient fine-tuning of T5 with Compacter (Karimi Mahabadi, Henderson, Ruder 2021).
//!
//! A Compacter layer is a bottleneck whose weights are a sum of Kronecker products,
//! `W = Σ_i A_i ⊗ (s_i t_i)`; it is applied here without ever building `W`. The crate opens no file
//! and starts no thread: it takes bytes and pairs of strings, and reports typed events.
//!
//! ```
//! # #[cfg(feature = "engine")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use compacter_core::data::Tokenizer;
//! use compacter_core::t5::{T5, T5Config};
//! use compacter_core::train::{Event, Predictor, Session, Settings};
//! use compacter_core::{cpu_device, method::Method, task};
//! use std::sync::Arc;
//!
//! // The bytes of three files in the Hugging Face layout, each with a name for errors.
//! let config = T5Config::from_json(compacter_assets::CONFIG, "config.json")?;
//! let weights = ("model.safetensors".to_string(), compacter_assets::WEIGHTS.to_vec());
//! let tokens = Tokenizer::from_bytes(compacter_assets::TOKENIZER, "tokenizer.json")?;
//! let (model, tokens) =
//!     (Arc::new(T5::from_safetensors(config, &[weights], &cpu_device())?), Arc::new(tokens));
//!
//! let pairs = [("a fine film", "good"), ("a dull film", "bad")].repeat(10);
//! let task = task::pairs("films", &pairs, 1)?;
//! let method = Method::preset("compacter++", model.config())?;
//! let mut settings = Settings::new(method, &task);
//! settings.steps = Some(3);
//! let mut session = Session::new(model.clone(), tokens.clone(), task, settings)?;
//! while let Some(event) = session.advance()? {
//!     if let Event::Step { step, loss, .. } = event {
//!         println!("step {step}: loss {loss:.3}");
//!     }
//! }
//! let adapter = session.adapter()?; // the bytes of an adapter file, some kilobytes
//! let predictor = Predictor::new(model, tokens, &adapter, "adapter.safetensors")?;
//! let source = task::own_source("films", "a fine play", None);
//! println!("{:?}", predictor.probabilities(&[&source])?);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "engine"))]
//! # fn main() {}
//! ```
// Not forbidden: `kernels/loops.rs` calls what it compiled for vector units.
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod artifact;
pub mod check;
pub mod data;
mod error;
pub mod figure;
pub mod method;
pub mod metric;
pub mod nearest;
pub mod packing;
pub mod paper;
pub mod random;
pub mod report;
pub mod run_file;
pub mod sweep;
pub mod t5;
pub mod task;
pub mod tensor_file;
pub mod train;

#[cfg(feature = "engine")]
mod engine;
#[cfg(feature = "engine")]
pub mod kernels;

#[cfg(feature = "engine")]
pub use burn::tensor::{Device, DeviceKind};
#[cfg(all(feature = "engine", target_arch = "wasm32"))]
pub use engine::browser_gpu;
#[cfg(all(feature = "engine", not(target_arch = "wasm32")))]
pub use engine::{block_on, in_pool};
#[cfg(feature = "engine")]
pub use engine::{cpu_device, float_values, gpu_device, int_values};

pub use error::{Error, Result};

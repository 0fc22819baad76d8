//! T5 (v1.0 and v1.1) on burn: configuration, forward pass, greedy decoding, weights.

mod buckets;
mod config;
mod plan;
mod storage;

#[cfg(feature = "engine")]
mod adapters;
#[cfg(feature = "engine")]
mod attention;
#[cfg(feature = "engine")]
mod checkpointing;
#[cfg(feature = "engine")]
mod forward;
#[cfg(feature = "engine")]
mod generate;
#[cfg(feature = "engine")]
mod layers;
#[cfg(feature = "engine")]
mod loader;
#[cfg(feature = "engine")]
mod loss;
#[cfg(feature = "engine")]
mod model;
#[cfg(feature = "engine")]
mod projections;
#[cfg(all(test, feature = "engine"))]
mod tests;
#[cfg(feature = "engine")]
mod trained;
#[cfg(feature = "engine")]
mod weights;

#[cfg(feature = "engine")]
pub(crate) use adapters::Matrix;
pub use buckets::relative_position_bucket;
pub use config::{Activation, Stack, T5Config};
#[cfg(feature = "engine")]
pub use forward::{Forward, Inputs};
#[cfg(feature = "engine")]
pub use loader::{Loader, Slot};
#[cfg(feature = "engine")]
pub(crate) use model::upload;
#[cfg(feature = "engine")]
pub use model::{T5, Tensors, Weights};
#[cfg(feature = "engine")]
pub(crate) use plan::SCORED_ROWS;
pub use plan::{Limits, Pass, Peak, Plan, products};
#[cfg(feature = "engine")]
pub use projections::{Drawn, Projections};
pub use storage::Storage;

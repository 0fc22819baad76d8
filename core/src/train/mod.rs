//! Training as a state machine: settings in, events out, no loop that owns the thread.

mod event;
mod message;
mod projection;
mod settings;

#[cfg(feature = "engine")]
mod bench;
#[cfg(feature = "engine")]
mod checkpoint;
#[cfg(feature = "engine")]
mod launches;
#[cfg(feature = "engine")]
mod mistakes;
#[cfg(feature = "engine")]
mod optimiser;
#[cfg(feature = "engine")]
mod predict;
#[cfg(feature = "engine")]
mod score;
#[cfg(feature = "engine")]
mod session;
#[cfg(feature = "engine")]
mod step;

#[cfg(feature = "engine")]
pub use bench::Bench;
pub use event::{Event, Summary};
#[cfg(feature = "engine")]
pub use launches::{KernelTime, Launches, kernel_times};
pub use message::{Command, Job, Load, Mistake, Report};
#[cfg(feature = "engine")]
pub use optimiser::Optimiser;
#[cfg(feature = "engine")]
pub use predict::{AdapterSet, Predictor};
pub use projection::{Projection, Side};
#[cfg(feature = "engine")]
pub use session::Session;
pub use settings::Settings;
#[cfg(feature = "engine")]
pub use step::Trainer;

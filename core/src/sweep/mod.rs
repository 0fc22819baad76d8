//! Sweeps: many runs from one TOML file of lists, named by what they resolve to.
//!
//! A sweep file is a `train` file in which every value may be a list; its runs are the product of
//! all lists. Nothing here trains or schedules: it says which runs there are, what each is called,
//! how long it may take, and how a scheduler is asked for them.

mod estimate;
mod export;
mod file;
mod identity;
mod points;
mod presets;
mod shard;

pub use estimate::{Measured, estimate};
pub use export::{Scheduler, script};
pub use file::{ALL, Axis, Sweep};
pub use identity::hash;
pub use points::Point;
pub use presets::{LOW_RESOURCE_SAMPLES, LOW_RESOURCE_SEEDS, Reproduce};
pub use shard::Shard;

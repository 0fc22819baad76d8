//! The way to the trainer: a thread in a window, a worker in a page.

#[cfg(feature = "window")]
mod thread;
#[cfg(target_arch = "wasm32")]
mod worker;

use compacter_core::train::{Command, Report};
#[cfg(feature = "window")]
pub use thread::Thread;
#[cfg(target_arch = "wasm32")]
pub use worker::PageWorker;

/// Commands to a trainer, reports from it; neither ever waits.
pub trait Link {
    /// Asks for something. A trainer that has ended has said why in its last report.
    fn send(&self, command: Command);

    /// The next report, if one has come.
    fn receive(&self) -> Option<Report>;
}

//! The trainer beside compacter's page or window.
//!
//! [`Desk`] takes [`Command`](compacter_core::train::Command)s and gives
//! [`Report`](compacter_core::train::Report)s; whoever drives it owns the loop: a worker between
//! its messages, or a thread.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod desk;
#[cfg(target_arch = "wasm32")]
mod worker;

pub use desk::Desk;
#[cfg(target_arch = "wasm32")]
pub use worker::Worker;

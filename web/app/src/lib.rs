//! Compacter's app, for a browser tab and for a window.
//!
//! It draws and never computes: a trainer beside it (a worker, or a thread) takes
//! [`Command`](compacter_core::train::Command)s and sends
//! [`Report`](compacter_core::train::Report)s. Everything shown is one plain [`State`](state::State).
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod app;
mod colours;
pub mod home;
pub mod link;
pub mod mirror;
#[cfg(target_arch = "wasm32")]
mod page;
mod panels;
pub mod state;
#[cfg(target_arch = "wasm32")]
mod store;
mod theme;

#[cfg(target_arch = "wasm32")]
use compacter_heap as _;

pub use app::{App, Opener};
#[cfg(target_arch = "wasm32")]
pub use page::start_page;

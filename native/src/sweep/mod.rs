//! Sweeps on this machine: from the file to runs with names, states and results.

mod resolve;
mod state;
mod work;

pub(crate) use resolve::{Place, Run, read, select};
pub(crate) use state::{State, measured, remaining};
pub(crate) use work::work;

//! The command line of compacter: files, devices, progress and reports around `compacter-core`.
//!
//! One file per subcommand under `commands`; what several of them need lies beside it.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod base;
mod checksum;
mod cli;
mod commands;
mod data;
mod device;
mod failure;
mod files;
mod hub;
mod interrupt;
mod memory;
mod memory_plan;
mod method_options;
mod options;
mod output;
mod plain;
mod png;
mod profile;
mod progress;
mod records;
mod report;
mod run_dir;
mod sweep;
mod trained;

pub use base::open_base;
pub use cli::main_from_args;
pub use device::open as open_device;

//! `compacter devices`: what there is to compute on, and what auto would take.

use crate::device::{Adapter, adapters, explain_auto};
use crate::output;
use anyhow::Result;
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  compacter devices
  compacter devices --json
  compacter train --device gpu:0";

/// List the devices to compute on
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// One JSON object: adapters, and what auto takes and why
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Devices {
    adapters: Vec<Adapter>,
    auto: String,
    reason: String,
}

/// Lists them.
pub(crate) fn run(args: &Args) -> Result<()> {
    let adapters = adapters();
    let (chosen, reason) = explain_auto(&adapters)?;
    let auto = chosen.map_or("cpu".to_string(), |index| format!("gpu:{index}"));
    if args.json {
        return output::json(&Devices {
            adapters,
            auto,
            reason,
        });
    }
    output::line("cpu    the CPU backend, always there")?;
    for adapter in &adapters {
        output::line(adapter.line())?;
    }
    output::line(format!("auto takes {auto}: {reason}"))
}

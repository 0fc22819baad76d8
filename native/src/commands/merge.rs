//! `compacter merge`: a trained run as a plain T5.

use crate::base::Base;
use crate::trained::Files;
use crate::{device, output, plain};
use anyhow::Result;
use compacter_core::artifact::{load, mergeable};
use compacter_core::t5::Storage;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  compacter merge --run runs/reviews-full-1 --out reviews-t5
  compacter predict --help                      to ask a run without merging it";

/// Write a trained run as a plain Hugging Face T5
///
/// For methods that add no tensors: the folder gets config.json, model.safetensors (f32) and
/// tokenizer.json, for any program that loads a T5.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Run directory [default: the newest in runs]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// New folder for the model
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Checks, loads, writes.
pub(crate) fn run(args: &Args) -> Result<()> {
    let files = Files::open(args.run.as_deref())?;
    let header = files.header()?;
    mergeable(&header.method, &header.base)?;
    plain::new_folder("--out", &args.out)?;
    let base = Base::new(files.config.options.model.as_deref())?;
    // In main memory and in f32: nothing is computed, and nothing is to be rounded.
    let (device, _) = device::open("cpu")?;
    let model = base.model(base.config()?, Storage::F32, &device)?;
    let (_, weights) = load(&files.adapter, &files.name, &model)?;
    plain::write(&base, &model, &weights, &args.out)?;
    output::line(args.out.display().to_string())
}

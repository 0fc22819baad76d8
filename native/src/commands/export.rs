//! `compacter export`: a trained run's adapter as a folder of the AdapterHub library.

use crate::base::Base;
use crate::failure::usage;
use crate::trained::Files;
use crate::{device, output, plain};
use anyhow::{Context, Result};
use compacter_core::artifact::adapterhub::{self, CONFIG, WEIGHTS};
use compacter_core::artifact::load;
use compacter_core::t5::Storage;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  compacter export --run runs/reviews-compacter++-1 --out hub --base-out hub-base
  python3 -c \"import adapters, transformers
m = transformers.T5ForConditionalGeneration.from_pretrained('hub-base')
adapters.init(m); m.load_adapter('hub', set_active=True, use_safetensors=True)\"";

/// Write a trained adapter in the form of the AdapterHub library
///
/// The folder gets adapter_config.json and adapter.safetensors, the shared rule A included. The
/// library's files have no room for trained layer norms: where a run has them, --base-out writes a
/// copy of the base that holds them, on which the adapter belongs.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Run directory [default: the newest in runs]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// New folder for the adapter
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// New folder for a copy of the base with the trained layer norms
    #[arg(long, value_name = "DIR")]
    base_out: Option<PathBuf>,
    /// What the adapter is called there [default: the task's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

/// Converts and writes.
pub(crate) fn run(args: &Args) -> Result<()> {
    let files = Files::open(args.run.as_deref())?;
    let header = files.header()?;
    let plain_name = |task: &str| task.replace(['.', '/', '\\'], "_");
    let name = args
        .name
        .clone()
        .unwrap_or_else(|| plain_name(&header.task));
    let exported = adapterhub::export(&files.adapter, &files.name, &name)?;
    match (exported.of_the_base.len(), &args.base_out) {
        (0, Some(_)) => {
            return Err(usage(
                "--base-out: this run trained nothing of its base; leave it out",
            ));
        }
        (count, None) if count > 0 => {
            return Err(usage(format!(
                "this run also trained {count} layer norms of its base, for which AdapterHub's \
                 files have no room: give --base-out DIR for a copy of the base that holds them"
            )));
        }
        _ => {}
    }
    plain::new_folder("--out", &args.out)?;
    if let Some(out) = &args.base_out {
        plain::new_folder("--base-out", out)?;
        write_base(&files, out)?;
    }
    for (name, bytes) in [(WEIGHTS[0], &exported.weights), (CONFIG, &exported.config)] {
        let path = args.out.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("{}", path.display()))?;
    }
    output::say("load it with model.load_adapter(FOLDER, set_active=True, use_safetensors=True)");
    output::line(args.out.display().to_string())
}

fn write_base(files: &Files, out: &Path) -> Result<()> {
    let base = Base::new(files.config.options.model.as_deref())?;
    let (device, _) = device::open("cpu")?;
    let model = base.model(base.config()?, Storage::F32, &device)?;
    let (_, weights) = load(&files.adapter, &files.name, &model)?;
    plain::write(&base, &model, &weights, out)
}

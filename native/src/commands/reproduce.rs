//! `compacter reproduce`: the runs behind a table or figure of the paper, and their report.

use crate::commands::report::write;
use crate::records::read_runs;
use crate::sweep::{Place, select, work};
use crate::{interrupt, output};
use anyhow::{Result, bail};
use compacter_core::report::{Report, markdown};
use compacter_core::sweep::Reproduce;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  compacter reproduce table1 --quick           bundled model and data, few steps: to see it work
  compacter reproduce table1 --model t5-base/ --data-dir glue
  compacter reproduce table2 --model t5-base/ --data-dir superglue
  compacter reproduce figure4 --model t5-base/ --data-dir glue

table1 is GLUE, table2 SuperGLUE, table3 time and memory, figure1 score against trained share (of
table1's runs), figure4 score against 100, 500, 1000, 2000 and 4000 training rows with five seeds.
What is finished is not done again: start it anew after a break. `compacter bench` measures time
and memory more strictly than table3, on equal rows and methods in turn.";

/// Run what a table or figure of the paper shows
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// table1, table2, table3, figure1 or figure4
    #[arg(value_name = "WHAT")]
    what: Reproduce,
    /// The bundled data and few steps
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    place: Place,
}

/// Runs what is missing, then reports.
pub(crate) fn run(args: &Args) -> Result<()> {
    interrupt::listen()?;
    let mut sweep = args.what.sweep(args.quick);
    if let Some(model) = &args.place.model {
        sweep.set("model", vec![model.as_str().into()]);
    }
    let out: PathBuf = match (&args.place.out, &sweep.out) {
        (Some(out), _) => out.clone(),
        (None, preset) => preset.as_deref().unwrap_or("runs").into(),
    };
    let runs = select(&sweep, &out, &args.place, None, &[])?;
    let outcome = work(&runs, &out)?;
    output::say(outcome.words());
    let mut report = Report::new(&read_runs(std::slice::from_ref(&out))?);
    match args.what {
        Reproduce::Table3 => report.tables.clear(),
        _ => report.costs.clear(),
    }
    if args.what != Reproduce::Figure4 {
        report.samples = None;
    }
    if matches!(args.what, Reproduce::Table3 | Reproduce::Figure4) {
        report.pareto = None;
    }
    write(&report, &out)?;
    output::line(markdown(&report).trim_end())?;
    if !outcome.failed.is_empty() {
        bail!(
            "{} failed: {}",
            outcome.failed.len(),
            outcome.failed.join(", ")
        );
    }
    Ok(())
}

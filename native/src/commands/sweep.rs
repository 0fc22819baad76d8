//! `compacter sweep`: many runs from one file.

use crate::failure::usage;
use crate::output::{columns, duration};
use crate::report::{invocation, quoted};
use crate::sweep::{Place, Run, State, measured, read, remaining, select, work};
use crate::{interrupt, output};
use anyhow::{Result, bail};
use clap::Subcommand;
use compacter_core::sweep::{Measured, Scheduler, Shard, script};
use serde::Serialize;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  compacter sweep plan table.toml                  which runs there are and how long they take
  compacter sweep run table.toml --device cpu      does what is not done yet, one after another
  compacter sweep run table.toml --shard 2/3       on the second of three machines
  compacter sweep export slurm table.toml > table.sh && sbatch table.sh
  compacter report runs/table

A sweep file is a file for `train --config` in which every value may be a list; its runs are all
combinations:

  task = [\"rte\", \"cola\", \"reviews\"]
  data-dirs = [\"glue\"]            # holds RTE/ and CoLA/
  method = \"all\"
  seed = [1, 2, 3]
  steps = 600

A setting that means nothing to a method (n to full) is left out of its runs.";

/// Do many runs: every combination of a file's lists
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the runs, what has become of them and how long the rest will take
    Plan {
        #[command(flatten)]
        which: Which,
        /// An array of {name, hash, state, steps, seconds}; null where unknown
        #[arg(long)]
        json: bool,
    },
    /// Do the runs that are not finished; may be started several times at once
    Run {
        #[command(flatten)]
        which: Which,
    },
    /// Write the runs as a script for slurm, hyperqueue or a shell
    Export {
        /// slurm, hyperqueue or shell
        scheduler: Scheduler,
        #[command(flatten)]
        which: Which,
    },
}

/// Which runs of which file.
#[derive(Debug, clap::Args)]
struct Which {
    /// The sweep file
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Every N-th run from the i-th on, for one of N machines
    #[arg(long, value_name = "i/N")]
    shard: Option<Shard>,
    /// Only this run, by its name or hash; again for more of them
    #[arg(long, value_name = "NAME", conflicts_with = "shard")]
    only: Vec<String>,
}

impl Which {
    fn runs(&self) -> Result<(Vec<Run>, PathBuf)> {
        let (sweep, out) = read(&self.file, &self.place)?;
        let runs = select(&sweep, &out, &self.place, self.shard, &self.only)?;
        Ok((runs, out))
    }
}

/// A line of `plan --json`.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    hash: &'a str,
    state: &'a str,
    steps: usize,
    seconds: Option<f64>,
}

/// Plans, runs or exports.
pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.what {
        What::Plan { which, json } => plan(which, *json),
        What::Run { which } => {
            interrupt::listen()?;
            let (runs, out) = which.runs()?;
            run_all(&runs, &out)
        }
        What::Export { scheduler, which } => export(*scheduler, which),
    }
}

/// Does all runs and says what came of it; an error if one failed.
fn run_all(runs: &[Run], out: &Path) -> Result<()> {
    let outcome = work(runs, out)?;
    let words = outcome.words();
    if !outcome.failed.is_empty() {
        bail!("{words}");
    }
    output::line(&words)?;
    output::line(format!("report: {} report {}", invocation(), quoted(out)))
}

fn plan(which: &Which, json: bool) -> Result<()> {
    let (runs, _) = which.runs()?;
    let state = |run: Run| State::of(&run).map(|state| (run, state));
    let runs: Vec<(Run, State)> = runs.into_iter().map(state).collect::<Result<_>>()?;
    let measured = measured(&runs);
    if json {
        let lines = runs.iter().map(|(run, state)| Line {
            name: &run.name,
            hash: &run.hash,
            state: match state {
                State::Finished(_) => "finished",
                State::Half(_) => "half",
                State::Waiting => "waiting",
            },
            steps: run.steps(),
            seconds: remaining(run, state, &measured),
        });
        return output::json(&lines.collect::<Vec<_>>());
    }
    output::line(table(&runs, &measured).trim_end())
}

fn table(runs: &[(Run, State)], measured: &[Measured]) -> String {
    let left: Vec<Option<f64>> = runs
        .iter()
        .map(|(run, state)| remaining(run, state, measured))
        .collect();
    let time = |seconds: Option<f64>| seconds.map_or("unknown".into(), duration);
    let mut rows = vec![
        ["run", "state", "steps", "time left"]
            .map(String::from)
            .to_vec(),
    ];
    for ((run, state), seconds) in runs.iter().zip(&left) {
        let steps = run.steps().to_string();
        rows.push(vec![
            run.name.clone(),
            state.words(run),
            steps,
            time(*seconds),
        ]);
    }
    let finished = runs
        .iter()
        .filter(|(_, state)| matches!(state, State::Finished(_)));
    let all: Option<f64> = left.iter().copied().sum();
    format!(
        "{}{} runs, {} finished; time left: {}\n",
        columns(&rows),
        runs.len(),
        finished.count(),
        time(all)
    )
}

fn export(scheduler: Scheduler, which: &Which) -> Result<()> {
    let (runs, out) = which.runs()?;
    if runs.is_empty() {
        return Err(usage("no runs to export: the shard is empty"));
    }
    // A scheduler starts tasks in a folder of its own choosing.
    let whole = |path: &Path| -> Result<String> { Ok(quoted(&std::path::absolute(path)?)) };
    let program = whole(&std::env::current_exe()?)?;
    let here = whole(Path::new("."))?;
    let mut command = format!(
        "{program} sweep run {} --out {}",
        whole(&which.file)?,
        whole(&out)?
    );
    for dir in &which.place.data_dir {
        command += &format!(" --data-dir {}", whole(dir)?);
    }
    if let Some(model) = &which.place.model {
        command += &format!(" --model {}", quoted(Path::new(model)));
    }
    if let Some(device) = &which.place.device {
        command += &format!(" --device {device}");
    }
    let names: Vec<String> = runs.iter().map(|run| run.name.clone()).collect();
    let text = script(scheduler, &here, &format!("{command} --only"), &names);
    output::line(text.trim_end())
}

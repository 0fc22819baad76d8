//! Doing the runs of a sweep, one after another, each once.

use super::{Run, State};
use crate::commands::train::begin_or_go_on;
use crate::run_dir::try_lock;
use crate::{interrupt, output};
use anyhow::{Context, Result};
use std::path::Path;

/// What came of a sweep.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Runs that were finished before.
    pub(crate) skipped: usize,
    /// Runs that were finished now.
    pub(crate) done: usize,
    /// Names of runs that another process is at.
    pub(crate) elsewhere: Vec<String>,
    /// Names of runs that failed.
    pub(crate) failed: Vec<String>,
}

impl Outcome {
    /// `3 done, 1 finished before, 1 at work in another process`.
    pub(crate) fn words(&self) -> String {
        let mut words = format!("{} done, {} finished before", self.done, self.skipped);
        for (names, what) in [
            (&self.elsewhere, "at work in another process"),
            (&self.failed, "failed"),
        ] {
            if !names.is_empty() {
                words += &format!(", {} {what}: {}", names.len(), names.join(", "));
            }
        }
        words
    }
}

/// Does the runs that nobody has done. A run that another process is at is passed over; one that
/// fails does not keep the others from their turn; Ctrl-C ends everything.
pub(crate) fn work(runs: &[Run], out: &Path) -> Result<Outcome> {
    let locks = out.join(".locks");
    std::fs::create_dir_all(&locks).with_context(|| format!("{}", locks.display()))?;
    let mut outcome = Outcome::default();
    for (index, run) in runs.iter().enumerate() {
        let place = format!("run {} of {}: {}", index + 1, runs.len(), run.name);
        // Held until the run is over. Whether it is finished is asked only when it is held:
        // otherwise another process could finish it between the question and the start.
        let Some(_lock) = try_lock(&locks.join(&run.name))? else {
            output::say(format!("{place}: another process is at it"));
            outcome.elsewhere.push(run.name.clone());
            continue;
        };
        if matches!(State::of(run)?, State::Finished(_)) {
            outcome.skipped += 1;
            continue;
        }
        output::say(format!("\n{place}"));
        match begin_or_go_on(&run.options) {
            Ok(report) => {
                let summary = &report.summary;
                let (metric, score) = (&summary.metric, summary.score_after);
                output::say(format!("{}: {metric} {score:.2}", run.name));
                outcome.done += 1;
            }
            Err(error) if interrupt::asked() => return Err(error),
            Err(error) => {
                output::say(format!("{}: {error:#}", run.name));
                outcome.failed.push(run.name.clone());
            }
        }
    }
    Ok(outcome)
}

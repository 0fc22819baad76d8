//! What has become of a sweep's runs so far.

use super::Run;
use crate::files;
use crate::report::Report;
use crate::run_dir::{CONFIG, METRICS, SUMMARY};
use anyhow::Result;
use compacter_core::sweep::{Measured, estimate};

/// How far a run is.
#[derive(Debug, Clone)]
pub(crate) enum State {
    /// It has its summary.
    Finished(Box<Report>),
    /// It was begun; so many steps are logged.
    Half(usize),
    /// Nothing is there yet.
    Waiting,
}

impl State {
    /// Looks into the run's directory.
    pub(crate) fn of(run: &Run) -> Result<Self> {
        let Some(out) = &run.options.out else {
            return Ok(Self::Waiting);
        };
        if out.join(SUMMARY).is_file() {
            return Ok(Self::Finished(Box::new(files::read_json(
                &out.join(SUMMARY),
            )?)));
        }
        if !out.join(CONFIG).is_file() {
            return Ok(Self::Waiting);
        }
        let log = std::fs::read(out.join(METRICS)).unwrap_or_default();
        let step = |line: &[u8]| {
            let line: serde_json::Value = serde_json::from_slice(line).ok()?;
            line["step"].as_u64()
        };
        let last = log.split(|byte| *byte == b'\n').rev().find_map(step);
        Ok(Self::Half(last.unwrap_or(0) as usize))
    }

    /// `finished`, `half (12 of 340 steps)` or `waiting`.
    pub(crate) fn words(&self, run: &Run) -> String {
        match self {
            Self::Finished(_) => "finished".into(),
            Self::Half(step) => format!("half ({step} of {} steps)", run.steps()),
            Self::Waiting => "waiting".into(),
        }
    }
}

/// What the finished runs took.
pub(crate) fn measured(runs: &[(Run, State)]) -> Vec<Measured> {
    let one = |(run, state): &(Run, State)| match state {
        State::Finished(report) => Some(Measured {
            task: run.task.clone(),
            method: run.settings.method.name.clone(),
            rows: report.summary.steps as f64 * run.rows_trained() / run.steps().max(1) as f64,
            seconds: report.seconds,
        }),
        State::Half(_) | State::Waiting => None,
    };
    runs.iter().filter_map(one).collect()
}

/// Seconds that a run will still take; 0 for a finished one, `None` where nothing is known.
pub(crate) fn remaining(run: &Run, state: &State, measured: &[Measured]) -> Option<f64> {
    let left = match state {
        State::Finished(_) => return Some(0.0),
        State::Half(step) => 1.0 - *step as f64 / run.steps().max(1) as f64,
        State::Waiting => 1.0,
    };
    let method = &run.settings.method.name;
    Some(left.max(0.0) * estimate(measured, &run.task, method, run.rows_trained())?)
}

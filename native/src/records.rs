//! Run directories as what a report is made of.

use crate::files;
use crate::report::Report;
use crate::run_dir::{CONFIG, METRICS, SUMMARY};
use crate::trained::RunConfig;
use anyhow::{Context, Result};
use compacter_core::report::Run;
use compacter_core::sweep::hash;
use compacter_core::train::{Event, Settings};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Every finished run in these folders and the folders inside them, in the order of their names.
pub(crate) fn read_runs(dirs: &[PathBuf]) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    for dir in dirs {
        collect(dir, &mut runs)?;
    }
    Ok(runs)
}

fn collect(dir: &Path, runs: &mut Vec<Run>) -> Result<()> {
    if dir.join(SUMMARY).is_file() && dir.join(CONFIG).is_file() {
        runs.extend(read_run(dir)?);
    }
    let named = || format!("{}", dir.display());
    let mut inside = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(named)? {
        let entry = entry.with_context(named)?;
        // A link could lead in circles.
        if entry.file_type().with_context(named)?.is_dir() {
            inside.push(entry.path());
        }
    }
    inside.sort();
    inside.iter().try_for_each(|path| collect(path, runs))
}

/// One run; `None` for the folder around several seeds, whose runs lie inside it.
fn read_run(dir: &Path) -> Result<Option<Run>> {
    let config: RunConfig = files::read_json(&dir.join(CONFIG))?;
    let Some(settings) = config.settings else {
        return Ok(None);
    };
    let report: Report = files::read_json(&dir.join(SUMMARY))?;
    let summary = report.summary;
    let log = Log::read(&dir.join(METRICS), summary.best_step)?;
    let task = summary.task.rsplit('/').next().unwrap_or(&summary.task);
    Ok(Some(Run {
        task: task.into(),
        setting: setting(&config.options, &settings)?,
        seed: settings.seed,
        samples: config.options.data.train_samples,
        validation: log.validation,
        metric: summary.metric,
        metrics: summary.metrics,
        majority: summary.majority,
        test_rows: log.test_rows,
        trainable: summary.trainable,
        percent: summary.percent,
        seconds_per_row: log.seconds_per_row,
        peak_bytes: report
            .peak_mib
            .map(|mebibytes| (mebibytes * f64::from(1 << 20)) as u64),
        method: summary.method,
    }))
}

/// The hash of everything that decides a run beside its seed.
fn setting(options: &crate::options::TrainOptions, settings: &Settings) -> Result<String> {
    let settings = Settings {
        seed: 0,
        ..settings.clone()
    };
    Ok(hash(&serde_json::json!({
        "data": serde_json::to_value(&options.data)?,
        "model": options.model,
        "weights": options.weights,
        "settings": serde_json::to_value(&settings)?,
    })))
}

/// A line of metrics.jsonl.
#[derive(Deserialize)]
struct Line {
    #[serde(flatten)]
    event: Event,
    seconds: f64,
}

/// What the log of a run tells beside its summary.
struct Log {
    /// Validation score of the checkpoint that was tested.
    validation: f64,
    test_rows: usize,
    /// Median over the steps that follow another one.
    seconds_per_row: Option<f64>,
}

impl Log {
    fn read(path: &Path, best_step: usize) -> Result<Self> {
        let name = path.display().to_string();
        let mut log = Self {
            validation: f64::NEG_INFINITY,
            test_rows: 0,
            seconds_per_row: None,
        };
        let bytes = files::read(path)?;
        let mut rates = Vec::new();
        let mut before: Option<f64> = None;
        let lines = bytes.split(|byte| *byte == b'\n').enumerate();
        for (index, line) in lines.filter(|(_, line)| !line.is_empty()) {
            let line: Line = serde_json::from_slice(line).map_err(|e| {
                compacter_core::Error::line(&name, index + 1, format!("is no event of a run: {e}"))
            })?;
            let mut at: Option<f64> = None;
            match line.event {
                Event::Started { test_rows, .. } => log.test_rows = test_rows,
                Event::Evaluated { step, score, .. } if step == best_step => log.validation = score,
                Event::Step { rows, .. } => {
                    at = Some(line.seconds);
                    if let Some(before) = before {
                        rates.push((line.seconds - before) / rows.max(1) as f64);
                    }
                }
                _ => {}
            }
            before = at;
        }
        rates.retain(|rate| *rate > 0.0);
        rates.sort_by(f64::total_cmp);
        log.seconds_per_row = rates.get(rates.len() / 2).copied();
        Ok(log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_gives_the_speed_between_evaluations_and_the_score_of_the_best_step() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(METRICS);
        let step = |step: usize, seconds: f64| {
            format!(
                r#"{{"event":"step","step":{step},"total_steps":4,"loss":1.0,"lr":0.1,"rows":10,"seconds":{seconds}}}"#
            )
        };
        let evaluated = |step: usize, score: f64| {
            format!(
                r#"{{"event":"evaluated","step":{step},"score":{score},"metrics":{{}},"best":true,"seconds":9.0}}"#
            )
        };
        let lines = [
            step(1, 1.0),
            step(2, 2.0),
            evaluated(2, 61.0),
            step(3, 10.0),
            step(4, 11.0),
            evaluated(4, 60.0),
        ];
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        let log = Log::read(&path, 2).unwrap();
        assert_eq!((log.validation, log.seconds_per_row), (61.0, Some(0.1)));
        std::fs::write(&path, "{}\n").unwrap();
        let error = Log::read(&path, 2).err().unwrap().to_string();
        assert!(error.contains("metrics.jsonl:1: is no event"), "{error}");
    }
}

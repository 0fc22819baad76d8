//! What a run ends with: the summary, its table, and what to try next.

use crate::output::{bytes, columns, duration, thousands};
use compacter_core::train::Summary;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A finished run in figures: `summary.json`, and what `train --json` ends with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    pub(crate) summary: Summary,
    /// Wall time of training and scoring, interruptions left out.
    pub(crate) seconds: f64,
    /// Most memory the process held, where the system tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) peak_mib: Option<f64>,
    /// Size of adapter.safetensors.
    pub(crate) adapter_bytes: usize,
    /// Where it ran, and why there.
    pub(crate) device: String,
    /// Seed of the run, the first of several.
    pub(crate) seed: u64,
    /// The run directory.
    pub(crate) out: PathBuf,
    /// Over several seeds: the deviation of score_after and each seed's score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seeds: Option<Seeds>,
}

/// Several runs that differ by their seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seeds {
    /// How many.
    pub(crate) count: usize,
    /// score_after of each.
    pub(crate) scores: Vec<f64>,
    /// Their mean.
    pub(crate) mean: f64,
    /// Their sample deviation; 0 for one.
    pub(crate) deviation: f64,
}

impl Report {
    /// Mean and deviation of runs with several seeds; `None` without runs.
    pub(crate) fn over_seeds(runs: &[Self], out: &Path) -> Option<Self> {
        let mut report = runs.first()?.clone();
        let scores: Vec<f64> = runs.iter().map(|run| run.summary.score_after).collect();
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        let squares: f64 = scores.iter().map(|score| (score - mean).powi(2)).sum();
        let deviation = (squares / (scores.len() - 1).max(1) as f64).sqrt();
        report.summary.score_after = mean;
        for (name, value) in &mut report.summary.metrics {
            let values = runs.iter().filter_map(|run| run.summary.metrics.get(name));
            *value = values.sum::<f64>() / runs.len() as f64;
        }
        report.seconds = runs.iter().map(|run| run.seconds).sum();
        report.out = out.to_path_buf();
        report.seeds = Some(Seeds {
            count: runs.len(),
            scores,
            mean,
            deviation,
        });
        Some(report)
    }

    /// The table for people.
    pub(crate) fn table(&self) -> String {
        let summary = &self.summary;
        let after = match &self.seeds {
            Some(seeds) => format!("{:.2} ± {:.2}", seeds.mean, seeds.deviation),
            None => format!("{:.2}", summary.score_after),
        };
        let majority = summary
            .majority
            .map_or("none".into(), |score| format!("{score:.2}"));
        let metric = &summary.metric;
        let rows = [
            ("task".into(), summary.task.clone()),
            ("method".into(), summary.method.clone()),
            ("trainable parameters".into(), thousands(summary.trainable)),
            (
                "share of the model".into(),
                format!("{:.3} %", summary.percent),
            ),
            (
                format!("{metric} before"),
                format!("{:.2}", summary.score_before),
            ),
            (format!("{metric} after"), after),
            (format!("{metric} of the majority class"), majority),
            ("time".into(), duration(self.seconds)),
            ("adapter file".into(), bytes(self.adapter_bytes)),
        ];
        columns(&rows.map(|(name, value): (String, String)| vec![name, value]))
    }

    /// Commands for the next things to try; `texts` says how many the task has in a row.
    pub(crate) fn next_steps(&self, texts: usize) -> String {
        let run = match &self.seeds {
            Some(_) => self.out.join(format!("seed-{}", self.seed)),
            None => self.out.clone(),
        };
        let (call, run) = (invocation(), quoted(&run));
        let row = match texts {
            1 => "\"I would gladly come back tomorrow.\"",
            2 => "\"I would gladly come back tomorrow.\" --text2 \"We will come back.\"",
            _ => "--file rows.tsv",
        };
        format!(
            "Try next:\n  {call} predict --run {run} {row}\n  \
             {call} eval --run {run}\n  {call} train --method adapter\n  {call} train --task topics\n"
        )
    }
}

/// How the person can call this program again.
pub(crate) fn invocation() -> &'static str {
    // Cargo sets this for the programs that it runs.
    if std::env::var_os("CARGO_MANIFEST_DIR").is_some() {
        "cargo run --release --"
    } else {
        "compacter"
    }
}

/// A path as a shell takes it.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/\\._-+:".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(score_after: f64) -> Report {
        let summary = Summary {
            method: "compacter++".into(),
            task: "reviews".into(),
            metric: "accuracy".into(),
            trainable: 7024,
            percent: 0.155,
            score_before: 50.0,
            score_after,
            majority: Some(49.5),
            metrics: [("accuracy".to_string(), score_after)].into(),
            steps: 10,
            best_step: 5,
        };
        let (device, out) = ("the CPU".into(), "runs/a b".into());
        Report {
            summary,
            seconds: 61.0,
            peak_mib: None,
            adapter_bytes: 2048,
            device,
            seed: 1,
            out,
            seeds: None,
        }
    }

    #[test]
    fn seeds_give_mean_and_deviation() {
        let all = Report::over_seeds(&[report(60.0), report(62.0)], Path::new("r")).unwrap();
        assert_eq!(all.summary.score_after, 61.0);
        assert!((all.seeds.as_ref().unwrap().deviation - 2f64.sqrt()).abs() < 1e-12);
        assert!(all.table().contains("61.00 ± 1.41"), "{}", all.table());
        assert!(all.next_steps(1).contains("r/seed-1"));
        assert!(Report::over_seeds(&[], Path::new("r")).is_none());
    }

    #[test]
    fn json_has_what_machines_read() {
        let value = serde_json::to_value(report(60.0)).unwrap();
        for key in [
            "method",
            "trainable",
            "percent",
            "metric",
            "score_before",
            "score_after",
        ] {
            assert!(value.get(key).is_some(), "{key}");
        }
        assert!(value.get("majority").is_some() && value.get("adapter_bytes").is_some());
        assert!(report(60.0).next_steps(2).contains("'runs/a b'"));
    }
}

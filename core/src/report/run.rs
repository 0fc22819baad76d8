//! One finished run, as far as a report needs it.

use std::collections::BTreeMap;

/// A finished run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Task name, without a collection in front (`rte`).
    pub task: String,
    /// Method name.
    pub method: String,
    /// Equal for runs that differ in their seed alone.
    pub setting: String,
    /// Its seed.
    pub seed: u64,
    /// Training rows it was restricted to; `None` for all.
    pub samples: Option<usize>,
    /// Score on the validation rows of the checkpoint that was tested, in percent.
    pub validation: f64,
    /// Name of the first metric.
    pub metric: String,
    /// Every metric on the test rows, in percent.
    pub metrics: BTreeMap<String, f64>,
    /// The first metric of always giving the most frequent label.
    pub majority: Option<f64>,
    /// Test rows.
    pub test_rows: usize,
    /// Trained parameters.
    pub trainable: usize,
    /// 100 × trained ÷ parameters of the base.
    pub percent: f64,
    /// Seconds of training a row, evaluations left out.
    pub seconds_per_row: Option<f64>,
    /// Most memory held, in bytes.
    pub peak_bytes: Option<u64>,
}

impl Run {
    /// Parameters of the base.
    pub fn parameters(&self) -> usize {
        (100.0 * self.trainable as f64 / self.percent.max(1e-9)).round() as usize
    }

    /// A run for tests.
    #[cfg(test)]
    pub(super) fn example(task: &str, method: &str, seed: u64, score: f64) -> Self {
        Self {
            task: task.into(),
            method: method.into(),
            setting: method.into(),
            seed,
            samples: None,
            validation: score,
            metric: "accuracy".into(),
            metrics: [("accuracy".to_string(), score)].into(),
            majority: Some(50.0),
            test_rows: 200,
            trainable: if method == "full" { 1_000_000 } else { 1000 },
            percent: if method == "full" { 100.0 } else { 0.1 },
            seconds_per_row: Some(0.01),
            peak_bytes: Some(100_000_000),
        }
    }
}

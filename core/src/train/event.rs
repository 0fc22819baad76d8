//! The one set of messages that command line, run directory, window and browser share.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What happened during training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run is set up.
    Started {
        /// Task name.
        task: String,
        /// Method name.
        method: String,
        /// Trained parameters.
        trainable: usize,
        /// 100 × trained ÷ parameters of the base.
        percent: f64,
        /// Optimiser steps to come.
        total_steps: usize,
        /// Training rows.
        train_rows: usize,
        /// Validation rows.
        validation_rows: usize,
        /// Test rows.
        test_rows: usize,
    },
    /// The untouched base on the test rows.
    Before {
        /// First metric, in percent.
        score: f64,
        /// All metrics, in percent.
        metrics: BTreeMap<String, f64>,
    },
    /// One optimiser step.
    Step {
        /// Counted from 1.
        step: usize,
        /// Of how many.
        total_steps: usize,
        /// Mean cross entropy over the labels that count.
        loss: f64,
        /// Learning rate of this step.
        lr: f64,
        /// Training rows in it.
        rows: usize,
    },
    /// The validation rows after a step.
    Evaluated {
        /// After which step.
        step: usize,
        /// Mean of the metrics, in percent: what chooses the checkpoint.
        score: f64,
        /// All metrics, in percent.
        metrics: BTreeMap<String, f64>,
        /// Whether it is the best so far.
        best: bool,
    },
    /// The last event of a run.
    Finished(Summary),
}

/// The end of a run in figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Method name.
    pub method: String,
    /// Task name.
    pub task: String,
    /// Name of the first metric, which the scores are.
    pub metric: String,
    /// Trained parameters.
    pub trainable: usize,
    /// 100 × trained ÷ parameters of the base.
    pub percent: f64,
    /// The untouched base on the test rows, in percent.
    pub score_before: f64,
    /// The best checkpoint on the test rows, in percent.
    pub score_after: f64,
    /// The most frequent training label on the test rows, in percent.
    pub majority: Option<f64>,
    /// All metrics of the best checkpoint on the test rows, in percent.
    pub metrics: BTreeMap<String, f64>,
    /// Optimiser steps done.
    pub steps: usize,
    /// The step whose checkpoint was chosen.
    pub best_step: usize,
}

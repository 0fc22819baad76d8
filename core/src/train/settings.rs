//! Everything that decides a run beside its data and its base.

use crate::method::Method;
use crate::task::{Scoring, Task};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Settings of a run; [`Settings::new`] gives the published ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// What is trained.
    pub method: Method,
    /// Peak learning rate.
    pub lr: f64,
    /// Rows per optimiser step.
    pub batch: usize,
    /// Rows per forward pass; gradients accumulate up to `batch`.
    pub micro_batch: Option<usize>,
    /// Whether a pass keeps its blocks' inputs alone and runs each block again on the way back: less
    /// memory for more time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub activation_checkpointing: bool,
    /// Passes over the training rows.
    pub epochs: usize,
    /// Optimiser steps, instead of `epochs`.
    pub steps: Option<usize>,
    /// Steps of linear warm-up; by default min(500, a tenth of the steps).
    pub warmup: Option<usize>,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Global gradient norm above which gradients are scaled down; 0 for never.
    pub max_grad_norm: f64,
    /// Dropout probability.
    pub dropout: f64,
    /// Tokens a source is cut at.
    pub max_source: usize,
    /// Seed of initialisation, shuffles and dropout.
    pub seed: u64,
    /// How test and validation rows are scored.
    pub score: Scoring,
    /// Evaluations without a better score after which training stops.
    pub patience: Option<usize>,
    /// Steps between evaluations; by default once an epoch.
    pub eval_every: Option<usize>,
}

impl Settings {
    /// The published settings (paper §5, appendix A) for this method and task.
    pub fn new(method: Method, task: &Task) -> Self {
        // 100 rows are a sixth of an epoch of a few hundred rows: small data gets more steps.
        let batch = if task.train.len() < 2000 { 32 } else { 100 };
        Self {
            lr: method.lr,
            micro_batch: method.micro_batch.filter(|rows| *rows < batch),
            method,
            batch,
            activation_checkpointing: false,
            epochs: task.epochs,
            steps: None,
            warmup: None,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
            dropout: 0.1,
            max_source: 128,
            seed: 42,
            score: task.scoring,
            patience: None,
            eval_every: None,
        }
    }

    /// Refuses what cannot work, naming the number.
    pub fn check(&self) -> Result<()> {
        let positive = [
            ("batch", self.batch),
            ("epochs", self.epochs),
            ("steps", self.steps.unwrap_or(1)),
            ("micro-batch", self.micro_batch.unwrap_or(1)),
            ("eval-every", self.eval_every.unwrap_or(1)),
        ];
        for (name, value) in positive {
            if value == 0 {
                return Err(Error::Setting(format!(
                    "{name} is 0: it must be at least 1"
                )));
            }
        }
        if !(0.0..1.0).contains(&self.dropout) {
            let message = format!("dropout {}: it must be from 0 to below 1", self.dropout);
            return Err(Error::Setting(message));
        }
        for (name, value) in [
            ("lr", self.lr),
            ("weight-decay", self.weight_decay),
            ("max-grad-norm", self.max_grad_norm),
        ] {
            if !value.is_finite() || value < 0.0 {
                return Err(Error::Setting(format!(
                    "{name} is {value}: it must be 0 or more"
                )));
            }
        }
        Ok(())
    }

    /// Optimiser steps for this many training rows.
    pub fn total_steps(&self, rows: usize) -> usize {
        self.steps
            .unwrap_or_else(|| self.epochs * rows.div_ceil(self.batch).max(1))
    }

    /// Learning rate of a step (counted from 1): linear warm-up, then linear decay to 0.
    pub fn lr_at(&self, step: usize, total: usize) -> f64 {
        let warmup = self.warmup.unwrap_or_else(|| 500.min(total / 10));
        let done = step - 1;
        if done < warmup {
            return self.lr * done as f64 / warmup as f64;
        }
        self.lr * total.saturating_sub(done) as f64 / (total - warmup.min(total)).max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::t5::T5Config;

    fn settings() -> Settings {
        let config = T5Config::preset("t5-small").unwrap();
        let task = Task {
            name: "t".into(),
            labels: vec![],
            metrics: vec![],
            scoring: Scoring::Likelihood,
            epochs: 2,
            train: vec![],
            validation: vec![],
            test: vec![],
        };
        Settings::new(Method::preset("compacter++", &config).unwrap(), &task)
    }

    #[test]
    fn schedule_warms_up_and_decays_to_zero() {
        let settings = settings();
        let lr: Vec<f64> = (1..=100).map(|step| settings.lr_at(step, 100)).collect();
        assert_eq!(lr[0], 0.0);
        assert!(
            (lr[10] - 3e-3).abs() < 1e-12,
            "peak after a tenth: {}",
            lr[10]
        );
        assert!(lr[99] > 0.0 && lr[99] < 1e-4);
    }

    #[test]
    fn zero_sizes_are_refused() {
        let mut settings = settings();
        assert!(settings.check().is_ok());
        settings.batch = 0;
        assert!(
            settings
                .check()
                .unwrap_err()
                .to_string()
                .contains("batch is 0")
        );
    }
}

//! Scoring rows: label likelihood or greedy generation.

use crate::data::{Batch, Row, Tokenizer};
use crate::engine::float_values;
use crate::t5::{Forward, Inputs, T5, Weights};
use crate::task::{Example, Scoring, Task};
use crate::{Error, Result};
use burn::tensor::Tensor;
use std::collections::BTreeMap;

/// Rows per forward pass of an evaluation.
const ROWS: usize = 64;

/// What scoring needs beside the weights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scorer<'a> {
    pub model: &'a T5,
    pub weights: &'a Weights,
    pub tokenizer: &'a Tokenizer,
    pub max_source: usize,
    /// Longest target in tokens, for generation.
    pub max_target: usize,
}

/// One metric's name and value, in percent.
pub(crate) type Metrics = BTreeMap<String, f64>;

impl Scorer<'_> {
    /// Every metric of the task on these rows.
    pub async fn metrics(&self, task: &Task, rows: &[Example], how: Scoring) -> Result<Metrics> {
        let sources: Vec<&str> = rows.iter().map(|row| row.source.as_str()).collect();
        let predictions = match how {
            Scoring::Generate => self.generate(&sources).await?,
            Scoring::Likelihood => {
                let scores = self.log_likelihoods(&sources, &task.labels).await?;
                scores
                    .iter()
                    .map(|row| task.labels[best(row)].clone())
                    .collect()
            }
        };
        let targets: Vec<String> = rows.iter().map(|row| row.target.clone()).collect();
        let score = |metric: &crate::metric::Metric| {
            (
                metric.name().to_string(),
                metric.score(&predictions, &targets, &task.labels),
            )
        };
        Ok(task.metrics.iter().map(score).collect())
    }

    /// Indices in order of source length, so that a batch pads little.
    fn encode(&self, sources: &[&str]) -> Result<(Vec<Vec<u32>>, Vec<usize>)> {
        let ids = sources
            .iter()
            .map(|text| self.tokenizer.encode(text, self.max_source));
        let ids = ids.collect::<Result<Vec<_>>>()?;
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by_key(|&i| ids[i].len());
        Ok((ids, order))
    }

    /// Summed log-probability of each label's tokens with the end token, no length normalisation;
    /// all labels of a tile of rows in one batch.
    pub async fn log_likelihoods<S: AsRef<str>>(
        &self,
        sources: &[&str],
        labels: &[S],
    ) -> Result<Vec<Vec<f64>>> {
        if labels.is_empty() {
            let message = "this task has no labels to weigh: use --score generate";
            return Err(Error::Setting(message.into()));
        }
        let label_ids = labels
            .iter()
            .map(|label| self.tokenizer.encode(label.as_ref(), 0));
        let label_ids = label_ids.collect::<Result<Vec<_>>>()?;
        let (ids, order) = self.encode(sources)?;
        let forward = Forward::new(self.model, self.weights);
        let mut scores = vec![Vec::new(); sources.len()];
        for tile in order.chunks((ROWS / labels.len()).max(1)) {
            let rows: Vec<Row> = tile.iter().map(|&i| row(&ids[i], &[])).collect();
            let batch = Batch::new(&rows.iter().collect::<Vec<_>>());
            let inputs = Inputs::new(&batch.source, &batch.mask, batch.rows, self.model.device());
            let encoded = forward.encode(&inputs)?; // [rows, length, d]
            let copies = vec![encoded; labels.len()];
            let masks = vec![inputs.mask.clone(); labels.len()];
            let (encoded, mask) = (Tensor::cat(copies, 0), Tensor::cat(masks, 0));
            let pairs: Vec<Row> = label_ids
                .iter()
                .flat_map(|label| tile.iter().map(move |_| row(&[], label)))
                .collect();
            let targets = Batch::new(&pairs.iter().collect::<Vec<_>>());
            let log_p = forward.label_log_probabilities(&targets.labels, &encoded, &mask)?;
            let mut log_p = float_values(log_p).await?.into_iter();
            for label in &label_ids {
                for &i in tile {
                    scores[i].push(log_p.by_ref().take(label.len()).map(f64::from).sum());
                }
            }
        }
        Ok(scores)
    }

    /// Probability of each label per source, from the summed log-probabilities.
    pub async fn probabilities<S: AsRef<str>>(
        &self,
        sources: &[&str],
        labels: &[S],
    ) -> Result<Vec<Vec<f64>>> {
        let scores = self.log_likelihoods(sources, labels).await?;
        Ok(scores.iter().map(|row| softmax(row)).collect())
    }

    /// Greedy text per source.
    pub async fn generate(&self, sources: &[&str]) -> Result<Vec<String>> {
        let (ids, order) = self.encode(sources)?;
        let forward = Forward::new(self.model, self.weights);
        let mut texts = vec![String::new(); sources.len()];
        for tile in order.chunks(ROWS) {
            let rows: Vec<Row> = tile.iter().map(|&i| row(&ids[i], &[])).collect();
            let batch = Batch::new(&rows.iter().collect::<Vec<_>>());
            let inputs = Inputs::new(&batch.source, &batch.mask, batch.rows, self.model.device());
            // The start token, then the target.
            let generated = forward.greedy(&inputs, self.max_target + 1).await?;
            for (&i, ids) in tile.iter().zip(generated) {
                let ids: Vec<u32> = ids.iter().map(|&id| id as u32).collect();
                texts[i] = self.tokenizer.decode(&ids)?;
            }
        }
        Ok(texts)
    }
}

fn row(source: &[u32], target: &[u32]) -> Row {
    Row {
        source: source.to_vec(),
        target: target.to_vec(),
    }
}

fn softmax(scores: &[f64]) -> Vec<f64> {
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let shares: Vec<f64> = scores.iter().map(|score| (score - top).exp()).collect();
    let sum: f64 = shares.iter().sum();
    shares.iter().map(|share| share / sum).collect()
}

/// Index of the largest value, the first of equals.
pub(super) fn best(values: &[f64]) -> usize {
    let better = |best: usize, i: usize| if values[i] > values[best] { i } else { best };
    (1..values.len()).fold(0, better)
}

#[cfg(test)]
mod tests {
    #[test]
    fn of_equals_the_first() {
        assert_eq!(super::best(&[0.2, 0.4, 0.4]), 1);
    }

    #[test]
    fn probabilities_sum_to_one_far_below_zero() {
        let shares = super::softmax(&[-1000.0, -1001.0]);
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((shares[0] - 0.731_058_578_630_004_9).abs() < 1e-12);
    }
}

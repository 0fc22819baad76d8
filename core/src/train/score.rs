//! Scoring rows: label likelihood or greedy generation.

use crate::data::{Batch, Row, Tokenizer};
use crate::engine::float_values;
use crate::t5::{Forward, Inputs, SCORED_ROWS, T5, Weights};
use crate::task::{Example, Scoring, Task};
use crate::{Error, Result};
use burn::tensor::{Int, Tensor, TensorData};
use std::collections::{BTreeMap, HashMap};

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
        // Rows that ask the same, as ReCoRD's copies for each answer, are asked once.
        let (asked, place) = distinct(rows);
        let sources: Vec<&str> = asked.iter().map(|row| row.source.as_str()).collect();
        let answers = match how {
            Scoring::Generate => self.generate(&sources).await?,
            Scoring::Likelihood => {
                let labels: Vec<&[String]> = asked.iter().map(|row| task.labels_of(row)).collect();
                let scores = self.log_likelihoods(&sources, &labels).await?;
                let likeliest =
                    |(labels, scores): (&&[String], &Vec<f64>)| labels[best(scores)].clone();
                labels.iter().zip(&scores).map(likeliest).collect()
            }
        };
        let predictions: Vec<String> = place.iter().map(|&i| answers[i].clone()).collect();
        let score = |metric: &crate::metric::Metric| {
            let value = metric.score_rows(&predictions, rows, &task.labels);
            (metric.name().to_string(), value)
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

    /// Summed log-probability of each label's tokens with the end token, no length normalisation.
    /// Each source has labels of its own; those of a tile of sources go through in one batch.
    pub async fn log_likelihoods<S: AsRef<str>>(
        &self,
        sources: &[&str],
        labels: &[&[S]],
    ) -> Result<Vec<Vec<f64>>> {
        if labels.iter().any(|labels| labels.is_empty()) {
            let message = "this task has no labels to weigh: use --score generate";
            return Err(Error::Setting(message.into()));
        }
        let mut label_ids: HashMap<&str, Vec<u32>> = HashMap::new();
        for label in labels.iter().copied().flatten().map(S::as_ref) {
            if !label_ids.contains_key(label) {
                label_ids.insert(label, self.tokenizer.encode(label, 0)?);
            }
        }
        let ids_of = |source: usize| {
            labels[source]
                .iter()
                .map(|label| &label_ids[label.as_ref()])
        };
        let (ids, order) = self.encode(sources)?;
        let forward = Forward::new(self.model, self.weights);
        let mut scores = vec![Vec::new(); sources.len()];
        for tile in tiles(&order, |source| labels[source].len()) {
            let rows: Vec<Row> = tile.iter().map(|&i| row(&ids[i], &[])).collect();
            let batch = Batch::new(&rows.iter().collect::<Vec<_>>());
            let inputs = Inputs::new(&batch.source, &batch.mask, batch.rows, self.model.device());
            let encoded = forward.encode(&inputs)?; // [rows, length, d]
            // A pair per label of each row: the row's encoding and the label's tokens.
            let pairs: Vec<Row> = tile
                .iter()
                .flat_map(|&i| ids_of(i).map(|ids| row(&[], ids)))
                .collect();
            let copies = |(place, &i): (usize, &usize)| vec![place as i32; labels[i].len()];
            let places: Vec<i32> = tile.iter().enumerate().flat_map(copies).collect();
            let places = TensorData::new(places, [pairs.len()]);
            let places = Tensor::<1, Int>::from_data(places, self.model.device());
            let (encoded, mask) = (
                encoded.select(0, places.clone()),
                inputs.mask.select(0, places),
            );
            let targets = Batch::new(&pairs.iter().collect::<Vec<_>>());
            let log_p = forward.label_log_probabilities(&targets.labels, &encoded, &mask)?;
            let mut log_p = float_values(log_p).await?.into_iter();
            for &i in tile {
                let sum =
                    |ids: &Vec<u32>| -> f64 { log_p.by_ref().take(ids.len()).map(f64::from).sum() };
                scores[i] = ids_of(i).map(sum).collect();
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
        let scores = self
            .log_likelihoods(sources, &vec![labels; sources.len()])
            .await?;
        Ok(scores.iter().map(|row| softmax(row)).collect())
    }

    /// Greedy text per source.
    pub async fn generate(&self, sources: &[&str]) -> Result<Vec<String>> {
        let (ids, order) = self.encode(sources)?;
        let forward = Forward::new(self.model, self.weights);
        let mut texts = vec![String::new(); sources.len()];
        for tile in order.chunks(SCORED_ROWS) {
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

/// The rows that differ in their source, and which of them each row is.
fn distinct(rows: &[Example]) -> (Vec<&Example>, Vec<usize>) {
    let (mut asked, mut place, mut seen) = (Vec::new(), Vec::new(), HashMap::new());
    for row in rows {
        let at = *seen.entry(row.source.as_str()).or_insert(asked.len());
        if at == asked.len() {
            asked.push(row);
        }
        place.push(at);
    }
    (asked, place)
}

/// Runs of sources that have about [`SCORED_ROWS`] labels together, at least one source each.
fn tiles(order: &[usize], labels: impl Fn(usize) -> usize) -> Vec<&[usize]> {
    let (mut tiles, mut start, mut pairs) = (Vec::new(), 0, 0);
    for (place, &source) in order.iter().enumerate() {
        if place > start && pairs + labels(source) > SCORED_ROWS {
            tiles.push(&order[start..place]);
            (start, pairs) = (place, 0);
        }
        pairs += labels(source);
    }
    if start < order.len() {
        tiles.push(&order[start..]);
    }
    tiles
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
    use super::{Scorer, distinct, tiles};
    use crate::data::Tokenizer;
    use crate::metric::Metric;
    use crate::t5::{T5, T5Config};
    use crate::task::{Example, Scoring, Task};
    use crate::{block_on, cpu_device};

    #[test]
    fn tiles_hold_every_source_once_and_few_labels() {
        let order = [4, 2, 0, 1, 3];
        let labels = |source: usize| [30, 30, 40, 100, 10][source];
        assert_eq!(tiles(&order, labels), [&[4, 2][..], &[0, 1], &[3]]);
        assert!(tiles(&[], labels).is_empty());
    }

    #[test]
    fn equal_sources_are_asked_once() {
        let rows = ["a", "b", "a"].map(|source| Example {
            source: source.into(),
            ..Example::default()
        });
        let (asked, place) = distinct(&rows);
        assert_eq!((asked.len(), place), (2, vec![0, 1, 0]));
    }

    #[test]
    fn rows_with_labels_of_their_own_score_as_alone() {
        let config = T5Config::from_json(compacter_assets::CONFIG, "config.json").unwrap();
        let weights = ("model".to_string(), compacter_assets::WEIGHTS.to_vec());
        let model = T5::from_safetensors(config, &[weights], &cpu_device()).unwrap();
        let tokenizer = compacter_assets::TOKENIZER;
        let tokenizer = Tokenizer::from_bytes(tokenizer, "tokenizer.json").unwrap();
        let weights = model.untouched();
        let scorer = Scorer {
            model: &model,
            weights: &weights,
            tokenizer: &tokenizer,
            max_source: 128,
            max_target: 8,
        };
        let sources = ["Who met Al in the long street?", "Who slept?", "Who?"];
        let labels: [&[&str]; 3] = [&["Bo", "a much longer name"], &["Cy"], &["Bo", "Di", "Al"]];
        let together = block_on(scorer.log_likelihoods(&sources, &labels)).unwrap();
        for ((source, labels), together) in sources.iter().zip(labels).zip(&together) {
            assert_eq!(together.len(), labels.len());
            for (label, score) in labels.iter().zip(together) {
                let label = [*label];
                let alone = block_on(scorer.log_likelihoods(&[source], &[&label[..]])).unwrap();
                assert!(
                    (alone[0][0] - score).abs() < 1e-4,
                    "{source} {label:?}: {score}"
                );
            }
        }
        let none: [&[&str]; 1] = [&[]];
        assert!(block_on(scorer.log_likelihoods(&["a"], &none)).is_err());

        // ReCoRD's way: likelihood over each row's own entities, and an answer set.
        let row = |source: &str, candidates: &[&str]| {
            let candidates: Vec<String> = candidates.iter().map(|c| c.to_string()).collect();
            Example {
                source: source.into(),
                target: candidates[0].clone(),
                answers: candidates.clone(),
                candidates,
                ..Example::default()
            }
        };
        let test: Vec<Example> = sources.iter().zip(labels).map(|(s, l)| row(s, l)).collect();
        let task = Task {
            name: "record".into(),
            labels: vec![],
            metrics: vec![Metric::AnswersEm],
            scoring: Scoring::Generate,
            epochs: 1,
            train: vec![],
            validation: vec![],
            test,
        };
        let scores = block_on(scorer.metrics(&task, &task.test, Scoring::Likelihood)).unwrap();
        // Whatever is likeliest, it is one of the row's own and so right.
        assert_eq!(scores["em"], 100.0);
    }

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

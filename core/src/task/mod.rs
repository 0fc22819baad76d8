//! Tasks: what text goes in, what text is to come out, and how that is scored.

mod official;
mod own;

pub use official::{
    HubFiles, OFFICIAL, Recipe, hub_files, official, official_fields, official_source,
};
pub use own::{Columns, own, own_source, pairs};

use crate::metric::Metric;
use crate::random::Stream;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// A pair of texts, and what scoring asks beside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// What the model reads.
    pub source: String,
    /// What it is to write.
    pub target: String,
    /// The rows that count together, as the answers to one question do in MultiRC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<usize>,
    /// All right answers where there can be several; empty: `target` alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<String>,
    /// The labels of this row, where each row has its own, as ReCoRD has its entities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
}

/// How a prediction is made for scoring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scoring {
    /// The label whose tokens have the highest summed log-probability.
    Likelihood,
    /// Greedy decoding; a text that is no label is wrong.
    Generate,
}

/// A task with its rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Short name, fit for a file name.
    pub name: String,
    /// All labels; empty for free text and for numbers.
    pub labels: Vec<String>,
    /// Metrics, the one to print first.
    pub metrics: Vec<Metric>,
    /// The default way of scoring.
    pub scoring: Scoring,
    /// The default number of passes over the training rows.
    pub epochs: usize,
    /// Rows to learn from.
    pub train: Vec<Example>,
    /// Rows that choose the checkpoint.
    pub validation: Vec<Example>,
    /// Rows for the reported score.
    pub test: Vec<Example>,
}

impl Task {
    /// Name of the first metric, the one that scores are; empty where there is none.
    pub fn metric(&self) -> &'static str {
        self.metrics.first().map_or("", |metric| metric.name())
    }

    /// The first metric, on the test rows, of always answering with the most frequent training
    /// label; none where there are no labels.
    pub fn majority(&self) -> Option<f64> {
        let metric = self.metrics.first()?;
        let count = |label: &String| self.train.iter().filter(|row| row.target == *label).count();
        // Of equally frequent labels the first: `max_by_key` alone would take the last.
        let label = self.labels.iter().rev().max_by_key(|label| count(label))?;
        let always = vec![label.clone(); self.test.len()];
        Some(metric.score_rows(&always, &self.test, &self.labels))
    }

    /// The labels that a row's answer is one of: its own, or else the task's.
    pub fn labels_of<'a>(&'a self, row: &'a Example) -> &'a [String] {
        match row.candidates.is_empty() {
            true => &self.labels,
            false => &row.candidates,
        }
    }

    /// Whether every row has labels to weigh, as [`Scoring::Likelihood`] does.
    pub fn has_labels(&self) -> bool {
        let mut rows = self.validation.iter().chain(&self.test);
        !self.labels.is_empty() || rows.all(|row| !row.candidates.is_empty())
    }
}

/// Where a task's files come from: a folder, an archive, a page's uploads.
pub trait Files {
    /// The decompressed bytes of the file called `name`, a relative path with `/`; `None` if there
    /// is no such file.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>>;
}

/// Keeps `count` of the rows, drawn by the seed: the low-resource setting, or a shorter scoring.
pub fn draw(rows: &mut Vec<Example>, count: usize, seed: u64, purpose: &str) {
    (*rows, _) = take(std::mem::take(rows), count, seed, purpose);
}

/// Takes `count` of the rows, chosen by the seed's permutation, out of `rows`: (taken, left).
fn take(
    rows: Vec<Example>,
    count: usize,
    seed: u64,
    purpose: &str,
) -> (Vec<Example>, Vec<Example>) {
    let mut rows = rows;
    Stream::new(seed, purpose).shuffle(&mut rows);
    let left = rows.split_off(count.min(rows.len()));
    (rows, left)
}

/// The error for a label that is none of `expected`.
fn unknown_label(file: &str, line: usize, label: &str, expected: &[&str]) -> Error {
    let mut names: Vec<String> = expected
        .iter()
        .take(12)
        .map(|name| format!("`{name}`"))
        .collect();
    if expected.len() > names.len() {
        names.push(format!("… ({} in all)", expected.len()));
    }
    let message = format!(
        "unknown label `{label}`: expected one of {}",
        names.join(", ")
    );
    Error::line(file, line, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(targets: &[&str]) -> Vec<Example> {
        let row = |(i, t): (usize, &&str)| Example {
            source: i.to_string(),
            target: t.to_string(),
            ..Example::default()
        };
        targets.iter().enumerate().map(row).collect()
    }

    #[test]
    fn majority_is_the_training_rows_and_scored_on_the_test_rows() {
        let mut task = Task {
            name: "t".into(),
            labels: vec!["a".into(), "b".into()],
            metrics: vec![Metric::Accuracy],
            scoring: Scoring::Likelihood,
            epochs: 1,
            train: rows(&["b", "a", "b"]),
            validation: vec![],
            test: rows(&["a", "a", "b", "a"]),
        };
        assert_eq!(task.majority(), Some(25.0));
        task.train = rows(&["b", "a"]); // a tie: the first label
        assert_eq!(task.majority(), Some(75.0));
        task.metrics = vec![Metric::Matthews];
        assert_eq!(task.majority(), Some(0.0));
        task.labels.clear();
        assert_eq!(task.majority(), None);
    }

    #[test]
    fn taking_is_a_partition_fixed_by_the_seed() {
        let all = rows(&["x"; 20]);
        let (taken, left) = take(all.clone(), 5, 3, "p");
        assert_eq!((taken.len(), left.len()), (5, 15));
        let mut together: Vec<usize> = taken
            .iter()
            .chain(&left)
            .map(|row| row.source.parse().unwrap())
            .collect();
        together.sort_unstable();
        assert_eq!(together, (0..20).collect::<Vec<_>>());
        assert_eq!(take(all.clone(), 5, 3, "p").0, taken);
        assert_ne!(take(all.clone(), 5, 4, "p").0, taken);
        assert_eq!(take(all, 50, 4, "p").1, []);
    }

    #[test]
    fn scoring_is_lower_case() {
        assert_eq!(
            serde_json::to_string(&Scoring::Likelihood).unwrap(),
            "\"likelihood\""
        );
    }
}

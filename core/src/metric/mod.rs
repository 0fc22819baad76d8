//! Scores in percent, as the published code computes them.
//!
//! Everything compares decoded text: a generated string that is no label is simply a wrong one.

mod classes;
mod correlation;
mod groups;
mod squad;

pub use squad::{normalize, squad};

use crate::task::Example;
use serde::{Deserialize, Serialize};

/// One way to score predictions against targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of predictions equal to their target.
    Accuracy,
    /// F1 of the second label; a prediction that is no label counts as the opposite of its target.
    F1,
    /// Matthews correlation, in its form for any number of classes.
    #[serde(rename = "matthews_correlation")]
    Matthews,
    /// Pearson correlation; a prediction that is no number counts as -1.
    Pearson,
    /// Spearman rank correlation; a prediction that is no number counts as -1.
    #[serde(rename = "spearmanr")]
    Spearman,
    /// Mean over all labels of each label's F1.
    F1Multiclass,
    /// Share of predictions equal to their target after SQuAD's normalisation.
    ExactMatch,
    /// F1 over words after SQuAD's normalisation, mean over the rows.
    TokenF1,
    /// MultiRC's: share of groups (questions) whose rows are all right; without groups each row is
    /// one.
    GroupEm,
    /// ReCoRD's exact match: after SQuAD's normalisation, the best over a row's answers.
    AnswersEm,
    /// ReCoRD's F1 over words, the best over a row's answers.
    AnswersF1,
}

impl Metric {
    /// The name under which results are reported, the published code's: some tasks share one.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::F1 => "f1",
            Self::Matthews => "matthews_correlation",
            Self::Pearson => "pearson",
            Self::Spearman => "spearmanr",
            Self::F1Multiclass => "f1_multiclass",
            Self::ExactMatch => "exact_match",
            Self::TokenF1 => "token_f1",
            Self::GroupEm | Self::AnswersEm => "em",
            Self::AnswersF1 => "f1",
        }
    }

    /// [`Self::score_rows`] where rows have one answer and no groups.
    pub fn score(self, predictions: &[String], targets: &[String], labels: &[String]) -> f64 {
        let row = |target: &String| Example {
            target: target.clone(),
            ..Example::default()
        };
        let rows: Vec<Example> = targets.iter().map(row).collect();
        self.score_rows(predictions, &rows, labels)
    }

    /// Percent; 0 if there are no rows. `labels` are the task's, in its order.
    pub fn score_rows(self, predictions: &[String], rows: &[Example], labels: &[String]) -> f64 {
        let pairs: Vec<(&str, &str)> = predictions
            .iter()
            .zip(rows)
            .map(|(p, row)| (p.as_str(), row.target.as_str()))
            .collect();
        if pairs.is_empty() {
            return 0.0;
        }
        match self {
            Self::Accuracy => classes::accuracy(&pairs),
            Self::F1 => classes::f1_with_invalid(&pairs, labels),
            Self::Matthews => classes::matthews(&pairs),
            Self::Pearson => correlation::pearson(&pairs),
            Self::Spearman => correlation::spearman(&pairs),
            Self::F1Multiclass => classes::f1_multiclass(&pairs, labels),
            Self::GroupEm => groups::em(&pairs, rows),
            Self::ExactMatch | Self::TokenF1 | Self::AnswersEm | Self::AnswersF1 => {
                let answers: Vec<&[String]> = rows.iter().map(answers).collect();
                let (exact, f1) = squad(predictions, &answers);
                match self {
                    Self::ExactMatch | Self::AnswersEm => exact,
                    _ => f1,
                }
            }
        }
    }
}

/// All answers that are right for a row.
fn answers(row: &Example) -> &[String] {
    match row.answers.is_empty() {
        true => std::slice::from_ref(&row.target),
        false => &row.answers,
    }
}

/// `part` of `whole` in percent; 0 of nothing is 0. The quotient comes first, as in the published
/// code, so that the last bit agrees too.
fn percent(part: f64, whole: f64) -> f64 {
    if whole == 0.0 {
        0.0
    } else {
        100.0 * (part / whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_serialised_ones() {
        for metric in [
            Metric::Accuracy,
            Metric::F1,
            Metric::Matthews,
            Metric::Pearson,
            Metric::Spearman,
            Metric::F1Multiclass,
            Metric::ExactMatch,
            Metric::TokenF1,
        ] {
            let json = serde_json::to_string(&metric).unwrap();
            assert_eq!(json, format!("\"{}\"", metric.name()));
            assert_eq!(metric.score(&[], &[], &[]), 0.0);
        }
    }

    #[test]
    fn a_row_is_scored_over_all_its_answers() {
        let row = |answers: &[&str]| Example {
            target: "Lake Como".into(),
            answers: answers.iter().map(|answer| answer.to_string()).collect(),
            ..Example::default()
        };
        let said = ["the lake".to_string(), "como".to_string()];
        // First: all of `Lake`. Second: one word of two, 2·(1·1/2) ÷ (3/2).
        let rows = [row(&["Lake Como", "Lake"]), row(&[])];
        assert_eq!(Metric::AnswersEm.score_rows(&said, &rows, &[]), 50.0);
        let f1 = Metric::AnswersF1.score_rows(&said, &rows, &[]);
        assert!((f1 - 100.0 * (1.0 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
    }
}

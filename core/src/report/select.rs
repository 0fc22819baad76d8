//! Which of several settings stands in a table: the best on validation rows, never on test rows.

use super::{Run, mean, order};
use std::collections::BTreeMap;

/// The runs of the chosen setting of one method on one task.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice<'a> {
    /// Task name.
    pub task: &'a str,
    /// Method name.
    pub method: &'a str,
    /// Training rows they were restricted to.
    pub samples: Option<usize>,
    /// One run a seed.
    pub runs: Vec<&'a Run>,
    /// How many settings there were to choose from.
    pub settings: usize,
}

/// For every task, method and number of training rows the setting whose mean validation score over
/// its seeds is highest; of equal ones the one with more seeds.
pub fn choose(runs: &[Run]) -> Vec<Choice<'_>> {
    let mut groups: BTreeMap<_, BTreeMap<&str, Vec<&Run>>> = BTreeMap::new();
    for run in runs {
        let key = (run.task.as_str(), order(&run.method), run.samples);
        let settings = groups.entry(key).or_default();
        let seeds = settings.entry(&run.setting).or_default();
        // The same run twice, found in two folders, is one.
        if seeds.iter().all(|other| other.seed != run.seed) {
            seeds.push(run);
        }
    }
    groups
        .into_iter()
        .map(|((task, (_, method), samples), settings)| Choice {
            task,
            method,
            samples,
            settings: settings.len(),
            runs: best(settings.into_values()),
        })
        .collect()
}

/// The runs whose mean validation score is highest.
fn best<'a>(settings: impl Iterator<Item = Vec<&'a Run>>) -> Vec<&'a Run> {
    let score =
        |runs: &[&Run]| mean(runs.iter().map(|run| run.validation)).unwrap_or(f64::NEG_INFINITY);
    let order =
        |a: &Vec<&Run>, b: &Vec<&Run>| score(a).total_cmp(&score(b)).then(a.len().cmp(&b.len()));
    settings.max_by(order).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validation_chooses_and_the_test_score_does_not() {
        let one = |setting: &str, seed, validation, test| {
            let mut run = Run::example("rte", "adapter", seed, test);
            run.setting = setting.into();
            run.validation = validation;
            run
        };
        let runs = [
            one("lr 1", 1, 60.0, 50.0),
            one("lr 1", 2, 62.0, 52.0),
            one("lr 2", 1, 59.0, 99.0),
            one("lr 1", 2, 62.0, 52.0), // found twice
        ];
        let choices = choose(&runs);
        let [choice] = choices.as_slice() else {
            panic!("{choices:?}")
        };
        assert_eq!((choice.runs.len(), choice.settings), (2, 2));
        assert!(choice.runs.iter().all(|run| run.setting == "lr 1"));
    }

    #[test]
    fn methods_come_in_the_order_of_the_presets() {
        let runs = ["zebra", "compacter++", "adapter", "full"]
            .map(|method| Run::example("rte", method, 1, 60.0));
        let methods: Vec<&str> = choose(&runs).iter().map(|choice| choice.method).collect();
        assert_eq!(methods, ["full", "adapter", "compacter++", "zebra"]);
    }
}

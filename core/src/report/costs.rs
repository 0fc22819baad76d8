//! The paper's Table 3: time and memory of training, relative to full fine-tuning.

use super::{Run, choose, mean, order};
use crate::paper::Cost;
use serde::Serialize;

/// One method's costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CostRow {
    /// Method name.
    pub method: String,
    /// Trained share of our base, in percent.
    pub percent: f64,
    /// Milliseconds of training a row, mean over the tasks.
    pub milliseconds: f64,
    /// That of full fine-tuning on the same tasks is 1.
    pub time: Option<f64>,
    /// The paper's.
    pub paper_time: Option<f64>,
    /// Most memory held, in bytes, mean over the tasks.
    pub bytes: Option<f64>,
    /// That of full fine-tuning on the same tasks is 1.
    pub memory: Option<f64>,
    /// The paper's.
    pub paper_memory: Option<f64>,
}

/// One line a method whose speed is known.
pub fn costs(runs: &[Run]) -> Vec<CostRow> {
    let choices = choose(runs);
    let of = |method: &str, what: &dyn Fn(&Run) -> Option<f64>| {
        let mine = choices.iter().filter(|choice| choice.method == method);
        let value = |runs: &[&Run]| mean(runs.iter().filter_map(|run| what(run)));
        let values = mine.filter_map(|one| Some(((one.task, one.samples), value(&one.runs)?)));
        values.collect::<Vec<_>>()
    };
    let mut methods: Vec<&str> = choices.iter().map(|choice| choice.method).collect();
    methods.sort_by_key(|method| order(method));
    methods.dedup();
    let time = |run: &Run| run.seconds_per_row;
    let memory = |run: &Run| run.peak_bytes.map(|bytes| bytes as f64);
    let row = |method: &str| {
        let (seconds, bytes) = (of(method, &time), of(method, &memory));
        let run = runs.iter().find(|run| run.method == method)?;
        let paper = Cost::ratios(method);
        Some(CostRow {
            method: method.into(),
            percent: run.percent,
            milliseconds: 1e3 * mean(seconds.iter().map(|(_, value)| *value))?,
            time: ratio(&seconds, &of("full", &time)),
            paper_time: paper.map(|[time, _]| time),
            bytes: mean(bytes.iter().map(|(_, value)| *value)),
            memory: ratio(&bytes, &of("full", &memory)),
            paper_memory: paper.map(|[_, memory]| memory),
        })
    };
    methods.into_iter().filter_map(row).collect()
}

/// Geometric mean of the quotients over what both have.
fn ratio<K: PartialEq>(ours: &[(K, f64)], full: &[(K, f64)]) -> Option<f64> {
    let quotient = |(key, value): &(K, f64)| {
        let (_, full) = full.iter().find(|(other, _)| other == key)?;
        Some((value / full).ln()).filter(|log| log.is_finite())
    };
    Some(mean(ours.iter().filter_map(quotient))?.exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_relative_to_full_on_the_same_tasks() {
        let run = |task: &str, method: &str, seconds: f64, bytes| Run {
            seconds_per_row: Some(seconds),
            peak_bytes: Some(bytes),
            ..Run::example(task, method, 1, 60.0)
        };
        let rows = costs(&[
            run("rte", "full", 0.04, 200),
            run("rte", "compacter++", 0.02, 100),
            run("cola", "full", 0.01, 400),
            run("cola", "compacter++", 0.005, 200),
            run("mnli", "compacter++", 9.0, 999),
        ]);
        let [full, ours] = rows.as_slice() else {
            panic!("{rows:?}")
        };
        assert_eq!((full.time, full.memory), (Some(1.0), Some(1.0)));
        assert!((ours.time.unwrap() - 0.5).abs() < 1e-12);
        assert!((ours.memory.unwrap() - 0.5).abs() < 1e-12);
        assert!((ours.paper_time.unwrap() - 0.7349).abs() < 1e-4);
        assert!((ours.paper_memory.unwrap() - 0.7045).abs() < 1e-4);
        assert_eq!(full.milliseconds, 25.0);
    }

    #[test]
    fn without_full_there_is_nothing_to_compare_with() {
        let rows = costs(&[Run::example("rte", "adapter", 1, 60.0)]);
        assert_eq!((rows[0].time, rows[0].memory), (None, None));
        assert!(costs(&[]).is_empty());
    }
}

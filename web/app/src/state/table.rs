//! The table of runs: its order, and what several seeds of one setting have in common.

use super::{Run, State};
use std::cmp::Ordering;

/// What the table of runs can be sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Column {
    /// When they began.
    #[default]
    Run,
    /// Name of the method.
    Method,
    /// Name of the data.
    Data,
    /// Trained parameters.
    Trained,
    /// Score before training.
    Before,
    /// Score after training.
    After,
    /// Seconds of training.
    Time,
    /// Bytes held.
    Memory,
}

/// How the table of runs is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub by: Column,
    /// Whether the largest stands on top.
    pub falling: bool,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            by: Column::default(),
            falling: true,
        }
    }
}

impl Column {
    fn compare(self, a: &Run, b: &Run) -> Ordering {
        let number = |a: Option<f64>, b: Option<f64>| {
            let known = |value: Option<f64>| value.unwrap_or(f64::NEG_INFINITY);
            known(a).total_cmp(&known(b))
        };
        match self {
            Self::Run => a.id.cmp(&b.id),
            Self::Method => a.method.cmp(&b.method),
            Self::Data => a.task.cmp(&b.task),
            Self::Trained => a.trainable.cmp(&b.trainable),
            Self::Before => number(a.before, b.before),
            Self::After => number(a.after, b.after),
            Self::Time => a.seconds.total_cmp(&b.seconds),
            Self::Memory => a.bytes.cmp(&b.bytes),
        }
    }
}

impl State {
    /// Sorts by a column, or turns the order round if it is sorted by it already.
    pub fn sort_by(&mut self, by: Column) {
        let falling = self.order.by != by || !self.order.falling;
        self.order = Order { by, falling };
    }

    /// Numbers of the runs in the order of the table; of equals the newest first.
    pub fn sorted(&self) -> Vec<u64> {
        let mut runs: Vec<&Run> = self.runs.iter().rev().collect();
        let Order { by, falling } = self.order;
        runs.sort_by(|a, b| match falling {
            true => by.compare(b, a),
            false => by.compare(a, b),
        });
        runs.iter().map(|run| run.id).collect()
    }

    /// Mean and standard deviation of the score over the seeds of a run's setting, and how many
    /// there are; nothing of a single one.
    pub fn spread(&self, run: &Run) -> Option<(f64, f64, usize)> {
        run.after?;
        let mut seeds = Vec::new();
        let mut scores = Vec::new();
        for other in self.runs.iter().filter(|other| run.is_alike(other)) {
            if let (Some(score), false) = (other.after, seeds.contains(&other.seed)) {
                seeds.push(other.seed);
                scores.push(score);
            }
        }
        let count = scores.len();
        if count < 2 {
            return None;
        }
        let mean = scores.iter().sum::<f64>() / count as f64;
        let squares: f64 = scores.iter().map(|score| (score - mean).powi(2)).sum();
        Some((mean, (squares / (count - 1) as f64).sqrt(), count))
    }
}

impl Run {
    /// Whether nothing but the seed tells the two apart.
    fn is_alike(&self, other: &Self) -> bool {
        let setting = |run: &Self| {
            (
                run.model.clone(),
                run.method.clone(),
                run.task.clone(),
                (run.trainable, run.train_rows, run.steps, run.batch),
                run.lr.to_bits(),
            )
        };
        setting(self) == setting(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let run = |id, seed, after| Run {
            id,
            seed,
            after,
            method: "compacter".into(),
            ..Run::default()
        };
        let mut state = State::new().unwrap();
        state.runs = vec![
            run(1, 42, Some(60.0)),
            run(2, 43, Some(64.0)),
            run(3, 42, Some(60.0)),
            run(4, 44, None),
        ];
        state
    }

    #[test]
    fn a_second_click_turns_the_order_round() {
        let mut state = state();
        assert_eq!(state.sorted(), [4, 3, 2, 1]);
        state.sort_by(Column::After);
        assert_eq!(state.sorted(), [2, 3, 1, 4]);
        state.sort_by(Column::After);
        assert_eq!(state.sorted(), [4, 3, 1, 2]);
    }

    #[test]
    fn seeds_of_one_setting_have_a_mean_and_a_deviation() {
        let mut state = state();
        let (mean, deviation, count) = state.spread(&state.runs[0]).unwrap();
        assert_eq!((mean, count), (62.0, 2));
        assert!((deviation - 8f64.sqrt()).abs() < 1e-12);
        assert_eq!(state.spread(&state.runs[3]), None);
        state.runs[1].lr = 1.0;
        assert_eq!(state.spread(&state.runs[0]), None);
    }
}

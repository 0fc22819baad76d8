//! One run as the app remembers it.

use compacter_core::train::Event;
use serde::{Deserialize, Serialize};

/// One run, from its first report on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its number, counted from 1.
    pub id: u64,
    /// Method name.
    pub method: String,
    /// Task name.
    pub task: String,
    /// Trained parameters.
    pub trainable: usize,
    /// 100 × trained ÷ parameters of the base.
    pub percent: f64,
    /// Steps to come in all.
    pub steps: usize,
    /// Step and loss.
    pub losses: Vec<[f64; 2]>,
    /// Step and score on the validation rows, in percent.
    pub scores: Vec<[f64; 2]>,
    /// The untouched base on the test rows.
    pub before: Option<f64>,
    /// The trained weights on the test rows, at the end.
    pub after: Option<f64>,
    /// Always the most frequent label, on the test rows.
    pub majority: Option<f64>,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Training rows seen.
    pub rows: usize,
    /// When it began or went on, by the app's clock.
    since: Option<f64>,
}

impl Run {
    /// The best that is known of its score: at the end, under way, before.
    pub fn score(&self) -> Option<f64> {
        let under_way = self.scores.last().map(|[_, score]| *score);
        self.after.or(under_way).or(self.before)
    }

    /// Steps done.
    pub fn done(&self) -> usize {
        self.losses.len()
    }

    /// Seconds that the rest will take at this pace.
    pub fn left(&self) -> Option<f64> {
        let done = self.done();
        let pace = self.seconds / done as f64;
        (done > 2 && self.after.is_none()).then(|| pace * self.steps.saturating_sub(done) as f64)
    }

    /// A run that has just started; nothing for any other event.
    pub(super) fn started(id: u64, event: &Event) -> Option<Self> {
        let Event::Started {
            task,
            method,
            trainable,
            percent,
            total_steps,
            ..
        } = event
        else {
            return None;
        };
        Some(Self {
            id,
            method: method.clone(),
            task: task.clone(),
            trainable: *trainable,
            percent: *percent,
            steps: *total_steps,
            losses: Vec::new(),
            scores: Vec::new(),
            before: None,
            after: None,
            majority: None,
            seconds: 0.0,
            rows: 0,
            since: None,
        })
    }

    /// Stands still or goes on: a pause takes no time.
    pub(super) fn pause(&mut self, paused: bool, now: f64) {
        self.since = (!paused).then_some(now - self.seconds);
    }

    /// Takes in what happened at time `now`.
    pub(super) fn take(&mut self, event: &Event, now: f64) {
        if let Some(since) = self.since {
            self.seconds = now - since;
        }
        match event {
            Event::Started { .. } => {}
            Event::Before { score, .. } => {
                self.before = Some(*score);
                self.since = Some(now);
            }
            Event::Step {
                step, loss, rows, ..
            } => {
                self.losses.push([*step as f64, *loss]);
                self.rows += rows;
            }
            Event::Evaluated { step, score, .. } => self.scores.push([*step as f64, *score]),
            Event::Finished(summary) => {
                self.after = Some(summary.score_after);
                self.majority = summary.majority;
                self.since = None;
            }
        }
    }
}

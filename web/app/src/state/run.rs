//! One run as the app remembers it.

use compacter_core::train::{Event, Job, Load};
use serde::{Deserialize, Serialize};

/// One run, from its first report on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// Its number, counted from 1.
    pub id: u64,
    /// A name of the person's own.
    pub name: String,
    /// Method name.
    pub method: String,
    /// Task name.
    pub task: String,
    /// Trained parameters.
    pub trainable: usize,
    /// 100 × trained ÷ parameters of the base.
    pub percent: f64,
    /// Rows it learns from.
    pub train_rows: usize,
    /// Peak learning rate.
    pub lr: f64,
    /// Rows a step.
    pub batch: usize,
    /// Seed of initialisation, shuffles and dropout.
    pub seed: u64,
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
    /// Largest number of bytes that the trainer held.
    pub bytes: Option<u64>,
    /// Kernels of the last step on a GPU; 0 on the CPU.
    pub launches: u64,
    /// What it was trained on.
    pub device: String,
    /// The base that it was trained on.
    pub model: String,
    /// Compared with other pinned runs.
    pub pinned: bool,
    /// Came by a link or a file: it was trained elsewhere.
    pub shared: bool,
    /// When it began or went on, by the app's clock.
    #[serde(skip)]
    pub(super) since: Option<f64>,
}

impl Run {
    /// What it is called on the screen.
    pub fn title(&self) -> String {
        match self.name.as_str() {
            "" => format!("{}, run {}", self.method, self.id),
            name => name.into(),
        }
    }

    /// The best that is known of its score: at the end, under way, before.
    pub fn score(&self) -> Option<f64> {
        let under_way = self.scores.last().map(|[_, score]| *score);
        self.after.or(under_way).or(self.before)
    }

    /// Steps done.
    pub fn done(&self) -> usize {
        self.losses.last().map_or(0, |[step, _]| *step as usize)
    }

    /// Seconds that the rest will take at this pace.
    pub fn left(&self) -> Option<f64> {
        let done = self.done();
        let pace = self.seconds / done as f64;
        (done > 2 && self.after.is_none()).then(|| pace * self.steps.saturating_sub(done) as f64)
    }

    /// A run that has just started, of a job; nothing for any other event.
    pub(super) fn started(job: &Job, device: &str, event: &Event) -> Option<Self> {
        let Event::Started {
            task,
            method,
            trainable,
            percent,
            total_steps,
            train_rows,
            ..
        } = event
        else {
            return None;
        };
        Some(Self {
            id: job.run,
            method: method.clone(),
            task: task.clone(),
            trainable: *trainable,
            percent: *percent,
            train_rows: *train_rows,
            lr: job.settings.lr,
            batch: job.settings.batch,
            seed: job.settings.seed,
            steps: *total_steps,
            device: device.into(),
            ..Self::default()
        })
    }

    /// Stands still or goes on: a pause takes no time.
    pub(super) fn pause(&mut self, paused: bool, now: f64) {
        self.since = (!paused).then_some(now - self.seconds);
    }

    /// Goes back to the step of a checkpoint, from which it will be trained again.
    pub(super) fn rewind(&mut self, step: usize, now: f64) {
        let done = self.done().max(1) as f64;
        let kept = |point: &[f64; 2]| point[0] <= step as f64;
        self.losses.retain(kept);
        self.scores.retain(kept);
        self.seconds *= (step as f64 / done).min(1.0);
        self.rows = self.rows * step.min(done as usize) / done as usize;
        self.since = Some(now - self.seconds);
    }

    /// Takes in what happened at time `now`.
    pub(super) fn take(&mut self, event: &Event, load: Load, now: f64) {
        if let Some(since) = self.since {
            self.seconds = now - since;
        }
        self.bytes = self.bytes.max(load.bytes);
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
                self.launches = load.launches;
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

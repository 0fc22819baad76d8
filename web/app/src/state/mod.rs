//! Everything that the app shows, as plain data: changed by what a person does and by what the
//! trainer reports, never by drawing.

mod run;

use compacter_core::data::{Format, Table, read_table};
use compacter_core::method::{Method, NAMES, Overrides};
use compacter_core::t5::T5Config;
use compacter_core::task::{self, Columns, Task};
use compacter_core::train::{Command, Event, Job, Report, Settings};
use compacter_core::{Error, Result};
pub use run::Run;
use serde::{Deserialize, Serialize};

/// Seed of the splits, the same for every run, so that runs compare.
const DATA_SEED: u64 = 42;

/// The trainer beside the app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Trainer {
    /// It loads its module and the base.
    Loading,
    /// It hears commands.
    Ready {
        /// What it computes on.
        device: String,
        /// Why that.
        reason: String,
    },
    /// It has ended, in its own words.
    Gone {
        /// What happened.
        message: String,
    },
}

/// Rows to learn from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// Name of the task, which begins every source text.
    pub name: String,
    /// Text and label.
    pub rows: Vec<[String; 2]>,
    /// Training rows to use of those that the split leaves.
    pub samples: usize,
}

/// What the next run is trained with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Form {
    /// Method name.
    pub method: String,
    /// What replaces the preset's settings.
    pub overrides: Overrides,
    /// Optimiser steps.
    pub steps: usize,
    /// Rows a step.
    pub batch: usize,
    /// Seed of initialisation, shuffles and dropout.
    pub seed: u64,
}

/// Label probabilities of one text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The text that was asked about.
    pub source: String,
    /// Each label with its probability before and after training.
    pub shares: Vec<(String, f64, f64)>,
}

/// The whole app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The trainer beside it.
    pub trainer: Trainer,
    /// Sizes of the base.
    pub base: T5Config,
    /// Rows to learn from.
    pub data: Data,
    /// What the next run is trained with.
    pub form: Form,
    /// Runs, in the order of their start.
    pub runs: Vec<Run>,
    /// Number of the run that is under way.
    pub running: Option<u64>,
    /// Whether that run stands still.
    pub paused: bool,
    /// Methods that a race has still to train.
    pub race: Vec<String>,
    /// Whether the paper's points are shown.
    pub ghosts: bool,
    /// The sentence to try.
    pub sentence: String,
    /// What the last trained run says of it.
    pub answer: Option<Answer>,
    /// What went wrong last.
    pub error: Option<String>,
}

fn bundled(name: &str) -> Result<Table> {
    let bytes = compacter_assets::data(name)
        .ok_or_else(|| Error::Setting(format!("no bundled data set is called `{name}`")))?;
    read_table(bytes, Format::Tsv, &format!("{name}.tsv"), true)
}

impl State {
    /// What a first visit shows: the bundled model, its reviews, Compacter++.
    pub fn new() -> Result<Self> {
        let form = Form {
            method: "compacter++".into(),
            overrides: Overrides::default(),
            steps: 340,
            batch: 32,
            seed: 42,
        };
        let (name, rows) = ("reviews".into(), Vec::new());
        let samples = 0;
        let data = Data {
            name,
            rows,
            samples,
        };
        let mut state = Self {
            trainer: Trainer::Loading,
            base: T5Config::from_json(compacter_assets::CONFIG, "config.json")?,
            data,
            form,
            runs: Vec::new(),
            running: None,
            paused: false,
            race: Vec::new(),
            ghosts: true,
            sentence: "I would gladly come back tomorrow.".into(),
            answer: None,
            error: None,
        };
        state.choose_data("reviews")?;
        Ok(state)
    }

    /// Takes a bundled data set.
    pub fn choose_data(&mut self, name: &str) -> Result<()> {
        let table = bundled(name)?;
        let rows = table.rows.into_iter().filter_map(|row| row.try_into().ok());
        self.data.name = name.into();
        self.data.rows = rows.collect();
        self.data.samples = self.largest_samples();
        self.answer = None;
        Ok(())
    }

    /// Training rows that the split leaves.
    pub fn largest_samples(&self) -> usize {
        let rows = self.data.rows.len();
        let left = rows - rows / 4;
        left - left / 10
    }

    /// The labels with their numbers of rows, in order.
    pub fn balance(&self) -> Vec<(&str, usize)> {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for [_, label] in &self.data.rows {
            match counts.binary_search_by(|(name, _)| (*name).cmp(label)) {
                Ok(at) => counts[at].1 += 1,
                Err(at) => counts.insert(at, (label, 1)),
            }
        }
        counts
    }

    /// The chosen method with its sizes, or in words why it cannot be.
    pub fn method(&self) -> Result<Method> {
        Method::resolve(&self.form.method, &self.base, &self.form.overrides)
    }

    fn task(&self) -> Result<Task> {
        let table = Table {
            file: self.data.name.clone(),
            header: vec!["text".into(), "label".into()],
            rows: self.data.rows.iter().map(|row| row.to_vec()).collect(),
            lines: (2..self.data.rows.len() + 2).collect(),
        };
        let columns = Columns {
            text: "text".into(),
            label: Some("label".into()),
            ..Columns::default()
        };
        let mut task = task::own(&self.data.name, &table, &columns, None, None, DATA_SEED)?;
        task::draw(
            &mut task.train,
            self.data.samples.max(1),
            DATA_SEED,
            "train-samples",
        );
        Ok(task)
    }

    /// Whether a run can begin now.
    pub fn can_train(&self) -> bool {
        matches!(self.trainer, Trainer::Ready { .. }) && self.running.is_none()
    }

    /// Begins a run with what is chosen; the command for the trainer, or the reason in `error`.
    pub fn train(&mut self) -> Option<Command> {
        match self.job() {
            Ok(job) => {
                self.error = None;
                self.answer = None;
                (self.running, self.paused) = (Some(job.run), false);
                Some(Command::Train(Box::new(job)))
            }
            Err(error) => {
                self.error = Some(error.to_string());
                self.race.clear();
                None
            }
        }
    }

    /// Trains every method in turn on the same rows with the same seed.
    pub fn start_race(&mut self) -> Option<Command> {
        self.race = NAMES.iter().rev().map(|name| name.to_string()).collect();
        self.next_of_race()
    }

    fn next_of_race(&mut self) -> Option<Command> {
        if self.race.is_empty() {
            return None;
        }
        self.form.method = self.race.remove(0);
        self.form.overrides = Overrides::default();
        self.train()
    }

    /// Ends the run and a race.
    pub fn stop(&mut self) -> Command {
        self.race.clear();
        (self.running, self.paused) = (None, false);
        Command::Stop
    }

    /// Stands still, or goes on.
    pub fn pause(&mut self, now: f64) -> Command {
        self.paused = !self.paused;
        let paused = self.paused;
        if let Some(run) = self.run_mut(self.running) {
            run.pause(paused, now);
        }
        match paused {
            true => Command::Pause,
            false => Command::Continue,
        }
    }

    /// Asks the trained run about the sentence; nothing without one.
    pub fn ask(&self) -> Option<Command> {
        let run = self.runs.last()?;
        let source = task::own_source(&run.task, self.sentence.trim(), None);
        let can = run.after.is_some() && !self.sentence.trim().is_empty();
        can.then_some(Command::Ask { source })
    }

    fn job(&self) -> Result<Job> {
        let task = self.task()?;
        let mut settings = Settings::new(self.method()?, &task);
        settings.batch = self.form.batch;
        settings.steps = Some(self.form.steps);
        settings.seed = self.form.seed;
        settings.eval_every = Some((self.form.steps / 10).max(1));
        settings.check()?;
        Ok(Job {
            run: self.runs.iter().map(|run| run.id).max().unwrap_or(0) + 1,
            task,
            settings,
            checkpoint: None,
        })
    }

    fn run_mut(&mut self, id: Option<u64>) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| Some(run.id) == id)
    }

    /// Takes in a report at time `now` (seconds); what to ask the trainer for next.
    pub fn apply(&mut self, report: Report, now: f64) -> Option<Command> {
        match report {
            Report::Ready {
                device,
                reason,
                base,
            } => {
                self.trainer = Trainer::Ready { device, reason };
                self.base = *base;
                None
            }
            Report::Event { run, event } => self.happened(run, event, now),
            Report::Answer {
                source,
                labels,
                before,
                after,
                ..
            } => {
                let shares = labels.into_iter().zip(before).zip(after);
                let shares = shares.map(|((label, before), after)| (label, before, after));
                self.answer = Some(Answer {
                    source,
                    shares: shares.collect(),
                });
                None
            }
            Report::Failed { run, message } => {
                if run.is_none() && self.trainer == Trainer::Loading {
                    self.trainer = Trainer::Gone {
                        message: message.clone(),
                    };
                }
                self.error = Some(message);
                (self.running, self.paused) = (None, false);
                self.race.clear();
                None
            }
            Report::Adapter { .. } | Report::Checkpoint { .. } => None,
        }
    }

    fn happened(&mut self, id: u64, event: Event, now: f64) -> Option<Command> {
        if let Some(run) = Run::started(id, &event) {
            self.runs.push(run);
            return None;
        }
        self.run_mut(Some(id))?.take(&event, now);
        if !matches!(event, Event::Finished(_)) {
            return None;
        }
        self.running = None;
        self.next_of_race().or_else(|| self.ask())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use compacter_core::train::Summary;

    fn ready() -> State {
        let mut state = State::new().unwrap();
        let base = Box::new(state.base.clone());
        let (device, reason) = ("CPU".into(), "a test".into());
        let report = Report::Ready {
            device,
            reason,
            base,
        };
        assert_eq!(state.apply(report, 0.0), None);
        state
    }

    fn started(method: &str) -> Event {
        Event::Started {
            task: "reviews".into(),
            method: method.into(),
            trainable: 7024,
            percent: 0.155,
            total_steps: 340,
            train_rows: 540,
            validation_rows: 60,
            test_rows: 200,
        }
    }

    fn finished(method: &str) -> Event {
        Event::Finished(Summary {
            method: method.into(),
            task: "reviews".into(),
            metric: "accuracy".into(),
            trainable: 7024,
            percent: 0.155,
            score_before: 49.0,
            score_after: 61.0,
            majority: Some(50.0),
            metrics: Default::default(),
            steps: 340,
            best_step: 300,
        })
    }

    fn event(state: &mut State, run: u64, event: Event, now: f64) -> Option<Command> {
        state.apply(Report::Event { run, event }, now)
    }

    #[test]
    fn a_first_visit_can_train_as_soon_as_the_trainer_is_ready() {
        let mut state = State::new().unwrap();
        assert!(!state.can_train());
        assert_eq!(state.data.rows.len(), 800);
        assert_eq!(state.balance(), [("negative", 400), ("positive", 400)]);
        state = ready();
        assert!(state.can_train());
        let Some(Command::Train(job)) = state.train() else {
            panic!("{:?}", state.error);
        };
        assert_eq!((job.run, job.task.train.len()), (1, 540));
        assert_eq!(job.settings.method.name, "compacter++");
        assert!(!state.can_train());
    }

    #[test]
    fn a_run_grows_with_its_events_and_a_pause_takes_no_time() {
        let mut state = ready();
        state.train();
        event(&mut state, 1, started("compacter++"), 1.0);
        let metrics = Default::default();
        let before = Event::Before {
            score: 49.0,
            metrics,
        };
        event(&mut state, 1, before, 2.0);
        let step = |step| Event::Step {
            step,
            total_steps: 340,
            loss: 1.0,
            lr: 0.1,
            rows: 32,
        };
        event(&mut state, 1, step(1), 3.0);
        assert_eq!(state.pause(3.0), Command::Pause);
        assert_eq!(state.pause(10.0), Command::Continue);
        event(&mut state, 1, step(2), 11.0);
        assert_eq!((state.runs[0].seconds, state.runs[0].rows), (2.0, 64));
        assert_eq!(state.runs[0].score(), Some(49.0));
        let ask = event(&mut state, 1, finished("compacter++"), 12.0);
        assert!(matches!(ask, Some(Command::Ask { source }) if source.starts_with("reviews: ")));
        assert_eq!(state.runs[0].score(), Some(61.0));
        assert!(state.can_train());
    }

    #[test]
    fn a_race_trains_every_method_once() {
        let mut state = ready();
        let mut command = state.start_race();
        let mut methods = Vec::new();
        while let Some(Command::Train(job)) = command {
            let name = job.settings.method.name.clone();
            event(&mut state, job.run, started(&name), 0.0);
            command = event(&mut state, job.run, finished(&name), 1.0);
            methods.push(name);
        }
        methods.reverse();
        assert_eq!(methods, NAMES);
        assert!(matches!(command, Some(Command::Ask { .. })));
    }

    #[test]
    fn what_cannot_work_is_said_and_nothing_begins() {
        let mut state = ready();
        state.form.overrides.n = Some(5);
        assert_eq!(state.train(), None);
        let error = state.error.clone().unwrap();
        assert!(error.contains('5') && state.can_train(), "{error}");
        let message = "the trainer broke".to_string();
        state.apply(Report::Failed { run: None, message }, 0.0);
        assert_eq!(state.error.as_deref(), Some("the trainer broke"));
    }

    #[test]
    fn the_state_survives_as_json() {
        let mut state = ready();
        state.train();
        event(&mut state, 1, started("full"), 0.0);
        let json = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<State>(&json).unwrap(), state);
    }
}

//! Everything that the app shows, as plain data: changed by what a person does and by what the
//! trainer reports, never by drawing.

mod data;
mod figure;
mod files;
mod look;
mod mistakes;
mod run;
mod sizes;
mod start;
mod table;
#[cfg(test)]
mod tests;
mod training;

use compacter_core::Result;
use compacter_core::check::Health;
use compacter_core::method::{Method, Overrides};
use compacter_core::t5::T5Config;
use compacter_core::train::{Command, Event, Job, Load, Report};
pub use data::{Data, Import};
pub use files::{Kept, RunsFile, STATE};
pub use look::Look;
pub use mistakes::Mistakes;
pub use run::Run;
use serde::{Deserialize, Serialize};
pub use sizes::{Size, Sizes};
pub use start::{Base, Device, Progress, Start};
use std::collections::BTreeMap;
pub use table::{Column, Order};

/// The trainer beside the app.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Trainer {
    /// It loads its module and the base.
    #[default]
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
    /// The run that answered.
    pub run: u64,
    /// The text that was asked about.
    pub source: String,
    /// Each label with its probability before and after training.
    pub shares: Vec<(String, f64, f64)>,
}

/// Whether the device computes what the CPU computes.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Checks {
    /// Nobody has asked.
    #[default]
    None,
    /// It is being found out.
    Asked,
    /// Result by result, and its speed.
    Done(Health),
}

/// What the state asks of the world around it; whoever owns it does these after each change.
#[derive(Debug, Clone, PartialEq)]
pub enum Todo {
    /// Say this to the trainer.
    Send(Command),
    /// Put a new trainer, by [`State::start`], in the place of the present one.
    Restart,
    /// Keep bytes where they outlive the program.
    Keep {
        /// Under this key.
        key: String,
        /// What to keep.
        bytes: Vec<u8>,
    },
    /// Forget what is kept under a key.
    Forget {
        /// The key.
        key: String,
    },
    /// Give the person a file.
    Save {
        /// Its name.
        name: String,
        /// What is in it.
        bytes: Vec<u8>,
    },
    /// Give the person a picture as pixels.
    SavePicture {
        /// Its name.
        name: String,
        /// The picture as SVG.
        svg: String,
    },
    /// Let the person choose a file.
    Pick,
    /// Let the person choose the files of a base.
    PickBase,
    /// Put text on the clipboard, behind the address of the page.
    CopyLink {
        /// The part behind `#adapter=`.
        text: String,
    },
}

/// The whole app.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The trainer beside it.
    pub trainer: Trainer,
    /// What the trainer was started with.
    pub start: Start,
    /// How far its base has come.
    pub progress: Progress,
    /// What is typed as the name of a base.
    pub named: String,
    /// Sizes of the base.
    pub base: T5Config,
    /// What the methods are on it.
    pub sizes: Sizes,
    /// Rows to learn from.
    pub data: Data,
    /// A file whose columns are still to be chosen.
    pub import: Option<Import>,
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
    /// The run that is asked.
    pub asked: Option<u64>,
    /// What it says of the sentence.
    pub answer: Option<Answer>,
    /// The rows that the asked run is most wrong about.
    pub mistakes: Mistakes,
    /// How the table of runs is sorted.
    pub order: Order,
    /// The layer that is looked into.
    pub look: Look,
    /// What is known of the device's arithmetic.
    pub checks: Checks,
    /// What went wrong last.
    pub error: Option<String>,
    /// What has just been done.
    pub notice: Option<String>,
    /// Adapter files by run.
    pub adapters: BTreeMap<u64, Vec<u8>>,
    /// What the run under way was started with.
    job: Option<Job>,
    /// The run that ended last, which the trainer still holds.
    last: Option<u64>,
    /// The last checkpoint of the run under way: its step and its bytes.
    checkpoint: Option<(usize, Vec<u8>)>,
    /// When the last checkpoint was asked for, by the app's clock.
    checkpointed: f64,
    todo: Vec<Todo>,
}

impl State {
    /// What a first visit shows: the bundled model, its reviews, Compacter++.
    pub fn new() -> Result<Self> {
        let base = T5Config::from_json(compacter_assets::CONFIG, "config.json")?;
        let form = Form {
            method: "compacter++".into(),
            overrides: Overrides::default(),
            steps: 340,
            batch: 32,
            seed: 42,
        };
        Ok(Self {
            trainer: Trainer::Loading,
            start: Start::default(),
            progress: Progress::default(),
            named: String::new(),
            sizes: Sizes::new(&base, &form),
            base,
            data: Data::bundled("reviews")?,
            import: None,
            form,
            runs: Vec::new(),
            running: None,
            paused: false,
            race: Vec::new(),
            ghosts: true,
            sentence: "I would gladly come back tomorrow.".into(),
            asked: None,
            answer: None,
            mistakes: Mistakes::default(),
            order: Order::default(),
            look: Look::default(),
            checks: Checks::None,
            error: None,
            notice: None,
            adapters: BTreeMap::new(),
            job: None,
            last: None,
            checkpoint: None,
            checkpointed: 0.0,
            todo: Vec::new(),
        })
    }

    /// Takes out what is to be done.
    pub fn take_todo(&mut self) -> Vec<Todo> {
        std::mem::take(&mut self.todo)
    }

    fn send(&mut self, command: Command) {
        self.todo.push(Todo::Send(command));
    }

    /// Says what went wrong, in place of what was said before.
    pub fn fail(&mut self, error: impl ToString) {
        self.error = Some(error.to_string());
        self.notice = None;
    }

    /// Lets the person choose a file.
    pub fn pick(&mut self) {
        self.todo.push(Todo::Pick);
    }

    /// Lets the person choose the files of a base.
    pub fn pick_base(&mut self) {
        self.todo.push(Todo::PickBase);
    }

    /// Takes a bundled data set.
    pub fn choose_data(&mut self, name: &str) {
        match Data::bundled(name) {
            Ok(data) => self.data = data,
            Err(error) => self.fail(error),
        }
    }

    /// Takes the chosen columns of the imported file as the data.
    pub fn use_import(&mut self) {
        match self.import.as_ref().map(Import::data) {
            Some(Ok(data)) => {
                self.data = data;
                self.import = None;
                self.error = None;
            }
            Some(Err(error)) => self.fail(error),
            None => {}
        }
    }

    /// The chosen method with its sizes, or in words why it cannot be.
    pub fn method(&self) -> Result<Method> {
        Method::resolve(&self.form.method, &self.base, &self.form.overrides)
    }

    /// The run of a number.
    pub fn run(&self, id: u64) -> Option<&Run> {
        self.runs.iter().find(|run| run.id == id)
    }

    fn run_mut(&mut self, id: u64) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.id == id)
    }

    fn next_id(&self) -> u64 {
        let known = self.runs.iter().map(|run| run.id).chain(self.running);
        known.max().unwrap_or(0) + 1
    }

    /// Takes a run out, with its adapter.
    pub fn delete(&mut self, id: u64) {
        self.runs.retain(|run| run.id != id);
        self.adapters.remove(&id);
        self.todo.push(Todo::Forget {
            key: files::adapter_key(id),
        });
        if self.asked == Some(id) {
            (self.asked, self.answer) = (None, None);
        }
    }

    /// Takes in a report at time `now` (seconds).
    pub fn apply(&mut self, report: Report, now: f64) {
        match report {
            Report::Progress { words, done, total } => {
                self.progress = Progress { words, done, total };
            }
            Report::Ready {
                device,
                reason,
                base,
            } => {
                self.trainer = Trainer::Ready { device, reason };
                self.base = *base;
                self.size_methods();
                self.go_on(now);
            }
            Report::Event { run, event, load } => self.happened(run, &event, load, now),
            Report::Opened { run } => {
                self.asked = Some(run);
                self.ask();
            }
            Report::Projection {
                run,
                step,
                projection,
            } => self.look.take(run, step, projection),
            Report::Answer {
                run,
                source,
                labels,
                before,
                after,
            } => {
                let shares = labels.into_iter().zip(before).zip(after);
                let shares = shares.map(|((label, before), after)| (label, before, after));
                let shares = shares.collect();
                self.answer = Some(Answer {
                    run,
                    source,
                    shares,
                });
            }
            Report::Mistakes {
                run,
                rows,
                wrong,
                of,
            } => {
                self.mistakes = Mistakes::Known {
                    run,
                    rows,
                    wrong,
                    of,
                }
            }
            Report::Checked { health } => self.checks = Checks::Done(health),
            Report::Failed { run, message } => self.failed(run, message),
            Report::Gone { message } => {
                self.look.waiting = false;
                self.trainer = Trainer::Gone {
                    message: message.clone(),
                };
                self.fail(message);
            }
            Report::Adapter { run, bytes } => self.keep_adapter(run, bytes),
            Report::Checkpoint { run, step, bytes } => self.keep_checkpoint(run, step, bytes),
        }
    }

    /// Lets the trainer hold its device to the CPU.
    pub fn check(&mut self) {
        self.checks = Checks::Asked;
        self.send(Command::Check);
    }

    fn failed(&mut self, run: Option<u64>, message: String) {
        self.look.waiting = false;
        if self.checks == Checks::Asked {
            self.checks = Checks::None;
        }
        if matches!(self.mistakes, Mistakes::Asked { .. }) {
            self.mistakes = Mistakes::None;
        }
        self.fail(message);
        if run.is_some() {
            self.end_run();
            self.race.clear();
        }
    }

    fn happened(&mut self, id: u64, event: &Event, load: Load, now: f64) {
        let Some(job) = self.job.as_ref().filter(|job| job.run == id) else {
            return; // a report of a run that was stopped
        };
        let device = match &self.trainer {
            Trainer::Ready { device, .. } => device.as_str(),
            _ => "",
        };
        if let Some(mut run) = Run::started(job, device, event) {
            run.model = self.start.name().into();
            self.look.forget();
            self.runs.retain(|run| run.id != id);
            self.runs.push(run);
            self.asked = Some(id);
            self.mistakes = Mistakes::None;
            return;
        }
        if let Some(run) = self.run_mut(id) {
            run.take(event, load, now);
        }
        match event {
            Event::Step { .. } => {
                self.checkpoint_if_due(now);
                self.look_if_due(now);
            }
            Event::Evaluated { .. } => self.ask(),
            Event::Finished(_) => {
                self.send(Command::Adapter);
                self.look_now();
                self.end_run();
                self.last = Some(id);
                if self.race.is_empty() {
                    self.ask();
                } else {
                    self.next_of_race();
                }
            }
            _ => {}
        }
    }
}

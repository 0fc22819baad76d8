//! Beginning, pausing, ending a run; going on with it after a reload or on another device.

use super::{Base, Checks, Device, Mistakes, Progress, Run, Start, State, Todo, Trainer, files};
use compacter_core::Result;
use compacter_core::method::{NAMES, Overrides};
use compacter_core::t5::Storage;
use compacter_core::task;
use compacter_core::train::{Command, Job, Settings};

/// Seconds between two checkpoints of a run with few trained numbers.
const CHECKPOINT: f64 = 5.0;
/// Trained numbers from which on a checkpoint is too large to be written that often.
const LARGE: usize = 1_000_000;

impl State {
    /// Whether a run can begin now.
    pub fn can_train(&self) -> bool {
        matches!(self.trainer, Trainer::Ready { .. }) && self.running.is_none()
    }

    /// Begins a run with what is chosen, or says why it cannot.
    pub fn train(&mut self) {
        match self.job() {
            Ok(job) => {
                (self.error, self.notice, self.answer) = (None, None, None);
                (self.running, self.paused) = (Some(job.run), false);
                self.checkpoint = None;
                if let Ok(bytes) = serde_json::to_vec(&job) {
                    let key = files::JOB.into();
                    self.todo.push(Todo::Keep { key, bytes });
                }
                self.job = Some(job.clone());
                self.send(Command::Train(Box::new(job)));
            }
            Err(error) => {
                self.fail(error);
                self.race.clear();
            }
        }
    }

    /// Trains every method in turn on the same rows with the same seed.
    pub fn start_race(&mut self) {
        self.race = NAMES.iter().rev().map(|name| name.to_string()).collect();
        self.next_of_race();
    }

    pub(super) fn next_of_race(&mut self) {
        self.form.method = self.race.remove(0);
        self.form.overrides = Overrides::default();
        self.train();
    }

    fn job(&self) -> Result<Job> {
        let task = self.data.task()?;
        let mut settings = Settings::new(self.method()?, &task);
        settings.batch = self.form.batch;
        settings.steps = Some(self.form.steps);
        settings.seed = self.form.seed;
        settings.eval_every = Some((self.form.steps / 10).max(1));
        settings.check()?;
        Ok(Job {
            run: self.next_id(),
            task,
            settings,
            checkpoint: None,
        })
    }

    /// Ends the run and a race.
    pub fn stop(&mut self) {
        self.race.clear();
        self.end_run();
        self.send(Command::Stop);
    }

    /// There is no run any more, and nothing to go on from.
    pub(super) fn end_run(&mut self) {
        (self.running, self.paused) = (None, false);
        (self.job, self.checkpoint) = (None, None);
        for key in [files::JOB, files::CHECKPOINT] {
            self.todo.push(Todo::Forget { key: key.into() });
        }
    }

    /// Stands still, or goes on.
    pub fn pause(&mut self, now: f64) {
        self.paused = !self.paused;
        let paused = self.paused;
        if let Some(run) = self.running.and_then(|id| self.run_mut(id)) {
            run.pause(paused, now);
        }
        self.send(match paused {
            true => Command::Pause,
            false => Command::Continue,
        });
        if paused {
            // Whoever pauses may be about to leave.
            self.send(Command::Checkpoint);
        }
    }

    /// Asks the run that is asked about the sentence.
    pub fn ask(&mut self) {
        let sentence = self.sentence.trim();
        let run = self.asked.and_then(|id| self.run(id));
        let Some(run) = run.filter(|_| !sentence.is_empty()) else {
            return;
        };
        if matches!(self.trainer, Trainer::Ready { .. }) {
            let (run, source) = (run.id, task::own_source(&run.task, sentence, None));
            self.send(Command::Ask { run, source });
        }
    }

    /// Takes another device, on which a run under way goes on from its last checkpoint.
    pub fn take_device(&mut self, device: Device) {
        let start = Start {
            device,
            ..self.start.clone()
        };
        self.restart(start);
    }

    /// Takes another base, or the same in another form; a run under way is given up.
    pub fn take_base(&mut self, base: Base, weights: Storage) {
        if self.running.is_some() {
            self.stop();
        }
        self.asked = None;
        let start = Start {
            base,
            weights,
            ..self.start.clone()
        };
        self.restart(start);
    }

    pub(super) fn restart(&mut self, start: Start) {
        self.start = start;
        self.trainer = Trainer::Loading;
        self.progress = Progress::default();
        self.look.waiting = false;
        self.checks = Checks::None;
        (self.mistakes, self.last) = (Mistakes::None, None);
        (self.error, self.answer) = (None, None);
        self.todo.push(Todo::Restart);
    }

    /// Hands a run that was under way, or the adapter that was asked, to a fresh trainer.
    pub(super) fn go_on(&mut self, now: f64) {
        let Some(mut job) = self.job.clone() else {
            if let Some(id) = self.asked {
                self.open(id);
            }
            return;
        };
        let step = match &self.checkpoint {
            Some((step, bytes)) => {
                job.checkpoint = Some(bytes.clone());
                *step
            }
            None => 0,
        };
        let (id, paused) = (job.run, self.paused);
        if let Some(run) = self.run_mut(id) {
            run.rewind(step, now);
            run.pause(paused, now);
            let title = run.title();
            self.notice = Some(format!("{title} goes on from step {step}."));
        }
        self.running = Some(id);
        self.send(Command::Train(Box::new(job)));
        if paused {
            self.send(Command::Pause);
        }
    }

    pub(super) fn checkpoint_if_due(&mut self, now: f64) {
        let large = self.running.and_then(|id| self.run(id));
        let large = large.is_some_and(|run| run.trainable > LARGE);
        let pause = if large { 12.0 * CHECKPOINT } else { CHECKPOINT };
        if now - self.checkpointed >= pause {
            self.checkpointed = now;
            self.send(Command::Checkpoint);
        }
    }

    pub(super) fn keep_checkpoint(&mut self, id: u64, step: usize, bytes: Vec<u8>) {
        if self.running == Some(id) {
            self.checkpoint = Some((step, bytes.clone()));
            self.todo.push(Todo::Keep {
                key: files::CHECKPOINT.into(),
                bytes: files::pack_checkpoint(id, step, &bytes),
            });
        }
    }

    /// The pinned runs, to be compared.
    pub fn pinned(&self) -> Vec<&Run> {
        self.runs.iter().filter(|run| run.pinned).collect()
    }

    /// Pins a run, or takes the pin away; of three pins the oldest goes.
    pub fn pin(&mut self, id: u64) {
        let others: Vec<u64> = self.pinned().iter().map(|run| run.id).collect();
        let oldest = (others.len() >= 2 && !others.contains(&id)).then(|| others[0]);
        for run in &mut self.runs {
            if run.id == id {
                run.pinned = !run.pinned;
            } else if Some(run.id) == oldest {
                run.pinned = false;
            }
        }
    }
}

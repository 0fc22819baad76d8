//! What outlives the program: the state, adapters, a run under way; and runs as a file.

use super::{Base, Data, Form, Look, Run, Start, State, Todo, Trainer, data};
use compacter_core::artifact::{Header, from_text, to_text};
use compacter_core::train::{Command, Job};
use compacter_core::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Key of the job of the run under way.
pub(super) const JOB: &str = "job";
/// Key of the last checkpoint of the run under way.
pub(super) const CHECKPOINT: &str = "checkpoint";
/// Key of what a person chose and of the runs.
pub const STATE: &str = "state";
/// Key of a state that this version cannot read.
const UNREADABLE: &str = "unreadable";
const ADAPTER: &str = "adapter/";
/// Version of the file of runs.
const VERSION: u32 = 1;
/// More is not a file of runs.
const LARGEST: usize = 64 << 20;
/// An adapter that outgrows this is not one.
const LARGEST_ADAPTER: usize = 2 << 30;

/// Key of a run's adapter.
pub(super) fn adapter_key(id: u64) -> String {
    format!("{ADAPTER}{id}")
}

/// What is kept under [`STATE`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    version: u32,
    start: Start,
    data: Data,
    form: Form,
    runs: Vec<Run>,
    paused: bool,
    race: Vec<String>,
    ghosts: bool,
    sentence: String,
    asked: Option<u64>,
    look: Look,
}

/// Runs as a file, to be read by another page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunsFile {
    /// Version of the layout.
    pub compacter_runs: u32,
    /// The runs.
    pub runs: Vec<Run>,
}

/// A checkpoint with the run and the step that it belongs to in front.
pub(super) fn pack_checkpoint(id: u64, step: usize, bytes: &[u8]) -> Vec<u8> {
    [&id.to_le_bytes()[..], &(step as u64).to_le_bytes(), bytes].concat()
}

fn unpack_checkpoint(bytes: &[u8]) -> Option<(u64, usize, Vec<u8>)> {
    let (id, rest) = bytes.split_first_chunk::<8>()?;
    let (step, rest) = rest.split_first_chunk::<8>()?;
    let step = u64::from_le_bytes(*step) as usize;
    Some((u64::from_le_bytes(*id), step, rest.to_vec()))
}

impl State {
    /// What is to be kept under [`STATE`], as JSON.
    pub fn kept(&self) -> Vec<u8> {
        let kept = Kept {
            version: VERSION,
            start: self.start.clone(),
            data: self.data.clone(),
            form: self.form.clone(),
            runs: self.runs.clone(),
            paused: self.paused,
            race: self.race.clone(),
            ghosts: self.ghosts,
            sentence: self.sentence.clone(),
            asked: self.asked,
            look: self.look.clone(),
        };
        serde_json::to_vec(&kept).unwrap_or_default()
    }

    /// Takes up what was kept; what cannot be read is left and said.
    pub fn restore(&mut self, kept: &BTreeMap<String, Vec<u8>>, now: f64) {
        let Some(bytes) = kept.get(STATE) else { return };
        let read = serde_json::from_slice::<Kept>(bytes).map_err(|error| error.to_string());
        let state = match read {
            Ok(state) if state.version == VERSION => state,
            read => {
                let error = read.err().unwrap_or("it is of another version".into());
                // Another version may read it again; the next saving must not destroy it.
                let (key, bytes) = (UNREADABLE.into(), bytes.clone());
                self.todo.push(Todo::Keep { key, bytes });
                return self.fail(format!(
                    "What the last visit left cannot be read here ({error}). It is kept aside."
                ));
            }
        };
        (self.data, self.form) = (state.data, state.form);
        (self.runs, self.race, self.ghosts) = (state.runs, state.race, state.ghosts);
        (self.sentence, self.asked, self.look) = (state.sentence, state.asked, state.look);
        for (key, bytes) in kept {
            let id = key.strip_prefix(ADAPTER).and_then(|id| id.parse().ok());
            if let Some(id) = id {
                self.adapters.insert(id, bytes.clone());
            }
        }
        let job = kept
            .get(JOB)
            .map(|bytes| serde_json::from_slice::<Job>(bytes));
        if let Some(Ok(job)) = job {
            let checkpoint = kept
                .get(CHECKPOINT)
                .and_then(|bytes| unpack_checkpoint(bytes));
            let own = checkpoint.filter(|(run, ..)| *run == job.run);
            self.checkpoint = own.map(|(_, step, bytes)| (step, bytes));
            (self.running, self.paused) = (Some(job.run), state.paused);
            self.job = Some(job);
        }
        if state.start.base == Base::Files {
            self.fail("The files of the last visit's model must be chosen again.");
        } else if state.start != self.start {
            self.restart(state.start);
        } else if matches!(self.trainer, Trainer::Ready { .. }) {
            self.go_on(now);
        }
    }

    /// Keeps the adapter of a run.
    pub(super) fn keep_adapter(&mut self, id: u64, bytes: Vec<u8>) {
        let key = adapter_key(id);
        self.adapters.insert(id, bytes.clone());
        self.todo.push(Todo::Keep { key, bytes });
    }

    /// Hands a run's adapter to the trainer, to be asked.
    pub fn open(&mut self, id: u64) {
        let ready = matches!(self.trainer, Trainer::Ready { .. });
        if let Some(bytes) = self.adapters.get(&id).cloned().filter(|_| ready) {
            self.send(Command::Open { run: id, bytes });
        }
    }

    /// Gives the person a run's adapter as a file.
    pub fn save_adapter(&mut self, id: u64) {
        if let (Some(bytes), Some(run)) = (self.adapters.get(&id), self.run(id)) {
            let name = format!("{}-{}-{id}.safetensors", run.task, run.method);
            let bytes = bytes.clone();
            self.todo.push(Todo::Save { name, bytes });
        }
    }

    /// Puts a link to a run's adapter on the clipboard.
    pub fn share(&mut self, id: u64) {
        match self.adapters.get(&id).map(|bytes| to_text(bytes)) {
            Some(Ok(text)) => {
                let length = text.len();
                self.todo.push(Todo::CopyLink { text });
                self.error = None;
                self.notice = Some(format!(
                    "The link is on the clipboard: {length} characters."
                ));
            }
            Some(Err(error)) => self.fail(error),
            None => {}
        }
    }

    /// Takes the adapter of a link.
    pub fn take_link(&mut self, text: &str) {
        match from_text(text) {
            Ok(bytes) => self.take_adapter("the link", bytes),
            Err(error) => self.fail(error),
        }
    }

    /// Takes a file that was chosen or dropped, by its ending.
    pub fn take_file(&mut self, file: &str, bytes: Vec<u8>) {
        self.error = None;
        match file.rsplit('.').next() {
            Some("safetensors") => self.take_adapter(file, bytes),
            Some("json") => {
                if let Err(error) = self.take_runs(file, &bytes) {
                    self.fail(error);
                }
            }
            _ => match data::Import::read(file, &bytes) {
                Ok(import) => self.import = Some(import),
                Err(error) => self.fail(error),
            },
        }
    }

    /// Takes text that was pasted outside any field as rows.
    pub fn paste(&mut self, text: &str) {
        match data::Import::paste(text) {
            Ok(import) => (self.import, self.error) = (Some(import), None),
            Err(error) => self.fail(error),
        }
    }

    fn take_adapter(&mut self, file: &str, bytes: Vec<u8>) {
        match self.adapter_run(file, &bytes) {
            Ok(run) => {
                let id = run.id;
                let title = run.title();
                self.runs.push(run);
                self.keep_adapter(id, bytes);
                self.asked = Some(id);
                self.notice = Some(format!("{title} is loaded: ask it a sentence."));
                self.open(id);
            }
            Err(error) => self.fail(error),
        }
    }

    /// An adapter file as a run that was trained elsewhere.
    fn adapter_run(&self, file: &str, bytes: &[u8]) -> Result<Run> {
        if bytes.len() > LARGEST_ADAPTER {
            return Err(Error::file(file, "is too large for an adapter"));
        }
        let header = Header::read(bytes, file)?;
        if header.base != self.base {
            let (want, have) = (header.base.parameters(), self.base.parameters());
            let message =
                format!("was trained on a base of {want} numbers; the one here has {have}");
            return Err(Error::file(file, message));
        }
        Ok(Run {
            id: self.next_id(),
            method: header.method.name.clone(),
            task: header.task.clone(),
            trainable: header.method.trainable(&self.base),
            percent: header.method.percent(&self.base),
            shared: true,
            ..Run::default()
        })
    }

    /// Gives the person all runs as a file.
    pub fn export_runs(&mut self) {
        let file = RunsFile {
            compacter_runs: VERSION,
            runs: self.runs.clone(),
        };
        if let Ok(bytes) = serde_json::to_vec_pretty(&file) {
            let name = "compacter-runs.json".into();
            self.todo.push(Todo::Save { name, bytes });
        }
    }

    /// Adds the runs of a file, or of what the page keeps, with new numbers.
    fn take_runs(&mut self, file: &str, bytes: &[u8]) -> Result<()> {
        if bytes.len() > LARGEST {
            return Err(Error::file(file, "is too large for a file of runs"));
        }
        let read =
            serde_json::from_slice::<RunsFile>(bytes).map(|file| (file.compacter_runs, file.runs));
        let kept = || serde_json::from_slice::<Kept>(bytes).map(|kept| (kept.version, kept.runs));
        let (version, runs) = read
            .or_else(|error| kept().map_err(|_| error))
            .map_err(|error| Error::file(file, format!("no file of runs of this page: {error}")))?;
        if version != VERSION {
            let message =
                format!("runs of version {version}, this page reads {VERSION}: reload it");
            return Err(Error::file(file, message));
        }
        let count = runs.len();
        for mut run in runs {
            run.id = self.next_id();
            run.pinned = false;
            self.runs.push(run);
        }
        self.notice = Some(format!("{count} runs added from {file}."));
        Ok(())
    }
}

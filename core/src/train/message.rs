//! What a window or a page and the trainer beside it say to each other.

use super::{Event, Settings};
use crate::t5::T5Config;
use crate::task::Task;
use serde::{Deserialize, Serialize};

/// A run to be: everything but the base, which the trainer holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Names the run in every report on it.
    pub run: u64,
    /// Rows, labels, metrics.
    pub task: Task,
    /// Method and training.
    pub settings: Settings,
    /// The bytes of a checkpoint to go on from; they travel beside the JSON.
    #[serde(skip)]
    pub checkpoint: Option<Vec<u8>>,
}

/// What the trainer is asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Begins a run, in place of one under way.
    Train(Box<Job>),
    /// Stands still after the present step.
    Pause,
    /// Goes on after a pause.
    Continue,
    /// Gives the run up.
    Stop,
    /// Sends the adapter of the run's best checkpoint.
    Adapter,
    /// Sends what the run can go on from.
    Checkpoint,
    /// Label probabilities of a source text, before and after training.
    Ask {
        /// In the form of the run's task.
        source: String,
    },
}

/// What the trainer says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum Report {
    /// The base is loaded; commands are heard from now on.
    Ready {
        /// What it computes on.
        device: String,
        /// Why that.
        reason: String,
        /// Sizes of the base.
        base: Box<T5Config>,
    },
    /// The run went on.
    Event {
        /// Which run.
        run: u64,
        /// By what.
        event: Event,
    },
    /// Answer to [`Command::Adapter`].
    Adapter {
        /// Which run.
        run: u64,
        /// An adapter file; it travels beside the JSON.
        #[serde(skip)]
        bytes: Vec<u8>,
    },
    /// Answer to [`Command::Checkpoint`].
    Checkpoint {
        /// Which run.
        run: u64,
        /// After which step.
        step: usize,
        /// A checkpoint file; it travels beside the JSON.
        #[serde(skip)]
        bytes: Vec<u8>,
    },
    /// Answer to [`Command::Ask`].
    Answer {
        /// Which run.
        run: u64,
        /// The text that was asked about.
        source: String,
        /// The labels, in the order of the shares.
        labels: Vec<String>,
        /// Their probabilities by the untouched base.
        before: Vec<f64>,
        /// And by the trained weights.
        after: Vec<f64>,
    },
    /// Something could not be done; a run that it belongs to has ended.
    Failed {
        /// Which run, if it was one.
        run: Option<u64>,
        /// What happened and what to do.
        message: String,
    },
}

impl Command {
    /// Takes out the bytes that go beside the JSON.
    pub fn take_bytes(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Train(job) => job.checkpoint.take(),
            _ => None,
        }
    }

    /// Puts back the bytes that came beside the JSON.
    pub fn with_bytes(mut self, bytes: Option<Vec<u8>>) -> Self {
        if let Self::Train(job) = &mut self {
            job.checkpoint = bytes;
        }
        self
    }
}

impl Report {
    /// Puts back the bytes that came beside the JSON.
    pub fn with_bytes(mut self, came: Option<Vec<u8>>) -> Self {
        if let Self::Adapter { bytes, .. } | Self::Checkpoint { bytes, .. } = &mut self {
            *bytes = came.unwrap_or_default();
        }
        self
    }

    /// Takes out the bytes that go beside the JSON.
    pub fn take_bytes(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Adapter { bytes, .. } | Self::Checkpoint { bytes, .. } => {
                Some(std::mem::take(bytes))
            }
            _ => None,
        }
    }
}

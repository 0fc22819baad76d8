//! What a window or a page and the trainer beside it say to each other.

use super::{Event, Projection, Settings, Side};
use crate::check::Health;
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
    /// Takes an adapter to be asked when no run is.
    Open {
        /// The run that made it.
        run: u64,
        /// An adapter file; it travels beside the JSON.
        #[serde(skip)]
        bytes: Vec<u8>,
    },
    /// Sends a projection as it is now.
    Look {
        /// The adapter's place, as [`Place::name`](crate::method::Place::name) has it.
        place: String,
        /// Which of its two projections.
        side: Side,
    },
    /// Label probabilities of a source text, before and after training.
    Ask {
        /// The run under way, the last one or the opened one.
        run: u64,
        /// In the form of the run's task.
        source: String,
    },
    /// Sends the test rows that the run is most wrong about.
    Mistakes {
        /// The run under way or the last one.
        run: u64,
        /// How many rows at most.
        most: usize,
    },
    /// Holds the device to the CPU, kernel by kernel.
    Check,
}

/// A test row whose label a run does not find.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// The row's text, in the form of the task.
    pub source: String,
    /// Its label.
    pub label: String,
    /// The label that the run holds most probable.
    pub answer: String,
    /// Probability that it gives to the row's label.
    pub share: f64,
}

/// What a step costs the device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Kernels launched since the last report; 0 on the CPU, which has no queue.
    pub launches: u64,
    /// The most bytes held at once since the run began: by the GPU's memory pool, or on the CPU in
    /// a browser by the trainer's heap.
    pub bytes: Option<u64>,
}

/// What the trainer says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum Report {
    /// The base is on its way.
    Progress {
        /// What comes and what it will take.
        words: String,
        /// Bytes that have come.
        done: u64,
        /// Bytes in all, as far as is known.
        total: u64,
    },
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
        /// At what cost.
        load: Load,
    },
    /// Answer to [`Command::Open`].
    Opened {
        /// The run that made it.
        run: u64,
    },
    /// Answer to [`Command::Look`].
    Projection {
        /// Which run.
        run: u64,
        /// After which step.
        step: usize,
        /// Its values travel beside the JSON.
        projection: Projection,
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
    /// Answer to [`Command::Mistakes`].
    Mistakes {
        /// Which run.
        run: u64,
        /// The worst first.
        rows: Vec<Mistake>,
        /// How many mistakes there are in all.
        wrong: usize,
        /// Out of how many test rows.
        of: usize,
    },
    /// Answer to [`Command::Check`].
    Checked {
        /// What was found.
        health: Health,
    },
    /// Something could not be done; a run that it belongs to has ended.
    Failed {
        /// Which run, if it was one.
        run: Option<u64>,
        /// What happened and what to do.
        message: String,
    },
    /// The trainer has ended; a new one can go on from the last checkpoint.
    Gone {
        /// What happened.
        message: String,
    },
}

impl Command {
    /// Takes out the bytes that go beside the JSON.
    pub fn take_bytes(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Train(job) => job.checkpoint.take(),
            Self::Open { bytes, .. } => Some(std::mem::take(bytes)),
            _ => None,
        }
    }

    /// Puts back the bytes that came beside the JSON.
    pub fn with_bytes(mut self, came: Option<Vec<u8>>) -> Self {
        match &mut self {
            Self::Train(job) => job.checkpoint = came,
            Self::Open { bytes, .. } => *bytes = came.unwrap_or_default(),
            _ => {}
        }
        self
    }
}

impl Report {
    /// Takes out the bytes that go beside the JSON.
    pub fn take_bytes(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Adapter { bytes, .. } | Self::Checkpoint { bytes, .. } => {
                Some(std::mem::take(bytes))
            }
            Self::Projection { projection, .. } => Some(projection.take_bytes()),
            _ => None,
        }
    }

    /// Puts back the bytes that came beside the JSON.
    pub fn with_bytes(mut self, came: Option<Vec<u8>>) -> Self {
        let came = came.unwrap_or_default();
        match &mut self {
            Self::Adapter { bytes, .. } | Self::Checkpoint { bytes, .. } => *bytes = came,
            Self::Projection { projection, .. } => projection.set_bytes(&came),
            _ => {}
        }
        self
    }
}

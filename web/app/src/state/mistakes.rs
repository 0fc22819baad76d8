//! The held-out rows that a run is most wrong about: what it has not learned.

use super::{State, Trainer};
use compacter_core::train::{Command, Mistake};

/// Rows that are shown.
const MOST: usize = 5;

/// What is known of a run's mistakes.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Mistakes {
    /// Nobody has asked.
    #[default]
    None,
    /// They are being found.
    Asked {
        /// Of which run.
        run: u64,
    },
    /// The worst of them.
    Known {
        /// Of which run.
        run: u64,
        /// The worst first.
        rows: Vec<Mistake>,
        /// How many there are in all.
        wrong: usize,
        /// Out of how many held-out rows.
        of: usize,
    },
}

impl Mistakes {
    /// The run that they are of.
    fn run(&self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Asked { run } | Self::Known { run, .. } => Some(*run),
        }
    }
}

impl State {
    /// Whether the trainer still holds the asked run with its rows.
    pub fn has_rows(&self) -> bool {
        self.asked.is_some()
            && self.asked == self.last
            && self.running.is_none()
            && matches!(self.trainer, Trainer::Ready { .. })
    }

    /// Asks the trainer for the asked run's mistakes, unless they are known or on their way.
    pub fn find_mistakes(&mut self) {
        let Some(run) = self.asked.filter(|_| self.has_rows()) else {
            return;
        };
        if self.mistakes.run() != Some(run) {
            self.mistakes = Mistakes::Asked { run };
            self.send(Command::Mistakes { run, most: MOST });
        }
    }
}

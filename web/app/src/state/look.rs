//! The layer that is looked into, and what it was at earlier steps.

use super::State;
use compacter_core::method::Method;
use compacter_core::train::{Command, Projection, Side};
use serde::{Deserialize, Serialize};

/// Seconds between two looks while training: a look costs the trainer a read from its device.
const EVERY: f64 = 0.5;
/// Looks that are kept, to slide back through.
const MOST: usize = 200;

/// Which projection is shown, and its past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// Index among the method's places.
    pub place: usize,
    /// Which of the two projections.
    pub side: Side,
    /// Step and factors, in the order of time.
    #[serde(skip)]
    pub seen: Vec<(usize, Projection)>,
    /// Which of them is shown; the newest if none is chosen.
    #[serde(skip)]
    pub chosen: Option<usize>,
    /// Whether an answer is on its way.
    #[serde(skip)]
    pub(super) waiting: bool,
    #[serde(skip)]
    last: f64,
    #[serde(skip)]
    run: Option<u64>,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            place: 0,
            side: Side::Down,
            seen: Vec::new(),
            chosen: None,
            waiting: false,
            last: 0.0,
            run: None,
        }
    }
}

impl Look {
    /// The step and the factors to draw.
    pub fn shown(&self) -> Option<&(usize, Projection)> {
        match self.chosen {
            Some(at) => self.seen.get(at),
            None => self.seen.last(),
        }
    }

    /// The run whose layer it is.
    pub fn run(&self) -> Option<u64> {
        self.run
    }

    /// Another layer or another run: the past is no longer its own.
    pub(super) fn forget(&mut self) {
        self.seen.clear();
        (self.chosen, self.run, self.last) = (None, None, 0.0);
    }

    pub(super) fn take(&mut self, run: u64, step: usize, projection: Projection) {
        self.waiting = false;
        let other = |(_, seen): &(usize, Projection)| {
            (&seen.place, seen.side) != (&projection.place, projection.side)
        };
        if self.run != Some(run) || self.seen.last().is_some_and(other) {
            self.forget();
        }
        self.run = Some(run);
        self.seen.retain(|(seen, _)| *seen < step);
        if self.seen.len() == MOST {
            // Every second one goes: the whole training stays in sight.
            let mut at = 0;
            self.seen.retain(|_| {
                at += 1;
                at % 2 == 1
            });
        }
        self.seen.push((step, projection));
    }
}

impl State {
    /// Names of the layers of the run's method; none without adapters.
    pub fn places(&self) -> Vec<String> {
        let method = match &self.job {
            Some(job) => Some(job.settings.method.clone()),
            None => self.method().ok(),
        };
        let places = method
            .as_ref()
            .map(|method: &Method| method.places(&self.base));
        places.iter().flatten().map(|place| place.name()).collect()
    }

    /// Looks into another layer.
    pub fn look_at(&mut self, place: usize, side: Side) {
        (self.look.place, self.look.side) = (place, side);
        self.look.forget();
        self.look.waiting = false;
        self.look_now();
    }

    pub(super) fn look_if_due(&mut self, now: f64) {
        if !self.look.waiting && now - self.look.last >= EVERY {
            self.look.last = now;
            self.look_now();
        }
    }

    /// Asks for the layer as it is, where there is a run that has it.
    pub(super) fn look_now(&mut self) {
        let places = self.places();
        let place = places.get(self.look.place).or(places.first()).cloned();
        if let (Some(place), Some(_)) = (place, &self.job) {
            self.look.waiting = true;
            let side = self.look.side;
            self.send(Command::Look { place, side });
        }
    }
}

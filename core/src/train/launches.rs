//! Counting and timing what is sent to a GPU.

use cubecl::logging::{Duration, LaunchObservation, LaunchObserver, TimingMethod, TimingRequest};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl LaunchObserver for Counter {
    fn launched(&self, _kernel: &'static str) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts every kernel that the process launches for as long as it lives; none on the CPU.
pub struct Launches {
    counter: Arc<Counter>,
    _observation: LaunchObservation,
}

impl std::fmt::Debug for Launches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.counter.fmt(f)
    }
}

impl Default for Launches {
    fn default() -> Self {
        let counter = Arc::new(Counter::default());
        let _observation = LaunchObservation::new(counter.clone());
        Self {
            counter,
            _observation,
        }
    }
}

impl Launches {
    /// Kernels since the last call.
    pub fn take(&self) -> u64 {
        self.counter.0.swap(0, Ordering::Relaxed)
    }
}

/// What the kernels of one name took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct KernelTime {
    /// How often one was launched.
    pub launches: u64,
    /// What they took together, in seconds.
    pub seconds: f64,
}

#[derive(Debug, Default)]
struct Clock(Mutex<BTreeMap<&'static str, KernelTime>>);

impl LaunchObserver for Clock {
    fn launched(&self, _kernel: &'static str) {}

    // One after the other: of those that are kept for later only so many have a clock of their own.
    fn timing(&self) -> TimingRequest {
        TimingRequest::Resolved
    }

    fn timed(&self, kernel: &'static str, duration: Duration, _method: TimingMethod) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let time = all.entry(kernel).or_default();
        time.launches += 1;
        time.seconds += duration.as_secs_f64();
    }
}

/// Does `work` and says by name of kernel what it took on the GPU, each kernel waited for before the
/// next: sums of their own times, not the time that they take together. Nothing on the CPU.
pub fn kernel_times<T>(work: impl FnOnce() -> T) -> (T, BTreeMap<&'static str, KernelTime>) {
    let clock = Arc::new(Clock::default());
    let observation = LaunchObservation::new(clock.clone());
    let done = work();
    drop(observation);
    let mut all = clock.0.lock().unwrap_or_else(PoisonError::into_inner);
    (done, std::mem::take(&mut *all))
}

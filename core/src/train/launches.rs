//! Counting what is sent to a GPU.

use cubecl::logging::{LaunchObservation, LaunchObserver};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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

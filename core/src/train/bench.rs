//! One method on random weights and random tokens, for timing.

#[cfg(not(target_arch = "wasm32"))]
use super::Launches;
use super::{Optimiser, Trainer};
use crate::Result;
use crate::data::{Batch, Row};
#[cfg(not(target_arch = "wasm32"))]
use crate::engine::block_on;
use crate::method::Method;
use crate::random::Stream;
use crate::t5::{T5, Weights};
use std::sync::Arc;

/// A trainer and the one batch that it repeats.
#[derive(Debug)]
pub struct Bench {
    trainer: Trainer,
    rows: Vec<Row>,
    batch: Vec<Batch>,
}

impl Bench {
    /// A method on a base that others may use as well; `rows` sources of `source` and targets of
    /// `target` tokens.
    pub fn new(
        model: Arc<T5>,
        method: &Method,
        [rows, source, target]: [usize; 3],
        seed: u64,
    ) -> Result<Self> {
        let top = model.config().vocab_size - 2;
        let weights = Weights::start(&model, method, seed)?;
        let trainer = Trainer::new(model, &weights, Optimiser::new(1e-8, 0.0), seed);
        let mut stream = Stream::new(seed, "bench");
        let mut ids = |count: usize| (0..count).map(|_| (2 + stream.below(top)) as u32).collect();
        let all: Vec<Row> = (0..rows)
            .map(|_| Row {
                source: ids(source),
                target: ids(target),
            })
            .collect();
        let bench = Self {
            trainer,
            rows: all,
            batch: Vec::new(),
        };
        Ok(bench.with_micro_batches(rows))
    }

    /// In forward passes of this many rows, whose gradients accumulate.
    pub fn with_micro_batches(mut self, rows: usize) -> Self {
        let micro = self.rows.chunks(rows.max(1));
        self.batch = micro
            .map(|rows| Batch::new(&rows.iter().collect::<Vec<_>>()))
            .collect();
        self
    }

    /// With activation checkpointing, or without.
    pub fn with_activation_checkpointing(mut self, wanted: bool) -> Self {
        self.trainer.activation_checkpointing = wanted;
        self
    }

    /// One step: forward, backward, AdamW; returns the loss.
    pub async fn step_async(&mut self) -> Result<f64> {
        self.trainer.step(&self.batch, 1e-4).await
    }

    /// The same, waiting for it.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn step(&mut self) -> Result<f64> {
        block_on(self.step_async())
    }

    /// Kernels that one step launches on a GPU; 0 on the CPU, which has no queue.
    ///
    /// Counts every launch of the process, so nothing else should be running. Earlier steps warm up
    /// what is measured or compiled at its first use.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn dispatches(&mut self) -> Result<u64> {
        let launches = Launches::default();
        self.step()?;
        Ok(launches.take())
    }

    /// Bytes that the GPU's memory pool holds, its high-water mark as long as nothing was given
    /// back; `None` on the CPU.
    pub fn pool_bytes(&self) -> Option<u64> {
        let usage = self.trainer.model().device().memory_pool_usage();
        usage.map(|usage| usage.bytes_reserved)
    }
}

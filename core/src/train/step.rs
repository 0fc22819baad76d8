//! One optimiser step: forward, backward, clip, AdamW.

use super::checkpoint::stored;
use super::optimiser::{Optimiser, clip_factor, global_norm};
use crate::data::Batch;
use crate::engine::float_values;
use crate::kernels::DropoutKey;
use crate::t5::{Forward, T5, Tensors, Weights};
use crate::{Error, Result};
use burn::tensor::Tensor;
use std::sync::Arc;

/// Dropout sites that one forward pass may use; micro-batches start at multiples of it.
const SITES_PER_PASS: u32 = 1 << 16;

fn first(values: &[f32]) -> f64 {
    f64::from(values.first().copied().unwrap_or(f32::NAN))
}

/// A base, the weights that train on it, and their optimiser.
#[derive(Debug, Clone)]
pub struct Trainer {
    model: Arc<T5>,
    weights: Weights,
    optimiser: Optimiser,
    /// Dropout probability.
    pub dropout: f64,
    /// Global gradient norm to clip at; 0 for never.
    pub max_grad_norm: f64,
    /// Whether a pass keeps its blocks' inputs alone and runs each block again on the way back.
    pub activation_checkpointing: bool,
    /// Seed of dropout.
    pub seed: u64,
    step: usize,
}

impl Trainer {
    /// A trainer at step 0, without dropout or clipping until they are set.
    pub fn new(model: Arc<T5>, weights: &Weights, optimiser: Optimiser, seed: u64) -> Self {
        let weights = weights.tracked();
        Self {
            model,
            weights,
            optimiser,
            dropout: 0.0,
            max_grad_norm: 0.0,
            activation_checkpointing: false,
            seed,
            step: 0,
        }
    }

    /// The base.
    pub fn model(&self) -> &Arc<T5> {
        &self.model
    }

    /// The trained weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Steps done.
    pub fn steps(&self) -> usize {
        self.step
    }

    /// Loss (mean over all labels that count) and gradients of micro-batches that form one batch.
    pub async fn gradients(&self, micro: &[Batch]) -> Result<(f64, Tensors)> {
        let (loss, grads) = self.on_device(micro)?;
        let loss = float_values(loss).await?;
        Ok((first(&loss), grads))
    }

    /// The same, without waiting for the device.
    fn on_device(&self, micro: &[Batch]) -> Result<(Tensor<1>, Tensors)> {
        let counted: usize = micro.iter().map(Batch::counted).sum();
        let none = || Error::Setting("no label in this batch counts: its targets are empty".into());
        if counted == 0 {
            return Err(none());
        }
        let mut grads = Tensors::new();
        let mut losses = Vec::with_capacity(micro.len());
        for (index, batch) in micro.iter().enumerate() {
            let site = index as u32 * SITES_PER_PASS;
            let key = DropoutKey {
                seed: self.seed,
                step: self.step as u64,
                site,
            };
            let forward = Forward::new(&self.model, &self.weights).with_dropout(self.dropout, key);
            losses.push(match self.activation_checkpointing {
                true => forward.checkpointed_gradients(batch, counted as f64, &mut grads)?,
                false => forward.gradients(batch, counted as f64, &mut grads)?,
            });
        }
        let loss = losses.into_iter().reduce(|sum, loss| sum + loss);
        Ok((loss.ok_or_else(none)?, grads))
    }

    /// One step; a loss, or a norm to clip at, that is not finite changes nothing and is an error.
    pub async fn step(&mut self, micro: &[Batch], lr: f64) -> Result<f64> {
        let (loss, grads) = self.on_device(micro)?;
        let norm = (self.max_grad_norm > 0.0)
            .then(|| global_norm(&grads))
            .flatten();
        let mut read = vec![loss];
        read.extend(norm.clone().map(|norm| norm.reshape([1])));
        let read = float_values(Tensor::cat(read, 0)).await?;
        for (what, value) in ["loss", "gradients' norm"].into_iter().zip(&read) {
            if !value.is_finite() {
                return Err(Error::NotFinite {
                    step: self.step + 1,
                    what: format!("the {what} is {value}"),
                });
            }
        }
        let loss = first(&read);
        let scale = norm.map(|norm| clip_factor(norm, self.max_grad_norm));
        let tensors = std::mem::take(&mut self.weights.tensors);
        self.weights.tensors = self.optimiser.update(tensors, grads, lr, scale);
        self.weights = self.weights.tracked();
        self.step += 1;
        Ok(loss)
    }

    /// Weights and moments, named, for a checkpoint.
    pub(super) fn state(&self) -> Tensors {
        let mut state = Tensors::new();
        for (name, tensor) in &self.weights.tensors {
            state.insert(format!("weights/{name}"), tensor.clone());
        }
        for (name, [first, second]) in self.optimiser.moments() {
            state.insert(format!("moment_1/{name}"), first);
            state.insert(format!("moment_2/{name}"), second);
        }
        state
    }

    /// Continues from what [`Self::state`] gave after `step` steps; `file` is for errors.
    pub(super) fn restore(&mut self, mut state: Tensors, step: usize, file: &str) -> Result<()> {
        for (name, have) in &mut self.weights.tensors {
            let sizes = have.dims();
            // What has had no gradient has no moments.
            let moments = state.contains_key(&format!("moment_1/{name}"));
            let mut take = |kind: &str| stored(&mut state, format!("{kind}/{name}"), sizes, file);
            *have = take("weights")?;
            if moments {
                let moments = [take("moment_1")?, take("moment_2")?];
                self.optimiser.restore(name, step, moments);
            }
        }
        self.weights = self.weights.tracked();
        self.step = step;
        Ok(())
    }
}

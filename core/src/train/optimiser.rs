//! AdamW over the trained tensors, with clipping by the global norm, all on the device.

use burn::optim::{AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, Optimizer};
use burn::tensor::Tensor;
use std::collections::BTreeMap;

/// Trained tensors, gradients or moments by name.
pub type Tensors = BTreeMap<String, Tensor<2>>;

/// burn's AdamW and its state per trained tensor; frozen tensors have none.
#[derive(Clone)]
pub struct Optimiser {
    adamw: AdamW,
    states: BTreeMap<String, AdamWState<2>>,
}

impl std::fmt::Debug for Optimiser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Optimiser")
            .field("tensors", &self.states.len())
            .finish()
    }
}

impl Optimiser {
    /// Betas 0.9 and 0.999 as published; `epsilon` is added to the bias-corrected root.
    pub fn new(epsilon: f64, weight_decay: f64) -> Self {
        let config = AdamWConfig::new()
            .with_beta_1(0.9)
            .with_beta_2(0.999)
            .with_epsilon(epsilon as f32)
            .with_weight_decay(weight_decay as f32);
        Self {
            adamw: config.build(),
            states: BTreeMap::new(),
        }
    }

    /// The tensors after one step.
    ///
    /// `max_norm` above 0 scales all gradients down to that global norm.
    pub fn update(
        &mut self,
        tensors: &Tensors,
        grads: &Tensors,
        lr: f64,
        max_norm: f64,
    ) -> Tensors {
        let scale = (max_norm > 0.0)
            .then(|| clip_factor(grads, max_norm))
            .flatten();
        let mut updated = Tensors::new();
        for (name, tensor) in tensors {
            let tensor = tensor.clone().inner();
            let Some(grad) = grads.get(name) else {
                updated.insert(name.clone(), Tensor::from_inner(tensor));
                continue;
            };
            let grad = match &scale {
                Some(scale) => grad.clone() * scale.clone(),
                None => grad.clone(),
            };
            let state = self.states.remove(name);
            let (tensor, state) = self.adamw.step(lr, tensor, grad, state);
            if let Some(state) = state {
                self.states.insert(name.clone(), state);
            }
            updated.insert(name.clone(), Tensor::from_inner(tensor));
        }
        updated
    }

    /// First and second moments by name, for a checkpoint.
    pub(super) fn moments(&self) -> impl Iterator<Item = (&String, [Tensor<2>; 2])> {
        self.states.iter().map(|(name, state)| {
            let moment = &state.momentum;
            (name, [moment.moment_1.clone(), moment.moment_2.clone()])
        })
    }

    /// Puts back the moments of a tensor after `time` steps.
    pub(super) fn restore(&mut self, name: &str, time: usize, moments: [Tensor<2>; 2]) {
        let [first, second] = moments.map(Tensor::inner);
        let state = AdamWState::new(AdaptiveMomentumState::new(time, first, second));
        self.states.insert(name.to_string(), state);
    }
}

/// min(1, max_norm / ‖g‖) as `[1, 1]`, torch's clip_grad_norm_.
///
/// Row sums first: one sum over a large tensor would add in the order in which threads finish,
/// and a resumed run could not be bit-identical.
fn clip_factor(grads: &Tensors, max_norm: f64) -> Option<Tensor<2>> {
    let squares = grads
        .values()
        .map(|grad| grad.clone().square().sum_dim(1).sum_dim(0));
    let total = squares.reduce(|sum, square| sum + square)?;
    Some(
        (total.sqrt() + 1e-6)
            .recip()
            .mul_scalar(max_norm)
            .clamp_max(1.0),
    )
}

//! AdamW over the trained tensors, with clipping by the global norm, all on the device.

use crate::kernels::{AdamwStep, adamw};
use crate::t5::Tensors;
use burn::tensor::Tensor;
use std::collections::BTreeMap;

/// AdamW and its state per trained tensor; frozen tensors have none.
#[derive(Debug, Clone)]
pub struct Optimiser {
    epsilon: f64,
    weight_decay: f64,
    states: BTreeMap<String, State>,
}

/// Steps that a tensor has had, and its moments `[2, rows, columns]`.
#[derive(Debug, Clone)]
struct State {
    time: usize,
    moments: Tensor<3>,
}

impl Optimiser {
    /// Betas 0.9 and 0.999 as published; `epsilon` is added to the bias-corrected root.
    pub fn new(epsilon: f64, weight_decay: f64) -> Self {
        Self {
            epsilon,
            weight_decay,
            states: BTreeMap::new(),
        }
    }

    /// The tensors after one step, in the same memory where nobody else holds it.
    ///
    /// All gradients are multiplied by `scale`, `[1, 1]`, where it is given; each is let go after its
    /// use.
    pub fn update(
        &mut self,
        tensors: Tensors,
        mut grads: Tensors,
        lr: f64,
        mut scale: Option<Tensor<2>>,
    ) -> Tensors {
        let mut updated = Tensors::new();
        for (name, tensor) in tensors {
            let tensor = tensor.inner();
            let Some(grad) = grads.remove(&name) else {
                updated.insert(name, Tensor::from_inner(tensor));
                continue;
            };
            let state = self.states.remove(&name);
            let state = state.unwrap_or_else(|| State {
                time: 0,
                moments: stack([tensor.zeros_like(), tensor.zeros_like()]),
            });
            let scale = scale.get_or_insert_with(|| Tensor::ones([1, 1], &tensor.device()));
            let time = state.time + 1;
            let step = AdamwStep::new(time, lr, self.epsilon, self.weight_decay);
            let (tensor, moments) = adamw(tensor, grad, scale.clone(), state.moments, step);
            self.states.insert(name.clone(), State { time, moments });
            updated.insert(name, Tensor::from_inner(tensor));
        }
        updated
    }

    /// First and second moments by name, for a checkpoint.
    pub(super) fn moments(&self) -> impl Iterator<Item = (&String, [Tensor<2>; 2])> {
        self.states.iter().map(|(name, state)| {
            let moment = |at: usize| state.moments.clone().narrow(0, at, 1).squeeze_dim(0);
            (name, [moment(0), moment(1)])
        })
    }

    /// Puts back the moments of a tensor after `time` steps.
    pub(super) fn restore(&mut self, name: &str, time: usize, moments: [Tensor<2>; 2]) {
        let moments = stack(moments.map(Tensor::inner));
        self.states
            .insert(name.to_string(), State { time, moments });
    }
}

/// Two tensors as `[2, rows, columns]`.
fn stack(moments: [Tensor<2>; 2]) -> Tensor<3> {
    Tensor::stack(moments.to_vec(), 0)
}

/// ‖g‖ over all gradients together as `[1, 1]`; `None` without gradients.
///
/// Row sums first: one sum over a large tensor would add in the order in which threads finish,
/// and a resumed run could not be bit-identical.
pub(super) fn global_norm(grads: &Tensors) -> Option<Tensor<2>> {
    let squares = grads
        .values()
        .map(|grad| grad.clone().square().sum_dim(1).sum_dim(0));
    let total = squares.reduce(|sum, square| sum + square)?;
    Some(total.sqrt())
}

/// min(1, max_norm / ‖g‖), torch's clip_grad_norm_.
pub(super) fn clip_factor(norm: Tensor<2>, max_norm: f64) -> Tensor<2> {
    (norm + 1e-6).recip().mul_scalar(max_norm).clamp_max(1.0)
}

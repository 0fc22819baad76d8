//! AdamW's step (Loshchilov and Hutter 2019) as one operation: composed of tensor operations it
//! reads and writes every tensor a dozen times, and launches as many kernels.

use super::KernelBackend;
use burn::backend::Dispatch;
use burn::tensor::Tensor;

/// What a step needs beside its tensors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamwStep {
    /// Learning rate.
    pub lr: f32,
    /// Decay of the first and of the second moment.
    pub betas: [f32; 2],
    /// Added to the root of the corrected second moment.
    pub epsilon: f32,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// `1 / (1 − βᵗ)` of both moments.
    pub corrections: [f32; 2],
}

impl AdamwStep {
    /// Step number `time` (from 1 on), with betas 0.9 and 0.999 as published.
    pub fn new(time: usize, lr: f64, epsilon: f64, weight_decay: f64) -> Self {
        const BETAS: [f64; 2] = [0.9, 0.999];
        let time = i32::try_from(time).unwrap_or(i32::MAX);
        Self {
            lr: lr as f32,
            betas: BETAS.map(|beta| beta as f32),
            epsilon: epsilon as f32,
            weight_decay: weight_decay as f32,
            corrections: BETAS.map(|beta| (1.0 / (1.0 - beta.powi(time))) as f32),
        }
    }

    /// One number: its new value and moments, from its gradient g.
    #[inline(always)]
    pub(super) fn apply(&self, w: f32, g: f32, [m, v]: [f32; 2]) -> (f32, [f32; 2]) {
        let [first, second] = self.betas;
        let m = first * m + (1.0 - first) * g;
        let v = second * v + (1.0 - second) * g * g;
        let root = (v * self.corrections[1]).sqrt() + self.epsilon;
        let step = self.lr * (m * self.corrections[0] / root + self.weight_decay * w);
        (w - step, [m, v])
    }
}

/// The tensor and its moments `[2, rows, columns]` after a step; the gradient is scaled by `scale`,
/// `[1, 1]`, first. None of them may have a graph.
pub fn adamw(
    tensor: Tensor<2>,
    grad: Tensor<2>,
    scale: Tensor<2>,
    moments: Tensor<3>,
    step: AdamwStep,
) -> (Tensor<2>, Tensor<3>) {
    let (tensor, moments) = <Dispatch as KernelBackend>::adamw(
        tensor.into_dispatch(),
        grad.into_dispatch(),
        scale.into_dispatch(),
        moments.into_dispatch(),
        step,
    );
    (
        Tensor::from_dispatch(tensor),
        Tensor::from_dispatch(moments),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::tests::{compare, devices, random, read, wide};
    use crate::kernels::twin;
    use crate::random::Stream;
    use burn::tensor::TensorData;

    #[test]
    fn every_form_matches_the_twin_over_several_steps() {
        // One chunk of the CPU loops, several, and a size that fills no workgroup.
        for [rows, columns] in [[3, 17], [257, 300], [1, 1]] {
            let len = rows * columns;
            let mut stream = Stream::new(4, "adamw");
            let start = random(&mut stream, len, 1.0);
            let grads: Vec<Vec<f32>> = (0..3).map(|_| random(&mut stream, len, 0.1)).collect();
            let mut want = (wide(&start), vec![0.0; 2 * len]);
            for (time, grad) in grads.iter().enumerate() {
                let step = AdamwStep::new(time + 1, 1e-2, 1e-8, 0.05);
                want = twin::adamw(&want.0, &wide(grad), 0.5, &want.1, &step);
            }
            for (name, device) in devices() {
                let tensor = |values: &[f32]| {
                    let data = TensorData::new(values.to_vec(), [rows, columns]);
                    Tensor::<2>::from_data(data, &device).inner()
                };
                let scale = Tensor::<2>::full([1, 1], 0.5, &device).inner();
                let mut w = tensor(&start);
                let mut moments = Tensor::<3>::zeros([2, rows, columns], &device).inner();
                for (time, grad) in grads.iter().enumerate() {
                    let step = AdamwStep::new(time + 1, 1e-2, 1e-8, 0.05);
                    let before = w.clone();
                    (w, moments) = adamw(w, tensor(grad), scale.clone(), moments, step);
                    assert_ne!(read(before), read(w.clone()), "{name}: the old one is kept");
                }
                compare(name, &read(w), &want.0, 1e-6);
                compare(name, &read(moments), &want.1, 1e-6);
            }
        }
    }
}

//! Results of a device beside the CPU's.

use super::Checked;
use crate::random::Stream;
use crate::{Device, Result, float_values};
use burn::tensor::{Tensor, TensorData};

/// Products in float32 in another order.
pub(super) const ROUNDING: f64 = 2e-5;

/// What was computed: outputs and gradients, each with a name.
pub(super) type Results = Vec<(&'static str, Vec<f32>)>;

pub(super) fn compare(all: &mut Vec<Checked>, name: &str, limit: f64, got: Results, want: Results) {
    for ((part, got), (_, want)) in got.iter().zip(&want) {
        all.push(Checked {
            kernel: format!("{name}: {part}"),
            worst: worst(got, want),
            limit,
        });
    }
}

fn worst(got: &[f32], want: &[f32]) -> f64 {
    if got.len() != want.len() {
        return f64::INFINITY;
    }
    let scale = want.iter().fold(1e-3f32, |most, x| most.max(x.abs()));
    let apart = |(got, want): (&f32, &f32)| match f64::from((got - want).abs() / scale) {
        apart if apart.is_nan() => f64::INFINITY,
        apart => apart,
    };
    got.iter().zip(want).map(apart).fold(0.0, f64::max)
}

/// Normal values of a purpose, the same for every device.
pub(super) fn values<const D: usize>(
    device: &Device,
    purpose: &str,
    shape: [usize; D],
) -> Tensor<D> {
    let mut stream = Stream::new(11, purpose);
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| (stream.normal() * 0.5) as f32)
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

pub(super) fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let len = tensor.shape().num_elements();
    tensor.reshape([len])
}

/// A gradient that is not there is as wrong as can be.
pub(super) async fn read(gradient: Option<Tensor<1>>) -> Result<Vec<f32>> {
    match gradient {
        Some(gradient) => float_values(gradient).await,
        None => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_number_is_seen() {
        assert!(worst(&[1.0, 2.0], &[1.0, 2.1]) > ROUNDING);
        assert_eq!(worst(&[1.0, f32::NAN], &[1.0, 2.0]), f64::INFINITY);
        assert_eq!(worst(&[], &[1.0]), f64::INFINITY);
        assert_eq!(worst(&[1.0, 2.0], &[1.0, 2.0]), 0.0);
    }
}

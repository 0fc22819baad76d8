//! Norm, activation and the row-chunking that keeps intermediates below a binding limit.

use super::Activation;
use crate::kernels::{gelu_new, rms_norm};
use burn::tensor::{Tensor, activation};

/// Largest intermediate in elements: WebGPU's default binding limit of 128 MiB in f32.
pub(super) const LARGEST_INTERMEDIATE: usize = (128 << 20) / 4;

/// ε of a LayerNorm inside an adapter, PyTorch's default.
const LAYER_NORM_EPSILON: f64 = 1e-5;

/// A LayerNorm with mean and bias: `(x − mean) / sqrt(variance + ε) · w + b`.
///
/// `x: [rows, d]`, `weight` and `bias`: `[1, d]`.
pub(super) fn layer_norm(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<2>) -> Tensor<2> {
    let centred = x.clone() - x.mean_dim(1);
    rms_norm(centred, weight, LAYER_NORM_EPSILON) + bias
}

/// The activation of a feed-forward block or of an adapter.
pub(super) fn activate(x: Tensor<2>, kind: Activation) -> Tensor<2> {
    match kind {
        Activation::Relu => activation::relu(x),
        Activation::GeluNew => gelu_new(x),
        Activation::Gelu => gelu(x),
        Activation::Silu => activation::silu(x),
    }
}

/// `x Φ(x)`. burn's own goes back, on a GPU, by the derivative of the tanh form: off by 1e-3.
fn gelu(x: Tensor<2>) -> Tensor<2> {
    let erf = x.clone().mul_scalar(std::f64::consts::FRAC_1_SQRT_2).erf();
    x.mul_scalar(0.5) * (erf + 1.0)
}

/// Applies `f` to tiles of rows so that `width` values per row stay below the binding limit.
pub(super) fn by_rows(
    x: Tensor<2>,
    width: usize,
    f: impl Fn(Tensor<2>) -> crate::Result<Tensor<2>>,
) -> crate::Result<Tensor<2>> {
    let [rows, columns] = x.dims();
    let tile = (LARGEST_INTERMEDIATE / width.max(1)).max(1);
    if rows <= tile {
        return f(x);
    }
    let mut parts = Vec::new();
    for start in (0..rows).step_by(tile) {
        let end = rows.min(start + tile);
        parts.push(f(x.clone().slice([start..end, 0..columns]))?);
    }
    Ok(Tensor::cat(parts, 0))
}

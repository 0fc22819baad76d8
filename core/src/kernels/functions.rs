//! The operations as functions of tensors, for the rest of the crate.

use super::{AdapterShape, DropoutKey, DropoutMask, KernelBackend, Spread, Transform};
use burn::backend::Dispatch;
use burn::tensor::Tensor;

/// The fused adapter `y = x + up(gelu_new(down(x)))`, both projections LPHM with one shared rule.
pub fn lphm_adapter(
    x: Tensor<2>,
    rule: Tensor<3>,
    packed: Tensor<1>,
    shape: &AdapterShape,
) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as KernelBackend>::adapter_forward(
        x.into_dispatch(),
        rule.into_dispatch(),
        packed.into_dispatch(),
        *shape,
    ))
}

/// The gradients of [`lphm_adapter`]'s x, rule and packed parameters for that of its result, without
/// autodiff, as a measurement of this kernel alone needs them.
pub fn lphm_adapter_backward(
    [x, grad]: [Tensor<2>; 2],
    rule: Tensor<3>,
    packed: Tensor<1>,
    shape: &AdapterShape,
) -> (Tensor<2>, Tensor<3>, Tensor<1>) {
    let (x, rule, packed) = <Dispatch as KernelBackend>::adapter_backward(
        x.inner().into_dispatch(),
        rule.inner().into_dispatch(),
        packed.inner().into_dispatch(),
        grad.inner().into_dispatch(),
        *shape,
        [true; 3],
    );
    (
        Tensor::from_dispatch(x),
        Tensor::from_dispatch(rule),
        Tensor::from_dispatch(packed),
    )
}

/// `W = Σ_i A_i ⊗ B_i`, `a: [n, n, n]`, `b: [n, in/n, out/n]`.
pub fn kron_sum(a: Tensor<3>, b: Tensor<3>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as KernelBackend>::kron_sum(
        a.into_dispatch(),
        b.into_dispatch(),
    ))
}

/// A Walsh–Hadamard transform without normalisation, `x: [1, numbers]` to `[1, transform.len]`; of x
/// only as many numbers count as the transform has.
pub fn hadamard(x: Tensor<2>, mut transform: Transform) -> Tensor<2> {
    let size = transform.size();
    transform.len = transform.len.min(size);
    let x = match x.dims()[1] > size {
        true => x.slice([0..1, 0..size]),
        false => x,
    };
    Tensor::from_dispatch(<Dispatch as KernelBackend>::hadamard(
        x.into_dispatch(),
        transform,
    ))
}

/// `z[j] = G[j] · h[Π(j) mod P]` of what [`Spread`] draws; `h: [1, P]`, `levels` those of
/// [`levels`](super::levels), `[1, 4096]`.
pub fn fastfood_spread(h: Tensor<2>, levels: Tensor<2>, spread: Spread) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as KernelBackend>::fastfood_spread(
        h.into_dispatch(),
        levels.into_dispatch(),
        spread,
    ))
}

/// One LPHM projection without ever building its matrix: `s: [n, in/n, r]`, `t: [n, r, out/n]`.
pub fn lphm(x: Tensor<2>, a: Tensor<3>, s: Tensor<3>, t: Tensor<3>, b: Tensor<1>) -> Tensor<2> {
    let rows = x.dims()[0];
    let [n, p, r] = s.dims();
    let q = t.dims()[2];
    if rows == 0 {
        return Tensor::zeros([0, n * q], &x.device());
    }
    let s = s.permute([1, 0, 2]).reshape([p, n * r]);
    let u = x.reshape([rows * n, p]).matmul(s); // (row, a) by (i, ρ)
    let u = u
        .reshape([rows, n, n, r])
        .permute([2, 0, 3, 1])
        .reshape([n, rows * r, n]);
    let v = u.matmul(a).reshape([n, rows, r, n]).permute([1, 3, 0, 2]);
    let y = v.reshape([rows * n, n * r]).matmul(t.reshape([n * r, q]));
    y.reshape([rows, n * q]) + b.unsqueeze::<2>()
}

/// `x W^T`, `x: [rows, in]`, `w: [out, in]`.
///
/// A transposed product would give w's gradient the other way round, to be copied before every use.
pub fn linear(x: Tensor<2>, w: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as KernelBackend>::plain_linear(
        x.into_dispatch(),
        w.into_dispatch(),
    ))
}

/// RMS norm without mean or bias, ε inside the root: `x / sqrt(mean(x²) + ε) · w`.
///
/// `x: [rows, d]`, `weight: [1, d]`.
pub fn rms_norm(x: Tensor<2>, weight: Tensor<2>, epsilon: f64) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as KernelBackend>::rms_norm(
        x.into_dispatch(),
        weight.into_dispatch(),
        epsilon as f32,
    ))
}

/// Softmax over the last dimension.
pub fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as KernelBackend>::row_softmax(x.into_dispatch()))
}

/// `x/2 · (1 + tanh(√(2/π)(x + 0.044715 x³)))`, safe for any finite x.
pub fn gelu_new<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as KernelBackend>::gelu_new(x.into_dispatch()))
}

/// Dropout whose mask is a hash of the key and the element's index, the same on every backend.
pub fn dropout<const D: usize>(x: Tensor<D>, probability: f64, key: DropoutKey) -> Tensor<D> {
    if probability <= 0.0 {
        return x;
    }
    Tensor::from_dispatch(<Dispatch as KernelBackend>::hash_dropout(
        x.into_dispatch(),
        DropoutMask::new(probability, key),
    ))
}

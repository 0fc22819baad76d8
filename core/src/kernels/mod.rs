//! The operations of our own: WGSL kernels on a GPU, loops of our own on the CPU, autodiff, fusion.
//!
//! The only module that knows a backend's type. Each operation has four forms: a kernel
//! ([`compacter_shaders`]), f32 loops for the CPU, an f64 twin that tests hold both to, and a
//! composition of burn's operations for every other backend, data type and odd shape, or for
//! everything under `COMPACTER_KERNELS=composed`.

mod adamw;
mod autodiff;
mod chunks;
mod composed;
mod cube;
mod fastfood;
mod flex;
mod functions;
mod lanes;
mod loops;
mod packed;
mod product;
mod rows;
mod shape;
#[cfg(test)]
mod tests;
mod transpose;
#[cfg(test)]
mod twin;
mod versions;

pub use adamw::{AdamwStep, adamw};
pub use fastfood::{LEVELS, Spread, Transform, levels};
pub use functions::{
    dropout, fastfood_spread, gelu_new, hadamard, kron_sum, linear, lphm, lphm_adapter,
    lphm_adapter_backward, rms_norm, softmax,
};
pub use packed::Packed;
pub use shape::{AdapterPart, AdapterShape};

use crate::packing::Packing;

#[cfg(feature = "native")]
use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, backend_extension};
use burn::tensor::Shape;
use std::ops::Range;
use std::sync::OnceLock;

/// Whether `COMPACTER_KERNELS=composed` asks for the compositions in place of all kernels and loops
/// of our own: to test one against the other, and to see what a kernel is worth.
fn only_composed() -> bool {
    static ASKED: OnceLock<bool> = OnceLock::new();
    *ASKED.get_or_init(|| std::env::var("COMPACTER_KERNELS").as_deref() == Ok("composed"))
}

/// Names one dropout mask: the same key gives the same mask on every backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DropoutKey {
    /// The run's seed.
    pub seed: u64,
    /// Optimiser step.
    pub step: u64,
    /// Place in the model, and micro-batch.
    pub site: u32,
}

/// What the kernels need of a key and a probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DropoutMask {
    keys: [u32; 2],
    threshold: u32,
    scale: f32,
}

/// The finaliser of MurmurHash3: every input bit flips every output bit half of the time.
fn mix(mut hash: u32) -> u32 {
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85eb_ca6b);
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

impl DropoutMask {
    fn new(probability: f64, key: DropoutKey) -> Self {
        let mut first: u32 = 0x9e37_79b9;
        let mut second: u32 = 0x7f4a_7c15;
        for word in [key.seed, key.step, u64::from(key.site)] {
            for half in [word as u32, (word >> 32) as u32] {
                first = mix(first ^ half).wrapping_add(0x6a09_e667);
                second = mix(second.wrapping_add(half)) ^ first;
            }
        }
        let probability = probability.clamp(0.0, 1.0);
        let scale = if probability < 1.0 {
            (1.0 / (1.0 - probability)) as f32
        } else {
            0.0
        };
        // A float to integer cast saturates, so that probability 1 keeps (almost) nothing.
        let threshold = (probability * 4_294_967_296.0) as u32;
        Self {
            keys: [first, second],
            threshold,
            scale,
        }
    }

    /// Whether this element stays.
    fn keeps(&self, element: u32) -> bool {
        mix(mix(element ^ self.keys[0]).wrapping_add(self.keys[1])) >= self.threshold
    }
}

/// Output metadata of `adapter_backward`: `[1]` where a gradient is not asked for.
#[cfg(feature = "native")]
fn adapter_gradients(
    x: &TensorSpec,
    rule: &TensorSpec,
    packed: &TensorSpec,
    wants: &[bool; 3],
) -> (TensorSpec, TensorSpec, TensorSpec) {
    (
        wanted_or_not(x, wants[0]),
        wanted_or_not(rule, wants[1]),
        wanted_or_not(packed, wants[2]),
    )
}

/// Metadata of a gradient, or of what stands in its place.
#[cfg(feature = "native")]
fn wanted_or_not(spec: &TensorSpec, wanted: bool) -> TensorSpec {
    match wanted {
        true => spec.clone(),
        false => TensorSpec::new(Shape::new([1]), spec.dtype),
    }
}

fn kron_shape(b: &Shape) -> Shape {
    Shape::new([b[0] * b[1], b[0] * b[2]])
}

/// Shape of a transform's result.
#[cfg(feature = "native")]
fn transformed(transform: &Transform) -> Shape {
    Shape::new([1, transform.len])
}

/// Backends that have this crate's operations; the default bodies are compositions.
#[backend_extension(Cube, Flex, Autodiff, Fusion: cfg(feature = "native"))]
pub trait KernelBackend: Backend {
    /// `y = x + up(gelu_new(down(x)))`, `x: [rows, k]`.
    #[fusion(dtype = x, shape = x)]
    fn adapter_forward(
        x: FloatTensor<Self>,
        rule: FloatTensor<Self>,
        packed: FloatTensor<Self>,
        shape: AdapterShape,
    ) -> FloatTensor<Self> {
        composed::adapter_forward::<Self>(x, rule, packed, shape)
    }

    /// Gradients by x, rule and packed; one that is not wanted is a placeholder `[1]`.
    #[fusion(meta = |x: &TensorSpec, rule: &TensorSpec, packed: &TensorSpec, _: &TensorSpec, _: &AdapterShape, wants: &[bool; 3]| adapter_gradients(x, rule, packed, wants))]
    fn adapter_backward(
        x: FloatTensor<Self>,
        rule: FloatTensor<Self>,
        packed: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        shape: AdapterShape,
        wants: [bool; 3],
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        composed::adapter_backward::<Self>(x, rule, packed, grad, shape, wants)
    }

    /// `W = Σ_i A_i ⊗ B_i`, `a: [n, n, n]`, `b: [n, p, q]`.
    #[fusion(dtype = b, shape = kron_shape(b))]
    fn kron_sum(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::kron_sum::<Self>(a, b)
    }

    /// Gradients of `kron_sum` by a and b.
    #[fusion(meta = |a: &TensorSpec, b: &TensorSpec, _: &TensorSpec| (a.clone(), b.clone()))]
    fn kron_sum_backward(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composed::kron_sum_backward::<Self>(a, b, grad)
    }

    /// gelu_new that cannot overflow `tanh`.
    #[fusion(default)]
    fn gelu_new(x: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::gelu_new::<Self>(x)
    }

    /// Gradient of `gelu_new`.
    #[fusion(default)]
    fn gelu_new_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::gelu_new_backward::<Self>(x, grad)
    }

    /// `x / sqrt(mean(x²) + ε) · weight`, `x: [rows, d]`, `weight: [1, d]`.
    #[fusion(dtype = x, shape = x)]
    fn rms_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        composed::rms_norm::<Self>(x, weight, epsilon)
    }

    /// Gradients of `rms_norm` by x and weight; the second is a placeholder `[1]` if not wanted.
    #[fusion(meta = |x: &TensorSpec, weight: &TensorSpec, _: &TensorSpec, _: &f32, wanted: &bool| (x.clone(), wanted_or_not(weight, *wanted)))]
    fn rms_norm_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        epsilon: f32,
        for_weight: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composed::rms_norm_backward::<Self>(x, weight, grad, epsilon, for_weight)
    }

    /// Softmax over the last dimension.
    #[fusion(dtype = x, shape = x)]
    fn row_softmax(x: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::row_softmax::<Self>(x)
    }

    /// Its gradient by its output y.
    #[fusion(dtype = y, shape = y)]
    fn row_softmax_backward(y: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::row_softmax_backward::<Self>(y, grad)
    }

    /// A step of AdamW: the tensor and its moments `[2, rows, columns]` after it. Without autodiff.
    #[fusion(meta = |tensor: &TensorSpec, _: &TensorSpec, _: &TensorSpec, moments: &TensorSpec, _: &AdamwStep| (tensor.clone(), moments.clone()))]
    fn adamw(
        tensor: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        moments: FloatTensor<Self>,
        step: AdamwStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composed::adamw::<Self>(tensor, grad, scale, moments, step)
    }

    /// Zeroes what the mask drops and scales the rest.
    #[fusion(dtype = x, shape = x)]
    fn hash_dropout(x: FloatTensor<Self>, mask: DropoutMask) -> FloatTensor<Self> {
        composed::dropout::<Self>(x, mask)
    }

    /// A Walsh–Hadamard transform of one row, `x: [1, numbers]`.
    #[fusion(dtype = x, shape = transformed(transform))]
    fn hadamard(x: FloatTensor<Self>, transform: Transform) -> FloatTensor<Self> {
        composed::hadamard::<Self>(x, transform)
    }

    /// Fastfood's Gaussians and permutation, `h: [1, P]` to `[1, size]`.
    #[fusion(dtype = h, shape = Shape::new([1, spread.size()]))]
    fn fastfood_spread(
        h: FloatTensor<Self>,
        levels: FloatTensor<Self>,
        spread: Spread,
    ) -> FloatTensor<Self> {
        composed::fastfood_spread::<Self>(h, levels, spread)
    }

    /// The transpose of `fastfood_spread`: its gradient by h.
    #[fusion(dtype = z, shape = Shape::new([1, spread.period()]))]
    fn fastfood_gather(
        z: FloatTensor<Self>,
        levels: FloatTensor<Self>,
        spread: Spread,
    ) -> FloatTensor<Self> {
        composed::fastfood_gather::<Self>(z, levels, spread)
    }

    /// `x W^T`, `w: [out, in]`, whose gradient by w lies as w does.
    #[fusion(default)]
    fn plain_linear(x: FloatTensor<Self>, w: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::plain_linear::<Self>(x, w)
    }

    /// `a b`, of two matrices, for what the products of linear layers and their gradients come down to.
    #[fusion(default)]
    fn plain_product(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::plain_product::<Self>(a, b)
    }

    /// Some rows of a packed matrix in f32, without a gradient.
    #[fusion(dtype = scales, shape = packed::unpacked(words, packing, rows))]
    fn unpack_rows(
        words: IntTensor<Self>,
        scales: FloatTensor<Self>,
        packing: Packing,
        rows: Range<usize>,
    ) -> FloatTensor<Self> {
        composed::unpack_rows::<Self>(words, scales, packing, rows)
    }

    /// `x W^T` for a packed `W: [out, in]`.
    #[fusion(dtype = x, shape = packed::output(x, words))]
    fn packed_linear(
        x: FloatTensor<Self>,
        words: IntTensor<Self>,
        scales: FloatTensor<Self>,
        packing: Packing,
    ) -> FloatTensor<Self> {
        packed::linear::<Self>(x, words, scales, packing)
    }

    /// Gradient of `packed_linear` by x.
    #[fusion(dtype = grad, shape = packed::input(grad, words, packing))]
    fn packed_linear_backward(
        grad: FloatTensor<Self>,
        words: IntTensor<Self>,
        scales: FloatTensor<Self>,
        packing: Packing,
    ) -> FloatTensor<Self> {
        packed::linear_backward::<Self>(grad, words, scales, packing)
    }
}

//! The same operations composed of burn's own: for other backends, data types and odd shapes.

use super::{AdamwStep, AdapterShape, DropoutMask, KernelBackend, Spread, Transform};
use crate::packing::{Packing, half_value};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Scalar, TensorMetadata};
use burn::tensor::{Shape, Slice, TensorData};
use std::ops::Range;

/// `√(2/π)`, the inner factor of gelu_new.
pub(super) const GELU_FACTOR: f64 = 0.797_884_560_802_865_4;
/// The cubic term's factor of gelu_new.
pub(super) const GELU_CUBIC: f64 = 0.044_715;
/// Beyond this `tanh` is 1 in f32; some drivers return NaN from 40 on.
pub(super) const TANH_LIMIT: f64 = 15.0;

fn reshape<B: Backend, const D: usize>(x: FloatTensor<B>, shape: [usize; D]) -> FloatTensor<B> {
    B::float_reshape(x, Shape::new(shape))
}

fn transpose<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_transpose(x)
}

fn scalar<B: Backend>(x: FloatTensor<B>, factor: f64) -> FloatTensor<B> {
    B::float_mul_scalar(x, Scalar::Float(factor))
}

/// What stands in the place of a gradient that nobody asked for.
pub(super) fn nothing<B: Backend>(like: &FloatTensor<B>) -> FloatTensor<B> {
    zeros::<B>(like, Shape::new([1]))
}

fn zeros<B: Backend>(like: &FloatTensor<B>, shape: Shape) -> FloatTensor<B> {
    B::float_zeros(shape, &like.device(), like.dtype().into())
}

/// `tanh` of gelu_new's clamped argument.
fn gelu_tanh<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let square = B::float_mul(x.clone(), x.clone());
    let cubic = B::float_add_scalar(scalar::<B>(square, GELU_CUBIC), Scalar::Float(1.0));
    let inner = scalar::<B>(B::float_mul(cubic, x), GELU_FACTOR);
    B::float_tanh(B::float_clamp(
        inner,
        Scalar::Float(-TANH_LIMIT),
        Scalar::Float(TANH_LIMIT),
    ))
}

/// `x/2 · (1 + tanh(√(2/π)(x + 0.044715 x³)))`.
pub(super) fn gelu_new<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let tanh = gelu_tanh::<B>(x.clone());
    let half = scalar::<B>(x, 0.5);
    B::float_mul(half, B::float_add_scalar(tanh, Scalar::Float(1.0)))
}

/// Gradient of [`gelu_new`].
pub(super) fn gelu_new_backward<B: Backend>(
    x: FloatTensor<B>,
    grad: FloatTensor<B>,
) -> FloatTensor<B> {
    let tanh = gelu_tanh::<B>(x.clone());
    let square = B::float_mul(x.clone(), x.clone());
    let slope = B::float_add_scalar(
        scalar::<B>(square, 3.0 * GELU_CUBIC * GELU_FACTOR),
        Scalar::Float(GELU_FACTOR),
    );
    let one = Scalar::Float(1.0);
    let rest = B::float_add_scalar(B::float_neg(B::float_mul(tanh.clone(), tanh.clone())), one);
    let curve = B::float_mul(B::float_mul(x, slope), rest);
    let sum = B::float_add_scalar(B::float_add(tanh, curve), one);
    B::float_mul(grad, scalar::<B>(sum, 0.5))
}

/// One projection's `s` as a matrix `[in/n, n·r]` and `t` as `[n·r, out/n]`, with its bias.
struct Side<B: Backend> {
    s: FloatTensor<B>,
    t: FloatTensor<B>,
    bias: FloatTensor<B>,
    input: usize,
    output: usize,
}

fn sides<B: Backend>(packed: FloatTensor<B>, shape: &AdapterShape) -> [Side<B>; 2] {
    let AdapterShape {
        n,
        rank: r,
        model: k,
        bottleneck: d,
    } = *shape;
    let parts = shape.parts();
    let part = |index: usize| {
        let range: Slice = parts[index].1.clone().into();
        B::float_slice(packed.clone(), &[range])
    };
    let side = |first: usize, input: usize, output: usize| {
        let s = reshape::<B, 3>(part(first), [n, input / n, r]);
        Side {
            s: reshape::<B, 2>(B::float_permute(s, &[1, 0, 2]), [input / n, n * r]),
            t: reshape::<B, 2>(part(first + 1), [n * r, output / n]),
            bias: reshape::<B, 2>(part(first + 2), [1, output]),
            input,
            output,
        }
    };
    [side(0, k, d), side(3, d, k)]
}

/// `[rows·n, n·r]` as `(row, block)` by `(i, ρ)` to `[n, rows·r, n]` as `i` by `(row, ρ)` by block.
fn by_term<B: Backend>(z: FloatTensor<B>, rows: usize, n: usize, r: usize) -> FloatTensor<B> {
    let z = B::float_permute(reshape::<B, 4>(z, [rows, n, n, r]), &[2, 0, 3, 1]);
    reshape::<B, 3>(z, [n, rows * r, n])
}

/// Each term's blocks through its own `A_i` (or its transpose, in backward).
fn mix<B: Backend>(
    z: FloatTensor<B>,
    rule: FloatTensor<B>,
    rows: usize,
    n: usize,
    r: usize,
) -> FloatTensor<B> {
    let mixed = B::float_matmul(by_term::<B>(z, rows, n, r), rule);
    let mixed = B::float_permute(reshape::<B, 4>(mixed, [n, rows, r, n]), &[1, 3, 0, 2]);
    reshape::<B, 2>(mixed, [rows * n, n * r])
}

/// `u` and `v` of the algebra, both `[rows·n, n·r]`, and the projection's output.
fn project<B: Backend>(
    x: FloatTensor<B>,
    rule: FloatTensor<B>,
    side: &Side<B>,
    rows: usize,
    shape: &AdapterShape,
) -> [FloatTensor<B>; 3] {
    let (n, r) = (shape.n, shape.rank);
    let x = reshape::<B, 2>(x, [rows * n, side.input / n]);
    let u = B::float_matmul(x, side.s.clone());
    let v = mix::<B>(u.clone(), rule, rows, n, r);
    let y = reshape::<B, 2>(
        B::float_matmul(v.clone(), side.t.clone()),
        [rows, side.output],
    );
    [u, v, B::float_add(y, side.bias.clone())]
}

/// `y = x + up(gelu_new(down(x)))`.
pub(super) fn adapter_forward<B: Backend>(
    x: FloatTensor<B>,
    rule: FloatTensor<B>,
    packed: FloatTensor<B>,
    shape: AdapterShape,
) -> FloatTensor<B> {
    let rows = x.shape()[0];
    if rows == 0 {
        return x;
    }
    let [down, up] = sides::<B>(packed, &shape);
    let [_, _, h] = project::<B>(x.clone(), rule.clone(), &down, rows, &shape);
    let [_, _, y] = project::<B>(gelu_new::<B>(h), rule, &up, rows, &shape);
    B::float_add(x, y)
}

/// Gradients of one projection: of its input, of the rule, and of its three packed parts.
fn project_backward<B: Backend>(
    x: FloatTensor<B>,
    rule: FloatTensor<B>,
    side: &Side<B>,
    [u, v]: [FloatTensor<B>; 2],
    grad: FloatTensor<B>,
    rows: usize,
    shape: &AdapterShape,
) -> (FloatTensor<B>, FloatTensor<B>, [FloatTensor<B>; 3]) {
    let (n, r) = (shape.n, shape.rank);
    let (p, q) = (side.input / n, side.output / n);
    let bias = reshape::<B, 1>(B::float_sum_dim(grad.clone(), 0), [side.output]);
    let grad = reshape::<B, 2>(grad, [rows * n, q]);
    let grad_t = B::float_matmul(transpose::<B>(v), grad.clone());
    let grad_v = B::float_matmul(grad, transpose::<B>(side.t.clone()));
    let left = transpose::<B>(by_term::<B>(u, rows, n, r));
    let grad_rule = B::float_matmul(left, by_term::<B>(grad_v.clone(), rows, n, r));
    let grad_u = mix::<B>(grad_v, transpose::<B>(rule), rows, n, r);
    let x = reshape::<B, 2>(x, [rows * n, p]);
    let grad_s = B::float_matmul(transpose::<B>(x), grad_u.clone());
    let grad_s = B::float_permute(reshape::<B, 3>(grad_s, [p, n, r]), &[1, 0, 2]);
    let grad_x = B::float_matmul(grad_u, transpose::<B>(side.s.clone()));
    (
        reshape::<B, 2>(grad_x, [rows, side.input]),
        grad_rule,
        [
            reshape::<B, 1>(grad_s, [n * p * r]),
            reshape::<B, 1>(grad_t, [n * r * q]),
            bias,
        ],
    )
}

/// Gradients of [`adapter_forward`] by x, rule and packed parameters; unwanted ones are `[0]`.
pub(super) fn adapter_backward<B: Backend>(
    x: FloatTensor<B>,
    rule: FloatTensor<B>,
    packed: FloatTensor<B>,
    grad: FloatTensor<B>,
    shape: AdapterShape,
    wants: [bool; 3],
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let rows = x.shape()[0];
    let missing = nothing::<B>(&x);
    let pick = |index: usize, value: FloatTensor<B>| match wants[index] {
        true => value,
        false => missing.clone(),
    };
    if rows == 0 {
        let (rule, packed) = (zeros::<B>(&x, rule.shape()), zeros::<B>(&x, packed.shape()));
        return (pick(0, grad), pick(1, rule), pick(2, packed));
    }
    let [down, up] = sides::<B>(packed, &shape);
    let [u1, v1, h] = project::<B>(x.clone(), rule.clone(), &down, rows, &shape);
    let g = gelu_new::<B>(h.clone());
    let [u2, v2, _] = project::<B>(g.clone(), rule.clone(), &up, rows, &shape);
    let (grad_g, rule_up, [s_up, t_up, b_up]) =
        project_backward::<B>(g, rule.clone(), &up, [u2, v2], grad.clone(), rows, &shape);
    let grad_h = gelu_new_backward::<B>(h, grad_g);
    let (grad_x, rule_down, [s_down, t_down, b_down]) =
        project_backward::<B>(x, rule, &down, [u1, v1], grad_h, rows, &shape);
    let packed = match wants[2] {
        true => B::float_cat(vec![s_down, t_down, b_down, s_up, t_up, b_up], 0),
        false => missing.clone(),
    };
    (
        pick(0, B::float_add(grad, grad_x)),
        pick(1, B::float_add(rule_down, rule_up)),
        packed,
    )
}

/// `W = Σ_i A_i ⊗ B_i`.
pub(super) fn kron_sum<B: Backend>(a: FloatTensor<B>, b: FloatTensor<B>) -> FloatTensor<B> {
    let (n, p, q) = (b.shape()[0], b.shape()[1], b.shape()[2]);
    let left = transpose::<B>(reshape::<B, 2>(a, [n, n * n]));
    let w = B::float_matmul(left, reshape::<B, 2>(b, [n, p * q]));
    let w = B::float_permute(reshape::<B, 4>(w, [n, n, p, q]), &[0, 2, 1, 3]);
    reshape::<B, 2>(w, [n * p, n * q])
}

/// Gradients of [`kron_sum`].
pub(super) fn kron_sum_backward<B: Backend>(
    a: FloatTensor<B>,
    b: FloatTensor<B>,
    grad: FloatTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let (n, p, q) = (b.shape()[0], b.shape()[1], b.shape()[2]);
    let grad = B::float_permute(reshape::<B, 4>(grad, [n, p, n, q]), &[0, 2, 1, 3]);
    let grad = reshape::<B, 2>(grad, [n * n, p * q]);
    let grad_b = B::float_matmul(reshape::<B, 2>(a, [n, n * n]), grad.clone());
    let grad_a = B::float_matmul(reshape::<B, 2>(b, [n, p * q]), transpose::<B>(grad));
    (
        reshape::<B, 3>(grad_a, [n, n, n]),
        reshape::<B, 3>(grad_b, [n, p, q]),
    )
}

/// Dropout by a mask computed on the host.
pub(super) fn dropout<B: Backend>(x: FloatTensor<B>, mask: DropoutMask) -> FloatTensor<B> {
    let shape = x.shape();
    let values: Vec<f32> = (0..shape.num_elements())
        .map(|element| {
            if mask.keeps(element as u32) {
                mask.scale
            } else {
                0.0
            }
        })
        .collect();
    let data = TensorData::new(values, shape).convert_dtype(x.dtype());
    let factors = B::float_from_data(data, &x.device());
    B::float_mul(x, factors)
}

/// Rows of a packed matrix, each value looked up in a table of all that its bits can say.
pub(super) fn unpack_rows<B: Backend>(
    words: IntTensor<B>,
    scales: FloatTensor<B>,
    packing: Packing,
    rows: Range<usize>,
) -> FloatTensor<B> {
    let cut = |width: usize| [Slice::from(rows.clone()), Slice::from(0..width)];
    let (count, width) = (rows.len(), words.shape()[1]);
    let lanes = packing.per_word();
    let bits = 32 / lanes;
    let table: Vec<f32> = match packing {
        Packing::F16 => (0..=u16::MAX).map(half_value).collect(),
        Packing::Int8 { .. } => (0..=u8::MAX).map(|byte| f32::from(byte as i8)).collect(),
    };
    let mask = table.len() as i64 - 1;
    let table = TensorData::new(table, [1 << bits]).convert_dtype(scales.dtype());
    let table = B::float_from_data(table, &scales.device());
    let words = B::int_slice(words, &cut(width));
    let lane = |lane: usize| {
        let shift = Scalar::Int((lane * bits) as i64);
        let moved = B::bitwise_right_shift_scalar(words.clone(), shift);
        let ids = B::bitwise_and_scalar(moved, Scalar::Int(mask));
        let ids = B::int_reshape(ids, Shape::new([count * width]));
        let values = B::float_select(table.clone(), 0, ids);
        reshape::<B, 2>(values, [count * width, 1])
    };
    let values = B::float_cat((0..lanes).map(lane).collect(), 1); // [words, lanes]
    match packing {
        Packing::F16 => reshape::<B, 2>(values, [count, width * lanes]),
        Packing::Int8 { group } => {
            let groups = scales.shape()[1];
            let scales = B::float_slice(scales, &cut(groups));
            let scales = reshape::<B, 2>(scales, [count * groups, 1]);
            let values = reshape::<B, 2>(values, [count * groups, group]);
            reshape::<B, 2>(B::float_mul(values, scales), [count, groups * group])
        }
    }
}

/// Sum of all rows, `[1, columns]`.
pub(super) fn sum_rows<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_sum_dim(x, 0)
}

/// A Walsh–Hadamard transform, stage by stage.
pub(super) fn hadamard<B: Backend>(x: FloatTensor<B>, transform: Transform) -> FloatTensor<B> {
    let (len, size) = (x.shape().num_elements(), transform.size());
    let x = reshape::<B, 1>(x, [len]);
    let cut = |x: FloatTensor<B>, len: usize| B::float_slice(x, &[(0..len).into()]);
    let mut x = match len < size {
        true => {
            let rest = zeros::<B>(&x, Shape::new([size - len]));
            B::float_cat(vec![x, rest], 0)
        }
        false => x,
    };
    for stage in 0..transform.bits {
        let apart = 1 << stage;
        let pairs = reshape::<B, 3>(x, [size / (2 * apart), 2, apart]);
        let half = |at: usize| {
            let all = || (0..size / (2 * apart)).into();
            B::float_slice(
                pairs.clone(),
                &[all(), (at..at + 1).into(), (0..apart).into()],
            )
        };
        let sum = B::float_add(half(0), half(1));
        let difference = B::float_sub(half(0), half(1));
        x = reshape::<B, 1>(B::float_cat(vec![sum, difference], 1), [size]);
    }
    let x = scalar::<B>(cut(x, transform.len), f64::from(transform.scale));
    reshape::<B, 2>(x, [1, transform.len])
}

/// `1 / sqrt(mean(x²) + ε)` of each row.
fn root<B: Backend>(x: &FloatTensor<B>, epsilon: f32) -> FloatTensor<B> {
    let mean = B::float_mean_dim(B::float_mul(x.clone(), x.clone()), 1); // [rows, 1]
    let mean = B::float_add_scalar(mean, Scalar::Float(f64::from(epsilon)));
    B::float_recip(B::float_sqrt(mean))
}

/// `a b`.
pub(super) fn plain_product<B: Backend>(a: FloatTensor<B>, b: FloatTensor<B>) -> FloatTensor<B> {
    B::float_matmul(a, b)
}

/// `x W^T`.
pub(super) fn plain_linear<B: KernelBackend>(
    x: FloatTensor<B>,
    w: FloatTensor<B>,
) -> FloatTensor<B> {
    B::plain_product(x, B::float_transpose(w))
}

/// `x / sqrt(mean(x²) + ε) · weight`.
pub(super) fn rms_norm<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    epsilon: f32,
) -> FloatTensor<B> {
    let root = root::<B>(&x, epsilon);
    B::float_mul(B::float_mul(x, root), weight)
}

/// Gradients of [`rms_norm`].
pub(super) fn rms_norm_backward<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    grad: FloatTensor<B>,
    epsilon: f32,
    for_weight: bool,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let root = root::<B>(&x, epsilon);
    let normed = B::float_mul(x, root.clone());
    let dweight = match for_weight {
        true => sum_rows::<B>(B::float_mul(grad.clone(), normed.clone())),
        false => nothing::<B>(&grad),
    };
    let grad = B::float_mul(grad, weight);
    let back = B::float_mean_dim(B::float_mul(grad.clone(), normed.clone()), 1); // [rows, 1]
    let rest = B::float_sub(grad, B::float_mul(normed, back));
    (B::float_mul(rest, root), dweight)
}

/// Softmax over the last dimension.
pub(super) fn row_softmax<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let last = x.shape().num_dims() - 1;
    B::softmax(x, last)
}

/// Gradient of [`row_softmax`].
pub(super) fn row_softmax_backward<B: Backend>(
    y: FloatTensor<B>,
    grad: FloatTensor<B>,
) -> FloatTensor<B> {
    let last = y.shape().num_dims() - 1;
    let along = B::float_sum_dim(B::float_mul(y.clone(), grad.clone()), last);
    B::float_mul(y, B::float_sub(grad, along))
}

/// A step of AdamW.
pub(super) fn adamw<B: Backend>(
    tensor: FloatTensor<B>,
    grad: FloatTensor<B>,
    scale: FloatTensor<B>,
    moments: FloatTensor<B>,
    step: AdamwStep,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let [betas, corrections] = [step.betas, step.corrections].map(|pair| pair.map(f64::from));
    let (lr, decay) = (f64::from(step.lr), f64::from(step.weight_decay));
    let shape = tensor.shape();
    let part = |at: usize| {
        let part = B::float_slice(moments.clone(), &[(at..at + 1).into()]);
        B::float_reshape(part, shape.clone())
    };
    let grad = B::float_mul(grad, B::float_expand(scale, shape.clone()));
    let square = B::float_mul(grad.clone(), grad.clone());
    let follow = |moment: FloatTensor<B>, to: FloatTensor<B>, beta: f64| {
        B::float_add(scalar::<B>(moment, beta), scalar::<B>(to, 1.0 - beta))
    };
    let first = follow(part(0), grad, betas[0]);
    let second = follow(part(1), square, betas[1]);
    let root = B::float_sqrt(scalar::<B>(second.clone(), corrections[1]));
    let root = B::float_add_scalar(root, Scalar::Float(f64::from(step.epsilon)));
    let change = B::float_div(scalar::<B>(first.clone(), lr * corrections[0]), root);
    let tensor = B::float_sub(scalar::<B>(tensor, 1.0 - lr * decay), change);
    let row = |moment: FloatTensor<B>| {
        let [rows, columns] = [shape[0], shape[1]];
        reshape::<B, 3>(moment, [1, rows, columns])
    };
    (tensor, B::float_cat(vec![row(first), row(second)], 0))
}

/// Indices as a tensor beside `like`.
fn indices<B: Backend>(like: &FloatTensor<B>, all: impl Iterator<Item = u32>) -> IntTensor<B> {
    let all: Vec<i32> = all.map(|index| index as i32).collect();
    let len = all.len();
    B::int_from_data(TensorData::new(all, [len]), &like.device())
}

/// G of a spread.
fn gaussians<B: Backend>(levels: FloatTensor<B>, spread: &Spread) -> FloatTensor<B> {
    let numbers = levels.shape().num_elements();
    let ids = (0..spread.size() as u32).map(|j| spread.level(j) as u32);
    let ids = indices::<B>(&levels, ids);
    B::float_select(reshape::<B, 1>(levels, [numbers]), 0, ids)
}

/// `z[j] = G[j] · h[Π(j) mod P]`.
pub(super) fn fastfood_spread<B: Backend>(
    h: FloatTensor<B>,
    levels: FloatTensor<B>,
    spread: Spread,
) -> FloatTensor<B> {
    let (size, period) = (spread.size(), spread.period());
    let places = (0..size as u32).map(|j| spread.permuted(j) % period as u32);
    let places = indices::<B>(&h, places);
    let picked = B::float_select(reshape::<B, 1>(h, [period]), 0, places);
    let z = B::float_mul(picked, gaussians::<B>(levels, &spread));
    reshape::<B, 2>(z, [1, size])
}

/// The transpose of [`fastfood_spread`].
pub(super) fn fastfood_gather<B: Backend>(
    z: FloatTensor<B>,
    levels: FloatTensor<B>,
    spread: Spread,
) -> FloatTensor<B> {
    let (size, period) = (spread.size(), spread.period());
    let z = B::float_mul(reshape::<B, 1>(z, [size]), gaussians::<B>(levels, &spread));
    let back = indices::<B>(&z, (0..size as u32).map(|at| spread.permuted_back(at)));
    let turns = reshape::<B, 2>(B::float_select(z, 0, back), [size / period, period]);
    sum_rows::<B>(turns)
}

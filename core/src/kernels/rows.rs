//! The CPU loops of norms, softmax and AdamW: along rows of any width.

use super::AdamwStep;
use super::lanes::{dots, fma, rows};
use super::versions::versions;

/// Σ a·b, in lanes that are added at the end.
#[inline(always)]
fn along<const FMA: bool>(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 32;
    let mut sums = [0.0f32; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] = fma::<FMA>(a[lane], b[lane], sums[lane]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// `1 / sqrt(mean(x²) + ε)`.
#[inline(always)]
fn root<const FMA: bool>(x: &[f32], epsilon: f32) -> f32 {
    1.0 / (along::<FMA>(x, x) / x.len() as f32 + epsilon).sqrt()
}

#[inline(always)]
fn rms_norm_body<const FMA: bool>(x: &[f32], weight: &[f32], epsilon: f32, y: &mut [f32]) {
    let rows = x.chunks_exact(weight.len());
    for (x, y) in rows.zip(y.chunks_exact_mut(weight.len())) {
        let root = root::<FMA>(x, epsilon);
        for ((y, x), w) in y.iter_mut().zip(x).zip(weight) {
            *y = x * root * w;
        }
    }
}

#[inline(always)]
fn rms_norm_backward_body<const FMA: bool>(
    x: &[f32],
    weight: &[f32],
    epsilon: f32,
    grad: &mut [f32],
    sums: &mut [f32],
) {
    let rows = x.chunks_exact(weight.len());
    for (x, grad) in rows.zip(grad.chunks_exact_mut(weight.len())) {
        let root = root::<FMA>(x, epsilon);
        for ((sum, g), x) in sums.iter_mut().zip(grad.iter()).zip(x) {
            *sum = fma::<FMA>(*g, x * root, *sum);
        }
        for (g, w) in grad.iter_mut().zip(weight) {
            *g *= w;
        }
        let back = along::<FMA>(grad, x) * root * root * root / weight.len() as f32;
        for (g, x) in grad.iter_mut().zip(x) {
            *g = *g * root - back * x;
        }
    }
}

/// What `N` rows of x, from row `first`, make with every row of w.
#[inline(always)]
fn tile<const FMA: bool, const N: usize>(
    (x, width): (&[f32], usize),
    first: usize,
    w: &[f32],
    y: &mut [f32],
) {
    let count = x.len() / width;
    let tile = rows::<N>(x, first, width);
    for (w, y) in w.chunks_exact(width).zip(y.chunks_exact_mut(count)) {
        y[first..first + N].copy_from_slice(&dots::<FMA, N>(w, tile));
    }
}

/// What one row of x makes: of w eight rows at once, since one sum after the other would wait for
/// itself.
#[inline(always)]
fn lone_row<const FMA: bool>((x, width): (&[f32], usize), row: usize, w: &[f32], y: &mut [f32]) {
    const TILE: usize = 8;
    let count = x.len() / width;
    let x = &x[row * width..][..width];
    let whole = w.len() / width / TILE * TILE;
    for first in (0..whole).step_by(TILE) {
        let sums = dots::<FMA, TILE>(x, rows::<TILE>(w, first, width));
        for (at, sum) in sums.into_iter().enumerate() {
            y[(first + at) * count + row] = sum;
        }
    }
    for at in whole..w.len() / width {
        let [sum] = dots::<FMA, 1>(x, rows::<1>(w, at, width));
        y[at * count + row] = sum;
    }
}

/// `y[o, r] = Σ w[o, k] · x[r, k]`; both run along k, so that neither is packed first.
#[inline(always)]
fn few_rows_body<const FMA: bool>(x: &[f32], width: usize, w: &[f32], y: &mut [f32]) {
    let (count, all) = (x.len() / width, (x, width));
    // A tile of x stays in the nearest cache while w passes by.
    let whole = count / 8 * 8;
    for first in (0..whole).step_by(8) {
        tile::<FMA, 8>(all, first, w, y);
    }
    match count - whole {
        1 => lone_row::<FMA>(all, whole, w, y),
        2 => tile::<FMA, 2>(all, whole, w, y),
        3 => tile::<FMA, 3>(all, whole, w, y),
        4 => tile::<FMA, 4>(all, whole, w, y),
        5 => tile::<FMA, 5>(all, whole, w, y),
        6 => tile::<FMA, 6>(all, whole, w, y),
        7 => tile::<FMA, 7>(all, whole, w, y),
        _ => {}
    }
}

#[inline(always)]
fn softmax_backward_body<const FMA: bool>(y: &[f32], width: usize, grad: &mut [f32]) {
    for (y, grad) in y.chunks_exact(width).zip(grad.chunks_exact_mut(width)) {
        let along = along::<FMA>(y, grad);
        for (g, y) in grad.iter_mut().zip(y) {
            *g = y * (*g - along);
        }
    }
}

#[inline(always)]
fn adamw_body<const FMA: bool>(
    step: &AdamwStep,
    scale: f32,
    grad: &[f32],
    weights: &mut [f32],
    [first, second]: [&mut [f32]; 2],
) {
    let moments = first.iter_mut().zip(second);
    for ((w, &g), (m, v)) in weights.iter_mut().zip(grad).zip(moments) {
        (*w, [*m, *v]) = step.apply(*w, g * scale, [*m, *v]);
    }
}

versions!(
    /// `y = x / sqrt(mean(x²) + ε) · w` of every row.
    rms_norm = rms_norm_body(x: &[f32], weight: &[f32], epsilon: f32, y: &mut [f32])
);
versions!(
    /// Turns the gradient of rms_norm's output into that of x; adds that of the weight to `sums`,
    /// which may be empty.
    rms_norm_backward = rms_norm_backward_body(
        x: &[f32], weight: &[f32], epsilon: f32, grad: &mut [f32], sums: &mut [f32]
    )
);
versions!(
    /// `y = W xᵀ` of the rows of x and of w, `y: [rows of w, rows of x]`, all along `width`.
    few_rows = few_rows_body(x: &[f32], width: usize, w: &[f32], y: &mut [f32])
);
versions!(
    /// Turns the gradient of softmax's output y into that of its input, over rows of `width`.
    softmax_backward = softmax_backward_body(y: &[f32], width: usize, grad: &mut [f32])
);
versions!(
    /// A step of AdamW in place, `moments` the first and the second.
    adamw = adamw_body(
        step: &AdamwStep, scale: f32, grad: &[f32], weights: &mut [f32], moments: [&mut [f32]; 2]
    )
);

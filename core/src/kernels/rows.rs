//! The CPU loops of norms, softmax and AdamW: along rows of any width.

use super::AdamwStep;
use super::lanes::fma;
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
    /// Turns the gradient of softmax's output y into that of its input, over rows of `width`.
    softmax_backward = softmax_backward_body(y: &[f32], width: usize, grad: &mut [f32])
);
versions!(
    /// A step of AdamW in place, `moments` the first and the second.
    adamw = adamw_body(
        step: &AdamwStep, scale: f32, grad: &[f32], weights: &mut [f32], moments: [&mut [f32]; 2]
    )
);

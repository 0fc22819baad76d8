//! The f64 twins: plain loops with the kernels' names, which tests hold every other form to.

use super::{AdamwStep, AdapterShape, DropoutKey, DropoutMask};

/// `x / sqrt(mean(x²) + ε) · w` of every row, and the gradients of x and w.
pub(super) fn rms_norm(x: &[f64], w: &[f64], grad: &[f64], epsilon: f64) -> [Vec<f64>; 3] {
    let d = w.len();
    let (mut y, mut dx, mut dw) = (vec![], vec![], vec![0.0; d]);
    for (x, grad) in x.chunks(d).zip(grad.chunks(d)) {
        let mean = x.iter().map(|x| x * x).sum::<f64>() / d as f64;
        let root = (mean + epsilon).sqrt().recip();
        let along: f64 = (0..d).map(|c| grad[c] * w[c] * x[c]).sum();
        for c in 0..d {
            y.push(x[c] * root * w[c]);
            dx.push(root * grad[c] * w[c] - x[c] * root.powi(3) * along / d as f64);
            dw[c] += grad[c] * x[c] * root;
        }
    }
    [y, dx, dw]
}

/// Softmax of every row, and its gradient.
pub(super) fn softmax(x: &[f64], grad: &[f64], width: usize) -> [Vec<f64>; 2] {
    let (mut y, mut dx) = (vec![], vec![]);
    for (x, grad) in x.chunks(width).zip(grad.chunks(width)) {
        let most = x.iter().fold(f64::MIN, |most, x| most.max(*x));
        let sum: f64 = x.iter().map(|x| (x - most).exp()).sum();
        let row: Vec<f64> = x.iter().map(|x| (x - most).exp() / sum).collect();
        let along: f64 = row.iter().zip(grad).map(|(y, g)| y * g).sum();
        dx.extend(row.iter().zip(grad).map(|(y, g)| y * (g - along)));
        y.extend(row);
    }
    [y, dx]
}

/// The weights and both moments, one after the other, after a step of AdamW.
pub(super) fn adamw(
    weights: &[f64],
    grad: &[f64],
    scale: f64,
    moments: &[f64],
    step: &AdamwStep,
) -> (Vec<f64>, Vec<f64>) {
    let [lr, epsilon, decay] = [step.lr, step.epsilon, step.weight_decay].map(f64::from);
    let (betas, corrections) = (step.betas.map(f64::from), step.corrections.map(f64::from));
    let (mut weights, mut moments) = (weights.to_vec(), moments.to_vec());
    let (first, second) = moments.split_at_mut(weights.len());
    for (at, w) in weights.iter_mut().enumerate() {
        let g = scale * grad[at];
        first[at] = betas[0] * first[at] + (1.0 - betas[0]) * g;
        second[at] = betas[1] * second[at] + (1.0 - betas[1]) * g.powi(2);
        let root = (second[at] * corrections[1]).sqrt() + epsilon;
        *w = *w * (1.0 - lr * decay) - lr * first[at] * corrections[0] / root;
    }
    (weights, moments)
}

/// gelu_new and its slope.
pub(super) fn gelu_new(x: f64) -> (f64, f64) {
    let factor = (2.0 / std::f64::consts::PI).sqrt();
    let tanh = (factor * (x + 0.044_715 * x.powi(3))).tanh();
    let slope = factor * (1.0 + 3.0 * 0.044_715 * x * x);
    (
        0.5 * x * (1.0 + tanh),
        0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * slope,
    )
}

/// `W = Σ_i A_i ⊗ B_i`.
pub(super) fn kron_sum(a: &[f64], b: &[f64], n: usize, p: usize, q: usize) -> Vec<f64> {
    let mut w = vec![0.0; n * p * n * q];
    for i in 0..n {
        for (row, col) in (0..n * p).flat_map(|row| (0..n * q).map(move |col| (row, col))) {
            w[row * n * q + col] +=
                a[(i * n + row / p) * n + col / q] * b[(i * p + row % p) * q + col % q];
        }
    }
    w
}

/// Gradients of [`kron_sum`].
pub(super) fn kron_sum_backward(
    a: &[f64],
    b: &[f64],
    grad: &[f64],
    [n, p, q]: [usize; 3],
) -> [Vec<f64>; 2] {
    let (mut ga, mut gb) = (vec![0.0; a.len()], vec![0.0; b.len()]);
    for i in 0..n {
        for (row, col) in (0..n * p).flat_map(|row| (0..n * q).map(move |col| (row, col))) {
            let (at_a, at_b) = (
                (i * n + row / p) * n + col / q,
                (i * p + row % p) * q + col % q,
            );
            ga[at_a] += grad[row * n * q + col] * b[at_b];
            gb[at_b] += grad[row * n * q + col] * a[at_a];
        }
    }
    [ga, gb]
}

/// `B_i = s_i t_i`.
fn product(s: &[f64], t: &[f64], [n, p, q, r]: [usize; 4]) -> Vec<f64> {
    let mut b = vec![0.0; n * p * q];
    for (at, b) in b.iter_mut().enumerate() {
        let (i, row, col) = (at / (p * q), at / q % p, at % q);
        *b = (0..r)
            .map(|rho| s[(i * p + row) * r + rho] * t[(i * r + rho) * q + col])
            .sum();
    }
    b
}

/// The matrices `W` of both projections, and their `B`.
fn matrices(rule: &[f64], packed: &[f64], shape: &AdapterShape) -> [[Vec<f64>; 2]; 2] {
    let AdapterShape {
        n,
        rank: r,
        model: k,
        bottleneck: d,
    } = *shape;
    let parts = shape.parts().map(|(_, range, _)| &packed[range]);
    [(0, k, d), (3, d, k)].map(|(first, input, output)| {
        let b = product(
            parts[first],
            parts[first + 1],
            [n, input / n, output / n, r],
        );
        [kron_sum(rule, &b, n, input / n, output / n), b]
    })
}

fn matmul(x: &[f64], w: &[f64], input: usize, output: usize) -> Vec<f64> {
    let mut y = vec![0.0; x.len() / input * output];
    for (x, y) in x.chunks(input).zip(y.chunks_mut(output)) {
        for (x, w) in x.iter().zip(w.chunks(output)) {
            y.iter_mut().zip(w).for_each(|(y, w)| *y += x * w);
        }
    }
    y
}

fn transposed(w: &[f64], rows: usize, cols: usize) -> Vec<f64> {
    (0..w.len())
        .map(|at| w[at % rows * cols + at / rows])
        .collect()
}

fn inner(x: &[f64], w: &[f64], bias: &[f64], shape: &AdapterShape) -> Vec<f64> {
    let mut h = matmul(x, w, shape.model, shape.bottleneck);
    h.chunks_mut(shape.bottleneck)
        .for_each(|h| h.iter_mut().zip(bias).for_each(|(h, bias)| *h += bias));
    h
}

/// `y = x + up(gelu_new(down(x)))`.
pub(super) fn adapter_forward(
    x: &[f64],
    rule: &[f64],
    packed: &[f64],
    shape: &AdapterShape,
) -> Vec<f64> {
    let parts = shape.parts().map(|(_, range, _)| &packed[range]);
    let [[down, _], [up, _]] = matrices(rule, packed, shape);
    let g: Vec<f64> = inner(x, &down, parts[2], shape)
        .iter()
        .map(|h| gelu_new(*h).0)
        .collect();
    let y = matmul(&g, &up, shape.bottleneck, shape.model);
    (0..x.len())
        .map(|at| x[at] + y[at] + parts[5][at % shape.model])
        .collect()
}

/// Gradients by x, rule and packed parameters.
pub(super) fn adapter_backward(
    x: &[f64],
    rule: &[f64],
    packed: &[f64],
    grad: &[f64],
    shape: &AdapterShape,
) -> [Vec<f64>; 3] {
    let AdapterShape {
        n,
        rank: r,
        model: k,
        bottleneck: d,
    } = *shape;
    let rows = x.len() / k;
    let parts = shape.parts().map(|(_, range, _)| &packed[range]);
    let [[down, b_down], [up, b_up]] = matrices(rule, packed, shape);
    let h = inner(x, &down, parts[2], shape);
    let g: Vec<f64> = h.iter().map(|h| gelu_new(*h).0).collect();
    let mut gh = matmul(grad, &transposed(&up, d, k), k, d);
    gh.iter_mut()
        .zip(&h)
        .for_each(|(gh, h)| *gh *= gelu_new(*h).1);
    let mut gx = matmul(&gh, &transposed(&down, k, d), d, k);
    gx.iter_mut().zip(grad).for_each(|(gx, grad)| *gx += grad);
    let column_sums = |z: &[f64], width: usize| -> Vec<f64> {
        (0..width)
            .map(|col| z.iter().skip(col).step_by(width).sum())
            .collect()
    };
    let mut out_rule = vec![0.0; rule.len()];
    let mut side = |x: &[f64], grad: &[f64], b: &[f64], first: usize, [k, d]: [usize; 2]| {
        let gw = matmul(&transposed(x, rows, k), grad, rows, d);
        let (p, q) = (k / n, d / n);
        let [ga, gb] = kron_sum_backward(rule, b, &gw, [n, p, q]);
        out_rule.iter_mut().zip(ga).for_each(|(sum, ga)| *sum += ga);
        let (s, t) = (parts[first], parts[first + 1]);
        let (mut gs, mut gt) = (vec![0.0; s.len()], vec![0.0; t.len()]);
        for (at, gb) in gb.iter().enumerate() {
            let (i, row, col) = (at / (p * q), at / q % p, at % q);
            for rho in 0..r {
                gs[(i * p + row) * r + rho] += gb * t[(i * r + rho) * q + col];
                gt[(i * r + rho) * q + col] += gb * s[(i * p + row) * r + rho];
            }
        }
        [gs, gt, column_sums(grad, d)].concat()
    };
    let gdown = side(x, &gh, &b_down, 0, [k, d]);
    let gup = side(&g, grad, &b_up, 3, [d, k]);
    [gx, out_rule, [gdown, gup].concat()]
}

/// Dropout.
pub(super) fn dropout(x: &[f32], probability: f64, key: DropoutKey) -> Vec<f32> {
    let mask = DropoutMask::new(probability, key);
    let keep = |(element, x): (usize, &f32)| {
        if mask.keeps(element as u32) {
            x * mask.scale
        } else {
            0.0
        }
    };
    x.iter().enumerate().map(keep).collect()
}

/// What packed rows say; exact, so that there is nothing for f64 to add.
pub(super) use crate::packing::unpacked as unpack_rows;

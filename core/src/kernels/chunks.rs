//! The CPU loops over fixed chunks of rows, on several threads in a native build.
//!
//! The chunks do not depend on the number of threads and their sums are added in order, so that a
//! result is the same to the bit however the chunks are dealt out.

use super::lanes::ROWS;
use super::loops::{self, Adapter, Sums};
use super::{AdamwStep, DropoutMask, Spread, rows};

/// Rows of one chunk of an adapter: whole tiles, few enough to keep all cores busy.
const ADAPTER_ROWS: usize = 16 * ROWS;
/// Elements of one chunk of an operation on single elements.
const ELEMENTS: usize = 1 << 15;

/// Numbers of a Walsh–Hadamard transform that are done in a core's own cache.
const HADAMARD_BLOCK: usize = 1 << 13;
/// log2 of the most rows that one strided pass takes.
const HADAMARD_ROWS: u32 = 6;
/// Neighbours of each row that a strided pass takes at once.
const HADAMARD_RUN: usize = 256;
/// Most chunks of a gather, each with sums of its own.
const GATHER_CHUNKS: usize = 16;

/// Runs `work` on every chunk, with its index; the results in order.
fn each<T: Send>(
    chunk: usize,
    x: &[f32],
    out: &mut [f32],
    work: impl Fn(usize, &[f32], &mut [f32]) -> T + Sync,
) -> Vec<T> {
    each_pair([chunk; 2], x, out, work)
}

/// The same where the two have chunks of different lengths.
fn each_pair<T: Send>(
    [own, chunk]: [usize; 2],
    x: &[f32],
    out: &mut [f32],
    work: impl Fn(usize, &[f32], &mut [f32]) -> T + Sync,
) -> Vec<T> {
    #[cfg(feature = "native")]
    {
        use rayon::prelude::*;
        if out.len() > chunk {
            let pairs = x.par_chunks(own).zip(out.par_chunks_mut(chunk));
            return pairs
                .enumerate()
                .map(|(at, (x, out))| work(at, x, out))
                .collect();
        }
    }
    let pairs = x.chunks(own).zip(out.chunks_mut(chunk));
    pairs
        .enumerate()
        .map(|(at, (x, out))| work(at, x, out))
        .collect()
}

/// `x W^T` for few rows of x, `w: [out, width]`.
pub(super) fn few_rows(x: &[f32], width: usize, w: &[f32]) -> Vec<f32> {
    let (rows, out) = (x.len() / width, w.len() / width);
    let mut transposed = vec![0.0; rows * out]; // [out, rows]
    let own = whole_rows(width);
    each_pair([own, own / width * rows], w, &mut transposed, |_, w, y| {
        rows::few_rows(x, width, w, y);
    });
    if rows == 1 {
        return transposed;
    }
    let mut y = Vec::with_capacity(rows * out);
    for row in 0..rows {
        y.extend(transposed.iter().skip(row).step_by(rows));
    }
    y
}

/// `y += up(gelu_new(down(x)))` where y begins as a copy of x.
pub(super) fn adapter_forward(adapter: &Adapter<'_>, x: &[f32], y: &mut [f32]) {
    let chunk = ADAPTER_ROWS * adapter.shape().model;
    each(chunk, x, y, |_, x, y| loops::adapter_forward(adapter, x, y));
}

/// Turns `grad` into the gradient of x if `for_x`; sums of the parameters' gradients if `sums`.
pub(super) fn adapter_backward(
    adapter: &Adapter<'_>,
    x: &[f32],
    grad: &mut [f32],
    [sums, for_x]: [bool; 2],
) -> Option<Sums> {
    let chunk = ADAPTER_ROWS * adapter.shape().model;
    let parts = each(chunk, x, grad, |_, x, grad| {
        let mut part = sums.then(|| Sums::new(&adapter.shape()));
        loops::adapter_backward(adapter, x, grad, &mut part, for_x);
        part
    });
    let none = sums.then(|| Sums::new(&adapter.shape()));
    parts
        .into_iter()
        .flatten()
        .fold(none, |all, part| all.map(|all| all.plus(&part)))
}

/// `y = x / sqrt(mean(x²) + ε) · w` of every row.
pub(super) fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32, y: &mut [f32]) {
    each(whole_rows(weight.len()), x, y, |_, x, y| {
        rows::rms_norm(x, weight, epsilon, y);
    });
}

/// Turns the gradient of rms_norm's output into that of x; gives that of the weight if asked for.
pub(super) fn rms_norm_backward(
    x: &[f32],
    weight: &[f32],
    epsilon: f32,
    grad: &mut [f32],
    for_weight: bool,
) -> Vec<f32> {
    let width = if for_weight { weight.len() } else { 0 };
    let parts = each(whole_rows(weight.len()), x, grad, |_, x, grad| {
        let mut sums = vec![0.0; width];
        rows::rms_norm_backward(x, weight, epsilon, grad, &mut sums);
        sums
    });
    let mut total = vec![0.0; width];
    for part in parts {
        let pairs = total.iter_mut().zip(part);
        pairs.for_each(|(total, part)| *total += part);
    }
    total
}

/// Turns the gradient of softmax's output y into that of its input.
pub(super) fn softmax_backward(y: &[f32], width: usize, grad: &mut [f32]) {
    each(whole_rows(width), y, grad, |_, y, grad| {
        rows::softmax_backward(y, width, grad);
    });
}

/// The elements of a chunk that ends with a row.
fn whole_rows(width: usize) -> usize {
    (ELEMENTS / width.max(1)).max(1) * width.max(1)
}

/// gelu_new of every element.
pub(super) fn gelu_new(x: &[f32], out: &mut [f32]) {
    each(ELEMENTS, x, out, |_, x, out| loops::gelu_new(x, out));
}

/// Turns the gradient of gelu_new's output into that of its input.
pub(super) fn gelu_new_backward(x: &[f32], grad: &mut [f32]) {
    each(ELEMENTS, x, grad, |_, x, grad| {
        loops::gelu_new_backward(x, grad)
    });
}

/// Dropout in place.
pub(super) fn dropout(mask: DropoutMask, x: &mut [f32]) {
    let first = |chunk: usize| (chunk * ELEMENTS) as u32;
    #[cfg(feature = "native")]
    {
        use rayon::prelude::*;
        let chunks = x.par_chunks_mut(ELEMENTS).enumerate();
        chunks.for_each(|(at, x)| loops::dropout(mask, first(at), x));
    }
    #[cfg(not(feature = "native"))]
    for (at, x) in x.chunks_mut(ELEMENTS).enumerate() {
        loops::dropout(mask, first(at), x);
    }
}

/// A step of AdamW in place; `moments` holds the first of all, then the second.
pub(super) fn adamw(
    step: &AdamwStep,
    scale: f32,
    grad: &[f32],
    weights: &mut [f32],
    moments: &mut [f32],
) {
    let (first, second) = moments.split_at_mut(weights.len());
    let moments = first.chunks_mut(ELEMENTS).zip(second.chunks_mut(ELEMENTS));
    let numbers = weights.chunks_mut(ELEMENTS).zip(grad.chunks(ELEMENTS));
    all(numbers.zip(moments).collect(), |((w, g), (m, v))| {
        rows::adamw(step, scale, g, w, [m, v]);
    });
}

/// f32 from words of two halves.
pub(super) fn unpack_f16(words: &[u32], out: &mut [f32]) {
    const WORDS: usize = ELEMENTS / 2;
    #[cfg(feature = "native")]
    {
        use rayon::prelude::*;
        let pairs = words.par_chunks(WORDS).zip(out.par_chunks_mut(ELEMENTS));
        pairs.for_each(|(words, out)| loops::unpack_f16(words, out));
    }
    #[cfg(not(feature = "native"))]
    for (words, out) in words.chunks(WORDS).zip(out.chunks_mut(ELEMENTS)) {
        loops::unpack_f16(words, out);
    }
}

/// f32 from words of four integers, whose groups are as many as the scales.
pub(super) fn unpack_int8(words: &[u32], scales: &[f32], out: &mut [f32]) {
    if scales.is_empty() {
        return;
    }
    let group = out.len() / scales.len();
    let groups = (ELEMENTS / group).max(1);
    #[cfg(feature = "native")]
    {
        use rayon::prelude::*;
        let inputs = words
            .par_chunks(groups * group / 4)
            .zip(scales.par_chunks(groups));
        let all = inputs.zip(out.par_chunks_mut(groups * group));
        all.for_each(|((words, scales), out)| loops::unpack_int8(words, scales, out));
    }
    #[cfg(not(feature = "native"))]
    {
        let inputs = words.chunks(groups * group / 4).zip(scales.chunks(groups));
        for ((words, scales), out) in inputs.zip(out.chunks_mut(groups * group)) {
            loops::unpack_int8(words, scales, out);
        }
    }
}

/// `x *= scale`.
pub(super) fn scale(x: &mut [f32], scale: f32) {
    if scale != 1.0 {
        all(x.chunks_mut(ELEMENTS).collect(), |x: &mut [f32]| {
            x.iter_mut().for_each(|x| *x *= scale);
        });
    }
}

/// Runs `work` on every one of some parts.
pub(super) fn all<T: Send>(parts: Vec<T>, work: impl Fn(T) + Sync + Send) {
    #[cfg(feature = "native")]
    {
        use rayon::prelude::*;
        parts.into_par_iter().for_each(work);
    }
    #[cfg(not(feature = "native"))]
    parts.into_iter().for_each(work);
}

/// Walsh–Hadamard transform in place, of a power of two: blocks first, then passes over rows of
/// blocks that are far apart.
pub(super) fn hadamard(x: &mut [f32]) {
    let size = x.len();
    all(x.chunks_mut(HADAMARD_BLOCK).collect(), loops::hadamard);
    let mut stride = HADAMARD_BLOCK.min(size);
    while stride < size {
        let rows = (size / stride).min(1 << HADAMARD_ROWS);
        let mut parts = Vec::with_capacity(size / (rows * HADAMARD_RUN));
        for block in x.chunks_mut(rows * stride) {
            let mut runs: Vec<_> = block
                .chunks_mut(stride)
                .map(|row| row.chunks_mut(HADAMARD_RUN))
                .collect();
            for _ in 0..stride / HADAMARD_RUN {
                parts.push(runs.iter_mut().filter_map(Iterator::next).collect());
            }
        }
        all(parts, |mut rows: Vec<&mut [f32]>| {
            loops::hadamard_rows(&mut rows)
        });
        stride *= rows;
    }
}

/// `z[j] = G[j] · h[Π(j) mod P]`.
pub(super) fn fastfood_spread(spread: &Spread, h: &[f32], levels: &[f32], z: &mut [f32]) {
    let parts = z.chunks_mut(ELEMENTS).enumerate().collect();
    all(parts, |(at, z): (usize, &mut [f32])| {
        loops::fastfood_spread(spread, (at * ELEMENTS) as u32, h, levels, z);
    });
}

/// The transpose of [`fastfood_spread`]: a chunk of z adds to sums of its own.
pub(super) fn fastfood_gather(spread: &Spread, z: &[f32], levels: &[f32]) -> Vec<f32> {
    let period = spread.period();
    let chunk = z.len().div_ceil(GATHER_CHUNKS).max(ELEMENTS);
    let mut sums = vec![vec![0.0; period]; z.len().div_ceil(chunk)];
    let parts = z.chunks(chunk).zip(&mut sums).enumerate().collect();
    all(
        parts,
        |(at, (z, sums)): (usize, (&[f32], &mut Vec<f32>))| {
            loops::fastfood_gather(spread, (at * chunk) as u32, z, levels, sums);
        },
    );
    let mut sums = sums.into_iter();
    let mut total = sums.next().unwrap_or_else(|| vec![0.0; period]);
    for more in sums {
        total
            .iter_mut()
            .zip(more)
            .for_each(|(sum, more)| *sum += more);
    }
    total
}

//! The CPU loops over fixed chunks of rows, on several threads in a native build.
//!
//! The chunks do not depend on the number of threads and their sums are added in order, so that a
//! result is the same to the bit however the chunks are dealt out.

use super::DropoutMask;
use super::lanes::ROWS;
use super::loops::{self, Adapter, Sums};

/// Rows of one chunk of an adapter: whole tiles, few enough to keep all cores busy.
const ADAPTER_ROWS: usize = 16 * ROWS;
/// Elements of one chunk of an operation on single elements.
const ELEMENTS: usize = 1 << 15;

/// Runs `work` on every chunk, with its index; the results in order.
fn each<T: Send>(
    chunk: usize,
    x: &[f32],
    out: &mut [f32],
    work: impl Fn(usize, &[f32], &mut [f32]) -> T + Sync,
) -> Vec<T> {
    #[cfg(feature = "native")]
    {
        use rayon::prelude::*;
        if out.len() > chunk {
            let pairs = x.par_chunks(chunk).zip(out.par_chunks_mut(chunk));
            return pairs
                .enumerate()
                .map(|(at, (x, out))| work(at, x, out))
                .collect();
        }
    }
    let pairs = x.chunks(chunk).zip(out.chunks_mut(chunk));
    pairs
        .enumerate()
        .map(|(at, (x, out))| work(at, x, out))
        .collect()
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

//! Plain f32 loops of the CPU backend, written so that the compiler vectorises them.
//!
//! Rows are taken in tiles of `ROWS`: the wide products run along the model's width, everything
//! as small as the bottleneck runs across the rows of a tile, one vector lane per row.

use super::lanes::{
    ROWS, Rows, add_rows, dot, fma, mix, narrow_in, narrow_out, narrow_sums, rule_sums, wide_in,
    wide_out, wide_sums,
};
use super::versions::versions;
use super::{AdapterShape, DropoutMask, Spread};
use crate::packing::half_value;

/// `e^x` for |x| ≤ 80, to about an ulp (Cephes' polynomial).
#[inline(always)]
fn exp<const FMA: bool>(x: f32) -> f32 {
    // Adding 1.5·2²³ rounds to an integer, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let shifted = fma::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let whole = shifted - ROUND;
    let rest = fma::<FMA>(whole, 2.121_944_4e-4, fma::<FMA>(whole, -0.693_359_4, x));
    let mut value = 1.987_569_1e-4;
    for factor in [
        1.398_2e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
        1.0,
        1.0,
    ] {
        value = fma::<FMA>(value, rest, factor);
    }
    let power = (shifted.to_bits().wrapping_sub(ROUND.to_bits()) << 23).wrapping_add(0x3f80_0000);
    value * f32::from_bits(power)
}

/// gelu_new as `x·sigmoid(2z)`, which has no cancellation, and its slope.
#[inline(always)]
fn gelu<const FMA: bool>(x: f32) -> (f32, f32) {
    const FACTOR: f32 = 1.595_769; // 2·√(2/π)
    const CUBIC: f32 = 0.044_715;
    let square = x * x;
    let inner = (FACTOR * x * fma::<FMA>(CUBIC, square, 1.0)).clamp(-80.0, 80.0);
    let sigmoid = 1.0 / (1.0 + exp::<FMA>(-inner));
    let slope = FACTOR * fma::<FMA>(3.0 * CUBIC, square, 1.0);
    let tail = sigmoid * (1.0 - sigmoid);
    (x * sigmoid, fma::<FMA>(x * tail, slope, sigmoid))
}

#[inline(always)]
fn gelu_body<const FMA: bool>(x: &[f32], out: &mut [f32]) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out = gelu::<FMA>(x).0;
    }
}

#[inline(always)]
fn gelu_backward_body<const FMA: bool>(x: &[f32], grad: &mut [f32]) {
    for (grad, &x) in grad.iter_mut().zip(x) {
        *grad *= gelu::<FMA>(x).1;
    }
}

#[inline(always)]
fn dropout_body<const FMA: bool>(mask: DropoutMask, first: u32, x: &mut [f32]) {
    for (element, x) in (first..).zip(x) {
        *x = if mask.keeps(element) {
            *x * mask.scale
        } else {
            0.0
        };
    }
}

#[inline(always)]
fn unpack_f16_body<const FMA: bool>(words: &[u32], out: &mut [f32]) {
    for (out, &word) in out.as_chunks_mut::<2>().0.iter_mut().zip(words) {
        *out = [half_value(word as u16), half_value((word >> 16) as u16)];
    }
}

#[inline(always)]
fn unpack_int8_body<const FMA: bool>(words: &[u32], scales: &[f32], out: &mut [f32]) {
    if scales.is_empty() {
        return;
    }
    let group = out.len() / scales.len();
    let groups = words
        .chunks_exact(group / 4)
        .zip(out.chunks_exact_mut(group));
    for (&scale, (words, out)) in scales.iter().zip(groups) {
        for (out, &word) in out.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *out = word.to_le_bytes().map(|byte| f32::from(byte as i8) * scale);
        }
    }
}

/// Sums and differences of two runs of equal length.
#[inline(always)]
fn butterfly(a: &mut [f32], b: &mut [f32]) {
    for (a, b) in a.iter_mut().zip(b) {
        (*a, *b) = (*a + *b, *a - *b);
    }
}

#[inline(always)]
fn hadamard_body<const FMA: bool>(x: &mut [f32]) {
    let mut half = 1;
    while half < x.len() {
        for pair in x.chunks_exact_mut(2 * half) {
            let (a, b) = pair.split_at_mut(half);
            butterfly(a, b);
        }
        half *= 2;
    }
}

#[inline(always)]
fn hadamard_rows_body<const FMA: bool>(rows: &mut [&mut [f32]]) {
    let mut half = 1;
    while half < rows.len() {
        for pair in rows.chunks_exact_mut(2 * half) {
            let (a, b) = pair.split_at_mut(half);
            a.iter_mut().zip(b).for_each(|(a, b)| butterfly(a, b));
        }
        half *= 2;
    }
}

/// Numbers whose places in tables are computed together.
const PLACES: usize = 64;

/// `Π(j) mod P` and G's level of [`PLACES`] numbers from `first` on: apart from the tables, so that
/// it runs in vectors.
#[inline(always)]
fn places(spread: &Spread, first: u32, period: u32) -> [[u32; PLACES]; 2] {
    let (mut places, mut ids) = ([0; PLACES], [0; PLACES]);
    for (j, (place, id)) in (first..).zip(places.iter_mut().zip(&mut ids)) {
        *place = spread.permuted(j) & period;
        *id = spread.level(j) as u32;
    }
    [places, ids]
}

#[inline(always)]
fn fastfood_spread_body<const FMA: bool>(
    spread: &Spread,
    first: u32,
    h: &[f32],
    levels: &[f32],
    z: &mut [f32],
) {
    let period = (h.len() - 1) as u32;
    for (block, z) in z.chunks_mut(PLACES).enumerate() {
        let [places, ids] = places(spread, first + (block * PLACES) as u32, period);
        for ((z, place), id) in z.iter_mut().zip(places).zip(ids) {
            *z = levels[id as usize] * h[place as usize];
        }
    }
}

#[inline(always)]
fn fastfood_gather_body<const FMA: bool>(
    spread: &Spread,
    first: u32,
    z: &[f32],
    levels: &[f32],
    sums: &mut [f32],
) {
    let period = (sums.len() - 1) as u32;
    for (block, z) in z.chunks(PLACES).enumerate() {
        let [places, ids] = places(spread, first + (block * PLACES) as u32, period);
        for ((z, place), id) in z.iter().zip(places).zip(ids) {
            sums[place as usize] += levels[id as usize] * z;
        }
    }
}

versions!(
    /// Walsh–Hadamard transform in place, of a power of two.
    hadamard = hadamard_body(x: &mut [f32])
);
versions!(
    /// The same across rows of equal length, as many as a power of two.
    hadamard_rows = hadamard_rows_body(rows: &mut [&mut [f32]])
);
versions!(
    /// `z[j] = G[j] · h[Π(j) mod P]` from j = `first` on.
    fastfood_spread = fastfood_spread_body(
        spread: &Spread, first: u32, h: &[f32], levels: &[f32], z: &mut [f32]
    )
);
versions!(
    /// Adds what each z[j] gives to the gradient of h.
    fastfood_gather = fastfood_gather_body(
        spread: &Spread, first: u32, z: &[f32], levels: &[f32], sums: &mut [f32]
    )
);
versions!(
    /// f32 from words of two halves.
    unpack_f16 = unpack_f16_body(words: &[u32], out: &mut [f32])
);
versions!(
    /// f32 from words of four integers and a scale for each of their groups.
    unpack_int8 = unpack_int8_body(words: &[u32], scales: &[f32], out: &mut [f32])
);
versions!(
    /// gelu_new of every element.
    gelu_new = gelu_body(x: &[f32], out: &mut [f32])
);
versions!(
    /// Turns the gradient of gelu_new's output into that of its input.
    gelu_new_backward = gelu_backward_body(x: &[f32], grad: &mut [f32])
);
versions!(
    /// Dropout in place; `first` is the index of the first element in its tensor.
    dropout = dropout_body(mask: DropoutMask, first: u32, x: &mut [f32])
);
versions!(
    /// `y += up(gelu_new(down(x)))` where y begins as a copy of x.
    adapter_forward = forward_body(adapter: &Adapter<'_>, x: &[f32], y: &mut [f32])
);
versions!(
    /// Adds the parameters' gradients to `sums`; turns `grad` into the gradient of x if asked.
    adapter_backward = backward_body(
        adapter: &Adapter<'_>, x: &[f32], grad: &mut [f32], sums: &mut Option<Sums>, for_x: bool
    )
);

/// The parameters with every factor's channels `(i, ρ)` outermost.
pub(super) struct Adapter<'a> {
    shape: AdapterShape,
    rule: &'a [f32],
    s_down: Vec<f32>,
    t_down: &'a [f32],
    b_down: &'a [f32],
    s_up: Vec<f32>,
    t_up: &'a [f32],
    b_up: &'a [f32],
}

/// `[n, width, r]` to `[n·r, width]`, or back.
fn channels_first(part: &[f32], n: usize, width: usize, r: usize, back: bool) -> Vec<f32> {
    if r == 1 {
        return part.to_vec();
    }
    let mut out = vec![0.0; part.len()];
    for i in 0..n {
        for p in 0..width {
            for rho in 0..r {
                let (packed, wide) = ((i * width + p) * r + rho, (i * r + rho) * width + p);
                if back {
                    out[packed] = part[wide];
                } else {
                    out[wide] = part[packed];
                }
            }
        }
    }
    out
}

impl<'a> Adapter<'a> {
    pub(super) fn shape(&self) -> AdapterShape {
        self.shape
    }

    pub(super) fn new(shape: AdapterShape, rule: &'a [f32], packed: &'a [f32]) -> Self {
        let AdapterShape {
            n,
            rank: r,
            model: k,
            bottleneck: d,
        } = shape;
        let [s_down, t_down, b_down, s_up, t_up, b_up] =
            shape.parts().map(|(_, range, _)| &packed[range]);
        Self {
            shape,
            rule,
            s_down: channels_first(s_down, n, k / n, r, false),
            t_down,
            b_down,
            s_up: channels_first(s_up, n, d / n, r, false),
            t_up,
            b_up,
        }
    }
}

/// Sums of parameter gradients, `s` with channels outermost.
pub(super) struct Sums {
    pub(super) rule: Vec<f32>,
    parts: [Vec<f32>; 6],
}

impl Sums {
    pub(super) fn new(shape: &AdapterShape) -> Self {
        let parts = shape.parts().map(|(_, range, _)| vec![0.0; range.len()]);
        Self {
            rule: vec![0.0; shape.rule_len()],
            parts,
        }
    }

    /// Both together.
    pub(super) fn plus(mut self, other: &Self) -> Self {
        let add = |sums: &mut Vec<f32>, other: &Vec<f32>| {
            sums.iter_mut()
                .zip(other)
                .for_each(|(sum, other)| *sum += other);
        };
        add(&mut self.rule, &other.rule);
        for (part, other) in self.parts.iter_mut().zip(&other.parts) {
            add(part, other);
        }
        self
    }

    /// The packed tensor's gradient and the rule's.
    pub(super) fn finish(self, shape: &AdapterShape) -> (Vec<f32>, Vec<f32>) {
        let AdapterShape {
            n,
            rank: r,
            model: k,
            bottleneck: d,
        } = *shape;
        let [s_down, t_down, b_down, s_up, t_up, b_up] = self.parts;
        let s_down = channels_first(&s_down, n, k / n, r, true);
        let s_up = channels_first(&s_up, n, d / n, r, true);
        (
            [s_down, t_down, b_down, s_up, t_up, b_up].concat(),
            self.rule,
        )
    }
}

/// What one tile's forward pass leaves: `u`, `v` of both projections, `h`, `gelu(h)`, its slope.
struct Tile {
    u: [Vec<Rows>; 2],
    v: [Vec<Rows>; 2],
    h: Vec<Rows>,
    g: Vec<Rows>,
    slope: Vec<Rows>,
}

impl Tile {
    fn new(shape: &AdapterShape) -> Self {
        let small = || vec![[0.0; ROWS]; shape.n * shape.n * shape.rank];
        let inner = || vec![[0.0; ROWS]; shape.bottleneck];
        Self {
            u: [small(), small()],
            v: [small(), small()],
            h: inner(),
            g: inner(),
            slope: inner(),
        }
    }

    #[inline(always)]
    fn forward<const FMA: bool>(&mut self, adapter: &Adapter<'_>, x: &[f32]) {
        let (n, r) = (adapter.shape.n, adapter.shape.rank);
        let ([u1, u2], [v1, v2]) = (&mut self.u, &mut self.v);
        wide_in::<FMA>(x, &adapter.s_down, n, n * r, u1);
        mix::<FMA, false>(adapter.rule, u1, n, r, v1);
        for (h, bias) in self.h.iter_mut().zip(adapter.b_down) {
            *h = [*bias; ROWS];
        }
        narrow_out::<FMA>(v1, adapter.t_down, n * r, &mut self.h);
        for (h, (g, slope)) in self.h.iter().zip(self.g.iter_mut().zip(&mut self.slope)) {
            for row in 0..ROWS {
                (g[row], slope[row]) = gelu::<FMA>(h[row]);
            }
        }
        narrow_in::<FMA>(&self.g, &adapter.s_up, n * r, u2);
        mix::<FMA, false>(adapter.rule, u2, n, r, v2);
    }
}

#[inline(always)]
fn forward_body<const FMA: bool>(adapter: &Adapter<'_>, x: &[f32], y: &mut [f32]) {
    let AdapterShape {
        n,
        rank: r,
        model: k,
        ..
    } = adapter.shape;
    let mut tile = Tile::new(&adapter.shape);
    for (x, y) in x.chunks(ROWS * k).zip(y.chunks_mut(ROWS * k)) {
        tile.forward::<FMA>(adapter, x);
        for y in y.chunks_exact_mut(k) {
            add_rows::<FMA, 1>(y, [1.0], [adapter.b_up]);
        }
        wide_out::<FMA>(&tile.v[1], adapter.t_up, n, n * r, y);
    }
}

#[inline(always)]
fn backward_body<const FMA: bool>(
    adapter: &Adapter<'_>,
    x: &[f32],
    grad: &mut [f32],
    sums: &mut Option<Sums>,
    for_x: bool,
) {
    let AdapterShape {
        n,
        rank: r,
        model: k,
        bottleneck: d,
    } = adapter.shape;
    let channels = n * r;
    let mut tile = Tile::new(&adapter.shape);
    let small = || vec![[0.0f32; ROWS]; n * channels];
    let [mut gv, mut gu] = [small(), small()];
    let mut gh = vec![[0.0f32; ROWS]; d];
    for (x, grad) in x.chunks(ROWS * k).zip(grad.chunks_mut(ROWS * k)) {
        if x.len() < ROWS * k {
            // Rows that the last tile lacks: their gradients must be zero.
            gv.fill([0.0; ROWS]);
        }
        tile.forward::<FMA>(adapter, x);
        wide_in::<FMA>(grad, adapter.t_up, n, channels, &mut gv);
        mix::<FMA, true>(adapter.rule, &gv, n, r, &mut gu);
        gh.fill([0.0; ROWS]);
        narrow_out::<FMA>(&gu, &adapter.s_up, channels, &mut gh);
        if let Some(Sums {
            rule,
            parts: [_, _, _, s_up, t_up, b_up],
        }) = sums
        {
            wide_sums::<FMA>(&tile.v[1], grad, n, channels, t_up);
            for grad in grad.chunks_exact(k) {
                add_rows::<FMA, 1>(b_up, [1.0], [grad]);
            }
            rule_sums(&tile.u[1], &gv, n, r, rule);
            narrow_sums(&gu, &tile.g, channels, s_up);
        }
        for (gh, slope) in gh.iter_mut().zip(&tile.slope) {
            for row in 0..ROWS {
                gh[row] *= slope[row];
            }
        }
        narrow_in::<FMA>(&gh, adapter.t_down, channels, &mut gv);
        mix::<FMA, true>(adapter.rule, &gv, n, r, &mut gu);
        if let Some(Sums {
            rule,
            parts: [s_down, t_down, b_down, ..],
        }) = sums
        {
            narrow_sums(&tile.v[0], &gh, channels, t_down);
            for (sum, gh) in b_down.iter_mut().zip(&gh) {
                *sum += dot(gh, &[1.0; ROWS]);
            }
            rule_sums(&tile.u[0], &gv, n, r, rule);
            wide_sums::<FMA>(&gu, x, n, channels, s_down);
        }
        if for_x {
            wide_out::<FMA>(&gu, &adapter.s_down, n, channels, grad);
        }
    }
}

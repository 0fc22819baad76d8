//! Plain f32 loops of the CPU backend, written so that the compiler vectorises them.
//!
//! Rows are taken in tiles of [`ROWS`]: the wide products run along the model's width, everything
//! as small as the bottleneck runs across the rows of a tile, one vector lane per row.

use super::{AdapterShape, DropoutMask};

/// Rows of a tile.
const ROWS: usize = 8;
/// Elements that the wide loops take at once.
const LANES: usize = 16;
/// One value for each row of a tile.
type Rows = [f32; ROWS];

/// Compiles `$body` for the vector units that there may be, and picks at run time.
macro_rules! versions {
    ($(#[$doc:meta])* $name:ident = $body:ident($($arg:ident: $kind:ty),*)) => {
        $(#[$doc])*
        pub(super) fn $name($($arg: $kind),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx2,fma")]
                fn v4($($arg: $kind),*) {
                    $body::<true>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn v3($($arg: $kind),*) {
                    $body::<true>($($arg),*)
                }
                let avx2 = std::arch::is_x86_feature_detected!("avx2")
                    && std::arch::is_x86_feature_detected!("fma");
                if avx2 && std::arch::is_x86_feature_detected!("avx512f") {
                    // SAFETY: the processor has just said that it has these features.
                    return unsafe { v4($($arg),*) };
                }
                if avx2 {
                    // SAFETY: as above.
                    return unsafe { v3($($arg),*) };
                }
            }
            $body::<false>($($arg),*)
        }
    };
}

/// `a·b + c`, fused where that is one instruction (elsewhere it is a slow library call).
#[inline(always)]
fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

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
    const FACTOR: f32 = 1.595_769_1; // 2·√(2/π)
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
fn dropout_body<const FMA: bool>(mask: DropoutMask, x: &mut [f32]) {
    for (element, x) in x.iter_mut().enumerate() {
        *x = if mask.keeps(element as u32) {
            *x * mask.scale
        } else {
            0.0
        };
    }
}

versions!(
    /// gelu_new of every element.
    gelu_new = gelu_body(x: &[f32], out: &mut [f32])
);
versions!(
    /// Turns the gradient of gelu_new's output into that of its input.
    gelu_new_backward = gelu_backward_body(x: &[f32], grad: &mut [f32])
);
versions!(
    /// Dropout in place.
    dropout = dropout_body(mask: DropoutMask, x: &mut [f32])
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

/// Four rows of a matrix, from row `first`.
#[inline(always)]
fn four(matrix: &[f32], first: usize, width: usize) -> [&[f32]; 4] {
    std::array::from_fn(|index| &matrix[(first + index) * width..(first + index + 1) * width])
}

/// Dot products of x with `N` rows.
#[inline(always)]
fn dots<const FMA: bool, const N: usize>(x: &[f32], rows: [&[f32]; N]) -> [f32; N] {
    let mut lanes = [[0.0f32; LANES]; N];
    let whole = x.len() / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        let x = &x[start..start + LANES];
        for (lanes, row) in lanes.iter_mut().zip(rows) {
            let row = &row[start..start + LANES];
            for lane in 0..LANES {
                lanes[lane] = fma::<FMA>(x[lane], row[lane], lanes[lane]);
            }
        }
    }
    std::array::from_fn(|index| {
        let mut sums = lanes[index];
        for half in [8, 4, 2, 1] {
            for lane in 0..half {
                sums[lane] += sums[lane + half];
            }
        }
        let rest = x[whole..].iter().zip(&rows[index][whole..]);
        rest.fold(sums[0], |sum, (x, row)| fma::<FMA>(*x, *row, sum))
    })
}

/// `out += Σ factor·row`.
#[inline(always)]
fn add_rows<const FMA: bool, const N: usize>(
    out: &mut [f32],
    factors: [f32; N],
    rows: [&[f32]; N],
) {
    let rows = rows.map(|row| &row[..out.len()]);
    for (q, out) in out.iter_mut().enumerate() {
        let mut sum = *out;
        for index in 0..N {
            sum = fma::<FMA>(factors[index], rows[index][q], sum);
        }
        *out = sum;
    }
}

/// `u[block, channel] = Σ_p x[block, p]·m[channel, p]` of wide rows.
#[inline(always)]
fn wide_in<const FMA: bool>(x: &[f32], m: &[f32], n: usize, channels: usize, u: &mut [Rows]) {
    let width = m.len() / channels;
    for (row, x) in x.chunks_exact(n * width).enumerate() {
        for (block, x) in x.chunks_exact(width).enumerate() {
            let u = &mut u[block * channels..(block + 1) * channels];
            let mut channel = 0;
            while channel + 4 <= channels {
                let sums = dots::<FMA, 4>(x, four(m, channel, width));
                for index in 0..4 {
                    u[channel + index][row] = sums[index];
                }
                channel += 4;
            }
            for channel in channel..channels {
                u[channel][row] = dots::<FMA, 1>(x, [&m[channel * width..][..width]])[0];
            }
        }
    }
}

/// `y[block, q] += Σ_channel v[block, channel]·m[channel, q]` of wide rows.
#[inline(always)]
fn wide_out<const FMA: bool>(v: &[Rows], m: &[f32], n: usize, channels: usize, y: &mut [f32]) {
    let width = m.len() / channels;
    for (row, y) in y.chunks_exact_mut(n * width).enumerate() {
        for (block, y) in y.chunks_exact_mut(width).enumerate() {
            let v = &v[block * channels..(block + 1) * channels];
            let mut channel = 0;
            while channel + 4 <= channels {
                let factors = std::array::from_fn(|index| v[channel + index][row]);
                add_rows::<FMA, 4>(y, factors, four(m, channel, width));
                channel += 4;
            }
            for channel in channel..channels {
                add_rows::<FMA, 1>(y, [v[channel][row]], [&m[channel * width..][..width]]);
            }
        }
    }
}

/// `sums[channel, p] += Σ_{row, block} v[block, channel]·z[row, block, p]` of wide rows.
#[inline(always)]
fn wide_sums<const FMA: bool>(v: &[Rows], z: &[f32], n: usize, channels: usize, sums: &mut [f32]) {
    let width = sums.len() / channels;
    let rows = z.len() / (n * width);
    let whole = width / LANES * LANES;
    let mut first = 0;
    while first < channels {
        let count = if first + 4 <= channels { 4 } else { 1 };
        for start in (0..whole).step_by(LANES) {
            if count == 4 {
                sum_block::<FMA, 4>(v, z, [n, channels, rows, width, first, start], sums);
            } else {
                sum_block::<FMA, 1>(v, z, [n, channels, rows, width, first, start], sums);
            }
        }
        for channel in first..first + count {
            for p in whole..width {
                let mut sum = sums[channel * width + p];
                for row in 0..rows {
                    for block in 0..n {
                        let factor = v[block * channels + channel][row];
                        sum = fma::<FMA>(factor, z[(row * n + block) * width + p], sum);
                    }
                }
                sums[channel * width + p] = sum;
            }
        }
        first += count;
    }
}

/// [`wide_sums`] for `N` channels and [`LANES`] elements, held in registers.
#[inline(always)]
fn sum_block<const FMA: bool, const N: usize>(
    v: &[Rows],
    z: &[f32],
    [n, channels, rows, width, first, start]: [usize; 6],
    sums: &mut [f32],
) {
    let mut lanes = [[0.0f32; LANES]; N];
    for block in 0..n {
        let v = &v[block * channels + first..][..N];
        for row in 0..rows.min(ROWS) {
            let z = &z[(row * n + block) * width + start..][..LANES];
            for index in 0..N {
                let factor = v[index][row];
                for lane in 0..LANES {
                    lanes[index][lane] = fma::<FMA>(factor, z[lane], lanes[index][lane]);
                }
            }
        }
    }
    for (index, lanes) in lanes.iter().enumerate() {
        let sums = &mut sums[(first + index) * width + start..][..LANES];
        for lane in 0..LANES {
            sums[lane] += lanes[lane];
        }
    }
}

#[inline(always)]
fn add<const FMA: bool>(out: &mut Rows, factor: f32, x: &Rows) {
    for row in 0..ROWS {
        out[row] = fma::<FMA>(factor, x[row], out[row]);
    }
}

#[inline(always)]
fn dot(a: &Rows, b: &Rows) -> f32 {
    let mut products: Rows = std::array::from_fn(|row| a[row] * b[row]);
    for half in [4, 2, 1] {
        for row in 0..half {
            products[row] += products[row + half];
        }
    }
    products[0]
}

/// `v[c, (i, ρ)] = Σ_a A[i, a, c]·u[a, (i, ρ)]`, or with `A_i` transposed.
#[inline(always)]
fn mix<const FMA: bool, const TRANSPOSED: bool>(
    rule: &[f32],
    u: &[Rows],
    n: usize,
    r: usize,
    v: &mut [Rows],
) {
    let channels = n * r;
    for (c, v) in v.chunks_exact_mut(channels).enumerate() {
        for (channel, v) in v.iter_mut().enumerate() {
            let rule = &rule[channel / r * n * n..][..n * n];
            *v = [0.0; ROWS];
            for a in 0..n {
                let factor = if TRANSPOSED {
                    rule[c * n + a]
                } else {
                    rule[a * n + c]
                };
                add::<FMA>(v, factor, &u[a * channels + channel]);
            }
        }
    }
}

/// `out[block, q] += Σ_channel v[block, channel]·m[channel, q]` of narrow rows.
#[inline(always)]
fn narrow_out<const FMA: bool>(v: &[Rows], m: &[f32], channels: usize, out: &mut [Rows]) {
    let width = m.len() / channels;
    for (v, out) in v.chunks_exact(channels).zip(out.chunks_exact_mut(width)) {
        for (q, out) in out.iter_mut().enumerate() {
            for (channel, v) in v.iter().enumerate() {
                add::<FMA>(out, m[channel * width + q], v);
            }
        }
    }
}

/// `u[block, channel] = Σ_p x[block, p]·m[channel, p]` of narrow rows.
#[inline(always)]
fn narrow_in<const FMA: bool>(x: &[Rows], m: &[f32], channels: usize, u: &mut [Rows]) {
    let width = m.len() / channels;
    for (x, u) in x.chunks_exact(width).zip(u.chunks_exact_mut(channels)) {
        for (m, u) in m.chunks_exact(width).zip(u) {
            *u = [0.0; ROWS];
            for (factor, x) in m.iter().zip(x) {
                add::<FMA>(u, *factor, x);
            }
        }
    }
}

/// `sums[channel, p] += Σ_{row, block} v[block, channel]·z[block, p]` of narrow rows.
#[inline(always)]
fn narrow_sums(v: &[Rows], z: &[Rows], channels: usize, sums: &mut [f32]) {
    let width = sums.len() / channels;
    for (v, z) in v.chunks_exact(channels).zip(z.chunks_exact(width)) {
        for (v, sums) in v.iter().zip(sums.chunks_exact_mut(width)) {
            for (z, sum) in z.iter().zip(sums) {
                *sum += dot(v, z);
            }
        }
    }
}

/// `sums[i, a, c] += Σ_{row, ρ} u[a, (i, ρ)]·grad_v[c, (i, ρ)]`.
#[inline(always)]
fn rule_sums(u: &[Rows], grad_v: &[Rows], n: usize, r: usize, sums: &mut [f32]) {
    for (index, sum) in sums.iter_mut().enumerate() {
        let (i, a, c) = (index / (n * n), index / n % n, index % n);
        for rho in 0..r {
            let channel = i * r + rho;
            *sum += dot(&u[a * n * r + channel], &grad_v[c * n * r + channel]);
        }
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

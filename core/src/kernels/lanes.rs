//! Products of a tile of rows with the factors of an LPHM layer, in forms that vectorise.
//!
//! Everything is forced inline, so that it is compiled for the vector unit of its caller.

/// Rows of a tile.
pub(super) const ROWS: usize = 8;
/// Elements that the wide loops take at once.
const LANES: usize = 16;
/// One value for each row of a tile.
pub(super) type Rows = [f32; ROWS];

/// `a·b + c`, fused where that is one instruction (elsewhere it is a slow library call).
#[inline(always)]
pub(super) fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// `N` rows of a matrix, from row `first`.
#[inline(always)]
pub(super) fn rows<const N: usize>(matrix: &[f32], first: usize, width: usize) -> [&[f32]; N] {
    let mut rows: [&[f32]; N] = [&[]; N];
    for index in 0..N {
        rows[index] = &matrix[(first + index) * width..][..width];
    }
    rows
}

/// Sum of the lanes, by halves.
#[inline(always)]
fn total(lanes: &[f32; LANES]) -> f32 {
    let mut sums = *lanes;
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
        half /= 2;
    }
    sums[0]
}

/// `sums += a·b`, lane by lane.
#[inline(always)]
fn add_product<const FMA: bool>(sums: &mut [f32; LANES], a: &[f32; LANES], b: &[f32; LANES]) {
    for lane in 0..LANES {
        sums[lane] = fma::<FMA>(a[lane], b[lane], sums[lane]);
    }
}

/// `sums += factor·b`, lane by lane.
#[inline(always)]
fn add_scaled<const FMA: bool>(sums: &mut [f32; LANES], factor: f32, b: &[f32; LANES]) {
    for lane in 0..LANES {
        sums[lane] = fma::<FMA>(factor, b[lane], sums[lane]);
    }
}

/// Dot products of x with `N` rows.
#[inline(always)]
pub(super) fn dots<const FMA: bool, const N: usize>(x: &[f32], rows: [&[f32]; N]) -> [f32; N] {
    let mut lanes = [[0.0f32; LANES]; N];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for (at, x) in chunks.iter().enumerate() {
        for index in 0..N {
            let row = &rows[index].as_chunks::<LANES>().0[at];
            add_product::<FMA>(&mut lanes[index], x, row);
        }
    }
    let mut sums = [0.0; N];
    for index in 0..N {
        sums[index] = total(&lanes[index]);
        let tail = &rows[index][chunks.len() * LANES..];
        for at in 0..rest.len() {
            sums[index] = fma::<FMA>(rest[at], tail[at], sums[index]);
        }
    }
    sums
}

/// `out += Σ factor·row`.
#[inline(always)]
pub(super) fn add_rows<const FMA: bool, const N: usize>(
    out: &mut [f32],
    factors: [f32; N],
    rows: [&[f32]; N],
) {
    let (chunks, rest) = out.as_chunks_mut::<LANES>();
    let whole = chunks.len() * LANES;
    for (at, out) in chunks.iter_mut().enumerate() {
        let mut sums = *out;
        for index in 0..N {
            let row = &rows[index].as_chunks::<LANES>().0[at];
            add_scaled::<FMA>(&mut sums, factors[index], row);
        }
        *out = sums;
    }
    for (at, out) in rest.iter_mut().enumerate() {
        for index in 0..N {
            *out = fma::<FMA>(factors[index], rows[index][whole + at], *out);
        }
    }
}

/// `u[block, channel] = Σ_p x[block, p]·m[channel, p]` of wide rows.
#[inline(always)]
pub(super) fn wide_in<const FMA: bool>(
    x: &[f32],
    m: &[f32],
    n: usize,
    channels: usize,
    u: &mut [Rows],
) {
    let width = m.len() / channels;
    for (row, x) in x.chunks_exact(n * width).enumerate() {
        for (block, x) in x.chunks_exact(width).enumerate() {
            let u = &mut u[block * channels..(block + 1) * channels];
            let mut channel = 0;
            while channel + 4 <= channels {
                let sums = dots::<FMA, 4>(x, rows::<4>(m, channel, width));
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
pub(super) fn wide_out<const FMA: bool>(
    v: &[Rows],
    m: &[f32],
    n: usize,
    channels: usize,
    y: &mut [f32],
) {
    let width = m.len() / channels;
    for (row, y) in y.chunks_exact_mut(n * width).enumerate() {
        for (block, y) in y.chunks_exact_mut(width).enumerate() {
            let v = &v[block * channels..(block + 1) * channels];
            let mut channel = 0;
            while channel + 4 <= channels {
                let factors = [0, 1, 2, 3].map(|index| v[channel + index][row]);
                add_rows::<FMA, 4>(y, factors, rows::<4>(m, channel, width));
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
pub(super) fn wide_sums<const FMA: bool>(
    v: &[Rows],
    z: &[f32],
    n: usize,
    channels: usize,
    sums: &mut [f32],
) {
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
            let z = &z[(row * n + block) * width + start..]
                .as_chunks::<LANES>()
                .0[0];
            for index in 0..N {
                let factor = v[index][row];
                add_scaled::<FMA>(&mut lanes[index], factor, z);
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
pub(super) fn dot(a: &Rows, b: &Rows) -> f32 {
    let mut products = *a;
    for row in 0..ROWS {
        products[row] *= b[row];
    }
    let mut half = ROWS / 2;
    while half > 0 {
        for row in 0..half {
            products[row] += products[row + half];
        }
        half /= 2;
    }
    products[0]
}

/// `v[c, (i, ρ)] = Σ_a A[i, a, c]·u[a, (i, ρ)]`, or with `A_i` transposed.
#[inline(always)]
pub(super) fn mix<const FMA: bool, const TRANSPOSED: bool>(
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
pub(super) fn narrow_out<const FMA: bool>(
    v: &[Rows],
    m: &[f32],
    channels: usize,
    out: &mut [Rows],
) {
    let width = m.len() / channels;
    for (v, out) in v.chunks_exact(channels).zip(out.chunks_exact_mut(width)) {
        for (q, out) in out.iter_mut().enumerate() {
            let mut sums = *out;
            for (channel, v) in v.iter().enumerate() {
                add::<FMA>(&mut sums, m[channel * width + q], v);
            }
            *out = sums;
        }
    }
}

/// `u[block, channel] = Σ_p x[block, p]·m[channel, p]` of narrow rows.
#[inline(always)]
pub(super) fn narrow_in<const FMA: bool>(x: &[Rows], m: &[f32], channels: usize, u: &mut [Rows]) {
    let width = m.len() / channels;
    for (x, u) in x.chunks_exact(width).zip(u.chunks_exact_mut(channels)) {
        for (m, u) in m.chunks_exact(width).zip(u) {
            let mut sums = [0.0; ROWS];
            for (factor, x) in m.iter().zip(x) {
                add::<FMA>(&mut sums, *factor, x);
            }
            *u = sums;
        }
    }
}

/// `sums[channel, p] += Σ_{row, block} v[block, channel]·z[block, p]` of narrow rows.
#[inline(always)]
pub(super) fn narrow_sums(v: &[Rows], z: &[Rows], channels: usize, sums: &mut [f32]) {
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
pub(super) fn rule_sums(u: &[Rows], grad_v: &[Rows], n: usize, r: usize, sums: &mut [f32]) {
    for (index, sum) in sums.iter_mut().enumerate() {
        let (i, a, c) = (index / (n * n), index / n % n, index % n);
        for rho in 0..r {
            let channel = i * r + rho;
            *sum += dot(&u[a * n * r + channel], &grad_v[c * n * r + channel]);
        }
    }
}

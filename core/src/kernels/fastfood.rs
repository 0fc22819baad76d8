//! Fastfood (Le et al. 2013): a random projection by two Walsh–Hadamard transforms, of which nothing
//! but a seed is kept.
//!
//! `ray = H(G · (H(B · x))[Π])`, H without normalisation, B signs, G Gaussians, Π a permutation. H of
//! a vector that is zero from P = 2^p on repeats itself after P, so that the first transform takes
//! P log P and the gather stays within P numbers.

use super::mix;

/// Numbers that [`levels`] has.
pub const LEVELS: usize = 1 << LEVEL_BITS;
const LEVEL_BITS: u32 = 12;
/// Rounds of the permutation.
const ROUNDS: usize = 4;

/// A Walsh–Hadamard transform of 2^bits numbers, zero where the input has none, cut after `len` and
/// multiplied by `scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transform {
    /// log2 of its size.
    pub bits: u32,
    /// Numbers of the result.
    pub len: usize,
    /// Factor of the result.
    pub scale: f32,
    /// What its gradient is multiplied by beyond the derivative: 1 for the derivative itself.
    pub gradient: f32,
}

impl Transform {
    /// The transform whose matrix is this one's transpose, for an input of `len` numbers.
    pub(super) fn transposed(self, len: usize) -> Self {
        Self {
            len,
            scale: self.scale * self.gradient,
            gradient: 1.0,
            ..self
        }
    }

    /// Numbers that the transform works on.
    pub(super) fn size(self) -> usize {
        1 << self.bits
    }
}

/// `z[j] = G[j] · h[Π(j) mod P]`, G and Π drawn from a seed: j goes below 2^bits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// log2 of the length of z.
    pub bits: u32,
    /// log2 of P, the length of h.
    pub period_bits: u32,
    keys: [u32; 2],
    factors: [u32; ROUNDS],
    summands: [u32; ROUNDS],
    inverses: [u32; ROUNDS],
}

/// The inverse of an odd number modulo 2^32, by Newton's iteration: each step doubles the right bits.
fn inverse(odd: u32) -> u32 {
    (0..5).fold(odd, |x, _| {
        x.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(x)))
    })
}

impl Spread {
    /// Drawn from words that name it.
    pub fn new(bits: u32, period_bits: u32, words: [u32; 4]) -> Self {
        let mut state = words.iter().fold(0x9e37_79b9, |hash, word| {
            mix(hash ^ word).wrapping_add(0x6a09_e667)
        });
        let mut draw = || {
            state = state.wrapping_add(0x9e37_79b9);
            mix(state)
        };
        let keys = [draw(), draw()];
        let factors = [(); ROUNDS].map(|()| draw() | 1);
        Self {
            bits,
            period_bits,
            keys,
            factors,
            summands: [(); ROUNDS].map(|()| draw()),
            inverses: factors.map(inverse),
        }
    }

    /// Length of z.
    pub(super) fn size(&self) -> usize {
        1 << self.bits
    }

    /// Length of h.
    pub(super) fn period(&self) -> usize {
        1 << self.period_bits
    }

    fn mask(&self) -> u32 {
        ((1u64 << self.bits) - 1) as u32
    }

    /// From a half of the bits on, so that the shift undoes itself.
    fn shift(&self) -> u32 {
        self.bits.div_ceil(2)
    }

    /// Which of [`levels`] is G[j].
    pub(super) fn level(&self, j: u32) -> usize {
        let hash = mix(mix(j ^ self.keys[0]).wrapping_add(self.keys[1]));
        (hash >> (32 - LEVEL_BITS)) as usize
    }

    /// Π(j).
    pub(super) fn permuted(&self, j: u32) -> u32 {
        let (mask, shift) = (self.mask(), self.shift());
        let rounds = self.factors.iter().zip(&self.summands);
        rounds.fold(j, |at, (factor, summand)| {
            let at = at.wrapping_mul(*factor).wrapping_add(*summand) & mask;
            at ^ (at >> shift)
        })
    }

    /// The j with Π(j) = `at`.
    pub(super) fn permuted_back(&self, at: u32) -> u32 {
        let (mask, shift) = (self.mask(), self.shift());
        let rounds = self.inverses.iter().zip(&self.summands).rev();
        rounds.fold(at, |at, (inverse, summand)| {
            let at = at ^ (at >> shift);
            at.wrapping_sub(*summand).wrapping_mul(*inverse) & mask
        })
    }

    /// Σ G².
    pub fn squares(&self, levels: &[f32]) -> f64 {
        let mut counts = [0u64; LEVELS];
        for j in 0..self.size() as u32 {
            counts[self.level(j)] += 1;
        }
        let square = |level: &f32| f64::from(*level).powi(2);
        let all = counts.iter().zip(levels);
        all.map(|(count, level)| *count as f64 * square(level))
            .sum()
    }

    /// What the shaders need of it, with what follows.
    pub(super) fn info<const N: usize>(&self, more: [u32; N]) -> Vec<u32> {
        let period = self.period() as u32 - 1;
        let [first, second] = self.keys;
        let mut info = vec![self.mask(), period, self.shift(), first, second];
        for part in [self.factors, self.summands, self.inverses] {
            info.extend(part);
        }
        info.extend(more);
        info
    }
}

/// Quantiles of the normal distribution in the middle of 4096 equal shares, of variance 1.
///
/// The density is summed on a grid fine enough for f32; no formula for quantiles is needed.
pub fn levels() -> Vec<f32> {
    const STEP: f64 = 1.0 / 8192.0;
    let density = |x: f64| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
    // The upper half by symmetry: `below` is the share below `x`.
    let (mut x, mut below) = (0.0, 0.5);
    let mut upper = Vec::with_capacity(LEVELS / 2);
    for index in LEVELS / 2..LEVELS {
        let share = (index as f64 + 0.5) / LEVELS as f64;
        loop {
            let more =
                STEP * (density(x) + 4.0 * density(x + STEP / 2.0) + density(x + STEP)) / 6.0;
            if below + more > share {
                break;
            }
            (x, below) = (x + STEP, below + more);
        }
        // Within a step the density is as good as constant.
        upper.push(x + (share - below) / density(x + STEP / 2.0));
    }
    let variance = upper.iter().map(|x| x * x).sum::<f64>() / upper.len() as f64;
    let scaled = |x: &f64| (x / variance.sqrt()) as f32;
    let lower = upper.iter().rev().map(|x| -scaled(x));
    lower.chain(upper.iter().map(scaled)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{compare, devices, random, read, wide};
    use super::super::{fastfood_spread, hadamard};
    use super::*;
    use crate::random::Stream;
    use burn::tensor::{Tensor, TensorData};

    #[test]
    fn the_permutation_is_one_and_has_an_inverse() {
        for bits in [0, 1, 2, 5, 12, 17] {
            let spread = Spread::new(bits, 0, [7, bits, 0, 0]);
            let size = 1u32 << bits;
            let mut seen = vec![false; size as usize];
            for j in 0..size {
                let at = spread.permuted(j);
                assert_eq!(spread.permuted_back(at), j, "{bits} bits");
                assert!(!std::mem::replace(&mut seen[at as usize], true));
            }
        }
    }

    #[test]
    fn the_permutation_mixes_and_seeds_differ() {
        let [one, other] = [1, 2].map(|seed| Spread::new(16, 8, [seed, 0, 0, 0]));
        let size = 1u32 << 16;
        let same = |f: &dyn Fn(u32) -> bool| (0..size).filter(|j| f(*j)).count();
        assert!(same(&|j| one.permuted(j) == other.permuted(j)) < 20);
        assert!(same(&|j| one.permuted(j) + 1 == one.permuted((j + 1) % size)) < 20);
        // Each number of the period is met 256 times; in order, neighbours would be apart by one.
        let near = |j| (one.permuted(j) & 255).abs_diff(one.permuted((j + 1) % size) & 255) < 2;
        let expected = f64::from(size) * 3.0 / 256.0;
        assert!((same(&near) as f64 - expected).abs() < expected / 2.0);
    }

    #[test]
    fn levels_are_standard_normal() {
        let levels = levels();
        assert_eq!(levels.len(), LEVELS);
        let mean = |power: i32| {
            let powers = levels.iter().map(|x| f64::from(*x).powi(power));
            powers.sum::<f64>() / LEVELS as f64
        };
        assert!(mean(1).abs() < 1e-9 && (mean(2) - 1.0).abs() < 1e-6);
        assert!((mean(4) - 3.0).abs() < 0.02, "{}", mean(4));
        // A known quantile: half of a normal distribution lies within ± 0.67449.
        assert!((levels[LEVELS * 3 / 4] - 0.6745).abs() < 1e-3);
        let spread = Spread::new(16, 8, [3, 0, 0, 0]);
        let squares = spread.squares(&levels) / 65536.0;
        assert!((squares - 1.0).abs() < 0.03, "{squares}");
    }

    /// H of a definition: entry (i, j) is −1 where i and j share an odd number of bits.
    fn naive(x: &[f64], size: usize) -> Vec<f64> {
        let sign = |i: usize, j: usize| match (i & j).count_ones() % 2 {
            0 => 1.0,
            _ => -1.0,
        };
        let sum = |i| {
            let terms = x.iter().take(size).enumerate();
            terms.map(|(j, x)| sign(i, j) * x).sum()
        };
        (0..size).map(sum).collect()
    }

    #[test]
    fn transforms_and_their_gradients_are_those_of_the_definition() {
        let mut stream = Stream::new(5, "hadamard");
        // A padded, a whole and a cut input; one stage of the strided passes, and none at all.
        for (bits, given, len) in [
            (4, 5, 13),
            (6, 64, 64),
            (3, 20, 8),
            (13, 700, 8000),
            (0, 1, 1),
        ] {
            let transform = Transform {
                bits,
                len,
                scale: 0.5,
                gradient: 0.25,
            };
            let x = random(&mut stream, given, 1.0);
            let cotangent = random(&mut stream, len, 1.0);
            let half = |values: Vec<f64>| values.into_iter().map(|value| value * 0.5);
            let want: Vec<f64> = half(naive(&wide(&x), 1 << bits)).take(len).collect();
            let back = half(naive(&wide(&cotangent), 1 << bits)).map(|value| value * 0.25);
            let zeros = std::iter::repeat(0.0);
            let back: Vec<f64> = back.chain(zeros).take(given).collect();
            for (name, device) in devices() {
                let row = |values: &[f32]| {
                    let data = TensorData::new(values.to_vec(), [1, values.len()]);
                    Tensor::<2>::from_data(data, &device)
                };
                let x = row(&x).require_grad();
                let y = hadamard(x.clone(), transform);
                let grads = (y.clone() * row(&cotangent)).sum().backward();
                let what = format!("2^{bits} on {name}");
                compare(&what, &read(y), &want, 1e-5);
                let gradient = x.grad(&grads).expect("is tracked");
                compare(&what, &read(gradient), &back, 1e-5);
            }
        }
    }

    #[test]
    fn a_spread_and_its_gradient_are_those_of_the_definition() {
        let mut stream = Stream::new(5, "spread");
        let quantiles = levels();
        for (bits, period_bits) in [(3, 3), (11, 4), (17, 9)] {
            let spread = Spread::new(bits, period_bits, [9, 0, bits, 0]);
            let h = random(&mut stream, spread.period(), 1.0);
            let cotangent = random(&mut stream, spread.size(), 1.0);
            let (mut want, mut back) = (Vec::new(), vec![0.0; spread.period()]);
            for (j, grad) in wide(&cotangent).into_iter().enumerate() {
                let gaussian = f64::from(quantiles[spread.level(j as u32)]);
                let at = spread.permuted(j as u32) as usize % spread.period();
                want.push(gaussian * f64::from(h[at]));
                back[at] += gaussian * grad;
            }
            for (name, device) in devices() {
                let row = |values: &[f32]| {
                    let data = TensorData::new(values.to_vec(), [1, values.len()]);
                    Tensor::<2>::from_data(data, &device)
                };
                let h = row(&h).require_grad();
                let z = fastfood_spread(h.clone(), row(&quantiles), spread);
                let grads = (z.clone() * row(&cotangent)).sum().backward();
                let what = format!("2^{bits} of 2^{period_bits} on {name}");
                compare(&what, &read(z), &want, 1e-6);
                let gradient = h.grad(&grads).expect("is tracked");
                compare(&what, &read(gradient), &back, 1e-5);
            }
        }
    }
}

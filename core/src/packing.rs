//! Frozen weights in fewer bits: two halves or four small integers in a 32-bit word.
//!
//! Words, because every graphics device has them and no other narrow type is sure. The first value
//! stands in the lowest bits.

/// How the values of a matrix are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Packing {
    /// IEEE halves, finite ones only; exact for what a half can hold, subnormals included.
    F16,
    /// Integers from -127 to 127, times one f32 for each group of values in a row.
    Int8 {
        /// Consecutive values of a row that share a scale; a multiple of 4 that divides the row.
        group: usize,
    },
}

/// Values of a row that share a scale, where they divide it: every published T5's rows.
const GROUP: usize = 128;
/// The largest finite half.
const LARGEST_HALF: f32 = 65_504.0;
/// `2^-24`, the smallest positive half.
#[cfg(any(test, feature = "engine"))]
pub(crate) const SMALLEST_HALF: f32 = 5.960_464_5e-8;

impl Packing {
    /// Halves for rows of this length; `None` where a row fills no whole words.
    pub fn f16(columns: usize) -> Option<Self> {
        (columns > 0 && columns.is_multiple_of(2)).then_some(Self::F16)
    }

    /// Integers for rows of this length, in groups of 128 or else of the largest power of two that
    /// divides a row; `None` where a row fills no whole words.
    pub fn int8(columns: usize) -> Option<Self> {
        let group = match columns.is_multiple_of(GROUP) {
            true => GROUP,
            false => 1 << columns.trailing_zeros(),
        };
        (columns > 0 && group >= 4).then_some(Self::Int8 { group })
    }

    /// Values in a word.
    pub fn per_word(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::Int8 { .. } => 4,
        }
    }

    /// Words and scales of this many values.
    pub fn lengths(self, values: usize) -> (usize, usize) {
        let scales = match self {
            Self::F16 => 0,
            Self::Int8 { group } => values / group,
        };
        (values / self.per_word(), scales)
    }
}

/// Packs rows as they come.
#[derive(Debug)]
pub struct Packer {
    packing: Packing,
    words: Vec<u32>,
    scales: Vec<f32>,
}

impl Packer {
    /// Room for this many values.
    pub fn new(packing: Packing, values: usize) -> Self {
        let (words, scales) = packing.lengths(values);
        Self {
            packing,
            words: Vec::with_capacity(words),
            scales: Vec::with_capacity(scales),
        }
    }

    /// Adds whole rows; an error is the value that cannot be packed: one that is not finite, or too
    /// large for a half. A weight like that is damage, and silently another number would be worse.
    pub fn push(&mut self, row: &[f32]) -> Result<(), f32> {
        let largest = match self.packing {
            Packing::F16 => LARGEST_HALF,
            Packing::Int8 { .. } => f32::MAX,
        };
        if let Some(value) = row
            .iter()
            .find(|value| value.is_nan() || value.abs() > largest)
        {
            return Err(*value);
        }
        match self.packing {
            Packing::F16 => self.words.extend(row.chunks_exact(2).map(|pair| {
                let [low, high] =
                    [pair[0], pair[1]].map(|v| u32::from(half::f16::from_f32(v).to_bits()));
                low | high << 16
            })),
            Packing::Int8 { group } => row
                .chunks_exact(group)
                .for_each(|group| self.push_group(group)),
        }
        Ok(())
    }

    fn push_group(&mut self, group: &[f32]) {
        let largest = group
            .iter()
            .fold(0.0f32, |largest, value| largest.max(value.abs()));
        let mut scale = largest / 127.0;
        if (scale * 127.0).is_infinite() {
            scale = scale.next_down();
        }
        // A scale that underflows to 0 leaves zeros, which are as near as anything.
        let factor = if scale > 0.0 {
            1.0 / f64::from(scale)
        } else {
            0.0
        };
        let byte = |value: f32| (f64::from(value) * factor).round().clamp(-127.0, 127.0) as i8;
        self.scales.push(scale);
        self.words.extend(
            group
                .as_chunks::<4>()
                .0
                .iter()
                .map(|four| u32::from_le_bytes(four.map(|value| byte(value) as u8))),
        );
    }

    /// The words and, for integers, the scales.
    pub fn finish(self) -> (Vec<u32>, Vec<f32>) {
        (self.words, self.scales)
    }
}

/// The value of a half that is finite.
#[cfg(any(test, feature = "engine"))]
pub(crate) fn half_value(bits: u16) -> f32 {
    let rest = u32::from(bits) & 0x7fff;
    let magnitude = if rest < 0x400 {
        rest as f32 * SMALLEST_HALF
    } else {
        // Ten bits of fraction become 23, an exponent biased by 15 becomes one by 127.
        f32::from_bits((rest << 13) + 0x3800_0000)
    };
    if bits & 0x8000 == 0 {
        magnitude
    } else {
        -magnitude
    }
}

/// What packed words say, in plain loops; tests hold every kernel to it.
#[cfg(test)]
pub(crate) fn unpacked(words: &[u32], scales: &[f32], packing: Packing) -> Vec<f32> {
    let value = |at: usize| match packing {
        Packing::F16 => half::f16::from_bits((words[at / 2] >> (16 * (at % 2))) as u16).to_f32(),
        Packing::Int8 { group } => {
            f32::from(words[at / 4].to_le_bytes()[at % 4] as i8) * scales[at / group]
        }
    };
    (0..words.len() * packing.per_word()).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    fn round_trip(values: &[f32], packing: Packing) -> Vec<f32> {
        let mut packer = Packer::new(packing, values.len());
        packer.push(values).unwrap();
        let (words, scales) = packer.finish();
        assert_eq!((words.len(), scales.len()), packing.lengths(values.len()));
        unpacked(&words, &scales, packing)
    }

    #[test]
    fn groups_divide_their_rows() {
        let group = |columns| match Packing::int8(columns) {
            Some(Packing::Int8 { group }) => group,
            _ => 0,
        };
        let lengths = [512, 768, 3072, 384, 64, 96, 20, 4, 6, 7, 0];
        assert_eq!(
            lengths.map(group),
            [128, 128, 128, 128, 64, 32, 4, 4, 0, 0, 0]
        );
        assert_eq!(
            [2, 3, 0].map(|columns| Packing::f16(columns).is_some()),
            [true, false, false]
        );
    }

    #[test]
    fn every_finite_half_is_kept_to_the_bit() {
        let bits: Vec<u16> = (0..=u16::MAX)
            .filter(|bits| bits & 0x7c00 != 0x7c00)
            .collect();
        let values: Vec<f32> = bits
            .iter()
            .map(|bits| half::f16::from_bits(*bits).to_f32())
            .collect();
        let got = round_trip(&values, Packing::F16);
        assert!(
            got.iter()
                .zip(&values)
                .all(|(got, want)| got.to_bits() == want.to_bits())
        );
        for (bits, value) in bits.iter().zip(&values) {
            assert_eq!(half_value(*bits).to_bits(), value.to_bits(), "{bits:#x}");
        }
    }

    #[test]
    fn a_bf16_in_a_halfs_range_is_kept_to_the_bit() {
        let exponents = 127 - 14..127 + 16;
        let values: Vec<f32> = exponents
            .flat_map(|exponent| (0..128).map(move |fraction| exponent << 7 | fraction))
            .map(|bits: u16| half::bf16::from_bits(bits).to_f32())
            .collect();
        assert_eq!(round_trip(&values, Packing::F16), values);
    }

    #[test]
    fn halves_and_integers_are_as_near_as_they_can_be() {
        let mut stream = Stream::new(1, "packing");
        for group in [4, 32, 128] {
            let scale = 10f64.powi(stream.below(9) as i32 - 4);
            let values: Vec<f32> = (0..group * 6)
                .map(|_| (stream.normal() * scale) as f32)
                .collect();
            let halves = round_trip(&values, Packing::F16);
            for (got, want) in halves.iter().zip(&values) {
                let step = (want.abs() * 2f32.powi(-11)).max(SMALLEST_HALF / 2.0);
                assert!((got - want).abs() <= step, "{got} {want}");
            }
            let small = round_trip(&values, Packing::Int8 { group });
            for (got, want) in small.chunks(group).zip(values.chunks(group)) {
                let largest = want.iter().fold(0.0f32, |all, value| all.max(value.abs()));
                for (got, want) in got.iter().zip(want) {
                    assert!(
                        (got - want).abs() <= largest / 253.0,
                        "{got} {want} {largest}"
                    );
                }
            }
        }
    }

    #[test]
    fn zeros_and_the_ends_of_the_range_survive() {
        let group = Packing::Int8 { group: 4 };
        assert_eq!(round_trip(&[0.0; 8], group), [0.0; 8]);
        let ends = [
            127.0,
            -127.0,
            64.0,
            0.0,
            f32::MAX,
            -f32::MAX,
            0.0,
            f32::MIN_POSITIVE,
        ];
        let got = round_trip(&ends, group);
        assert_eq!(got[..4], ends[..4]);
        assert!(got.iter().all(|value| value.is_finite()), "{got:?}");
        assert_eq!(round_trip(&[1e-45, -1e-45, 0.0, 0.0], group), [0.0; 4]);
    }

    #[test]
    fn what_cannot_be_packed_is_returned() {
        for packing in [Packing::F16, Packing::Int8 { group: 4 }] {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut packer = Packer::new(packing, 4);
                let returned = packer.push(&[0.0, bad, 1.0, 2.0]).unwrap_err();
                assert_eq!(returned.to_bits(), bad.to_bits());
            }
        }
        let mut packer = Packer::new(Packing::F16, 2);
        assert_eq!(packer.push(&[65_504.0, -65_505.0]), Err(-65_505.0));
    }
}

//! Sizes of an LPHM adapter and where its parts lie in the packed tensor.

use crate::{Error, Result};
use std::ops::Range;

/// One part of a packed adapter: its name, where it lies and its shape.
pub type AdapterPart = (&'static str, Range<usize>, Vec<usize>);

/// Sizes of an LPHM adapter `model → bottleneck → model`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AdapterShape {
    /// Terms of the sum of Kronecker products, and the side of each `A_i`.
    pub n: usize,
    /// Rank `r` of each `B_i = s_i t_i`.
    pub rank: usize,
    /// Width `k` of the model.
    pub model: usize,
    /// Width `d` of the bottleneck.
    pub bottleneck: usize,
}

impl AdapterShape {
    /// Checks that the sizes fit together.
    pub fn new(n: usize, rank: usize, model: usize, bottleneck: usize) -> Result<Self> {
        for (name, value) in [
            ("n", n),
            ("rank", rank),
            ("model width", model),
            ("bottleneck", bottleneck),
        ] {
            if value == 0 {
                return Err(Error::Shape(format!(
                    "an adapter's {name} is 0, it must be positive"
                )));
            }
        }
        for (name, value) in [("model width", model), ("bottleneck", bottleneck)] {
            if !value.is_multiple_of(n) {
                return Err(Error::Shape(format!(
                    "n = {n} does not divide the adapter's {name} {value}"
                )));
            }
        }
        Ok(Self {
            n,
            rank,
            model,
            bottleneck,
        })
    }

    /// Numbers in the packed tensor.
    pub fn len(&self) -> usize {
        2 * self.rank * (self.model + self.bottleneck) + self.model + self.bottleneck
    }

    /// Never: every size is positive.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The six parts in their packed order.
    pub fn parts(&self) -> [AdapterPart; 6] {
        let Self {
            n,
            rank: r,
            model: k,
            bottleneck: d,
        } = *self;
        let mut start = 0;
        [
            ("s_down", vec![n, k / n, r]),
            ("t_down", vec![n, r, d / n]),
            ("b_down", vec![d]),
            ("s_up", vec![n, d / n, r]),
            ("t_up", vec![n, r, k / n]),
            ("b_up", vec![k]),
        ]
        .map(|(name, shape)| {
            let len: usize = shape.iter().product();
            start += len;
            (name, start - len..start, shape)
        })
    }

    /// Numbers in the shared rule `A`.
    pub(super) fn rule_len(&self) -> usize {
        self.n * self.n * self.n
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::Method;
    use crate::t5::T5Config;

    #[test]
    fn parts_cover_the_packed_tensor() {
        let shape = AdapterShape::new(4, 2, 64, 8).expect("divides");
        let parts = shape.parts();
        assert_eq!(parts[0].1, 0..128);
        assert_eq!(parts[5].1.end, shape.len());
        assert!(
            parts
                .windows(2)
                .all(|pair| pair[0].1.end == pair[1].1.start)
        );
    }

    #[test]
    fn a_method_packs_its_adapters_in_this_order() {
        let config = T5Config::preset("t5-small").expect("known");
        let method = Method::preset("compacter", &config).expect("known");
        let width = method.bottleneck().expect("has adapters");
        let parts = AdapterShape::new(4, 1, config.d_model, width)
            .expect("divides")
            .parts();
        let groups = method.added(&config);
        let group = &groups[1]; // the first is the shared rule
        assert_eq!(group.parts.len(), parts.len());
        for (packed, (name, _, shape)) in group.parts.iter().zip(&parts) {
            let (factor, side) = name.split_once('_').expect("as `s_down`");
            let factor = if factor == "b" { "bias" } else { factor };
            assert!(
                packed.name.ends_with(&format!(".{side}.{factor}")),
                "{name}"
            );
            assert_eq!(&packed.shape, shape, "{name}");
        }
    }

    #[test]
    fn errors_name_the_numbers() {
        let message = AdapterShape::new(3, 1, 64, 9)
            .expect_err("3 does not divide 64")
            .to_string();
        assert!(
            message.contains("n = 3") && message.contains("64"),
            "{message}"
        );
        let message = AdapterShape::new(4, 0, 64, 8)
            .expect_err("rank 0")
            .to_string();
        assert!(message.contains("rank"), "{message}");
    }
}

//! One projection of one adapter as numbers to draw (paper, Figure 3).

use serde::{Deserialize, Serialize};

/// Which of an adapter's two projections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// To the bottleneck.
    Down,
    /// Back from it.
    Up,
}

/// The factors of `W = Σ_i A_i ⊗ (s_i t_i)` and W itself, `[input, output]`.
///
/// A dense projection has no factors: `n` is 0 and only `w` is there. The values travel beside the
/// JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Projection {
    /// The adapter's place, as `encoder.block.0.layer.1.adapter`.
    pub place: String,
    /// Which of its two projections.
    pub side: Side,
    /// Width of what comes in.
    pub input: usize,
    /// Width of what goes out.
    pub output: usize,
    /// Terms of the sum; 0 for a dense projection.
    pub n: usize,
    /// Rank of each s_i t_i.
    pub rank: usize,
    /// A, `[n, n, n]`.
    #[serde(skip)]
    pub rule: Vec<f32>,
    /// s, `[n, input/n, rank]`.
    #[serde(skip)]
    pub s: Vec<f32>,
    /// t, `[n, rank, output/n]`.
    #[serde(skip)]
    pub t: Vec<f32>,
    /// W, `[input, output]`.
    #[serde(skip)]
    pub w: Vec<f32>,
}

impl Projection {
    /// One after the other, as they travel.
    fn parts(&mut self) -> [(&mut Vec<f32>, usize); 4] {
        let Self {
            n,
            rank,
            input,
            output,
            ..
        } = *self;
        [
            (&mut self.rule, n * n * n),
            (&mut self.s, input * rank * n.min(1)),
            (&mut self.t, rank * output * n.min(1)),
            (&mut self.w, input * output),
        ]
    }

    /// Takes the values out as little-endian f32.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        let parts = self.parts().map(|(part, _)| std::mem::take(part));
        parts
            .concat()
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect()
    }

    /// Puts the values back; missing ones stay out.
    pub fn set_bytes(&mut self, bytes: &[u8]) {
        let mut values = bytes
            .chunks_exact(4)
            .map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]]));
        for (part, len) in self.parts() {
            *part = values.by_ref().take(len).collect();
        }
    }
}

#[cfg(feature = "engine")]
mod read {
    use super::{Projection, Side};
    use crate::engine::float_values;
    use crate::kernels::{AdapterShape, kron_sum};
    use crate::method::{Layer, RULE};
    use crate::train::Session;
    use crate::{Error, Result};
    use burn::tensor::Tensor;

    impl Session {
        /// A projection as the trained weights have it now; `None` where the method has no adapter
        /// of this name.
        pub async fn projection_async(
            &self,
            place: &str,
            side: Side,
        ) -> Result<Option<Projection>> {
            let (weights, config) = (
                self.trainer.weights().frozen(),
                self.trainer.model().config(),
            );
            let method = &self.settings.method;
            let adapters = method.adapters.as_ref();
            let (Some(adapters), Some(packed)) = (adapters, weights.tensors.get(place)) else {
                return Ok(None);
            };
            let (k, d) = (config.d_model, adapters.bottleneck);
            let (input, output) = match side {
                Side::Down => (k, d),
                Side::Up => (d, k),
            };
            let len = packed.dims()[1];
            let packed = packed.clone().reshape([len]);
            let (n, rank, values) = match adapters.layer {
                Layer::Dense => {
                    let start = match side {
                        Side::Down => 0,
                        Side::Up => d * k + d, // behind down's weight and bias
                    };
                    let w = packed.slice(start..start + k * d).reshape([output, input]);
                    (0, 0, w.transpose().reshape([k * d]))
                }
                Layer::Lphm { n, rank } => {
                    let shape = AdapterShape::new(n, rank, k, d)?;
                    let rule = weights.tensors.get(RULE).cloned();
                    let rule = rule.ok_or_else(|| Error::tensor("adapter", RULE, "missing"))?;
                    let rule = rule.reshape([n, n, n]);
                    (n, rank, factors(packed, rule, &shape, side))
                }
            };
            let mut projection = Projection {
                place: place.into(),
                side,
                input,
                output,
                n,
                rank,
                rule: Vec::new(),
                s: Vec::new(),
                t: Vec::new(),
                w: Vec::new(),
            };
            let mut values = float_values(values).await?.into_iter();
            for (part, len) in projection.parts() {
                *part = values.by_ref().take(len).collect();
            }
            Ok(Some(projection))
        }
    }

    /// A, s, t and W in one row, so that one read brings them all.
    fn factors(packed: Tensor<1>, rule: Tensor<3>, shape: &AdapterShape, side: Side) -> Tensor<1> {
        let parts = shape.parts();
        let first = match side {
            Side::Down => 0,
            Side::Up => 3,
        };
        let part = |at: usize| packed.clone().slice(parts[at].1.clone());
        let dims = |at: usize| [parts[at].2[0], parts[at].2[1], parts[at].2[2]];
        let (s, t) = (part(first), part(first + 1));
        let b = s
            .clone()
            .reshape(dims(first))
            .matmul(t.clone().reshape(dims(first + 1))); // [n, input/n, output/n]
        let w = kron_sum(rule.clone(), b); // [input, output]
        Tensor::cat(vec![rule.reshape([-1]), s, t, w.reshape([-1])], 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_travel_in_order() {
        let mut sent = Projection {
            place: "encoder.block.0.layer.1.adapter".into(),
            side: Side::Up,
            input: 4,
            output: 6,
            n: 2,
            rank: 1,
            rule: vec![1.0; 8],
            s: vec![2.0; 4],
            t: vec![3.0; 6],
            w: vec![4.0; 24],
        };
        let want = sent.clone();
        let bytes = sent.take_bytes();
        sent.set_bytes(&bytes);
        assert_eq!(sent, want);
        sent.set_bytes(&bytes[..40]);
        assert_eq!((sent.s.len(), sent.t.len(), sent.w.len()), (2, 0, 0));
    }
}

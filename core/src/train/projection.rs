//! One projection of one adapter as numbers to draw (paper, Figure 3).

use crate::tensor_file::Floats;
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
/// A projection of another kind has no factors: `n` is 0 and only `w` is there. The values travel beside the
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
    /// Terms of the sum; 0 for a projection of another kind.
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
        let mut values = Floats::F32.values(bytes);
        for (part, len) in self.parts() {
            *part = values.by_ref().take(len).collect();
        }
    }
}

#[cfg(feature = "engine")]
mod read {
    use super::{Projection, Side};
    use crate::Result;
    use crate::engine::float_values;
    use crate::kernels::kron_sum;
    use crate::t5::Matrix;
    use crate::train::Session;
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
            let Some(adapters) = &method.adapters else {
                return Ok(None);
            };
            if !weights.tensors.contains_key(place) {
                return Ok(None);
            }
            let parts = weights.adapter_parts(adapters, place, config.d_model)?;
            let (at, [input, output]) = match side {
                Side::Down => (0, [config.d_model, adapters.bottleneck]),
                Side::Up => (1, [adapters.bottleneck, config.d_model]),
            };
            let (n, rank, values) = match parts.projections[at].0.clone() {
                Matrix::Whole(w) => (0, 0, w.reshape([input * output])),
                Matrix::Thin(left, right) => (0, 0, left.matmul(right).reshape([input * output])),
                Matrix::Factors(rule, s, t) => (s.dims()[0], s.dims()[2], factors(rule, s, t)),
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
    fn factors(rule: Tensor<3>, s: Tensor<3>, t: Tensor<3>) -> Tensor<1> {
        let w = kron_sum(rule.clone(), s.clone().matmul(t.clone())); // [input, output]
        let parts = [rule, s, t].map(|part| part.reshape([-1]));
        Tensor::cat(parts.into_iter().chain([w.reshape([-1])]).collect(), 0)
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

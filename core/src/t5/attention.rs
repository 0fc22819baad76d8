//! Multi-head attention with relative position bias, no scaling of q kᵀ.

use super::layers::LARGEST_INTERMEDIATE;
use super::{Forward, Stack, relative_position_bucket};
use crate::Result;
use crate::kernels::softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::ops::Range;

/// Keys and values of one attention, `[rows, heads, length, d_kv]`.
#[derive(Debug, Clone)]
pub(super) struct Heads {
    pub keys: Tensor<4>,
    pub values: Tensor<4>,
}

/// Added to a score that must not count; softmax turns it into exactly 0 in f32.
const MASKED: f32 = -1e9;

/// `[rows, 1, 1, length]` from ones (real) and zeros (padding).
pub(super) fn padding_mask(mask: &[i32], shape: [usize; 2], device: &Device) -> Tensor<4> {
    let values: Vec<f32> = mask
        .iter()
        .map(|&m| if m == 1 { 0.0 } else { MASKED })
        .collect();
    Tensor::from_data(TensorData::new(values, [shape[0], 1, 1, shape[1]]), device)
}

/// `[1, 1, length, length]`: no position sees a later one.
pub(super) fn causal_mask(length: usize, device: &Device) -> Tensor<4> {
    let at = |i: usize| if i % length > i / length { MASKED } else { 0.0 };
    let values: Vec<f32> = (0..length * length).map(at).collect();
    Tensor::from_data(TensorData::new(values, [1, 1, length, length]), device)
}

impl Forward<'_> {
    /// Position bias `[1, heads, queries, keys]` of a stack: layer 0's table serves all layers.
    pub(super) fn position_bias(
        &self,
        stack: Stack,
        queries: Range<usize>,
        keys: usize,
    ) -> Result<Tensor<4>> {
        let config = self.model.config();
        let (buckets, distance) = (
            config.relative_attention_num_buckets,
            config.relative_attention_max_distance,
        );
        let both = stack == Stack::Encoder;
        let rows = queries.len();
        let index: Vec<i32> = queries
            .flat_map(|query| (0..keys).map(move |key| key as i64 - query as i64))
            .map(|relative| relative_position_bucket(relative, both, buckets, distance) as i32)
            .collect();
        let name = format!(
            "{}.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
            stack.name()
        );
        let index: Tensor<1, Int> =
            Tensor::from_data(TensorData::new(index, [rows * keys]), self.model.device());
        let bias = self.tensor(&name)?.select(0, index); // [queries · keys, heads]
        Ok(bias.transpose().reshape([1, config.num_heads, rows, keys]))
    }

    /// `[rows · length, inner]` → `[rows, heads, length, d_kv]`.
    fn split(&self, x: Tensor<2>, rows: usize) -> Tensor<4> {
        let config = self.model.config();
        let length = x.dims()[0] / rows.max(1);
        x.reshape([rows, length, config.num_heads, config.d_kv])
            .swap_dims(1, 2)
    }

    /// Keys and values of `x: [rows · length, d_model]` for the attention named `name`.
    pub(super) fn keys_values(&self, x: Tensor<2>, rows: usize, name: &str) -> Result<Heads> {
        let keys = self.linear(x.clone(), &format!("{name}.k.weight"))?;
        let values = self.linear(x, &format!("{name}.v.weight"))?;
        Ok(Heads {
            keys: self.split(keys, rows),
            values: self.split(values, rows),
        })
    }

    /// Attention output `[rows · queries, d_model]` for `x: [rows · queries, d_model]`.
    pub(super) fn attend(
        &self,
        x: Tensor<2>,
        heads: &Heads,
        bias: Option<Tensor<4>>,
        name: &str,
    ) -> Result<Tensor<2>> {
        let [rows, _, length, _] = heads.keys.dims();
        let query = self.split(self.linear(x, &format!("{name}.q.weight"))?, rows);
        let [_, count, queries, width] = query.dims();
        let tile = (LARGEST_INTERMEDIATE / (count * queries * length).max(1)).clamp(1, rows.max(1));
        let mut parts = Vec::new();
        for start in (0..rows).step_by(tile) {
            let at = start..rows.min(start + tile);
            let whole = at.len() == rows;
            let cut = |t: &Tensor<4>| match whole || t.dims()[0] == 1 {
                true => t.clone(),
                false => t.clone().slice([at.clone()]),
            };
            let mut scores = cut(&query).matmul(cut(&heads.keys).swap_dims(2, 3));
            if let Some(bias) = &bias {
                scores = scores + cut(bias); // [tile, heads, queries, length]
            }
            let shares = self.drop(softmax(scores));
            parts.push(shares.matmul(cut(&heads.values)));
        }
        let mixed = if parts.len() == 1 {
            parts.remove(0)
        } else {
            Tensor::cat(parts, 0)
        };
        let flat = mixed
            .swap_dims(1, 2)
            .reshape([rows * queries, count * width]);
        self.linear(flat, &format!("{name}.o.weight"))
    }
}

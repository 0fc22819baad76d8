//! Greedy decoding with cached keys and values.

use super::attention::Heads;
use super::forward::int2;
use super::{Forward, Inputs, Stack};
use crate::Result;
use crate::engine::int_values;
use burn::tensor::Tensor;

impl Forward<'_> {
    /// Greedy ids per row, the start token included; `max_length` counts it. A row that has
    /// produced the end token is filled with padding.
    pub async fn greedy(&self, inputs: &Inputs, max_length: usize) -> Result<Vec<Vec<i32>>> {
        let config = self.model.config();
        let rows = inputs.ids.dims()[0];
        let encoded = self.encode(inputs)?;
        let cross = self.cross(&encoded)?;
        let mask = self.prompted_mask(&inputs.mask);
        let mut cache: Vec<Option<Heads>> = vec![None; cross.len()];
        let mut ids = vec![vec![config.decoder_start_token_id as i32]; rows];
        let mut done = vec![false; rows];
        for position in 0..max_length.saturating_sub(1) {
            let last: Vec<i32> = ids.iter().map(|row| row[position]).collect();
            let x = self.next_hidden(&last, position, &mut cache, &cross, &mask)?;
            let best = int_values(self.logits(x)?.argmax(1)).await?;
            for ((row, done), next) in ids.iter_mut().zip(&mut done).zip(best) {
                row.push(if *done {
                    config.pad_token_id as i32
                } else {
                    next
                });
                *done |= next == config.eos_token_id as i32;
            }
            if done.iter().all(|&done| done) {
                break;
            }
        }
        Ok(ids)
    }

    /// Decoder output `[rows, d_model]` for one more token per row.
    fn next_hidden(
        &self,
        last: &[i32],
        position: usize,
        cache: &mut [Option<Heads>],
        cross: &[Heads],
        mask: &Tensor<4>,
    ) -> Result<Tensor<2>> {
        let rows = last.len();
        let bias = self.position_bias(Stack::Decoder, position..position + 1, position + 1)?;
        let mut x = self.embed(int2(last, rows, self.model.device()))?;
        for (block, (cross, cache)) in cross.iter().zip(cache).enumerate() {
            let prefix = format!("decoder.block.{block}.layer.0");
            let normed = self.norm(x.clone(), &format!("{prefix}.layer_norm.weight"))?;
            let attention = format!("{prefix}.SelfAttention");
            let new = self.keys_values(normed.clone(), rows, &attention)?;
            let heads = match cache.take() {
                Some(old) => Heads {
                    keys: Tensor::cat(vec![old.keys, new.keys], 2),
                    values: Tensor::cat(vec![old.values, new.values], 2),
                },
                None => new,
            };
            let y = self.attend(normed, &heads, Some(bias.clone()), &attention)?;
            *cache = Some(heads);
            x = self.after_self_attention(x, y, block, cross, mask)?;
        }
        self.norm(x, "decoder.final_layer_norm.weight")
    }
}

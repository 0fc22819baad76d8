//! The forward pass: both stacks over one base and one method's weights.

use super::attention::{Heads, causal_mask, padding_mask};
use super::layers::{activate, by_rows, rms_norm};
use super::{Stack, T5, Weights};
use crate::Result;
use crate::kernels::{DropoutKey, dropout};
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::cell::Cell;

/// Source token ids and their mask, on the device.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// `[rows, length]`.
    pub ids: Tensor<2, Int>,
    /// 0 where a token counts, a large negative number where it is padding: `[rows, 1, 1, length]`.
    pub mask: Tensor<4>,
}

impl Inputs {
    /// From host values, row by row; `mask` is 1 for a real token.
    pub fn new(ids: &[i32], mask: &[i32], rows: usize, device: &Device) -> Self {
        let length = ids.len() / rows.max(1);
        Self {
            ids: int2(ids, rows, device),
            mask: padding_mask(mask, [rows, length], device),
        }
    }
}

/// Int values as `[rows, length]` on the device.
pub(super) fn int2(ids: &[i32], rows: usize, device: &Device) -> Tensor<2, Int> {
    let length = ids.len() / rows.max(1);
    Tensor::from_data(TensorData::new(ids.to_vec(), [rows, length]), device)
}

/// One pass: borrows the base and the weights laid over it.
#[derive(Debug)]
pub struct Forward<'a> {
    pub(super) model: &'a T5,
    pub(super) weights: &'a Weights,
    dropout: Option<(f64, DropoutKey)>,
    site: Cell<u32>,
}

impl<'a> Forward<'a> {
    /// A pass without dropout.
    pub fn new(model: &'a T5, weights: &'a Weights) -> Self {
        Self {
            model,
            weights,
            dropout: None,
            site: Cell::new(0),
        }
    }

    /// A pass with dropout; `key.site` is where its sites start counting.
    pub fn with_dropout(mut self, probability: f64, key: DropoutKey) -> Self {
        self.dropout = (probability > 0.0).then_some((probability, key));
        self
    }

    /// Decoder ids `[rows, length]` on the device, from host values row by row.
    pub fn ids(&self, ids: &[i32], rows: usize) -> Tensor<2, Int> {
        int2(ids, rows, self.model.device())
    }

    /// The trained tensor of this name, else the base's, in f32 at once: for what is small.
    pub(super) fn tensor(&self, name: &str) -> Result<Tensor<2>> {
        match self.weights.tensors.get(name) {
            Some(tensor) => Ok(tensor.clone()),
            None => self.model.tensor(name),
        }
    }

    /// Dropout at the next site of this pass.
    pub(super) fn drop<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let Some((probability, key)) = self.dropout else {
            return x;
        };
        let site = self.site.get();
        self.site.set(site + 1);
        dropout(
            x,
            probability,
            DropoutKey {
                site: key.site + site,
                ..key
            },
        )
    }

    /// `x W^T` with `W: [out, in]`, trained or the base's; `x: [rows, in]`.
    pub(super) fn linear(&self, x: Tensor<2>, name: &str) -> Result<Tensor<2>> {
        match self.weights.tensors.get(name) {
            Some(tensor) => Ok(x.matmul(tensor.clone().transpose())),
            None => self.model.linear(name, x),
        }
    }

    pub(super) fn norm(&self, x: Tensor<2>, name: &str) -> Result<Tensor<2>> {
        Ok(rms_norm(
            x,
            self.tensor(name)?,
            self.model.config().layer_norm_epsilon,
        ))
    }

    /// Token embeddings: `[rows · length, d_model]`.
    pub(super) fn embed(&self, ids: Tensor<2, Int>) -> Result<Tensor<2>> {
        let [rows, length] = ids.dims();
        let ids = ids.reshape([rows * length]);
        match self.weights.tensors.get("shared.weight") {
            Some(table) => Ok(table.clone().select(0, ids)),
            None => self.model.select("shared.weight", ids),
        }
    }

    /// Encoder output `[rows, length, d_model]`.
    pub fn encode(&self, inputs: &Inputs) -> Result<Tensor<3>> {
        let [rows, length] = inputs.ids.dims();
        let bias = self.position_bias(Stack::Encoder, 0..length, length)? + inputs.mask.clone();
        let mut x = self.drop(self.embed(inputs.ids.clone())?);
        for block in 0..self.model.config().num_layers {
            let prefix = format!("encoder.block.{block}.layer.0");
            let normed = self.norm(x.clone(), &format!("{prefix}.layer_norm.weight"))?;
            let attention = format!("{prefix}.SelfAttention");
            let heads = self.keys_values(normed.clone(), rows, &attention)?;
            let y = self.attend(normed, &heads, Some(bias.clone()), &attention)?;
            x = self.add_sublayer(x, y, Stack::Encoder, block, 0)?;
            x = self.feed_forward(x, Stack::Encoder, block)?;
        }
        let x = self.drop(self.norm(x, "encoder.final_layer_norm.weight")?);
        Ok(x.reshape([rows, length, self.model.config().d_model]))
    }

    /// Cross-attention keys and values of every decoder block, computed once per source.
    pub(super) fn cross(&self, encoded: &Tensor<3>) -> Result<Vec<Heads>> {
        let [rows, length, d] = encoded.dims();
        let flat = encoded.clone().reshape([rows * length, d]);
        (0..self.model.config().num_decoder_layers)
            .map(|block| {
                let name = format!("decoder.block.{block}.layer.1.EncDecAttention");
                self.keys_values(flat.clone(), rows, &name)
            })
            .collect()
    }

    /// Decoder output `[rows, length, d_model]` for decoder inputs `ids`.
    pub fn decode(
        &self,
        ids: Tensor<2, Int>,
        encoded: &Tensor<3>,
        mask: &Tensor<4>,
    ) -> Result<Tensor<3>> {
        let [rows, length] = ids.dims();
        let device = self.model.device();
        let bias =
            self.position_bias(Stack::Decoder, 0..length, length)? + causal_mask(length, device);
        let cross = self.cross(encoded)?;
        let mut x = self.drop(self.embed(ids)?);
        for (block, cross) in cross.iter().enumerate() {
            let prefix = format!("decoder.block.{block}.layer.0");
            let normed = self.norm(x.clone(), &format!("{prefix}.layer_norm.weight"))?;
            let attention = format!("{prefix}.SelfAttention");
            let heads = self.keys_values(normed.clone(), rows, &attention)?;
            let y = self.attend(normed, &heads, Some(bias.clone()), &attention)?;
            x = self.after_self_attention(x, y, block, cross, mask)?;
        }
        let x = self.drop(self.norm(x, "decoder.final_layer_norm.weight")?);
        Ok(x.reshape([rows, length, self.model.config().d_model]))
    }

    /// The rest of a decoder block, shared by training and cached decoding.
    pub(super) fn after_self_attention(
        &self,
        x: Tensor<2>,
        y: Tensor<2>,
        block: usize,
        cross: &Heads,
        mask: &Tensor<4>,
    ) -> Result<Tensor<2>> {
        let x = self.add_sublayer(x, y, Stack::Decoder, block, 0)?;
        let prefix = format!("decoder.block.{block}.layer.1");
        let normed = self.norm(x.clone(), &format!("{prefix}.layer_norm.weight"))?;
        let y = self.attend(
            normed,
            cross,
            Some(mask.clone()),
            &format!("{prefix}.EncDecAttention"),
        )?;
        let x = x + self.drop(y); // no method has an adapter here
        self.feed_forward(x, Stack::Decoder, block)
    }

    fn feed_forward(&self, x: Tensor<2>, stack: Stack, block: usize) -> Result<Tensor<2>> {
        let layer = stack.feed_forward_layer();
        let prefix = format!("{}.block.{block}.layer.{layer}", stack.name());
        let normed = self.norm(x.clone(), &format!("{prefix}.layer_norm.weight"))?;
        let config = self.model.config();
        let dense = format!("{prefix}.DenseReluDense");
        let y = by_rows(normed, config.d_ff, |tile| {
            let inner = if config.gated {
                let gate = self.linear(tile.clone(), &format!("{dense}.wi_0.weight"))?;
                activate(gate, config.activation)
                    * self.linear(tile, &format!("{dense}.wi_1.weight"))?
            } else {
                activate(
                    self.linear(tile, &format!("{dense}.wi.weight"))?,
                    config.activation,
                )
            };
            self.linear(self.drop(inner), &format!("{dense}.wo.weight"))
        })?;
        self.add_sublayer(x, y, stack, block, layer)
    }

    /// `x + dropout(adapter(y))`.
    fn add_sublayer(
        &self,
        x: Tensor<2>,
        y: Tensor<2>,
        stack: Stack,
        block: usize,
        layer: usize,
    ) -> Result<Tensor<2>> {
        let y = self.adapter(&x, y, stack, block, layer)?;
        Ok(x + self.drop(y))
    }

    /// Vocabulary logits `[rows, vocab]` of decoder outputs `[rows, d_model]`.
    pub fn logits(&self, hidden: Tensor<2>) -> Result<Tensor<2>> {
        let config = self.model.config();
        if config.tie_word_embeddings {
            let scaled = hidden.mul_scalar((config.d_model as f64).powf(-0.5));
            self.linear(scaled, "shared.weight")
        } else {
            self.linear(hidden, "lm_head.weight")
        }
    }
}

//! The forward pass: both stacks over one base and one method's weights.

use super::attention::{Heads, causal_mask, padding_mask};
use super::layers::{activate, by_rows};
use super::{Stack, T5, Weights};
use crate::Result;
use crate::kernels::{DropoutKey, dropout, linear, rms_norm};
use crate::method::PROMPT;
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

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
    pub(super) dropout: Option<(f64, DropoutKey)>,
    /// The next site of dropout.
    pub(super) site: Cell<u32>,
    /// Projected tensors of this pass, each made when first asked for.
    pub(super) projected: RefCell<BTreeMap<String, Tensor<2>>>,
}

impl<'a> Forward<'a> {
    /// A pass without dropout.
    pub fn new(model: &'a T5, weights: &'a Weights) -> Self {
        Self {
            model,
            weights,
            dropout: None,
            site: Cell::new(0),
            projected: RefCell::default(),
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
        match self.own(name)? {
            Some(tensor) => Ok(tensor),
            None => self.model.tensor(name),
        }
    }

    /// What stands in the place of one of the base's tensors: trained itself, or moved along a
    /// projection.
    fn own(&self, name: &str) -> Result<Option<Tensor<2>>> {
        if let Some(tensor) = self.weights.tensors.get(name) {
            return Ok(Some(tensor.clone()));
        }
        let Some(projections) = &self.weights.projections else {
            return Ok(None);
        };
        if let Some(tensor) = self.projected.borrow().get(name) {
            return Ok(Some(tensor.clone()));
        }
        let tensor = projections.moved(name, self.model, self.weights)?;
        if let Some(tensor) = &tensor {
            let mut made = self.projected.borrow_mut();
            made.insert(name.into(), tensor.clone());
        }
        Ok(tensor)
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

    /// `x W^T` with `W: [out, in]`, trained or the base's, and the bias that the method may have
    /// given it; `x: [rows, in]`.
    pub(super) fn linear(&self, x: Tensor<2>, name: &str) -> Result<Tensor<2>> {
        let y = self.product(x, name)?;
        Ok(self.biased(y, name))
    }

    /// [`Self::linear`] without a bias.
    fn product(&self, x: Tensor<2>, name: &str) -> Result<Tensor<2>> {
        match self.own(name)? {
            Some(tensor) => Ok(linear(x, tensor)),
            None => self.model.linear(name, x),
        }
    }

    /// Adds the bias that the method gave to what the weight called `name` made, if it gave one.
    fn biased(&self, y: Tensor<2>, name: &str) -> Tensor<2> {
        let method = self.weights.method.as_ref();
        let stem = name.strip_suffix(".weight");
        let (Some(stem), true) = (stem, method.is_some_and(|method| method.biases)) else {
            return y;
        };
        match self.weights.tensors.get(&format!("{stem}.bias")) {
            Some(bias) => y + bias.clone(),
            None => y,
        }
    }

    pub(super) fn norm(&self, x: Tensor<2>, name: &str) -> Result<Tensor<2>> {
        let epsilon = self.model.config().layer_norm_epsilon;
        let y = rms_norm(x, self.tensor(name)?, epsilon);
        Ok(self.biased(y, name))
    }

    /// Token embeddings: `[rows · length, d_model]`.
    pub(super) fn embed(&self, ids: Tensor<2, Int>) -> Result<Tensor<2>> {
        let [rows, length] = ids.dims();
        let ids = ids.reshape([rows * length]);
        match self.own("shared.weight")? {
            Some(table) => Ok(table.select(0, ids)),
            None => self.model.select("shared.weight", ids),
        }
    }

    /// The method's prompt in front of each row's embeddings `[rows · length, d_model]`.
    fn prompted(&self, x: Tensor<2>, rows: usize) -> Result<Tensor<2>> {
        let Some(prompt) = self.weights.tensors.get(PROMPT) else {
            return Ok(x);
        };
        let ([more, width], length) = (prompt.dims(), x.dims()[0] / rows.max(1));
        let prompt = prompt.clone().unsqueeze::<3>().expand([rows, more, width]);
        let x = Tensor::cat(vec![prompt, x.reshape([rows, length, width])], 1);
        Ok(x.reshape([rows * (more + length), width]))
    }

    /// The mask `[rows, 1, 1, length]` of the source with the method's prompt, which always counts.
    pub(super) fn prompted_mask(&self, mask: &Tensor<4>) -> Tensor<4> {
        let Some(prompt) = self.weights.tensors.get(PROMPT) else {
            return mask.clone();
        };
        let counts = [mask.dims()[0], 1, 1, prompt.dims()[0]];
        let counts = Tensor::zeros(counts, self.model.device());
        Tensor::cat(vec![counts, mask.clone()], 3)
    }

    /// Encoder output `[rows, length, d_model]`; a prompt's rows are the first of the length.
    pub fn encode(&self, inputs: &Inputs) -> Result<Tensor<3>> {
        let rows = inputs.ids.dims()[0];
        let mut x = self.encoder_input(inputs)?;
        let bias = self.encoder_bias(inputs, x.dims()[0] / rows.max(1))?;
        for block in 0..self.model.config().num_layers {
            x = self.encoder_block(x, &bias, block)?;
        }
        self.output(x, rows, Stack::Encoder)
    }

    /// What the first block of the encoder takes: `[rows · length, d_model]`.
    pub(super) fn encoder_input(&self, inputs: &Inputs) -> Result<Tensor<2>> {
        let rows = inputs.ids.dims()[0];
        Ok(self.drop(self.prompted(self.embed(inputs.ids.clone())?, rows)?))
    }

    /// Positions and padding of the encoder's self-attention: `[rows, heads, length, length]`.
    pub(super) fn encoder_bias(&self, inputs: &Inputs, length: usize) -> Result<Tensor<4>> {
        let bias = self.position_bias(Stack::Encoder, 0..length, length)?;
        Ok(bias + self.prompted_mask(&inputs.mask))
    }

    /// One block of the encoder; `x: [rows · length, d_model]`.
    pub(super) fn encoder_block(
        &self,
        x: Tensor<2>,
        bias: &Tensor<4>,
        block: usize,
    ) -> Result<Tensor<2>> {
        let y = self.self_attention(&x, bias, Stack::Encoder, block)?;
        let x = self.add_sublayer(x, y, Stack::Encoder, block, 0)?;
        self.feed_forward(x, Stack::Encoder, block)
    }

    /// `x: [rows · length, d_model]`; `bias` has a matrix a row, or one for all.
    fn self_attention(
        &self,
        x: &Tensor<2>,
        bias: &Tensor<4>,
        stack: Stack,
        block: usize,
    ) -> Result<Tensor<2>> {
        let rows = x.dims()[0] / bias.dims()[2].max(1);
        let prefix = format!("{}.block.{block}.layer.0", stack.name());
        let normed = self.norm(x.clone(), &format!("{prefix}.layer_norm.weight"))?;
        let attention = format!("{prefix}.SelfAttention");
        let heads = self.keys_values(normed.clone(), rows, &attention)?;
        self.attend(normed, &heads, Some(bias.clone()), &attention)
    }

    /// A stack's output `[rows, length, d_model]` after its last block.
    pub(super) fn output(&self, x: Tensor<2>, rows: usize, stack: Stack) -> Result<Tensor<3>> {
        let name = format!("{}.final_layer_norm.weight", stack.name());
        let x = self.drop(self.norm(x, &name)?);
        let [all, d] = x.dims();
        Ok(x.reshape([rows, all / rows.max(1), d]))
    }

    /// Cross-attention keys and values of every decoder block, computed once per source.
    pub(super) fn cross(&self, encoded: &Tensor<3>) -> Result<Vec<Heads>> {
        (0..self.model.config().num_decoder_layers)
            .map(|block| self.cross_of(encoded, block))
            .collect()
    }

    /// Those of one block.
    pub(super) fn cross_of(&self, encoded: &Tensor<3>, block: usize) -> Result<Heads> {
        let [rows, length, d] = encoded.dims();
        let flat = encoded.clone().reshape([rows * length, d]);
        let name = format!("decoder.block.{block}.layer.1.EncDecAttention");
        self.keys_values(flat, rows, &name)
    }

    /// Decoder output `[rows, length, d_model]` for decoder inputs `ids`.
    pub fn decode(
        &self,
        ids: Tensor<2, Int>,
        encoded: &Tensor<3>,
        mask: &Tensor<4>,
    ) -> Result<Tensor<3>> {
        let [rows, length] = ids.dims();
        let bias = self.decoder_bias(length)?;
        let cross = self.cross(encoded)?;
        let mask = self.prompted_mask(mask);
        let mut x = self.drop(self.embed(ids)?);
        for (block, cross) in cross.iter().enumerate() {
            x = self.decoder_block(x, &bias, cross, &mask, block)?;
        }
        self.output(x, rows, Stack::Decoder)
    }

    /// Positions of the decoder's self-attention, none of which sees a later one:
    /// `[1, heads, length, length]`.
    pub(super) fn decoder_bias(&self, length: usize) -> Result<Tensor<4>> {
        let bias = self.position_bias(Stack::Decoder, 0..length, length)?;
        Ok(bias + causal_mask(length, self.model.device()))
    }

    /// One block of the decoder; `x: [rows · length, d_model]`.
    pub(super) fn decoder_block(
        &self,
        x: Tensor<2>,
        bias: &Tensor<4>,
        cross: &Heads,
        mask: &Tensor<4>,
        block: usize,
    ) -> Result<Tensor<2>> {
        let y = self.self_attention(&x, bias, Stack::Decoder, block)?;
        self.after_self_attention(x, y, block, cross, mask)
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
        const HEAD: &str = "lm_head.weight";
        const TABLE: &str = "shared.weight";
        if !config.tie_word_embeddings {
            return self.linear(hidden, HEAD);
        }
        let scaled = hidden.mul_scalar((config.d_model as f64).powf(-0.5));
        // A trained table serves here too; one that moves along a projection moves at the inputs
        // alone, as in the published code.
        let logits = match self.weights.tensors.get(TABLE) {
            Some(table) => linear(scaled, table.clone()),
            None => self.model.linear(TABLE, scaled)?,
        };
        Ok(self.biased(logits, HEAD))
    }
}

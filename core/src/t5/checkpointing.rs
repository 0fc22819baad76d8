//! Loss and gradients, with or without activation checkpointing (Chen et al. 2016): of a pass only
//! the blocks' inputs are kept, and each block runs again when the way back comes to it.

use super::{Forward, Inputs, Stack, Tensors, Weights};
use crate::Result;
use crate::data::Batch;
use burn::tensor::{Gradients, Tensor};

/// A block's input `[rows · length, d_model]` and the dropout site at which it begins.
struct Kept {
    site: u32,
    x: Tensor<2>,
}

/// What a pass leaves for the way back.
struct Pass {
    encoder: Vec<Kept>,
    encoded: Tensor<3>,
    decoder: Vec<Kept>,
    /// The site of the dropout of the decoder's embeddings.
    decoder_input: u32,
    /// The decoder's last output before its norm, and the site of that.
    last: Kept,
    /// The encoder's.
    last_encoded: Kept,
}

/// The same numbers, as a leaf that receives a gradient.
fn leaf<const D: usize>(x: &Tensor<D>) -> Tensor<D> {
    Tensor::from_inner(x.clone().inner()).require_grad()
}

/// A leaf where the way back goes on from it, else the same.
fn trained_leaf<const D: usize>(x: &Tensor<D>) -> Tensor<D> {
    if x.is_tracked() { leaf(x) } else { x.clone() }
}

/// `dy` as a constant of a graph.
fn constant<const D: usize>(dy: Tensor<D>) -> Tensor<D> {
    Tensor::from_inner(dy)
}

fn add<const D: usize>(sum: Option<Tensor<D>>, more: Option<Tensor<D>>) -> Option<Tensor<D>> {
    match (sum, more) {
        (Some(sum), Some(more)) => Some(sum + more),
        (sum, more) => sum.or(more),
    }
}

impl Forward<'_> {
    /// The loss of a batch as [`Self::loss_sum`] has it, divided by `counted`, without a graph; the
    /// gradients of the trained tensors are added to `sums`.
    pub fn gradients(&self, batch: &Batch, counted: f64, sums: &mut Tensors) -> Result<Tensor<1>> {
        let loss = self.loss_sum(batch)?.div_scalar(counted);
        let mut computed = loss.backward();
        collect(self.weights, &mut computed, sums);
        Ok(loss.inner())
    }

    /// [`Self::gradients`] by activation checkpointing: a second pass forward, block by block, for
    /// the memory of one block's activations instead of all blocks'.
    pub fn checkpointed_gradients(
        &self,
        batch: &Batch,
        counted: f64,
        sums: &mut Tensors,
    ) -> Result<Tensor<1>> {
        let inputs = Inputs::new(&batch.source, &batch.mask, batch.rows, self.model.device());
        let frozen = self.weights.frozen();
        let pass = Forward {
            weights: &frozen,
            ..self.at_site(self.site.get())
        }
        .kept(&inputs, batch)?;
        let mut back = Back {
            forward: self,
            sums,
        };
        let (loss, dx) = back.loss(&pass, batch, counted)?;
        let encoded = back.decoder(&pass, batch, &inputs, dx)?;
        back.encoder(&pass, &inputs, encoded)?;
        Ok(loss)
    }

    /// The same pass with another place in its dropout, and nothing projected yet.
    fn at_site(&self, site: u32) -> Self {
        let mut forward = Self::new(self.model, self.weights);
        forward.dropout = self.dropout;
        forward.site.set(site);
        forward
    }

    /// One pass without a graph.
    fn kept(&self, inputs: &Inputs, batch: &Batch) -> Result<Pass> {
        let config = self.model.config();
        let keep = |x: &Tensor<2>| {
            // A moved base is as large as the base itself: of each block only while it runs.
            self.projected.borrow_mut().clear();
            let (site, x) = (self.site.get(), x.clone());
            Kept { site, x }
        };
        let rows = batch.rows;
        let mut x = self.encoder_input(inputs)?;
        let bias = self.encoder_bias(inputs, x.dims()[0] / rows.max(1))?;
        let mut encoder = Vec::with_capacity(config.num_layers);
        for block in 0..config.num_layers {
            encoder.push(keep(&x));
            x = self.encoder_block(x, &bias, block)?;
        }
        let last_encoded = keep(&x);
        let encoded = self.output(x, rows, Stack::Encoder)?;
        let ids = self.decoder_ids(&batch.labels, rows);
        let bias = self.decoder_bias(ids.dims()[1])?;
        let mask = self.prompted_mask(&inputs.mask);
        let decoder_input = self.site.get();
        let mut x = self.drop(self.embed(ids)?);
        let mut decoder = Vec::with_capacity(config.num_decoder_layers);
        for block in 0..config.num_decoder_layers {
            decoder.push(keep(&x));
            let cross = self.cross_of(&encoded, block)?;
            x = self.decoder_block(x, &bias, &cross, &mask, block)?;
        }
        let last = keep(&x);
        Ok(Pass {
            encoder,
            encoded,
            decoder,
            decoder_input,
            last,
            last_encoded,
        })
    }
}

/// Takes the trained tensors' gradients out of a graph's.
fn collect(weights: &Weights, computed: &mut Gradients, sums: &mut Tensors) {
    for (name, tensor) in &weights.tensors {
        let more = tensor.grad_remove(computed);
        if let Some(sum) = add(sums.remove(name), more) {
            sums.insert(name.clone(), sum);
        }
    }
}

/// The way back.
struct Back<'a> {
    forward: &'a Forward<'a>,
    sums: &'a mut Tensors,
}

impl<'a> Back<'a> {
    /// Runs a part again from its dropout site on, and goes back through it from the gradient `dy`
    /// of what it makes; nothing where nothing is trained in it.
    fn through<const D: usize>(
        &mut self,
        site: u32,
        dy: Tensor<D>,
        part: impl FnOnce(&Forward<'a>) -> Result<Tensor<D>>,
    ) -> Result<Option<Gradients>> {
        let y = part(&self.forward.at_site(site))?;
        if !y.is_tracked() {
            return Ok(None);
        }
        let mut computed = (y * constant(dy)).sum().backward();
        collect(self.forward.weights, &mut computed, self.sums);
        Ok(Some(computed))
    }

    /// The loss, and the gradient of the decoder's last block's output.
    fn loss(
        &mut self,
        pass: &Pass,
        batch: &Batch,
        counted: f64,
    ) -> Result<(Tensor<1>, Option<Tensor<2>>)> {
        let forward = self.forward.at_site(pass.last.site);
        let x = leaf(&pass.last.x);
        let hidden = forward.output(x.clone(), batch.rows, Stack::Decoder)?;
        let picked = forward.picked(&batch.labels, hidden)?;
        let loss = picked.sum().neg().div_scalar(counted);
        let mut computed = loss.backward();
        collect(self.forward.weights, &mut computed, self.sums);
        Ok((loss.inner(), x.grad_remove(&mut computed)))
    }

    /// Back through the decoder; gives the gradient of the encoder's output.
    fn decoder(
        &mut self,
        pass: &Pass,
        batch: &Batch,
        inputs: &Inputs,
        mut dx: Option<Tensor<2>>,
    ) -> Result<Option<Tensor<3>>> {
        let length = batch.labels.len() / batch.rows.max(1);
        let bias = self.forward.at_site(0).decoder_bias(length)?;
        let mask = self.forward.prompted_mask(&inputs.mask);
        let (mut dbias, mut dencoded) = (None, None);
        for (block, kept) in pass.decoder.iter().enumerate().rev() {
            let Some(dy) = dx.take() else { break };
            let (x, encoded, bias) = (leaf(&kept.x), leaf(&pass.encoded), trained_leaf(&bias));
            let computed = self.through(kept.site, dy, |forward| {
                let cross = forward.cross_of(&encoded, block)?;
                forward.decoder_block(x.clone(), &bias, &cross, &mask, block)
            })?;
            if let Some(mut computed) = computed {
                dencoded = add(dencoded, encoded.grad_remove(&mut computed));
                dbias = add(dbias, bias.grad_remove(&mut computed));
                dx = x.grad_remove(&mut computed);
            }
        }
        if let Some(dbias) = dbias {
            self.through(0, dbias, |forward| forward.decoder_bias(length))?;
        }
        if let Some(dx) = dx {
            let ids = self.forward.decoder_ids(&batch.labels, batch.rows);
            let embedded = |forward: &Forward<'_>| Ok(forward.drop(forward.embed(ids)?));
            self.through(pass.decoder_input, dx, embedded)?;
        }
        Ok(dencoded)
    }

    /// Back through the encoder.
    fn encoder(&mut self, pass: &Pass, inputs: &Inputs, dencoded: Option<Tensor<3>>) -> Result<()> {
        let Some(dencoded) = dencoded else {
            return Ok(());
        };
        let [rows, length, _] = dencoded.dims();
        let bias = self.forward.at_site(0).encoder_bias(inputs, length)?;
        let mut dbias = None;
        let x = leaf(&pass.last_encoded.x);
        let computed = self.through(pass.last_encoded.site, dencoded, |forward| {
            forward.output(x.clone(), rows, Stack::Encoder)
        })?;
        let mut dx = computed.and_then(|mut computed| x.grad_remove(&mut computed));
        for (block, kept) in pass.encoder.iter().enumerate().rev() {
            let Some(dy) = dx.take() else { break };
            let (x, bias) = (leaf(&kept.x), trained_leaf(&bias));
            let computed = self.through(kept.site, dy, |forward| {
                forward.encoder_block(x.clone(), &bias, block)
            })?;
            if let Some(mut computed) = computed {
                dbias = add(dbias, bias.grad_remove(&mut computed));
                dx = x.grad_remove(&mut computed);
            }
        }
        if let Some(dbias) = dbias {
            self.through(0, dbias, |forward| forward.encoder_bias(inputs, length))?;
        }
        if let Some(dx) = dx {
            self.through(self.forward.site.get(), dx, |forward| {
                forward.encoder_input(inputs)
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Row;
    use crate::kernels::DropoutKey;
    use crate::method::{Method, NAMES, Overrides};
    use crate::t5::{Storage, T5, T5Config};
    use crate::{block_on, cpu_device, float_values};

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        block_on(float_values(tensor)).unwrap()
    }

    fn batch() -> Batch {
        let row = |source: &[u32], target: &[u32]| Row {
            source: source.to_vec(),
            target: target.to_vec(),
        };
        let rows = [row(&[3, 9, 20, 7, 1], &[4, 1]), row(&[5, 1], &[8, 2, 1])];
        Batch::new(&rows.iter().collect::<Vec<_>>())
    }

    #[test]
    fn every_method_has_the_gradients_that_a_whole_graph_gives() {
        let json = br#"{"vocab_size": 104, "d_model": 32, "d_kv": 8, "d_ff": 20, "num_layers": 3,
            "num_decoder_layers": 2, "num_heads": 2}"#;
        let config = T5Config::from_json(json, "config.json").unwrap();
        let device = cpu_device();
        let model = T5::random(config.clone(), Storage::F32, 1, &device).unwrap();
        for name in NAMES {
            let bottlenecks = !["full", "bitfit", "intrinsic-said"].contains(&name)
                && !name.starts_with("prompt");
            let overrides = Overrides {
                bottleneck: bottlenecks.then_some(8),
                n: (name == "phm-adapter").then_some(4),
                dimension: (name == "intrinsic-said").then_some(60),
                ..Overrides::default()
            };
            let method = Method::resolve(name, &config, &overrides).unwrap();
            let weights = Weights::start(&model, &method, 1).unwrap().tracked();
            let key = DropoutKey {
                seed: 1,
                step: 2,
                site: 3,
            };
            let forward = || Forward::new(&model, &weights).with_dropout(0.1, key);
            let (mut whole, mut parts) = (Tensors::new(), Tensors::new());
            let loss = forward().gradients(&batch(), 5.0, &mut whole).unwrap();
            let again = forward().checkpointed_gradients(&batch(), 5.0, &mut parts);
            let again = again.unwrap();
            assert_eq!(values(loss), values(again), "{name}");
            assert!(whole.keys().eq(parts.keys()), "{name}");
            for (tensor, whole) in whole {
                let (whole, parts) = (values(whole), values(parts[&tensor].clone()));
                let size = whole
                    .iter()
                    .fold(1e-3f32, |most, value| most.max(value.abs()));
                for (whole, part) in whole.iter().zip(&parts) {
                    let off = (whole - part).abs();
                    assert!(off < 3e-6 * size, "{name}, {tensor}: {whole}, {part}");
                }
            }
        }
    }
}

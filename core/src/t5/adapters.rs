//! The method's layer at a place of the model.

use super::layers::activate;
use super::{Activation, Forward, Stack};
use crate::Result;
use crate::kernels::{AdapterShape, lphm, lphm_adapter};
use crate::method::{AdapterInput, Layer, Place, RULE};
use burn::tensor::Tensor;

impl Forward<'_> {
    /// `y + up(activation(down(z)))` where the method has an adapter, else `y`; z is y, or y plus
    /// the block's input `x`; both `[rows, d_model]`.
    pub(super) fn adapter(
        &self,
        x: &Tensor<2>,
        y: Tensor<2>,
        stack: Stack,
        block: usize,
        layer: usize,
    ) -> Result<Tensor<2>> {
        let method = self.weights.method.as_ref();
        let Some(adapters) = method.and_then(|method| method.adapters.as_ref()) else {
            return Ok(y);
        };
        if !adapters
            .sites
            .iter()
            .any(|site| site.position() == (stack, layer))
        {
            return Ok(y);
        }
        let packed = self.tensor(
            &Place {
                stack,
                block,
                layer,
            }
            .name(),
        )?; // [1, len]
        let (k, d) = (self.model.config().d_model, adapters.bottleneck);
        let z = match adapters.input {
            AdapterInput::Sublayer => y.clone(),
            AdapterInput::Residual => x.clone() + y.clone(),
        };
        match adapters.layer {
            Layer::Lphm { n, rank } => {
                let shape = AdapterShape::new(n, rank, k, d)?;
                let rule = self.tensor(RULE)?.reshape([n, n, n]);
                let packed = packed.clone().reshape([packed.dims()[1]]);
                let published = adapters.activation == Activation::GeluNew
                    && adapters.input == AdapterInput::Sublayer;
                Ok(match published {
                    true => lphm_adapter(z, rule, packed, &shape),
                    false => y + composed_adapter(z, rule, packed, &shape, adapters.activation),
                })
            }
            Layer::Dense => Ok(y + dense_adapter(z, packed, k, d, adapters.activation)),
        }
    }
}

/// An adapter alone, without what it is added to, of burn's own operations: for what the kernels,
/// which compute the published form, do not know.
fn composed_adapter(
    z: Tensor<2>,
    rule: Tensor<3>,
    packed: Tensor<1>,
    shape: &AdapterShape,
    activation: Activation,
) -> Tensor<2> {
    let (n, r) = (shape.n, shape.rank);
    let mut start = 0;
    let mut part = |len: usize| {
        start += len;
        packed.clone().slice([start - len..start])
    };
    let mut project = |z: Tensor<2>, input: usize, output: usize| {
        let (p, q) = (input / n, output / n);
        let s = part(n * p * r).reshape([n, p, r]);
        let t = part(n * r * q).reshape([n, r, q]);
        lphm(z, rule.clone(), s, t, part(output))
    };
    let inner = project(z, shape.model, shape.bottleneck); // [rows, d]
    project(activate(inner, activation), shape.bottleneck, shape.model)
}

/// Packed as down weight `[d, k]`, down bias `[d]`, up weight `[k, d]`, up bias `[k]`; without what
/// it is added to.
fn dense_adapter(
    z: Tensor<2>,
    packed: Tensor<2>,
    k: usize,
    d: usize,
    activation: Activation,
) -> Tensor<2> {
    let part = |start: usize, len: usize| packed.clone().slice([0..1, start..start + len]);
    let down = part(0, d * k).reshape([d, k]);
    let down_bias = part(d * k, d); // [1, d]
    let up = part(d * k + d, k * d).reshape([k, d]);
    let up_bias = part(2 * d * k + d, k); // [1, k]
    let inner = activate(z.matmul(down.transpose()) + down_bias, activation); // [rows, d]
    inner.matmul(up.transpose()) + up_bias
}

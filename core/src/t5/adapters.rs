//! The method's layer at a place of the model.

use super::{Forward, Stack};
use crate::Result;
use crate::kernels::{AdapterShape, gelu_new, lphm_adapter};
use crate::method::{Layer, Place, RULE};
use burn::tensor::Tensor;

impl Forward<'_> {
    /// `y + up(gelu_new(down(y)))` where the method has an adapter, else `y`; `y: [rows, d_model]`.
    pub(super) fn adapter(
        &self,
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
        match adapters.layer {
            Layer::Lphm { n, rank } => {
                let shape = AdapterShape::new(n, rank, k, d)?;
                let rule = self.tensor(RULE)?.reshape([n, n, n]);
                let len = packed.dims()[1];
                Ok(lphm_adapter(y, rule, packed.reshape([len]), &shape))
            }
            Layer::Dense => Ok(dense_adapter(y, packed, k, d)),
        }
    }
}

/// Packed as down weight `[d, k]`, down bias `[d]`, up weight `[k, d]`, up bias `[k]`.
fn dense_adapter(y: Tensor<2>, packed: Tensor<2>, k: usize, d: usize) -> Tensor<2> {
    let part = |start: usize, len: usize| packed.clone().slice([0..1, start..start + len]);
    let down = part(0, d * k).reshape([d, k]);
    let down_bias = part(d * k, d); // [1, d]
    let up = part(d * k + d, k * d).reshape([k, d]);
    let up_bias = part(2 * d * k + d, k); // [1, k]
    let inner = gelu_new(y.clone().matmul(down.transpose()) + down_bias); // [rows, d]
    y + inner.matmul(up.transpose()) + up_bias
}

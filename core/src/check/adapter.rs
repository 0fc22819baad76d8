//! The fused adapter alone: bytes that it cannot do without, a second, beside a copy's.

use super::compare::values;
use super::speed::{best, ready};
use crate::kernels::{AdapterShape, lphm_adapter, lphm_adapter_backward};
use crate::{Device, Result};
use burn::tensor::Tensor;
use serde::Serialize;

/// GB a second of a copy and of the adapter, forward and backward.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AdapterSpeed {
    /// Of a product with a number: every row read once and written once.
    pub copy: f64,
    /// Of the forward kernel: every row read once and written once.
    pub forward: f64,
    /// Of the backward kernels: rows and gradients read once, the rows' gradients written once.
    pub backward: f64,
}

/// Measures it on rows of this shape's width; one kernel at a time, less what waiting takes.
pub async fn adapter_speed(
    device: &Device,
    rows: usize,
    shape: &AdapterShape,
) -> Result<AdapterSpeed> {
    let one = Tensor::<2>::ones([1, 1], device);
    let wait = best(async || ready(&one).await).await?;
    // [rows, k]; the same few numbers in every row, as drawing them all would take longer.
    let wide = |purpose| {
        let row = values(device, purpose, [1, shape.model]);
        row.repeat_dim(0, rows)
    };
    let [x, grad] = ["x", "cotangent"].map(wide);
    let rule = values(device, "rule", [shape.n; 3]);
    let parts = values(device, "parts", [shape.len()]);
    let copy = best(async || ready(&(x.clone() * 1.5)).await).await? - wait;
    let forward = best(async || {
        let y = lphm_adapter(x.clone(), rule.clone(), parts.clone(), shape);
        ready(&y).await
    });
    let forward = forward.await? - wait;
    let backward = best(async || {
        let wide = [x.clone(), grad.clone()];
        let (dx, _, dparts) = lphm_adapter_backward(wide, rule.clone(), parts.clone(), shape);
        // The parameters' gradients come last.
        ready(&dx).await?;
        ready(&dparts.unsqueeze()).await
    });
    let backward = backward.await? - 2.0 * wait;
    let bytes = (rows * shape.model * size_of::<f32>()) as f64;
    let speed = |times: f64, seconds: f64| times * bytes / seconds.max(1e-9) / 1e9;
    Ok(AdapterSpeed {
        copy: speed(2.0, copy),
        forward: speed(2.0, forward),
        backward: speed(3.0, backward),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{block_on, cpu_device};

    #[test]
    fn each_has_a_speed() {
        let shape = AdapterShape::new(4, 1, 64, 8).unwrap();
        let speed = block_on(adapter_speed(&cpu_device(), 64, &shape)).unwrap();
        for value in [speed.copy, speed.forward, speed.backward] {
            assert!(value > 0.0 && value.is_finite(), "{speed:?}");
        }
    }
}

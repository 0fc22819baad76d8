//! What our kernels do not cover: matrix products of many rows, and training from end to end.

use super::Checked;
use super::compare::{ROUNDING, Results, compare, flat, read, values};
use crate::method::Method;
use crate::t5::{Storage, T5, T5Config};
use crate::train::Bench;
use crate::{Device, Error, Result, cpu_device, float_values};
use std::sync::Arc;

/// Losses after steps whose gradients were summed in another order.
const LOSSES: f64 = 1e-3;

/// Runs both on the device and on the CPU.
pub(super) async fn whole(device: &Device) -> Result<Vec<Checked>> {
    let cpu = cpu_device();
    let mut all = Vec::new();
    let got = product(device).await?;
    compare(
        &mut all,
        "product of 1,024 rows",
        ROUNDING,
        got,
        product(&cpu).await?,
    );
    let got = steps(device).await?;
    compare(&mut all, "training", LOSSES, got, steps(&cpu).await?);
    Ok(all)
}

/// Wrong on Metal in earlier versions of burn, from a number of rows on.
async fn product(device: &Device) -> Result<Results> {
    let x = values(device, "x", [1024, 128]).require_grad();
    let w = values(device, "w", [128, 96]).require_grad();
    let y = x.clone().matmul(w.clone()); // [1024, 96]
    let output = float_values(y.clone()).await?;
    let cotangent = values(device, "cotangent", [1024, 96]);
    let grads = (y * cotangent).sum().backward();
    Ok(vec![
        ("output", output),
        (
            "gradient of the input",
            read(x.grad(&grads).map(flat)).await?,
        ),
        (
            "gradient of the matrix",
            read(w.grad(&grads).map(flat)).await?,
        ),
    ])
}

/// Three steps of Compacter in a T5 of one layer a stack: forward, backward, AdamW, dropout.
async fn steps(device: &Device) -> Result<Results> {
    let name = "t5-small";
    let published = T5Config::preset(name);
    let published = published.ok_or_else(|| Error::Setting(format!("no sizes `{name}`")))?;
    let config = T5Config {
        vocab_size: 64,
        d_model: 64,
        d_kv: 16,
        d_ff: 96,
        num_heads: 4,
        num_layers: 1,
        num_decoder_layers: 1,
        ..published
    };
    let model = Arc::new(T5::random(config, Storage::F32, 1, device)?);
    let method = Method::preset("compacter", model.config())?;
    let mut bench = Bench::new(model, &method, [2, 9, 3], 1)?;
    let mut losses = Vec::new();
    for _ in 0..3 {
        losses.push(bench.step_async().await? as f32);
    }
    Ok(vec![("three losses", losses)])
}

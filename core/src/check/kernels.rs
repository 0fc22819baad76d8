//! Every kernel of ours on a device and on the CPU.

use super::Checked;
use super::compare::{ROUNDING, Results, compare, flat, read, values};
use crate::kernels::{
    AdamwStep, AdapterShape, DropoutKey, LEVELS, Packed, Spread, Transform, adamw, dropout,
    fastfood_spread, gelu_new, hadamard, kron_sum, levels, lphm_adapter, rms_norm, softmax,
};
use crate::packing::{Packer, Packing};
use crate::random::Stream;
use crate::{Device, Result, cpu_device, float_values};
use burn::tensor::{Int, Tensor, TensorData};

/// Runs every kernel on the device and on the CPU, on small sizes of several shapes.
pub(super) async fn kernels(device: &Device) -> Result<Vec<Checked>> {
    let cpu = cpu_device();
    let mut all = Vec::new();
    // n, rank, d_model, bottleneck, rows: the bundled model's, T5-small's, odd ones.
    for sizes in [
        [4, 1, 192, 24, 33],
        [4, 1, 512, 16, 9],
        [3, 2, 39, 6, 70],
        [12, 1, 48, 24, 5],
    ] {
        let name = format!("adapter {sizes:?}");
        let got = adapter(device, sizes).await?;
        compare(&mut all, &name, ROUNDING, got, adapter(&cpu, sizes).await?);
    }
    for sizes in [[4, 48, 6], [3, 5, 7]] {
        let name = format!("Kronecker sum {sizes:?}");
        let got = kron(device, sizes).await?;
        compare(&mut all, &name, ROUNDING, got, kron(&cpu, sizes).await?);
    }
    let got = activation(device).await?;
    compare(&mut all, "gelu", ROUNDING, got, activation(&cpu).await?);
    let got = masks(device).await?;
    compare(&mut all, "dropout", 0.0, got, masks(&cpu).await?);
    let got = norm(device).await?;
    compare(&mut all, "RMS norm", ROUNDING, got, norm(&cpu).await?);
    let got = shares(device).await?;
    compare(&mut all, "softmax", ROUNDING, got, shares(&cpu).await?);
    let got = optimiser(device).await?;
    compare(&mut all, "AdamW", ROUNDING, got, optimiser(&cpu).await?);
    // log2 of the padded tensor and of the padded vector: one pass, two, three.
    for sizes in [[5, 3], [13, 6], [21, 11]] {
        let name = format!("Fastfood {sizes:?}");
        let got = fastfood(device, sizes).await?;
        compare(&mut all, &name, ROUNDING, got, fastfood(&cpu, sizes).await?);
    }
    for (name, packing) in [
        ("f16 weights", Packing::F16),
        ("int8 weights", Packing::Int8 { group: 8 }),
    ] {
        let got = packed(device, packing).await?;
        compare(&mut all, name, ROUNDING, got, packed(&cpu, packing).await?);
    }
    Ok(all)
}

async fn adapter(device: &Device, sizes: [usize; 5]) -> Result<Results> {
    let [n, rank, model, bottleneck, rows] = sizes;
    let shape = AdapterShape::new(n, rank, model, bottleneck)?;
    let x = values(device, "x", [rows, model]).require_grad();
    let rule = values(device, "rule", [n, n, n]).require_grad();
    let parts = values(device, "parts", [shape.len()]).require_grad();
    let y = lphm_adapter(x.clone(), rule.clone(), parts.clone(), &shape); // [rows, model]
    let output = float_values(y.clone()).await?;
    let grads = (y * values(device, "cotangent", [rows, model]))
        .sum()
        .backward();
    let mut results = vec![("output", output)];
    let gradients = [
        ("gradient of the input", x.grad(&grads).map(flat)),
        ("gradient of A", rule.grad(&grads).map(flat)),
        ("gradient of s, t, bias", parts.grad(&grads).map(flat)),
    ];
    for (name, gradient) in gradients {
        results.push((name, read(gradient).await?));
    }
    Ok(results)
}

async fn kron(device: &Device, [n, p, q]: [usize; 3]) -> Result<Results> {
    let a = values(device, "a", [n, n, n]).require_grad();
    let b = values(device, "b", [n, p, q]).require_grad();
    let w = kron_sum(a.clone(), b.clone()); // [n p, n q]
    let output = float_values(w.clone()).await?;
    let cotangent = values(device, "cotangent", [n * p, n * q]);
    let grads = (w * cotangent).sum().backward();
    Ok(vec![
        ("sum", output),
        ("gradient of A", read(a.grad(&grads).map(flat)).await?),
        ("gradient of B", read(b.grad(&grads).map(flat)).await?),
    ])
}

async fn activation(device: &Device) -> Result<Results> {
    let x = (values(device, "x", [7, 33]) * 20.0).require_grad();
    let y = gelu_new(x.clone());
    let output = float_values(y.clone()).await?;
    let grads = y.sum().backward();
    let gradient = read(x.grad(&grads).map(flat)).await?;
    Ok(vec![("output", output), ("gradient", gradient)])
}

async fn masks(device: &Device) -> Result<Results> {
    let key = DropoutKey {
        seed: 7,
        step: 3,
        site: 12,
    };
    let x = Tensor::<2>::ones([5, 129], device).require_grad();
    let y = dropout(x.clone(), 0.3, key);
    let output = float_values(y.clone()).await?;
    let grads = y.sum().backward();
    let gradient = read(x.grad(&grads).map(flat)).await?;
    Ok(vec![("mask", output), ("mask of the gradient", gradient)])
}

async fn norm(device: &Device) -> Result<Results> {
    let (rows, width) = (37, 300);
    let x = values(device, "x", [rows, width]).require_grad();
    let weight = values(device, "weight", [1, width]).require_grad();
    let y = rms_norm(x.clone(), weight.clone(), 1e-6);
    let output = float_values(y.clone()).await?;
    let cotangent = values(device, "cotangent", [rows, width]);
    let grads = (y * cotangent).sum().backward();
    Ok(vec![
        ("output", output),
        (
            "gradient of the input",
            read(x.grad(&grads).map(flat)).await?,
        ),
        (
            "gradient of the weight",
            read(weight.grad(&grads).map(flat)).await?,
        ),
    ])
}

async fn shares(device: &Device) -> Result<Results> {
    let sizes = [2, 3, 11, 300];
    let x = (values(device, "x", sizes) * 10.0).require_grad();
    let y = softmax(x.clone());
    let output = float_values(y.clone()).await?;
    let grads = (y * values(device, "cotangent", sizes)).sum().backward();
    let gradient = read(x.grad(&grads).map(flat)).await?;
    Ok(vec![("output", output), ("gradient", gradient)])
}

async fn optimiser(device: &Device) -> Result<Results> {
    let sizes = [5, 129];
    let [tensor, grad, moment] = ["w", "g", "m"].map(|name| values(device, name, sizes).inner());
    let scale = Tensor::full([1, 1], 0.5, device).inner();
    let moments = Tensor::stack(vec![moment.clone(), moment.square()], 0); // [2, 5, 129]
    let step = AdamwStep::new(3, 1e-2, 1e-8, 0.1);
    let (tensor, moments) = adamw(tensor, grad, scale, moments, step);
    Ok(vec![
        ("weights", float_values(tensor).await?),
        ("moments", float_values(moments).await?),
    ])
}

async fn fastfood(device: &Device, [bits, period]: [u32; 2]) -> Result<Results> {
    let spread = Spread::new(bits, period, [11, 0, bits, period]);
    let transform = Transform {
        bits,
        len: 3 << (bits - 2), // cut, as a tensor that fills no power of two
        scale: 0.5,
        gradient: 1.0,
    };
    let quantiles = TensorData::new(levels(), [1, LEVELS]);
    let quantiles = Tensor::from_data(quantiles, device);
    let h = values(device, "h", [1, 1 << period]).require_grad();
    let ray = hadamard(fastfood_spread(h.clone(), quantiles, spread), transform);
    let output = float_values(ray.clone()).await?;
    let cotangent = values(device, "cotangent", [1, transform.len]);
    let grads = (ray * cotangent).sum().backward();
    let gradient = read(h.grad(&grads).map(flat)).await?;
    Ok(vec![("projection", output), ("gradient", gradient)])
}

async fn packed(device: &Device, packing: Packing) -> Result<Results> {
    let (rows, columns) = (24, 64);
    let mut stream = Stream::new(11, "packed");
    let weights: Vec<f32> = (0..rows * columns)
        .map(|_| stream.normal() as f32)
        .collect();
    let mut packer = Packer::new(packing, weights.len());
    for row in weights.chunks(columns) {
        // Normal numbers are finite, which is all that a packer asks.
        let _ = packer.push(row);
    }
    let (words, scales) = packer.finish();
    let matrix = Packed::new(words, scales, packing, rows, device);
    let x = values(device, "x", [6, columns]).require_grad();
    let y = matrix.linear(x.clone()); // [6, rows]
    let output = float_values(y.clone()).await?;
    let grads = y.sum().backward();
    let ids = Tensor::<1, Int>::from_data(TensorData::from([3, 0, 23, 3]), device);
    Ok(vec![
        ("rows", float_values(matrix.select(ids)).await?),
        ("product", output),
        ("gradient", read(x.grad(&grads).map(flat)).await?),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DeviceKind, block_on, gpu_device};

    #[test]
    fn the_software_gpu_computes_what_the_cpu_computes() {
        if std::env::var("COMPACTER_GPU").as_deref() == Ok("skip") {
            println!("skipped: COMPACTER_GPU=skip");
            return;
        }
        let device = gpu_device(DeviceKind::DefaultDevice);
        let all = block_on(kernels(&device)).unwrap();
        assert_eq!(all.len(), 4 * 4 + 2 * 3 + 2 + 2 + 3 + 2 + 2 + 3 * 2 + 2 * 3);
        let wrong: Vec<_> = all.iter().filter(|one| !one.is_right()).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        // Two orders of summing differ somewhere: it is not the CPU that was asked twice.
        assert!(all.iter().any(|one| one.worst > 0.0));
    }
}

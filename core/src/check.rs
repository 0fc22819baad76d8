//! Whether a device computes what the CPU computes, kernel by kernel.
//!
//! Drivers have bugs, and wrong gradients look like a model that learns badly. The CPU's loops are
//! held to f64 twins by tests; here any device, a browser's among them, is held to the CPU's.

use serde::{Deserialize, Serialize};

/// One kernel's largest difference from the CPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// What was computed, and on which sizes.
    pub kernel: String,
    /// Largest difference over the largest magnitude of the CPU's result; infinite where one is not
    /// a number.
    #[serde(with = "as_words")]
    pub worst: f64,
    /// What float32 rounding explains; 0 where the bits must be equal.
    pub limit: f64,
}

impl Checked {
    /// Whether the device may be trusted with it.
    pub fn is_right(&self) -> bool {
        self.worst <= self.limit
    }
}

/// JSON has no infinity.
mod as_words {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<f64, D::Error> {
        let words = String::deserialize(from)?;
        words.parse().map_err(D::Error::custom)
    }
}

#[cfg(feature = "engine")]
pub use engine::check;

#[cfg(feature = "engine")]
mod engine {
    use super::Checked;
    use crate::kernels::{
        AdapterShape, DropoutKey, LEVELS, Packed, Spread, Transform, dropout, fastfood_spread,
        gelu_new, hadamard, kron_sum, levels, lphm_adapter,
    };
    use crate::packing::{Packer, Packing};
    use crate::random::Stream;
    use crate::{Device, Result, cpu_device, float_values};
    use burn::tensor::{Int, Tensor, TensorData};

    /// Products in float32 in another order.
    const ROUNDING: f64 = 2e-5;

    /// What one kernel gave: its output and its gradients, each with a name.
    type Results = Vec<(&'static str, Vec<f32>)>;

    /// Runs every kernel on the device and on the CPU, on small sizes of several shapes.
    pub async fn check(device: &Device) -> Result<Vec<Checked>> {
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

    fn compare(all: &mut Vec<Checked>, name: &str, limit: f64, got: Results, want: Results) {
        for ((part, got), (_, want)) in got.iter().zip(&want) {
            all.push(Checked {
                kernel: format!("{name}: {part}"),
                worst: worst(got, want),
                limit,
            });
        }
    }

    fn worst(got: &[f32], want: &[f32]) -> f64 {
        if got.len() != want.len() {
            return f64::INFINITY;
        }
        let scale = want.iter().fold(1e-3f32, |most, x| most.max(x.abs()));
        let apart = |(got, want): (&f32, &f32)| match f64::from((got - want).abs() / scale) {
            apart if apart.is_nan() => f64::INFINITY,
            apart => apart,
        };
        got.iter().zip(want).map(apart).fold(0.0, f64::max)
    }

    /// Normal values of a purpose, the same for every device.
    fn values<const D: usize>(device: &Device, purpose: &str, shape: [usize; D]) -> Tensor<D> {
        let mut stream = Stream::new(11, purpose);
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|_| (stream.normal() * 0.5) as f32)
            .collect();
        Tensor::from_data(TensorData::new(values, shape), device)
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

    fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
        let len = tensor.shape().num_elements();
        tensor.reshape([len])
    }

    /// A gradient that is not there is as wrong as can be.
    async fn read(gradient: Option<Tensor<1>>) -> Result<Vec<f32>> {
        match gradient {
            Some(gradient) => float_values(gradient).await,
            None => Ok(Vec::new()),
        }
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
            let all = block_on(check(&device)).unwrap();
            assert_eq!(all.len(), 4 * 4 + 2 * 3 + 2 + 2 + 3 * 2 + 2 * 3);
            let wrong: Vec<_> = all.iter().filter(|one| !one.is_right()).collect();
            assert!(wrong.is_empty(), "{wrong:?}");
            // Two orders of summing differ somewhere: it is not the CPU that was asked twice.
            assert!(all.iter().any(|one| one.worst > 0.0));
        }

        #[test]
        fn a_wrong_number_is_seen() {
            assert!(worst(&[1.0, 2.0], &[1.0, 2.1]) > ROUNDING);
            assert_eq!(worst(&[1.0, f32::NAN], &[1.0, 2.0]), f64::INFINITY);
            assert_eq!(worst(&[], &[1.0]), f64::INFINITY);
            assert_eq!(worst(&[1.0, 2.0], &[1.0, 2.0]), 0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Checked;

    #[test]
    fn infinity_survives_json() {
        let checked = Checked {
            kernel: "adapter".into(),
            worst: f64::INFINITY,
            limit: 1e-5,
        };
        let json = serde_json::to_string(&checked).unwrap();
        assert_eq!(serde_json::from_str::<Checked>(&json).unwrap(), checked);
        assert!(!checked.is_right());
    }
}

//! How fast a device copies, multiplies and starts a kernel.

use super::Speed;
use super::compare::values;
use crate::kernels::gelu_new;
use crate::{Device, Result, cpu_device, float_values};
use burn::tensor::Tensor;
use web_time::Instant;

/// Floats of the tensor that is copied: 64 MB, beyond a CPU's caches, within WebGPU's least limits.
const COPIED: usize = 1 << 24;
/// Rows of the products (8 texts of 128 tokens), and T5-small's width.
const ROWS: usize = 1024;
const WIDTH: usize = 512;
/// Products, or kernels, in one chain.
const CHAIN: usize = 8;
const KERNELS: usize = 128;
/// The best of at least so many: whatever else the machine does only makes one slower.
const TRIES: usize = 5;
/// Seconds of tries at least: a GPU takes a while to leave the clock that it has at rest.
const WARM: f64 = 0.5;

/// Measures it, after a first try that compiles or tunes what it needs.
pub(super) async fn speed(device: &Device) -> Result<Speed> {
    let one = Tensor::<2>::ones([1, 1], device);
    let wait = best(async || ready(&one).await).await?;
    let large = Tensor::<2>::ones([COPIED / ROWS, ROWS], device);
    let copy = best(async || {
        let copied = large.clone() * 1.5;
        ready(&copied).await
    });
    let copy = copy.await? - wait;
    let matrix = values(device, "matrix", [WIDTH, WIDTH]) * (2.0 / (WIDTH as f64).sqrt());
    let start = values(device, "rows", [ROWS, WIDTH]);
    let product = best(async || {
        let chain = (0..CHAIN).fold(start.clone(), |x, _| x.matmul(matrix.clone()));
        ready(&chain).await
    });
    let product = product.await? - wait;
    let small = Tensor::<2>::ones([1, 8], device);
    let kernels = best(async || {
        let chain = (0..KERNELS).fold(small.clone(), |x, _| gelu_new(x));
        ready(&chain).await
    });
    let kernels = kernels.await? - wait;
    // In f64, since it is more than 32 bits can count.
    let work = [CHAIN, 2, ROWS, WIDTH, WIDTH].map(|size| size as f64);
    let work: f64 = work.iter().product();
    Ok(Speed {
        // Read once, written once.
        copy: (2 * COPIED * size_of::<f32>()) as f64 / copy.max(1e-9) / 1e9,
        product: work / product.max(1e-9) / 1e9,
        launch: (*device != cpu_device()).then(|| 1e6 * kernels.max(0.0) / KERNELS as f64),
    })
}

/// Reads one number, so that all before it is done.
pub(super) async fn ready(tensor: &Tensor<2>) -> Result<()> {
    float_values(tensor.clone().slice([0..1, 0..1]))
        .await
        .map(drop)
}

/// Seconds of the fastest try but the first.
pub(super) async fn best(mut work: impl AsyncFnMut() -> Result<()>) -> Result<f64> {
    work().await?;
    let (begin, mut least, mut tries) = (Instant::now(), f64::INFINITY, 0);
    while tries < TRIES || begin.elapsed().as_secs_f64() < WARM {
        let start = Instant::now();
        work().await?;
        least = least.min(start.elapsed().as_secs_f64());
        tries += 1;
    }
    Ok(least)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_on;

    #[test]
    fn a_cpu_has_a_speed_and_no_launches() {
        let speed = block_on(speed(&cpu_device())).unwrap();
        assert!(speed.copy > 0.0 && speed.copy.is_finite(), "{speed:?}");
        assert!(
            speed.product > 0.0 && speed.product.is_finite(),
            "{speed:?}"
        );
        assert_eq!(speed.launch, None);
    }
}

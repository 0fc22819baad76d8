//! Every form of every operation against its f64 twin.

use super::*;
use crate::random::Stream;
use crate::{block_on, cpu_device, float_values, gpu_device};
use burn::tensor::{Device, DeviceKind, Tensor, TensorData};

/// The CPU, and wgpu unless `COMPACTER_GPU=skip`.
pub(super) fn devices() -> Vec<(&'static str, Device)> {
    let mut devices = vec![("cpu", cpu_device())];
    if std::env::var("COMPACTER_GPU").as_deref() != Ok("skip") {
        devices.push(("wgpu", gpu_device(DeviceKind::DefaultDevice)));
    }
    devices
}

pub(super) fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    block_on(float_values(tensor)).expect("the device can be read")
}

pub(super) fn random(stream: &mut Stream, len: usize, scale: f64) -> Vec<f32> {
    (0..len).map(|_| (stream.normal() * scale) as f32).collect()
}

pub(super) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

/// Largest difference over the largest value; NaNs on one side alone are counted.
pub(super) fn compare(what: &str, got: &[f32], want: &[f64], limit: f64) {
    assert_eq!(got.len(), want.len(), "{what}: length");
    let nans = got
        .iter()
        .zip(want)
        .filter(|(got, want)| got.is_nan() != want.is_nan())
        .count();
    assert_eq!(nans, 0, "{what}: {nans} NaNs");
    let scale = want
        .iter()
        .fold(1e-3f64, |scale, want| scale.max(want.abs()));
    let worst = got
        .iter()
        .zip(want)
        .map(|(got, want)| (f64::from(*got) - want).abs() / scale)
        .fold(0.0, f64::max);
    assert!(worst <= limit, "{what}: {worst:e} > {limit:e}");
}

struct Case {
    shape: AdapterShape,
    rows: usize,
    x: Vec<f32>,
    rule: Vec<f32>,
    packed: Vec<f32>,
    grad: Vec<f32>,
}

impl Case {
    fn new(stream: &mut Stream, [n, rank, model, bottleneck, rows]: [usize; 5]) -> Self {
        let shape = AdapterShape::new(n, rank, model, bottleneck).expect("fits");
        Self {
            shape,
            rows,
            x: random(stream, rows * model, 1.0),
            rule: random(stream, shape.rule_len(), 0.5),
            packed: random(stream, shape.len(), 0.4),
            grad: random(stream, rows * model, 1.0),
        }
    }

    /// Output and the gradients that are asked for.
    fn run(&self, device: &Device, wants: [bool; 3]) -> (Vec<f32>, [Option<Vec<f32>>; 3]) {
        let (n, k) = (self.shape.n, self.shape.model);
        let data = |values: &[f32], shape: Vec<usize>| TensorData::new(values.to_vec(), shape);
        let x = Tensor::<2>::from_data(data(&self.x, vec![self.rows, k]), device);
        let rule = Tensor::<3>::from_data(data(&self.rule, vec![n, n, n]), device);
        let packed = Tensor::<1>::from_data(data(&self.packed, vec![self.shape.len()]), device);
        let grad = Tensor::<2>::from_data(data(&self.grad, vec![self.rows, k]), device);
        let x = x.set_require_grad(wants[0]);
        let rule = rule.set_require_grad(wants[1]);
        let packed = packed.set_require_grad(wants[2]);
        let y = lphm_adapter(x.clone(), rule.clone(), packed.clone(), &self.shape);
        let values = read(y.clone());
        if !wants.contains(&true) {
            return (values, [None, None, None]);
        }
        let grads = (y * grad).sum().backward();
        let gradients = [
            x.grad(&grads).map(read),
            rule.grad(&grads).map(read),
            packed.grad(&grads).map(read),
        ];
        (values, gradients)
    }

    fn check(&self, name: &str, device: &Device, wants: [bool; 3]) {
        let (x, rule, packed) = (wide(&self.x), wide(&self.rule), wide(&self.packed));
        let what = format!("{name} {:?} rows {}", self.shape, self.rows);
        let (y, grads) = self.run(device, wants);
        let want = twin::adapter_forward(&x, &rule, &packed, &self.shape);
        compare(&format!("{what}: y"), &y, &want, 2e-6);
        let want = twin::adapter_backward(&x, &rule, &packed, &wide(&self.grad), &self.shape);
        for (index, (got, want)) in grads.iter().zip(&want).enumerate() {
            assert_eq!(got.is_some(), wants[index], "{what}: gradient {index}");
            if let Some(got) = got {
                compare(&format!("{what}: gradient {index}"), got, want, 1e-5);
            }
        }
    }
}

#[test]
fn adapter_matches_its_twin_for_any_sizes() {
    let mut stream = Stream::new(3, "adapter cases");
    let mut sizes = vec![
        [4, 1, 64, 16, 33],
        [4, 1, 64, 8, 1],
        [2, 2, 16, 4, 300], // more rows than one chunk of the CPU loops
        [2, 3, 38, 6, 9],
        [1, 1, 7, 3, 5],
        [8, 1, 64, 16, 19],
        [4, 2, 256, 24, 70],
        [12, 2, 48, 24, 3],
        [20, 2, 20, 20, 2], // too large for a workgroup: composed
    ];
    for _ in 0..6 {
        let n = 1 + stream.below(6);
        let (p, q) = (1 + stream.below(40), 1 + stream.below(5));
        sizes.push([n, 1 + stream.below(4), n * p, n * q, 1 + stream.below(40)]);
    }
    for sizes in sizes {
        let case = Case::new(&mut stream, sizes);
        for (name, device) in devices() {
            case.check(name, &device, [true, true, true]);
        }
    }
}

#[test]
fn only_the_gradients_asked_for_are_there() {
    let mut stream = Stream::new(4, "wants");
    let case = Case::new(&mut stream, [4, 1, 32, 8, 11]);
    for (name, device) in devices() {
        for bits in 0..8 {
            case.check(name, &device, [0, 1, 2].map(|bit| bits >> bit & 1 == 1));
        }
    }
}

#[test]
fn wgpu_runs_the_kernels_and_not_the_composition() {
    let mut stream = Stream::new(12, "launches");
    let case = Case::new(&mut stream, [4, 1, 32, 8, 11]);
    for (name, device) in devices().into_iter().filter(|(name, _)| *name == "wgpu") {
        let before = cube::LAUNCHED.load(std::sync::atomic::Ordering::Relaxed);
        case.check(name, &device, [true; 3]);
        let after = cube::LAUNCHED.load(std::sync::atomic::Ordering::Relaxed);
        assert!(after >= before + 3, "{before} {after}");
    }
}

#[test]
fn no_rows_give_no_rows_and_no_gradient() {
    let mut stream = Stream::new(5, "no rows");
    let case = Case::new(&mut stream, [4, 1, 32, 8, 0]);
    let (y, _) = case.run(&cpu_device(), [false; 3]);
    assert!(y.is_empty());
}

#[test]
fn nan_rows_stay_where_they_are() {
    let mut stream = Stream::new(6, "nan");
    let mut case = Case::new(&mut stream, [4, 1, 32, 8, 20]);
    case.x[3 * 32 + 1] = f32::NAN;
    for (name, device) in devices() {
        let (y, _) = case.run(&device, [false; 3]);
        let rows: Vec<usize> = (0..20)
            .filter(|row| {
                y[row * 32..(row + 1) * 32]
                    .iter()
                    .any(|value| value.is_nan())
            })
            .collect();
        assert_eq!(rows, [3], "{name}");
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    let mut stream = Stream::new(7, "differences");
    let case = Case::new(&mut stream, [2, 2, 8, 4, 5]);
    let inputs = [wide(&case.x), wide(&case.rule), wide(&case.packed)];
    let loss = |inputs: &[Vec<f64>; 3]| -> f64 {
        let y = twin::adapter_forward(&inputs[0], &inputs[1], &inputs[2], &case.shape);
        y.iter()
            .zip(&case.grad)
            .map(|(y, grad)| y * f64::from(*grad))
            .sum()
    };
    for (name, device) in devices() {
        let (_, grads) = case.run(&device, [true; 3]);
        for (index, grad) in grads.iter().enumerate() {
            let grad = grad.as_ref().expect("was asked for");
            let differences: Vec<f64> = (0..grad.len())
                .map(|at| {
                    let shifted = [1e-5, -1e-5].map(|step| {
                        let mut inputs = inputs.clone();
                        inputs[index][at] += step;
                        loss(&inputs)
                    });
                    (shifted[0] - shifted[1]) / 2e-5
                })
                .collect();
            compare(
                &format!("{name}: gradient {index}"),
                grad,
                &differences,
                1e-5,
            );
        }
    }
}

#[test]
fn kron_sum_matches_its_twin() {
    let mut stream = Stream::new(8, "kron");
    for [n, p, q] in [[4, 16, 3], [1, 5, 7], [3, 4, 10], [8, 6, 2]] {
        let [a, b, grad] =
            [n * n * n, n * p * q, n * p * n * q].map(|len| random(&mut stream, len, 1.0));
        let (wide_a, wide_b) = (wide(&a), wide(&b));
        for (name, device) in devices() {
            let data = |values: &[f32], shape: Vec<usize>| TensorData::new(values.to_vec(), shape);
            let a = Tensor::<3>::from_data(data(&a, vec![n, n, n]), &device).require_grad();
            let b = Tensor::<3>::from_data(data(&b, vec![n, p, q]), &device).require_grad();
            let g = Tensor::<2>::from_data(data(&grad, vec![n * p, n * q]), &device);
            let w = kron_sum(a.clone(), b.clone());
            let what = format!("{name} kron_sum {n} {p} {q}");
            compare(
                &what,
                &read(w.clone()),
                &twin::kron_sum(&wide_a, &wide_b, n, p, q),
                2e-6,
            );
            let grads = (w * g).sum().backward();
            let want = twin::kron_sum_backward(&wide_a, &wide_b, &wide(&grad), [n, p, q]);
            compare(
                &what,
                &read(a.grad(&grads).expect("tracked")),
                &want[0],
                5e-6,
            );
            compare(
                &what,
                &read(b.grad(&grads).expect("tracked")),
                &want[1],
                5e-6,
            );
        }
    }
}

#[test]
fn lphm_and_kron_sum_are_the_same_layer() {
    let mut stream = Stream::new(9, "lphm");
    let (n, p, q, r, rows) = (4, 5, 3, 2, 6);
    let device = cpu_device();
    let mut tensor = |shape: &[usize]| {
        TensorData::new(
            random(&mut stream, shape.iter().product(), 1.0),
            shape.to_vec(),
        )
    };
    let x = Tensor::<2>::from_data(tensor(&[rows, n * p]), &device);
    let a = Tensor::<3>::from_data(tensor(&[n, n, n]), &device);
    let s = Tensor::<3>::from_data(tensor(&[n, p, r]), &device);
    let t = Tensor::<3>::from_data(tensor(&[n, r, q]), &device);
    let bias = Tensor::<1>::from_data(tensor(&[n * q]), &device);
    let built = x
        .clone()
        .matmul(kron_sum(a.clone(), s.clone().matmul(t.clone())));
    let built = wide(&read(built + bias.clone().unsqueeze::<2>()));
    compare("lphm", &read(lphm(x, a, s, t, bias)), &built, 2e-6);
}

#[test]
fn norms_match_their_twin() {
    // Less than a vector, more rows than one chunk of the CPU loops, a width that fills no workgroup.
    for [rows, width] in [[1, 4], [3, 7], [130, 300], [9, 512]] {
        let mut stream = Stream::new(12, "norms");
        let mut draw = |len: usize| random(&mut stream, len, 1.0);
        let (x, weight, grad) = (draw(rows * width), draw(width), draw(rows * width));
        let [y, dx, dw] = twin::rms_norm(&wide(&x), &wide(&weight), &wide(&grad), 1e-6);
        for (name, device) in devices() {
            let tensor = |values: &[f32], rows: usize| {
                let data = TensorData::new(values.to_vec(), [rows, width]);
                Tensor::<2>::from_data(data, &device)
            };
            let what = format!("{name} {rows} × {width}");
            for wants in [[true, true], [true, false], [false, true]] {
                let x = tensor(&x, rows).set_require_grad(wants[0]);
                let weight = tensor(&weight, 1).set_require_grad(wants[1]);
                let out = rms_norm(x.clone(), weight.clone(), 1e-6);
                compare(&what, &read(out.clone()), &y, 2e-6);
                let grads = (out * tensor(&grad, rows)).sum().backward();
                for (got, want) in [(x.grad(&grads), &dx), (weight.grad(&grads), &dw)] {
                    got.into_iter()
                        .for_each(|got| compare(&what, &read(got), want, 5e-6));
                }
                assert_eq!(x.grad(&grads).is_some(), wants[0], "{what}");
                assert_eq!(weight.grad(&grads).is_some(), wants[1], "{what}");
            }
        }
    }
}

#[test]
fn softmax_matches_its_twin() {
    // A team of each size, and more of them than one dimension of a grid has.
    let sizes = [
        [1, 1],
        [5, 4],
        [700, 129],
        [40, 300],
        [9, 1500],
        [524_300, 2],
    ];
    for [rows, width] in sizes {
        let mut stream = Stream::new(13, "softmax");
        let mut x = random(&mut stream, rows * width, 5.0);
        x[width / 2] = -1e9; // a masked place
        let grad = random(&mut stream, rows * width, 1.0);
        let [y, dx] = twin::softmax(&wide(&x), &wide(&grad), width);
        for (name, device) in devices() {
            let tensor = |values: &[f32]| {
                let data = TensorData::new(values.to_vec(), [1, rows, 1, width]);
                Tensor::<4>::from_data(data, &device)
            };
            let x = tensor(&x).require_grad();
            let out = softmax(x.clone());
            // Of a million differences some are 20, whose rounding the power multiplies.
            compare(name, &read(out.clone()), &y, 4e-6);
            let grads = (out * tensor(&grad)).sum().backward();
            compare(name, &read(x.grad(&grads).expect("tracked")), &dx, 5e-6);
        }
    }
}

#[test]
fn gelu_new_matches_its_twin_and_never_overflows() {
    let x: Vec<f32> = (-400..400)
        .map(|step| step as f32 * 0.02)
        .chain([-1e4, -90.0, 90.0, 1e4])
        .collect();
    let want: Vec<(f64, f64)> = x.iter().map(|x| twin::gelu_new(f64::from(*x))).collect();
    for (name, device) in devices() {
        let x = Tensor::<1>::from_data(TensorData::new(x.clone(), [x.len()]), &device);
        let x = x.require_grad();
        let y = gelu_new(x.clone());
        let values: Vec<f64> = want.iter().map(|want| want.0).collect();
        // Each against its own size, as the ends are large.
        for (got, want) in read(y.clone()).iter().zip(&values) {
            assert!(
                (f64::from(*got) - want).abs() <= 2e-6 * want.abs().max(0.5),
                "{got} {want}"
            );
        }
        let grads = y.sum().backward();
        let slopes: Vec<f64> = want.iter().map(|want| want.1).collect();
        compare(name, &read(x.grad(&grads).expect("tracked")), &slopes, 3e-6);
    }
}

#[test]
fn dropout_is_bit_equal_everywhere_and_in_backward() {
    let mut stream = Stream::new(10, "dropout");
    let values = random(&mut stream, 70_001, 1.0);
    let key = DropoutKey {
        seed: 1 << 40 | 5,
        step: 3,
        site: 7,
    };
    let want = twin::dropout(&values, 0.1, key);
    let kept = want.iter().filter(|value| **value != 0.0).count() as f64 / want.len() as f64;
    assert!((kept - 0.9).abs() < 0.005, "kept {kept}");
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    for (name, device) in devices() {
        let x = Tensor::<1>::from_data(TensorData::new(values.clone(), [values.len()]), &device);
        let x = x.require_grad();
        let y = dropout(x.clone(), 0.1, key);
        assert_eq!(bits(&read(y.clone())), bits(&want), "{name}");
        let grads = y.sum().backward();
        let ones = vec![1.0; values.len()];
        let mask = read(x.grad(&grads).expect("tracked"));
        assert_eq!(bits(&mask), bits(&twin::dropout(&ones, 0.1, key)), "{name}");
        let other = dropout(x, 0.1, DropoutKey { step: 4, ..key });
        assert_ne!(bits(&read(other)), bits(&want), "{name}");
    }
}

#[test]
fn a_linear_is_the_transposed_product_with_its_gradients() {
    // Few rows have a loop of their own on the CPU, of tiles of eight and of widths with a rest.
    let rests = (1..8).map(|rows| [rows, 33, 19]);
    let more = [
        [5, 7, 3],
        [1, 33, 40],
        [64, 16, 5],
        [19, 40, 9],
        [65, 16, 5],
    ];
    for sizes in rests.chain(more) {
        for (name, device) in devices() {
            for tracked in [[true, true], [true, false], [false, true]] {
                linear_case(sizes, &format!("{name} {sizes:?}"), &device, tracked);
            }
        }
    }
}

/// Which of the two has a gradient decides what is kept.
fn linear_case([rows, width, out]: [usize; 3], name: &str, device: &Device, tracked: [bool; 2]) {
    let mut stream = Stream::new(8, "linear");
    let mut leaf = |shape: [usize; 2], tracked: bool| {
        let values = random(&mut stream, shape[0] * shape[1], 1.0);
        let leaf = Tensor::<2>::from_data(TensorData::new(values, shape), device);
        if tracked { leaf.require_grad() } else { leaf }
    };
    let [x, w] = [
        leaf([rows, width], tracked[0]),
        leaf([out, width], tracked[1]),
    ];
    let dy = leaf([rows, out], false);
    let gradients = |y: Tensor<2>| {
        let grads = (y.clone() * dy.clone()).sum().backward();
        [Some(y.inner()), x.grad(&grads), w.grad(&grads)]
    };
    let ours = gradients(linear(x.clone(), w.clone()));
    let burns = gradients(x.clone().matmul(w.clone().transpose()));
    for (ours, burns) in ours.into_iter().zip(burns) {
        assert_eq!(ours.is_some(), burns.is_some(), "{name}");
        if let (Some(ours), Some(burns)) = (ours, burns) {
            assert_eq!(ours.dims(), burns.dims(), "{name}");
            compare(name, &read(ours), &wide(&read(burns)), 2e-6);
        }
    }
}

/// `cargo test --release --workspace --exclude compacter-web -- --ignored --nocapture adapter_speed`
#[test]
#[ignore = "a measurement"]
fn adapter_speed_on_the_cpu() {
    let mut stream = Stream::new(11, "speed");
    let case = Case::new(&mut stream, [4, 1, 512, 16, 1024]);
    let rule: Vec<f32> = case.rule.clone();
    let adapter = loops::Adapter::new(case.shape, &rule, &case.packed);
    let mut best = [f64::MAX; 3];
    for _ in 0..50 {
        let start = std::time::Instant::now();
        let mut y = case.x.clone();
        chunks::adapter_forward(&adapter, &case.x, &mut y);
        best[0] = best[0].min(start.elapsed().as_secs_f64());
        let mut grad = case.grad.clone();
        let start = std::time::Instant::now();
        chunks::adapter_backward(&adapter, &case.x, &mut grad, [true, true]);
        best[1] = best[1].min(start.elapsed().as_secs_f64());
        let mut grad = case.grad.clone();
        let start = std::time::Instant::now();
        let mask = DropoutMask::new(
            0.1,
            DropoutKey {
                seed: 1,
                step: 1,
                site: 1,
            },
        );
        chunks::dropout(mask, &mut grad);
        best[2] = best[2].min(start.elapsed().as_secs_f64());
    }
    println!(
        "forward, backward, dropout: {:?} ms",
        best.map(|seconds| seconds * 1e3)
    );
}

//! `functions/`: the algebra, the norm, the activations, the buckets and the optimiser alone.

use crate::fixtures::{Compared, Fixtures, Tensors, floats, ints, json, tensors};
use burn::tensor::{Tensor, TensorData};
use compacter_core::kernels::{gelu_new, kron_sum, lphm, rms_norm};
use compacter_core::t5::{Drawn, relative_position_bucket};
use compacter_core::train::Optimiser;
use compacter_core::{Device, block_on, float_values};
use std::collections::BTreeMap;

pub fn compare(fixtures: &Fixtures, device: &Device, compared: &mut Compared) {
    let root = fixtures.root.join("functions");
    if !root.is_dir() {
        return;
    }
    compared.directories += 1;
    let of = |name: &str| tensors(&root.join(format!("{name}.safetensors")));
    kronecker(&of("kronecker"), fixtures, device, compared);
    factored(&of("lphm"), fixtures, device, compared);
    norm(&of("rms_norm"), fixtures, device, compared);
    activation(&of("activations"), fixtures, device, compared);
    adamw(&of("adamw"), fixtures, device, compared);
    let fastfood_file = root.join("fastfood.safetensors");
    if fastfood_file.exists() {
        fastfood(&tensors(&fastfood_file), fixtures, device, compared);
    }
    buckets(
        &json(&root.join("relative_position_buckets.json")),
        compared,
    );
}

fn load<const D: usize>(all: &Tensors, name: &str, device: &Device) -> Tensor<D> {
    let (shape, values) = &all[name];
    Tensor::from_data(TensorData::new(floats(values), shape.clone()), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    block_on(float_values(tensor)).unwrap()
}

fn cases(all: &Tensors) -> Vec<String> {
    let mut names: Vec<String> = all
        .keys()
        .filter_map(|name| name.split_once('.'))
        .map(|(case, _)| case.into())
        .collect();
    names.dedup();
    names
}

fn kronecker(all: &Tensors, fixtures: &Fixtures, device: &Device, compared: &mut Compared) {
    for case in cases(all) {
        let get = |name: &str| load::<3>(all, &format!("{case}.{name}"), device);
        let w = kron_sum(get("A"), get("s").matmul(get("t")));
        let want = &all[&format!("{case}.W")].1;
        compared.absolute(
            &format!("kronecker {case}"),
            &values(w),
            want,
            fixtures.limit("kronecker"),
        );
    }
}

fn factored(all: &Tensors, fixtures: &Fixtures, device: &Device, compared: &mut Compared) {
    for case in cases(all) {
        let name = |part: &str| format!("{case}.{part}");
        let rows = |part: &str| {
            let (shape, values) = &all[&name(part)];
            let width = shape[shape.len() - 1];
            let data = TensorData::new(floats(values), [values.len() / width, width]);
            Tensor::<2>::from_data(data, device)
        };
        let x = rows("x").require_grad();
        let [a, s, t] = ["A", "s", "t"].map(|p| load::<3>(all, &name(p), device).require_grad());
        let b = load::<1>(all, &name("b"), device).require_grad();
        let y = lphm(x.clone(), a.clone(), s.clone(), t.clone(), b.clone());
        let grads = (y.clone() * rows("cotangent")).sum().backward();
        let got = [
            ("y", values(y)),
            ("grad.x", values(x.grad(&grads).unwrap())),
            ("grad.A", values(a.grad(&grads).unwrap())),
            ("grad.s", values(s.grad(&grads).unwrap())),
            ("grad.t", values(t.grad(&grads).unwrap())),
            ("grad.b", values(b.grad(&grads).unwrap())),
        ];
        for (part, got) in got {
            let limit = fixtures.limit("lphm_relative");
            compared.relative(
                &format!("lphm {case} {part}"),
                &got,
                &all[&name(part)].1,
                limit,
            );
        }
    }
}

fn norm(all: &Tensors, fixtures: &Fixtures, device: &Device, compared: &mut Compared) {
    for case in cases(all) {
        let rows = |part: &str| {
            let (shape, values) = &all[&format!("{case}.{part}")];
            let width = shape[shape.len() - 1];
            let data = TensorData::new(floats(values), [values.len() / width, width]);
            Tensor::<2>::from_data(data, device)
        };
        let (x, weight) = (rows("x").require_grad(), rows("weight").require_grad());
        let epsilon = all[&format!("{case}.eps")].1[0];
        let y = rms_norm(x.clone(), weight.clone(), epsilon);
        let grads = (y.clone() * rows("cotangent")).sum().backward();
        let got = [
            ("y", values(y)),
            ("grad.x", values(x.grad(&grads).unwrap())),
            ("grad.weight", values(weight.grad(&grads).unwrap())),
        ];
        for (part, got) in got {
            let want = &all[&format!("{case}.{part}")].1;
            compared.relative(
                &format!("rms_norm {case} {part}"),
                &got,
                want,
                fixtures.limit("rms_norm"),
            );
        }
    }
}

fn activation(all: &Tensors, fixtures: &Fixtures, device: &Device, compared: &mut Compared) {
    let x = load::<1>(all, "x", device).require_grad();
    let y = gelu_new(x.clone());
    let grads = y.clone().sum().backward();
    let limit = fixtures.limit("activations");
    compared.absolute("gelu_new", &values(y), &all["gelu_new.y"].1, limit);
    let dy = values(x.grad(&grads).unwrap());
    compared.absolute("gelu_new derivative", &dy, &all["gelu_new.dy"].1, limit);
}

/// The numbers of a projection, by the name of what they stand under.
pub fn drawn(all: &Tensors, name: &str) -> Option<Drawn> {
    let get = |part: &str| all.get(&format!("{name}.{part}"));
    Some(Drawn {
        signs: floats(&get("B")?.1),
        gather: ints(&get("Pi")?.1).iter().map(|&at| at as u32).collect(),
        gaussians: floats(&get("G")?.1),
        divisor: get("divisor")?.1[0],
    })
}

fn fastfood(all: &Tensors, fixtures: &Fixtures, device: &Device, compared: &mut Compared) {
    for case in cases(all) {
        let name = |part: &str| format!("{case}.{part}");
        let row = |part: &str| {
            let values = &all[&name(part)].1;
            let data = TensorData::new(floats(values), [1, values.len()]);
            Tensor::<2>::from_data(data, device)
        };
        let drawn = drawn(all, &case).unwrap();
        let limit = fixtures.limit("fastfood");
        for (published, gradient) in [(true, "grad_reference.x"), (false, "grad_true.x")] {
            let x = row("x").require_grad();
            let y = drawn.ray(x.clone(), all[&name("y")].1.len(), published);
            let grads = (y.clone() * row("cotangent")).sum().backward();
            let what = format!("fastfood {case}");
            compared.absolute(&format!("{what} y"), &values(y), &all[&name("y")].1, limit);
            let got = values(x.grad(&grads).unwrap());
            let want = &all[&name(gradient)].1;
            compared.relative(&format!("{what} {gradient}"), &got, want, limit);
        }
    }
}

fn adamw(all: &Tensors, fixtures: &Fixtures, device: &Device, compared: &mut Compared) {
    let grads = &all["grads"].1;
    let width = all["param"].1.len();
    for decay in [0.0, 0.1] {
        let want = &all[&format!("torch_adamw.weight_decay_{decay:.1}")].1;
        let mut optimiser = Optimiser::new(1e-6, decay);
        let one = |values: &[f64]| {
            let data = TensorData::new(floats(values), [1, width]);
            let tensor = Tensor::<2>::from_data(data, device);
            BTreeMap::from([("param".to_string(), tensor)])
        };
        let mut params = one(&all["param"].1);
        for (row, want) in grads.chunks(width).zip(want.chunks(width)) {
            let grad = one(row)
                .into_iter()
                .map(|(name, grad)| (name, grad.inner()))
                .collect();
            params = optimiser.update(params, grad, 0.02, None);
            let got = values(params["param"].clone());
            compared.absolute(
                &format!("adamw decay {decay}"),
                &got,
                want,
                fixtures.limit("adamw"),
            );
        }
    }
}

fn buckets(all: &serde_json::Value, compared: &mut Compared) {
    for table in all["tables"].as_array().unwrap() {
        let number = |key: &str| table[key].as_i64().unwrap();
        let got: Vec<i64> = (number("first")..=number("last"))
            .map(|relative| {
                let (buckets, distance) = (number("num_buckets"), number("max_distance"));
                let both = table["bidirectional"].as_bool().unwrap();
                relative_position_bucket(relative, both, buckets as usize, distance as usize) as i64
            })
            .collect();
        let want = table["buckets"].as_array().unwrap();
        let want: Vec<i64> = want.iter().map(|bucket| bucket.as_i64().unwrap()).collect();
        compared.exact("relative position buckets", &got, &want);
    }
}

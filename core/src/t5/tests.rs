//! Loading tensor by tensor, and whole models over packed weights.

use super::*;
use crate::artifact::{self, Header};
use crate::method::Method;
use crate::packing::{Packer, unpacked};
use crate::random::Stream;
use crate::tensor_file::header_bytes;
use crate::train::{Optimiser, Trainer};
use crate::{Device, DeviceKind, Error, Result, block_on, cpu_device, float_values, gpu_device};
use safetensors::{Dtype, tensor::TensorView};
use std::collections::BTreeMap;
use std::sync::Arc;

type Values = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn devices() -> Vec<Device> {
    let mut devices = vec![cpu_device()];
    if std::env::var("COMPACTER_GPU").as_deref() != Ok("skip") {
        devices.push(gpu_device(DeviceKind::DefaultDevice));
    }
    devices
}

fn config() -> T5Config {
    let json = br#"{"vocab_size": 24, "d_model": 32, "d_kv": 8, "d_ff": 20, "num_layers": 1,
        "num_heads": 2}"#;
    T5Config::from_json(json, "config.json").unwrap()
}

fn values(config: &T5Config) -> Values {
    let random = |name: &str, shape: &[usize]| {
        let mut stream = Stream::new(1, name);
        let norm = name.contains("norm");
        let count = shape.iter().product();
        (0..count)
            .map(|_| (stream.normal() * 0.3) as f32 + if norm { 1.0 } else { 0.0 })
            .collect()
    };
    let tensors = config.tensors().into_iter();
    tensors
        .map(|(name, shape)| {
            let values = random(&name, &shape);
            (name, (shape, values))
        })
        .collect()
}

fn bytes(values: &[f32], dtype: Dtype) -> Vec<u8> {
    let value = |v: &f32| match dtype {
        Dtype::F16 => half::f16::from_f32(*v).to_le_bytes().to_vec(),
        Dtype::BF16 => half::bf16::from_f32(*v).to_le_bytes().to_vec(),
        Dtype::F64 => f64::from(*v).to_le_bytes().to_vec(),
        _ => v.to_le_bytes().to_vec(),
    };
    values.iter().flat_map(value).collect()
}

fn file(values: &Values, dtype: Dtype) -> Vec<u8> {
    let owned: Vec<_> = values
        .iter()
        .map(|(name, (shape, values))| (name, shape, bytes(values, dtype)))
        .collect();
    let views = owned
        .iter()
        .map(|(name, shape, bytes)| (name, TensorView::new(dtype, shape.to_vec(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

fn load(values: &Values, storage: Storage, device: &Device) -> Result<T5> {
    let files = [("m".to_string(), file(values, Dtype::F32))];
    Loader::new(config(), storage, device).load(&files)
}

/// What a base that keeps these values as `storage` computes with.
fn kept(values: &Values, storage: Storage) -> Values {
    let keep = |name: &String, shape: &Vec<usize>, values: &Vec<f32>| {
        let Some(packing) = storage.packing(name, shape) else {
            return values.clone();
        };
        let mut packer = Packer::new(packing, values.len());
        packer.push(values).unwrap();
        let (words, scales) = packer.finish();
        unpacked(&words, &scales, packing)
    };
    values
        .iter()
        .map(|(name, (shape, values))| (name.clone(), (shape.clone(), keep(name, shape, values))))
        .collect()
}

fn read(model: &T5, name: &str) -> Vec<f32> {
    block_on(float_values(model.tensor(name).unwrap())).unwrap()
}

#[test]
fn every_tensor_is_what_its_storage_keeps_of_it() {
    for device in devices() {
        for storage in Storage::ALL {
            let all = values(&config());
            let model = load(&all, storage, &device).unwrap();
            assert_eq!(model.storage(), storage);
            for (name, (_, want)) in kept(&all, storage) {
                assert_eq!(read(&model, &name), want, "{storage} {name}");
            }
        }
    }
}

#[test]
fn halves_in_a_file_are_kept_exactly_as_f16() {
    for dtype in [Dtype::F16, Dtype::BF16] {
        let all = values(&config());
        let files = [("m".to_string(), file(&all, dtype))];
        let load = |storage| {
            Loader::new(config(), storage, &cpu_device())
                .load(&files)
                .unwrap()
        };
        let (wide, narrow) = (load(Storage::F32), load(Storage::F16));
        for name in all.keys() {
            // Values this near to 0 are below what a half can tell apart in bf16's eight bits.
            let (wide, narrow) = (read(&wide, name), read(&narrow, name));
            for (want, got) in wide.iter().zip(narrow) {
                assert!(
                    *want == got || (dtype == Dtype::BF16 && want.abs() < 6.2e-5),
                    "{want} {got}"
                );
            }
        }
    }
}

/// All that a loader is given, one tensor at a time and the last file first.
fn stream(shards: &[(String, Vec<u8>)], storage: Storage) -> Result<T5> {
    let mut loader = Loader::new(config(), storage, &cpu_device());
    for (file, bytes) in shards {
        let header = header_bytes(file, &bytes[..8])?;
        loader.header(file, &bytes[..header], None)?;
    }
    for slot in loader.slots()?.into_iter().rev() {
        let (_, bytes) = shards.iter().find(|(file, _)| *file == slot.file).unwrap();
        loader.take(&slot.name, &bytes[slot.start as usize..slot.end as usize])?;
        block_on(loader.settle())?;
    }
    loader.finish()
}

#[test]
fn shards_are_streamed_from_their_headers() {
    let all = values(&config());
    let (mut left, right): (Values, Values) = all
        .clone()
        .into_iter()
        .partition(|(name, _)| name.contains("Attention"));
    // Carried by published files; never asked for.
    let unused = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";
    left.insert(unused.into(), (vec![3], vec![0.0; 3]));
    let shards = [("left", left), ("right", right)]
        .map(|(name, values)| (name.to_string(), file(&values, Dtype::F32)));
    for storage in Storage::ALL {
        let model = stream(&shards, storage).unwrap();
        for (name, (_, want)) in kept(&all, storage) {
            assert_eq!(read(&model, &name), want, "{storage} {name}");
        }
    }
    let twice = [
        shards[0].clone(),
        ("other".to_string(), shards[0].1.clone()),
    ];
    let message = stream(&twice, Storage::F32).unwrap_err().to_string();
    assert!(
        message.starts_with("other: tensor `") && message.ends_with("is in more than one file")
    );
    let message = stream(&shards[..1], Storage::F32).unwrap_err().to_string();
    assert_eq!(
        message,
        "left: tensor `shared.weight`: missing, expected [24, 32]"
    );
}

#[test]
fn copies_of_the_table_must_equal_it() {
    let mut all = values(&config());
    let table = all["shared.weight"].clone();
    let copies = ["encoder.embed_tokens.weight", "lm_head.weight"];
    for copy in copies {
        all.insert(copy.into(), table.clone());
    }
    for storage in Storage::ALL {
        let model = load(&all, storage, &cpu_device()).unwrap();
        assert_eq!(
            read(&model, "shared.weight"),
            kept(&all, storage)["shared.weight"].1
        );
    }
    let mut other = all.clone();
    other.get_mut("lm_head.weight").unwrap().1[5] += 1e-6;
    let message = load(&other, Storage::Int8, &cpu_device())
        .unwrap_err()
        .to_string();
    let want = "m: tensor `lm_head.weight`: differs from shared.weight, which it should equal";
    assert_eq!(message, want);
    other.get_mut("lm_head.weight").unwrap().0 = vec![32, 24];
    let message = load(&other, Storage::F32, &cpu_device())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("is [32, 24], expected [24, 32]"),
        "{message}"
    );
    // A file that names the table by a copy alone, and has another copy.
    all.remove("shared.weight");
    let model = load(&all, Storage::F32, &cpu_device()).unwrap();
    assert_eq!(read(&model, "shared.weight"), table.1);
}

#[test]
fn mistakes_name_the_tensor() {
    let fails = |change: &dyn Fn(&mut Values), storage| {
        let mut all = values(&config());
        change(&mut all);
        load(&all, storage, &cpu_device()).unwrap_err().to_string()
    };
    let name = "encoder.block.0.layer.0.SelfAttention.q.weight";
    let extra = fails(
        &|all| drop(all.insert("x".into(), (vec![1], vec![0.0]))),
        Storage::F32,
    );
    assert_eq!(
        extra,
        "m: tensor `x`: is no tensor of the T5 in config.json"
    );
    let missing = fails(&|all| drop(all.remove(name)), Storage::F16);
    assert_eq!(
        missing,
        format!("m: tensor `{name}`: missing, expected [16, 32]")
    );
    let shape = fails(
        &|all| all.get_mut(name).unwrap().0 = vec![8, 64],
        Storage::Int8,
    );
    assert!(
        shape.contains("is [8, 64], expected [16, 32] by config.json"),
        "{shape}"
    );
    for storage in [Storage::F16, Storage::Int8] {
        let value = fails(&|all| all.get_mut(name).unwrap().1[3] = f32::NAN, storage);
        assert!(value.starts_with(&format!("m: tensor `{name}`: holds NaN, which {storage}")));
    }
    let mut all = values(&config());
    all.get_mut(name).unwrap().1[3] = f32::INFINITY;
    let model = load(&all, Storage::F32, &cpu_device()).unwrap();
    assert_eq!(
        read(&model, name)[3],
        f32::INFINITY,
        "f32 keeps what the file has"
    );
}

#[test]
fn what_is_taken_must_be_in_a_header_and_whole() {
    let bytes = file(&values(&config()), Dtype::F32);
    let mut loader = Loader::new(config(), Storage::F32, &cpu_device());
    let message = |error: Error| error.to_string();
    loader.header("m", &bytes, None).unwrap();
    assert!(message(loader.take("x", &[]).unwrap_err()).contains("is in no header"));
    let short = loader.take("shared.weight", &bytes[..8]).unwrap_err();
    assert_eq!(
        message(short),
        "m: tensor `shared.weight`: 8 bytes, expected 3072"
    );
    assert!(message(loader.finish().unwrap_err()).ends_with("was not read"));
    let mut loader = Loader::new(config(), Storage::F32, &cpu_device());
    let cut = loader
        .header("m", &bytes, Some(bytes.len() as u64 - 1))
        .unwrap_err();
    assert!(message(cut).starts_with("m: not a whole safetensors file ("));
    let whole = file(&values(&config()), Dtype::F64);
    let kind = loader.header("m", &whole, None).unwrap_err();
    assert!(message(kind).ends_with("stored as F64, expected F32, F16 or BF16"));
}

#[test]
fn no_header_is_trusted() {
    let good = file(&values(&config()), Dtype::F32);
    let header = header_bytes("m", &good).unwrap();
    for length in [100_000_001, u64::MAX / 2, u64::MAX] {
        let error = header_bytes("m", &length.to_le_bytes()).unwrap_err();
        assert!(error.to_string().contains("at most 100000000"), "{error}");
    }
    let read =
        |bytes: &[u8]| Loader::new(config(), Storage::F32, &cpu_device()).header("m", bytes, None);
    for cut in [0, 7, 8, header - 1] {
        assert!(read(&good[..cut]).is_err(), "{cut}");
    }
    // A name twice leaves its first place without an owner.
    let twice = br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#;
    let bytes = [&(twice.len() as u64).to_le_bytes()[..], twice].concat();
    assert!(
        read(&bytes)
            .unwrap_err()
            .to_string()
            .contains("not a whole safetensors")
    );
    let mut stream = Stream::new(2, "headers");
    for _ in 0..2000 {
        let mut bytes = good[..header].to_vec();
        for _ in 0..=stream.below(3) {
            bytes[stream.below(header)] = stream.below(256) as u8;
        }
        let _either = read(&bytes);
    }
}

fn inputs(device: &Device) -> Inputs {
    let ids = [3, 7, 19, 1, 11, 4, 1, 0];
    Inputs::new(&ids, &[1, 1, 1, 1, 1, 1, 1, 0], 2, device)
}

fn logits(model: &T5) -> Vec<f32> {
    let weights = model.untouched();
    let forward = Forward::new(model, &weights);
    let inputs = inputs(model.device());
    let encoded = forward.encode(&inputs).unwrap();
    let ids = forward.ids(&[0, 5, 0, 9], 2);
    let hidden = forward.decode(ids, &encoded, &inputs.mask).unwrap();
    let hidden = hidden.reshape([4, model.config().d_model]);
    block_on(float_values(forward.logits(hidden).unwrap())).unwrap()
}

/// Largest difference over the largest value.
fn distance(got: &[f32], want: &[f32]) -> f32 {
    assert_eq!(got.len(), want.len());
    assert!(got.iter().chain(want).all(|value| value.is_finite()));
    let largest = want.iter().fold(1e-6f32, |all, value| all.max(value.abs()));
    let pairs = got.iter().zip(want);
    pairs
        .map(|(got, want)| (got - want).abs() / largest)
        .fold(0.0, f32::max)
}

#[test]
fn logits_stay_near_those_of_f32() {
    for device in devices() {
        let all = values(&config());
        let want = logits(&load(&all, Storage::F32, &device).unwrap());
        for (storage, limit) in [(Storage::F16, 5e-3), (Storage::Int8, 0.1)] {
            let got = logits(&load(&all, storage, &device).unwrap());
            let far = distance(&got, &want);
            assert!(far > 0.0 && far < limit, "{storage}: {far}");
            let kept = load(&kept(&all, storage), Storage::F32, &device).unwrap();
            assert!(distance(&got, &logits(&kept)) < 2e-5, "{storage}");
        }
    }
}

#[test]
fn gradients_are_those_of_the_unpacked_model() {
    let batch = crate::data::Batch {
        rows: 2,
        source_len: 4,
        target_len: 2,
        source: vec![3, 7, 19, 1, 11, 4, 1, 0],
        mask: vec![1, 1, 1, 1, 1, 1, 1, 0],
        labels: vec![5, 1, 9, 1],
    };
    for device in devices() {
        let all = values(&config());
        let cases = [
            ("compacter", Storage::Int8),
            ("compacter", Storage::F16),
            ("full", Storage::Int8),
        ];
        // On a software adapter each costs minutes, and the kernels have tests of their own.
        let some = if device == cpu_device() { 3 } else { 1 };
        for (method, storage) in cases.into_iter().take(some) {
            let method = Method::preset(method, &config()).unwrap();
            let gradients = |model: T5| {
                let mut weights = Weights::start(&model, &method, 3).unwrap();
                for tensor in weights.tensors.values_mut() {
                    // Away from the start, where adapters do next to nothing.
                    *tensor = tensor.clone().add_scalar(0.02);
                }
                let trainer = Trainer::new(Arc::new(model), &weights, Optimiser::new(1e-8, 0.0), 1);
                block_on(trainer.gradients(std::slice::from_ref(&batch))).unwrap()
            };
            let (loss, got) = gradients(load(&all, storage, &device).unwrap());
            let plain = load(&kept(&all, storage), Storage::F32, &device).unwrap();
            let (want_loss, want) = gradients(plain);
            assert!((loss - want_loss).abs() < 1e-5 * want_loss.abs());
            assert_eq!(got.len(), want.len());
            let largest = |tensors: &crate::t5::Tensors| {
                let all = tensors
                    .values()
                    .map(|t| block_on(float_values(t.clone())).unwrap());
                all.flatten()
                    .fold(0.0f32, |all, value| all.max(value.abs()))
            };
            assert!(largest(&want) > 1e-4, "nothing to compare");
            for (name, want) in want {
                let got = block_on(float_values(got[&name].clone())).unwrap();
                let want = block_on(float_values(want)).unwrap();
                assert!(
                    distance(&got, &want) < 1e-3,
                    "{} {storage} {name}",
                    method.name
                );
            }
        }
    }
}

#[test]
fn a_file_of_torch_save_loads_as_its_safetensors_twin() {
    let torch = include_bytes!("../../../tests/fixtures/torch/pytorch_model.bin");
    let twin = include_bytes!(
        "../../../tests/fixtures/reference/adapterhub/compacter/base/model.safetensors"
    );
    let config =
        include_bytes!("../../../tests/fixtures/reference/adapterhub/compacter/base/config.json");
    let config = T5Config::from_json(config, "config.json").unwrap();
    let load = |name: &str, bytes: &[u8]| {
        let loader = Loader::new(config.clone(), Storage::F32, &cpu_device());
        loader.load(&[(name.to_string(), bytes)])
    };
    let (model, twin) = (load("m.bin", torch).unwrap(), load("m", twin).unwrap());
    for (name, _) in config.tensors() {
        assert_eq!(read(&model, &name), read(&twin, &name), "{name}");
    }
    // Of another size: refused before a tensor is read.
    let other = T5Config {
        d_ff: 65,
        ..config.clone()
    };
    let mut loader = Loader::new(other, Storage::F32, &cpu_device());
    let error = loader
        .torch("m.bin", std::io::Cursor::new(torch))
        .unwrap_err()
        .to_string();
    assert!(error.contains("expected [65, 32]"), "{error}");
}

#[test]
fn an_adapter_is_refused_on_other_weights_of_the_same_sizes() {
    let all = values(&config());
    let model = |all: &Values, storage| load(all, storage, &cpu_device()).unwrap();
    let base = model(&all, Storage::F32);
    // What the weights are kept as does not make them others.
    assert_eq!(base.hash(), model(&all, Storage::Int8).hash());
    let mut changed = all.clone();
    let norm = "encoder.final_layer_norm.weight";
    changed.get_mut(norm).unwrap().1[0] += 1e-3;
    let other = model(&changed, Storage::F32);
    let method = Method::preset("compacter++", &config()).unwrap();
    let weights = Weights::start(&base, &method, 1).unwrap();
    let mut header = Header::new(method, config());
    let bytes = |header: &Header| block_on(artifact::save(&weights, header)).unwrap();
    assert!(artifact::load(&bytes(&header), "a", &other).is_ok());
    header.base_hash = base.hash().map(String::from);
    assert!(artifact::load(&bytes(&header), "a", &base).is_ok());
    let error = artifact::load(&bytes(&header), "a", &other).unwrap_err();
    let text = error.to_string();
    let named = |model: &T5| text.contains(&model.hash().unwrap()[..12]);
    assert!(named(&base) && named(&other), "{text}");
}

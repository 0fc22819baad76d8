//! The real AdapterHub library loads what we export, the shared rule included, and gives our logits;
//! and `transformers` those of a merged base.
//!
//! `COMPACTER_PYTHON` names a Python that has `adapters` and `torch` (else `python3`); the test says
//! that it skips where there is none.
#![forbid(unsafe_code)]

use burn::tensor::{Tensor, TensorData};
use compacter_core::artifact::adapterhub::{CONFIG, WEIGHTS, export};
use compacter_core::artifact::{Header, save, write_base};
use compacter_core::method::{AdapterInput, BaseTrains, Method};
use compacter_core::random::Stream;
use compacter_core::t5::{Activation, Forward, Inputs, T5, T5Config, Weights};
use compacter_core::{block_on, cpu_device, float_values};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Source and target ids, equally long rows without padding.
const IDS: [[i32; 6]; 2] = [[5, 17, 40, 3, 9, 1], [11, 2, 63, 70, 8, 1]];
const DECODER_IDS: [[i32; 4]; 2] = [[0, 12, 7, 33], [0, 4, 90, 21]];
/// Largest difference of logits in f32, over the largest of them where that is above 1.
const LIMIT: f32 = 2e-5;

fn main() {
    let python = std::env::var("COMPACTER_PYTHON").unwrap_or_else(|_| "python3".into());
    let has = Command::new(&python)
        .args(["-c", "import adapters, torch"])
        .output();
    if !has.is_ok_and(|output| output.status.success()) {
        println!(
            "skipped: `{python}` cannot import adapters and torch (COMPACTER_PYTHON names another)"
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let fixture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/reference/adapterhub/compacter/base");
    let config = std::fs::read(fixture.join("config.json")).unwrap();
    let t5 = T5Config::from_json(&config, "config.json").unwrap();
    let file = std::fs::read(fixture.join("model.safetensors")).unwrap();
    let files = [("model.safetensors".to_string(), file)];
    let model = T5::from_safetensors(t5, &files, &cpu_device()).unwrap();

    let mut cases: Vec<Value> = Vec::new();
    let mut ours = Vec::new();
    for method in methods(model.config()) {
        let place = folder.path().join(cases.len().to_string());
        let weights = random(&model, &method);
        let (base, adapter) = write(&place, &model, &weights, &config);
        for class in ["T5ForConditionalGeneration", "T5AdapterModel"] {
            cases.push(json!({"base": base, "adapter": adapter, "model": class}));
            ours.push(logits(&model, &weights));
        }
    }
    let theirs = ask(&python, &cases);
    let mut failed = theirs.len() != ours.len();
    for ((case, ours), theirs) in cases.iter().zip(&ours).zip(&theirs) {
        let apart = distance(ours, theirs);
        if apart > LIMIT {
            failed = true;
            println!("FAILED {case}: off by {apart:.1e}, allowed {LIMIT:.1e}");
        }
    }
    println!(
        "compared {} exports with the AdapterHub library",
        theirs.len()
    );
    if failed {
        std::process::exit(1);
    }
}

/// Every form that the library has: dense and hypercomplex, both inputs, all activations, norms of
/// the base trained or not; and the whole base without an adapter.
fn methods(t5: &T5Config) -> Vec<Method> {
    let kinds = [
        (
            "compacter",
            Activation::GeluNew,
            AdapterInput::Sublayer,
            BaseTrains::LayerNorms,
        ),
        (
            "compacter++",
            Activation::GeluNew,
            AdapterInput::Sublayer,
            BaseTrains::LayerNorms,
        ),
        (
            "compacter++",
            Activation::Gelu,
            AdapterInput::Residual,
            BaseTrains::Nothing,
        ),
        (
            "compacter",
            Activation::Relu,
            AdapterInput::Residual,
            BaseTrains::Nothing,
        ),
        (
            "adapter",
            Activation::GeluNew,
            AdapterInput::Sublayer,
            BaseTrains::LayerNorms,
        ),
        (
            "adapter",
            Activation::Silu,
            AdapterInput::Residual,
            BaseTrains::Nothing,
        ),
    ];
    let mut all = vec![Method::preset("full", t5).unwrap()];
    for (name, activation, input, base) in kinds {
        let mut method = Method::preset(name, t5).unwrap();
        let adapters = method.adapters.as_mut().unwrap();
        (adapters.activation, adapters.input) = (activation, input);
        method.base = base;
        all.push(method);
    }
    all
}

/// Weights far enough from where training starts that every part of them matters.
fn random(model: &T5, method: &Method) -> Weights {
    let mut weights = Weights::start(model, method, 3).unwrap().frozen();
    for (name, tensor) in &mut weights.tensors {
        let mut stream = Stream::new(7, name);
        let shape = tensor.dims();
        let values: Vec<f32> = (0..shape[0] * shape[1])
            .map(|_| (stream.normal() * 0.3) as f32)
            .collect();
        *tensor =
            tensor.clone() + Tensor::from_data(TensorData::new(values, shape), model.device());
    }
    weights
}

/// The base with the trained tensors of its own, and the adapter of a method that has one.
fn write(place: &Path, model: &T5, weights: &Weights, config: &[u8]) -> (PathBuf, Option<PathBuf>) {
    let base = place.join("base");
    std::fs::create_dir_all(&base).unwrap();
    std::fs::write(base.join("config.json"), config).unwrap();
    let mut file = std::fs::File::create(base.join("model.safetensors")).unwrap();
    block_on(write_base(model, weights, "base", &mut file)).unwrap();
    let method = weights.method.clone().unwrap();
    if method.adapters.is_none() {
        return (base, None);
    }
    let header = Header::new(method, model.config().clone());
    let bytes = block_on(save(weights, &header)).unwrap();
    let exported = export(&bytes, "adapter", "mine").unwrap();
    let adapter = place.join("adapter");
    std::fs::create_dir_all(&adapter).unwrap();
    std::fs::write(adapter.join(CONFIG), &exported.config).unwrap();
    std::fs::write(adapter.join(WEIGHTS[0]), &exported.weights).unwrap();
    (base, Some(adapter))
}

fn logits(model: &T5, weights: &Weights) -> Vec<f32> {
    let forward = Forward::new(model, weights);
    let mask = vec![1; IDS.as_flattened().len()];
    let inputs = Inputs::new(IDS.as_flattened(), &mask, IDS.len(), model.device());
    let encoded = forward.encode(&inputs).unwrap();
    let ids = forward.ids(DECODER_IDS.as_flattened(), DECODER_IDS.len());
    let hidden = forward.decode(ids, &encoded, &inputs.mask).unwrap();
    let [rows, length, d] = hidden.dims();
    let logits = forward.logits(hidden.reshape([rows * length, d])).unwrap();
    block_on(float_values(logits)).unwrap()
}

fn ask(python: &str, cases: &[Value]) -> Vec<Vec<f32>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/adapterhub/load.py");
    let job = json!({"ids": IDS, "decoder_ids": DECODER_IDS, "cases": cases});
    let mut child = Command::new(python)
        .arg(script)
        .env("HF_HUB_OFFLINE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(job.to_string().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the library failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// See [`LIMIT`]; infinite where one is no number or the lengths differ.
fn distance(ours: &[f32], theirs: &[f32]) -> f32 {
    if ours.len() != theirs.len() {
        return f32::INFINITY;
    }
    let scale = ours
        .iter()
        .fold(1.0f32, |most, logit| most.max(logit.abs()));
    let each = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs() / scale);
    each.fold(0.0, |most, apart| match apart.is_nan() {
        true => f32::INFINITY,
        false => most.max(apart),
    })
}

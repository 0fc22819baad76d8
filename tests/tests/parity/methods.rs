//! `methods/` and `generation/`: logits, loss, gradients, three AdamW steps, greedy ids, counts.

use crate::fixtures::{Compared, Fixtures, Tensors, floats, ints, json, tensors};
use crate::functions::drawn;
use crate::layout::{Groups, Host, find, groups, method, reference_name, t5_config};
use burn::tensor::Tensor;
use compacter_core::artifact::{self, Header};
use compacter_core::data::Batch;
use compacter_core::method::Method;
use compacter_core::t5::{Forward, Inputs, Loader, Projections, Storage, T5, T5Config, Weights};
use compacter_core::train::{Optimiser, Trainer};
use compacter_core::{Device, block_on, float_values};
use safetensors::{Dtype, tensor::TensorView};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

pub fn compare(fixtures: &Fixtures, device: &Device, compared: &mut Compared) {
    for folder in fixtures.methods() {
        let config = json(&folder.join("config.json"));
        match method(&config) {
            Ok(mut method) => {
                compared.directories += 1;
                directory(
                    &folder, &config, &method, &PUBLISHED, fixtures, device, compared,
                );
                if let Some(intrinsic) = &mut method.intrinsic {
                    intrinsic.published_gradient = false;
                    directory(
                        &folder, &config, &method, &EXACT, fixtures, device, compared,
                    );
                }
            }
            Err(why) => compared
                .skipped
                .push(format!("{}: {why}", folder.display())),
        }
    }
    let folder = fixtures.root.join("generation");
    if folder.is_dir() {
        compared.directories += 1;
        generation(&folder, device, compared);
    }
}

/// What a folder calls the results of one way to take gradients.
struct Way {
    gradients: &'static str,
    after: &'static str,
    losses: &'static str,
}

const PUBLISHED: Way = Way {
    gradients: "grad.",
    after: "after.",
    losses: "losses_before_each_step_and_after_last",
};
const EXACT: Way = Way {
    gradients: "grad_true.",
    after: "after_true.",
    losses: "losses_with_true_gradient",
};

fn serialize<'a>(
    tensors: impl Iterator<Item = (String, &'a Host)>,
    metadata: Option<HashMap<String, String>>,
) -> Vec<u8> {
    let owned: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .map(|(name, (shape, values))| {
            (
                name,
                shape.clone(),
                floats(values)
                    .iter()
                    .flat_map(|v| v.to_le_bytes())
                    .collect(),
            )
        })
        .collect();
    let views = owned.iter().map(|(name, shape, bytes)| {
        (
            name.as_str(),
            TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
        )
    });
    safetensors::serialize(views, metadata).unwrap()
}

pub fn base(all: &Tensors, config: &T5Config, device: &Device) -> T5 {
    base_in(Storage::F32, all, config, device)
}

pub fn base_in(storage: Storage, all: &Tensors, config: &T5Config, device: &Device) -> T5 {
    let names = config.tensors();
    let own = names.iter().map(|(name, _)| (name.clone(), &all[name]));
    let file = ("model.safetensors".to_string(), serialize(own, None));
    let loader = Loader::new(config.clone(), storage, device);
    loader.load(&[file]).unwrap()
}

/// A folder's base, the method's weights on it and its batch.
pub struct Loaded {
    pub model: Arc<T5>,
    pub start: Weights,
    pub batch: Batch,
    pub expected: Tensors,
    groups: Groups,
}

fn load(folder: &Path, config: &Value, method: &Method, device: &Device) -> Loaded {
    let t5 = t5_config(&config["t5"], config["tied"].as_bool());
    let weights = tensors(&folder.join("model.safetensors"));
    load_on(
        base(&weights, &t5, device),
        folder,
        config,
        method,
        &weights,
    )
}

/// A folder's weights of the method, on this form of its base.
pub fn load_on(
    model: T5,
    folder: &Path,
    config: &Value,
    method: &Method,
    weights: &Tensors,
) -> Loaded {
    let task = config["method"]["task"].as_str().unwrap_or("mrpc");
    let t5 = model.config().clone();
    let expected = tensors(&folder.join("expected.safetensors"));
    let model = Arc::new(model);
    let groups = groups(method, &t5);
    let own = groups.iter().flat_map(|group| &group.parts).map(|part| {
        let name = &part.name;
        let theirs = reference_name(name, task);
        let found = find(weights, "", &theirs).unwrap_or_else(|| panic!("{theirs}"));
        (name.clone(), found.1)
    });
    let header = Header::new(method.clone(), t5);
    let file = serialize(own, Some(header.metadata().unwrap()));
    let (_, mut start) = artifact::load(&file, "adapter", &model).unwrap();
    let projections = folder.join("projections.safetensors");
    if projections.exists() {
        let all = tensors(&projections);
        start.projections = Projections::given(method, &model, |name| drawn(&all, name)).unwrap();
    }
    let rows = expected["input_ids"].0[0];
    let get = |name: &str| ints(&expected[name].1);
    let batch = Batch {
        rows,
        source_len: expected["input_ids"].0[1],
        target_len: expected["labels"].0[1],
        source: get("input_ids"),
        mask: get("attention_mask"),
        labels: get("labels"),
    };
    Loaded {
        model,
        start,
        batch,
        expected,
        groups,
    }
}

/// Five steps with dropout and clipping on both devices: the same losses to 1e-3.
pub fn compare_devices(fixtures: &Fixtures, devices: [&Device; 2], compared: &mut Compared) {
    for folder in fixtures.methods() {
        let config = json(&folder.join("config.json"));
        let Ok(method) = method(&config) else {
            continue;
        };
        if method.adapters.is_none() {
            continue;
        }
        let losses = devices.map(|device| {
            let loaded = load(&folder, &config, &method, device);
            let optimiser = Optimiser::new(1e-8, 0.0);
            let mut trainer = Trainer::new(loaded.model, &loaded.start, optimiser, 7);
            trainer.dropout = 0.1;
            trainer.max_grad_norm = 1.0;
            let batch = std::slice::from_ref(&loaded.batch);
            let step = |_| block_on(trainer.step(batch, 3e-3)).unwrap();
            (0..5).map(step).collect::<Vec<f64>>()
        });
        let got: Vec<f32> = losses[1].iter().map(|&loss| loss as f32).collect();
        let at = folder.file_name().unwrap().to_string_lossy();
        compared.absolute(&format!("{at} losses with dropout"), &got, &losses[0], 1e-3);
        let moved = losses[0]
            .iter()
            .any(|loss| (loss - losses[0][0]).abs() > 1e-3);
        compared.exact(&format!("{at} losses move"), &moved, &true);
    }
}

fn directory(
    folder: &Path,
    config: &Value,
    method: &Method,
    way: &Way,
    fixtures: &Fixtures,
    device: &Device,
    compared: &mut Compared,
) {
    let at = folder.file_name().unwrap().to_string_lossy().to_string();
    let task = config["method"]["task"].as_str().unwrap_or("mrpc");
    let facts = json(&folder.join("expected.json"));
    let Loaded {
        model,
        start,
        batch,
        expected,
        groups,
    } = load(folder, config, method, device);

    let count = facts["trainable_parameters"].as_u64().unwrap() as usize;
    compared.exact(
        &format!("{at} trainable"),
        &method.trainable(model.config()),
        &count,
    );

    let inputs = Inputs::new(&batch.source, &batch.mask, batch.rows, device);
    let (encoded, logits) = outputs(&model, &start, &inputs, &expected);
    let name = "encoder_last_hidden_state";
    compared.absolute(
        &format!("{at} {name}"),
        &encoded,
        &expected[name].1,
        fixtures.limit(name),
    );
    compared.absolute(
        &format!("{at} logits"),
        &logits,
        &expected["logits"].1,
        fixtures.limit("logits"),
    );
    if let Some(want) = facts.get("greedy") {
        greedy(&at, &model, &start, &inputs, want, compared);
    }

    let settings = &facts["optimizer"];
    let decay = settings["weight_decay"].as_f64().unwrap();
    let optimiser = Optimiser::new(settings["eps"].as_f64().unwrap(), decay);
    let mut trainer = Trainer::new(model.clone(), &start, optimiser, 0);
    let zero = facts["zero_gradient_tensors"].as_array().unwrap();
    let is_zero = |name: &str| zero.iter().any(|z| z.as_str() == Some(name));

    let (loss, grads) = block_on(trainer.gradients(std::slice::from_ref(&batch))).unwrap();
    compared.absolute(
        &format!("{at} loss"),
        &[loss as f32],
        &expected["loss"].1,
        fixtures.limit("loss"),
    );
    for_parts(
        &groups,
        &grads,
        task,
        &expected,
        way.gradients,
        |name, got, want| {
            let what = format!("{at} grad {name}");
            if is_zero(name) {
                let limit = fixtures.limit("grad_zero_gradient_tensors_absolute");
                compared.absolute(&what, got, &vec![0.0; want.len()], limit);
            } else {
                compared.relative(&what, got, want, fixtures.limit("grad_relative"));
            }
        },
    );

    let want = facts[way.losses].as_array().unwrap();
    let steps = settings["steps"].as_u64().unwrap() as usize;
    let mut losses = Vec::new();
    for _ in 0..steps {
        let lr = settings["lr"].as_f64().unwrap();
        losses.push(block_on(trainer.step(std::slice::from_ref(&batch), lr)).unwrap() as f32);
    }
    losses.push(
        block_on(trainer.gradients(std::slice::from_ref(&batch)))
            .unwrap()
            .0 as f32,
    );
    let want: Vec<f64> = want.iter().map(|loss| loss.as_f64().unwrap()).collect();
    compared.absolute(
        &format!("{at} losses"),
        &losses,
        &want,
        fixtures.limit("loss"),
    );
    let after = trainer.weights().frozen();
    for_parts(
        &groups,
        &after.tensors,
        task,
        &expected,
        way.after,
        |name, got, want| {
            let what = format!("{at} after {name}");
            if is_zero(name) {
                compared.absolute(
                    &what,
                    got,
                    want,
                    fixtures.limit("after_zero_gradient_tensors"),
                );
            } else {
                let share = fixtures.limit("after_share_of_entries_allowed_above");
                let limits = [
                    fixtures.limit("after"),
                    share,
                    fixtures.limit("after_maximum"),
                ];
                compared.mostly(&what, got, want, limits);
            }
        },
    );
    let (_, logits) = outputs(&model, &after, &inputs, &expected);
    let name = "logits_after";
    if way.after != PUBLISHED.after {
        return; // given for the published gradient alone
    }
    compared.absolute(
        &format!("{at} {name}"),
        &logits,
        &expected[name].1,
        fixtures.limit(name),
    );
}

/// Calls `f(reference name, ours, theirs)` for every part of every packed tensor.
fn for_parts(
    groups: &Groups,
    got: &std::collections::BTreeMap<String, Tensor<2>>,
    task: &str,
    expected: &Tensors,
    prefix: &str,
    mut f: impl FnMut(&str, &[f32], &[f64]),
) {
    for group in groups.iter().filter(|group| group.trained) {
        let values = match got.get(&group.name) {
            Some(tensor) => block_on(float_values(tensor.clone())).unwrap(),
            None => vec![f32::NAN; group.len()],
        };
        let mut start = 0;
        for part in &group.parts {
            let (name, end) = (&part.name, start + part.len());
            let (theirs, (_, want)) =
                find(expected, prefix, &reference_name(name, task)).expect(name);
            f(&theirs, &values[start..end], want);
            start = end;
        }
    }
}

pub fn outputs(
    model: &T5,
    weights: &Weights,
    inputs: &Inputs,
    expected: &Tensors,
) -> (Vec<f32>, Vec<f32>) {
    let forward = Forward::new(model, weights);
    let encoded = forward.encode(inputs).unwrap();
    let ids = &expected["decoder_input_ids"];
    let ids = forward.ids(&ints(&ids.1), ids.0[0]);
    let hidden = forward.decode(ids, &encoded, &inputs.mask).unwrap();
    let [rows, length, d] = hidden.dims();
    let logits = forward.logits(hidden.reshape([rows * length, d])).unwrap();
    (
        block_on(float_values(encoded)).unwrap(),
        block_on(float_values(logits)).unwrap(),
    )
}

fn greedy(
    at: &str,
    model: &T5,
    weights: &Weights,
    inputs: &Inputs,
    want: &Value,
    compared: &mut Compared,
) {
    let length = want["max_length"].as_u64().unwrap() as usize;
    let mut got = block_on(Forward::new(model, weights).greedy(inputs, length)).unwrap();
    got.iter_mut().for_each(|row| row.resize(length, 0));
    let rows = want["ids"].as_array().unwrap().iter();
    let row = |row: &Value| {
        row.as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_i64().unwrap() as i32)
            .collect()
    };
    let want: Vec<Vec<i32>> = rows.map(row).collect();
    compared.exact(&format!("{at} greedy"), &got, &want);
}

fn generation(folder: &Path, device: &Device, compared: &mut Compared) {
    let config = json(&folder.join("config.json"));
    let t5 = match config.get("t5") {
        Some(t5) => t5_config(t5, config["tied"].as_bool()),
        None => t5_config(&config, None),
    };
    let facts = json(&folder.join("expected.json"));
    let model = base(&tensors(&folder.join("model.safetensors")), &t5, device);
    let flat = |key: &str| -> Vec<i32> {
        let rows = facts[key].as_array().unwrap().iter();
        rows.flat_map(|row| row.as_array().unwrap())
            .map(|id| id.as_i64().unwrap() as i32)
            .collect()
    };
    let rows = facts["input_ids"].as_array().unwrap().len();
    let inputs = Inputs::new(&flat("input_ids"), &flat("attention_mask"), rows, device);
    greedy(
        "generation",
        &model,
        &model.untouched(),
        &inputs,
        &facts,
        compared,
    );
}

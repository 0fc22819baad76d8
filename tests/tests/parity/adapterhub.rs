//! `adapterhub/`: adapters as the AdapterHub library saves them give its logits, loss and gradients,
//! whichever of its files they come from, and go back into its names.

use crate::fixtures::{Compared, Fixtures, Tensors, ints, json, tensors};
use crate::layout::{Host, t5_config};
use crate::methods::{base, outputs};
use compacter_core::artifact::adapterhub::{CONFIG, Exported, Source, WEIGHTS, export, import};
use compacter_core::artifact::load;
use compacter_core::data::Batch;
use compacter_core::t5::{Inputs, T5, Weights};
use compacter_core::tensor_file::{HostTensors, read};
use compacter_core::train::{Optimiser, Trainer};
use compacter_core::{Device, block_on};
use std::path::Path;
use std::sync::Arc;

pub fn compare(fixtures: &Fixtures, device: &Device, compared: &mut Compared) {
    let root = fixtures.root.join("adapterhub");
    for name in ["compacter", "compacter++"] {
        let folder = root.join(name);
        if folder.is_dir() {
            compared.directories += 1;
            directory(name, &folder, fixtures, device, compared);
        }
    }
}

fn directory(
    at: &str,
    folder: &Path,
    fixtures: &Fixtures,
    device: &Device,
    compared: &mut Compared,
) {
    let t5 = t5_config(&json(&folder.join("base").join("config.json")), None);
    let weights = tensors(&folder.join("base").join("model.safetensors"));
    let model = Arc::new(base(&weights, &t5, device));
    let mut expected = tensors(&folder.join("expected.safetensors"));
    let shifted = shifted_right(&expected["labels"]);
    expected.insert("decoder_input_ids".into(), shifted);
    let facts = json(&folder.join("expected.json"));
    for entry in std::fs::read_dir(folder).unwrap() {
        let form = entry.unwrap().path();
        if !form.join(CONFIG).is_file() {
            continue;
        }
        let at = format!("adapterhub {at} {}", form.file_name().unwrap().display());
        let bytes = imported(&form, &folder.join("phm_rule.safetensors"), &model);
        let (header, start) = load(&bytes, &at, &model).unwrap();
        let count = facts["trainable_parameters"].as_u64().unwrap() as usize;
        compared.exact(
            &format!("{at} trainable"),
            &header.method.trainable(&t5),
            &count,
        );
        let exported = export(&bytes, &at, "task").unwrap();
        compared.exact(
            &format!("{at} of the base"),
            &exported.of_the_base,
            &Vec::new(),
        );
        names(&at, &exported, &expected, compared);
        numbers(
            &at, &model, &start, &exported, &expected, fixtures, compared,
        );
    }
}

/// The decoder's input: the start token 0 and all labels but the last, 0 where none counts.
fn shifted_right((shape, labels): &Host) -> Host {
    let rows = labels.chunks(shape[1]);
    let row = |row: &[f64]| {
        let before = row.iter().take(row.len() - 1).map(|label| label.max(0.0));
        std::iter::once(0.0).chain(before).collect::<Vec<f64>>()
    };
    (shape.clone(), rows.flat_map(row).collect())
}

/// Our adapter file of a folder of the library; the rule is given where its file lacks it.
fn imported(form: &Path, rule: &Path, model: &T5) -> Vec<u8> {
    let config = std::fs::read(form.join(CONFIG)).unwrap();
    let name = WEIGHTS.into_iter().find(|name| form.join(name).is_file());
    let weights = std::fs::read(form.join(name.unwrap())).unwrap();
    let rule = std::fs::read(rule).unwrap();
    let source = |rule| Source {
        config: (&config, CONFIG),
        weights: (&weights, "weights"),
        rule,
    };
    let with_rule = read(&weights, "weights").unwrap();
    let has_rule = with_rule.keys().any(|name| name.ends_with("phm_rule"));
    let first = import(&source(None), model.config());
    if !has_rule {
        let error = first.unwrap_err().to_string();
        assert!(error.contains("--rule"), "{error}");
        let given = import(&source(Some((&rule[..], "rule"))), model.config());
        return given.unwrap().to_bytes().unwrap();
    }
    first.unwrap().to_bytes().unwrap()
}

/// The export has the names that the library trains, the rule among them.
fn names(at: &str, exported: &Exported, expected: &Tensors, compared: &mut Compared) {
    let ours = read(&exported.weights, "exported").unwrap();
    let grads = expected
        .keys()
        .filter_map(|name| name.strip_prefix("grad."));
    let theirs: Vec<&str> = grads.collect();
    compared.exact(
        &format!("{at} names"),
        &ours.keys().map(String::as_str).collect(),
        &theirs,
    );
}

fn numbers(
    at: &str,
    model: &Arc<T5>,
    start: &Weights,
    exported: &Exported,
    expected: &Tensors,
    fixtures: &Fixtures,
    compared: &mut Compared,
) {
    let get = |name: &str| ints(&expected[name].1);
    let shape = &expected["input_ids"].0;
    let batch = Batch {
        rows: shape[0],
        source_len: shape[1],
        target_len: expected["labels"].0[1],
        source: get("input_ids"),
        mask: get("attention_mask"),
        labels: get("labels"),
    };
    let inputs = Inputs::new(&batch.source, &batch.mask, batch.rows, model.device());
    let (_, logits) = outputs(model, start, &inputs, expected);
    let limit = fixtures.limit("logits");
    compared.absolute(
        &format!("{at} logits"),
        &logits,
        &expected["logits"].1,
        limit,
    );
    let trainer = Trainer::new(model.clone(), start, Optimiser::new(1e-6, 0.0), 0);
    let (loss, grads) = block_on(trainer.gradients(std::slice::from_ref(&batch))).unwrap();
    let limit = fixtures.limit("loss");
    compared.absolute(
        &format!("{at} loss"),
        &[loss as f32],
        &expected["loss"].1,
        limit,
    );
    let gradients = Weights {
        tensors: grads,
        ..start.clone()
    };
    for (name, got) in by_their_names(at, model, &gradients, exported) {
        let want = &expected[&format!("grad.{name}")].1;
        let limit = fixtures.limit("grad_relative");
        compared.relative(&format!("{at} grad {name}"), &got, want, limit);
    }
}

/// Tensors of an adapter under the library's names, by exporting them as if they were weights.
fn by_their_names(
    at: &str,
    model: &T5,
    weights: &Weights,
    exported: &Exported,
) -> Vec<(String, Vec<f32>)> {
    let method = weights.method.clone().unwrap();
    let header = compacter_core::artifact::Header::new(method, model.config().clone());
    let bytes = block_on(compacter_core::artifact::save(weights, &header)).unwrap();
    let again = export(&bytes, at, "task").unwrap();
    assert_eq!(again.config, exported.config);
    let found: HostTensors = read(&again.weights, at).unwrap();
    found
        .into_iter()
        .map(|(name, (_, values))| (name, values))
        .collect()
}

//! Frozen weights as f16 and int8: what a model computes with them is what it computes with the same
//! numbers kept as f32, which the other comparisons hold to the reference.

use crate::fixtures::{Compared, Fixtures, Tensors, json, tensors};
use crate::layout::{method, t5_config};
use crate::methods::{Loaded, base, base_in, load_on, outputs};
use compacter_core::t5::{Inputs, Storage, T5};
use compacter_core::train::{Optimiser, Trainer};
use compacter_core::{Device, block_on, float_values};

pub fn compare(fixtures: &Fixtures, device: &Device, compared: &mut Compared) {
    for folder in fixtures.methods() {
        let config = json(&folder.join("config.json"));
        let Ok(method) = method(&config) else {
            continue;
        };
        let t5 = t5_config(&config["t5"], config["tied"].as_bool());
        let weights = tensors(&folder.join("model.safetensors"));
        let mut packed_any = false;
        for storage in [Storage::F16, Storage::Int8] {
            let packed = base_in(storage, &weights, &t5, device);
            let unpacked = unpacked(&packed, &weights);
            packed_any |= unpacked != weights;
            let plain = base(&unpacked, &t5, device);
            let [got, want] =
                [packed, plain].map(|base| load_on(base, &folder, &config, &method, &weights));
            let at = folder.file_name().unwrap().to_string_lossy();
            same(
                &format!("{at} in {}", storage.name()),
                &got,
                &want,
                fixtures,
                compared,
            );
        }
        compared.exact("packing changes a weight", &packed_any, &true);
    }
}

/// The base's tensors as it computes with them.
fn unpacked(model: &T5, weights: &Tensors) -> Tensors {
    let names = model.config().tensors();
    let read = |name: String| {
        let tensor = model.tensor(&name).unwrap();
        let values = block_on(float_values(tensor)).unwrap();
        let values = values.into_iter().map(f64::from).collect();
        let shape = weights[&name].0.clone();
        (name, (shape, values))
    };
    names.into_iter().map(|(name, _)| read(name)).collect()
}

/// Outputs, loss, gradients and three steps.
fn same(at: &str, got: &Loaded, want: &Loaded, fixtures: &Fixtures, compared: &mut Compared) {
    let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
    let run = |loaded: &Loaded| {
        let batch = &loaded.batch;
        let device = loaded.model.device();
        let inputs = Inputs::new(&batch.source, &batch.mask, batch.rows, device);
        outputs(&loaded.model, &loaded.start, &inputs, &loaded.expected)
    };
    let ((encoded, logits), (encoded_there, logits_there)) = (run(got), run(want));
    for (name, got, want) in [
        ("encoder_last_hidden_state", &encoded, &encoded_there),
        ("logits", &logits, &logits_there),
    ] {
        let limit = fixtures.limit(name);
        compared.absolute(&format!("{at}: {name}"), got, &wide(want), limit);
    }
    let train = |loaded: &Loaded| {
        let optimiser = Optimiser::new(1e-8, 0.0);
        let mut trainer = Trainer::new(loaded.model.clone(), &loaded.start, optimiser, 0);
        let batch = std::slice::from_ref(&loaded.batch);
        let (loss, gradients) = block_on(trainer.gradients(batch)).unwrap();
        let mut losses = vec![loss as f32];
        losses.extend((0..3).map(|_| block_on(trainer.step(batch, 1e-3)).unwrap() as f32));
        (losses, gradients)
    };
    let ((losses, gradients), (losses_there, gradients_there)) = (train(got), train(want));
    let limit = fixtures.limit("loss");
    compared.absolute(
        &format!("{at}: losses"),
        &losses,
        &wide(&losses_there),
        limit,
    );
    for (name, gradient) in gradients {
        let values = |tensor| block_on(float_values(tensor)).unwrap();
        let there = wide(&values(gradients_there[&name].clone()));
        let largest = there
            .iter()
            .fold(0.0f64, |most, value| most.max(value.abs()));
        // Rounding is all that there is of a gradient that should be zero.
        if largest > 1e-6 {
            compared.relative(
                &format!("{at}: gradient of {name}"),
                &values(gradient),
                &there,
                fixtures.limit("grad_relative"),
            );
        }
    }
}

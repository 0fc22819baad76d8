//! The base: the bundled one, one's own files, or one of the hub, and what its weights are kept as.

use super::{named, weak};
use crate::state::{Base, State};
use compacter_core::t5::Storage;
use eframe::egui::{CollapsingHeader, TextEdit, Ui};

/// Where a base of a name is looked for.
const NAMED: &str = if cfg!(target_arch = "wasm32") {
    "google-t5/t5-small"
} else {
    "a folder with config.json"
};

/// Draws it, folded: most people never need another base.
pub(crate) fn show(ui: &mut Ui, state: &mut State) {
    CollapsingHeader::new("Another model").show(ui, |ui| {
        ui.label(weak(
            "Frozen weights are kept as chosen here and computed with as f32; int8 makes T5-base fit.",
        ));
        let mut weights = state.start.weights;
        ui.horizontal(|ui| {
            for storage in Storage::ALL {
                ui.selectable_value(&mut weights, storage, storage.name());
            }
        });
        if weights != state.start.weights {
            state.take_base(state.start.base.clone(), weights);
        }
        let field = TextEdit::singleline(&mut state.named).hint_text(NAMED);
        let field = ui.add(field.desired_width(f32::INFINITY).char_limit(256));
        named(ui, &field, "the model's id on Hugging Face");
        ui.horizontal(|ui| {
            let name = state.named.trim().to_string();
            if ui.button("Load it").clicked() && !name.is_empty() {
                state.take_base(Base::Named(name), weights);
            }
            if ui.button("Choose files").clicked() {
                state.pick_base();
            }
            if state.start.base != Base::Bundled && ui.button("Bundled").clicked() {
                state.take_base(Base::Bundled, weights);
            }
        });
    });
    ui.add_space(8.0);
}

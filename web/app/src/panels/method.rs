//! 2 Method: what is trained, how much that is, and its settings in plain words.

use super::{heading, named, share, thousands, weak};
use crate::colours;
use crate::state::{Size, State};
use crate::theme::number;
use compacter_core::method::{Layer, Method, Overrides};
use eframe::egui::{Align, Button, DragValue, Label, Layout, Response, RichText, Sense, Ui, vec2};

/// Draws it.
pub(crate) fn show(ui: &mut Ui, state: &mut State) {
    heading(ui, "2  Method");
    let gap = std::mem::replace(&mut ui.spacing_mut().item_spacing.y, 3.0);
    let mut picked = None;
    for (name, preset) in state.sizes.presets.iter().rev() {
        let chosen = state.form.method == *name;
        let size = if chosen { &state.sizes.chosen } else { preset };
        if line(ui, name, size, chosen) && !chosen {
            picked = Some(name.to_string());
        }
    }
    if let Some(name) = picked {
        (state.form.method, state.form.overrides) = (name, Overrides::default());
    }
    ui.spacing_mut().item_spacing.y = gap;
    settings(ui, state);
    if let Err(error) = &state.sizes.chosen.method {
        let colour = ui.visuals().error_fg_color;
        ui.label(RichText::new(error).small().color(colour));
    }
}

/// A method's name, its count and its share as a bar on a log scale; whether it was clicked.
///
/// A preset that this base cannot have is greyed, with the reason below its name; a chosen one
/// stays as it is, since its own settings, and so the reason, stand below the list.
fn line(ui: &mut Ui, name: &str, size: &Size, chosen: bool) -> bool {
    let can = size.method.is_ok() || chosen;
    let colour = colours::method(name, ui.visuals());
    let colour = if can {
        colour
    } else {
        colour.gamma_multiply(0.3)
    };
    let clicked = ui
        .horizontal(|ui| {
            let (dot, _) = ui.allocate_exact_size(vec2(10.0, 10.0), Sense::hover());
            ui.painter().circle_filled(dot.center(), 5.0, colour);
            ui.spacing_mut().button_padding = vec2(8.0, 3.0);
            ui.spacing_mut().interact_size.y = 26.0;
            let label = Button::selectable(chosen, name);
            let clicked = ui.add_enabled(can, label).clicked();
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if size.method.is_ok() {
                    let count = thousands(size.trainable);
                    ui.label(RichText::new(share(size.percent)).font(number(12.0)).weak());
                    ui.label(RichText::new(count).font(number(13.0)));
                }
            });
            clicked
        })
        .inner;
    if let (Err(error), false) = (&size.method, chosen) {
        ui.label(weak(error.as_str()));
    }
    if size.method.is_ok() {
        let decades = (size.percent.log10() + 3.0).clamp(0.1, 5.0) / 5.0;
        let (bar, _) = ui.allocate_exact_size(vec2(ui.available_width(), 3.0), Sense::hover());
        ui.painter()
            .rect_filled(bar, 1.5, ui.visuals().faint_bg_color);
        let mut filled = bar;
        filled.max.x = bar.left() + bar.width() * decades as f32;
        ui.painter().rect_filled(filled, 1.5, colour);
    }
    clicked
}

/// The chosen method's settings; a preset's value stands until it is changed.
fn settings(ui: &mut Ui, state: &mut State) {
    let width = state.base.d_model;
    // Of the preset, since a setting that does not fit must stay there to be changed.
    let preset = state.sizes.preset();
    let method = state.sizes.chosen.method.as_ref().ok();
    let layer = preset.and_then(|preset| preset.adapters.as_ref());
    let layer = layer.map(|adapters| adapters.layer);
    let form = &mut state.form;
    ui.add_space(4.0);
    if let Some((n, _)) = layer.and_then(|layer| layer.rule()) {
        let words = format!("n: blocks a matrix is cut into; must divide {width}");
        whole(ui, &words, &mut form.overrides.n, n, 1..=64);
    }
    let rank = match layer {
        Some(Layer::Lphm { rank, .. }) => Some(("rank of each block", rank)),
        Some(Layer::LowRank { rank }) => Some(("rank of each matrix", rank)),
        _ => None,
    };
    if let Some((words, rank)) = rank {
        whole(ui, words, &mut form.overrides.rank, rank, 1..=8);
    }
    if let Some(prompt) = preset.and_then(|preset| preset.prompt) {
        let words = "prompt: rows in front of each text";
        whole(ui, words, &mut form.overrides.prompt, prompt.rows, 1..=500);
    }
    if let Some(intrinsic) = preset.and_then(|preset| preset.intrinsic) {
        let words = "dimension: numbers that all weights follow";
        let dimension = intrinsic.dimension;
        whole(
            ui,
            words,
            &mut form.overrides.dimension,
            dimension,
            100..=100_000,
        );
    }
    if let Some(bottleneck) = method.and_then(Method::bottleneck) {
        let words = "bottleneck: width between the projections";
        whole(
            ui,
            words,
            &mut form.overrides.bottleneck,
            bottleneck,
            1..=512,
        );
    }
    if let Some(method) = method {
        let mut rate = method.lr;
        row(ui, "learning rate", |ui| {
            let drag = DragValue::new(&mut rate).speed(1e-4).range(1e-6..=1.0);
            let field = ui.add(drag.custom_formatter(|value, _| format!("{value:.0e}")));
            if field.changed() {
                form.overrides.lr = Some(rate);
            }
            field
        });
    }
    row(ui, "steps", |ui| {
        ui.add(DragValue::new(&mut form.steps).range(10..=20_000))
    });
    row(ui, "rows a step", |ui| {
        ui.add(DragValue::new(&mut form.batch).range(1..=256))
    });
    row(ui, "seed", |ui| {
        ui.add(DragValue::new(&mut form.seed).range(0..=9999))
    });
    ui.add_space(8.0);
}

/// Words to the left, a control of fixed width to the right.
fn row(ui: &mut Ui, words: &str, contents: impl FnOnce(&mut Ui) -> Response) {
    ui.horizontal(|ui| {
        ui.spacing_mut().interact_size = vec2(64.0, 24.0);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let field = contents(ui);
            named(ui, &field, words);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.add(Label::new(weak(words)).wrap());
            });
        });
    });
}

fn whole(
    ui: &mut Ui,
    words: &str,
    value: &mut Option<usize>,
    preset: usize,
    range: std::ops::RangeInclusive<usize>,
) {
    let mut now = value.unwrap_or(preset);
    row(ui, words, |ui| {
        let field = ui.add(DragValue::new(&mut now).range(range));
        if field.changed() {
            *value = Some(now);
        }
        field
    });
}

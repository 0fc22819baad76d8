//! 1 Data: which rows, how many of them, how the labels are spread.

use super::{heading, named, thousands, weak};
use crate::state::State;
use crate::theme::number;
use eframe::egui::{
    Button, ComboBox, DragValue, Label, RichText, ScrollArea, Sense, Slider, TextEdit, Ui, vec2,
};

/// Height of a row of the table.
const ROW: f32 = 24.0;

/// Draws it.
pub(crate) fn show(ui: &mut Ui, state: &mut State) {
    heading(ui, "1  Data");
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().button_padding.x = 8.0;
        ui.spacing_mut().item_spacing.x = 2.0;
        for name in compacter_assets::DATA_NAMES {
            let chosen = state.data.name == name;
            if ui.selectable_label(chosen, name).clicked() && !chosen {
                state.choose_data(name);
            }
        }
    });
    own(ui, state);
    balance(ui, state);
    let most = state.data.largest_samples();
    ui.label(weak(format!(
        "Train on this many of {} rows",
        thousands(most)
    )));
    ui.horizontal(|ui| {
        ui.spacing_mut().slider_width = ui.available_width() - 72.0;
        let range = 20.min(most)..=most;
        let slider = Slider::new(&mut state.data.samples, range.clone()).logarithmic(true);
        let slider = ui.add(slider.show_value(false));
        named(ui, &slider, "training rows");
        let number = DragValue::new(&mut state.data.samples).range(range);
        let number = ui.add(number);
        named(ui, &number, "training rows");
    });
    rows(ui, state);
}

/// One's own rows: opened, dropped or pasted.
fn own(ui: &mut Ui, state: &mut State) {
    ui.horizontal(|ui| {
        ui.spacing_mut().button_padding = vec2(8.0, 2.0);
        if ui.button("Open a file").clicked() {
            state.pick();
        }
        ui.label(weak("or drop or paste TSV, CSV, JSON lines"));
    });
    if state.import.is_some() {
        columns(ui, state);
    }
}

/// Which column is what, guessed, with three rows to judge by.
fn columns(ui: &mut Ui, state: &mut State) {
    let (mut take, mut leave) = (false, false);
    if let Some(import) = &mut state.import {
        let count = thousands(import.rows.len());
        ui.label(weak(format!(
            "{}: {count} rows. Which column is",
            import.file
        )));
        let header = import.header.clone();
        for (words, chosen) in [
            ("the text", &mut import.text),
            ("the label", &mut import.label),
        ] {
            ui.horizontal(|ui| {
                ui.label(words);
                let choice = ComboBox::from_id_salt(words)
                    .selected_text(&header[*chosen])
                    .truncate()
                    .show_ui(ui, |ui| {
                        for (at, name) in header.iter().enumerate() {
                            ui.selectable_value(chosen, at, name);
                        }
                    });
                named(ui, &choice.response, words);
            });
        }
        for row in import.rows.iter().take(3) {
            let words = format!("{} · {}", row[import.label], row[import.text]);
            ui.add(Label::new(weak(words)).truncate());
        }
        ui.horizontal(|ui| {
            take = ui.button("Use these rows").clicked();
            leave = ui.button("Leave it").clicked();
        });
    }
    if take {
        state.use_import();
    }
    if leave {
        state.import = None;
    }
}

/// The labels' shares as one strip, with their names below.
fn balance(ui: &mut Ui, state: &State) {
    let counts = state.data.balance();
    let total = state.data.rows.len().max(1) as f32;
    let (strip, _) = ui.allocate_exact_size(vec2(ui.available_width(), 8.0), Sense::hover());
    let mut left = strip.left();
    let accent = ui.visuals().hyperlink_color;
    for (at, (_, count)) in counts.iter().enumerate() {
        let width = strip.width() * *count as f32 / total;
        let mut part = strip;
        (part.min.x, part.max.x) = (left, left + width - 1.0);
        let strength = 1.0 - 0.75 * at as f32 / counts.len() as f32;
        ui.painter()
            .rect_filled(part, 2.0, accent.gamma_multiply(strength));
        left += width;
    }
    let names: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    ui.label(weak(names.join(" · ")));
}

/// Every row, to be read and changed; only those in sight are laid out.
fn rows(ui: &mut Ui, state: &mut State) {
    let labels: Vec<String> = state
        .data
        .balance()
        .iter()
        .map(|(name, _)| name.to_string())
        .collect();
    let locked = state.running.is_some();
    let (text_width, label_width) = (ui.available_width() - 156.0, 92.0);
    let mut gone = None;
    ui.scope(|ui| {
        ui.spacing_mut().interact_size.y = ROW;
        ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
        ui.spacing_mut().button_padding = vec2(6.0, 2.0);
        let area = ScrollArea::vertical()
            .id_salt("rows")
            .max_height(4.5 * (ROW + 4.0));
        area.show_rows(ui, ROW, state.data.rows.len(), |ui, visible| {
            for at in visible {
                let [text, label] = &mut state.data.rows[at];
                ui.add_enabled_ui(!locked, |ui| {
                    ui.horizontal(|ui| {
                        let field = ui.add_sized([text_width, ROW], TextEdit::singleline(text));
                        named(ui, &field, &format!("text of row {}", at + 1));
                        let choice = ComboBox::from_id_salt(("label", at))
                            .width(label_width)
                            .selected_text(label.as_str())
                            .truncate()
                            .show_ui(ui, |ui| {
                                for name in &labels {
                                    ui.selectable_value(label, name.clone(), name);
                                }
                            });
                        named(ui, &choice.response, &format!("label of row {}", at + 1));
                        if ui
                            .small_button("×")
                            .on_hover_text("Delete this row")
                            .clicked()
                        {
                            gone = Some(at);
                        }
                    });
                });
            }
        });
    });
    if let Some(at) = gone {
        state.data.rows.remove(at);
        state.data.samples = state.data.samples.min(state.data.largest_samples());
    }
    ui.horizontal(|ui| {
        if ui.add_enabled(!locked, Button::new("Add a row")).clicked() {
            let label = labels.first().cloned().unwrap_or_default();
            state.data.rows.insert(0, [String::new(), label]);
        }
        ui.label(RichText::new(thousands(state.data.rows.len())).font(number(12.0)));
        ui.label(weak("rows"));
    });
}

//! Try it: a sentence of one's own, before and after training, and what this is all about.

use super::{heading, named, weak};
use crate::state::{Mistakes, State};
use crate::theme::number;
use compacter_core::task;
use eframe::egui::{CollapsingHeader, RichText, Sense, TextEdit, Ui, vec2};

const EXAMPLES: [&str; 3] = [
    "The soup was cold and the waiter colder.",
    "I would gladly come back tomorrow.",
    "Not the disaster I had been promised.",
];

const ABOUT: &str = "A language model has millions of numbers. Adapters leave them all as they are \
and put small layers in between: down to a narrow bottleneck, a bend, and up again. Compacter \
writes the matrices of these layers as sums of Kronecker products of much smaller ones, shares one \
factor among all layers and makes the other of rank one. What is left to train is a few thousand \
numbers, and the file that holds what was learned has a few kilobytes.";

/// Draws it.
pub(crate) fn show(ui: &mut Ui, state: &mut State) {
    heading(ui, "Try it");
    let edit = TextEdit::multiline(&mut state.sentence)
        .desired_rows(2)
        .desired_width(f32::INFINITY);
    let edit = ui.add(edit);
    named(ui, &edit, "a sentence of your own");
    let mut ask = edit.changed();
    for example in EXAMPLES {
        if ui.link(RichText::new(example).small()).clicked() {
            state.sentence = example.into();
            ask = true;
        }
    }
    ui.add_space(8.0);
    match &state.answer {
        Some(answer) => {
            let run = state.run(answer.run);
            let title = run.map_or(String::new(), |run| format!("{} · ", run.title()));
            ui.label(weak(format!("{title}pale: before training; strong: after")));
            for (label, before, after) in &answer.shares {
                bars(ui, label, *before as f32, *after as f32);
            }
        }
        None => {
            ui.label(weak(
                "The trained model's answer will stand here, beside the untouched one's.",
            ));
        }
    }
    if ask {
        state.ask();
    }
}

/// The held-out rows that the run is most wrong about, found when they are unfolded.
pub(crate) fn mistakes(ui: &mut Ui, state: &mut State) {
    let header = CollapsingHeader::new("Where it is most wrong");
    header.show(ui, |ui| {
        state.find_mistakes();
        match &state.mistakes {
            Mistakes::None => {
                ui.label(weak(
                    "Train a run: the held-out rows that it gets most wrong will stand here.",
                ));
            }
            Mistakes::Asked { .. } => {
                ui.label(weak("Reading the held-out rows …"));
            }
            Mistakes::Known {
                run,
                rows,
                wrong,
                of,
            } => {
                let task = state.run(*run).map_or("", |run| run.task.as_str());
                let prefix = task::own_source(task, "", None);
                ui.label(weak(format!("{wrong} of {of} held-out rows are wrong.")));
                for row in rows {
                    ui.add_space(4.0);
                    let text = row.source.strip_prefix(&prefix).unwrap_or(&row.source);
                    ui.label(text);
                    let words = format!(
                        "{}, it says {}: {:.1} % for {}",
                        row.label,
                        row.answer,
                        100.0 * row.share,
                        row.label
                    );
                    ui.label(RichText::new(words).font(number(12.0)).weak());
                }
            }
        }
    });
}

/// What this is all about, folded.
pub(crate) fn about(ui: &mut Ui) {
    CollapsingHeader::new("What is a compacter?").show(ui, |ui| {
        ui.label(ABOUT);
        super::formula::show(ui);
        let paper = "Compacter: Efficient Low-Rank Hypercomplex Adapter Layers (2021)";
        ui.hyperlink_to(paper, "https://arxiv.org/abs/2106.04647");
    });
}

/// One label's two probabilities.
fn bars(ui: &mut Ui, label: &str, before: f32, after: f32) {
    ui.horizontal(|ui| {
        ui.label(label);
        ui.with_layout(
            eframe::egui::Layout::right_to_left(eframe::egui::Align::Center),
            |ui| {
                ui.label(RichText::new(format!("{:.0} %", 100.0 * after)).monospace());
            },
        );
    });
    let accent = ui.visuals().hyperlink_color;
    let (area, _) = ui.allocate_exact_size(vec2(ui.available_width(), 14.0), Sense::hover());
    let bar = |top: f32, height: f32, part: f32, colour| {
        let mut bar = area;
        (bar.min.y, bar.max.y) = (area.top() + top, area.top() + top + height);
        bar.max.x = area.left() + area.width() * part.clamp(0.0, 1.0);
        ui.painter().rect_filled(bar, 2.0, colour);
    };
    bar(0.0, 8.0, after, accent);
    bar(9.0, 4.0, before, accent.gamma_multiply(0.35));
}

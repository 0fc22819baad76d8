//! 3 Run: the one filled button, and how far it is.

use super::{duration, heading, share, thousands, weak};
use crate::state::{State, Trainer};
use crate::theme::number;
use compacter_core::train::Command;
use eframe::egui::{Button, ProgressBar, RichText, Ui, vec2};

/// Draws it; what the trainer is asked for.
pub(crate) fn show(ui: &mut Ui, state: &mut State) -> Option<Command> {
    heading(ui, "3  Run");
    let command = match state.running {
        None => start(ui, state),
        Some(_) => under_way(ui, state),
    };
    if let Some(error) = &state.error {
        let colour = ui.visuals().error_fg_color;
        ui.label(RichText::new(error).color(colour));
    }
    command
}

fn start(ui: &mut Ui, state: &mut State) -> Option<Command> {
    let accent = ui.visuals().hyperlink_color;
    let ready = state.can_train();
    let words = RichText::new("Train")
        .color(eframe::egui::Color32::WHITE)
        .variation("wght", 600.0);
    let button = Button::new(words)
        .fill(accent)
        .min_size(vec2(ui.available_width(), 40.0));
    let train = ui.add_enabled(ready, button).clicked();
    if let Ok(method) = state.method() {
        let count = thousands(method.trainable(&state.base));
        let part = share(method.percent(&state.base));
        let about = format!("{} · {count} numbers · {part} of the model", method.name);
        ui.label(weak(about));
    }
    if state.trainer == Trainer::Loading {
        ui.label(weak("The model is on its way (9 MB) …"));
    }
    let race = ui.add_enabled(ready, Button::new("Race all methods"));
    if race
        .on_hover_text("Every method on the same rows and seed, one after the other")
        .clicked()
    {
        return state.start_race();
    }
    if train { state.train() } else { None }
}

fn under_way(ui: &mut Ui, state: &mut State) -> Option<Command> {
    let run = state.runs.iter().find(|run| Some(run.id) == state.running);
    match run {
        None => {
            ui.label(weak("Setting up …"));
        }
        Some(run) => {
            let done = run.done() as f32 / run.steps.max(1) as f32;
            ui.add(ProgressBar::new(done).desired_height(8.0));
            let pace = run.rows as f64 / run.seconds.max(1e-9);
            let mut words = format!("{} / {} steps", run.done(), run.steps);
            if run.before.is_none() {
                words = "Scoring the untouched model …".into();
            } else if let Some(left) = run.left() {
                words += &format!(" · {pace:.0} rows/s · {} left", duration(left));
            }
            ui.label(RichText::new(words).font(number(12.0)));
        }
    }
    let now = ui.input(|input| input.time);
    let mut command = None;
    ui.horizontal(|ui| {
        let words = if state.paused { "Continue" } else { "Pause" };
        if ui.button(words).clicked() {
            command = Some(state.pause(now));
        }
        if ui.button("Stop").clicked() {
            command = Some(state.stop());
        }
        if !state.race.is_empty() {
            ui.label(weak(format!("then {}", state.race.join(", "))));
        }
    });
    command
}

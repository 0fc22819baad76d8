//! 3 Run: the one filled button, and how far it is.

use super::{duration, heading, memory, share, thousands, weak};
use crate::state::{Base, Device, Run, State, Trainer};
use crate::theme::number;
use compacter_core::t5::Storage;
use eframe::egui::{Button, ProgressBar, RichText, Ui, vec2};

/// Draws it.
pub(crate) fn show(ui: &mut Ui, state: &mut State) {
    heading(ui, "3  Run");
    if let Trainer::Gone { .. } = state.trainer {
        gone(ui, state);
    } else if state.running.is_none() {
        start(ui, state);
    } else {
        under_way(ui, state);
    }
    if let Some(error) = &state.error {
        let colour = ui.visuals().error_fg_color;
        ui.label(RichText::new(error).color(colour));
    } else if let Some(notice) = &state.notice {
        ui.label(weak(notice));
    }
}

/// The trainer has ended: what was saved, and the ways to go on.
fn gone(ui: &mut Ui, state: &mut State) {
    let words = match state.running.and_then(|id| state.run(id)) {
        Some(run) => format!(
            "The trainer has ended at step {} of {}. What it had saved is kept.",
            run.done(),
            run.steps
        ),
        None => "The trainer has ended. Your runs are kept.".into(),
    };
    ui.label(words);
    if state.start.base != Base::Bundled && ui.button("Back to the bundled model").clicked() {
        state.take_base(Base::Bundled, Storage::F32);
    }
    ui.horizontal_wrapped(|ui| {
        for (words, device) in [
            ("Continue on the GPU", Device::Gpu),
            ("Continue on the CPU", Device::Cpu),
        ] {
            if ui.button(words).clicked() {
                state.take_device(device);
            }
        }
        if state.running.is_some() && ui.button("Give the run up").clicked() {
            state.stop();
        }
    });
}

fn start(ui: &mut Ui, state: &mut State) {
    let accent = ui.visuals().hyperlink_color;
    let ready = state.can_train();
    let words = RichText::new("Train")
        .color(eframe::egui::Color32::WHITE)
        .variation("wght", 600.0);
    let button = Button::new(words).fill(accent);
    let size = vec2(ui.available_width(), 40.0);
    let train = ui
        .add_enabled_ui(ready, |ui| ui.add_sized(size, button).clicked())
        .inner;
    let size = &state.sizes.chosen;
    if let Ok(method) = &size.method {
        let count = thousands(size.trainable);
        let part = share(size.percent);
        let about = format!("{} · {count} numbers · {part} of the model", method.name);
        ui.label(weak(about));
    }
    if state.trainer == Trainer::Loading {
        loading(ui, state);
    }
    if train {
        state.train();
    }
    let race = ui.add_enabled(ready, Button::new("Race all methods"));
    let race = race.on_hover_text("Every method on the same rows and seed, one after the other");
    if race.clicked() {
        state.start_race();
    }
}

/// How far the base has come.
fn loading(ui: &mut Ui, state: &mut State) {
    let progress = &state.progress;
    let name = state.start.name();
    if progress.total == 0 {
        ui.label(weak(format!("{name} is on its way …")));
    } else {
        let part = progress.done as f32 / progress.total as f32;
        ui.add(ProgressBar::new(part.min(1.0)).desired_height(8.0));
        let (done, total) = (memory(progress.done), memory(progress.total));
        ui.label(weak(format!(
            "{name}: {done} of {total} · {}",
            progress.words
        )));
    }
    if state.start.base != Base::Bundled && ui.button("Cancel").clicked() {
        state.take_base(Base::Bundled, Storage::F32);
    }
}

fn under_way(ui: &mut Ui, state: &mut State) {
    let run = state.running.and_then(|id| state.run(id));
    match run {
        None => {
            ui.label(weak("Setting up …"));
        }
        Some(run) => {
            let done = run.done() as f32 / run.steps.max(1) as f32;
            ui.add(ProgressBar::new(done).desired_height(8.0));
            let mut words = format!("{} / {} steps", run.done(), run.steps);
            if run.before.is_none() {
                words = "Scoring the untouched model …".into();
            } else if let Some(left) = run.left() {
                words += &format!(" · {} left", duration(left));
            }
            ui.label(RichText::new(words).font(number(12.0)));
            ui.label(weak(cost(run)));
        }
    }
    let now = ui.input(|input| input.time);
    ui.horizontal(|ui| {
        let words = if state.paused { "Continue" } else { "Pause" };
        if ui.button(words).clicked() {
            state.pause(now);
        }
        if ui.button("Stop").clicked() {
            state.stop();
        }
        if !state.race.is_empty() {
            ui.label(weak(format!("then {}", state.race.join(", "))));
        }
    });
}

/// Device, pace, memory and, on a GPU, kernels a step.
fn cost(run: &Run) -> String {
    let mut words = format!("on {}", run.device);
    if run.rows > 0 {
        words += &format!(" · {:.0} rows/s", run.rows as f64 / run.seconds.max(1e-9));
    }
    if let Some(bytes) = run.bytes {
        words += &format!(" · {} held", memory(bytes));
    }
    if run.launches > 0 {
        words += &format!(" · {} dispatches a step", run.launches);
    }
    words
}

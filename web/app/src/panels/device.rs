//! The device: why this one, and whether it computes what the CPU computes.

use super::weak;
use crate::state::{Checks, State, Trainer};
use eframe::egui::{Button, CollapsingHeader, RichText, Ui};

/// Draws it, folded: most people never doubt their driver.
pub(crate) fn show(ui: &mut Ui, state: &mut State) {
    CollapsingHeader::new("The device").show(ui, |ui| {
        let free = match &state.trainer {
            Trainer::Ready { device, reason } => {
                ui.label(weak(format!("{device}: {reason}.")));
                state.running.is_none() && state.checks != Checks::Asked
            }
            Trainer::Loading => {
                ui.label(weak("The trainer is on its way."));
                false
            }
            Trainer::Gone { message } => {
                ui.label(weak(message));
                false
            }
        };
        let button = ui.add_enabled(free, Button::new("Check its arithmetic"));
        let why = "Runs every kernel on it and on the CPU, and compares: a few seconds";
        if button.on_hover_text(why).clicked() {
            state.check();
        }
        results(ui, &state.checks);
    });
    ui.add_space(8.0);
}

fn results(ui: &mut Ui, checks: &Checks) {
    let kernels = match checks {
        Checks::None => return,
        Checks::Asked => {
            ui.label(weak("Checking …"));
            return;
        }
        Checks::Done(kernels) => kernels,
    };
    let wrong: Vec<_> = kernels.iter().filter(|one| !one.is_right()).collect();
    if wrong.is_empty() {
        let worst = kernels
            .iter()
            .fold(0.0, |most: f64, one| most.max(one.worst));
        ui.label(weak(format!(
            "All {} results are the CPU's; the largest difference is {worst:.0e} of the largest value.",
            kernels.len()
        )));
        return;
    }
    let colour = ui.visuals().error_fg_color;
    let words = "This device computes something else than the CPU. Train on the CPU, or bring the driver up to date.";
    ui.label(RichText::new(words).color(colour));
    for one in wrong {
        ui.label(weak(format!("{}: off by {:.0e}", one.kernel, one.worst)));
    }
}

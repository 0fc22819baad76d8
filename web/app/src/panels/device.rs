//! The device: why this one, whether it computes what the CPU computes, and how fast.

use super::weak;
use crate::state::{Checks, State, Trainer};
use compacter_core::check::{Advice, Verdict};
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
        let button = ui.add_enabled(free, Button::new("Check it"));
        let why = "Runs every kernel and a training step on it and on the CPU, compares, and measures both: \
                   a few seconds";
        if button.on_hover_text(why).clicked() {
            state.check();
        }
        results(ui, &state.checks);
    });
    ui.add_space(8.0);
}

fn results(ui: &mut Ui, checks: &Checks) {
    let health = match checks {
        Checks::None => return,
        Checks::Asked => {
            ui.label(weak("Checking …"));
            return;
        }
        Checks::Done(health) => health,
    };
    for Advice { verdict, words } in health.advice() {
        let words = format!("{}: {words}.", verdict.name());
        let colour = match verdict {
            Verdict::Good => ui.visuals().weak_text_color(),
            Verdict::Slow => ui.visuals().warn_fg_color,
            Verdict::Wrong => ui.visuals().error_fg_color,
        };
        ui.label(RichText::new(words).small().color(colour));
    }
    for one in health.wrong() {
        ui.label(weak(format!("{}: off by {:.0e}", one.kernel, one.worst)));
    }
}

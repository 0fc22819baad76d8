//! The top bar: what this is, the model, the device and why, light or dark.

use super::{named, thousands, weak};
use crate::state::{Device, State, Trainer};
use crate::theme;
use eframe::egui::{Align, ComboBox, Layout, RichText, Ui};

/// Draws it; `drawer` is there where the settings fold away.
pub(crate) fn show(ui: &mut Ui, state: &mut State, drawer: Option<&mut bool>) {
    ui.horizontal_centered(|ui| {
        if let Some(open) = drawer {
            let words = if *open { "Hide settings" } else { "Settings" };
            if ui.button(words).clicked() {
                *open = !*open;
            }
        }
        ui.label(
            RichText::new("Compacter")
                .heading()
                .variation("wght", 700.0),
        );
        let room = ui.available_width();
        if room > 420.0 {
            let size = thousands(state.sizes.parameters);
            ui.label(weak(format!("{}, {size} numbers", state.start.name())));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            theme::switch(ui);
            device_choice(ui, state);
            if room > 520.0 {
                let (device, why) = device(&state.trainer);
                ui.label(weak(device)).on_hover_text(why);
            }
        });
    });
}

/// Where to compute: a run under way moves along, from its last checkpoint.
fn device_choice(ui: &mut Ui, state: &mut State) {
    let words = |device| match device {
        Device::Auto => "Auto",
        Device::Gpu => "GPU",
        Device::Cpu => "CPU",
    };
    let mut chosen = state.start.device;
    let choice = ComboBox::from_id_salt("device")
        .width(64.0)
        .selected_text(words(chosen))
        .show_ui(ui, |ui| {
            for device in Device::ALL {
                ui.selectable_value(&mut chosen, device, words(device));
            }
        })
        .response
        .on_hover_text("Where to train. Auto takes a real graphics device, else the CPU.");
    named(ui, &choice, "device");
    if chosen != state.start.device {
        state.take_device(chosen);
    }
}

fn device(trainer: &Trainer) -> (String, String) {
    match trainer {
        Trainer::Loading => (
            "loading the model …".into(),
            "it is read once and kept".into(),
        ),
        Trainer::Ready { device, reason } => (format!("trains on {device}"), reason.clone()),
        Trainer::Gone { message } => ("no trainer".into(), message.clone()),
    }
}

//! The runs as a table.

use super::{duration, heading, share, thousands, weak};
use crate::colours;
use crate::state::State;
use crate::theme::number;
use eframe::egui::{Grid, RichText, Ui};

/// Draws it; a run can be taken out when none is under way.
pub(crate) fn show(ui: &mut Ui, state: &mut State) {
    heading(ui, "Runs");
    if state.runs.is_empty() {
        ui.label(weak(
            "Each run becomes a line here. Press Train to make the first.",
        ));
        return;
    }
    let mut gone = None;
    Grid::new("runs")
        .striped(true)
        .spacing([16.0, 6.0])
        .show(ui, |ui| {
            for title in [
                "run", "method", "data", "trained", "share", "before", "after", "time", "",
            ] {
                ui.label(weak(title));
            }
            ui.end_row();
            for run in state.runs.iter().rev() {
                let cell = |words: String| RichText::new(words).font(number(13.0));
                let points =
                    |score: Option<f64>| score.map_or("–".into(), |score| format!("{score:.1}"));
                ui.label(cell(run.id.to_string()));
                ui.label(
                    RichText::new(&run.method).color(colours::method(&run.method, ui.visuals())),
                );
                ui.label(&run.task);
                ui.label(cell(thousands(run.trainable)));
                ui.label(cell(share(run.percent)));
                ui.label(cell(points(run.before)));
                ui.label(cell(points(run.after)));
                ui.label(cell(duration(run.seconds)));
                let done = state.running.is_none();
                if done
                    && ui
                        .small_button("×")
                        .on_hover_text("Delete this run")
                        .clicked()
                {
                    gone = Some(run.id);
                }
                ui.end_row();
            }
        });
    if let Some(id) = gone {
        state.runs.retain(|run| run.id != id);
    }
}

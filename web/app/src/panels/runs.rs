//! The runs as a table, two of them side by side, and what can be done with them.

use super::{duration, heading, memory, named, share, thousands, weak};
use crate::colours;
use crate::state::{Column, Order, Run, State};
use crate::theme::number;
use eframe::egui::{Button, Grid, RichText, ScrollArea, TextEdit, Ui, vec2};

/// What a person asks of a run.
enum Wish {
    Open,
    Save,
    Share,
    Pin,
    Delete,
}

/// Draws it.
pub(crate) fn show(ui: &mut Ui, state: &mut State) {
    ui.horizontal(|ui| {
        heading(ui, "Runs");
        ui.spacing_mut().button_padding = vec2(8.0, 2.0);
        let some = !state.runs.is_empty();
        if ui.add_enabled(some, Button::new("Export")).clicked() {
            state.export_runs();
        }
        let import = ui.button("Import");
        let import = import.on_hover_text("A file of runs, or an adapter");
        if import.clicked() {
            state.pick();
        }
    });
    if state.runs.is_empty() {
        ui.label(weak(
            "Each run becomes a line here. Press Train to make the first.",
        ));
        return;
    }
    ScrollArea::horizontal()
        .id_salt("runs")
        .show(ui, |ui| table(ui, state));
    compare(ui, state);
}

fn table(ui: &mut Ui, state: &mut State) {
    let mut wish = None;
    let grid = Grid::new("runs").striped(true).spacing([12.0, 6.0]);
    grid.show(ui, |ui| {
        titles(ui, state);
        for id in state.sorted() {
            let spread = state.run(id).and_then(|run| state.spread(run));
            let (running, adapter) = (state.running, state.adapters.contains_key(&id));
            let Some(run) = state.runs.iter_mut().find(|run| run.id == id) else {
                continue;
            };
            cells(ui, run, spread);
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 2.0;
                ui.spacing_mut().button_padding.x = 6.0;
                let asked = buttons(ui, run, adapter, running == Some(run.id));
                wish = asked.map(|asked| (run.id, asked)).or(wish.take());
            });
            ui.end_row();
        }
    });
    match wish {
        Some((id, Wish::Open)) => state.open(id),
        Some((id, Wish::Save)) => state.save_adapter(id),
        Some((id, Wish::Share)) => state.share(id),
        Some((id, Wish::Pin)) => state.pin(id),
        Some((id, Wish::Delete)) => state.delete(id),
        None => {}
    }
}

/// The head of the table: a click sorts by that column, a second one the other way round.
fn titles(ui: &mut Ui, state: &mut State) {
    const TITLES: [(&str, Option<Column>); 11] = [
        ("run", Some(Column::Run)),
        ("name", None),
        ("method", Some(Column::Method)),
        ("data", Some(Column::Data)),
        ("trained", Some(Column::Trained)),
        ("share", None),
        ("before", Some(Column::Before)),
        ("after", Some(Column::After)),
        ("time", Some(Column::Time)),
        ("memory", Some(Column::Memory)),
        ("", None),
    ];
    for (title, column) in TITLES {
        let Some(column) = column else {
            ui.label(weak(title));
            continue;
        };
        let mark = match state.order {
            Order { by, falling } if by == column => [" ↑", " ↓"][usize::from(falling)],
            _ => "",
        };
        let button = Button::new(weak(format!("{title}{mark}"))).frame(false);
        let button = ui.add(button).on_hover_text(format!("Sort by {title}"));
        if button.clicked() {
            state.sort_by(column);
        }
    }
    ui.end_row();
}

/// One run's figures; `spread` is mean, deviation and count over the seeds of its setting.
fn cells(ui: &mut Ui, run: &mut Run, spread: Option<(f64, f64, usize)>) {
    let cell = |words: String| RichText::new(words).font(number(13.0));
    let points = |score: Option<f64>| score.map_or("–".into(), |score| format!("{score:.1}"));
    ui.label(cell(run.id.to_string()));
    let hint = if run.shared {
        "from elsewhere"
    } else {
        "name it"
    };
    let name = TextEdit::singleline(&mut run.name).hint_text(hint);
    let field = ui.add_sized([80.0, 20.0], name.margin(vec2(4.0, 2.0)).char_limit(40));
    named(ui, &field, &format!("name of run {}", run.id));
    let colour = colours::method(&run.method, ui.visuals());
    ui.label(RichText::new(&run.method).color(colour));
    ui.label(&run.task);
    ui.label(cell(thousands(run.trainable)));
    ui.label(cell(share(run.percent)));
    ui.label(cell(points(run.before)));
    let after = ui.horizontal(|ui| {
        ui.label(cell(points(run.after)));
        if let Some((mean, deviation, count)) = spread {
            let words = format!("{mean:.1} ± {deviation:.1} over {count} seeds");
            ui.label(weak(format!("± {deviation:.1}")))
                .on_hover_text(words);
        }
    });
    after.response.on_hover_text("Score on the test rows, %");
    ui.label(cell(duration(run.seconds)));
    ui.label(cell(run.bytes.map_or("–".into(), memory)));
}

fn buttons(ui: &mut Ui, run: &Run, adapter: bool, running: bool) -> Option<Wish> {
    let mut wish = None;
    let mut button = |words: &str, hint: &str, can: bool, asked: Wish| {
        let button = Button::new(RichText::new(words).small()).small();
        let clicked = ui.add_enabled(can, button).on_hover_text(hint).clicked();
        if clicked {
            wish = Some(asked);
        }
    };
    let pin = if run.pinned { "Unpin" } else { "Pin" };
    button(pin, "Two pinned runs are compared", true, Wish::Pin);
    button(
        "Ask",
        "Load its adapter and try a sentence",
        adapter,
        Wish::Open,
    );
    button("Save", "Its adapter as a file", adapter, Wish::Save);
    button("Share", "Its adapter as a link", adapter, Wish::Share);
    button("Delete", "The run and its adapter", !running, Wish::Delete);
    wish
}

/// Two pinned runs side by side.
fn compare(ui: &mut Ui, state: &State) {
    let [left, right] = state.pinned()[..] else {
        return;
    };
    ui.add_space(8.0);
    heading(ui, "Side by side");
    let points = |score: Option<f64>| score.map_or("–".into(), |score| format!("{score:.1} %"));
    let gain = |run: &Run| Some(run.after? - run.before?);
    type Row = (&'static str, fn(&Run) -> String);
    let plain: [Row; 9] = [
        ("model", |run| run.model.clone()),
        ("data", |run| {
            format!("{}, {} rows", run.task, run.train_rows)
        }),
        ("numbers trained", |run| thousands(run.trainable)),
        ("share of the model", |run| share(run.percent)),
        ("learning rate", |run| format!("{:.0e}", run.lr)),
        ("steps × rows", |run| {
            format!("{} × {}", run.steps, run.batch)
        }),
        ("seed", |run| run.seed.to_string()),
        ("time", |run| duration(run.seconds)),
        ("memory", |run| run.bytes.map_or("–".into(), memory)),
    ];
    Grid::new("pinned")
        .striped(true)
        .spacing([24.0, 4.0])
        .show(ui, |ui| {
            ui.label("");
            for run in [left, right] {
                let colour = colours::method(&run.method, ui.visuals());
                ui.label(RichText::new(run.title()).color(colour));
            }
            ui.end_row();
            let mut row = |title: &str, cells: [String; 2]| {
                ui.label(weak(title));
                for cell in cells {
                    ui.label(RichText::new(cell).font(number(13.0)));
                }
                ui.end_row();
            };
            row("score before", [left, right].map(|run| points(run.before)));
            row("score after", [left, right].map(|run| points(run.after)));
            row(
                "gain in points",
                [left, right]
                    .map(|run| gain(run).map_or("–".into(), |gain| format!("{gain:+.1}"))),
            );
            for (title, cell) in plain {
                row(title, [left, right].map(cell));
            }
        });
}

//! The hero: every dot is a method. Right is more numbers trained, up is better.

use super::{fixed_plot, memory, share, thousands, weak};
use crate::colours;
use crate::state::{Run, State};
use compacter_core::figure::{Label, place_names};
use compacter_core::paper::GLUE;
use eframe::egui::{Align2, Button, Color32, RichText, Sense, Stroke, Ui, Visuals, pos2, vec2};
use egui_plot::{
    AxisHints, GridInput, GridMark, HLine, HoverPosition, Line, LineStyle, MarkerShape, PlotPoint,
    PlotUi, Points, Text,
};

/// Draws it in `height` points.
pub(crate) fn show(ui: &mut Ui, state: &mut State, height: f32) {
    ui.horizontal_wrapped(|ui| {
        ui.label(
            RichText::new("Score against trained numbers")
                .heading()
                .variation("wght", 600.0),
        );
        ui.checkbox(&mut state.ghosts, weak("the paper's points (T5-base)"));
        keep(ui, state);
    });
    ui.label(weak(
        "Every dot is a method: right trains more numbers, up is better, big takes more memory. Click a dot to pin it.",
    ));
    let parameters = state.sizes.parameters as f64;
    let label =
        move |mark: GridMark, _: &std::ops::RangeInclusive<f64>| decade(mark.value, parameters);
    let plot = fixed_plot(ui, "hero")
        .height(height)
        .sense(Sense::click())
        .show_x(false)
        .show_y(false)
        .x_grid_spacer(move |input| {
            let mut marks = marks(&input, 1.0);
            marks.retain(|mark| mark.value <= parameters.log10());
            marks
        })
        .y_grid_spacer(|input| marks(&input, 10.0))
        .grid_spacing(8.0..=120.0)
        .custom_x_axes(vec![
            AxisHints::new_x()
                .formatter(label)
                .label_spacing(20.0..=36.0),
        ])
        .custom_y_axes(vec![
            AxisHints::new_y().formatter(|mark, _| format!("{:.0} %", mark.value)),
        ])
        .label_formatter(|hovered| match hovered {
            HoverPosition::NearDataPoint { plot_name, .. } => Some(plot_name.to_string()),
            HoverPosition::Elsewhere { .. } => None,
        })
        .default_x_bounds(LEAST, parameters.log10())
        .default_y_bounds(0.0, 104.0);
    // Full fine-tuning stands at the right end, with the largest dot of all.
    let decades = parameters.log10() - LEAST;
    let width = (ui.available_width() - 60.0).max(200.0);
    let scale = Scale::new(state, width);
    let room = decades * f64::from((scale.largest + 4.0) / width);
    let shown = plot.show(ui, |plot| {
        plot.set_plot_bounds_x(LEAST..=parameters.log10() + room);
        plot.set_plot_bounds_y(lowest(state)..=104.0);
        draw(plot, state, scale, parameters);
    });
    let clicked = shown.response.clicked();
    let at = shown.response.interact_pointer_pos().filter(|_| clicked);
    let hit = at.and_then(|at| {
        let distance = |run: &Run| {
            let [x, y] = place(run)?;
            let dot = shown.transform.position_from_point(&PlotPoint::new(x, y));
            Some((run.id, dot.distance(at) - scale.radius(run)))
        };
        let near = state.runs.iter().filter_map(distance);
        near.min_by(|a, b| a.1.total_cmp(&b.1))
    });
    if let Some((id, distance)) = hit
        && distance < REACH
    {
        state.pin(id);
    }
}

/// The plot as a picture, to be put into a paper or a talk.
fn keep(ui: &mut Ui, state: &mut State) {
    ui.spacing_mut().button_padding = vec2(8.0, 2.0);
    let dark = ui.visuals().dark_mode;
    let some = !state.runs.is_empty() || state.ghosts;
    let svg = ui.add_enabled(some, Button::new("SVG").small());
    if svg.on_hover_text("Save the plot as SVG").clicked() {
        state.save_figure(dark, false);
    }
    // A window has nothing that turns SVG into pixels; a browser is one.
    if cfg!(target_arch = "wasm32") {
        let png = ui.add_enabled(some, Button::new("PNG").small());
        if png.on_hover_text("Save the plot as PNG").clicked() {
            state.save_figure(dark, true);
        }
    }
}

/// Where the axis of trained numbers begins, as a power of ten.
const LEAST: f64 = 1.8;
/// Runs of which every name is written, room or no room.
const NAMED: usize = 5;
/// How far beside a dot a finger may land.
const REACH: f32 = 12.0;

/// Where a run's dot is: trained numbers (log) and score.
fn place(run: &Run) -> Option<[f64; 2]> {
    Some([(run.trainable.max(1) as f64).log10(), run.score()?])
}

/// The area of a dot is the memory that the run held.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// Radius of the largest dot; less in a narrow plot.
    largest: f32,
    /// Bytes that it stands for.
    most: f32,
}

impl Scale {
    fn new(state: &State, width: f32) -> Self {
        let most = state.runs.iter().filter_map(|run| run.bytes).max();
        Self {
            largest: (width / 45.0).clamp(9.0, 18.0),
            most: most.unwrap_or(1).max(1) as f32,
        }
    }

    fn radius(self, run: &Run) -> f32 {
        let share = run.bytes.map_or(0.25, |bytes| bytes as f32 / self.most);
        (self.largest * share.sqrt()).max(4.0)
    }
}

/// The lower end of the axis: chance is never far above it.
fn lowest(state: &State) -> f64 {
    let scores = state.runs.iter().flat_map(|run| [run.before, run.score()]);
    let least = scores.flatten().fold(60.0, f64::min);
    ((least - 12.0) / 10.0).floor().max(0.0) * 10.0
}

/// Grid lines at the multiples of `step`, within sight.
pub(super) fn marks(input: &GridInput, step: f64) -> Vec<GridMark> {
    let (from, to) = input.bounds;
    let multiples = (from / step).ceil() as i32..=(to / step).floor() as i32;
    let mark = |multiple: i32| GridMark {
        value: f64::from(multiple) * step,
        step_size: step,
    };
    multiples.map(mark).collect()
}

/// `10k` and, below it, what share of the model that is.
fn decade(exponent: f64, parameters: f64) -> String {
    let count = 10f64.powf(exponent);
    let short = match count {
        c if c >= 1e6 => format!("{:.0}M", c / 1e6),
        c if c >= 1e3 => format!("{:.0}k", c / 1e3),
        c => format!("{c:.0}"),
    };
    format!("{short}\n{}", share(100.0 * count / parameters))
}

fn draw(plot: &mut PlotUi<'_>, state: &State, scale: Scale, parameters: f64) {
    let visuals = plot.ctx().global_style().visuals.clone();
    let mut names = Vec::new();
    let majority = state.runs.iter().rev().find_map(|run| run.majority);
    if let Some(majority) = majority {
        let line = HLine::new("always the most frequent label", majority);
        let style = LineStyle::dotted_dense();
        plot.hline(
            line.color(visuals.weak_text_color())
                .style(style)
                .width(1.0),
        );
    }
    frontier(plot, state, visuals.weak_text_color());
    let many = state.runs.len() > NAMED;
    for run in &state.runs {
        let Some(at) = place(run) else { continue };
        let colour = colours::method(&run.method, &visuals);
        if run.pinned {
            let words = String::new();
            let ring = dot(
                words,
                at,
                scale.radius(run) + 4.0,
                colour.gamma_multiply(0.4),
            );
            plot.points(ring.allow_hover(false));
        }
        plot.points(dot(describe(run), at, scale.radius(run), colour));
        let words = if run.name.is_empty() {
            &run.method
        } else {
            &run.name
        };
        names.push((
            words.as_str(),
            at,
            scale.radius(run),
            colour,
            many && !run.pinned,
        ));
    }
    if state.ghosts {
        ghosts(plot, parameters, &visuals, &mut names);
    }
    write_names(plot, &names);
}

/// A name, its dot, its radius and colour, and whether it may be left out.
type Name<'a> = (&'a str, [f64; 2], f32, Color32, bool);

/// The paper's points, pale.
fn ghosts<'a>(
    plot: &mut PlotUi<'_>,
    parameters: f64,
    visuals: &Visuals,
    names: &mut Vec<Name<'a>>,
) {
    for ghost in GLUE.rows {
        let at = [(ghost.percent / 100.0 * parameters).log10(), ghost.average];
        let colour = colours::method(ghost.method, visuals).gamma_multiply(0.3);
        let words = format!(
            "{}, in the paper\n{} of T5-base, GLUE average {:.1} %",
            ghost.method,
            share(ghost.percent),
            ghost.average
        );
        plot.points(dot(words, at, GHOST, colour));
        names.push((ghost.method, at, GHOST, visuals.weak_text_color(), true));
    }
}

/// Radius of the paper's points.
const GHOST: f32 = 6.0;

/// Names stand beside their dots wherever there is room.
fn write_names(plot: &mut PlotUi<'_>, names: &[Name<'_>]) {
    let label = |&(words, [x, y], radius, _, optional): &Name<'_>| {
        let at = plot.screen_from_plot(PlotPoint::new(x, y));
        Label {
            at: [at.x, at.y],
            radius,
            // 12 points of this font are about 6.4 wide.
            size: [words.chars().count() as f32 * 6.4, 14.0],
            optional,
        }
    };
    let labels: Vec<Label> = names.iter().map(label).collect();
    let frame = plot.transform().frame();
    let places = place_names(&labels, [frame.left() + 4.0, frame.right() - 4.0]);
    for ((words, _, _, colour, _), corner) in names.iter().zip(places) {
        let Some([x, y]) = corner else { continue };
        let at = plot.plot_from_screen(pos2(x, y));
        let name = RichText::new(*words).small().color(*colour);
        let text = Text::new("", at, name).anchor(Align2::LEFT_TOP);
        plot.text(text.allow_hover(false));
    }
}

fn dot(words: String, at: [f64; 2], radius: f32, colour: Color32) -> Points<'static> {
    Points::new(words, vec![at])
        .shape(MarkerShape::Circle)
        .radius(radius)
        .filled(true)
        .color(colour)
}

/// What hovering a dot says.
fn describe(run: &Run) -> String {
    let score = run.score().unwrap_or(f64::NAN);
    let state = match run.after {
        Some(_) => format!("{score:.1} % on held-out rows"),
        None => format!("{score:.1} % after {} of {} steps", run.done(), run.steps),
    };
    let count = thousands(run.trainable);
    format!(
        "{} on {}\n{count} numbers, {}\n{state}{}",
        run.title(),
        run.task,
        share(run.percent),
        run.bytes.map_or(String::new(), |bytes| format!(
            "\n{} of memory",
            memory(bytes)
        ))
    )
}

/// Through the runs that none beats with fewer numbers.
fn frontier(plot: &mut PlotUi<'_>, state: &State, colour: Color32) {
    let mut done: Vec<[f64; 2]> = state
        .runs
        .iter()
        .filter_map(|run| Some([(run.trainable as f64).log10(), run.after?]))
        .collect();
    done.sort_by(|a, b| a[0].total_cmp(&b[0]).then(b[1].total_cmp(&a[1])));
    let mut best = f64::NEG_INFINITY;
    done.retain(|[_, score]| {
        let better = *score > best;
        best = best.max(*score);
        better
    });
    if done.len() > 1 {
        let line = Line::new("frontier", done).stroke(Stroke::new(1.0, colour));
        plot.line(line.allow_hover(false));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn decades_are_short_and_have_their_share() {
        assert_eq!(super::decade(4.0, 1e6), "10k\n1.0 %");
        assert_eq!(super::decade(6.0, 4e6), "1M\n25 %");
        assert_eq!(super::decade(2.0, 1e6), "100\n0.010 %");
    }
}

//! Loss and score while training, several runs in their colours.

use super::{fixed_plot, plot::marks, weak};
use crate::colours;
use crate::state::{Run, State};
use eframe::egui::{Sense, Ui};
use egui_plot::{AxisHints, GridMark, Line, MarkerShape, Plot, PlotUi, Points};

/// Steps that the strong line averages over.
const SMOOTH: f64 = 20.0;
/// Points of a line that are drawn: a plot has hardly more columns than that.
const POINTS: usize = 200;
/// Pixels between grid lines at the least; between those with a number, `APART` times as many.
const LEAST: f64 = 12.0;
const APART: f64 = 2.0;

/// Draws both, side by side.
pub(crate) fn show(ui: &mut Ui, state: &State) {
    if state.runs.is_empty() {
        ui.label(weak(
            "Loss and score will be drawn here while a method trains.",
        ));
        return;
    }
    let longest = state.runs.iter().map(|run| run.steps).max();
    let longest = longest.unwrap_or_default() as f64;
    ui.columns(2, |columns| {
        let [left, right] = columns else { return };
        left.label(weak("loss per label token"));
        plot(left, "loss", longest).show(left, |plot| {
            for run in &state.runs {
                losses(plot, run);
            }
        });
        right.label(weak("score on validation rows, %"));
        plot(right, "score", longest)
            .include_y(50.0)
            .show(right, |plot| {
                for run in &state.runs {
                    scores(plot, run);
                }
            });
    });
}

/// A small plot over the steps of the longest run; its height follows what has come so far.
fn plot(ui: &Ui, name: &str, longest: f64) -> Plot<'static> {
    fixed_plot(ui, name)
        .height(150.0)
        .sense(Sense::hover())
        .custom_x_axes(vec![AxisHints::new_x().label_spacing(24.0..=60.0)])
        .custom_y_axes(vec![
            AxisHints::new_y()
                .formatter(|mark, _| height_of(mark))
                .label_spacing(10.0..=14.0)
                .min_thickness(34.0),
        ])
        // Powers of ten alone may be too close for words, or too far apart for two of them.
        .y_grid_spacer(|input| marks(&input, round_step(APART * input.base_step_size)))
        .grid_spacing(LEAST as f32..=60.0)
        .include_x(0.0)
        .include_x(longest)
        .show_x(false)
}

/// The smallest step that people count in (1, 2 or 5 times a power of ten) not below `least`.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powi(least.log10().floor() as i32);
    let steps = [1.0, 2.0, 5.0].map(|factor| factor * power);
    let first = steps.into_iter().find(|step| *step >= least);
    first.unwrap_or(10.0 * power)
}

/// A grid line's number, with the decimals that its step has.
fn height_of(mark: GridMark) -> String {
    let decimals = (-mark.step_size.log10()).ceil().max(0.0) as usize;
    format!("{:.decimals$}", mark.value)
}

fn losses(plot: &mut PlotUi<'_>, run: &Run) {
    let colour = colours::method(&run.method, &plot.ctx().global_style().visuals);
    let pale = colour.gamma_multiply(0.25);
    plot.line(
        Line::new("", thin(&run.losses))
            .color(pale)
            .width(1.0)
            .allow_hover(false),
    );
    let name = run.title();
    plot.line(
        Line::new(name, thin(&smooth(&run.losses)))
            .color(colour)
            .width(2.0),
    );
}

fn scores(plot: &mut PlotUi<'_>, run: &Run) {
    let colour = colours::method(&run.method, &plot.ctx().global_style().visuals);
    let name = run.title();
    plot.line(
        Line::new(&name, run.scores.clone())
            .color(colour)
            .width(1.5)
            .allow_hover(false),
    );
    let dots = Points::new(name, run.scores.clone()).shape(MarkerShape::Circle);
    plot.points(dots.radius(3.0).color(colour));
}

/// So many points that a line loses nothing that could be seen; the last one is always there.
fn thin(values: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let every = values.len().div_ceil(POINTS).max(1);
    let mut kept: Vec<[f64; 2]> = values.iter().rev().step_by(every).copied().collect();
    kept.reverse();
    kept
}

/// An exponential mean that starts without a bias.
fn smooth(values: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let keep = 1.0 - 1.0 / SMOOTH;
    let (mut sum, mut weight) = (0.0, 0.0);
    let next = |&[step, value]: &[f64; 2]| {
        sum = keep * sum + value;
        weight = keep * weight + 1.0;
        [step, sum / weight]
    };
    values.iter().map(next).collect()
}

#[cfg(test)]
mod tests {
    use egui_plot::GridMark;

    #[test]
    fn a_long_line_is_thinned_and_keeps_its_end() {
        let line: Vec<[f64; 2]> = (0..1001).map(|step| [f64::from(step), 0.0]).collect();
        let thin = super::thin(&line);
        assert!(thin.len() <= super::POINTS && thin.len() > super::POINTS / 2);
        assert_eq!(thin.last(), line.last());
        assert_eq!(super::thin(&line[..10]), line[..10]);
    }

    #[test]
    fn grid_lines_have_round_numbers() {
        let shown = |least: f64| {
            let step_size = super::round_step(least);
            let value = 3.0 * step_size;
            super::height_of(GridMark { value, step_size })
        };
        let cases = [
            (0.9, "3"),
            (1.4, "6"),
            (1.0, "3"),
            (0.3, "1.5"),
            (0.11, "0.6"),
        ];
        for (least, expected) in cases.into_iter().chain([(6.0, "30"), (0.03, "0.15")]) {
            assert_eq!(shown(least), expected, "at least {least}");
        }
    }

    #[test]
    fn smoothing_keeps_a_constant_and_starts_at_the_first_value() {
        let flat = super::smooth(&[[1.0, 2.0], [2.0, 2.0]]);
        assert!((flat[1][1] - 2.0).abs() < 1e-12);
        let rising = super::smooth(&[[1.0, 1.0], [2.0, 3.0]]);
        assert!(rising[0][1] == 1.0 && rising[1][1] > 1.0 && rising[1][1] < 3.0);
    }
}

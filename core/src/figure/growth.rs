//! How cost grows: measured points and the line that counting gives, both axes by powers.

use super::picture::{Anchor, Picture, Shape};
use super::{INKS, method_colour};

/// A cost at one size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// The size.
    pub at: f64,
    /// What was measured.
    pub measured: f64,
    /// What counting gives.
    pub theory: f64,
}

/// One method's costs, from small to large.
#[derive(Debug, Clone, PartialEq)]
pub struct Grown {
    /// Method, for its name and colour.
    pub method: String,
    /// Its costs.
    pub costs: Vec<Cost>,
}

/// One panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What stands above it: the cost and its unit.
    pub title: String,
    /// What stands below it: the size.
    pub across: String,
    /// One a method.
    pub lines: Vec<Grown>,
}

/// The figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Growth {
    /// Panels, of which `columns` stand side by side.
    pub charts: Vec<Chart>,
    /// Panels of a row.
    pub columns: usize,
}

const CELL: [f64; 2] = [230.0, 210.0];
/// Left, top, right and bottom of the plot within its cell.
const AREA: [f64; 4] = [52.0, 32.0, 216.0, 158.0];
const LEGEND: f64 = 34.0;

impl Growth {
    /// The figure as SVG.
    pub fn svg(&self, dark: bool) -> String {
        self.picture(dark).svg()
    }

    /// The figure as shapes; what is no number above 0 is left out.
    pub fn picture(&self, dark: bool) -> Picture {
        let columns = self.charts.len().clamp(1, self.columns.max(1));
        let rows = self.charts.len().div_ceil(columns).max(1);
        let [width, height] = [columns as f64 * CELL[0], rows as f64 * CELL[1]];
        let [ground, ink, ..] = INKS[usize::from(dark)];
        let mut picture = Picture::new([width + 12.0, height + LEGEND], ground);
        for (place, chart) in self.charts.iter().enumerate() {
            let corner = [
                (place % columns) as f64 * CELL[0],
                (place / columns) as f64 * CELL[1],
            ];
            if let Some(frame) = Frame::new(chart, corner) {
                frame.draw(&mut picture, chart, dark);
            }
        }
        let mut x = 16.0;
        let y = height + 14.0;
        let mut said: Vec<&str> = Vec::new();
        for line in self.charts.iter().flat_map(|chart| &chart.lines) {
            if said.contains(&line.method.as_str()) {
                continue;
            }
            said.push(&line.method);
            let colour = method_colour(&line.method, dark);
            picture
                .shapes
                .push(Shape::dot([x, y], colour, line.method.clone()));
            picture.text([x + 8.0, y + 4.0], Anchor::Start, ink, &line.method);
            x += 32.0 + 6.6 * line.method.chars().count() as f64;
        }
        picture
            .shapes
            .push(counted(vec![[x, y], [x + 26.0, y]], ink));
        picture.text([x + 32.0, y + 4.0], Anchor::Start, ink, "by counting");
        picture
    }
}

/// Where the numbers of one panel are drawn: the logarithms at the ends of both axes.
struct Frame {
    corner: [f64; 2],
    across: [f64; 2],
    up: [f64; 2],
}

/// The costs that can stand on such axes.
fn known(line: &Grown) -> impl Iterator<Item = &Cost> {
    let positive = |value: f64| value.is_finite() && value > 0.0;
    line.costs
        .iter()
        .filter(move |c| [c.at, c.measured, c.theory].into_iter().all(positive))
}

impl Frame {
    /// `None` for a chart without numbers.
    fn new(chart: &Chart, corner: [f64; 2]) -> Option<Self> {
        let ends = |values: Vec<f64>| {
            let logs = values.into_iter().map(f64::log10);
            let [low, high] = logs.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], log| {
                [low.min(log), high.max(log)]
            });
            let room = 0.06 * (high - low).max(0.5);
            (low <= high).then_some([low - room, high + room])
        };
        let costs = || chart.lines.iter().flat_map(known);
        Some(Self {
            corner,
            across: ends(costs().map(|cost| cost.at).collect())?,
            up: ends(
                costs()
                    .flat_map(|cost| [cost.measured, cost.theory])
                    .collect(),
            )?,
        })
    }

    fn area(&self) -> [f64; 4] {
        let [x, y] = self.corner;
        [AREA[0] + x, AREA[1] + y, AREA[2] + x, AREA[3] + y]
    }

    fn place(&self, at: f64, cost: f64) -> [f64; 2] {
        let [left, top, right, bottom] = self.area();
        let share = |value: f64, [low, high]: [f64; 2]| (value.log10() - low) / (high - low);
        [
            left + share(at, self.across) * (right - left),
            bottom - share(cost, self.up) * (bottom - top),
        ]
    }

    fn draw(&self, picture: &mut Picture, chart: &Chart, dark: bool) {
        let [_, ink, dim, line] = INKS[usize::from(dark)];
        let [left, top, right, bottom] = self.area();
        let middle = (left + right) / 2.0;
        picture.text([middle, top - 12.0], Anchor::Middle, ink, &chart.title);
        picture.text([middle, bottom + 36.0], Anchor::Middle, dim, &chart.across);
        for cost in round(self.up) {
            let [_, y] = self.place(1.0, cost);
            picture.line(&[[left, y], [right, y]], line);
            picture.text([left - 6.0, y + 4.0], Anchor::End, ink, &cost.to_string());
        }
        let mut ticks: Vec<f64> = chart.lines.iter().flat_map(known).map(|c| c.at).collect();
        ticks.sort_by(f64::total_cmp);
        ticks.dedup();
        for at in ticks {
            let [x, _] = self.place(at, 1.0);
            picture.line(&[[x, top], [x, bottom]], line);
            picture.text([x, bottom + 18.0], Anchor::Middle, ink, &short(at));
        }
        for grown in &chart.lines {
            let colour = method_colour(&grown.method, dark);
            let theory = known(grown).map(|cost| self.place(cost.at, cost.theory));
            picture.shapes.push(counted(theory.collect(), colour));
            for cost in known(grown) {
                let title = format!("{}, {}: {}", grown.method, short(cost.at), cost.measured);
                let at = self.place(cost.at, cost.measured);
                picture.shapes.push(Shape::dot(at, colour, title));
            }
        }
    }
}

/// 1, 2 and 5 times powers of ten between two logarithms.
fn round([low, high]: [f64; 2]) -> Vec<f64> {
    let powers = low.floor() as i32..=high.ceil() as i32;
    let near = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|first| first * 10f64.powi(power)));
    near.filter(|value| (low..=high).contains(&value.log10()))
        .collect()
}

fn short(size: f64) -> String {
    match size {
        size if size >= 1e6 => format!("{:.0} M", size / 1e6),
        size => size.to_string(),
    }
}

fn counted(points: Vec<[f64; 2]>, colour: u32) -> Shape {
    Shape::Line {
        points,
        colour,
        width: 1.2,
        dash: Some([4.0, 3.0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(costs: &[[f64; 3]]) -> Growth {
        let costs = costs.iter().map(|[at, measured, theory]| Cost {
            at: *at,
            measured: *measured,
            theory: *theory,
        });
        let line = Grown {
            method: "compacter".into(),
            costs: costs.collect(),
        };
        let chart = Chart {
            title: "seconds".into(),
            across: "rows".into(),
            lines: vec![line],
        };
        Growth {
            charts: vec![chart],
            columns: 5,
        }
    }

    #[test]
    fn a_power_is_a_straight_line() {
        let growth = chart(&[[1.0, 1.0, 1.0], [10.0, 100.0, 100.0], [100.0, 1e4, 1e4]]);
        let picture = growth.picture(false);
        let dashed = picture.shapes.iter().find_map(|shape| match shape {
            Shape::Line {
                points,
                dash: Some(_),
                ..
            } if points.len() == 3 => Some(points.clone()),
            _ => None,
        });
        let [a, b, c] = <[[f64; 2]; 3]>::try_from(dashed.unwrap()).unwrap();
        assert!((b[0] - (a[0] + c[0]) / 2.0).abs() < 1e-9);
        assert!((b[1] - (a[1] + c[1]) / 2.0).abs() < 1e-9);
        assert!(c[1] < a[1], "more is up");
        let svg = growth.svg(true);
        assert!(
            svg.contains("by counting") && svg.contains("10000"),
            "{svg}"
        );
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        let growth = chart(&[[1.0, f64::NAN, 1.0], [0.0, 1.0, 1.0], [2.0, 1.0, 1.0]]);
        assert!(!growth.svg(false).contains("NaN"));
        assert!(!chart(&[]).svg(false).contains("NaN"));
    }

    #[test]
    fn round_numbers_lie_within() {
        assert_eq!(round([-1.0, 0.31]), [0.1, 0.2, 0.5, 1.0, 2.0]);
    }
}

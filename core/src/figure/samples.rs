//! The paper's Figure 4: score against the number of training rows, one panel a task.

use super::picture::{Anchor, Picture, Shape};
use super::{INKS, method_colour};

/// Scores at one number of training rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    /// Training rows.
    pub rows: f64,
    /// Mean score over the seeds, in percent.
    pub mean: f64,
    /// Their standard deviation; 0 for one seed.
    pub deviation: f64,
}

/// One method's scores.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Method, for its name and colour.
    pub method: String,
    /// From few rows to many.
    pub spots: Vec<Spot>,
}

/// One task.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// What stands above it.
    pub title: String,
    /// One a method.
    pub curves: Vec<Curve>,
    /// Score of the most frequent label, drawn as a dotted line.
    pub majority: Option<f64>,
}

/// The figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// One a task.
    pub panels: Vec<Panel>,
}

/// Panels side by side before the next row begins.
const COLUMNS: usize = 4;
/// Width and height of one panel with its axes.
const CELL: [f64; 2] = [250.0, 230.0];
/// Left, top, right and bottom of the plot within its cell.
const AREA: [f64; 4] = [46.0, 34.0, 238.0, 178.0];
/// Height of the legend below the panels, with one line and for each further one.
const LEGEND: [f64; 2] = [34.0, 22.0];
/// 12 points of the font are about this wide a letter.
const LETTER: f64 = 6.4;
/// Length of a line in the legend, and what lies between two of its entries.
const KEY: f64 = 26.0;
const BETWEEN: f64 = 22.0;

/// Width of an entry of the legend.
fn entry(name: &str) -> f64 {
    KEY + 8.0 + name.chars().count() as f64 * LETTER
}

impl Samples {
    /// The figure as SVG.
    pub fn svg(&self, dark: bool) -> String {
        self.picture(dark).svg()
    }

    /// The figure as shapes; what is no number is left out.
    pub fn picture(&self, dark: bool) -> Picture {
        let columns = self.panels.len().clamp(1, COLUMNS);
        let rows = self.panels.len().div_ceil(COLUMNS).max(1);
        let [width, height] = [columns as f64 * CELL[0], rows as f64 * CELL[1]];
        let legend = self.legend(width);
        let below = LEGEND[0] + LEGEND[1] * legend.len().saturating_sub(1) as f64;
        let mut picture = Picture::new([width + 12.0, height + below], INKS[usize::from(dark)][0]);
        for (place, panel) in self.panels.iter().enumerate() {
            let corner = [
                (place % COLUMNS) as f64 * CELL[0],
                (place / COLUMNS) as f64 * CELL[1],
            ];
            Frame::new(panel, corner).draw(&mut picture, panel, dark);
        }
        for (line, methods) in legend.iter().enumerate() {
            let y = height + 12.0 + LEGEND[1] * line as f64;
            draw_line(&mut picture, methods, [width, y], dark);
        }
        picture
    }

    /// Every method once, in as many lines as the width asks for.
    fn legend(&self, width: f64) -> Vec<Vec<&str>> {
        let mut methods: Vec<&str> = Vec::new();
        let mut lines: Vec<Vec<&str>> = Vec::new();
        let mut taken = f64::INFINITY;
        for curve in self.panels.iter().flat_map(|panel| &panel.curves) {
            let name = curve.method.as_str();
            if methods.contains(&name) {
                continue;
            }
            methods.push(name);
            taken += BETWEEN + entry(name);
            match lines.last_mut() {
                Some(line) if taken <= width => line.push(name),
                _ => {
                    taken = entry(name);
                    lines.push(vec![name]);
                }
            }
        }
        lines
    }
}

/// A line of the legend, centred.
fn draw_line(picture: &mut Picture, methods: &[&str], [width, y]: [f64; 2], dark: bool) {
    let gaps = BETWEEN * methods.len().saturating_sub(1) as f64;
    let all = methods.iter().map(|name| entry(name)).sum::<f64>() + gaps;
    let mut x = (width - all).max(0.0) / 2.0;
    for &name in methods {
        let colour = method_colour(name, dark);
        picture
            .shapes
            .push(curve_line(vec![[x, y], [x + KEY, y]], colour));
        picture
            .shapes
            .push(Shape::dot([x + KEY / 2.0, y], colour, name.into()));
        let ink = INKS[usize::from(dark)][1];
        picture.text([x + KEY + 8.0, y + 4.0], Anchor::Start, ink, name);
        x += entry(name) + BETWEEN;
    }
}

/// Where the numbers of one panel are drawn.
struct Frame {
    corner: [f64; 2],
    /// Logarithms of the rows at both ends.
    rows: [f64; 2],
    scores: [f64; 2],
    step: f64,
}

impl Frame {
    fn new(panel: &Panel, corner: [f64; 2]) -> Self {
        let spots = || known(panel).flat_map(|(_, spots)| spots);
        let edge = |values: Vec<f64>| {
            values
                .into_iter()
                .filter(|value| value.is_finite())
                .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value| {
                    [low.min(value), high.max(value)]
                })
        };
        let rows = edge(spots().map(|spot| spot.rows.max(1.0).log10()).collect());
        let reach =
            spots().flat_map(|spot| [spot.mean - spot.deviation, spot.mean + spot.deviation]);
        let scores = edge(reach.chain(panel.majority).collect());
        let rows = match rows[0] <= rows[1] {
            true => [rows[0] - 0.12, rows[1] + 0.12],
            false => [2.0, 4.0],
        };
        let [low, high] = match scores[0] <= scores[1] {
            true => scores,
            false => [0.0, 100.0],
        };
        let span = (high - low).max(4.0);
        let step = [1.0, 2.0, 5.0, 10.0, 20.0]
            .into_iter()
            .find(|step| span / step <= 5.0)
            .unwrap_or(50.0);
        let floor = ((low - 0.04 * span) / step).floor() * step;
        let ceiling = ((high + 0.04 * span) / step).ceil() * step;
        Self {
            corner,
            rows,
            scores: [floor, ceiling.max(floor + step)],
            step,
        }
    }

    fn place(&self, rows: f64, score: f64) -> [f64; 2] {
        let [left, top, right, bottom] = self.area();
        let x = (rows.max(1.0).log10() - self.rows[0]) / (self.rows[1] - self.rows[0]);
        let y = (score - self.scores[0]) / (self.scores[1] - self.scores[0]);
        [left + x * (right - left), bottom - y * (bottom - top)]
    }

    fn area(&self) -> [f64; 4] {
        let [x, y] = self.corner;
        [AREA[0] + x, AREA[1] + y, AREA[2] + x, AREA[3] + y]
    }

    fn draw(&self, picture: &mut Picture, panel: &Panel, dark: bool) {
        let [_, ink, dim, line] = INKS[usize::from(dark)];
        let [left, top, right, bottom] = self.area();
        self.axes(picture, panel, [ink, line]);
        let middle = (left + right) / 2.0;
        picture.text([middle, top - 12.0], Anchor::Middle, ink, &panel.title);
        picture.text(
            [middle, bottom + 36.0],
            Anchor::Middle,
            dim,
            "training rows",
        );
        if let Some(majority) = panel.majority.filter(|score| score.is_finite()) {
            let [_, y] = self.place(1.0, majority);
            picture.shapes.push(Shape::Line {
                points: vec![[left, y], [right, y]],
                colour: dim,
                width: 1.0,
                dash: Some([1.0, 3.0]),
            });
        }
        for (method, spots) in known(panel) {
            let colour = method_colour(method, dark);
            let band = |sign: f64| {
                move |spot: &Spot| self.place(spot.rows, spot.mean + sign * spot.deviation)
            };
            let upper = spots.iter().map(band(1.0));
            let around: Vec<_> = upper.chain(spots.iter().rev().map(band(-1.0))).collect();
            picture.shapes.push(Shape::Area {
                points: around,
                colour,
                opacity: 0.16,
            });
            let means: Vec<_> = spots.iter().map(band(0.0)).collect();
            picture.shapes.push(curve_line(means, colour));
            for one in spots {
                let Spot {
                    rows,
                    mean,
                    deviation,
                } = one;
                let title = format!("{method}, {rows} rows: {mean:.1} ± {deviation:.1}");
                picture
                    .shapes
                    .push(Shape::dot(self.place(rows, mean), colour, title));
            }
        }
    }

    /// Grid and numbers: every number of rows that was measured, and round scores.
    fn axes(&self, picture: &mut Picture, panel: &Panel, [ink, line]: [u32; 2]) {
        let [left, top, right, bottom] = self.area();
        let count = ((self.scores[1] - self.scores[0]) / self.step).round() as usize;
        for index in 0..=count {
            let score = self.scores[0] + self.step * index as f64;
            let [_, y] = self.place(1.0, score);
            picture.line(&[[left, y], [right, y]], line);
            picture.text(
                [left - 6.0, y + 4.0],
                Anchor::End,
                ink,
                &format!("{score:.0}"),
            );
        }
        let mut ticks: Vec<f64> = known(panel)
            .flat_map(|(_, spots)| spots)
            .map(|spot| spot.rows)
            .collect();
        ticks.sort_by(f64::total_cmp);
        ticks.dedup();
        let mut free = left - LETTER;
        for rows in ticks {
            let [x, _] = self.place(rows, 0.0);
            picture.line(&[[x, top], [x, bottom]], line);
            let words = format!("{rows:.0}");
            let half = words.len() as f64 * LETTER / 2.0;
            // Numbers that would run into each other are left out; their lines stay.
            if x - half > free {
                picture.text([x, bottom + 18.0], Anchor::Middle, ink, &words);
                free = x + half + 3.0;
            }
        }
    }
}

/// The curves of a panel without what is no number, each from few rows to many.
fn known(panel: &Panel) -> impl Iterator<Item = (&str, Vec<Spot>)> {
    panel.curves.iter().map(|curve| {
        let finite = |spot: &&Spot| spot.mean.is_finite() && spot.deviation.is_finite();
        let mut spots: Vec<Spot> = curve.spots.iter().filter(finite).copied().collect();
        spots.sort_by(|a, b| a.rows.total_cmp(&b.rows));
        (curve.method.as_str(), spots)
    })
}

fn curve_line(points: Vec<[f64; 2]>, colour: u32) -> Shape {
    Shape::Line {
        points,
        colour,
        width: 1.8,
        dash: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(title: &str) -> Panel {
        let curve = |method: &str, base: f64| Curve {
            method: method.into(),
            spots: [4000.0, 100.0, 500.0, 1000.0, 2000.0]
                .map(|rows: f64| Spot {
                    rows,
                    mean: base + 8.0 * rows.log10(),
                    deviation: 1.5,
                })
                .to_vec(),
        };
        Panel {
            title: title.into(),
            curves: vec![curve("full", 40.0), curve("compacter++", 45.0)],
            majority: Some(50.0),
        }
    }

    #[test]
    fn more_rows_are_right_and_better_is_up_within_the_panel() {
        let panel = panel("sst2");
        let frame = Frame::new(&panel, [250.0, 230.0]);
        let [left, top, right, bottom] = frame.area();
        assert!(left > 250.0 && top > 230.0);
        for (_, spots) in known(&panel) {
            let places: Vec<_> = spots.iter().map(|s| frame.place(s.rows, s.mean)).collect();
            assert!(places.is_sorted_by(|a, b| a[0] < b[0] && a[1] > b[1]));
            for [x, y] in places {
                assert!((left..=right).contains(&x) && (top..=bottom).contains(&y));
            }
        }
    }

    #[test]
    fn every_task_has_a_panel_and_every_method_one_entry_in_the_legend() {
        let tasks = ["cola", "sst2", "mrpc", "qqp", "stsb"];
        let figure = Samples {
            panels: tasks.map(panel).to_vec(),
        };
        let svg = figure.svg(false);
        for task in tasks {
            assert!(svg.contains(&format!(">{task}</text>")), "{task}");
        }
        assert_eq!(svg.matches(">compacter++</text>").count(), 1);
        assert_eq!(svg.matches("<polygon").count(), 10);
        // Five spots for each of ten curves, and two of the legend.
        assert_eq!(svg.matches("<circle").count(), 52);
        assert!(svg.contains("<title>full, 100 rows: 56.0 ± 1.5</title>"));
        assert_ne!(svg, figure.svg(true));
    }

    #[test]
    fn a_legend_too_wide_for_its_panels_takes_more_lines() {
        let mut one = panel("sst2");
        for name in ["adapter", "phm-adapter", "adapter-lowrank"] {
            let mut curve = one.curves[0].clone();
            curve.method = name.into();
            one.curves.push(curve);
        }
        let figure = Samples { panels: vec![one] };
        let lines = figure.legend(CELL[0]);
        assert!(lines.len() > 1);
        assert_eq!(lines.concat().len(), 5);
        for line in lines {
            let wide: f64 = line.iter().map(|name| entry(name) + BETWEEN).sum();
            assert!(line.len() == 1 || wide - BETWEEN <= CELL[0], "{line:?}");
        }
    }

    #[test]
    fn nothing_and_odd_numbers_are_drawn_too() {
        assert!(Samples { panels: vec![] }.svg(false).ends_with("</svg>\n"));
        let mut odd = panel("x");
        odd.curves[0].spots = vec![Spot {
            rows: f64::INFINITY,
            mean: f64::NAN,
            deviation: 0.0,
        }];
        odd.curves[1].spots.clear();
        odd.majority = None;
        let svg = Samples { panels: vec![odd] }.svg(false);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}

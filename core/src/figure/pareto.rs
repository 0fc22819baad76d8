//! The paper's Figure 1: score against trained parameters, the area of a dot its memory.

use super::picture::{Anchor, Picture, Shape};
use super::{INKS, Label, method_colour, place_names};

/// One run, or one point of the paper.
#[derive(Debug, Clone, PartialEq)]
pub struct Dot {
    /// What stands beside it.
    pub name: String,
    /// Method, for its colour.
    pub method: String,
    /// Trained parameters.
    pub trainable: f64,
    /// Score in percent.
    pub score: f64,
    /// Bytes that training held at most, if they are known.
    pub bytes: Option<u64>,
    /// Drawn pale and left out of the frontier: somebody else's figure.
    pub ghost: bool,
}

/// The figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Pareto {
    /// What is in it.
    pub dots: Vec<Dot>,
    /// Parameters of the base, for the shares below the axis.
    pub parameters: usize,
    /// Score of the most frequent label, drawn as a dotted line.
    pub majority: Option<f64>,
    /// What the score is and on what.
    pub score: String,
}

const SIZE: [f64; 2] = [760.0, 480.0];
/// Left, top, right and bottom of the plot itself.
const AREA: [f64; 4] = [72.0, 24.0, 736.0, 404.0];
impl Dot {
    /// Radius in points: the area is the memory.
    pub fn radius(&self) -> f64 {
        match self.bytes {
            _ if self.ghost => 5.0,
            Some(bytes) => (bytes as f64 / 1e6).sqrt().clamp(5.0, 26.0),
            None => 8.0,
        }
    }
}

impl Pareto {
    /// From the decade below the smallest method to the whole model.
    fn decades(&self) -> [f64; 2] {
        let least = self.dots.iter().map(|dot| dot.trainable.max(1.0).log10());
        let top = (self.parameters.max(10) as f64).log10();
        [least.fold(top, f64::min).floor(), top + 0.15]
    }

    /// Whole tens around all scores.
    fn scores(&self) -> [f64; 2] {
        let scores = self.dots.iter().map(|dot| dot.score).chain(self.majority);
        let (least, most) = scores
            .filter(|score| score.is_finite())
            .fold((100.0f64, 0.0f64), |(low, high), s| {
                (low.min(s), high.max(s))
            });
        let low = ((least.min(most) - 3.0) / 10.0).floor() * 10.0;
        let high = ((most.max(least) + 3.0) / 10.0).ceil() * 10.0;
        [low.max(-100.0), high.min(104.0)]
    }

    fn place(&self, trainable: f64, score: f64) -> [f64; 2] {
        let ([left, top, right, bottom], [x0, x1], [y0, y1]) =
            (AREA, self.decades(), self.scores());
        let x = (trainable.max(1.0).log10() - x0) / (x1 - x0).max(1e-9);
        let y = (score - y0) / (y1 - y0).max(1e-9);
        [left + x * (right - left), bottom - y * (bottom - top)]
    }

    /// The runs that no other beats with fewer numbers, from left to right.
    pub fn frontier(&self) -> Vec<&Dot> {
        let mut dots: Vec<&Dot> = self.dots.iter().filter(|dot| !dot.ghost).collect();
        let order = |a: &&Dot, b: &&Dot| {
            let by_score = b.score.total_cmp(&a.score);
            a.trainable.total_cmp(&b.trainable).then(by_score)
        };
        dots.sort_by(order);
        let mut best = f64::NEG_INFINITY;
        dots.retain(|dot| {
            let better = dot.score > best;
            best = best.max(dot.score);
            better
        });
        dots
    }

    /// The figure as SVG; a run without a score is left out.
    pub fn svg(&self, dark: bool) -> String {
        self.picture(dark).svg()
    }

    /// The figure as shapes; a run without a score is left out.
    pub fn picture(&self, dark: bool) -> Picture {
        let mut known = self.clone();
        known.dots.retain(|dot| dot.score.is_finite());
        known.draw(dark)
    }

    fn draw(&self, dark: bool) -> Picture {
        let [ground, ink, dim, line] = INKS[usize::from(dark)];
        let mut picture = Picture::new(SIZE, ground);
        self.axes(&mut picture, ink, dim, line);
        if let Some(majority) = self.majority {
            let [_, y] = self.place(1.0, majority);
            picture.shapes.push(Shape::Line {
                points: vec![[AREA[0], y], [AREA[2], y]],
                colour: dim,
                width: 1.0,
                dash: Some([1.0, 3.0]),
            });
            let words = "always the most frequent label";
            picture.text([AREA[2] - 4.0, y - 4.0], Anchor::End, dim, words);
        }
        let frontier = self.frontier();
        if frontier.len() > 1 {
            let at = |dot: &&Dot| self.place(dot.trainable, dot.score);
            let points: Vec<_> = frontier.iter().map(at).collect();
            picture.line(&points, dim);
        }
        self.draw_dots(&mut picture, dark, dim);
        picture
    }

    fn axes(&self, picture: &mut Picture, ink: u32, dim: u32, line: u32) {
        let [left, top, right, bottom] = AREA;
        let [first, last] = self.decades();
        for decade in first as i32..=last.floor() as i32 {
            let count = 10f64.powi(decade);
            let [x, _] = self.place(count, 0.0);
            picture.line(&[[x, top], [x, bottom]], line);
            let share = 100.0 * count / self.parameters.max(1) as f64;
            picture.text([x, bottom + 18.0], Anchor::Middle, ink, &short(count));
            picture.text([x, bottom + 34.0], Anchor::Middle, dim, &percent(share));
        }
        let [low, high] = self.scores();
        let step = if high - low > 40.0 { 10.0 } else { 5.0 };
        for index in 0..=((high - low) / step) as usize {
            let score = low + step * index as f64;
            let [_, y] = self.place(1.0, score);
            picture.line(&[[left, y], [right, y]], line);
            let words = format!("{score:.0}");
            picture.text([left - 8.0, y + 4.0], Anchor::End, ink, &words);
        }
        let middle = (left + right) / 2.0;
        let words = "trained parameters, and their share of the model";
        picture.text([middle, bottom + 56.0], Anchor::Middle, ink, words);
        picture.upwards([24.0, (top + bottom) / 2.0], ink, &self.score);
    }

    fn draw_dots(&self, picture: &mut Picture, dark: bool, dim: u32) {
        let label = |dot: &Dot| {
            let [x, y] = self.place(dot.trainable, dot.score);
            Label {
                at: [x as f32, y as f32],
                radius: dot.radius() as f32,
                // 12 points of this font are about 6.4 wide.
                size: [dot.name.chars().count() as f32 * 6.4, 13.0],
                optional: dot.ghost,
            }
        };
        // One's own come first to their places.
        let mut dots: Vec<&Dot> = self.dots.iter().collect();
        dots.sort_by_key(|dot| dot.ghost);
        let labels: Vec<Label> = dots.iter().map(|dot| label(dot)).collect();
        let places = place_names(&labels, [AREA[0] as f32, AREA[2] as f32]);
        for dot in dots.iter().rev() {
            let colour = method_colour(&dot.method, dark);
            let opacity = if dot.ghost { 0.35 } else { 0.9 };
            let at = self.place(dot.trainable, dot.score);
            let title = format!(
                "{}: {} trained, {:.1} %",
                dot.name, dot.trainable, dot.score
            );
            picture.shapes.push(Shape::Circle {
                at,
                radius: dot.radius(),
                colour,
                opacity,
                title,
            });
        }
        for (dot, place) in dots.iter().zip(places) {
            let Some([x, y]) = place else { continue };
            let colour = match dot.ghost {
                true => dim,
                false => method_colour(&dot.method, dark),
            };
            let at = [f64::from(x), f64::from(y) + 11.0];
            picture.text(at, Anchor::Start, colour, &dot.name);
        }
    }
}

/// `10k`.
fn short(count: f64) -> String {
    match count {
        c if c >= 1e9 => format!("{:.0}B", c / 1e9),
        c if c >= 1e6 => format!("{:.0}M", c / 1e6),
        c if c >= 1e3 => format!("{:.0}k", c / 1e3),
        c => format!("{c:.0}"),
    }
}

fn percent(share: f64) -> String {
    match share {
        s if s >= 10.0 => format!("{s:.0} %"),
        s if s >= 1.0 => format!("{s:.1} %"),
        s => format!("{s:.3} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(name: &str, trainable: f64, score: f64) -> Dot {
        Dot {
            name: name.into(),
            method: name.into(),
            trainable,
            score,
            bytes: Some(100_000_000),
            ghost: false,
        }
    }

    fn figure() -> Pareto {
        let mut dots = vec![
            dot("full", 4.5e6, 62.0),
            dot("compacter++", 7024.0, 61.0),
            dot("compacter", 10_912.0, 58.0),
            dot("<adapter>", 116_256.0, 61.5),
        ];
        dots.push(Dot {
            ghost: true,
            ..dot("bitfit", 1000.0, 90.0)
        });
        Pareto {
            dots,
            parameters: 4_525_440,
            majority: Some(51.5),
            score: "accuracy on reviews, %".into(),
        }
    }

    #[test]
    fn the_frontier_leaves_out_what_is_beaten_and_ghosts() {
        let figure = figure();
        let names: Vec<_> = figure
            .frontier()
            .iter()
            .map(|dot| dot.name.clone())
            .collect();
        assert_eq!(names, ["compacter++", "<adapter>", "full"]);
    }

    #[test]
    fn more_is_right_and_better_is_up_within_the_picture() {
        let figure = figure();
        let [small, large] = [1e3, 1e6].map(|count| figure.place(count, 60.0));
        let [worse, better] = [50.0, 60.0].map(|score| figure.place(1e4, score));
        assert!(small[0] < large[0] && better[1] < worse[1]);
        for dot in &figure.dots {
            let [x, y] = figure.place(dot.trainable, dot.score);
            assert!((AREA[0]..=AREA[2]).contains(&x) && (AREA[1]..=AREA[3]).contains(&y));
        }
    }

    #[test]
    fn every_run_is_in_the_picture_and_names_are_text() {
        let svg = figure().svg(false);
        assert_eq!(svg.matches("<circle").count(), 5);
        assert!(svg.contains("&lt;adapter&gt;: 116256 trained, 61.5 %"));
        assert!(svg.contains(">10k<") && svg.contains(">0.221 %<"));
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert_ne!(svg, figure().svg(true));
    }

    #[test]
    fn an_empty_figure_and_odd_numbers_are_drawn_too() {
        let mut empty = figure();
        empty.dots.clear();
        assert!(empty.svg(false).contains("</svg>"));
        empty.dots.push(dot("none", 0.0, f64::NAN));
        empty.parameters = 0;
        let svg = empty.svg(false);
        assert!(svg.contains("</svg>") && !svg.contains("NaN") && !svg.contains("inf"));
    }
}

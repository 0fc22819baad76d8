//! A picture as a list of shapes, and its SVG.
//!
//! Shapes are data, so that a file of vectors and one of pixels show the same.

use std::fmt::Write;

/// Where a text stands with respect to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// It is centred there.
    Middle,
    /// It ends there.
    End,
}

/// One thing drawn; coordinates in points, y downwards; colours as `0xrrggbb`.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A line through points.
    Line {
        /// Its corners.
        points: Vec<[f64; 2]>,
        /// Colour.
        colour: u32,
        /// Width in points.
        width: f64,
        /// Lengths of a dash and of the gap after it; `None` for a whole line.
        dash: Option<[f64; 2]>,
    },
    /// A filled area without a border.
    Area {
        /// Its corners.
        points: Vec<[f64; 2]>,
        /// Colour.
        colour: u32,
        /// From 0 to 1.
        opacity: f64,
    },
    /// A filled circle.
    Circle {
        /// Centre.
        at: [f64; 2],
        /// Radius.
        radius: f64,
        /// Colour.
        colour: u32,
        /// From 0 to 1.
        opacity: f64,
        /// What it says when it is pointed at.
        title: String,
    },
    /// One line of text, of 12 points.
    Text {
        /// The point on its base line that `anchor` speaks of.
        at: [f64; 2],
        /// Which part of the text stands there.
        anchor: Anchor,
        /// Colour.
        colour: u32,
        /// Whether it reads upwards.
        upwards: bool,
        /// What it says.
        words: String,
    },
}

impl Shape {
    /// A point of a curve, which says its title when it is pointed at.
    pub(super) fn dot(at: [f64; 2], colour: u32, title: String) -> Self {
        Self::Circle {
            at,
            radius: 3.2,
            colour,
            opacity: 1.0,
            title,
        }
    }
}

/// A picture of a size on a ground of a colour.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Width and height in points.
    pub size: [f64; 2],
    /// Colour of the ground.
    pub ground: u32,
    /// What is drawn, from the back to the front.
    pub shapes: Vec<Shape>,
}

impl Picture {
    /// Height of the text.
    pub const TEXT: f64 = 12.0;

    /// Nothing yet.
    pub(super) fn new(size: [f64; 2], ground: u32) -> Self {
        Self {
            size,
            ground,
            shapes: Vec::new(),
        }
    }

    /// A thin whole line.
    pub(super) fn line(&mut self, points: &[[f64; 2]], colour: u32) {
        self.shapes.push(Shape::Line {
            points: points.to_vec(),
            colour,
            width: 1.0,
            dash: None,
        });
    }

    /// One line of text.
    pub(super) fn text(&mut self, at: [f64; 2], anchor: Anchor, colour: u32, words: &str) {
        self.shapes.push(Shape::Text {
            at,
            anchor,
            colour,
            upwards: false,
            words: words.into(),
        });
    }

    /// A centred text that reads upwards, for an axis.
    pub(super) fn upwards(&mut self, at: [f64; 2], colour: u32, words: &str) {
        self.shapes.push(Shape::Text {
            at,
            anchor: Anchor::Middle,
            colour,
            upwards: true,
            words: words.into(),
        });
    }

    /// The picture as SVG.
    pub fn svg(&self) -> String {
        let ([width, height], ground) = (self.size, self.ground);
        let size = Self::TEXT;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" \
             font-family=\"Geist, system-ui, sans-serif\" font-size=\"{size}\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#{ground:06x}\"/>\n"
        );
        for shape in &self.shapes {
            shape.write(&mut svg);
        }
        svg.push_str("</svg>\n");
        svg
    }
}

impl Shape {
    /// Appends the element; writing to a string cannot fail.
    fn write(&self, svg: &mut String) {
        let _ = match self {
            Self::Line {
                points,
                colour,
                width,
                dash,
            } => {
                let dash = dash.map_or_else(String::new, |[dash, gap]| {
                    format!(" stroke-dasharray=\"{dash} {gap}\"")
                });
                let points = corners(points);
                writeln!(
                    svg,
                    "<polyline points=\"{points}\" fill=\"none\" stroke=\"#{colour:06x}\" \
                     stroke-width=\"{width}\"{dash}/>"
                )
            }
            Self::Area {
                points,
                colour,
                opacity,
            } => {
                let points = corners(points);
                writeln!(
                    svg,
                    "<polygon points=\"{points}\" fill=\"#{colour:06x}\" fill-opacity=\"{opacity}\"/>"
                )
            }
            Self::Circle {
                at: [x, y],
                radius,
                colour,
                opacity,
                title,
            } => {
                let title = escape(title);
                writeln!(
                    svg,
                    "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\" fill=\"#{colour:06x}\" \
                     fill-opacity=\"{opacity}\"><title>{title}</title></circle>"
                )
            }
            Self::Text {
                at: [x, y],
                anchor,
                colour,
                upwards,
                words,
            } => {
                let anchor = match anchor {
                    Anchor::Start => "start",
                    Anchor::Middle => "middle",
                    Anchor::End => "end",
                };
                let place = match upwards {
                    true => format!("transform=\"translate({x:.1} {y:.1}) rotate(-90)\""),
                    false => format!("x=\"{x:.1}\" y=\"{y:.1}\""),
                };
                let words = escape(words);
                writeln!(
                    svg,
                    "<text {place} text-anchor=\"{anchor}\" fill=\"#{colour:06x}\">{words}</text>"
                )
            }
        };
    }
}

fn corners(points: &[[f64; 2]]) -> String {
    let corner = |[x, y]: &[f64; 2]| format!("{x:.1},{y:.1}");
    points.iter().map(corner).collect::<Vec<_>>().join(" ")
}

/// Names are a person's own: nothing in them is markup, and XML takes no control characters.
fn escape(words: &str) -> String {
    let mut text = String::new();
    for character in words.chars() {
        match character {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\n' => text.push_str("&#10;"),
            c if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' => text.push('\u{fffd}'),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_markup() {
        assert_eq!(
            escape("<b a=\"&\">\u{1}"),
            "&lt;b a=&quot;&amp;&quot;&gt;\u{fffd}"
        );
    }

    #[test]
    fn every_shape_is_an_element() {
        let mut picture = Picture::new([10.0, 20.0], 0xffffff);
        picture.line(&[[0.0, 1.0], [2.0, 3.25]], 0x123456);
        picture.text([1.0, 2.0], Anchor::End, 0, "a < b");
        picture.upwards([1.0, 2.0], 0, "up");
        picture.shapes.push(Shape::Area {
            points: vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]],
            colour: 0xff,
            opacity: 0.5,
        });
        let svg = picture.svg();
        for part in [
            "viewBox=\"0 0 10 20\"",
            "<polyline points=\"0.0,1.0 2.0,3.2\" fill=\"none\" stroke=\"#123456\"",
            "text-anchor=\"end\" fill=\"#000000\">a &lt; b</text>",
            "transform=\"translate(1.0 2.0) rotate(-90)\"",
            "<polygon points=\"0.0,0.0 1.0,0.0 1.0,1.0\" fill=\"#0000ff\" fill-opacity=\"0.5\"/>",
        ] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
    }
}

//! SVG as text: just the shapes that the figures need.

use std::fmt::Write;

/// How a text hangs on its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture under way; coordinates in points, y downwards.
#[derive(Debug)]
pub(super) struct Svg {
    body: String,
}

impl Svg {
    /// A picture of a size on a ground of a colour.
    pub(super) fn new(width: f64, height: f64, ground: u32) -> Self {
        let mut svg = Self {
            body: String::new(),
        };
        svg.add(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" \
             font-family=\"Geist, system-ui, sans-serif\" font-size=\"12\">"
        ));
        svg.add(format_args!(
            "<rect width=\"{width}\" height=\"{height}\" fill=\"#{ground:06x}\"/>"
        ));
        svg
    }

    fn add(&mut self, words: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.body, "{words}");
    }

    /// A line; `dash` as SVG has it, empty for a whole line.
    pub(super) fn line(&mut self, points: &[[f64; 2]], colour: u32, width: f64, dash: &str) {
        let mut path = String::new();
        for [x, y] in points {
            let _ = write!(path, "{x:.1},{y:.1} ");
        }
        let dash = match dash {
            "" => String::new(),
            dash => format!(" stroke-dasharray=\"{dash}\""),
        };
        self.add(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"#{colour:06x}\" stroke-width=\"{width}\"{dash}/>",
            path.trim_end()
        ));
    }

    /// A filled circle that says its name when it is pointed at.
    pub(super) fn circle(
        &mut self,
        [x, y]: [f64; 2],
        radius: f64,
        colour: u32,
        opacity: f64,
        title: &str,
    ) {
        let title = escape(title);
        self.add(format_args!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\" fill=\"#{colour:06x}\" \
             fill-opacity=\"{opacity}\"><title>{title}</title></circle>"
        ));
    }

    /// One line of text.
    pub(super) fn text(&mut self, [x, y]: [f64; 2], anchor: Anchor, colour: u32, words: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let words = escape(words);
        self.add(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#{colour:06x}\">{words}</text>"
        ));
    }

    /// A text that reads upwards, for an axis.
    pub(super) fn upwards(&mut self, [x, y]: [f64; 2], colour: u32, words: &str) {
        let words = escape(words);
        self.add(format_args!(
            "<text transform=\"translate({x:.1} {y:.1}) rotate(-90)\" text-anchor=\"middle\" \
             fill=\"#{colour:06x}\">{words}</text>"
        ));
    }

    /// The whole text.
    pub(super) fn finish(mut self) -> String {
        self.body.push_str("</svg>\n");
        self.body
    }
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
    #[test]
    fn names_are_no_markup() {
        assert_eq!(
            super::escape("<b a=\"&\">\u{1}"),
            "&lt;b a=&quot;&amp;&quot;&gt;\u{fffd}"
        );
    }
}

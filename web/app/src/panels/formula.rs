//! `W = Σᵢ Aᵢ ⊗ (sᵢ tᵢ)`, each symbol in the colour of its picture.
//!
//! The two signs are painted: no small font has them, and a window has no browser to borrow from.

use super::layer::{FAST, RULE, of_theme};
use crate::theme::number;
use compacter_core::figure::ACCENT;
use eframe::egui::{Align2, Color32, Pos2, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

/// Size of the letters.
const SIZE: f32 = 17.0;
/// Width of one letter of that size.
const LETTER: f32 = 10.2;

/// Draws it on one line.
pub(crate) fn show(ui: &mut Ui) {
    let size = vec2(ui.available_width().min(20.0 * LETTER), 28.0);
    let (area, response) = ui.allocate_exact_size(size, Sense::hover());
    let words =
        "W is the sum over i of the Kronecker product of A i and the product of s i and t i";
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, words));
    let (rule, fast) = (of_theme(RULE, ui), of_theme(FAST, ui));
    let (sum, ink) = (
        of_theme((ACCENT[0], ACCENT[1]), ui),
        ui.visuals().text_color(),
    );
    let middle = area.center().y;
    let mut pen = Pen {
        ui,
        at: pos2(area.left(), middle),
    };
    pen.letter("W", sum);
    pen.space(0.5);
    pen.letter("=", ink);
    pen.space(0.5);
    pen.sigma(ink);
    pen.index(ink);
    pen.space(0.3);
    pen.letter("A", rule);
    pen.index(rule);
    pen.space(0.4);
    pen.kronecker(ink);
    pen.space(0.4);
    pen.letter("(", ink);
    for letter in ["s", "t"] {
        pen.letter(letter, fast);
        pen.index(fast);
    }
    pen.letter(")", ink);
}

/// Writes from left to right.
struct Pen<'a> {
    ui: &'a Ui,
    at: Pos2,
}

impl Pen<'_> {
    fn space(&mut self, letters: f32) {
        self.at.x += letters * LETTER;
    }

    fn write(&mut self, words: &str, size: f32, drop: f32, colour: Color32) {
        let at = self.at + vec2(0.0, drop);
        let painter = self.ui.painter();
        let written = painter.text(at, Align2::LEFT_CENTER, words, number(size), colour);
        self.at.x = written.right();
    }

    fn letter(&mut self, words: &str, colour: Color32) {
        self.write(words, SIZE, 0.0, colour);
    }

    fn index(&mut self, colour: Color32) {
        self.write("i", 0.65 * SIZE, 0.35 * SIZE, colour);
    }

    fn sigma(&mut self, colour: Color32) {
        let (left, height) = (self.at.x, 0.45 * SIZE);
        let right = left + 0.6 * SIZE;
        let y = self.at.y;
        let points = vec![
            pos2(right, y - height),
            pos2(left, y - height),
            pos2(left + 0.3 * SIZE, y),
            pos2(left, y + height),
            pos2(right, y + height),
        ];
        self.ui.painter().line(points, Stroke::new(1.6, colour));
        self.at.x = right + 1.0;
    }

    fn kronecker(&mut self, colour: Color32) {
        let radius = 0.36 * SIZE;
        let centre = self.at + vec2(radius, 0.0);
        let stroke = Stroke::new(1.4, colour);
        let painter = self.ui.painter();
        painter.circle_stroke(centre, radius, stroke);
        let reach = radius * std::f32::consts::FRAC_1_SQRT_2;
        for up in [-reach, reach] {
            let across = vec2(reach, up);
            painter.line_segment([centre - across, centre + across], stroke);
        }
        self.at.x += 2.0 * radius;
    }
}

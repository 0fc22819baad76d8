//! The parts of the screen, one file each: they draw the state and say what a person asks for.

pub(crate) mod bar;
pub(crate) mod curves;
pub(crate) mod data;
pub(crate) mod device;
pub(crate) mod formula;
pub(crate) mod layer;
pub(crate) mod method;
pub(crate) mod model;
pub(crate) mod plot;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod try_it;

use eframe::egui::{Response, RichText, Ui};
use egui_plot::Plot;

/// A section's heading.
fn heading(ui: &mut Ui, words: &str) {
    ui.label(RichText::new(words).heading().variation("wght", 600.0));
}

/// Gives a field that has no words of its own a name for those who do not see what stands beside it.
fn named(ui: &Ui, field: &Response, name: &str) {
    ui.ctx()
        .accesskit_node_builder(field.id, |node| node.set_label(name));
}

/// A plot that never takes a drag or a scroll from the page.
fn fixed_plot(ui: &Ui, name: &str) -> Plot<'static> {
    Plot::new(name.to_string())
        .grid_color(ui.visuals().widgets.noninteractive.bg_stroke.color)
        .grid_fade(0.0)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_axis_zoom_drag(false)
        .allow_double_click_reset(false)
}

/// Words that step back.
fn weak(words: impl Into<String>) -> RichText {
    RichText::new(words).small().weak()
}

/// `7 024`: groups of three, by thin spaces.
pub(crate) fn thousands(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    text
}

/// A share in percent, with as many digits as it needs.
pub(crate) fn share(percent: f64) -> String {
    match percent {
        p if p >= 10.0 => format!("{p:.0} %"),
        p if p >= 1.0 => format!("{p:.1} %"),
        p => format!("{p:.3} %"),
    }
}

/// Bytes as a person says them.
pub(crate) fn memory(bytes: u64) -> String {
    match bytes as f64 / 1e6 {
        mb if mb >= 1000.0 => format!("{:.1} GB", mb / 1000.0),
        mb if mb >= 1.0 => format!("{mb:.0} MB"),
        _ => format!("{} kB", bytes.div_ceil(1000)),
    }
}

/// Seconds as a person says them.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds as u64 {
        s if s < 100 => format!("{s} s"),
        s if s < 6000 => format!("{} min {:02} s", s / 60, s % 60),
        s => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_a_person_reads_them() {
        assert_eq!(thousands(4_525_440), "4\u{2009}525\u{2009}440");
        assert_eq!(thousands(70), "70");
        assert_eq!(share(0.1552), "0.155 %");
        assert_eq!(share(100.0), "100 %");
        assert_eq!(memory(61_500_000), "62 MB");
        assert_eq!(memory(2_340_000_000), "2.3 GB");
        assert_eq!(memory(7_001), "8 kB");
        assert_eq!(duration(125.9), "2 min 05 s");
    }
}

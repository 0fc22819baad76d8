//! One colour per method, by family, the same wherever it is drawn.

use compacter_core::figure::method_colour;
use eframe::egui::{Color32, Visuals};

/// A method's colour on the ground that is shown.
pub(crate) fn method(name: &str, visuals: &Visuals) -> Color32 {
    colour(method_colour(name, visuals.dark_mode))
}

/// From `0xrrggbb`.
pub(crate) fn colour(hex: u32) -> Color32 {
    let [_, red, green, blue] = hex.to_be_bytes();
    Color32::from_rgb(red, green, blue)
}

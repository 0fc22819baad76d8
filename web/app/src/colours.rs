//! One colour per method, by family, the same wherever it is drawn.

use eframe::egui::{Color32, Visuals};

/// Blues for adapters, ambers for prompts, greens for biases and intrinsic dimensions, violets for
/// the hypercomplex family, ink for full fine-tuning.
pub(crate) fn method(name: &str, visuals: &Visuals) -> Color32 {
    let (light, dark) = match name {
        "full" => return visuals.strong_text_color(),
        "adapter" => (0x0b5cad, 0x5aa9f0),
        "pfeiffer" => (0x2f7fd0, 0x86c0f5),
        "adapterdrop" => (0x175a86, 0x4f9ac7),
        "adapter-lowrank" => (0x4b8fb8, 0xa3cbe3),
        "prompt-random" => (0xa86400, 0xe6a23c),
        "prompt-tokens" => (0x8a5a1c, 0xf0c070),
        "intrinsic-said" => (0x2e7d4f, 0x67c08e),
        "bitfit" => (0x4f8a1f, 0xa0cf6a),
        "phm-adapter" => (0x9a6fd0, 0xc3a6ee),
        "compacter" => (0x8347c9, 0xb48af2),
        _ => (ACCENT_LIGHT, ACCENT_DARK),
    };
    colour(if visuals.dark_mode { dark } else { light })
}

/// Compacter++, which is the accent of the whole page.
pub(crate) const ACCENT_LIGHT: u32 = 0x6a1fd0;
/// The accent on dark ground.
pub(crate) const ACCENT_DARK: u32 = 0x9f6bff;

/// From `0xrrggbb`.
pub(crate) fn colour(hex: u32) -> Color32 {
    let [_, red, green, blue] = hex.to_be_bytes();
    Color32::from_rgb(red, green, blue)
}

//! Fonts, sizes and the two palettes: one grey ramp and one accent.

use crate::colours::colour;
use compacter_core::figure::ACCENT;
use eframe::egui::{
    Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Shadow, Stroke,
    Style, TextStyle, Theme, ThemePreference, Ui, Visuals, vec2,
};
use std::sync::Arc;

/// Numbers that change are set in this, so that nothing jitters.
pub(crate) fn number(size: f32) -> FontId {
    FontId::new(size, FontFamily::Monospace)
}

/// A button to the other of the two themes.
pub(crate) fn switch(ui: &mut Ui) {
    let (words, other) = match ui.visuals().dark_mode {
        true => ("Light", ThemePreference::Light),
        false => ("Dark", ThemePreference::Dark),
    };
    if ui.small_button(words).clicked() {
        ui.ctx().set_theme(other);
    }
}

struct Palette {
    page: u32,
    card: u32,
    line: u32,
    hover: u32,
    ink: u32,
    dim: u32,
    accent: u32,
}

const DARK: Palette = Palette {
    page: 0x0f1014,
    card: 0x16181e,
    line: 0x2a2d36,
    hover: 0x21242c,
    ink: 0xe8e9ed,
    dim: 0x9ba0ad,
    accent: ACCENT[1],
};
const LIGHT: Palette = Palette {
    page: 0xfafafb,
    card: 0xffffff,
    line: 0xdfe1e6,
    hover: 0xeff0f3,
    ink: 0x191b20,
    dim: 0x5b6170,
    accent: ACCENT[0],
};

/// Puts fonts and both themes in place; the system chooses between them.
pub(crate) fn install(context: &Context) {
    let mut fonts = FontDefinitions::empty();
    let files: [(&str, &'static [u8]); 2] = [
        ("words", compacter_assets::FONT),
        (
            "numbers",
            include_bytes!("../fonts/JetBrainsMono-latin1.ttf"),
        ),
    ];
    for (name, bytes) in files {
        fonts
            .font_data
            .insert(name.into(), Arc::new(FontData::from_static(bytes)));
    }
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| name.to_string())
            .collect::<Vec<_>>()
    };
    fonts
        .families
        .insert(FontFamily::Proportional, names(&["words", "numbers"]));
    fonts
        .families
        .insert(FontFamily::Monospace, names(&["numbers", "words"]));
    context.set_fonts(fonts);
    context.style_mut_of(Theme::Dark, |style| apply(style, Visuals::dark(), &DARK));
    context.style_mut_of(Theme::Light, |style| apply(style, Visuals::light(), &LIGHT));
    context.set_theme(ThemePreference::System);
}

fn apply(style: &mut Style, mut visuals: Visuals, palette: &Palette) {
    let words = |size| FontId::new(size, FontFamily::Proportional);
    style.text_styles = [
        (TextStyle::Small, words(12.0)),
        (TextStyle::Body, words(15.0)),
        (TextStyle::Button, words(15.0)),
        (TextStyle::Monospace, number(13.0)),
        (TextStyle::Heading, words(20.0)),
    ]
    .into();
    style.spacing.item_spacing = vec2(8.0, 8.0);
    style.spacing.button_padding = vec2(12.0, 6.0);
    style.spacing.interact_size.y = 32.0;
    style.spacing.window_margin = Margin::same(16);
    style.animation_time = 0.12;

    visuals.panel_fill = colour(palette.page);
    visuals.window_fill = colour(palette.card);
    visuals.faint_bg_color = colour(palette.hover);
    visuals.extreme_bg_color = colour(palette.card);
    visuals.window_stroke = Stroke::new(1.0, colour(palette.line));
    visuals.window_corner_radius = CornerRadius::same(8);
    visuals.popup_shadow = Shadow::NONE;
    visuals.window_shadow = Shadow::NONE;
    visuals.hyperlink_color = colour(palette.accent);
    visuals.selection.bg_fill = colour(palette.accent).gamma_multiply(0.25);
    visuals.selection.stroke = Stroke::new(1.0, colour(palette.accent));
    visuals.weak_text_color = Some(colour(palette.dim));
    let widgets = &mut visuals.widgets;
    for widget in [
        &mut widgets.noninteractive,
        &mut widgets.inactive,
        &mut widgets.hovered,
        &mut widgets.active,
        &mut widgets.open,
    ] {
        widget.corner_radius = CornerRadius::same(8);
        widget.bg_stroke = Stroke::new(1.0, colour(palette.line));
        widget.weak_bg_fill = colour(palette.hover);
        widget.bg_fill = colour(palette.hover);
        widget.fg_stroke.color = colour(palette.ink);
        widget.expansion = 0.0;
    }
    widgets.inactive.weak_bg_fill = colour(palette.card);
    widgets.active.weak_bg_fill = colour(palette.line);
    style.visuals = visuals;
}

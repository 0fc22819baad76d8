//! Inside the layer: the paper's Figure 3, alive. The factors of one projection and their sum as
//! pictures that move while it trains.

use super::{formula, heading, named, weak};
use crate::colours::colour;
use crate::state::State;
use crate::theme::number;
use compacter_core::figure::ACCENT;
use compacter_core::train::{Projection, Side};
use eframe::egui::{
    Color32, ColorImage, ComboBox, Rect, RichText, Sense, Slider, TextureHandle, TextureOptions,
    Ui, Vec2, pos2, vec2,
};

/// Colours of the symbols, in the formula and around their pictures.
pub(crate) const RULE: (u32, u32) = (0x0b5cad, 0x5aa9f0);
pub(crate) const FAST: (u32, u32) = (0xa86400, 0xe6a23c);

/// The one of two colours that belongs on the ground that is shown.
pub(crate) fn of_theme((light, dark): (u32, u32), ui: &Ui) -> Color32 {
    colour(if ui.visuals().dark_mode { dark } else { light })
}

/// Textures of the pictures on the screen, made anew only when what they show has changed.
#[derive(Default)]
pub(crate) struct Pictures {
    key: Option<(u64, usize, String, Side, bool)>,
    textures: Vec<TextureHandle>,
}

/// A matrix in rows, to be drawn.
struct Matrix<'a> {
    values: &'a [f32],
    columns: usize,
}

/// Draws it.
pub(crate) fn show(ui: &mut Ui, state: &mut State, pictures: &mut Pictures) {
    heading(ui, "Inside the layer");
    choose(ui, state);
    let Some((step, projection)) = state.look.shown() else {
        ui.label(weak(match state.places().is_empty() {
            true => "This method adds no layer: it trains the model's own numbers. Choose another one to look inside.",
            false => "The matrices of a layer will move here while a method trains.",
        }));
        return;
    };
    if projection.n > 0 {
        formula::show(ui);
    }
    let run = state.look.run().unwrap_or_default();
    let dark = ui.visuals().dark_mode;
    let key = (run, *step, projection.place.clone(), projection.side, dark);
    if pictures.key.as_ref() != Some(&key) {
        paint_all(ui, projection, pictures);
        pictures.key = Some(key);
    }
    draw(ui, projection, pictures);
    let (step, last) = (*step, state.look.seen.len() - 1);
    if last > 0 {
        let mut at = state.look.chosen.unwrap_or(last);
        ui.spacing_mut().slider_width = (ui.available_width() - 96.0).max(60.0);
        ui.horizontal(|ui| {
            let slider = Slider::new(&mut at, 0..=last).show_value(false);
            let slider = ui.add(slider);
            named(ui, &slider, "step to look at");
            if slider.changed() {
                state.look.chosen = (at < last).then_some(at);
            }
            ui.label(RichText::new(format!("step {step}")).font(number(12.0)));
        });
    } else {
        ui.label(weak(format!("step {step}")));
    }
}

/// Which layer and which of its projections.
fn choose(ui: &mut Ui, state: &mut State) {
    let places = state.places();
    if places.is_empty() {
        return;
    }
    let (mut place, mut side) = (state.look.place.min(places.len() - 1), state.look.side);
    ui.horizontal(|ui| {
        ui.spacing_mut().button_padding.x = 8.0;
        let choice = ComboBox::from_id_salt("place")
            .width((ui.available_width() - 150.0).clamp(80.0, 176.0))
            .selected_text(readable(&places[place]))
            .truncate()
            .show_ui(ui, |ui| {
                for (at, name) in places.iter().enumerate() {
                    ui.selectable_value(&mut place, at, readable(name));
                }
            });
        named(ui, &choice.response, "layer");
        ui.selectable_value(&mut side, Side::Down, "down");
        ui.selectable_value(&mut side, Side::Up, "up");
    });
    if (place, side) != (state.look.place.min(places.len() - 1), state.look.side) {
        state.look_at(place, side);
    }
}

/// `encoder 3, feed-forward` for `encoder.block.2.layer.1.adapter`.
fn readable(place: &str) -> String {
    let parts: Vec<&str> = place.split('.').collect();
    let [stack, "block", block, "layer", layer, ..] = parts[..] else {
        return place.into();
    };
    let block = block.parse().map_or(0, |block: usize| block + 1);
    let kind = if layer == "0" {
        "attention"
    } else {
        "feed-forward"
    };
    format!("{stack} {block}, {kind}")
}

fn largest(values: &[f32]) -> f32 {
    let largest = values.iter().fold(0f32, |most, v| most.max(v.abs()));
    if largest.is_finite() && largest > 0.0 {
        largest
    } else {
        1.0
    }
}

/// Diverging colours, centred on zero: blue below, the ground at zero, amber above.
fn shade(value: f32, scale: f32, dark: bool) -> Color32 {
    let ground = if dark {
        [22.0, 24.0, 30.0]
    } else {
        [255.0, 255.0, 255.0]
    };
    let end = match (value < 0.0, dark) {
        (true, true) => [90.0, 169.0, 240.0],
        (true, false) => [11.0, 92.0, 173.0],
        (false, true) => [240.0, 160.0, 60.0],
        (false, false) => [190.0, 90.0, 0.0],
    };
    let part = (value.abs() / scale).clamp(0.0, 1.0);
    let mix = |at: usize| (ground[at] + (end[at] - ground[at]) * part) as u8;
    Color32::from_rgb(mix(0), mix(1), mix(2))
}

fn image(matrix: &Matrix<'_>, dark: bool) -> ColorImage {
    let scale = largest(matrix.values);
    let pixels = matrix.values.iter().map(|v| shade(*v, scale, dark));
    let size = [matrix.columns, matrix.values.len() / matrix.columns];
    ColorImage::new(size, pixels.collect())
}

/// A_1 … A_n, then s as one strip of columns, t as one strip of rows, then W lying down.
fn matrices(p: &Projection) -> Vec<(Vec<f32>, usize)> {
    let mut all = Vec::new();
    if p.n > 0 {
        let square = p.n * p.n;
        all.extend(p.rule.chunks(square).map(|a| (a.to_vec(), p.n)));
        // s: [n, input/n, rank] as n·rank rows, so that each strip lies along the width.
        let rows = p.input / p.n;
        let s = (0..p.n * p.rank).flat_map(|row| {
            let (i, rho) = (row / p.rank, row % p.rank);
            (0..rows).map(move |at| (i * rows + at) * p.rank + rho)
        });
        all.push((s.filter_map(|at| p.s.get(at).copied()).collect(), rows));
        all.push((p.t.clone(), p.output / p.n)); // [n·rank, output/n]
    }
    all.push(lying(&p.w, p.input, p.output));
    all
}

/// W with its longer side across.
fn lying(w: &[f32], input: usize, output: usize) -> (Vec<f32>, usize) {
    if output >= input {
        return (w.to_vec(), output);
    }
    let turned = (0..output).flat_map(|col| (0..input).map(move |row| row * output + col));
    (turned.filter_map(|at| w.get(at).copied()).collect(), input)
}

fn paint_all(ui: &Ui, projection: &Projection, pictures: &mut Pictures) {
    let dark = ui.visuals().dark_mode;
    let all = matrices(projection);
    pictures.textures.truncate(all.len());
    for (at, (values, columns)) in all.iter().enumerate() {
        if *columns == 0 || values.is_empty() {
            continue;
        }
        let image = image(
            &Matrix {
                values,
                columns: *columns,
            },
            dark,
        );
        match pictures.textures.get_mut(at) {
            Some(texture) => texture.set(image, TextureOptions::NEAREST),
            None => {
                let name = format!("layer {at}");
                let texture = ui.ctx().load_texture(name, image, TextureOptions::NEAREST);
                pictures.textures.push(texture);
            }
        }
    }
}

fn draw(ui: &mut Ui, p: &Projection, pictures: &Pictures) {
    let width = ui.available_width();
    let mut textures = pictures.textures.iter();
    if p.n > 0 {
        let rule = of_theme(RULE, ui);
        let fast = of_theme(FAST, ui);
        let range = largest(&p.rule);
        ui.label(weak(format!(
            "A: {0} squares of {0} × {0}, shared by all layers, ± {range:.2e}",
            p.n
        )));
        let side = ((width + 4.0) / p.n.max(4) as f32 - 4.0).min(72.0);
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
            for texture in textures.by_ref().take(p.n) {
                picture(ui, texture, vec2(side, side), rule);
            }
        });
        let strip = |rows: usize| vec2(width, (8.0 * rows as f32).min(64.0));
        let rows = p.n * p.rank;
        ui.label(weak(format!(
            "s: {rows} strips of {}, this layer's own, ± {:.2e}",
            p.input / p.n,
            largest(&p.s)
        )));
        if let Some(texture) = textures.next() {
            picture(ui, texture, strip(rows), fast);
        }
        ui.label(weak(format!(
            "t: {rows} strips of {}, ± {:.2e}",
            p.output / p.n,
            largest(&p.t)
        )));
        if let Some(texture) = textures.next() {
            picture(ui, texture, strip(rows), fast);
        }
    }
    let sum = of_theme((ACCENT[0], ACCENT[1]), ui);
    let (long, short) = (p.input.max(p.output), p.input.min(p.output));
    ui.label(weak(format!(
        "W: {} × {} numbers, ± {:.2e}",
        p.input,
        p.output,
        largest(&p.w)
    )));
    let height = (width * short as f32 / long as f32).clamp(72.0, 200.0);
    if let Some(texture) = textures.next() {
        picture(ui, texture, vec2(width, height), sum);
    }
}

/// A texture with a thin frame in the colour of its symbol.
fn picture(ui: &mut Ui, texture: &TextureHandle, size: Vec2, frame: Color32) {
    let (area, _) = ui.allocate_exact_size(size, Sense::hover());
    let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    ui.painter()
        .image(texture.id(), area, whole, Color32::WHITE);
    let stroke = (1.0, frame);
    let inside = eframe::egui::StrokeKind::Inside;
    ui.painter().rect_stroke(area, 1.0, stroke, inside);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_said_in_words() {
        assert_eq!(
            readable("encoder.block.2.layer.1.adapter"),
            "encoder 3, feed-forward"
        );
        assert_eq!(
            readable("decoder.block.0.layer.0.adapter"),
            "decoder 1, attention"
        );
        assert_eq!(readable("elsewhere"), "elsewhere");
    }

    #[test]
    fn every_factor_has_its_picture() {
        let p = Projection {
            place: String::new(),
            side: Side::Down,
            input: 4,
            output: 2,
            n: 2,
            rank: 1,
            rule: (0..8).map(|v| v as f32).collect(),
            s: vec![1.0, 2.0, 3.0, 4.0],
            t: vec![5.0, 6.0],
            w: (0..8).map(|v| v as f32).collect(),
        };
        let all = matrices(&p);
        assert_eq!(all.len(), 5);
        assert_eq!(all[1], (vec![4.0, 5.0, 6.0, 7.0], 2));
        assert_eq!(all[2], (vec![1.0, 2.0, 3.0, 4.0], 2));
        // W lies down: its four rows are the columns now.
        assert_eq!(all[4], (vec![0.0, 2.0, 4.0, 6.0, 1.0, 3.0, 5.0, 7.0], 4));
    }

    #[test]
    fn zero_is_the_ground_and_the_sign_is_seen() {
        for dark in [true, false] {
            let zero = shade(0.0, 1.0, dark);
            let (below, above) = (shade(-1.0, 1.0, dark), shade(1.0, 1.0, dark));
            assert!(zero != below && zero != above && below != above);
        }
        assert_eq!(largest(&[f32::NAN, 0.0]), 1.0);
    }
}

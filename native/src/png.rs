//! A picture as PNG.

use anyhow::{Context, Result};
use compacter_core::figure::{Anchor, Picture, Shape};
use std::io::Write;
use tiny_skia::{Color, FillRule, Paint, Path, PathBuilder, Pixmap, Stroke, StrokeDash, Transform};
use ttf_parser::{Face, OutlineBuilder};

/// Pixels a point: sharp in a paper, where a column is some 250 points wide.
const SCALE: f32 = 3.0;

/// The picture in pixels, three to a point.
pub(crate) fn png(picture: &Picture) -> Result<Vec<u8>> {
    let face = Face::parse(compacter_assets::FONT, 0).context("the bundled font")?;
    let [width, height] = picture
        .size
        .map(|points| (points as f32 * SCALE).ceil() as u32);
    let mut pixels = Pixmap::new(width, height).context("the picture has no size")?;
    pixels.fill(colour(picture.ground, 1.0));
    for shape in &picture.shapes {
        draw(&mut pixels, shape, &face);
    }
    encode(&pixels)
}

fn colour(rgb: u32, opacity: f64) -> Color {
    let [_, red, green, blue] = rgb.to_be_bytes();
    Color::from_rgba8(
        red,
        green,
        blue,
        (255.0 * opacity.clamp(0.0, 1.0)).round() as u8,
    )
}

fn draw(pixels: &mut Pixmap, shape: &Shape, face: &Face<'_>) {
    let scale = Transform::from_scale(SCALE, SCALE);
    let fill = |pixels: &mut Pixmap, path: Option<Path>, rgb: u32, opacity: f64| {
        let Some(path) = path else { return };
        let mut paint = Paint::default();
        paint.set_color(colour(rgb, opacity));
        pixels.fill_path(&path, &paint, FillRule::Winding, scale, None);
    };
    match shape {
        Shape::Line {
            points,
            colour: rgb,
            width,
            dash,
        } => {
            let Some(path) = corners(points, false) else {
                return;
            };
            let mut paint = Paint::default();
            paint.set_color(colour(*rgb, 1.0));
            let stroke = Stroke {
                width: *width as f32,
                dash: dash
                    .and_then(|[dash, gap]| StrokeDash::new(vec![dash as f32, gap as f32], 0.0)),
                ..Stroke::default()
            };
            pixels.stroke_path(&path, &paint, &stroke, scale, None);
        }
        Shape::Area {
            points,
            colour,
            opacity,
        } => fill(pixels, corners(points, true), *colour, *opacity),
        Shape::Circle {
            at: [x, y],
            radius,
            colour,
            opacity,
            ..
        } => {
            let path = PathBuilder::from_circle(*x as f32, *y as f32, *radius as f32);
            fill(pixels, path, *colour, *opacity);
        }
        Shape::Text {
            at,
            anchor,
            colour,
            upwards,
            words,
        } => {
            let path = letters(face, words, *anchor, *upwards, *at);
            fill(pixels, path, *colour, 1.0);
        }
    }
}

fn corners(points: &[[f64; 2]], closed: bool) -> Option<Path> {
    let mut builder = PathBuilder::new();
    for (index, [x, y]) in points.iter().enumerate() {
        match index {
            0 => builder.move_to(*x as f32, *y as f32),
            _ => builder.line_to(*x as f32, *y as f32),
        }
    }
    if closed {
        builder.close();
    }
    builder.finish()
}

/// The outlines of a line of text; a letter that the font has not is left blank.
fn letters(
    face: &Face<'_>,
    words: &str,
    anchor: Anchor,
    upwards: bool,
    [x, y]: [f64; 2],
) -> Option<Path> {
    let size = Picture::TEXT as f32 / f32::from(face.units_per_em());
    let mut outline = Outline {
        builder: PathBuilder::new(),
        pen: 0.0,
    };
    for letter in words.chars() {
        let glyph = face.glyph_index(letter).unwrap_or_default();
        if glyph.0 != 0 {
            face.outline_glyph(glyph, &mut outline);
        }
        outline.pen += f32::from(face.glyph_hor_advance(glyph).unwrap_or(0));
    }
    let back = match anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => outline.pen / 2.0,
        Anchor::End => outline.pen,
    };
    let turned = if upwards { -90.0 } else { 0.0 };
    // A font's y goes upwards, a picture's downwards.
    let place = Transform::from_translate(-back, 0.0)
        .post_scale(size, -size)
        .post_rotate(turned)
        .post_translate(x as f32, y as f32);
    outline.builder.finish()?.transform(place)
}

/// A path in the font's units, one letter beside the other.
struct Outline {
    builder: PathBuilder,
    pen: f32,
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.builder.move_to(self.pen + x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.builder.line_to(self.pen + x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.builder.quad_to(self.pen + x1, y1, self.pen + x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let pen = self.pen;
        self.builder
            .cubic_to(pen + x1, y1, pen + x2, y2, pen + x, y);
    }

    fn close(&mut self) {
        self.builder.close();
    }
}

/// The PNG file: 8 bits a channel without transparency, since the ground covers all of it.
fn encode(pixels: &Pixmap) -> Result<Vec<u8>> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut head = Vec::new();
    head.extend(pixels.width().to_be_bytes());
    head.extend(pixels.height().to_be_bytes());
    // Bits a channel, colour type RGB, deflate, no adaptive filter type but the one, no interlace.
    head.extend([8, 2, 0, 0, 0]);
    chunk(&mut file, b"IHDR", &head);
    // Pixels a metre, so that programs place it at its size in points (72 to an inch).
    let density = (72.0 * SCALE / 0.0254).round() as u32;
    let mut physical = density.to_be_bytes().repeat(2);
    physical.push(1);
    chunk(&mut file, b"pHYs", &physical);
    let level = flate2::Compression::best();
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), level);
    for row in pixels.pixels().chunks(pixels.width() as usize) {
        let rgb = row
            .iter()
            .flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]);
        // Each row begins with its filter: none.
        let row: Vec<u8> = std::iter::once(0).chain(rgb).collect();
        packed.write_all(&row)?;
    }
    chunk(&mut file, b"IDAT", &packed.finish()?);
    chunk(&mut file, b"IEND", &[]);
    Ok(file)
}

fn chunk(file: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    file.extend((data.len() as u32).to_be_bytes());
    file.extend(name);
    file.extend(data);
    let mut crc = flate2::Crc::new();
    crc.update(name);
    crc.update(data);
    file.extend(crc.sum().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        Picture {
            size: [20.0, 10.0],
            ground: 0xffffff,
            shapes: vec![
                Shape::Area {
                    points: vec![[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]],
                    colour: 0xff0000,
                    opacity: 1.0,
                },
                Shape::Text {
                    at: [20.0, 9.0],
                    anchor: Anchor::End,
                    colour: 0x0000ff,
                    upwards: false,
                    words: "I".into(),
                },
            ],
        }
    }

    /// The rows of pixels, unpacked.
    fn unpack(file: &[u8]) -> Vec<u8> {
        let start = file.windows(4).position(|name| name == b"IDAT").unwrap();
        let size = u32::from_be_bytes(file[start - 4..start].try_into().unwrap()) as usize;
        let mut rows = Vec::new();
        let mut packed = flate2::write::ZlibDecoder::new(&mut rows);
        packed
            .write_all(&file[start + 4..start + 4 + size])
            .unwrap();
        packed.finish().unwrap();
        rows
    }

    #[test]
    fn areas_and_letters_are_pixels() {
        let file = png(&picture()).unwrap();
        assert!(file.starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x3c\0\0\0\x1e"));
        assert!(file.ends_with(b"IEND\xae\x42\x60\x82"));
        let rows = unpack(&file);
        assert_eq!(rows.len(), 30 * (1 + 3 * 60));
        let pixel = |x: usize, y: usize| &rows[y * 181 + 1 + 3 * x..][..3];
        assert_eq!(pixel(5, 5), [255, 0, 0]);
        assert_eq!(pixel(33, 2), [255, 255, 255]);
        let blue = rows.chunks(181).flat_map(|row| row[1..].chunks(3));
        assert!(blue.filter(|rgb| *rgb == [0, 0, 255]).count() > 20);
    }
}

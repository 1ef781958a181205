//! Pictures as PNG, two pixels a point.

use super::{Anchor, CHARACTER, Picture, Rgb, Shape, font};

/// Pixels a point.
const SCALE: f64 = 2.0;

/// The picture as one PNG file.
#[must_use]
pub fn png(picture: &Picture) -> Vec<u8> {
    let width = (picture.width * SCALE).ceil() as usize;
    let height = (picture.height * SCALE).ceil() as usize;
    let mut raster = Raster { width, height, pixels: vec![255; width * height * 3] };
    for shape in &picture.shapes {
        raster.draw(shape);
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut file| {
        file.write_image_data(&raster.pixels)?;
        file.finish()
    });
    written.expect("writing to memory with the right number of bytes cannot fail");
    bytes
}

struct Raster {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Raster {
    fn draw(&mut self, shape: &Shape) {
        match shape {
            Shape::Box { at, fill } => self.fill(*at, *fill),
            Shape::Line { points, width, colour } => {
                for ends in points.windows(2) {
                    self.stroke(ends[0], ends[1], *width / 2.0, *colour);
                }
            }
            Shape::Dot { at, radius, fill } => self.stroke(*at, *at, *radius, *fill),
            Shape::Text { at, anchor, colour, text } => self.text(*at, *anchor, *colour, text),
            Shape::Cells { at: [x, y, w, h], columns, fills } => {
                let rows = fills.len().div_ceil((*columns).max(1));
                let (cell_w, cell_h) = (w / *columns as f64, h / rows as f64);
                for (at, fill) in fills.iter().enumerate() {
                    let (row, column) = (at / columns, at % columns);
                    let left = x + column as f64 * cell_w;
                    self.fill([left, y + row as f64 * cell_h, cell_w, cell_h], *fill);
                }
            }
        }
    }

    /// Edges are rounded to pixels, so that neighbours neither overlap nor leave a gap.
    fn fill(&mut self, [x, y, w, h]: [f64; 4], colour: Rgb) {
        let pixel = |value: f64, most: usize| ((value * SCALE).round().max(0.0) as usize).min(most);
        for row in pixel(y, self.height)..pixel(y + h, self.height) {
            for column in pixel(x, self.width)..pixel(x + w, self.width) {
                self.blend(column, row, colour, 1.0);
            }
        }
    }

    /// Everything within `reach` of a line, with soft edges.
    fn stroke(&mut self, from: (f64, f64), to: (f64, f64), reach: f64, colour: Rgb) {
        let (ax, ay) = (from.0 * SCALE, from.1 * SCALE);
        let (bx, by) = (to.0 * SCALE, to.1 * SCALE);
        let reach = reach * SCALE;
        let low = |left: f64, right: f64| (left.min(right) - reach - 1.0).floor().max(0.0) as usize;
        let high = |left: f64, right: f64, most: usize| {
            ((left.max(right) + reach + 1.0).ceil().max(0.0) as usize).min(most)
        };
        let length = (bx - ax).powi(2) + (by - ay).powi(2);
        for row in low(ay, by)..high(ay, by, self.height) {
            for column in low(ax, bx)..high(ax, bx, self.width) {
                let (x, y) = (column as f64 + 0.5, row as f64 + 0.5);
                let along = if length > 0.0 {
                    (((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length).clamp(0.0, 1.0)
                } else {
                    0.0
                };
                let (near_x, near_y) = (ax + along * (bx - ax), ay + along * (by - ay));
                let far = (x - near_x).hypot(y - near_y);
                self.blend(column, row, colour, (reach + 0.5 - far).clamp(0.0, 1.0));
            }
        }
    }

    fn text(&mut self, at: (f64, f64), anchor: Anchor, colour: Rgb, text: &str) {
        let width = text.chars().count() as f64 * CHARACTER;
        let left = match anchor {
            Anchor::Start => at.0,
            Anchor::Middle => at.0 - width / 2.0,
            Anchor::End => at.0 - width,
        };
        for (place, character) in text.chars().enumerate() {
            for (column, bits) in font::glyph(character).into_iter().enumerate() {
                for row in (0..8).filter(|row| bits >> row & 1 == 1) {
                    // Whole points, so that every dot of the face is a full square.
                    let x = (left + place as f64 * CHARACTER).round() + column as f64;
                    let y = at.1.round() - 7.0 + f64::from(row);
                    self.fill([x, y, 1.0, 1.0], colour);
                }
            }
        }
    }

    fn blend(&mut self, column: usize, row: usize, colour: Rgb, part: f64) {
        let at = (row * self.width + column) * 3;
        for (pixel, to) in self.pixels[at..at + 3].iter_mut().zip([colour.0, colour.1, colour.2]) {
            let from = f64::from(*pixel);
            *pixel = (from + (f64::from(to) - from) * part).round() as u8;
        }
    }
}

//! Heat maps over time: panels one below the other on a common time axis.

use super::{ABSENT, Anchor, FAINT, INK, Picture, Rgb, Shape, axis, line, scale, text};
use crate::tensor::Tensor;

/// One heat map.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What it shows: `read.w`.
    pub title: String,
    /// What its rows are: `location`, `channel`.
    pub rows: String,
    /// [T, rows]; NaN where there is nothing to show.
    pub values: Tensor,
    /// The numbers at both ends of the colour scale; `None`: the smallest and largest value.
    pub range: Option<(f64, f64)>,
}

const LEFT: f64 = 62.0;
const RIGHT: f64 = 74.0;
const TOP: f64 = 40.0;
/// Room for the title of a panel.
const GAP: f64 = 34.0;
const BOTTOM: f64 = 46.0;

/// Width of a character of a title.
const LETTER: f64 = 6.2;

/// Panels with the same number of steps, under one title.
#[must_use]
pub fn heat(title: &str, panels: &[Panel]) -> Picture {
    let steps = panels.iter().map(|panel| panel.values.shape()[0]).max().unwrap_or(1).max(1);
    let cell = (560.0 / steps as f64).clamp(2.0, 16.0);
    let inner = (cell * steps as f64).max(200.0);
    let width = (LEFT + inner + RIGHT).max(LEFT + title.chars().count() as f64 * LETTER + 8.0);
    let mut shapes = vec![text((LEFT, 18.0), Anchor::Start, title)];
    let mut top = TOP;
    for panel in panels {
        let rows = panel.values.shape()[1].max(1);
        let height = rows as f64 * (200.0 / rows as f64).clamp(2.0, 12.0);
        let at = [LEFT, top + 8.0, inner, height];
        shapes.push(text((LEFT, top), Anchor::Start, panel.title.as_str()));
        draw(panel, at, &mut shapes);
        top += 8.0 + height + GAP;
    }
    let bottom = top - GAP;
    for tick in axis::ticks(0.0, (steps - 1) as f64, 12, true) {
        let x = LEFT + (tick + 0.5) * inner / steps as f64;
        shapes.push(line(&[(x, bottom), (x, bottom + 4.0)], 1.0, INK));
        shapes.push(text((x, bottom + 15.0), Anchor::Middle, axis::short(tick)));
    }
    shapes.push(text((LEFT + inner / 2.0, bottom + 32.0), Anchor::Middle, "time step"));
    Picture { width, height: bottom + BOTTOM, shapes }
}

fn draw(panel: &Panel, at: [f64; 4], shapes: &mut Vec<Shape>) {
    let [left, top, width, height] = at;
    let (low, high) = panel.range.unwrap_or_else(|| extent(&panel.values));
    let (steps, rows) = (panel.values.shape()[0], panel.values.shape()[1]);
    let colour = |row: usize, step: usize| match panel.values[[step, row]] {
        value if value.is_nan() => ABSENT,
        value if high > low => scale((value - low) / (high - low)),
        _ => scale(0.0),
    };
    let fills: Vec<Rgb> =
        (0..rows).flat_map(|row| (0..steps).map(move |step| colour(row, step))).collect();
    shapes.push(Shape::Cells { at, columns: steps, fills });
    let right = left + width;
    let frame =
        [(left, top), (right, top), (right, top + height), (left, top + height), (left, top)];
    shapes.push(line(&frame, 1.0, FAINT));
    for tick in axis::ticks(0.0, (rows - 1) as f64, (height / 24.0) as usize + 1, true) {
        let y = top + (tick + 0.5) * height / rows as f64;
        shapes.push(line(&[(left - 4.0, y), (left, y)], 1.0, INK));
        shapes.push(text((left - 7.0, y + 3.5), Anchor::End, axis::short(tick)));
    }
    shapes.push(text((right, top - 8.0), Anchor::End, panel.rows.as_str()));
    bar([right + 12.0, top, 10.0, height], (low, high), shapes);
}

/// The colours with the numbers they stand for.
fn bar(at: [f64; 4], (low, high): (f64, f64), shapes: &mut Vec<Shape>) {
    let [left, top, width, height] = at;
    let levels = 64;
    let fills = (0..levels).rev().map(|level| scale(f64::from(level) / f64::from(levels - 1)));
    shapes.push(Shape::Cells { at, columns: 1, fills: fills.collect() });
    let label = |y, value| text((left + width + 4.0, y), Anchor::Start, axis::short(value));
    shapes.push(label(top + 7.0, high));
    if height > 24.0 {
        shapes.push(label(top + height, low));
    }
}

fn extent(values: &Tensor) -> (f64, f64) {
    let known = values.iter().filter(|value| value.is_finite());
    let (low, high) = known.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(*value), high.max(*value))
    });
    if low <= high { (low, high) } else { (0.0, 1.0) }
}

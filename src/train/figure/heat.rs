//! Heat maps: panels side by side and one below the other, each with its axes and its scale of colours.

use super::scale::Scale;
use super::{ABSENT, Anchor, CHARACTER, FAINT, INK, Picture, Rgb, Shape, axis, line, text};
use crate::tensor::Tensor;

/// One heat map.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What it shows: `read.w`.
    pub title: String,
    /// What its rows are: `location`, `channel`.
    pub rows: String,
    /// What its columns are: `time step`.
    pub columns: String,
    /// [columns, rows]; NaN where there is nothing to show.
    pub values: Tensor,
    /// The numbers at both ends of the scale; what lies beyond them is marked. `None`: from the values.
    pub range: Option<(f64, f64)>,
    /// Cells to cross, each a column and a row.
    pub marks: Vec<[usize; 2]>,
}

impl Panel {
    /// Something over time: [T, rows].
    #[must_use]
    pub fn over_time(title: &str, rows: &str, values: Tensor, range: Option<(f64, f64)>) -> Panel {
        let (title, rows, columns) = (title.to_owned(), rows.to_owned(), "time step".to_owned());
        Panel { title, rows, columns, values, range, marks: Vec::new() }
    }

    fn shape(&self) -> (usize, usize) {
        (self.values.shape()[0], self.values.shape()[1])
    }
}

/// Room for numbers left of a map.
const LEFT: f64 = 44.0;
/// Room for the scale right of a map.
const RIGHT: f64 = 66.0;
/// Room for the title of the picture.
const TOP: f64 = 28.0;
/// Room for the title of a panel.
const HEAD: f64 = 20.0;
/// Room below a panel without an axis of its own.
const GAP: f64 = 14.0;
/// Room for the axis below a map.
const AXIS: f64 = 40.0;
/// Width of a character of text in the browser's face, a little more than in ours.
const LETTER: f64 = 6.2;

/// How large the map of a panel is.
fn extent(panel: &Panel, inner: f64) -> (f64, f64) {
    let (columns, rows) = panel.shape();
    let cell = (inner / columns.max(1) as f64).clamp(1.0, 16.0);
    let row = (200.0 / rows.max(1) as f64).clamp(1.0, 12.0);
    (cell * columns.max(1) as f64, row * rows.max(1) as f64)
}

/// Panels in columns, under one title; the map of a panel is at most `inner` wide where its steps allow.
#[must_use]
pub fn heat(title: &str, columns: &[Vec<Panel>], inner: f64) -> Picture {
    let head =
        |panel: &Panel| (panel.title.chars().count() + panel.rows.chars().count() + 2) as f64;
    let width = |column: &Vec<Panel>| {
        let widest = column.iter().map(|panel| extent(panel, inner).0.max(head(panel) * LETTER));
        widest.fold(0.0, f64::max)
    };
    let count = columns.iter().map(Vec::len).max().unwrap_or(0);
    let top = if title.is_empty() { 4.0 } else { TOP };
    let mut shapes = Vec::new();
    let mut y = top;
    let mut right: f64 = 0.0;
    for row in 0..count {
        let panels = columns.iter().filter_map(|column| column.get(row));
        let height = panels.map(|panel| extent(panel, inner).1).fold(0.0, f64::max);
        let mut x = LEFT;
        // Neighbours share the room below, so that their maps end at the same height.
        let axes = columns.iter().any(|column| has_axis(column, row));
        for column in columns {
            if let Some(panel) = column.get(row) {
                let (wide, high) = extent(panel, inner);
                let at = [x, y + HEAD, wide, high];
                draw(panel, at, has_axis(column, row), &mut shapes);
            }
            x += width(column) + RIGHT + LEFT;
        }
        right = right.max(x - LEFT);
        y += HEAD + height + if axes { AXIS } else { GAP };
    }
    if !title.is_empty() {
        shapes.push(text((LEFT, 14.0), Anchor::Start, title));
        right = right.max(LEFT + title.chars().count() as f64 * LETTER + 8.0);
    }
    Picture { width: right, height: y, shapes }
}

/// A panel shares the axis of the one below it where both have the same columns.
fn has_axis(column: &[Panel], row: usize) -> bool {
    let Some(panel) = column.get(row) else { return false };
    column.get(row + 1).is_none_or(|next| {
        next.columns != panel.columns || next.values.shape()[0] != panel.values.shape()[0]
    })
}

fn draw(panel: &Panel, at: [f64; 4], axis: bool, shapes: &mut Vec<Shape>) {
    let [left, top, width, height] = at;
    let (columns, rows) = panel.shape();
    let scale = Scale::of(&panel.values, panel.range);
    let colour = |row: usize, column: usize| match panel.values[[column, row]] {
        value if value.is_nan() => ABSENT,
        value => scale.colour(value),
    };
    let fills: Vec<Rgb> =
        (0..rows).flat_map(|row| (0..columns).map(move |column| colour(row, column))).collect();
    shapes.push(Shape::Cells { at, columns, fills });
    let right = left + width;
    let frame =
        [(left, top), (right, top), (right, top + height), (left, top + height), (left, top)];
    shapes.push(line(&frame, 1.0, FAINT));
    cross(panel, at, shapes);
    shapes.push(text((left, top - 6.0), Anchor::Start, panel.title.as_str()));
    let label = panel.title.chars().count() + panel.rows.chars().count() + 2;
    let end = right.max(left + label as f64 * LETTER);
    shapes.push(text((end, top - 6.0), Anchor::End, panel.rows.as_str()));
    for tick in axis::ticks(0.0, (rows.max(1) - 1) as f64, (height / 24.0) as usize + 1, true) {
        let y = top + (tick + 0.5) * height / rows as f64;
        shapes.push(line(&[(left - 4.0, y), (left, y)], 1.0, INK));
        shapes.push(text((left - 7.0, y + 3.5), Anchor::End, axis::short(tick)));
    }
    if axis {
        below(panel, at, shapes);
    }
    legend(&scale, [right + 10.0, top, 10.0, height], shapes);
}

/// The numbers below a map.
fn below(panel: &Panel, [left, top, width, height]: [f64; 4], shapes: &mut Vec<Shape>) {
    let (columns, bottom) = (panel.shape().0.max(1), top + height);
    let most = ((width / 36.0) as usize).clamp(1, 12);
    for tick in axis::ticks(0.0, (columns - 1) as f64, most, true) {
        let x = left + (tick + 0.5) * width / columns as f64;
        shapes.push(line(&[(x, bottom), (x, bottom + 4.0)], 1.0, INK));
        shapes.push(text((x, bottom + 15.0), Anchor::Middle, axis::short(tick)));
    }
    // A map may be narrower than the name of its axis, which then starts where the map does.
    let name = panel.columns.as_str();
    if name.chars().count() as f64 * CHARACTER > width + LEFT {
        shapes.push(text((left, bottom + 28.0), Anchor::Start, name));
    } else {
        shapes.push(text((left + width / 2.0, bottom + 28.0), Anchor::Middle, name));
    }
}

/// Crosses over the marked cells, with a rim that shows them on every colour.
fn cross(panel: &Panel, [left, top, width, height]: [f64; 4], shapes: &mut Vec<Shape>) {
    let (columns, rows) = panel.shape();
    let (wide, high) = (width / columns.max(1) as f64, height / rows.max(1) as f64);
    let reach = (wide.min(high) * 0.3).clamp(1.0, 4.0);
    for [column, row] in &panel.marks {
        let x = left + (*column as f64 + 0.5) * wide;
        let y = top + (*row as f64 + 0.5) * high;
        for (thick, colour) in [(3.0, Rgb(255, 255, 255)), (1.4, Rgb(0xc0, 0x1c, 0x28))] {
            for (dx, dy) in [(reach, reach), (reach, -reach)] {
                let ends = [(x - dx, y - dy), (x + dx, y + dy)];
                shapes.push(line(&ends, thick * reach.min(3.0) / 3.0, colour));
            }
        }
    }
}

/// The colours with the numbers they stand for; marks for what lies beyond, where something does.
fn legend(scale: &Scale, [left, top, width, height]: [f64; 4], shapes: &mut Vec<Shape>) {
    let levels = 64;
    let colour = |level: i32| scale.at(f64::from(level) / f64::from(levels - 1));
    let fills = (0..levels).rev().map(colour).collect();
    shapes.push(Shape::Cells { at: [left, top, width, height], columns: 1, fills });
    let label = |y, words: String| text((left + width + 4.0, y), Anchor::Start, words);
    let end = |value: f64, beyond: bool, sign: &str| {
        let sign = if beyond { sign } else { "" };
        format!("{sign}{}", axis::short(value))
    };
    shapes.push(label(top + 7.0, end(scale.high, scale.above, ">")));
    if height > 22.0 {
        shapes.push(label(top + height, end(scale.low, scale.below, "<")));
        if scale.low < 0.0 && scale.high > 0.0 && height > 50.0 {
            let zero = top + height * scale.high / (scale.high - scale.low);
            shapes.push(label(zero + 3.5, "0".to_owned()));
        }
    }
    let cap = |y: f64, fill: Rgb| Shape::Box { at: [left, y, width, 4.0], fill };
    if scale.above {
        shapes.push(cap(top - 5.0, Scale::ABOVE));
    }
    if scale.below {
        shapes.push(cap(top + height + 1.0, Scale::BELOW));
    }
}

//! Pictures: a list of shapes, written as SVG or PNG from one description, and text for a terminal.
//!
//! In: numbers of a run. Out: bytes; nothing here touches a file. Invariant: equal numbers give equal
//! bytes. Lengths are in points, y grows downwards, text is 10 points of a fixed-width face.

mod axis;
mod colour;
mod curve;
mod font;
mod heat;
mod png;
mod scale;
mod svg;
pub mod terminal;

pub use colour::{Rgb, rising, signed};
pub use curve::{Curve, Series, Style, curve};
pub use heat::{Panel, heat};
pub use png::png;
pub use scale::Scale;
pub use svg::{escape, inline, svg};

/// Width of a character.
const CHARACTER: f64 = 6.0;

/// A picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Width in points.
    pub width: f64,
    /// Height in points.
    pub height: f64,
    /// What is drawn, back to front.
    pub shapes: Vec<Shape>,
}

/// One thing to draw.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A filled box.
    Box {
        /// Left, top, width, height.
        at: [f64; 4],
        /// Its colour.
        fill: Rgb,
    },
    /// Joined lines.
    Line {
        /// Their ends.
        points: Vec<(f64, f64)>,
        /// Their width.
        width: f64,
        /// Their colour.
        colour: Rgb,
    },
    /// A filled circle.
    Dot {
        /// The centre.
        at: (f64, f64),
        /// The radius.
        radius: f64,
        /// The colour.
        fill: Rgb,
    },
    /// One line of text; `at` is on its base line.
    Text {
        /// Where it starts, is centred or ends.
        at: (f64, f64),
        /// Which of these.
        anchor: Anchor,
        /// The colour.
        colour: Rgb,
        /// The text.
        text: String,
    },
    /// A grid of equal coloured boxes, row by row.
    Cells {
        /// Left, top, width, height.
        at: [f64; 4],
        /// Number of columns.
        columns: usize,
        /// One colour a cell.
        fills: Vec<Rgb>,
    },
}

/// Which point of a text is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The left end.
    Start,
    /// The middle.
    Middle,
    /// The right end.
    End,
}

/// Text and axes.
const INK: Rgb = Rgb(0x33, 0x33, 0x33);
/// What should stay in the background.
const FAINT: Rgb = Rgb(0xdd, 0xdd, 0xdd);
/// Nothing is asked here.
const ABSENT: Rgb = Rgb(0xec, 0xec, 0xec);

fn text(at: (f64, f64), anchor: Anchor, text: impl Into<String>) -> Shape {
    Shape::Text { at, anchor, colour: INK, text: text.into() }
}

fn line(points: &[(f64, f64)], width: f64, colour: Rgb) -> Shape {
    Shape::Line { points: points.to_vec(), width, colour }
}

#[cfg(test)]
mod tests;

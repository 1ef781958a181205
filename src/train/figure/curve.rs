//! Curves: how a loss falls.

use super::{Anchor, CHARACTER, FAINT, INK, Picture, Rgb, Shape, axis, line, text};

/// One line or row of dots.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its points, x ascending; what is not finite is left out.
    pub points: Vec<(f64, f64)>,
    /// How it is drawn.
    pub style: Style,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A line.
    Line,
    /// A thin line in the background.
    Thin,
    /// Dots.
    Dots,
}

/// A chart of several series on common axes that start at 0.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Above it; nothing if empty.
    pub title: String,
    /// Below it.
    pub x: String,
    /// What is measured, with its unit.
    pub y: String,
    /// What is drawn.
    pub series: Vec<Series>,
    /// Width and height of the area of the lines.
    pub size: (f64, f64),
}

/// Colours that stay apart for colour-blind eyes (Okabe and Ito 2008), a thin one for the background.
const THIN: Rgb = Rgb(0x8f, 0xb8, 0xd4);
const COLOURS: [Rgb; 4] =
    [Rgb(0x00, 0x72, 0xb2), Rgb(0xd5, 0x5e, 0x00), Rgb(0x00, 0x9e, 0x73), Rgb(0xcc, 0x79, 0xa7)];

/// Room for numbers left of the area.
const LEFT: f64 = 50.0;
/// Room for half a number right of it.
const RIGHT: f64 = 24.0;

/// The chart as a picture.
#[must_use]
pub fn curve(chart: &Curve) -> Picture {
    let (width, height) = chart.size;
    let head = if chart.title.is_empty() { 12.0 } else { 40.0 };
    let (left, top) = (LEFT, head + 30.0);
    let (right, bottom) = (left + width, top + height);
    let all = chart.series.iter().flat_map(|series| &series.points);
    let all: Vec<_> = all.filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    let high_x = all.iter().map(|(x, _)| *x).fold(0.0, f64::max).max(1e-12);
    let high_y = all.iter().map(|(_, y)| *y).fold(0.0, f64::max).max(1e-12) * 1.02;
    let place = |x: f64, y: f64| (left + x / high_x * width, bottom - y / high_y * height);
    let mut shapes = vec![
        text((left, head), Anchor::Start, chart.y.as_str()),
        text((left + width / 2.0, bottom + 30.0), Anchor::Middle, chart.x.as_str()),
    ];
    if !chart.title.is_empty() {
        shapes.push(text((left, 18.0), Anchor::Start, chart.title.as_str()));
    }
    for tick in axis::ticks(0.0, high_y, (height / 40.0) as usize, false) {
        let (_, y) = place(0.0, tick);
        shapes.push(line(&[(left, y), (right, y)], 1.0, FAINT));
        shapes.push(text((left - 7.0, y + 3.5), Anchor::End, axis::short(tick)));
    }
    for tick in axis::ticks(0.0, high_x, (width / 60.0) as usize, true) {
        let (x, _) = place(tick, 0.0);
        shapes.push(line(&[(x, bottom), (x, bottom + 4.0)], 1.0, INK));
        shapes.push(text((x, bottom + 16.0), Anchor::Middle, axis::short(tick)));
    }
    shapes.push(line(&[(left, bottom), (right, bottom)], 1.0, INK));
    let mut x = left;
    for (series, colour) in chart.series.iter().zip(colours(&chart.series)) {
        let known = series.points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
        let points: Vec<_> = known.map(|(x, y)| place(*x, *y)).collect();
        trace(&points, series.style, colour, &mut shapes);
        shapes.push(Shape::Box { at: [x, head + 9.0, 7.0, 7.0], fill: colour });
        shapes.push(text((x + 11.0, head + 16.0), Anchor::Start, series.name.as_str()));
        x += series.name.chars().count() as f64 * CHARACTER + 26.0;
    }
    Picture { width: right.max(x) + RIGHT, height: bottom + 38.0, shapes }
}

fn trace(points: &[(f64, f64)], style: Style, colour: Rgb, shapes: &mut Vec<Shape>) {
    if style == Style::Dots || points.len() == 1 {
        let dot = |at: &(f64, f64)| Shape::Dot { at: *at, radius: 2.5, fill: colour };
        shapes.extend(points.iter().map(dot));
    } else if points.len() > 1 {
        let width = if style == Style::Thin { 0.8 } else { 1.6 };
        shapes.push(line(points, width, colour));
    }
}

/// One colour a series; those in the background share one.
fn colours(series: &[Series]) -> Vec<Rgb> {
    let mut rest = COLOURS.iter().copied().cycle();
    let one = |series: &Series| match series.style {
        Style::Thin => Some(THIN),
        Style::Line | Style::Dots => rest.next(),
    };
    series.iter().filter_map(one).collect()
}

//! Curves: how a loss falls.

use super::{Anchor, CHARACTER, FAINT, INK, Picture, Rgb, Shape, axis, line, text};

/// One line or row of dots.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its points, x ascending; what is not finite is left out.
    pub points: Vec<(f64, f64)>,
    /// Whether it is drawn as dots.
    pub dots: bool,
}

/// A chart of several series on common axes that start at 0.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Above it.
    pub title: String,
    /// Below it.
    pub x: String,
    /// What is measured, with its unit.
    pub y: String,
    /// What is drawn.
    pub series: Vec<Series>,
}

/// Colours that stay apart for colour-blind eyes (Okabe and Ito 2008).
const COLOURS: [Rgb; 4] =
    [Rgb(0x00, 0x72, 0xb2), Rgb(0xd5, 0x5e, 0x00), Rgb(0x00, 0x9e, 0x73), Rgb(0xcc, 0x79, 0xa7)];

const AREA: [f64; 4] = [62.0, 56.0, 560.0, 240.0];

/// The chart as a picture.
#[must_use]
pub fn curve(chart: &Curve) -> Picture {
    let [left, top, width, height] = AREA;
    let (right, bottom) = (left + width, top + height);
    let all = chart.series.iter().flat_map(|series| &series.points);
    let all: Vec<_> = all.filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    let high_x = all.iter().map(|(x, _)| *x).fold(0.0, f64::max).max(1e-12);
    let high_y = all.iter().map(|(_, y)| *y).fold(0.0, f64::max).max(1e-12) * 1.02;
    let place = |x: f64, y: f64| (left + x / high_x * width, bottom - y / high_y * height);
    let mut shapes = vec![
        text((left, 18.0), Anchor::Start, chart.title.as_str()),
        text((left, top - 10.0), Anchor::Start, chart.y.as_str()),
        text((left + width / 2.0, bottom + 34.0), Anchor::Middle, chart.x.as_str()),
    ];
    for tick in axis::ticks(0.0, high_y, 6, false) {
        let (_, y) = place(0.0, tick);
        shapes.push(line(&[(left, y), (right, y)], 1.0, FAINT));
        shapes.push(text((left - 7.0, y + 3.5), Anchor::End, axis::short(tick)));
    }
    for tick in axis::ticks(0.0, high_x, 8, true) {
        let (x, _) = place(tick, 0.0);
        shapes.push(line(&[(x, bottom), (x, bottom + 4.0)], 1.0, INK));
        shapes.push(text((x, bottom + 16.0), Anchor::Middle, axis::short(tick)));
    }
    shapes.push(line(&[(left, bottom), (right, bottom)], 1.0, INK));
    let colours = COLOURS.iter().cycle();
    for (series, colour) in chart.series.iter().zip(colours) {
        let known = series.points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
        let points: Vec<_> = known.map(|(x, y)| place(*x, *y)).collect();
        if series.dots || points.len() == 1 {
            let dot = |at: &(f64, f64)| Shape::Dot { at: *at, radius: 2.5, fill: *colour };
            shapes.extend(points.iter().map(dot));
        } else {
            shapes.push(line(&points, 1.5, *colour));
        }
    }
    legend(&chart.series, (right, top - 10.0), &mut shapes);
    Picture { width: right + 24.0, height: bottom + 48.0, shapes }
}

/// Names with their colours, ending at `right`.
fn legend(series: &[Series], (right, base): (f64, f64), shapes: &mut Vec<Shape>) {
    let widths = series.iter().map(|one| one.name.chars().count() as f64 * CHARACTER + 24.0);
    let mut left = right - widths.sum::<f64>() + 12.0;
    for (one, colour) in series.iter().zip(COLOURS.iter().cycle()) {
        shapes.push(Shape::Box { at: [left, base - 7.0, 7.0, 7.0], fill: *colour });
        shapes.push(text((left + 12.0, base), Anchor::Start, one.name.as_str()));
        left += one.name.chars().count() as f64 * CHARACTER + 24.0;
    }
}

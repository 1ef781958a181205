//! Pictures as SVG: files with a white ground, or parts of a page that take its colours.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{ABSENT, Anchor, FAINT, INK, Picture, Rgb, Shape};

/// The picture as one SVG file.
#[must_use]
pub fn svg(picture: &Picture) -> String {
    let mut out = start(picture, 1.0);
    out.push_str("<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
    for shape in &picture.shapes {
        draw(shape, Paper::White, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

/// The picture as part of an HTML page: no ground of its own, and text and axes in the colour of the
/// page's text, so that it reads on light and dark.
#[must_use]
pub fn inline(picture: &Picture, title: &str) -> String {
    let mut out = start(picture, ON_A_PAGE);
    // Screen readers say this, browsers show it.
    let _ = writeln!(out, "<title>{}</title>", escape(title));
    for shape in &picture.shapes {
        draw(shape, Paper::Page, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

/// How much larger a picture is on a page than in a file; text is of the size of the page's then.
const ON_A_PAGE: f64 = 1.2;

fn start(picture: &Picture, larger: f64) -> String {
    let (width, height) = (number(picture.width), number(picture.height));
    let (wide, high) = (number(picture.width * larger), number(picture.height * larger));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide}\" height=\"{high}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" font-size=\"10\" \
         font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\">\n"
    )
}

/// What a picture is drawn on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paper {
    White,
    Page,
}

impl Paper {
    /// A colour for an attribute, `fill` or `stroke`.
    fn paint(self, what: &str, colour: Rgb) -> String {
        let strength = match colour {
            INK => "1",
            FAINT => "0.18",
            ABSENT => "0.08",
            _ => return format!("{what}=\"{colour}\""),
        };
        match self {
            Paper::White => format!("{what}=\"{colour}\""),
            Paper::Page => format!("{what}=\"currentColor\" {what}-opacity=\"{strength}\""),
        }
    }
}

/// Writing to a `String` cannot fail, so the results of `write!` are dropped.
fn draw(shape: &Shape, paper: Paper, out: &mut String) {
    match shape {
        Shape::Box { at: [x, y, w, h], fill } => {
            let (x, y, w, h) = (number(*x), number(*y), number(*w), number(*h));
            let fill = paper.paint("fill", *fill);
            let _ =
                writeln!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" {fill}/>");
        }
        Shape::Line { points, width, colour } => {
            let points = points.iter().map(|(x, y)| format!("{},{}", number(*x), number(*y)));
            let points: Vec<_> = points.collect();
            let _ = writeln!(
                out,
                "<polyline points=\"{}\" fill=\"none\" {} stroke-width=\"{}\" \
                 stroke-linejoin=\"round\"/>",
                points.join(" "),
                paper.paint("stroke", *colour),
                number(*width)
            );
        }
        Shape::Dot { at: (x, y), radius, fill } => {
            let (x, y, r) = (number(*x), number(*y), number(*radius));
            let fill = paper.paint("fill", *fill);
            let _ = writeln!(out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\" {fill}/>");
        }
        Shape::Text { at: (x, y), anchor, colour, text } => {
            let anchor = match anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            let _ = writeln!(
                out,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\" {}>{}</text>",
                number(*x),
                number(*y),
                paper.paint("fill", *colour),
                escape(text)
            );
        }
        Shape::Cells { at, columns, fills } => cells(*at, *columns, fills, paper, out),
    }
}

/// One path a colour, equal neighbours of a row joined: a tenth of the size of single boxes.
fn cells(at: [f64; 4], columns: usize, fills: &[Rgb], paper: Paper, out: &mut String) {
    if columns == 0 || fills.is_empty() {
        return;
    }
    let mut paths: BTreeMap<Rgb, String> = BTreeMap::new();
    for (row, colours) in fills.chunks(columns).enumerate() {
        let mut start = 0;
        for run in colours.chunk_by(|left, right| left == right) {
            let path = paths.entry(run[0]).or_default();
            let length = run.len();
            let _ = write!(path, "M{start} {row}h{length}v1h-{length}z");
            start += length;
        }
    }
    let rows = fills.len().div_ceil(columns);
    let _ = writeln!(
        out,
        "<g transform=\"translate({} {}) scale({:.5} {:.5})\" shape-rendering=\"crispEdges\">",
        number(at[0]),
        number(at[1]),
        at[2] / columns as f64,
        at[3] / rows as f64
    );
    for (colour, path) in paths {
        let _ = writeln!(out, "<path {} d=\"{path}\"/>", paper.paint("fill", colour));
    }
    out.push_str("</g>\n");
}

fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Text between tags.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

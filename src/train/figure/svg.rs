//! Pictures as SVG.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Anchor, Picture, Rgb, Shape};

/// The picture as one SVG file.
#[must_use]
pub fn svg(picture: &Picture) -> String {
    let (width, height) = (number(picture.width), number(picture.height));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-size=\"10\" \
         font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    for shape in &picture.shapes {
        draw(shape, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

/// Writing to a `String` cannot fail, so the results of `write!` are dropped.
fn draw(shape: &Shape, out: &mut String) {
    match shape {
        Shape::Box { at: [x, y, w, h], fill } => {
            let (x, y, w, h) = (number(*x), number(*y), number(*w), number(*h));
            let _ = writeln!(
                out,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" fill=\"{fill}\"/>"
            );
        }
        Shape::Line { points, width, colour } => {
            let points = points.iter().map(|(x, y)| format!("{},{}", number(*x), number(*y)));
            let points: Vec<_> = points.collect();
            let _ = writeln!(
                out,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{}\" \
                 stroke-linejoin=\"round\"/>",
                points.join(" "),
                number(*width)
            );
        }
        Shape::Dot { at: (x, y), radius, fill } => {
            let (x, y, r) = (number(*x), number(*y), number(*radius));
            let _ = writeln!(out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\" fill=\"{fill}\"/>");
        }
        Shape::Text { at: (x, y), anchor, colour, text } => {
            let anchor = match anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            let _ = writeln!(
                out,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{}</text>",
                number(*x),
                number(*y),
                escape(text)
            );
        }
        Shape::Cells { at, columns, fills } => cells(*at, *columns, fills, out),
    }
}

/// One path a colour, equal neighbours of a row joined: a tenth of the size of single boxes.
fn cells(at: [f64; 4], columns: usize, fills: &[Rgb], out: &mut String) {
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
        let _ = writeln!(out, "<path fill=\"{colour}\" d=\"{path}\"/>");
    }
    out.push_str("</g>\n");
}

fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

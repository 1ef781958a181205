//! The same for a terminal: a line chart in braille dots and heat maps in blocks, or in plain ASCII.

use super::axis;
use crate::tensor::Tensor;

/// Which characters may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letters {
    /// Braille and block characters.
    Unicode,
    /// ASCII only.
    Ascii,
}

/// Width of the numbers left of a chart.
const MARGIN: usize = 8;

/// A line chart of `width` characters with both axes from 0; empty for fewer than two points.
#[must_use]
pub fn chart(
    points: &[(f64, f64)],
    x: &str,
    width: usize,
    height: usize,
    letters: Letters,
) -> String {
    let known: Vec<_> =
        points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    if known.len() < 2 || width <= MARGIN + 4 || height == 0 {
        return String::new();
    }
    let inner = width - MARGIN - 1;
    // A braille character is two dots wide and four high.
    let (across, down) = match letters {
        Letters::Unicode => (2, 4),
        Letters::Ascii => (1, 1),
    };
    let (columns, rows) = (inner * across, height * down);
    let high_x = known.iter().map(|(x, _)| *x).fold(0.0, f64::max).max(1e-12);
    let known = thinned(&known, high_x / columns as f64);
    let high_y = known.iter().map(|(_, y)| *y).fold(0.0, f64::max).max(1e-12);
    let dot = |(x, y): (f64, f64)| {
        let column = (x / high_x * (columns - 1) as f64).round() as i64;
        let row = ((1.0 - y.max(0.0) / high_y) * (rows - 1) as f64).round() as i64;
        (column, row)
    };
    let path: Vec<_> = known.into_iter().map(dot).collect();
    let dots = raster(&path, columns, rows);
    let mut out = String::new();
    for line in 0..height {
        let label = if line == 0 {
            axis::short(high_y)
        } else if line == height - 1 {
            "0".to_owned()
        } else if line == height / 2 && height > 4 {
            axis::short(high_y * (1.0 - (line as f64 + 0.5) / height as f64))
        } else {
            String::new()
        };
        let bar = if letters == Letters::Unicode { '│' } else { '|' };
        out.push_str(&format!("{label:>MARGIN$}{bar}"));
        let text: String =
            (0..inner).map(|column| cell(&dots, line * down, column * across, letters)).collect();
        out.push_str(text.trim_end());
        out.push('\n');
    }
    let end = axis::short(high_x);
    let (corner, rule) = if letters == Letters::Unicode { ('└', "─") } else { ('+', "-") };
    out.push_str(&format!("{:>MARGIN$}{corner}{}\n", "", rule.repeat(inner)));
    let room = inner.saturating_sub(end.chars().count() + 1);
    out.push_str(&format!("{:>MARGIN$} 0{x:^room$}{end}\n", "", room = room));
    out
}

/// The dots of the lines between points, each a column and a row.
fn raster(path: &[(i64, i64)], columns: usize, rows: usize) -> Vec<Vec<bool>> {
    let mut dots = vec![vec![false; columns]; rows];
    for ends in path.windows(2) {
        let ((from_x, from_y), (to_x, to_y)) = (ends[0], ends[1]);
        let count = (to_x - from_x).abs().max((to_y - from_y).abs()).max(1);
        for at in 0..=count {
            let column = from_x + (to_x - from_x) * at / count;
            let row = from_y + (to_y - from_y) * at / count;
            dots[row as usize][column as usize] = true;
        }
    }
    dots
}

/// The mean of all points that fall into one column: with more points than columns a noisy line
/// would fill the chart.
fn thinned(points: &[(f64, f64)], width: f64) -> Vec<(f64, f64)> {
    let column = |x: f64| (x / width) as i64;
    let groups = points.chunk_by(|left, right| column(left.0) == column(right.0));
    let mean = |group: &[(f64, f64)]| {
        let count = group.len() as f64;
        let (x, y) = group.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
        (x / count, y / count)
    };
    groups.map(mean).collect()
}

fn cell(dots: &[Vec<bool>], top: usize, left: usize, letters: Letters) -> char {
    if letters == Letters::Ascii {
        return if dots[top][left] { '*' } else { ' ' };
    }
    // Dots 1 to 8 of the braille block, by row and column.
    const BITS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
    let mut bits = 0;
    for (row, pair) in BITS.iter().enumerate() {
        for (column, bit) in pair.iter().enumerate() {
            if dots[top + row][left + column] {
                bits |= bit;
            }
        }
    }
    if bits == 0 { ' ' } else { char::from_u32(0x2800 + bits).unwrap_or(' ') }
}

/// A heat map [T, rows] with time to the right, one character a number in 0..1, at most `width`
/// characters wide and `most` rows high; what is cut is said. NaN is shown as a middle dot.
#[must_use]
pub fn blocks(title: &str, values: &Tensor, width: usize, most: usize, letters: Letters) -> String {
    const INDENT: usize = 10;
    let (steps, rows) = (values.shape()[0], values.shape()[1]);
    let (columns, shown) = (steps.min(width.saturating_sub(INDENT)), rows.min(most));
    let (shades, absent) = match letters {
        Letters::Unicode => ([' ', '░', '▒', '▓', '█'], '·'),
        Letters::Ascii => ([' ', '.', ':', '+', '#'], '-'),
    };
    let mut out = String::new();
    for row in 0..shown {
        let shade = |step: usize| {
            let value = values[[step, row]];
            if value.is_nan() {
                absent
            } else {
                shades[(value.clamp(0.0, 1.0) * 4.0).round() as usize]
            }
        };
        let label = if row == 0 { title } else { "" };
        let text: String = (0..columns).map(shade).collect();
        let line = format!("{label:<INDENT$}{text}");
        out.push_str(line.trim_end());
        out.push('\n');
    }
    let mut cut = Vec::new();
    if columns < steps {
        cut.push(format!("{columns} of {steps} steps"));
    }
    if shown < rows {
        cut.push(format!("{shown} of {rows} channels"));
    }
    if !cut.is_empty() {
        out.push_str(&format!("{:INDENT$}({} shown)\n", "", cut.join(", ")));
    }
    out
}

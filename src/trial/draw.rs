//! Numbers to try: inside domains, at their edges, equal, tiny and large.
//!
//! In: a domain, a shape, a stream of random numbers. Out: numbers that lie in the domain. How a sample
//! is drawn is drawn first, so that edges meet edges.

use crate::model::flat::Sort;
use crate::model::typed::Domain;
use crate::random::Stream;

/// How numbers are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Of ordinary size, away from edges.
    Plain,
    /// 0, 1, ends of intervals, one-hot vectors.
    Edges,
    /// A few equal numbers.
    Ties,
    /// Next to nothing.
    Tiny,
    /// Far away.
    Large,
}

/// What is far away.
const FAR: f64 = 1e4;
/// What is next to nothing.
const NEAR: f64 = 1e-12;

impl Style {
    /// One of them; ordinary numbers most often.
    pub(super) fn draw(stream: &mut Stream) -> Style {
        match stream.whole(0, 7) {
            0 | 1 => Style::Edges,
            2 => Style::Ties,
            3 => Style::Tiny,
            4 => Style::Large,
            _ => Style::Plain,
        }
    }
}

/// What entries of an array must be.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub sort: Sort,
    pub domain: Domain,
    /// Sizes of one sample.
    pub sizes: Vec<usize>,
}

impl Kind {
    /// Numbers for one sample, row after row.
    pub(super) fn draw(&self, style: Style, stream: &mut Stream) -> Vec<f64> {
        let count: usize = self.sizes.iter().product();
        let width = self.sizes.last().copied().unwrap_or(1).max(1);
        match self.sort {
            Sort::Bool => (0..count).map(|_| stream.bit()).collect(),
            Sort::Int => (0..count).map(|_| f64::from(stream.whole(0, 8)) - 4.0).collect(),
            Sort::Index { below, permutation: true } => {
                (0..count / width).flat_map(|_| permutation(below, stream)).collect()
            }
            Sort::Index { below, permutation: false } => {
                (0..count).map(|_| f64::from(stream.whole(0, below.saturating_sub(1)))).collect()
            }
            Sort::Real => match &self.domain {
                Domain::Real(low, high) => {
                    (0..count).map(|_| number(*low, *high, style, stream)).collect()
                }
                Domain::Simplex => {
                    (0..count / width).flat_map(|_| simplex(width, style, stream)).collect()
                }
                Domain::Weighting => {
                    (0..count / width).flat_map(|_| weighting(width, style, stream)).collect()
                }
                Domain::Sphere => {
                    (0..count / width).flat_map(|_| sphere(width, style, stream)).collect()
                }
            },
        }
    }

    /// Simple numbers that lie in the domain, the simplest first.
    pub(super) fn simple(&self) -> Vec<Vec<f64>> {
        let count: usize = self.sizes.iter().product();
        let width = self.sizes.last().copied().unwrap_or(1).max(1);
        let rows = |row: Vec<f64>| row.iter().copied().cycle().take(count).collect::<Vec<f64>>();
        let hot: Vec<f64> = (0..width).map(|at| f64::from(u8::from(at == 0))).collect();
        match (self.sort, &self.domain) {
            (Sort::Bool | Sort::Int | Sort::Index { permutation: false, .. }, _) => {
                vec![vec![0.0; count]]
            }
            (Sort::Index { .. }, _) => vec![rows((0..width).map(|at| at as f64).collect())],
            (Sort::Real, Domain::Real(low, high)) => {
                let held = |one: &f64| {
                    low.is_none_or(|low| low <= *one) && high.is_none_or(|high| *one <= high)
                };
                [0.0, 1.0, -1.0].into_iter().filter(held).map(|one| vec![one; count]).collect()
            }
            (Sort::Real, Domain::Simplex | Domain::Sphere) => vec![rows(hot)],
            (Sort::Real, Domain::Weighting) => vec![vec![0.0; count], rows(hot)],
        }
    }
}

fn permutation(below: u32, stream: &mut Stream) -> Vec<f64> {
    let mut all: Vec<f64> = (0..below).map(f64::from).collect();
    for at in (1..all.len()).rev() {
        all.swap(at, stream.whole(0, at as u32) as usize);
    }
    all
}

/// A number between two ends.
fn number(low: Option<f64>, high: Option<f64>, style: Style, stream: &mut Stream) -> f64 {
    let clamp = |one: f64| one.max(low.unwrap_or(one)).min(high.unwrap_or(one));
    match (low, high) {
        (Some(low), Some(high)) => match style {
            Style::Plain | Style::Large => stream.uniform(low, high),
            Style::Edges => [low, high][usize::from(stream.bit() > 0.0)],
            Style::Ties => low + (high - low) * f64::from(stream.whole(0, 4)) / 4.0,
            Style::Tiny => low + (high - low) * NEAR * stream.unit(),
        },
        (low, high) => {
            // One-sided: away from the end; two-sided: to either side of 0.
            let (from, toward) = match (low, high) {
                (Some(low), _) => (low, 1.0),
                (None, Some(high)) => (high, -1.0),
                (None, None) => (0.0, if stream.bit() > 0.0 { 1.0 } else { -1.0 }),
            };
            let size = match style {
                Style::Plain => stream.normal().abs(),
                Style::Edges => stream.bit(),
                Style::Ties => f64::from(stream.whole(0, 2)),
                Style::Tiny => NEAR * stream.unit(),
                Style::Large => FAR * stream.unit(),
            };
            clamp(from + toward * size)
        }
    }
}

/// Not negative, with the sum 1.
fn simplex(width: usize, style: Style, stream: &mut Stream) -> Vec<f64> {
    let mut all: Vec<f64> = match style {
        Style::Plain => (0..width).map(|_| (1.5 * stream.normal()).exp()).collect(),
        Style::Edges => vec![0.0; width],
        Style::Ties => (0..width).map(|_| f64::from(stream.whole(0, 2))).collect(),
        Style::Tiny => (0..width).map(|_| NEAR * stream.unit()).collect(),
        Style::Large => (0..width).map(|_| (8.0 * stream.normal()).exp()).collect(),
    };
    let sum: f64 = all.iter().sum();
    let hot = stream.whole(0, width as u32 - 1) as usize;
    if sum == 0.0 {
        all[hot] = 1.0;
    } else if style == Style::Tiny {
        all[hot] = 1.0 - sum;
    }
    let sum: f64 = all.iter().sum();
    all.iter().map(|one| one / sum).collect()
}

/// Not negative, with a sum of at most 1.
fn weighting(width: usize, style: Style, stream: &mut Stream) -> Vec<f64> {
    let part = match stream.whole(0, 3) {
        0 => 1.0,
        1 if style == Style::Edges => 0.0,
        _ => stream.unit(),
    };
    simplex(width, style, stream).iter().map(|one| part * one).collect()
}

/// Of norm 1.
fn sphere(width: usize, style: Style, stream: &mut Stream) -> Vec<f64> {
    let hot = stream.whole(0, width as u32 - 1) as usize;
    let mut all: Vec<f64> = match style {
        Style::Plain | Style::Large => (0..width).map(|_| stream.normal()).collect(),
        Style::Edges => vec![0.0; width],
        Style::Ties => (0..width).map(|_| f64::from(stream.whole(0, 2)) - 1.0).collect(),
        Style::Tiny => (0..width).map(|_| NEAR * stream.unit()).collect(),
    };
    if style == Style::Tiny || all.iter().all(|one| *one == 0.0) {
        all[hot] = if stream.bit() > 0.0 { 1.0 } else { -1.0 };
    }
    let norm = all.iter().map(|one| one * one).sum::<f64>().sqrt();
    all.iter().map(|one| one / norm).collect()
}

/// By how much numbers are outside a domain, and what they are: `None` inside.
pub(super) fn outside(
    domain: &Domain,
    sizes: &[usize],
    all: &[f64],
    tolerance: f64,
) -> Option<String> {
    let width = sizes.last().copied().unwrap_or(1).max(1);
    let place = |flat: usize| {
        let mut rest = flat;
        let mut at: Vec<String> = Vec::new();
        for size in sizes.iter().rev() {
            at.insert(0, (rest % size).to_string());
            rest /= size;
        }
        if at.is_empty() { String::new() } else { format!(" at [{}]", at.join(", ")) }
    };
    let (low, high) = match domain {
        Domain::Real(low, high) => {
            (low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY))
        }
        Domain::Simplex | Domain::Weighting => (0.0, 1.0),
        Domain::Sphere => (-1.0, 1.0),
    };
    let near = |end: f64| if end.is_finite() { tolerance * end.abs().max(1.0) } else { 0.0 };
    let wrong = |one: &f64| !one.is_finite() || *one < low - near(low) || *one > high + near(high);
    if let Some(at) = all.iter().position(&wrong) {
        return Some(format!("gave {}{}", short(all[at]), place(at)));
    }
    let rows = all.chunks(width).enumerate();
    let row_place = |row: usize| {
        let inner = place(row * width);
        if sizes.len() > 1 { format!(", in the row of the entry{inner}") } else { String::new() }
    };
    for (at, row) in rows {
        let sum: f64 = row.iter().sum();
        let square: f64 = row.iter().map(|one| one * one).sum();
        let told = match domain {
            Domain::Real(..) => None,
            Domain::Simplex if (sum - 1.0).abs() > tolerance => {
                Some(format!("gave the sum {}", beside_one(sum)))
            }
            Domain::Weighting if sum > 1.0 + tolerance => {
                Some(format!("gave the sum {}", beside_one(sum)))
            }
            Domain::Sphere if (square - 1.0).abs() > tolerance => {
                Some(format!("gave the norm {}", beside_one(square.sqrt())))
            }
            Domain::Simplex | Domain::Weighting | Domain::Sphere => None,
        };
        if let Some(told) = told {
            return Some(format!("{told}{}", row_place(at)));
        }
    }
    None
}

/// A number that should be 1 and is not, however little is missing.
fn beside_one(value: f64) -> String {
    let told = short(value);
    if told != "1" {
        return told;
    }
    let sign = if value < 1.0 { '-' } else { '+' };
    format!("1 {sign} {:.1e}", (value - 1.0).abs())
}

/// A number with as many digits as people read, or all of them where fewer would be another number.
pub(super) fn short(value: f64) -> String {
    let four = format!("{value:.4e}").parse::<f64>().unwrap_or(value);
    if four == value || !value.is_finite() {
        return format!("{value}");
    }
    let plain = format!("{four}");
    if plain.len() <= 10 { plain } else { format!("{four:e}") }
}

#[cfg(test)]
mod tests {
    use super::beside_one;

    #[test]
    fn a_sum_that_is_nearly_one_says_what_is_missing() {
        assert_eq!(beside_one(1.0 - 3.2e-6), "1 - 3.2e-6");
        assert_eq!(beside_one(1.0 + 4e-7), "1 + 4.0e-7");
        assert_eq!(beside_one(2.0), "2");
    }
}

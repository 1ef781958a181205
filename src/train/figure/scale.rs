//! From numbers to colours: one scale for what is never negative, another around 0 for what has signs.

use super::colour::{Rgb, rising, signed};
use crate::tensor::Tensor;

/// The colours of one map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The number at the lower end.
    pub low: f64,
    /// The number at the upper end.
    pub high: f64,
    /// Whether some number lies below the lower end.
    pub below: bool,
    /// Whether some number lies above the upper end.
    pub above: bool,
}

/// What rounding may add to a sum of 1, as a part of the range.
const SLACK: f64 = 1e-3;
/// How far the largest number may lie beyond nearly all others before it is left outside: a single one
/// would turn all the others into one colour.
const FAR: f64 = 4.0;

impl Scale {
    /// What lies above the range.
    pub const ABOVE: Rgb = Rgb(0xff, 0x4f, 0xa3);
    /// What lies below it.
    pub const BELOW: Rgb = Rgb(0x00, 0x00, 0x00);

    /// The scale for these numbers: between the given ends, or between those that nearly all of the
    /// numbers lie in. Numbers of both signs get ends of equal size, so that 0 has the colour of nothing.
    #[must_use]
    pub fn of(values: &Tensor, range: Option<(f64, f64)>) -> Scale {
        let (low, high) = range.unwrap_or_else(|| ends(values));
        let slack = (high - low).abs() * SLACK;
        let below = values.iter().any(|value| *value < low - slack);
        let above = values.iter().any(|value| *value > high + slack);
        Scale { low, high, below, above }
    }

    /// The colour of a number; NaN is the caller's business.
    #[must_use]
    pub fn colour(&self, value: f64) -> Rgb {
        let width = self.high - self.low;
        let slack = width.abs() * SLACK;
        if value > self.high + slack {
            Scale::ABOVE
        } else if value < self.low - slack {
            Scale::BELOW
        } else if width > 0.0 {
            self.at((value - self.low) / width)
        } else {
            self.at(0.0)
        }
    }

    /// The colour of a place between both ends, 0 to 1.
    #[must_use]
    pub fn at(&self, part: f64) -> Rgb {
        if self.low < 0.0 && self.high > 0.0 { signed(2.0 * part - 1.0) } else { rising(part) }
    }
}

/// Round ends of a range that holds nearly all of the numbers.
fn ends(values: &Tensor) -> (f64, f64) {
    let mut known: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    known.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (known.first().copied(), known.last().copied()) else {
        return (0.0, 1.0);
    };
    if least >= 0.0 && most <= 1.0 && most > 0.2 {
        return (0.0, 1.0);
    }
    let mut sizes: Vec<f64> = known.iter().map(|value| value.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let nearly = sizes[(sizes.len() - 1) * 99 / 100];
    let limit = if nearly > 0.0 && sizes[sizes.len() - 1] > FAR * nearly {
        2.0 * nearly
    } else {
        f64::INFINITY
    };
    if least < 0.0 && most > 0.0 {
        let reach = most.max(-least).min(limit);
        (-reach, reach)
    } else if most > 0.0 {
        (least.min(limit / 2.0), most.min(limit))
    } else {
        (least.max(-limit), most.max(-limit / 2.0))
    }
}

//! Whole-axis primitives: they order values and hold positions, so no gradient passes.

use serde::{Deserialize, Serialize};

/// The allow-list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Opaque {
    /// Positions in ascending order of value, equal values by ascending position.
    Argsort,
    /// Positions of the `k` largest values in descending order, equal values by ascending position.
    TopK {
        /// How many.
        k: u32,
    },
}

impl Opaque {
    /// How many positions it yields along an axis of that size.
    #[must_use]
    pub fn size(self, axis: u32) -> u32 {
        match self {
            Opaque::Argsort => axis,
            Opaque::TopK { k } => k,
        }
    }

    /// The positions for one line of values; NaN sorts after every number.
    #[must_use]
    pub fn positions(self, line: &[f64]) -> Vec<u32> {
        let mut order: Vec<u32> = (0..line.len() as u32).collect();
        let value = |at: &u32| line[*at as usize];
        match self {
            Opaque::Argsort => order.sort_by(|a, b| ascending(value(a), value(b))),
            Opaque::TopK { k } => {
                order.sort_by(|a, b| descending(value(a), value(b)));
                order.truncate(k as usize);
            }
        }
        order
    }
}

fn ascending(left: f64, right: f64) -> std::cmp::Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
}

fn descending(left: f64, right: f64) -> std::cmp::Ordering {
    right.partial_cmp(&left).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
}

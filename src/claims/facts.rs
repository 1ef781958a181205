//! What is known of arrays: where their entries lie, and sums along the last axis.
//!
//! In: domains, and other facts. Out: facts that hold of every entry at every step. Invariant: a fact
//! only ever says what holds of all values that the model can give.

use crate::model::flat::Axis;
use crate::model::typed::Domain;
use crate::op::Interval;

/// What bounds of real arithmetic may be off by in floating-point arithmetic.
pub(super) const SLACK: f64 = 1e-12;

/// Known of an array.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fact {
    /// Of every entry.
    pub entry: Interval,
    /// Of every sum along the last axis.
    pub sum: Interval,
    /// Of every sum of squares along the last axis.
    pub square: Interval,
    /// What the largest entry along the last axis is at least.
    pub peak: f64,
}

impl Fact {
    /// From where the entries lie and how many there are along the last axis.
    pub(super) fn of(entry: Interval, size: f64) -> Fact {
        let count = Interval::point(size);
        let square = entry.power(2).times(count);
        Fact { entry, sum: entry.times(count), square, peak: entry.lo }
    }

    /// From a domain.
    pub(super) fn of_domain(domain: &Domain, axes: &[Axis]) -> Fact {
        let size = axes.last().map_or(1.0, |axis| f64::from(axis.size));
        let signed = Interval::new(-1.0, 1.0);
        let fact = match domain {
            Domain::Real(low, high) => {
                let low = low.unwrap_or(f64::NEG_INFINITY);
                Fact::of(Interval::new(low, high.unwrap_or(f64::INFINITY)), size)
            }
            Domain::Simplex => Fact { sum: Interval::point(1.0), ..Fact::of(Interval::UNIT, size) },
            Domain::Weighting => Fact { sum: Interval::UNIT, ..Fact::of(Interval::UNIT, size) },
            Domain::Sphere => Fact { square: Interval::point(1.0), ..Fact::of(signed, size) },
        };
        fact.completed(size)
    }

    /// With what the parts say of each other.
    pub(super) fn completed(self, size: f64) -> Fact {
        let Fact { entry, mut sum, mut square, mut peak } = self;
        let count = Interval::point(size);
        sum = sum.meet(entry.times(count));
        square = square.meet(entry.power(2).times(count));
        peak = peak.max(entry.lo);
        if size >= 1.0 {
            peak = peak.max(sum.lo / size);
        }
        if entry.lo >= -SLACK && !entry.wild && size >= 1.0 {
            // The largest entry alone is at most the sum, and the sum at least the largest entry.
            sum.lo = sum.lo.max(peak);
            square.hi = square.hi.min(sum.hi * entry.hi.max(0.0)).max(square.lo);
        }
        Fact { entry, sum, square, peak }
    }

    /// What holds where both hold.
    pub(super) fn and(self, other: Fact) -> Fact {
        Fact {
            entry: self.entry.meet(other.entry),
            sum: self.sum.meet(other.sum),
            square: self.square.meet(other.square),
            peak: self.peak.max(other.peak),
        }
    }

    /// What holds of either.
    pub(super) fn or(self, other: Fact) -> Fact {
        Fact {
            entry: self.entry.hull(other.entry),
            sum: self.sum.hull(other.sum),
            square: self.square.hull(other.square),
            peak: self.peak.min(other.peak),
        }
    }

    /// Whether everything it allows is allowed by the other, up to rounding.
    pub(super) fn within(self, other: Fact) -> bool {
        let inside = |one: Interval, all: Interval| {
            let near = |end: f64| SLACK * end.abs().max(1.0);
            (all.wild || !one.wild)
                && (one.lo >= all.lo || one.lo >= all.lo - near(all.lo))
                && (one.hi <= all.hi || one.hi <= all.hi + near(all.hi))
        };
        inside(self.entry, other.entry)
            && inside(self.sum, other.sum)
            && inside(self.square, other.square)
            && self.peak >= other.peak - SLACK
    }

    /// What may be known after more steps: ends that moved go to the next of a few numbers.
    pub(super) fn widened(self, next: Fact) -> Fact {
        let both = self.or(next);
        let widen = |old: Interval, new: Interval| {
            let near = |end: f64| SLACK * end.abs().max(1.0);
            let lo = if new.lo >= old.lo - near(old.lo) { old.lo } else { below(new.lo) };
            let hi = if new.hi <= old.hi + near(old.hi) { old.hi } else { above(new.hi) };
            Interval { lo, hi, wild: old.wild || new.wild }
        };
        Fact {
            entry: widen(self.entry, both.entry),
            sum: widen(self.sum, both.sum),
            square: widen(self.square, both.square),
            peak: if both.peak >= self.peak - SLACK { self.peak } else { below(both.peak) },
        }
    }
}

/// Ends that domains have.
const ENDS: [f64; 3] = [-1.0, 0.0, 1.0];

fn below(end: f64) -> f64 {
    let fits = ENDS.into_iter().rev().find(|one| *one <= end + SLACK);
    fits.unwrap_or(f64::NEG_INFINITY)
}

fn above(end: f64) -> f64 {
    ENDS.into_iter().find(|one| *one >= end - SLACK).unwrap_or(f64::INFINITY)
}

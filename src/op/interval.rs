//! Intervals: what can be said of a number that is not known.
//!
//! In: intervals of arguments. Out: an interval that holds every value a scalar function can have
//! there; each function stands in its row of [`super::scalar`]. Invariant: an interval that is not
//! `wild` holds every value that floating-point arithmetic gives, and none of them is NaN or infinite,
//! for arguments of ordinary size.

/// Every number between two ends, both included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The smallest; may be infinite.
    pub lo: f64,
    /// The largest; may be infinite.
    pub hi: f64,
    /// Whether the number may also be infinite or none at all (overflow, division by 0, the root of a
    /// negative number).
    pub wild: bool,
}

/// A function of intervals.
pub type Range = fn(&[Interval]) -> Interval;

/// What a divisor must stay away from 0 by.
const SMALLEST: f64 = 1e-150;
/// The size of numbers that a model computes with.
const USUAL: f64 = 1e9;
/// The largest number whose products are safe.
const LARGEST: f64 = 1e150;

impl Interval {
    /// Any number.
    pub const REAL: Interval = Interval { lo: f64::NEG_INFINITY, hi: f64::INFINITY, wild: false };
    /// Between 0 and 1.
    pub const UNIT: Interval = Interval { lo: 0.0, hi: 1.0, wild: false };
    /// Nothing is known.
    pub const WILD: Interval = Interval { lo: f64::NEG_INFINITY, hi: f64::INFINITY, wild: true };

    /// Between two ends.
    #[must_use]
    pub fn new(lo: f64, hi: f64) -> Interval {
        let lo = if lo.is_nan() { f64::NEG_INFINITY } else { lo };
        let hi = if hi.is_nan() { f64::INFINITY } else { hi };
        Interval { lo, hi, wild: false }
    }

    /// One number.
    #[must_use]
    pub fn point(value: f64) -> Interval {
        if value.is_finite() { Interval::new(value, value) } else { Interval::WILD }
    }

    /// The same, perhaps wild.
    #[must_use]
    pub fn wild_if(self, wild: bool) -> Interval {
        Interval { wild: self.wild || wild, ..self }
    }

    /// The number, if only one is possible.
    #[must_use]
    pub fn as_point(self) -> Option<f64> {
        (self.lo == self.hi && !self.wild).then_some(self.lo)
    }

    /// Everything in either.
    #[must_use]
    pub fn hull(self, other: Interval) -> Interval {
        let wild = self.wild || other.wild;
        Interval { lo: self.lo.min(other.lo), hi: self.hi.max(other.hi), wild }
    }

    /// What is in both, when both are known to hold the number: not wild if either is not.
    #[must_use]
    pub fn meet(self, other: Interval) -> Interval {
        let (lo, hi) = (self.lo.max(other.lo), self.hi.min(other.hi));
        let wild = self.wild && other.wild;
        // Rounding may leave a gap between two ends that are equal.
        if lo <= hi { Interval { lo, hi, wild } } else { Interval { lo: hi, hi: lo, wild } }
    }

    /// Whether 0 is at least `SMALLEST` away.
    #[must_use]
    pub fn excludes_zero(self) -> bool {
        !self.wild && (self.lo >= SMALLEST || self.hi <= -SMALLEST)
    }

    /// All sums.
    #[must_use]
    pub fn plus(self, other: Interval) -> Interval {
        Interval::new(self.lo + other.lo, self.hi + other.hi).wild_if(self.wild || other.wild)
    }

    /// All products.
    #[must_use]
    pub fn times(self, other: Interval) -> Interval {
        let product = |a: f64, b: f64| if a == 0.0 || b == 0.0 { 0.0 } else { a * b };
        let corners = [
            product(self.lo, other.lo),
            product(self.lo, other.hi),
            product(self.hi, other.lo),
            product(self.hi, other.hi),
        ];
        of_corners(&corners).wild_if(self.wild || other.wild)
    }

    /// One over it.
    #[must_use]
    pub fn reciprocal(self) -> Interval {
        if !self.excludes_zero() {
            return Interval::WILD;
        }
        Interval::new(1.0 / self.hi, 1.0 / self.lo)
    }

    /// A whole power.
    #[must_use]
    pub fn power(self, exponent: u8) -> Interval {
        let ends = [self.lo.powf(f64::from(exponent)), self.hi.powf(f64::from(exponent))];
        let mut range = of_corners(&ends).wild_if(self.wild);
        if exponent.is_multiple_of(2) && self.lo < 0.0 && self.hi > 0.0 {
            range.lo = 0.0;
        }
        range
    }

    /// Through a function that never falls.
    #[must_use]
    pub fn rising(self, function: impl Fn(f64) -> f64) -> Interval {
        Interval::new(function(self.lo), function(self.hi)).wild_if(self.wild)
    }
}

fn of_corners(corners: &[f64]) -> Interval {
    let least = corners.iter().copied().fold(f64::INFINITY, f64::min);
    let most = corners.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Interval::new(least, most)
}

/// The interval of a comparison that surely holds, surely does not, or neither.
fn decided(yes: bool, no: bool) -> Interval {
    match (yes, no) {
        (true, _) => Interval::point(1.0),
        (false, true) => Interval::point(0.0),
        (false, false) => Interval::UNIT,
    }
}

fn tame(v: &[Interval]) -> bool {
    v.iter().all(|one| !one.wild)
}

pub(super) fn add(v: &[Interval]) -> Interval {
    v[0].plus(v[1])
}

pub(super) fn sub(v: &[Interval]) -> Interval {
    v[0].plus(neg(&v[1..]))
}

pub(super) fn mul(v: &[Interval]) -> Interval {
    v[0].times(v[1])
}

pub(super) fn div(v: &[Interval]) -> Interval {
    let (over, under) = (v[0], v[1]);
    if !under.excludes_zero() {
        return Interval::WILD;
    }
    let corners = [over.lo / under.lo, over.lo / under.hi, over.hi / under.lo, over.hi / under.hi];
    if corners.iter().any(|one| one.is_nan()) {
        return over.times(under.reciprocal());
    }
    of_corners(&corners).wild_if(over.wild)
}

/// Of a base that is not negative; of any base where the exponent is one whole number.
pub(super) fn pow(v: &[Interval]) -> Interval {
    let (base, exponent) = (v[0], v[1]);
    if let Some(whole) = exponent.as_point()
        && (0.0..=16.0).contains(&whole)
        && whole.fract() == 0.0
    {
        return base.power(whole as u8);
    }
    if base.lo < 0.0 || (base.lo < SMALLEST && exponent.lo < 0.0) {
        return Interval::WILD;
    }
    let all = |least: f64, most: f64| {
        let (p, q) = (exponent.lo, exponent.hi);
        of_corners(&[least.powf(p), least.powf(q), most.powf(p), most.powf(q)])
    };
    // A base of ordinary size must give one.
    let usual = all(base.lo.min(USUAL), base.hi.min(USUAL));
    all(base.lo, base.hi).wild_if(!tame(v) || usual.hi > LARGEST)
}

pub(super) fn neg(v: &[Interval]) -> Interval {
    Interval { lo: -v[0].hi, hi: -v[0].lo, wild: v[0].wild }
}

pub(super) fn exp(v: &[Interval]) -> Interval {
    v[0].rising(f64::exp).wild_if(v[0].hi > 300.0)
}

pub(super) fn log(v: &[Interval]) -> Interval {
    if v[0].lo < SMALLEST { Interval::WILD } else { v[0].rising(f64::ln) }
}

pub(super) fn sqrt(v: &[Interval]) -> Interval {
    if v[0].lo < 0.0 { Interval::WILD } else { v[0].rising(f64::sqrt) }
}

pub(super) fn abs(v: &[Interval]) -> Interval {
    let least =
        if v[0].lo <= 0.0 && v[0].hi >= 0.0 { 0.0 } else { v[0].lo.abs().min(v[0].hi.abs()) };
    Interval::new(least, v[0].lo.abs().max(v[0].hi.abs())).wild_if(v[0].wild)
}

pub(super) fn max(v: &[Interval]) -> Interval {
    Interval::new(v[0].lo.max(v[1].lo), v[0].hi.max(v[1].hi)).wild_if(!tame(v))
}

pub(super) fn min(v: &[Interval]) -> Interval {
    Interval::new(v[0].lo.min(v[1].lo), v[0].hi.min(v[1].hi)).wild_if(!tame(v))
}

pub(super) fn clip(v: &[Interval]) -> Interval {
    min(&[max(&[v[0], v[1]]), v[2]])
}

pub(super) fn same(v: &[Interval]) -> Interval {
    v[0]
}

pub(super) fn select(v: &[Interval]) -> Interval {
    match v[0].as_point() {
        Some(0.0) => v[2],
        Some(_) => v[1],
        None => v[1].hull(v[2]),
    }
}

pub(super) fn lt(v: &[Interval]) -> Interval {
    decided(tame(v) && v[0].hi < v[1].lo, tame(v) && v[0].lo >= v[1].hi)
}

pub(super) fn le(v: &[Interval]) -> Interval {
    decided(tame(v) && v[0].hi <= v[1].lo, tame(v) && v[0].lo > v[1].hi)
}

pub(super) fn eq(v: &[Interval]) -> Interval {
    let apart = v[0].hi < v[1].lo || v[1].hi < v[0].lo;
    let equal = v[0].as_point().is_some() && v[0].as_point() == v[1].as_point();
    decided(equal, tame(v) && apart)
}

pub(super) fn and(v: &[Interval]) -> Interval {
    let no = |one: Interval| one.as_point() == Some(0.0);
    let yes = |one: Interval| one.as_point().is_some_and(|value| value != 0.0);
    decided(yes(v[0]) && yes(v[1]), no(v[0]) || no(v[1]))
}

pub(super) fn or(v: &[Interval]) -> Interval {
    not(&[and(&[not(&v[..1]), not(&v[1..])])])
}

pub(super) fn not(v: &[Interval]) -> Interval {
    match v[0].as_point() {
        Some(0.0) => Interval::point(1.0),
        Some(_) => Interval::point(0.0),
        None => Interval::UNIT,
    }
}

pub(super) fn wave(v: &[Interval]) -> Interval {
    Interval::new(-1.0, 1.0).wild_if(v[0].wild)
}

//! Arithmetic of indices and conditions: substitution, normal forms, and what follows from a box.
//!
//! In: indices over some axes. Out: the same positions, said over other axes or more simply. Every
//! function here is exact: it answers `None` rather than guess.

use super::{Access, Affine, Axis, Cond, Index, Port, Rel, Terms};

/// The points that a statement ranges over: a box, less the points that break a condition.
#[derive(Clone, Copy, Debug)]
pub struct Domain<'a> {
    /// Size of each axis.
    pub sizes: &'a [u32],
    /// What holds of every point.
    pub given: &'a [Cond],
}

impl Affine {
    /// How often the axis counts.
    #[must_use]
    pub fn coefficient(&self, axis: Axis) -> i64 {
        self.terms.iter().find(|(of, _)| *of == axis).map_or(0, |(_, by)| *by)
    }

    /// The rest, without one axis.
    #[must_use]
    pub fn without(&self, axis: Axis) -> Affine {
        let terms = self.terms.iter().copied().filter(|(of, _)| *of != axis).collect();
        Affine { offset: self.offset, terms }
    }

    /// The difference of two.
    #[must_use]
    pub fn minus(&self, other: &Affine) -> Affine {
        self.plus(&other.times(-1))
    }

    /// With indices for axes, where all of them are affine.
    fn compose(&self, by: &impl Fn(Axis) -> Index) -> Option<Affine> {
        self.terms.iter().try_fold(Affine::constant(self.offset), |sum, (axis, factor)| {
            match by(*axis) {
                Index::Affine(affine) => Some(sum.plus(&affine.times(*factor))),
                Index::Digit { .. } | Index::Value(_) => None,
            }
        })
    }
}

impl Index {
    /// With other indices in the place of axes, if the result is an index again.
    #[must_use]
    pub fn substitute(&self, by: &impl Fn(Axis) -> Index) -> Option<Index> {
        match self {
            Index::Affine(affine) => match affine.as_axis() {
                Some(axis) => Some(by(axis)),
                None => affine.compose(by).map(Index::Affine).or_else(|| recombine(affine, by)),
            },
            Index::Digit { of, step, radix } => match of.compose(by) {
                Some(of) => Some(Index::Digit { of, step: *step, radix: *radix }),
                None => digit_of_digits(of, *step, *radix, by),
            },
            Index::Value(port) => Some(Index::Value(*port)),
        }
    }

    /// Whether the axis occurs in it.
    #[must_use]
    pub fn uses(&self, axis: Axis) -> bool {
        match self {
            Index::Affine(of) | Index::Digit { of, .. } => of.coefficient(axis) != 0,
            Index::Value(_) => false,
        }
    }

    /// With every port moved up.
    #[must_use]
    pub fn moved(&self, ports: usize) -> Index {
        match self {
            Index::Affine(_) | Index::Digit { .. } => self.clone(),
            Index::Value(port) => Index::Value(Port(port.0 + ports as u8)),
        }
    }

    /// Whether this is its normal form wherever those are the sizes, as far as can be told at a glance.
    #[must_use]
    pub fn is_normal(&self, sizes: &[u32]) -> bool {
        match self {
            Index::Affine(affine) => {
                let domain = Domain { sizes, given: &[] };
                affine.terms.iter().all(|term| domain.is_wide(term))
            }
            Index::Digit { .. } | Index::Value(_) => false,
        }
    }

    /// The simplest index that is equal on the domain: no axes of size 1, no division or remainder
    /// that does nothing.
    #[must_use]
    pub fn normal(&self, domain: Domain<'_>) -> Index {
        match self {
            Index::Affine(affine) => Index::Affine(domain.narrow(affine)),
            Index::Digit { of, step, radix } => {
                normal_digit(&domain.narrow(of), *step, *radix, domain)
            }
            Index::Value(port) => Index::Value(*port),
        }
    }
}

/// A number put together again from its own digits: `W * (t div W mod R) + t mod W`.
fn recombine(affine: &Affine, by: &impl Fn(Axis) -> Index) -> Option<Index> {
    if affine.offset != 0 {
        return None;
    }
    let mut digits = Vec::new();
    for (axis, factor) in &affine.terms {
        match by(*axis) {
            Index::Digit { of, step, radix } => digits.push((step, *factor, of, radix)),
            Index::Affine(_) | Index::Value(_) => return None,
        }
    }
    digits.sort();
    let (step, factor, of, _) = digits.first()?.clone();
    let mut radix = 1u32;
    for (at, by, same, size) in &digits {
        let place = i64::from(radix);
        if factor != 1
            || *same != of
            || u64::from(*at) != u64::from(step) * u64::from(radix)
            || *by != place
        {
            return None;
        }
        radix = radix.checked_mul(*size)?;
    }
    Some(Index::Digit { of, step, radix })
}

/// `(of div step) mod radix` where some axis of `of` is a digit itself.
fn digit_of_digits(
    of: &Affine,
    step: u32,
    radix: u32,
    by: &impl Fn(Axis) -> Index,
) -> Option<Index> {
    if let Some(Index::Digit { of, step: inner, radix: size }) = of.as_axis().map(by) {
        let step_both = inner.checked_mul(step)?;
        if !size.is_multiple_of(step) {
            return None;
        }
        let left = size / step;
        return match left.is_multiple_of(radix) {
            true => Some(Index::Digit { of, step: step_both, radix }),
            false if left < radix => Some(Index::Digit { of, step: step_both, radix: left }),
            false => None,
        };
    }
    if step != 1 {
        return None;
    }
    // A remainder may be forgotten before another one that divides it: a roll of a roll.
    let mut sum = Affine::constant(of.offset);
    for (axis, factor) in &of.terms {
        let term = match by(*axis) {
            Index::Affine(affine) => affine,
            Index::Digit { of, step: 1, radix: size } if size.is_multiple_of(radix) => of,
            Index::Digit { .. } | Index::Value(_) => return None,
        };
        sum = sum.plus(&term.times(*factor));
    }
    Some(Index::Digit { of: sum, step: 1, radix })
}

fn normal_digit(of: &Affine, step: u32, radix: u32, domain: Domain<'_>) -> Index {
    let (divisor, whole) = (i64::from(step), i64::from(step) * i64::from(radix));
    // Whole turns do nothing.
    let turn = of.offset.rem_euclid(whole);
    let terms: Terms = of.terms.iter().copied().filter(|(_, by)| by % whole != 0).collect();
    let with = |offset| Affine { offset, terms: terms.clone() };
    let mut near = with(if 2 * turn > whole { turn - whole } else { turn });
    for of in [with(turn), with(turn - whole), of.clone()] {
        let (low, high) = domain.bounds(&of);
        if low >= 0 && high < whole {
            if let Some(quotient) = divided(&of, divisor, domain) {
                return Index::Affine(quotient);
            }
            // The turn at which the remainder does nothing reads best.
            near = of;
        }
    }
    match divided(&near, divisor, domain) {
        Some(of) if step > 1 => normal_digit(&of, 1, radix, domain),
        Some(_) | None => Index::Digit { of: near, step, radix },
    }
}

/// `of div by`, where that is affine: the part that `by` does not divide stays below it.
fn divided(of: &Affine, by: i64, domain: Domain<'_>) -> Option<Affine> {
    let even = |(_, factor): &(Axis, i64)| factor % by == 0;
    let (whole, part): (Terms, Terms) = of.terms.iter().copied().partition(even);
    let rest = Affine { offset: of.offset.rem_euclid(by), terms: part };
    let (low, high) = domain.bounds(&rest);
    let terms = whole.into_iter().map(|(axis, factor)| (axis, factor / by));
    (low >= 0 && high < by).then(|| Affine::new(of.offset.div_euclid(by), terms))
}

impl Access {
    /// Every index with other indices in the place of axes.
    #[must_use]
    pub fn substitute(&self, by: &impl Fn(Axis) -> Index) -> Option<Access> {
        self.0.iter().map(|index| index.substitute(by)).collect::<Option<_>>().map(Access)
    }

    /// Every index in its normal form.
    #[must_use]
    pub fn normal(&self, domain: Domain<'_>) -> Access {
        Access(self.0.iter().map(|index| index.normal(domain)).collect())
    }

    /// With every port moved up.
    #[must_use]
    pub fn moved(&self, ports: usize) -> Access {
        Access(self.0.iter().map(|index| index.moved(ports)).collect())
    }
}

impl Rel {
    /// What holds where this does not.
    #[must_use]
    pub fn negated(self) -> Rel {
        match self {
            Rel::Eq => Rel::Ne,
            Rel::Ne => Rel::Eq,
            Rel::Lt => Rel::Ge,
            Rel::Ge => Rel::Lt,
        }
    }
}

impl Cond {
    /// A condition on an affine function.
    #[must_use]
    pub fn of(left: Affine, rel: Rel, right: i64) -> Cond {
        Cond { left: Index::Affine(left), rel, right: Affine::constant(right) }
    }

    /// What holds where this does not.
    #[must_use]
    pub fn negated(&self) -> Cond {
        Cond { rel: self.rel.negated(), ..self.clone() }
    }

    /// Left less right, where the left side is affine.
    #[must_use]
    pub fn difference(&self) -> Option<Affine> {
        match &self.left {
            Index::Affine(left) => Some(left.minus(&self.right)),
            Index::Digit { .. } | Index::Value(_) => None,
        }
    }

    /// Whether it says something about values, not only about positions.
    #[must_use]
    pub fn is_gathered(&self) -> bool {
        self.left.port().is_some()
    }

    /// Whether the axis occurs in it.
    #[must_use]
    pub fn uses(&self, axis: Axis) -> bool {
        self.left.uses(axis) || self.right.coefficient(axis) != 0
    }

    /// With every port moved up.
    #[must_use]
    pub fn moved(&self, ports: usize) -> Cond {
        Cond { left: self.left.moved(ports), ..self.clone() }
    }

    /// With other indices in the place of axes, if the result is a condition again.
    #[must_use]
    pub fn substitute(&self, by: &impl Fn(Axis) -> Index) -> Option<Cond> {
        if let (Some(left), Some(right)) = (self.left.substitute(by), self.right.compose(by)) {
            return Some(Cond { left, rel: self.rel, right });
        }
        // One axis that becomes no affine function may stand alone on the left.
        let difference = self.difference()?;
        let odd = |(axis, _): &&(Axis, i64)| !matches!(by(*axis), Index::Affine(_));
        let (axis, sign) = *difference.terms.iter().find(odd)?;
        let rest = difference.without(axis).compose(by)?;
        match sign {
            1 => Some(Cond { left: by(axis), rel: self.rel, right: rest.times(-1) }),
            -1 => Some(below(by(axis), self.rel, rest)),
            _ => None,
        }
    }

    /// The form that equal conditions share: positive terms on the left, the rest on the right.
    #[must_use]
    pub fn normal(&self, domain: Domain<'_>) -> Cond {
        let left = self.left.normal(domain);
        let right = domain.narrow(&self.right);
        let Index::Affine(affine) = &left else { return Cond { left, rel: self.rel, right } };
        let difference = affine.minus(&right);
        let positive = difference.terms.iter().any(|(_, by)| *by > 0);
        let (plus, minus) = difference.terms.iter().copied().partition(|(_, by)| *by > 0);
        let plus = Affine { offset: 0, terms: plus };
        let minus = Affine { offset: difference.offset, terms: minus };
        match positive {
            true => Cond { left: Index::Affine(plus), rel: self.rel, right: minus.times(-1) },
            false => {
                let left = Affine { offset: 0, terms: minus.terms.clone() }.times(-1);
                below(Index::Affine(left), self.rel, Affine::constant(minus.offset))
            }
        }
    }
}

/// `right - left rel 0` with the left side kept on the left.
fn below(left: Index, rel: Rel, right: Affine) -> Cond {
    match rel {
        Rel::Eq | Rel::Ne => Cond { left, rel, right },
        Rel::Lt => Cond { left, rel: Rel::Ge, right: right.plus(&Affine::constant(1)) },
        Rel::Ge => Cond { left, rel: Rel::Lt, right: right.plus(&Affine::constant(1)) },
    }
}

impl Domain<'_> {
    /// Without axes of size 1, whose position is always 0.
    fn narrow(&self, affine: &Affine) -> Affine {
        let wide = affine.terms.iter().copied().filter(|term| self.is_wide(term));
        Affine { offset: affine.offset, terms: wide.collect() }
    }

    /// Whether an axis has more positions than 0.
    fn is_wide(&self, (axis, _): &(Axis, i64)) -> bool {
        self.sizes.get(usize::from(axis.0)) != Some(&1)
    }

    /// A lower and an upper bound of an affine function over the domain.
    #[must_use]
    pub fn bounds(&self, affine: &Affine) -> (i64, i64) {
        let (mut low, mut high) = (affine.offset, affine.offset);
        for (axis, by) in &affine.terms {
            let (first, last) = self.interval(*axis);
            low += (by * first).min(by * last);
            high += (by * first).max(by * last);
        }
        for (difference, rel) in self.differences() {
            // The same linear part, or its opposite: the condition speaks of this very function.
            let shift = affine.offset - difference.offset;
            if difference.terms == affine.terms {
                match rel {
                    Rel::Ge => low = low.max(shift),
                    Rel::Lt => high = high.min(shift - 1),
                    Rel::Eq => (low, high) = (low.max(shift), high.min(shift)),
                    Rel::Ne => {}
                }
            } else if difference.times(-1).terms == affine.terms {
                let shift = affine.offset + difference.offset;
                match rel {
                    Rel::Ge => high = high.min(shift),
                    Rel::Lt => low = low.max(shift + 1),
                    Rel::Eq => (low, high) = (low.max(shift), high.min(shift)),
                    Rel::Ne => {}
                }
            }
        }
        (low, high)
    }

    /// First and last position along an axis, as far as conditions on that axis alone tell.
    fn interval(&self, axis: Axis) -> (i64, i64) {
        let (mut first, mut last) = (0, i64::from(self.sizes[usize::from(axis.0)]) - 1);
        for (difference, rel) in self.differences() {
            let (at, up) = match difference.terms[..] {
                [(of, 1)] if of == axis => (-difference.offset, true),
                [(of, -1)] if of == axis => (difference.offset, false),
                _ => continue,
            };
            match (rel, up) {
                (Rel::Ge, true) => first = first.max(at),
                (Rel::Lt, true) => last = last.min(at - 1),
                (Rel::Ge, false) => last = last.min(at),
                (Rel::Lt, false) => first = first.max(at + 1),
                (Rel::Eq, _) => (first, last) = (first.max(at), last.min(at)),
                (Rel::Ne, _) if at == first => first += 1,
                (Rel::Ne, _) if at == last => last -= 1,
                (Rel::Ne, _) => {}
            }
        }
        (first, last)
    }

    fn differences(&self) -> impl Iterator<Item = (Affine, Rel)> + '_ {
        self.given.iter().filter_map(|cond| cond.difference().map(|affine| (affine, cond.rel)))
    }

    /// Whether the condition holds at every point, at none, or neither can be said.
    #[must_use]
    pub fn decide(&self, cond: &Cond) -> Option<bool> {
        if self.given.contains(cond) {
            return Some(true);
        }
        if self.given.contains(&cond.negated()) {
            return Some(false);
        }
        let (low, high) = match &cond.left {
            Index::Affine(left) => self.bounds(&left.minus(&cond.right)),
            Index::Digit { radix, .. } => {
                let (low, high) = self.bounds(&cond.right);
                (-high, i64::from(*radix) - 1 - low)
            }
            Index::Value(_) => return None,
        };
        let (below, above) = (high < 0, low > 0);
        match cond.rel {
            Rel::Lt => (below || low >= 0).then_some(below),
            Rel::Ge => (below || low >= 0).then_some(!below),
            Rel::Eq if low == 0 && high == 0 => Some(true),
            Rel::Eq => (below || above).then_some(false),
            Rel::Ne if low == 0 && high == 0 => Some(false),
            Rel::Ne => (below || above).then_some(true),
        }
    }
}

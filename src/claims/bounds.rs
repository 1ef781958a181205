//! Where a polynomial lies.
//!
//! In: a polynomial and intervals of its unknowns. Out: an interval. What is linear in an unknown takes
//! its extremes at the ends of the unknown, so ends are tried one after another; entries of one
//! weighting move together; and unknowns that depend on each other (a product and its factors' norms, a
//! largest entry and an entry) are first written in terms of independent ones.

use super::facts::SLACK;
use super::poly::{AtomId, Mono, Poly};
use super::prover::Prover;
use super::terms;
use crate::model::flat::{At, Fold, Term, Var};
use crate::op::Interval;
use crate::op::scalar::{MAX, SQRT};

/// How many unknowns are tried at both ends.
const MOST_ENDS: usize = 9;

impl Prover<'_> {
    /// Where a polynomial lies; nothing is said of overflow.
    pub(super) fn bound_poly(&mut self, poly: &Poly) -> Interval {
        if let Some(value) = poly.as_constant() {
            return Interval::new(value, value);
        }
        let mut range = self.ends(poly, MOST_ENDS);
        if let Some(independent) = self.independent(poly) {
            range = range.meet(self.ends(&independent, MOST_ENDS));
        }
        if let Some(close) = self.quotient_range(poly) {
            range = range.meet(close);
        }
        range
    }

    /// A polynomial over one divisor: its size against that of the divisor.
    fn quotient_range(&mut self, poly: &Poly) -> Option<Interval> {
        for atom in poly.atoms() {
            let Some(under) = self.atoms[atom.0 as usize].under.clone() else { continue };
            if poly.count(atom) != (poly.0.len(), true) {
                continue;
            }
            let below = self.bound_poly(&under);
            if !below.excludes_zero() || below.lo < 0.0 {
                continue;
            }
            let over = poly.substitute(atom, &Poly::constant(1.0))?;
            // The divisor is its own factors where they are many: 1 / (a b) is written 1/a * 1/b.
            let (over, under) = self.gathered(over, under);
            let above = self.bound_poly(&over);
            let mut range = above.times(self.atoms[atom.0 as usize].range);
            let whole = under.clone();
            let below = self.bound_poly(&whole);
            if !below.excludes_zero() || below.lo < 0.0 {
                continue;
            }
            range = range.meet(above.times(below.reciprocal()));
            let near = SLACK * below.lo;
            let more = whole.plus_times(&over, -1.0);
            if self.bound_poly(&more).lo >= -near {
                range = range.meet(Interval::new(f64::NEG_INFINITY, 1.0));
            }
            let less = whole.plus(&over);
            if self.bound_poly(&less).lo >= -near {
                range = range.meet(Interval::new(-1.0, f64::INFINITY));
            }
            return Some(range);
        }
        None
    }

    /// Further divisors that every term has, moved below the line.
    fn gathered(&mut self, mut over: Poly, mut under: Poly) -> (Poly, Poly) {
        for atom in over.atoms() {
            let Some(more) = self.atoms[atom.0 as usize].under.clone() else { continue };
            if over.count(atom) == (over.0.len(), true)
                && let Some(rest) = over.substitute(atom, &Poly::constant(1.0))
                && let Some(product) = under.times(&more)
            {
                (over, under) = (rest, product);
            }
        }
        (over, under)
    }

    // ---- ends ----------------------------------------------------------------------------------

    fn ends(&mut self, poly: &Poly, left: usize) -> Interval {
        if !self.spend(1 + poly.0.len()) {
            return Interval::WILD;
        }
        if left > 0
            && let Some((group, total)) = self.group(poly)
        {
            let mut hull: Option<Interval> = None;
            for chosen in 0..=group.len() {
                let mut one = Some(poly.clone());
                for (at, atom) in group.iter().enumerate() {
                    let value = if at == chosen { total } else { 0.0 };
                    one = one.and_then(|poly| poly.substitute(*atom, &Poly::constant(value)));
                }
                let range = one.map_or(Interval::WILD, |poly| self.ends(&poly, left - 1));
                hull = Some(hull.map_or(range, |all| all.hull(range)));
            }
            return hull.unwrap_or(Interval::WILD);
        }
        let plain = self.interval(poly);
        let finite = |atom: &AtomId| {
            let range = self.atoms[atom.0 as usize].range;
            poly.count(*atom).1 && range.lo.is_finite() && range.hi.is_finite() && !range.wild
        };
        // What stands once matters where it multiplies something that stands elsewhere too.
        let tied = |atom: &AtomId| {
            let own = poly.monos().find(|mono| mono.iter().any(|(one, _)| one == atom));
            own.is_some_and(|mono| mono.iter().any(|(one, _)| poly.count(*one).0 > 1))
        };
        let atoms: Vec<AtomId> = poly.atoms().into_iter().filter(finite).collect();
        let often = atoms.iter().find(|atom| poly.count(**atom).0 > 1);
        let pick = often.or_else(|| atoms.iter().find(|atom| tied(atom))).copied();
        let Some(atom) = pick.filter(|_| left > 0) else { return plain };
        let range = self.atoms[atom.0 as usize].range;
        let mut at = |value: f64| {
            let one = poly.substitute(atom, &Poly::constant(value));
            one.map_or(Interval::WILD, |poly| self.ends(&poly, left - 1))
        };
        let (low, high) = (at(range.lo), at(range.hi));
        plain.meet(low.hull(high))
    }

    /// Term by term.
    fn interval(&self, poly: &Poly) -> Interval {
        let mut sum = Interval::new(0.0, 0.0);
        let (mut size, mut mixed) = (0.0_f64, [false; 2]);
        for (mono, factor) in &poly.0 {
            let mut one = Interval::new(*factor, *factor);
            for (atom, power) in mono {
                one = one.times(self.atoms[atom.0 as usize].range.power(*power));
            }
            for end in [one.lo, one.hi] {
                mixed[usize::from(end < 0.0)] |= end != 0.0;
                if end.is_finite() {
                    size = size.max(end.abs());
                }
            }
            sum = sum.plus(one);
        }
        if poly.0.len() > 1 && mixed == [true; 2] {
            // What cancels only in part leaves a rounding error behind.
            let error = size * 4e-16 * poly.0.len() as f64;
            sum = sum.plus(Interval::new(-error, error));
        }
        Interval { wild: false, ..sum }
    }

    /// Entries of one array that sum to no more than one of them may be, none of which multiplies
    /// another: they move together.
    fn group(&self, poly: &Poly) -> Option<(Vec<AtomId>, f64)> {
        let atoms = poly.atoms();
        for first in &atoms {
            let Some(Term::Read(array, at)) = &self.atoms[first.0 as usize].term else { continue };
            let fact = self.fact(*array);
            if at.is_empty() || fact.entry.lo < -SLACK || !fact.sum.hi.is_finite() {
                continue;
            }
            let beside = |other: &&AtomId| {
                let Some(Term::Read(own, there)) = &self.atoms[other.0 as usize].term else {
                    return false;
                };
                let last = at.len() - 1;
                own == array
                    && there[..last] == at[..last]
                    && terms::distinct(&at[last], &there[last], &self.when)
            };
            // Pairs only: three distinct entries are rare, and two of them say most.
            let Some(other) = atoms.iter().find(beside) else { continue };
            let together = poly.monos().any(|mono| {
                mono.iter().any(|(atom, _)| atom == first)
                    && mono.iter().any(|(atom, _)| atom == other)
            });
            let linear = poly.count(*first).1 && poly.count(*other).1;
            if linear && !together {
                return Some((vec![*first, *other], fact.sum.hi));
            }
        }
        None
    }

    // ---- what depends on each other ------------------------------------------------------------

    /// The polynomial in terms of independent unknowns, where there is something to say.
    fn independent(&mut self, poly: &Poly) -> Option<Poly> {
        let mut all = poly.clone();
        let (mut changed, mut norms) = (false, Vec::new());
        for atom in poly.atoms() {
            if let Some(by) = self.at_least(poly, atom, &mut norms) {
                all = all.substitute(atom, &by)?;
                changed = true;
            }
        }
        // |sum of a b| is at most the product of the norms (Cauchy and Schwarz).
        for atom in poly.atoms() {
            let Some(sum) = self.atoms[atom.0 as usize].sum.clone() else { continue };
            let [(a, 1), (b, 1)] = sum.mono[..] else { continue };
            let norm = |of: AtomId| {
                let square: Mono = vec![(of, 2)];
                norms.iter().find(|(mono, size, _)| *mono == square && *size == sum.size)
            };
            if let (Some((.., left)), Some((.., right)), true) =
                (norm(a), norm(b), sum.when.is_empty())
            {
                let (left, right) = (*left, *right);
                let angle = self.slack(Interval::new(-1.0, 1.0));
                let product = Poly::atom(left).times(&Poly::atom(right))?;
                all = all.substitute(atom, &product.times(&Poly::atom(angle))?)?;
                changed = true;
            }
        }
        changed.then_some(all)
    }

    /// An unknown that is at least another thing, as that thing and something that is not negative.
    fn at_least(
        &mut self,
        poly: &Poly,
        atom: AtomId,
        norms: &mut Vec<(Mono, u32, AtomId)>,
    ) -> Option<Poly> {
        let more = Interval::new(0.0, f64::INFINITY);
        let least = |term: &Term| match term {
            Term::Map(scalar, _) => [SQRT, MAX].contains(scalar),
            Term::Fold { fold, when, over, .. } => {
                [Fold::Max, Fold::Sum].contains(fold) && when.is_empty() && over.len() == 1
            }
            Term::Real(_)
            | Term::Truth(_)
            | Term::Position(_)
            | Term::Read(..)
            | Term::Choose(_)
            | Term::Whole { .. } => false,
        };
        match self.atoms[atom.0 as usize].term.as_ref().filter(|term| least(term)).cloned()? {
            Term::Map(SQRT, all) => self.root(&all[0], norms),
            Term::Map(MAX, all) => {
                let open = all.iter().find(|one| !matches!(one, Term::Real(_)))?;
                let inner = if let Term::Map(SQRT, all) = open {
                    self.root(&all[0], norms)?
                } else {
                    self.poly(open)
                };
                Some(inner.plus(&Poly::atom(self.slack(more))))
            }
            Term::Fold { fold: Fold::Max, over, when, body } if when.is_empty() => {
                let [axis] = &over[..] else { return None };
                let entry = self.instance(poly, &body, axis.var, axis.size)?;
                Some(Poly::atom(entry).plus(&Poly::atom(self.slack(more))))
            }
            Term::Fold { fold: Fold::Sum, over, when, body } if when.is_empty() => {
                let [axis] = &over[..] else { return None };
                if self.bound(&body).lo < 0.0 {
                    return None;
                }
                let entry = self.instance(poly, &body, axis.var, axis.size)?;
                let most = self.atoms[atom.0 as usize].range.hi;
                let rest = self.slack(Interval::new(0.0, most));
                Some(Poly::atom(entry).plus(&Poly::atom(rest)))
            }
            Term::Real(_)
            | Term::Truth(_)
            | Term::Position(_)
            | Term::Read(..)
            | Term::Map(..)
            | Term::Fold { .. }
            | Term::Choose(_)
            | Term::Whole { .. } => None,
        }
    }

    /// The root of a sum of squares and what is not negative: the norm, and something more.
    fn root(&mut self, inner: &Term, norms: &mut Vec<(Mono, u32, AtomId)>) -> Option<Poly> {
        let inner = self.poly(inner);
        for (mono, factor) in &inner.0 {
            let ([(atom, 1)], 1.0) = (&mono[..], *factor) else { continue };
            let Some(sum) = self.atoms[atom.0 as usize].sum.clone() else { continue };
            if !matches!(sum.mono[..], [(_, 2)]) || !sum.when.is_empty() {
                continue;
            }
            let rest = inner.plus_times(&Poly::atom(*atom), -1.0);
            if self.bound_poly(&rest).lo < 0.0 {
                continue;
            }
            let known = norms.iter().find(|(own, size, _)| *own == sum.mono && *size == sum.size);
            let norm = known.map(|(.., norm)| *norm).unwrap_or_else(|| {
                let norm = self.slack(Interval::new(0.0, f64::INFINITY));
                norms.push((sum.mono.clone(), sum.size, norm));
                norm
            });
            let norm = Poly::atom(norm);
            if rest == Poly::default() {
                return Some(norm);
            }
            let more = self.slack(Interval::new(0.0, f64::INFINITY));
            return Some(norm.plus(&Poly::atom(more)));
        }
        None
    }

    /// An unknown of the polynomial that is one of the things that a fold runs over.
    fn instance(&self, poly: &Poly, body: &Term, var: Var, size: u32) -> Option<AtomId> {
        poly.atoms().into_iter().find(|atom| {
            let Some(term) = &self.atoms[atom.0 as usize].term else { return false };
            let Some(at) = difference(body, term, var) else { return false };
            let by = |own: Var| (own == var).then(|| at.clone());
            let inside = match &at {
                At::Linear(linear) => linear.as_var().is_some_and(|own| self.size(own) <= size),
                At::Digit { radix, .. } => *radix <= size,
                At::Value(_) => false,
            };
            inside && terms::substitute(body, &by).as_ref() == Some(term)
        })
    }
}

/// What stands in a term where a variable stands in another of the same form, at the first place.
fn difference(body: &Term, term: &Term, var: Var) -> Option<At> {
    match (body, term) {
        (Term::Read(_, left), Term::Read(_, right)) => {
            let at = left.iter().position(|at| *at == At::var(var))?;
            right.get(at).cloned()
        }
        (Term::Map(_, left), Term::Map(_, right)) => {
            left.iter().zip(right).find_map(|(left, right)| difference(left, right, var))
        }
        _ => None,
    }
}

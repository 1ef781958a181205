//! Folds over the points that name an entry: `sum[j] if P[j] == i then v[j] else 0`.
//!
//! In: a fold whose body chooses between a value and what changes nothing. Out: a fold over the points
//! that count only, a scatter. Invariant: the value is the same, up to the sign of a zero.

use super::super::flat::{Array, At, Axis, Cond, Fold, Linear, Rel, Sort, Term};
use super::Engine;
use crate::op::scalar::{AND, EQ, MAX, MIN, SELECT};

impl Engine<'_> {
    /// A fold, over the points that name an entry where the body says so.
    pub(super) fn scattered(
        &self,
        fold: Fold,
        over: Vec<Axis>,
        mut when: Vec<Cond>,
        body: Term,
    ) -> Term {
        let plain =
            |when, body| Term::Fold { fold, over: over.clone(), when, body: Box::new(body) };
        let parts = match &body {
            Term::Map(SELECT, all) => match &all[..] {
                [test, yes, Term::Real(other)] => Some((test, yes, *other)),
                _ => None,
            },
            Term::Real(_)
            | Term::Truth(_)
            | Term::Position(_)
            | Term::Read(..)
            | Term::Map(..)
            | Term::Fold { .. }
            | Term::Choose(_)
            | Term::Whole { .. } => None,
        };
        let Some((test, yes, other)) = parts else { return plain(when, body) };
        let mut places = Vec::new();
        let bound = match (fold, range(yes, &over)) {
            (Fold::Sum, _) if other == 0.0 => None,
            (Fold::Prod, _) if other == 1.0 => None,
            // Nothing is smaller than `other`, so it changes nothing; it stands for no point at all.
            (Fold::Max, Some((low, _))) if other <= low => Some(MAX),
            (Fold::Min, Some((_, high))) if other >= high => Some(MIN),
            _ => return plain(when, body),
        };
        if !self.named(test, &over, &mut places) {
            return plain(when, body);
        }
        when.extend(places);
        let folded = plain(when, yes.clone());
        match bound {
            Some(scalar) => Term::Map(scalar, vec![folded, Term::Real(other)]),
            None => folded,
        }
    }

    /// Whether a condition is `P[j] == i` (or several of these), with j folded over and i not.
    fn named(&self, test: &Term, over: &[Axis], into: &mut Vec<Cond>) -> bool {
        let Term::Map(scalar, two) = test else { return false };
        let [left, right] = &two[..] else { return false };
        if *scalar == AND {
            return self.named(left, over, into) && self.named(right, over, into);
        }
        let (place, entry) = match (linear(left), linear(right)) {
            (None, Some(entry)) if *scalar == EQ => (left, entry),
            (Some(entry), None) if *scalar == EQ => (right, entry),
            _ => return false,
        };
        let folded = |axis: &Axis| entry.terms.iter().any(|(var, _)| *var == axis.var);
        let fits = self.is_position(place)
            && over.iter().any(|axis| super::super::expand::mentions(place, axis.var))
            && !over.iter().any(folded);
        if fits {
            let left = At::Value(Box::new(place.clone()));
            into.push(Cond { left, rel: Rel::Eq, right: entry });
        }
        fits
    }

    /// Whether a term is an index, so that a condition may compare it.
    fn is_position(&self, term: &Term) -> bool {
        let sort = match term {
            Term::Read(Array::Input(at), _) => self.model.inputs[*at as usize].sort,
            Term::Read(Array::Prev(at), _) => self.model.states[*at as usize].sort,
            Term::Read(Array::Value(at), _) if self.starting.is_none() => {
                self.model.values[*at as usize].sort
            }
            Term::Whole { function, .. } => {
                return !matches!(function, super::super::flat::Whole::Softmax);
            }
            Term::Read(..)
            | Term::Real(_)
            | Term::Truth(_)
            | Term::Position(_)
            | Term::Map(..)
            | Term::Fold { .. }
            | Term::Choose(_) => return false,
        };
        matches!(sort, Sort::Index { .. })
    }
}

/// A whole number made of variables.
fn linear(term: &Term) -> Option<Linear> {
    match term {
        Term::Position(of) => Some(of.clone()),
        Term::Real(value) if value.fract() == 0.0 => Some(Linear::constant(*value as i64)),
        Term::Real(_)
        | Term::Truth(_)
        | Term::Read(..)
        | Term::Map(..)
        | Term::Fold { .. }
        | Term::Choose(_)
        | Term::Whole { .. } => None,
    }
}

/// The smallest and largest value of a whole number made of the variables folded over.
fn range(term: &Term, over: &[Axis]) -> Option<(f64, f64)> {
    let of = linear(term)?;
    of.terms.iter().try_fold((of.offset as f64, of.offset as f64), |(low, high), (var, by)| {
        let axis = over.iter().find(|axis| axis.var == *var)?;
        let far = (by * (i64::from(axis.size) - 1)) as f64;
        Some((low + far.min(0.0), high + far.max(0.0)))
    })
}

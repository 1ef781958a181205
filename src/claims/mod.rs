//! Claims: which domains of a model surely hold, which surely do not, and which are open.
//!
//! In: a flat model with what is claimed of it ([`crate::model::claim`]). Out: a [`Verdict`] for each
//! claim. What is proved holds of real arithmetic at every step, whatever the inputs, parameters and
//! earlier steps, and of floating-point arithmetic up to rounding; states are proved by induction from
//! their starts. What is open is neither, and for [`crate::trial`] to try. Invariant: nothing is ever
//! said to hold that does not.
//!
//! No mechanism is known here: there are interval rules of scalar functions ([`crate::op::interval`]),
//! polynomials (`bounds`) and sums along axes (`sums`).

mod atoms;
mod bounds;
mod effort;
mod errors;
mod facts;
mod induction;
mod needed;
mod poly;
mod prover;
mod short_name;
mod sums;
mod terms;
#[cfg(test)]
mod tests;
mod together;

use std::collections::BTreeSet;

use crate::diag::Diagnostics;
use crate::model::Model;
use crate::model::claim::{Claim, Claimed, Claims};
use crate::model::flat::{Array, At, Linear, Term};
use crate::model::typed::Domain;
use crate::op::Interval;

pub use effort::Effort;
use effort::Purse;
use induction::Looks;
use needed::Needed;
use prover::{Known, Prover};
pub use together::Doubt;

/// What can be said of a claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It holds at every step.
    Proved,
    /// It never holds; why not.
    Refuted(String),
    /// Neither is known.
    Open,
}

/// What rounding may add to a number of ordinary size.
pub const TOLERANCE: f64 = 1e-9;
/// Models with more equations are not looked at: every claim is open.
const MOST_VALUES: usize = 20_000;

/// A verdict for every claim, in the order of the claims. What the effort does not suffice for is open.
#[must_use]
pub fn decide(model: &Model, claims: &Claims, effort: Effort) -> Vec<Verdict> {
    decide_with_doubts(model, claims, effort).into_iter().map(|(verdict, _)| verdict).collect()
}

/// The same, and why claims are open, where the effort suffices to say it.
#[must_use]
pub fn decide_with_doubts(
    model: &Model,
    claims: &Claims,
    effort: Effort,
) -> Vec<(Verdict, Option<Doubt>)> {
    let mut all = vec![Verdict::Open; claims.all.len()];
    let mut doubts = vec![None; all.len()];
    if model.values.len() + model.start_values.len() <= MOST_VALUES {
        let mut looks = Looks::new(model, claims, effort);
        let known = one_by_one(&mut looks, model, claims, &mut all);
        if effort.together && all.contains(&Verdict::Open) {
            doubts = together::settle(&mut looks, model, claims, &known, &mut all);
        }
    }
    all.into_iter().zip(doubts).collect()
}

/// Decides claims one by one, and says what is known then.
fn one_by_one(looks: &mut Looks<'_>, model: &Model, claims: &Claims, all: &mut [Verdict]) -> Known {
    // Most claims follow from equations as they are written.
    let needed = Needed::of(model, claims.all.iter().map(|claim| &claim.term), &BTreeSet::new());
    let known = looks.induction(&needed, None);
    decide_by(model, &known, claims, &mut looks.purse, all);
    if !looks.purse.suffices_for_more() || !all.contains(&Verdict::Open) {
        return known;
    }
    // What does not may follow where values are replaced by their equations, which shows what cancels
    // between them and costs more. Values that are as they are claimed to be are taken as that.
    let read = |proved: bool| -> BTreeSet<Array> {
        let of = |(claim, one): (&Claim, &Verdict)| {
            let Term::Read(array, _) = &claim.term else { return None };
            ((*one == Verdict::Proved) == proved).then_some(*array)
        };
        claims.all.iter().zip(&*all).filter_map(of).collect()
    };
    let settled: BTreeSet<Array> = &read(true) - &read(false);
    let open = claims.all.iter().zip(&*all).filter(|(_, one)| **one == Verdict::Open);
    let needed = Needed::of(model, open.map(|(claim, _)| &claim.term), &settled);
    let known = looks.induction(&needed, Some(&known));
    decide_by(model, &known, claims, &mut looks.purse, all);
    known
}

/// Decides what is open.
fn decide_by(
    model: &Model,
    known: &Known,
    claims: &Claims,
    purse: &mut Purse,
    all: &mut [Verdict],
) {
    for (claim, one) in claims.all.iter().zip(all) {
        if *one == Verdict::Open {
            *one = verdict(model, known, claim, purse);
        }
    }
}

/// The claims that never hold, as diagnostics.
#[must_use]
pub fn refuted(claims: &Claims, verdicts: &[Verdict]) -> Diagnostics {
    let mut sink = Diagnostics::default();
    for (claim, verdict) in claims.all.iter().zip(verdicts) {
        if let Verdict::Refuted(why) = verdict {
            sink.push(errors::refuted(claim, why));
        }
    }
    sink
}

pub use errors::{counterexample, refuted as refuted_one};

/// A state is claimed from its start on; where every value after a step lies outside, the start does not
/// save the claim.
fn verdict(model: &Model, known: &Known, claim: &Claim, purse: &mut Purse) -> Verdict {
    let found = verdict_of_term(model, known, claim, purse);
    let Claimed::State(state) = claim.kind else { return found };
    if found != Verdict::Open {
        return found;
    }
    let next = Array::Value(model.states[state as usize].next);
    let at = claim.axes.iter().map(|axis| At::Linear(Linear::var(axis.var))).collect();
    let after = Claim { term: Term::Read(next, at), ..claim.clone() };
    match verdict_of_term(model, known, &after, purse) {
        Verdict::Refuted(why) => Verdict::Refuted(format!("{why} after a step")),
        Verdict::Proved | Verdict::Open => found,
    }
}

fn verdict_of_term(model: &Model, known: &Known, claim: &Claim, purse: &mut Purse) -> Verdict {
    if claim.axes.iter().any(|axis| axis.size == 0) {
        return Verdict::Open;
    }
    let steps = purse.take();
    let mut prover = Prover::new(model, known, false, &claim.axes, steps);
    let found = verdict_by(&mut prover, claim);
    // What was not looked at in full says nothing.
    if purse.paid(steps, &prover) { found } else { Verdict::Open }
}

fn verdict_by(prover: &mut Prover, claim: &Claim) -> Verdict {
    let term = prover.canonical(&claim.term);
    let entry = prover.bound_canonical(&term);
    let (low, high) = match &claim.domain {
        Domain::Real(low, high) => {
            (low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY))
        }
        Domain::Simplex | Domain::Weighting => (0.0, 1.0),
        Domain::Sphere => (-1.0, 1.0),
    };
    let entries = within(entry, low, high, "a value");
    let last = claim.axes.last();
    let total = match (&claim.domain, last) {
        (Domain::Real(..), _) | (_, None) => return entries,
        (Domain::Simplex, Some(axis)) => {
            within(prover.bound_sum(axis, &term, entry), 1.0, 1.0, "a sum")
        }
        (Domain::Weighting, Some(axis)) => {
            within(prover.bound_sum(axis, &term, entry), f64::NEG_INFINITY, 1.0, "a sum")
        }
        (Domain::Sphere, Some(axis)) => {
            let square = Term::Map(crate::op::scalar::MUL, vec![term.clone(), term]);
            let entries = prover.bound_canonical(&square);
            within(prover.bound_sum(axis, &square, entries), 1.0, 1.0, "a sum of squares")
        }
    };
    match (entries, total) {
        (Verdict::Proved, Verdict::Proved) => Verdict::Proved,
        (Verdict::Refuted(why), _) | (_, Verdict::Refuted(why)) => Verdict::Refuted(why),
        (Verdict::Open, _) | (_, Verdict::Open) => Verdict::Open,
    }
}

/// Whether an interval lies between two numbers, surely does not, or neither.
fn within(range: Interval, low: f64, high: f64, what: &str) -> Verdict {
    if range.wild {
        return Verdict::Open;
    }
    let near = |end: f64| TOLERANCE * if end.is_finite() { end.abs().max(1.0) } else { 1.0 };
    if range.lo > high + near(high) || range.hi < low - near(low) {
        let told = match range.as_point() {
            Some(value) => format!("{what} is {value}"),
            None if range.lo > high => format!("{what} is at least {}", range.lo),
            None => format!("{what} is at most {}", range.hi),
        };
        return Verdict::Refuted(told);
    }
    let holds = range.lo >= low - near(low) && range.hi <= high + near(high);
    if holds { Verdict::Proved } else { Verdict::Open }
}

/// How a claim is told in one word: value, state or argument.
#[must_use]
pub fn kind(claim: &Claim) -> &'static str {
    match claim.kind {
        Claimed::Value => "value",
        Claimed::State(_) => "state",
        Claimed::Argument => "argument",
    }
}

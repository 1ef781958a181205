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

mod bounds;
mod errors;
mod facts;
mod poly;
mod prover;
mod sums;
mod terms;
#[cfg(test)]
mod tests;

use crate::diag::Diagnostics;
use crate::model::Model;
use crate::model::claim::{Claim, Claimed, Claims};
use crate::model::flat::{Array, At, Axis, Draw, Linear, Term, Value};
use crate::model::typed::Domain;
use crate::op::Interval;

use facts::Fact;
use prover::{Known, Prover};

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
/// How often states are looked at before nothing more is said of those that still change.
const MOST_ROUNDS: usize = 12;

/// A verdict for every claim, in the order of the claims.
#[must_use]
pub fn decide(model: &Model, claims: &Claims) -> Vec<Verdict> {
    if model.values.len() + model.start_values.len() > MOST_VALUES {
        return vec![Verdict::Open; claims.all.len()];
    }
    let needed = Needed::of(model, claims);
    let known = induction(model, claims, &needed);
    claims.all.iter().map(|claim| verdict(model, &known, claim)).collect()
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
fn verdict(model: &Model, known: &Known, claim: &Claim) -> Verdict {
    let found = verdict_of_term(model, known, claim);
    let Claimed::State(state) = claim.kind else { return found };
    if found != Verdict::Open {
        return found;
    }
    let next = Array::Value(model.states[state as usize].next);
    let at = claim.axes.iter().map(|axis| At::Linear(Linear::var(axis.var))).collect();
    let after = Claim { term: Term::Read(next, at), ..claim.clone() };
    match verdict_of_term(model, known, &after) {
        Verdict::Refuted(why) => Verdict::Refuted(format!("{why} after a step")),
        Verdict::Proved | Verdict::Open => found,
    }
}

fn verdict_of_term(model: &Model, known: &Known, claim: &Claim) -> Verdict {
    if claim.axes.iter().any(|axis| axis.size == 0) {
        return Verdict::Open;
    }
    let mut prover = Prover::new(model, known, false, &claim.axes);
    let entry = prover.bound(&claim.term);
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
            within(prover.bound_sum(axis, &claim.term), 1.0, 1.0, "a sum")
        }
        (Domain::Weighting, Some(axis)) => {
            within(prover.bound_sum(axis, &claim.term), f64::NEG_INFINITY, 1.0, "a sum")
        }
        (Domain::Sphere, Some(axis)) => {
            let square =
                Term::Map(crate::op::scalar::MUL, vec![claim.term.clone(), claim.term.clone()]);
            within(prover.bound_sum(axis, &square), 1.0, 1.0, "a sum of squares")
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

/// What a claim depends on.
struct Needed {
    values: Vec<bool>,
    starts: Vec<bool>,
    states: Vec<bool>,
}

impl Needed {
    fn of(model: &Model, claims: &Claims) -> Needed {
        let mut needed = Needed {
            values: vec![false; model.values.len()],
            starts: vec![false; model.start_values.len()],
            states: vec![false; model.states.len()],
        };
        let mut open: Vec<(Array, bool)> = Vec::new();
        claims
            .all
            .iter()
            .for_each(|claim| reads(&claim.term, &mut |array| open.push((array, false))));
        while let Some((array, starting)) = open.pop() {
            match array {
                Array::Input(_) | Array::Param(_) => {}
                Array::Prev(at) => {
                    if !std::mem::replace(&mut needed.states[at as usize], true) {
                        let state = &model.states[at as usize];
                        open.push((Array::Value(state.next), false));
                        reads(&state.start, &mut |array| open.push((array, true)));
                    }
                }
                Array::Value(at) => {
                    let (list, values) = if starting {
                        (&mut needed.starts, &model.start_values)
                    } else {
                        (&mut needed.values, &model.values)
                    };
                    if !std::mem::replace(&mut list[at as usize], true) {
                        reads(&values[at as usize].right, &mut |one| open.push((one, starting)));
                    }
                }
            }
        }
        needed
    }
}

/// Every array that a term reads.
fn reads(term: &Term, found: &mut dyn FnMut(Array)) {
    let mut places: Vec<&At> = Vec::new();
    match term {
        Term::Real(_) | Term::Truth(_) | Term::Position(_) => {}
        Term::Read(array, at) => {
            found(*array);
            places.extend(at);
        }
        Term::Map(_, all) => all.iter().for_each(|one| reads(one, found)),
        Term::Fold { when, body, .. } => {
            places.extend(when.iter().map(|cond| &cond.left));
            reads(body, found);
        }
        Term::Choose(arms) => {
            for (when, term) in arms {
                places.extend(when.iter().map(|cond| &cond.left));
                reads(term, found);
            }
        }
        Term::Whole { body, at, .. } => {
            places.extend(at);
            reads(body, found);
        }
    }
    for at in places {
        if let At::Value(term) = at {
            reads(term, found);
        }
    }
}

/// Facts that hold before the first step and that every step keeps.
fn induction(model: &Model, claims: &Claims, needed: &Needed) -> Known {
    let mut known = Known::default();
    for (at, input) in model.inputs.iter().enumerate() {
        let domain = claims.inputs.get(at).unwrap_or(&Domain::REAL);
        known.inputs.push(Fact::of_domain(domain, &input.axes));
    }
    known.params =
        model.params.iter().map(|param| Fact::of_domain(&Domain::REAL, &param.axes)).collect();
    for (at, value) in model.start_values.iter().enumerate() {
        let fact = if needed.starts[at] { equation(model, &known, value, true) } else { nothing() };
        known.starts.push(fact);
    }
    let start = |at: usize| {
        let state = &model.states[at];
        if let Some((_, domain)) = claims.free.iter().find(|(free, _)| *free as usize == at) {
            return Fact::of_domain(domain, &state.axes);
        }
        match &state.draw {
            Some(Draw::Uniform(low, high)) => {
                let ends = Domain::Real(Some(*low), Some(*high));
                Fact::of_domain(&ends, &state.axes)
            }
            Some(Draw::Normal(_) | Draw::Fixed(_)) => Fact::of_domain(&Domain::REAL, &state.axes),
            None => array(model, &known, &state.axes, &state.start, true),
        }
    };
    known.states = (0..model.states.len())
        .map(|at| if needed.states[at] { start(at) } else { nothing() })
        .collect();
    for round in 0.. {
        known.values.clear();
        for (at, value) in model.values.iter().enumerate() {
            let fact =
                if needed.values[at] { equation(model, &known, value, false) } else { nothing() };
            known.values.push(fact);
        }
        let mut stable = true;
        for (at, state) in model.states.iter().enumerate().filter(|(at, _)| needed.states[*at]) {
            let (old, next) = (known.states[at], known.values[state.next as usize]);
            if next.within(old) {
                continue;
            }
            stable = false;
            known.states[at] = if round < MOST_ROUNDS { old.widened(next) } else { nothing() };
        }
        if stable {
            break;
        }
    }
    known
}

/// What is known of a value that was not looked at.
fn nothing() -> Fact {
    Fact {
        entry: Interval::WILD,
        sum: Interval::WILD,
        square: Interval::WILD,
        peak: f64::NEG_INFINITY,
    }
}

fn equation(model: &Model, known: &Known, value: &Value, starting: bool) -> Fact {
    array(model, known, &value.axes, &value.right, starting)
}

/// What is known of an array with these entries.
fn array(model: &Model, known: &Known, axes: &[Axis], term: &Term, starting: bool) -> Fact {
    let plain = one_way(model, known, axes, term, starting, false);
    // Looking through named values may show what cancels between them.
    let close = one_way(model, known, axes, term, starting, true);
    Fact {
        entry: plain.entry.meet(close.entry),
        sum: plain.sum.meet(close.sum),
        square: plain.square.meet(close.square),
        peak: plain.peak.max(close.peak),
    }
}

fn one_way(
    model: &Model,
    known: &Known,
    axes: &[Axis],
    term: &Term,
    starting: bool,
    inline: bool,
) -> Fact {
    let mut prover = Prover::new(model, known, starting, axes);
    prover.inline = inline;
    let entry = prover.bound(term);
    let Some(axis) = axes.last() else { return Fact::of(entry, 1.0) };
    let size = f64::from(axis.size);
    let mut fact = Fact::of(entry, size);
    fact.sum = fact.sum.meet(prover.bound_sum(axis, term));
    if entry.lo >= -facts::SLACK && size >= 1.0 {
        let canonical = prover.canonical(term);
        fact.peak = fact.peak.max(prover.peak(&canonical, axis.var, axis.size));
    }
    fact.completed(size)
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

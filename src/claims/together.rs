//! Claims that hold because of each other, and what those that stay open hang on.
//!
//! In: claims that are open one by one. Out: those that follow together, and for each other what could
//! not be decided. All open claims are assumed; those that a step does not keep even then are dropped, and
//! so on until all that are left are kept. Why that is a proof: a step computes its values in order, so the
//! first value that broke a claim would have been computed from values that keep theirs, and from states
//! that kept theirs one step ago or at the start.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::Fact;
use super::induction::Looks;
use super::needed::{Needed, reads};
use super::prover::Known;
use super::{Verdict, verdict};
use crate::model::Model;
use crate::model::claim::{Claim, Claimed, Claims};
use crate::model::flat::{Array, At, Axis, Linear, Term, Value};
use crate::model::typed::Domain;
use crate::op::Interval;
use crate::source::Span;

/// How often claims are dropped before nothing more is said.
const MOST_ROUNDS: usize = 8;
/// How many of the values that one is made of are told.
const MOST_TOLD: usize = 6;

/// Why a claim is open.
#[derive(Clone, Debug, PartialEq)]
pub enum Doubt {
    /// Even if all other claims hold, more cannot be said of a value than this.
    Loose {
        /// The value, by its path.
        path: String,
        /// Where its equation stands, or where it is passed.
        place: Span,
        /// Where it is known to lie.
        known: String,
        /// What it is computed from, each with where that is known to lie.
        from: Vec<String>,
    },
    /// It would follow if these held, by their paths, which are open.
    Needs(Vec<String>),
    /// Looking at it takes more steps than there are.
    Work,
}

/// Proves what follows together; for what stays open, why.
pub(super) fn settle(
    looks: &mut Looks<'_>,
    model: &Model,
    claims: &Claims,
    known: &Known,
    all: &mut [Verdict],
) -> Vec<Option<Doubt>> {
    let mut doubts: Vec<Option<Doubt>> = vec![None; all.len()];
    let mut alive: Vec<usize> = (0..all.len()).filter(|at| all[*at] == Verdict::Open).collect();
    let terms = alive.iter().map(|at| &claims.all[*at].term);
    let needed = Needed::of(model, terms, &BTreeSet::new());
    let mut dropped: Vec<usize> = Vec::new();
    for round in 0..MOST_ROUNDS {
        looks.assumed = facts_of(model, claims, &alive);
        let now = looks.induction(&needed, Some(known));
        let kept = |at: &usize| {
            let claim = &claims.all[*at];
            if is_whole(model, claim) {
                keeps(looks, model, claim)
            } else {
                verdict(model, &now, claim, &mut looks.purse) == Verdict::Proved
            }
        };
        let (kept, broken): (Vec<usize>, Vec<usize>) = alive.iter().copied().partition(kept);
        for at in &broken {
            doubts[*at] = Some(if round == 0 {
                doubt(looks, model, &now, &claims.all[*at])
            } else {
                Doubt::Needs(dropped.iter().map(|at| claims.all[*at].path.clone()).collect())
            });
        }
        alive = kept;
        if broken.is_empty() {
            alive.drain(..).for_each(|at| all[at] = Verdict::Proved);
            break;
        }
        dropped = broken;
    }
    // Nothing was shown of what is still there when the rounds end.
    alive.into_iter().for_each(|at| doubts[at] = Some(Doubt::Work));
    looks.assumed.clear();
    doubts
}

/// Whether a claim speaks of all entries of an array that a step computes.
fn is_whole(model: &Model, claim: &Claim) -> bool {
    let Term::Read(array, at) = &claim.term else { return false };
    let axes = match (array, claim.kind) {
        (Array::Value(value), Claimed::Value) => &model.values[*value as usize].axes,
        (Array::Prev(state), Claimed::State(own)) if *state == own => {
            &model.states[*state as usize].axes
        }
        _ => return false,
    };
    let sizes = |axes: &[Axis]| axes.iter().map(|axis| axis.size).collect::<Vec<_>>();
    let bare = |(at, axis): (&At, &Axis)| *at == At::Linear(Linear::var(axis.var));
    sizes(axes) == sizes(&claim.axes)
        && at.len() == claim.axes.len()
        && at.iter().zip(&claim.axes).all(bare)
        && axes.iter().all(|axis| axis.size > 0)
}

/// What is assumed of arrays: a state keeps its claim after a step, too.
fn facts_of(model: &Model, claims: &Claims, assumed: &[usize]) -> BTreeMap<Array, Fact> {
    let mut facts: BTreeMap<Array, Fact> = BTreeMap::new();
    for at in assumed {
        let claim = &claims.all[*at];
        let own = Fact::of_domain(&claim.domain, &claim.axes);
        let mut add = |array: Array| {
            let fact = facts.get(&array).map_or(own, |other| other.and(own));
            facts.insert(array, fact);
        };
        match (&claim.term, claim.kind) {
            (Term::Read(array, _), Claimed::Value) => add(*array),
            (Term::Read(array, _), Claimed::State(state)) => {
                add(*array);
                add(Array::Value(model.states[state as usize].next));
            }
            _ => {}
        }
    }
    facts
}

/// The arrays that a claim speaks of: of a state at its start and after a step.
fn spoken_of(model: &Model, claim: &Claim) -> Vec<Array> {
    match (&claim.term, claim.kind) {
        (Term::Read(array, _), Claimed::State(state)) => {
            vec![*array, Array::Value(model.states[state as usize].next)]
        }
        (Term::Read(array, _), _) => vec![*array],
        _ => Vec::new(),
    }
}

/// Whether an assumed claim was kept by the last look, as its arrays were computed.
fn keeps(looks: &Looks<'_>, model: &Model, claim: &Claim) -> bool {
    let domain = Fact::of_domain(&claim.domain, &claim.axes);
    let within = |array: &Array| looks.computed.get(array).is_some_and(|one| one.within(domain));
    spoken_of(model, claim).iter().all(within)
}

/// What is not known of a claim.
fn doubt(looks: &mut Looks<'_>, model: &Model, known: &Known, claim: &Claim) -> Doubt {
    let domain = Fact::of_domain(&claim.domain, &claim.axes);
    let broken = spoken_of(model, claim).into_iter().find_map(|array| {
        let found = *looks.computed.get(&array)?;
        (!found.within(domain)).then_some((array, found))
    });
    let (fact, place, path, term) = match broken {
        Some((Array::Value(value), found)) => {
            let one = &model.values[value as usize];
            (found, one.span, &one.path, &one.right)
        }
        Some((Array::Prev(state), found)) => {
            let one = &model.states[state as usize];
            (found, claim.place, &one.path, &one.start)
        }
        Some((Array::Input(_) | Array::Param(_), _)) | None => {
            let Some(found) = looks.of_term(known, &claim.axes, &claim.term) else {
                return Doubt::Work;
            };
            // A value alone is what its equation makes of it.
            match passed(model, claim) {
                Some(one) => (found, one.span, &one.path, &one.right),
                None => (found, claim.place, &claim.path, &claim.term),
            }
        }
    };
    let mut from: Vec<Array> = Vec::new();
    reads(term, &mut |array| from.extend((!from.contains(&array)).then_some(array)));
    let told = from.iter().take(MOST_TOLD).map(|array| {
        let (name, axes, fact) = match *array {
            Array::Input(at) => {
                let one = &model.inputs[at as usize];
                (one.path.clone(), &one.axes, known.inputs.get(at as usize))
            }
            Array::Param(at) => {
                let one = &model.params[at as usize];
                (one.path.clone(), &one.axes, known.params.get(at as usize))
            }
            Array::Prev(at) => {
                let one = &model.states[at as usize];
                (format!("prev {}", one.path), &one.axes, known.states.get(at as usize))
            }
            Array::Value(at) => {
                let one = &model.values[at as usize];
                (one.path.clone(), &one.axes, known.values.get(at as usize))
            }
        };
        let sums = !axes.is_empty() && !matches!(claim.domain, Domain::Real(..));
        match fact {
            Some(fact) => format!("`{name}` {}", shown(*fact, sums)),
            None => format!("`{name}`"),
        }
    });
    let from = told.collect();
    let sums = !matches!(claim.domain, Domain::Real(..));
    Doubt::Loose { path: path.clone(), place, known: shown(fact, sums), from }
}

/// The value that is passed as an argument, or the state's after a step.
fn passed<'m>(model: &'m Model, claim: &Claim) -> Option<&'m Value> {
    let Term::Read(array, _) = &claim.term else { return None };
    let value = match array {
        Array::Value(value) => *value,
        Array::Prev(state) => model.states[*state as usize].next,
        Array::Input(_) | Array::Param(_) => return None,
    };
    Some(&model.values[value as usize])
}

/// Where the entries of an array lie, and sums along its last axis.
fn shown(fact: Fact, sums: bool) -> String {
    let entry = range(fact.entry);
    if sums && fact.sum.hi.is_finite() {
        format!("{entry} with sums {}", range(fact.sum))
    } else {
        entry
    }
}

fn range(one: Interval) -> String {
    // The sum with 0 takes the sign of a zero away.
    let end = |value: f64| format!("{}", (value * 1e4).round() / 1e4 + 0.0);
    let text = match one {
        Interval { lo, hi, .. } if lo == f64::NEG_INFINITY && hi == f64::INFINITY => {
            "any number".to_owned()
        }
        Interval { lo, hi, .. } if hi == f64::INFINITY => format!("{} or more", end(lo)),
        Interval { lo, hi, .. } if lo == f64::NEG_INFINITY => format!("{} or less", end(hi)),
        Interval { lo, hi, .. } if lo == hi => end(lo),
        Interval { lo, hi, .. } => format!("{}..{}", end(lo), end(hi)),
    };
    if one.wild { format!("{text} or not finite") } else { text }
}

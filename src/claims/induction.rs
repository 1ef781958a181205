//! Facts about every value and state.
//!
//! In: a model with what is assumed of its inputs. Out: facts that hold before the first step and that
//! every step keeps. Invariant: the last round has found that a step keeps them, given what was known
//! before; what was cut short counts as unknown.

use std::collections::BTreeMap;

use super::Effort;
use super::effort::Purse;
use super::facts::{self, Fact};
use super::needed::Needed;
use super::prover::{Known, Prover};
use super::terms::Names;
use crate::model::Model;
use crate::model::claim::{Claim, Claims};
use crate::model::flat::{Array, Axis, Draw, Term};
use crate::model::typed::Domain;
use crate::op::Interval;

/// How often states are looked at before nothing more is said of those that still change.
const MOST_ROUNDS: usize = 12;

/// What is looked at: the first state, an equation of first states, or one of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    State(usize),
    Start(usize),
    Value(usize),
}

/// A look, and the facts that it went by.
struct Look {
    by: Vec<(Array, Fact)>,
    found: Option<Fact>,
}

/// Looks at a model, each remembered as long as what it went by stays the same.
pub(super) struct Looks<'a> {
    model: &'a Model,
    claims: &'a Claims,
    pub purse: Purse,
    /// What is assumed of arrays that a step computes, and of states.
    pub assumed: BTreeMap<Array, Fact>,
    /// What the last look found of those, by how they are computed.
    pub computed: BTreeMap<Array, Fact>,
    memory: BTreeMap<(Place, bool), Look>,
    /// Equations in canonical form, with the names in them.
    canonical: BTreeMap<Place, (Names, Term)>,
}

impl<'a> Looks<'a> {
    pub(super) fn new(model: &'a Model, claims: &'a Claims, effort: Effort) -> Self {
        Looks {
            model,
            claims,
            purse: Purse::new(effort),
            assumed: BTreeMap::new(),
            computed: BTreeMap::new(),
            memory: BTreeMap::new(),
            canonical: BTreeMap::new(),
        }
    }

    /// What is known of everything that is needed, and of the rest what was known before. With something
    /// known, values are looked at closely.
    pub(super) fn induction(&mut self, needed: &Needed, before: Option<&Known>) -> Known {
        let (model, claims, close) = (self.model, self.claims, before.is_some());
        let old = |list: fn(&Known) -> &Vec<Fact>, at: usize| {
            before.map_or(nothing(), |known| list(known)[at])
        };
        let mut known = Known::default();
        for (at, input) in model.inputs.iter().enumerate() {
            let domain = claims.inputs.get(at).unwrap_or(&Domain::REAL);
            known.inputs.push(Fact::of_domain(domain, &input.axes));
        }
        let params = model.params.iter();
        known.params = params.map(|param| Fact::of_domain(&Domain::REAL, &param.axes)).collect();
        for (at, value) in model.start_values.iter().enumerate() {
            let mut fact = old(|known| &known.starts, at);
            if needed.starts[at] {
                let place = Place::Start(at);
                fact = fact.and(self.array(&known, place, &value.axes, &value.right, close));
            }
            known.starts.push(fact);
        }
        for at in 0..model.states.len() {
            let mut fact = old(|known| &known.states, at);
            if needed.states[at] {
                let start = self.start(&known, at, close);
                let array = Array::Prev(at as u32);
                fact = match self.assumed.get(&array).copied() {
                    // What holds after every step is assumed, and not what holds at the start alone.
                    Some(assumed) => {
                        self.computed.insert(array, start);
                        fact.and(assumed)
                    }
                    None => fact.and(start),
                };
            }
            known.states.push(fact);
        }
        for round in 0.. {
            known.values.clear();
            for (at, value) in model.values.iter().enumerate() {
                let mut fact = old(|known| &known.values, at);
                if needed.values[at] {
                    let place = Place::Value(at);
                    fact = fact.and(self.array(&known, place, &value.axes, &value.right, close));
                    let array = Array::Value(at as u32);
                    if let Some(assumed) = self.assumed.get(&array).copied() {
                        self.computed.insert(array, fact);
                        fact = fact.and(assumed);
                    }
                }
                known.values.push(fact);
            }
            let free = |at: usize| !self.assumed.contains_key(&Array::Prev(at as u32));
            if kept(model, needed, &free, &mut known, round) {
                break;
            }
        }
        known
    }

    fn start(&mut self, known: &Known, at: usize, close: bool) -> Fact {
        let state = &self.model.states[at];
        let free = self.claims.free.iter().find(|(free, _)| *free as usize == at);
        if let Some((_, domain)) = free {
            return Fact::of_domain(domain, &state.axes);
        }
        match &state.draw {
            Some(Draw::Uniform(low, high)) => {
                let ends = Domain::Real(Some(*low), Some(*high));
                Fact::of_domain(&ends, &state.axes)
            }
            Some(Draw::Normal(_) | Draw::Fixed(_)) => Fact::of_domain(&Domain::REAL, &state.axes),
            None => self.array(known, Place::State(at), &state.axes, &state.start, close),
        }
    }

    /// What is known of an array with these entries.
    fn array(
        &mut self,
        known: &Known,
        place: Place,
        axes: &[Axis],
        term: &Term,
        close: bool,
    ) -> Fact {
        let plain = self.look(known, place, axes, term, false).unwrap_or(nothing());
        if !close || self.suffices(place, plain) {
            return plain;
        }
        let Some(close) = self.look(known, place, axes, term, true) else { return plain };
        plain.and(close)
    }

    /// Whether enough is known of an array: all that is claimed of it.
    fn suffices(&self, place: Place, fact: Fact) -> bool {
        let array = match place {
            Place::Value(at) => Array::Value(at as u32),
            Place::State(_) | Place::Start(_) => return fact.entry.as_point().is_some(),
        };
        let of = |claim: &&Claim| matches!(claim.term, Term::Read(own, _) if own == array);
        let mut own = self.claims.all.iter().filter(of).peekable();
        if own.peek().is_none() {
            // Numbers without end are seldom closer than they look.
            let endless = fact.entry == Interval::REAL;
            return endless || fact.entry.as_point().is_some();
        }
        own.all(|claim| fact.within(Fact::of_domain(&claim.domain, &claim.axes)))
    }

    /// What is known of a term over axes; nothing where the steps did not suffice.
    pub(super) fn of_term(&mut self, known: &Known, axes: &[Axis], term: &Term) -> Option<Fact> {
        let steps = self.purse.take();
        let mut prover = Prover::new(self.model, known, false, axes, steps);
        let term = prover.canonical(term);
        let found = fact(&mut prover, axes, &term);
        self.purse.paid(steps, &prover).then_some(found)
    }

    /// One look; nothing where the steps did not suffice.
    fn look(
        &mut self,
        known: &Known,
        place: Place,
        axes: &[Axis],
        term: &Term,
        inline: bool,
    ) -> Option<Fact> {
        let starting = !matches!(place, Place::Value(_));
        let steps = self.purse.take();
        let mut prover = Prover::new(self.model, known, starting, axes, steps);
        if let Some(look) = self.memory.get(&(place, inline))
            && look.by.iter().all(|(array, fact)| prover.fact(*array) == *fact)
        {
            return look.found;
        }
        let term = match self.canonical.get(&place) {
            Some((names, term)) => {
                prover.names = names.clone();
                term
            }
            None => {
                let term = prover.canonical(term);
                if prover.steps == 0 {
                    self.purse.paid(steps, &prover);
                    return None;
                }
                &self.canonical.entry(place).or_insert((prover.names.clone(), term)).1
            }
        };
        prover.inline = inline;
        let fact = fact(&mut prover, axes, term);
        let found = self.purse.paid(steps, &prover).then_some(fact);
        let by = prover.consulted();
        self.memory.insert((place, inline), Look { by, found });
        found
    }
}

/// What is known of an array with these entries, in canonical form.
fn fact(prover: &mut Prover, axes: &[Axis], term: &Term) -> Fact {
    let entry = prover.bound_canonical(term);
    let Some(axis) = axes.last() else { return Fact::of(entry, 1.0) };
    let size = f64::from(axis.size);
    let mut fact = Fact::of(entry, size);
    // Of a sum of numbers on both sides of 0, without end, there is nothing to say.
    if entry.lo.is_finite() || entry.hi.is_finite() {
        fact.sum = fact.sum.meet(prover.bound_sum(axis, term, entry));
    }
    if entry.lo >= -facts::SLACK && size >= 1.0 {
        fact.peak = fact.peak.max(prover.peak(term, axis.var, axis.size));
    }
    fact.completed(size)
}

/// Whether a step keeps what is known of the states; what it does not keep is widened.
fn kept(
    model: &Model,
    needed: &Needed,
    free: &dyn Fn(usize) -> bool,
    known: &mut Known,
    round: usize,
) -> bool {
    let mut stable = true;
    let states = model.states.iter().enumerate();
    for (at, state) in states.filter(|(at, _)| needed.states[*at] && free(*at)) {
        let (old, next) = (known.states[at], known.values[state.next as usize]);
        if next.within(old) {
            continue;
        }
        stable = false;
        known.states[at] = if round < MOST_ROUNDS { old.widened(next) } else { nothing() };
    }
    stable
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

//! What can be said of a term, from what is known of the arrays it reads.
//!
//! In: a term over index variables, facts about arrays. Out: an interval that holds it at every point.
//! A term is read twice: as it is written, with the interval rule of every function, which also says
//! whether anything may overflow or be undefined; and as a polynomial over what is no polynomial
//! ([`super::poly`]), in which equal things cancel.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Fact, SLACK};
use super::needed::reads;
use super::poly::{AtomId, Mono, Poly};
use super::terms::{self, Names};
use crate::model::Model;
use crate::model::flat::{Array, At, Axis, Cond, Fold, Linear, Rel, Sort, Term, Value, Var, Whole};
use crate::op::Interval;
use crate::op::scalar::{ADD, AND, DIV, LE, LT, MUL, NEG, NOT, POW, SUB};

/// An unknown number.
#[derive(Clone, Debug)]
pub(super) struct Atom {
    /// What it is, where it is a term.
    pub term: Option<Term>,
    /// For a quotient 1 / p, what stands below.
    pub under: Option<Poly>,
    /// For a sum that could not be resolved, what is summed.
    pub sum: Option<Summed>,
    /// Where it lies.
    pub range: Interval,
}

/// A sum of products over one variable.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Summed {
    pub mono: Mono,
    pub var: Var,
    pub size: u32,
    pub when: Vec<Cond>,
}

/// A term that has been made a polynomial, and how: sums kept as sums, equations put in that deep.
pub(super) struct Met {
    pub term: Term,
    pub summing: bool,
    pub depth: usize,
    pub poly: Poly,
}

/// Facts about the arrays of a model.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub inputs: Vec<Fact>,
    pub params: Vec<Fact>,
    pub states: Vec<Fact>,
    /// Of the equations of a step, as far as they have been looked at.
    pub values: Vec<Fact>,
    /// Of the equations of the first states.
    pub starts: Vec<Fact>,
}

/// How many cases one question may be split into.
const MOST_CASES: usize = 64;
/// How deep values are replaced by their equations.
pub(super) const DEEPEST: usize = 3;
/// How many reads of reads are followed.
const LONGEST: usize = 64;

pub(super) struct Prover<'a> {
    pub model: &'a Model,
    pub known: &'a Known,
    /// Whether terms are those of first states.
    pub starting: bool,
    pub names: Names,
    pub atoms: Vec<Atom>,
    /// Unknowns that are terms, by the short name of the term.
    pub index: BTreeMap<u64, Vec<AtomId>>,
    /// Polynomials of terms, by the short name of the term.
    pub polys: BTreeMap<u64, Vec<Met>>,
    /// Numbers of points of the variables in scope.
    pub sizes: BTreeMap<Var, u32>,
    /// What holds of indices here.
    pub when: Vec<Cond>,
    /// Terms that lie closer here than elsewhere.
    pub narrowed: Vec<(Term, Interval)>,
    /// Whether values are replaced by their equations.
    pub inline: bool,
    /// Whether a sum along an axis is wanted, so that sums inside are kept as sums.
    pub summing: bool,
    pub depth: usize,
    pub cases: usize,
    /// Steps that are left; what is said after the last is worth nothing.
    pub steps: u64,
    /// Arrays whose facts were asked for.
    asked: RefCell<BTreeSet<Array>>,
}

impl<'a> Prover<'a> {
    pub(super) fn new(
        model: &'a Model,
        known: &'a Known,
        starting: bool,
        axes: &[Axis],
        steps: u64,
    ) -> Self {
        Prover {
            model,
            known,
            starting,
            names: Names::default(),
            atoms: Vec::new(),
            index: BTreeMap::new(),
            polys: BTreeMap::new(),
            sizes: axes.iter().map(|axis| (axis.var, axis.size)).collect(),
            when: Vec::new(),
            narrowed: Vec::new(),
            inline: false,
            summing: false,
            depth: 0,
            cases: 0,
            steps,
            asked: RefCell::default(),
        }
    }

    /// Takes steps; whether there were any left.
    pub(super) fn spend(&mut self, steps: usize) -> bool {
        self.steps = self.steps.saturating_sub(steps as u64);
        self.steps > 0
    }

    /// The facts that were asked for.
    pub(super) fn consulted(&self) -> Vec<(Array, Fact)> {
        let asked = self.asked.borrow().clone();
        asked.into_iter().map(|array| (array, self.fact(array))).collect()
    }

    pub(super) fn fact(&self, array: Array) -> Fact {
        self.asked.borrow_mut().insert(array);
        let values = if self.starting { &self.known.starts } else { &self.known.values };
        let (list, at) = match array {
            Array::Input(at) => (&self.known.inputs, at),
            Array::Param(at) => (&self.known.params, at),
            Array::Prev(at) => (&self.known.states, at),
            Array::Value(at) => (values, at),
        };
        list.get(at as usize).copied().unwrap_or(Fact::of(Interval::WILD, 1.0))
    }

    pub(super) fn axes(&self, array: Array) -> &'a [Axis] {
        let model = self.model;
        match array {
            Array::Input(at) => &model.inputs[at as usize].axes,
            Array::Param(at) => &model.params[at as usize].axes,
            Array::Prev(at) => &model.states[at as usize].axes,
            Array::Value(at) if self.starting => &model.start_values[at as usize].axes,
            Array::Value(at) => &model.values[at as usize].axes,
        }
    }

    /// The equations that `Array::Value` numbers.
    pub(super) fn equations(&self) -> &'a [Value] {
        if self.starting { &self.model.start_values } else { &self.model.values }
    }

    fn sort(&self, array: Array) -> Sort {
        match array {
            Array::Input(at) => self.model.inputs[at as usize].sort,
            Array::Param(_) => Sort::Real,
            Array::Prev(at) => self.model.states[at as usize].sort,
            Array::Value(at) if self.starting => self.model.start_values[at as usize].sort,
            Array::Value(at) => self.model.values[at as usize].sort,
        }
    }

    pub(super) fn size(&self, var: Var) -> u32 {
        self.names.size(var).or_else(|| self.sizes.get(&var).copied()).unwrap_or(u32::MAX)
    }

    // ---- the whole of a term -------------------------------------------------------------------

    /// Where a term lies, at every point.
    pub(super) fn bound(&mut self, term: &Term) -> Interval {
        let term = self.canonical(term);
        self.bound_canonical(&term)
    }

    /// The term in canonical form, with reads of values that only read on followed to where they lead.
    pub(super) fn canonical(&mut self, term: &Term) -> Term {
        if !self.spend(terms::size(term)) {
            return term.clone();
        }
        let list = self.equations();
        let onward = |term: &Term| {
            let mut found = None;
            let mut here = term.clone();
            for _ in 0..LONGEST {
                let Term::Read(Array::Value(value), at) = &here else { break };
                let one = &list[*value as usize];
                let Term::Read(_, places) = &one.right else { break };
                // A place that is a value of its own may bind variables: it is left alone.
                if one.sort != Sort::Real || places.iter().any(|at| matches!(at, At::Value(_))) {
                    break;
                }
                let by = |var: Var| {
                    one.axes.iter().position(|axis| axis.var == var).map(|k| at[k].clone())
                };
                let Some(next) = terms::substitute(&one.right, &by) else { break };
                found = Some(next.clone());
                here = next;
            }
            found
        };
        let term = terms::replaced(term, &onward);
        self.names.canon(&term)
    }

    pub(super) fn bound_canonical(&mut self, term: &Term) -> Interval {
        if !self.spend(1) {
            return Interval::WILD;
        }
        if self.cases < MOST_CASES
            && let Some(arms) = terms::split(term)
        {
            let parts = arms.into_iter().filter_map(|arm| {
                self.cases += 1;
                self.within(&arm, |prover| prover.bound_canonical(&arm.term))
            });
            let parts: Vec<Interval> = parts.collect();
            return parts.into_iter().reduce(Interval::hull).unwrap_or(Interval::WILD);
        }
        let plain = self.plain(term);
        if plain.as_point().is_some() || !is_arithmetic(term) {
            return plain;
        }
        if plain.lo == f64::NEG_INFINITY && plain.hi == f64::INFINITY && self.is_free(term) {
            return plain;
        }
        let poly = self.poly(term);
        let close = self.bound_poly(&poly);
        plain.meet(Interval { wild: plain.wild, ..close })
    }

    /// Whether a term can be any number, whatever the rest of it is: one of its summands can, and stands
    /// nowhere else. Most emissions are so, for their biases.
    fn is_free(&self, term: &Term) -> bool {
        if !self.narrowed.is_empty() {
            return false;
        }
        let mut term = term;
        // A value alone is what its equation is.
        for _ in 0..LONGEST {
            let Term::Read(Array::Value(value), _) = term else { break };
            term = &self.equations()[*value as usize].right;
        }
        let mut summands = vec![term];
        while let Some(one) = summands.pop() {
            match one {
                Term::Map(scalar, all) if [ADD, SUB, NEG].contains(scalar) => summands.extend(all),
                Term::Read(array, _) => {
                    let equation = self.inline && matches!(array, Array::Value(_));
                    let mut count = 0;
                    reads(term, &mut |own| count += usize::from(own == *array));
                    if !equation && count == 1 && self.fact(*array).entry == Interval::REAL {
                        return true;
                    }
                }
                Term::Real(_)
                | Term::Truth(_)
                | Term::Position(_)
                | Term::Map(..)
                | Term::Fold { .. }
                | Term::Choose(_)
                | Term::Whole { .. } => {}
            }
        }
        false
    }

    /// Does something where one case of a split holds; nothing where it cannot.
    pub(super) fn within<T>(
        &mut self,
        arm: &terms::Arm,
        run: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        if terms::impossible(&arm.when, &self.when) {
            return None;
        }
        let before = (self.when.len(), self.narrowed.len());
        self.when.extend(arm.when.iter().cloned());
        if let Some((cond, holds)) = &arm.truth {
            self.narrow(cond, *holds);
        }
        // Ranges found here hold here only.
        let atoms = std::mem::take(&mut self.atoms);
        let index = std::mem::take(&mut self.index);
        let polys = std::mem::take(&mut self.polys);
        let result = run(self);
        (self.atoms, self.index, self.polys) = (atoms, index, polys);
        self.when.truncate(before.0);
        self.narrowed.truncate(before.1);
        Some(result)
    }

    /// What a condition on values says of them.
    fn narrow(&mut self, cond: &Term, holds: bool) {
        let Term::Map(scalar, all) = cond else { return };
        match (*scalar, holds) {
            (AND, true) => all.iter().for_each(|one| self.narrow(one, true)),
            (NOT, _) => self.narrow(&all[0], !holds),
            (LT | LE, true) => self.ordered(&all[0], &all[1]),
            (LT | LE, false) => self.ordered(&all[1], &all[0]),
            _ => {}
        }
    }

    /// The first term is at most the second.
    fn ordered(&mut self, less: &Term, more: &Term) {
        let (low, high) = (self.bound(less), self.bound(more));
        // A comparison with something undefined is false, so nothing is learnt then.
        if low.wild || high.wild {
            return;
        }
        let below = Interval::new(f64::NEG_INFINITY, high.hi);
        let above = Interval::new(low.lo, f64::INFINITY);
        let (less, more) = (self.canonical(less), self.canonical(more));
        self.narrowed.push((less, below));
        self.narrowed.push((more, above));
    }

    // ---- as it is written ----------------------------------------------------------------------

    /// By the interval rules of the functions in it.
    fn plain(&mut self, term: &Term) -> Interval {
        let range = match term {
            Term::Map(scalar, all) if [ADD, SUB, MUL, NEG].contains(scalar) => {
                let parts: Vec<Interval> = all.iter().map(|one| self.plain(one)).collect();
                (scalar.row().range)(&parts)
            }
            Term::Map(scalar, all) if *scalar == DIV => {
                let parts = [self.plain(&all[0]), self.bound_canonical(&all[1])];
                (scalar.row().range)(&parts)
            }
            Term::Real(_)
            | Term::Truth(_)
            | Term::Position(_)
            | Term::Read(..)
            | Term::Map(..)
            | Term::Fold { .. }
            | Term::Choose(_)
            | Term::Whole { .. } => {
                let atom = self.atom(term);
                self.atoms[atom.0 as usize].range
            }
        };
        self.narrowed_range(term, range)
    }

    fn narrowed_range(&self, term: &Term, range: Interval) -> Interval {
        self.narrowed
            .iter()
            .filter(|(own, _)| own == term)
            .fold(range, |range, (_, near)| range.meet(Interval { wild: range.wild, ..*near }))
    }

    /// Where a term that is no sum or product lies.
    pub(super) fn range(&mut self, term: &Term) -> Interval {
        let range = match term {
            Term::Real(value) => Interval::point(*value),
            Term::Truth(value) => Interval::point(f64::from(u8::from(*value))),
            Term::Position(linear) => self.position(linear),
            Term::Read(array, _) => match self.sort(*array) {
                Sort::Real | Sort::Int => self.fact(*array).entry,
                Sort::Bool => Interval::UNIT,
                Sort::Index { below, .. } => Interval::new(0.0, f64::from(below.saturating_sub(1))),
            },
            Term::Map(scalar, all) => {
                let parts: Vec<Interval> =
                    all.iter().map(|one| self.bound_canonical(one)).collect();
                (scalar.row().range)(&parts)
            }
            Term::Choose(arms) => {
                let parts: Vec<Interval> =
                    arms.iter().map(|(_, term)| self.bound_canonical(term)).collect();
                parts.into_iter().reduce(Interval::hull).unwrap_or(Interval::WILD)
            }
            Term::Fold { fold, over, when, body } => self.folded(*fold, over, when, body),
            Term::Whole { function, over, body, .. } => {
                let last = over.iter().map(|axis| f64::from(axis.size)).product::<f64>() - 1.0;
                match function {
                    Whole::Softmax => {
                        let wild = self.bound_canonical(body).wild;
                        Interval::UNIT.wild_if(wild)
                    }
                    Whole::Argsort | Whole::Rank | Whole::Top { .. } => {
                        Interval::new(0.0, last.max(0.0))
                    }
                }
            }
        };
        self.narrowed_range(term, range)
    }

    fn position(&self, linear: &Linear) -> Interval {
        let start = Interval::point(linear.offset as f64);
        linear.terms.iter().fold(start, |sum, (var, factor)| {
            let last = f64::from(self.size(*var)) - 1.0;
            sum.plus(Interval::new(0.0, last).times(Interval::point(*factor as f64)))
        })
    }

    fn folded(&mut self, fold: Fold, over: &[Axis], when: &[Cond], body: &Term) -> Interval {
        let one = self.bound_canonical(body);
        let points = over.iter().map(|axis| f64::from(axis.size)).product::<f64>();
        let least = if when.is_empty() { points } else { 0.0 };
        match fold {
            Fold::Sum if self.picks_one(over, when) => one,
            Fold::Sum => one.times(Interval::new(least, points)),
            Fold::Prod => product_range(one, least, points),
            Fold::Max | Fold::Min if least < 1.0 => Interval::WILD,
            Fold::Max => {
                let peak = match over {
                    [axis] => self.peak(body, axis.var, axis.size),
                    _ => one.lo,
                };
                Interval { lo: one.lo.max(peak).min(one.hi), ..one }
            }
            Fold::Min => one,
        }
    }

    /// Whether exactly one point meets the conditions: `phi[j] == i` with a permutation phi.
    pub(super) fn picks_one(&self, over: &[Axis], when: &[Cond]) -> bool {
        let ([axis], [cond]) = (over, when) else { return false };
        let At::Value(value) = &cond.left else { return false };
        let free = cond.right.terms.iter().all(|(var, _)| *var != axis.var);
        cond.rel == Rel::Eq && free && self.permutes(value, axis.var, axis.size)
    }

    /// Whether a whole number takes every value below a size once as a variable runs.
    pub(super) fn permutes(&self, value: &Term, var: Var, size: u32) -> bool {
        let bare = |at: &[At]| {
            let last = at.last().is_some_and(|at| *at == At::var(var));
            let before = &at[..at.len().saturating_sub(1)];
            last && before.iter().all(|at| !terms::at_mentions(at, var))
        };
        match value {
            Term::Read(array, at) => {
                let all = Sort::Index { below: size, permutation: true };
                self.sort(*array) == all && bare(at)
            }
            Term::Whole { function: Whole::Argsort | Whole::Rank, over, body, at } => {
                let whole = over.len() == 1 && over[0].size == size;
                whole && bare(at) && !terms::mentions(body, var)
            }
            Term::Real(_)
            | Term::Truth(_)
            | Term::Position(_)
            | Term::Map(..)
            | Term::Fold { .. }
            | Term::Choose(_)
            | Term::Whole { .. } => false,
        }
    }
}

/// Whether a term is a sum, product or quotient.
fn is_arithmetic(term: &Term) -> bool {
    match term {
        Term::Map(scalar, _) => [ADD, SUB, MUL, NEG, DIV, POW].contains(scalar),
        Term::Fold { fold, .. } => *fold == Fold::Sum,
        Term::Read(..) => true,
        Term::Real(_)
        | Term::Truth(_)
        | Term::Position(_)
        | Term::Choose(_)
        | Term::Whole { .. } => false,
    }
}

/// Where a product of some of these numbers lies.
fn product_range(one: Interval, least: f64, most: f64) -> Interval {
    if one.lo >= 0.0 {
        let (low, high) = (one.lo.min(1.0), one.hi.max(1.0));
        let lo = if one.lo <= 1.0 { low.powf(most) } else { one.lo.powf(least) };
        let hi = if one.hi >= 1.0 { high.powf(most) } else { one.hi.powf(least) };
        return Interval::new(lo, hi).wild_if(one.wild || hi > 1e150);
    }
    if one.lo >= -1.0 - SLACK && one.hi <= 1.0 + SLACK {
        return Interval::new(-1.0, 1.0).wild_if(one.wild);
    }
    // Products of ordinary numbers are ordinary where there are few of them.
    Interval::REAL.wild_if(one.wild || most > 16.0)
}

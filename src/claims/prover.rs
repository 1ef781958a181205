//! What can be said of a term, from what is known of the arrays it reads.
//!
//! In: a term over index variables, facts about arrays. Out: an interval that holds it at every point.
//! A term is read twice: as it is written, with the interval rule of every function, which also says
//! whether anything may overflow or be undefined; and as a polynomial over what is no polynomial
//! ([`super::poly`]), in which equal things cancel.

use std::collections::BTreeMap;

use super::facts::{Fact, SLACK};
use super::poly::{AtomId, Mono, Poly};
use super::terms::{self, Names};
use crate::model::Model;
use crate::model::flat::{Array, At, Axis, Cond, Fold, Linear, Rel, Sort, Term, Var, Whole};
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
const DEEPEST: usize = 3;
/// How many reads of reads are followed.
const LONGEST: usize = 64;

pub(super) struct Prover<'a> {
    pub model: &'a Model,
    pub known: &'a Known,
    /// Whether terms are those of first states.
    pub starting: bool,
    pub names: Names,
    pub atoms: Vec<Atom>,
    pub index: BTreeMap<String, AtomId>,
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
    depth: usize,
    pub cases: usize,
}

impl<'a> Prover<'a> {
    pub(super) fn new(model: &'a Model, known: &'a Known, starting: bool, axes: &[Axis]) -> Self {
        Prover {
            model,
            known,
            starting,
            names: Names::default(),
            atoms: Vec::new(),
            index: BTreeMap::new(),
            sizes: axes.iter().map(|axis| (axis.var, axis.size)).collect(),
            when: Vec::new(),
            narrowed: Vec::new(),
            inline: false,
            summing: false,
            depth: 0,
            cases: 0,
        }
    }

    pub(super) fn fact(&self, array: Array) -> Fact {
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
        let list = if self.starting { &self.model.start_values } else { &self.model.values };
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

    fn bound_canonical(&mut self, term: &Term) -> Interval {
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
        let poly = self.poly(term);
        let close = self.bound_poly(&poly);
        plain.meet(Interval { wild: plain.wild, ..close })
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
        let result = run(self);
        (self.atoms, self.index) = (atoms, index);
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
    fn range(&mut self, term: &Term) -> Interval {
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

    // ---- as a polynomial -----------------------------------------------------------------------

    /// The unknown that a term is.
    pub(super) fn atom(&mut self, term: &Term) -> AtomId {
        let key = format!("{term:?}");
        if let Some(known) = self.index.get(&key) {
            return *known;
        }
        let range = self.range(term);
        self.add_atom(key, Atom { term: Some(term.clone()), under: None, sum: None, range })
    }

    pub(super) fn add_atom(&mut self, key: String, atom: Atom) -> AtomId {
        let id = AtomId(self.atoms.len() as u32);
        self.atoms.push(atom);
        self.index.insert(key, id);
        id
    }

    /// An unknown about which only its interval is known.
    pub(super) fn slack(&mut self, range: Interval) -> AtomId {
        let key = format!("slack {}", self.atoms.len());
        self.add_atom(key, Atom { term: None, under: None, sum: None, range })
    }

    /// A term as a polynomial; what is none becomes an unknown.
    pub(super) fn poly(&mut self, term: &Term) -> Poly {
        match self.expanded(term) {
            Some(poly) if !poly.is_large() => poly,
            Some(_) | None => {
                let atom = self.atom(term);
                match self.atoms[atom.0 as usize].range.as_point() {
                    Some(value) => Poly::constant(value),
                    None => Poly::atom(atom),
                }
            }
        }
    }

    fn expanded(&mut self, term: &Term) -> Option<Poly> {
        match term {
            Term::Real(value) if value.is_finite() => Some(Poly::constant(*value)),
            Term::Truth(value) => Some(Poly::constant(f64::from(u8::from(*value)))),
            Term::Read(Array::Value(value), at) => self.equation(*value, at),
            Term::Map(scalar, all) => match *scalar {
                ADD => Some(self.poly(&all[0]).plus(&self.poly(&all[1]))),
                SUB => Some(self.poly(&all[0]).plus_times(&self.poly(&all[1]), -1.0)),
                NEG => Some(Poly::default().plus_times(&self.poly(&all[0]), -1.0)),
                MUL => {
                    let (left, right) = (self.poly(&all[0]), self.poly(&all[1]));
                    self.times(&left, &right)
                }
                DIV => {
                    let (over, under) = (self.poly(&all[0]), self.poly(&all[1]));
                    let under = self.reciprocal(&under)?;
                    self.times(&over, &under)
                }
                POW if matches!(all[1], Term::Real(2.0)) => {
                    let base = self.poly(&all[0]);
                    self.times(&base, &base)
                }
                _ => None,
            },
            Term::Fold { fold: Fold::Sum, over, when, body } => self.sum(over, when, body),
            Term::Real(_)
            | Term::Position(_)
            | Term::Read(..)
            | Term::Choose(_)
            | Term::Fold { .. }
            | Term::Whole { .. } => None,
        }
    }

    /// A value replaced by its equation, where that is wanted.
    fn equation(&mut self, value: u32, at: &[At]) -> Option<Poly> {
        let list = if self.starting { &self.model.start_values } else { &self.model.values };
        let one = &list[value as usize];
        // An array whose sums are known is best kept whole.
        let fact = self.fact(Array::Value(value));
        let kept = !one.axes.is_empty() && fact.sum.lo >= -1.0 && fact.sum.hi <= 1.0 + SLACK;
        if one.sort != Sort::Real || kept || !self.inline || self.depth >= DEEPEST {
            return None;
        }
        let right = self.names.freshened(&one.right);
        let by = |var: Var| one.axes.iter().position(|axis| axis.var == var).map(|k| at[k].clone());
        let right = terms::substitute(&right, &by)?;
        let right = self.canonical(&right);
        if terms::split(&right).is_some() {
            return None;
        }
        self.depth += 1;
        let poly = self.poly(&right);
        self.depth -= 1;
        Some(poly)
    }

    /// The product, with what stands above and below a line cancelled.
    pub(super) fn times(&mut self, left: &Poly, right: &Poly) -> Option<Poly> {
        let raw = left.times(right)?;
        let mut all = Poly::default();
        for (mono, factor) in raw.0 {
            let (mono, factor) = self.cancelled(mono, factor);
            all.add(mono, factor);
        }
        Some(all)
    }

    fn cancelled(&self, mut mono: Mono, factor: f64) -> (Mono, f64) {
        let quotients: Vec<(AtomId, u8, Poly)> = mono
            .iter()
            .filter_map(|(atom, power)| {
                let under = self.atoms[atom.0 as usize].under.clone()?;
                Some((*atom, *power, under))
            })
            .collect();
        for (quotient, power, under) in quotients {
            let Some((below, _)) = under.0.iter().next().filter(|_| under.0.len() == 1) else {
                continue;
            };
            let [(atom, 1)] = below[..] else { continue };
            if !self.atoms[atom.0 as usize].range.excludes_zero() {
                continue;
            }
            let above = mono.iter().find(|(own, _)| *own == atom).map_or(0, |(_, power)| *power);
            let common = above.min(power);
            for slot in &mut mono {
                if slot.0 == atom || slot.0 == quotient {
                    slot.1 -= common;
                }
            }
            mono.retain(|(_, power)| *power > 0);
        }
        (mono, factor)
    }

    /// One over a polynomial, as unknowns.
    fn reciprocal(&mut self, under: &Poly) -> Option<Poly> {
        if let Some(value) = under.as_constant() {
            return (value != 0.0).then(|| Poly::constant(1.0 / value));
        }
        if let Some((mono, factor)) = under.0.iter().next().filter(|_| under.0.len() == 1) {
            let (mono, factor) = (mono.clone(), *factor);
            let mut all = Mono::new();
            for (atom, power) in mono {
                all.push((self.quotient(&Poly::atom(atom)), power));
            }
            all.sort_unstable();
            return Some(Poly::default().with(all, 1.0 / factor));
        }
        Some(Poly::atom(self.quotient(under)))
    }

    fn quotient(&mut self, under: &Poly) -> AtomId {
        let key = format!("1 / {under:?}");
        if let Some(known) = self.index.get(&key) {
            return *known;
        }
        let range = self.bound_poly(under).reciprocal();
        let term = self.term_of(under).map(|term| Term::Map(DIV, vec![Term::Real(1.0), term]));
        self.add_atom(key, Atom { term, under: Some(under.clone()), sum: None, range })
    }

    /// A polynomial as a term again.
    pub(super) fn term_of(&self, poly: &Poly) -> Option<Term> {
        let mut sum: Option<Term> = None;
        for (mono, factor) in &poly.0 {
            let product = Term::Map(MUL, vec![Term::Real(*factor), self.term_of_mono(mono)?]);
            sum = Some(match sum {
                None => product,
                Some(sum) => Term::Map(ADD, vec![sum, product]),
            });
        }
        Some(sum.unwrap_or(Term::Real(0.0)))
    }

    /// A product as a term, its factors in an order that depends on what they are.
    pub(super) fn term_of_mono(&self, mono: &Mono) -> Option<Term> {
        let mut factors = Vec::new();
        for (atom, power) in mono {
            let term = self.atoms[atom.0 as usize].term.clone()?;
            (0..*power).for_each(|_| factors.push(term.clone()));
        }
        factors.sort_by_cached_key(|term| format!("{term:?}"));
        let product = factors.into_iter().reduce(|a, b| Term::Map(MUL, vec![a, b]));
        Some(product.unwrap_or(Term::Real(1.0)))
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

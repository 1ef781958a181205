//! Terms with names of bound variables that do not matter, substitution, and splitting by conditions.
//!
//! In: terms of a flat model. Out: the same meaning in a form where equal meanings are mostly equal
//! terms. Invariant: no free variable is captured.

use std::collections::BTreeSet;

use crate::model::flat::{At, Axis, Cond, Linear, Rel, Term, Var};
use crate::op::scalar::{CLIP_GRADIENT, SELECT, STOP};

/// The first of the names of bound variables.
const CANON: u32 = 1 << 30;
/// The first of the variables that are used once.
const FRESH: u32 = 1 << 31;

/// Names for bound variables: by how deep the terms below are bound, and by size.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    known: Vec<(u32, u32)>,
    fresh: Vec<u32>,
}

impl Names {
    /// The variable of that height and size.
    fn canonical(&mut self, height: u32, size: u32) -> Var {
        let at = self.known.iter().position(|one| *one == (height, size)).unwrap_or_else(|| {
            self.known.push((height, size));
            self.known.len() - 1
        });
        Var(CANON + at as u32)
    }

    fn height(&self, var: Var) -> Option<u32> {
        let at = var.0.checked_sub(CANON).filter(|_| var.0 < FRESH)?;
        self.known.get(at as usize).map(|(height, _)| *height)
    }

    /// A variable that occurs nowhere else.
    pub(super) fn fresh(&mut self, size: u32) -> Var {
        self.fresh.push(size);
        Var(FRESH + self.fresh.len() as u32 - 1)
    }

    /// The number of points of a variable of ours.
    pub(super) fn size(&self, var: Var) -> Option<u32> {
        if let Some(at) = var.0.checked_sub(FRESH) {
            return self.fresh.get(at as usize).copied();
        }
        let at = var.0.checked_sub(CANON)?;
        self.known.get(at as usize).map(|(_, size)| *size)
    }

    /// The term with bound variables named by height.
    pub(super) fn canon(&mut self, term: &Term) -> Term {
        match term {
            Term::Real(_) | Term::Truth(_) | Term::Position(_) => term.clone(),
            Term::Read(array, at) => {
                Term::Read(*array, at.iter().map(|at| self.canon_at(at)).collect())
            }
            // What stops or clips gradients changes no value.
            Term::Map(scalar, all) if [STOP, CLIP_GRADIENT].contains(scalar) => self.canon(&all[0]),
            Term::Map(scalar, all) => {
                Term::Map(*scalar, all.iter().map(|one| self.canon(one)).collect())
            }
            Term::Choose(arms) => Term::Choose(
                arms.iter()
                    .map(|(when, term)| {
                        let when = when.iter().map(|cond| self.canon_cond(cond)).collect();
                        (when, self.canon(term))
                    })
                    .collect(),
            ),
            Term::Fold { fold, over, when, body } => {
                let when = when.iter().map(|cond| self.canon_cond(cond)).collect();
                let inner = Term::Choose(vec![(when, self.canon(body))]);
                let (over, inner) = self.named(over, inner);
                let Term::Choose(mut arms) = inner else { return term.clone() };
                let Some((when, body)) = arms.pop() else { return term.clone() };
                Term::Fold { fold: *fold, over, when, body: Box::new(body) }
            }
            Term::Whole { function, over, body, at } => {
                let inner = self.canon(body);
                let (over, body) = self.named(over, inner);
                let at = at.iter().map(|at| self.canon_at(at)).collect();
                Term::Whole { function: *function, over, body: Box::new(body), at }
            }
        }
    }

    fn canon_at(&mut self, at: &At) -> At {
        match at {
            At::Linear(_) | At::Digit { .. } => at.clone(),
            At::Value(term) => At::Value(Box::new(self.canon(term))),
        }
    }

    fn canon_cond(&mut self, cond: &Cond) -> Cond {
        Cond { left: self.canon_at(&cond.left), ..cond.clone() }
    }

    /// Renames the variables of a binder, the last first.
    fn named(&mut self, over: &[Axis], body: Term) -> (Vec<Axis>, Term) {
        let mut vars = BTreeSet::new();
        all_vars(&body, &mut vars);
        let own: Vec<Var> = over.iter().map(|axis| axis.var).collect();
        let mut bound = BTreeSet::new();
        bound_vars(&body, &mut bound);
        let mut height = bound.iter().filter_map(|var| self.height(*var)).max().unwrap_or(0);
        let mut axes: Vec<(Var, Axis)> = Vec::new();
        for axis in over.iter().rev() {
            let var = loop {
                height += 1;
                let var = self.canonical(height, axis.size);
                // A variable that is free in the body, or bound beside this one, keeps its name.
                if !vars.contains(&var) || own.contains(&var) {
                    break var;
                }
            };
            let (name, dim) = (String::new(), String::new());
            axes.push((axis.var, Axis { var, name, dim, size: axis.size }));
        }
        axes.reverse();
        // All at once, so that names may change places.
        let by = |var: Var| {
            let named = axes.iter().find(|(from, _)| *from == var)?;
            Some(At::var(named.1.var))
        };
        let body = substitute(&body, &by).unwrap_or(body);
        (axes.into_iter().map(|(_, axis)| axis).collect(), body)
    }

    /// The term with every bound variable replaced by a fresh one.
    pub(super) fn freshened(&mut self, term: &Term) -> Term {
        let mut bound = BTreeSet::new();
        sizes_of_bound(term, &mut bound);
        bound.into_iter().fold(term.clone(), |term, (var, size)| {
            let fresh = self.fresh(size);
            rename_bound(&term, var, fresh)
        })
    }
}

/// How many terms there are in one.
pub(super) fn size(term: &Term) -> usize {
    let place = |at: &At| if let At::Value(term) = at { size(term) } else { 0 };
    let places = |all: &[At]| all.iter().map(place).sum::<usize>();
    let conds = |when: &[Cond]| when.iter().map(|cond| place(&cond.left)).sum::<usize>();
    1 + match term {
        Term::Real(_) | Term::Truth(_) | Term::Position(_) => 0,
        Term::Read(_, at) => places(at),
        Term::Map(_, all) => all.iter().map(size).sum(),
        Term::Choose(arms) => arms.iter().map(|(when, term)| conds(when) + size(term)).sum(),
        Term::Fold { when, body, .. } => conds(when) + size(body),
        Term::Whole { body, at, .. } => size(body) + places(at),
    }
}

/// Every read replaced, where there is something to put in its place.
pub(super) fn replaced(term: &Term, by: &dyn Fn(&Term) -> Option<Term>) -> Term {
    let in_at = |at: &At| match at {
        At::Linear(_) | At::Digit { .. } => at.clone(),
        At::Value(term) => At::Value(Box::new(replaced(term, by))),
    };
    let in_when = |when: &[Cond]| -> Vec<Cond> {
        when.iter().map(|cond| Cond { left: in_at(&cond.left), ..cond.clone() }).collect()
    };
    match term {
        Term::Real(_) | Term::Truth(_) | Term::Position(_) => term.clone(),
        Term::Read(array, at) => {
            let term = Term::Read(*array, at.iter().map(in_at).collect());
            by(&term).unwrap_or(term)
        }
        Term::Map(scalar, all) => {
            Term::Map(*scalar, all.iter().map(|one| replaced(one, by)).collect())
        }
        Term::Choose(arms) => Term::Choose(
            arms.iter().map(|(when, term)| (in_when(when), replaced(term, by))).collect(),
        ),
        Term::Fold { fold, over, when, body } => Term::Fold {
            fold: *fold,
            over: over.clone(),
            when: in_when(when),
            body: Box::new(replaced(body, by)),
        },
        Term::Whole { function, over, body, at } => Term::Whole {
            function: *function,
            over: over.clone(),
            body: Box::new(replaced(body, by)),
            at: at.iter().map(in_at).collect(),
        },
    }
}

/// A free variable renamed.
pub(super) fn rename(term: &Term, from: Var, to: Var) -> Term {
    let by = |var: Var| (var == from).then(|| At::var(to));
    substitute(term, &by).unwrap_or_else(|| term.clone())
}

/// A variable renamed where it is bound and everywhere below.
fn rename_bound(term: &Term, from: Var, to: Var) -> Term {
    let axes = |over: &[Axis]| {
        let one = |axis: &Axis| Axis {
            var: if axis.var == from { to } else { axis.var },
            ..axis.clone()
        };
        over.iter().map(one).collect::<Vec<_>>()
    };
    let binds = |over: &[Axis]| over.iter().any(|axis| axis.var == from);
    match term {
        Term::Real(_) | Term::Truth(_) | Term::Position(_) => term.clone(),
        Term::Read(array, at) => {
            Term::Read(*array, at.iter().map(|at| rename_bound_at(at, from, to)).collect())
        }
        Term::Map(scalar, all) => {
            Term::Map(*scalar, all.iter().map(|one| rename_bound(one, from, to)).collect())
        }
        Term::Choose(arms) => {
            let cond =
                |cond: &Cond| Cond { left: rename_bound_at(&cond.left, from, to), ..cond.clone() };
            let arm = |(when, term): &(Vec<Cond>, Term)| {
                (when.iter().map(cond).collect(), rename_bound(term, from, to))
            };
            Term::Choose(arms.iter().map(arm).collect())
        }
        Term::Fold { fold, over, when, body } => {
            let inner = Term::Choose(vec![(when.clone(), (**body).clone())]);
            let mut inner = rename_bound(&inner, from, to);
            if binds(over) {
                inner = rename(&inner, from, to);
            }
            let Term::Choose(mut arms) = inner else { return term.clone() };
            let Some((when, body)) = arms.pop() else { return term.clone() };
            Term::Fold { fold: *fold, over: axes(over), when, body: Box::new(body) }
        }
        Term::Whole { function, over, body, at } => {
            let mut inner = rename_bound(body, from, to);
            if binds(over) {
                inner = rename(&inner, from, to);
            }
            let at = at.iter().map(|at| rename_bound_at(at, from, to)).collect();
            Term::Whole { function: *function, over: axes(over), body: Box::new(inner), at }
        }
    }
}

fn rename_bound_at(at: &At, from: Var, to: Var) -> At {
    match at {
        At::Linear(_) | At::Digit { .. } => at.clone(),
        At::Value(term) => At::Value(Box::new(rename_bound(term, from, to))),
    }
}

/// Free variables replaced by places; `None` where a place cannot stand there.
pub(super) fn substitute(term: &Term, by: &dyn Fn(Var) -> Option<At>) -> Option<Term> {
    Some(match term {
        Term::Real(_) | Term::Truth(_) => term.clone(),
        Term::Position(linear) => match place(linear, by)? {
            At::Linear(linear) => Term::Position(linear),
            At::Value(term) => *term,
            At::Digit { .. } => return None,
        },
        Term::Read(array, at) => {
            Term::Read(*array, at.iter().map(|at| in_place(at, by)).collect::<Option<_>>()?)
        }
        Term::Map(scalar, all) => {
            Term::Map(*scalar, all.iter().map(|one| substitute(one, by)).collect::<Option<_>>()?)
        }
        Term::Choose(arms) => {
            let arm =
                |(when, term): &(Vec<Cond>, Term)| Some((conds(when, by)?, substitute(term, by)?));
            Term::Choose(arms.iter().map(arm).collect::<Option<_>>()?)
        }
        Term::Fold { fold, over, when, body } => {
            let inner =
                |var: Var| if over.iter().any(|axis| axis.var == var) { None } else { by(var) };
            let body = Box::new(substitute(body, &inner)?);
            Term::Fold { fold: *fold, over: over.clone(), when: conds(when, &inner)?, body }
        }
        Term::Whole { function, over, body, at } => {
            let inner =
                |var: Var| if over.iter().any(|axis| axis.var == var) { None } else { by(var) };
            let body = Box::new(substitute(body, &inner)?);
            let at = at.iter().map(|at| in_place(at, by)).collect::<Option<_>>()?;
            Term::Whole { function: *function, over: over.clone(), body, at }
        }
    })
}

/// The same for conditions.
pub(super) fn conds(when: &[Cond], by: &dyn Fn(Var) -> Option<At>) -> Option<Vec<Cond>> {
    when.iter()
        .map(|cond| {
            let At::Linear(right) = place(&cond.right, by)? else { return None };
            Some(Cond { left: in_place(&cond.left, by)?, rel: cond.rel, right })
        })
        .collect()
}

fn in_place(at: &At, by: &dyn Fn(Var) -> Option<At>) -> Option<At> {
    match at {
        At::Linear(linear) => place(linear, by),
        At::Digit { of, step, radix } => match place(of, by)? {
            At::Linear(of) => Some(At::Digit { of, step: *step, radix: *radix }),
            At::Digit { .. } | At::Value(_) => None,
        },
        At::Value(term) => Some(At::Value(Box::new(substitute(term, by)?))),
    }
}

fn place(linear: &Linear, by: &dyn Fn(Var) -> Option<At>) -> Option<At> {
    if let Some(at) = linear.as_var().and_then(by) {
        return Some(at);
    }
    let mut sum = Linear::constant(linear.offset);
    for (var, factor) in &linear.terms {
        let one = match by(*var) {
            None => Linear::var(*var),
            Some(At::Linear(linear)) => linear,
            Some(At::Digit { .. } | At::Value(_)) => return None,
        };
        sum = sum.plus(&one.times(*factor));
    }
    Some(At::Linear(sum))
}

/// Whether a variable occurs free.
pub(super) fn mentions(term: &Term, var: Var) -> bool {
    let mut vars = BTreeSet::new();
    free_vars(term, &mut vars);
    vars.contains(&var)
}

/// Whether a variable occurs in a condition.
pub(super) fn cond_mentions(cond: &Cond, var: Var) -> bool {
    at_mentions(&cond.left, var) || cond.right.terms.iter().any(|(own, _)| *own == var)
}

/// Whether a variable occurs in a place.
pub(super) fn at_mentions(at: &At, var: Var) -> bool {
    match at {
        At::Linear(linear) => linear.terms.iter().any(|(own, _)| *own == var),
        At::Digit { of, .. } => of.terms.iter().any(|(own, _)| *own == var),
        At::Value(term) => mentions(term, var),
    }
}

fn at_vars(at: &At, vars: &mut BTreeSet<Var>, visit: &dyn Fn(&Term, &mut BTreeSet<Var>)) {
    match at {
        At::Linear(linear) => vars.extend(linear.terms.iter().map(|(var, _)| *var)),
        At::Digit { of, .. } => vars.extend(of.terms.iter().map(|(var, _)| *var)),
        At::Value(term) => visit(term, vars),
    }
}

fn cond_vars(cond: &Cond, vars: &mut BTreeSet<Var>, visit: &dyn Fn(&Term, &mut BTreeSet<Var>)) {
    at_vars(&cond.left, vars, visit);
    vars.extend(cond.right.terms.iter().map(|(var, _)| *var));
}

/// Every variable that occurs, free or bound.
fn all_vars(term: &Term, vars: &mut BTreeSet<Var>) {
    visit(term, vars, &all_vars);
    if let Term::Fold { over, .. } | Term::Whole { over, .. } = term {
        vars.extend(over.iter().map(|axis| axis.var));
    }
}

/// Every variable that occurs free.
pub(super) fn free_vars(term: &Term, vars: &mut BTreeSet<Var>) {
    if let Term::Fold { over, .. } | Term::Whole { over, .. } = term {
        let mut inner = BTreeSet::new();
        let (place, bare) = match term {
            Term::Whole { at, function, over, body } => (
                at.as_slice(),
                Term::Whole {
                    function: *function,
                    over: over.clone(),
                    body: body.clone(),
                    at: Vec::new(),
                },
            ),
            Term::Fold { .. }
            | Term::Real(_)
            | Term::Truth(_)
            | Term::Position(_)
            | Term::Read(..)
            | Term::Map(..)
            | Term::Choose(_) => (&[][..], term.clone()),
        };
        visit(&bare, &mut inner, &free_vars);
        over.iter().for_each(|axis| {
            inner.remove(&axis.var);
        });
        place.iter().for_each(|at| at_vars(at, &mut inner, &free_vars));
        vars.extend(inner);
        return;
    }
    visit(term, vars, &free_vars);
}

/// Every variable that is bound.
fn bound_vars(term: &Term, vars: &mut BTreeSet<Var>) {
    let mut sizes = BTreeSet::new();
    sizes_of_bound(term, &mut sizes);
    vars.extend(sizes.into_iter().map(|(var, _)| var));
}

fn visit(term: &Term, vars: &mut BTreeSet<Var>, inner: &dyn Fn(&Term, &mut BTreeSet<Var>)) {
    match term {
        Term::Real(_) | Term::Truth(_) => {}
        Term::Position(linear) => vars.extend(linear.terms.iter().map(|(var, _)| *var)),
        Term::Read(_, at) => at.iter().for_each(|at| at_vars(at, vars, inner)),
        Term::Map(_, all) => all.iter().for_each(|one| inner(one, vars)),
        Term::Choose(arms) => {
            for (when, term) in arms {
                when.iter().for_each(|cond| cond_vars(cond, vars, inner));
                inner(term, vars);
            }
        }
        Term::Fold { when, body, .. } => {
            when.iter().for_each(|cond| cond_vars(cond, vars, inner));
            inner(body, vars);
        }
        Term::Whole { body, at, .. } => {
            inner(body, vars);
            at.iter().for_each(|at| at_vars(at, vars, inner));
        }
    }
}

fn sizes_of_bound(term: &Term, found: &mut BTreeSet<(Var, u32)>) {
    let in_at = |at: &At, found: &mut BTreeSet<(Var, u32)>| {
        if let At::Value(term) = at {
            sizes_of_bound(term, found);
        }
    };
    match term {
        Term::Real(_) | Term::Truth(_) | Term::Position(_) => {}
        Term::Read(_, at) => at.iter().for_each(|at| in_at(at, found)),
        Term::Map(_, all) => all.iter().for_each(|one| sizes_of_bound(one, found)),
        Term::Choose(arms) => {
            for (when, term) in arms {
                when.iter().for_each(|cond| in_at(&cond.left, found));
                sizes_of_bound(term, found);
            }
        }
        Term::Fold { over, when, body, .. } => {
            found.extend(over.iter().map(|axis| (axis.var, axis.size)));
            when.iter().for_each(|cond| in_at(&cond.left, found));
            sizes_of_bound(body, found);
        }
        Term::Whole { over, body, at, .. } => {
            found.extend(over.iter().map(|axis| (axis.var, axis.size)));
            sizes_of_bound(body, found);
            at.iter().for_each(|at| in_at(at, found));
        }
    }
}

/// One way a term can go.
#[derive(Clone, Debug)]
pub(super) struct Arm {
    /// What holds of the indices then.
    pub(super) when: Vec<Cond>,
    /// What holds of values then: a condition and whether it is true.
    pub(super) truth: Option<(Term, bool)>,
    /// What the term is then.
    pub(super) term: Term,
}

/// The first choice in a term, outside of reductions, with the term in each of its cases.
pub(super) fn split(term: &Term) -> Option<Vec<Arm>> {
    match term {
        Term::Choose(arms) => {
            let arm = |(when, term): &(Vec<Cond>, Term)| Arm {
                when: when.clone(),
                truth: None,
                term: term.clone(),
            };
            Some(arms.iter().map(arm).collect())
        }
        Term::Map(scalar, all) if *scalar == SELECT => {
            let arm = |at: usize, holds| Arm {
                when: Vec::new(),
                truth: Some((all[0].clone(), holds)),
                term: all[at].clone(),
            };
            Some(vec![arm(1, true), arm(2, false)])
        }
        Term::Map(scalar, all) => {
            let (at, arms) =
                all.iter().enumerate().find_map(|(at, one)| Some((at, split(one)?)))?;
            let whole = |arm: Arm| {
                let mut all = all.clone();
                all[at] = arm.term;
                Arm { term: Term::Map(*scalar, all), ..arm }
            };
            Some(arms.into_iter().map(whole).collect())
        }
        Term::Real(_)
        | Term::Truth(_)
        | Term::Position(_)
        | Term::Read(..)
        | Term::Fold { .. }
        | Term::Whole { .. } => None,
    }
}

/// Whether two places surely differ where the conditions hold.
pub(super) fn distinct(left: &At, right: &At, known: &[Cond]) -> bool {
    let (At::Linear(left), At::Linear(right)) = (left, right) else { return false };
    let gap = left.plus(&right.times(-1));
    if let Some(gap) = gap.as_constant() {
        return gap != 0;
    }
    known.iter().any(|cond| {
        let At::Linear(other) = &cond.left else { return false };
        let differs = other.plus(&cond.right.times(-1));
        let same = differs == gap || differs == gap.times(-1);
        same && matches!(cond.rel, Rel::Ne | Rel::Lt)
    })
}

/// Whether a condition contradicts one that is known.
pub(super) fn impossible(when: &[Cond], known: &[Cond]) -> bool {
    let opposite = |rel| match rel {
        Rel::Eq => Rel::Ne,
        Rel::Ne => Rel::Eq,
        Rel::Lt => Rel::Ge,
        Rel::Ge => Rel::Lt,
    };
    when.iter().any(|cond| {
        let other = Cond { rel: opposite(cond.rel), ..cond.clone() };
        known.contains(&other)
    })
}

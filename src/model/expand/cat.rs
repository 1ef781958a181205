//! Joined vectors: choices by where a place lies, seen again as the pieces they came from.

use super::super::flat::{At, Cond, Linear, Rel, Term, Var};

/// A piece of a joined vector: where it begins and ends, and its entry at the vector's place.
pub(super) struct Piece {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) term: Term,
}

/// The place at which a choice reads a joined vector, and its pieces; `most` gives the largest value of
/// a place.
pub(super) fn joined(
    term: &Term,
    most: &dyn Fn(&Linear) -> (i64, i64),
) -> Option<(Linear, Vec<Piece>)> {
    let Term::Choose(arms) = term else { return None };
    let at = match &arms.first()?.0.first()?.left {
        At::Linear(at) => at.clone(),
        At::Digit { of, step, .. } if *step > 1 => of.clone(),
        At::Digit { .. } | At::Value(_) => return None,
    };
    if at.as_constant().is_some() {
        return None;
    }
    let (low, high) = most(&at);
    if low < 0 {
        return None;
    }
    let pieces = pieces(&at, 0, high + 1, term.clone());
    // Only numbers can be joined; conditions stay conditions.
    let truths = pieces.iter().any(|piece| matches!(piece.term, Term::Truth(_)));
    (pieces.len() > 1 && !truths).then_some((at, pieces))
}

/// Splits one piece as far as it is a choice by place.
fn pieces(at: &Linear, from: i64, to: i64, term: Term) -> Vec<Piece> {
    let Term::Choose(arms) = &term else { return vec![Piece { from, to, term }] };
    if let Some(ends) = intervals(arms, at, from, to) {
        let arms = arms.iter().zip(ends);
        return arms.flat_map(|((_, term), (a, b))| pieces(at, a, b, term.clone())).collect();
    }
    let local = at.plus(&Linear::constant(-from));
    if let Some(step) = digits(arms, &local, to - from) {
        let member = |(k, (_, term)): (usize, &(Vec<Cond>, Term))| {
            let start = from + k as i64 * step;
            let moved = at.plus(&Linear::constant(-start));
            let term = each_at(term, &|at| match at {
                At::Digit { of, step, radix } if *of == local => {
                    Some(At::Digit { of: moved.clone(), step: *step, radix: *radix })
                }
                At::Digit { .. } | At::Linear(_) | At::Value(_) => None,
            });
            pieces(at, start, start + step, term)
        };
        return arms.iter().enumerate().flat_map(member).collect();
    }
    vec![Piece { from, to, term }]
}

/// The ends of arms that take one interval after another.
fn intervals(
    arms: &[(Vec<Cond>, Term)],
    at: &Linear,
    from: i64,
    to: i64,
) -> Option<Vec<(i64, i64)>> {
    let mut ends = Vec::new();
    let mut next = from;
    for (k, (when, _)) in arms.iter().enumerate() {
        let (mut low, mut high) = (from, to);
        for cond in when {
            let bound = cond.right.as_constant()?;
            match (&cond.left, cond.rel) {
                (At::Linear(left), Rel::Ge) if left == at => low = low.max(bound),
                (At::Linear(left), Rel::Lt) if left == at => high = high.min(bound),
                _ => return None,
            }
        }
        let last = k + 1 == arms.len();
        if low != next || high <= low || (last != (high == to)) {
            return None;
        }
        ends.push((low, high));
        next = high;
    }
    (ends.len() > 1).then_some(ends)
}

/// The size of a member where arms take the members of a flattened family one by one.
fn digits(arms: &[(Vec<Cond>, Term)], local: &Linear, size: i64) -> Option<i64> {
    let mut found = None;
    for (k, (when, _)) in arms.iter().enumerate() {
        let [cond] = &when[..] else { return None };
        let At::Digit { of, step, radix } = &cond.left else { return None };
        let fits = of == local
            && cond.rel == Rel::Eq
            && cond.right.as_constant() == Some(k as i64)
            && i64::from(*step) * i64::from(*radix) == size
            && *radix as usize == arms.len();
        if !fits {
            return None;
        }
        found = Some(i64::from(*step));
    }
    found
}

/// A term with places replaced.
pub(super) fn each_at(term: &Term, by: &dyn Fn(&At) -> Option<At>) -> Term {
    let at = |one: &At| match by(one) {
        Some(at) => at,
        None => match one {
            At::Linear(_) | At::Digit { .. } => one.clone(),
            At::Value(term) => At::Value(Box::new(each_at(term, by))),
        },
    };
    let conds = |when: &[Cond]| -> Vec<Cond> {
        when.iter().map(|cond| Cond { left: at(&cond.left), ..cond.clone() }).collect()
    };
    match term {
        Term::Real(_) | Term::Truth(_) | Term::Position(_) => term.clone(),
        Term::Read(array, all) => Term::Read(*array, all.iter().map(at).collect()),
        Term::Map(scalar, all) => {
            Term::Map(*scalar, all.iter().map(|one| each_at(one, by)).collect())
        }
        Term::Fold { fold, over, when, body } => Term::Fold {
            fold: *fold,
            over: over.clone(),
            when: conds(when),
            body: Box::new(each_at(body, by)),
        },
        Term::Choose(arms) => {
            Term::Choose(arms.iter().map(|(when, term)| (conds(when), each_at(term, by))).collect())
        }
        Term::Whole { function, over, body, at: places } => Term::Whole {
            function: *function,
            over: over.clone(),
            body: Box::new(each_at(body, by)),
            at: places.iter().map(at).collect(),
        },
    }
}

/// A term with variables replaced by affine functions of others.
pub(super) fn substitute(term: &Term, by: &dyn Fn(Var) -> Linear) -> Term {
    let linear = |of: &Linear| of.substitute(&by);
    match term {
        Term::Position(of) => Term::Position(linear(of)),
        Term::Real(_) | Term::Truth(_) => term.clone(),
        Term::Read(array, all) => {
            Term::Read(*array, all.iter().map(|one| place(one, by)).collect())
        }
        Term::Map(scalar, all) => {
            Term::Map(*scalar, all.iter().map(|one| substitute(one, by)).collect())
        }
        Term::Fold { fold, over, when, body } => Term::Fold {
            fold: *fold,
            over: over.clone(),
            when: when.iter().map(|one| cond(one, by)).collect(),
            body: Box::new(substitute(body, by)),
        },
        Term::Choose(arms) => Term::Choose(
            arms.iter()
                .map(|(when, term)| {
                    (when.iter().map(|one| cond(one, by)).collect(), substitute(term, by))
                })
                .collect(),
        ),
        Term::Whole { function, over, body, at } => Term::Whole {
            function: *function,
            over: over.clone(),
            body: Box::new(substitute(body, by)),
            at: at.iter().map(|one| place(one, by)).collect(),
        },
    }
}

fn cond(one: &Cond, by: &dyn Fn(Var) -> Linear) -> Cond {
    Cond { left: place(&one.left, by), rel: one.rel, right: one.right.substitute(&by) }
}

fn place(at: &At, by: &dyn Fn(Var) -> Linear) -> At {
    match at {
        At::Linear(of) => At::Linear(of.substitute(&by)),
        At::Digit { of, step, radix } => {
            At::Digit { of: of.substitute(&by), step: *step, radix: *radix }
        }
        At::Value(term) => At::Value(Box::new(substitute(term, by))),
    }
}

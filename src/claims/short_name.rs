//! Short names of terms.
//!
//! In: a term. Out: a number that is the same for equal terms and seldom for others, so that a term that
//! has been met before is found without a look at all of them. Invariant: it depends on the term alone.

use std::hash::{Hash, Hasher};

use crate::model::flat::{At, Axis, Cond, Linear, Term, Whole};

/// FNV-1a, by Fowler, Noll and Vo: the standard library promises no hash that stays the same.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The short name of a term.
pub(super) fn short_name(term: &Term) -> u64 {
    let mut state = Fnv(0xcbf2_9ce4_8422_2325);
    of_term(term, &mut state);
    state.finish()
}

fn of_term(term: &Term, state: &mut Fnv) {
    std::mem::discriminant(term).hash(state);
    match term {
        Term::Real(value) => value.to_bits().hash(state),
        Term::Truth(value) => value.hash(state),
        Term::Position(linear) => of_linear(linear, state),
        Term::Read(array, at) => {
            array.hash(state);
            at.iter().for_each(|at| of_place(at, state));
        }
        Term::Map(scalar, all) => {
            scalar.hash(state);
            all.iter().for_each(|one| of_term(one, state));
        }
        Term::Fold { fold, over, when, body } => {
            fold.hash(state);
            of_axes(over, state);
            of_conds(when, state);
            of_term(body, state);
        }
        Term::Choose(arms) => {
            for (when, term) in arms {
                of_conds(when, state);
                of_term(term, state);
            }
        }
        Term::Whole { function, over, body, at } => {
            std::mem::discriminant(function).hash(state);
            if let Whole::Top { k } = function {
                k.hash(state);
            }
            of_axes(over, state);
            of_term(body, state);
            at.iter().for_each(|at| of_place(at, state));
        }
    }
}

fn of_axes(over: &[Axis], state: &mut Fnv) {
    over.iter().for_each(|axis| (axis.var, axis.size).hash(state));
}

fn of_conds(when: &[Cond], state: &mut Fnv) {
    when.len().hash(state);
    for cond in when {
        of_place(&cond.left, state);
        cond.rel.hash(state);
        of_linear(&cond.right, state);
    }
}

fn of_place(at: &At, state: &mut Fnv) {
    std::mem::discriminant(at).hash(state);
    match at {
        At::Linear(linear) => of_linear(linear, state),
        At::Digit { of, step, radix } => {
            of_linear(of, state);
            (step, radix).hash(state);
        }
        At::Value(term) => of_term(term, state),
    }
}

fn of_linear(linear: &Linear, state: &mut Fnv) {
    linear.offset.hash(state);
    linear.terms.hash(state);
}

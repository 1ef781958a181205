//! Short names of terms.
//!
//! In: a term. Out: a number that is the same for equal terms and seldom for others, so that a term that
//! has been met before is found without a look at all of them. Invariant: it depends on the term alone.

use std::hash::{Hash, Hasher};

use crate::model::flat::{At, Axis, Cond, Linear, Term, Whole};

/// A hash that stays the same, which the standard library does not promise: word by word, the bits of
/// each spread by a multiplication.
struct Words(u64);

impl Hasher for Words {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, word: u64) {
        // The odd number next to 2^64 over the golden ratio.
        let all = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = all ^ (all >> 32);
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u16(&mut self, word: u16) {
        self.write_u64(u64::from(word));
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_i64(&mut self, word: i64) {
        self.write_u64(word.cast_unsigned());
    }

    fn write_isize(&mut self, word: isize) {
        self.write_i64(word as i64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The short name of a term.
pub(super) fn short_name(term: &Term) -> u64 {
    let mut state = Words(0);
    of_term(term, &mut state);
    state.finish()
}

fn of_term(term: &Term, state: &mut Words) {
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

fn of_axes(over: &[Axis], state: &mut Words) {
    over.iter().for_each(|axis| (axis.var, axis.size).hash(state));
}

fn of_conds(when: &[Cond], state: &mut Words) {
    when.len().hash(state);
    for cond in when {
        of_place(&cond.left, state);
        cond.rel.hash(state);
        of_linear(&cond.right, state);
    }
}

fn of_place(at: &At, state: &mut Words) {
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

fn of_linear(linear: &Linear, state: &mut Words) {
    linear.offset.hash(state);
    linear.terms.len().hash(state);
    linear.terms.iter().for_each(|term| term.hash(state));
}

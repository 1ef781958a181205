//! What claims depend on.
//!
//! In: a model, terms, and arrays of which enough is known. Out: every equation and state that a term
//! reads, however far away, but not through those arrays. Invariant: what is left out has no influence on
//! the terms but through those arrays.

use std::collections::BTreeSet;

use crate::model::Model;
use crate::model::flat::{Array, At, Term};

/// What a claim depends on.
pub(super) struct Needed {
    pub values: Vec<bool>,
    pub starts: Vec<bool>,
    pub states: Vec<bool>,
}

impl Needed {
    pub(super) fn of<'a>(
        model: &Model,
        terms: impl Iterator<Item = &'a Term>,
        settled: &BTreeSet<Array>,
    ) -> Needed {
        let mut needed = Needed {
            values: vec![false; model.values.len()],
            starts: vec![false; model.start_values.len()],
            states: vec![false; model.states.len()],
        };
        let mut open: Vec<(Array, bool)> = Vec::new();
        terms.for_each(|term| reads(term, &mut |array| open.push((array, false))));
        while let Some((array, starting)) = open.pop() {
            if settled.contains(&array) && !starting {
                continue;
            }
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
pub(super) fn reads(term: &Term, found: &mut dyn FnMut(Array)) {
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

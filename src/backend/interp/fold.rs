//! Sums, products, maxima and minima over axes.
//!
//! In: one operand, the axes folded over, the points that count. Out: one value a point of the
//! node. Invariants: every value is folded in ascending order of the axes folded over, starting
//! from the first term (laws 7 and 8 of the graph); an empty fold is 0, 1, or an infinity.

use crate::backend::domain::compare;
use crate::backend::float::Float;
use crate::graph::{Fold, Rel};

use super::map::{larger, smaller};
use super::nest::{self, Loop, Positions};
use super::place::{Listed, Regions, Slot};

/// The value of a fold over nothing.
fn empty<F: Float>(fold: Fold) -> F {
    F::of(match fold {
        Fold::Sum => 0.0,
        Fold::Prod => 1.0,
        Fold::Max => f64::NEG_INFINITY,
        Fold::Min => f64::INFINITY,
    })
}

/// Runs a body with the function of a fold, so that each gets loops of its own.
macro_rules! with_fold {
    ($fold:expr, $f:ident => $body:expr) => {
        match $fold {
            Fold::Sum => {
                let $f = |a, b| a + b;
                $body
            }
            Fold::Prod => {
                let $f = |a, b| a * b;
                $body
            }
            Fold::Max => {
                let $f = larger;
                $body
            }
            Fold::Min => {
                let $f = smaller;
                $body
            }
        }
    };
}

/// A fold of a strided view over all its points.
#[derive(Clone, Debug)]
pub(super) struct Whole {
    /// The fold.
    pub(super) fold: Fold,
    /// The operand.
    pub(super) slot: Slot,
    /// Where it starts.
    pub(super) bases: Positions,
    /// Loops over the node's axes but the innermost.
    pub(super) outer: Vec<Loop>,
    /// The innermost of the node's axes.
    pub(super) inner: Loop,
    /// Loops over the axes folded over.
    pub(super) over: Vec<Loop>,
}

impl Whole {
    /// Evaluates.
    pub(super) fn run<F: Float>(&self, out: &mut [F], regions: Regions<'_, F>) {
        if self.over.iter().any(|each| each.size == 0) {
            return out.fill(empty(self.fold));
        }
        let a = regions.read(self.slot);
        with_fold!(self.fold, f => self.fold_by(out, a, f));
    }

    fn fold_by<F: Float>(&self, out: &mut [F], a: &[F], f: impl Fn(F, F) -> F) {
        let mut chunks = out.chunks_exact_mut(self.inner.size);
        let last = self.over.last().map_or(0, |each| each.strides[0]);
        // Row by row where rows lie together: the order of each fold is the same.
        let by_rows = self.inner.strides[0] == 1 && self.inner.size > 1 && last != 1;
        nest::walk(&self.outer, self.bases, &mut |at| {
            let Some(out) = chunks.next() else { return };
            if by_rows {
                return self.rows(out, a, at, &f);
            }
            let mut here = at;
            for o in out {
                *o = self.line(a, here, &f);
                here = nest::moved(here, self.inner.strides, 1);
            }
        });
    }

    fn rows<F: Float>(&self, out: &mut [F], a: &[F], at: Positions, f: &impl Fn(F, F) -> F) {
        let n = out.len();
        let mut first = true;
        nest::walk(&self.over, at, &mut |at| {
            let row = &a[at[0]..at[0] + n];
            if first {
                first = false;
                out.copy_from_slice(row);
            } else {
                out.iter_mut().zip(row).for_each(|(o, a)| *o = f(*o, *a));
            }
        });
    }

    fn line<F: Float>(&self, a: &[F], at: Positions, f: &impl Fn(F, F) -> F) -> F {
        if let [only] = &self.over[..]
            && only.strides[0] == 1
        {
            let row = &a[at[0]..at[0] + only.size];
            return row[1..].iter().fold(row[0], |sum, a| f(sum, *a));
        }
        let mut sum = None;
        nest::walk(&self.over, at, &mut |at| {
            let term = a[at[0]];
            sum = Some(sum.map_or(term, |sum| f(sum, term)));
        });
        sum.unwrap_or_default()
    }
}

/// A fold over listed points: those of one value follow each other. With two operands the term is
/// their product, which is never stored.
#[derive(Clone, Debug)]
pub(super) struct Segments {
    /// The fold.
    pub(super) fold: Fold,
    /// The operands, one or two.
    pub(super) slots: Vec<Slot>,
    /// Where each is read.
    pub(super) reads: Vec<Listed>,
    /// Where to write.
    pub(super) out: Vec<u32>,
    /// One past the last term of each value.
    pub(super) ends: Vec<u32>,
}

impl Segments {
    /// Evaluates.
    pub(super) fn run<F: Float>(
        &self,
        out: &mut [F],
        regions: Regions<'_, F>,
        spare: &mut [Vec<u32>; 3],
    ) {
        let [s0, s1, _] = spare;
        let a = regions.read(self.slots[0]);
        let p = self.reads[0].positions(regions, s0);
        match (self.slots.get(1), self.reads.get(1)) {
            (Some(slot), Some(read)) => {
                let b = regions.read(*slot);
                let q = read.positions(regions, s1);
                self.fold_by(out, |n| a[p[n] as usize] * b[q[n] as usize]);
            }
            (None, _) | (_, None) => self.fold_by(out, |n| a[p[n] as usize]),
        }
    }

    fn fold_by<F: Float>(&self, out: &mut [F], term: impl Fn(usize) -> F) {
        with_fold!(self.fold, f => {
            let mut start = 0;
            for (at, end) in self.out.iter().zip(&self.ends) {
                let end = *end as usize;
                out[*at as usize] = if start == end {
                    empty(self.fold)
                } else {
                    (start + 1..end).fold(term(start), |sum, n| f(sum, term(n)))
                };
                start = end;
            }
        });
    }
}

/// A condition that is looked at for every point.
#[derive(Clone, Debug)]
pub(super) struct Check {
    /// The value compared.
    pub(super) slot: Slot,
    /// Where it is read.
    pub(super) at: Listed,
    /// The relation.
    pub(super) rel: Rel,
    /// What it is compared with, an entry a point.
    pub(super) right: Vec<i64>,
}

/// A condition `value == axis` that was solved: the value is the place along that axis.
#[derive(Clone, Debug)]
pub(super) struct Solved {
    /// The value.
    pub(super) slot: Slot,
    /// Where it is read.
    pub(super) at: Listed,
    /// How far apart the places lie in the result; 0 for an axis folded over.
    pub(super) by: u32,
    /// Size of the axis.
    pub(super) size: u32,
}

/// A fold whose points depend on data: each goes to the place its values name, if its checks hold.
/// Only the points left after solving are visited, so a scatter costs what it scatters.
#[derive(Clone, Debug)]
pub(super) struct Scatter {
    /// The fold.
    pub(super) fold: Fold,
    /// The operand.
    pub(super) slot: Slot,
    /// Where it is read.
    pub(super) read: Listed,
    /// Where to write, before the solved axes are added.
    pub(super) out: Vec<u32>,
    /// Axes that values stand for.
    pub(super) solved: Vec<Solved>,
    /// Conditions that remain.
    pub(super) checks: Vec<Check>,
    /// Points of the node that exist; `None` for all.
    pub(super) inside: Option<Vec<u32>>,
}

impl Scatter {
    /// Evaluates.
    pub(super) fn run<F: Float>(
        &self,
        out: &mut [F],
        regions: Regions<'_, F>,
        spare: &mut [Vec<u32>; 3],
    ) {
        let places = self.places(regions);
        let [s0, _, _] = spare;
        let a = regions.read(self.slot);
        let p = self.read.positions(regions, s0);
        let mut seen = vec![false; out.len()];
        match &self.inside {
            None => out.fill(empty(self.fold)),
            Some(inside) => inside.iter().for_each(|at| out[*at as usize] = empty(self.fold)),
        }
        with_fold!(self.fold, f => {
            for (place, at) in places.iter().zip(p) {
                let place = *place as usize;
                if place < out.len() {
                    let term = a[*at as usize];
                    out[place] = if seen[place] { f(out[place], term) } else { term };
                    seen[place] = true;
                }
            }
        });
    }

    /// Where each point goes; past the end if it does not count.
    fn places<F: Float>(&self, regions: Regions<'_, F>) -> Vec<u32> {
        let mut places = self.out.clone();
        let mut spare = Vec::new();
        for solved in &self.solved {
            let values = regions.read(solved.slot);
            let at = solved.at.positions(regions, &mut spare);
            for (place, at) in places.iter_mut().zip(at) {
                let value = values[*at as usize].wide();
                let inside = value >= 0.0 && value < f64::from(solved.size);
                let moved = place.saturating_add(solved.by * value as u32);
                *place = if inside { moved } else { u32::MAX };
            }
        }
        for check in &self.checks {
            let values = regions.read(check.slot);
            let at = check.at.positions(regions, &mut spare);
            for ((place, at), right) in places.iter_mut().zip(at).zip(&check.right) {
                if !compare(values[*at as usize].wide() as i64, check.rel, *right) {
                    *place = u32::MAX;
                }
            }
        }
        places
    }
}

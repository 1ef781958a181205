//! Ops that are neither scalar functions nor folds: recurrences, joins, whole-axis primitives.
//!
//! In: positions made beforehand. Out: one value a point. Invariant: points outside a node's space
//! are neither written nor read.

use crate::backend::float::Float;
use crate::graph::Toward;
use crate::op::Opaque;

use super::place::{Listed, Regions, Slot};

/// How an axis lies in a row-major array.
#[derive(Clone, Copy, Debug)]
pub(super) struct Along {
    /// Product of the sizes before it.
    pub(super) before: usize,
    /// Its size.
    pub(super) size: usize,
    /// Product of the sizes after it: how far apart neighbours lie.
    pub(super) after: usize,
}

impl Along {
    /// An axis of a box.
    pub(super) fn new(sizes: &[u32], axis: usize) -> Along {
        let product = |part: &[u32]| part.iter().map(|size| *size as usize).product();
        Along {
            before: product(&sizes[..axis]),
            size: sizes[axis] as usize,
            after: product(&sizes[axis + 1..]),
        }
    }

    /// The first position of every line, in order.
    fn lines(self) -> impl Iterator<Item = usize> {
        (0..self.before).flat_map(move |outer| {
            (0..self.after).map(move |inner| outer * self.size * self.after + inner)
        })
    }
}

/// An exclusive first-order linear recurrence.
#[derive(Clone, Debug)]
pub(super) struct Recur {
    /// The axis.
    pub(super) along: Along,
    /// Its direction.
    pub(super) toward: Toward,
    /// The first value.
    pub(super) start: f64,
    /// What is added, then the factor.
    pub(super) slots: [Slot; 2],
    /// Where they are read, an entry a point of the box.
    pub(super) reads: [Listed; 2],
    /// Which points of the box exist; `None` for all.
    pub(super) inside: Option<Vec<bool>>,
}

impl Recur {
    /// Evaluates.
    pub(super) fn run<F: Float>(
        &self,
        out: &mut [F],
        regions: Regions<'_, F>,
        spare: &mut [Vec<u32>; 3],
    ) {
        let [s0, s1, _] = spare;
        let (a, b) = (regions.read(self.slots[0]), regions.read(self.slots[1]));
        let p = self.reads[0].positions(regions, s0);
        let q = self.reads[1].positions(regions, s1);
        let exists = |at: usize| self.inside.as_ref().is_none_or(|inside| inside[at]);
        for first in self.along.lines() {
            let mut value = F::of(self.start);
            for step in 0..self.along.size {
                let place = match self.toward {
                    Toward::Up => step,
                    Toward::Down => self.along.size - 1 - step,
                };
                let at = first + place * self.along.after;
                if exists(at) {
                    out[at] = value;
                    value = a[p[at] as usize] + b[q[at] as usize] * value;
                }
            }
        }
    }
}

/// Consecutive points of a result that read evenly spaced points of an operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    out: u32,
    from: u32,
    len: u32,
    step: i32,
}

impl Run {
    /// The runs of a list of points and the positions they read.
    pub(super) fn list(out: impl Iterator<Item = u32>, from: &[u32]) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (out, from) in out.zip(from) {
            if let Some(last) = runs.last_mut()
                && last.takes(out, *from)
            {
                continue;
            }
            runs.push(Run { out, from: *from, len: 1, step: 0 });
        }
        runs
    }

    fn takes(&mut self, out: u32, from: u32) -> bool {
        if out != self.out + self.len {
            return false;
        }
        if self.len == 1 {
            self.step = from.wrapping_sub(self.from) as i32;
        }
        let next = i64::from(self.from) + i64::from(self.step) * i64::from(self.len);
        let fits = next == i64::from(from);
        self.len += u32::from(fits);
        fits
    }

    fn copy<F: Float>(self, out: &mut [F], a: &[F]) {
        let out = &mut out[self.out as usize..][..self.len as usize];
        let from = self.from as usize;
        match self.step {
            1 => out.copy_from_slice(&a[from..from + out.len()]),
            0 => out.fill(a[from]),
            step => {
                for (n, o) in out.iter_mut().enumerate() {
                    *o = a[from.wrapping_add_signed(n as isize * step as isize)];
                }
            }
        }
    }
}

/// What an arm of a join copies.
#[derive(Clone, Debug)]
pub(super) enum Copies {
    /// Runs known beforehand.
    Runs(Vec<Run>),
    /// Points whose positions depend on data: where to write, where to read.
    Gather(Vec<u32>, Listed),
}

/// One arm of a join, or a plain copy.
#[derive(Clone, Debug)]
pub(super) struct Arm {
    /// The operand.
    pub(super) slot: Slot,
    /// What is copied from it.
    pub(super) copies: Copies,
}

impl Arm {
    /// The value itself, where the arm copies it whole and in order.
    pub(super) fn whole<'a, F: Float>(
        &self,
        regions: Regions<'a, F>,
        len: usize,
    ) -> Option<&'a [F]> {
        let Copies::Runs(runs) = &self.copies else { return None };
        match runs[..] {
            [Run { out: 0, from, len: all, step }]
                if all as usize == len && (step == 1 || len == 1) =>
            {
                Some(&regions.read(self.slot)[from as usize..from as usize + len])
            }
            _ => None,
        }
    }

    /// Copies its points.
    pub(super) fn run<F: Float>(
        &self,
        out: &mut [F],
        regions: Regions<'_, F>,
        spare: &mut [Vec<u32>; 3],
    ) {
        let a = regions.read(self.slot);
        match &self.copies {
            Copies::Runs(runs) => runs.iter().for_each(|run| run.copy(out, a)),
            Copies::Gather(places, at) => {
                let [s0, _, _] = spare;
                let positions = at.positions(regions, s0);
                for (place, at) in places.iter().zip(positions) {
                    out[*place as usize] = a[*at as usize];
                }
            }
        }
    }
}

/// A whole-axis primitive.
#[derive(Clone, Debug)]
pub(super) struct Whole {
    /// Which.
    pub(super) op: Opaque,
    /// The operand, read by the identity.
    pub(super) slot: Slot,
    /// The axis in the operand.
    pub(super) from: Along,
    /// The axis in the result.
    pub(super) to: Along,
    /// Which points of the box exist; `None` for all.
    pub(super) inside: Option<Vec<bool>>,
}

impl Whole {
    /// Evaluates.
    pub(super) fn run<F: Float>(&self, out: &mut [F], regions: Regions<'_, F>) {
        let a = regions.read(self.slot);
        let exists = |at: usize| self.inside.as_ref().is_none_or(|inside| inside[at]);
        let mut line = Vec::with_capacity(self.from.size);
        for (from, to) in self.from.lines().zip(self.to.lines()) {
            line.clear();
            line.extend((0..self.from.size).map(|at| a[from + at * self.from.after].wide()));
            let found = self.op.positions(&line);
            for (at, position) in found.iter().take(self.to.size).enumerate() {
                let at = to + at * self.to.after;
                if exists(at) {
                    out[at] = F::of(f64::from(*position));
                }
            }
        }
    }
}

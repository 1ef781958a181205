//! Scalar functions, point by point.
//!
//! In: a row of the scalar table and how each operand is read. Out: one value a point. Invariant:
//! a function with a loop of its own gives the same bits as its row, which a test walks.

use crate::backend::float::Float;
use crate::op::{Scalar, scalar};

use super::nest::{self, Loop, Positions};
use super::place::{Listed, Regions, Slot};

/// How the points are visited.
#[derive(Clone, Debug)]
pub(super) enum Walk {
    /// The whole box, every operand a strided view.
    Nest {
        /// All loops but the innermost.
        outer: Vec<Loop>,
        /// The innermost.
        inner: Loop,
        /// Where the operands start.
        bases: Positions,
    },
    /// A point at a time.
    List {
        /// Where to write; `None` for the whole box in order.
        out: Option<Vec<u32>>,
        /// Where to read, an entry an operand.
        reads: Vec<Listed>,
    },
}

/// A scalar function over points.
#[derive(Clone, Debug)]
pub(super) struct Map {
    /// The function.
    pub(super) scalar: Scalar,
    /// Its operands.
    pub(super) slots: Vec<Slot>,
    /// Its points.
    pub(super) walk: Walk,
    /// Adds to what is there already; products only, for gradients.
    pub(super) accumulate: bool,
}

/// The larger, the first of equals; NaN in either gives NaN.
#[inline]
pub(super) fn larger<F: Float>(left: F, right: F) -> F {
    if left >= right || left.wide().is_nan() { left } else { right }
}

/// The smaller, the first of equals; NaN in either gives NaN.
#[inline]
pub(super) fn smaller<F: Float>(left: F, right: F) -> F {
    if left <= right || left.wide().is_nan() { left } else { right }
}

fn truth<F: Float>(value: bool) -> F {
    if value { F::one() } else { F::zero() }
}

impl Map {
    /// Evaluates.
    pub(super) fn run<F: Float>(
        &self,
        out: &mut [F],
        regions: Regions<'_, F>,
        spare: &mut [Vec<u32>; 3],
    ) {
        let row = self.scalar.row();
        let mut call = Call { map: self, out, regions, spare };
        if self.accumulate {
            return call.two(|o, a, b| *o += a * b);
        }
        match self.scalar {
            scalar::ADD => call.two(|o, a, b| *o = a + b),
            scalar::SUB => call.two(|o, a, b| *o = a - b),
            scalar::MUL => call.two(|o, a, b| *o = a * b),
            scalar::DIV => call.two(|o, a, b| *o = a / b),
            scalar::MAX => call.two(|o, a, b| *o = larger(a, b)),
            scalar::MIN => call.two(|o, a, b| *o = smaller(a, b)),
            scalar::LT => call.two(|o, a, b| *o = truth(a < b)),
            scalar::LE => call.two(|o, a, b| *o = truth(a <= b)),
            scalar::EQ => call.two(|o, a, b| *o = truth(a == b)),
            scalar::NEG => call.one(|o, a| *o = -a),
            scalar::STOP => call.one(|o, a| *o = a),
            scalar::CLIP_GRADIENT => call.two(|o, a, _| *o = a),
            scalar::SQRT => call.one(|o, a| *o = F::of(a.wide().sqrt())),
            scalar::RELU => call.one(|o, a| *o = larger(F::zero(), a)),
            scalar::SELECT => call.three(|o, a, b, c| *o = if a != F::zero() { b } else { c }),
            _ => match row.takes.len() {
                1 => call.one(|o, a| *o = F::apply(row, &[a])),
                2 => call.two(|o, a, b| *o = F::apply(row, &[a, b])),
                _ => call.three(|o, a, b, c| *o = F::apply(row, &[a, b, c])),
            },
        }
    }
}

struct Call<'a, 'm, F> {
    map: &'a Map,
    out: &'a mut [F],
    regions: Regions<'m, F>,
    spare: &'a mut [Vec<u32>; 3],
}

impl<F: Float> Call<'_, '_, F> {
    fn one(&mut self, f: impl Fn(&mut F, F)) {
        let a = self.regions.read(self.map.slots[0]);
        match &self.map.walk {
            Walk::Nest { outer, inner, bases } => {
                let mut chunks = self.out.chunks_exact_mut(inner.size);
                nest::walk(outer, *bases, &mut |at| {
                    let Some(out) = chunks.next() else { return };
                    if inner.strides[0] == 1 {
                        let a = &a[at[0]..at[0] + out.len()];
                        out.iter_mut().zip(a).for_each(|(o, a)| f(o, *a));
                    } else {
                        spread(out, at, inner, |o, at| f(o, a[at[0]]));
                    }
                });
            }
            Walk::List { out, reads } => {
                let [s0, _, _] = &mut *self.spare;
                let p = reads[0].positions(self.regions, s0);
                let read = |n: usize| a[p[n] as usize];
                list(self.out, out.as_deref(), p.len(), |o, n| f(o, read(n)));
            }
        }
    }

    fn two(&mut self, f: impl Fn(&mut F, F, F)) {
        let a = self.regions.read(self.map.slots[0]);
        let b = self.regions.read(self.map.slots[1]);
        match &self.map.walk {
            Walk::Nest { outer, inner, bases } => {
                let mut chunks = self.out.chunks_exact_mut(inner.size);
                nest::walk(outer, *bases, &mut |at| {
                    if let Some(out) = chunks.next() {
                        pair(out, a, b, at, inner, &f);
                    }
                });
            }
            Walk::List { out, reads } => {
                let [s0, s1, _] = &mut *self.spare;
                let p = reads[0].positions(self.regions, s0);
                let q = reads[1].positions(self.regions, s1);
                list(self.out, out.as_deref(), p.len(), |o, n| {
                    f(o, a[p[n] as usize], b[q[n] as usize]);
                });
            }
        }
    }

    fn three(&mut self, f: impl Fn(&mut F, F, F, F)) {
        let a = self.regions.read(self.map.slots[0]);
        let b = self.regions.read(self.map.slots[1]);
        let c = self.regions.read(self.map.slots[2]);
        match &self.map.walk {
            Walk::Nest { outer, inner, bases } => {
                let mut chunks = self.out.chunks_exact_mut(inner.size);
                nest::walk(outer, *bases, &mut |at| {
                    if let Some(out) = chunks.next() {
                        spread(out, at, inner, |o, at| f(o, a[at[0]], b[at[1]], c[at[2]]));
                    }
                });
            }
            Walk::List { out, reads } => {
                let [s0, s1, s2] = &mut *self.spare;
                let p = reads[0].positions(self.regions, s0);
                let q = reads[1].positions(self.regions, s1);
                let r = reads[2].positions(self.regions, s2);
                list(self.out, out.as_deref(), p.len(), |o, n| {
                    f(o, a[p[n] as usize], b[q[n] as usize], c[r[n] as usize]);
                });
            }
        }
    }
}

/// The innermost loop of two operands; rows and broadcast numbers have loops of their own, which
/// the compiler turns into vector code.
#[inline]
fn pair<F: Float>(
    out: &mut [F],
    a: &[F],
    b: &[F],
    at: Positions,
    inner: &Loop,
    f: &impl Fn(&mut F, F, F),
) {
    let n = out.len();
    match (inner.strides[0], inner.strides[1]) {
        (1, 1) => {
            let rows = a[at[0]..at[0] + n].iter().zip(&b[at[1]..at[1] + n]);
            out.iter_mut().zip(rows).for_each(|(o, (a, b))| f(o, *a, *b));
        }
        (1, 0) => {
            let b = b[at[1]];
            out.iter_mut().zip(&a[at[0]..at[0] + n]).for_each(|(o, a)| f(o, *a, b));
        }
        (0, 1) => {
            let a = a[at[0]];
            out.iter_mut().zip(&b[at[1]..at[1] + n]).for_each(|(o, b)| f(o, a, *b));
        }
        _ => spread(out, at, inner, |o, at| f(o, a[at[0]], b[at[1]])),
    }
}

#[inline]
fn spread<F>(out: &mut [F], at: Positions, inner: &Loop, f: impl Fn(&mut F, Positions)) {
    let mut here = at;
    for o in out {
        f(o, here);
        here = nest::moved(here, inner.strides, 1);
    }
}

#[inline]
fn list<F>(out: &mut [F], places: Option<&[u32]>, len: usize, f: impl Fn(&mut F, usize)) {
    match places {
        None => out[..len].iter_mut().enumerate().for_each(|(n, o)| f(o, n)),
        Some(places) => {
            places.iter().enumerate().for_each(|(n, place)| f(&mut out[*place as usize], n));
        }
    }
}

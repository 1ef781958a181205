//! Sums of products that are never stored: the one shortcut of the interpreter.
//!
//! In: two strided views over the axes of a node and those summed over. Out: the sums. Invariant:
//! the choice of loops depends on shapes alone, so results are the same in every run; they may
//! differ in rounding from the plain path, since `dot` adds in its own order.

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2, ShapeBuilder, linalg::general_mat_mul};

use crate::backend::float::Float;

use super::nest::{self, Loop, Positions};
use super::place::{Regions, Slot};

/// A sum of products of two strided views.
#[derive(Clone, Debug)]
pub(super) struct Contract {
    slots: [Slot; 2],
    bases: Positions,
    outer: Vec<Loop>,
    shape: Shape,
}

/// What the innermost loops are.
#[derive(Clone, Debug)]
enum Shape {
    /// `out[m, n] = sum[k] left[m, k] * right[k, n]`; `swapped` if operand 1 is the left one.
    Matrices { rows: Loop, columns: Loop, sum: Loop, swapped: bool },
    /// `out[m] = sum[k] ..`, where both operands lie along k.
    Dots { inner: Loop, sum: Loop },
    /// `out[m] = sum[k] ..`, row after row of m.
    Rows { inner: Loop, sum: Loop },
    /// Anything else, point by point.
    Plain { inner: Loop, over: Vec<Loop> },
}

impl Contract {
    /// Chooses the loops.
    pub(super) fn new(
        slots: [Slot; 2],
        bases: Positions,
        out: Vec<Loop>,
        over: Vec<Loop>,
    ) -> Contract {
        let mut over = over;
        if over.is_empty() {
            over.push(Loop { size: 1, strides: [0; 3] });
        }
        if let ([.., rows, columns], [sum]) = (&out[..], &over[..])
            && let Some(swapped) = matrices(rows, columns, sum)
        {
            let shape = Shape::Matrices {
                rows: rows.clone(),
                columns: columns.clone(),
                sum: sum.clone(),
                swapped,
            };
            let outer = out[..out.len() - 2].to_vec();
            return Contract { slots, bases, outer, shape };
        }
        let (outer, inner) = nest::innermost(out);
        let shape = match &over[..] {
            [sum] if sum.strides[..2] == [1, 1] => Shape::Dots { inner, sum: sum.clone() },
            [sum] if inner.size > 1 && inner.strides[..2].iter().all(|s| (0..=1).contains(s)) => {
                Shape::Rows { inner, sum: sum.clone() }
            }
            _ => Shape::Plain { inner, over },
        };
        Contract { slots, bases, outer, shape }
    }

    /// Evaluates.
    pub(super) fn run<F: Float>(&self, out: &mut [F], regions: Regions<'_, F>) {
        let a = regions.read(self.slots[0]);
        let b = regions.read(self.slots[1]);
        let size = match &self.shape {
            Shape::Matrices { rows, columns, .. } => rows.size * columns.size,
            Shape::Dots { inner, .. } | Shape::Rows { inner, .. } | Shape::Plain { inner, .. } => {
                inner.size
            }
        };
        let mut chunks = out.chunks_exact_mut(size);
        nest::walk(&self.outer, self.bases, &mut |at| {
            let Some(out) = chunks.next() else { return };
            match &self.shape {
                Shape::Matrices { rows, columns, sum, swapped } => {
                    multiply(out, [a, b], at, [rows, columns, sum], *swapped);
                }
                Shape::Dots { inner, sum } => dots(out, a, b, at, inner, sum.size),
                Shape::Rows { inner, sum } => rows(out, a, b, at, inner, sum),
                Shape::Plain { inner, over } => plain(out, a, b, at, inner, over),
            }
        });
    }
}

/// Whether the loops are those of a matrix product, and then whether operand 1 is the left factor.
fn matrices(rows: &Loop, columns: &Loop, sum: &Loop) -> Option<bool> {
    let positive = |each: &Loop, operand: usize| each.strides[operand] > 0;
    let only =
        |each: &Loop, operand: usize| positive(each, operand) && each.strides[1 - operand] == 0;
    let large = rows.size >= 4 && columns.size >= 4 && sum.size >= 4;
    if !large || !positive(sum, 0) || !positive(sum, 1) {
        return None;
    }
    // Overlapping views (a window that slides) are no matrices to ndarray.
    let apart = |first: &Loop, operand: usize| {
        let (x, y) = (first, sum);
        let (x, y) = ((x.strides[operand], x.size), (y.strides[operand], y.size));
        let (small, large) = if x.0 < y.0 { (x, y) } else { (y, x) };
        large.0 >= small.0 * small.1 as isize
    };
    if only(rows, 0) && only(columns, 1) && apart(rows, 0) && apart(columns, 1) {
        Some(false)
    } else if only(rows, 1) && only(columns, 0) && apart(rows, 1) && apart(columns, 0) {
        Some(true)
    } else {
        None
    }
}

fn multiply<F: Float>(
    out: &mut [F],
    operands: [&[F]; 2],
    at: Positions,
    [rows, columns, sum]: [&Loop; 3],
    swapped: bool,
) {
    let (left, right) = if swapped { (1, 0) } else { (0, 1) };
    let view = |operand: usize, first: (&Loop, &Loop)| {
        let shape = (first.0.size, first.1.size);
        let strides = (first.0.strides[operand] as usize, first.1.strides[operand] as usize);
        ArrayView2::from_shape(shape.strides(strides), &operands[operand][at[operand]..])
    };
    let target = ArrayViewMut2::from_shape((rows.size, columns.size), out);
    match (view(left, (rows, sum)), view(right, (sum, columns)), target) {
        (Ok(left), Ok(right), Ok(mut target)) => {
            general_mat_mul(F::one(), &left, &right, F::zero(), &mut target);
        }
        (_, _, Err(_)) | (Err(_), _, _) | (_, Err(_), _) => {
            panic!("internal error: interp: a matrix product outside its operands")
        }
    }
}

fn dots<F: Float>(out: &mut [F], a: &[F], b: &[F], at: Positions, inner: &Loop, n: usize) {
    let mut here = at;
    for o in out {
        let left = ArrayView1::from(&a[here[0]..here[0] + n]);
        let right = ArrayView1::from(&b[here[1]..here[1] + n]);
        *o = left.dot(&right);
        here = nest::moved(here, inner.strides, 1);
    }
}

fn rows<F: Float>(out: &mut [F], a: &[F], b: &[F], at: Positions, inner: &Loop, sum: &Loop) {
    let n = out.len();
    let mut here = at;
    for k in 0..sum.size {
        // The first term is written, not added to 0.
        let put = |o: &mut F, term: F| if k == 0 { *o = term } else { *o += term };
        match (inner.strides[0], inner.strides[1]) {
            (1, 0) => {
                let b = b[here[1]];
                out.iter_mut().zip(&a[here[0]..here[0] + n]).for_each(|(o, a)| put(o, *a * b));
            }
            (0, 1) => {
                let a = a[here[0]];
                out.iter_mut().zip(&b[here[1]..here[1] + n]).for_each(|(o, b)| put(o, a * *b));
            }
            (1, 1) => {
                let terms = a[here[0]..here[0] + n].iter().zip(&b[here[1]..here[1] + n]);
                out.iter_mut().zip(terms).for_each(|(o, (a, b))| put(o, *a * *b));
            }
            _ => {
                let term = a[here[0]] * b[here[1]];
                out.iter_mut().for_each(|o| put(o, term));
            }
        }
        here = nest::moved(here, sum.strides, 1);
    }
}

fn plain<F: Float>(out: &mut [F], a: &[F], b: &[F], at: Positions, inner: &Loop, over: &[Loop]) {
    let mut here = at;
    for o in out {
        let mut total = None;
        nest::walk(over, here, &mut |at| {
            let term = a[at[0]] * b[at[1]];
            total = Some(total.map_or(term, |sum: F| sum + term));
        });
        *o = total.unwrap_or_default();
        here = nest::moved(here, inner.strides, 1);
    }
}

//! Loop nests over strided views.
//!
//! In: the sizes of a box and one strided view an operand. Out: the shortest list of loops that
//! visits the same positions in the same order. Invariant: the order is row-major, so writing is
//! contiguous and folding is ascending.

use super::place::Strided;

/// Positions in up to three operands.
pub(super) type Positions = [usize; 3];

/// One loop.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Loop {
    /// How often.
    pub(super) size: usize,
    /// By how much each operand moves.
    pub(super) strides: [isize; 3],
}

/// The loops over the axes `range` of a box, neighbours merged where every operand allows.
pub(super) fn loops(sizes: &[u32], range: std::ops::Range<usize>, views: &[Strided]) -> Vec<Loop> {
    let mut list: Vec<Loop> = Vec::new();
    for axis in range {
        let mut strides = [0; 3];
        for (stride, view) in strides.iter_mut().zip(views) {
            *stride = view.strides[axis];
        }
        let size = sizes[axis] as usize;
        if size == 1 {
            continue;
        }
        match list.last_mut() {
            Some(last) if (0..3).all(|k| last.strides[k] == strides[k] * size as isize) => {
                *last = Loop { size: last.size * size, strides };
            }
            _ => list.push(Loop { size, strides }),
        }
    }
    list
}

/// The positions of the first point.
pub(super) fn bases(views: &[Strided]) -> Positions {
    let mut at = [0; 3];
    for (base, view) in at.iter_mut().zip(views) {
        *base = view.base;
    }
    at
}

/// The innermost loop apart; a single round that moves nothing where there is none.
pub(super) fn innermost(mut loops: Vec<Loop>) -> (Vec<Loop>, Loop) {
    let inner = loops.pop().unwrap_or(Loop { size: 1, strides: [0; 3] });
    (loops, inner)
}

/// All operands moved `times` along a loop.
#[inline]
pub(super) fn moved(at: Positions, strides: [isize; 3], times: usize) -> Positions {
    let by = |k: usize| at[k].wrapping_add_signed(strides[k].wrapping_mul(times as isize));
    [by(0), by(1), by(2)]
}

/// Visits every point of a nest, the last loop fastest.
#[inline]
pub(super) fn walk(nest: &[Loop], at: Positions, visit: &mut impl FnMut(Positions)) {
    let Some((first, rest)) = nest.split_first() else { return visit(at) };
    let mut here = at;
    for _ in 0..first.size {
        walk(rest, here, visit);
        here = moved(here, first.strides, 1);
    }
}

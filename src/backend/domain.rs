//! Points of a box, and where they lie in a flat array.
//!
//! In: sizes, conditions that depend on no data, accesses. Out: the points that count, positions. Invariant:
//! the order of points is row-major, the last axis fastest.

use crate::graph::{Access, Cond, Rel};

/// The points a kernel visits, in row-major order of a box.
#[derive(Clone, Debug)]
pub(super) struct Domain {
    /// The box.
    pub(super) sizes: Vec<u32>,
    /// Flat positions of the points visited; `None` for all of the box.
    pub(super) list: Option<Vec<u32>>,
}

impl Domain {
    /// The points of a box at which all static conditions hold.
    pub(super) fn new<'c>(sizes: &[u32], when: impl IntoIterator<Item = &'c Cond>) -> Domain {
        let all = Domain { sizes: sizes.to_vec(), list: None };
        let when: Vec<&Cond> = when.into_iter().collect();
        if when.is_empty() {
            return all;
        }
        let mut list = Vec::new();
        all.each(|at, point| {
            if when.iter().all(|cond| holds(cond, point)) {
                list.push(at as u32);
            }
        });
        let list = (list.len() < all.box_len()).then_some(list);
        Domain { sizes: all.sizes, list }
    }

    /// Number of points of the box.
    pub(super) fn box_len(&self) -> usize {
        self.sizes.iter().map(|size| *size as usize).product()
    }

    /// Number of points visited.
    pub(super) fn len(&self) -> usize {
        self.list.as_ref().map_or_else(|| self.box_len(), Vec::len)
    }

    /// Visits the points with their flat positions in the box.
    pub(super) fn each(&self, mut visit: impl FnMut(usize, &[u32])) {
        let mut point = vec![0; self.sizes.len()];
        if let Some(list) = &self.list {
            for at in list {
                unravel(&self.sizes, *at as usize, &mut point);
                visit(*at as usize, &point);
            }
            return;
        }
        for at in 0..self.box_len() {
            visit(at, &point);
            for (place, size) in point.iter_mut().zip(&self.sizes).rev() {
                *place += 1;
                if *place < *size {
                    break;
                }
                *place = 0;
            }
        }
    }
}

/// The point of a flat position.
pub(super) fn unravel(sizes: &[u32], flat: usize, point: &mut [u32]) {
    let mut rest = flat;
    for (place, size) in point.iter_mut().zip(sizes).rev() {
        *place = (rest % *size as usize) as u32;
        rest /= *size as usize;
    }
}

/// Whether `left rel right`.
pub(super) fn compare(left: i64, rel: Rel, right: i64) -> bool {
    match rel {
        Rel::Eq => left == right,
        Rel::Ne => left != right,
        Rel::Lt => left < right,
        Rel::Ge => left >= right,
    }
}

/// Whether a condition holds; one on a value counts as holding, its kernel looks at run time.
pub(super) fn holds(cond: &Cond, point: &[u32]) -> bool {
    cond.left.at(point).is_none_or(|left| compare(left, cond.rel, cond.right.at(point)))
}

/// Positions at every point of the domain, gathered parts left out.
pub(super) fn table(access: &Access, sizes: &[u32], domain: &Domain) -> Vec<u32> {
    let by = row_major(sizes);
    let mut table = Vec::with_capacity(domain.len());
    domain.each(|_, point| {
        let parts = access.0.iter().zip(&by);
        let sum: i64 = parts.map(|(index, by)| index.at(point).unwrap_or(0) * *by as i64).sum();
        table.push(sum as u32);
    });
    table
}

/// How far apart neighbours along each axis lie.
pub(super) fn row_major(sizes: &[u32]) -> Vec<usize> {
    let mut strides = vec![1_usize; sizes.len()];
    for axis in (1..sizes.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(sizes[axis] as usize);
    }
    strides
}

//! Where an operand is read: accesses turned into positions in a flat buffer.
//!
//! In: an access map over a domain of points. Out: a [`Strided`] view where the position is affine
//! in the point, otherwise a [`Listed`] one, a table with an entry a point. Invariant: every
//! position lies inside the operand wherever the point belongs to the domain.

use crate::backend::domain::{Domain, row_major, table};
use crate::backend::float::Float;
use crate::graph::{Access, Affine, Graph, Index, NodeId, Operand, Port};

/// Which memory a value lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Region {
    /// Written before the loop over time, shared by all samples.
    Fixed,
    /// One frame a time step, kept for the backward sweep.
    Tape,
    /// Overwritten by every step.
    Work,
    /// Added into the gradients and never read by another node.
    Gradient,
}

/// A value's place in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// The memory.
    pub(super) region: Region,
    /// First element.
    pub(super) offset: usize,
    /// Number of elements.
    pub(super) len: usize,
}

/// What a node may read while it is evaluated.
#[derive(Clone, Copy)]
pub(super) struct Regions<'a, F> {
    /// See [`Region::Fixed`].
    pub(super) fixed: &'a [F],
    /// See [`Region::Tape`].
    pub(super) tape: &'a [F],
    /// See [`Region::Work`].
    pub(super) work: &'a [F],
}

impl<'a, F> Regions<'a, F> {
    /// The value in a slot.
    pub(super) fn read(&self, slot: Slot) -> &'a [F] {
        let memory = match slot.region {
            Region::Fixed => self.fixed,
            Region::Tape => self.tape,
            Region::Work => self.work,
            Region::Gradient => &[],
        };
        &memory[slot.offset..slot.offset + slot.len]
    }
}

/// A position that is affine in the point.
#[derive(Clone, Debug)]
pub(super) struct Strided {
    /// The position of the first point.
    pub(super) base: usize,
    /// By how much it moves, an entry an axis of the domain.
    pub(super) strides: Vec<isize>,
}

/// A position an entry a point of the domain.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    base: Vec<u32>,
    terms: Vec<Term>,
}

/// A gathered part of a position: a value times the stride of the axis it indexes.
#[derive(Clone, Debug)]
struct Term {
    slot: Slot,
    at: Listed,
    by: u32,
    below: u32,
}

impl Listed {
    /// The table, if no position depends on data.
    pub(super) fn as_static(&self) -> Option<&[u32]> {
        self.terms.is_empty().then_some(&self.base)
    }

    /// Positions for the values in memory now; `spare` is used only where some depend on them.
    pub(super) fn positions<'a, F: Float>(
        &'a self,
        regions: Regions<'_, F>,
        spare: &'a mut Vec<u32>,
    ) -> &'a [u32] {
        if self.terms.is_empty() {
            return &self.base;
        }
        spare.clear();
        spare.extend_from_slice(&self.base);
        let mut inner = Vec::new();
        for term in &self.terms {
            let values = regions.read(term.slot);
            let at = term.at.positions(regions, &mut inner);
            for (position, at) in spare.iter_mut().zip(at) {
                // A number out of range cannot come from a verified graph; never read outside.
                let value = values[*at as usize].wide() as u32;
                *position += term.by * value.min(term.below);
            }
        }
        spare
    }
}

/// Everything needed to turn the accesses of one node into positions.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    /// The graph.
    pub(super) graph: &'a Graph,
    /// Slot of every node.
    pub(super) slots: &'a [Slot],
    /// Operands of the node, by port.
    pub(super) operands: &'a [(NodeId, &'a Operand)],
}

impl Reader<'_> {
    /// The operand of a port.
    pub(super) fn operand(&self, port: Port) -> (NodeId, &Operand) {
        let found = self.operands.iter().find(|(_, operand)| operand.port == port);
        let Some((node, operand)) = found else {
            panic!("internal error: interp: no operand at port {}", port.0)
        };
        (*node, operand)
    }

    /// The slot of an operand.
    pub(super) fn slot(&self, port: Port) -> Slot {
        self.slots[self.operand(port).0.0 as usize]
    }

    /// Sizes of an operand.
    pub(super) fn sizes(&self, port: Port) -> &[u32] {
        &self.graph.node(self.operand(port).0).space.sizes
    }

    /// The operand of a port as a strided view of a whole box, where it is one.
    pub(super) fn strided(&self, port: Port, domain: &Domain) -> Option<Strided> {
        strided(&self.operand(port).1.access, self.sizes(port), domain)
    }

    /// The operand of a port as a table.
    pub(super) fn listed(&self, port: Port, domain: &Domain) -> Listed {
        self.listed_by(&self.operand(port).1.access, self.sizes(port), domain)
    }

    /// A table for any access to an operand of those sizes.
    pub(super) fn listed_by(&self, access: &Access, sizes: &[u32], domain: &Domain) -> Listed {
        let base = table(access, sizes, domain);
        let mut terms = Vec::new();
        for (index, (by, size)) in access.0.iter().zip(row_major(sizes).into_iter().zip(sizes)) {
            match index {
                Index::Affine(_) | Index::Digit { .. } => {}
                Index::Value(port) => terms.push(Term {
                    slot: self.slot(*port),
                    at: self.listed(*port, domain),
                    by: by as u32,
                    below: size.saturating_sub(1),
                }),
            }
        }
        Listed { base, terms }
    }
}

/// An access as a strided view, where it is one.
pub(super) fn strided(access: &Access, sizes: &[u32], domain: &Domain) -> Option<Strided> {
    if domain.list.is_some() || domain.box_len() == 0 {
        return None;
    }
    let affine: Option<Vec<&Affine>> = access
        .0
        .iter()
        .map(|index| match index {
            Index::Affine(affine) => Some(affine),
            Index::Digit { .. } | Index::Value(_) => None,
        })
        .collect();
    let Some(affine) = affine else { return fitted(access, sizes, domain) };
    let mut base = 0;
    let mut strides = vec![0; domain.sizes.len()];
    for (index, by) in affine.into_iter().zip(row_major(sizes)) {
        base += index.offset * by as i64;
        for (axis, factor) in &index.terms {
            strides[usize::from(axis.0)] += *factor as isize * by as isize;
        }
    }
    Some(Strided { base: base as usize, strides })
}

/// Digits may cancel, as when a run of them flattens a whole matrix: then the table is affine.
fn fitted(access: &Access, sizes: &[u32], domain: &Domain) -> Option<Strided> {
    if access.0.iter().any(|index| matches!(index, Index::Value(_))) {
        return None;
    }
    let table = table(access, sizes, domain);
    let base = *table.first()?;
    let steps = row_major(&domain.sizes);
    let strides: Vec<isize> = steps
        .iter()
        .zip(&domain.sizes)
        .map(|(step, size)| if *size > 1 { table[*step] as isize - base as isize } else { 0 })
        .collect();
    let mut fits = true;
    domain.each(|at, point| {
        let moved: isize =
            strides.iter().zip(point).map(|(stride, place)| stride * *place as isize).sum();
        fits &= base as isize + moved == table[at] as isize;
    });
    fits.then_some(Strided { base: base as usize, strides })
}

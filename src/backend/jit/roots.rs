//! How a value that is asked for is read from where it lies.
//!
//! In: a read of a held value. Out: its numbers in order, those of all samples side by side. Invariant: as many
//! positions are known as the read has points, or they need no list.

use crate::backend::domain::{Domain, table};
use crate::graph::{Graph, Read};

use super::layout::Slot;

/// A read of a held value.
#[derive(Clone, Debug)]
pub(super) struct Copy {
    pub(super) slot: Slot,
    positions: Positions,
}

/// The position read at each point.
#[derive(Clone, Debug)]
enum Positions {
    /// All in order.
    InOrder,
    /// The same at each: the start of a slot of a million parameters may be one number.
    One,
    /// These.
    Each(Vec<u32>),
}

impl Copy {
    /// A read of what lies in a slot.
    pub(super) fn new(graph: &Graph, slot: Slot, read: &Read) -> Copy {
        let from = &graph.node(read.node).space.sizes;
        let positions = if read.access.is_identity(from.len()) && read.sizes == *from {
            Positions::InOrder
        } else if from.iter().all(|size| *size == 1) {
            Positions::One
        } else {
            let domain = Domain { sizes: read.sizes.clone(), list: None };
            Positions::Each(table(&read.access, from, &domain))
        };
        Copy { slot, positions }
    }

    /// Copies the value, of so many samples, from the slot on; `beside` of each number lie there.
    pub(super) fn read<F: std::marker::Copy>(
        &self,
        slot: &[F],
        (samples, beside): (usize, usize),
        out: &mut [F],
    ) {
        match &self.positions {
            Positions::InOrder if beside == samples => out.copy_from_slice(&slot[..out.len()]),
            Positions::Each(each) if samples == 1 => {
                out.iter_mut().zip(each).for_each(|(out, at)| *out = slot[*at as usize]);
            }
            Positions::InOrder => spread(slot, (samples, beside), out, |number| number),
            Positions::One => spread(slot, (samples, beside), out, |_| 0),
            Positions::Each(each) => {
                spread(slot, (samples, beside), out, |number| each[number] as usize);
            }
        }
    }
}

/// Copies numbers one by one, each of all samples, from where it lies.
fn spread<F: std::marker::Copy>(
    slot: &[F],
    (samples, beside): (usize, usize),
    out: &mut [F],
    place: impl Fn(usize) -> usize,
) {
    for (number, out) in out.chunks_exact_mut(samples).enumerate() {
        let at = place(number) * beside;
        match beside {
            1 => out.fill(slot[at]),
            _ => out.copy_from_slice(&slot[at..][..samples]),
        }
    }
}

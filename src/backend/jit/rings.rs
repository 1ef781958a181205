//! Arrays whose last axis goes round, copied so that it goes on at both ends.
//!
//! In: an access such as `(i - k) mod n`, where a loop stands. Out: a tuple from a copy in which neighbours lie side by
//! side wherever the axis begins anew; all copies are made before the function does anything else. Invariant: the same
//! numbers as reading them one by one.

use cranelift_codegen::ir::{InstBuilder, StackSlot, StackSlotData, StackSlotKind, Value, types};

use crate::graph::{Access, Index};

use super::emit::{Coord, Emitter, Shape, row_major};
use super::layout::Slot;
use super::vector::PARTS;

/// A copy.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    /// Of what.
    slot: Slot,
    of: Vec<u32>,
    /// Where its last axis begins, and how long it is.
    first: i64,
    long: u32,
    room: StackSlot,
}

/// The most bytes of all copies of a function.
const MOST_BYTES: i64 = 1 << 14;
/// A copy pays if each of its numbers is read so many times.
const LEAST_READ: i64 = 2;
/// The most turns that a copy goes through.
const MOST_TURNS: i64 = 4;

impl<'a, 'g> Emitter<'a, 'g> {
    /// A tuple along an axis that goes round, if a copy pays.
    pub(super) fn round(
        &mut self,
        slot: Slot,
        of: &[u32],
        access: &Access,
        (sizes, point): (&[u32], &[Coord]),
    ) -> Option<Vec<Value>> {
        let (last, others) = access.0.split_last()?;
        let Index::Digit { of: number, step: 1, radix } = last else { return None };
        let plain = others.iter().all(|index| matches!(index, Index::Affine(_)));
        let whole = of.last() == Some(radix);
        if !plain || !whole || self.samples > 1 || self.careful {
            return None;
        }
        let (low, high) = number.range(sizes);
        let (radix, long) = (i64::from(*radix), high - low + 1);
        let lines: i64 = of[..others.len()].iter().map(|size| i64::from(*size)).product();
        let reads: i64 = sizes.iter().map(|size| i64::from(*size)).product();
        let points = lines.checked_mul(long)?;
        let turns = high.div_euclid(radix) - low.div_euclid(radix) + 1;
        if points > MOST_BYTES / self.bytes() || turns > MOST_TURNS || reads / points < LEAST_READ {
            return None;
        }
        let ring = self.ring(slot, of, (low, long as u32))?;
        let number = self.affine(number, point);
        let line = self.flat(others.iter().zip(row_major(&ring.sizes())), (sizes, point));
        let at = self.plus(Coord { add: number.add - low, ..number }, line);
        let step = at.step;
        let (base, offset) = self.inside_ring(&ring, at);
        Some(self.load_step(base, offset, step))
    }

    /// The copy of an array; one for all that read the same.
    fn ring(&mut self, slot: Slot, of: &[u32], (first, long): (i64, u32)) -> Option<Ring> {
        let like = |ring: &&Ring| {
            ring.slot == slot && (&ring.of[..], ring.first, ring.long) == (of, first, long)
        };
        if let Some(ring) = self.rings.iter().find(like) {
            return Some(ring.clone());
        }
        let lines: u32 = of[..of.len() - 1].iter().product();
        let bytes = lines * long * self.float.bytes();
        let room_of = |ring: &Ring| self.to.func.sized_stack_slots[ring.room].size;
        let taken: u32 = self.rings.iter().map(room_of).sum();
        if i64::from(taken + bytes) > MOST_BYTES {
            return None;
        }
        let data = StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, 5);
        let room = self.to.create_sized_stack_slot(data);
        let ring = Ring { slot, of: of.to_vec(), first, long, room };
        self.rings.push(ring.clone());
        Some(ring)
    }

    fn inside_ring(&mut self, ring: &Ring, at: Coord) -> (Value, i32) {
        let room = self.to.ins().stack_addr(types::I64, ring.room, 0);
        let bytes = self.bytes();
        let at = self.times(at, bytes);
        self.sum_address(room, at, 0)
    }

    /// Makes the copies, turn by turn.
    pub(super) fn copy_rings(&mut self) {
        for ring in std::mem::take(&mut self.rings) {
            let (last, radix) = (ring.of.len() - 1, i64::from(ring.of[ring.of.len() - 1]));
            let lines: Vec<(usize, u32)> = ring.of[..last].iter().copied().enumerate().collect();
            let mut point = vec![Coord::constant(0); ring.of.len()];
            let width = if self.wide { 8 } else { 16 / self.bytes() };
            let parts = (radix / width).clamp(1, PARTS as i64 / 2) as usize;
            let shape = Shape { width: width as usize, parts, samples: false };
            let end = ring.first + i64::from(ring.long);
            self.nest(&lines, &mut point, Vec::new(), &mut |emitter, point, none| {
                let mut first = ring.first;
                while first < end {
                    let turn = first.div_euclid(radix) * radix;
                    let next = end.min(turn + radix);
                    let strip = (last, first - ring.first, next - ring.first);
                    emitter.strip(strip, (shape, None), point, &mut |emitter, point| {
                        let back = ring.first - turn;
                        emitter.copy_round(&ring, back, point);
                    });
                    first = next;
                }
                none
            });
        }
    }

    /// Copies a tuple of a ring; along the last axis it stands so far on in what is copied.
    fn copy_round(&mut self, ring: &Ring, on: i64, point: &[Coord]) {
        let place = |emitter: &mut Self, sizes: &[u32]| {
            point.iter().zip(row_major(sizes)).fold(Coord::constant(0), |sum, (at, by)| {
                let term = emitter.times(*at, by);
                emitter.plus(sum, term)
            })
        };
        let from = place(self, &ring.of);
        let (base, offset) = self.address(ring.slot, Coord { add: from.add + on, ..from });
        let value = self.load_step(base, offset, 1);
        let to = place(self, &ring.sizes());
        let (base, offset) = self.inside_ring(ring, to);
        self.store(base, offset, &value);
    }
}

impl Ring {
    /// The sizes of the copy.
    fn sizes(&self) -> Vec<u32> {
        let mut sizes = self.of.clone();
        if let Some(last) = sizes.last_mut() {
            *last = self.long;
        }
        sizes
    }
}

//! Numbers that do not simply lie side by side.
//!
//! In: an access, where a loop stands. Out: a tuple: from registers, from a copy made beforehand, or from both
//! sides of the place where an axis begins anew. Invariant: the same numbers as reading them one by one.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, StackSlot, StackSlotData, StackSlotKind, Value, types};

use crate::graph::{Access, Index, NodeId};

use super::emit::{Coord, Emitter, args, flags, row_major};
use super::layout::Slot;

/// Where a fused loop stands, and numbers that lie apart in memory, of one place each a column: copied side by side
/// before it begins.
#[derive(Clone, Debug)]
pub(super) struct Stand {
    /// Coordinates of row and column.
    pub(super) place: [Coord; 2],
    /// Columns.
    pub(super) cols: u32,
    /// What is copied: a slot, its first position and the distance between neighbours; and to where.
    pub(super) copies: Vec<(Slot, [i64; 2], StackSlot)>,
    /// Arrays whose next numbers have been asked for.
    pub(super) asked: Vec<Slot>,
}

/// The most bytes that a loop copies beforehand, to the stack.
const MOST_BYTES: u32 = 1 << 16;

/// Whether an index goes round from one number of a vector to the next.
pub(super) fn turns(index: &Index, point: &[Coord]) -> bool {
    let Index::Digit { of, .. } = index else { return false };
    of.terms.iter().map(|(axis, by)| by * point[usize::from(axis.0)].step).sum::<i64>() != 0
}

impl<'a, 'g> Emitter<'a, 'g> {
    /// Numbers that lie side by side, but for where an axis begins anew: where it does, one by one.
    pub(super) fn rolled(
        &mut self,
        slot: Slot,
        of: &[u32],
        access: &Access,
        (sizes, point): (&[u32], &[Coord]),
    ) -> Option<Vec<Value>> {
        let at = access.0.iter().position(|index| turns(index, point))?;
        assert!(!self.several(), "internal error: jit: a roll in a fused loop of a group");
        let Index::Digit { of: number, radix, .. } = &access.0[at] else { return None };
        let by = row_major(of)[at];
        let others = access.0.iter().zip(row_major(of)).enumerate();
        let others = others.filter(|(dim, _)| *dim != at).map(|(_, other)| other);
        let others = self.flat(others, (sizes, point));
        let value = self.affine(number, point);
        let first =
            self.digit(Coord { step: 0, ..value }, number.range(sizes), 1, i64::from(*radix));
        Some(self.unrolled(slot, others, (first, by), i64::from(*radix)))
    }

    /// The sum of some indices of a reader, each times how far apart its neighbours lie.
    pub(super) fn flat<'i>(
        &mut self,
        indices: impl Iterator<Item = (&'i Index, i64)>,
        (sizes, point): (&[u32], &[Coord]),
    ) -> Coord {
        indices.fold(Coord::constant(0), |sum, (index, by)| {
            let index = self.index(index, sizes, point);
            let term = self.times(index, by);
            self.plus(sum, term)
        })
    }

    fn unrolled(
        &mut self,
        slot: Slot,
        others: Coord,
        (first, by): (Coord, i64),
        radix: i64,
    ) -> Vec<Value> {
        let count = self.shape.count() as i64;
        let part = self.part();
        let blocks = [(); 3].map(|()| self.to.create_block());
        let [beside, apart, end] = blocks;
        let results: Vec<Value> =
            (0..self.shape.parts).map(|_| self.to.append_block_param(end, part)).collect();
        let start = self.coord(first);
        let whole = self.to.ins().icmp_imm_s(IntCC::SignedLessThanOrEqual, start, radix - count);
        self.to.ins().brif(whole, beside, &[], apart, &[]);
        self.to.switch_to_block(beside);
        let position = self.times(first, by);
        let position = self.plus(position, others);
        let (base, offset) = self.address(slot, position);
        let (_, between) = self.base(slot);
        let values = self.load_step(base, offset, by * between + others.step);
        self.to.ins().jump(end, &args(&values));
        self.to.switch_to_block(apart);
        let numbers: Vec<Value> = (0..count)
            .map(|number| {
                let next = self.to.ins().iadd_imm_s(start, number);
                let back = self.to.ins().iadd_imm_s(next, -radix);
                let over = self.to.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, next, radix);
                let at = self.to.ins().select(over, back, next);
                let at = self.times(Coord { base: Some(at), add: 0, step: 0 }, by);
                let ahead = Coord { add: others.add + number * others.step, ..others };
                let at = self.plus(at, ahead);
                let (base, offset) = self.address(slot, at);
                self.to.ins().load(self.float, flags(), base, offset)
            })
            .collect();
        let values = self.tuple(&numbers);
        self.to.ins().jump(end, &args(&values));
        self.to.switch_to_block(end);
        results
    }

    /// Numbers of a fused loop that lie apart, one a column, from a copy in which they do not.
    pub(super) fn copied(
        &mut self,
        slot: Slot,
        of: &[u32],
        access: &Access,
        (_, point): (&[u32], &[Coord]),
    ) -> Option<Vec<Value>> {
        let Stand { place, cols, mut copies, asked } = self.stand.clone()?;
        let (mut first, mut by) = (0, 0);
        for (index, stride) in access.0.iter().zip(row_major(of)) {
            let Index::Affine(affine) = index else { return None };
            first += affine.offset * stride;
            for (axis, factor) in &affine.terms {
                let coord = point[usize::from(axis.0)];
                if coord.step != 0 && coord.base == place[1].base && coord.step == place[1].step {
                    by += factor * stride;
                    first += (coord.add - place[1].add) * factor * stride;
                } else if coord.base.is_some() || coord.step != 0 {
                    return None;
                } else {
                    first += coord.add * factor * stride;
                }
            }
        }
        if matches!(by, 0 | 1) {
            return None;
        }
        let bytes = self.bytes();
        // Copies are made whether or not a condition lets a number be read.
        let len: i64 = of.iter().map(|size| i64::from(*size)).product();
        let inside = |at: i64| (0..len).contains(&at);
        if !inside(first) || !inside(first + (i64::from(cols) - 1) * by) {
            return None;
        }
        let size = cols.saturating_mul(bytes as u32);
        let like = |copy: &&(Slot, [i64; 2], StackSlot)| (copy.0, copy.1) == (slot, [first, by]);
        let copy = match copies.iter().find(like) {
            Some((.., copy)) => *copy,
            None if (copies.len() as u32 + 1).saturating_mul(size) <= MOST_BYTES => {
                let data = StackSlotData::new(StackSlotKind::ExplicitSlot, size, 5);
                let copy = self.to.create_sized_stack_slot(data);
                copies.push((slot, [first, by], copy));
                self.stand = Some(Stand { place, cols, copies, asked });
                copy
            }
            None => return None,
        };
        let room = self.to.ins().stack_addr(types::I64, copy, 0);
        let at = self.times(place[1], bytes);
        let (base, offset) = self.sum_address(room, at, 0);
        Some(self.load_step(base, offset, 1))
    }

    /// What a function does, after the copies that it turns out to read.
    pub(super) fn after_copies(&mut self, body: impl FnOnce(&mut Emitter<'a, 'g>)) {
        let [before, start, end] = [(); 3].map(|()| self.to.create_block());
        self.to.ins().jump(before, &[]);
        self.to.switch_to_block(start);
        body(self);
        self.to.ins().jump(end, &[]);
        self.to.switch_to_block(before);
        if let Some(stand) = self.stand.take() {
            self.copy(&stand);
        }
        self.copy_rings();
        self.to.ins().jump(start, &[]);
        self.to.switch_to_block(end);
    }

    /// Makes the copies that a fused loop reads.
    fn copy(&mut self, stand: &Stand) {
        let mut point = vec![Coord::constant(0)];
        let bytes = self.bytes();
        let range = (0, i64::from(stand.cols), 1);
        self.repeat(0, range, &mut point, Vec::new(), &mut |emitter, point, none| {
            for (slot, [first, by], copy) in &stand.copies {
                let from = emitter.times(point[0], *by);
                let from = Coord { add: from.add + first, ..from };
                let (base, offset) = emitter.address(*slot, from);
                let value = emitter.load_step(base, offset, 1);
                let room = emitter.to.ins().stack_addr(types::I64, *copy, 0);
                let at = emitter.times(point[0], bytes);
                let (base, offset) = emitter.sum_address(room, at, 0);
                emitter.store(base, offset, &value);
            }
            none
        });
    }

    /// A value that stands in registers.
    pub(super) fn known(
        &mut self,
        from: NodeId,
        access: &Access,
        (sizes, point): (&[u32], &[Coord]),
    ) -> Option<Vec<Value>> {
        if self.known.iter().all(|(id, ..)| *id != from) {
            return None;
        }
        let at = self.point_of(access, sizes, point);
        let known = self.known.iter().find(|(id, own, _)| *id == from && *own == at);
        known.map(|(.., values)| values.clone())
    }
}

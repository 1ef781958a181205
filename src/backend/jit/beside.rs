//! Samples of a group, at some places one after the other, in one tuple.
//!
//! In: a group of fewer samples than a wide vector has numbers, where a fused loop stands. Out: tuples of all samples
//! at neighbours along a row. Invariant: number `n` of a tuple belongs to sample `n mod samples` of neighbour
//! `n div samples`, so that what lies side by side in memory does so in registers too.

use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::emit::{Coord, Emitter, Shape, flags, little};
use super::layout::Slot;

/// Samples of a group that fill half of a wide vector.
const HALF: usize = 4;

impl Emitter<'_, '_> {
    /// How many places a number of a tuple is ahead of the first.
    pub(super) fn places_ahead(&self, number: usize) -> i64 {
        (number / if self.shape.samples { self.samples } else { 1 }) as i64
    }

    /// Whether a tuple of samples goes over several places.
    pub(super) fn several(&self) -> bool {
        self.shape.samples && self.shape.count() > self.samples
    }

    /// How the samples of a group lie in registers in a loop along so many neighbours: two of these share each of at
    /// most so many wide vectors, if their samples fill them.
    pub(super) fn pairs(&self, cols: usize, most: usize) -> Shape {
        let paired = |parts: &usize| cols.is_multiple_of(2 * parts);
        match (1..=most.max(1)).rev().find(paired) {
            Some(parts) if self.wide && self.samples == HALF => {
                Shape { width: 2 * HALF, parts, samples: true }
            }
            _ => self.shape,
        }
    }

    /// The numbers of all samples at several places.
    pub(super) fn load_several(&mut self, slot: Slot, at: Coord) -> Vec<Value> {
        let (base, offset) = self.address(slot, at);
        if at.step == i64::from(slot.per_sample()) {
            // All lie side by side, or there is one for all.
            return self.load_step(base, offset, at.step);
        }
        let step = at.step * slot.beside(self.samples) as i64 * self.bytes();
        let ahead = |neighbour: usize| offset + (neighbour as i64 * step) as i32;
        if at.step == 0 {
            let one = self.samples_at(slot, base, ahead(0));
            let twice = self.to.ins().splat(types::I128X2, one);
            let vector = self.eight(twice);
            return vec![vector; self.shape.parts];
        }
        let parts = (0..self.shape.parts).map(|part| {
            let [low, high] =
                [0, 1].map(|half| self.samples_at(slot, base, ahead(2 * part + half)));
            let both = self.to.ins().splat(types::I128X2, low);
            let both = self.to.ins().insertlane(both, high, 1);
            self.eight(both)
        });
        parts.collect()
    }

    /// The numbers of all samples at one place, as a number that is as long.
    fn samples_at(&mut self, slot: Slot, base: Value, offset: i32) -> Value {
        if slot.per_sample() {
            return self.to.ins().load(types::I128, flags(), base, offset);
        }
        let number = self.to.ins().load(types::F32, flags(), base, offset);
        let four = self.to.ins().splat(types::F32X4, number);
        self.to.ins().bitcast(types::I128, little(), four)
    }

    fn eight(&mut self, halves: Value) -> Value {
        self.to.ins().bitcast(types::F32X8, little(), halves)
    }
}

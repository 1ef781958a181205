//! Samples of a group, at some places one after the other, in one tuple.
//!
//! In: a group of as many samples as a wide vector has numbers, or half as many, where a fused loop stands. Out:
//! tuples of all samples at neighbours along a row. Invariant: number `n` of a tuple belongs to sample `n mod samples`
//! of neighbour `n div samples`, so that what lies side by side in memory does so in registers too.

use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::emit::{Coord, Emitter, Shape, little};
use super::layout::Slot;

/// Samples of a group that fill half of a wide vector.
const HALF: usize = 4;
/// Samples of a group that fill one.
const FULL: usize = 2 * HALF;

impl Emitter<'_, '_> {
    /// How many places a number of a tuple is ahead of the first.
    pub(super) fn places_ahead(&self, number: usize) -> i64 {
        (number / if self.shape.samples { self.samples } else { 1 }) as i64
    }

    /// Whether a tuple of samples goes over several places.
    pub(super) fn several(&self) -> bool {
        self.shape.samples && self.shape.count() > self.samples
    }

    /// How the samples of a group lie in registers in a loop along so many neighbours: those at some of these share at
    /// most so many wide vectors, if they fill them.
    pub(super) fn neighbours(&self, cols: usize, most: usize) -> Shape {
        if !self.wide || (self.samples != HALF && self.samples != FULL) {
            return self.shape;
        }
        let places = |parts: usize| parts * FULL / self.samples;
        let fits = |parts: &usize| cols.is_multiple_of(places(*parts));
        match (1..=most.max(1)).rev().find(fits) {
            Some(parts) => Shape { width: FULL, parts, samples: true },
            None => self.shape,
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
            let vector = self.places_of([(slot, base, offset); 2]);
            return vec![vector; self.shape.parts];
        }
        let places = FULL / self.samples;
        let parts = (0..self.shape.parts).map(|part| {
            let place = |half: usize| (slot, base, ahead(part * places + half));
            self.places_of([place(0), place(places - 1)])
        });
        parts.collect()
    }

    /// A wide vector of all samples at two places, or at the first, if they fill it.
    fn places_of(&mut self, [(slot, base, offset), second]: [(Slot, Value, i32); 2]) -> Value {
        if self.samples == FULL {
            if slot.per_sample() {
                return self.to.ins().load(types::F32X8, self.loads, base, offset);
            }
            let number = self.to.ins().load(types::F32, self.loads, base, offset);
            return self.to.ins().splat(types::F32X8, number);
        }
        let low = self.samples_at(slot, base, offset);
        let both = self.to.ins().splat(types::I128X2, low);
        if second == (slot, base, offset) {
            return self.eight(both);
        }
        let (slot, base, offset) = second;
        let high = self.samples_at(slot, base, offset);
        let both = self.to.ins().insertlane(both, high, 1);
        self.eight(both)
    }

    /// The numbers of four samples at one place, as a number that is as long.
    fn samples_at(&mut self, slot: Slot, base: Value, offset: i32) -> Value {
        if slot.per_sample() {
            return self.to.ins().load(types::I128, self.loads, base, offset);
        }
        let number = self.to.ins().load(types::F32, self.loads, base, offset);
        let four = self.to.ins().splat(types::F32X4, number);
        self.to.ins().bitcast(types::I128, little(), four)
    }

    fn eight(&mut self, halves: Value) -> Value {
        self.to.ins().bitcast(types::F32X8, little(), halves)
    }
}

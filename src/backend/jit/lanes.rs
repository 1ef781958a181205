//! The numbers of vectors, folded into one each.
//!
//! In: vectors of sums. Out: a number for each. Invariant: the same tree for every vector: its upper half onto its
//! lower, until one number is left; whether several are folded at a time changes no bit.

use cranelift_codegen::ir::{InstBuilder, Value, types};

use crate::graph::Fold;

use super::emit::{Emitter, Shape, little};

/// The most vectors that are folded at a time: as many as one has numbers.
pub(super) const AT_ONCE: usize = 4;

/// Two numbers of either vector, as bytes of the two: their lower halves, or their upper halves.
pub(super) const HALVES: [[u8; 16]; 2] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23],
    [8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31],
];

/// The same, the numbers of the two in turn.
pub(super) const TURNS: [[u8; 16]; 2] = [
    [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23],
    [8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31],
];

impl Emitter<'_, '_> {
    /// All numbers of a tuple folded into one: halves of the tuple first, then the numbers of the
    /// vector that is left.
    pub(super) fn gather_up(&mut self, fold: Fold, parts: &[Value]) -> Value {
        let vector = self.narrowed(fold, parts);
        self.gathered(fold, vector)
    }

    /// All numbers of a tuple folded into one vector, of the narrow kind: halves of the tuple first, then those
    /// of a wide vector.
    pub(super) fn narrowed(&mut self, fold: Fold, parts: &[Value]) -> Value {
        let vector = self.vector_of(fold, parts);
        let width = self.shape.width;
        if width <= self.narrow() {
            return vector;
        }
        let ty = self.float.by(width as u32 / 2).unwrap_or(self.float);
        // Cranelift knows no halves of vectors, but numbers that are as long.
        let both = self.to.ins().bitcast(types::I128X2, little(), vector);
        let [low, high] = [0, 1].map(|half: u8| {
            let half = self.to.ins().extractlane(both, half);
            self.to.ins().bitcast(ty, little(), half)
        });
        self.fold(fold, low, high)
    }

    /// The vectors of a tuple folded into one, halves of the tuple first.
    pub(super) fn vector_of(&mut self, fold: Fold, parts: &[Value]) -> Value {
        let mut parts = parts.to_vec();
        while parts.len() > 1 {
            let half = parts.len().div_ceil(2);
            let upper = parts.split_off(half);
            let folded = self.fold_all(fold, &parts[..upper.len()], &upper);
            parts[..upper.len()].copy_from_slice(&folded);
        }
        parts[0]
    }

    /// Numbers in a vector of the narrow kind.
    fn narrow(&self) -> usize {
        (16 / self.bytes()) as usize
    }

    /// The numbers of a vector of the narrow kind, or of one number, folded into one, halves first.
    pub(super) fn gathered(&mut self, fold: Fold, vector: Value) -> Value {
        let shape = self.shape;
        self.shape = Shape { width: shape.width.min(self.narrow()), parts: 1, ..shape };
        let mut numbers = self.numbers(&[vector]);
        self.shape = Shape { width: 1, parts: 1, ..shape };
        while numbers.len() > 1 {
            let half = numbers.len().div_ceil(2);
            let upper = numbers.split_off(half);
            let folded = self.fold_all(fold, &numbers[..upper.len()], &upper);
            numbers[..upper.len()].copy_from_slice(&folded);
        }
        self.shape = shape;
        numbers[0]
    }

    /// The same for some vectors of the narrow kind, four of which become one.
    pub(super) fn gathered_all(&mut self, fold: Fold, vectors: &[Value]) -> Vec<Value> {
        let alone = vectors.len() < 2 || !self.wide || self.shape.width < self.narrow();
        if alone || self.float != types::F32 {
            return vectors.iter().map(|vector| self.gathered(fold, *vector)).collect();
        }
        let mut all = Vec::with_capacity(vectors.len());
        for some in vectors.chunks(AT_ONCE) {
            let [first, last] = [some[0], some[some.len() - 1]];
            let at = |number: usize| *some.get(number).unwrap_or(&last);
            let left = self.folded(fold, [first, at(1)], TURNS);
            let right =
                if some.len() > 2 { self.folded(fold, [at(2), at(3)], TURNS) } else { left };
            let four = self.folded(fold, [left, right], HALVES);
            all.extend((0..some.len()).map(|lane| self.to.ins().extractlane(four, lane as u8)));
        }
        all
    }

    /// Two vectors, mixed in two ways, the one folded with the other.
    fn folded(&mut self, fold: Fold, pair: [Value; 2], ways: [[u8; 16]; 2]) -> Value {
        let numbers = self.to.func.dfg.value_type(pair[0]);
        let [a, b] = pair.map(|value| self.to.ins().bitcast(types::I8X16, little(), value));
        let [low, high] = ways.map(|way| {
            let way = self.to.func.dfg.immediates.push(way.to_vec().into());
            let mixed = self.to.ins().shuffle(a, b, way);
            self.to.ins().bitcast(numbers, little(), mixed)
        });
        self.fold(fold, low, high)
    }
}

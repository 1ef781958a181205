//! Random graphs for tests, over every op and every form of access.

use super::samples::{Maker, Sample, ax, cond, dig, lin, noise, val};
use super::{Affine, Axis, Bits, Cond, Fold, Index, NodeId, Op, Rel, Space, Toward, Type};
use crate::op::scalar;

/// A choice maker: the same seed makes the same graph.
struct Dice {
    seed: u64,
    thrown: u64,
}

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.thrown += 1;
        let share = (noise(self.seed.wrapping_mul(10_007).wrapping_add(self.thrown)) - 0.1) / 0.8;
        ((share * count as f64) as usize).min(count - 1)
    }

    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as usize) as i64
    }
}

struct Growing {
    m: Maker,
    dice: Dice,
    /// Real values so far, with their sizes.
    values: Vec<(NodeId, Vec<u32>)>,
}

/// The graph of that seed.
pub(crate) fn random(seed: u64) -> Sample {
    let mut g = Growing { m: Maker::new(), dice: Dice { seed, thrown: 0 }, values: Vec::new() };
    for _ in 0..3 {
        let sizes = g.sizes(2);
        let node = g.m.param(&sizes);
        g.values.push((node, sizes));
    }
    for _ in 0..6 {
        g.grow();
    }
    let last = g.values.last().map(|(node, _)| *node).unwrap_or(NodeId(0));
    g.m.done(&format!("random {seed}"), last)
}

impl Growing {
    fn sizes(&mut self, most: usize) -> Vec<u32> {
        let rank = self.dice.below(most + 1);
        (0..rank).map(|_| self.dice.between(1, 4) as u32).collect()
    }

    /// An affine function of the axes, with small coefficients.
    fn affine(&mut self, scope: &[u32]) -> Affine {
        let offset = self.dice.between(-3, 3);
        let mut terms = Vec::new();
        for axis in 0..scope.len() {
            if self.dice.below(3) > 0 {
                let by = [1, 1, -1, 2, 3, i64::from(scope[0])][self.dice.below(6)];
                terms.push((Axis(axis as u8), by));
            }
        }
        Affine::new(offset, terms)
    }

    /// An index that stays below `size` over the scope; gathers are added to `reads`.
    fn index(&mut self, size: u32, scope: &[u32], reads: &mut Vec<(NodeId, Vec<Index>)>) -> Index {
        if self.dice.below(6) == 0 && !scope.is_empty() {
            let axis = self.dice.below(scope.len());
            let values: Vec<u32> =
                (0..scope[axis]).map(|_| self.dice.below(size as usize) as u32).collect();
            let at = self.m.positions(scope[axis], &values, size);
            reads.push((at, vec![ax(axis as u8)]));
            return val((reads.len() - 1) as u8);
        }
        for _ in 0..4 {
            let mut affine = self.affine(scope);
            let (low, high) = affine.range(scope);
            if high - low < i64::from(size) {
                affine.offset += self.dice.between(-low, i64::from(size) - 1 - high);
                return Index::Affine(affine);
            }
        }
        let step = self.dice.between(1, 3) as u32;
        let radix = self.dice.between(1, i64::from(size)) as u32;
        dig(self.affine(scope), step, if self.dice.below(2) == 0 { size } else { radix })
    }

    /// Reads of some values over a scope, at ports 0, 1, ..; gathers behind them.
    fn reads(&mut self, count: usize, scope: &[u32]) -> Vec<(NodeId, Vec<Index>)> {
        let chosen: Vec<_> = (0..count)
            .map(|_| {
                let recent = self.values.len().saturating_sub(4);
                let at = recent + self.dice.below(self.values.len() - recent);
                self.values[at].clone()
            })
            .collect();
        let mut reads: Vec<_> = chosen.iter().map(|(node, _)| (*node, Vec::new())).collect();
        for (port, (_, sizes)) in chosen.iter().enumerate() {
            for size in sizes {
                let index = self.index(*size, scope, &mut reads);
                reads[port].1.push(index);
            }
        }
        reads
    }

    fn cond(&mut self, scope: &[u32]) -> Cond {
        let rel = [Rel::Eq, Rel::Ne, Rel::Lt, Rel::Ge][self.dice.below(4)];
        let right = self.dice.between(0, 3);
        match self.dice.below(3) {
            0 => Cond { left: dig(self.affine(scope), 1, 3), rel, right: Affine::constant(right) },
            1 if !scope.is_empty() => cond(lin(0, &[(0, 1)]), rel, right),
            _ => Cond::of(self.affine(scope), rel, right),
        }
    }

    fn node(&mut self, op: Op, space: Space, reads: &[(NodeId, Vec<Index>)]) -> NodeId {
        let reads: Vec<_> = reads.iter().map(|(node, access)| (*node, access.as_slice())).collect();
        self.m.node(op, space, Type::Real, &reads)
    }

    fn grow(&mut self) {
        let sizes = self.sizes(2);
        let space = Space::of(sizes.clone());
        let node = match self.dice.below(6) {
            0 | 1 => {
                let scalar =
                    [scalar::MUL, scalar::ADD, scalar::SUB, scalar::MAX][self.dice.below(4)];
                let reads = self.reads(2, &sizes);
                self.node(Op::Map(scalar), space, &reads)
            }
            2 => {
                let scalar = [scalar::TANH, scalar::SIN, scalar::NEG][self.dice.below(3)];
                let reads = self.reads(1, &sizes);
                self.node(Op::Map(scalar), space, &reads)
            }
            3 => self.fold(&sizes),
            4 => {
                if sizes.is_empty() {
                    return;
                }
                let along = Axis(self.dice.below(sizes.len()) as u8);
                let toward = [Toward::Up, Toward::Down][self.dice.below(2)];
                let reads = self.reads(2, &sizes);
                self.node(Op::Recur { along, toward, start: Bits::of(0.5) }, space, &reads)
            }
            _ => {
                // A value that exists only where a condition holds, and a join over it.
                let when = self.cond(&sizes);
                let guarded = Space { sizes: sizes.clone(), when: vec![when.clone()] };
                let reads = self.reads(2, &sizes);
                let inside = self.node(Op::Map(scalar::MUL), guarded, &reads);
                let other = self.m.number(0.25);
                let whole: Vec<_> = (0..sizes.len() as u8).map(ax).collect();
                let (yes, no) = ([when.clone()], [when.negated()]);
                self.m.join(&sizes, &[(&yes, inside, &whole), (&no, other, &[])])
            }
        };
        self.values.push((node, sizes));
    }

    fn fold(&mut self, sizes: &[u32]) -> NodeId {
        let over = [self.dice.between(1, 4) as u32, self.dice.between(1, 3) as u32];
        let over = over[..self.dice.between(1, 2) as usize].to_vec();
        let scope: Vec<u32> = sizes.iter().chain(&over).copied().collect();
        let mut reads = self.reads(1, &scope);
        let fold = [Fold::Sum, Fold::Sum, Fold::Prod, Fold::Max][self.dice.below(4)];
        let mut when = Vec::new();
        if self.dice.below(2) == 0 && fold != Fold::Max {
            when.push(self.cond(&scope));
        }
        if self.dice.below(3) == 0 && !sizes.is_empty() && fold != Fold::Max {
            let values: Vec<u32> =
                (0..over[0]).map(|_| self.dice.below(sizes[0] as usize) as u32).collect();
            let at = self.m.positions(over[0], &values, sizes[0]);
            reads.push((at, vec![ax(sizes.len() as u8)]));
            let left = val((reads.len() - 1) as u8);
            when.push(Cond { left, rel: Rel::Eq, right: lin(0, &[(0, 1)]) });
        }
        self.node(Op::Reduce { fold, over, when }, Space::of(sizes), &reads)
    }
}

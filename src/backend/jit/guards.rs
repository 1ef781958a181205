//! Conditions, as branches and masks.
//!
//! In: conditions over the axes of a node. Out: a body that runs, or counts, where they hold; what a loop that goes
//! round a diagonal knows beforehand asks for neither. Invariant: what stands below a branch is not evaluated
//! outside it; what stands below a mask is evaluated, at positions that [`choose`](super::vector::choose) has found
//! to lie inside the operands, and dropped.

use cranelift_codegen::ir::condcodes::{CondCode, IntCC};
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};

use crate::backend::domain;
use crate::graph::{Cond, Rel};

use super::emit::{Body, Coord, Emitter, Shape, args};

enum Truth {
    Always,
    Never,
    /// A scalar says.
    Sometimes(Value),
    /// Another answer for each number of a tuple: how a coordinate compares with 0.
    Differs(IntCC, Coord),
}

impl<'a, 'g> Emitter<'a, 'g> {
    /// Runs the body where all conditions hold; elsewhere what is carried stays. Conditions that differ
    /// from one number of a tuple to the next become a mask: the body runs, and what it gives is dropped
    /// where they do not hold.
    pub(super) fn guard(
        &mut self,
        conds: &[&Cond],
        sizes: &[u32],
        point: &mut Vec<Coord>,
        carried: Vec<Value>,
        body: Body<'_, 'a, 'g>,
    ) -> Vec<Value> {
        let mut all: Option<Value> = None;
        let mut apart: Vec<(IntCC, Coord)> = Vec::new();
        for cond in conds {
            match self.holds(cond, sizes, point) {
                Truth::Always => {}
                Truth::Never => return carried,
                Truth::Differs(compare, coord) => apart.push((compare, coord)),
                Truth::Sometimes(holds) => {
                    all = Some(match all {
                        None => holds,
                        Some(before) => self.to.ins().band(before, holds),
                    });
                }
            }
        }
        let Some(holds) = all else { return self.masked(&apart, point, carried, body) };
        let (inside, exit) = (self.to.create_block(), self.to.create_block());
        let types: Vec<Type> =
            carried.iter().map(|value| self.to.func.dfg.value_type(*value)).collect();
        let after: Vec<Value> =
            types.iter().map(|ty| self.to.append_block_param(exit, *ty)).collect();
        self.to.ins().brif(holds, inside, &[], exit, &args(&carried));
        self.to.switch_to_block(inside);
        // Nothing that is loaded here may be loaded before a loop, whether or not the conditions hold.
        let row = self.row.take();
        let results = self.masked(&apart, point, carried, body);
        self.row = row;
        self.to.ins().jump(exit, &args(&results));
        self.to.switch_to_block(exit);
        after
    }

    /// Runs the body under a mask.
    fn masked(
        &mut self,
        apart: &[(IntCC, Coord)],
        point: &mut Vec<Coord>,
        carried: Vec<Value>,
        body: Body<'_, 'a, 'g>,
    ) -> Vec<Value> {
        if apart.is_empty() {
            return body(self, point, carried);
        }
        let outer = self.mask.take();
        let mut mask = outer.clone();
        for (compare, coord) in apart {
            let more = self.lanes(*compare, *coord);
            mask = Some(match mask {
                None => more,
                Some(before) => {
                    let pairs = before.into_iter().zip(more);
                    pairs.map(|(before, more)| self.to.ins().band(before, more)).collect()
                }
            });
        }
        self.mask = mask.clone();
        let results = body(self, point, carried.clone());
        self.mask = outer;
        let Some(mask) = mask else { return results };
        debug_assert!(carried.is_empty() || mask.len() == results.len());
        let each = mask.into_iter().zip(results).zip(carried);
        each.map(|((mask, result), before)| self.choose(mask, result, before)).collect()
    }

    /// For each number of a tuple, how its coordinate compares with 0.
    fn lanes(&mut self, compare: IntCC, coord: Coord) -> Vec<Value> {
        let Shape { width, parts, .. } = self.shape;
        let int = if self.float == types::F32 { types::I32 } else { types::I64 };
        let vector = int.by(width as u32).unwrap_or(int);
        if coord.base.is_none() {
            return (0..parts).map(|part| self.settled(compare, coord, part * width)).collect();
        }
        // What is added is added to all numbers at once: to the first alone it would be in 32 bits, which wide code
        // cannot.
        let first = self.coord(Coord { step: 0, add: 0, ..coord });
        let first = if int == types::I32 { self.to.ins().ireduce(int, first) } else { first };
        let first = self.to.ins().splat(vector, first);
        let zero = self.to.ins().iconst(int, 0);
        let zero = self.to.ins().splat(vector, zero);
        let masks = (0..parts).map(|part| {
            let place = |lane: usize| self.places_ahead(part * width + lane);
            let ahead = (0..width).map(|lane| coord.add + place(lane) * coord.step);
            let bytes: Vec<u8> = match int {
                types::I32 => ahead.flat_map(|step| (step as i32).to_le_bytes()).collect(),
                _ => ahead.flat_map(i64::to_le_bytes).collect(),
            };
            let ahead = self.to.func.dfg.constants.insert(bytes.into());
            let ahead = self.to.ins().vconst(vector, ahead);
            let at = self.to.ins().iadd(first, ahead);
            self.to.ins().icmp(compare, at, zero)
        });
        masks.collect()
    }

    /// A mask known beforehand, for the numbers of a vector from one of a tuple on.
    fn settled(&mut self, compare: IntCC, coord: Coord, first: usize) -> Value {
        let holds = |lane: usize| {
            let at = coord.add + self.places_ahead(first + lane) * coord.step;
            if compare == IntCC::Equal {
                at == 0
            } else if compare == IntCC::NotEqual {
                at != 0
            } else if compare == IntCC::SignedLessThan {
                at < 0
            } else {
                at >= 0
            }
        };
        let width = self.shape.width;
        let bytes = self.float.bytes() as usize;
        let mask: Vec<u8> = (0..width)
            .flat_map(|lane| vec![if holds(lane) { u8::MAX } else { 0 }; bytes])
            .collect();
        let int = if self.float == types::F32 { types::I32 } else { types::I64 };
        let mask = self.to.func.dfg.constants.insert(mask.into());
        self.to.ins().vconst(int.by(width as u32).unwrap_or(int), mask)
    }

    fn holds(&mut self, cond: &Cond, sizes: &[u32], point: &[Coord]) -> Truth {
        match self.cleared(cond, point) {
            Some(true) => return Truth::Always,
            Some(false) => return Truth::Never,
            None => {}
        }
        let left = self.index(&cond.left, sizes, point);
        let right = self.affine(&cond.right, point);
        let apart = left.add - right.add;
        let compare = match cond.rel {
            Rel::Eq => IntCC::Equal,
            Rel::Ne => IntCC::NotEqual,
            Rel::Lt => IntCC::SignedLessThan,
            Rel::Ge => IntCC::SignedGreaterThanOrEqual,
        };
        if left.step != right.step {
            // A coordinate turned round alone would be reckoned with in 32 bits, which wide code cannot.
            if left.base.is_none() && right.base.is_some() {
                let left = self.times(left, -1);
                return Truth::Differs(compare.swap_args(), self.plus(right, left));
            }
            let right = self.times(right, -1);
            return Truth::Differs(compare, self.plus(left, right));
        }
        if left.base.is_none() && right.base.is_none() {
            let holds = domain::compare(apart, cond.rel, 0);
            return if holds { Truth::Always } else { Truth::Never };
        }
        let (left, right) = (self.coord(left), self.coord(right));
        Truth::Sometimes(self.to.ins().icmp(compare, left, right))
    }
}

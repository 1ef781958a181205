//! Steps of a fused loop that are clear of a diagonal.
//!
//! In: a loop, whose members have conditions such as `i == j`. Out: the steps of a row, in a loop without masks, but
//! for the one whose columns meet the diagonal. Invariant: what is left out there holds, or does not,
//! for every column of the step.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};

use crate::graph::{Affine, Cond, Index, Rel};

use super::emit::{Body, Coord, Emitter, args};
use super::fuse::{Fused, Member};

/// A linear form: `row` times the row, `col` times the column, and `add`. Of a diagonal, which lies where it is 0,
/// `col` is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Diagonal {
    row: i64,
    col: i64,
    add: i64,
}

/// A step that is clear of a diagonal.
#[derive(Clone, Debug)]
pub(super) struct Clear {
    place: [Coord; 2],
    of: Diagonal,
}

impl Diagonal {
    /// Where the two sides of a condition are equal, if each axis is that of the rows or of the columns, or stands
    /// still.
    fn of(cond: &Cond, axis: impl Fn(usize) -> Option<Diagonal>) -> Option<Diagonal> {
        let (Index::Affine(left), Rel::Eq | Rel::Ne) = (&cond.left, cond.rel) else { return None };
        let Affine { offset, terms } = left.minus(&cond.right);
        let start = Diagonal { add: offset, ..Diagonal::default() };
        let mut sum = terms.into_iter().try_fold(start, |sum, (number, by)| {
            let one = axis(usize::from(number.0))?;
            Some(Diagonal {
                row: sum.row + by * one.row,
                col: sum.col + by * one.col,
                add: sum.add + by * one.add,
            })
        })?;
        if sum.col < 0 {
            sum = Diagonal { row: -sum.row, col: -sum.col, add: -sum.add };
        }
        (sum.col == 1).then_some(sum)
    }
}

impl<'a, 'g> Emitter<'a, 'g> {
    /// The diagonal that the conditions of a loop's members ask for, if it is one.
    pub(super) fn diagonal(&self, fused: &Fused) -> Option<Diagonal> {
        let mut all = Vec::new();
        for member in &fused.members {
            for cond in self.conditions(member) {
                all.extend(Diagonal::of(cond, |axis| along(member, axis)));
            }
        }
        let first = *all.first()?;
        all.iter().all(|one| *one == first).then_some(first)
    }

    /// A row up to a column, in steps: those before the one that meets a diagonal in a loop of their own, then that
    /// one, then those behind it in the same loop.
    pub(super) fn around(
        &mut self,
        diagonal: Diagonal,
        (to, by): (i64, i64),
        place: &mut Vec<Coord>,
        carried: Vec<Value>,
        body: Body<'_, 'a, 'g>,
    ) -> Vec<Value> {
        let types: Vec<Type> =
            carried.iter().map(|value| self.to.func.dfg.value_type(*value)).collect();
        let [ahead, clear, rest, meets, exit] = [(); 5].map(|()| self.to.create_block());
        let [at, limit] = [(); 2].map(|()| self.to.append_block_param(ahead, types::I64));
        let [inside, behind, met] =
            [clear, rest, meets].map(|block| self.to.append_block_param(block, types::I64));
        let params = |emitter: &mut Self, block| -> Vec<Value> {
            types.iter().map(|ty| emitter.to.append_block_param(block, *ty)).collect()
        };
        let [first, own, last, masked, after] =
            [ahead, clear, rest, meets, exit].map(|block| params(self, block));
        // Where the diagonal crosses the row; below 0 is a large number.
        let crossed = self.times(place[0], -diagonal.row);
        let crossed = self.coord(Coord { add: crossed.add - diagonal.add, ..crossed });
        let [start, end] = [0, to].map(|number| self.int(number));
        let crossed = self.to.ins().umin(crossed, end);
        let crossed = self.to.ins().band_imm_s(crossed, -by);
        let with = |at: &[Value], carried: &[Value]| args(&[at, carried].concat());
        self.to.ins().jump(ahead, &with(&[start, crossed], &carried));

        self.to.switch_to_block(ahead);
        let before = self.to.ins().icmp(IntCC::SignedLessThan, at, limit);
        self.to.ins().brif(before, clear, &with(&[at], &first), rest, &with(&[at], &first));

        self.to.switch_to_block(clear);
        place[1] = Coord { base: Some(inside), add: 0, step: 1 };
        self.clear = Some(Clear { place: [place[0], place[1]], of: diagonal });
        let results = body(self, place, own);
        self.clear = None;
        let next = self.to.ins().iadd_imm_s(inside, by);
        let more = self.to.ins().icmp(IntCC::SignedLessThan, next, limit);
        self.to.ins().brif(more, clear, &with(&[next], &results), rest, &with(&[next], &results));

        self.to.switch_to_block(rest);
        let more = self.to.ins().icmp(IntCC::SignedLessThan, behind, end);
        self.to.ins().brif(more, meets, &with(&[behind], &last), exit, &args(&last));

        self.to.set_cold_block(meets);
        self.to.switch_to_block(meets);
        place[1] = Coord { base: Some(met), add: 0, step: 1 };
        let results = body(self, place, masked);
        let next = self.to.ins().iadd_imm_s(met, by);
        self.to.ins().jump(ahead, &with(&[next, end], &results));

        self.to.switch_to_block(exit);
        after
    }

    /// Whether a condition is known where the loop stands, since that is clear of a diagonal.
    pub(super) fn cleared(&self, cond: &Cond, point: &[Coord]) -> Option<bool> {
        let Clear { place, of } = self.clear.as_ref()?;
        let found = Diagonal::of(cond, |axis| {
            let none = Diagonal::default();
            match point[axis] {
                at if at == place[0] => Some(Diagonal { row: 1, ..none }),
                at if at == place[1] => Some(Diagonal { col: 1, ..none }),
                Coord { base: None, add, step: 0 } => Some(Diagonal { add, ..none }),
                Coord { .. } => None,
            }
        })?;
        (*of == found).then_some(cond.rel == Rel::Ne)
    }
}

/// Along what an axis of a member runs.
fn along(member: &Member, axis: usize) -> Option<Diagonal> {
    let none = Diagonal::default();
    match axis {
        rows if rows == member.rows => Some(Diagonal { row: 1, ..none }),
        cols if cols == member.cols => Some(Diagonal { col: 1, ..none }),
        _ => None,
    }
}

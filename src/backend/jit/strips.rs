//! The points of a space, the axis whose neighbours share a vector cut into strips.
//!
//! In: axes, what is done at a point. Out: loops. Invariant: every point is visited once, along each axis in ascending
//! order; within a strip of a join, conditions on its axis alone are not asked: they are alike for all its places.

use cranelift_codegen::ir::Value;

use crate::backend::domain::compare;
use crate::graph::{Axis, Cond, NodeId, Op, Rel};

use super::emit::{Coord, Emitter, Shape};
use super::vector::Vector;

/// What is done at a point.
type Visit<'b, 'a, 'g> = &'b mut dyn FnMut(&mut Emitter<'a, 'g>, &mut Vec<Coord>);

/// Numbers of the narrowest vectors.
const NARROWEST: usize = 4;
/// The most strips of an axis; more conditions than that are asked one by one.
const MOST_STRIPS: usize = 40;

/// Where along an axis what a condition says changes, if nothing else moves it.
pub(super) fn cuts(cond: &Cond, axis: usize) -> Option<Vec<i64>> {
    let apart = cond.difference()?;
    let [(Axis(own), by @ (1 | -1))] = apart.terms[..] else { return None };
    let zero = -by * apart.offset;
    (usize::from(own) == axis).then(|| match cond.rel {
        Rel::Eq | Rel::Ne => vec![zero, zero + 1],
        // Going down, the place itself is not yet below.
        Rel::Lt | Rel::Ge => vec![if by > 0 { zero } else { zero + 1 }],
    })
}

/// Where an axis of a join is cut, so that each strip knows its arm: both ends and what lies between; `None` if
/// another condition moves along it, or too many.
pub(super) fn cuts_of_arms<'c>(
    conds: impl Iterator<Item = &'c Cond>,
    (axis, size): (usize, u32),
) -> Option<Vec<i64>> {
    let size = i64::from(size);
    let mut all = vec![0, size];
    for cond in conds {
        match cuts(cond, axis) {
            Some(more) => all.extend(more.into_iter().filter(|at| (1..size).contains(at))),
            None if cond.is_gathered() || cond.axes().any(|other| usize::from(other.0) == axis) => {
                return None;
            }
            None => {}
        }
    }
    all.sort_unstable();
    all.dedup();
    (all.len() <= MOST_STRIPS + 1).then_some(all)
}

/// Whether a condition that nothing but one axis moves holds at a place of it.
fn holds_at(cond: &Cond, (axis, at): (usize, i64)) -> Option<bool> {
    cuts(cond, axis)?;
    let apart = cond.difference()?;
    let value = apart.offset + apart.terms.iter().map(|(_, by)| by * at).sum::<i64>();
    Some(compare(value, cond.rel, 0))
}

impl<'a, 'g> Emitter<'a, 'g> {
    /// Visits the points of a node's space.
    pub(super) fn points(&mut self, id: NodeId, vector: Option<Vector>, body: Visit<'_, 'a, 'g>) {
        let node = self.graph.node(id);
        let sizes = &node.space.sizes;
        let conds: Vec<&Cond> = node.space.when.iter().collect();
        let axes: Vec<(usize, u32)> = sizes.iter().copied().enumerate().collect();
        let mut point = vec![Coord::constant(0); sizes.len()];
        let joins = node.op == Op::Join;
        let (vector, cuts) = if joins { self.cut(id, vector) } else { (vector, Vec::new()) };
        self.spread((&axes, vector, &cuts), &mut point, &mut |emitter, point| {
            emitter.guard(&conds, sizes, point, Vec::new(), &mut |emitter, point, none| {
                body(emitter, point);
                none
            });
        });
    }

    /// The axis of a join whose strips know their arm, and where it is cut: that of its vectors or, if it has none,
    /// the last along which arms change.
    fn cut(&self, id: NodeId, vector: Option<Vector>) -> (Option<Vector>, Vec<i64>) {
        let sizes = &self.graph.node(id).space.sizes;
        let operands = self.graph.operands(id);
        let of = |axis: usize| {
            let arms = operands.iter().flat_map(|(_, operand)| &operand.when);
            cuts_of_arms(arms, (axis, sizes[axis]))
        };
        if let Some(vector) = vector {
            return (Some(vector), of(vector.axis).unwrap_or_default());
        }
        let change = |axis: usize| Some((axis, of(axis).filter(|cuts| cuts.len() > 2)?));
        let Some((axis, cuts)) = (0..sizes.len()).rev().find_map(change) else {
            return (None, Vec::new());
        };
        (Some(Vector { axis, shape: self.shape }), cuts)
    }

    /// Loops over axes, the one whose neighbours share a vector innermost.
    pub(super) fn spread(
        &mut self,
        (axes, vector, cuts): (&[(usize, u32)], Option<Vector>, &[i64]),
        point: &mut Vec<Coord>,
        body: Visit<'_, 'a, 'g>,
    ) {
        let along = vector.and_then(|vector| axes.iter().find(|(axis, _)| *axis == vector.axis));
        let Some((vector, (axis, size))) = vector.zip(along) else {
            self.nest(axes, point, Vec::new(), &mut |emitter, point, none| {
                body(emitter, point);
                none
            });
            return;
        };
        let others: Vec<(usize, u32)> =
            axes.iter().copied().filter(|(other, _)| other != axis).collect();
        let whole = [0, i64::from(*size)];
        let ends = if cuts.is_empty() { &whole[..] } else { cuts };
        self.nest(&others, point, Vec::new(), &mut |emitter, point, none| {
            for strip in ends.windows(2) {
                let known = (!cuts.is_empty()).then_some((*axis, strip[0]));
                emitter.strip((*axis, strip[0], strip[1]), (vector.shape, known), point, body);
            }
            none
        });
    }

    /// A part of one axis: whole tuples, then what is left in fewer and narrower vectors, then number by number.
    pub(super) fn strip(
        &mut self,
        (axis, mut from, to): (usize, i64, i64),
        (shape, known): (Shape, Option<(usize, i64)>),
        point: &mut Vec<Coord>,
        body: Visit<'_, 'a, 'g>,
    ) {
        let plain = self.shape;
        let one = Shape { parts: 1, ..shape };
        let half = Shape { width: one.width / 2, ..one };
        let narrower = (half.width >= NARROWEST).then_some(half);
        for shape in [Some(shape), Some(one), narrower, Some(plain)].into_iter().flatten() {
            let by = if shape == plain { 1 } else { shape.count() as i64 };
            let end = to - (to - from) % by;
            self.shape = shape;
            self.repeat(axis, (from, end, by), point, Vec::new(), &mut |emitter, point, none| {
                emitter.known_arm = known;
                body(emitter, point);
                none
            });
            from = end;
        }
        self.shape = plain;
    }

    /// The arm of a join that holds at a point; each is read only where it does.
    pub(super) fn join(&mut self, id: NodeId, point: &mut Vec<Coord>) -> Vec<Value> {
        let graph = self.graph;
        let operands = graph.operands(id);
        let sizes = &graph.node(id).space.sizes;
        let none = self.constant(0.0);
        let known = self.known_arm.take();
        let decided = |cond: &Cond| known.and_then(|place| holds_at(cond, place));
        operands[..graph.arity(id)].iter().fold(none, |value, (from, operand)| {
            if operand.when.iter().any(|cond| decided(cond) == Some(false)) {
                return value;
            }
            let open = operand.when.iter().filter(|cond| decided(cond).is_none());
            let conds: Vec<&Cond> = open.collect();
            self.guard(&conds, sizes, point, value, &mut |emitter, point, _| {
                emitter.read(*from, &operand.access, (sizes, point), &operands)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Affine;

    #[test]
    fn an_axis_is_cut_where_a_condition_changes() {
        let at = |by: i64, offset: i64, rel| Cond::of(Affine::new(offset, [(Axis(1), by)]), rel, 0);
        for rel in [Rel::Eq, Rel::Ne, Rel::Lt, Rel::Ge] {
            for (by, offset) in [(1, -3), (1, 0), (-1, 3), (-1, 9), (1, -20)] {
                let cond = at(by, offset, rel);
                let ends = cuts_of_arms([&cond].into_iter(), (1, 10)).unwrap_or_default();
                for strip in ends.windows(2) {
                    let inside = (strip[0]..strip[1]).map(|place| holds_at(&cond, (1, place)));
                    let first = holds_at(&cond, (1, strip[0]));
                    assert!(
                        first.is_some() && inside.into_iter().all(|one| one == first),
                        "{cond:?}"
                    );
                }
                assert!(ends.len() <= 4 && ends.first() == Some(&0) && ends.last() == Some(&10));
            }
        }
        assert_eq!(cuts(&at(1, -3, Rel::Lt), 0), None);
        assert_eq!(cuts(&at(2, -3, Rel::Lt), 1), None);
        assert_eq!(cuts_of_arms([&at(2, -3, Rel::Lt)].into_iter(), (1, 10)), None);
    }
}

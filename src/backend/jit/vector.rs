//! Along which axis the numbers of a vector lie, where they do not belong to different samples.
//!
//! In: what a function computes. Out: the axis that reads most values side by side, if one pays.
//! Invariant: along the chosen axis no index is gathered, at most one is a roll and none is reduced otherwise, and a
//! condition that changes is one that a mask can express, over accesses that stay inside their operands whether it
//! holds or not, or one of a join at which the axis is cut.

use crate::graph::{Access, Affine, Axis, Cond, Graph, Index, Leaf, NodeId, Op, Operand, Read};

use super::emit::{Shape, row_major};
use super::kernels::mentions;
use super::layout::Layout;
use super::strips::cuts_of_arms;

/// The axis of a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vector {
    /// Position in the scope of the node.
    pub(super) axis: usize,
    /// How a value lies in registers along it.
    pub(super) shape: Shape,
}

/// The most vectors that are worked on together; more would not fit the registers.
pub(super) const PARTS: usize = 4;

/// The most numbers between neighbours of a tuple: so many that all of it lies within 2^29 bytes.
const MOST_APART: i64 = 1 << 21;

/// What a function computes.
#[derive(Clone, Copy)]
pub(super) enum Work<'g> {
    /// A node.
    Node(NodeId),
    /// A root that is added to the gradient.
    Sum(&'g Read),
}

/// Chooses an axis, for vectors of that many numbers.
pub(super) fn choose(
    graph: &Graph,
    layout: &Layout,
    work: Work<'_>,
    width: usize,
) -> Option<Vector> {
    let weigh = Weigh { graph, held: &|id| layout.slot(id).is_some(), cut: true };
    let (sizes, stored) = match work {
        Work::Node(id) => (graph.scope(id), graph.node(id).space.sizes.clone()),
        Work::Sum(read) => (read.sizes.clone(), read.sizes.clone()),
    };
    let strides = row_major(&stored);
    let mut best: Option<(i64, usize)> = None;
    for axis in 0..sizes.len() {
        let beside = strides.get(axis).is_none_or(|stride| *stride == 1);
        if !beside || (sizes[axis] as usize) < width {
            continue;
        }
        let gain = match work {
            Work::Node(id) => weigh.node(id, axis),
            Work::Sum(read) => weigh.read(read.node, &read.access, &steps(sizes.len(), axis)),
        };
        if let Some(gain) = gain.filter(|gain| *gain > 0)
            && best.is_none_or(|(most, _)| gain > most)
        {
            best = Some((gain, axis));
        }
    }
    let (_, axis) = best?;
    let parts = (sizes[axis] as usize / width).min(PARTS);
    Some(Vector { axis, shape: Shape { width, parts, samples: false } })
}

fn steps(rank: usize, axis: usize) -> Vec<i64> {
    (0..rank).map(|other| i64::from(other == axis)).collect()
}

pub(super) struct Weigh<'g> {
    pub(super) graph: &'g Graph,
    /// Whether a value is held in memory.
    pub(super) held: &'g dyn Fn(NodeId) -> bool,
    /// Whether an axis may be cut where the arms of a join change.
    pub(super) cut: bool,
}

impl Weigh<'_> {
    /// What vectors along an axis of a node gain; `None` if there can be none.
    pub(super) fn node(&self, id: NodeId, axis: usize) -> Option<i64> {
        let node = self.graph.node(id);
        let operands = self.graph.operands(id);
        let steps = steps(self.graph.scope(id).len(), axis);
        let still = |cond: &Cond| {
            !matches!(cond.left, Index::Value(_))
                && cond.axes().all(|other| usize::from(other.0) != axis)
        };
        let scope = self.graph.scope(id);
        let steady = |cond: &Cond| still(cond) || (masked(cond, &scope) && self.safe(id, &scope));
        if !node.space.when.iter().all(steady) {
            return None;
        }
        let all = |operands: &[(NodeId, &Operand)]| {
            let each =
                operands.iter().map(|(from, operand)| self.read(*from, &operand.access, &steps));
            each.sum::<Option<i64>>()
        };
        match &node.op {
            Op::Map(_) | Op::Leaf(_) => self.compute(id, &steps),
            Op::Join => {
                let arms = || operands.iter().flat_map(|(_, operand)| &operand.when);
                let apart = |size: &u32| self.cut && cuts_of_arms(arms(), (axis, *size)).is_some();
                let fixed = arms().all(steady) || node.space.sizes.get(axis).is_some_and(apart);
                if fixed { all(&operands) } else { None }
            }
            Op::Reduce { when, .. } => {
                if when.iter().all(steady) {
                    all(&operands)
                } else {
                    None
                }
            }
            Op::Recur { along, .. } => {
                if usize::from(along.0) == axis || !node.space.when.iter().all(still) {
                    None
                } else {
                    all(&operands)
                }
            }
            Op::Opaque { .. } => None,
        }
    }

    /// Whether everything that a node reads lies inside its operand at every point of a box, whatever
    /// conditions say.
    fn safe(&self, id: NodeId, sizes: &[u32]) -> bool {
        self.graph.operands(id).into_iter().all(|(from, operand)| {
            let of = &self.graph.node(from).space.sizes;
            let inside = operand.access.0.iter().zip(of).all(|(index, size)| match index {
                Index::Affine(affine) => {
                    let (low, high) = affine.range(sizes);
                    low >= 0 && high < i64::from(*size)
                }
                Index::Digit { radix, .. } => radix <= size,
                Index::Value(_) => false,
            });
            inside && ((self.held)(from) || self.safe(from, of))
        })
    }

    fn compute(&self, id: NodeId, steps: &[i64]) -> Option<i64> {
        let operands = self.graph.operands(id);
        match &self.graph.node(id).op {
            Op::Leaf(Leaf::Axis(axis)) => Some(-steps[usize::from(axis.0)].abs()),
            Op::Leaf(_) => Some(1),
            Op::Map(_) | Op::Reduce { .. } | Op::Recur { .. } | Op::Join | Op::Opaque { .. } => {
                let each =
                    operands.iter().map(|(from, operand)| self.read(*from, &operand.access, steps));
                each.sum()
            }
        }
    }

    /// What reading a value in vectors gains: something where its numbers lie side by side, nothing
    /// where there is one number, a loss where they lie apart.
    fn read(&self, from: NodeId, access: &Access, steps: &[i64]) -> Option<i64> {
        let own: Option<Vec<i64>> = access.0.iter().map(|index| step_of(index, steps)).collect();
        let own = own?;
        let rolling = access.0.iter().filter(|index| rolls(index, steps)).count();
        if rolling > 1 {
            return None;
        }
        if rolling == 1 && !(self.held)(from) {
            let operands = through(self.graph, from, access)?;
            return operands.iter().map(|(from, access)| self.read(*from, access, steps)).sum();
        }
        if !(self.held)(from) {
            return self.compute(from, &own);
        }
        let sizes = &self.graph.node(from).space.sizes;
        let step: i64 = row_major(sizes).iter().zip(&own).map(|(by, step)| by * step).sum();
        match step {
            0 => Some(0),
            1 => Some(2),
            // The numbers of a tuple are reached by offsets of 32 bits from its first.
            far if far.abs() > MOST_APART => None,
            _ => Some(-2),
        }
    }
}

/// What a function that is not held reads, where it is read by an access itself: a roll is no coordinate of
/// a vector, but it can be one of a value in memory.
pub(super) fn through(graph: &Graph, id: NodeId, access: &Access) -> Option<Vec<(NodeId, Access)>> {
    let Op::Map(_) = graph.node(id).op else { return None };
    let by = |axis: Axis| access.0[usize::from(axis.0)].clone();
    let plain = |access: &Access| access.ports().next().is_none();
    let operands = graph.operands(id);
    let each = operands[..graph.arity(id)].iter().map(|(from, operand)| {
        let access = operand.access.substitute(&by)?;
        plain(&access).then_some((*from, access))
    });
    each.collect()
}

/// Whether a condition can be a mask: its two sides differ by what fits in 32 bits.
fn masked(cond: &Cond, scope: &[u32]) -> bool {
    let Index::Affine(left) = &cond.left else { return false };
    let (low, high) = left.minus(&cond.right).range(scope);
    i32::try_from(low).is_ok() && i32::try_from(high).is_ok()
}

fn step_of(index: &Index, steps: &[i64]) -> Option<i64> {
    match index {
        Index::Affine(of) => {
            Some(of.terms.iter().map(|(axis, by)| by * steps[usize::from(axis.0)]).sum())
        }
        Index::Digit { .. } if rolls(index, steps) => Some(1),
        Index::Digit { of, .. } => (!moves(of, steps)).then_some(0),
        Index::Value(_) => None,
    }
}

fn moves(of: &Affine, steps: &[i64]) -> bool {
    let moved = |(axis, step): (usize, &i64)| *step != 0 && mentions(of, Axis(axis as u8));
    steps.iter().enumerate().any(moved)
}

/// Whether an index is a roll that goes up by one from each number of a vector to the next, but for where it
/// begins anew.
fn rolls(index: &Index, steps: &[i64]) -> bool {
    let Index::Digit { of, step: 1, radix } = index else { return false };
    let by: i64 = of.terms.iter().map(|(axis, by)| by * steps[usize::from(axis.0)]).sum();
    by == 1 && *radix as usize >= LONGEST
}

/// The most numbers of a tuple.
const LONGEST: usize = 4 * PARTS;

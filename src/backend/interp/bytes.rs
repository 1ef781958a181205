//! How much memory a plan of the interpreter takes, worked out before any is taken.
//!
//! In: a graph and what is wanted of it. Out: a number of elements, never too small. Invariant: nothing
//! of the size of a value is allocated and no arithmetic overflows, however absurd the sizes.

use crate::backend::bytes::points;
use crate::backend::phase::Wanted;
use crate::backend::plan::Size;
use crate::graph::{Cond, Graph, Index, Node, Op};

use super::layout::{Layout, layout};

/// What a plan of the graph will take.
pub(super) fn size(graph: &Graph, wanted: &Wanted) -> Size {
    let Layout { phases, contracted, fixed, tape, work, .. } = layout(graph, wanted);
    let live = graph.ids().filter(|id| phases[id.0 as usize].is_some());
    let tables = live.map(|id| {
        let from = contracted[id.0 as usize].unwrap_or(id);
        let operands = graph.operands(from);
        let affine = operands.iter().all(|(_, operand)| {
            operand.when.is_empty()
                && operand.access.0.iter().all(|index| matches!(index, Index::Affine(_)))
        });
        tables(graph.node(id), operands.len() as u64, affine)
    });
    let tables = tables.fold(0, u64::saturating_add);
    // The frame before the first step stays empty.
    Size { fixed, tape, work: work.saturating_add(tape), tables, together: 1, block: 1 }
}

/// At most this many positions are kept for a node.
fn tables(node: &Node, operands: u64, affine: bool) -> u64 {
    let here = node.space.points();
    let guarded = |when: &[Cond]| !node.space.when.is_empty() || !when.is_empty();
    let all = |points: u64| points.saturating_mul(operands.saturating_add(4));
    match &node.op {
        Op::Leaf(_) => here.saturating_mul(4),
        Op::Map(_) => {
            if affine && !guarded(&[]) {
                0
            } else {
                all(here)
            }
        }
        Op::Reduce { over, when, .. } => {
            if affine && !guarded(when) {
                0
            } else {
                all(here.saturating_mul(points(over)))
            }
        }
        Op::Recur { .. } => all(here),
        // In the worst case every point is a run of its own.
        Op::Join => all(here).saturating_mul(4),
        Op::Opaque { .. } => here,
    }
}

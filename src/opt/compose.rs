//! Copies: nodes that only read another one.
//!
//! ```text
//! %a[i:N] = join { %x[(i - 1) mod N] }
//! %y[i:N] = exp %a[(i - 2) mod N]
//! =>
//! %y[i:N] = exp %x[(i - 3) mod N]
//! ```
//!
//! It deliberately keeps a copy that a reader's access cannot be composed with, and one that would
//! bring a gather into a `Join` or a root.

use super::Pass;
use super::rebuild::rebuild;
use crate::graph::{Affine, Axis, Graph, Index, NodeId, Op, View};

/// The pass.
pub(super) const PASS: Pass =
    Pass { name: "compose", summary: "read through nodes that only copy", run, idle, copies: true };

fn run(graph: &Graph) -> Graph {
    rebuild(graph, &|builder, id| copied(builder.graph(), id))
}

fn idle(graph: &Graph) -> bool {
    graph.ids().all(|id| copied(graph, id).is_none())
}

/// What a node copies, if it does nothing else.
fn copied(graph: &Graph, id: NodeId) -> Option<View> {
    let node = graph.node(id);
    match &node.op {
        Op::Join => (graph.arity(id) == 1).then(|| View::port(graph, id, 0)),
        Op::Reduce { over, when, .. } if when.is_empty() && over.iter().all(|size| *size == 1) => {
            let rank = node.space.rank();
            let by = |axis: Axis| match usize::from(axis.0) {
                at if at < rank => Index::axis(at),
                _ => Index::Affine(Affine::constant(0)),
            };
            let view = View::port(graph, id, 0);
            let gather = |(node, access): &(NodeId, crate::graph::Access)| {
                Some((*node, access.substitute(&by)?))
            };
            let gathers = view.gathers.iter().map(gather).collect::<Option<_>>()?;
            Some(View { node: view.node, access: view.access.substitute(&by)?, gathers })
        }
        Op::Leaf(_) | Op::Map(_) | Op::Reduce { .. } | Op::Recur { .. } | Op::Opaque { .. } => None,
    }
}

//! What no root needs goes.
//!
//! ```text
//! %a[i:N] = exp %x[i]
//! %b[i:N] = log %x[i]
//! root y = %b
//! =>
//! %b[i:N] = log %x[i]
//! root y = %b
//! ```
//!
//! It deliberately keeps the order of what stays.

use super::Pass;
use crate::graph::{Builder, Graph, NodeId, Read};

/// The pass.
pub(super) const PASS: Pass = Pass {
    name: "dce",
    summary: "drop what no root needs",
    run: |graph| live(graph.clone()),
    idle: |_| true,
    copies: false,
};

/// The part of a graph that its roots reach.
pub(super) fn live(graph: Graph) -> Graph {
    let mut needed = vec![false; graph.len()];
    for (_, read) in &graph.roots {
        needed[read.node.0 as usize] = true;
    }
    for id in graph.ids().rev() {
        if needed[id.0 as usize] {
            for (from, _) in graph.operands(id) {
                needed[from.0 as usize] = true;
            }
        }
    }
    if needed.iter().all(|needed| *needed) {
        return graph;
    }
    let mut builder = Builder::new();
    let mut moved = vec![NodeId(0); graph.len()];
    for id in graph.ids().filter(|id| needed[id.0 as usize]) {
        let node = graph.node(id).clone();
        let edges = graph.operands(id).into_iter();
        let edges = edges.map(|(from, edge)| (moved[from.0 as usize], edge.clone())).collect();
        moved[id.0 as usize] = builder.add(node.op, node.space, node.ty, edges, node.origin);
    }
    for (path, read) in &graph.roots {
        let read = Read { node: moved[read.node.0 as usize], ..read.clone() };
        builder.root(path.0.clone(), read);
    }
    builder.finish()
}

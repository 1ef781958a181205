//! Rewriting: GRAPH -> GRAPH, the same values with less work.
//!
//! In: any graph. Out: a graph with the same roots and, point by point, the same bits in `f64`,
//! except where a row of [`simplify::RULES`] says otherwise. A pass reads one graph and builds a new
//! one; nodes keep their order and their origin.

mod compose;
mod cse;
mod dce;
mod fold;
mod rebuild;
pub mod simplify;

#[cfg(test)]
mod tests;

use crate::graph::{Graph, verified};

/// One rewriting of the graph that keeps its meaning.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// Its name.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// The rewriting.
    pub run: fn(&Graph) -> Graph,
    /// Whether it surely leaves a settled graph alone.
    idle: fn(&Graph) -> bool,
    /// Whether it copies the whole graph: one that it leaves alone is settled, for a copy of it is what it was.
    copies: bool,
}

/// The passes in their order.
pub const PASSES: &[Pass] = &[
    // Copies go first: the others look at operands and should see what is really read.
    compose::PASS,
    // Before simplify, which looks for constants.
    fold::PASS,
    simplify::PASS,
    // After all that makes nodes equal.
    cse::PASS,
    // Last: it removes what the others left behind.
    dce::PASS,
];

/// Rounds after which the graph is taken as it is; each round rewrites what the one before exposed.
const ROUNDS: usize = 8;

/// All passes in order, until nothing changes.
#[must_use]
pub fn optimise(graph: Graph) -> Graph {
    optimise_with(graph, &mut |_, _| {})
}

/// Like [`optimise`]; `show` sees the graph after every pass that changed it.
pub fn optimise_with(mut graph: Graph, show: &mut dyn FnMut(&Pass, &Graph)) -> Graph {
    // Once each pass has seen the graph since it last changed, and left it alone, none will change it.
    let (mut unchanged, mut settled) = (0, false);
    for pass in PASSES.iter().cycle().take(ROUNDS * PASSES.len()) {
        unchanged += 1;
        if !settled || !(pass.idle)(&graph) {
            let next = verified((pass.run)(&graph), pass.name);
            let changed = !same(&graph, &next);
            if changed {
                unchanged = 0;
                show(pass, &next);
            }
            settled = !changed && (settled || pass.copies);
            graph = next;
        }
        if unchanged == PASSES.len() {
            break;
        }
    }
    graph
}

/// Whether two graphs are the same, node by node and root by root.
fn same(left: &Graph, right: &Graph) -> bool {
    let alike = |id| {
        let (own, other) = (left.node(id), right.node(id));
        own.op == other.op
            && own.space == other.space
            && own.ty == other.ty
            && left.operands(id) == right.operands(id)
    };
    left.len() == right.len() && left.roots == right.roots && left.ids().all(alike)
}

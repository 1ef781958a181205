//! An optimiser's graph over a few parameters at a time.
//!
//! In: a graph over all parameters. Out: the same over a block of them, so that what lies between its
//! nodes stays in the cache nearest to a core. Invariant: given only where no parameter's update looks at
//! another's.

use crate::graph::{Access, Graph, Leaf, Op, Read, Space, verify};

/// Parameters of a block: with some ten arrays of them, what a block takes fits a second cache. In rows and columns,
/// as passes over several arrays are.
const SIZES: [u32; 2] = [16, 256];
const BLOCK: u32 = SIZES[0] * SIZES[1];

/// The graph over a block, and the parameters of one; the whole graph, where it does not fall apart.
pub(super) fn block(graph: &Graph) -> (Graph, usize) {
    let all = graph.root("value").and_then(|read| read.sizes.first()).copied().unwrap_or(1);
    let narrow = (all > BLOCK).then(|| narrowed(graph, all)).flatten();
    narrow.map_or_else(|| (graph.clone(), all as usize), |graph| (graph, BLOCK as usize))
}

fn narrowed(graph: &Graph, all: u32) -> Option<Graph> {
    let mut parts = graph.parts();
    let mut roots = graph.roots.clone();
    for part in &mut parts {
        let apart = match &part.node.op {
            Op::Leaf(leaf) => !matches!(leaf, Leaf::Axis(_)),
            Op::Map(_) => true,
            Op::Reduce { .. } | Op::Recur { .. } | Op::Join | Op::Opaque { .. } => false,
        };
        if !apart {
            return None;
        }
        for (_, operand) in &mut part.operands {
            operand.access = widened(&operand.access)?;
        }
        narrow(&mut part.node.space, all)?;
    }
    for (_, Read { access, sizes, .. }) in &mut roots {
        if sizes[..] != [all] {
            return None;
        }
        *access = widened(access)?;
        *sizes = SIZES.to_vec();
    }
    // Machine code takes accesses as proved, in every build.
    let graph = Graph::assemble(parts, roots).ok()?;
    verify(&graph).is_ok().then_some(graph)
}

/// The place of a parameter in its block, where it was one among all.
fn widened(access: &Access) -> Option<Access> {
    let rank = access.0.len();
    access.is_identity(rank).then(|| Access::identity(rank * SIZES.len()))
}

/// One number, or one a parameter.
fn narrow(space: &mut Space, all: u32) -> Option<()> {
    if !space.when.is_empty() {
        return None;
    }
    match &space.sizes[..] {
        [] => Some(()),
        [size] if *size == all => {
            space.sizes = SIZES.to_vec();
            Some(())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::text;

    /// Parameters at once of a rule for 5,000.
    fn at_once(rule: &str) -> usize {
        let leaves = "%v[i:5000] = input 0 -- v\n%g[i:5000] = input 1 -- g\n%r = input 2 -- r\n";
        let graph = text::parse(&format!("{leaves}{rule}value[i:5000] = %n[i]\n"));
        block(&graph.expect("a graph")).1
    }

    #[test]
    fn a_rule_is_cut_where_no_parameter_looks_at_another() {
        assert_eq!(at_once("%n[i:5000] = %v[i] - %r * %g[i] -- n\n"), 4096);
        assert_eq!(at_once("%n[i:5000] = %v[i] - %r * %g[4999 - i] -- n\n"), 5000);
        let sum = "%s = sum[j:5000] %g[j] -- s\n%n[i:5000] = %v[i] - %s * %g[i] -- n\n";
        assert_eq!(at_once(sum), 5000);
    }
}

//! A value used once is said in the terms of its one reader.
//!
//! ```text
//! %a[i:4, k:9] = %y[i] * %w[i, k] -- adjoint y
//! %x[j:9] = sum[i2:4] %a[i2, j] -- adjoint x
//! =>
//! %x[j:9] = sum[i2:4] %y[i2] * %w[i2, j] -- adjoint x
//! ```
//!
//! In: a graph. Out: the same values, where a `Map` that is read once, axis by axis, has the axes of
//! its reader, in the reader's order and by the reader's names, so that it can stand on its line.
//! Invariant: the arithmetic and its order stay; an origin changes only in the backward sweep, where
//! the path of the reader says as much.

use std::sync::Arc;

use super::text::layout::{axis_names, guard, kept_names, picked};
use super::{Axis, Builder, Graph, Index, NodeId, Op, Operand, Part, Path, Read};

/// Aligns every value that is used once; says whether anything changed.
pub(super) fn aligned(graph: Graph) -> (Graph, bool) {
    let mut uses = vec![0_u32; graph.len()];
    for (_, read) in &graph.roots {
        uses[read.node.0 as usize] += 2;
    }
    for id in graph.ids() {
        graph.operands(id).iter().for_each(|(from, _)| uses[from.0 as usize] += 1);
    }
    let arities: Vec<usize> = graph.ids().map(|id| graph.arity(id)).collect();
    let (mut parts, roots) = graph.into_parts();
    let mut changed = false;
    // Readers first, so that names travel down.
    for (at, arity) in arities.into_iter().enumerate().rev() {
        let id = NodeId(at as u32);
        for port in 0..arity {
            let from = parts[at].operands[port].0;
            if from < id && uses[from.0 as usize] == 1 {
                changed |= align(&mut parts, id, port);
            }
        }
    }
    if changed {
        return (rebuilt(parts, roots), true);
    }
    (Graph::assemble(parts, roots).expect("these are the parts of a graph"), false)
}

/// Aligns one value with its reader, if it is one that the reader's line may hold. Whether anything
/// is different then.
fn align(parts: &mut [Part], reader: NodeId, port: usize) -> bool {
    let Part { node: user, operands } = &parts[reader.0 as usize];
    let (from, edge) = &operands[port];
    let part = &parts[from.0 as usize];
    let near = part.node.origin.path == user.origin.path || part.node.origin.adjoint;
    if !matches!(part.node.op, Op::Map(_))
        || matches!(user.op, Op::Opaque { .. })
        || part.node.origin.adjoint != user.origin.adjoint
        || !near
    {
        return false;
    }
    let mut scope = user.space.sizes.clone();
    if let Op::Reduce { over, .. } = &user.op {
        scope.extend(over);
    }
    let bare: Option<Vec<Axis>> = edge.access.0.iter().map(Index::as_axis).collect();
    let Some(bare) = bare else { return false };
    let mut axes = bare.clone();
    axes.sort();
    axes.dedup();
    let sizes: Vec<u32> = axes.iter().map(|axis| scope[usize::from(axis.0)]).collect();
    let place = |axis: Axis| axes.iter().position(|own| *own == axis).unwrap_or(0);
    let whole =
        bare.iter().zip(&part.node.space.sizes).all(|(axis, size)| sizes[place(*axis)] == *size);
    if axes.len() != bare.len() || !whole {
        return false;
    }
    let by = |axis: Axis| Index::axis(place(bare[usize::from(axis.0)]));
    // Axes in ascending order stay what they are, and with them all that the value reads.
    let (mut operands, mut when) = (None, part.node.space.when.clone());
    if !bare.is_sorted() {
        let moved = |(node, edge): &(NodeId, Operand)| {
            Some((*node, Operand { access: edge.access.substitute(&by)?, ..edge.clone() }))
        };
        operands = part.operands.iter().map(moved).collect::<Option<Vec<_>>>();
        let moved = when.iter().map(|cond| cond.substitute(&by)).collect::<Option<Vec<_>>>();
        let (Some(_), Some(moved)) = (&operands, moved) else { return false };
        when = moved;
    }
    if !when.is_empty() {
        let asked = guard(picked(user, edge), &axes);
        if when.len() == asked.len() && when.iter().all(|cond| asked.contains(cond)) {
            when = asked;
        }
    }
    let names = axis_names(&user.origin.axes, scope.len());
    let names: Vec<String> = axes.iter().map(|axis| names[usize::from(axis.0)].clone()).collect();
    let names = kept_names(&names);
    let access = super::Access(axes.iter().map(|axis| Index::axis(axis.0.into())).collect());
    let space = super::Space { sizes, when };
    let origin = &part.node.origin;
    let named = origin.path == user.origin.path && origin.axes == names;
    let same = edge.access == access && part.node.space == space;
    if named && same && operands.as_ref().is_none_or(|operands| part.operands == *operands) {
        return false;
    }
    let (from, path) = (from.0 as usize, user.origin.path.clone());
    parts[reader.0 as usize].operands[port].1.access = access;
    let part = &mut parts[from];
    if !named {
        let origin = Arc::make_mut(&mut part.node.origin);
        (origin.path, origin.axes) = (path, names);
    }
    part.node.space = space;
    if let Some(operands) = operands {
        part.operands = operands;
    }
    true
}

/// The graph of these nodes; two that have become equal are one.
fn rebuilt(parts: Vec<Part>, roots: Vec<(Path, Read)>) -> Graph {
    let mut builder = Builder::new();
    let mut moved: Vec<NodeId> = Vec::with_capacity(parts.len());
    for Part { node, operands } in parts {
        let operands =
            operands.into_iter().map(|(from, edge)| (moved[from.0 as usize], edge)).collect();
        moved.push(builder.add(node.op, node.space, node.ty, operands, node.origin));
    }
    for (path, read) in roots {
        builder.root(path.0, Read { node: moved[read.node.0 as usize], ..read });
    }
    builder.finish()
}

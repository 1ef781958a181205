//! Matrices laid out column by column, where their columns are whole vectors and their rows are not.
//!
//! In: a graph. Out: the same graph, in which the last two axes of some values have changed places. The rows of a
//! memory of 128 words of 20 numbers are two and a half vectors, so that each row has an end, crosses lines of the
//! cache, and folds along it leave a vector to be added up; its columns have none of that. Invariant: roots, leaves
//! that come from outside and every number are as before; states keep their places between the steps, whichever way
//! they lie.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::graph::{
    Access, Affine, Axis, Builder, Cond, Graph, Index, Leaf, NodeId, Op, Operand, Read, Space,
    Type, verified,
};

use super::stack::stacked;

/// Numbers of the vectors that columns shall be made of, on whatever machine, since folds add up in another order.
const VECTOR: u32 = 8;

/// Whether a value's columns are whole vectors, and its rows are not.
fn fits(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    let [.., rows, cols] = node.space.sizes[..] else { return false };
    let whole = |size: u32| size > 1 && size.is_multiple_of(VECTOR);
    let from_outside = matches!(node.op, Op::Leaf(Leaf::Param(_) | Leaf::Input(_)));
    let plain = node.ty == Type::Real && !matches!(node.op, Op::Opaque { .. }) && !from_outside;
    plain && whole(rows) && cols > 1 && !whole(cols)
}

/// Which values are turned: those that fit and lead, one by one, to a state.
fn chosen(graph: &Graph) -> Vec<bool> {
    let mut fit: Vec<bool> = graph.ids().map(|id| fits(graph, id)).collect();
    for id in graph.ids().filter(|id| matches!(graph.node(*id).op, Op::Opaque { .. })) {
        // It reads whole axes as they lie.
        graph.operands(id).iter().for_each(|(from, _)| fit[from.0 as usize] = false);
    }
    let mut beside: Vec<Vec<usize>> = vec![Vec::new(); graph.len()];
    for id in graph.ids().filter(|id| fit[id.0 as usize]) {
        for (from, _) in graph.operands(id) {
            if fit[from.0 as usize] {
                beside[id.0 as usize].push(from.0 as usize);
                beside[from.0 as usize].push(id.0 as usize);
            }
        }
    }
    let state = |id: &NodeId| matches!(graph.node(*id).op, Op::Leaf(Leaf::Prev(_) | Leaf::Seed(_)));
    let mut open: Vec<usize> =
        graph.ids().filter(state).map(|id| id.0 as usize).filter(|at| fit[*at]).collect();
    let mut turned = vec![false; graph.len()];
    while let Some(at) = open.pop() {
        if !std::mem::replace(&mut turned[at], true) {
            open.extend(&beside[at]);
        }
    }
    turned
}

/// A graph, some of whose matrices may be turned.
#[derive(Clone, Debug)]
pub(super) struct Turned {
    pub(super) graph: Graph,
    /// Leaves that lie otherwise than what they are filled with.
    leaves: BTreeSet<NodeId>,
}

impl Turned {
    /// A graph in which nothing is turned.
    pub(super) fn none(graph: &Graph) -> Turned {
        Turned { graph: graph.clone(), leaves: BTreeSet::new() }
    }

    /// Rows and columns of what a turned leaf is filled with.
    pub(super) fn leaf(&self, id: NodeId) -> Option<[usize; 2]> {
        let [.., cols, rows] = self.graph.node(id).space.sizes[..] else { return None };
        self.leaves.contains(&id).then_some([rows as usize, cols as usize])
    }
}

/// The graph as it is laid out: small products stacked, some matrices turned.
pub(super) fn arranged(graph: &Graph) -> Turned {
    let arranged = match stacked(graph) {
        Some(graph) => turned(&graph),
        None => turned(graph),
    };
    Turned { graph: verified(arranged.graph, "arranging it for machine code"), ..arranged }
}

/// The graph with some of its matrices turned.
fn turned(graph: &Graph) -> Turned {
    let turned = chosen(graph);
    if !turned.contains(&true) {
        return Turned::none(graph);
    }
    let mut leaves = BTreeSet::new();
    let mut builder = Builder::new();
    let mut images: Vec<NodeId> = Vec::new();
    let read = |from: NodeId, mut indices: Vec<Index>| {
        if turned[from.0 as usize] {
            let rank = indices.len();
            indices.swap(rank - 2, rank - 1);
        }
        Access(indices)
    };
    for id in graph.ids() {
        let node = graph.node(id);
        let rank = node.space.rank();
        let axes = Axes { swapped: turned[id.0 as usize].then_some(rank) };
        let mut space = Space {
            sizes: node.space.sizes.clone(),
            when: node.space.when.iter().map(|cond| axes.cond(cond)).collect(),
        };
        let mut origin = node.origin.clone();
        if turned[id.0 as usize] {
            space.sizes.swap(rank - 2, rank - 1);
            if origin.axes.len() >= rank {
                Arc::make_mut(&mut origin).axes.swap(rank - 2, rank - 1);
            }
        }
        let operands = graph.operands(id).into_iter().map(|(from, operand)| {
            let indices = operand.access.0.iter().map(|index| axes.index(index)).collect();
            let when = operand.when.iter().map(|cond| axes.cond(cond)).collect();
            let operand = Operand { port: operand.port, access: read(from, indices), when };
            (images[from.0 as usize], operand)
        });
        let operands = operands.collect();
        let image = builder.add(axes.op(&node.op), space, node.ty, operands, origin);
        if turned[id.0 as usize] && matches!(node.op, Op::Leaf(Leaf::Prev(_) | Leaf::Seed(_))) {
            leaves.insert(image);
        }
        images.push(image);
    }
    for (path, root) in &graph.roots {
        let access = read(root.node, root.access.0.clone());
        let node = images[root.node.0 as usize];
        builder.root(path.0.clone(), Read { node, access, sizes: root.sizes.clone() });
    }
    Turned { graph: builder.finish(), leaves }
}

/// The axes of a reader, of which the last two of its space may change places.
struct Axes {
    /// Number of axes of the space, if they do.
    swapped: Option<usize>,
}

impl Axes {
    fn axis(&self, axis: Axis) -> Axis {
        match self.swapped {
            Some(rank) if usize::from(axis.0) + 1 == rank => Axis(axis.0 - 1),
            Some(rank) if usize::from(axis.0) + 2 == rank => Axis(axis.0 + 1),
            Some(_) | None => axis,
        }
    }

    fn affine(&self, affine: &Affine) -> Affine {
        Affine::new(affine.offset, affine.terms.iter().map(|(axis, by)| (self.axis(*axis), *by)))
    }

    fn index(&self, index: &Index) -> Index {
        match index {
            Index::Affine(of) => Index::Affine(self.affine(of)),
            Index::Digit { of, step, radix } => {
                Index::Digit { of: self.affine(of), step: *step, radix: *radix }
            }
            Index::Value(port) => Index::Value(*port),
        }
    }

    fn cond(&self, cond: &Cond) -> Cond {
        Cond { left: self.index(&cond.left), rel: cond.rel, right: self.affine(&cond.right) }
    }

    fn op(&self, op: &Op) -> Op {
        match op {
            Op::Leaf(Leaf::Axis(axis)) => Op::Leaf(Leaf::Axis(self.axis(*axis))),
            Op::Reduce { fold, over, when } => {
                let when = when.iter().map(|cond| self.cond(cond)).collect();
                Op::Reduce { fold: *fold, over: over.clone(), when }
            }
            Op::Recur { along, toward, start } => {
                Op::Recur { along: self.axis(*along), toward: *toward, start: *start }
            }
            Op::Leaf(_) | Op::Map(_) | Op::Join | Op::Opaque { .. } => op.clone(),
        }
    }
}

/// Whether the last two axes of a root have changed places in the node that it shows. Squares are never turned: whose
/// access changes places shows another matrix.
pub(super) fn is_turned(graph: &Graph, read: &Read) -> bool {
    let rank = read.sizes.len();
    let (Some(rows), Some(cols)) = (rank.checked_sub(2), rank.checked_sub(1)) else { return false };
    let mut access = Access::identity(rank);
    access.0.swap(rows, cols);
    let mut sizes = read.sizes.clone();
    sizes.swap(rows, cols);
    sizes[rows] != sizes[cols]
        && read.access == access
        && graph.node(read.node).space.sizes == sizes
}

/// Fills a turned leaf from matrices of rows and columns in order; of each number as many lie side by side as there are
/// samples.
pub(super) fn fill<F: Copy>(to: &mut [F], from: &[F], [rows, cols]: [usize; 2], samples: usize) {
    let (row, column) = (cols * samples, rows * samples);
    for (to, from) in to.chunks_exact_mut(rows * row).zip(from.chunks_exact(rows * row)) {
        for (col, to) in to.chunks_exact_mut(column).enumerate() {
            if samples == 1 {
                // One number is no slice worth a call.
                to.iter_mut().enumerate().for_each(|(at, to)| *to = from[at * cols + col]);
                continue;
            }
            let from = from[col * samples..].chunks(row);
            for (to, from) in to.chunks_exact_mut(samples).zip(from) {
                to.copy_from_slice(&from[..samples]);
            }
        }
    }
}

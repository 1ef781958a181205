//! Which nodes run, when, and where their values live.
//!
//! In: a graph and the roots asked for. Out: a phase and a slot for every node that is needed.
//! Invariants: inside a region later nodes have higher offsets, so that what a node reads lies
//! below what it writes; how a node computes depends on the graph alone, never on the roots asked
//! for, so that asking for more changes no bit.

use crate::backend::phase::{Phase, Wanted, kept, phases, uses};
use crate::graph::{Graph, Index, NodeId, Op};
use crate::op::scalar;

use super::kernel::{Contracted, contractible};
use super::place::{Region, Slot};

/// The plan of a graph's memory.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// When each node runs; `None` if it does not.
    pub(super) phases: Vec<Option<Phase>>,
    /// Where each value lives; empty for nodes that do not run.
    pub(super) slots: Vec<Slot>,
    /// The product that a sum contracts.
    pub(super) contracted: Vec<Contracted>,
    /// Elements in [`Region::Fixed`].
    pub(super) fixed: u64,
    /// Elements a step in [`Region::Tape`].
    pub(super) tape: u64,
    /// Elements in [`Region::Work`].
    pub(super) work: u64,
}

/// Lays out a graph.
pub(super) fn layout(graph: &Graph, wanted: &Wanted) -> Layout {
    let uses = uses(graph);
    let contracted: Vec<Contracted> =
        graph.ids().map(|id| contractible(graph, id, &uses)).collect();
    let read = |id| reads(graph, id, &contracted);
    let phases = phases(graph, wanted, &read);
    let kept = kept(graph, wanted, &phases, &read);
    let at = |id: NodeId| id.0 as usize;
    let mut layout = Layout {
        slots: Vec::with_capacity(graph.len()),
        contracted,
        fixed: 0,
        tape: 0,
        work: 0,
        phases,
    };
    for id in graph.ids() {
        let sum = summed(graph, id, wanted, &uses);
        let slot = match (layout.phases[at(id)], sum) {
            (None, _) => Slot { region: Region::Work, offset: 0, len: 0 },
            (Some(Phase::Constant | Phase::Params), _) => layout.place(graph, id, Region::Fixed),
            (Some(Phase::Backward), Some(offset)) => {
                Slot { region: Region::Gradient, offset, len: points(graph, id) as usize }
            }
            (Some(Phase::Forward), _) if kept[at(id)] => layout.place(graph, id, Region::Tape),
            (Some(Phase::Forward | Phase::Backward), _) => layout.place(graph, id, Region::Work),
        };
        layout.slots.push(slot);
    }
    layout
}

impl Layout {
    fn place(&mut self, graph: &Graph, id: NodeId, region: Region) -> Slot {
        let len = points(graph, id);
        let end = match region {
            Region::Fixed => &mut self.fixed,
            Region::Tape => &mut self.tape,
            Region::Work | Region::Gradient => &mut self.work,
        };
        let offset = *end as usize;
        *end = end.saturating_add(len);
        Slot { region, offset, len: len as usize }
    }
}

fn points(graph: &Graph, id: NodeId) -> u64 {
    graph.node(id).space.points()
}

/// What a node reads when it runs: a contraction reads the factors, not the product.
pub(super) fn reads(graph: &Graph, id: NodeId, contracted: &[Contracted]) -> Vec<NodeId> {
    let from = contracted[id.0 as usize].unwrap_or(id);
    graph.operands(from).into_iter().map(|(node, _)| node).collect()
}

/// Where a product that is nothing but a summed root may be added straight into the sum.
fn summed(graph: &Graph, id: NodeId, wanted: &Wanted, uses: &[usize]) -> Option<usize> {
    let node = graph.node(id);
    if node.op != Op::Map(scalar::MUL) || !node.space.when.is_empty() || uses[id.0 as usize] != 1 {
        return None;
    }
    let (name, read) = graph.roots.iter().find(|(_, read)| read.node == id)?;
    let gathers = graph
        .operands(id)
        .iter()
        .any(|(_, operand)| operand.access.0.iter().any(|index| matches!(index, Index::Value(_))));
    let whole = read.access.is_identity(node.space.rank()) && read.sizes == node.space.sizes;
    (whole && !gathers).then(|| wanted.sums.get(&name.0).copied()).flatten()
}

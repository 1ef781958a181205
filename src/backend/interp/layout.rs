//! Which nodes run, when, and where their values live.
//!
//! In: a graph and the roots asked for. Out: a phase and a slot for every node that is needed.
//! Invariants: inside a region later nodes have higher offsets, so that what a node reads lies
//! below what it writes; how a node computes depends on the graph alone, never on the roots asked
//! for, so that asking for more changes no bit.

use std::collections::BTreeMap;

use crate::graph::{Graph, Index, Leaf, NodeId, Op};
use crate::op::scalar;

use super::kernel::{Contracted, contractible};
use super::place::{Region, Slot};

/// When a node is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Once: it depends on nothing.
    Constant,
    /// Once a run: it depends on parameters alone.
    Params,
    /// At every step.
    Forward,
    /// At every step of the backward sweep.
    Backward,
}

/// What is wanted of a graph.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// Roots of the forward sweep.
    pub(super) forward: Vec<String>,
    /// Roots of the backward sweep.
    pub(super) backward: Vec<String>,
    /// Backward roots that are summed over steps, with their place in the sum.
    pub(super) sums: BTreeMap<String, usize>,
}

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
    let forward = reach(graph, &wanted.forward, &contracted);
    let backward = reach(graph, &wanted.backward, &contracted);
    let rates = rates(graph);
    let at = |id: NodeId| id.0 as usize;
    let phases: Vec<Option<Phase>> = graph
        .ids()
        .map(|id| match (forward[at(id)], backward[at(id)], rates[at(id)]) {
            (false, false, _) => None,
            (_, _, rate @ (Phase::Constant | Phase::Params)) => Some(rate),
            (true, _, _) => Some(Phase::Forward),
            (false, true, _) => Some(Phase::Backward),
        })
        .collect();
    let kept = kept(graph, wanted, &phases, &contracted);
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

/// How often each node is read, by other nodes and as a root.
fn uses(graph: &Graph) -> Vec<usize> {
    let mut uses = vec![0; graph.len()];
    for id in graph.ids() {
        for (from, _) in graph.operands(id) {
            uses[from.0 as usize] += 1;
        }
    }
    for (_, read) in &graph.roots {
        uses[read.node.0 as usize] += 1;
    }
    uses
}

/// What a node reads when it runs: a contraction reads the factors, not the product.
pub(super) fn reads(graph: &Graph, id: NodeId, contracted: &[Contracted]) -> Vec<NodeId> {
    let from = contracted[id.0 as usize].unwrap_or(id);
    graph.operands(from).into_iter().map(|(node, _)| node).collect()
}

fn reach(graph: &Graph, roots: &[String], contracted: &[Contracted]) -> Vec<bool> {
    let mut needed = vec![false; graph.len()];
    for name in roots {
        if let Some(read) = graph.root(name) {
            needed[read.node.0 as usize] = true;
        }
    }
    for id in graph.ids().rev() {
        if needed[id.0 as usize] {
            for from in reads(graph, id, contracted) {
                needed[from.0 as usize] = true;
            }
        }
    }
    needed
}

/// The latest thing each node depends on; what depends on a step counts as `Forward`.
fn rates(graph: &Graph) -> Vec<Phase> {
    let mut rates: Vec<Phase> = Vec::with_capacity(graph.len());
    for id in graph.ids() {
        let own = match &graph.node(id).op {
            Op::Leaf(Leaf::Const(_) | Leaf::Axis(_)) => Phase::Constant,
            Op::Leaf(Leaf::Param(_)) => Phase::Params,
            Op::Leaf(Leaf::Input(_) | Leaf::Prev(_) | Leaf::Seed(_)) => Phase::Forward,
            Op::Map(_) | Op::Reduce { .. } | Op::Recur { .. } | Op::Join | Op::Opaque { .. } => {
                Phase::Constant
            }
        };
        let operands = graph.operands(id);
        let latest = operands.iter().map(|(from, _)| rates[from.0 as usize]).max();
        rates.push(latest.map_or(own, |latest| latest.max(own)));
    }
    rates
}

/// The tape: values of the forward sweep that the backward sweep reads.
fn kept(
    graph: &Graph,
    wanted: &Wanted,
    phases: &[Option<Phase>],
    contracted: &[Contracted],
) -> Vec<bool> {
    let mut kept = vec![false; graph.len()];
    for id in graph.ids() {
        if phases[id.0 as usize] == Some(Phase::Backward) {
            for from in reads(graph, id, contracted) {
                kept[from.0 as usize] = true;
            }
        }
    }
    for name in &wanted.backward {
        if let Some(read) = graph.root(name) {
            kept[read.node.0 as usize] = true;
        }
    }
    kept
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

//! When each node of a graph runs, whichever the backend.
//!
//! In: a graph and the roots asked for. Out: a phase for every node that is needed, and which values
//! the backward sweep reads again. Invariant: what depends on less runs less often.

use std::collections::BTreeMap;

use crate::graph::{Array, Graph, Leaf, NodeId, Op, Program, Update};

use super::Part;

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
    /// Paths of the states that are handed from step to step, in order.
    pub(super) states: Vec<String>,
    /// Roots of the forward sweep.
    pub(super) forward: Vec<String>,
    /// Roots of the backward sweep.
    pub(super) backward: Vec<String>,
    /// Backward roots that are summed over steps, with their place in the sum.
    pub(super) sums: BTreeMap<String, usize>,
}

pub(super) fn names(prefix: &str, arrays: &[Array]) -> Vec<String> {
    arrays.iter().map(|array| format!("{prefix}/{}", array.path)).collect()
}

/// The gradients of all parameters, one after the other.
fn sums(program: &Program) -> BTreeMap<String, usize> {
    let (parts, _) = Part::list(program.params.iter().map(Array::len));
    let places = parts.iter().map(|part| part.offset);
    names("grad/param", &program.params).into_iter().zip(places).collect()
}

/// What the init graph gives.
pub(super) fn wanted_of_init(program: &Program) -> Wanted {
    Wanted {
        forward: names("start", &program.states),
        backward: names("grad/param", &program.params),
        sums: sums(program),
        ..Wanted::default()
    }
}

/// What an optimiser gives.
pub(super) fn wanted_of(update: &Update) -> Wanted {
    let mut forward = names("next", &update.slots);
    forward.push("value".to_owned());
    Wanted { forward, ..Wanted::default() }
}

/// What a step gives.
pub(super) fn wanted_of_step(program: &Program, roots: &[String], gradients: bool) -> Wanted {
    let mut forward = names("next", &program.states);
    forward.push("loss".to_owned());
    forward.extend_from_slice(roots);
    let states = program.states.iter().map(|array| array.path.0.clone()).collect();
    let mut wanted = Wanted { states, forward, ..Wanted::default() };
    if gradients {
        wanted.sums = sums(program);
        wanted.backward = names("grad/param", &program.params);
        wanted.backward.extend(names("grad/input", &program.inputs));
        wanted.backward.extend(names("grad/prev", &program.states));
    }
    wanted
}

/// When each node runs; `None` if it does not. `reads` says what a node reads when it runs.
pub(super) fn phases(
    graph: &Graph,
    wanted: &Wanted,
    reads: &impl Fn(NodeId) -> Vec<NodeId>,
) -> Vec<Option<Phase>> {
    let forward = reach(graph, &wanted.forward, reads);
    let backward = reach(graph, &wanted.backward, reads);
    let rates = rates(graph);
    let phase = |id: NodeId| {
        let at = id.0 as usize;
        match (forward[at], backward[at], rates[at]) {
            (false, false, _) => None,
            (_, _, rate @ (Phase::Constant | Phase::Params)) => Some(rate),
            (true, _, _) => Some(Phase::Forward),
            (false, true, _) => Some(Phase::Backward),
        }
    };
    graph.ids().map(phase).collect()
}

/// How often each node is read, by other nodes and as a root.
pub(super) fn uses(graph: &Graph) -> Vec<usize> {
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

fn reach(graph: &Graph, roots: &[String], reads: &impl Fn(NodeId) -> Vec<NodeId>) -> Vec<bool> {
    let mut needed = vec![false; graph.len()];
    for name in roots {
        if let Some(read) = graph.root(name) {
            needed[read.node.0 as usize] = true;
        }
    }
    for id in graph.ids().rev() {
        if needed[id.0 as usize] {
            for from in reads(id) {
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
pub(super) fn kept(
    graph: &Graph,
    wanted: &Wanted,
    phases: &[Option<Phase>],
    reads: &impl Fn(NodeId) -> Vec<NodeId>,
) -> Vec<bool> {
    let mut kept = vec![false; graph.len()];
    for id in graph.ids() {
        if phases[id.0 as usize] == Some(Phase::Backward) {
            for from in reads(id) {
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

//! Which values are held in memory, and which are computed wherever they are read.
//!
//! In: a graph, the roots asked for, phases. Out: a flag for every node. Invariant: what is not held is a
//! number known beforehand, or scalar functions of values that are. What is erased of a memory is an example: forward
//! and backward make it anew from the memory before, so that it takes no room on the tape beside that.

use crate::backend::bytes::points;
use crate::backend::phase::{Phase, Wanted};
use crate::graph::{Graph, Index, Leaf, NodeId, Op, Read};
use crate::op::{Scalar, scalar};

use super::fuse::is_gone_through;

/// The most functions computed in one place, one inside another.
const MOST_DEEP: usize = 64;

/// Who reads a value.
#[derive(Clone, Copy, Debug, Default)]
struct Readers {
    count: usize,
    /// Points at which it is read, by the reader of most.
    points: u64,
    /// Whether some reader reads it otherwise than along axes of its own.
    askew: bool,
    /// Whether some reader needs it in memory: a root, a whole-axis primitive, a gather.
    memory: bool,
    /// Whether some reader runs at another time.
    apart: bool,
}

/// An operand with at most one in so many of a value's points is free to read again.
const BROADCAST: u64 = 4;

/// The most functions of a cheap value.
const MOST_CHEAP: usize = 4;

/// Whether a function is computed for a whole array at once.
pub(super) fn tiled(graph: &Graph, id: NodeId, tiles: bool) -> Option<Scalar> {
    let node = graph.node(id);
    let Op::Map(function) = node.op else { return None };
    let plain = tiles && function.row().single.is_some() && node.space.when.is_empty();
    (plain && graph.operands(id).len() == function.row().takes.len()).then_some(function)
}

/// Numbers of an array that is cheaper to compute again than to write and read, from another that is read instead.
const LARGE: u64 = 1024;

/// What it takes to compute a value again.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// Functions.
    functions: usize,
    /// A large array that is read instead, where the value stands.
    instead: Option<NodeId>,
}

/// What a value takes that is cheaper to compute again than to keep: arithmetic on what has far fewer points, such as
/// an outer product, and on at most one array of as many, if that is large.
fn cheap(graph: &Graph, (costs, depths): (&[Option<Cost>], &[usize]), id: NodeId) -> Option<Cost> {
    let node = graph.node(id);
    let Op::Map(function) = node.op else { return None };
    if !matches!(function, scalar::ADD | scalar::SUB | scalar::MUL | scalar::NEG | scalar::STOP) {
        return None;
    }
    let mut cost = Cost { functions: usize::from(function != scalar::STOP), instead: None };
    for (from, operand) in graph.operands(id) {
        if operand.access.0.iter().any(|index| matches!(index, Index::Value(_))) {
            return None;
        }
        let (sizes, space) = (&node.space.sizes, &graph.node(from).space);
        let plain = operand.access.is_identity(sizes.len()) && space.sizes == *sizes;
        let held = depths[from.0 as usize] == 0;
        let whole = held && plain && space.points() >= LARGE && is_gone_through(sizes);
        // What only stops gradients is the value itself.
        let far = (function == scalar::STOP && held)
            || space.points().saturating_mul(BROADCAST) <= node.space.points();
        let inner = match whole {
            true => Cost { functions: 0, instead: Some(from) },
            false if far => continue,
            false => costs[from.0 as usize].filter(|inner| plain || inner.instead.is_none())?,
        };
        if cost.instead.is_some() && inner.instead.is_some() && cost.instead != inner.instead {
            return None;
        }
        cost.functions += inner.functions;
        cost.instead = cost.instead.or(inner.instead);
    }
    let small = node.space.points() < BROADCAST && function != scalar::STOP;
    (cost.functions <= MOST_CHEAP && !small).then_some(cost)
}

/// Which values are held: all but numbers known beforehand, scalar functions that one reader reads, no
/// more often than once a point, in the same phase, and what is cheap to compute again.
pub(super) fn held(
    graph: &Graph,
    wanted: &Wanted,
    phases: &[Option<Phase>],
    tiles: bool,
) -> Vec<bool> {
    let mut readers = vec![Readers::default(); graph.len()];
    for id in graph.ids().filter(|id| phases[id.0 as usize].is_some()) {
        let opaque = matches!(graph.node(id).op, Op::Opaque { .. });
        let points = points(&graph.scope(id));
        let arity = graph.arity(id);
        for (number, (from, operand)) in graph.operands(id).into_iter().enumerate() {
            let gathered = operand.access.0.iter().any(|index| matches!(index, Index::Value(_)));
            let apart = phases[from.0 as usize] != phases[id.0 as usize];
            let reader = &mut readers[from.0 as usize];
            reader.count += 1;
            reader.points = points.max(reader.points);
            reader.askew |= operand.access.0.iter().any(|index| index.as_axis().is_none());
            reader.memory |= opaque || gathered || number >= arity;
            reader.apart |= apart;
        }
    }
    for name in wanted.forward.iter().chain(&wanted.backward) {
        let Some(Read { node, sizes, .. }) = graph.root(name) else { continue };
        let reader = &mut readers[node.0 as usize];
        reader.count += 1;
        reader.points = points(sizes).max(reader.points);
        reader.memory |= !wanted.sums.contains_key(name);
        reader.apart |= phases[node.0 as usize] != Some(Phase::Backward);
    }
    let mut depths = vec![0_usize; graph.len()];
    let mut costs: Vec<Option<Cost>> = vec![None; graph.len()];
    let mut held = |id: NodeId| {
        let node = graph.node(id);
        let Readers { count, points, askew, memory, apart } = readers[id.0 as usize];
        let looped = matches!(phases[id.0 as usize], Some(Phase::Forward | Phase::Backward));
        let below = graph.operands(id).into_iter().map(|(from, _)| depths[from.0 as usize]).max();
        let depth = below.unwrap_or(0) + 1;
        let held = match &node.op {
            Op::Leaf(Leaf::Const(_) | Leaf::Axis(_)) => memory,
            Op::Map(_) => {
                let often = count != 1 || points > node.space.points();
                let own = cheap(graph, (&costs, &depths), id).filter(|_| count > 0 && looped);
                // What one phase alone reads may live in registers. What the other reads as well is written and read.
                let near = points <= BROADCAST.saturating_mul(node.space.points()) && !askew;
                let stops = matches!(node.op, Op::Map(scalar::STOP));
                let cheap = own.filter(|cost| cost.instead.is_none() || stops || (apart && near));
                let again = apart || often;
                let tiled = tiled(graph, id, tiles).is_some();
                let held = memory || tiled || depth > MOST_DEEP || (again && cheap.is_none());
                costs[id.0 as usize] = own.filter(|_| !held);
                held
            }
            Op::Leaf(_) | Op::Reduce { .. } | Op::Recur { .. } | Op::Join | Op::Opaque { .. } => {
                true
            }
        };
        depths[id.0 as usize] = if held { 0 } else { depth };
        held
    };
    graph.ids().map(&mut held).collect()
}

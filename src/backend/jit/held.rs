//! Which values are held in memory, and which are computed wherever they are read.
//!
//! In: a graph, the roots asked for, phases. Out: a flag for every node. Invariant: what is not held is a
//! number known beforehand, or scalar functions of values that are. A memory's erased part is an example: forward and
//! backward make it anew from the memory, which both read anyway, so that it takes no room on the tape.

use crate::backend::bytes::points;
use crate::backend::phase::{Phase, Wanted};
use crate::graph::{Graph, Index, Leaf, NodeId, Op, Read};
use crate::op::{Scalar, scalar};

/// The most functions computed in one place, one inside another.
const MOST_DEEP: usize = 64;

/// Who reads a value.
#[derive(Clone, Copy, Debug, Default)]
struct Readers {
    count: usize,
    /// Points at which it is read, by the last reader seen.
    points: u64,
    /// Points at which it is read, by the reader of most.
    most: u64,
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
        // What only stops gradients is the value itself, which a depth of 0 says is held.
        let far = (function == scalar::STOP && depths[from.0 as usize] == 0)
            || graph.node(from).space.points().saturating_mul(BROADCAST) <= node.space.points();
        if far {
            continue;
        }
        let plain = operand.access.is_identity(node.space.rank());
        let inner = match depths[from.0 as usize] {
            0 if plain && node.space.points() >= LARGE => {
                Cost { functions: 0, instead: Some(from) }
            }
            _ => costs[from.0 as usize].filter(|inner| plain || inner.instead.is_none())?,
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
            reader.points = points;
            reader.most = points.max(reader.most);
            reader.askew |= operand.access.0.iter().any(|index| index.as_axis().is_none());
            reader.memory |= opaque || gathered || number >= arity;
            reader.apart |= apart;
        }
    }
    for name in wanted.forward.iter().chain(&wanted.backward) {
        let Some(Read { node, sizes, .. }) = graph.root(name) else { continue };
        let reader = &mut readers[node.0 as usize];
        reader.count += 1;
        reader.points = points(sizes);
        reader.most = reader.points.max(reader.most);
        reader.memory |= !wanted.sums.contains_key(name);
        reader.apart |= phases[node.0 as usize] != Some(Phase::Backward);
    }
    let mut depths = vec![0_usize; graph.len()];
    let mut costs: Vec<Option<Cost>> = vec![None; graph.len()];
    let mut held = |id: NodeId| {
        let node = graph.node(id);
        let Readers { count, points, most, askew, memory, apart } = readers[id.0 as usize];
        let looped = matches!(phases[id.0 as usize], Some(Phase::Forward | Phase::Backward));
        let below = graph.operands(id).into_iter().map(|(from, _)| depths[from.0 as usize]).max();
        let depth = below.unwrap_or(0) + 1;
        let held = match &node.op {
            Op::Leaf(Leaf::Const(_) | Leaf::Axis(_)) => memory,
            Op::Map(_) => {
                let often = count != 1 || points > node.space.points();
                let cheap = cheap(graph, (&costs, &depths), id).filter(|_| count > 0 && looped);
                costs[id.0 as usize] = cheap.filter(|_| !memory);
                // What one phase alone reads may live in registers. What the other reads as well is written and read.
                let near = most <= BROADCAST.saturating_mul(node.space.points()) && !askew;
                let cheap = cheap.filter(|cost| cost.instead.is_none() || (apart && near));
                let again = apart || often;
                let tiled = tiled(graph, id, tiles).is_some();
                memory || tiled || depth > MOST_DEEP || (again && cheap.is_none())
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

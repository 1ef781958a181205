//! Which values are held in memory, and which are computed wherever they are read.
//!
//! In: a graph, the roots asked for, phases. Out: a flag for every node. Invariant: what is not held is a
//! number known beforehand, or scalar functions of values that are.

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

/// How many functions a value takes that is cheaper to compute again than to keep: arithmetic on what
/// has far fewer points, such as an outer product.
fn cheap(
    graph: &Graph,
    (costs, depths): (&[Option<usize>], &[usize]),
    id: NodeId,
) -> Option<usize> {
    let node = graph.node(id);
    let Op::Map(function) = node.op else { return None };
    if !matches!(function, scalar::ADD | scalar::SUB | scalar::MUL | scalar::NEG | scalar::STOP) {
        return None;
    }
    let mut cost = usize::from(function != scalar::STOP);
    for (from, operand) in graph.operands(id) {
        if operand.access.0.iter().any(|index| matches!(index, Index::Value(_))) {
            return None;
        }
        // What only stops gradients is the value itself, which a depth of 0 says is held.
        let far = (function == scalar::STOP && depths[from.0 as usize] == 0)
            || graph.node(from).space.points().saturating_mul(BROADCAST) <= node.space.points();
        if !far {
            cost += costs[from.0 as usize]?;
        }
    }
    let small = node.space.points() < BROADCAST && function != scalar::STOP;
    (cost <= MOST_CHEAP && !small).then_some(cost)
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
            reader.memory |= opaque || gathered || number >= arity;
            reader.apart |= apart;
        }
    }
    for name in wanted.forward.iter().chain(&wanted.backward) {
        let Some(Read { node, sizes, .. }) = graph.root(name) else { continue };
        let reader = &mut readers[node.0 as usize];
        reader.count += 1;
        reader.points = points(sizes);
        reader.memory |= !wanted.sums.contains_key(name);
        reader.apart |= phases[node.0 as usize] != Some(Phase::Backward);
    }
    let mut depths = vec![0_usize; graph.len()];
    let mut costs: Vec<Option<usize>> = vec![None; graph.len()];
    let mut held = |id: NodeId| {
        let node = graph.node(id);
        let Readers { count, points, memory, apart } = readers[id.0 as usize];
        let looped = matches!(phases[id.0 as usize], Some(Phase::Forward | Phase::Backward));
        let below = graph.operands(id).into_iter().map(|(from, _)| depths[from.0 as usize]).max();
        let depth = below.unwrap_or(0) + 1;
        let held = match &node.op {
            Op::Leaf(Leaf::Const(_) | Leaf::Axis(_)) => memory,
            Op::Map(_) => {
                let often = count != 1 || points > node.space.points();
                let cheap = cheap(graph, (&costs, &depths), id).filter(|_| count > 0 && looped);
                costs[id.0 as usize] = cheap.filter(|_| !memory);
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

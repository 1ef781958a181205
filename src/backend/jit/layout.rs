//! Which values are held in memory, and where.
//!
//! In: a graph and the roots asked for. Out: a phase for every node, and a slot for every value that
//! is not computed where it is read. Invariant: a value is computed at one place only, or is a number
//! known beforehand.

use crate::backend::bytes::points;
use crate::backend::phase::{Phase, Wanted, kept, phases};
use crate::graph::{Graph, Index, Leaf, NodeId, Op, Read};

/// Which memory a value lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Region {
    /// Written before the loop over time, shared by all samples.
    Fixed,
    /// One frame a time step, kept for the backward sweep.
    Tape,
    /// Overwritten by every step.
    Work,
}

/// A value's place in memory. In [`Region::Fixed`] a value is held once; elsewhere every element is
/// held once a sample, the samples of a group side by side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// The memory.
    pub(super) region: Region,
    /// First element, counted for one sample.
    pub(super) offset: usize,
}

impl Slot {
    /// Whether each sample has a value of its own.
    pub(super) fn per_sample(self) -> bool {
        self.region != Region::Fixed
    }
}

/// The plan of a graph's memory.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// When each node runs; `None` if it does not.
    pub(super) phases: Vec<Option<Phase>>,
    /// Where each value lives; `None` for one that is computed where it is read.
    pub(super) slots: Vec<Option<Slot>>,
    /// Elements in [`Region::Fixed`].
    pub(super) fixed: usize,
    /// Elements a step and sample in [`Region::Tape`].
    pub(super) tape: usize,
    /// Elements a sample in [`Region::Work`].
    pub(super) work: usize,
}

impl Layout {
    /// Where a value lives, if it is held.
    pub(super) fn slot(&self, id: NodeId) -> Option<Slot> {
        self.slots[id.0 as usize]
    }
}

/// Lays out a graph.
pub(super) fn layout(graph: &Graph, wanted: &Wanted) -> Layout {
    let reads = |id| graph.operands(id).into_iter().map(|(node, _)| node).collect();
    let phases = phases(graph, wanted, &reads);
    let kept = kept(graph, wanted, &phases, &reads);
    let held = held(graph, wanted, &phases);
    let mut layout = Layout { slots: Vec::new(), fixed: 0, tape: 0, work: 0, phases };
    for id in graph.ids() {
        let at = id.0 as usize;
        let region = match layout.phases[at] {
            None => None,
            Some(_) if !held[at] => None,
            Some(Phase::Constant | Phase::Params) => Some(Region::Fixed),
            Some(Phase::Forward) if kept[at] => Some(Region::Tape),
            Some(Phase::Forward | Phase::Backward) => Some(Region::Work),
        };
        let slot = region.map(|region| {
            let end = match region {
                Region::Fixed => &mut layout.fixed,
                Region::Tape => &mut layout.tape,
                Region::Work => &mut layout.work,
            };
            let offset = *end;
            *end = end.saturating_add(graph.node(id).space.points() as usize);
            Slot { region, offset }
        });
        layout.slots.push(slot);
    }
    layout
}

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

/// Which values are held: all but numbers known beforehand, and scalar functions that one reader
/// reads, no more often than once a point, in the same phase.
fn held(graph: &Graph, wanted: &Wanted, phases: &[Option<Phase>]) -> Vec<bool> {
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
    let mut held = |id: NodeId| {
        let node = graph.node(id);
        let Readers { count, points, memory, apart } = readers[id.0 as usize];
        let below = graph.operands(id).into_iter().map(|(from, _)| depths[from.0 as usize]).max();
        let depth = below.unwrap_or(0) + 1;
        let held = match &node.op {
            Op::Leaf(Leaf::Const(_) | Leaf::Axis(_)) => memory,
            Op::Map(_) => {
                let often = count != 1 || points > node.space.points();
                memory || apart || often || depth > MOST_DEEP
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

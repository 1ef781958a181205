//! Which states can never tell their rows apart: all entries along an axis start equal, and every
//! equation treats them alike.
//!
//! In: the graphs of the first states and of one step. Out: for every state, the axes along which it
//! is the same at all steps, whatever the parameters and inputs are. Invariant: what is claimed is
//! exact, to the last bit of an evaluation in the order of the graph; what is not claimed may still
//! hold.
//!
//! A value is *level* along an axis where moving along that axis alone never changes it. This is a
//! greatest fixed point: every axis along which the start of a state is level is supposed to stay so;
//! a step that breaks a supposition removes it, until a step keeps all that are left.

use std::collections::BTreeSet;

use crate::graph::{Access, Axis, Cond, Graph, Index, Leaf, NodeId, Op, Operand, Program, Read};

/// For one array: along which of its axes it is level.
type Level = Vec<bool>;

/// For every state of a program, the axes along which its entries are equal for ever. Axes of one
/// point are not counted.
#[must_use]
pub fn equal_for_ever(program: &Program) -> Vec<Vec<usize>> {
    equal_unless(program, &[])
}

/// The same, if some states started with entries that differ along an axis.
pub(super) fn equal_unless(program: &Program, broken: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let start = levels(&program.init, &[]);
    let mut states: Vec<Level> = program
        .states
        .iter()
        .map(|state| root_level(&program.init, &start, &format!("start/{}", state.path)))
        .collect();
    for (state, axis) in broken {
        states[*state][*axis] = false;
    }
    loop {
        let step = levels(&program.step, &states);
        let mut kept = true;
        for (state, level) in program.states.iter().zip(&mut states) {
            let next = root_level(&program.step, &step, &format!("next/{}", state.path));
            for (now, after) in level.iter_mut().zip(next) {
                kept &= after || !*now;
                *now &= after;
            }
        }
        if kept {
            break;
        }
    }
    let axes = |(level, sizes): (&Level, &Vec<u32>)| {
        (0..level.len()).filter(|axis| level[*axis] && sizes[*axis] > 1).collect()
    };
    states.iter().zip(program.states.iter().map(|state| &state.sizes)).map(axes).collect()
}

/// The states whose next value depends on an input, a parameter or another such state: the others
/// are constants in another guise.
pub(super) fn driven(program: &Program) -> BTreeSet<usize> {
    let mut found: BTreeSet<usize> = BTreeSet::new();
    loop {
        let mut moved = Vec::with_capacity(program.step.len());
        for id in program.step.ids() {
            moved.push(match &program.step.node(id).op {
                Op::Leaf(Leaf::Input(_) | Leaf::Param(_) | Leaf::Seed(_)) => true,
                Op::Leaf(Leaf::Prev(state)) => found.contains(&(*state as usize)),
                Op::Leaf(Leaf::Const(_) | Leaf::Axis(_)) => false,
                Op::Map(_)
                | Op::Reduce { .. }
                | Op::Recur { .. }
                | Op::Join
                | Op::Opaque { .. } => {
                    let operands = program.step.operands(id);
                    operands.iter().any(|(from, _)| moved[from.0 as usize])
                }
            });
        }
        let before = found.len();
        for (at, state) in program.states.iter().enumerate() {
            let root = program.step.root(&format!("next/{}", state.path));
            if root.is_some_and(|read| moved[read.node.0 as usize]) {
                found.insert(at);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// Along which axes every node is level, given that of the states.
fn levels(graph: &Graph, states: &[Level]) -> Vec<Level> {
    let mut all: Vec<Level> = Vec::with_capacity(graph.len());
    for id in graph.ids() {
        let space = &graph.node(id).space;
        let level = (0..space.rank())
            .map(|at| {
                let axis = Axis(at as u8);
                let bounded = space.when.iter().any(|cond| cond.uses(axis));
                space.sizes[at] == 1 || (!bounded && node_level(graph, id, axis, &all, states))
            })
            .collect();
        all.push(level);
    }
    all
}

/// Whether a node is level along an axis of its space.
fn node_level(graph: &Graph, id: NodeId, axis: Axis, all: &[Level], states: &[Level]) -> bool {
    let operands = graph.operands(id);
    let reads = Reads { operands: &operands, all, axis };
    match &graph.node(id).op {
        Op::Leaf(Leaf::Prev(state)) => states
            .get(*state as usize)
            .and_then(|level| level.get(usize::from(axis.0)))
            .is_some_and(|level| *level),
        Op::Leaf(Leaf::Axis(of)) => *of != axis,
        Op::Leaf(Leaf::Const(_)) => true,
        // Learned or given from outside: every entry is its own.
        Op::Leaf(Leaf::Input(_) | Leaf::Param(_) | Leaf::Seed(_)) => false,
        Op::Map(_) => reads.all_level(),
        Op::Reduce { when, .. } => reads.level(0) && when.iter().all(|cond| reads.holds(cond)),
        Op::Join => {
            reads.all_level()
                && operands.iter().all(|(_, edge)| edge.when.iter().all(|cond| reads.holds(cond)))
        }
        // Later entries see more; an order breaks ties by position.
        Op::Recur { along, .. } | Op::Opaque { along, .. } => *along != axis && reads.all_level(),
    }
}

/// What a node reads, as seen while moving along one of its axes.
struct Reads<'a> {
    operands: &'a [(NodeId, &'a Operand)],
    all: &'a [Level],
    axis: Axis,
}

impl Reads<'_> {
    fn all_level(&self) -> bool {
        (0..self.operands.len()).all(|port| self.level(port))
    }

    /// Whether what is read at a port is the same.
    fn level(&self, port: usize) -> bool {
        let (from, edge) = self.operands[port];
        self.level_at(&self.all[from.0 as usize], &edge.access)
    }

    fn level_at(&self, level: &Level, access: &Access) -> bool {
        level.iter().zip(&access.0).all(|(level, index)| *level || self.stays(index))
    }

    /// Whether an index is the same.
    fn stays(&self, index: &Index) -> bool {
        match index {
            Index::Affine(_) | Index::Digit { .. } => !index.uses(self.axis),
            Index::Value(port) => self.level(usize::from(port.0)),
        }
    }

    /// Whether a condition holds for the same points.
    fn holds(&self, cond: &Cond) -> bool {
        cond.right.coefficient(self.axis) == 0 && self.stays(&cond.left)
    }
}

/// Along which axes a root is level.
fn root_level(graph: &Graph, all: &[Level], name: &str) -> Level {
    let Some(Read { node, access, sizes }) = graph.root(name) else { return Vec::new() };
    let level = &all[node.0 as usize];
    let along = |axis: usize| {
        let reads = Reads { operands: &[], all, axis: Axis(axis as u8) };
        sizes[axis] == 1 || reads.level_at(level, access)
    };
    (0..sizes.len()).map(along).collect()
}

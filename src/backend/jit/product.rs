//! Sums of products, which kernels compute.
//!
//! In: nodes and how they are read. Out: factors with their strides along the axes of the reader.
//! Invariant: a factor's position is affine in those axes, and it is held in memory.

use crate::backend::kernels::{Pack, Product, Strides};
use crate::backend::phase::{Phase, Wanted};
use crate::graph::{Access, Affine, Axis, Fold, Graph, Index, NodeId, Op};
use crate::op::scalar;

/// How far apart neighbours along each axis of a value lie in memory, if it is held there.
type Held<'h> = &'h dyn Fn(NodeId) -> Option<Vec<i64>>;

/// A value read at positions that are affine in some axes.
#[derive(Clone, Debug)]
pub(super) struct Factor {
    /// The node.
    pub(super) from: NodeId,
    /// Its first position.
    pub(super) first: i64,
    /// How far a step along each axis moves.
    pub(super) steps: Vec<i64>,
}

/// Two factors of a term.
pub(super) type Pair = [Factor; 2];

/// A part of a gradient: a product of two factors, summed over steps and samples.
#[derive(Clone, Debug)]
pub(super) struct Sum {
    /// The factors; each axis of the gradient belongs to one of them.
    pub(super) pair: Pair,
}

impl Sum {
    /// The nodes of its factors.
    pub(super) fn factors(&self) -> impl Iterator<Item = (NodeId, &Factor)> {
        self.pair.iter().map(|factor| (factor.from, factor))
    }
}

/// Where an operand is read, over the axes of the reader of its reader.
pub(super) fn compose(access: &Access, outer: &[Affine]) -> Option<Vec<Affine>> {
    let index = |index: &Index| {
        let Index::Affine(affine) = index else { return None };
        let mut sum = Affine::constant(affine.offset);
        for (axis, by) in &affine.terms {
            sum = sum.plus(&outer.get(usize::from(axis.0))?.times(*by));
        }
        Some(sum)
    };
    access.0.iter().map(index).collect()
}

/// The indices of an access, if all are affine.
pub(super) fn affine(access: &Access) -> Option<Vec<Affine>> {
    let plain = |index: &Index| match index {
        Index::Affine(affine) => Some(affine.clone()),
        Index::Digit { .. } | Index::Value(_) => None,
    };
    access.0.iter().map(plain).collect()
}

/// A held value as a factor.
fn factor(
    graph: &Graph,
    held: Held<'_>,
    from: NodeId,
    at: &[Affine],
    rank: usize,
) -> Option<Factor> {
    let node = graph.node(from);
    let Some(strides) = held(from) else {
        let (Op::Map(scalar::STOP), [(inner, operand)]) = (&node.op, &graph.operands(from)[..])
        else {
            return None;
        };
        return factor(graph, held, *inner, &compose(&operand.access, at)?, rank);
    };
    let mut first = 0;
    let mut steps = vec![0; rank];
    for (affine, by) in at.iter().zip(strides) {
        first += affine.offset * by;
        for (axis, factor) in &affine.terms {
            steps[usize::from(axis.0)] += factor * by;
        }
    }
    Some(Factor { from, first, steps })
}

/// Below that many terms in all, a call costs more than it saves.
const FEW: u64 = 32;

/// The factors of a node that is a sum of products over axes that are one: in both factors each goes on where
/// the next one ends.
pub(super) fn of_node(graph: &Graph, held: Held<'_>, id: NodeId) -> Option<Pair> {
    let node = graph.node(id);
    let Op::Reduce { fold: Fold::Sum, over, when } = &node.op else { return None };
    let operands = graph.operands(id);
    let [(from, operand)] = &operands[..] else { return None };
    let (scope, rank) = (scope(graph, id), node.space.rank());
    let points = scope.iter().fold(1, |all: u64, size| all.saturating_mul(u64::from(*size)));
    if over.is_empty() || !when.is_empty() || !node.space.when.is_empty() || points < FEW {
        return None;
    }
    let mut pair = pair(graph, held, *from, &affine(&operand.access)?, rank + over.len())?;
    for Factor { steps, .. } in &mut pair {
        let goes_on =
            |at: usize| steps[rank + at] == steps[rank + at + 1] * i64::from(over[at + 1]);
        if !(0..over.len() - 1).all(goes_on) {
            return None;
        }
        steps.drain(rank..rank + over.len() - 1);
    }
    pair.iter().all(|factor| factor.steps[rank] != 0).then_some(pair)
}

/// The axes of a sum of products: those of its space, then all that it sums over as one.
pub(super) fn scope(graph: &Graph, id: NodeId) -> Vec<u32> {
    let node = graph.node(id);
    let mut sizes = node.space.sizes.clone();
    let terms = graph.scope(id)[sizes.len()..].iter().copied().reduce(u32::saturating_mul);
    sizes.extend(terms);
    sizes
}

/// The factors of a value that is a product of two held ones.
fn pair(graph: &Graph, held: Held<'_>, from: NodeId, at: &[Affine], rank: usize) -> Option<Pair> {
    let operands = graph.operands(from);
    let (Op::Map(scalar::MUL), [left, right]) = (&graph.node(from).op, &operands[..]) else {
        return None;
    };
    if held(from).is_some() {
        return None;
    }
    let of = |(from, operand): &(NodeId, &crate::graph::Operand)| {
        factor(graph, held, *from, &compose(&operand.access, at)?, rank)
    };
    Some([of(left)?, of(right)?])
}

/// The terms of a sum of products of held values.
fn terms(
    graph: &Graph,
    held: Held<'_>,
    from: NodeId,
    at: &[Affine],
    rank: usize,
) -> Option<Vec<Pair>> {
    if let Some(pair) = pair(graph, held, from, at, rank) {
        return Some(vec![pair]);
    }
    if held(from).is_some() || graph.node(from).op != Op::Map(scalar::ADD) {
        return None;
    }
    let mut all = Vec::new();
    for (from, operand) in graph.operands(from) {
        all.extend(terms(graph, held, from, &compose(&operand.access, at)?, rank)?);
    }
    Some(all)
}

/// Gradients of parameters that are sums of products in which every axis belongs to one factor, as
/// those of weights are: computed once, from all steps.
pub(super) fn sums(
    graph: &Graph,
    wanted: &Wanted,
    phases: &[Option<Phase>],
    held: Held<'_>,
) -> Vec<(String, Vec<Sum>)> {
    let of = |name: &String| {
        let read = graph.root(name)?;
        let rank = read.sizes.len();
        let terms = terms(graph, held, read.node, &affine(&read.access)?, rank)?;
        let fits = |pair: &Pair| {
            let looped = |factor: &Factor| {
                matches!(phases[factor.from.0 as usize], Some(Phase::Forward | Phase::Backward))
            };
            let axes = 0..rank;
            // Positions grow from the first on.
            let ahead = |factor: &Factor| factor.steps.iter().all(|step| *step >= 0);
            let mut split = axes.map(|axis| pair.iter().filter(|f| f.steps[axis] != 0).count());
            pair.iter().all(|factor| looped(factor) && ahead(factor))
                && split.all(|count| count == 1)
        };
        let some = read.sizes.iter().all(|size| *size > 0) && rank > 0;
        let sums: Vec<Sum> = terms.into_iter().map(|pair| Sum { pair }).collect();
        (some && sums.iter().all(|sum| fits(&sum.pair))).then(|| (name.clone(), sums))
    };
    wanted.sums.keys().filter_map(of).collect()
}

/// Which axis of a reader plays which part.
#[derive(Clone, Debug, Default)]
pub(super) struct Roles {
    /// An axis along which only the left factor moves.
    pub(super) row: Option<usize>,
    /// An axis along which only the right factor moves.
    pub(super) col: Option<usize>,
    /// All others.
    pub(super) others: Vec<usize>,
}

impl Roles {
    /// Chooses the largest axes as rows and columns.
    pub(super) fn new([left, right]: &Pair, sizes: &[u32]) -> Roles {
        let largest = |moves: &Factor, stays: &Factor| {
            let fits = |axis: &usize| moves.steps[*axis] != 0 && stays.steps[*axis] == 0;
            (0..sizes.len()).filter(fits).max_by_key(|axis| sizes[*axis])
        };
        let (row, col) = (largest(left, right), largest(right, left));
        let rest = |axis: &usize| row != Some(*axis) && col != Some(*axis);
        Roles { row, col, others: (0..sizes.len()).filter(rest).collect() }
    }
}

/// The product of two factors over the axis `term`; elements of each array lie that far apart.
pub(super) fn product(
    [left, right]: &Pair,
    sizes: &[u32],
    roles: &Roles,
    out: &[i64],
    (term, apart): (usize, [i64; 3]),
) -> Product {
    let size = |axis: Option<usize>| axis.map_or(1, |axis| sizes[axis] as usize);
    let step = |steps: &[i64], axis: Option<usize>, by: i64| {
        axis.and_then(|axis| steps.get(axis)).map_or(0, |step| (step * by) as isize)
    };
    let strides = |factor: &Factor, place: Option<usize>, by: i64| Strides {
        place: step(&factor.steps, place, by),
        term: step(&factor.steps, Some(term), by),
        turn: 0,
    };
    Product {
        rows: size(roles.row),
        cols: size(roles.col),
        terms: size(Some(term).filter(|term| *term < sizes.len())),
        turns: 1,
        lanes: 1,
        batch: 1,
        steps: [0; 3],
        left: strides(left, roles.row, apart[0]),
        right: strides(right, roles.col, apart[1]),
        out: [step(out, roles.row, apart[2]), step(out, roles.col, apart[2])],
        add: false,
        pack: Pack::None,
    }
}

impl Factor {
    /// Its position, where axes that are not listed stand at 0.
    pub(super) fn position(&self, axes: &[usize]) -> Affine {
        let terms = axes.iter().map(|axis| (Axis(*axis as u8), self.steps[*axis]));
        Affine::new(self.first, terms)
    }
}

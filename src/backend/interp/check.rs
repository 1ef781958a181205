//! Finding the value that went bad.
//!
//! In: parameters and a batch whose loss or gradient is not finite. Out: the first value, in order of
//! evaluation, that is not finite though everything it was made of is, among those that the loss or the
//! gradient goes back to. Invariant: forward values are looked at before backward ones.

use std::collections::BTreeMap;

use crate::backend::engine::Engine;
use crate::backend::float::Float;
use crate::backend::plan::Watch;
use crate::backend::{Batch, Want};
use crate::graph::{Graph, Leaf, NodeId, Op, Path};
use crate::op::Scalar;
use crate::source::Span;
use crate::tensor::Tensor;

use super::plan::{Interpreted, Schedule};
use super::trace::{Place, Seen, Spot, Trace, place, point};

/// A value that is NaN or infinite, though what it was made of is finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Bad {
    /// The sample.
    pub sample: usize,
    /// The time step.
    pub step: usize,
    /// The value's name.
    pub path: Path,
    /// The place in the spec.
    pub span: Span,
    /// Whether it arose in the backward sweep.
    pub adjoint: bool,
    /// What made it.
    pub made: Made,
}

/// How a value was made.
#[derive(Clone, Debug, PartialEq)]
pub enum Made {
    /// It was given: an input of the step of that number.
    Input(u32),
    /// It was given: a parameter of that number.
    Param(u32),
    /// It was given: the first value of a state.
    Start(u32),
    /// A scalar function of these numbers, where they are known; `norms`: among what it divides by is a
    /// square root.
    Map {
        /// The function.
        scalar: Scalar,
        /// What it was given.
        given: Vec<f64>,
        /// Whether a divisor is made of square roots.
        norms: bool,
    },
    /// A sum, a product or a recurrence of finite numbers.
    Fold,
}

/// Notes the first bad value.
struct Search {
    backward: bool,
    found: Option<(usize, NodeId)>,
}

impl<F: Float> Watch<F> for Search {
    fn see(&mut self, node: NodeId, value: &[F], step: usize, backward: bool) {
        let bad = || value.iter().any(|value| !value.wide().is_finite());
        if self.found.is_none() && backward == self.backward && bad() {
            self.found = Some((step, node));
        }
    }
}

/// Keeps the values of some nodes at one step.
struct Keep {
    step: usize,
    nodes: Vec<NodeId>,
    values: BTreeMap<NodeId, Vec<f64>>,
}

impl<F: Float> Watch<F> for Keep {
    fn see(&mut self, node: NodeId, value: &[F], step: usize, _: bool) {
        if step == self.step && self.nodes.contains(&node) {
            self.values.insert(node, value.iter().map(|value| value.wide()).collect());
        }
    }
}

fn bad(graph: &Graph, node: NodeId, (sample, step): (usize, usize), adjoint: bool) -> Bad {
    let origin = &graph.node(node).origin;
    let made = made(graph, node, |_, _| None);
    Bad { sample, step, path: origin.path.clone(), span: origin.span, adjoint, made }
}

/// What made a node, with the values of its operands.
fn made(graph: &Graph, node: NodeId, value: impl Fn(NodeId, usize) -> Option<f64>) -> Made {
    match &graph.node(node).op {
        Op::Leaf(Leaf::Input(at)) => Made::Input(*at),
        Op::Leaf(Leaf::Param(at)) => Made::Param(*at),
        Op::Leaf(Leaf::Prev(at)) => Made::Start(*at),
        Op::Map(scalar) => {
            let given = graph.operands(node).into_iter().enumerate();
            let given = given.filter_map(|(port, (from, _))| value(from, port)).collect();
            let divisor = graph.operands(node).get(1).map(|(from, _)| *from);
            let norms = divisor.is_some_and(|divisor| is_norm(graph, divisor, 4));
            Made::Map { scalar: *scalar, given, norms }
        }
        Op::Leaf(Leaf::Seed(_) | Leaf::Const(_) | Leaf::Axis(_))
        | Op::Reduce { .. }
        | Op::Recur { .. }
        | Op::Join
        | Op::Opaque { .. } => Made::Fold,
    }
}

/// Whether a value is made of square roots by products and the like.
fn is_norm(graph: &Graph, node: NodeId, depth: usize) -> bool {
    use crate::op::scalar::{ADD, MAX, MUL, SQRT};
    let inside = || {
        let all = graph.operands(node);
        depth > 0 && all.iter().any(|(from, _)| is_norm(graph, *from, depth - 1))
    };
    match &graph.node(node).op {
        Op::Map(SQRT) => true,
        Op::Map(scalar) => [ADD, MUL, MAX].contains(scalar) && inside(),
        Op::Join => inside(),
        Op::Leaf(_) | Op::Reduce { .. } | Op::Recur { .. } | Op::Opaque { .. } => false,
    }
}

/// The first bad value among those that depend on parameters alone.
fn fixed<F: Float>(plan: &Interpreted<F>) -> Option<NodeId> {
    let Schedule { feeds, steps } = &plan.params;
    let leaves = feeds.iter().map(|feed| (feed.id, feed.slot));
    let nodes = leaves.chain(steps.iter().map(|step| (step.id, step.slot)));
    let mut bad = nodes.filter(|(_, slot)| {
        let value = &plan.fixed[slot.offset..slot.offset + slot.len];
        value.iter().any(|value| !value.wide().is_finite())
    });
    bad.next().map(|(id, _)| id)
}

impl<F: Float> Engine<Interpreted<F>> {
    /// Runs a batch again and names the value that went bad.
    pub(super) fn first_bad(&mut self, params: &[Tensor], batch: &Batch) -> Option<Bad> {
        self.demand(batch);
        let forward = self.search(params, batch, false);
        forward.or_else(|| self.search(params, batch, true))
    }

    fn search(&mut self, params: &[Tensor], batch: &Batch, gradients: bool) -> Option<Bad> {
        let want = Want { roots: Vec::new(), gradients };
        let mut ready = self.ready(params, &want);
        let graph = &self.program.step;
        let settled = fixed(&self.init)
            .map(|node| bad(&self.program.init, node, (0, 0), false))
            .or_else(|| fixed(&ready.plan).map(|node| bad(graph, node, (0, 0), false)));
        if settled.is_some() {
            self.keep(ready);
            return settled;
        }
        let (nodes, program) = (graph.len().max(self.program.init.len()), self.program.clone());
        let (mut seen, mut found) = (Seen::new(nodes), None);
        let mut number = 0;
        let sample = self.watched(&mut ready, batch, &mut seen, |seen| {
            let steps = batch.lengths[number];
            number += 1;
            found = Trace { program: &program, seen }.source(steps);
            if found.is_none() {
                *seen = Seen::new(nodes);
            }
            found.is_some()
        });
        self.keep(ready);
        match found {
            Some(spot) => Some(self.told((params, batch), (sample, spot), &seen, &want)),
            None if gradients => self.in_init(params, batch, &want),
            None => None,
        }
    }

    /// A bad value with what it was made of: the batch is run once more.
    fn told(
        &mut self,
        (params, batch): (&[Tensor], &Batch),
        (sample, spot): (usize, Spot),
        seen: &Seen,
        want: &Want,
    ) -> Bad {
        let Spot { step, node, element } = spot;
        let operands = self.program.step.operands(node).into_iter().map(|(from, _)| from);
        let mut keep = Keep { step, nodes: operands.collect(), values: BTreeMap::new() };
        let mut ready = self.ready(params, want);
        let mut left = sample + 1;
        self.watched(&mut ready, batch, &mut keep, |keep| {
            left -= 1;
            if left > 0 {
                keep.values.clear();
            }
            left == 0
        });
        let graph = &self.program.step;
        let at = point(&graph.node(node).space.sizes, element);
        let value = |from: NodeId, port: usize| {
            if let Op::Leaf(Leaf::Const(bits)) = &graph.node(from).op {
                return Some(bits.value());
            }
            let (_, operand) = graph.operands(node)[port];
            let Place::At(place) = place(&graph.node(from).space.sizes, &operand.access, &at)
            else {
                return None;
            };
            let fixed = ready.plan.params.steps.iter().find(|step| step.id == from);
            let fixed = fixed.map(|step| ready.plan.fixed[step.slot.offset + place].wide());
            keep.values.get(&from).map(|all| all[place]).or(fixed)
        };
        let origin = &graph.node(node).origin;
        let told = Bad {
            sample,
            step,
            path: origin.path.clone(),
            span: origin.span,
            adjoint: seen.is_backward(node),
            made: made(graph, node, value),
        };
        self.keep(ready);
        told
    }

    /// The first bad value of the backward sweep of the first states.
    fn in_init(&mut self, params: &[Tensor], batch: &Batch, want: &Want) -> Option<Bad> {
        let mut search = Search { backward: true, found: None };
        let mut ready = self.ready(params, want);
        // What the samples show is known to do no harm.
        self.watched(&mut ready, batch, &mut search, |search| {
            search.found = None;
            false
        });
        self.keep(ready);
        let (step, node) = search.found?;
        Some(bad(&self.program.init, node, (0, step), true))
    }
}

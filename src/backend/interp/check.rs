//! Finding the first value that went bad.
//!
//! In: parameters and a batch whose loss or gradient is not finite. Out: the first node, in order of
//! evaluation, that holds a NaN or an infinity. Invariant: forward values are looked at before
//! backward ones.

use crate::backend::engine::Engine;
use crate::backend::float::Float;
use crate::backend::plan::Watch;
use crate::backend::{Batch, Want};
use crate::graph::{Graph, NodeId, Path};
use crate::source::Span;
use crate::tensor::Tensor;

use super::plan::{Interpreted, Schedule};

/// The first value that is NaN or infinite.
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

fn bad(graph: &Graph, node: NodeId, sample: usize, step: usize, adjoint: bool) -> Bad {
    let origin = &graph.node(node).origin;
    Bad { sample, step, path: origin.path.clone(), span: origin.span, adjoint }
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
    /// Runs a batch again and names the first bad value.
    pub(super) fn first_bad(&mut self, params: &[Tensor], batch: &Batch) -> Option<Bad> {
        let forward = self.search(params, batch, false);
        forward.or_else(|| self.search(params, batch, true))
    }

    fn search(&mut self, params: &[Tensor], batch: &Batch, gradients: bool) -> Option<Bad> {
        let mut ready = self.ready(params, &Want { roots: Vec::new(), gradients });
        let settled = fixed(&self.init)
            .map(|node| bad(&self.program.init, node, 0, 0, false))
            .or_else(|| fixed(&ready.plan).map(|node| bad(&self.program.step, node, 0, 0, false)));
        if settled.is_some() {
            self.keep(ready);
            return settled;
        }
        let mut search = Search { backward: gradients, found: None };
        let sample = self.watched(&mut ready, batch, &mut search, |search| search.found.is_some());
        self.keep(ready);
        let (step, node) = search.found?;
        Some(if sample < batch.lengths.len() {
            bad(&self.program.step, node, sample, step, gradients)
        } else {
            bad(&self.program.init, node, 0, step, gradients)
        })
    }
}

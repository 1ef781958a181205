//! One sample through time: forward over its own length, then backward.
//!
//! In: a plan of the step graph, first states, inputs. Out: what one sample gives, and its share of
//! the parameters' gradients, added to the sum of its chunk. Invariant: the order of every
//! addition depends on the sample and its length alone.

use crate::backend::Part;

use super::float::Float;
use super::plan::{Feed, Frame, Plan, Root, Schedule, Source};
use crate::graph::NodeId;

/// The roots of a step graph by their role.
#[derive(Clone, Debug)]
pub(super) struct Ports {
    /// The loss.
    pub(super) loss: Option<Root>,
    /// The next value of each state.
    pub(super) next: Vec<Option<Root>>,
    /// The roots asked for.
    pub(super) asked: Vec<(String, Root)>,
    /// Gradients of parameters that are added step by step, with their places in the sum.
    pub(super) params: Vec<(usize, Root)>,
    /// The gradient of each input.
    pub(super) inputs: Vec<Option<Root>>,
    /// The adjoint of each state before the step.
    pub(super) prev: Vec<Option<Root>>,
}

/// Everything that all samples of a run share.
pub(super) struct Shared<'a, F> {
    /// The step graph, made ready.
    pub(super) plan: &'a Plan<F>,
    /// Its roots.
    pub(super) ports: &'a Ports,
    /// Whether to run backward.
    pub(super) gradients: bool,
    /// States, one after the other.
    pub(super) states: &'a [Part],
    /// Lengths of the samples.
    pub(super) lengths: &'a [usize],
    /// Each input as [T, B, sizes..], with the number of elements of one sample at one step.
    pub(super) inputs: &'a [(&'a [f64], usize)],
    /// First states as the program computes them.
    pub(super) starts: &'a [F],
    /// First states given instead, each [B, sizes..].
    pub(super) given: &'a [Option<Vec<f64>>],
}

/// The memory of one worker.
#[derive(Debug, Default)]
pub(super) struct Memory<F> {
    tape: Vec<F>,
    work: Vec<F>,
    state: Vec<F>,
    next: Vec<F>,
    room: Vec<F>,
    spare: [Vec<u32>; 3],
}

/// What one sample gives.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample<F> {
    /// Its number in the batch.
    pub(super) number: usize,
    /// Loss, summed over its steps.
    pub(super) loss: f64,
    /// Each root asked for, step by step.
    pub(super) asked: Vec<Vec<F>>,
    /// States after the last step.
    pub(super) finals: Vec<F>,
    /// Each input's gradient, step by step.
    pub(super) inputs: Vec<Vec<F>>,
    /// Adjoints of the first states.
    pub(super) starts: Vec<F>,
}

/// Something that looks at every value as it is made.
pub(super) trait Watch<F> {
    /// A node has its value.
    fn see(&mut self, node: NodeId, value: &[F], step: usize, backward: bool);
}

/// Looks at nothing.
pub(super) struct Blind;

impl<F> Watch<F> for Blind {
    #[inline]
    fn see(&mut self, _: NodeId, _: &[F], _: usize, _: bool) {}
}

/// Fits the memory to a plan. Contents are kept where the layout is the same, since points outside
/// a node's space must stay 0; a new layout starts from zeros.
fn fit<F: Float>(memory: &mut Vec<F>, len: usize, fresh: bool) {
    if fresh {
        memory.clear();
    }
    if memory.len() < len {
        memory.resize(len, F::zero());
    }
}

impl<F: Float> Memory<F> {
    /// Memory for a plan.
    pub(super) fn new() -> Memory<F> {
        Memory::default()
    }

    /// Forgets the values of another plan.
    pub(super) fn renew(&mut self, plan: &Plan<F>) {
        fit(&mut self.work, plan.work, true);
        fit(&mut self.tape, plan.tape, true);
    }

    /// Evaluates one schedule on the first frame, for graphs that have no time.
    pub(super) fn once(
        &mut self,
        plan: &Plan<F>,
        schedule: &Schedule,
        gradient: &mut [F],
        fill: impl Fn(Source, &mut [F]),
        watch: &mut impl Watch<F>,
    ) {
        let backward = std::ptr::eq(schedule, &plan.backward);
        let mut frame = self.frame(plan, gradient, 0);
        evaluate(&mut frame, schedule, 0, backward, fill, watch);
    }

    /// The frame of a step.
    pub(super) fn frame<'a>(
        &'a mut self,
        plan: &'a Plan<F>,
        gradient: &'a mut [F],
        step: usize,
    ) -> Frame<'a, F> {
        Frame {
            fixed: &plan.fixed,
            tape: &mut self.tape[step * plan.tape..(step + 1) * plan.tape],
            work: &mut self.work,
            gradient,
            spare: &mut self.spare,
        }
    }
}

#[inline]
fn evaluate<F: Float>(
    frame: &mut Frame<'_, F>,
    schedule: &Schedule,
    step: usize,
    backward: bool,
    fill: impl Fn(Source, &mut [F]),
    watch: &mut impl Watch<F>,
) {
    for Feed { id, slot, source } in &schedule.feeds {
        fill(*source, frame.leaf(*slot));
        watch.see(*id, frame.value(*slot), step, backward);
    }
    for node in &schedule.steps {
        frame.run(node);
        watch.see(node.id, frame.value(node.slot), step, backward);
    }
}

/// Rounds a row of numbers.
pub(super) fn round<F: Float>(out: &mut [F], from: &[f64]) {
    assert_eq!(out.len(), from.len(), "internal error: interp: an array of another size");
    out.iter_mut().zip(from).for_each(|(out, from)| *out = F::of(*from));
}

impl<F: Float> Shared<'_, F> {
    /// Runs one sample; its share of the gradients is added to `sum`, the adjoints of its first
    /// states, where the program computes them, to `seeds`.
    pub(super) fn run(
        &self,
        number: usize,
        memory: &mut Memory<F>,
        sum: &mut [F],
        seeds: &mut [F],
        watch: &mut impl Watch<F>,
    ) -> Sample<F> {
        let steps = self.lengths[number];
        let frames = if self.gradients { steps.max(1) } else { 1 };
        fit(&mut memory.tape, frames * self.plan.tape, false);
        fit(&mut memory.work, self.plan.work, false);
        let mut sample = Sample { number, ..Sample::default() };
        self.forward(&mut sample, memory, sum, watch);
        if self.gradients {
            self.backward(&mut sample, memory, sum, watch);
            for (part, given) in self.states.iter().zip(self.given) {
                if given.is_none() {
                    let from = part.of(&sample.starts);
                    part.of_mut(seeds).iter_mut().zip(from).for_each(|(sum, from)| *sum += *from);
                }
            }
        }
        sample
    }

    fn begin(&self, number: usize, state: &mut Vec<F>) {
        state.clear();
        state.extend_from_slice(self.starts);
        for (part, given) in self.states.iter().zip(self.given) {
            if let Some(given) = given {
                let from = &given[number * part.len..(number + 1) * part.len];
                round(part.of_mut(state), from);
            }
        }
    }

    fn forward(
        &self,
        sample: &mut Sample<F>,
        memory: &mut Memory<F>,
        sum: &mut [F],
        watch: &mut impl Watch<F>,
    ) {
        let (number, batch) = (sample.number, self.lengths.len());
        let mut state = std::mem::take(&mut memory.state);
        let mut next = std::mem::take(&mut memory.next);
        self.begin(number, &mut state);
        next.clone_from(&state);
        let steps = self.lengths[number];
        sample.asked =
            self.ports.asked.iter().map(|(_, root)| vec![F::zero(); root.len * steps]).collect();
        for step in 0..steps {
            let fill = |source: Source, out: &mut [F]| match source {
                Source::Input(at) => {
                    let (all, len) = self.inputs[at];
                    let first = (step * batch + number) * len;
                    round(out, &all[first..first + len]);
                }
                Source::Prev(at) => out.copy_from_slice(self.states[at].of(&state)),
                Source::Param(_) | Source::Seed(_) => {}
            };
            let at = if self.gradients { step } else { 0 };
            let mut frame = memory.frame(self.plan, sum, at);
            evaluate(&mut frame, &self.plan.forward, step, false, fill, watch);
            if let Some(root) = &self.ports.loss {
                let mut loss = [F::zero()];
                frame.read(root, &mut loss);
                sample.loss += loss[0].wide();
            }
            for ((_, root), kept) in self.ports.asked.iter().zip(&mut sample.asked) {
                frame.read(root, &mut kept[step * root.len..(step + 1) * root.len]);
            }
            // A state without an equation for its next value keeps the one it has.
            for (part, root) in self.states.iter().zip(&self.ports.next) {
                if let Some(root) = root {
                    frame.read(root, part.of_mut(&mut next));
                }
            }
            std::mem::swap(&mut state, &mut next);
            if self.ports.next.iter().any(Option::is_none) {
                for (part, root) in self.states.iter().zip(&self.ports.next) {
                    if root.is_none() {
                        let kept = part.of(&state).to_vec();
                        part.of_mut(&mut next).copy_from_slice(&kept);
                    }
                }
            }
        }
        sample.finals.clone_from(&state);
        memory.state = state;
        memory.next = next;
    }

    fn backward(
        &self,
        sample: &mut Sample<F>,
        memory: &mut Memory<F>,
        sum: &mut [F],
        watch: &mut impl Watch<F>,
    ) {
        let steps = self.lengths[sample.number];
        let mut seeds = std::mem::take(&mut memory.state);
        let mut prev = std::mem::take(&mut memory.next);
        let mut room = std::mem::take(&mut memory.room);
        seeds.fill(F::zero());
        prev.fill(F::zero());
        let each_input = self.inputs.iter().map(|(_, len)| vec![F::zero(); len * steps]);
        sample.inputs = each_input.collect();
        for step in (0..steps).rev() {
            let fill = |source: Source, out: &mut [F]| match source {
                Source::Seed(at) => out.copy_from_slice(self.states[at].of(&seeds)),
                Source::Input(_) | Source::Param(_) | Source::Prev(_) => {}
            };
            let mut frame = memory.frame(self.plan, sum, step);
            evaluate(&mut frame, &self.plan.backward, step, true, fill, watch);
            for (offset, root) in &self.ports.params {
                frame.add(root, *offset, &mut room);
            }
            for (root, kept) in self.ports.inputs.iter().zip(&mut sample.inputs) {
                if let Some(root) = root {
                    frame.read(root, &mut kept[step * root.len..(step + 1) * root.len]);
                }
            }
            for (at, (part, root)) in self.states.iter().zip(&self.ports.prev).enumerate() {
                match root {
                    Some(root) => frame.read(root, part.of_mut(&mut prev)),
                    None if self.ports.next[at].is_none() => {
                        part.of_mut(&mut prev).copy_from_slice(part.of(&seeds));
                    }
                    None => {}
                }
            }
            std::mem::swap(&mut seeds, &mut prev);
        }
        sample.starts.clone_from(&seeds);
        memory.state = seeds;
        memory.next = prev;
        memory.room = room;
    }
}

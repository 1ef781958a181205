//! One group of samples through time: forward over their length, then backward.
//!
//! In: a plan of the step graph, first states, inputs. Out: what each sample gives, and the group's
//! share of the parameters' gradients, added to the sum of its chunk. Every array of the group is
//! `[elements][samples]`. Invariant: the order of every addition depends on the group and its length
//! alone.

use std::borrow::Cow;
use std::ops::Range;

use super::Part;
use super::float::{Float, round};
use super::plan::{At, Plan, Root, Source, Watch};

/// The roots of a step graph by their role.
#[derive(Clone, Debug)]
pub(super) struct Ports<R> {
    /// The loss.
    pub(super) loss: Option<Root<R>>,
    /// The next value of each state.
    pub(super) next: Vec<Option<Root<R>>>,
    /// The roots asked for.
    pub(super) asked: Vec<(String, Root<R>)>,
    /// The gradient of each input.
    pub(super) inputs: Vec<Option<Root<R>>>,
    /// The adjoint of each state before the step.
    pub(super) prev: Vec<Option<Root<R>>>,
}

/// Everything that all groups of a run share.
pub(super) struct Shared<'a, P: Plan> {
    /// The step graph, made ready.
    pub(super) plan: &'a P,
    /// Its roots.
    pub(super) ports: &'a Ports<P::Read>,
    /// Whether to run backward.
    pub(super) gradients: bool,
    /// Whether last states, and the gradients of inputs and first states, are told.
    pub(super) told: bool,
    /// States, one after the other.
    pub(super) states: &'a [Part],
    /// Lengths of the samples.
    pub(super) lengths: &'a [usize],
    /// The numbers of the batch.
    pub(super) fed: &'a Fed<'a>,
    /// First states as the program computes them.
    pub(super) starts: &'a [P::Float],
}

/// The numbers of a batch.
pub(super) struct Fed<'b> {
    /// Each input as `[T, B, sizes..]`, with the number of elements of one sample at one step.
    pub(super) inputs: Vec<(Cow<'b, [f64]>, usize)>,
    /// First states given in place of those that the program computes, each `[B, sizes..]`.
    pub(super) given: Vec<Option<Vec<f64>>>,
}

/// Consecutive samples of one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// The first.
    pub(super) first: usize,
    /// How many.
    pub(super) samples: usize,
}

/// What one sample gives.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample<F> {
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

/// The memory of one worker.
#[derive(Debug)]
pub(super) struct Memory<P: Plan> {
    plan: P::Memory,
    state: Vec<P::Float>,
    next: Vec<P::Float>,
    room: Vec<P::Float>,
}

impl<P: Plan> Default for Memory<P> {
    fn default() -> Memory<P> {
        Memory { plan: P::Memory::default(), state: Vec::new(), next: Vec::new(), room: Vec::new() }
    }
}

impl<P: Plan> Memory<P> {
    /// Elements of its tape.
    pub(super) fn tape(&self) -> usize {
        P::tape(&self.plan)
    }
}

/// What the chunk of a group adds up.
pub(super) struct Sums<'a, F> {
    /// Gradients of the parameters.
    pub(super) gradient: &'a mut [F],
    /// Adjoints of first states that the program computes.
    pub(super) seeds: &'a mut [F],
}

/// One sample of an array `[elements][samples]`.
fn column<F: Float>(all: &[F], samples: usize, number: usize) -> impl Iterator<Item = F> {
    all.iter().skip(number).step_by(samples).copied()
}

/// Writes rows `[samples][elements]` as `[elements][samples]`.
fn interleave<F: Float>(out: &mut [F], rows: &[f64], samples: usize) {
    if samples == 1 {
        return round(out, rows);
    }
    let len = (rows.len() / samples).max(1);
    for (number, row) in rows.chunks_exact(len).enumerate() {
        let places = out.iter_mut().skip(number).step_by(samples);
        places.zip(row).for_each(|(out, from)| *out = F::of(*from));
    }
}

/// The numbers of a part in an array `[elements][samples]`.
fn range(part: Part, samples: usize) -> Range<usize> {
    part.offset * samples..(part.offset + part.len) * samples
}

impl<P: Plan> Shared<'_, P> {
    /// Runs one group.
    pub(super) fn run(
        &self,
        group: Group,
        memory: &mut Memory<P>,
        sums: &mut Sums<'_, P::Float>,
        out: &mut Vec<Sample<P::Float>>,
        watch: &mut impl Watch<P::Float>,
    ) {
        let steps = self.lengths[group.first];
        let frames = if self.gradients { steps.max(1) } else { 1 };
        self.plan.fit(&mut memory.plan, frames, group.samples);
        let mut made = vec![Sample::default(); group.samples];
        self.forward(group, memory, &mut made, watch);
        if self.gradients {
            self.backward(group, memory, &mut made, sums.gradient, watch);
            self.add_seeds(group.samples, &memory.state, sums.seeds);
        }
        out.extend(made);
    }

    /// Adds up the adjoints of first states that the program computes.
    fn add_seeds(&self, samples: usize, seeds: &[P::Float], sums: &mut [P::Float]) {
        let states = self.states.iter().zip(&self.fed.given);
        for (part, _) in states.filter(|(_, given)| given.is_none()) {
            let own = &seeds[range(*part, samples)];
            for (sum, each) in part.of_mut(sums).iter_mut().zip(own.chunks_exact(samples)) {
                each.iter().for_each(|from| *sum += *from);
            }
        }
    }

    /// The states before the first step.
    fn begin(&self, Group { first, samples }: Group, state: &mut Vec<P::Float>) {
        state.clear();
        if samples == 1 {
            state.extend_from_slice(self.starts);
        } else {
            let each = self.starts.iter().flat_map(|start| std::iter::repeat_n(*start, samples));
            state.extend(each);
        }
        for (part, given) in self.states.iter().zip(&self.fed.given) {
            if let Some(given) = given {
                let rows = &given[first * part.len..][..samples * part.len];
                interleave(&mut state[range(*part, samples)], rows, samples);
            }
        }
    }

    fn forward(
        &self,
        group: Group,
        memory: &mut Memory<P>,
        made: &mut [Sample<P::Float>],
        watch: &mut impl Watch<P::Float>,
    ) {
        let Group { first, samples } = group;
        let Memory { plan, state, next, room } = memory;
        let batch = self.lengths.len();
        self.begin(group, state);
        next.clone_from(state);
        for sample in made.iter_mut() {
            sample.asked = vec![Vec::new(); self.ports.asked.len()];
        }
        let steps = self.lengths[first];
        for step in 0..steps {
            let at = At { step, frame: if self.gradients { step } else { 0 }, samples };
            let fill = |source: Source, out: &mut [P::Float]| match source {
                Source::Input(input) => {
                    let (all, len) = &self.fed.inputs[input];
                    let rows = &all[(step * batch + first) * len..][..samples * len];
                    interleave(out, rows, samples);
                }
                Source::Prev(at) => out.copy_from_slice(&state[range(self.states[at], samples)]),
                Source::Param(_) | Source::Seed(_) => {}
            };
            self.plan.forward(plan, at, fill, watch);
            if let Some(root) = &self.ports.loss {
                let losses = self.copy(plan, root, at, room);
                made.iter_mut().zip(losses).for_each(|(sample, loss)| sample.loss += loss.wide());
            }
            for (number, (_, root)) in self.ports.asked.iter().enumerate() {
                let values = self.copy(plan, root, at, room);
                for (at, sample) in made.iter_mut().enumerate() {
                    sample.asked[number].extend(column(values, samples, at));
                }
            }
            for (number, (part, root)) in self.states.iter().zip(&self.ports.next).enumerate() {
                let range = range(*part, samples);
                if self.plan.carries(number) && (step + 1 < steps || !self.told) {
                    continue;
                }
                match root {
                    Some(root) => self.plan.read(plan, root, at, &mut next[range]),
                    // A state without an equation for its next value keeps the one it has.
                    None => next[range.clone()].copy_from_slice(&state[range]),
                }
            }
            std::mem::swap(state, next);
        }
        for (number, sample) in made.iter_mut().enumerate().filter(|_| self.told) {
            sample.finals = column(state, samples, number).collect();
        }
    }

    fn backward(
        &self,
        Group { first, samples }: Group,
        memory: &mut Memory<P>,
        made: &mut [Sample<P::Float>],
        gradient: &mut [P::Float],
        watch: &mut impl Watch<P::Float>,
    ) {
        let Memory { plan, state: seeds, next: prev, room } = memory;
        let steps = self.lengths[first];
        seeds.fill(P::Float::of(0.0));
        prev.fill(P::Float::of(0.0));
        self.plan.turn(plan);
        for sample in made.iter_mut().filter(|_| self.told) {
            let each = self.fed.inputs.iter().map(|(_, len)| vec![P::Float::of(0.0); len * steps]);
            sample.inputs = each.collect();
        }
        for step in (0..steps).rev() {
            let at = At { step, frame: step, samples };
            let fill = |source: Source, out: &mut [P::Float]| match source {
                Source::Seed(at) => out.copy_from_slice(&seeds[range(self.states[at], samples)]),
                Source::Input(_) | Source::Param(_) | Source::Prev(_) => {}
            };
            self.plan.backward(plan, at, gradient, fill, watch);
            for (input, root) in self.ports.inputs.iter().enumerate() {
                let Some(root) = root.as_ref().filter(|_| self.told) else { continue };
                let values = self.copy(plan, root, at, room);
                for (at, sample) in made.iter_mut().enumerate() {
                    let to = &mut sample.inputs[input][step * root.len..][..root.len];
                    to.iter_mut().zip(column(values, samples, at)).for_each(|(to, v)| *to = v);
                }
            }
            for (at_state, (part, root)) in self.states.iter().zip(&self.ports.prev).enumerate() {
                let range = range(*part, samples);
                if self.plan.hands_on(at_state) && step > 0 {
                    continue;
                }
                match root {
                    Some(root) => self.plan.read(plan, root, at, &mut prev[range]),
                    None if self.ports.next[at_state].is_none() => {
                        prev[range.clone()].copy_from_slice(&seeds[range]);
                    }
                    None => {}
                }
            }
            std::mem::swap(seeds, prev);
        }
        self.plan.finish(plan, steps, samples, gradient);
        for (number, sample) in made.iter_mut().enumerate().filter(|_| self.told) {
            sample.starts = column(seeds, samples, number).collect();
        }
    }

    /// A root, copied into room that is used again.
    fn copy<'r>(
        &self,
        plan: &mut P::Memory,
        root: &Root<P::Read>,
        at: At,
        room: &'r mut Vec<P::Float>,
    ) -> &'r [P::Float] {
        room.resize(root.len * at.samples, P::Float::of(0.0));
        self.plan.read(plan, root, at, room);
        room
    }
}

//! One group of samples through time: forward over their length, then backward.
//!
//! In: a plan of the step graph, first states, inputs. Out: what each sample gives, and the group's
//! share of the parameters' gradients, added to the sum of its chunk. Every array of the group is
//! `[elements][samples]`. Invariant: the order of every addition depends on the group and its length alone.

use std::ops::Range;

use crate::backend::Part;

use super::code::Regions;
use super::helpers::Number;
use super::plan::{Frame, Plan, Root, Schedule, Source};

/// The roots of a step graph by their role.
#[derive(Clone, Debug)]
pub(super) struct Ports {
    /// The loss.
    pub(super) loss: Option<Root>,
    /// The next value of each state.
    pub(super) next: Vec<Option<Root>>,
    /// The roots asked for.
    pub(super) asked: Vec<(String, Root)>,
    /// The gradient of each input.
    pub(super) inputs: Vec<Option<Root>>,
    /// The adjoint of each state before the step.
    pub(super) prev: Vec<Option<Root>>,
}

/// Everything that all groups of a run share.
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
#[derive(Debug, Default)]
pub(super) struct Memory<F> {
    /// Samples that the contents are laid out for; contents are kept while that is the same, since
    /// points outside a node's space must stay 0.
    samples: usize,
    tape: Vec<F>,
    work: Vec<F>,
    state: Vec<F>,
    next: Vec<F>,
    room: Vec<F>,
}

impl<F: Number> Memory<F> {
    /// Makes room for that many steps of a group.
    pub(super) fn fit(&mut self, plan: &Plan<F>, steps: usize, samples: usize) {
        let (tape, work) = plan.memory();
        if self.samples != samples {
            self.samples = samples;
            self.tape.clear();
            self.work.clear();
        }
        for (memory, len) in
            [(&mut self.tape, tape * steps * samples), (&mut self.work, work * samples)]
        {
            if memory.len() < len {
                memory.resize(len, F::default());
            }
        }
    }

    /// The frame of a step.
    pub(super) fn frame<'a>(
        &'a mut self,
        plan: &'a Plan<F>,
        step: usize,
        samples: usize,
    ) -> Frame<'a, F> {
        let tape = plan.memory().0 * samples;
        Frame {
            fixed: &plan.fixed,
            tape: &mut self.tape[step * tape..(step + 1) * tape],
            work: &mut self.work,
        }
    }

    /// Fills the leaves of a phase.
    pub(super) fn fill(
        &mut self,
        plan: &Plan<F>,
        schedule: &Schedule,
        step: usize,
        samples: usize,
        fill: impl Fn(Source, &mut [F]),
    ) {
        let mut frame = self.frame(plan, step, samples);
        for feed in &schedule.feeds {
            fill(feed.source, frame.leaf(*feed, samples));
        }
    }

    /// Runs the functions of a phase.
    pub(super) fn run(
        &mut self,
        plan: &Plan<F>,
        calls: Range<usize>,
        step: usize,
        samples: usize,
        gradient: &mut [F],
    ) {
        let Frame { fixed, tape, work } = self.frame(plan, step, samples);
        plan.code(samples).run(calls, &mut Regions { fixed, tape, work, gradient });
    }
}

/// One sample of an array `[elements][samples]`.
fn column<F: Number>(all: &[F], samples: usize, number: usize) -> impl Iterator<Item = F> {
    all.iter().skip(number).step_by(samples).copied()
}

impl<F: Number> Shared<'_, F> {
    /// Runs one group; its share of the gradients is added to `sum`, the adjoints of its first
    /// states, where the program computes them, to `seeds`.
    pub(super) fn run(
        &self,
        group: (usize, usize),
        memory: &mut Memory<F>,
        sum: &mut [F],
        seeds: &mut [F],
        out: &mut Vec<Sample<F>>,
    ) {
        let (first, samples) = group;
        let steps = self.lengths[first];
        memory.fit(self.plan, if self.gradients { steps.max(1) } else { 1 }, samples);
        let mut made = vec![Sample::default(); samples];
        self.forward(group, memory, &mut made, sum);
        if self.gradients {
            self.backward(group, memory, &mut made, sum);
            for (part, given) in self.states.iter().zip(self.given) {
                if given.is_some() {
                    continue;
                }
                for sample in &made {
                    let from = part.of(&sample.starts);
                    let sums = part.of_mut(seeds).iter_mut().zip(from);
                    sums.for_each(|(sum, from)| *sum = sum.plus(*from));
                }
            }
        }
        out.extend(made);
    }

    fn begin(&self, (first, samples): (usize, usize), state: &mut Vec<F>) {
        state.clear();
        state.extend(self.starts.iter().flat_map(|start| std::iter::repeat_n(*start, samples)));
        for (part, given) in self.states.iter().zip(self.given) {
            let Some(given) = given else { continue };
            for number in 0..samples {
                let from = &given[(first + number) * part.len..][..part.len];
                for (at, value) in from.iter().enumerate() {
                    state[(part.offset + at) * samples + number] = F::of(*value);
                }
            }
        }
    }

    fn part(part: Part, samples: usize) -> Range<usize> {
        part.offset * samples..(part.offset + part.len) * samples
    }

    fn forward(
        &self,
        (first, samples): (usize, usize),
        memory: &mut Memory<F>,
        made: &mut [Sample<F>],
        sum: &mut [F],
    ) {
        let (steps, batch) = (self.lengths[first], self.lengths.len());
        let mut state = std::mem::take(&mut memory.state);
        let mut next = std::mem::take(&mut memory.next);
        let mut room = std::mem::take(&mut memory.room);
        self.begin((first, samples), &mut state);
        next.clone_from(&state);
        for sample in made.iter_mut() {
            sample.asked = vec![Vec::new(); self.ports.asked.len()];
        }
        for step in 0..steps {
            let at = if self.gradients { step } else { 0 };
            memory.fill(self.plan, &self.plan.forward, at, samples, |source, out| match source {
                Source::Input(input) => {
                    let (all, len) = self.inputs[input];
                    let rows = &all[(step * batch + first) * len..][..samples * len];
                    for (number, row) in rows.chunks_exact(len.max(1)).enumerate() {
                        let places = out.iter_mut().skip(number).step_by(samples);
                        places.zip(row).for_each(|(out, from)| *out = F::of(*from));
                    }
                }
                Source::Prev(at) => {
                    out.copy_from_slice(&state[Self::part(self.states[at], samples)]);
                }
                Source::Param(_) | Source::Seed(_) => {}
            });
            memory.run(self.plan, self.plan.forward.calls.clone(), at, samples, sum);
            let frame = memory.frame(self.plan, at, samples);
            if let Some(root) = &self.ports.loss {
                room.resize(samples, F::default());
                frame.read(root, samples, &mut room[..samples]);
                made.iter_mut().zip(&room).for_each(|(sample, loss)| sample.loss += loss.wide());
            }
            for (number, (_, root)) in self.ports.asked.iter().enumerate() {
                room.resize(root.len * samples, F::default());
                frame.read(root, samples, &mut room[..root.len * samples]);
                for (at, sample) in made.iter_mut().enumerate() {
                    let values = column(&room[..root.len * samples], samples, at);
                    sample.asked[number].extend(values);
                }
            }
            for (part, root) in self.states.iter().zip(&self.ports.next) {
                let range = Self::part(*part, samples);
                match root {
                    Some(root) => frame.read(root, samples, &mut next[range]),
                    // A state without an equation for its next value keeps the one it has.
                    None => next[range.clone()].copy_from_slice(&state[range]),
                }
            }
            std::mem::swap(&mut state, &mut next);
        }
        for (number, sample) in made.iter_mut().enumerate() {
            sample.finals = column(&state, samples, number).collect();
        }
        (memory.state, memory.next, memory.room) = (state, next, room);
    }

    fn backward(
        &self,
        (first, samples): (usize, usize),
        memory: &mut Memory<F>,
        made: &mut [Sample<F>],
        sum: &mut [F],
    ) {
        let steps = self.lengths[first];
        let mut seeds = std::mem::take(&mut memory.state);
        let mut prev = std::mem::take(&mut memory.next);
        let mut room = std::mem::take(&mut memory.room);
        seeds.fill(F::default());
        prev.fill(F::default());
        for sample in made.iter_mut() {
            let each = self.inputs.iter().map(|(_, len)| vec![F::default(); len * steps]);
            sample.inputs = each.collect();
        }
        for step in (0..steps).rev() {
            memory.fill(self.plan, &self.plan.backward, step, samples, |source, out| {
                if let Source::Seed(at) = source {
                    out.copy_from_slice(&seeds[Self::part(self.states[at], samples)]);
                }
            });
            memory.run(self.plan, self.plan.backward.calls.clone(), step, samples, sum);
            let frame = memory.frame(self.plan, step, samples);
            for (input, root) in self.ports.inputs.iter().enumerate() {
                let Some(root) = root else { continue };
                room.resize(root.len * samples, F::default());
                frame.read(root, samples, &mut room[..root.len * samples]);
                for (at, sample) in made.iter_mut().enumerate() {
                    let to = &mut sample.inputs[input][step * root.len..][..root.len];
                    let values = column(&room[..root.len * samples], samples, at);
                    to.iter_mut().zip(values).for_each(|(to, value)| *to = value);
                }
            }
            for (at, (part, root)) in self.states.iter().zip(&self.ports.prev).enumerate() {
                let range = Self::part(*part, samples);
                match root {
                    Some(root) => frame.read(root, samples, &mut prev[range]),
                    None if self.ports.next[at].is_none() => {
                        prev[range.clone()].copy_from_slice(&seeds[range]);
                    }
                    None => {}
                }
            }
            std::mem::swap(&mut seeds, &mut prev);
        }
        for (number, sample) in made.iter_mut().enumerate() {
            sample.starts = column(&seeds, samples, number).collect();
        }
        (memory.state, memory.next, memory.room) = (seeds, prev, room);
    }
}

//! One group of samples through time: forward over their length, then backward.
//!
//! In: a plan of the step graph, first states, inputs. Out: what each sample gives, and the group's
//! share of the parameters' gradients, added to the sum of its chunk. Every array of the group is
//! `[elements][samples]`. Where not all frames may be kept, a sequence is cut into stretches: the states
//! before each are kept, and its frames are computed again when the backward sweep comes to it.
//! Invariant: the order of every addition depends on the group and its length alone.

use std::borrow::Cow;
use std::ops::Range;

use super::Part;
use super::float::{Float, round};
use super::plan::{At, Blind, PASSING, Plan, Root, Source, Watch};

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
    /// Steps whose frames are kept at a time: a multiple of the plan's block.
    pub(super) stretch: usize,
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
    /// For each state, whether its first value is computed from parameters.
    pub(super) learned: &'a [bool],
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

/// Cuts a batch into groups of consecutive samples of equal length, of sizes listed largest first. No
/// group holds more than half of such a run, so that two threads find work, or more than are run together for
/// that many steps.
pub(super) fn groups(
    lengths: &[usize],
    sizes: &[usize],
    together: impl Fn(usize) -> usize,
) -> Vec<Group> {
    let mut all = Vec::new();
    let mut first = 0;
    while first < lengths.len() {
        let steps = lengths[first];
        let alike = lengths[first..].iter().take_while(|len| **len == steps).count();
        let (end, most) = (first + alike, together(steps).min(alike / 2));
        while first < end {
            let fits = |size: &usize| *size <= most && *size <= end - first;
            let samples = sizes.iter().copied().find(fits).unwrap_or(1);
            all.push(Group { first, samples });
            first += samples;
        }
    }
    all
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
    /// States before a step, and after it.
    states: [Vec<P::Float>; 2],
    /// Adjoints of states after a step, and before it.
    adjoints: [Vec<P::Float>; 2],
    /// States before each stretch, one after the other.
    kept: Vec<P::Float>,
    room: Vec<P::Float>,
}

impl<P: Plan> Default for Memory<P> {
    fn default() -> Memory<P> {
        Memory {
            plan: P::Memory::default(),
            states: Default::default(),
            adjoints: Default::default(),
            kept: Vec::new(),
            room: Vec::new(),
        }
    }
}

impl<P: Plan> Memory<P> {
    /// From the next run on a second thread helps, or none does.
    pub(super) fn help(&mut self, wanted: bool) {
        P::help(&mut self.plan, wanted);
    }

    /// Whether one does.
    pub(super) fn is_helped(&self) -> bool {
        P::is_helped(&self.plan)
    }

    /// Does both, the other one on that second thread if there is one.
    pub(super) fn both(&mut self, own: impl FnOnce(), other: impl FnOnce() + Send) {
        P::both(&mut self.plan, own, other);
    }

    /// Elements of its tape.
    pub(super) fn tape(&self) -> usize {
        P::tape(&self.plan)
    }
}

/// What the chunk of a group adds up.
pub(super) struct Sums<'a, F> {
    /// Gradients of the parameters.
    pub(super) gradient: &'a mut [F],
    /// Adjoints of first states that are computed from parameters; nothing, if none is.
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
        let kept = if self.gradients { self.stretch.min(steps) + 1 } else { PASSING };
        self.plan.fit(&mut memory.plan, kept.max(PASSING), group.samples);
        let mut made = vec![Sample::default(); group.samples];
        self.forward(group, memory, &mut made, watch);
        if self.gradients {
            self.backward(group, memory, &mut made, sums.gradient, watch);
            self.add_seeds(group.samples, &memory.adjoints[0], sums.seeds);
        }
        out.extend(made);
    }

    /// The stretches of a sequence, the first first.
    fn stretches(&self, steps: usize) -> Vec<Range<usize>> {
        let most = if self.gradients { self.stretch } else { usize::MAX };
        (0..steps).step_by(most).map(|first| first..first.saturating_add(most).min(steps)).collect()
    }

    /// Adds up the adjoints of first states that the program computes.
    fn add_seeds(&self, samples: usize, seeds: &[P::Float], sums: &mut [P::Float]) {
        let states = self.states.iter().zip(self.fed.given.iter().zip(self.learned));
        let computed = states.filter(|(_, (given, learned))| given.is_none() && **learned);
        for (part, _) in computed {
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
        let [state, next] = &mut memory.states;
        self.begin(group, state);
        next.resize(state.len(), P::Float::of(0.0));
        for sample in made.iter_mut() {
            sample.asked = vec![Vec::new(); self.ports.asked.len()];
        }
        let steps = self.lengths[first];
        let stretches = self.stretches(steps);
        let cut = stretches.len() > 1;
        memory.kept.clear();
        if cut {
            memory.kept.reserve_exact(stretches.len() * memory.states[0].len());
        }
        for stretch in &stretches {
            if cut {
                memory.kept.extend_from_slice(&memory.states[0]);
            }
            for step in stretch.clone() {
                let at = match self.gradients {
                    true => At::kept(step, stretch.start, samples),
                    false => At::passing(step, samples),
                };
                self.one(group, memory, at, watch);
                self.tell(memory, at, made);
                let next = step + 1;
                self.carry(memory, at, if next == steps { self.told } else { next == stretch.end });
            }
        }
        for (number, sample) in made.iter_mut().enumerate().filter(|_| self.told) {
            sample.finals = column(&memory.states[0], samples, number).collect();
        }
    }

    /// One step forward.
    fn one(
        &self,
        Group { first, samples }: Group,
        memory: &mut Memory<P>,
        at: At,
        watch: &mut impl Watch<P::Float>,
    ) {
        let Memory { plan, states: [state, _], .. } = memory;
        let batch = self.lengths.len();
        let fill = |source: Source, out: &mut [P::Float]| match source {
            Source::Input(input) => {
                let (all, len) = &self.fed.inputs[input];
                let rows = &all[(at.step * batch + first) * len..][..samples * len];
                interleave(out, rows, samples);
            }
            Source::Prev(at) => out.copy_from_slice(&state[range(self.states[at], samples)]),
            Source::Param(_) | Source::Seed(_) => {}
        };
        self.plan.forward(plan, at, fill, watch);
    }

    /// What a step gives each sample.
    fn tell(&self, memory: &mut Memory<P>, at: At, made: &mut [Sample<P::Float>]) {
        let Memory { plan, room, .. } = memory;
        if let Some(root) = &self.ports.loss {
            let losses = self.copy(plan, root, at, room);
            made.iter_mut().zip(losses).for_each(|(sample, loss)| sample.loss += loss.wide());
        }
        for (number, (_, root)) in self.ports.asked.iter().enumerate() {
            let values = self.copy(plan, root, at, room);
            for (own, sample) in made.iter_mut().enumerate() {
                sample.asked[number].extend(column(values, at.samples, own));
            }
        }
    }

    /// States become those after the step: all of them, or those that do not find their own way.
    fn carry(&self, memory: &mut Memory<P>, at: At, all: bool) {
        let Memory { plan, states: [state, next], .. } = memory;
        for (number, (part, root)) in self.states.iter().zip(&self.ports.next).enumerate() {
            let range = range(*part, at.samples);
            if self.plan.carries(number) && !all {
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

    /// Computes the frames of a stretch anew.
    fn again(
        &self,
        group: Group,
        memory: &mut Memory<P>,
        (number, stretch): (usize, &Range<usize>),
    ) {
        let Memory { states: [state, _], kept, .. } = memory;
        let len = state.len();
        state.copy_from_slice(&kept[number * len..][..len]);
        for step in stretch.clone() {
            let at = At::kept(step, stretch.start, group.samples);
            self.one(group, memory, at, &mut Blind);
            self.carry(memory, at, false);
        }
    }

    fn backward(
        &self,
        group: Group,
        memory: &mut Memory<P>,
        made: &mut [Sample<P::Float>],
        gradient: &mut [P::Float],
        watch: &mut impl Watch<P::Float>,
    ) {
        let Group { first, samples } = group;
        let steps = self.lengths[first];
        self.no_adjoints(memory, group);
        self.plan.turn(&mut memory.plan);
        for sample in made.iter_mut().filter(|_| self.told) {
            let each = self.fed.inputs.iter().map(|(_, len)| vec![P::Float::of(0.0); len * steps]);
            sample.inputs = each.collect();
        }
        let stretches = self.stretches(steps);
        for (number, stretch) in stretches.iter().enumerate().rev() {
            if stretch.end < steps {
                self.again(group, memory, (number, stretch));
            }
            for step in stretch.clone().rev() {
                let at = At::kept(step, stretch.start, samples);
                self.one_back(memory, at, gradient, watch);
                self.tell_inputs(memory, at, made);
                self.hand_on(memory, at);
            }
            self.plan.finish(&mut memory.plan, stretch.len(), samples, gradient);
        }
        for (number, sample) in made.iter_mut().enumerate().filter(|_| self.told) {
            sample.starts = column(&memory.adjoints[0], samples, number).collect();
        }
    }

    /// The adjoints of the states after the last step: all 0. What finds its own way is written before it is read, but
    /// for a sequence without steps.
    fn no_adjoints(&self, memory: &mut Memory<P>, Group { first, samples }: Group) {
        let len = memory.states[0].len();
        let zero = P::Float::of(0.0);
        for adjoint in &mut memory.adjoints {
            adjoint.resize(len, zero);
            for (state, part) in self.states.iter().enumerate() {
                if !self.plan.hands_on(state) || self.lengths[first] == 0 {
                    adjoint[range(*part, samples)].fill(zero);
                }
            }
        }
    }

    /// One step backward.
    fn one_back(
        &self,
        memory: &mut Memory<P>,
        at: At,
        gradient: &mut [P::Float],
        watch: &mut impl Watch<P::Float>,
    ) {
        let Memory { plan, adjoints: [seeds, _], .. } = memory;
        let fill = |source: Source, out: &mut [P::Float]| match source {
            Source::Seed(state) => {
                out.copy_from_slice(&seeds[range(self.states[state], at.samples)]);
            }
            Source::Input(_) | Source::Param(_) | Source::Prev(_) => {}
        };
        self.plan.backward(plan, at, gradient, fill, watch);
    }

    /// Gradients of the inputs of a step.
    fn tell_inputs(&self, memory: &mut Memory<P>, at: At, made: &mut [Sample<P::Float>]) {
        let Memory { plan, room, .. } = memory;
        for (input, root) in self.ports.inputs.iter().enumerate() {
            let Some(root) = root.as_ref().filter(|_| self.told) else { continue };
            let values = self.copy(plan, root, at, room);
            for (number, sample) in made.iter_mut().enumerate() {
                let to = &mut sample.inputs[input][at.step * root.len..][..root.len];
                to.iter_mut().zip(column(values, at.samples, number)).for_each(|(to, v)| *to = v);
            }
        }
    }

    /// Adjoints of states become those before the step.
    fn hand_on(&self, memory: &mut Memory<P>, at: At) {
        let Memory { plan, adjoints: [seeds, prev], .. } = memory;
        for (state, (part, root)) in self.states.iter().zip(&self.ports.prev).enumerate() {
            let range = range(*part, at.samples);
            let wanted = at.step == 0 && (self.told || self.learned[state]);
            if self.plan.hands_on(state) && !wanted {
                continue;
            }
            match root {
                Some(root) => self.plan.read(plan, root, at, &mut prev[range]),
                None if self.ports.next[state].is_none() => {
                    prev[range.clone()].copy_from_slice(&seeds[range]);
                }
                None => {}
            }
        }
        std::mem::swap(seeds, prev);
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

#[cfg(test)]
mod tests {
    use super::groups;

    #[test]
    fn groups_hold_samples_of_one_length() {
        let sizes = |lengths: &[usize]| -> Vec<(usize, usize)> {
            let all = groups(lengths, &[16, 8, 4, 1], |_| 100);
            all.into_iter().map(|group| (group.first, group.samples)).collect()
        };
        assert_eq!(sizes(&[5; 45]), [(0, 16), (16, 16), (32, 8), (40, 4), (44, 1)]);
        assert_eq!(sizes(&[5; 8]), [(0, 4), (4, 4)]);
        assert_eq!(sizes(&[3, 3, 2, 3]), [(0, 1), (1, 1), (2, 1), (3, 1)]);
        assert!(sizes(&[]).is_empty());
        assert_eq!(groups(&[2; 3], &[1], |_| 100).len(), 3);
        assert_eq!(groups(&[2; 16], &[16, 8, 4, 1], |_| 5).len(), 4);
        assert_eq!(groups(&[[2; 8], [9; 8]].concat(), &[4, 1], |steps| 10 / steps).len(), 2 + 8);
    }
}

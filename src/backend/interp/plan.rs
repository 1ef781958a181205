//! A graph made ready: kernels in order, leaves to fill, roots to read.
//!
//! In: a graph and what is wanted of it. Out: an [`Interpreted`] plan. Invariant: running a plan allocates
//! nothing, except where positions depend on data and in whole-axis primitives.

use std::collections::BTreeMap;

use crate::backend::float::Float;
use crate::backend::phase::{Phase, Wanted};
use crate::backend::plan::{At, Plan, Root, Size, Source, Watch};
use crate::graph::{Graph, NodeId};

use super::kernel::{Kernel, compile, compile_read};
use super::layout::layout;
use super::line::Arm;
use super::place::{Region, Regions, Slot};

/// One node to evaluate.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The node.
    pub(super) id: NodeId,
    /// Where its value goes.
    pub(super) slot: Slot,
    kernel: Kernel,
}

/// A leaf to fill.
#[derive(Clone, Copy, Debug)]
pub(super) struct Feed {
    /// The node.
    pub(super) id: NodeId,
    /// Where its value goes.
    pub(super) slot: Slot,
    /// Where it comes from.
    pub(super) source: Source,
}

/// What one phase fills and evaluates.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    /// Leaves, filled first.
    pub(super) feeds: Vec<Feed>,
    /// Nodes, in order.
    pub(super) steps: Vec<Step>,
}

/// A graph made ready.
#[derive(Clone, Debug)]
pub(super) struct Interpreted<F> {
    /// Values of constants, and of what depends on parameters alone.
    pub(super) fixed: Vec<F>,
    /// Once a run.
    pub(super) params: Schedule,
    /// Every step.
    forward: Schedule,
    /// Every step, backwards.
    backward: Schedule,
    /// Elements of a frame of the tape.
    tape: usize,
    /// Elements of the work memory.
    work: usize,
    roots: BTreeMap<String, Root<Arm>>,
    /// Roots that are added to the gradient after each step, with their places in it.
    sums: Vec<(usize, Root<Arm>)>,
}

/// The memory of one worker.
#[derive(Debug, Default)]
pub(super) struct Memory<F> {
    tape: Vec<F>,
    work: Vec<F>,
    room: Vec<F>,
    spare: [Vec<u32>; 3],
}

/// The memory of one step.
struct Frame<'a, F> {
    /// Shared values.
    fixed: &'a [F],
    /// This step's frame of the tape.
    tape: &'a mut [F],
    /// Values that the next step overwrites.
    work: &'a mut [F],
    /// Sums over steps.
    gradient: &'a mut [F],
    /// Room for positions that depend on data.
    spare: &'a mut [Vec<u32>; 3],
}

impl<F: Float> Frame<'_, F> {
    /// Evaluates one node.
    #[inline]
    fn run(&mut self, step: &Step) {
        let Slot { region, offset, len } = step.slot;
        let fixed = self.fixed;
        match region {
            Region::Fixed => panic!("internal error: interp: a fixed node inside the loop"),
            Region::Tape => {
                let (below, rest) = self.tape.split_at_mut(offset);
                let regions = Regions { fixed, tape: below, work: self.work };
                step.kernel.run(&mut rest[..len], regions, self.spare);
            }
            Region::Work => {
                let (below, rest) = self.work.split_at_mut(offset);
                let regions = Regions { fixed, tape: self.tape, work: below };
                step.kernel.run(&mut rest[..len], regions, self.spare);
            }
            Region::Gradient => {
                let out = &mut self.gradient[offset..offset + len];
                let regions = Regions { fixed, tape: self.tape, work: self.work };
                step.kernel.run(out, regions, self.spare);
            }
        }
    }

    /// The value of a leaf, to be filled.
    fn leaf(&mut self, slot: Slot) -> &mut [F] {
        let memory = match slot.region {
            Region::Tape => &mut *self.tape,
            Region::Work => &mut *self.work,
            Region::Gradient => &mut *self.gradient,
            Region::Fixed => panic!("internal error: interp: a fixed leaf inside the loop"),
        };
        &mut memory[slot.offset..slot.offset + slot.len]
    }

    /// The value just evaluated.
    fn value(&self, slot: Slot) -> &[F] {
        match slot.region {
            Region::Fixed | Region::Tape | Region::Work => self.regions().read(slot),
            Region::Gradient => &self.gradient[slot.offset..slot.offset + slot.len],
        }
    }

    fn regions(&self) -> Regions<'_, F> {
        Regions { fixed: self.fixed, tape: self.tape, work: self.work }
    }

    /// Adds a root to the gradient.
    fn add(&mut self, root: &Root<Arm>, offset: usize, room: &mut Vec<F>) {
        let regions = Regions { fixed: self.fixed, tape: self.tape, work: self.work };
        let sum = &mut self.gradient[offset..offset + root.len];
        if let Some(value) = root.read.whole(regions, root.len) {
            sum.iter_mut().zip(value).for_each(|(sum, value)| *sum += *value);
            return;
        }
        room.clear();
        room.resize(root.len, F::zero());
        root.read.run(room, regions, self.spare);
        sum.iter_mut().zip(room.iter()).for_each(|(sum, value)| *sum += *value);
    }

    /// Fills the leaves of a phase and evaluates its nodes.
    #[inline]
    fn evaluate(
        &mut self,
        schedule: &Schedule,
        (step, backward): (usize, bool),
        fill: impl Fn(Source, &mut [F]),
        watch: &mut impl Watch<F>,
    ) {
        for Feed { id, slot, source } in &schedule.feeds {
            fill(*source, self.leaf(*slot));
            watch.see(*id, self.value(*slot), step, backward);
        }
        for node in &schedule.steps {
            self.run(node);
            watch.see(node.id, self.value(node.slot), step, backward);
        }
    }
}

impl<F> Memory<F> {
    /// The frame of a step.
    fn frame<'a>(
        &'a mut self,
        plan: &'a Interpreted<F>,
        at: At,
        gradient: &'a mut [F],
    ) -> Frame<'a, F> {
        Frame {
            fixed: &plan.fixed,
            tape: &mut self.tape[at.frame * plan.tape..(at.frame + 1) * plan.tape],
            work: &mut self.work,
            gradient,
            spare: &mut self.spare,
        }
    }
}

impl<F: Float> Interpreted<F> {
    /// Evaluates nodes that are the same for all steps.
    fn settle(&mut self, schedule: &Schedule) {
        let mut spare = Default::default();
        for step in &schedule.steps {
            let (below, rest) = self.fixed.split_at_mut(step.slot.offset);
            let regions = Regions { fixed: below, tape: &[], work: &[] };
            step.kernel.run(&mut rest[..step.slot.len], regions, &mut spare);
        }
    }

    /// Finds the roots that are wanted.
    fn find_roots(&mut self, graph: &Graph, wanted: &Wanted, slots: &[Slot]) {
        for name in wanted.forward.iter().chain(&wanted.backward) {
            let Some(read) = graph.root(name) else { continue };
            let slot = slots[read.node.0 as usize];
            if slot.region == Region::Gradient {
                continue;
            }
            let from = &graph.node(read.node).space.sizes;
            let arm = compile_read(&read.access, from, &read.sizes, slot);
            let root = Root::new(arm, &read.sizes);
            match wanted.sums.get(name) {
                Some(offset) => self.sums.push((*offset, root)),
                None => {
                    self.roots.insert(name.clone(), root);
                }
            }
        }
    }
}

impl<F: Float> Plan for Interpreted<F> {
    type Float = F;
    type Read = Arm;
    type Memory = Memory<F>;

    const GROUPS: &'static [usize] = &[1];

    fn new(graph: &Graph, wanted: &Wanted) -> Interpreted<F> {
        let layout = layout(graph, wanted);
        let mut plan = Interpreted {
            fixed: vec![F::zero(); layout.fixed as usize],
            params: Schedule::default(),
            forward: Schedule::default(),
            backward: Schedule::default(),
            tape: layout.tape as usize,
            work: layout.work as usize,
            roots: BTreeMap::new(),
            sums: Vec::new(),
        };
        let mut constants = Schedule::default();
        for id in graph.ids() {
            let at = id.0 as usize;
            let schedule = match layout.phases[at] {
                None => continue,
                Some(Phase::Constant) => &mut constants,
                Some(Phase::Params) => &mut plan.params,
                Some(Phase::Forward) => &mut plan.forward,
                Some(Phase::Backward) => &mut plan.backward,
            };
            let slot = layout.slots[at];
            if let Some(source) = Source::of(&graph.node(id).op) {
                schedule.feeds.push(Feed { id, slot, source });
                continue;
            }
            let sum = slot.region == Region::Gradient;
            let kernel = compile(graph, &layout.slots, id, layout.contracted[at], sum);
            if !matches!(kernel, Kernel::Nothing) {
                schedule.steps.push(Step { id, slot, kernel });
            }
        }
        plan.find_roots(graph, wanted, &layout.slots);
        plan.settle(&constants);
        plan
    }

    fn size(graph: &Graph, wanted: &Wanted) -> Size {
        super::bytes::size(graph, wanted)
    }

    fn together(&self, _: usize) -> usize {
        1
    }

    fn kernels(&self) -> usize {
        self.forward.steps.len() + self.backward.steps.len() + self.sums.len()
    }

    fn tape(memory: &Memory<F>) -> usize {
        memory.tape.len()
    }

    fn prepare(&mut self, samples: usize) {
        assert_eq!(samples, 1, "internal error: interp: samples are run one by one");
    }

    fn set_params(&mut self, fill: impl Fn(usize, usize, &mut [F])) {
        let schedule = std::mem::take(&mut self.params);
        for feed in &schedule.feeds {
            match feed.source {
                Source::Param(param) => {
                    fill(param, 0, &mut self.fixed[feed.slot.offset..][..feed.slot.len])
                }
                Source::Input(_) | Source::Prev(_) | Source::Seed(_) => {}
            }
        }
        self.settle(&schedule);
        self.params = schedule;
    }

    fn root(&self, name: &str) -> Option<Root<Arm>> {
        self.roots.get(name).cloned()
    }

    fn fit(&self, memory: &mut Memory<F>, frames: usize, _: usize) {
        for (memory, len) in [(&mut memory.tape, frames * self.tape), (&mut memory.work, self.work)]
        {
            if memory.len() < len {
                memory.resize(len, F::zero());
            }
        }
    }

    fn forward(
        &self,
        memory: &mut Memory<F>,
        at: At,
        fill: impl Fn(Source, &mut [F]),
        watch: &mut impl Watch<F>,
    ) {
        let mut frame = memory.frame(self, at, &mut []);
        frame.evaluate(&self.forward, (at.step, false), fill, watch);
    }

    fn backward(
        &self,
        memory: &mut Memory<F>,
        at: At,
        gradient: &mut [F],
        fill: impl Fn(Source, &mut [F]),
        watch: &mut impl Watch<F>,
    ) {
        let mut room = std::mem::take(&mut memory.room);
        let mut frame = memory.frame(self, at, gradient);
        frame.evaluate(&self.backward, (at.step, true), fill, watch);
        for (offset, root) in &self.sums {
            frame.add(root, *offset, &mut room);
        }
        memory.room = room;
    }

    fn read(&self, memory: &mut Memory<F>, root: &Root<Arm>, at: At, out: &mut [F]) {
        let Frame { fixed, tape, work, spare, .. } = memory.frame(self, at, &mut []);
        root.read.run(out, Regions { fixed, tape, work }, spare);
    }
}

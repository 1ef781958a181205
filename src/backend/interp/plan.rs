//! A graph made ready: kernels in order, leaves to fill, roots to read.
//!
//! In: a graph and what is wanted of it. Out: a [`Plan`]. Invariant: running a plan allocates
//! nothing, except where positions depend on data and in whole-axis primitives.

use std::collections::BTreeMap;

use crate::backend::phase::{Phase, Wanted};
use crate::graph::{Graph, Leaf, NodeId, Op};

use super::float::Float;
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

/// Where the value of a leaf comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// An input of the step.
    Input(usize),
    /// A parameter.
    Param(usize),
    /// A state before the step.
    Prev(usize),
    /// The adjoint of a state after the step.
    Seed(usize),
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

/// A named result.
#[derive(Clone, Debug)]
pub(super) struct Root {
    arm: Arm,
    /// Number of elements.
    pub(super) len: usize,
    /// Shape.
    pub(super) sizes: Vec<u32>,
}

/// A graph made ready.
#[derive(Clone, Debug)]
pub(super) struct Plan<F> {
    /// Values of constants, and of what depends on parameters alone.
    pub(super) fixed: Vec<F>,
    /// Once a run.
    pub(super) params: Schedule,
    /// Every step.
    pub(super) forward: Schedule,
    /// Every step, backwards.
    pub(super) backward: Schedule,
    /// Elements of a frame of the tape.
    pub(super) tape: usize,
    /// Elements of the work memory.
    pub(super) work: usize,
    roots: BTreeMap<String, Root>,
}

/// The memory of one step.
pub(super) struct Frame<'a, F> {
    /// Shared values.
    pub(super) fixed: &'a [F],
    /// This step's frame of the tape.
    pub(super) tape: &'a mut [F],
    /// Values that the next step overwrites.
    pub(super) work: &'a mut [F],
    /// Sums over steps.
    pub(super) gradient: &'a mut [F],
    /// Room for positions that depend on data.
    pub(super) spare: &'a mut [Vec<u32>; 3],
}

impl<F: Float> Frame<'_, F> {
    /// Evaluates one node.
    #[inline]
    pub(super) fn run(&mut self, step: &Step) {
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
    pub(super) fn leaf(&mut self, slot: Slot) -> &mut [F] {
        let memory = match slot.region {
            Region::Tape => &mut *self.tape,
            Region::Work => &mut *self.work,
            Region::Gradient => &mut *self.gradient,
            Region::Fixed => panic!("internal error: interp: a fixed leaf inside the loop"),
        };
        &mut memory[slot.offset..slot.offset + slot.len]
    }

    /// The value just evaluated.
    pub(super) fn value(&self, slot: Slot) -> &[F] {
        match slot.region {
            Region::Fixed | Region::Tape | Region::Work => self.regions().read(slot),
            Region::Gradient => &self.gradient[slot.offset..slot.offset + slot.len],
        }
    }

    fn regions(&self) -> Regions<'_, F> {
        Regions { fixed: self.fixed, tape: self.tape, work: self.work }
    }

    /// Writes a root.
    pub(super) fn read(&mut self, root: &Root, out: &mut [F]) {
        let regions = Regions { fixed: self.fixed, tape: self.tape, work: self.work };
        root.arm.run(out, regions, self.spare);
    }

    /// Adds a root to a sum.
    pub(super) fn add(&mut self, root: &Root, offset: usize, room: &mut Vec<F>) {
        let regions = Regions { fixed: self.fixed, tape: self.tape, work: self.work };
        let sum = &mut self.gradient[offset..offset + root.len];
        if let Some(value) = root.arm.whole(regions, root.len) {
            sum.iter_mut().zip(value).for_each(|(sum, value)| *sum += *value);
            return;
        }
        room.clear();
        room.resize(root.len, F::zero());
        root.arm.run(room, regions, self.spare);
        sum.iter_mut().zip(room.iter()).for_each(|(sum, value)| *sum += *value);
    }
}

impl<F: Float> Plan<F> {
    /// Makes a graph ready and evaluates what depends on nothing.
    pub(super) fn new(graph: &Graph, wanted: &Wanted) -> Plan<F> {
        let layout = layout(graph, wanted);
        let mut plan = Plan {
            fixed: vec![F::zero(); layout.fixed as usize],
            params: Schedule::default(),
            forward: Schedule::default(),
            backward: Schedule::default(),
            tape: layout.tape as usize,
            work: layout.work as usize,
            roots: BTreeMap::new(),
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
            if let Some(source) = source(&graph.node(id).op) {
                schedule.feeds.push(Feed { id, slot, source });
                continue;
            }
            let sum = slot.region == Region::Gradient;
            let kernel = compile(graph, &layout.slots, id, layout.contracted[at], sum);
            if !matches!(kernel, Kernel::Nothing) {
                schedule.steps.push(Step { id, slot, kernel });
            }
        }
        for name in wanted.forward.iter().chain(&wanted.backward) {
            let Some(read) = graph.root(name) else { continue };
            let slot = layout.slots[read.node.0 as usize];
            let from = &graph.node(read.node).space.sizes;
            if slot.region == Region::Gradient {
                continue;
            }
            let arm = compile_read(&read.access, from, &read.sizes, slot);
            let len = read.sizes.iter().map(|size| *size as usize).product();
            plan.roots.insert(name.clone(), Root { arm, len, sizes: read.sizes.clone() });
        }
        plan.settle(&constants);
        plan
    }

    /// Evaluates nodes that are the same for all steps.
    fn settle(&mut self, schedule: &Schedule) {
        let mut spare = Default::default();
        for step in &schedule.steps {
            let (below, rest) = self.fixed.split_at_mut(step.slot.offset);
            let regions = Regions { fixed: below, tape: &[], work: &[] };
            step.kernel.run(&mut rest[..step.slot.len], regions, &mut spare);
        }
    }

    /// Fills the parameters and evaluates what depends on them alone.
    pub(super) fn set_params(&mut self, fill: impl Fn(usize, &mut [F])) {
        let schedule = std::mem::take(&mut self.params);
        for feed in &schedule.feeds {
            match feed.source {
                Source::Param(param) => {
                    fill(param, &mut self.fixed[feed.slot.offset..][..feed.slot.len])
                }
                Source::Input(_) | Source::Prev(_) | Source::Seed(_) => {}
            }
        }
        self.settle(&schedule);
        self.params = schedule;
    }

    /// The root of that name, unless it is missing or summed in place.
    pub(super) fn root(&self, name: &str) -> Option<Root> {
        self.roots.get(name).cloned()
    }
}

fn source(op: &Op) -> Option<Source> {
    match op {
        Op::Leaf(leaf) => match leaf {
            Leaf::Input(at) => Some(Source::Input(*at as usize)),
            Leaf::Param(at) => Some(Source::Param(*at as usize)),
            Leaf::Prev(at) => Some(Source::Prev(*at as usize)),
            Leaf::Seed(at) => Some(Source::Seed(*at as usize)),
            Leaf::Const(_) | Leaf::Axis(_) => None,
        },
        Op::Map(_) | Op::Reduce { .. } | Op::Recur { .. } | Op::Join | Op::Opaque { .. } => None,
    }
}

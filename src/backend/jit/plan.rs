//! A graph made ready: memory laid out, functions listed, leaves to fill, roots to read.
//!
//! In: a graph and what is wanted of it. Out: a [`Compiled`] plan. Machine code for a group of samples is made
//! when such a group first runs. Invariant: what a plan computes depends on the graph and on what is
//! wanted alone.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::backend::domain::{Domain, table};
use crate::backend::phase::Wanted;
use crate::backend::plan::{At, Plan, Root, Size, Source, Watch};
use crate::graph::Graph;

use super::called::Number;
use super::code::{Code, Group, Regions, Task};
use super::layout::{Layout, Region, Slot, layout};

/// A leaf to fill.
#[derive(Clone, Debug)]
struct Feed {
    /// Where its value goes.
    pub(super) slot: Slot,
    /// Number of elements.
    pub(super) len: usize,
    /// Where it comes from.
    pub(super) source: Source,
}

/// What one phase fills and runs.
#[derive(Clone, Debug, Default)]
struct Schedule {
    /// Leaves, filled first.
    pub(super) feeds: Vec<Feed>,
    /// Functions, by their number.
    pub(super) calls: Range<usize>,
}

/// How a root is read.
#[derive(Clone, Debug)]
pub(super) struct Copy {
    slot: Slot,
    /// The position read at each point; `None` for all in order.
    positions: Option<Vec<u32>>,
}

/// A graph made ready.
#[derive(Debug)]
pub(super) struct Compiled<F> {
    graph: Graph,
    layout: Layout,
    /// Values that are the same for all steps and samples.
    fixed: Vec<F>,
    params: Schedule,
    fixed_code: Code,
    /// Every step.
    forward: Schedule,
    /// Every step, backwards.
    backward: Schedule,
    tasks: Vec<Task>,
    codes: BTreeMap<usize, Code>,
    roots: BTreeMap<String, Root<Copy>>,
}

/// The memory of one worker.
#[derive(Debug, Default)]
pub(super) struct Memory<F> {
    /// Samples that the contents are laid out for.
    samples: usize,
    tape: Vec<F>,
    work: Vec<F>,
}

impl<F> Memory<F> {
    /// The frame of a step.
    fn tape(&mut self, at: At, one: usize) -> &mut [F] {
        let len = one * at.samples;
        &mut self.tape[at.frame * len..(at.frame + 1) * len]
    }
}

impl Copy {
    fn position(&self, at: usize) -> usize {
        self.positions.as_ref().map_or(at, |positions| positions[at] as usize)
    }
}

impl<F: Number> Compiled<F> {
    fn find_roots(&mut self, wanted: &Wanted) {
        for name in wanted.forward.iter().chain(&wanted.backward) {
            let Some(read) = self.graph.root(name) else { continue };
            let Some(slot) = self.layout.slot(read.node) else { continue };
            if wanted.sums.contains_key(name) {
                continue;
            }
            let from = &self.graph.node(read.node).space.sizes;
            let whole = read.access.is_identity(from.len()) && read.sizes == *from;
            let positions = (!whole).then(|| {
                table(&read.access, from, &Domain { sizes: read.sizes.clone(), list: None })
            });
            self.roots.insert(name.clone(), Root::new(Copy { slot, positions }, &read.sizes));
        }
    }

    /// The code for groups of that many samples.
    fn code(&self, samples: usize) -> &Code {
        match self.codes.get(&samples) {
            Some(code) => code,
            None => panic!("internal error: jit: no code for groups of {samples}"),
        }
    }

    /// Fills the leaves of a phase and runs its functions.
    fn run(
        &self,
        memory: &mut Memory<F>,
        schedule: &Schedule,
        at: At,
        gradient: &mut [F],
        fill: impl Fn(Source, &mut [F]),
    ) {
        for Feed { slot, len, source } in &schedule.feeds {
            let region = match slot.region {
                Region::Tape => memory.tape(at, self.layout.tape),
                Region::Work => &mut memory.work,
                Region::Fixed => panic!("internal error: jit: a fixed leaf inside the loop"),
            };
            fill(*source, &mut region[slot.offset * at.samples..][..len * at.samples]);
        }
        let len = self.layout.tape * at.samples;
        let tape = &mut memory.tape[at.frame * len..(at.frame + 1) * len];
        let mut regions = Regions { fixed: &self.fixed, tape, work: &mut memory.work, gradient };
        self.code(at.samples).run(schedule.calls.clone(), &mut regions);
    }
}

impl<F: Number> Plan for Compiled<F> {
    type Float = F;
    type Read = Copy;
    type Memory = Memory<F>;

    const GROUPS: &'static [usize] = &[16, 8, 4, 1];

    fn new(graph: &Graph, wanted: &Wanted) -> Compiled<F> {
        let layout = layout(graph, wanted);
        let mut lists: [Vec<Task>; 4] = Default::default();
        let mut feeds: [Vec<Feed>; 4] = Default::default();
        for id in graph.ids() {
            let (Some(phase), Some(slot)) = (layout.phases[id.0 as usize], layout.slot(id)) else {
                continue;
            };
            let node = graph.node(id);
            let len = node.space.points() as usize;
            match Source::of(&node.op) {
                Some(source) => feeds[phase as usize].push(Feed { slot, len, source }),
                None if len == 0 => {}
                None => lists[phase as usize].push(Task::Node(id)),
            }
        }
        let [constants, params, forward, mut backward] = lists;
        let sums = wanted.sums.iter().filter_map(|(name, offset)| {
            let read = graph.root(name)?;
            let some = read.sizes.iter().all(|size| *size > 0);
            some.then(|| Task::Sum(read.clone(), *offset))
        });
        backward.extend(sums);
        let [_, param_feeds, forward_feeds, backward_feeds] = feeds;
        let first = constants.len();
        let fixed_tasks = [constants, params].concat();
        let group = Group { samples: 1, writes_fixed: true };
        let fixed_code = Code::new::<F>(graph, &layout, &fixed_tasks, group);
        let turn = forward.len();
        let tasks = [forward, backward].concat();
        let mut plan = Compiled {
            graph: graph.clone(),
            fixed: vec![F::default(); layout.fixed],
            params: Schedule { feeds: param_feeds, calls: first..fixed_tasks.len() },
            fixed_code,
            forward: Schedule { feeds: forward_feeds, calls: 0..turn },
            backward: Schedule { feeds: backward_feeds, calls: turn..tasks.len() },
            tasks,
            codes: BTreeMap::new(),
            roots: BTreeMap::new(),
            layout,
        };
        plan.find_roots(wanted);
        plan.fixed_code.run_fixed(0..first, &mut plan.fixed);
        plan
    }

    fn size(graph: &Graph, wanted: &Wanted) -> Size {
        let layout = layout(graph, wanted);
        let [fixed, tape, work] =
            [layout.fixed, layout.tape, layout.work].map(|elements| elements as u64);
        Size { fixed, tape, work, tables: 0 }
    }

    fn kernels(&self) -> usize {
        self.tasks.len()
    }

    fn tape(memory: &Memory<F>) -> usize {
        memory.tape.len()
    }

    fn prepare(&mut self, samples: usize) {
        if !self.codes.contains_key(&samples) {
            let group = Group { samples, writes_fixed: false };
            let code = Code::new::<F>(&self.graph, &self.layout, &self.tasks, group);
            self.codes.insert(samples, code);
        }
    }

    fn set_params(&mut self, fill: impl Fn(usize, &mut [F])) {
        for feed in &self.params.feeds {
            if let Source::Param(param) = feed.source {
                fill(param, &mut self.fixed[feed.slot.offset..][..feed.len]);
            }
        }
        self.fixed_code.run_fixed(self.params.calls.clone(), &mut self.fixed);
    }

    fn root(&self, name: &str) -> Option<Root<Copy>> {
        self.roots.get(name).cloned()
    }

    fn fit(&self, memory: &mut Memory<F>, frames: usize, samples: usize) {
        if memory.samples != samples {
            memory.samples = samples;
            memory.tape.clear();
            memory.work.clear();
        }
        let Layout { tape, work, .. } = self.layout;
        for (memory, len) in
            [(&mut memory.tape, tape * frames * samples), (&mut memory.work, work * samples)]
        {
            if memory.len() < len {
                memory.resize(len, F::default());
            }
        }
    }

    /// Values are looked at by the interpreter only.
    fn forward(
        &self,
        memory: &mut Memory<F>,
        at: At,
        fill: impl Fn(Source, &mut [F]),
        _: &mut impl Watch<F>,
    ) {
        self.run(memory, &self.forward, at, &mut [], fill);
    }

    fn backward(
        &self,
        memory: &mut Memory<F>,
        at: At,
        gradient: &mut [F],
        fill: impl Fn(Source, &mut [F]),
        _: &mut impl Watch<F>,
    ) {
        self.run(memory, &self.backward, at, gradient, fill);
    }

    fn read(&self, memory: &mut Memory<F>, root: &Root<Copy>, at: At, out: &mut [F]) {
        let Copy { slot, positions } = &root.read;
        let samples = at.samples;
        let region = match slot.region {
            Region::Tape => memory.tape(at, self.layout.tape),
            Region::Work => &mut memory.work,
            Region::Fixed => {
                for (at, out) in out.chunks_exact_mut(samples).enumerate() {
                    out.fill(self.fixed[slot.offset + root.read.position(at)]);
                }
                return;
            }
        };
        let region = &region[slot.offset * samples..];
        if positions.is_none() {
            return out.copy_from_slice(&region[..root.len * samples]);
        }
        for (at, out) in out.chunks_exact_mut(samples).enumerate() {
            out.copy_from_slice(&region[root.read.position(at) * samples..][..samples]);
        }
    }
}

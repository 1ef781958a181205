//! A graph made ready: memory laid out, functions listed, leaves to fill, roots to read.
//!
//! In: a graph and what is wanted of it. Out: a [`Compiled`] plan. Machine code for a group of samples is made
//! when such a group first runs. Invariant: what a plan computes depends on the graph and on what is
//! wanted alone.

use std::collections::BTreeMap;

use crate::backend::Timed;
use crate::backend::phase::{Phase, Wanted};
use crate::backend::plan::{At, Plan, Root, Size, Source, Watch};
use crate::graph::{Graph, Leaf, Op};

use crate::passes::timed;

use super::aligned::Aligned;
use super::called::Number;
use super::code::{Code, Group, Regions};
use super::crew::Help;
use super::forks::Walk;
use super::fuse::Step;
use super::late::{Late, add_all, late};
use super::layout::{Layout, Region, Slot, in_place, layout};
use super::make::Task;
use super::roots::Copy;
use super::turn::{self, Turned, arranged};

/// The pass that makes machine code.
const CODE: &str = "machine code";

/// A leaf to fill.
#[derive(Clone, Debug)]
struct Feed {
    /// Where its value goes.
    pub(super) slot: Slot,
    /// Number of elements.
    pub(super) len: usize,
    /// Length of a row and how far apart rows lie, if there is something between them.
    rows: Option<(usize, usize)>,
    /// Rows and columns of what it is filled with, if it lies column by column.
    turned: Option<[usize; 2]>,
    /// Where it comes from.
    pub(super) source: Source,
    /// Whether it is filled only where states come from outside.
    pub(super) once: bool,
}

/// What one phase fills and runs.
#[derive(Clone, Debug, Default)]
struct Schedule {
    /// Leaves, filled first.
    pub(super) feeds: Vec<Feed>,
    /// Functions, and where two threads run some at once.
    pub(super) walk: Walk,
}

/// A graph made ready.
#[derive(Debug)]
pub(super) struct Compiled<F> {
    graph: Graph,
    layout: Layout,
    /// Values that are the same for all steps and samples.
    fixed: Aligned<F>,
    params: Schedule,
    fixed_code: Code,
    fixed_tasks: Vec<Task>,
    /// Every step.
    forward: Schedule,
    /// Every step, backwards.
    backward: Schedule,
    late: Vec<Late>,
    /// Where two threads part those.
    middle: (usize, usize),
    tasks: Vec<Task>,
    codes: BTreeMap<usize, Code>,
    roots: BTreeMap<String, Root<Copy>>,
    /// Whether the time of each function is taken.
    measured: bool,
}

/// The memory of one worker.
#[derive(Debug, Default)]
pub(super) struct Memory<F> {
    /// Samples that the contents are laid out for.
    samples: usize,
    /// One frame more than steps whose frames are kept: it holds the states before them.
    tape: Aligned<F>,
    work: Aligned<F>,
    arriving: Aligned<F>,
    leaving: Aligned<F>,
    /// What a turned leaf is filled with.
    room: Vec<F>,
    /// A second thread for what is done with this.
    help: Help,
}

/// The frames of that length of a step, and of the one before it.
fn frames<F>(tape: &mut [F], at: At, len: usize) -> (&mut [F], &mut [F]) {
    let (own, before) = (at.frame, at.before);
    let (low, high) = tape.split_at_mut(own.max(before) * len);
    let (low, high) = (&mut low[own.min(before) * len..][..len], &mut high[..len]);
    if own > before { (high, low) } else { (low, high) }
}

impl<F> Memory<F> {
    /// Frames of that length: of a step, and of the one before it.
    fn tape(&mut self, at: At, len: usize) -> (&mut [F], &mut [F]) {
        frames(&mut self.tape, at, len)
    }
}

/// What is filled and run in each phase, in the order of [`Phase`].
pub(super) struct Lists {
    /// Functions.
    pub(super) tasks: [Vec<Task>; 4],
    /// Leaves to fill.
    feeds: [Vec<Feed>; 4],
}

impl Lists {
    /// Everything that a layout has a place for.
    pub(super) fn of(turned: &Turned, layout: &Layout, wanted: &Wanted) -> Lists {
        let graph = &turned.graph;
        let mut tasks: [Vec<Task>; 4] = Default::default();
        let mut feeds: [Vec<Feed>; 4] = Default::default();
        for step in &layout.order {
            let id = match step {
                Step::Node(id) => *id,
                Step::Fused(number) => {
                    let phase = layout.fused[*number].phase;
                    tasks[phase as usize].push(Task::Fused(*number));
                    continue;
                }
            };
            let (Some(phase), Some(slot)) = (layout.phases[id.0 as usize], layout.slot(id)) else {
                continue;
            };
            let node = graph.node(id);
            let len = node.space.points() as usize;
            let found = layout.is_found(graph, id);
            match Source::of(&node.op) {
                Some(_) if found => {}
                Some(source) => {
                    let once = slot.region == Region::Before;
                    // A state is there before the step, whoever reads it first.
                    let phase = if once { Phase::Forward } else { phase };
                    let rows = layout.apart(id).zip(node.space.sizes.last());
                    let rows = rows.map(|(apart, len)| (*len as usize, apart));
                    feeds[phase as usize].push(Feed {
                        slot,
                        len,
                        rows,
                        turned: turned.leaf(id),
                        source,
                        once,
                    });
                }
                None if len == 0 => {}
                None => tasks[phase as usize].push(Task::Node(id)),
            }
        }
        let sums = wanted.sums.iter().filter_map(|(name, offset)| {
            let read = graph.root(name)?;
            if layout.sums.iter().any(|(late, _)| late == name) {
                return None;
            }
            let nothing = matches!(graph.node(read.node).op, Op::Leaf(Leaf::Const(bits)) if bits.value() == 0.0);
            let some = !nothing && read.sizes.iter().all(|size| *size > 0);
            some.then(|| Task::Sum(read.clone(), *offset))
        });
        tasks[Phase::Backward as usize].extend(sums);
        Lists { tasks, feeds }
    }
}

impl<F: Number> Compiled<F> {
    /// The functions of a layout.
    fn of(turned: Turned, wanted: &Wanted, layout: Layout) -> Compiled<F> {
        let Lists { tasks: [constants, params, forward, backward], feeds } =
            Lists::of(&turned, &layout, wanted);
        let graph = turned.graph;
        let [_, param_feeds, forward_feeds, backward_feeds] = feeds;
        let first = constants.len();
        let fixed_tasks = [constants, params].concat();
        let group = Group { samples: 1, writes_fixed: true };
        let fixed_code = timed(CODE, || Code::new::<F>(&graph, &layout, &fixed_tasks, group));
        let (late, middle) = late(&graph, &layout, wanted);
        let turn = forward.len();
        let tasks = [forward, backward].concat();
        let mut plan = Compiled {
            graph,
            fixed: Aligned::zeros(layout.fixed),
            params: Schedule { feeds: param_feeds, walk: Walk::alone(first..fixed_tasks.len()) },
            fixed_code,
            fixed_tasks,
            forward: Schedule { feeds: forward_feeds, walk: Walk::alone(0..turn) },
            backward: Schedule { feeds: backward_feeds, walk: Walk::alone(turn..tasks.len()) },
            middle,
            late,
            tasks,
            codes: BTreeMap::new(),
            roots: BTreeMap::new(),
            measured: false,
            layout,
        };
        plan.find_roots(wanted);
        plan.fixed_code.run_fixed(0..first, &mut plan.fixed);
        plan
    }

    fn find_roots(&mut self, wanted: &Wanted) {
        for name in wanted.forward.iter().chain(&wanted.backward) {
            let Some(read) = self.graph.root(name) else { continue };
            let Some(slot) = self.layout.slot(read.node) else { continue };
            if wanted.sums.contains_key(name) {
                continue;
            }
            let copy = Copy::new(&self.graph, slot, read);
            self.roots.insert(name.clone(), Root::new(copy, &read.sizes));
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
        let one = self.layout.tape * at.samples;
        let mut room = std::mem::take(&mut memory.room);
        for Feed { slot, len, turned, source, once, .. } in &schedule.feeds {
            if *once && !at.opens {
                continue;
            }
            let region = match slot.region {
                Region::Tape => memory.tape(at, one).0,
                Region::Before => memory.tape(at, one).1,
                Region::Work => &mut memory.work,
                Region::Fixed | Region::Arriving | Region::Leaving => {
                    panic!("internal error: jit: a leaf that nobody fills inside the loop")
                }
            };
            let to = &mut region[slot.offset * at.samples..][..len * at.samples];
            match turned {
                None => fill(*source, to),
                Some(sizes) => {
                    room.resize(to.len(), F::default());
                    fill(*source, &mut room);
                    turn::fill(to, &room, *sizes, at.samples);
                }
            }
        }
        memory.room = room;
        let Memory { tape, work, arriving, leaving, help, .. } = memory;
        let (tape, before) = frames(tape, at, one);
        let mut regions =
            Regions { fixed: &self.fixed, tape, before, work, arriving, leaving, gradient };
        self.code(at.samples).run(&schedule.walk, help.crew(), &mut regions);
    }

    /// What a function is and what it took.
    fn timed(&self, task: &Task, when: &'static str, (calls, seconds): (u64, f64)) -> Timed {
        let (what, span) = match task {
            Task::Node(id) => {
                let node = self.graph.node(*id);
                let what = format!("{}{:?}", node.origin.path, node.space.sizes);
                (what, node.origin.span)
            }
            Task::Fused(number) => {
                let fused = &self.layout.fused[*number];
                let origin = &self.graph.node(fused.members[0].node).origin;
                (fused.told(&self.graph), origin.span)
            }
            Task::Sum(read, _) => {
                let origin = &self.graph.node(read.node).origin;
                (format!("gradient, adding {}", origin.path), origin.span)
            }
        };
        Timed { what, when, span, calls, seconds }
    }
}

impl<F: Number> Plan for Compiled<F> {
    type Float = F;
    type Read = Copy;
    type Memory = Memory<F>;

    const GROUPS: &'static [usize] = &[16, 8, 4, 1];

    fn new(graph: &Graph, wanted: &Wanted) -> Compiled<F> {
        let (turned, layout) = timed("plan", || {
            let turned = arranged(graph);
            let layout = layout(&turned.graph, wanted, F::TILES);
            (turned, layout)
        });
        Compiled::of(turned, wanted, layout)
    }

    fn in_place(
        graph: &Graph,
        wanted: &Wanted,
        pairs: &[(Leaf, &str)],
        block: usize,
    ) -> Option<Compiled<F>> {
        let layout = timed("plan", || in_place(graph, wanted, F::TILES, (pairs, block)))?;
        Some(Compiled::of(Turned::none(graph), wanted, layout))
    }

    fn run_in_place(
        &self,
        memory: &mut Memory<F>,
        frame: &mut [F],
        fill: impl Fn(Source, &mut [F]),
    ) {
        let Memory { work, arriving, leaving, .. } = memory;
        for Feed { slot, len, source, .. } in &self.forward.feeds {
            fill(*source, &mut work[slot.offset..][..*len]);
        }
        let fixed = &self.fixed;
        let mut regions =
            Regions { fixed, tape: frame, before: &[], work, arriving, leaving, gradient: &mut [] };
        self.code(1).run(&self.forward.walk, None, &mut regions);
    }

    fn size(graph: &Graph, wanted: &Wanted) -> Size {
        let graph = &arranged(graph).graph;
        let layout = timed("plan", || layout(graph, wanted, F::TILES));
        let (together, block) = (layout.together(graph), layout.block() as u64);
        let Layout { fixed, tape, work, seeds, .. } = layout;
        let work = work.saturating_add(seeds.saturating_mul(2));
        let [fixed, tape, work] = [fixed, tape, work].map(|elements| elements as u64);
        // The states before the first step take a frame too.
        Size { fixed, tape, work: work.saturating_add(tape), tables: 0, together, block }
    }

    fn together(&self, steps: usize) -> usize {
        self.layout.together(&self.graph).min(self.layout.within(steps))
    }

    fn kernels(&self) -> usize {
        self.tasks.len()
    }

    fn measure(&mut self) {
        self.measured = true;
        self.codes.values_mut().chain([&mut self.fixed_code]).for_each(Code::measure);
        self.late.iter_mut().for_each(Late::measure);
    }

    fn spent(&self) -> Vec<Timed> {
        let fixed = self.fixed_code.spent().iter().zip(&self.fixed_tasks);
        let mut all: Vec<Timed> =
            fixed.map(|(spent, task)| self.timed(task, "once", spent.told())).collect();
        for (at, task) in self.tasks.iter().enumerate() {
            let each = self.codes.values().filter_map(|code| Some(code.spent().get(at)?.told()));
            let told = each.fold((0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1));
            let when = if self.forward.walk.list.contains(&at) { "forward" } else { "backward" };
            all.push(self.timed(task, when, told));
        }
        all.extend(self.late.iter().map(|late| late.timed(&self.graph)));
        all.retain(|one| one.calls > 0);
        all
    }

    fn tape(memory: &Memory<F>) -> usize {
        memory.tape.len()
    }

    fn prepare(&mut self, samples: usize) {
        if !self.codes.contains_key(&samples) {
            let group = Group { samples, writes_fixed: false };
            let (graph, layout) = (&self.graph, &self.layout);
            let mut code = timed(CODE, || Code::new::<F>(graph, layout, &self.tasks, group));
            if self.measured {
                code.measure();
            }
            self.codes.insert(samples, code);
        }
    }

    fn set_params(&mut self, fill: impl Fn(usize, usize, &mut [F])) {
        for feed in &self.params.feeds {
            if let Source::Param(param) = feed.source {
                let (len, apart) = feed.rows.unwrap_or((feed.len.max(1), feed.len.max(1)));
                let rows = self.fixed[feed.slot.offset..].chunks_mut(apart).take(feed.len / len);
                rows.enumerate().for_each(|(at, row)| fill(param, at * len, &mut row[..len]));
            }
        }
        self.fixed_code.run_fixed(self.params.walk.list.clone(), &mut self.fixed);
    }

    fn root(&self, name: &str) -> Option<Root<Copy>> {
        self.roots.get(name).cloned()
    }

    fn fit(&self, memory: &mut Memory<F>, frames: usize, samples: usize) {
        if memory.samples != samples {
            let help = std::mem::take(&mut memory.help);
            *memory = Memory { samples, help, ..Memory::default() };
        }
        let Layout { tape, work, seeds, .. } = self.layout;
        for (memory, len) in [
            (&mut memory.tape, tape * frames * samples),
            (&mut memory.work, work * samples),
            (&mut memory.arriving, seeds * samples),
            (&mut memory.leaving, seeds * samples),
        ] {
            memory.fit(len);
        }
    }

    fn carries(&self, state: usize) -> bool {
        self.layout.carried.get(state).is_some_and(Option::is_some)
    }

    fn hands_on(&self, state: usize) -> bool {
        self.layout.handed.get(state).is_some_and(Option::is_some)
    }

    fn turn(&self, memory: &mut Memory<F>) {
        memory.arriving.fill(F::default());
        let samples = memory.samples;
        for (id, slot) in self.layout.standing() {
            let len = self.graph.node(id).space.points() as usize;
            memory.work[slot.offset * samples..][..len * samples].fill(F::default());
        }
    }

    fn block(&self) -> usize {
        self.layout.block()
    }

    fn share(&mut self, worth: u64) {
        let (graph, layout) = (&self.graph, &self.layout);
        for schedule in [&mut self.forward, &mut self.backward] {
            let list = schedule.walk.list.clone();
            schedule.walk = Walk::shared(graph, layout, (&self.tasks, list), worth);
        }
    }

    fn is_shared(&self) -> bool {
        [&self.forward, &self.backward].iter().any(|schedule| !schedule.walk.forks.is_empty())
    }

    fn help(memory: &mut Memory<F>, wanted: bool) {
        memory.help.want(wanted);
    }

    fn is_helped(memory: &Memory<F>) -> bool {
        memory.help.is_there()
    }

    fn both(memory: &mut Memory<F>, own: impl FnOnce(), other: impl FnOnce() + Send) {
        memory.help.both(own, other);
    }

    fn finish(&self, memory: &mut Memory<F>, steps: usize, samples: usize, gradient: &mut [F]) {
        let (block, frame) = (self.block(), self.layout.tape * samples);
        let Memory { tape, help, .. } = memory;
        for first in (0..steps).step_by(block).rev() {
            let tape = &tape[first * frame..];
            let extent = (frame, block.min(steps - first), samples);
            let (at, place) = self.middle;
            let (own, other) = self.late.split_at(at);
            let (low, high) = gradient.split_at_mut(place);
            let own = || add_all(own, tape, extent, (low, 0));
            help.both(own, || add_all(other, tape, extent, (high, place)));
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
        std::mem::swap(&mut memory.arriving, &mut memory.leaving);
    }

    fn read(&self, memory: &mut Memory<F>, root: &Root<Copy>, at: At, out: &mut [F]) {
        let slot = root.read.slot;
        let (samples, tape) = (at.samples, self.layout.tape * at.samples);
        let (region, beside) = match slot.region {
            Region::Tape => (&*memory.tape(at, tape).0, samples),
            Region::Before => (&*memory.tape(at, tape).1, samples),
            Region::Work => (&*memory.work, samples),
            // They have changed places.
            Region::Arriving => (&*memory.leaving, samples),
            Region::Leaving => (&*memory.arriving, samples),
            Region::Fixed => (&*self.fixed, 1),
        };
        root.read.read(&region[slot.offset * beside..], (samples, beside), out);
    }
}

//! A graph made ready: memory laid out, functions listed, leaves to fill, roots to read.
//!
//! In: a graph and what is wanted of it. Out: a [`Plan`]. Machine code for a group of samples is made
//! when such a group first runs. Invariant: what a plan computes depends on the graph and on what is
//! wanted alone.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::backend::phase::Wanted;
use crate::graph::{Access, Graph, Index, Leaf, Op};

use super::code::{Code, Group, Task};
use super::helpers::Number;
use super::layout::{Layout, Region, Slot, layout};

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
    /// Where its value goes.
    pub(super) slot: Slot,
    /// Number of elements.
    pub(super) len: usize,
    /// Where it comes from.
    pub(super) source: Source,
}

/// What one phase fills and runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    /// Leaves, filled first.
    pub(super) feeds: Vec<Feed>,
    /// Functions, by their number.
    pub(super) calls: Range<usize>,
}

/// A named result.
#[derive(Clone, Debug)]
pub(super) struct Root {
    /// Where the value lives.
    pub(super) slot: Slot,
    /// The position read at each point; `None` for all in order.
    positions: Option<Vec<u32>>,
    /// Number of elements.
    pub(super) len: usize,
    /// Shape.
    pub(super) sizes: Vec<u32>,
}

/// A graph made ready.
#[derive(Debug)]
pub(super) struct Plan<F> {
    graph: Graph,
    layout: Layout,
    /// Values that are the same for all steps and samples.
    pub(super) fixed: Vec<F>,
    params: Schedule,
    fixed_code: Code,
    /// Every step.
    pub(super) forward: Schedule,
    /// Every step, backwards.
    pub(super) backward: Schedule,
    tasks: Vec<Task>,
    codes: BTreeMap<usize, Code>,
    roots: BTreeMap<String, Root>,
}

/// The memory of a group at one step.
pub(super) struct Frame<'a, F> {
    pub(super) fixed: &'a [F],
    pub(super) tape: &'a mut [F],
    pub(super) work: &'a mut [F],
}

impl<F: Number> Frame<'_, F> {
    /// A value to be filled, `[len][samples]`.
    pub(super) fn leaf(&mut self, feed: Feed, samples: usize) -> &mut [F] {
        let memory = match feed.slot.region {
            Region::Tape => &mut *self.tape,
            Region::Work => &mut *self.work,
            Region::Fixed => panic!("internal error: jit: a fixed leaf inside the loop"),
        };
        &mut memory[feed.slot.offset * samples..][..feed.len * samples]
    }

    /// Copies a root, `[len][samples]`.
    pub(super) fn read(&self, root: &Root, samples: usize, out: &mut [F]) {
        let memory = match root.slot.region {
            Region::Tape => &*self.tape,
            Region::Work => &*self.work,
            Region::Fixed => self.fixed,
        };
        if root.slot.region == Region::Fixed {
            for (at, out) in out.chunks_exact_mut(samples).enumerate() {
                out.fill(memory[root.slot.offset + root.position(at)]);
            }
            return;
        }
        let memory = &memory[root.slot.offset * samples..];
        if root.positions.is_none() {
            return out.copy_from_slice(&memory[..root.len * samples]);
        }
        for (at, out) in out.chunks_exact_mut(samples).enumerate() {
            out.copy_from_slice(&memory[root.position(at) * samples..][..samples]);
        }
    }
}

impl Root {
    fn position(&self, at: usize) -> usize {
        self.positions.as_ref().map_or(at, |positions| positions[at] as usize)
    }
}

impl<F: Number> Plan<F> {
    /// Makes a graph ready and computes what depends on nothing.
    pub(super) fn new(graph: &Graph, wanted: &Wanted) -> Plan<F> {
        let layout = layout(graph, wanted);
        let mut lists: [Vec<Task>; 4] = Default::default();
        let mut feeds: [Vec<Feed>; 4] = Default::default();
        for id in graph.ids() {
            let (Some(phase), Some(slot)) = (layout.phases[id.0 as usize], layout.slot(id)) else {
                continue;
            };
            let node = graph.node(id);
            let len = node.space.points() as usize;
            match source(&node.op) {
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
        let mut plan = Plan {
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

    fn find_roots(&mut self, wanted: &Wanted) {
        for name in wanted.forward.iter().chain(&wanted.backward) {
            let Some(read) = self.graph.root(name) else { continue };
            let Some(slot) = self.layout.slot(read.node) else { continue };
            let from = &self.graph.node(read.node).space.sizes;
            let whole = read.access.is_identity(from.len()) && read.sizes == *from;
            let positions = (!whole).then(|| positions(&read.access, from, &read.sizes));
            let len = read.sizes.iter().map(|size| *size as usize).product();
            self.roots
                .insert(name.clone(), Root { slot, positions, len, sizes: read.sizes.clone() });
        }
    }

    /// Fills the parameters and computes what depends on them alone.
    pub(super) fn set_params(&mut self, fill: impl Fn(usize, &mut [F])) {
        for feed in &self.params.feeds {
            if let Source::Param(param) = feed.source {
                fill(param, &mut self.fixed[feed.slot.offset..][..feed.len]);
            }
        }
        self.fixed_code.run_fixed(self.params.calls.clone(), &mut self.fixed);
    }

    /// Makes the code for groups of that many samples, unless it is there.
    pub(super) fn prepare(&mut self, samples: usize) {
        if !self.codes.contains_key(&samples) {
            let group = Group { samples, writes_fixed: false };
            let code = Code::new::<F>(&self.graph, &self.layout, &self.tasks, group);
            self.codes.insert(samples, code);
        }
    }

    /// The code for groups of that many samples.
    pub(super) fn code(&self, samples: usize) -> &Code {
        match self.codes.get(&samples) {
            Some(code) => code,
            None => panic!("internal error: jit: no code for groups of {samples}"),
        }
    }

    /// Numbers of one frame of the tape, and of the work memory, a sample.
    pub(super) fn memory(&self) -> (usize, usize) {
        (self.layout.tape, self.layout.work)
    }

    /// The root of that name, if it is held.
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

/// The position read at every point of a box.
fn positions(access: &Access, from: &[u32], sizes: &[u32]) -> Vec<u32> {
    let strides = super::emit::row_major(from);
    let count: usize = sizes.iter().map(|size| *size as usize).product();
    let mut point = vec![0; sizes.len()];
    let mut list = Vec::with_capacity(count);
    for _ in 0..count {
        let parts = access.0.iter().zip(&strides).map(|(index, by)| {
            by * match index {
                Index::Affine(of) => of.at(&point),
                Index::Digit { of, step, radix } => {
                    of.at(&point).div_euclid(i64::from(*step)).rem_euclid(i64::from(*radix))
                }
                Index::Value(_) => 0,
            }
        });
        list.push(parts.sum::<i64>() as u32);
        for (place, size) in point.iter_mut().zip(sizes).rev() {
            *place += 1;
            if *place < *size {
                break;
            }
            *place = 0;
        }
    }
    list
}

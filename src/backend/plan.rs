//! What a backend makes of a graph, as the loops over samples and steps see it.
//!
//! In: a graph and what is wanted of it. Out: something that fills leaves, runs a phase and reads roots
//! for a group of samples that lie side by side, every array `[elements][samples]`. Invariant: what a
//! plan computes depends on the graph and on what is wanted alone.

use std::fmt::Debug;

use crate::graph::{Graph, Leaf, NodeId, Op};

use super::Timed;
use super::float::Float;
use super::phase::Wanted;

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

impl Source {
    /// Where the value of an op comes from, if from outside the graph.
    pub(super) fn of(op: &Op) -> Option<Source> {
        match op {
            Op::Leaf(leaf) => match leaf {
                Leaf::Input(at) => Some(Source::Input(*at as usize)),
                Leaf::Param(at) => Some(Source::Param(*at as usize)),
                Leaf::Prev(at) => Some(Source::Prev(*at as usize)),
                Leaf::Seed(at) => Some(Source::Seed(*at as usize)),
                Leaf::Const(_) | Leaf::Axis(_) => None,
            },
            Op::Map(_) | Op::Reduce { .. } | Op::Recur { .. } | Op::Join | Op::Opaque { .. } => {
                None
            }
        }
    }
}

/// A step of a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    /// Its number.
    pub(super) step: usize,
    /// Its frame of the tape.
    pub(super) frame: usize,
    /// The frame of the step before.
    pub(super) before: usize,
    /// Whether states come from outside: at the first step, and where a sweep is taken up again.
    pub(super) opens: bool,
    /// Samples of the group.
    pub(super) samples: usize,
}

impl At {
    /// The only step of one sample, for graphs that have no time.
    pub(super) const ONCE: At = At { step: 0, frame: 1, before: 0, opens: true, samples: 1 };

    /// A step whose frame is kept, in a stretch that begins at another.
    pub(super) fn kept(step: usize, first: usize, samples: usize) -> At {
        let before = step - first;
        At { step, frame: before + 1, before, opens: before == 0, samples }
    }

    /// A step whose frame the next but one overwrites.
    pub(super) fn passing(step: usize, samples: usize) -> At {
        At { step, frame: (step + 1) % 2, before: step % 2, opens: step == 0, samples }
    }
}

/// Frames that a sweep takes in which none is kept.
pub(super) const PASSING: usize = 2;

/// Something that looks at every value as it is made, where the backend shows them.
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

/// A named result.
#[derive(Clone, Debug)]
pub(super) struct Root<R> {
    /// How it is read.
    pub(super) read: R,
    /// Number of elements.
    pub(super) len: usize,
    /// Shape.
    pub(super) sizes: Vec<u32>,
}

impl<R> Root<R> {
    /// A result of that shape.
    pub(super) fn new(read: R, sizes: &[u32]) -> Root<R> {
        let len = sizes.iter().map(|size| *size as usize).product();
        Root { read, len, sizes: sizes.to_vec() }
    }
}

/// Elements that a plan takes, at most the largest number there is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    /// For all samples and steps.
    pub(super) fixed: u64,
    /// A sample and step.
    pub(super) tape: u64,
    /// A sample.
    pub(super) work: u64,
    /// Entries of tables of positions, four bytes each.
    pub(super) tables: u64,
    /// The most samples that it runs together.
    pub(super) together: usize,
    /// Steps that its gradients are added up over at once.
    pub(super) block: u64,
}

/// A graph made ready.
pub(super) trait Plan: Debug + Sync + Sized {
    /// What it computes in.
    type Float: Float;
    /// How a root is read.
    type Read: Clone + Debug + Sync;
    /// The memory of one worker; contents are kept while plan and group size stay the same, since
    /// points outside a node's space must stay 0.
    type Memory: Debug + Default + Send;

    /// Sizes of groups, largest first, the last 1.
    const GROUPS: &'static [usize];

    /// Makes a graph ready and computes what depends on nothing.
    fn new(graph: &Graph, wanted: &Wanted) -> Self;

    /// What a plan of the graph will take.
    fn size(graph: &Graph, wanted: &Wanted) -> Size;

    /// The most samples that it runs together for that many steps; more would need more memory than is near.
    fn together(&self, steps: usize) -> usize;

    /// Kernels of a time step, forward and backward.
    fn kernels(&self) -> usize;

    /// From now on takes the time of each function, where it has any.
    fn measure(&mut self) {}

    /// What each function took since then, of those that ran.
    fn spent(&self) -> Vec<Timed> {
        Vec::new()
    }

    /// Elements of the tape in the memory of a worker.
    fn tape(memory: &Self::Memory) -> usize;

    /// Makes ready for groups of that size.
    fn prepare(&mut self, samples: usize);

    /// Fills the parameters and computes what depends on them alone. `fill` is told which parameter, and from which of
    /// its numbers on.
    fn set_params(&mut self, fill: impl Fn(usize, usize, &mut [Self::Float]));

    /// A plan of a graph without time that writes each root where it has read a leaf: both lie in a frame, `block`
    /// numbers each, in the order of the pairs. `None`, if the graph or the backend is not such that all is read
    /// before it is overwritten.
    fn in_place(
        _graph: &Graph,
        _wanted: &Wanted,
        _pairs: &[(Leaf, &str)],
        _block: usize,
    ) -> Option<Self> {
        None
    }

    /// Runs such a plan on a frame; fills the other leaves.
    fn run_in_place(
        &self,
        _memory: &mut Self::Memory,
        _frame: &mut [Self::Float],
        _fill: impl Fn(Source, &mut [Self::Float]),
    ) {
        panic!("internal error: backend: no plan that runs in place")
    }

    /// The root of that name, unless it is missing or summed.
    fn root(&self, name: &str) -> Option<Root<Self::Read>>;

    /// Steps that gradients computed in the end are added up over at once, the last first. What is kept of
    /// a sweep is a multiple of it, so that every addition is the same however much that is.
    fn block(&self) -> usize {
        1
    }

    /// Looks for what two threads can do at once; a larger `worth` leaves more to one. Not for plans that run in place.
    fn share(&mut self, _worth: u64) {}

    /// Whether it has found any.
    fn is_shared(&self) -> bool {
        false
    }

    /// From the next run on a second thread helps a worker, or none does.
    fn help(_memory: &mut Self::Memory, _wanted: bool) {}

    /// Whether one does.
    fn is_helped(_memory: &Self::Memory) -> bool {
        false
    }

    /// Does both, the other one on that second thread if there is one.
    fn both(_memory: &mut Self::Memory, own: impl FnOnce(), other: impl FnOnce() + Send) {
        own();
        other();
    }

    /// Makes room for that many frames of a group, the one before the first step included.
    fn fit(&self, memory: &mut Self::Memory, frames: usize, samples: usize);

    /// Fills leaves and runs one step forward.
    fn forward(
        &self,
        memory: &mut Self::Memory,
        at: At,
        fill: impl Fn(Source, &mut [Self::Float]),
        watch: &mut impl Watch<Self::Float>,
    );

    /// Fills leaves and runs one step backward; roots that are summed are added to `gradient`.
    fn backward(
        &self,
        memory: &mut Self::Memory,
        at: At,
        gradient: &mut [Self::Float],
        fill: impl Fn(Source, &mut [Self::Float]),
        watch: &mut impl Watch<Self::Float>,
    );

    /// Whether a state is read where the step before has written it, so that nobody need carry it: its
    /// leaf is filled at the first step only.
    fn carries(&self, _state: usize) -> bool {
        false
    }

    /// Whether the adjoint of a state finds its own way to the step before.
    fn hands_on(&self, _state: usize) -> bool {
        false
    }

    /// Before the backward sweep: no adjoint arrives at the last step.
    fn turn(&self, _memory: &mut Self::Memory) {}

    /// After the backward sweep over that many steps, whose frames are kept: adds what is left to `gradient`.
    fn finish(
        &self,
        _memory: &mut Self::Memory,
        _steps: usize,
        _samples: usize,
        _gradient: &mut [Self::Float],
    ) {
    }

    /// Copies a root.
    fn read(
        &self,
        memory: &mut Self::Memory,
        root: &Root<Self::Read>,
        at: At,
        out: &mut [Self::Float],
    );
}

//! Where values that are held in memory live.
//!
//! In: a graph and the roots asked for. Out: a phase for every node, and a slot for every value that is not computed
//! where it is read. Invariants: what the backward sweep, the next step or a gradient that is computed in the end reads
//! lies in the tape, or in the frame before, but for adjoints of states; slots of a region do not overlap, but for
//! those of in-place plans and for adjoints that one loop reads and writes where they stand, whether or not their
//! values live at one time: `forks` lets two threads write at once.

use std::collections::BTreeSet;

use crate::backend::phase::{Phase, Wanted, phases};
use crate::graph::{Graph, Leaf, NodeId, Op, Operand};

use super::aligned::whole as whole_lines;
use super::emit::row_major;
use super::fuse::{Fused, Plan, Role, Step, fuse};
use super::held::{held, tiled};
use super::product::{Sum, of_node, sums};
use super::turn::is_turned;

/// Which memory a value lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Region {
    /// Written before the loop over time, shared by all samples.
    Fixed,
    /// One frame a time step: kept for the backward sweep, or for the next step.
    Tape,
    /// The frame of the step before: a state is read where its equation has written it.
    Before,
    /// Overwritten by every step; adjoints of states that are written where they have arrived stay from one step of the
    /// backward sweep to the next.
    Work,
    /// Other adjoints of states, which arrive from the step after.
    Arriving,
    /// Other adjoints of states, handed to the step before, where they arrive.
    Leaving,
}

/// A value's place in memory. In [`Region::Fixed`] a value is held once; elsewhere every element is
/// held once a sample, the samples of a group side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// The memory.
    pub(super) region: Region,
    /// First element, counted for one sample.
    pub(super) offset: usize,
}

impl Slot {
    /// Whether each sample has a value of its own.
    pub(super) fn per_sample(self) -> bool {
        self.region != Region::Fixed
    }

    /// How many numbers of each element lie side by side, in groups of that many samples.
    pub(super) fn beside(self, samples: usize) -> usize {
        if self.per_sample() { samples } else { 1 }
    }
}

/// Numbers of an array, of all samples together, that a second cache holds beside others.
const NEAR: u64 = 1 << 16;

/// Numbers of a group's tape of which a third cache holds two: 16 MiB in single precision.
const FAR: u64 = 1 << 22;

/// The fewest samples that a group is made smaller to: they still fill a vector.
const FEWEST: u64 = 8;

/// Numbers of a sample's tape over whose steps gradients are added up at once: 32 MiB in single precision. More
/// makes the sums no faster, and how few steps can be kept depends on it.
const BLOCK: usize = 1 << 23;

/// The fewest such steps, and the most.
const STEPS: (usize, usize) = (8, 128);

/// The plan of a graph's memory.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// When each node runs; `None` if it does not.
    pub(super) phases: Vec<Option<Phase>>,
    /// Where each value lives; `None` for one that is computed where it is read.
    pub(super) slots: Vec<Option<Slot>>,
    /// Elements in [`Region::Fixed`].
    pub(super) fixed: usize,
    /// Elements a step and sample in [`Region::Tape`].
    pub(super) tape: usize,
    /// Elements a sample in [`Region::Work`].
    pub(super) work: usize,
    /// Elements a sample in [`Region::Arriving`], and as many in [`Region::Leaving`].
    pub(super) seeds: usize,
    /// Where in [`Region::Work`] the second arguments of a function of a whole array are put.
    pub(super) second: Slot,
    /// For each state, the node whose value it takes, where that is read from the frame before.
    pub(super) carried: Vec<Option<NodeId>>,
    /// For each state, the node whose value arrives at the step before as its adjoint.
    pub(super) handed: Vec<Option<NodeId>>,
    /// Gradients that are computed once all steps are done, by the name of their root.
    pub(super) sums: Vec<(String, Vec<Sum>)>,
    /// Whether functions of whole arrays are called.
    pub(super) tiles: bool,
    /// Loops that compute several values.
    pub(super) fused: Vec<Fused>,
    /// The order of everything that is held.
    pub(super) order: Vec<Step>,
    /// Leaves that are written over by what follows from them, in the frames of [`in_place`].
    pub(super) overwritten: Vec<NodeId>,
    /// For parameters whose rows begin lines of the cache, how far apart those lie.
    rows: Vec<Option<usize>>,
}

impl Layout {
    /// Where a value lives, if it is held.
    pub(super) fn slot(&self, id: NodeId) -> Option<Slot> {
        self.slots[id.0 as usize]
    }

    /// How far apart the rows of a value lie, if there is something between them.
    pub(super) fn apart(&self, id: NodeId) -> Option<usize> {
        self.rows[id.0 as usize]
    }

    /// How far apart neighbours along each axis of a value lie, if it is held.
    pub(super) fn strides(&self, graph: &Graph, id: NodeId) -> Option<Vec<i64>> {
        self.slot(id)?;
        Some(between(graph.node(id).space.sizes.clone(), self.apart(id)))
    }

    /// The most samples that are run together: as many as keep the largest array near the core.
    pub(super) fn together(&self, graph: &Graph) -> usize {
        let sizes = graph.ids().filter(|id| self.slot(*id).is_some_and(Slot::per_sample));
        let largest = sizes.map(|id| graph.node(id).space.points()).max().unwrap_or(1);
        (NEAR / largest.max(1)).max(1) as usize
    }

    /// The most samples whose tapes of that many steps lie in the third cache beside those of another thread. Where
    /// it does not hold those of [`FEWEST`], fewer samples would win nothing: as many as there are.
    pub(super) fn within(&self, steps: usize) -> usize {
        let each = (self.tape as u64).saturating_mul(steps as u64).max(1);
        match FAR / each {
            0..FEWEST => usize::MAX,
            samples => samples as usize,
        }
    }

    /// Steps that gradients are added up over at once; see [`Plan`](crate::backend::plan::Plan).
    pub(super) fn block(&self) -> usize {
        let steps = (BLOCK / self.tape.max(1)).clamp(STEPS.0, STEPS.1);
        1 << steps.ilog2()
    }

    /// The memory that a value which runs belongs to.
    fn region(&self, id: NodeId, kept: bool) -> Option<Region> {
        let carries = self.carried.contains(&Some(id));
        Some(match self.phases[id.0 as usize]? {
            Phase::Constant | Phase::Params => Region::Fixed,
            Phase::Forward if kept || carries => Region::Tape,
            Phase::Backward if kept => Region::Tape,
            Phase::Forward | Phase::Backward => Region::Work,
        })
    }

    /// The end of a region, to be moved.
    fn end(&mut self, region: Region) -> &mut usize {
        match region {
            Region::Fixed => &mut self.fixed,
            Region::Tape | Region::Before => &mut self.tape,
            Region::Work => &mut self.work,
            Region::Arriving | Region::Leaving => &mut self.seeds,
        }
    }

    fn take(&mut self, region: Region, len: u64) -> Slot {
        let end = self.end(region);
        let offset = whole_lines(*end, len);
        *end = offset.saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
        Slot { region, offset }
    }
}

/// How far apart neighbours along each axis lie, where rows lie that far apart.
fn between(mut sizes: Vec<u32>, rows: Option<usize>) -> Vec<i64> {
    if let (Some(rows), Some(last)) = (rows, sizes.last_mut()) {
        *last = rows as u32;
    }
    row_major(&sizes)
}

/// Lays out a graph; `tiles` if functions are computed for whole arrays at once.
pub(super) fn layout(graph: &Graph, wanted: &Wanted, tiles: bool) -> Layout {
    let reads = |id| graph.operands(id).into_iter().map(|(node, _)| node).collect();
    let phases = phases(graph, wanted, &reads);
    let held = held(graph, wanted, &phases, tiles);
    let plain = |id: NodeId| held[id.0 as usize].then(|| row_major(&graph.node(id).space.sizes));
    let sums = sums(graph, wanted, &phases, &plain);
    let kept = kept(graph, wanted, (&phases, &held), &sums);
    let carried = carried(graph, wanted, &phases, &held);
    let handed = handed(graph, wanted, (&phases, &held), &kept);
    let Plan { loops, inside, order, standing } =
        fuse(graph, wanted, &phases, (&held, &kept, tiles), &handed);
    let rows = rows(graph, wanted, (&phases, &held), &loops);
    let none = Slot { region: Region::Work, offset: 0 };
    let mut layout = Layout {
        phases,
        slots: vec![None; graph.len()],
        fixed: 0,
        tape: 0,
        work: 0,
        seeds: 0,
        second: none,
        carried,
        handed,
        sums,
        tiles,
        fused: loops,
        order,
        overwritten: Vec::new(),
        rows,
    };
    layout.hand_on(graph, &standing);
    layout.place(graph, (&held, &inside), &kept);
    // Arrays begin with a line of the cache; so does the next frame.
    layout.tape = whole_lines(layout.tape, layout.tape as u64);
    layout.look_back(graph);
    layout
}

/// Lays out a graph without time whose roots are written over the leaves that they follow: pairs of them lie one after
/// the other in a frame, with that many numbers each. Only where one pass computes all of them point by point, so that
/// a leaf is read before it is overwritten.
pub(super) fn in_place(
    graph: &Graph,
    wanted: &Wanted,
    tiles: bool,
    (pairs, numbers): (&[(Leaf, &str)], usize),
) -> Option<Layout> {
    let mut layout = layout(graph, wanted, tiles);
    let [fused] = &layout.fused[..] else { return None };
    let lone = |id: NodeId| graph.node(id).space.points() == 1;
    let beside = |id: NodeId| {
        let alike = |(from, operand): (NodeId, &Operand)| {
            lone(from) || operand.access.is_identity(graph.node(id).space.rank())
        };
        graph.operands(id).into_iter().all(alike)
    };
    let apart = layout.order.iter().all(|step| match step {
        Step::Node(id) => lone(*id) || matches!(graph.node(*id).op, Op::Leaf(_)),
        Step::Fused(_) => true,
    });
    let points = fused.members.iter().all(|member| member.role == Role::Point);
    if !apart || !points || layout.tape > 0 || !graph.ids().all(beside) {
        return None;
    }
    let mut written = Vec::new();
    for (at, (leaf, root)) in pairs.iter().enumerate() {
        let read = graph.root(root)?;
        let space = &graph.node(read.node).space;
        let whole = read.access.is_identity(space.rank()) && read.sizes == space.sizes;
        let fits = whole && space.points() == numbers as u64 && !written.contains(&read.node);
        if !fits || fused.members.iter().all(|member| member.node != read.node) {
            return None;
        }
        written.push(read.node);
        let slot = Slot { region: Region::Tape, offset: at * numbers };
        layout.slots[read.node.0 as usize] = Some(slot);
        if let Some(id) = graph.leaf(leaf) {
            layout.slots[id.0 as usize] = Some(slot);
            layout.overwritten.push(id);
        }
    }
    layout.tape = pairs.len() * numbers;
    Some(layout)
}

impl Layout {
    /// Places for everything else that is held.
    fn place(&mut self, graph: &Graph, (held, inside): (&[bool], &[bool]), kept: &[bool]) {
        let mut most = 0;
        for id in graph.ids().filter(|id| held[id.0 as usize]) {
            let at = id.0 as usize;
            if inside[at] || self.phases[at].is_none() {
                continue;
            }
            let points = graph.node(id).space.points();
            let arguments =
                tiled(graph, id, self.tiles).map_or(0, |function| function.row().takes.len());
            most = if arguments == 2 { points.max(most) } else { most };
            if self.slots[at].is_some() {
                continue;
            }
            let Some(region) = self.region(id, kept[at]) else { continue };
            if let Op::Leaf(Leaf::Prev(state)) = graph.node(id).op
                && self.carried.get(state as usize).is_some_and(Option::is_some)
            {
                continue;
            }
            let taken = self.apart(id).map_or(points, |apart| {
                let row = graph.node(id).space.sizes.last().map_or(1, |row| u64::from(*row));
                (points / row.max(1)).saturating_mul(apart as u64)
            });
            self.slots[at] = Some(self.take(region, taken));
        }
        self.second = self.take(Region::Work, most);
    }

    /// Places for adjoints that are handed from step to step.
    fn hand_on(&mut self, graph: &Graph, standing: &[bool]) {
        for (state, stands) in standing.iter().enumerate() {
            let Some(leaving) = self.handed[state] else { continue };
            let points = graph.node(leaving).space.points();
            let [to, from] = match stands {
                true => [Region::Work; 2],
                false => [Region::Leaving, Region::Arriving],
            };
            let slot = self.take(to, points);
            self.slots[leaving.0 as usize] = Some(slot);
            if let Some(leaf) = graph.leaf(&Leaf::Seed(state as u32)) {
                self.slots[leaf.0 as usize] = Some(Slot { region: from, ..slot });
            }
        }
    }

    /// Whether a leaf's value is where it is read without being filled.
    pub(super) fn is_found(&self, graph: &Graph, id: NodeId) -> bool {
        let Op::Leaf(leaf) = &graph.node(id).op else { return false };
        let handed = |state: &u32| self.handed.get(*state as usize).is_some_and(Option::is_some);
        matches!(leaf, Leaf::Seed(state) if handed(state)) || self.overwritten.contains(&id)
    }

    /// Adjoints that are written where they have arrived: what is handed on, and where it lies.
    pub(super) fn standing(&self) -> impl Iterator<Item = (NodeId, Slot)> {
        let handed = self.handed.iter().flatten();
        let placed = handed.filter_map(|id| Some((*id, self.slot(*id)?)));
        placed.filter(|(_, slot)| slot.region == Region::Work)
    }

    /// States that are read from the frame before.
    fn look_back(&mut self, graph: &Graph) {
        for state in 0..self.carried.len() {
            let Some(from) = self.carried[state] else { continue };
            let Some(slot) = self.slot(from) else { continue };
            if let Some(leaf) = graph.leaf(&Leaf::Prev(state as u32)) {
                self.slots[leaf.0 as usize] = Some(Slot { region: Region::Before, ..slot });
            }
        }
    }
}

/// The node whose value a root is, whole and laid out as the leaf that takes it at another step.
fn whole(graph: &Graph, name: &str, leaf: &Leaf) -> Option<NodeId> {
    let read = graph.root(name)?;
    let space = &graph.node(read.node).space;
    let in_order = read.access.is_identity(space.rank()) && read.sizes == space.sizes;
    let alike = |leaf: NodeId| graph.node(leaf).space.sizes == space.sizes;
    let all = (in_order || is_turned(graph, read)) && graph.leaf(leaf).is_none_or(alike);
    (all && space.when.is_empty()).then_some(read.node)
}

/// States that can be read where the step before has written them; a value carries one state only, since
/// two may start differently.
fn carried(
    graph: &Graph,
    wanted: &Wanted,
    phases: &[Option<Phase>],
    held: &[bool],
) -> Vec<Option<NodeId>> {
    let mut used = vec![false; graph.len()];
    let mut of = |(state, path): (usize, &String)| {
        let node = whole(graph, &format!("next/{path}"), &Leaf::Prev(state as u32))?;
        let at = node.0 as usize;
        let written = held[at] && phases[at] == Some(Phase::Forward);
        let fresh = written && !matches!(graph.node(node).op, Op::Leaf(_)) && !used[at];
        used[at] |= fresh;
        fresh.then_some(node)
    };
    wanted.states.iter().enumerate().map(&mut of).collect()
}

/// Adjoints of states that can be read where the step after has written them; a value can be handed on
/// as the adjoint of one state only.
fn handed(
    graph: &Graph,
    wanted: &Wanted,
    (phases, held): (&[Option<Phase>], &[bool]),
    kept: &[bool],
) -> Vec<Option<NodeId>> {
    let mut used = vec![false; graph.len()];
    let mut of = |(state, path): (usize, &String)| {
        // What a gradient is computed from in the end must stay in the tape.
        let arrives = graph.leaf(&Leaf::Seed(state as u32));
        if arrives.is_some_and(|leaf| kept[leaf.0 as usize]) {
            return None;
        }
        let node = whole(graph, &format!("grad/prev/{path}"), &Leaf::Seed(state as u32))?;
        let at = node.0 as usize;
        let written = held[at] && phases[at] == Some(Phase::Backward) && !kept[at];
        let fresh = written && !matches!(graph.node(node).op, Op::Leaf(_)) && !used[at];
        used[at] |= fresh;
        fresh.then_some(node)
    };
    wanted.states.iter().enumerate().map(&mut of).collect()
}

/// The tape: values of the forward sweep that the backward sweep reads, by itself or to compute
/// anew what is not held, and values that a gradient is computed from in the end.
fn kept(
    graph: &Graph,
    wanted: &Wanted,
    (phases, held): (&[Option<Phase>], &[bool]),
    sums: &[(String, Vec<Sum>)],
) -> Vec<bool> {
    let mut kept = vec![false; graph.len()];
    for name in &wanted.backward {
        let last = sums.iter().all(|(own, _)| own != name);
        if let Some(read) = graph.root(name).filter(|_| last) {
            kept[read.node.0 as usize] = phases[read.node.0 as usize] == Some(Phase::Forward);
        }
    }
    for (from, _) in sums.iter().flat_map(|(_, sums)| sums).flat_map(Sum::factors) {
        kept[from.0 as usize] = true;
    }
    let mut late: Vec<bool> = phases.iter().map(|phase| *phase == Some(Phase::Backward)).collect();
    for id in graph.ids().rev() {
        let at = id.0 as usize;
        late[at] |= kept[at] && !held[at];
        if late[at] {
            for (from, _) in graph.operands(id) {
                let from = from.0 as usize;
                late[from] |= !held[from];
                kept[from] |= phases[from] == Some(Phase::Forward);
            }
        }
    }
    kept
}

/// The shortest row that is worth a line of its own.
pub(super) const LONG: u32 = 32;

/// How far apart the rows of a parameter lie: whole lines, where nobody but kernels of products reads it, which
/// are told. A vector across two lines takes twice as long.
fn rows(
    graph: &Graph,
    wanted: &Wanted,
    (phases, held): (&[Option<Phase>], &[bool]),
    loops: &[Fused],
) -> Vec<Option<usize>> {
    let mut rows: Vec<Option<usize>> = graph.ids().map(|id| row(graph, id)).collect();
    let members = loops.iter().flat_map(|one| &one.members);
    let fused: BTreeSet<NodeId> = members.map(|member| member.node).collect();
    // What is a product may be none where the rows of one factor lie as they are, whose other factor then has none
    // either.
    loop {
        let apart = |id: NodeId| {
            let rows = rows[id.0 as usize];
            held[id.0 as usize].then(|| between(graph.node(id).space.sizes.clone(), rows))
        };
        let called = |id: NodeId| !fused.contains(&id) && of_node(graph, &apart, id).is_some();
        let read = read_otherwise(graph, wanted, (phases, held), &called);
        let mut fewer = false;
        for (apart, read) in rows.iter_mut().zip(read) {
            fewer |= read && apart.is_some();
            *apart = apart.filter(|_| !read);
        }
        if !fewer {
            return rows;
        }
    }
}

/// Which values others than kernels of products read.
fn read_otherwise(
    graph: &Graph,
    wanted: &Wanted,
    (phases, held): (&[Option<Phase>], &[bool]),
    called: &dyn Fn(NodeId) -> bool,
) -> Vec<bool> {
    let mut otherwise = vec![false; graph.len()];
    let roots = wanted.forward.iter().chain(&wanted.backward).chain(wanted.sums.keys());
    let mut read: Vec<NodeId> =
        roots.filter_map(|name| graph.root(name)).map(|read| read.node).collect();
    for id in graph.ids().filter(|id| held[id.0 as usize] && phases[id.0 as usize].is_some()) {
        if !called(id) {
            read.extend(graph.operands(id).into_iter().map(|(from, _)| from));
        }
    }
    let mut seen = vec![false; graph.len()];
    while let Some(id) = read.pop() {
        otherwise[id.0 as usize] = true;
        if !held[id.0 as usize] && !std::mem::replace(&mut seen[id.0 as usize], true) {
            read.extend(graph.operands(id).into_iter().map(|(from, _)| from));
        }
    }
    otherwise
}

/// How far apart they would lie; nothing for what is no matrix of parameters, and for rows that are short or whole
/// lines already.
fn row(graph: &Graph, id: NodeId) -> Option<usize> {
    let node = graph.node(id);
    let (Op::Leaf(Leaf::Param(_)), [_, .., row]) = (&node.op, &node.space.sizes[..]) else {
        return None;
    };
    let apart = whole_lines(*row as usize, u64::from(*row));
    (*row >= LONG && apart != *row as usize && node.space.when.is_empty()).then_some(apart)
}

//! Which values are computed in one pass over the arrays they share.
//!
//! In: a graph, and which of its values are held. Out: [`Fused`] loops, the values that live in registers of such a
//! loop only, the order in which everything runs, and which adjoints may be written where they have arrived.
//! Invariants: what one member reads of another it reads at the point at which both stand; no loop depends on what
//! depends on it.

use std::collections::{BTreeMap, BTreeSet};

use crate::backend::phase::{Phase, Wanted};
use crate::graph::{Affine, Axis, Cond, Graph, Index, Leaf, NodeId, Op};

use super::emit::row_major;
use super::held::tiled;
use super::product::{affine, compose};
use super::vector::Weigh;

/// What a value is to the loop that computes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A number at each point.
    Point,
    /// A number a row: a fold over the columns.
    Row,
    /// A number a column: a fold over the rows.
    Column,
}

/// A value that a loop computes.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// The node.
    pub(super) node: NodeId,
    /// What it is to the loop.
    pub(super) role: Role,
    /// The axis of its scope that runs along the rows of the loop.
    pub(super) rows: usize,
    /// The axis of its scope that runs along the columns.
    pub(super) cols: usize,
}

/// Values computed in one pass over rows and columns.
#[derive(Clone, Debug)]
pub(super) struct Fused {
    /// When it runs.
    pub(super) phase: Phase,
    /// Rows; the outer loop.
    pub(super) rows: u32,
    /// Columns, whose neighbours lie side by side in memory.
    pub(super) cols: u32,
    /// What is computed at each point, in order.
    pub(super) members: Vec<Member>,
}

impl Fused {
    /// What it computes, for people.
    pub(super) fn told(&self, graph: &Graph) -> String {
        let paths: Vec<String> =
            self.members.iter().map(|one| graph.node(one.node).origin.path.to_string()).collect();
        format!("{}[{}, {}]", paths.join(" + "), self.rows, self.cols)
    }
}

/// Something that runs on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// A node; a leaf is filled.
    Node(NodeId),
    /// A loop, by its number.
    Fused(usize),
}

/// What is fused, and what follows from it.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// The loops.
    pub(super) loops: Vec<Fused>,
    /// Values that no memory is needed for.
    pub(super) inside: Vec<bool>,
    /// The order of all held values.
    pub(super) order: Vec<Step>,
    /// For each state, whether its adjoint is written where it has arrived.
    pub(super) standing: Vec<bool>,
}

/// Arrays of fewer numbers are cheaper to go through again.
const FEW: u64 = 256;
/// Rows and columns that are worth a loop.
const SHORT: (u32, u32) = (2, 8);
/// Columns come in whole vectors.
const WHOLE: u32 = 4;
/// The most numbers of one member at one point: terms, or results beside each other.
const MOST_BESIDE: u64 = 8;
/// The most values that one member reads.
const MOST_READ: usize = 64;
/// An array of less than one in so many points of the loop is no reason for it.
const SMALLER: u64 = 4;
/// The most loops over one shape that a value is offered to.
const MOST_OPEN: usize = 8;

/// Held values that a node reads, and where.
type Reads = Vec<(NodeId, Vec<Affine>)>;

/// What a loop runs over, and when.
type Shape = (Phase, u32, u32);

struct Search<'g> {
    graph: &'g Graph,
    phases: &'g [Option<Phase>],
    held: &'g [bool],
    tiles: bool,
}

/// Loops being put together. A loop of one value stays what it is.
#[derive(Default)]
struct Loops {
    all: Vec<Fused>,
    /// For each loop, those it depends on directly.
    needs: Vec<BTreeSet<usize>>,
    by_shape: BTreeMap<Shape, Vec<usize>>,
}

impl Loops {
    /// Whether one of some loops is, or depends on, another.
    fn reaches(&self, from: &BTreeSet<usize>, goal: usize) -> bool {
        let mut seen = vec![false; self.all.len()];
        let mut open: Vec<usize> = from.iter().copied().collect();
        while let Some(at) = open.pop() {
            if at == goal {
                return true;
            }
            if !std::mem::replace(&mut seen[at], true) {
                open.extend(&self.needs[at]);
            }
        }
        false
    }
}

impl Search<'_> {
    fn looped(&self, id: NodeId) -> Option<Phase> {
        self.phases[id.0 as usize].filter(|phase| matches!(phase, Phase::Forward | Phase::Backward))
    }

    /// The held values that a node reads, and where, through those that are not held.
    fn reads(&self, id: NodeId) -> Option<Reads> {
        let mut all = Vec::new();
        for (from, operand) in self.graph.operands(id) {
            self.read(from, affine(&operand.access)?, &mut all)?;
        }
        Some(all)
    }

    fn read(&self, from: NodeId, at: Vec<Affine>, all: &mut Reads) -> Option<()> {
        if self.held[from.0 as usize] {
            all.push((from, at));
            return (all.len() <= MOST_READ).then_some(());
        }
        for (inner, operand) in self.graph.operands(from) {
            self.read(inner, compose(&operand.access, &at)?, all)?;
        }
        Some(())
    }

    /// The two axes of a reader that run along rows and columns of a large array; `Err` if it is read
    /// otherwise.
    fn along(
        &self,
        from: NodeId,
        at: &[Affine],
        scope: &[u32],
    ) -> Result<Option<(usize, usize)>, ()> {
        let sizes = &self.graph.node(from).space.sizes;
        let moves: BTreeSet<Axis> =
            at.iter().flat_map(|at| &at.terms).map(|(axis, _)| *axis).collect();
        let points = self.graph.node(from).space.points();
        let large = points >= FEW.max(area(scope) / SMALLER) && self.looped(from).is_some();
        let (true, [rows, cols]) = (large && moves.len() > 1, &longer(sizes)[..]) else {
            return Ok(None);
        };
        let whole = |dim: usize| {
            let axis = at[dim].as_axis().map(|Axis(axis)| usize::from(axis));
            axis.filter(|axis| scope[*axis] == sizes[dim])
        };
        match (whole(*rows), whole(*cols)) {
            (Some(rows), Some(cols)) if rows != cols => Ok(Some((rows, cols))),
            _ => Err(()),
        }
    }

    /// Whether a member reads another value where it stands itself.
    fn stands(&self, member: &Member, from: NodeId, place: &[Affine]) -> bool {
        let axis = |dim: usize| place[dim].as_axis().map(|Axis(axis)| usize::from(axis));
        let [rows, cols] = longer(&self.graph.node(from).space.sizes)[..] else { return false };
        // Along an axis of one place others than 0 may be written, for places at which nothing is read.
        let first = |dim: usize| place[dim].terms.is_empty() && place[dim].offset == 0;
        let others = (0..place.len()).filter(|dim| *dim != rows && *dim != cols).all(first);
        others && axis(rows) == Some(member.rows) && axis(cols) == Some(member.cols)
    }

    /// Whether nobody but members of a loop reads a leaf, each where it stands, and none after the one that is
    /// written point by point over it.
    fn read_first(
        &self,
        leaf: NodeId,
        by: NodeId,
        own: &Fused,
        dependencies: &[Vec<NodeId>],
    ) -> bool {
        let place = |id: NodeId| own.members.iter().position(|member| member.node == id);
        let Some(last) = place(by) else { return false };
        let early = |id: NodeId| {
            let Some(at) = place(id).filter(|at| *at <= last) else { return false };
            let stands = |(from, place): &(NodeId, Vec<Affine>)| {
                *from != leaf || self.stands(&own.members[at], leaf, place)
            };
            self.reads(id).is_some_and(|reads| reads.iter().all(stands))
        };
        let runs = |id: &NodeId| self.held[id.0 as usize] && self.phases[id.0 as usize].is_some();
        let mut readers = self.graph.ids().filter(runs);
        own.members[last].role == Role::Point
            && readers.all(|id| !dependencies[id.0 as usize].contains(&leaf) || early(id))
    }

    /// What a node would be to a loop, over what, and what it reads.
    fn candidate(&self, id: NodeId) -> Option<(Member, Shape, Reads)> {
        let phase = self.looped(id)?;
        let (graph, node) = (self.graph, self.graph.node(id));
        let (scope, rank) = (graph.scope(id), node.space.rank());
        let plain = |cond: &Cond| !matches!(cond.left, Index::Value(_));
        let fits = match &node.op {
            Op::Map(_) => tiled(graph, id, self.tiles).is_none(),
            Op::Join => true,
            Op::Reduce { when, .. } => when.iter().all(plain),
            Op::Leaf(_) | Op::Recur { .. } | Op::Opaque { .. } => false,
        };
        if !fits {
            return None;
        }
        let own = match longer(&node.space.sizes)[..] {
            [rows, cols] => Some((rows, cols)),
            _ => None,
        };
        let mut axes = None;
        let reads = self.reads(id)?;
        for (from, at) in &reads {
            let found = self.along(*from, at, &scope).ok()?;
            if axes.is_some() && found.is_some() && axes != found {
                return None;
            }
            axes = axes.or(found);
        }
        let (rows, cols) = axes.or(own)?;
        let role = match (rows < rank, cols < rank) {
            (true, true) => Role::Point,
            (true, false) => Role::Row,
            (false, true) => Role::Column,
            (false, false) => return None,
        };
        let beside: u64 = (0..scope.len())
            .filter(|axis| *axis != rows && *axis != cols)
            .fold(1, |all: u64, axis| all.saturating_mul(u64::from(scope[axis])));
        // Points where a value does not exist are written as 0, which a fold cannot do.
        let whole = match role {
            Role::Point => own == Some((rows, cols)),
            Role::Row => node.space.when.is_empty(),
            Role::Column => node.space.when.is_empty() && row_major(&node.space.sizes)[cols] == 1,
        };
        let size = (scope[rows], scope[cols]);
        let long = long(size);
        let large = u64::from(size.0) * u64::from(size.1) >= FEW;
        let weigh = Weigh { graph, held: &|id| self.held[id.0 as usize], cut: false };
        let fits = whole && long && large && beside <= MOST_BESIDE;
        (fits && weigh.node(id, cols).is_some()).then_some((
            Member { node: id, role, rows, cols },
            (phase, size.0, size.1),
            reads,
        ))
    }

    /// For each held value, those it reads, through those that are not held; and the same of others.
    fn dependencies(&self) -> Vec<Vec<NodeId>> {
        let mut all: Vec<Vec<NodeId>> = Vec::with_capacity(self.graph.len());
        for id in self.graph.ids() {
            let mut own = BTreeSet::new();
            for (from, _) in self.graph.operands(id) {
                if self.held[from.0 as usize] {
                    own.insert(from);
                } else {
                    own.extend(&all[from.0 as usize]);
                }
            }
            all.push(own.into_iter().collect());
        }
        all
    }

    /// Puts every value that can be one into the first loop that takes it.
    fn loops(&self, dependencies: &[Vec<NodeId>]) -> Vec<Fused> {
        let mut loops = Loops::default();
        let mut of: Vec<Option<usize>> = vec![None; self.graph.len()];
        let mut after: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); self.graph.len()];
        for id in self.graph.ids().filter(|id| self.held[id.0 as usize]) {
            let at = id.0 as usize;
            let reads = &dependencies[at];
            let Some((member, shape, places)) = self.candidate(id) else {
                after[at] = needed(reads, &of, &after, None);
                continue;
            };
            let open = loops.by_shape.entry(shape).or_default().clone();
            let takes = |number: &&usize| {
                let inside = |from: NodeId| of[from.0 as usize] == Some(**number);
                let members = &loops.all[**number].members;
                let point = |from: NodeId| {
                    members.iter().any(|one| one.node == from && one.role == Role::Point)
                };
                let beside = |(from, place): &(NodeId, Vec<Affine>)| {
                    !inside(*from) || (point(*from) && self.stands(&member, *from, place))
                };
                let others = needed(reads, &of, &after, Some(**number));
                places.iter().all(beside) && !loops.reaches(&others, **number)
            };
            let found = open.iter().rev().take(MOST_OPEN).rev().find(takes).copied();
            let number = found.unwrap_or_else(|| {
                let (phase, rows, cols) = shape;
                loops.all.push(Fused { phase, rows, cols, members: Vec::new() });
                loops.needs.push(BTreeSet::new());
                loops.by_shape.entry(shape).or_default().push(loops.all.len() - 1);
                loops.all.len() - 1
            });
            let more = needed(reads, &of, &after, Some(number));
            loops.needs[number].extend(more);
            loops.all[number].members.push(member);
            of[at] = Some(number);
        }
        loops.all
    }

    /// Everything in an order in which it can run, as near as possible to that of the graph.
    fn order(
        &self,
        dependencies: &[Vec<NodeId>],
        loops: &[Fused],
        of: &[Option<usize>],
    ) -> Vec<Step> {
        let step = |id: NodeId| of[id.0 as usize].map_or(Step::Node(id), Step::Fused);
        let mut done = BTreeSet::new();
        let mut order = Vec::new();
        for id in self.graph.ids().filter(|id| self.held[id.0 as usize]) {
            let mut open = vec![(step(id), false)];
            while let Some((next, ready)) = open.pop() {
                if done.contains(&next) {
                    continue;
                }
                if ready {
                    done.insert(next);
                    order.push(next);
                    continue;
                }
                open.push((next, true));
                let members = match next {
                    Step::Node(id) => vec![id],
                    Step::Fused(number) => {
                        loops[number].members.iter().map(|one| one.node).collect()
                    }
                };
                let first = members.iter().flat_map(|id| &dependencies[id.0 as usize]);
                let first: BTreeSet<Step> = first.map(|id| step(*id)).collect();
                let first = first.into_iter().rev().filter(|one| *one != next);
                open.extend(first.filter(|one| !done.contains(one)).map(|one| (one, false)));
            }
        }
        order
    }
}

/// Whether so many rows and columns are worth a loop.
fn long((rows, cols): (u32, u32)) -> bool {
    rows >= SHORT.0 && cols >= SHORT.1 && cols.is_multiple_of(WHOLE)
}

/// Whether an array is one that loops go through: it has rows and columns, and enough of them.
pub(super) fn is_gone_through(sizes: &[u32]) -> bool {
    match longer(sizes)[..] {
        [rows, cols] => long((sizes[rows], sizes[cols])),
        _ => false,
    }
}

/// Points of the two longest axes.
fn area(scope: &[u32]) -> u64 {
    let mut sizes = scope.to_vec();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes.iter().take(2).map(|size| u64::from(*size)).product()
}

/// The axes that are longer than 1.
fn longer(sizes: &[u32]) -> Vec<usize> {
    (0..sizes.len()).filter(|axis| sizes[*axis] > 1).collect()
}

/// The loops that must have run before what some values are read by, but for one, whose values may be
/// read while it runs.
fn needed(
    reads: &[NodeId],
    of: &[Option<usize>],
    after: &[BTreeSet<usize>],
    own: Option<usize>,
) -> BTreeSet<usize> {
    let mut all = BTreeSet::new();
    for from in reads {
        match of[from.0 as usize] {
            None => all.extend(&after[from.0 as usize]),
            Some(number) if Some(number) == own => {}
            Some(number) => {
                all.insert(number);
            }
        }
    }
    all
}

/// Puts values together that are computed from the same arrays. `kept` are those that the backward sweep
/// reads, `handed` the values that arrive at the step before as adjoints of states.
pub(super) fn fuse(
    graph: &Graph,
    wanted: &Wanted,
    phases: &[Option<Phase>],
    (held, kept, tiles): (&[bool], &[bool], bool),
    handed: &[Option<NodeId>],
) -> Plan {
    let search = Search { graph, phases, held, tiles };
    let dependencies = search.dependencies();
    let all = search.loops(&dependencies);
    let mut loops: Vec<Fused> = Vec::new();
    let mut of = vec![None; graph.len()];
    for fused in all.into_iter().filter(|fused| fused.members.len() > 1) {
        for member in &fused.members {
            of[member.node.0 as usize] = Some(loops.len());
        }
        loops.push(fused);
    }
    let order = search.order(&dependencies, &loops, &of);
    let mut inside = vec![false; graph.len()];
    for member in loops.iter().flat_map(|fused| &fused.members) {
        let at = member.node.0 as usize;
        inside[at] = member.role == Role::Point && !kept[at];
    }
    for id in graph.ids().filter(|id| held[id.0 as usize]) {
        for from in &dependencies[id.0 as usize] {
            inside[from.0 as usize] &= of[id.0 as usize] == of[from.0 as usize];
        }
    }
    let rooted = rooted(graph, wanted, held, &dependencies);
    for id in &rooted {
        inside[id.0 as usize] = false;
    }
    let over = |(state, leaving): (usize, &Option<NodeId>)| {
        let (Some(leaving), Some(leaf)) = (*leaving, graph.leaf(&Leaf::Seed(state as u32))) else {
            return false;
        };
        let own = of[leaving.0 as usize].map(|number: usize| &loops[number]);
        let alone = !rooted.contains(&leaf);
        alone && own.is_some_and(|own| search.read_first(leaf, leaving, own, &dependencies))
    };
    let standing = handed.iter().enumerate().map(over).collect();
    Plan { loops, inside, order, standing }
}

/// The held values that roots are, or are computed from.
fn rooted(
    graph: &Graph,
    wanted: &Wanted,
    held: &[bool],
    dependencies: &[Vec<NodeId>],
) -> BTreeSet<NodeId> {
    let mut all = BTreeSet::new();
    for name in wanted.forward.iter().chain(&wanted.backward).chain(wanted.sums.keys()) {
        let Some(read) = graph.root(name) else { continue };
        match held[read.node.0 as usize] {
            true => all.extend([read.node]),
            false => all.extend(&dependencies[read.node.0 as usize]),
        }
    }
    all
}

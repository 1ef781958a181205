//! Which functions of a step two threads run at once.
//!
//! In: the functions of a phase, in order, and what each reads and makes. Out: a [`Walk`] through them, with
//! [`Fork`]s where two threads each run some. Every value is held in a place of its own and made by one function, but
//! for adjoints that the one function which reads them writes over, so that functions may run at the same time if
//! neither needs what the other makes. Invariant: a function runs after all that it needs, in a fork as well.

use std::ops::Range;

use crate::backend::bytes::points;
use crate::graph::{Graph, NodeId};

use super::held::tiled;
use super::layout::Layout;
use super::make::Task;
use super::product::of_node;

/// Terms of a sum of products that take about as long as telling a second thread of them and waiting for it: a quarter
/// of a microsecond. A function of so many is worth a look, and a fork whose parts both take twice as long is made.
pub(super) const WORTH: u64 = 4096;

/// How many times a sum's term a number of a whole array's elementary function takes.
const FUNCTION: u64 = 8;
/// The same for a value of a loop.
const LOOP: u64 = 2;

/// Two threads, each with functions of its own, side by side in the order of the walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fork {
    /// Those of the first thread.
    pub(super) own: Range<usize>,
    /// Those of the second: they follow.
    pub(super) other: Range<usize>,
}

/// The functions of a phase in an order that brings together what can run at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Walk {
    /// Where they lie in the list of all functions.
    pub(super) list: Range<usize>,
    /// Their numbers there.
    pub(super) order: Vec<usize>,
    /// Places in the order, one after the other.
    pub(super) forks: Vec<Fork>,
}

impl Walk {
    /// The order given, by one thread.
    pub(super) fn alone(list: Range<usize>) -> Walk {
        Walk { order: list.clone().collect(), list, forks: Vec::new() }
    }

    /// Through the functions of a phase whose numbers are in that range; `worth` as [`WORTH`].
    pub(super) fn shared(
        graph: &Graph,
        layout: &Layout,
        (tasks, list): (&[Task], Range<usize>),
        worth: u64,
    ) -> Walk {
        // What adds to gradients stays behind the rest.
        let end = tasks[list.clone()].iter().position(|task| matches!(task, Task::Sum(..)));
        let end = end.map_or(list.end, |end| list.start + end);
        let own = &tasks[list.start..end];
        let needs = Needs::of(graph, layout, own);
        let costs: Vec<u64> = own.iter().map(|task| cost(graph, layout, task)).collect();
        let search = Search { needs: &needs, costs: &costs, worth: worth.max(1) };
        let (order, forks) = search.walk();
        let order = order.into_iter().map(|at| list.start + at).chain(end..list.end).collect();
        Walk { list, order, forks }
    }
}

/// About how long a function takes, in terms of a sum of products.
fn cost(graph: &Graph, layout: &Layout, task: &Task) -> u64 {
    match task {
        Task::Node(id) => {
            let points = points(&graph.scope(*id));
            if of_node(graph, &|id| layout.strides(graph, id), *id).is_some() {
                return points;
            }
            let whole = tiled(graph, *id, layout.tiles).is_some();
            points.saturating_mul(if whole { FUNCTION } else { LOOP })
        }
        Task::Fused(number) => {
            let fused = &layout.fused[*number];
            let points = points(&[fused.rows, fused.cols]);
            points.saturating_mul(fused.members.len() as u64).saturating_mul(LOOP)
        }
        Task::Sum(..) => 0,
    }
}

/// Which functions of a list each needs, itself or by way of others.
struct Needs {
    /// A bit for each function, a row for each.
    bits: Vec<Vec<u64>>,
}

impl Needs {
    fn of(graph: &Graph, layout: &Layout, tasks: &[Task]) -> Needs {
        let mut maker: Vec<Option<usize>> = vec![None; graph.len()];
        for (at, task) in tasks.iter().enumerate() {
            for id in makes(layout, task) {
                maker[id.0 as usize] = Some(at);
            }
        }
        let words = tasks.len().div_ceil(64);
        let mut bits: Vec<Vec<u64>> = Vec::with_capacity(tasks.len());
        // The last function that put second arguments where all put them.
        let mut second = None;
        for (at, task) in tasks.iter().enumerate() {
            let mut own = vec![0; words];
            let made = reads(graph, layout, task).into_iter().filter_map(|id| maker[id.0 as usize]);
            let puts = takes_two(graph, layout, task);
            // What a loop makes for itself, it need not wait for.
            for from in made.chain(second.filter(|_| puts)).filter(|from| *from < at) {
                own.iter_mut().zip(&bits[from]).for_each(|(own, more)| *own |= more);
                own[from / 64] |= 1 << (from % 64);
            }
            second = if puts { Some(at) } else { second };
            bits.push(own);
        }
        Needs { bits }
    }

    /// Whether one function needs another.
    fn needs(&self, at: usize, from: usize) -> bool {
        self.bits[at][from / 64] >> (from % 64) & 1 == 1
    }
}

/// Whether a function puts second arguments into [`Layout::second`].
fn takes_two(graph: &Graph, layout: &Layout, task: &Task) -> bool {
    let Task::Node(id) = task else { return false };
    tiled(graph, *id, layout.tiles).is_some_and(|function| function.row().takes.len() > 1)
}

/// What a function makes.
fn makes(layout: &Layout, task: &Task) -> Vec<NodeId> {
    match task {
        Task::Node(id) => vec![*id],
        Task::Fused(number) => {
            layout.fused[*number].members.iter().map(|member| member.node).collect()
        }
        Task::Sum(..) => Vec::new(),
    }
}

/// The values that a function reads, those included that are computed where they are read.
fn reads(graph: &Graph, layout: &Layout, task: &Task) -> Vec<NodeId> {
    let mut open = makes(layout, task);
    let mut seen = vec![false; graph.len()];
    let mut all = Vec::new();
    while let Some(id) = open.pop() {
        for (from, _) in graph.operands(id) {
            if std::mem::replace(&mut seen[from.0 as usize], true) {
                continue;
            }
            all.push(from);
            // What is inside a loop is of the same function.
            if layout.slot(from).is_none() {
                open.push(from);
            }
        }
    }
    all
}

/// Looks for forks.
struct Search<'s> {
    needs: &'s Needs,
    costs: &'s [u64],
    worth: u64,
}

/// Functions one after the other, sorted into parts.
struct Split {
    /// Needed by the parts, or by nothing here.
    before: Vec<usize>,
    parts: [Vec<usize>; 2],
    /// Needing more than one part.
    after: Vec<usize>,
}

impl Search<'_> {
    /// Through a list that begins at 0.
    fn walk(&self) -> (Vec<usize>, Vec<Fork>) {
        let (mut order, mut forks) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < self.costs.len() {
            let split = self.heavy(at).then(|| self.split(at)).flatten();
            let Some((Split { before, parts: [own, other], after }, end)) = split else {
                order.push(at);
                at += 1;
                continue;
            };
            order.extend(before);
            let first = order.len();
            let middle = first + own.len();
            order.extend(own);
            order.extend(other);
            forks.push(Fork { own: first..middle, other: middle..order.len() });
            order.extend(after);
            at = end;
        }
        (order, forks)
    }

    fn heavy(&self, at: usize) -> bool {
        self.costs[at] >= self.worth
    }

    /// A fork that begins with a heavy function, and where it ends: with the next heavy one that needs one of its own.
    fn split(&self, start: usize) -> Option<(Split, usize)> {
        let mut heavy = vec![start];
        let mut end = start + 1;
        while end < self.costs.len() {
            if self.heavy(end) {
                if heavy.iter().any(|from| self.needs.needs(end, *from)) {
                    break;
                }
                heavy.push(end);
            }
            end += 1;
        }
        let split = self.sorted(&heavy, start..end);
        let weight =
            |part: &Vec<usize>| part.iter().map(|at| self.costs[*at]).fold(0, u64::saturating_add);
        let worth = split.parts.iter().map(weight).min()? >= self.worth.saturating_mul(2);
        worth.then_some((split, end))
    }

    /// Deals heavy functions out, the longest first, and what follows from one part alone after them.
    fn sorted(&self, heavy: &[usize], range: Range<usize>) -> Split {
        let mut dealt = heavy.to_vec();
        dealt.sort_by_key(|at| std::cmp::Reverse(self.costs[*at]));
        let (mut sums, mut part_of) = ([0, 0], vec![None; range.len()]);
        for at in dealt {
            let part = usize::from(sums[1] < sums[0]);
            sums[part] = u64::saturating_add(sums[part], self.costs[at]);
            part_of[at - range.start] = Some(part);
        }
        let mut split =
            Split { before: Vec::new(), parts: [Vec::new(), Vec::new()], after: Vec::new() };
        for at in range.clone() {
            let needs = |from: &usize| self.needs.needs(at, *from);
            if split.after.iter().any(needs) {
                split.after.push(at);
                continue;
            }
            let [first, second] = split.parts.each_ref().map(|part| part.iter().any(needs));
            match (part_of[at - range.start], first, second) {
                (Some(part), ..) => split.parts[part].push(at),
                (None, true, true) => split.after.push(at),
                (None, true, false) => split.parts[0].push(at),
                (None, false, true) => split.parts[1].push(at),
                (None, false, false) => split.before.push(at),
            }
        }
        split
    }
}

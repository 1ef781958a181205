//! The canonical order of a graph: how it was built does not show.
//!
//! In: a graph. Out: the same graph without what no root reaches, its nodes in the order of a
//! depth-first walk from the roots, sorted by name, operands by port. Invariant: idempotent; the order
//! of operands is never changed. A value that is used once is put in the terms of its reader
//! (`align`).
//!
//! A node comes after everything it reads; what the text form writes on one line stands together, so
//! that a canonical graph prints as equations.

use super::align::aligned;
use super::text::layout::{Form, created, forms};
use super::{Graph, NodeId, Part, Path, Read};

/// Puts a graph into canonical order and drops what is not reached. The graph keeps the laws.
#[must_use]
pub fn canonical(graph: Graph) -> Graph {
    // What is written on one line depends on who uses it, so unused users go first. Values that have
    // become equal are used less often, so that others may follow; this ends soon.
    let (mut graph, _) = ordered(graph);
    for _ in 0..ROUNDS {
        let (next, renamed) = aligned(graph);
        let (next, moved) = ordered(next);
        graph = next;
        if !renamed && !moved {
            break;
        }
    }
    graph
}

/// Rounds after which the graph is taken as it is.
const ROUNDS: usize = 16;

/// One walk; says whether it has changed anything.
fn ordered(graph: Graph) -> (Graph, bool) {
    let mut starts: Vec<&(Path, Read)> = graph.roots.iter().collect();
    starts.sort_by(|left, right| left.0.cmp(&right.0));
    let order = Walk::new(&graph).order(starts.into_iter().map(|(_, read)| read.node));
    let stays = order.len() == graph.len()
        && order.iter().enumerate().all(|(at, id)| at == id.0 as usize)
        && graph.roots.is_sorted_by(|left, right| left.0 <= right.0);
    if stays {
        return (graph, false);
    }
    let mut place = vec![NodeId(0); graph.len()];
    for (at, id) in order.iter().enumerate() {
        place[id.0 as usize] = NodeId(at as u32);
    }
    let (parts, mut roots) = graph.into_parts();
    let mut parts: Vec<Option<Part>> = parts.into_iter().map(Some).collect();
    let moved = |id: NodeId| {
        let mut part = parts[id.0 as usize].take().expect("a walk meets a node once");
        part.operands.iter_mut().for_each(|(from, _)| *from = place[from.0 as usize]);
        part
    };
    let parts = order.into_iter().map(moved).collect();
    roots.sort_by(|left, right| left.0.cmp(&right.0));
    for (_, read) in &mut roots {
        read.node = place[read.node.0 as usize];
    }
    let graph = Graph::assemble(parts, roots);
    (graph.expect("a walk reaches every operand of what it reaches"), true)
}

struct Walk<'a> {
    graph: &'a Graph,
    forms: Vec<Form>,
    done: Vec<bool>,
    order: Vec<NodeId>,
}

impl<'a> Walk<'a> {
    fn new(graph: &'a Graph) -> Walk<'a> {
        Walk { graph, forms: forms(graph), done: vec![false; graph.len()], order: Vec::new() }
    }

    fn order(mut self, roots: impl DoubleEndedIterator<Item = NodeId>) -> Vec<NodeId> {
        let mut stack: Vec<(NodeId, bool)> = roots.rev().map(|root| (root, false)).collect();
        while let Some((line, reads_done)) = stack.pop() {
            if self.done[line.0 as usize] {
                continue;
            }
            if reads_done {
                self.emit(line);
                continue;
            }
            stack.push((line, true));
            let mut reads = Vec::new();
            self.reads(line, &mut reads);
            stack.extend(reads.into_iter().rev().map(|read| (read, false)));
        }
        self.order
    }

    /// The lines that a line reads, in port order.
    fn reads(&self, id: NodeId, list: &mut Vec<NodeId>) {
        for (from, _) in self.graph.operands(id) {
            match self.forms[from.0 as usize] {
                Form::Line => list.push(from),
                Form::Nested => self.reads(from, list),
                Form::Literal => {}
            }
        }
    }

    fn emit(&mut self, line: NodeId) {
        let mut list = Vec::new();
        let inline =
            |id: NodeId| self.forms[id.0 as usize] != Form::Line && !self.done[id.0 as usize];
        created(self.graph, line, &inline, &mut list);
        for id in list.into_iter().chain([line]) {
            self.done[id.0 as usize] = true;
            self.order.push(id);
        }
    }
}

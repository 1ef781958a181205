//! From a result that is not finite back to where it went bad.
//!
//! In: which elements of which node were NaN or infinite at each step of one sample. Out: a node that is
//! bad at an element for which it read nothing bad, among those that the result goes back to; the first
//! of them, in the order of the sweeps. Invariant: an infinity that did no harm (as in `1 / (1 + exp(x))`)
//! is not named, since no bad result goes back to it.

use std::collections::BTreeSet;

use crate::backend::domain::unravel;
use crate::backend::float::Float;
use crate::backend::plan::Watch;
use crate::graph::{Access, Graph, Leaf, NodeId, Op, Program, Read};

/// What is known of a node at a step.
enum Mark {
    /// It was not shown: a constant, or a part of a sum of products.
    Unseen,
    /// Every element is finite.
    Fine,
    /// These are not.
    Bad(Box<[bool]>),
}

/// What a watch has seen of one sample.
pub(super) struct Seen {
    nodes: usize,
    steps: Vec<Vec<Mark>>,
    backward: Vec<bool>,
}

/// An element of a node at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    /// The step.
    pub(super) step: usize,
    /// The node.
    pub(super) node: NodeId,
    /// The element, in row-major order.
    pub(super) element: usize,
}

impl Seen {
    /// Nothing yet, of a graph of that many nodes.
    pub(super) fn new(nodes: usize) -> Seen {
        Seen { nodes, steps: Vec::new(), backward: vec![false; nodes] }
    }

    /// Whether a node was shown by the backward sweep.
    pub(super) fn is_backward(&self, node: NodeId) -> bool {
        self.backward[node.0 as usize]
    }

    fn mark(&self, step: usize, node: NodeId) -> &Mark {
        self.steps.get(step).map_or(&Mark::Unseen, |marks| &marks[node.0 as usize])
    }

    /// The first bad element of a node.
    fn first(&self, step: usize, node: NodeId) -> Option<Spot> {
        let Mark::Bad(elements) = self.mark(step, node) else { return None };
        elements.iter().position(|bad| *bad).map(|element| Spot { step, node, element })
    }
}

impl<F: Float> Watch<F> for Seen {
    fn see(&mut self, node: NodeId, value: &[F], step: usize, backward: bool) {
        while self.steps.len() <= step {
            self.steps.push((0..self.nodes).map(|_| Mark::Unseen).collect());
        }
        let bad = |value: &F| !value.wide().is_finite();
        self.backward[node.0 as usize] = backward;
        self.steps[step][node.0 as usize] = if value.iter().any(bad) {
            Mark::Bad(value.iter().map(bad).collect())
        } else {
            Mark::Fine
        };
    }
}

/// Where an operand is read at a point of its reader.
pub(super) enum Place {
    /// Nowhere: the point belongs to another arm.
    Outside,
    /// At this element.
    At(usize),
    /// Where another value says.
    Anywhere,
}

/// The element of a value of these sizes that an access reads at a point.
pub(super) fn place(sizes: &[u32], access: &Access, point: &[u32]) -> Place {
    let mut flat = 0;
    for (size, index) in sizes.iter().zip(&access.0) {
        match index.at(point) {
            None => return Place::Anywhere,
            Some(at) if (0..i64::from(*size)).contains(&at) => {
                flat = flat * *size as usize + at as usize;
            }
            Some(_) => return Place::Outside,
        }
    }
    Place::At(flat)
}

/// The point of an element.
pub(super) fn point(sizes: &[u32], element: usize) -> Vec<u32> {
    let mut point = vec![0; sizes.len()];
    unravel(sizes, element, &mut point);
    point
}

/// A search through what was seen.
pub(super) struct Trace<'a> {
    pub(super) program: &'a Program,
    pub(super) seen: &'a Seen,
}

/// Of a sum of more terms than this, the first are looked at.
const MOST_TERMS: usize = 1 << 16;

impl Trace<'_> {
    fn graph(&self) -> &Graph {
        &self.program.step
    }

    /// Where the bad results of a sample come from; `steps` is its length.
    pub(super) fn source(&self, steps: usize) -> Option<Spot> {
        let results = self.graph().roots.iter().filter(|(path, _)| {
            path.0 == "loss" || (path.0.starts_with("grad/") && !path.0.starts_with("grad/prev/"))
        });
        let results: Vec<NodeId> = results.map(|(_, read)| read.node).collect();
        let spots = (0..steps)
            .flat_map(|step| results.iter().filter_map(move |node| self.seen.first(step, *node)));
        let mut open: Vec<Spot> = spots.collect();
        let mut known: BTreeSet<(usize, NodeId)> =
            open.iter().map(|spot| (spot.step, spot.node)).collect();
        let mut found: Option<Spot> = None;
        while let Some(spot) = open.pop() {
            let behind = self.behind(spot);
            if behind.is_empty() && found.is_none_or(|best| self.order(spot) < self.order(best)) {
                found = Some(spot);
            }
            open.extend(behind.into_iter().filter(|spot| known.insert((spot.step, spot.node))));
        }
        found
    }

    /// When a spot is made: forward with time, then backward against it.
    fn order(&self, spot: Spot) -> (bool, i64, NodeId) {
        let backward = self.seen.is_backward(spot.node);
        let step = spot.step as i64;
        (backward, if backward { -step } else { step }, spot.node)
    }

    /// What is bad among what a spot reads.
    fn behind(&self, spot: Spot) -> Vec<Spot> {
        let Spot { step, node, element } = spot;
        match &self.graph().node(node).op {
            Op::Leaf(Leaf::Prev(state)) => {
                let name = format!("next/{}", self.program.states[*state as usize].path);
                let before = step.checked_sub(1);
                before.and_then(|step| self.root(step, &name, spot)).into_iter().collect()
            }
            Op::Leaf(Leaf::Seed(state)) => {
                let name = format!("grad/prev/{}", self.program.states[*state as usize].path);
                self.root(step + 1, &name, spot).into_iter().collect()
            }
            Op::Leaf(_) => Vec::new(),
            Op::Map(_) | Op::Join | Op::Reduce { .. } | Op::Recur { .. } | Op::Opaque { .. } => {
                let mut all = Vec::new();
                for (from, read) in self.reads(node, element) {
                    match (self.seen.mark(step, from), read) {
                        (Mark::Fine, _) => {}
                        (Mark::Bad(_), None) => all.extend(self.seen.first(step, from)),
                        (Mark::Bad(bad), Some(element)) if bad[element] => {
                            all.push(Spot { step, node: from, element });
                        }
                        (Mark::Bad(_), Some(_)) => {}
                        // What is not shown is looked through.
                        (Mark::Unseen, read) => {
                            let element = read.unwrap_or(0);
                            all.extend(self.behind(Spot { step, node: from, element }));
                        }
                    }
                }
                all
            }
        }
    }

    /// The element of a root that stands for the element of a leaf, if it is bad.
    fn root(&self, step: usize, name: &str, spot: Spot) -> Option<Spot> {
        let Read { node, access, .. } = self.graph().root(name)?;
        let (node, sizes) = (*node, &self.graph().node(*node).space.sizes);
        let leaf = point(&self.graph().node(spot.node).space.sizes, spot.element);
        let Mark::Bad(bad) = self.seen.mark(step, node) else { return None };
        match place(sizes, access, &leaf) {
            Place::At(element) => bad[element].then_some(Spot { step, node, element }),
            Place::Anywhere => self.seen.first(step, node),
            Place::Outside => None,
        }
    }

    /// The operands that a node reads for an element, with the element read, where that is known.
    fn reads(&self, node: NodeId, element: usize) -> Vec<(NodeId, Option<usize>)> {
        let graph = self.graph();
        let here = graph.node(node);
        let mut all = Vec::new();
        let at = point(&here.space.sizes, element);
        let points: Vec<Vec<u32>> = match &here.op {
            Op::Reduce { over, .. } => {
                let terms: usize = over.iter().map(|size| *size as usize).product();
                let with = |term| [&at[..], &point(over, term)[..]].concat();
                (0..terms.min(MOST_TERMS)).map(with).collect()
            }
            Op::Leaf(_) | Op::Map(_) | Op::Join | Op::Recur { .. } | Op::Opaque { .. } => vec![at],
        };
        let lines = matches!(here.op, Op::Recur { .. } | Op::Opaque { .. });
        for (from, operand) in graph.operands(node) {
            if lines {
                all.push((from, None));
                continue;
            }
            for point in &points {
                match place(&graph.node(from).space.sizes, &operand.access, point) {
                    Place::At(element) => all.push((from, Some(element))),
                    Place::Anywhere => all.push((from, None)),
                    Place::Outside => {}
                }
            }
        }
        all
    }
}

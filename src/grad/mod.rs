//! Reverse differentiation: GRAPH -> GRAPH, adjoint nodes appended after the forward ones.
//!
//! In: a graph, which is put into canonical order, the roots at which adjoints arrive, the leaves whose adjoints are
//! wanted. Out: its nodes, then adjoint nodes, and one more root for each wanted leaf. The
//! result depends on the order of the forward nodes and of root names, on nothing else.
//!
//! `rules` says what flows back through each op; `solve` turns what arrives along an access
//! into a value over the axes of what was read.

mod rules;
mod solve;

#[cfg(test)]
mod tests;

pub use rules::open_ports;

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{
    Builder, Graph, Leaf, NodeId, Op, Origin, Read, Type, View, canonical, verified,
};
use crate::op::scalar;

/// A root that has an adjoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Seed {
    /// Name of the root.
    pub root: String,
    /// What its adjoint is.
    pub from: SeedFrom,
}

/// Where the adjoint of a root comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedFrom {
    /// It is 1: the root is what is differentiated.
    One,
    /// It is given, as the leaf `Seed` of that number, in the shape of the root.
    Leaf(u32),
}

/// A leaf whose adjoint becomes a root.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The leaf.
    pub leaf: Leaf,
    /// Its shape.
    pub sizes: Vec<u32>,
    /// Name of the new root.
    pub root: String,
}

/// Adds the adjoints of the wanted leaves. Where nothing flows back, the adjoint is a constant 0.
///
/// # Panics
/// If a seed names a root that the graph does not have.
#[must_use]
pub fn differentiate(graph: Graph, seeds: &[Seed], wanted: &[Wanted]) -> Graph {
    let graph = verified(canonical(graph), "what came before differentiate");
    let forward: Vec<NodeId> = graph.ids().collect();
    let active = active(&graph, wanted);
    let roots: BTreeMap<String, Read> =
        graph.roots.iter().map(|(path, read)| (path.0.clone(), read.clone())).collect();
    let mut sweep = Sweep { builder: Builder::extend(graph), arriving: BTreeMap::new(), active };
    let mut seeds: Vec<&Seed> = seeds.iter().collect();
    seeds.sort_by(|left, right| left.root.cmp(&right.root));
    for (order, seed) in seeds.into_iter().enumerate() {
        let root = roots.get(&seed.root).unwrap_or_else(|| panic!("no root `{}`", seed.root));
        sweep.seed(order, seed, root.clone());
    }
    let mut adjoints = BTreeMap::new();
    for id in forward.into_iter().rev() {
        if let Some(adjoint) = sweep.collect(id) {
            sweep.flow(id, &adjoint);
            if let Op::Leaf(leaf) = &sweep.graph().node(id).op {
                adjoints.insert(leaf.clone(), (id, adjoint));
            }
        }
    }
    for want in wanted {
        let read = match adjoints.get(&want.leaf) {
            Some((id, adjoint)) => sweep.shown(*id, adjoint, &want.sizes),
            None => {
                let zero = sweep.builder.constant(0.0);
                Read { node: zero, access: View::scalar(zero).access, sizes: want.sizes.clone() }
            }
        };
        sweep.builder.root(want.root.clone(), read);
    }
    verified(sweep.builder.finish(), "differentiate")
}

/// Nodes whose value depends, through reals, on a wanted leaf.
fn active(graph: &Graph, wanted: &[Wanted]) -> Vec<bool> {
    let mut active: Vec<bool> = Vec::with_capacity(graph.len());
    let wanted: BTreeSet<&Leaf> = wanted.iter().map(|want| &want.leaf).collect();
    for id in graph.ids() {
        let node = graph.node(id);
        let below = match &node.op {
            Op::Leaf(leaf) => wanted.contains(leaf),
            Op::Map(_) | Op::Reduce { .. } | Op::Recur { .. } | Op::Join | Op::Opaque { .. } => {
                let edges = graph.operands(id);
                rules::open_ports(graph, id).iter().any(|port| active[edges[*port].0.0 as usize])
            }
        };
        active.push(below && node.ty == Type::Real);
    }
    active
}

/// The reader and port that a contribution comes through; seeds come first. Contributions are added
/// in this order.
type Source = (u32, usize);

/// One backward sweep.
struct Sweep {
    builder: Builder,
    arriving: BTreeMap<NodeId, BTreeMap<Source, View>>,
    active: Vec<bool>,
}

impl Sweep {
    fn graph(&self) -> &Graph {
        self.builder.graph()
    }

    fn seed(&mut self, order: usize, seed: &Seed, read: Read) {
        if !self.active[read.node.0 as usize] {
            return;
        }
        let origin = self.origin(read.node);
        let value = match seed.from {
            SeedFrom::One => View::scalar(self.builder.constant(1.0)),
            SeedFrom::Leaf(number) => {
                let leaf = Leaf::Seed(number);
                let id = self.builder.leaf(leaf, &read.sizes, Type::Real, origin);
                View::whole(id, read.sizes.len())
            }
        };
        let flow = solve::Flow {
            value,
            scope: read.sizes.clone(),
            names: &[],
            access: read.access,
            when: Vec::new(),
            ports: Vec::new(),
        };
        self.send(read.node, (0, order), flow);
    }

    /// Adds one contribution to the adjoint of `target`.
    fn send(&mut self, target: NodeId, source: Source, flow: solve::Flow<'_>) {
        if let Some(view) = solve::pull(&mut self.builder, target, flow) {
            self.arriving.entry(target).or_default().insert(source, view);
        }
    }

    /// Everything that arrives at a node, added up over its space.
    fn collect(&mut self, id: NodeId) -> Option<View> {
        let mut list = self.arriving.remove(&id)?.into_values();
        let first = list.next()?;
        Some(list.fold(first, |sum, view| self.map(id, scalar::ADD, &[sum, view])))
    }

    /// One scalar function over the space of a node.
    fn map(&mut self, at: NodeId, scalar: crate::op::Scalar, arguments: &[View]) -> View {
        let space = self.graph().node(at).space.clone();
        let origin = self.origin(at);
        rules::apply(&mut self.builder, scalar, arguments, space, origin)
    }

    /// The origin of adjoint nodes made for a node.
    fn origin(&self, id: NodeId) -> Origin {
        let node = self.graph().node(id);
        node.origin.backward(node.space.rank())
    }

    /// The adjoint of a leaf as a root.
    fn shown(&mut self, id: NodeId, adjoint: &View, sizes: &[u32]) -> Read {
        adjoint.as_read(sizes).unwrap_or_else(|| {
            let (space, origin) = (self.graph().node(id).space.clone(), self.origin(id));
            let copy = solve::sum(&mut self.builder, adjoint, &[], Vec::new(), space, origin);
            Read {
                node: copy,
                access: View::whole(copy, sizes.len()).access,
                sizes: sizes.to_vec(),
            }
        })
    }
}

//! Building graphs: nodes are added once, shared by [`Key`], never changed.

use std::collections::BTreeMap;

use petgraph::graph::NodeIndex;

use super::text::layout::distinct;
use super::{Bits, Graph, Leaf, Node, NodeId, Op, Operand, Origin, Path, Read, Space, Type};

/// What makes two nodes one: no names, no origin, so alpha-equal nodes are shared. The type counts: a
/// folded truth value `1` is not the number 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub Op, pub Space, pub Type, pub Vec<(NodeId, Operand)>);

impl Key {
    /// The key of a node.
    #[must_use]
    pub fn of(graph: &Graph, id: NodeId) -> Key {
        let node = graph.node(id);
        let operands = graph.operands(id).into_iter().map(|(from, edge)| (from, edge.clone()));
        Key(node.op.clone(), node.space.clone(), node.ty, operands.collect())
    }
}

/// A graph under construction. Equal nodes are shared (law 5); operands must exist already (law 1).
#[derive(Clone, Debug, Default)]
pub struct Builder {
    graph: Graph,
    known: BTreeMap<Key, NodeId>,
}

impl Builder {
    /// An empty graph.
    #[must_use]
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Goes on from a finished graph, as the adjoint pass does.
    #[must_use]
    pub fn extend(graph: Graph) -> Builder {
        let known = graph.ids().map(|id| (Key::of(&graph, id), id)).collect();
        Builder { graph, known }
    }

    /// Adds a node, or finds the equal one. The origin of the first is kept, with
    /// names of axes of which none is there twice.
    pub fn add(
        &mut self,
        op: Op,
        space: Space,
        ty: Type,
        operands: Vec<(NodeId, Operand)>,
        origin: Origin,
    ) -> NodeId {
        let key = Key(op, space, ty, operands);
        if let Some(id) = self.known.get(&key) {
            return *id;
        }
        let over = if let Op::Reduce { over, .. } = &key.0 { over.len() } else { 0 };
        let origin = Origin { axes: distinct(&origin.axes, key.1.rank() + over), ..origin };
        let node = Node { op: key.0.clone(), space: key.1.clone(), ty, origin };
        let at = self.graph.dag.add_node(node);
        for (source, operand) in &key.3 {
            self.graph.dag.add_edge(NodeIndex::new(source.0 as usize), at, operand.clone());
        }
        let id = NodeId(at.index() as u32);
        self.known.insert(key, id);
        id
    }

    /// A leaf.
    pub fn leaf(&mut self, leaf: Leaf, sizes: &[u32], ty: Type, origin: Origin) -> NodeId {
        self.add(Op::Leaf(leaf), Space::of(sizes), ty, Vec::new(), origin)
    }

    /// A real constant without axes.
    pub fn constant(&mut self, value: f64) -> NodeId {
        self.leaf(Leaf::Const(Bits::of(value)), &[], Type::Real, Origin::default())
    }

    /// Names a result.
    pub fn root(&mut self, name: impl Into<String>, read: Read) {
        self.graph.roots.push((Path(name.into()), read));
    }

    /// What has been built so far.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The finished graph, roots sorted by name.
    #[must_use]
    pub fn finish(mut self) -> Graph {
        self.graph.roots.sort_by(|left, right| left.0.cmp(&right.0));
        self.graph
    }
}

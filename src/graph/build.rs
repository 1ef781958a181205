//! Building graphs: nodes are added once, shared by [`Key`], never changed.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use petgraph::graph::NodeIndex;
use rustc_hash::FxHasher;

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

/// The same on every run and machine of one width.
fn hash(key: &Key) -> u64 {
    let mut hasher = FxHasher::default();
    key.hash(&mut hasher);
    hasher.finish()
}

/// A graph under construction. Equal nodes are shared (law 5); operands must exist already (law 1).
#[derive(Clone, Debug, Default)]
pub struct Builder {
    graph: Graph,
    /// The nodes by a hash of their keys, so that no key is held twice. Nothing depends on its order.
    known: BTreeSet<(u64, NodeId)>,
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
        let known = graph.ids().map(|id| (hash(&Key::of(&graph, id)), id)).collect();
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
        origin: impl Into<Arc<Origin>>,
    ) -> NodeId {
        self.added(Key(op, space, ty, operands), origin.into())
    }

    fn added(&mut self, key: Key, mut origin: Arc<Origin>) -> NodeId {
        let hash = hash(&key);
        let near = (hash, NodeId(0))..=(hash, NodeId(u32::MAX));
        if let Some((_, id)) = self.known.range(near).find(|(_, id)| self.is(*id, &key)) {
            return *id;
        }
        let Key(op, space, ty, operands) = key;
        let over = if let Op::Reduce { over, .. } = &op { over.len() } else { 0 };
        if let Some(axes) = distinct(&origin.axes, space.rank() + over) {
            Arc::make_mut(&mut origin).axes = axes;
        }
        let at = self.graph.dag.add_node(Node { op, space, ty, origin });
        for (source, operand) in operands {
            self.graph.dag.add_edge(NodeIndex::new(source.0 as usize), at, operand);
        }
        let id = NodeId(at.index() as u32);
        self.known.insert((hash, id));
        id
    }

    /// Whether a node has this key.
    fn is(&self, id: NodeId, Key(op, space, ty, operands): &Key) -> bool {
        let node = self.graph.node(id);
        let same = node.op == *op && node.space == *space && node.ty == *ty;
        let edges = operands.iter().map(|(from, edge)| (*from, edge));
        same && self.graph.operands(id).into_iter().eq(edges)
    }

    /// A leaf.
    pub fn leaf(
        &mut self,
        leaf: Leaf,
        sizes: &[u32],
        ty: Type,
        origin: impl Into<Arc<Origin>>,
    ) -> NodeId {
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

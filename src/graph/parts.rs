//! A graph as a plain list of nodes: how RON and JSON hold it, and how two graphs are compared.
//!
//! In: nodes with their operands, in order. Out: a [`Graph`], unchecked. Invariant: what serde reads
//! is verified before anyone holds it.

use std::sync::Arc;

use petgraph::graph::NodeIndex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Access, Bits, Cond, Graph, Node, NodeId, Op, Operand, Origin, Path, Port, Read, Space, Type,
    Violation, verify,
};

/// A node together with its operands, by port.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The node.
    pub node: Node,
    /// What it reads.
    pub operands: Vec<(NodeId, Operand)>,
}

impl Graph {
    /// A graph from its nodes as they are: nothing is shared and no law is checked, except that every
    /// operand is there to be read. Call [`verify()`] on what comes out.
    ///
    /// # Errors
    /// When an operand names a node that does not exist.
    pub fn assemble(parts: Vec<Part>, roots: Vec<(Path, Read)>) -> Result<Graph, Violation> {
        let mut graph = Graph { roots, ..Graph::default() };
        let mut edges = Vec::new();
        for (at, part) in parts.into_iter().enumerate() {
            graph.dag.add_node(part.node);
            edges.extend(part.operands.into_iter().map(|(from, operand)| (from, at, operand)));
        }
        for (from, to, operand) in edges {
            if from.0 as usize >= graph.len() {
                let sentence =
                    format!("operand {} is node {}, which is absent", operand.port.0, from.0);
                return Err(Violation { node: NodeId(to as u32), sentence });
            }
            graph.dag.add_edge(NodeIndex::new(from.0 as usize), NodeIndex::new(to), operand);
        }
        Ok(graph)
    }

    /// The nodes with their operands, in order; the inverse of [`Graph::assemble`].
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let operands = |id| self.operands(id).into_iter().map(|(from, edge)| (from, edge.clone()));
        let part = |id| Part { node: self.node(id).clone(), operands: operands(id).collect() };
        self.ids().map(part).collect()
    }

    /// The same without a copy.
    pub(super) fn into_parts(self) -> (Vec<Part>, Vec<(Path, Read)>) {
        let (nodes, edges) = self.dag.into_nodes_edges();
        let part =
            |node: petgraph::graph::Node<Node>| Part { node: node.weight, operands: Vec::new() };
        let mut parts: Vec<Part> = nodes.into_iter().map(part).collect();
        for edge in edges {
            let from = NodeId(edge.source().index() as u32);
            parts[edge.target().index()].operands.push((from, edge.weight));
        }
        parts.iter_mut().for_each(|part| part.operands.sort_by_key(|(_, edge)| edge.port));
        (parts, self.roots)
    }
}

/// Two graphs are equal when they have the same nodes in the same order with the same roots and
/// origins; places in the spec do not count, since text does not keep them.
impl PartialEq for Graph {
    fn eq(&self, other: &Graph) -> bool {
        let same = |id: NodeId| {
            let (left, right) = (self.node(id), other.node(id));
            left.op == right.op
                && left.space == right.space
                && left.ty == right.ty
                && left.origin.path == right.origin.path
                && left.origin.axes == right.origin.axes
                && left.origin.adjoint == right.origin.adjoint
                && self.operands(id) == other.operands(id)
        };
        self.len() == other.len() && self.roots == other.roots && self.ids().all(same)
    }
}

/// The stored form of an operand: its port is its place in the list.
#[derive(Serialize, Deserialize)]
struct StoredOperand {
    node: u32,
    access: Access,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    when: Vec<Cond>,
}

/// The stored form of a node.
#[derive(Serialize, Deserialize)]
struct StoredNode {
    op: Op,
    space: Space,
    ty: Type,
    origin: Origin,
    operands: Vec<StoredOperand>,
}

/// The stored form of a root.
#[derive(Serialize, Deserialize)]
struct StoredRoot {
    name: Path,
    read: Read,
}

/// The stored form of a graph.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Graph")]
struct Stored {
    nodes: Vec<StoredNode>,
    roots: Vec<StoredRoot>,
}

impl Serialize for Graph {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let operand = |(from, edge): (NodeId, Operand)| StoredOperand {
            node: from.0,
            access: edge.access,
            when: edge.when,
        };
        let node = |part: Part| StoredNode {
            op: part.node.op,
            space: part.node.space,
            ty: part.node.ty,
            origin: Arc::unwrap_or_clone(part.node.origin),
            operands: part.operands.into_iter().map(operand).collect(),
        };
        let root =
            |(name, read): &(Path, Read)| StoredRoot { name: name.clone(), read: read.clone() };
        let nodes = self.parts().into_iter().map(node).collect();
        Stored { nodes, roots: self.roots.iter().map(root).collect() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Graph {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Graph, D::Error> {
        use serde::de::Error;
        let stored = Stored::deserialize(deserializer)?;
        if stored.nodes.iter().any(|node| node.operands.len() > usize::from(u8::MAX)) {
            return Err(D::Error::custom("a node has more than 255 operands"));
        }
        let roots = stored.roots.into_iter().map(|root| (root.name, root.read)).collect();
        let parts = stored.nodes.into_iter().map(part).collect();
        let graph = Graph::assemble(parts, roots).map_err(D::Error::custom)?;
        verify(&graph).map_err(D::Error::custom)?;
        Ok(graph)
    }
}

fn part(stored: StoredNode) -> Part {
    let operand = |(at, stored): (usize, StoredOperand)| {
        let port = Port(at as u8);
        (NodeId(stored.node), Operand { port, access: stored.access, when: stored.when })
    };
    Part {
        operands: stored.operands.into_iter().enumerate().map(operand).collect(),
        node: Node {
            op: stored.op,
            space: stored.space,
            ty: stored.ty,
            origin: stored.origin.into(),
        },
    }
}

impl std::fmt::Display for Bits {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = self.value();
        if value.is_nan() {
            // Only the usual NaN has a short name: text must give every bit back.
            return if *self == Bits::of(f64::NAN) {
                out.write_str("nan")
            } else {
                write!(out, "nan_{:x}", self.0)
            };
        }
        let text = format!("{value:?}");
        out.write_str(text.strip_suffix(".0").unwrap_or(&text))
    }
}

impl std::str::FromStr for Bits {
    type Err = String;

    fn from_str(text: &str) -> Result<Bits, String> {
        let wrong = || format!("`{text}` is not a number");
        match text.strip_prefix("nan_") {
            Some(bits) => u64::from_str_radix(bits, 16).map(Bits).map_err(|_| wrong()),
            None if text == "nan" => Ok(Bits::of(f64::NAN)),
            None => text.parse().map(Bits::of).map_err(|_| wrong()),
        }
    }
}

impl From<Bits> for String {
    fn from(bits: Bits) -> String {
        bits.to_string()
    }
}

impl TryFrom<String> for Bits {
    type Error = String;

    fn try_from(text: String) -> Result<Bits, String> {
        text.parse()
    }
}

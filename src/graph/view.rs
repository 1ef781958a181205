//! A value as one reader sees it: the node, where it is read, and the values that say where.
//!
//! In: an edge with the edges it gathers through. Out: something that can be moved from one reader
//! to another, composed with another view, and turned back into operands.

use super::{Access, Axis, Cond, Graph, Index, NodeId, Operand, Port, Read};

/// A read that brings its gathers along: `Value(Port(k))` anywhere in it is `gathers[k]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct View {
    /// What is read.
    pub node: NodeId,
    /// Where, over the axes of the reader.
    pub access: Access,
    /// Index values, over the same axes; there may be more than are used.
    pub gathers: Vec<(NodeId, Access)>,
}

impl View {
    /// All of a node, axis by axis.
    #[must_use]
    pub fn whole(node: NodeId, rank: usize) -> View {
        View { node, access: Access::identity(rank), gathers: Vec::new() }
    }

    /// A node without axes, the same everywhere.
    #[must_use]
    pub fn scalar(node: NodeId) -> View {
        View::whole(node, 0)
    }

    /// What a root shows.
    #[must_use]
    pub fn of_read(read: &Read) -> View {
        View { node: read.node, access: read.access.clone(), gathers: Vec::new() }
    }

    /// What a node sees at each of its ports. All of them share one list of gathers, which is empty where no access
    /// and no condition looks at it.
    #[must_use]
    pub fn ports(graph: &Graph, id: NodeId) -> Vec<View> {
        let edges = graph.operands(id);
        let conds = graph.node(id).op.conditions();
        let gathered =
            conds.iter().any(Cond::is_gathered) || edges.iter().any(|(_, edge)| edge.is_gathered());
        let gathers: Vec<_> = match gathered {
            true => edges.iter().map(|(from, edge)| (*from, edge.access.clone())).collect(),
            false => Vec::new(),
        };
        let view = |(node, edge): &(NodeId, &Operand)| View {
            node: *node,
            access: edge.access.clone(),
            gathers: gathers.clone(),
        };
        edges.iter().map(view).collect()
    }

    /// What a node sees at one port, with the gathers it needs and no others.
    #[must_use]
    pub fn port(graph: &Graph, id: NodeId, port: usize) -> View {
        View::ports(graph, id).swap_remove(port).tidied()
    }

    /// Whether it is read through other values.
    #[must_use]
    pub fn is_gathered(&self) -> bool {
        self.access.ports().next().is_some()
    }

    /// Without the gathers that nothing uses.
    #[must_use]
    pub fn tidy(&self) -> View {
        self.tidy_with(&[]).0
    }

    /// The same, of a view that is not needed any more.
    #[must_use]
    pub fn tidied(self) -> View {
        if self.gathers.is_empty() { self } else { self.tidy() }
    }

    /// The same, with conditions over the same gathers.
    #[must_use]
    pub fn tidy_with(&self, when: &[Cond]) -> (View, Vec<Cond>) {
        let mut list = Gathers { first: 0, known: Vec::new() };
        let access = list.access(&self.access, &self.gathers);
        let when = when
            .iter()
            .map(|cond| Cond { left: list.index(&cond.left, &self.gathers), ..cond.clone() })
            .collect();
        (View { node: self.node, access, gathers: list.known }, when)
    }

    /// This view, over the axes of a node, as seen by someone who reads that node through `outer`.
    #[must_use]
    pub fn through(&self, outer: &View) -> Option<View> {
        let by = |axis: Axis| outer.access.0[usize::from(axis.0)].clone();
        let behind = outer.gathers.len();
        let access = self.access.moved(behind).substitute(&by)?;
        let mut gathers = outer.gathers.clone();
        for (node, access) in &self.gathers {
            gathers.push((*node, access.moved(behind).substitute(&by)?));
        }
        Some(View { node: self.node, access, gathers }.tidy())
    }

    /// As a root, if no other value is needed to say where.
    #[must_use]
    pub fn as_read(&self, sizes: &[u32]) -> Option<Read> {
        (!self.is_gathered()).then(|| Read {
            node: self.node,
            access: self.access.clone(),
            sizes: sizes.to_vec(),
        })
    }
}

/// Views as the operands of one node: first the views by port, then the index values they share.
/// `when` are conditions over the gathers of the first view; they come back over the ports.
#[must_use]
pub fn operands(views: &[View], when: &[Cond]) -> (Vec<(NodeId, Operand)>, Vec<Cond>) {
    let mut list = Gathers { first: views.len(), known: Vec::new() };
    let mut accesses: Vec<_> =
        views.iter().map(|view| (view.node, list.access(&view.access, &view.gathers))).collect();
    let when = when
        .iter()
        .map(|cond| Cond { left: list.index(&cond.left, &views[0].gathers), ..cond.clone() })
        .collect();
    accesses.extend(list.known);
    let edge = |(port, (node, access))| {
        (node, Operand { port: Port(port as u8), access, when: Vec::new() })
    };
    (accesses.into_iter().enumerate().map(edge).collect(), when)
}

/// Views as the arms of one join, each with its conditions. Every arm has index values of its own,
/// read where the arm is.
#[must_use]
pub fn arms(list: &[(View, Vec<Cond>)]) -> Vec<(NodeId, Operand)> {
    let (mut arms, mut indices) = (Vec::new(), Vec::new());
    for (port, (view, when)) in list.iter().enumerate() {
        let mut own = Gathers { first: list.len() + indices.len(), known: Vec::new() };
        let access = own.access(&view.access, &view.gathers);
        let edge =
            |port: usize, access| Operand { port: Port(port as u8), access, when: when.clone() };
        arms.push((view.node, edge(port, access)));
        for (at, (node, access)) in own.known.into_iter().enumerate() {
            indices.push((node, edge(own.first + at, access)));
        }
    }
    arms.extend(indices);
    arms
}

/// Index values collected for one reader, each once.
struct Gathers {
    /// Port of the first.
    first: usize,
    known: Vec<(NodeId, Access)>,
}

impl Gathers {
    fn access(&mut self, access: &Access, from: &[(NodeId, Access)]) -> Access {
        Access(access.0.iter().map(|index| self.index(index, from)).collect())
    }

    fn index(&mut self, index: &Index, from: &[(NodeId, Access)]) -> Index {
        let Index::Value(port) = index else { return index.clone() };
        let (node, access) = &from[usize::from(port.0)];
        let entry = (*node, self.access(access, from));
        let at = self.known.iter().position(|known| *known == entry).unwrap_or_else(|| {
            self.known.push(entry);
            self.known.len() - 1
        });
        Index::Value(Port((self.first + at) as u8))
    }
}

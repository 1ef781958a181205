//! Copying a graph through a rule that may replace nodes by views of others.
//!
//! In: a graph, a rule. Out: the new graph. The rule meets each node when its operands are final and
//! answers what its readers shall see instead; readers compose that with their own access. A reader
//! that cannot say the composition reads the node itself, which is kept for that, so a rule can never
//! fail for want of an access.

use crate::graph::{
    self, Access, Builder, Cond, Domain, Graph, Index, NodeId, Op, Operand, Port, Read, Space,
    View, operands,
};

/// What readers of a node see instead of it; `None` to keep it.
pub(super) type Rule<'a> = &'a dyn Fn(&mut Builder, NodeId) -> Option<View>;

/// The new graph, without what is no longer read.
pub(super) fn rebuild(graph: &Graph, rule: Rule<'_>) -> Graph {
    let mut copy = Copy { old: graph, builder: Builder::new(), images: Vec::new() };
    for id in graph.ids() {
        let own = copy.node(id);
        // What is seen instead must be of the same type, or a gather would read a real.
        let seen = rule(&mut copy.builder, own)
            .filter(|view| copy.builder.graph().node(view.node).ty == graph.node(id).ty);
        copy.images.push((own, seen));
    }
    for (path, read) in &graph.roots {
        let read = copy.root(read);
        copy.builder.root(path.0.clone(), read);
    }
    super::dce::live(copy.builder.finish())
}

struct Copy<'a> {
    old: &'a Graph,
    builder: Builder,
    /// For each old node its copy, and what its readers see instead.
    images: Vec<(NodeId, Option<View>)>,
}

impl Copy<'_> {
    fn node(&mut self, id: NodeId) -> NodeId {
        let node = self.old.node(id);
        if let Some(edges) = self.as_it_is(id) {
            let (op, space) = (node.op.clone(), node.space.clone());
            return self.builder.add(op, space, node.ty, edges, node.origin.clone());
        }
        let when = normal(&node.space.when, &node.space.sizes);
        let space = Space { sizes: node.space.sizes.clone(), when };
        let (op, edges) = match &node.op {
            Op::Leaf(_) => (node.op.clone(), Vec::new()),
            Op::Map(scalar) => (node.op.clone(), self.edges(id, scalar.row().takes.len(), &space)),
            Op::Recur { .. } => (node.op.clone(), self.edges(id, 2, &space)),
            Op::Join => (Op::Join, self.arms(id, &space)),
            Op::Opaque { .. } => {
                // It reads whole axes of a node, so nothing may be composed into it.
                let (from, edge) = &self.old.operands(id)[0];
                let own = self.images[from.0 as usize].0;
                (node.op.clone(), vec![(own, (*edge).clone())])
            }
            Op::Reduce { fold, over, when } => {
                let (edges, when) = self.reduced(id, over, when, &space);
                (Op::Reduce { fold: *fold, over: over.clone(), when }, edges)
            }
        };
        self.builder.add(op, space, node.ty, edges, node.origin.clone())
    }

    /// The operands of a node that nothing happens to: what it reads is copied as well, and there is nothing to
    /// simplify in how. Most nodes are such, in most passes.
    fn as_it_is(&self, id: NodeId) -> Option<Vec<(NodeId, Operand)>> {
        let node = self.old.node(id);
        let whole = match &node.op {
            Op::Reduce { when, .. } => when.is_empty(),
            Op::Leaf(_) | Op::Map(_) | Op::Recur { .. } | Op::Join => true,
            Op::Opaque { .. } => false,
        };
        if !whole || !node.space.when.is_empty() {
            return None;
        }
        let scope = self.old.scope(id);
        let edges = self.old.operands(id).into_iter().map(|(from, edge)| {
            let (own, seen) = &self.images[from.0 as usize];
            let simple = edge.access.0.iter().all(|index| index.is_normal(&scope));
            (seen.is_none() && edge.when.is_empty() && simple).then(|| (*own, edge.clone()))
        });
        edges.collect()
    }

    fn edges(&self, id: NodeId, count: usize, space: &Space) -> Vec<(NodeId, Operand)> {
        let domain = Domain { sizes: &space.sizes, given: &space.when };
        let views = View::ports(self.old, id);
        let views: Vec<_> =
            views[..count].iter().map(|view| tidy(&self.carry(view), domain)).collect();
        operands(&views, &[]).0
    }

    fn arms(&self, id: NodeId, space: &Space) -> Vec<(NodeId, Operand)> {
        let ports = View::ports(self.old, id);
        let edges = self.old.operands(id);
        let mut arms = Vec::new();
        for arm in 0..self.old.arity(id) {
            let when = normal(&edges[arm].1.when, &space.sizes);
            let given: Vec<_> = space.when.iter().chain(&when).cloned().collect();
            let view = self.carry_static(&ports[arm]);
            arms.push((tidy(&view, Domain { sizes: &space.sizes, given: &given }), when));
        }
        graph::arms(&arms)
    }

    fn reduced(
        &self,
        id: NodeId,
        over: &[u32],
        when: &[Cond],
        space: &Space,
    ) -> (Vec<(NodeId, Operand)>, Vec<Cond>) {
        let scope: Vec<u32> = space.sizes.iter().chain(over).copied().collect();
        let ports = View::ports(self.old, id);
        let given: Vec<_> =
            space.when.iter().chain(when).filter(|cond| !cond.is_gathered()).cloned().collect();
        let domain = Domain { sizes: &scope, given: &given };
        let mut view = tidy(&self.carry(&ports[0]), domain);
        let mut conditions = Vec::new();
        for cond in when {
            let mut cond = cond.clone();
            if let Index::Value(port) = cond.left {
                let gather = tidy(&self.carry(&ports[usize::from(port.0)]), domain);
                cond.left = push(&mut view.gathers, &gather);
            }
            conditions.push(cond);
        }
        operands(&[view], &normal(&conditions, &scope))
    }

    fn root(&self, read: &Read) -> Read {
        let view = self.carry_static(&View::of_read(read));
        let domain = Domain { sizes: &read.sizes, given: &[] };
        Read { node: view.node, access: view.access.normal(domain), sizes: read.sizes.clone() }
    }

    /// A view of the old graph as a view of the new one.
    fn carry(&self, view: &View) -> View {
        let outer = self.own(view);
        match &self.images[view.node.0 as usize].1 {
            Some(seen) => seen.through(&outer).unwrap_or(outer),
            None => outer.tidied(),
        }
    }

    /// The same, but never one that gathers where the old one did not.
    fn carry_static(&self, view: &View) -> View {
        let carried = self.carry(view);
        if carried.is_gathered() && !view.is_gathered() { self.own(view) } else { carried }
    }

    /// The same read of the node's own copy.
    fn own(&self, view: &View) -> View {
        let mut gathers = Vec::new();
        let mut index = |index: &Index| match index {
            Index::Affine(_) | Index::Digit { .. } => index.clone(),
            Index::Value(port) => {
                let (node, access) = view.gathers[usize::from(port.0)].clone();
                let gather = self.carry(&View { node, access, gathers: view.gathers.clone() });
                push(&mut gathers, &gather)
            }
        };
        let access = Access(view.access.0.iter().map(&mut index).collect());
        View { node: self.images[view.node.0 as usize].0, access, gathers }
    }
}

/// Appends an index value with the gathers it needs; the index that means it.
fn push(gathers: &mut Vec<(NodeId, Access)>, gather: &View) -> Index {
    let behind = gathers.len();
    gathers.extend(gather.gathers.iter().map(|(node, access)| (*node, access.moved(behind))));
    gathers.push((gather.node, gather.access.moved(behind)));
    Index::Value(Port(gathers.len() as u8 - 1))
}

fn tidy(view: &View, domain: Domain<'_>) -> View {
    let normal = |(node, access): &(NodeId, Access)| (*node, access.normal(domain));
    let gathers = view.gathers.iter().map(normal).collect();
    View { node: view.node, access: view.access.normal(domain), gathers }.tidy()
}

fn normal(conds: &[Cond], sizes: &[u32]) -> Vec<Cond> {
    let domain = Domain { sizes, given: &[] };
    let mut conds: Vec<_> = conds.iter().map(|cond| cond.normal(domain)).collect();
    conds.sort();
    conds.dedup();
    conds
}

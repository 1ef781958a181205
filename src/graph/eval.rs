//! An obviously right evaluator for tests: point by point, in `f64`, slow.
//!
//! In: a graph and the values of its leaves. Out: every node's value at every point where it exists.
//! It panics where a graph breaks law 4 or law 9, so running it is a check too.

use crate::op::scalar;

use super::{Access, Axis, Cond, Fold, Graph, Index, Leaf, NodeId, Op, Operand, Read, Rel, Toward};

/// The values of all nodes; `None` at points where a node does not exist.
pub struct Values<'a> {
    graph: &'a Graph,
    nodes: Vec<Vec<Option<f64>>>,
}

/// Every point of a box, the last axis fastest.
#[must_use]
pub fn points(sizes: &[u32]) -> Vec<Vec<u32>> {
    sizes.iter().fold(vec![Vec::new()], |points, size| {
        let extend = |point: &Vec<u32>, at| point.iter().copied().chain([at]).collect();
        points.iter().flat_map(|point| (0..*size).map(move |at| extend(point, at))).collect()
    })
}

/// Evaluates a graph; `leaf` gives inputs, parameters, states and seeds at a point.
#[must_use]
pub fn evaluate<'a>(graph: &'a Graph, leaf: &dyn Fn(&Leaf, &[u32]) -> f64) -> Values<'a> {
    let mut values = Values { graph, nodes: Vec::new() };
    for id in graph.ids() {
        let node = graph.node(id);
        let line = match &node.op {
            Op::Recur { along, toward, start } => values.recur(id, *along, *toward, start.value()),
            Op::Opaque { op, along } => values.opaque(id, *op, *along),
            Op::Leaf(_) | Op::Map(_) | Op::Reduce { .. } | Op::Join => points(&node.space.sizes)
                .iter()
                .map(|point| values.exists(id, point).then(|| values.point(id, point, leaf)))
                .collect(),
        };
        values.nodes.push(line);
    }
    values
}

impl Values<'_> {
    /// What a root shows, the last axis fastest.
    #[must_use]
    pub fn read(&self, read: &Read) -> Vec<f64> {
        let at = |point: &Vec<u32>| self.fetch(read.node, &read.access, point, &[]);
        points(&read.sizes).iter().map(at).collect()
    }

    /// The values of one node.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &[Option<f64>] {
        &self.nodes[id.0 as usize]
    }

    fn exists(&self, id: NodeId, point: &[u32]) -> bool {
        self.graph.node(id).space.when.iter().all(|cond| self.holds(cond, point, &[]))
    }

    fn index(&self, index: &Index, point: &[u32], ports: &[(NodeId, &Operand)]) -> i64 {
        match index {
            Index::Affine(_) | Index::Digit { .. } => index.at(point).unwrap_or_default(),
            Index::Value(port) => {
                let (node, edge) = ports[usize::from(port.0)];
                self.fetch(node, &edge.access, point, ports) as i64
            }
        }
    }

    fn holds(&self, cond: &Cond, point: &[u32], ports: &[(NodeId, &Operand)]) -> bool {
        let (left, right) = (self.index(&cond.left, point, ports), cond.right.at(point));
        match cond.rel {
            Rel::Eq => left == right,
            Rel::Ne => left != right,
            Rel::Lt => left < right,
            Rel::Ge => left >= right,
        }
    }

    fn fetch(
        &self,
        node: NodeId,
        access: &Access,
        point: &[u32],
        ports: &[(NodeId, &Operand)],
    ) -> f64 {
        let sizes = &self.graph.node(node).space.sizes;
        assert_eq!(sizes.len(), access.0.len(), "rank of {node:?} read by {access:?}");
        let flat = sizes.iter().zip(&access.0).fold(0, |flat, (size, index)| {
            let at = self.index(index, point, ports);
            assert!(
                (0..i64::from(*size)).contains(&at),
                "{node:?} read outside: {access:?} at {point:?}"
            );
            flat * i64::from(*size) + at
        });
        let value = self.nodes[node.0 as usize][flat as usize];
        value.unwrap_or_else(|| {
            panic!("{node:?} read where it does not exist: {access:?} at {point:?}")
        })
    }

    fn point(&self, id: NodeId, point: &[u32], leaf: &dyn Fn(&Leaf, &[u32]) -> f64) -> f64 {
        let ports = self.graph.operands(id);
        let argument =
            |at: usize, point: &[u32]| self.fetch(ports[at].0, &ports[at].1.access, point, &ports);
        match &self.graph.node(id).op {
            Op::Leaf(Leaf::Const(bits)) => bits.value(),
            Op::Leaf(Leaf::Axis(axis)) => f64::from(point[usize::from(axis.0)]),
            Op::Leaf(other) => leaf(other, point),
            Op::Map(scalar) => {
                let row = scalar.row();
                let arguments: Vec<f64> =
                    (0..row.takes.len()).map(|at| argument(at, point)).collect();
                (row.eval)(&arguments)
            }
            Op::Reduce { fold, over, when } => {
                let scope =
                    |bound: Vec<u32>| point.iter().copied().chain(bound).collect::<Vec<_>>();
                let counts =
                    |point: &Vec<u32>| when.iter().all(|cond| self.holds(cond, point, &ports));
                let terms = points(over).into_iter().map(scope).filter(counts);
                folded(*fold, terms.map(|point| argument(0, &point)))
            }
            Op::Join => {
                let holds = |port: &usize| {
                    ports[*port].1.when.iter().all(|cond| self.holds(cond, point, &ports))
                };
                let taken: Vec<usize> = (0..self.graph.arity(id)).filter(holds).collect();
                assert_eq!(taken.len(), 1, "arms of {id:?} at {point:?}");
                argument(taken[0], point)
            }
            Op::Recur { .. } | Op::Opaque { .. } => f64::NAN,
        }
    }

    fn recur(&self, id: NodeId, along: Axis, toward: Toward, start: f64) -> Vec<Option<f64>> {
        let sizes = &self.graph.node(id).space.sizes;
        let ports = self.graph.operands(id);
        let flat = |point: &[u32]| {
            point.iter().zip(sizes).fold(0, |flat, (at, size)| flat * size + at) as usize
        };
        let mut line = vec![None; points(sizes).len()];
        let (axis, size) = (usize::from(along.0), sizes[usize::from(along.0)]);
        for mut point in points(sizes).into_iter().filter(|point| point[axis] == 0) {
            let mut value = start;
            for step in 0..size {
                point[axis] = match toward {
                    Toward::Up => step,
                    Toward::Down => size - 1 - step,
                };
                if !self.exists(id, &point) {
                    continue;
                }
                line[flat(&point)] = Some(value);
                let read = |at: usize| self.fetch(ports[at].0, &ports[at].1.access, &point, &ports);
                value = read(0) + read(1) * value;
            }
        }
        line
    }

    fn opaque(&self, id: NodeId, op: crate::op::Opaque, along: Axis) -> Vec<Option<f64>> {
        let ports = self.graph.operands(id);
        let (from, edge) = ports[0];
        let axis = usize::from(along.0);
        let size = self.graph.node(from).space.sizes[axis];
        let place = |point: &Vec<u32>| {
            let line: Vec<f64> = (0..size)
                .map(|at| {
                    let mut point = point.clone();
                    point[axis] = at;
                    self.fetch(from, &edge.access, &point, &ports)
                })
                .collect();
            f64::from(op.positions(&line)[point[axis] as usize])
        };
        let exists = |point: &Vec<u32>| self.exists(id, point).then(|| place(point));
        points(&self.graph.node(id).space.sizes).iter().map(exists).collect()
    }
}

/// Terms folded in order; a fold over one term is that term (law 7).
fn folded(fold: Fold, terms: impl Iterator<Item = f64>) -> f64 {
    let (joins, empty) = match fold {
        Fold::Sum => (scalar::ADD, 0.0),
        Fold::Prod => (scalar::MUL, 1.0),
        Fold::Max => (scalar::MAX, f64::NEG_INFINITY),
        Fold::Min => (scalar::MIN, f64::INFINITY),
    };
    terms.reduce(|sum, term| (joins.row().eval)(&[sum, term])).unwrap_or(empty)
}

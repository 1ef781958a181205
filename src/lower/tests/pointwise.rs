//! A graph evaluated one point at a time; it fails where a node is read outside its space.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::flatly::datum;
use crate::graph::{
    Access, Cond, Fold, Graph, Index, Leaf, NodeId, Op, Operand, Read, Rel, Toward,
};
use crate::model::flat::{Model, Sort};

type Edges<'g> = [(NodeId, &'g Operand)];

/// The values of a graph's nodes.
pub(super) struct Points<'g> {
    graph: &'g Graph,
    model: &'g Model,
    known: RefCell<BTreeMap<(NodeId, Vec<i64>), f64>>,
}

fn box_points(sizes: &[u32]) -> Vec<Vec<i64>> {
    sizes.iter().fold(vec![Vec::new()], |points, size| {
        let extend =
            |point: Vec<i64>| (0..i64::from(*size)).map(move |at| [&point[..], &[at]].concat());
        points.into_iter().flat_map(extend).collect()
    })
}

fn affine(of: &crate::graph::Affine, point: &[i64]) -> i64 {
    of.terms.iter().map(|(axis, by)| point[usize::from(axis.0)] * by).sum::<i64>() + of.offset
}

impl<'g> Points<'g> {
    pub(super) fn of(graph: &'g Graph, model: &'g Model) -> Points<'g> {
        Points { graph, model, known: RefCell::default() }
    }

    pub(super) fn read(&self, read: &Read) -> Vec<f64> {
        let at = |point: &Vec<i64>| self.fetch(read.node, &read.access, point, &[]);
        box_points(&read.sizes).iter().map(at).collect()
    }

    fn index(&self, index: &Index, point: &[i64], edges: &Edges<'_>) -> i64 {
        match index {
            Index::Affine(of) => affine(of, point),
            Index::Digit { of, step, radix } => {
                affine(of, point).div_euclid(i64::from(*step)).rem_euclid(i64::from(*radix))
            }
            Index::Value(port) => {
                let (node, edge) = edges[usize::from(port.0)];
                self.fetch(node, &edge.access, point, edges) as i64
            }
        }
    }

    fn holds(&self, when: &[Cond], point: &[i64], edges: &Edges<'_>) -> bool {
        when.iter().all(|cond| {
            let (left, right) = (self.index(&cond.left, point, edges), affine(&cond.right, point));
            match cond.rel {
                Rel::Eq => left == right,
                Rel::Ne => left != right,
                Rel::Lt => left < right,
                Rel::Ge => left >= right,
            }
        })
    }

    fn fetch(&self, node: NodeId, access: &Access, point: &[i64], edges: &Edges<'_>) -> f64 {
        let at = access.0.iter().map(|index| self.index(index, point, edges)).collect();
        self.at(node, at)
    }

    fn at(&self, id: NodeId, point: Vec<i64>) -> f64 {
        let space = &self.graph.node(id).space;
        assert_eq!(point.len(), space.rank(), "rank of {id:?}");
        let inside =
            point.iter().zip(&space.sizes).all(|(at, size)| (0..i64::from(*size)).contains(at));
        assert!(inside, "{id:?} of {space:?} read at {point:?}");
        assert!(self.holds(&space.when, &point, &[]), "{id:?} of {space:?} is not at {point:?}");
        if let Some(value) = self.known.borrow().get(&(id, point.clone())) {
            return *value;
        }
        let value = self.compute(id, &point);
        self.known.borrow_mut().insert((id, point), value);
        value
    }

    fn leaf(&self, leaf: &Leaf, point: &[i64]) -> f64 {
        match leaf {
            Leaf::Input(k) => datum(0, *k, point, self.model.inputs[*k as usize].sort),
            Leaf::Param(k) => datum(1, *k, point, Sort::Real),
            Leaf::Prev(k) => datum(2, *k, point, self.model.states[*k as usize].sort),
            Leaf::Const(bits) => bits.value(),
            Leaf::Axis(axis) => point[usize::from(axis.0)] as f64,
            Leaf::Seed(_) => panic!("a forward graph has no seeds"),
        }
    }

    fn compute(&self, id: NodeId, point: &[i64]) -> f64 {
        let edges = self.graph.operands(id);
        let operand =
            |k: usize, point: &[i64]| self.fetch(edges[k].0, &edges[k].1.access, point, &edges);
        match &self.graph.node(id).op {
            Op::Leaf(leaf) => self.leaf(leaf, point),
            Op::Map(scalar) => {
                let count = scalar.row().takes.len();
                (scalar.row().eval)(&(0..count).map(|k| operand(k, point)).collect::<Vec<_>>())
            }
            Op::Reduce { fold, over, when } => {
                let scope = box_points(over).into_iter().map(|bound| [point, &bound].concat());
                let terms = scope.filter(|p| self.holds(when, p, &edges)).map(|p| operand(0, &p));
                match fold {
                    Fold::Sum => terms.sum(),
                    Fold::Prod => terms.product(),
                    Fold::Max => terms.fold(f64::NEG_INFINITY, f64::max),
                    Fold::Min => terms.fold(f64::INFINITY, f64::min),
                }
            }
            Op::Recur { along, toward, start } => {
                let axis = usize::from(along.0);
                let mut before = point.to_vec();
                let size = i64::from(self.graph.node(id).space.sizes[axis]);
                before[axis] += if *toward == Toward::Up { -1 } else { 1 };
                if !(0..size).contains(&before[axis]) {
                    return start.value();
                }
                operand(0, &before) + operand(1, &before) * self.at(id, before)
            }
            Op::Join => {
                let holds = |k: &usize| self.holds(&edges[*k].1.when, point, &edges);
                let gathers = edges.iter().flat_map(|(_, edge)| &edge.access.0).filter_map(
                    |index| match index {
                        Index::Value(port) => Some(usize::from(port.0)),
                        Index::Affine(_) | Index::Digit { .. } => None,
                    },
                );
                let arms = gathers.min().unwrap_or(edges.len());
                let taken: Vec<usize> = (0..arms).filter(holds).collect();
                assert_eq!(taken.len(), 1, "arms of {id:?} at {point:?}");
                operand(taken[0], point)
            }
            Op::Opaque { op, along } => {
                let axis = usize::from(along.0);
                let (source, edge) = edges[0];
                assert!(edge.access.is_identity(point.len()), "{id:?} reads its operand as it is");
                let size = self.graph.node(source).space.sizes[axis];
                let line: Vec<f64> = (0..i64::from(size))
                    .map(|k| {
                        let mut point = point.to_vec();
                        point[axis] = k;
                        operand(0, &point)
                    })
                    .collect();
                f64::from(op.positions(&line)[point[axis] as usize])
            }
        }
    }
}

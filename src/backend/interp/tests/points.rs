//! The obviously right evaluator: the value of a node at a point, straight from the definition.

use crate::graph::{Access, Cond, Fold, Graph, Index, Leaf, NodeId, Op, Operand, Rel, Toward};
use crate::tensor::Tensor;

/// What the leaves hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaves {
    pub(super) inputs: Vec<Tensor>,
    pub(super) params: Vec<Tensor>,
    pub(super) prev: Vec<Tensor>,
}

pub(super) struct Points<'a> {
    pub(super) graph: &'a Graph,
    pub(super) leaves: &'a Leaves,
}

/// Every point of a box, in order.
pub(super) fn each(sizes: &[u32]) -> Vec<Vec<u32>> {
    let mut all = vec![Vec::new()];
    for size in sizes {
        let longer = |point: &Vec<u32>| {
            let point = point.clone();
            (0..*size).map(move |place| [&point[..], &[place]].concat()).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

fn read(tensor: &Tensor, point: &[u32]) -> f64 {
    let at: Vec<usize> = point.iter().map(|place| *place as usize).collect();
    tensor[&at[..]]
}

impl Points<'_> {
    fn operand(&self, id: NodeId, port: u8) -> (NodeId, Operand) {
        let operands = self.graph.operands(id);
        let found = operands.into_iter().find(|(_, operand)| operand.port.0 == port).unwrap();
        (found.0, found.1.clone())
    }

    fn place(&self, id: NodeId, index: &Index, point: &[u32]) -> i64 {
        match index {
            Index::Affine(affine) => affine.at(point),
            Index::Digit { of, step, radix } => {
                of.at(point).div_euclid(i64::from(*step)).rem_euclid(i64::from(*radix))
            }
            Index::Value(port) => self.port(id, port.0, point) as i64,
        }
    }

    fn access(&self, id: NodeId, access: &Access, point: &[u32]) -> Vec<u32> {
        access.0.iter().map(|index| self.place(id, index, point) as u32).collect()
    }

    fn port(&self, id: NodeId, port: u8, point: &[u32]) -> f64 {
        let (from, operand) = self.operand(id, port);
        self.value(from, &self.access(id, &operand.access, point))
    }

    fn holds(&self, id: NodeId, when: &[Cond], point: &[u32]) -> bool {
        when.iter().all(|cond| {
            let left = self.place(id, &cond.left, point);
            let right = cond.right.at(point);
            match cond.rel {
                Rel::Eq => left == right,
                Rel::Ne => left != right,
                Rel::Lt => left < right,
                Rel::Ge => left >= right,
            }
        })
    }

    pub(super) fn exists(&self, id: NodeId, point: &[u32]) -> bool {
        self.holds(id, &self.graph.node(id).space.when, point)
    }

    pub(super) fn value(&self, id: NodeId, point: &[u32]) -> f64 {
        let node = self.graph.node(id);
        match &node.op {
            Op::Leaf(leaf) => match leaf {
                Leaf::Input(at) => read(&self.leaves.inputs[*at as usize], point),
                Leaf::Param(at) => read(&self.leaves.params[*at as usize], point),
                Leaf::Prev(at) => read(&self.leaves.prev[*at as usize], point),
                Leaf::Seed(_) => 0.0,
                Leaf::Const(bits) => bits.value(),
                Leaf::Axis(axis) => f64::from(point[usize::from(axis.0)]),
            },
            Op::Map(scalar) => {
                let row = scalar.row();
                let args = (0..row.takes.len()).map(|port| self.port(id, port as u8, point));
                (row.eval)(&args.collect::<Vec<_>>())
            }
            Op::Reduce { fold, over, when } => self.reduce(id, *fold, over, when, point),
            Op::Recur { along, toward, start } => {
                let axis = usize::from(along.0);
                let mut before = point.to_vec();
                match toward {
                    Toward::Up if point[axis] == 0 => return start.value(),
                    Toward::Down if point[axis] + 1 == node.space.sizes[axis] => {
                        return start.value();
                    }
                    Toward::Up => before[axis] -= 1,
                    Toward::Down => before[axis] += 1,
                }
                let (a, b) = (self.port(id, 0, &before), self.port(id, 1, &before));
                a + b * self.value(id, &before)
            }
            Op::Join => {
                let operands = self.graph.operands(id);
                let is_index = |port: u8| {
                    let reads = |access: &Access| {
                        access.0.iter().any(|i| matches!(i, Index::Value(p) if p.0 == port))
                    };
                    operands.iter().any(|(_, operand)| reads(&operand.access))
                };
                let arm = operands
                    .iter()
                    .find(|(_, o)| !is_index(o.port.0) && self.holds(id, &o.when, point));
                self.port(id, arm.unwrap().1.port.0, point)
            }
            Op::Opaque { op, along } => {
                let (from, _) = self.operand(id, 0);
                let axis = usize::from(along.0);
                let mut at = point.to_vec();
                let line = (0..self.graph.node(from).space.sizes[axis]).map(|place| {
                    at[axis] = place;
                    self.value(from, &at)
                });
                let line: Vec<f64> = line.collect();
                f64::from(op.positions(&line)[point[axis] as usize])
            }
        }
    }

    fn reduce(&self, id: NodeId, fold: Fold, over: &[u32], when: &[Cond], point: &[u32]) -> f64 {
        let mut total = None;
        for rest in each(over) {
            let scope = [point, &rest[..]].concat();
            if !self.holds(id, when, &scope) {
                continue;
            }
            let term = self.port(id, 0, &scope);
            total = Some(total.map_or(term, |sum: f64| match fold {
                Fold::Sum => sum + term,
                Fold::Prod => sum * term,
                Fold::Max => sum.max(term),
                Fold::Min => sum.min(term),
            }));
        }
        total.unwrap_or(match fold {
            Fold::Sum => 0.0,
            Fold::Prod => 1.0,
            Fold::Max => f64::NEG_INFINITY,
            Fold::Min => f64::INFINITY,
        })
    }
}

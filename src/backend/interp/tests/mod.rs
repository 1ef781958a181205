//! What the interpreter is checked against: a point-by-point evaluator, finite differences, itself
//! with other threads and in the other precision.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

mod ops;
mod sweeps;

use crate::graph::{Access, Affine, Array, Axis, Builder, Cond, Index, Leaf, NodeId, Op, Operand};
use crate::graph::{Origin, Path, Port, Program, Read, Rel, Space, Type};
use crate::op::Scalar;
use crate::tensor::Tensor;

pub(super) fn origin(path: &str, adjoint: bool) -> Origin {
    Origin { path: Path(path.to_owned()), adjoint, ..Origin::default() }
}

/// An operand read at those indices.
pub(super) fn at(port: u8, indices: Vec<Index>) -> Operand {
    Operand { port: Port(port), access: Access(indices), when: Vec::new() }
}

/// An operand read by the identity.
pub(super) fn same(port: u8, rank: usize) -> Operand {
    Operand { port: Port(port), access: Access::identity(rank), when: Vec::new() }
}

pub(super) fn affine(offset: i64, terms: &[(u8, i64)]) -> Affine {
    Affine::new(offset, terms.iter().map(|(axis, by)| (Axis(*axis), *by)))
}

pub(super) fn index(offset: i64, terms: &[(u8, i64)]) -> Index {
    Index::Affine(affine(offset, terms))
}

pub(super) fn digit(offset: i64, terms: &[(u8, i64)], step: u32, radix: u32) -> Index {
    Index::Digit { of: affine(offset, terms), step, radix }
}

pub(super) fn cond(left: Index, rel: Rel, right: Affine) -> Cond {
    Cond { left, rel, right }
}

pub(super) fn array(path: &str, sizes: &[u32]) -> Array {
    Array { path: Path(path.into()), sizes: sizes.to_vec(), axes: Vec::new(), ty: Type::Real }
}

/// Numbers without pattern, the same every time.
pub(super) fn numbers(sizes: &[usize], seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64 * 2.0 - 1.0
    };
    Tensor::from_shape_fn(sizes, |_| next())
}

/// Shorthand for building graphs by hand.
pub(super) struct Draft {
    pub(super) builder: Builder,
    pub(super) adjoint: bool,
}

impl Draft {
    pub(super) fn new() -> Draft {
        Draft { builder: Builder::new(), adjoint: false }
    }

    pub(super) fn leaf(&mut self, leaf: Leaf, sizes: &[u32]) -> NodeId {
        let origin = origin(&format!("{leaf:?}"), self.adjoint);
        self.builder.leaf(leaf, sizes, Type::Real, origin)
    }

    pub(super) fn op(
        &mut self,
        op: Op,
        space: Space,
        operands: Vec<(NodeId, Operand)>,
        name: &str,
    ) -> NodeId {
        let origin = origin(name, self.adjoint);
        self.builder.add(op, space, Type::Real, operands, origin)
    }

    /// A scalar function of operands of the same shape.
    pub(super) fn map(&mut self, scalar: Scalar, operands: &[NodeId]) -> NodeId {
        let space = self.builder.graph().node(operands[0]).space.clone();
        let rank = space.rank();
        let list = operands.iter().enumerate().map(|(port, id)| (*id, same(port as u8, rank)));
        let list = list.collect();
        self.op(Op::Map(scalar), space, list, scalar.row().name)
    }

    /// Names a node as it is.
    pub(super) fn root(&mut self, name: &str, node: NodeId) {
        let sizes = self.builder.graph().node(node).space.sizes.clone();
        self.builder.root(name, Read { node, access: Access::identity(sizes.len()), sizes });
    }
}

/// A program of one step graph.
pub(super) fn program(inputs: Vec<Array>, states: Vec<Array>, params: Vec<Array>) -> Program {
    Program { inputs, states, params, ..Program::default() }
}

//! Which types an op takes and gives.
//!
//! In: a node of a graph whose operands are there. Out: the sentence that says what is wrong, or
//! nothing. Invariant: an `Index` may stand where a real number is asked for, and nowhere else.

use super::{Axis, Bits, Fold, Graph, Leaf, NodeId, Op, Type};
use crate::op::Opaque;
use crate::op::scalar::Sort;

type Checked = Result<(), String>;

fn require(holds: bool, sentence: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(sentence()) }
}

/// A type as messages and the text form name it.
#[must_use]
pub(super) fn name(ty: Type) -> String {
    match ty {
        Type::Real => "real".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Int => "int".to_owned(),
        Type::Index { below, permutation: false } => format!("index({below})"),
        Type::Index { below, permutation: true } => format!("permutation({below})"),
    }
}

/// The type a function of that sort gives.
pub(super) fn given(sort: Sort) -> Type {
    match sort {
        Sort::Real => Type::Real,
        Sort::Bool => Type::Bool,
    }
}

fn is_number(ty: Type) -> bool {
    match ty {
        Type::Real | Type::Int | Type::Index { .. } => true,
        Type::Bool => false,
    }
}

fn matches(ty: Type, sort: Sort) -> bool {
    match sort {
        Sort::Real => is_number(ty),
        Sort::Bool => ty == Type::Bool,
    }
}

/// Checks the type of a node against its op and its operands. Ports are contiguous already.
pub(super) fn check(graph: &Graph, id: NodeId) -> Checked {
    let node = graph.node(id);
    let operands = graph.operands(id);
    let types: Vec<Type> =
        operands[..graph.arity(id)].iter().map(|(from, _)| graph.node(*from).ty).collect();
    match &node.op {
        Op::Leaf(leaf) => check_leaf(graph, id, leaf)?,
        Op::Map(scalar) => {
            let row = scalar.row();
            for (port, (ty, sort)) in types.iter().zip(row.takes).enumerate() {
                require(matches(*ty, *sort), || {
                    format!("`{}` cannot take {} as operand {port}", row.name, name(*ty))
                })?;
            }
            require(node.ty == given(row.gives), || {
                format!("`{}` does not give {}", row.name, name(node.ty))
            })?;
        }
        Op::Reduce { fold, over, when } => {
            let always = when.is_empty() && !over.contains(&0);
            check_fold(*fold, types[0], node.ty, always)?;
        }
        Op::Recur { .. } => {
            let numbers = types.iter().all(|ty| is_number(*ty)) && node.ty == Type::Real;
            require(numbers, || "a recurrence takes and gives reals".to_owned())?;
        }
        Op::Join => {
            for (arm, ty) in types.iter().enumerate() {
                require(joins(*ty, node.ty), || {
                    format!("arm {arm} is {}, the join is {}", name(*ty), name(node.ty))
                })?;
            }
        }
        Op::Opaque { op: _, along } => {
            require(is_number(types[0]), || "only numbers can be ordered".to_owned())?;
            let size = graph.node(operands[0].0).space.sizes.get(usize::from(along.0));
            let below = match node.ty {
                Type::Index { below, .. } => Some(below),
                Type::Real | Type::Bool | Type::Int => None,
            };
            require(below.is_some() && below == size.copied(), || {
                "the positions are not below the size of the axis".to_owned()
            })?;
        }
    }
    check_permutation(graph, id)
}

fn check_leaf(graph: &Graph, id: NodeId, leaf: &Leaf) -> Checked {
    let node = graph.node(id);
    match leaf {
        Leaf::Input(_) | Leaf::Prev(_) => Ok(()),
        Leaf::Param(_) | Leaf::Seed(_) => {
            require(node.ty == Type::Real, || "parameters and seeds are real".to_owned())
        }
        Leaf::Const(bits) => {
            let truth = [Bits::of(0.0), Bits::of(1.0)].contains(bits);
            let fits = node.ty == Type::Real || (node.ty == Type::Bool && truth);
            require(fits, || format!("the constant {bits} is not {}", name(node.ty)))
        }
        Leaf::Axis(axis) => {
            let size = node.space.sizes.get(usize::from(axis.0));
            let Some(size) = size else { return Err("it has no such axis".to_owned()) };
            let fits = match node.ty {
                Type::Index { below, .. } => *size <= below,
                Type::Real | Type::Bool | Type::Int => false,
            };
            require(fits, || format!("positions below {size} are not {}", name(node.ty)))
        }
    }
}

/// `always` says that some term is folded at every point.
fn check_fold(fold: Fold, takes: Type, gives: Type, always: bool) -> Checked {
    let extreme = match fold {
        Fold::Max | Fold::Min => true,
        Fold::Sum | Fold::Prod => false,
    };
    let fits = match gives {
        Type::Real => is_number(takes),
        Type::Bool => takes == Type::Bool && extreme,
        Type::Int => false,
        // A fold of nothing is infinite, which is no position.
        Type::Index { .. } => extreme && always && joins(takes, gives),
    };
    require(fits, || format!("this fold of {} does not give {}", name(takes), name(gives)))
}

/// Whether a value of one type may stand among values of another.
fn joins(ty: Type, into: Type) -> bool {
    match (ty, into) {
        (Type::Index { below: low, .. }, Type::Index { below: high, .. }) => low <= high,
        (Type::Index { .. } | Type::Int, Type::Real) => true,
        (Type::Real | Type::Bool, Type::Real | Type::Bool) => ty == into,
        (Type::Index { .. } | Type::Int, Type::Bool | Type::Int)
        | (Type::Real | Type::Bool, Type::Int)
        | (Type::Real | Type::Bool | Type::Int, Type::Index { .. }) => false,
    }
}

/// Only an order of a whole last axis, and its plain positions, are known to be permutations.
fn check_permutation(graph: &Graph, id: NodeId) -> Checked {
    let node = graph.node(id);
    let Type::Index { below, permutation: true } = node.ty else { return Ok(()) };
    let last = node.space.rank().checked_sub(1).map(|at| Axis(at as u8));
    let known = match &node.op {
        Op::Opaque { op: Opaque::Argsort, along } => Some(*along) == last,
        Op::Leaf(Leaf::Axis(axis)) => {
            let whole = !node.space.when.iter().any(|cond| cond.axes().any(|at| at == *axis));
            Some(*axis) == last && node.space.sizes.last() == Some(&below) && whole
        }
        Op::Opaque { op: Opaque::TopK { .. }, .. }
        | Op::Leaf(
            Leaf::Input(_) | Leaf::Param(_) | Leaf::Prev(_) | Leaf::Seed(_) | Leaf::Const(_),
        )
        | Op::Map(_)
        | Op::Reduce { .. }
        | Op::Recur { .. }
        | Op::Join => false,
    };
    require(known, || "nothing shows that this is a permutation of its last axis".to_owned())
}

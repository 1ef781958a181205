//! Constants are computed now.
//!
//! ```text
//! %a = 2 - 1
//! %y[i:N] = %x[i] ^ %a
//! =>
//! %y[i:N] = %x[i] ^ 1
//! ```
//!
//! It deliberately makes no constant truth values (a constant is a real; `simplify` looks through
//! comparisons of constants instead), and folds a `Reduce` only where no order of adding could matter.

use super::Pass;
use super::rebuild::rebuild;
use crate::graph::{Fold, Graph, Leaf, NodeId, Op, Type, View};

/// The pass.
pub(super) const PASS: Pass =
    Pass { name: "fold", summary: "compute constants", run, idle, copies: true };

/// Whole numbers up to here are added exactly in `f64`, and up to 2^24 in `f32`.
const EXACT: f64 = (1u32 << 24) as f64;

fn run(graph: &Graph) -> Graph {
    rebuild(graph, &|builder, id| {
        let value = folded(builder.graph(), id)?;
        Some(View::scalar(builder.constant(value)))
    })
}

/// The number that a view shows everywhere.
pub(super) fn number(graph: &Graph, view: &View) -> Option<f64> {
    match graph.node(view.node).op {
        Op::Leaf(Leaf::Const(bits)) => Some(bits.value()),
        Op::Leaf(_)
        | Op::Map(_)
        | Op::Reduce { .. }
        | Op::Recur { .. }
        | Op::Join
        | Op::Opaque { .. } => None,
    }
}

fn idle(graph: &Graph) -> bool {
    graph.ids().all(|id| folded(graph, id).is_none())
}

fn folded(graph: &Graph, id: NodeId) -> Option<f64> {
    let node = graph.node(id);
    if node.ty != Type::Real {
        return None;
    }
    match &node.op {
        Op::Leaf(_) | Op::Recur { .. } | Op::Opaque { .. } => None,
        Op::Map(scalar) => {
            let row = scalar.row();
            let ports = View::ports(graph, id);
            let ports = ports[..row.takes.len()].iter().map(|view| number(graph, view));
            Some((row.eval)(&ports.collect::<Option<Vec<_>>>()?))
        }
        Op::Join => {
            let ports = View::ports(graph, id);
            let arms = (0..graph.arity(id)).map(|arm| number(graph, &ports[arm]));
            let arms = arms.collect::<Option<Vec<_>>>()?;
            let first = *arms.first()?;
            arms.iter().all(|arm| arm.to_bits() == first.to_bits()).then_some(first)
        }
        Op::Reduce { fold, over, when } => {
            let value = number(graph, &View::port(graph, id, 0))?;
            let count = over.iter().map(|size| f64::from(*size)).product::<f64>();
            let whole = value.fract() == 0.0 && !(value == 0.0 && value.is_sign_negative());
            match fold {
                _ if !when.is_empty() || count < 1.0 => None,
                Fold::Max | Fold::Min => Some(value),
                Fold::Sum => (whole && value.abs() * count <= EXACT).then_some(value * count),
                Fold::Prod => (value == 1.0).then_some(1.0),
            }
        }
    }
}

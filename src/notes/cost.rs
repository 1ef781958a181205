//! Equations of unusual cost (W0904).

use std::collections::BTreeMap;

use super::place::{is_std, resolve};
use super::{Built, Spec, errors};
use crate::diag::Diagnostics;
use crate::graph::{Node, Op};
use crate::model::flat::{Axis, Model, Term};
use crate::op::scalar;

/// The least share of a step that is noted.
const SHARE: f64 = 0.5;
/// The fewest multiply-adds that are noted: below, nobody waits.
const LEAST: u64 = 1_000_000;

/// An equation that takes more than half of a step, and multiplies more often than the model has
/// numbers: reading every parameter and every state once would cost less.
pub(super) fn costly(spec: Spec<'_>, built: Built<'_>, sink: &mut Diagnostics) {
    let step = &built.program.step;
    let products: Vec<&Node> = step
        .ids()
        .map(|id| step.node(id))
        .filter(|node| matches!(&node.op, Op::Map(function) if *function == scalar::MUL))
        .collect();
    let sum =
        |all: &[&Node]| all.iter().map(|node| node.space.points()).fold(0, u64::saturating_add);
    let whole = sum(&products);
    let mut parts: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
    for node in products {
        parts.entry(&node.origin.path.0).or_default().push(node);
    }
    let arrays = built.program.params.iter().chain(&built.program.states);
    let numbers = arrays.map(|array| array.len() as u64).fold(0, u64::saturating_add);
    for (path, nodes) in parts {
        let cost = sum(&nodes);
        if cost < LEAST || cost <= numbers || (cost as f64) < SHARE * whole as f64 {
            continue;
        }
        let Some(widest) = nodes.iter().max_by_key(|node| node.space.points()) else { continue };
        let written = Some(widest.origin.span).filter(|span| !is_std(spec.sources, span.file));
        let called = || resolve(spec.checked, built.def, path)?.blamed(spec.sources);
        let Some(span) = written.or_else(called) else { continue };
        let sizes = sizes(built.model, path, widest);
        let share = 100.0 * cost as f64 / whole as f64;
        sink.push(errors::costly(span, path, &sizes, cost, share));
    }
}

/// The axes of a product as `N x N x W`: names of dims where the equation has them.
fn sizes(model: &Model, path: &str, node: &Node) -> String {
    let mut axes = Vec::new();
    for value in model.values.iter().filter(|value| value.path == path) {
        axes.extend(&value.axes);
        folded(&value.right, &mut axes);
    }
    let name = |(at, size): (usize, &u32)| {
        let letter = node.origin.axes.get(at);
        let dim = letter.and_then(|letter| {
            let mut known = axes.iter().filter(|axis| axis.size == *size && !axis.dim.is_empty());
            known
                .find(|axis| axis.name == *letter)
                .or_else(|| axes.iter().find(|axis| axis.size == *size && !axis.dim.is_empty()))
        });
        dim.map_or(size.to_string(), |axis| axis.dim.clone())
    };
    let all: Vec<String> = node.space.sizes.iter().enumerate().map(name).collect();
    all.join(" x ")
}

/// The axes that a term folds over.
fn folded<'t>(term: &'t Term, axes: &mut Vec<&'t Axis>) {
    match term {
        Term::Real(_) | Term::Truth(_) | Term::Position(_) | Term::Read(..) => {}
        Term::Map(_, all) => all.iter().for_each(|one| folded(one, axes)),
        Term::Fold { over, body, .. } | Term::Whole { over, body, .. } => {
            axes.extend(over);
            folded(body, axes);
        }
        Term::Choose(arms) => arms.iter().for_each(|(_, one)| folded(one, axes)),
    }
}

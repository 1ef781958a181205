//! Local identities, one row each.
//!
//! ```text
//! %a[i:N] = %x[i] * 1
//! %y[i:N] = select(1 < 2, %a[i], %z[i])
//! =>
//! root y = %x
//! ```
//!
//! It deliberately has no row that could change a bit of an `f64` result, except those marked
//! `inexact`; so `x + 0` stays unless x is known not to be -0, and `0 - x` stays.

use std::cell::OnceCell;
use std::sync::Arc;

use super::Pass;
use super::fold::number;
use super::rebuild::rebuild;
use crate::graph::{
    self, Builder, Cond, Domain, Fold, Graph, NodeId, Op, Origin, Space, View, operands,
};
use crate::op::{Scalar, scalar};

/// The pass.
pub(super) const PASS: Pass = Pass {
    name: "simplify",
    summary: "apply local identities",
    run,
    idle: |_| false,
    copies: true,
};

/// One row: what it rewrites, and the rewriting.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// `left => right, if condition`.
    pub picture: &'static str,
    /// Whether the result may differ in the last bit.
    pub inexact: bool,
    /// What readers of a node see instead.
    apply: fn(&mut Site<'_>) -> Option<View>,
}

/// The table. The first row that fits is taken.
pub const RULES: &[Rule] = &[
    exact("times-one", "x * 1 => x", |s| s.binary(scalar::MUL, |_, b| b == Some(1.0), 0)),
    exact("one-times", "1 * x => x", |s| s.binary(scalar::MUL, |a, _| a == Some(1.0), 1)),
    exact("times-minus-one", "x * -1 => -x", |s| {
        let x = s.binary(scalar::MUL, |_, b| b == Some(-1.0), 0)?;
        Some(s.make(scalar::NEG, &[x]))
    }),
    exact("minus-one-times", "-1 * x => -x", |s| {
        let x = s.binary(scalar::MUL, |a, _| a == Some(-1.0), 1)?;
        Some(s.make(scalar::NEG, &[x]))
    }),
    exact("over-one", "x / 1 => x", |s| s.binary(scalar::DIV, |_, b| b == Some(1.0), 0)),
    exact("over-power", "x / 2^k => x * 2^-k", over_power),
    exact("less-zero", "x - 0 => x", |s| s.binary(scalar::SUB, |_, b| is(b, 0.0), 0)),
    exact("plus-minus-zero", "x + -0 => x", |s| s.binary(scalar::ADD, |_, b| is(b, -0.0), 0)),
    exact("minus-zero-plus", "-0 + x => x", |s| s.binary(scalar::ADD, |a, _| is(a, -0.0), 1)),
    exact("plus-zero", "x + 0 => x, if x is never -0", |s| {
        let x = s.binary(scalar::ADD, |_, b| is(b, 0.0), 0)?;
        never_minus_zero(s.graph(), &x).then_some(x)
    }),
    exact("zero-plus", "0 + x => x, if x is never -0", |s| {
        let x = s.binary(scalar::ADD, |a, _| is(a, 0.0), 1)?;
        never_minus_zero(s.graph(), &x).then_some(x)
    }),
    exact("minus-zero-less", "-0 - x => -x", |s| {
        let x = s.binary(scalar::SUB, |a, _| is(a, -0.0), 1)?;
        Some(s.make(scalar::NEG, &[x]))
    }),
    exact("minus-minus", "-(-x) => x", |s| {
        let x = s.unary(scalar::NEG)?;
        s.inside(scalar::NEG, &x)
    }),
    exact("less-minus", "x - (-y) => x + y", |s| {
        let [x, y] = s.pair(scalar::SUB)?;
        let y = s.inside(scalar::NEG, &y)?;
        Some(s.make(scalar::ADD, &[x, y]))
    }),
    exact("plus-minus", "x + (-y) => x - y", |s| {
        let [x, y] = s.pair(scalar::ADD)?;
        let y = s.inside(scalar::NEG, &y)?;
        Some(s.make(scalar::SUB, &[x, y]))
    }),
    exact("minus-plus", "(-x) + y => y - x", |s| {
        let [x, y] = s.pair(scalar::ADD)?;
        let x = s.inside(scalar::NEG, &x)?;
        Some(s.make(scalar::SUB, &[y, x]))
    }),
    exact("to-the-one", "x ^ 1 => x", |s| s.binary(scalar::POW, |_, b| b == Some(1.0), 0)),
    Rule {
        name: "square",
        picture: "x ^ 2 => x * x",
        inexact: true,
        apply: |s| {
            let x = s.binary(scalar::POW, |_, b| b == Some(2.0), 0)?;
            Some(s.make(scalar::MUL, &[x.clone(), x]))
        },
    },
    exact("not-not", "not not x => x", |s| {
        let x = s.unary(scalar::NOT)?;
        s.inside(scalar::NOT, &x)
    }),
    exact("select-known", "select(true, x, y) => x", |s| {
        let ports = s.arguments(scalar::SELECT)?;
        let branch = if truth(s.graph(), &ports[0])? { 1 } else { 2 };
        Some(ports[branch].clone())
    }),
    exact("select-same", "select(c, x, x) => x", |s| {
        let ports = s.arguments(scalar::SELECT)?;
        (ports[1] == ports[2]).then(|| ports[1].clone())
    }),
    exact("max-same", "max(x, x) => x", |s| {
        let [x, y] = s.pair(scalar::MAX).or_else(|| s.pair(scalar::MIN))?;
        (x == y).then_some(x)
    }),
    exact("join-known", "join { c: x; d: y } => join { c: x }, if d never holds", join_known),
    exact("join-same", "join { c: x; d: x } => x", join_same),
    exact("fold-known", "sum[j | c] x => sum[j] x, if c always holds", fold_known),
];

const fn exact(
    name: &'static str,
    picture: &'static str,
    apply: fn(&mut Site<'_>) -> Option<View>,
) -> Rule {
    Rule { name, picture, inexact: false, apply }
}

fn run(graph: &Graph) -> Graph {
    rebuild(graph, &|builder, id| {
        let mut site = Site { builder, id, ports: OnceCell::new() };
        RULES.iter().find_map(|rule| (rule.apply)(&mut site))
    })
}

/// A node that a rule looks at.
struct Site<'a> {
    builder: &'a mut Builder,
    id: NodeId,
    /// What it sees at each port, once a rule has asked.
    ports: OnceCell<Vec<View>>,
}

impl Site<'_> {
    fn graph(&self) -> &Graph {
        self.builder.graph()
    }

    fn space(&self) -> Space {
        self.graph().node(self.id).space.clone()
    }

    fn origin(&self) -> Arc<Origin> {
        self.graph().node(self.id).origin.clone()
    }

    /// The arguments, if this is that function.
    fn arguments(&self, scalar: Scalar) -> Option<&[View]> {
        if self.graph().node(self.id).op != Op::Map(scalar) {
            return None;
        }
        let all = || View::ports(self.graph(), self.id).into_iter().map(View::tidied).collect();
        Some(self.ports.get_or_init(all))
    }

    fn unary(&self, scalar: Scalar) -> Option<View> {
        Some(self.arguments(scalar)?[0].clone())
    }

    fn pair(&self, scalar: Scalar) -> Option<[View; 2]> {
        let ports = self.arguments(scalar)?;
        Some([ports[0].clone(), ports[1].clone()])
    }

    /// One argument of a function of two, if their numbers fit.
    fn binary(
        &self,
        scalar: Scalar,
        fits: impl Fn(Option<f64>, Option<f64>) -> bool,
        kept: usize,
    ) -> Option<View> {
        let ports = self.arguments(scalar)?;
        let [left, right] = [&ports[0], &ports[1]].map(|view| number(self.graph(), view));
        fits(left, right).then(|| ports[kept].clone())
    }

    /// The argument of a function that a view shows.
    fn inside(&self, scalar: Scalar, view: &View) -> Option<View> {
        let graph = self.graph();
        let inner = graph.node(view.node).op == Op::Map(scalar);
        if !inner { None } else { View::port(graph, view.node, 0).through(view) }
    }

    /// A new node in the place of this one.
    fn make(&mut self, scalar: Scalar, arguments: &[View]) -> View {
        let (space, origin) = (self.space(), self.origin());
        let rank = space.rank();
        let ty = self.graph().node(self.id).ty;
        let (edges, _) = operands(arguments, &[]);
        View::whole(self.builder.add(Op::Map(scalar), space, ty, edges, origin), rank)
    }
}

/// Whether it is that number to the bit.
fn is(value: Option<f64>, number: f64) -> bool {
    value.is_some_and(|value| value.to_bits() == number.to_bits())
}

/// Dividing by a power of two and multiplying with its reciprocal round the same number.
fn over_power(site: &mut Site<'_>) -> Option<View> {
    let [x, y] = site.pair(scalar::DIV)?;
    let divisor = number(site.graph(), &y)?;
    let reciprocal = 1.0 / divisor;
    let power = divisor.to_bits().trailing_zeros() >= 52 && divisor.is_normal();
    // Within the normal numbers of `f32`, so that the row is exact there too.
    if !power || !(1e-30..1e30).contains(&reciprocal.abs()) || divisor == 1.0 {
        return None;
    }
    let reciprocal = View::scalar(site.builder.constant(reciprocal));
    Some(site.make(scalar::MUL, &[x, reciprocal]))
}

/// Whether a value can never be -0.
fn never_minus_zero(graph: &Graph, view: &View) -> bool {
    match &graph.node(view.node).op {
        Op::Map(scalar::EXP | scalar::SIGMOID | scalar::SOFTPLUS | scalar::ABS) => true,
        Op::Map(scalar::MUL) => {
            // A square.
            View::port(graph, view.node, 0) == View::port(graph, view.node, 1)
        }
        Op::Map(scalar::ADD) => {
            let ports = View::ports(graph, view.node);
            ports[..2].iter().any(|port| never_minus_zero(graph, port))
        }
        Op::Map(_) | Op::Reduce { .. } | Op::Recur { .. } | Op::Join | Op::Opaque { .. } => false,
        Op::Leaf(_) => number(graph, view).is_some_and(|value| !is(Some(value), -0.0)),
    }
}

/// A truth value that follows from constants.
fn truth(graph: &Graph, view: &View) -> Option<bool> {
    let Op::Map(scalar) = graph.node(view.node).op else { return None };
    let row = scalar.row();
    let value = |port: &View| {
        number(graph, port).or_else(|| truth(graph, port).map(|truth| f64::from(u8::from(truth))))
    };
    let ports = View::ports(graph, view.node);
    let values = ports[..row.takes.len()].iter().map(value).collect::<Option<Vec<_>>>()?;
    (row.gives == scalar::Sort::Bool).then(|| (row.eval)(&values) != 0.0)
}

/// Arms that are never taken go; conditions that always hold go.
fn join_known(site: &mut Site<'_>) -> Option<View> {
    let (graph, space) = (site.graph(), site.space());
    if graph.node(site.id).op != Op::Join {
        return None;
    }
    let edges = graph.operands(site.id);
    let domain = Domain { sizes: &space.sizes, given: &space.when };
    let (mut arms, mut changed) = (Vec::new(), false);
    for (arm, (_, edge)) in edges.iter().take(graph.arity(site.id)).enumerate() {
        let decided = |cond: &&Cond| domain.decide(cond) != Some(true);
        let when: Vec<Cond> = edge.when.iter().filter(decided).cloned().collect();
        changed |= when.len() != edge.when.len();
        if when.iter().any(|cond| domain.decide(cond) == Some(false)) {
            changed = true;
        } else {
            arms.push((View::port(graph, site.id, arm), when));
        }
    }
    if !changed {
        return None;
    }
    if let Some((view, _)) = arms.iter().find(|(_, when)| when.is_empty()) {
        return Some(view.clone());
    }
    let edges = graph::arms(&arms);
    let (rank, ty) = (space.rank(), site.graph().node(site.id).ty);
    let origin = site.origin();
    Some(View::whole(site.builder.add(Op::Join, space, ty, edges, origin), rank))
}

fn join_same(site: &mut Site<'_>) -> Option<View> {
    let graph = site.graph();
    if graph.node(site.id).op != Op::Join {
        return None;
    }
    let mut arms = (0..graph.arity(site.id)).map(|arm| View::port(graph, site.id, arm));
    let first = arms.next()?;
    arms.all(|arm| arm == first).then_some(first)
}

/// Conditions of a fold that always hold go; one that never holds leaves the empty fold.
fn fold_known(site: &mut Site<'_>) -> Option<View> {
    let node = site.graph().node(site.id).clone();
    let Op::Reduce { fold, over, when } = &node.op else { return None };
    let sizes: Vec<u32> = node.space.sizes.iter().chain(over).copied().collect();
    let domain = Domain { sizes: &sizes, given: &node.space.when };
    let rank = node.space.rank();
    if when.iter().any(|cond| domain.decide(cond) == Some(false)) {
        let empty = match fold {
            Fold::Sum => 0.0,
            Fold::Prod => 1.0,
            Fold::Max | Fold::Min => return None,
        };
        return Some(View::scalar(site.builder.constant(empty)));
    }
    let open = |cond: &&Cond| domain.decide(cond).is_none();
    let left: Vec<Cond> = when.iter().filter(open).cloned().collect();
    if left.len() == when.len() {
        return None;
    }
    let view = View::ports(site.graph(), site.id).swap_remove(0);
    let (edges, left) = operands(&[view], &left);
    let op = Op::Reduce { fold: *fold, over: over.clone(), when: left };
    Some(View::whole(site.builder.add(op, node.space, node.ty, edges, node.origin), rank))
}

/// Names of the rows that fit somewhere in a graph.
#[cfg(test)]
pub(super) fn fitting(graph: &Graph) -> Vec<&'static str> {
    let fitting = std::cell::RefCell::new(Vec::new());
    rebuild(graph, &|builder, id| {
        let mut site = Site { builder, id, ports: OnceCell::new() };
        let fit = RULES.iter().filter(|rule| (rule.apply)(&mut site).is_some());
        fitting.borrow_mut().extend(fit.map(|rule| rule.name));
        None
    });
    fitting.into_inner()
}

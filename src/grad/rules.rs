//! What flows back through each op, before it is moved along the access of the operand.
//!
//! Note: 0 times infinity. A partial such as `select(x > 0, 1, 0)` or `select(y == 0, 0, 0.5 / y)`
//! is never multiplied as it stands: the product goes into the branches, so a branch not taken
//! leaves an exact 0 even where the other one is infinite.

use super::Sweep;
use super::solve::{Flow, join_with};
use crate::graph::{
    Access, Affine, Axis, Bits, Builder, Cond, Fold, Graph, Index, Leaf, NodeId, Op, Origin, Port,
    Rel, Space, Toward, Type, View, operands,
};
use crate::op::scalar::{self, Formula, Sort};
use crate::op::{Opaque, Scalar};

/// The ports of a node through which gradient may pass.
#[must_use]
pub fn open_ports(graph: &Graph, id: NodeId) -> Vec<usize> {
    let edges = graph.operands(id);
    let candidates: Vec<usize> = match &graph.node(id).op {
        Op::Leaf(_) | Op::Opaque { op: Opaque::Argsort | Opaque::TopK { .. }, .. } => Vec::new(),
        Op::Map(scalar) => {
            let partials = &scalar.row().partials;
            (0..partials.len()).filter(|port| partials[*port].is_some()).collect()
        }
        Op::Reduce { .. } => vec![0],
        Op::Recur { .. } => vec![0, 1],
        Op::Join => (0..graph.arity(id)).collect(),
    };
    candidates.into_iter().filter(|port| graph.node(edges[*port].0).ty == Type::Real).collect()
}

/// A scalar function of views over a space.
pub(super) fn apply(
    builder: &mut Builder,
    scalar: Scalar,
    arguments: &[View],
    space: Space,
    origin: Origin,
) -> View {
    let ty = match scalar.row().gives {
        Sort::Real => Type::Real,
        Sort::Bool => Type::Bool,
    };
    let rank = space.rank();
    let (edges, _) = operands(arguments, &[]);
    View::whole(builder.add(Op::Map(scalar), space, ty, edges, origin), rank)
}

impl Sweep {
    /// Sends the adjoint of a node on to its operands.
    pub(super) fn flow(&mut self, id: NodeId, adjoint: &View) {
        let edges = self.graph().operands(id);
        let targets: Vec<(usize, NodeId)> = open_ports(self.graph(), id)
            .into_iter()
            .map(|port| (port, edges[port].0))
            .filter(|(_, target)| self.active[target.0 as usize])
            .collect();
        if targets.is_empty() {
            return;
        }
        match self.graph().node(id).op.clone() {
            Op::Leaf(_) | Op::Opaque { .. } => {}
            Op::Map(scalar) => self.flow_map(id, scalar, adjoint, &targets),
            Op::Reduce { fold, over, when } => {
                let value = self.through_fold(id, fold, &over, &when, adjoint);
                self.pass(id, 0, value, &over, when);
            }
            Op::Recur { along, toward, .. } => {
                self.flow_recur(id, along, toward, adjoint, &targets)
            }
            Op::Join => {
                for (port, _) in targets {
                    let when = self.graph().operands(id)[port].1.when.clone();
                    self.pass(id, port, adjoint.clone(), &[], when);
                }
            }
        }
    }

    /// Sends a value over the scope of `id` back along one of its reads.
    fn pass(&mut self, id: NodeId, port: usize, value: View, over: &[u32], mut when: Vec<Cond>) {
        let node = self.graph().node(id).clone();
        let edges = self.graph().operands(id);
        let (target, edge) = edges[port];
        let access = edge.access.clone();
        let ports = edges.iter().map(|(from, edge)| (*from, edge.access.clone())).collect();
        when.extend(node.space.when.iter().cloned());
        let scope = node.space.sizes.iter().chain(over).copied().collect();
        let flow = Flow { value, scope, names: &node.origin.axes, access, when, ports };
        self.send(target, (id.0 + 1, port), flow);
    }

    fn flow_map(
        &mut self,
        id: NodeId,
        scalar: Scalar,
        adjoint: &View,
        targets: &[(usize, NodeId)],
    ) {
        if scalar == scalar::CLIP_GRADIENT {
            let limit = View::port(self.graph(), id, 1);
            let below = self.map(id, scalar::NEG, std::slice::from_ref(&limit));
            let value = self.map(id, scalar::CLIP, &[adjoint.clone(), below, limit]);
            return self.pass(id, 0, value, &[], Vec::new());
        }
        for (port, _) in targets {
            if let Some(partial) = &scalar.row().partials[*port]
                && let Some(value) = self.times(id, adjoint, partial)
            {
                self.pass(id, *port, value, &[], Vec::new());
            }
        }
    }

    /// `adjoint * formula` over the space of a node; `None` if that is 0.
    fn times(&mut self, id: NodeId, adjoint: &View, formula: &Formula) -> Option<View> {
        match formula {
            Formula::Const(value) if *value == 0.0 => None,
            Formula::Const(1.0) => Some(adjoint.clone()),
            Formula::Const(-1.0) => Some(self.negative(id, adjoint)),
            Formula::Apply(scalar::NEG, inner) => {
                let inner = self.times(id, adjoint, &inner[0])?;
                Some(self.negative(id, &inner))
            }
            Formula::Apply(scalar::SELECT, branches) => {
                let yes = self.times(id, adjoint, &branches[1]);
                let no = self.times(id, adjoint, &branches[2]);
                if yes.is_none() && no.is_none() {
                    return None;
                }
                let condition = self.formula(id, &branches[0]);
                let [yes, no] = [yes, no].map(|branch| branch.unwrap_or_else(|| self.number(0.0)));
                Some(self.map(id, scalar::SELECT, &[condition, yes, no]))
            }
            Formula::Apply(scalar::DIV, of) if of[0] == Formula::Const(1.0) => {
                let divisor = self.formula(id, &of[1]);
                Some(self.map(id, scalar::DIV, &[adjoint.clone(), divisor]))
            }
            Formula::Const(_) | Formula::Arg(_) | Formula::Out | Formula::Apply(..) => {
                let factor = self.formula(id, formula);
                Some(self.product(id, adjoint, &factor))
            }
        }
    }

    fn number(&mut self, value: f64) -> View {
        View::scalar(self.builder.constant(value))
    }

    fn product(&mut self, id: NodeId, left: &View, right: &View) -> View {
        let graph = self.graph();
        let is_one = |view: &View| graph.node(view.node).op == Op::Leaf(Leaf::Const(Bits::of(1.0)));
        if is_one(left) {
            return right.clone();
        }
        if is_one(right) {
            return left.clone();
        }
        self.map(id, scalar::MUL, &[left.clone(), right.clone()])
    }

    /// The negative of a view, made where it is smaller: over the node that it reads, or over `id`.
    fn negative(&mut self, id: NodeId, view: &View) -> View {
        let (source, reader) = (&self.graph().node(view.node).space, &self.graph().node(id).space);
        if source.points() > reader.points() {
            return self.map(id, scalar::NEG, std::slice::from_ref(view));
        }
        let whole = View::whole(view.node, source.rank());
        let node = self.map(view.node, scalar::NEG, &[whole]).node;
        View { node, ..view.clone() }
    }

    /// A formula over the arguments and the value of a node.
    fn formula(&mut self, id: NodeId, formula: &Formula) -> View {
        match formula {
            Formula::Const(value) => self.number(*value),
            Formula::Arg(port) => View::port(self.graph(), id, *port),
            Formula::Out => View::whole(id, self.graph().node(id).space.rank()),
            Formula::Apply(scalar, arguments) => {
                let arguments: Vec<_> = arguments.iter().map(|of| self.formula(id, of)).collect();
                self.map(id, *scalar, &arguments)
            }
        }
    }

    /// What flows back to the operand of a fold, over its whole scope.
    fn through_fold(
        &mut self,
        id: NodeId,
        fold: Fold,
        over: &[u32],
        when: &[Cond],
        adjoint: &View,
    ) -> View {
        match fold {
            Fold::Sum => adjoint.clone(),
            Fold::Prod => self.through_product(id, over, when, adjoint),
            Fold::Max | Fold::Min => self.through_extreme(id, over, when, adjoint),
        }
    }

    /// The scope of a fold as a space of its own, with its static conditions, and the origin of nodes
    /// made in it.
    fn scope(&self, id: NodeId, over: &[u32], when: &[Cond]) -> (Space, Origin) {
        let node = self.graph().node(id);
        let mut space = node.space.clone();
        space.sizes.extend(over);
        space.when.extend(when.iter().filter(|cond| !cond.is_gathered()).cloned());
        let origin = node.origin.backward(space.rank());
        (space, origin)
    }

    /// `max`, `min`: equal shares to all arguments equal to the value.
    fn through_extreme(&mut self, id: NodeId, over: &[u32], when: &[Cond], adjoint: &View) -> View {
        let (space, origin) = self.scope(id, over, when);
        let rank = self.graph().node(id).space.rank();
        let argument = View::port(self.graph(), id, 0);
        let value = View::whole(id, rank);
        let builder = &mut self.builder;
        let [one, zero] = [1.0, 0.0].map(|number| View::scalar(builder.constant(number)));
        let hit = apply(builder, scalar::EQ, &[argument, value], space.clone(), origin.clone());
        let counted = apply(
            builder,
            scalar::SELECT,
            &[hit.clone(), one, zero.clone()],
            space.clone(),
            origin.clone(),
        );
        // The count runs under the conditions of the fold, so it reads what they read.
        let ports = View::ports(self.graph(), id);
        let gathers = ports.first().map(|port| port.gathers.clone()).unwrap_or_default();
        let view = View { gathers, ..counted };
        let (edges, when) = operands(&[view], when);
        let op = Op::Reduce { fold: Fold::Sum, over: over.to_vec(), when };
        let at = self.graph().node(id).space.clone();
        let count = self.builder.add(op, at, Type::Real, edges, origin.clone());
        let share = self.map(id, scalar::DIV, &[adjoint.clone(), View::whole(count, rank)]);
        apply(&mut self.builder, scalar::SELECT, &[hit, share, zero], space, origin)
    }

    /// A product without division: what comes before a factor times what comes after it. Several axes
    /// are nested products; an excluded factor is 1.
    fn through_product(&mut self, id: NodeId, over: &[u32], when: &[Cond], adjoint: &View) -> View {
        let argument = self.factor(id, over, when);
        let node = self.graph().node(id).clone();
        let rank = node.space.rank();
        // Products over the last axes, from all factors to the one number.
        let mut partial = vec![argument];
        for axis in (1..over.len()).rev() {
            let (space, origin) = self.scope(id, &over[..axis], &[]);
            let (edges, _) = operands(&partial[partial.len() - 1..], &[]);
            let op = Op::Reduce { fold: Fold::Prod, over: vec![over[axis]], when: Vec::new() };
            let product = self.builder.add(op, space, Type::Real, edges, origin);
            partial.push(View::whole(product, rank + axis));
        }
        partial.reverse();
        let mut value = adjoint.clone();
        for (axis, factors) in partial.iter().enumerate() {
            let (space, origin) = self.scope(id, &over[..=axis], &[]);
            let along = Axis((rank + axis) as u8);
            let zero = self.number(0.0);
            let (edges, _) = operands(&[zero, factors.clone()], &[]);
            let sides = [Toward::Up, Toward::Down].map(|toward| {
                let op = Op::Recur { along, toward, start: Bits::of(1.0) };
                let side =
                    self.builder.add(op, space.clone(), Type::Real, edges.clone(), origin.clone());
                View::whole(side, rank + axis + 1)
            });
            let builder = &mut self.builder;
            let others = apply(builder, scalar::MUL, &sides, space.clone(), origin.clone());
            value = apply(builder, scalar::MUL, &[value, others], space, origin);
        }
        value
    }

    /// The operand of a product with 1 where a condition excludes it.
    fn factor(&mut self, id: NodeId, over: &[u32], when: &[Cond]) -> View {
        let ports = View::ports(self.graph(), id);
        let argument = View::port(self.graph(), id, 0);
        if when.is_empty() {
            return argument;
        }
        let (space, origin) = self.scope(id, over, &[]);
        let (gathered, fixed): (Vec<_>, Vec<_>) = when.iter().cloned().partition(Cond::is_gathered);
        let rank = space.rank();
        let mut value = argument;
        if !fixed.is_empty() {
            if value.is_gathered() {
                // An arm that gathers would bring an index value into the join: read it first.
                let (inside, origin) = self.scope(id, over, when);
                let copy =
                    super::solve::sum(&mut self.builder, &value, &[], Vec::new(), inside, origin);
                value = View::whole(copy, rank);
            }
            let join =
                join_with(&mut self.builder, &value, 1.0, &fixed, space.clone(), origin.clone());
            value = View::whole(join, rank);
        }
        let one = self.number(1.0);
        for cond in gathered {
            let truth = self.truth(&cond, &ports[0].gathers, &space, &origin);
            value = apply(
                &mut self.builder,
                scalar::SELECT,
                &[truth, value, one.clone()],
                space.clone(),
                origin.clone(),
            );
        }
        value
    }

    /// A condition on a gathered value as a truth value over a space.
    fn truth(
        &mut self,
        cond: &Cond,
        gathers: &[(NodeId, Access)],
        space: &Space,
        origin: &Origin,
    ) -> View {
        let left = match &cond.left {
            Index::Value(Port(port)) => {
                let (node, access) = gathers[usize::from(*port)].clone();
                View { node, access, gathers: gathers.to_vec() }
            }
            Index::Affine(affine) => self.position(affine, space, origin),
            // Only gathered conditions come here; the position of a digit is never asked for.
            Index::Digit { of, .. } => self.position(of, space, origin),
        };
        let right = self.position(&cond.right, space, origin);
        let builder = &mut self.builder;
        let mut make = |scalar, arguments: &[View]| {
            apply(builder, scalar, arguments, space.clone(), origin.clone())
        };
        match cond.rel {
            Rel::Eq => make(scalar::EQ, &[left, right]),
            Rel::Lt => make(scalar::LT, &[left, right]),
            Rel::Ge => make(scalar::LE, &[right, left]),
            Rel::Ne => {
                let equal = make(scalar::EQ, &[left, right]);
                make(scalar::NOT, &[equal])
            }
        }
    }

    /// The number that an affine function of the axes is.
    fn position(&mut self, affine: &Affine, space: &Space, origin: &Origin) -> View {
        let mut sum = self.number(affine.offset as f64);
        for (axis, by) in &affine.terms {
            let below = space.sizes[usize::from(axis.0)];
            let ty = Type::Index { below, permutation: true };
            let leaf = self.builder.leaf(Leaf::Axis(Axis(0)), &[below], ty, Origin::default());
            let position = View {
                access: Access(vec![Index::axis(usize::from(axis.0))]),
                ..View::scalar(leaf)
            };
            if affine.offset == 0 && *by == 1 && affine.terms.len() == 1 {
                return position;
            }
            let by = self.number(*by as f64);
            let builder = &mut self.builder;
            let term = apply(builder, scalar::MUL, &[by, position], space.clone(), origin.clone());
            sum = apply(builder, scalar::ADD, &[sum, term], space.clone(), origin.clone());
        }
        sum
    }

    /// `y[next] = a + b * y`: the adjoint of y runs the other way as `t[next] = y' + b * t`; then t is
    /// the adjoint of a, and t * y that of b.
    fn flow_recur(
        &mut self,
        id: NodeId,
        along: Axis,
        toward: Toward,
        adjoint: &View,
        targets: &[(usize, NodeId)],
    ) {
        let space = self.graph().node(id).space.clone();
        let (rank, origin) = (space.rank(), self.origin(id));
        let toward = match toward {
            Toward::Up => Toward::Down,
            Toward::Down => Toward::Up,
        };
        let factor = View::port(self.graph(), id, 1);
        let (edges, _) = operands(&[adjoint.clone(), factor], &[]);
        let op = Op::Recur { along, toward, start: Bits::of(0.0) };
        let back = View::whole(self.builder.add(op, space, Type::Real, edges, origin), rank);
        for (port, _) in targets {
            let value = match port {
                0 => back.clone(),
                _ => self.map(id, scalar::MUL, &[back.clone(), View::whole(id, rank)]),
            };
            self.pass(id, *port, value, &[], Vec::new());
        }
    }
}

//! Functions of a whole array: softmax as five nodes, orders as opaque primitives.
//!
//! In: a function, its array and where the result is read. Out: a node as seen from there. Invariant:
//! an opaque primitive reads its operand by the identity.

use crate::graph::{Fold, Type};
use crate::model::flat::{At, Axis, Linear, Sort, Term, Whole};
use crate::op::Opaque;
use crate::op::scalar::{DIV, EXP, STOP, SUB};

use super::Lowering;
use super::node::{Arm, Make};
use super::scope::Scope;
use super::seen::{Place, Seen};

impl Lowering<'_> {
    pub(super) fn whole(
        &mut self,
        function: Whole,
        over: &[Axis],
        body: &Term,
        at: &[At],
        scope: &Scope,
    ) -> Seen {
        // An axis that is read at an index of the scope keeps that name.
        let mut outside = scope.clone();
        outside.axes.retain(|axis| !at.contains(&At::Linear(Linear::var(axis.var))));
        let over = &outside.renamed(over)[..];
        let inner = scope.with_axes(over);
        let body = self.term(body, &inner, Sort::Real);
        let mut axes = over.to_vec();
        let result = match function {
            Whole::Softmax => self.softmax(over, body, scope),
            Whole::Argsort => self.ordered(Opaque::Argsort, along(over), body, &inner),
            Whole::Rank => {
                // The order of an order is its inverse.
                let order = self.ordered(Opaque::Argsort, along(over), body, &inner);
                self.ordered(Opaque::Argsort, along(over), order, &inner)
            }
            Whole::Top { k } => {
                axes[0].size = k;
                self.ordered(Opaque::TopK { k }, along(over), body, &inner)
            }
        };
        let by = self.substitution(&axes, at, scope);
        self.read_at(result, &axes, &by, scope)
    }

    /// `exp(x - m) / sum exp(x - m)`, where m is the largest x and passes no gradient.
    fn softmax(&mut self, over: &[Axis], body: Seen, scope: &Scope) -> Seen {
        let inner = scope.with_axes(over);
        let top = self.reduced(Fold::Max, over, body.clone(), scope);
        let top = self.apply(scope, STOP, vec![top]);
        let less = self.apply(&inner, SUB, vec![body, top]);
        let power = self.apply(&inner, EXP, vec![less]);
        let total = self.reduced(Fold::Sum, over, power.clone(), scope);
        self.apply(&inner, DIV, vec![power, total])
    }

    fn reduced(&mut self, fold: Fold, over: &[Axis], body: Seen, scope: &Scope) -> Seen {
        let make = Make::Reduce { fold, over, when: Vec::new() };
        self.node(scope, &make, &[Arm::always(body)], Type::Real)
    }

    /// An order along the innermost axis of a scope.
    fn ordered(&mut self, op: Opaque, along: &Axis, body: Seen, scope: &Scope) -> Seen {
        let body = self.flush(body, along, scope);
        let ty = match op {
            Opaque::Argsort => Type::Index { below: along.size, permutation: true },
            Opaque::TopK { .. } => Type::Index { below: along.size, permutation: false },
        };
        self.node(scope, &Make::Opaque { op, along }, &[Arm::always(body)], ty)
    }

    /// The operand as a node over exactly the axes that occur, in scope order, `along` the last.
    fn flush(&mut self, body: Seen, along: &Axis, scope: &Scope) -> Seen {
        let mut vars = std::collections::BTreeSet::from([along.var]);
        body.vars(&mut vars);
        let axes = scope.among(&vars);
        let bare: Vec<Place> = axes.iter().map(|axis| Place::var(axis.var)).collect();
        let sizes: Vec<u32> = axes.iter().map(|axis| axis.size).collect();
        if body.at == bare && self.builder.graph().node(body.node).space.sizes == sizes {
            return body;
        }
        if !body.mentions(along.var) {
            return self.spread(body, along, scope);
        }
        self.materialise(body, scope)
    }

    /// A node that repeats a value along an axis that it does not mention.
    fn spread(&mut self, body: Seen, along: &Axis, scope: &Scope) -> Seen {
        let ty = self.type_of(&body);
        self.node(scope, &Make::Repeat { along }, &[Arm::always(body)], ty)
    }
}

fn along(over: &[Axis]) -> &Axis {
    match over {
        [along] => along,
        _ => panic!("internal error in lower: an order runs along one axis"),
    }
}

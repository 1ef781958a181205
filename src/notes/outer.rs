//! Writes whose order matters: a head that writes a state from outside (W0910), entries that are written
//! at places which may coincide (W0911).

use std::collections::BTreeMap;

use super::{Spec, errors};
use crate::diag::Diagnostics;
use crate::model::typed::{Def, ExprKind, Value, ValueKind, Whole};
use crate::source::Span;
use crate::syntax::ast;

/// A block that is open while statements are walked.
struct Block<'a> {
    /// The head that it belongs to, if it is one.
    head: Option<&'a str>,
    /// States declared in it.
    states: BTreeMap<&'a str, Span>,
}

/// Walks every block of the user's file.
pub(super) fn writes(spec: Spec<'_>, sink: &mut Diagnostics) {
    for item in &spec.file.items {
        let (ast::Item::Def(tree) | ast::Item::Model(tree)) = item else { continue };
        let Some((_, def)) = spec.own().find(|(_, def)| def.span == tree.name.span) else {
            continue;
        };
        let mut walk = Walk { def, open: Vec::new(), sink };
        let signature = tree.params.iter().filter(|param| param.role == ast::Role::State);
        let states =
            signature.map(|param| (param.slot.name.text.as_str(), param.slot.span)).collect();
        walk.block(&tree.body, None, states);
    }
}

struct Walk<'a, 's> {
    def: &'a Def,
    open: Vec<Block<'a>>,
    sink: &'s mut Diagnostics,
}

impl<'a> Walk<'a, '_> {
    fn block(
        &mut self,
        body: &'a ast::Body,
        head: Option<&'a str>,
        mut states: BTreeMap<&'a str, Span>,
    ) {
        let ast::Body::Block(statements) = body else { return };
        for statement in statements {
            if let ast::Stmt::State(_, _, slots, _) = statement {
                states.extend(slots.iter().map(|slot| (slot.name.text.as_str(), slot.span)));
            }
        }
        self.open.push(Block { head, states });
        for statement in statements {
            match statement {
                ast::Stmt::Part(part) => {
                    let head = part.head.then_some(part.name.text.as_str());
                    self.block(&part.body, head, BTreeMap::new());
                }
                ast::Stmt::Equation(equation) => {
                    self.outward(equation);
                    self.coinciding(equation);
                }
                ast::Stmt::State(..)
                | ast::Stmt::Emit(_)
                | ast::Stmt::Controller(_)
                | ast::Stmt::Require(_) => {}
            }
        }
        self.open.pop();
    }

    /// An equation in a head of a state that is declared around the head.
    fn outward(&mut self, equation: &ast::Equation) {
        let Some(first) = equation.left.segments.first() else { return };
        let name = first.name.text.as_str();
        let home = self.open.iter().rposition(|block| block.states.contains_key(name));
        let Some(home) = home else { return };
        let Some(head) = self.open[home + 1..].iter().rev().find_map(|block| block.head) else {
            return;
        };
        let declared = self.open[home].states[name];
        self.sink.push(errors::writes_outward(equation.left.span, head, name, declared));
    }

    /// An `elsewhere` whose places are not known to differ.
    fn coinciding(&mut self, equation: &ast::Equation) {
        if equation.elsewhere.is_none() {
            return;
        }
        let brackets =
            equation.left.segments.iter().filter_map(|segment| segment.brackets.as_ref());
        for index in brackets.flatten() {
            if let Some(name) = computed(&index.value)
                && !self.def.values.iter().any(|value| value.name == name && is_distinct(value))
            {
                let (span, left) = (index.span, equation.left.span);
                self.sink.push(errors::places_coincide(span, left, name));
            }
        }
    }
}

/// The value that an index reads, as in `P[j]`, `prev P[j]` and `(P[j])`.
fn computed(index: &ast::Expr) -> Option<&str> {
    let read = match &index.kind {
        ast::ExprKind::Paren(inner) => return computed(inner),
        ast::ExprKind::Prev(read) => read,
        ast::ExprKind::Ref(read) if read.segments.iter().any(|one| one.brackets.is_some()) => read,
        ast::ExprKind::Binary(_, left, right) => return computed(left).or_else(|| computed(right)),
        ast::ExprKind::Number(..)
        | ast::ExprKind::Text(_)
        | ast::ExprKind::Pipe(..)
        | ast::ExprKind::If(..)
        | ast::ExprKind::For(..)
        | ast::ExprKind::Unary(..)
        | ast::ExprKind::Reduce(..)
        | ast::ExprKind::Ref(_)
        | ast::ExprKind::List(_) => return None,
    };
    read.segments.last().map(|last| last.name.text.as_str())
}

/// Whether the entries of a value differ: an order, or the best of one.
fn is_distinct(value: &Value) -> bool {
    let ValueKind::Computed(equation) = &value.kind else { return false };
    match &equation.right.kind {
        ExprKind::Whole(Whole::Argsort | Whole::Rank | Whole::Top(_), _) => true,
        ExprKind::Whole(Whole::Softmax | Whole::Norm, _)
        | ExprKind::Real(_)
        | ExprKind::Int(_)
        | ExprKind::Test(_)
        | ExprKind::Read { .. }
        | ExprKind::Index(..)
        | ExprKind::Inside(..)
        | ExprKind::Map(..)
        | ExprKind::If(..)
        | ExprKind::Reduce { .. }
        | ExprKind::For(..)
        | ExprKind::List(_)
        | ExprKind::Cat(_)
        | ExprKind::Squash(..)
        | ExprKind::Fill(..)
        | ExprKind::OneHot(..)
        | ExprKind::Learned(_)
        | ExprKind::Draw(..)
        | ExprKind::Call(_) => false,
    }
}

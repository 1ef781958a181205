//! Starts: initial values of states and params, natural starts of emissions, defaults of arguments.

use crate::diag::Edit;
use crate::source::Span;
use crate::syntax::ast;

use super::super::errors;
use super::super::int::Poly;
use super::super::show;
use super::super::typed::{
    Domain, Expr, ExprKind, Extent, ParamKind, Sort, Start, Value, ValueId, ValueKind,
};
use super::declare::Cx;
use super::repairs::{nearest_inside, usual_start};
use super::slots::{constant_of, holds};

impl Cx<'_, '_> {
    /// Checks what stands after `=` in every slot.
    pub(super) fn slots(&mut self) {
        for (id, slot) in std::mem::take(&mut self.later) {
            let part = self.def.value(id).part;
            self.via(id, &slot);
            let Some(tree) = &slot.value else { continue };
            self.within(part, |cx| {
                cx.equation.clone_from(&slot.name.text);
                let before = cx.sink().len();
                if cx.slot_start(id, tree).is_none() {
                    cx.broken.push(id);
                    cx.source_as_start(id, &slot, before);
                }
            });
        }
    }

    /// `via` names another map into the same range.
    fn via(&mut self, id: ValueId, slot: &ast::Slot) {
        let Some(name) = slot.of.as_ref().and_then(|of| of.via.clone()) else { return };
        let span = name.span;
        let segment = ast::Segment { name, brackets: None, args: None, after: None };
        let stage = self.stage(&ast::Ref { segments: vec![segment], span });
        self.def.values[id.0 as usize].via = stage;
    }

    fn slot_start(&mut self, id: ValueId, tree: &ast::Expr) -> Option<()> {
        let value = self.def.value(id).clone();
        let is_argument = matches!(value.kind, ValueKind::Argument);
        if !is_argument {
            self.start = Some((start_domain(tree, &value.domain), value.shape.clone()));
        }
        let start = self.expr(tree, Some(&value.shape));
        self.start = None;
        let start = self.filled(start?, &value.shape, &value.name)?;
        self.starts_as(&start, &value.sort)?;
        self.starts_inside(&value, &start)?;
        match &mut self.def.values[id.0 as usize].kind {
            ValueKind::Param(slot) | ValueKind::State(slot, _) => {
                *slot = Start::Value(Box::new(start));
            }
            ValueKind::Emission(emission) => emission.start = Some(Box::new(start)),
            ValueKind::Argument => {
                for param in &mut self.def.params {
                    if let ParamKind::Plain(own, default) = &mut param.kind
                        && *own == id
                    {
                        *default = Some(start.clone());
                    }
                }
            }
            ValueKind::Computed(_) => {}
        }
        Some(())
    }

    /// A start of the right sort. Where a whole number known when the model is built starts an index,
    /// its size is looked at then.
    fn starts_as(&mut self, start: &Expr, sort: &Sort) -> Option<()> {
        let later = matches!(sort, Sort::Index { .. }) && start.sort == Sort::Int;
        if start.sort == *sort || (later && is_fixed(start)) {
            return Some(());
        }
        self.suits(start, sort)
    }

    /// A start of the right shape; a number fills it.
    pub(super) fn filled(&mut self, start: Expr, shape: &[Extent], name: &str) -> Option<Expr> {
        if start.shape == shape {
            return Some(start);
        }
        if start.shape.is_empty() {
            let span = start.span;
            let sort = start.sort.clone();
            let kind = ExprKind::Fill(Box::new(start), shape.to_vec());
            return Some(Expr { kind, span, shape: shape.to_vec(), sort });
        }
        let (wanted, found) = (self.shown(shape), self.shown(&start.shape));
        let what = format!("`{name}`");
        let one = errors::wrong_shape(start.span, &what, &wanted, &found, None);
        let zero = self.text(start.span).starts_with("zeros").then(|| Edit::new(start.span, "0"));
        self.sink().push(one.edits(zero));
        None
    }

    fn starts_inside(&mut self, declared: &Value, start: &Expr) -> Option<()> {
        let Value { name, domain, kind, shape, span: declared, .. } = declared;
        if let (ExprKind::Draw(low, high), ValueKind::State(..)) = (&start.kind, kind) {
            let ends = [Some(&**low), high.as_deref()].map(|end| end.and_then(constant_of));
            let fits = match (domain, ends) {
                (Domain::Real(None, None), _) => true,
                (Domain::Real(..), [Some(low), Some(high)]) => {
                    holds(domain, low) && holds(domain, high)
                }
                _ => false,
            };
            if !fits {
                let told = show::domain(domain);
                let why = "may be drawn outside";
                self.sink().push(errors::bad_start(start.span, name, &told, why, None));
                return None;
            }
        }
        let Some(value) = constant_of(start) else { return Some(()) };
        let emitted = matches!(kind, ValueKind::Emission(_));
        let told = show::domain(domain);
        let entries = shape.last().and_then(|axis| axis.size.as_number());
        let shares = entries.is_some_and(|entries| (value * entries as f64 - 1.0).abs() < 1e-9);
        if matches!(domain, Domain::Simplex) && !emitted && !shares {
            let one = errors::bad_start(
                start.span,
                name,
                &told,
                "does not sum to 1",
                Some(usual_start(domain)),
            );
            self.sink().push(one);
            return None;
        }
        let strict = match domain {
            Domain::Real(low, high) => low != &Some(value) && high != &Some(value),
            Domain::Simplex | Domain::Weighting | Domain::Sphere => true,
        };
        if !holds(domain, value) || (emitted && !strict) {
            let one = match kind {
                ValueKind::State(..) | ValueKind::Param(_) => {
                    let inside = nearest_inside(domain, value, false);
                    errors::bad_start(start.span, name, &told, &format!("is {value}"), inside)
                }
                ValueKind::Argument | ValueKind::Emission(_) | ValueKind::Computed(_) => {
                    let inside = nearest_inside(domain, value, emitted);
                    let told = show::lies_in(domain);
                    errors::outside_domain(start.span, name, &told, value, *declared, inside)
                }
            };
            self.sink().push(one);
            return None;
        }
        Some(())
    }

    /// `learned`, `uniform` without arguments.
    pub(super) fn start_word(&mut self, name: &str, span: Span) -> Option<Expr> {
        let Some((domain, shape)) = self.start.clone() else {
            let edits = self.start_as_value(name, None, span);
            self.sink().push(errors::start_word(span, name).edits(edits));
            return None;
        };
        let sort = Sort::Real;
        if name == "learned" {
            return Some(Expr { kind: ExprKind::Learned(domain), span, shape, sort });
        }
        let Some(last) = shape.last() else {
            self.sink().push(errors::needs_array(span, name));
            return None;
        };
        let size = Expr {
            kind: ExprKind::Int(last.size.clone()),
            span,
            shape: Vec::new(),
            sort: Sort::Int,
        };
        let one =
            Expr { kind: ExprKind::Int(Poly::number(1)), span, shape: Vec::new(), sort: Sort::Int };
        let share = self.map(crate::op::scalar::DIV, vec![one, size], span)?;
        let kind = ExprKind::Fill(Box::new(share), shape.clone());
        Some(Expr { kind, span, shape, sort })
    }

    /// `one_hot(k)`, `normal(s)`, `uniform(a..b)`.
    pub(super) fn start_call(&mut self, name: &str, args: &[ast::Arg], span: Span) -> Option<Expr> {
        let Some((_, shape)) = self.start.clone() else {
            let argument = args.first().map(|arg| arg.span);
            let edits = self.start_as_value(name, argument, span);
            self.sink().push(errors::start_word(span, name).edits(edits));
            return None;
        };
        let [arg] = args else {
            self.sink().push(errors::missing_argument(span, name, "one argument", None));
            return None;
        };
        let sort = Sort::Real;
        if name == "one_hot" {
            let Some(last) = shape.last().cloned() else {
                self.sink().push(errors::needs_array(span, name));
                return None;
            };
            let at = self.index(arg, &last, "the last axis")?;
            let ExprKind::Int(poly) = at.kind else {
                self.sink().push(errors::not_a_whole_number(arg.span, "the position"));
                return None;
            };
            return Some(Expr { kind: ExprKind::OneHot(poly, shape.clone()), span, shape, sort });
        }
        let low = self.expr(&arg.value, None)?;
        let high = match &arg.to {
            Some(tree) => Some(Box::new(self.expr(tree, None)?)),
            None => None,
        };
        Some(Expr { kind: ExprKind::Draw(Box::new(low), high), span, shape, sort })
    }
}

/// The domain of `learned` in a start: that of the state where it is the whole start, else any number.
pub(super) fn start_domain(tree: &ast::Expr, domain: &Domain) -> Domain {
    let alone = matches!(&tree.kind, ast::ExprKind::Ref(one) if one.segments.len() == 1);
    if alone { domain.clone() } else { Domain::REAL }
}

/// Whether an expression is known when the model is built.
fn is_fixed(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Real(_) | ExprKind::Int(_) | ExprKind::Test(_) | ExprKind::OneHot(..) => true,
        ExprKind::Map(_, all) | ExprKind::List(all) => all.iter().all(is_fixed),
        ExprKind::If(test, yes, no) => is_fixed(test) && is_fixed(yes) && is_fixed(no),
        ExprKind::For(_, body) | ExprKind::Fill(body, _) | ExprKind::Reduce { body, .. } => {
            is_fixed(body)
        }
        ExprKind::Read { .. }
        | ExprKind::Index(..)
        | ExprKind::Inside(..)
        | ExprKind::Cat(_)
        | ExprKind::Whole(..)
        | ExprKind::Squash(..)
        | ExprKind::Learned(_)
        | ExprKind::Draw(..)
        | ExprKind::Call(_) => false,
    }
}

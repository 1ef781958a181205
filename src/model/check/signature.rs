//! The signature of a definition: dims, numbers and switches, then arrays.

use crate::source::Span;
use crate::syntax::ast;

use super::super::int::{DimId, FlagId, Poly};
use super::super::typed::{Dim, DimKind, Flag, Owns, Param, ParamKind, PartId, Start, ValueKind};
use super::declare::{Cx, Named, emission};

impl Cx<'_, '_> {
    pub(super) fn signature(&mut self, tree: &ast::Def) {
        for generic in &tree.generics {
            self.generic(generic);
        }
        let whole = |slot: &ast::Slot| {
            let of = slot.of.as_ref().map(|of| of.name.text.as_str());
            slot.shape.is_empty() && matches!(of, Some("int" | "bool"))
        };
        for param in tree.params.iter().filter(|param| whole(&param.slot)) {
            self.number_param(param);
        }
        let slots = tree.params.iter().map(|param| &param.slot);
        let result = self.is_model.then_some(&tree.result);
        // A parameter that should be a whole number and is not is no dim besides.
        let params: Vec<&str> =
            tree.params.iter().map(|param| param.slot.name.text.as_str()).collect();
        for slot in slots.chain(result) {
            self.implicit_dims(&slot.shape, &params);
        }
        for param in tree.params.iter().filter(|param| !whole(&param.slot)) {
            self.param(param);
        }
        // Numbers were entered first; the signature keeps the written order.
        let place = |name: &str| tree.params.iter().position(|param| param.slot.name.text == name);
        self.def.params.sort_by_key(|param| place(&param.name));
    }

    fn generic(&mut self, generic: &ast::Generic) {
        let length = generic.list.as_ref().map(|list| match self.names[0].get(&list.text) {
            Some(Named::Dim(dim)) => *dim,
            Some(_) | None => self.add_dim(list, DimKind::Implicit, None),
        });
        let default = generic.default.as_ref().and_then(|value| match (&value.kind, length) {
            (ast::ExprKind::List(items), Some(_)) => {
                items.iter().map(|item| self.poly(&item.value)).collect::<Option<Vec<Poly>>>()
            }
            _ => self.poly(value).map(|poly| vec![poly]),
        });
        let kind = length.map_or(DimKind::Explicit, DimKind::List);
        self.add_dim(&generic.name, kind, default);
    }

    fn add_dim(&mut self, name: &ast::Name, kind: DimKind, default: Option<Vec<Poly>>) -> DimId {
        let id = DimId(self.def.dims.len() as u32);
        self.def.dims.push(Dim { name: name.text.clone(), span: name.span, kind, default });
        self.enter(name, Named::Dim(id));
        id
    }

    /// An `int` or `bool` parameter.
    fn number_param(&mut self, param: &ast::Param) {
        let slot = &param.slot;
        let is_int = slot.of.as_ref().is_some_and(|of| of.name.text == "int");
        let kind = if is_int {
            let default = slot.value.as_ref().and_then(|value| self.poly(value));
            let dim = self.add_dim(&slot.name, DimKind::Int, default.map(|one| vec![one]));
            self.facts.number(dim);
            ParamKind::Int(dim)
        } else {
            let default = slot.value.as_ref().and_then(|value| self.test(value));
            let id = FlagId(self.def.flags.len() as u32);
            self.def.flags.push(Flag { name: slot.name.text.clone(), default });
            self.enter(&slot.name, Named::Flag(id));
            ParamKind::Flag(id)
        };
        self.def.params.push(Param { name: slot.name.text.clone(), span: slot.span, kind });
    }

    /// Names in a shape that nothing declares are dims inferred from the arguments.
    fn implicit_dims(&mut self, shape: &[ast::Range], params: &[&str]) {
        let mut names = Vec::new();
        for range in shape {
            for end in std::iter::once(&range.start).chain(&range.end) {
                free_names(end, &mut names);
            }
        }
        for name in names {
            if !self.names[0].contains_key(&name.text) && !params.contains(&name.text.as_str()) {
                self.add_dim(&name, DimKind::Implicit, None);
            }
        }
    }

    fn param(&mut self, param: &ast::Param) {
        let slot = &param.slot;
        let kind = match param.role {
            ast::Role::Plain => ValueKind::Argument,
            ast::Role::Emit => emission(),
            ast::Role::Param => ValueKind::Param(Start::Default),
            ast::Role::State => ValueKind::State(Start::Default, None),
        };
        let Some(id) = self.declare(slot, PartId(0), kind) else { return };
        let kind = match param.role {
            ast::Role::Plain => ParamKind::Plain(id, None),
            ast::Role::Emit => {
                // A signature's emissions are the caller's to give; a call counts those left out.
                ParamKind::Emit(id)
            }
            ast::Role::Param => {
                self.own(|owns| owns.params = true);
                ParamKind::Param(id)
            }
            ast::Role::State => {
                self.own(|owns| owns.state = true);
                ParamKind::State(id)
            }
        };
        self.later.push((id, slot.clone()));
        self.def.params.push(Param { name: slot.name.text.clone(), span: slot.span, kind });
    }

    /// Where domains of the result are written, with their colons.
    pub(super) fn domains_of_result(&self, tree: &ast::Def) -> Vec<Span> {
        let emitted = match &tree.body {
            ast::Body::Block(all) => all.as_slice(),
            ast::Body::Expr(_) => &[],
        };
        let emitted = emitted.iter().flat_map(|one| {
            if let ast::Stmt::Emit(emit) = one { emit.slots.as_slice() } else { &[] }
        });
        let emitted = emitted.filter(|slot| slot.name.text == tree.result.name.text);
        let place = |slot: &ast::Slot| {
            let of = slot.of.as_ref()?.span;
            let before = self.text(Span { end: of.start, ..slot.span });
            let shape = before.trim_end().strip_suffix(':')?.trim_end().len() as u32;
            Some(Span { start: slot.span.start + shape, ..of })
        };
        std::iter::once(&tree.result).chain(emitted).filter_map(place).collect()
    }

    pub(super) fn own(&mut self, mark: impl FnOnce(&mut Owns)) {
        mark(&mut self.def.owns);
    }
}

/// Plain names in a dim expression.
fn free_names(tree: &ast::Expr, names: &mut Vec<ast::Name>) {
    match &tree.kind {
        ast::ExprKind::Ref(one) => {
            if let [segment] = &one.segments[..]
                && segment.brackets.is_none()
                && segment.args.is_none()
            {
                names.push(segment.name.clone());
            }
        }
        ast::ExprKind::Binary(_, left, right) => {
            free_names(left, names);
            free_names(right, names);
        }
        ast::ExprKind::Unary(_, inner) | ast::ExprKind::Paren(inner) => free_names(inner, names),
        ast::ExprKind::Number(..)
        | ast::ExprKind::Text(_)
        | ast::ExprKind::Pipe(..)
        | ast::ExprKind::If(..)
        | ast::ExprKind::For(..)
        | ast::ExprKind::Reduce(..)
        | ast::ExprKind::Prev(_)
        | ast::ExprKind::List(_) => {}
    }
}

//! Calls: built-in functions and definitions; dims are unified, arguments checked.

use std::sync::Arc;

use crate::diag::{Edit, nearest};
use crate::source::Span;
use crate::syntax::ast;

use super::super::errors;
use super::super::int::{Atom, Poly, Test};
use super::super::show;
use super::super::typed::{
    Call, Def, DefId, DimKind, Domain, Expr, ExprKind, Extent, ParamKind, Sort, ValueKind,
};
use super::arguments::{array_of, emitted_by};
use super::declare::Cx;
use super::repairs::nearest_inside;
use super::sizes::CallSizes;
use super::slots::{constant_of, holds};

/// A call whose dims are being found.
#[derive(Clone)]
pub(super) struct Binding {
    pub(super) def: Arc<Def>,
    pub(super) dims: Vec<Option<Vec<Poly>>>,
    flags: Vec<Option<Test>>,
    pub(super) args: Vec<Option<Arc<Expr>>>,
}

impl Cx<'_, '_> {
    /// A call of a built-in function or definition, perhaps with a value piped in, perhaps indexed.
    pub(super) fn call(
        &mut self,
        segment: &ast::Segment,
        piped: Option<Expr>,
        want: Option<&[Extent]>,
        span: Span,
    ) -> Option<Expr> {
        let instance = std::mem::take(&mut self.instance);
        let result = self.call_plain(segment, piped, want, span, instance)?;
        let Some(indices) = &segment.after else { return Some(result) };
        if indices.len() > result.shape.len() {
            let what = format!("the result of `{}`", segment.name.text);
            let one = errors::too_many_indices(span, &what, result.shape.len(), indices.len());
            let edits = self.shortened(indices, result.shape.len());
            self.sink().push(one.edits(edits));
            return None;
        }
        let told = format!("the axis of `{}(...)`", segment.name.text);
        let mut at = Vec::new();
        for (index, extent) in indices.iter().zip(&result.shape) {
            at.push(self.index(index, extent, &told)?);
        }
        let shape = result.shape[at.len()..].to_vec();
        let sort = result.sort.clone();
        Some(Expr { kind: ExprKind::Index(Box::new(result), at), span, shape, sort })
    }

    fn call_plain(
        &mut self,
        segment: &ast::Segment,
        piped: Option<Expr>,
        want: Option<&[Extent]>,
        span: Span,
        instance: bool,
    ) -> Option<Expr> {
        let name = &segment.name.text;
        if !self.global.modules[self.module].scope.contains_key(name)
            && let Some(result) = self.builtin(segment, &piped, span)
        {
            return result;
        }
        let id = self.called_definition(segment)?;
        let def = Arc::clone(&self.global.checked.defs[id.0 as usize]);
        let mut binding = Binding {
            dims: vec![None; def.dims.len()],
            flags: vec![None; def.flags.len()],
            args: vec![None; def.params.len()],
            def,
        };
        self.bind_brackets(&mut binding, segment)?;
        let starts = self.bind_args(&mut binding, segment, piped)?;
        if self.in_each_others_place(&binding, segment) {
            return None;
        }
        self.unify(&mut binding, want);
        self.defaults(&mut binding, segment, span)?;
        let (call, sizes) = self.finish_call(id, binding, starts, (segment, span), instance)?;
        let def = Arc::clone(&self.global.checked.defs[id.0 as usize]);
        let result = def.value(def.result);
        let (shape, sort) = (sizes.shape(&result.shape), sizes.sort(&result.sort));
        Some(Expr { kind: ExprKind::Call(Box::new(call)), span, shape, sort })
    }

    /// The shape of a call's result, where dims in brackets tell it without the arguments.
    pub(super) fn shape_of_call(&mut self, tree: &ast::Expr) -> Option<Vec<Extent>> {
        let begun = self.begun(tree)?;
        let def = self.global.checked.def(begun.def);
        begun.shape(&def.value(def.result).shape)
    }

    /// What brackets alone tell of a call: the definition of its last stage and the dims they give.
    pub(super) fn begun(&mut self, tree: &ast::Expr) -> Option<Begun> {
        let (ast::ExprKind::Ref(one) | ast::ExprKind::Pipe(_, one)) = &tree.kind else {
            return None;
        };
        let [segment] = &one.segments[..] else { return None };
        if segment.after.is_some()
            || !self.global.modules[self.module].scope.contains_key(&segment.name.text)
        {
            return None;
        }
        let module = self.module;
        let reported = self.sink().len();
        let id = self.global.lookup(module, &segment.name);
        self.sink().truncate(reported);
        let id = id?;
        let def = Arc::clone(&self.global.checked.defs[id.0 as usize]);
        let mut binding = Binding {
            dims: vec![None; def.dims.len()],
            flags: vec![None; def.flags.len()],
            args: vec![None; def.params.len()],
            def,
        };
        self.bind_brackets(&mut binding, segment)?;
        let open = binding.dims.iter().map(Option::is_none).collect();
        Some(Begun { def: id, sizes: sizes_of(&binding), open })
    }

    // ---- definitions ------------------------------------------------------------------------

    fn bind_brackets(&mut self, binding: &mut Binding, segment: &ast::Segment) -> Option<()> {
        let Some(brackets) = &segment.brackets else { return Some(()) };
        let explicit: Vec<usize> = (0..binding.def.dims.len())
            .filter(|at| matches!(binding.def.dims[*at].kind, DimKind::Explicit | DimKind::List(_)))
            .collect();
        if brackets.len() > explicit.len() {
            let (name, takes) = (&segment.name, explicit.len());
            let one = errors::too_many_dims(name.span, &name.text, takes, brackets.len());
            let edits = self.shortened(brackets, takes);
            self.sink().push(one.edits(edits));
            return None;
        }
        for (place, arg) in brackets.iter().enumerate() {
            let at = match &arg.name {
                None => explicit[place],
                Some(name) => {
                    let found = binding.def.dims.iter().position(|dim| dim.name == name.text);
                    let Some(at) = found else {
                        let def = &segment.name.text;
                        let known: Vec<&str> =
                            explicit.iter().map(|at| binding.def.dims[*at].name.as_str()).collect();
                        let near = nearest(&name.text, known.iter().copied());
                        let near = near.map(|near| (near, false));
                        let one =
                            errors::unknown_argument(name.span, def, &name.text, near, &known);
                        self.sink().push(one);
                        return None;
                    };
                    at
                }
            };
            let list = match (&arg.value.kind, binding.def.dims[at].kind) {
                (ast::ExprKind::List(items), DimKind::List(_)) => {
                    let mut all = Vec::new();
                    for item in items {
                        all.push(self.poly(&item.value)?);
                    }
                    all
                }
                _ => vec![self.poly(&arg.value)?],
            };
            if let DimKind::List(length) = binding.def.dims[at].kind {
                let length_of = match list[..] {
                    [ref one] => self.list_length(one),
                    _ => None,
                };
                let length_of = length_of.unwrap_or_else(|| Poly::number(list.len() as i64));
                binding.dims[length.0 as usize] = Some(vec![length_of]);
            }
            binding.dims[at] = Some(list);
        }
        Some(())
    }

    /// The length of a list of dims given by name.
    fn list_length(&self, list: &Poly) -> Option<Poly> {
        match self.def.dims[list.as_dim()?.0 as usize].kind {
            DimKind::List(length) => Some(Poly::dim(length)),
            DimKind::Explicit | DimKind::Implicit | DimKind::Int => None,
        }
    }

    /// Arguments by position and name; starts of states are checked later, when shapes are known.
    fn bind_args<'t>(
        &mut self,
        binding: &mut Binding,
        segment: &'t ast::Segment,
        piped: Option<Expr>,
    ) -> Option<Vec<(usize, &'t ast::Arg)>> {
        let def = Arc::clone(&binding.def);
        let mut plain = (0..def.params.len()).filter(|at| {
            matches!(
                def.params[*at].kind,
                ParamKind::Plain(..) | ParamKind::Int(_) | ParamKind::Flag(_)
            )
        });
        let mut given = vec![false; def.params.len()];
        if self.sizes_by_position(&def, segment) {
            return None;
        }
        if self.owned_by_position(
            &def,
            segment.args.as_deref().unwrap_or_default(),
            piped.is_some(),
        ) {
            return None;
        }
        if let Some(value) = piped {
            let Some(at) = plain.next() else {
                let one = errors::too_many_arguments(segment.name.span, &def.name, 0);
                self.sink().push(one);
                return None;
            };
            given[at] = true;
            binding.args[at] = Some(Arc::new(value));
        }
        let mut starts = Vec::new();
        let all = segment.args.as_deref().unwrap_or_default();
        for (place, arg) in all.iter().enumerate() {
            let at = match &arg.name {
                Some(name) => self.named_argument(&def, name)?,
                None => match plain.next() {
                    Some(at) => at,
                    None => {
                        let takes = def.params.len();
                        let one = errors::too_many_arguments(arg.span, &def.name, takes);
                        let edits = self.without(all, place);
                        self.sink().push(one.edits(edits));
                        return None;
                    }
                },
            };
            if std::mem::replace(&mut given[at], true) {
                let one = errors::argument_twice(arg.span, &def.name, &def.params[at].name);
                let edits = self.without(all, place);
                self.sink().push(one.edits(edits));
                return None;
            }
            match def.params[at].kind {
                ParamKind::Int(dim) => {
                    binding.dims[dim.0 as usize] = Some(vec![self.poly(&arg.value)?]);
                }
                ParamKind::Flag(flag) => {
                    binding.flags[flag.0 as usize] = Some(self.test(&arg.value)?);
                }
                ParamKind::State(_) => starts.push((at, arg)),
                ParamKind::Plain(..) | ParamKind::Emit(_) => {
                    binding.args[at] = Some(Arc::new(self.expr(&arg.value, None)?));
                }
                ParamKind::Param(_) => {
                    let value = self.expr(&arg.value, None)?;
                    if !self.is_param(&value) {
                        let name = &def.params[at].name;
                        let one = errors::param_argument(arg.span, name);
                        let edits = self.without(all, place);
                        self.sink().push(one.edits(edits));
                        return None;
                    }
                    binding.args[at] = Some(Arc::new(value));
                }
            }
        }
        Some(starts)
    }

    fn is_param(&self, value: &Expr) -> bool {
        let ExprKind::Read { value, inner, .. } = &value.kind else { return false };
        inner.is_empty() && matches!(self.def.value(*value).kind, ValueKind::Param(_))
    }

    fn named_argument(&mut self, def: &Def, name: &ast::Name) -> Option<usize> {
        if let Some(at) = def.params.iter().position(|param| param.name == name.text) {
            return Some(at);
        }
        let near = nearest(&name.text, def.params.iter().map(|param| param.name.as_str()));
        let emitted = |near: &str| {
            let is = |param: &&super::super::typed::Param| param.name == near;
            def.params.iter().find(is).is_some_and(|p| matches!(p.kind, ParamKind::Emit(_)))
        };
        let near = near.map(|near| (near, emitted(near)));
        let known: Vec<&str> = def.params.iter().map(|param| param.name.as_str()).collect();
        let one = errors::unknown_argument(name.span, &def.name, &name.text, near, &known);
        self.sink().push(one);
        None
    }

    /// Finds dims from the shapes of arguments, then from the shape the place asks for.
    pub(super) fn unify(&mut self, binding: &mut Binding, want: Option<&[Extent]>) {
        let def = Arc::clone(&binding.def);
        for (param, arg) in def.params.iter().zip(binding.args.clone()) {
            if let (Some(value), Some(arg)) = (array_of(&param.kind), arg) {
                match_shape(binding, &def.value(value).shape, &arg.shape);
            }
        }
        if let Some(want) = want {
            match_shape(binding, &def.value(def.result).shape, want);
        }
    }

    /// Defaults of whole numbers and truth values; every dim must be known then.
    fn defaults(
        &mut self,
        binding: &mut Binding,
        segment: &ast::Segment,
        span: Span,
    ) -> Option<()> {
        let def = Arc::clone(&binding.def);
        for (at, dim) in def.dims.iter().enumerate() {
            if binding.dims[at].is_some() {
                continue;
            }
            let so_far = sizes_of(binding);
            match &dim.default {
                Some(default) => {
                    binding.dims[at] = Some(default.iter().map(|one| one.map(&so_far)).collect());
                }
                None => {
                    // An array that was left out would have told the size: say that instead.
                    let missing = def.params.iter().zip(&binding.args).find(|(param, arg)| {
                        arg.is_none() && matches!(param.kind, ParamKind::Plain(_, None))
                    });
                    let one = match (missing, self.of_other_axes(binding, at)) {
                        (Some((param, _)), _) => {
                            self.missing(&def, param, segment, (&binding.args, span))
                        }
                        (None, Some(one)) => one,
                        (None, None) => {
                            let edits = self.likely_size(binding, segment);
                            errors::size_not_inferred(span, &def.name, &dim.name).edits(edits)
                        }
                    };
                    self.sink().push(one);
                    return None;
                }
            }
        }
        let so_far = sizes_of(binding);
        for (at, flag) in def.flags.iter().enumerate() {
            if binding.flags[at].is_none() {
                let default = flag.default.clone().map(|test| test.map(&so_far));
                if default.is_none() {
                    let one = errors::missing_argument(span, &def.name, &flag.name, None);
                    self.sink().push(one);
                    return None;
                }
                binding.flags[at] = default;
            }
        }
        Some(())
    }

    /// Checks shapes, sorts and domains of all arguments and names the instance.
    fn finish_call(
        &mut self,
        id: DefId,
        binding: Binding,
        starts: Vec<(usize, &ast::Arg)>,
        (segment, span): (&ast::Segment, Span),
        instance: bool,
    ) -> Option<(Call, CallSizes)> {
        let def = Arc::clone(&binding.def);
        let sizes = sizes_of(&binding);
        let mut args = binding.args;
        for (at, arg) in starts {
            let Some(value) = array_of(&def.params[at].kind) else { continue };
            let shape = sizes.shape(&def.value(value).shape);
            let domain = super::start::start_domain(&arg.value, &def.value(value).domain);
            let outer = self.start.replace((domain, shape.clone()));
            let start = self.expr(&arg.value, Some(&shape));
            self.start = outer;
            args[at] = Some(Arc::new(self.filled(start?, &shape, &def.params[at].name)?));
        }
        let mut owns = def.owns;
        for (at, (param, arg)) in def.params.iter().zip(&args).enumerate() {
            let Some(value) = array_of(&param.kind) else { continue };
            let value = def.value(value);
            match (arg, &param.kind) {
                (None, ParamKind::Plain(_, None)) => {
                    let one = self.missing(&def, param, segment, (&args, span));
                    self.sink().push(one);
                    return None;
                }
                (None, ParamKind::Emit(_)) => owns.emits = true,
                (None, ParamKind::Param(_)) => owns.params = true,
                (None, _) => {}
                (Some(arg), _) => {
                    let wanted = sizes.shape(&value.shape);
                    if arg.shape != wanted {
                        let one = self.argument_differs(&def, &args, (at, arg), &wanted);
                        self.sink().push(one);
                        return None;
                    }
                    self.fits(arg, &sizes.sort(&value.sort), &value.domain, param)?;
                }
            }
        }
        let call = Call {
            def: id,
            dims: sizes.dims.clone(),
            flags: sizes.flags.clone(),
            args,
            name: String::new(),
            span,
            part: self.part,
        };
        self.place_call(call, &def, owns, instance).map(|call| (call, sizes))
    }

    fn fits(
        &mut self,
        arg: &Expr,
        sort: &Sort,
        domain: &Domain,
        param: &super::super::typed::Param,
    ) -> Option<()> {
        self.suits(arg, sort)?;
        if let Some(value) = constant_of(arg)
            && !holds(domain, value)
        {
            let told = show::lies_in(domain);
            let inside = nearest_inside(domain, value, false);
            let place = param.span;
            let one = errors::outside_domain(arg.span, &param.name, &told, value, place, inside);
            self.sink().push(one);
            return None;
        }
        Some(())
    }

    /// Whether the call may stand here, and what it is called in paths.
    fn place_call(
        &mut self,
        mut call: Call,
        def: &Def,
        owns: super::super::typed::Owns,
        instance: bool,
    ) -> Option<Call> {
        let span = call.span;
        let families = self.def.families(self.part);
        let index = self.scope.iter().rev().find(|(_, var)| !families.contains(var));
        if let Some((index, var)) = index.cloned() {
            let dim = show::extent(&self.def, &self.def.var(var).extent);
            if owns.state {
                let edits = self.family_of(span, &index, &dim);
                let one = errors::state_under_index(span, &def.name, &index, &dim);
                self.sink().push(one.edits(edits));
                return None;
            }
            if owns.emits {
                let edits = self.family_of(span, &index, &dim);
                let emitted = emitted_by(def, &call.args);
                let one = errors::shared_emission(span, (&def.name, &emitted), &index, &dim);
                self.sink().push(one.edits(edits));
                return None;
            }
        }
        let own = owns.state || owns.params || owns.emits;
        if own && self.start.is_some() {
            self.sink().push(errors::only_at_a_step(span, &def.name, def.span));
            return None;
        }
        let mut passed = owns;
        if owns.emits {
            if self.has_controller(self.part) {
                passed.emits = false;
                passed.params = true;
            } else if self.is_model {
                let edits = self.plain_controller();
                let emitted = emitted_by(def, &call.args);
                let one = errors::no_controller(span, &def.name, &emitted);
                self.sink().push(one.edits(edits));
                return None;
            }
        }
        self.own(|mine| {
            mine.state |= passed.state;
            mine.params |= passed.params;
            mine.emits |= passed.emits;
        });
        let key = (self.part, self.equation.clone(), def.name.clone());
        let count = self.called.entry(key.clone()).or_default();
        *count += 1;
        let count = *count;
        if count == 1 {
            self.firsts.insert(key.clone(), span);
        }
        if count > 1 && own {
            let name = self.fresh_name(&def.name);
            let first = self.firsts.get(&key).copied().unwrap_or(span);
            // Of two stages of one pipe the first lies inside the second and can go before it.
            let inside = first != span && span.start <= first.start && first.end <= span.end;
            let moved = if inside { first } else { span };
            let mut edits = self.statement_before(&format!("part {name} = {}", self.text(moved)));
            edits.push(Edit::new(moved, name));
            let one = errors::two_owning_calls(span, &def.name, first);
            self.sink().push(one.edits(edits));
            return None;
        }
        let often = self.calls.get(&(self.part, def.name.clone())).copied().unwrap_or(0) > 1;
        call.name = match (instance, often) {
            (true, _) => String::new(),
            (false, true) if !self.equation.is_empty() => {
                format!("{}.{}", self.equation, def.name)
            }
            (false, _) => def.name.clone(),
        };
        if count > 1 {
            call.name = format!("{}_{count}", call.name);
        }
        let part = self.part;
        self.differing(part, &|family| call.dims.iter().flatten().any(|dim| dim.mentions(family)));
        Some(call)
    }
}

/// A call of which only the dims in brackets are known.
pub(super) struct Begun {
    /// What is called.
    pub(super) def: DefId,
    /// Its dims; those that are open are 0.
    pub(super) sizes: CallSizes,
    open: Vec<bool>,
}

impl Begun {
    /// A shape of the definition in the caller's terms, if the known dims tell it.
    pub(super) fn shape(&self, shape: &[Extent]) -> Option<Vec<Extent>> {
        let unknown = |atom: &Atom| match atom {
            Atom::Dim(dim) | Atom::Item(dim, _) => self.open[dim.0 as usize],
            Atom::Var(_) | Atom::Mod(..) | Atom::If(..) | Atom::Sum(..) => false,
        };
        let open = shape.iter().any(|axis| axis.size.any(&unknown) || axis.low.any(&unknown));
        (!open).then(|| self.sizes.shape(shape))
    }
}

/// What is known of a call's dims; unknown ones are 0 for now.
pub(super) fn sizes_of(binding: &Binding) -> CallSizes {
    let dims = binding.dims.iter().map(|dim| dim.clone().unwrap_or_default()).collect();
    let flags = binding.flags.iter().map(|flag| flag.clone().unwrap_or(Test::Known(false)));
    CallSizes { dims, flags: flags.collect() }
}

/// Binds dims that stand alone in a declared shape.
fn match_shape(binding: &mut Binding, declared: &[Extent], given: &[Extent]) {
    if declared.len() != given.len() {
        return;
    }
    for (declared, given) in declared.iter().zip(given) {
        if let Some(dim) = declared.size.as_dim() {
            let slot = &mut binding.dims[dim.0 as usize];
            if slot.is_none() {
                *slot = Some(vec![given.size.clone()]);
            }
        }
    }
}

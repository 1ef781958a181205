//! Calls: built-in functions and definitions; dims are unified, arguments checked.

use std::rc::Rc;

use crate::diag::nearest;
use crate::op::Scalar;
use crate::source::Span;
use crate::syntax::ast;

use super::super::errors;
use super::super::int::{Atom, DimId, FlagId, Poly, Substitution, Test, VarId};
use super::super::show;
use super::super::typed::{
    Call, Def, DefId, DimKind, Domain, Expr, ExprKind, Extent, ParamKind, Sort, ValueId, Whole,
};
use super::declare::Cx;
use super::slots::{constant_of, domain_named, holds};

/// A definition's dims and flags in the caller's terms.
#[derive(Clone)]
pub(super) struct CallSizes {
    dims: Vec<Vec<Poly>>,
    flags: Vec<Test>,
}

impl Substitution for CallSizes {
    fn dim(&self, dim: DimId) -> Poly {
        self.dims[dim.0 as usize].first().cloned().unwrap_or_default()
    }

    fn var(&self, var: VarId) -> Poly {
        Poly::var(var)
    }

    fn flag(&self, flag: FlagId) -> Test {
        self.flags[flag.0 as usize].clone()
    }

    fn item(&self, list: DimId, at: Poly) -> Poly {
        let list = &self.dims[list.0 as usize];
        match (&list[..], at.as_number()) {
            ([one], _) if one.as_dim().is_some() => {
                Poly::atom(Atom::Item(one.as_dim().unwrap_or(DimId(0)), Box::new(at)))
            }
            (all, Some(at)) => all.get(at as usize).cloned().unwrap_or_default(),
            (all, None) => {
                let last = all.last().cloned().unwrap_or_default();
                all.iter().enumerate().rev().skip(1).fold(last, |rest, (place, item)| {
                    let test = Test::equal(at.clone(), Poly::number(place as i64));
                    Poly::choose(test, item.clone(), rest)
                })
            }
        }
    }

    fn sum(&self, var: VarId, count: Poly, body: &Poly) -> Poly {
        let at = |place: i64| Bound { sizes: self, var, place };
        match count.as_number() {
            Some(count) => {
                (0..count).fold(Poly::default(), |sum, place| sum.plus(&body.map(&at(place))))
            }
            None => Poly::atom(Atom::Sum(var, Box::new(count), Box::new(body.map(self)))),
        }
    }
}

/// The same with one variable bound to a number.
struct Bound<'a> {
    sizes: &'a CallSizes,
    var: VarId,
    place: i64,
}

impl Substitution for Bound<'_> {
    fn dim(&self, dim: DimId) -> Poly {
        self.sizes.dim(dim)
    }

    fn var(&self, var: VarId) -> Poly {
        if var == self.var { Poly::number(self.place) } else { Poly::var(var) }
    }

    fn flag(&self, flag: FlagId) -> Test {
        self.sizes.flag(flag)
    }

    fn item(&self, list: DimId, at: Poly) -> Poly {
        self.sizes.item(list, at)
    }

    fn sum(&self, var: VarId, count: Poly, body: &Poly) -> Poly {
        self.sizes.sum(var, count, body)
    }
}

impl CallSizes {
    /// Of a finished call.
    pub(super) fn of(call: &Call) -> CallSizes {
        CallSizes { dims: call.dims.clone(), flags: call.flags.clone() }
    }

    /// Of a call made inside, in the outer caller's terms.
    pub(super) fn then(&self, inner: &Call) -> CallSizes {
        let dims = inner.dims.iter().map(|list| list.iter().map(|one| one.map(self)).collect());
        let flags = inner.flags.iter().map(|test| test.map(self));
        CallSizes { dims: dims.collect(), flags: flags.collect() }
    }

    /// An axis.
    pub(super) fn extent(&self, extent: &Extent) -> Extent {
        Extent { low: extent.low.map(self), size: extent.size.map(self) }
    }

    /// A shape.
    pub(super) fn shape(&self, shape: &[Extent]) -> Vec<Extent> {
        shape.iter().map(|extent| self.extent(extent)).collect()
    }

    /// A sort.
    pub(super) fn sort(&self, sort: &Sort) -> Sort {
        match sort {
            Sort::Index { below, permutation } => {
                Sort::Index { below: below.map(self), permutation: *permutation }
            }
            Sort::Real | Sort::Int | Sort::Bool => sort.clone(),
        }
    }
}

/// A call whose dims are being found.
struct Binding {
    def: Rc<Def>,
    dims: Vec<Option<Vec<Poly>>>,
    flags: Vec<Option<Test>>,
    args: Vec<Option<Expr>>,
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
            self.sink().push(one);
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
        let module = self.module;
        let id = self.global.lookup(module, &segment.name)?;
        let def = Rc::clone(&self.global.checked.defs[id.0 as usize]);
        let mut binding = Binding {
            dims: vec![None; def.dims.len()],
            flags: vec![None; def.flags.len()],
            args: vec![None; def.params.len()],
            def,
        };
        self.bind_brackets(&mut binding, segment)?;
        let starts = self.bind_args(&mut binding, segment, piped)?;
        self.unify(&mut binding, want);
        self.defaults(&mut binding, span)?;
        let (call, sizes) = self.finish_call(id, binding, starts, span, instance)?;
        let def = Rc::clone(&self.global.checked.defs[id.0 as usize]);
        let result = def.value(def.result);
        let (shape, sort) = (sizes.shape(&result.shape), sizes.sort(&result.sort));
        Some(Expr { kind: ExprKind::Call(Box::new(call)), span, shape, sort })
    }

    /// The shape of a call's result, where dims in brackets tell it without the arguments.
    pub(super) fn shape_of_call(&mut self, tree: &ast::Expr) -> Option<Vec<Extent>> {
        let one = match &tree.kind {
            ast::ExprKind::Ref(one) | ast::ExprKind::Pipe(_, one) => one,
            _ => return None,
        };
        let [segment] = &one.segments[..] else { return None };
        if segment.after.is_some()
            || !self.global.modules[self.module].scope.contains_key(&segment.name.text)
        {
            return None;
        }
        let module = self.module;
        let reported = self.sink().clone();
        let id = self.global.lookup(module, &segment.name);
        *self.sink() = reported;
        let def = Rc::clone(&self.global.checked.defs[id?.0 as usize]);
        let mut binding = Binding {
            dims: vec![None; def.dims.len()],
            flags: vec![None; def.flags.len()],
            args: vec![None; def.params.len()],
            def,
        };
        self.bind_brackets(&mut binding, segment)?;
        let unknown = |atom: &Atom| match atom {
            Atom::Dim(dim) | Atom::Item(dim, _) => binding.dims[dim.0 as usize].is_none(),
            Atom::Var(_) | Atom::Mod(..) | Atom::If(..) | Atom::Sum(..) => false,
        };
        let shape = &binding.def.value(binding.def.result).shape;
        let open = shape.iter().any(|axis| axis.size.any(&unknown) || axis.low.any(&unknown));
        (!open).then(|| sizes_of(&binding).shape(shape))
    }

    // ---- built-in functions -----------------------------------------------------------------

    fn builtin(
        &mut self,
        segment: &ast::Segment,
        piped: &Option<Expr>,
        span: Span,
    ) -> Option<Option<Expr>> {
        let name = segment.name.text.as_str();
        let args = segment.args.as_deref().unwrap_or_default();
        if let Some(function) = Scalar::named(name).filter(|one| one.row().public) {
            return Some(self.scalar_call(function, args, piped, span));
        }
        if let Some(domain) = domain_named(name)
            && name != "weighting"
        {
            return Some(self.arguments(name, args, piped, 1, span).map(|mut args| {
                let arg = args.remove(0);
                let (shape, sort) = (arg.shape.clone(), Sort::Real);
                Expr { kind: ExprKind::Squash(domain, Box::new(arg)), span, shape, sort }
            }));
        }
        match name {
            "softmax" | "norm" | "argsort" | "rank" | "top" => {
                Some(self.whole_call(segment, args, piped, span))
            }
            "cat" => Some(self.cat(args, piped, span)),
            "zeros" => Some(self.zeros(segment, span)),
            "one_hot" | "normal" | "uniform" => Some(self.start_call(name, args, span)),
            _ => None,
        }
    }

    /// Exactly `count` plain arguments.
    fn arguments(
        &mut self,
        name: &str,
        args: &[ast::Arg],
        piped: &Option<Expr>,
        count: usize,
        span: Span,
    ) -> Option<Vec<Expr>> {
        let mut all: Vec<Expr> = piped.iter().cloned().collect();
        for arg in args {
            if let Some(word) = &arg.name {
                let one = errors::unknown_argument(word.span, name, &word.text, None);
                self.sink().push(one);
                return None;
            }
            all.push(self.expr(&arg.value, None)?);
        }
        if all.len() > count {
            self.sink().push(errors::by_name_only(args[args.len() - 1].span, name));
            return None;
        }
        if all.len() < count {
            let slot = if count == 1 { "one argument" } else { "more arguments" };
            self.sink().push(errors::missing_argument(span, name, slot, None));
            return None;
        }
        Some(all)
    }

    fn scalar_call(
        &mut self,
        function: Scalar,
        args: &[ast::Arg],
        piped: &Option<Expr>,
        span: Span,
    ) -> Option<Expr> {
        let row = function.row();
        let args = self.arguments(row.name, args, piped, row.takes.len(), span)?;
        self.map(function, args, span)
    }

    fn whole_call(
        &mut self,
        segment: &ast::Segment,
        args: &[ast::Arg],
        piped: &Option<Expr>,
        span: Span,
    ) -> Option<Expr> {
        let name = segment.name.text.as_str();
        let arg = self.arguments(name, args, piped, 1, span)?.remove(0);
        if arg.shape.is_empty() {
            self.sink().push(errors::needs_array(arg.span, name));
            return None;
        }
        let one_axis = !matches!(name, "softmax" | "norm");
        if one_axis && arg.shape.len() != 1 {
            self.sink().push(errors::whole_needs_axes(arg.span, name, arg.shape.len()));
            return None;
        }
        let axis = arg.shape[0].clone();
        let order = Sort::Index { below: axis.size.clone(), permutation: true };
        let plain = Extent::of(axis.size.clone());
        let (whole, shape, sort) = match name {
            "softmax" => (Whole::Softmax, arg.shape.clone(), Sort::Real),
            "norm" => (Whole::Norm, Vec::new(), Sort::Real),
            "argsort" => (Whole::Argsort, vec![plain], order),
            "rank" => (Whole::Rank, vec![axis], order),
            _ => {
                let dims = segment.brackets.as_deref().unwrap_or_default();
                let [count] = dims else {
                    self.sink().push(errors::size_not_inferred(span, "top", "K"));
                    return None;
                };
                let count = self.poly(&count.value)?;
                let gap = axis.size.minus(&count);
                if !self.facts.at_least_zero(&gap) {
                    let text = self.def.show(&count);
                    let one = errors::outside(
                        segment.name.span,
                        &format!("top[{text}]"),
                        false,
                        &show::extent(&self.def, &axis),
                    );
                    let help = format!("add `require {text} <= {}`", self.def.show(&axis.size));
                    self.sink().push(one.help(help));
                    return None;
                }
                let sort = Sort::Index { below: axis.size, permutation: false };
                (Whole::Top(count.clone()), vec![Extent::of(count)], sort)
            }
        };
        Some(Expr { kind: ExprKind::Whole(whole, Box::new(arg)), span, shape, sort })
    }

    fn cat(&mut self, args: &[ast::Arg], piped: &Option<Expr>, span: Span) -> Option<Expr> {
        let mut all: Vec<Expr> = piped.iter().cloned().collect();
        for arg in args {
            let plain = matches!(arg.value.kind, ast::ExprKind::Ref(_) | ast::ExprKind::Prev(_));
            let outer = std::mem::replace(&mut self.joining, plain);
            let one = self.expr(&arg.value, None);
            self.joining = outer;
            all.push(one?);
        }
        let mut size = Poly::default();
        for one in &all {
            size = size.plus(&points(one));
        }
        let shape = vec![Extent::of(size)];
        Some(Expr { kind: ExprKind::Cat(all), span, shape, sort: Sort::Real })
    }

    fn zeros(&mut self, segment: &ast::Segment, span: Span) -> Option<Expr> {
        let mut shape = Vec::new();
        for dim in segment.brackets.as_deref().unwrap_or_default() {
            shape.push(Extent::of(self.poly(&dim.value)?));
        }
        let zero = Box::new(super::declare::number(0.0, span));
        Some(Expr { kind: ExprKind::Fill(zero, shape.clone()), span, shape, sort: Sort::Real })
    }

    // ---- definitions ------------------------------------------------------------------------

    fn bind_brackets(&mut self, binding: &mut Binding, segment: &ast::Segment) -> Option<()> {
        let Some(brackets) = &segment.brackets else { return Some(()) };
        let explicit: Vec<usize> = (0..binding.def.dims.len())
            .filter(|at| matches!(binding.def.dims[*at].kind, DimKind::Explicit | DimKind::List(_)))
            .collect();
        if brackets.len() > explicit.len() {
            let what = format!("`{}`", segment.name.text);
            let one =
                errors::too_many_indices(segment.name.span, &what, explicit.len(), brackets.len());
            self.sink().push(one);
            return None;
        }
        for (place, arg) in brackets.iter().enumerate() {
            let at = match &arg.name {
                None => explicit[place],
                Some(name) => {
                    let found = binding.def.dims.iter().position(|dim| dim.name == name.text);
                    let Some(at) = found else {
                        let def = &segment.name.text;
                        self.sink()
                            .push(errors::unknown_argument(name.span, def, &name.text, None));
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
        let def = Rc::clone(&binding.def);
        let mut plain = (0..def.params.len()).filter(|at| {
            matches!(
                def.params[*at].kind,
                ParamKind::Plain(..) | ParamKind::Int(_) | ParamKind::Flag(_)
            )
        });
        let mut given = vec![false; def.params.len()];
        if let Some(value) = piped {
            let Some(at) = plain.next() else {
                self.sink().push(errors::by_name_only(segment.name.span, &def.name));
                return None;
            };
            given[at] = true;
            binding.args[at] = Some(value);
        }
        let mut starts = Vec::new();
        for arg in segment.args.as_deref().unwrap_or_default() {
            let at = match &arg.name {
                Some(name) => self.named_argument(&def, name)?,
                None => match plain.next() {
                    Some(at) => at,
                    None => {
                        self.sink().push(errors::by_name_only(arg.span, &def.name));
                        return None;
                    }
                },
            };
            if std::mem::replace(&mut given[at], true) {
                let one = errors::argument_twice(arg.span, &def.name, &def.params[at].name);
                self.sink().push(one);
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
                    binding.args[at] = Some(self.expr(&arg.value, None)?);
                }
                ParamKind::Param(_) => {
                    let value = self.expr(&arg.value, None)?;
                    if !self.is_param(&value) {
                        let name = &def.params[at].name;
                        self.sink().push(errors::param_argument(arg.span, name));
                        return None;
                    }
                    binding.args[at] = Some(value);
                }
            }
        }
        Some(starts)
    }

    fn is_param(&self, value: &Expr) -> bool {
        match &value.kind {
            ExprKind::Read { value, inner, .. } => {
                inner.is_empty()
                    && matches!(
                        self.def.value(*value).kind,
                        super::super::typed::ValueKind::Param(_)
                    )
            }
            _ => false,
        }
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
        let one = errors::unknown_argument(name.span, &def.name, &name.text, near);
        self.sink().push(one);
        None
    }

    /// Finds dims from the shapes of arguments, then from the shape the place asks for.
    fn unify(&mut self, binding: &mut Binding, want: Option<&[Extent]>) {
        let def = Rc::clone(&binding.def);
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
    fn defaults(&mut self, binding: &mut Binding, span: Span) -> Option<()> {
        let def = Rc::clone(&binding.def);
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
                    let one = match missing {
                        Some((param, _)) => self.missing(&def, param, span),
                        None => errors::size_not_inferred(span, &def.name, &dim.name),
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

    fn missing(
        &self,
        def: &Def,
        param: &super::super::typed::Param,
        span: Span,
    ) -> crate::diag::Diagnostic {
        let slot = match array_of(&param.kind) {
            Some(value) => {
                let shape = &def.value(value).shape;
                let axes = if shape.is_empty() { String::new() } else { show::shape(def, shape) };
                format!("{}{axes}", param.name)
            }
            None => param.name.clone(),
        };
        // `interpolate(w, last)`: in a head with a state the usual argument is its last value.
        let usual = match array_of(&param.kind) {
            Some(value) if def.value(value).shape.len() == 1 => Some("prev w"),
            Some(_) | None => None,
        };
        errors::missing_argument(span, &def.name, &slot, usual)
    }

    /// Checks shapes, sorts and domains of all arguments and names the instance.
    fn finish_call(
        &mut self,
        id: DefId,
        binding: Binding,
        starts: Vec<(usize, &ast::Arg)>,
        span: Span,
        instance: bool,
    ) -> Option<(Call, CallSizes)> {
        let def = Rc::clone(&binding.def);
        let sizes = sizes_of(&binding);
        let mut args = binding.args;
        for (at, arg) in starts {
            let Some(value) = array_of(&def.params[at].kind) else { continue };
            let shape = sizes.shape(&def.value(value).shape);
            let domain = super::start::start_domain(&arg.value, &def.value(value).domain);
            let outer = self.start.replace((domain, shape.clone()));
            let start = self.expr(&arg.value, Some(&shape));
            self.start = outer;
            args[at] = Some(self.filled(start?, &shape, &def.params[at].name)?);
        }
        let mut owns = def.owns;
        for (param, arg) in def.params.iter().zip(&args) {
            let Some(value) = array_of(&param.kind) else { continue };
            let value = def.value(value);
            match (arg, &param.kind) {
                (None, ParamKind::Plain(_, None)) => {
                    let one = self.missing(&def, param, span);
                    self.sink().push(one);
                    return None;
                }
                (None, ParamKind::Emit(_)) => owns.emits = true,
                (None, ParamKind::Param(_)) => owns.params = true,
                (None, _) => {}
                (Some(arg), _) => {
                    let wanted = sizes.shape(&value.shape);
                    self.fits(arg, &wanted, &sizes.sort(&value.sort), &value.domain, param)?;
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
        wanted: &[Extent],
        sort: &Sort,
        domain: &Domain,
        param: &super::super::typed::Param,
    ) -> Option<()> {
        if arg.shape != wanted {
            let mut sorted: Vec<String> =
                arg.shape.iter().map(|one| show::extent(&self.def, one)).collect();
            let mut other: Vec<String> =
                wanted.iter().map(|one| show::extent(&self.def, one)).collect();
            sorted.sort();
            other.sort();
            let swapped = sorted == other;
            let (wanted, found) = (self.shown(wanted), self.shown(&arg.shape));
            let one = errors::argument_shape(arg.span, &param.name, &wanted, &found, swapped);
            self.sink().push(one);
            return None;
        }
        let right = match (sort, &arg.sort) {
            (Sort::Bool, given) => *given == Sort::Bool,
            (Sort::Index { below, .. }, Sort::Index { below: given, .. }) => {
                self.facts.at_least_zero(&below.minus(given))
            }
            (Sort::Index { .. }, _) => false,
            (Sort::Real | Sort::Int, given) => *given != Sort::Bool,
        };
        if !right {
            let wanted = match sort {
                Sort::Bool => "a condition",
                Sort::Index { .. } => "indices below its limit",
                Sort::Real | Sort::Int => "a number",
            };
            self.sink().push(errors::wrong_sort(arg.span, wanted, "something else"));
            return None;
        }
        if let Some(value) = constant_of(arg)
            && !holds(domain, value)
        {
            let told = show::domain(domain);
            let one = errors::outside_domain(arg.span, &param.name, &told, value, param.span);
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
        if let Some((index, _)) = index.cloned() {
            if owns.state {
                self.sink().push(errors::state_under_index(span, &def.name, &index));
                return None;
            }
            if owns.emits {
                self.sink().push(errors::shared_emission(span, &def.name, &index));
                return None;
            }
        }
        let own = owns.state || owns.params || owns.emits;
        if own && self.start.is_some() {
            self.sink().push(errors::only_at_a_step(span, &def.name));
            return None;
        }
        let mut passed = owns;
        if owns.emits {
            if self.has_controller(self.part) {
                passed.emits = false;
                passed.params = true;
            } else if self.is_model {
                self.sink().push(errors::no_controller(span, &def.name));
                return None;
            }
        }
        self.own(|mine| {
            mine.state |= passed.state;
            mine.params |= passed.params;
            mine.emits |= passed.emits;
        });
        let key = (self.part, self.equation.clone(), def.name.clone());
        let count = self.called.entry(key).or_default();
        *count += 1;
        let count = *count;
        if count > 1 && own {
            self.sink().push(errors::two_owning_calls(span, &def.name));
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
        Some(call)
    }
}

/// The number of entries; members that differ in shape are counted one by one.
fn points(expr: &Expr) -> Poly {
    let count = |shape: &[Extent]| {
        shape.iter().fold(Poly::number(1), |product, axis| product.times(&axis.size))
    };
    match (&expr.kind, &expr.shape[..]) {
        (ExprKind::For(vars, _), [first, rest @ ..])
            if rest.iter().any(|axis| axis.size.mentions(vars[0])) =>
        {
            count(rest).summed(vars[0], first.size.clone())
        }
        (_, shape) => count(shape),
    }
}

/// The array a signature entry stands for.
fn array_of(kind: &ParamKind) -> Option<ValueId> {
    match kind {
        ParamKind::Plain(value, _)
        | ParamKind::Emit(value)
        | ParamKind::Param(value)
        | ParamKind::State(value) => Some(*value),
        ParamKind::Int(_) | ParamKind::Flag(_) => None,
    }
}

/// What is known of a call's dims; unknown ones are 0 for now.
fn sizes_of(binding: &Binding) -> CallSizes {
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

//! What a definition names: its signature, then every statement of its body and parts.

use std::collections::BTreeMap;

use crate::diag::{Diagnostics, nearest};
use crate::source::Span;
use crate::syntax::ast;

use super::super::errors;
use super::super::int::{Atom, DimId, Facts, FlagId, Test, VarId};
use super::super::typed::{
    Def, Domain, Emission, Equation, Expr, ExprKind, Extent, Left, Owns, Part, PartId, Sort, Start,
    Value, ValueId, ValueKind, VarInfo,
};
use super::Global;
use super::repairs::usual_start;
use super::states::{declares, defines};

/// What a name of a block stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Value(ValueId),
    Part(PartId),
    Dim(DimId),
    Flag(FlagId),
}

/// What is still to be checked of a value.
#[derive(Clone)]
pub(super) enum Pending {
    /// An equation in a part.
    Equation(ast::Equation, PartId),
    /// `controller`, or `part name = call`: the value of the call.
    Call(ast::Expr, PartId),
}

/// How far the equation of a value has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Waiting,
    Running,
    Done,
}

/// One definition under check.
pub(super) struct Cx<'g, 'a> {
    pub(super) global: &'g mut Global<'a>,
    pub(super) module: usize,
    pub(super) is_model: bool,
    pub(super) def: Def,
    /// Names of each part.
    pub(super) names: Vec<BTreeMap<String, Named>>,
    pub(super) pending: BTreeMap<ValueId, Pending>,
    pub(super) progress: BTreeMap<ValueId, Progress>,
    /// Computed values whose shape was written down.
    pub(super) declared: Vec<ValueId>,
    /// Values whose equations are being checked, outermost first.
    pub(super) stack: Vec<ValueId>,
    /// Values that need each other's shapes, found while checking; empty where all is well.
    pub(super) circle: Vec<ValueId>,
    /// Circles of shapes that nothing could open.
    pub(super) circles: Vec<Vec<ValueId>>,
    /// Values with an error: reads of them say nothing more.
    pub(super) broken: Vec<ValueId>,
    /// Slots whose starts and sources are checked after the equations.
    pub(super) later: Vec<(ValueId, ast::Slot)>,
    pub(super) emits: Vec<(Vec<ValueId>, ast::Emit, PartId)>,
    pub(super) throughs: Vec<(PartId, ast::Ref)>,
    /// Where the statement that declares each state stands.
    pub(super) statements: BTreeMap<ValueId, Span>,
    equations: Vec<(ast::Equation, PartId)>,
    requires: Vec<(ast::Require, PartId)>,
    ties: Vec<(ast::Expr, PartId)>,
    /// Index variables in scope, innermost last.
    pub(super) scope: Vec<(String, VarId)>,
    pub(super) facts: Facts,
    /// Where an index variable got its range, for messages.
    pub(super) seen: BTreeMap<VarId, (Span, String)>,
    /// The part whose block is being checked.
    pub(super) part: PartId,
    /// Whether a start is being checked, with the domain and shape of what starts.
    pub(super) start: Option<(Domain, Vec<Extent>)>,
    /// The name of the equation being checked.
    pub(super) equation: String,
    /// How often each block calls each definition.
    pub(super) calls: BTreeMap<(PartId, String), usize>,
    /// The first call of each definition in each equation, for messages.
    pub(super) firsts: BTreeMap<(PartId, String, String), Span>,
    /// Calls made by each equation.
    pub(super) called: BTreeMap<(PartId, String, String), usize>,
    /// Whether an argument of `cat` is checked: members that differ in shape may be joined.
    pub(super) joining: bool,
    /// Whether the next call is the whole of `part name = call`.
    pub(super) instance: bool,
}

impl<'g, 'a> Cx<'g, 'a> {
    /// Checks a definition; `None` when it has errors.
    pub(super) fn check(
        global: &'g mut Global<'a>,
        module: usize,
        tree: &ast::Def,
        is_model: bool,
    ) -> Option<Def> {
        let before = std::mem::take(global.sink);
        let mut cx = Cx {
            global,
            module,
            is_model,
            def: empty(tree),
            names: vec![BTreeMap::new()],
            pending: BTreeMap::new(),
            progress: BTreeMap::new(),
            declared: Vec::new(),
            stack: Vec::new(),
            circle: Vec::new(),
            circles: Vec::new(),
            broken: Vec::new(),
            later: Vec::new(),
            emits: Vec::new(),
            throughs: Vec::new(),
            statements: BTreeMap::new(),
            equations: Vec::new(),
            requires: Vec::new(),
            ties: Vec::new(),
            scope: Vec::new(),
            facts: Facts::default(),
            seen: BTreeMap::new(),
            part: PartId(0),
            start: None,
            equation: String::new(),
            calls: BTreeMap::new(),
            firsts: BTreeMap::new(),
            called: BTreeMap::new(),
            joining: false,
            instance: false,
        };
        cx.signature(tree);
        cx.def.written.1 = cx.domains_of_result(tree);
        cx.body(tree);
        cx.finish();
        cx.tell_roots(tree.span);
        if cx.broken.is_empty() && !cx.sink().has_errors() {
            cx.circle_of_values();
        }
        let Cx { def, broken, global, .. } = cx;
        let mut mine = std::mem::replace(global.sink, before);
        mine.join("E0101");
        let right = !mine.has_errors() && broken.is_empty();
        global.sink.extend(mine);
        right.then_some(def)
    }

    pub(super) fn sink(&mut self) -> &mut Diagnostics {
        self.global.sink
    }

    // ---- the body -------------------------------------------------------------------------

    fn body(&mut self, tree: &ast::Def) {
        match &tree.body {
            ast::Body::Block(block) => {
                let result = tree.result.name.text.clone();
                if !self.names[0].contains_key(&result) && !declares(block, &result) {
                    self.declare_result(tree);
                }
                self.block(block, PartId(0));
                // Equations come after every declaration, so that the order of lines never matters.
                for (equation, part) in std::mem::take(&mut self.equations) {
                    self.equation(&equation, part);
                }
                self.bind_result(tree);
                for (require, part) in std::mem::take(&mut self.requires) {
                    self.require(&require, part);
                }
                for (when, part) in std::mem::take(&mut self.ties) {
                    self.tie(&when, part);
                }
            }
            ast::Body::Expr(right) => {
                self.declare_result(tree);
                self.bind_result(tree);
                let left =
                    ast::Ref { segments: vec![segment(&tree.result.name)], span: tree.result.span };
                let span = right.span;
                let right = right.clone();
                let one = ast::Equation { docs: Vec::new(), left, right, elsewhere: None, span };
                self.count_calls(PartId(0), &one.right);
                self.equation_of(self.def.result, one, PartId(0));
            }
        }
        self.check_all();
    }

    /// The result as a computed value of its declared shape.
    fn declare_result(&mut self, tree: &ast::Def) {
        let unset = Equation {
            part: PartId(0),
            left: Left::Bare(Vec::new()),
            right: number(0.0, tree.result.span),
            span: tree.result.span,
        };
        self.declare(&tree.result, PartId(0), ValueKind::Computed(unset));
    }

    /// Finds the result among the body's names and joins what both declarations say.
    fn bind_result(&mut self, tree: &ast::Def) {
        let result = &tree.result;
        let Some(Named::Value(id)) = self.names[0].get(&result.name.text).copied() else {
            return self.result_missing(&result.name);
        };
        self.def.result = id;
        let argument = matches!(self.def.value(id).kind, ValueKind::Argument);
        // An equation for an argument is told where it stands.
        if argument
            && !matches!(&tree.body, ast::Body::Block(block) if defines(block, &result.name.text))
        {
            let place = self.def.value(id).span;
            let one = errors::result_is_an_argument(result.name.span, &result.name.text, place);
            self.sink().push(one);
        }
        let defined = match self.def.value(id).kind {
            ValueKind::Computed(_) => self.pending.contains_key(&id),
            ValueKind::Argument
            | ValueKind::Param(_)
            | ValueKind::State(..)
            | ValueKind::Emission(_) => true,
        };
        if !defined && matches!(tree.body, ast::Body::Block(_)) && !self.broken.contains(&id) {
            self.result_missing(&result.name);
            self.broken.push(id);
        }
        if let Some((sort, domain)) = self.sort_and_domain(result.of.as_ref()) {
            let value = &mut self.def.values[id.0 as usize];
            if value.domain == Domain::REAL && result.of.is_some() {
                value.domain = domain;
                value.sort = sort;
            }
        }
        let wanted: Option<Vec<Extent>> =
            result.shape.iter().map(|range| self.extent(range)).collect();
        let Some(wanted) = wanted else { return };
        let known = !matches!(self.def.value(id).kind, ValueKind::Computed(_));
        if known && self.def.value(id).shape != wanted {
            let found = self.shown(&self.def.value(id).shape.clone());
            let (edit, wanted) = (self.shape_of_result(id, &wanted), self.shown(&wanted));
            let what = format!("the result `{}`", result.name.text);
            let (here, place) = (self.def.value(id).span, Some(result.span));
            let one = errors::wrong_shape(here, &what, &wanted, &found, place);
            self.sink().push(one.edits(edit));
        } else if !known {
            self.def.values[id.0 as usize].shape = wanted;
            self.declared_shape(id);
        }
    }

    /// Nothing defines the result; perhaps under a name much like it.
    fn result_missing(&mut self, name: &ast::Name) {
        let known: Vec<&str> = self.names[0]
            .iter()
            .filter(|(own, named)| matches!(named, Named::Value(_)) && **own != name.text)
            .map(|(own, _)| own.as_str())
            .collect();
        let near = nearest(&name.text, known.iter().copied()).filter(|near| near.len() > 1);
        let near = near.or_else(|| self.never_read(&known));
        let one = errors::result_missing(name.span, &name.text, near);
        self.sink().push(one);
    }

    /// Enters every name of a block, parts inside included.
    fn block(&mut self, block: &[ast::Stmt], part: PartId) {
        for stmt in block {
            match stmt {
                ast::Stmt::State(_, kind, slots, span) => self.states(*kind, slots, part, *span),
                ast::Stmt::Emit(emit) => self.emit(emit, part),
                ast::Stmt::Controller(one) => self.controller(one, part),
                ast::Stmt::Part(one) => self.part(one, part),
                ast::Stmt::Equation(one) => self.equations.push((one.clone(), part)),
                ast::Stmt::Require(one) => self.requires.push((one.clone(), part)),
            }
        }
    }

    fn states(&mut self, kind: ast::StateKind, slots: &[ast::Slot], part: PartId, span: Span) {
        for slot in slots {
            let what = match kind {
                ast::StateKind::Param => {
                    self.own(|owns| owns.params = true);
                    ValueKind::Param(Start::Default)
                }
                ast::StateKind::State | ast::StateKind::Memory => {
                    self.own(|owns| owns.state = true);
                    if slot.value.is_none() {
                        let reported = self.sink().len();
                        let of = self.sort_and_domain(slot.of.as_ref());
                        self.sink().truncate(reported);
                        let start = of.map_or("0".to_owned(), |(_, domain)| usual_start(&domain));
                        let one = errors::no_start(slot.span, &slot.name.text, &start);
                        self.sink().push(one);
                    }
                    ValueKind::State(Start::Default, None)
                }
            };
            if let Some(id) = self.declare(slot, part, what) {
                self.statements.insert(id, span);
                self.later.push((id, slot.clone()));
            }
        }
    }

    fn emit(&mut self, emit: &ast::Emit, part: PartId) {
        let ids: Vec<ValueId> =
            emit.slots.iter().filter_map(|slot| self.declare(slot, part, emission())).collect();
        if ids.len() == emit.slots.len() {
            self.later.extend(ids.iter().copied().zip(emit.slots.iter().cloned()));
            self.emits.push((ids, emit.clone(), part));
        }
        if let Some(from) = &emit.from {
            self.count_calls(part, from);
        }
    }

    fn controller(&mut self, one: &ast::Controller, part: PartId) {
        let slot = ast::Slot {
            name: one.name.clone(),
            shape: Vec::new(),
            of: None,
            value: None,
            span: one.span,
        };
        let id = match self.names[part.0 as usize].get(&one.name.text) {
            // A model's result, say, that is also its controller.
            Some(Named::Value(id)) if !self.pending.contains_key(id) => Some(*id),
            Some(_) | None => self.declare(&slot, part, computed(part, one.span)),
        };
        let Some(id) = id else { return };
        self.count_calls(part, &one.value);
        self.pending.insert(id, Pending::Call(one.value.clone(), part));
        let here = &mut self.def.parts[part.0 as usize].controller;
        if here.is_some() {
            let first = self.def.values[self.def.parts[part.0 as usize]
                .controller
                .as_ref()
                .map_or(0, |c| c.value.0 as usize)]
            .span;
            let word = Span { end: one.name.span.start, ..one.span };
            self.sink().push(errors::two_controllers(one.name.span, first, word));
            return;
        }
        *here = Some(super::super::typed::Controller { value: id, through: None });
        if let Some(through) = &one.through {
            self.throughs.push((part, through.clone()));
        }
    }

    fn part(&mut self, tree: &ast::Part, parent: PartId) {
        let id = PartId(self.def.parts.len() as u32);
        self.enter_in(parent, &tree.name, Named::Part(id));
        self.def.parts.push(Part {
            name: tree.name.text.clone(),
            span: tree.name.span,
            parent: Some(parent),
            family: None,
            tied: Test::Known(tree.tied.as_ref().is_some_and(|tied| tied.when.is_none())),
            in_order: false,
            instance: None,
            controller: None,
        });
        self.names.push(BTreeMap::new());
        // The part stands before its range is read, since a message about the range looks at all names.
        let around = std::mem::replace(&mut self.part, parent);
        let family = tree.family.as_ref().and_then(|family| self.family(family, &tree.name));
        self.part = around;
        self.def.parts[id.0 as usize].family = family;
        let when = tree.tied.as_ref().and_then(|tied| tied.when.clone());
        self.ties.extend(when.map(|when| (when, id)));
        match &tree.body {
            ast::Body::Block(block) => self.block(block, id),
            ast::Body::Expr(call) => {
                // The instance's result lives in the part, under a name no one can write.
                let name = ast::Name { text: String::new(), span: tree.name.span };
                let slot =
                    ast::Slot { name, shape: Vec::new(), of: None, value: None, span: tree.span };
                if let Some(value) = self.declare(&slot, id, computed(id, tree.span)) {
                    self.count_calls(id, call);
                    self.pending.insert(value, Pending::Call(call.clone(), id));
                    self.def.parts[id.0 as usize].instance = Some(value);
                }
            }
        }
    }

    /// The index variable of a family's members.
    fn family(&mut self, family: &ast::Family, part: &ast::Name) -> Option<VarId> {
        let extent = self.extent(&family.range)?;
        let (name, span) = match &family.index {
            Some(index) => (index.text.clone(), index.span),
            None => (String::new(), part.span),
        };
        Some(self.add_var(name, span, extent))
    }

    /// A new index variable with its range among the facts.
    pub(super) fn add_var(&mut self, name: String, span: Span, extent: Extent) -> VarId {
        let id = VarId(self.def.vars.len() as u32);
        self.facts.range(id, extent.low.clone(), extent.high());
        self.def.vars.push(VarInfo { name, span, extent });
        id
    }

    fn require(&mut self, require: &ast::Require, part: PartId) {
        self.within(part, |cx| {
            if let Some(condition) = cx.test(&require.condition) {
                if part == PartId(0) {
                    cx.facts.assume(&condition, true);
                }
                cx.def.requires.push(super::super::typed::Require {
                    part,
                    condition,
                    text: require.text.clone(),
                    span: require.span,
                });
            }
        });
    }

    /// When the members of a part share their parameters: the same for all members.
    fn tie(&mut self, when: &ast::Expr, part: PartId) {
        let test = self.within(part, |cx| cx.test(when));
        let Some(test) = test else { return };
        if test.any(&|atom| matches!(atom, Atom::Var(_))) {
            let wanted = "a condition on dims and parameters alone";
            self.sink().push(errors::wrong_sort(when.span, wanted, "one on an index"));
            return;
        }
        self.def.parts[part.0 as usize].tied = test;
    }

    // ---- names ----------------------------------------------------------------------------

    /// Adds a value under its name in a part.
    pub(super) fn declare(
        &mut self,
        slot: &ast::Slot,
        part: PartId,
        kind: ValueKind,
    ) -> Option<ValueId> {
        let around = std::mem::replace(&mut self.part, part);
        let mut scope = self.family_scope(part);
        std::mem::swap(&mut self.scope, &mut scope);
        let shape: Option<Vec<Extent>> =
            slot.shape.iter().map(|range| self.extent(range)).collect();
        let of = self.sort_and_domain(slot.of.as_ref());
        self.scope = scope;
        self.part = around;
        let right = shape.is_some() && of.is_some();
        let (shape, (sort, domain)) =
            (shape.unwrap_or_default(), of.unwrap_or((Sort::Real, Domain::REAL)));
        let id = ValueId(self.def.values.len() as u32);
        let emits = matches!(kind, ValueKind::Emission(_));
        if emits && (domain == Domain::Weighting || sort != Sort::Real) {
            let of = slot.of.as_ref().map_or(slot.span, |of| of.span);
            let word = slot.of.as_ref().map_or("", |of| of.name.text.as_str());
            let one = errors::not_emittable(of, word);
            self.sink().push(one);
        }
        self.def.values.push(Value {
            name: slot.name.text.clone(),
            span: slot.span,
            part,
            shape,
            sort,
            domain,
            via: None,
            kind,
        });
        self.enter_in(part, &slot.name, Named::Value(id));
        if !right {
            // The name is known, so that nothing more is said where it is used.
            self.broken.push(id);
            return None;
        }
        Some(id)
    }

    pub(super) fn enter(&mut self, name: &ast::Name, named: Named) {
        self.enter_in(PartId(0), name, named);
    }

    fn enter_in(&mut self, part: PartId, name: &ast::Name, named: Named) {
        let names = &mut self.names[part.0 as usize];
        match names.get(&name.text).copied() {
            None => {
                names.insert(name.text.clone(), named);
            }
            Some(first) => {
                let first = self.place(first);
                let free = self.fresh_name(&name.text);
                let again = (name.span, free.as_str());
                self.sink().push(errors::defined_twice(name.span, &name.text, first, again));
            }
        }
    }

    /// Where a name was declared.
    pub(super) fn place(&self, named: Named) -> Span {
        match named {
            Named::Value(id) => self.def.value(id).span,
            Named::Part(id) => self.def.part(id).span,
            Named::Dim(id) => self.def.dims[id.0 as usize].span,
            Named::Flag(_) => self.def.span,
        }
    }

    /// What a name means in the current part: its own names, then those around it.
    pub(super) fn named(&self, name: &str) -> Option<Named> {
        let around: Vec<PartId> = self.def.around(self.part).collect();
        around.into_iter().find_map(|part| self.names[part.0 as usize].get(name).copied())
    }

    /// Every name visible in the current part.
    pub(super) fn visible(&self) -> Vec<String> {
        let around: Vec<PartId> = self.def.around(self.part).collect();
        let names = around.iter().flat_map(|part| self.names[part.0 as usize].keys());
        names.filter(|name| !name.is_empty()).cloned().collect()
    }

    /// The named index variables of the families around a part.
    pub(super) fn family_scope(&self, part: PartId) -> Vec<(String, VarId)> {
        let named = |var: VarId| (self.def.var(var).name.clone(), var);
        self.def
            .families(part)
            .into_iter()
            .map(named)
            .filter(|(name, _)| !name.is_empty())
            .collect()
    }

    /// Runs a check inside a part, with the indices of its families in scope.
    pub(super) fn within<T>(&mut self, part: PartId, run: impl FnOnce(&mut Self) -> T) -> T {
        let scope = self.family_scope(part);
        let around = std::mem::replace(&mut self.part, part);
        let outer = std::mem::replace(&mut self.scope, scope);
        let result = run(self);
        self.part = around;
        self.scope = outer;
        result
    }
}

fn empty(tree: &ast::Def) -> Def {
    let body = Part {
        name: String::new(),
        span: tree.name.span,
        parent: None,
        family: None,
        tied: Test::Known(false),
        in_order: false,
        instance: None,
        controller: None,
    };
    Def {
        name: tree.name.text.clone(),
        span: tree.name.span,
        dims: Vec::new(),
        flags: Vec::new(),
        vars: Vec::new(),
        params: Vec::new(),
        parts: vec![body],
        values: Vec::new(),
        result: ValueId(0),
        written: (tree.result.span, Vec::new()),
        requires: Vec::new(),
        owns: Owns::default(),
        needs: Vec::new(),
    }
}

pub(super) fn emission() -> ValueKind {
    ValueKind::Emission(Emission { start: None, from: None, through: None })
}

fn computed(part: PartId, span: Span) -> ValueKind {
    let right = number(0.0, span);
    ValueKind::Computed(Equation { part, left: Left::Bare(Vec::new()), right, span })
}

/// A constant.
pub(super) fn number(value: f64, span: Span) -> Expr {
    Expr { kind: ExprKind::Real(value), span, shape: Vec::new(), sort: Sort::Real }
}

/// A condition that is known.
pub(super) fn known(test: Test, span: Span) -> Expr {
    Expr { kind: ExprKind::Test(test), span, shape: Vec::new(), sort: Sort::Bool }
}

fn segment(name: &ast::Name) -> ast::Segment {
    ast::Segment { name: name.clone(), brackets: None, args: None, after: None }
}

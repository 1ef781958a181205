//! Equations: which value each defines, over which indices, and with what shape.

use crate::source::Span;
use crate::syntax::ast;

use super::super::errors;
use super::super::int::VarId;
use super::super::typed::{Equation, Expr, Extent, Left, PartId, Sort, ValueId, ValueKind};
use super::declare::{Cx, Named, Pending, Progress};
use super::whole::sort_of_entries;

/// The deepest chain of values that need each other's shapes.
const DEEPEST: usize = 5_000;

impl Cx<'_, '_> {
    /// Finds or makes the value that an equation defines.
    pub(super) fn equation(&mut self, tree: &ast::Equation, part: PartId) {
        let name = &tree.left.segments[0].name;
        self.count_calls(part, &tree.right);
        let own = self.names[part.0 as usize].get(&name.text).copied();
        let around: Vec<PartId> = self.def.around(part).skip(1).collect();
        let outer = around.iter().find_map(|p| self.names[p.0 as usize].get(&name.text).copied());
        let target = match (own, outer) {
            (Some(Named::Value(id)), _) => id,
            (Some(other), _) => {
                let (first, free) = (self.place(other), self.fresh_name(&name.text));
                let again = (name.span, free.as_str());
                let one = errors::defined_twice(name.span, &name.text, first, again);
                return self.sink().push(one);
            }
            (None, Some(Named::Value(id)))
                if matches!(self.def.value(id).kind, ValueKind::State(..)) =>
            {
                self.pass_along(id, part);
                id
            }
            (None, _) => {
                let slot = ast::Slot {
                    name: name.clone(),
                    shape: Vec::new(),
                    of: None,
                    value: None,
                    span: tree.left.span,
                };
                let unset = Equation {
                    part,
                    left: Left::Bare(Vec::new()),
                    right: super::declare::number(0.0, tree.span),
                    span: tree.span,
                };
                match self.declare(&slot, part, ValueKind::Computed(unset)) {
                    Some(id) => id,
                    None => return,
                }
            }
        };
        self.equation_of(target, tree.clone(), part);
    }

    /// Enters the one equation of a value.
    pub(super) fn equation_of(&mut self, id: ValueId, tree: ast::Equation, part: PartId) {
        let value = self.def.value(id);
        let (name, first) = (value.name.clone(), value.span);
        let taken = self.pending.get(&id).map(|pending| match pending {
            Pending::Equation(first, _) => first.left.span,
            Pending::Call(first, _) => first.span,
        });
        let fixed = match value.kind {
            ValueKind::State(..) | ValueKind::Computed(_) => None,
            ValueKind::Argument | ValueKind::Param(_) | ValueKind::Emission(_) => Some(first),
        };
        if self.without_word(id, &tree, part) {
            return;
        }
        if let Some(first) = taken.or(fixed) {
            let free = self.fresh_name(&name);
            let again = (tree.left.segments[0].name.span, free.as_str());
            return self.sink().push(errors::defined_twice(tree.left.span, &name, first, again));
        }
        self.pending.insert(id, Pending::Equation(tree, part));
    }

    /// A state gets its value inside a part: the families between are built in order.
    fn pass_along(&mut self, state: ValueId, part: PartId) {
        let owner = self.def.value(state).part;
        let between: Vec<PartId> = self.def.around(part).take_while(|p| *p != owner).collect();
        for part in between {
            self.def.parts[part.0 as usize].in_order = true;
        }
    }

    /// Checks everything that is still pending, then what hangs on slots.
    pub(super) fn check_all(&mut self) {
        self.slots();
        let all: Vec<ValueId> = self.pending.keys().copied().collect();
        for id in all {
            self.ensure(id);
        }
        self.emissions();
        self.controllers();
    }

    /// Families around a part whose members differ in size are built one by one.
    pub(super) fn differing(&mut self, part: PartId, sizes: &dyn Fn(VarId) -> bool) {
        let around: Vec<PartId> = self.def.around(part).collect();
        for part in around {
            let part = &mut self.def.parts[part.0 as usize];
            part.in_order |= part.family.is_some_and(sizes);
        }
    }

    /// What is wrong with the definition as a whole.
    pub(super) fn finish(&mut self) {
        for at in 0..self.def.values.len() {
            let (part, shape) = (self.def.values[at].part, self.def.values[at].shape.clone());
            let sizes = |family| shape.iter().any(|axis: &Extent| axis.size.mentions(family));
            self.differing(part, &sizes);
        }
        for at in 0..self.def.values.len() {
            let id = ValueId(at as u32);
            let value = self.def.value(id);
            let lone = matches!(value.kind, ValueKind::State(_, None));
            if lone && !self.broken.contains(&id) {
                let one = errors::never_updated(value.span, &value.name.clone());
                let one = match self.meant_state(id) {
                    Some(meant) => {
                        let (name, place) = (meant.name.clone(), meant.span);
                        let own = self.def.value(id);
                        let end = own.span.start + own.name.len() as u32;
                        let word = Span { end, ..own.span };
                        errors::misspelt_state(one, word, &name, place)
                    }
                    None => one.edits(self.keep_state(id)),
                };
                self.sink().push(one);
            }
        }
    }

    /// Checks the equation of a value if that has not happened; false when it has errors.
    pub(super) fn ensure(&mut self, id: ValueId) -> bool {
        match self.progress.get(&id).copied().unwrap_or(Progress::Waiting) {
            Progress::Done => return !self.broken.contains(&id),
            Progress::Running => {
                // Only a value whose shape is known may be needed while its equation is checked.
                if !self.shape_known(id) {
                    let at = self.stack.iter().position(|one| *one == id).unwrap_or(0);
                    self.circle = self.stack[at..].to_vec();
                }
                return self.circle.is_empty();
            }
            Progress::Waiting => {}
        }
        if self.attempt(id) {
            return true;
        }
        if self.circle.first() != Some(&id) {
            if self.stack.is_empty() && !self.circle.is_empty() {
                // The circle leads back to a value that no longer waits: nobody else will say it.
                let circle = std::mem::take(&mut self.circle);
                self.circles.push(circle);
                self.broken.push(id);
                self.progress.insert(id, Progress::Done);
            }
            return false;
        }
        // Another value of the circle may have a branch that tells the shape.
        let circle = std::mem::take(&mut self.circle);
        for other in &circle[1..] {
            if self.attempt(*other) {
                self.circle.clear();
                return self.ensure(id);
            }
            self.circle.clear();
        }
        self.circles.push(circle);
        self.broken.push(id);
        self.progress.insert(id, Progress::Done);
        false
    }

    /// Checks the equation of a value. One that stops at a circle of shapes leaves nothing behind.
    fn attempt(&mut self, id: ValueId) -> bool {
        let Some(pending) = self.pending.get(&id).cloned() else {
            return !self.broken.contains(&id);
        };
        if self.broken.contains(&id) {
            self.progress.insert(id, Progress::Done);
            return false;
        }
        if self.stack.len() >= DEEPEST {
            let span = self.def.value(id).span;
            let text = format!("more than {DEEPEST} values build on each other");
            self.sink().push(errors::too_large(span, "the chain of values", &text));
            self.broken.push(id);
            return false;
        }
        if self.progress.get(&id) == Some(&Progress::Running) {
            return false;
        }
        self.progress.insert(id, Progress::Running);
        self.stack.push(id);
        let reported = self.sink().len();
        let declared = self.declared.len();
        let around = (
            std::mem::take(&mut self.scope),
            self.part,
            self.start.take(),
            std::mem::take(&mut self.equation),
            std::mem::take(&mut self.instance),
            std::mem::take(&mut self.joining),
            self.facts.now(),
        );
        let right = match pending {
            Pending::Equation(tree, part) => self.within(part, |cx| cx.define(id, &tree, part)),
            Pending::Call(tree, part) => self.within(part, |cx| cx.define_call(id, &tree, part)),
        };
        let facts;
        (self.scope, self.part, self.start, self.equation, self.instance, self.joining, facts) =
            around;
        self.facts.back_to(facts);
        self.stack.pop();
        if right.is_none() && !self.circle.is_empty() {
            self.sink().truncate(reported);
            self.declared.truncate(declared);
            self.progress.insert(id, Progress::Waiting);
            return false;
        }
        if right.is_none() && !self.broken.contains(&id) {
            self.broken.push(id);
        }
        self.progress.insert(id, Progress::Done);
        right.is_some()
    }

    /// Whether the shape of a value was written down rather than found from its equation.
    pub(super) fn shape_known(&self, id: ValueId) -> bool {
        !matches!(self.def.value(id).kind, ValueKind::Computed(_)) || self.declared.contains(&id)
    }

    /// Marks the shape of a computed value as written down.
    pub(super) fn declared_shape(&mut self, id: ValueId) {
        self.declared.push(id);
    }

    /// `controller h = call`, `part name = call`.
    fn define_call(&mut self, id: ValueId, tree: &ast::Expr, part: PartId) -> Option<()> {
        let value = self.def.value(id);
        self.instance = self.def.part(part).instance == Some(id);
        self.equation = value.name.clone();
        if !self.shape_known(id)
            && let Some(shape) = self.shape_of_call(tree)
        {
            self.def.values[id.0 as usize].shape = shape;
            self.declared_shape(id);
        }
        let wanted = self.shape_known(id).then(|| self.def.value(id).shape.clone());
        let right = self.expr(tree, wanted.as_deref())?;
        self.instance = false;
        self.settle(id, part, Left::Bare(Vec::new()), right, tree.span)
    }

    /// `name[i, j] = right`.
    fn define(&mut self, id: ValueId, tree: &ast::Equation, part: PartId) -> Option<()> {
        self.equation = self.def.value(id).name.clone();
        if let Some(other) = &tree.elsewhere {
            return self.elsewhere(id, tree, other, part);
        }
        if self.left_without_indices(id, tree) {
            return None;
        }
        let left = self.left(id, tree)?;
        let vars = match &left {
            Left::Bare(vars) => vars.len(),
            Left::Permuted(vars, ..) => vars.len() + 1,
        };
        if vars == 0
            && !self.shape_known(id)
            && let Some(shape) = self.shape_of_call(&tree.right)
        {
            self.def.values[id.0 as usize].shape = shape;
            self.declared_shape(id);
        }
        let wanted = self.shape_known(id).then(|| self.def.value(id).shape[vars..].to_vec());
        let right = self.expr(&tree.right, wanted.as_deref())?;
        self.settle(id, part, left, right, tree.span)
    }

    /// Joins an equation's right side with its value: shapes, sorts.
    pub(super) fn settle(
        &mut self,
        id: ValueId,
        part: PartId,
        left: Left,
        right: Expr,
        span: Span,
    ) -> Option<()> {
        let leading: Vec<Extent> = match &left {
            Left::Bare(vars) => vars.iter().map(|var| self.def.var(*var).extent.clone()).collect(),
            Left::Permuted(vars, _, last) => vars
                .iter()
                .chain(std::iter::once(last))
                .map(|var| self.def.var(*var).extent.clone())
                .collect(),
        };
        if self.shape_known(id) {
            let rest = self.def.value(id).shape[leading.len()..].to_vec();
            if right.shape != rest {
                let what = format!("`{}`", self.def.value(id).name);
                let mut edits = self.reordered(&right, &rest);
                let learned = self.learned_result(id, &right);
                let (wanted, found) = (self.shown(&rest), self.shown(&right.shape));
                let place = self.def.value(id).span;
                let mut one = errors::wrong_shape(right.span, &what, &wanted, &found, Some(place));
                if edits.is_empty() && !learned.is_empty() {
                    one = errors::learned_map(one, &self.def.value(id).name, &wanted);
                    edits = learned;
                }
                self.sink().push(one.edits(edits));
                return None;
            }
        } else {
            let mut shape = leading;
            shape.extend(right.shape.clone());
            let last = match &left {
                Left::Bare(vars) => vars.last().copied(),
                Left::Permuted(..) => None,
            };
            let value = &mut self.def.values[id.0 as usize];
            value.shape = shape;
            value.sort = sort_of_entries(&right, last);
        }
        let wanted = self.def.value(id).sort.clone();
        if right.sort != wanted {
            self.suits(&right, &wanted)?;
        }
        self.claim(id, &right);
        let equation = Equation { part, left, right, span };
        match &mut self.def.values[id.0 as usize].kind {
            ValueKind::State(_, slot) => *slot = Some(equation),
            ValueKind::Computed(slot) => *slot = equation,
            ValueKind::Argument | ValueKind::Param(_) | ValueKind::Emission(_) => {}
        }
        Some(())
    }

    /// A constant that breaks the claim of the value it defines.
    fn claim(&mut self, id: ValueId, right: &Expr) {
        let value = self.def.value(id);
        if let Some(number) = super::slots::constant_of(right)
            && !super::slots::holds(&value.domain, number)
        {
            let domain = super::super::show::lies_in(&value.domain);
            let one = errors::outside_domain(
                right.span,
                &value.name.clone(),
                &domain,
                number,
                value.span,
                super::repairs::nearest_inside(&value.domain, number, false),
            );
            self.sink().push(one);
        }
    }

    /// The indices on the left: distinct names, or a permutation applied to one.
    fn left(&mut self, id: ValueId, tree: &ast::Equation) -> Option<Left> {
        let [segment] = &tree.left.segments[..] else {
            let part = &tree.left.segments[0].name;
            self.sink().push(errors::defines_inside(tree.left.span, &part.text));
            return None;
        };
        if segment.args.is_some() {
            self.sink().push(errors::not_one_to_one(tree.left.span));
            return None;
        }
        let indices = segment.brackets.as_deref().unwrap_or_default();
        let known = self.shape_known(id).then(|| self.def.value(id).shape.clone());
        if let Some(shape) = &known
            && indices.len() > shape.len()
        {
            let what = format!("`{}`", segment.name.text);
            let one = errors::too_many_indices(tree.left.span, &what, shape.len(), indices.len());
            let edits = self.shortened(indices, shape.len());
            let used = |index: &ast::Arg| {
                let mut places = Vec::new();
                super::trees::indices_of(&tree.right, self.text(index.span), &mut places);
                !places.is_empty()
            };
            // Of one index too many, the one that nothing on the right speaks of.
            let spare: Vec<usize> = (0..indices.len()).filter(|at| !used(&indices[*at])).collect();
            let edits = match (indices[shape.len()..].iter().any(used), &spare[..]) {
                (false, _) => edits,
                (true, [spare]) if indices.len() == shape.len() + 1 => {
                    self.without(indices, *spare)
                }
                (true, _) => Vec::new(),
            };
            self.sink().push(one.edits(edits));
            return None;
        }
        let mut vars = Vec::new();
        for (at, index) in indices.iter().enumerate() {
            let axis = known.as_ref().map(|shape| shape[at].clone());
            match bare(index) {
                Some(name) => vars.push(self.left_index(name, axis, tree)?),
                None if at + 1 == indices.len() => {
                    let (order, last) = self.permuted(index, axis, tree)?;
                    return Some(Left::Permuted(vars, order, last));
                }
                None => {
                    self.sink().push(errors::not_one_to_one(index.span));
                    return None;
                }
            }
        }
        Some(Left::Bare(vars))
    }

    /// One bare index on the left, with its range.
    fn left_index(
        &mut self,
        name: &ast::Name,
        axis: Option<Extent>,
        tree: &ast::Equation,
    ) -> Option<super::super::int::VarId> {
        self.refuse_value(name)?;
        if let Some((_, var)) = self.scope.iter().find(|(known, _)| *known == name.text) {
            let families = self.def.families(self.part);
            let edits = if families.contains(var) { Vec::new() } else { self.diagonal(name, tree) };
            self.sink().push(errors::not_one_to_one(name.span).edits(edits));
            return None;
        }
        let (extent, seen) = match axis {
            Some(extent) => {
                let told =
                    format!("{}, on the left", super::super::show::extent(&self.def, &extent));
                (extent, (name.span, told))
            }
            None => match self.infer(&name.text, &[&tree.right]) {
                Some(found) => found,
                None => return self.unseen(name.span, &name.text),
            },
        };
        let var = self.add_var(name.text.clone(), name.span, extent);
        self.seen.insert(var, seen);
        self.scope.push((name.text.clone(), var));
        Some(var)
    }

    /// `a[phi[j]]`: the permutation and the variable it is applied to.
    fn permuted(
        &mut self,
        index: &ast::Arg,
        axis: Option<Extent>,
        tree: &ast::Equation,
    ) -> Option<(Expr, super::super::int::VarId)> {
        let Some(name) = innermost(index).cloned() else {
            self.sink().push(errors::not_one_to_one(index.span));
            return None;
        };
        self.refuse_value(&name)?;
        if self.in_scope(&name.text).is_some() {
            self.sink().push(errors::not_one_to_one(index.span));
            return None;
        }
        let found = self.infer(&name.text, &[&index.value, &tree.right]);
        let Some((extent, seen)) = found else { return self.unseen(name.span, &name.text) };
        if axis.is_some_and(|axis| axis != extent) {
            let edits = self.summed(index, &name.text, tree);
            let one = errors::not_one_to_one(index.span);
            let one = self.with_named_order(one, &index.value);
            self.sink().push(one.edits(edits));
            return None;
        }
        let var = self.add_var(name.text.clone(), name.span, extent.clone());
        self.seen.insert(var, seen);
        self.scope.push((name.text.clone(), var));
        let order = self.expr(&index.value, None)?;
        match sort_of_entries(&order, Some(var)) {
            Sort::Index { below, permutation: true } if below == extent.size => Some((order, var)),
            Sort::Index { .. } => {
                let edits = self.summed(index, &name.text, tree);
                let one = self.with_order(errors::not_one_to_one(index.span), &order);
                self.sink().push(one.edits(edits));
                None
            }
            Sort::Real | Sort::Int | Sort::Bool => {
                self.sink().push(errors::not_one_to_one(index.span));
                None
            }
        }
    }

    /// An index may not have the name of a value.
    pub(super) fn refuse_value(&mut self, name: &ast::Name) -> Option<()> {
        if let Some(named) = self.named(&name.text) {
            let place = Some(self.place(named));
            let one = errors::value_as_index(name.span, &name.text, place);
            let left = self.equation_here().map(|tree| tree.left.span);
            let left =
                left.filter(|left| left.start <= name.span.start && name.span.end <= left.end);
            if let (Named::Dim(_), Some(left)) = (named, left) {
                self.sink().push(errors::declared_without_state(one, left.before()));
                return None;
            }
            let edits = self.rename_index(&name.text);
            self.sink().push(one.edits(edits));
            return None;
        }
        Some(())
    }

    /// Sources, stages and starts of emissions.
    fn emissions(&mut self) {
        for (ids, tree, part) in std::mem::take(&mut self.emits) {
            self.within(part, |cx| {
                cx.equation = tree.slots[0].name.text.clone();
                let from = tree.from.as_ref().map(|from| cx.expr(from, None));
                if from.is_some() {
                    cx.own(|owns| owns.params = true);
                } else if !cx.has_controller(part) {
                    // What it is emitted from may stand in the place of its start.
                    if cx.is_model && !ids.iter().any(|id| cx.broken.contains(id)) {
                        let slot = &tree.slots[0];
                        let one = errors::no_controller(slot.span, &slot.name.text, &[]);
                        let edits = cx.input_as_source(&tree);
                        cx.sink().push(one.edits(edits));
                    }
                    cx.own(|owns| owns.emits = true);
                } else {
                    cx.own(|owns| owns.params = true);
                }
                let through = cx.stage_of_emissions(&tree);
                for id in &ids {
                    if let ValueKind::Emission(emission) = &mut cx.def.values[id.0 as usize].kind {
                        emission.from = from.clone().flatten().map(Box::new);
                        emission.through.clone_from(&through);
                    }
                }
            });
        }
    }

    /// Whether a controller is declared in a part or around it.
    pub(super) fn has_controller(&self, part: PartId) -> bool {
        self.def.around(part).any(|part| self.def.part(part).controller.is_some())
    }

    fn controllers(&mut self) {
        for (part, stage) in std::mem::take(&mut self.throughs) {
            let through = self.within(part, |cx| cx.stage(&stage));
            if let Some(controller) = &mut self.def.parts[part.0 as usize].controller {
                controller.through = through;
            }
        }
    }

    /// Counts textual calls in a block, so that paths can tell them apart.
    pub(super) fn count_calls(&mut self, part: PartId, tree: &ast::Expr) {
        let mut names = Vec::new();
        super::range::calls_in(tree, &mut names);
        for name in names {
            *self.calls.entry((part, name)).or_default() += 1;
        }
    }
}

/// The name, if an index is one bare name.
pub(super) fn bare(index: &ast::Arg) -> Option<&ast::Name> {
    if index.name.is_some() || index.to.is_some() || index.default.is_some() {
        return None;
    }
    let ast::ExprKind::Ref(one) = &index.value.kind else { return None };
    match &one.segments[..] {
        [segment] if segment.brackets.is_none() && segment.args.is_none() => Some(&segment.name),
        _ => None,
    }
}

/// The `j` of an index `phi[j]`.
fn innermost(index: &ast::Arg) -> Option<&ast::Name> {
    let ast::ExprKind::Ref(one) = &index.value.kind else { return None };
    let segment = one.segments.last()?;
    segment.after.as_ref().or(segment.brackets.as_ref())?.last().and_then(bare)
}

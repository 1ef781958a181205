//! Circles: values of one definition that need each other within one step, found before any dim is a
//! number.
//!
//! In: a definition without other mistakes. Out: one message about the first circle, or, for each value,
//! what it needs of the definition's caller ([`Needs`]). Invariant: only what is computed for every choice
//! of dims, switches and members counts, so that no model is refused that could be built; a circle that
//! hangs on a choice is found when it is made.
//!
//! Note: members. A family in order is one node for all its members: what one member reads of itself
//! and of values outside, every member does, and who reads the family reads some member. So a way round
//! a circle can be followed for ever, and a model has only finitely many values. Reads of other members
//! (`layer[l - 1]`) do not count.

use std::collections::BTreeMap;

use crate::diag::Edit;
use crate::source::Span;

use super::super::errors::{self, LookBack};
use super::super::int::{Atom, Poly, Test, VarId};
use super::super::needs::Needs;
use super::super::typed::{
    Call, Checked, Def, DefId, Expr, ExprKind, Left, ParamKind, PartId, Value, ValueId, ValueKind,
};
use super::declare::{Cx, Pending};

/// A value, or one inside a named instance: its path from there on.
type Node = (ValueId, Vec<ValueId>);

/// What is looked for in one definition.
struct Search<'a> {
    checked: &'a Checked,
    def: &'a Def,
    /// What finished values need; `None` while one is on the way.
    done: BTreeMap<Node, Option<Needs>>,
    /// The way from a first value to the one looked at, with what each still has to look at.
    way: Vec<(Node, Vec<Node>, Needs)>,
}

impl Cx<'_, '_> {
    /// Tells of the first circle among the values, or notes what each needs.
    pub(super) fn circle_of_values(&mut self) {
        let mut search = Search {
            checked: &self.global.checked,
            def: &self.def,
            done: BTreeMap::new(),
            way: Vec::new(),
        };
        let is_state = |id: &ValueId| matches!(self.def.value(*id).kind, ValueKind::State(..));
        let all = (0..self.def.values.len() as u32).map(ValueId);
        let (states, others): (Vec<ValueId>, Vec<ValueId>) = all.partition(is_state);
        for first in std::iter::once(self.def.result).chain(states).chain(others) {
            if let Some(circle) = search.from((first, Vec::new())) {
                return self.tell_values(&circle);
            }
        }
        let mut done = search.done;
        let needs = (0..self.def.values.len() as u32)
            .map(|id| done.remove(&(ValueId(id), Vec::new())).flatten().unwrap_or_default());
        self.def.needs = needs.collect();
    }

    fn tell_values(&mut self, circle: &[Node]) {
        let value = |node: &Node| self.def.value(node.0);
        let is_state =
            |node: &Node| node.1.is_empty() && matches!(value(node).kind, ValueKind::State(..));
        let state = circle.iter().position(is_state);
        let mut circle = circle.to_vec();
        circle.rotate_left(state.unwrap_or(0));
        let reads = reads_of_first(&self.def, &circle);
        let mut places: Vec<(String, Span)> = Vec::new();
        for node in &circle {
            let span = match (self.def.call_of(node.0), self.pending.get(&node.0)) {
                (Some(call), _) if value(node).name.is_empty() => call.span,
                (_, Some(Pending::Equation(tree, _))) if is_computed(value(node)) => tree.left.span,
                (_, Some(_) | None) => value(node).span,
            };
            if places.iter().all(|(_, known)| *known != span) {
                places.push((self.path_of(node), span));
            }
        }
        let text = reads.first().map(|read| self.text(read.span).to_owned()).unwrap_or_default();
        let prevs = reads.iter().map(|read| Edit::new(read.span.before(), "prev "));
        if state.is_some() {
            let one = errors::cycle(&places, LookBack::Read(&text));
            let one = one.edits(prevs);
            return self.sink().push(one);
        }
        let first = value(&circle[0]);
        let alone = circle.len() == 1;
        let read = reads.first().filter(|_| circle[0].1.is_empty() && is_computed(first));
        let Some(read) = read.map(|read| read.span) else {
            return self.sink().push(errors::cycle(&places, LookBack::Somewhere));
        };
        let shape = self.bracketed(&first.shape);
        let declared = format!("state {}{shape} = 0", first.name);
        let back = if alone && reads.iter().any(|read| shifts(first, read)) {
            LookBack::Axis(&declared, &text)
        } else {
            LookBack::Declare(&declared, &text)
        };
        let repairs = matches!(back, LookBack::Declare(..));
        let one = errors::cycle(&places, back);
        let one = if alone { one.label(read, "read at the same step") } else { one };
        let edits: Vec<Edit> = prevs.chain(self.state_for(circle[0].0, &shape)).collect();
        // Without a line for the declaration `prev` alone repairs nothing.
        let whole = repairs && edits.len() > reads.len();
        self.sink().push(if whole { one.edits(edits) } else { one });
    }

    /// What a value is called, with the parts and instances around it.
    fn path_of(&self, node: &Node) -> String {
        let value = self.def.value(node.0);
        let mut names: Vec<&str> =
            self.def.around(value.part).map(|part| self.def.part(part).name.as_str()).collect();
        names.reverse();
        names.push(&value.name);
        let mut def = &self.def;
        let mut instance = node.0;
        for inner in &node.1 {
            let Some(call) = def.call_of(instance) else { break };
            def = self.global.checked.def(call.def);
            names.push(&def.value(*inner).name);
            instance = *inner;
        }
        names.retain(|name| !name.is_empty());
        names.join(".")
    }
}

impl Search<'_> {
    /// Follows everything that a value needs; the values of a circle, should there be one.
    fn from(&mut self, first: Node) -> Option<Vec<Node>> {
        self.enter(first);
        while let Some((_, rest, _)) = self.way.last_mut() {
            let Some(next) = rest.pop() else {
                if let Some((node, _, needs)) = self.way.pop() {
                    if let Some((.., above)) = self.way.last_mut() {
                        above.join(&needs);
                    }
                    self.done.insert(node, Some(needs));
                }
                continue;
            };
            match self.done.get(&next) {
                Some(Some(needs)) => {
                    let needs = needs.clone();
                    if let Some((.., mine)) = self.way.last_mut() {
                        mine.join(&needs);
                    }
                }
                Some(None) => {
                    let from = self.way.iter().position(|(node, ..)| *node == next)?;
                    return Some(self.way[from..].iter().map(|(node, ..)| node.clone()).collect());
                }
                None => self.enter(next),
            }
        }
        None
    }

    /// Begins a value that was not looked at.
    fn enter(&mut self, node: Node) {
        if self.done.contains_key(&node) {
            return;
        }
        self.done.insert(node.clone(), None);
        let mut needs = Needs::default();
        let mut nodes = self.of_node(&node, &mut needs);
        // Taken from the end; the first in the text comes first.
        nodes.reverse();
        self.way.push((node, nodes, needs));
    }

    /// What a value is computed from.
    fn of_node(&self, (id, inner): &Node, needs: &mut Needs) -> Vec<Node> {
        let value = self.def.value(*id);
        let mut all = Vec::new();
        if !inner.is_empty() {
            if let Some(call) = self.def.call_of(*id) {
                let of = needs_inside(self.checked, call.def, inner);
                self.of_call(call, &of, value.part, needs, &mut all);
            }
            return all;
        }
        let mine = |param: &ParamKind| match param {
            ParamKind::Plain(value, _) | ParamKind::Emit(value) | ParamKind::Param(value) => {
                value == id
            }
            ParamKind::State(_) | ParamKind::Int(_) | ParamKind::Flag(_) => false,
        };
        if let Some(at) = self.def.params.iter().position(|param| mine(&param.kind)) {
            needs.args.insert(at);
            return all;
        }
        match &value.kind {
            ValueKind::Argument | ValueKind::Param(_) | ValueKind::State(_, None) => {}
            ValueKind::Emission(emission) => match &emission.from {
                Some(from) => self.of_expr(from, value.part, needs, &mut all),
                None => self.of_controller(value.part, needs, &mut all),
            },
            ValueKind::State(_, Some(equation)) | ValueKind::Computed(equation) => {
                if let Left::Permuted(_, order, _) = &equation.left {
                    self.of_expr(order, equation.part, needs, &mut all);
                }
                self.of_expr(&equation.right, equation.part, needs, &mut all);
            }
        }
        all
    }

    /// The controller that a part emits from.
    fn of_controller(&self, part: PartId, needs: &mut Needs, all: &mut Vec<Node>) {
        let mut around = self.def.around(part);
        match around.find_map(|part| self.def.part(part).controller.as_ref()) {
            Some(controller) => all.push((controller.value, Vec::new())),
            None => needs.controller = true,
        }
    }

    fn of_expr(&self, expr: &Expr, part: PartId, needs: &mut Needs, all: &mut Vec<Node>) {
        each_computed(self.def, expr, &mut |one| {
            if let ExprKind::Read { value, inner, prev: false, at, .. } = &one.kind
                && self.own_member(*value, at, part)
            {
                all.push((*value, inner.clone()));
            }
            if let ExprKind::Call(call) = &one.kind {
                let callee = self.checked.def(call.def);
                let of = callee.needs.get(callee.result.0 as usize).cloned().unwrap_or_default();
                self.of_call(call, &of, part, needs, all);
            }
        });
    }

    /// What a call needs: the arguments that reach what is read of it.
    fn of_call(
        &self,
        call: &Call,
        of: &Needs,
        part: PartId,
        needs: &mut Needs,
        all: &mut Vec<Node>,
    ) {
        let callee = self.checked.def(call.def);
        let mut controller = of.controller;
        for at in &of.args {
            match (&call.args[*at], &callee.params[*at].kind) {
                (Some(arg), _) => self.of_expr(arg, part, needs, all),
                (None, ParamKind::Emit(_)) => {
                    controller |= callee.part(PartId(0)).controller.is_none()
                }
                (None, _) => {}
            }
        }
        if controller {
            self.of_controller(part, needs, all);
        }
    }

    /// Whether a read of a value from a part is one of the same member, where both are in a family in
    /// order.
    fn own_member(&self, value: ValueId, at: &[Expr], part: PartId) -> bool {
        let (def, here) = (self.def, self.def.families(part));
        let mut around: Vec<PartId> = def.around(def.value(value).part).collect();
        around.reverse();
        let families = around.iter().filter_map(|part| Some((*part, def.part(*part).family?)));
        families.zip(at).all(|((part, var), at)| {
            !def.part(part).in_order
                || !here.contains(&var)
                || matches!(&at.kind, ExprKind::Int(place) if *place == Poly::var(var))
        })
    }
}

/// What a value inside instances of a definition needs of the definition's caller.
fn needs_inside(checked: &Checked, id: DefId, path: &[ValueId]) -> Needs {
    let def = checked.def(id);
    let mut needs = Needs::default();
    let own = |node: &Node| def.needs.get(node.0.0 as usize).cloned().unwrap_or_default();
    match path {
        [] => {}
        [target] => needs = own(&(*target, Vec::new())),
        [instance, rest @ ..] => {
            let Some(call) = def.call_of(*instance) else { return needs };
            let search = Search { checked, def, done: BTreeMap::new(), way: Vec::new() };
            let (of, mut all) = (needs_inside(checked, call.def, rest), Vec::new());
            search.of_call(call, &of, def.value(*instance).part, &mut needs, &mut all);
            for (value, inner) in all {
                if inner.is_empty() {
                    needs.join(&own(&(value, inner)));
                } else {
                    let path: Vec<ValueId> = std::iter::once(value).chain(inner).collect();
                    needs.join(&needs_inside(checked, id, &path));
                }
            }
        }
    }
    needs
}

/// Visits the reads and calls of an expression that are computed whatever dims, switches and members are.
fn each_computed<'e>(def: &Def, expr: &'e Expr, visit: &mut dyn FnMut(&'e Expr)) {
    if matches!(expr.kind, ExprKind::Read { .. } | ExprKind::Call(_)) {
        visit(expr);
    }
    let mut parts = expr.parts();
    if let ExprKind::Call(_) = &expr.kind {
        // The arguments count as far as they reach what is read.
        return;
    }
    if let ExprKind::Index(base, at) = &expr.kind {
        // Of a list one entry may be all that is computed.
        if !matches!(base.kind, ExprKind::Read { .. } | ExprKind::Call(_) | ExprKind::Whole(..)) {
            parts = at.iter().collect();
        }
    }
    if let ExprKind::Inside(test, base, other) = &expr.kind {
        parts = chosen(def, test, base, other);
    }
    if let ExprKind::If(test, yes, no) = &expr.kind
        && let ExprKind::Test(test) = &test.kind
    {
        parts = chosen(def, test, yes, no);
    }
    if let ExprKind::Reduce { over, .. } = &expr.kind
        && !over.iter().filter_map(|(_, test)| test.as_ref()).all(|test| stays_open(def, test))
    {
        return;
    }
    parts.into_iter().for_each(|one| each_computed(def, one, visit));
}

/// The branches that are computed in any case.
fn chosen<'e>(def: &Def, test: &Test, yes: &'e Expr, no: &'e Expr) -> Vec<&'e Expr> {
    match test {
        Test::Known(holds) => vec![if *holds { yes } else { no }],
        test if stays_open(def, test) => vec![yes, no],
        Test::Flag(_)
        | Test::Less(..)
        | Test::Equal(..)
        | Test::And(..)
        | Test::Or(..)
        | Test::Not(_) => Vec::new(),
    }
}

/// Whether a condition is never decided when a model is built: each comparison in it is about an index
/// that runs over an axis.
fn stays_open(def: &Def, test: &Test) -> bool {
    let runs = |var| !def.parts.iter().any(|part| part.in_order && part.family == Some(var));
    let open = |left: &Poly, right: &Poly| {
        let gap = left.minus(right);
        let products: Vec<&[Atom]> = gap.terms().map(|(product, _)| product).collect();
        let dims = |product: &[Atom]| product.iter().all(|atom| matches!(atom, Atom::Dim(_)));
        products.iter().all(|product| matches!(product, [Atom::Var(_)]) || dims(product))
            && products.iter().any(|product| matches!(product, [Atom::Var(var)] if runs(*var)))
    };
    match test {
        Test::Known(_) | Test::Flag(_) => false,
        Test::Less(left, right) | Test::Equal(left, right) => open(left, right),
        Test::And(left, right) | Test::Or(left, right) => {
            stays_open(def, left) && stays_open(def, right)
        }
        Test::Not(inner) => stays_open(def, inner),
    }
}

/// Where the first value of a circle is read by those of the circle, at this step.
fn reads_of_first<'d>(def: &'d Def, circle: &[Node]) -> Vec<&'d Expr> {
    let mut reads: Vec<&Expr> = Vec::new();
    for (value, _) in circle {
        let (ValueKind::Computed(equation) | ValueKind::State(_, Some(equation))) =
            &def.value(*value).kind
        else {
            continue;
        };
        equation.right.each(&mut |expr| {
            if matches!(&expr.kind, ExprKind::Read { value, prev: false, inner, .. }
                if (*value, inner.clone()) == circle[0])
            {
                reads.push(expr);
            }
        });
    }
    reads.sort_by_key(|read| read.span);
    reads.dedup_by_key(|read| read.span);
    reads
}

fn is_computed(value: &Value) -> bool {
    matches!(value.kind, ValueKind::Computed(_)) && !value.name.is_empty()
}

/// Whether a value reads an entry of itself at another place.
fn shifts(value: &Value, read: &Expr) -> bool {
    let (ValueKind::Computed(equation), ExprKind::Read { at, .. }) = (&value.kind, &read.kind)
    else {
        return false;
    };
    let Left::Bare(vars) = &equation.left else { return false };
    let moved = |(at, var): (&Expr, &VarId)| matches!(&at.kind, ExprKind::Int(place) if *place != Poly::var(*var));
    at.iter().rev().zip(vars.iter().rev()).any(moved)
}

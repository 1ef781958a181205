//! `M[P[j], c] = right elsewhere other`: entries written at computed places, the last one wins.
//!
//! In: such an equation. Out: plain ones. The largest j that names an entry is a value of its own,
//!
//! ```text
//! last[i] = max[j] if P[j] == i then j else -1
//! M[i, c] = if last[i] < 0 then other[i, c]
//!           else sum[j] if P[j] == i then (if last[P[j]] == j then right[j, c] else 0) else 0
//! ```
//!
//! so that a loser is cut off before it is added, forwards and backwards, and what is overwritten gets
//! no gradient. Invariant: nothing behind the checker knows `elsewhere`.

use crate::op::scalar;
use crate::source::Span;
use crate::syntax::ast;

use super::super::elaborate::vars_in;
use super::super::errors;
use super::super::int::{Poly, Test, VarId};
use super::super::typed::{
    Domain, Equation, Expr, ExprKind, Extent, Left, PartId, Reduction, Sort, Value, ValueId,
    ValueKind,
};
use super::declare::{Cx, Progress, known, number};
use super::equations::bare;
use super::range::axis_of;

/// A left side with computed indices.
struct Places {
    /// The variable of each axis that the left side indexes: the entry's own place along it.
    own: Vec<VarId>,
    /// The index expression of each, where it is computed.
    computed: Vec<Option<Expr>>,
    /// What the computed ones run over, in order of appearance.
    over: Vec<VarId>,
}

impl Cx<'_, '_> {
    /// Checks `left = right elsewhere other` and makes plain equations of it.
    pub(super) fn elsewhere(
        &mut self,
        id: ValueId,
        tree: &ast::Equation,
        other: &ast::Expr,
        part: PartId,
    ) -> Option<()> {
        let name = self.def.value(id).name.clone();
        let declared = self.shape_known(id).then(|| self.def.value(id).shape.clone());
        let mut other = self.expr(other, declared.as_deref())?;
        if let Some(shape) = &declared {
            other = self.filled(other, shape, &name)?;
        }
        let shape = other.shape.clone();
        let places = self.places(tree, &shape)?;
        let rest = &shape[places.own.len()..];
        let right = self.expr(&tree.right, Some(rest))?;
        if right.shape != rest {
            let (wanted, found) = (self.shown(rest), self.shown(&right.shape));
            let what = format!("`{name}`");
            self.sink().push(errors::wrong_shape(right.span, &what, &wanted, &found, None));
            return None;
        }
        let sort = match declared {
            Some(_) => self.def.value(id).sort.clone(),
            None => right.sort.join(&other.sort).unwrap_or(Sort::Real),
        };
        self.suits(&right, &sort)?;
        self.suits(&other, &sort)?;
        let at = places.own.iter().map(|var| variable(*var, other.span)).collect();
        let entry = Expr {
            span: other.span,
            shape: rest.to_vec(),
            sort: other.sort.clone(),
            kind: ExprKind::Index(Box::new(other), at),
        };
        let value = self.written(&name, part, &places, (right, entry), tree.span);
        let value = Expr { sort, ..value };
        self.settle(id, part, Left::Bare(places.own), value, tree.span)
    }

    /// The indices on the left, each inside its axis.
    fn places(&mut self, tree: &ast::Equation, shape: &[Extent]) -> Option<Places> {
        let [segment] = &tree.left.segments[..] else {
            let name = &tree.left.segments[1].name;
            self.sink().push(errors::unknown_value(tree.left.span, &name.text, None));
            return None;
        };
        let indices = segment.brackets.as_deref().unwrap_or_default();
        let what = format!("of `{}{}`", segment.name.text, self.bracketed(shape));
        if indices.len() > shape.len() {
            let what = format!("`{}`", segment.name.text);
            let one = errors::too_many_indices(tree.left.span, &what, shape.len(), indices.len());
            self.sink().push(one);
            return None;
        }
        let mut own: Vec<Option<VarId>> = vec![None; indices.len()];
        for (axis, index) in indices.iter().enumerate() {
            let Some(name) = bare(index) else { continue };
            if self.named(&name.text).is_none() && self.in_scope(&name.text).is_none() {
                own[axis] = Some(self.enter_index(name, shape[axis].clone(), "on the left"));
            }
        }
        if segment.args.is_some() || own.iter().all(Option::is_some) {
            self.sink().push(errors::nothing_elsewhere(tree.left.span));
            return None;
        }
        let over = self.running(indices, &own, &tree.right)?;
        let mut computed = Vec::new();
        for (axis, index) in indices.iter().enumerate() {
            if own[axis].is_some() {
                computed.push(None);
                continue;
            }
            if let Some(default) = &index.default {
                self.sink().push(errors::not_an_index(index.value.span.to(default.span)));
                return None;
            }
            let told = axis_of(axis, shape.len(), &what);
            computed.push(Some(self.index(index, &shape[axis], &told)?));
        }
        let letters = ["i", "k", "l", "m", "n", "p", "q"];
        let own = own.into_iter().zip(shape).map(|(var, extent)| {
            var.unwrap_or_else(|| {
                let free = |letter: &&&str| self.in_scope(letter).is_none();
                let letter = letters.iter().find(free).copied().unwrap_or("i");
                let name = ast::Name { text: letter.to_owned(), span: tree.left.span };
                let var = self.enter_index(&name, extent.clone(), "on the left");
                // A name of ours, which nothing in the text means.
                self.scope.pop();
                var
            })
        });
        Some(Places { own: own.collect(), computed, over })
    }

    pub(super) fn in_scope(&self, name: &str) -> Option<VarId> {
        self.scope.iter().rev().find(|(known, _)| known == name).map(|(_, var)| *var)
    }

    fn enter_index(&mut self, name: &ast::Name, extent: Extent, whence: &str) -> VarId {
        let told = format!("{}, {whence}", super::super::show::extent(&self.def, &extent));
        let var = self.add_var(name.text.clone(), name.span, extent);
        self.seen.insert(var, (name.span, told));
        self.scope.push((name.text.clone(), var));
        var
    }

    /// The variables that computed indices run over: names in them that nothing else declares.
    fn running(
        &mut self,
        indices: &[ast::Arg],
        own: &[Option<VarId>],
        right: &ast::Expr,
    ) -> Option<Vec<VarId>> {
        let trees: Vec<&ast::Expr> = indices.iter().map(|index| &index.value).collect();
        let all: Vec<&ast::Expr> = trees.iter().copied().chain([right]).collect();
        let mut over = Vec::new();
        for (tree, own) in trees.iter().zip(own) {
            let mut names = Vec::new();
            if own.is_none() {
                super::range::names_in(tree, &mut names);
            }
            for name in names {
                let word = matches!(name.text.as_str(), "true" | "false");
                if word || self.named(&name.text).is_some() || self.in_scope(&name.text).is_some() {
                    continue;
                }
                let Some((extent, seen)) = self.infer(&name.text, &all) else {
                    return self.unseen(name.span, &name.text);
                };
                let var = self.add_var(name.text.clone(), name.span, extent);
                self.seen.insert(var, seen);
                self.scope.push((name.text, var));
                over.push(var);
            }
        }
        Some(over)
    }

    /// The entry of the result at its own places, from what is written there and what was there.
    fn written(
        &mut self,
        name: &str,
        part: PartId,
        places: &Places,
        (right, other): (Expr, Expr),
        span: Span,
    ) -> Expr {
        if places.over.is_empty() {
            return self.here(places, right, other);
        }
        let turn = self.turn(&places.over);
        let counted = self.here(places, whole(turn.clone(), span), whole(Poly::number(-1), span));
        let last = self.reduced(Reduction::Max, &places.over, counted);
        // Only the axes on which it depends who wins.
        let mut named = Vec::new();
        places.computed.iter().flatten().for_each(|place| vars_in(place, &mut named));
        let pairs = || {
            let all = places.own.iter().zip(&places.computed);
            all.filter(|(own, place)| place.is_some() || named.contains(own))
        };
        let own: Vec<VarId> = pairs().map(|(own, _)| *own).collect();
        let last = self.hidden(format!("{name}.last"), part, &own, last);
        let mine = own.iter().map(|var| variable(*var, span)).collect();
        let there =
            pairs().map(|(own, place)| place.clone().unwrap_or_else(|| variable(*own, span)));
        let latest = self.read_own(last, part, there.collect(), span);
        let wins = condition(scalar::EQ, [latest, whole(turn, span)]);
        let none =
            condition(scalar::LT, [self.read_own(last, part, mine, span), number(0.0, span)]);
        if right.sort == Sort::Bool {
            let held = choice(right, number(1.0, span), number(0.0, span));
            let sum = self.winner(places, wins, held);
            let truth = condition(scalar::LT, [number(0.0, span), sum]);
            let kept = condition(scalar::AND, [none.clone(), other]);
            let taken = condition(scalar::AND, [condition(scalar::NOT, [none]), truth]);
            return condition(scalar::OR, [kept, taken]);
        }
        let sum = self.winner(places, wins, right);
        choice(none, other, sum)
    }

    /// What the one winner among those that name an entry writes there.
    fn winner(&mut self, places: &Places, wins: Expr, right: Expr) -> Expr {
        let zero = number(0.0, right.span);
        let one = choice(wins, right, zero.clone());
        let here = self.here(places, one, zero);
        self.reduced(Reduction::Sum, &places.over, here)
    }

    /// `if P[j] == i .. then yes else no`.
    fn here(&mut self, places: &Places, yes: Expr, no: Expr) -> Expr {
        let span = yes.span;
        let mut fixed = Test::Known(true);
        let mut found: Option<Expr> = None;
        for (own, place) in places.own.iter().zip(&places.computed) {
            let Some(place) = place else { continue };
            if let ExprKind::Int(poly) = &place.kind {
                fixed = fixed.and(Test::equal(poly.clone(), Poly::var(*own)));
                continue;
            }
            let one = condition(scalar::EQ, [place.clone(), variable(*own, span)]);
            found = Some(match found {
                None => one,
                Some(all) => condition(scalar::AND, [all, one]),
            });
        }
        let inner = match found {
            Some(test) => choice(test, yes, no.clone()),
            None => yes,
        };
        if fixed == Test::Known(true) { inner } else { choice(known(fixed, span), inner, no) }
    }

    /// The number of a point of a box, the last variable fastest.
    fn turn(&self, over: &[VarId]) -> Poly {
        over.iter().fold(Poly::default(), |turn, var| {
            let extent = &self.def.var(*var).extent;
            turn.times(&extent.size).plus(&Poly::var(*var).minus(&extent.low))
        })
    }

    fn reduced(&self, fold: Reduction, over: &[VarId], body: Expr) -> Expr {
        let (span, shape) = (body.span, body.shape.clone());
        let over = over.iter().map(|var| (*var, None)).collect();
        let kind = ExprKind::Reduce { fold, over, body: Box::new(body) };
        Expr { kind, span, shape, sort: Sort::Real }
    }

    /// A value that no name in the text means.
    fn hidden(&mut self, name: String, part: PartId, vars: &[VarId], right: Expr) -> ValueId {
        let span = right.span;
        let shape = vars.iter().map(|var| self.def.var(*var).extent.clone()).collect();
        let equation = Equation { part, left: Left::Bare(vars.to_vec()), right, span };
        let id = ValueId(self.def.values.len() as u32);
        self.def.values.push(Value {
            name,
            span,
            part,
            shape,
            sort: Sort::Real,
            domain: Domain::REAL,
            via: None,
            kind: ValueKind::Computed(equation),
        });
        self.declared_shape(id);
        self.progress.insert(id, Progress::Done);
        id
    }

    /// An entry of a value of this part, as its equations see it.
    fn read_own(&self, value: ValueId, part: PartId, at: Vec<Expr>, span: Span) -> Expr {
        let families = self.def.families(part).into_iter().map(|var| variable(var, span));
        let at = families.chain(at).collect();
        let kind = ExprKind::Read { value, inner: Vec::new(), prev: false, part, at };
        Expr { kind, span, shape: Vec::new(), sort: Sort::Real }
    }
}

fn whole(poly: Poly, span: Span) -> Expr {
    Expr { kind: ExprKind::Int(poly), span, shape: Vec::new(), sort: Sort::Int }
}

fn variable(var: VarId, span: Span) -> Expr {
    whole(Poly::var(var), span)
}

fn condition(scalar: scalar::Scalar, args: impl Into<Vec<Expr>>) -> Expr {
    let args: Vec<Expr> = args.into();
    let span = args[0].span;
    let shape = args.iter().map(|arg| &arg.shape).find(|shape| !shape.is_empty());
    let shape = shape.cloned().unwrap_or_default();
    Expr { kind: ExprKind::Map(scalar, args), span, shape, sort: Sort::Bool }
}

fn choice(test: Expr, yes: Expr, no: Expr) -> Expr {
    let (span, sort) = (yes.span, if yes.sort == Sort::Bool { Sort::Bool } else { Sort::Real });
    let shape = if yes.shape.is_empty() { no.shape.clone() } else { yes.shape.clone() };
    Expr { kind: ExprKind::If(Box::new(test), Box::new(yes), Box::new(no)), span, shape, sort }
}

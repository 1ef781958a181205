//! Indices: whether each is bound and provably stays inside its axis.
//!
//! In: an index as it is written, and the axis it is for. Out: the place. Invariant: an index that is
//! returned stays inside, whatever the dims are.

use crate::diag::Edit;
use crate::source::Span;
use crate::syntax::ast;

use super::super::int::{Atom, Poly, Test};
use super::super::typed::{Domain, Expr, ExprKind, Extent, Sort, ValueId};
use super::super::{errors, show};
use super::declare::Cx;
use super::equations::bare;
use super::refs::Found;
use super::trees;

/// What fits an index that may leave its axis.
#[derive(Clone, Copy)]
enum Leaving {
    /// Another value there: `else 0`.
    Defaults,
    /// Coming back at the other end: `mod N`.
    Wraps,
    /// No default can be written here.
    Refused,
}

impl Cx<'_, '_> {
    /// An index that provably stays inside its axis; where it may not, a default can be given.
    pub(super) fn index_or_default(
        &mut self,
        arg: &ast::Arg,
        extent: &Extent,
        told: &str,
        found: &Found,
    ) -> Option<Expr> {
        // Outside a weighting nothing is left out: what leaves at one end comes back at the other.
        let domain = &self.def.value(found.value).domain;
        let round = matches!(domain, Domain::Simplex | Domain::Weighting) && found.inner.is_empty();
        self.index_within(arg, extent, told, if round { Leaving::Wraps } else { Leaving::Defaults })
    }

    /// An index that provably stays inside its axis.
    pub(super) fn index(&mut self, arg: &ast::Arg, extent: &Extent, told: &str) -> Option<Expr> {
        self.index_within(arg, extent, told, Leaving::Refused)
    }

    fn index_within(
        &mut self,
        arg: &ast::Arg,
        extent: &Extent,
        told: &str,
        leaving: Leaving,
    ) -> Option<Expr> {
        if let Some(to) = &arg.to {
            self.sink().push(errors::not_an_index(arg.value.span.to(to.span)));
            return None;
        }
        if let Some(name) = bare(arg)
            && self.scope.iter().all(|(known, _)| *known != name.text)
            && self.named(&name.text).is_none()
        {
            // Where it stands again nothing new is to be said.
            let tree = self.equation_here().map(|tree| tree.right.clone());
            if tree.is_some_and(|tree| self.index_too_many(&tree, name.span)) {
                return None;
            }
            if !self.told_unbound(&name.text) {
                let near = self.index_over(extent, &name.text);
                let one = errors::unbound_index(name.span, &name.text, near.as_deref());
                let sum = if near.is_none() { self.sum_over(&name.text) } else { None };
                // Wherever else it stands it is meant as the same.
                let again = near.iter().flat_map(|near| self.others_of(name, near));
                let sum: Vec<Edit> = sum.into_iter().chain(again).collect();
                self.push_with_left(one.edits(sum), &name.text);
            }
            return None;
        }
        let expr = self.expr(&arg.value, None)?;
        match (&expr.kind, &expr.sort) {
            (ExprKind::Int(poly), _) => {
                if !affine(poly) {
                    self.sink().push(errors::not_affine(arg.span));
                    return None;
                }
                let below = poly.minus(&extent.low);
                let above = extent.high().minus(poly);
                let (low, high) =
                    (self.facts.at_least_zero(&below), self.facts.at_least_zero(&above));
                if !(low && high) {
                    self.outside(arg, poly, extent, (told, !low, leaving));
                    return None;
                }
            }
            (_, Sort::Index { below, .. }) if expr.shape.is_empty() => {
                let fits = extent.low == Poly::number(0)
                    && self.facts.at_least_zero(&extent.size.minus(below));
                if !fits {
                    let text = show::poly(&self.def, below);
                    let one = errors::wrong_shape(
                        arg.span,
                        told,
                        &show::extent(&self.def, extent),
                        &format!("an index below {text}"),
                        None,
                    );
                    self.sink().push(one);
                    return None;
                }
            }
            (_, Sort::Int) if expr.shape.is_empty() && extent.low == Poly::number(0) => {
                self.inside_of(&expr, extent)?;
            }
            (_, Sort::Index { .. } | Sort::Real | Sort::Int | Sort::Bool) => {
                self.sink().push(errors::not_an_index(arg.span));
                return None;
            }
        }
        Some(expr)
    }

    /// An index with a default: where it lies inside is a condition.
    pub(super) fn guarded_index(
        &mut self,
        arg: &ast::Arg,
        extent: &Extent,
    ) -> Option<(Expr, Test)> {
        let expr = self.expr(&arg.value, None)?;
        let ExprKind::Int(poly) = &expr.kind else {
            self.sink().push(errors::not_an_index(arg.span));
            return None;
        };
        if !affine(poly) {
            self.sink().push(errors::not_affine(arg.span));
            return None;
        }
        let low = Test::less(poly.clone(), extent.low.clone()).opposite();
        let high = Test::less(extent.high(), poly.clone()).opposite();
        Some((expr.clone(), low.and(high)))
    }

    /// Tells of two indices that are in each other's place: `M[c, i]` for `M[i, c]`.
    pub(super) fn exchanged_indices(
        &mut self,
        indices: &[ast::Arg],
        shape: &[Extent],
        what: &str,
    ) -> bool {
        let over = |at: usize| {
            let name = bare(&indices[at])?;
            let var = self.in_scope(&name.text)?;
            self.seen.get(&var).map(|seen| (name, self.def.var(var).extent.clone(), seen))
        };
        for second in 0..indices.len() {
            for first in 0..second {
                let (Some((name, own, (place, told))), Some((other, theirs, _))) =
                    (over(first), over(second))
                else {
                    continue;
                };
                if own == theirs || own != shape[second] || theirs != shape[first] {
                    continue;
                }
                let axis = show::extent(&self.def, &shape[first]);
                let here = super::range::axis_of(first, shape.len(), what);
                let near = Some(other.text.as_str());
                let one =
                    errors::two_dims(name.span, &name.text, (&axis, &here), (*place, told), near);
                let one = one.help(format!("exchange `{}` and `{}`", name.text, other.text));
                let one = one.edit(other.span, name.text.clone());
                self.sink().push(one);
                return true;
            }
        }
        false
    }

    /// Tells of a state that is indexed by time: `s[t] = s[t - 1] + x`.
    pub(super) fn time_as_index(
        &mut self,
        found: &Found,
        indices: &[ast::Arg],
        span: Span,
    ) -> bool {
        let ([index], Some(tree)) = (indices, self.equation_here()) else { return false };
        let (ast::ExprKind::Binary(ast::BinaryOp::Sub, time, _), [segment]) =
            (&index.value.kind, &tree.left.segments[..])
        else {
            return false;
        };
        let time = self.text(time.span).to_owned();
        let left = segment.brackets.as_deref().unwrap_or_default();
        let same = left.len() == 1 && self.text(left[0].span) == time;
        if !found.is_state
            || !same
            || segment.name.text != found.name
            || !["t", "time", "step"].contains(&time.as_str())
        {
            return false;
        }
        let mut places = Vec::new();
        trees::indices_of(&tree.right, &time, &mut places);
        let gone = Span { start: segment.name.span.end, ..tree.left.span };
        let edits = [Edit::new(gone, ""), Edit::new(span, format!("prev {}", found.name))];
        let edits = edits.into_iter().filter(|_| places.len() == 1);
        let text = self.text(index.value.span).to_owned();
        let one = errors::outside(index.span, &text, true, "a state", "");
        let one = errors::time_as_index(one, &found.name).edits(edits);
        self.sink().push(one);
        true
    }

    fn outside(
        &mut self,
        arg: &ast::Arg,
        poly: &Poly,
        extent: &Extent,
        (told, below, leaving): (&str, bool, Leaving),
    ) {
        let one = match poly.as_var().and_then(|var| self.seen.get(&var).map(|seen| (var, seen))) {
            Some((var, (span, first))) => {
                let name = &self.def.var(var).name;
                let axis = show::extent(&self.def, extent);
                let other = self
                    .scope
                    .iter()
                    .find(|(_, other)| self.def.var(*other).extent == *extent)
                    .map(|(other, _)| other.as_str());
                let one = errors::two_dims(arg.span, name, (&axis, told), (*span, first), other);
                let bound = self.def.var(var).span;
                let second =
                    if other.is_none() { self.second_index(bound, arg.span) } else { Vec::new() };
                one.edits(second)
            }
            None => {
                let text = self.text(arg.value.span).to_owned();
                let size = show::poly(&self.def, &extent.size);
                let one = errors::outside(arg.span, &text, below, told, &size);
                let one = self.with_ranges(one, poly);
                let number = matches!(arg.value.kind, ast::ExprKind::Number(..))
                    || *poly == extent.high().add(1);
                let from_the_end = extent.high().plus(poly).add(1);
                let negative = below
                    && self.facts.at_least_zero(&poly.times(&Poly::number(-1)).add(-1))
                    && poly.as_number().is_some()
                    && self.facts.at_least_zero(&from_the_end);
                match leaving {
                    _ if negative => {
                        let meant = show::poly(&self.def, &from_the_end);
                        errors::from_the_end(one, arg.value.span, &meant)
                    }
                    // A number names one entry, and there is none of that number.
                    _ if number => {
                        let last = show::poly(&self.def, &extent.high());
                        errors::no_such_entry(one, arg.value.span, &last)
                    }
                    Leaving::Defaults => one.edit(arg.value.span.after(), " else 0"),
                    Leaving::Refused if told.contains("member") => one,
                    Leaving::Wraps => errors::outside_round(one, arg.value.span, &text, &size),
                    Leaving::Refused => errors::outside_wrapped(one, arg.value.span, &text, &size),
                }
            }
        };
        self.sink().push(one);
    }
}

// ---- indices that nothing binds -------------------------------------------------------------------

impl Cx<'_, '_> {
    /// Tells of an equation whose left side names other indices than its right side needs: none, as in
    /// `moved = w[i]`, or one that stands nowhere else, as in `moved[j] = w[i]`. The replacement names
    /// them on the left.
    pub(super) fn left_without_indices(&mut self, id: ValueId, tree: &ast::Equation) -> bool {
        let [segment] = &tree.left.segments[..] else { return false };
        let mut free: Vec<&ast::Name> = Vec::new();
        trees::free_indices(&tree.right, &mut Vec::new(), &mut free);
        let indices = segment.brackets.as_deref().unwrap_or_default();
        let Some(left) = indices.iter().map(bare).collect::<Option<Vec<_>>>() else { return false };
        let written = |name: &ast::Name| left.iter().any(|one| one.text == name.text);
        free.retain(|name| {
            let known = self.named(&name.text).is_some() || self.in_scope(&name.text).is_some();
            !known && !written(name)
        });
        let first = free.first().map(|name| (name.span, name.text.clone()));
        let Some((span, name)) = first else { return false };
        if self.index_too_many(&tree.right, span) {
            return true;
        }
        let mut all: Vec<&str> = Vec::new();
        for one in &free {
            if !all.contains(&one.text.as_str()) {
                all.push(&one.text);
            }
        }
        let known = self.shape_known(id).then(|| self.def.value(id).shape.clone());
        let fits = match &known {
            Some(shape) => {
                shape.len() == all.len()
                    && all.iter().zip(shape).all(|(name, axis)| {
                        self.infer(name, &[&tree.right]).is_some_and(|(extent, _)| extent == *axis)
                    })
            }
            None => !matches!(tree.right.kind, ast::ExprKind::For(..)),
        };
        let unused = |one: &&&ast::Name| {
            let mut places = Vec::new();
            trees::indices_of(&tree.right, &one.text, &mut places);
            places.is_empty()
        };
        let (meant, edit) = match (&left[..], &left.iter().filter(unused).collect::<Vec<_>>()[..]) {
            ([], _) if fits => {
                let brackets = format!("[{}]", all.join(", "));
                (
                    format!("{}{brackets}", segment.name.text),
                    Edit::new(segment.name.span.after(), brackets),
                )
            }
            ([.., last], [])
                if known.as_ref().is_some_and(|shape| {
                    shape.len() == left.len() + all.len()
                        && all.iter().zip(&shape[left.len()..]).all(|(name, axis)| {
                            self.infer(name, &[&tree.right])
                                .is_some_and(|(extent, _)| extent == *axis)
                        })
                }) =>
            {
                let more = format!(", {}", all.join(", "));
                let names: Vec<&str> = left.iter().map(|one| one.text.as_str()).collect();
                let meant = format!("{}[{}{more}]", segment.name.text, names.join(", "));
                (meant, Edit::new(last.span.after(), more))
            }
            (_, [other]) if known.is_none() && all.len() == 1 => {
                let renamed: Vec<&str> = left
                    .iter()
                    .map(|one| if one.text == other.text { name.as_str() } else { &one.text })
                    .collect();
                let meant = format!("{}[{}]", segment.name.text, renamed.join(", "));
                (meant, Edit::new(other.span, name.clone()))
            }
            _ => return false,
        };
        let one = errors::unnamed_on_the_left(span, &name, &meant, tree.left.span);
        self.sink().push(one.edits([edit]));
        true
    }

    /// Whether it was told in the equation being checked that an index is not bound.
    fn told_unbound(&mut self, name: &str) -> bool {
        let Some(whole) = self.equation_here().map(|tree| tree.span) else { return false };
        let told: Vec<Span> = self
            .global
            .sink
            .iter()
            .filter(|one| one.code.0 == "E0201")
            .map(|one| one.primary.span)
            .filter(|span| {
                whole.file == span.file && whole.start <= span.start && span.end <= whole.end
            })
            .collect();
        told.into_iter().any(|span| self.text(span) == name)
    }
}

/// Whether no product of index variables occurs.
fn affine(poly: &Poly) -> bool {
    poly.terms().all(|(product, _)| {
        let varies = |atom: &&Atom| matches!(atom, Atom::Var(_) | Atom::Mod(..) | Atom::If(..));
        product.iter().filter(varies).count() <= 1
    })
}

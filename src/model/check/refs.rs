//! References: a path of names with indices becomes a read of one value.

use crate::diag::{Edit, nearest};
use crate::source::Span;
use crate::syntax::ast;

use super::super::errors;
use super::super::int::{Atom, DimId, FlagId, Poly, Substitution, Test, VarId};
use super::super::typed::{Expr, ExprKind, Extent, ParamKind, PartId, Sort, ValueId, ValueKind};
use super::declare::{Cx, Named, known};
use super::range::axis_of;
use super::repairs::usual_start;

/// One index of a read: given, or running over a whole family.
pub(super) enum At {
    Given(Expr),
    Gather(Extent, String),
}

/// A value found by its path, in the caller's terms.
pub(super) struct Found {
    pub(super) at: Vec<At>,
    pub(super) value: ValueId,
    pub(super) inner: Vec<ValueId>,
    pub(super) name: String,
    pub(super) shape: Vec<Extent>,
    pub(super) sort: Sort,
    pub(super) is_state: bool,
    pub(super) is_param: bool,
    pub(super) place: Span,
}

impl Cx<'_, '_> {
    /// A name, a path, an indexed value or a call.
    pub(super) fn reference(
        &mut self,
        tree: &ast::Ref,
        prev: bool,
        want: Option<&[Extent]>,
        span: Span,
    ) -> Option<Expr> {
        let first = &tree.segments[0];
        if let [segment] = &tree.segments[..] {
            if segment.args.is_some() {
                if prev {
                    let one = errors::prev_of_call(span, &segment.name.text);
                    self.sink().push(one);
                    return None;
                }
                return self.call(segment, None, want, span);
            }
            if let Some(result) = self.word(segment, prev, span) {
                return result;
            }
        }
        if let Some(bad) = tree.segments.iter().find(|segment| segment.args.is_some()) {
            let first = &tree.segments[0].name;
            let called = self.global.modules[self.module].scope.contains_key(&bad.name.text)
                || super::builtins::names().any(|name| name == bad.name.text);
            let one = if called && self.named(&first.text).is_none() {
                let gone = Span { end: bad.name.span.start, ..first.span };
                errors::without_prefix(gone, &first.text, &bad.name.text)
            } else {
                errors::not_callable(bad.name.span, &bad.name.text)
            };
            self.sink().push(one);
            return None;
        }
        let Some(named) = self.named(&first.name.text) else {
            let inner = tree.segments.get(1).map(|segment| segment.name.text.as_str());
            return self.unknown(&first.name, inner);
        };
        if prev && self.looks_back(tree, span) {
            return None;
        }
        let (found, rest) = self.walk(named, tree)?;
        self.time(&found, prev, span)?;
        self.read(found, rest, prev, span)
    }

    /// A single name that is no value: an index, a dim, a truth value, a word of starts.
    fn word(&mut self, segment: &ast::Segment, prev: bool, span: Span) -> Option<Option<Expr>> {
        let name = &segment.name;
        let whole = |poly: Poly| {
            Some(Expr { kind: ExprKind::Int(poly), span, shape: Vec::new(), sort: Sort::Int })
        };
        let plain = segment.brackets.is_none() && !prev;
        if plain
            && let Some((_, var)) = self.scope.iter().rev().find(|(known, _)| *known == name.text)
        {
            return Some(whole(Poly::var(*var)));
        }
        match self.named(&name.text) {
            Some(Named::Dim(dim)) => Some(match &segment.brackets {
                None => whole(Poly::dim(dim)),
                Some(indices) => {
                    let at = indices.first().and_then(|index| self.poly(&index.value));
                    self.members_differ(at.as_ref());
                    at.and_then(|at| whole(Poly::atom(Atom::Item(dim, Box::new(at)))))
                }
            }),
            Some(Named::Flag(flag)) => Some(Some(known(Test::Flag(flag), span))),
            Some(Named::Value(_) | Named::Part(_)) => None,
            None if plain => match name.text.as_str() {
                "true" => Some(Some(known(Test::Known(true), span))),
                "false" => Some(Some(known(Test::Known(false), span))),
                "learned" | "uniform" => Some(self.start_word(&name.text, span)),
                _ => None,
            },
            None => None,
        }
    }

    /// A name that nothing declares; `inner` is what is asked of it.
    pub(super) fn unknown(&mut self, name: &ast::Name, inner: Option<&str>) -> Option<Expr> {
        let mut names = self.visible();
        names.extend(self.scope.iter().map(|(name, _)| name.clone()));
        let has = |name: &&String| match (self.named(name), inner) {
            (Some(Named::Part(part)), Some(inner)) => {
                self.names[part.0 as usize].contains_key(inner)
            }
            _ => false,
        };
        let part = names.iter().find(has).map(String::as_str);
        // Words that only a start may be made of.
        let starts: &[&str] = if self.start.is_some() { &["learned", "uniform"] } else { &[] };
        let known = names.iter().map(String::as_str).chain(starts.iter().copied());
        let start = super::builtins::start_elsewhere(&name.text);
        if let Some(start) = start.filter(|_| self.start.is_some()) {
            let one = errors::unknown_value(name.span, &name.text, Some((start, None)));
            self.sink().push(one);
            return None;
        }
        let defined = self.global.modules[self.module].scope.contains_key(&name.text);
        if defined || super::builtins::names().any(|one| one == name.text) {
            self.sink().push(errors::called_without_arguments(name.span, &name.text));
            return None;
        }
        let truth = ["true", "false"].into_iter().find(|one| name.text.eq_ignore_ascii_case(one));
        let inside = if part.is_none() { self.inside_a_part(&name.text) } else { None };
        let near = truth.or_else(|| nearest(&name.text, known)).or(part);
        let near = near.map(|near| (near.to_owned(), self.named(near).map(|n| self.place(n))));
        // The very name in a part says more than one that is like it.
        let near = inside.or(near);
        let near = near.as_ref().map(|(near, place)| (near.as_str(), *place));
        let one = errors::unknown_value(name.span, &name.text, near);
        self.sink().push(one);
        None
    }

    /// A value of that name in a part that can be seen from here: `write.v` for `v`.
    fn inside_a_part(&self, name: &str) -> Option<(String, Option<Span>)> {
        let text = self.equation_here().map_or("", |tree| self.text(tree.span));
        let mut all = self.visible();
        // Of several, the one that the equation speaks of.
        all.sort_by_key(|outer| !super::meant::speaks_of(text, outer));
        all.into_iter().find_map(|outer| {
            let Some(Named::Part(part)) = self.named(&outer) else { return None };
            let own = self.def.around(self.part).any(|around| around == part);
            let value = self.names[part.0 as usize].get(name).filter(|_| !own)?;
            matches!(value, Named::Value(_))
                .then(|| (format!("{outer}.{name}"), Some(self.place(*value))))
        })
    }

    // ---- paths ------------------------------------------------------------------------------

    /// Follows the segments of a path; returns the value and the brackets that index its own axes.
    fn walk<'t>(&mut self, named: Named, tree: &'t ast::Ref) -> Option<(Found, &'t [ast::Arg])> {
        let mut at: Vec<At> = Vec::new();
        let mut named = named;
        for (depth, segment) in tree.segments.iter().enumerate() {
            let last = depth + 1 == tree.segments.len();
            let brackets = segment.brackets.as_deref().unwrap_or_default();
            match named {
                Named::Value(id) => {
                    if depth == 0 {
                        at = self.own_families(self.def.value(id).part);
                    }
                    if !last {
                        let next = &tree.segments[depth + 1].name;
                        let place = self.def.value(id).span;
                        let (name, member) = (&segment.name.text, &next.text);
                        let one = errors::no_members(next.span, name, member, place);
                        self.sink().push(one);
                        return None;
                    }
                    return Some((self.found(at, id)?, brackets));
                }
                Named::Part(part) => {
                    if depth == 0 {
                        let parent = self.def.part(part).parent.unwrap_or(PartId(0));
                        at = self.own_families(parent);
                    }
                    let rest = self.member(part, brackets, &mut at)?;
                    let instance = self.def.part(part).instance;
                    if last {
                        let Some(id) = instance else {
                            let names = &self.names[part.0 as usize];
                            let value = names.keys().next().map(String::as_str);
                            let name = &segment.name;
                            // The indices of a family belong to it, not to its value.
                            let bracket = segment.brackets.iter().flatten().last();
                            let end = bracket.map_or(name.span.end, |last| last.span.end + 1);
                            let whole = Span { end, ..name.span };
                            let one = errors::part_as_value(whole, &name.text, value);
                            self.sink().push(one);
                            return None;
                        };
                        return Some((self.found(at, id)?, rest));
                    }
                    if let Some(bad) = rest.first() {
                        let what = format!("`{}`", segment.name.text);
                        let axes = usize::from(self.def.part(part).family.is_some());
                        let one = errors::too_many_indices(bad.span, &what, axes, brackets.len());
                        self.sink().push(one);
                        return None;
                    }
                    if let Some(id) = instance {
                        return self.inside(at, id, &tree.segments[depth + 1..]);
                    }
                    let next = &tree.segments[depth + 1].name;
                    named = self.named_in(part, &segment.name, next)?;
                }
                Named::Dim(_) | Named::Flag(_) => {
                    let rest = Span { start: segment.name.span.end, ..tree.span };
                    let one = errors::no_parts(segment.name.span, &segment.name.text, rest);
                    self.sink().push(one);
                    return None;
                }
            }
        }
        None
    }

    /// What a name means in a part.
    pub(super) fn named_in(
        &mut self,
        part: PartId,
        of: &ast::Name,
        name: &ast::Name,
    ) -> Option<Named> {
        let names = &self.names[part.0 as usize];
        let found = names.get(&name.text).copied();
        if found.is_none() {
            let known: Vec<&str> = names.keys().map(String::as_str).collect();
            let near = nearest(&name.text, known.iter().copied());
            let near = near.map(|near| (near, names.get(near).map(|n| self.place(*n))));
            let one = errors::unknown_member(name.span, &of.text, &name.text, near);
            let one = if near.is_none() { errors::has_members(one, &of.text, &known) } else { one };
            self.sink().push(one);
        }
        found
    }

    /// The indices of the families around a part, as seen from inside.
    fn own_families(&self, part: PartId) -> Vec<At> {
        let own = |var: VarId| {
            let span = self.def.var(var).span;
            let kind = ExprKind::Int(Poly::var(var));
            At::Given(Expr { kind, span, shape: Vec::new(), sort: Sort::Int })
        };
        self.def.families(part).into_iter().map(own).collect()
    }

    /// One family step of a path; returns the brackets that are left.
    fn member<'t>(
        &mut self,
        part: PartId,
        brackets: &'t [ast::Arg],
        at: &mut Vec<At>,
    ) -> Option<&'t [ast::Arg]> {
        let Some(var) = self.def.part(part).family else { return Some(brackets) };
        let extent = self.def.var(var).extent.clone();
        let name = self.def.part(part).name.clone();
        let Some((first, rest)) = brackets.split_first() else {
            at.push(At::Gather(extent, name));
            return Some(brackets);
        };
        let what = axis_of(0, 1, &format!("of the members of `{name}`"));
        let index = self.index(first, &extent, &what)?;
        at.push(At::Given(index));
        Some(rest)
    }

    /// A value of this definition.
    fn found(&mut self, at: Vec<At>, id: ValueId) -> Option<Found> {
        // What is declared can be read before its equation is checked.
        let ready = if self.shape_known(id) { !self.broken.contains(&id) } else { self.ensure(id) };
        if !ready {
            return None;
        }
        let value = self.def.value(id);
        Some(Found {
            at,
            value: id,
            inner: Vec::new(),
            name: value.name.clone(),
            shape: value.shape.clone(),
            sort: value.sort.clone(),
            is_state: matches!(value.kind, ValueKind::State(..)),
            is_param: matches!(value.kind, ValueKind::Param(_)),
            place: value.span,
        })
    }

    // ---- reads ------------------------------------------------------------------------------

    /// `prev` needs a state; a start needs what exists before the first step.
    fn time(&mut self, found: &Found, prev: bool, span: Span) -> Option<()> {
        if prev && !found.is_state {
            if self.misspelt_state(&found.name).is_some() {
                // Told at the state.
                return None;
            }
            let written = self.text(span).trim_start_matches("prev").trim();
            // The value is carried whole: what indexes it stays where it is.
            let own = written.rfind('.').map_or(0, |at| at + 1);
            let end = written[own..].find('[').map_or(written.len(), |at| own + at);
            let (path, indices) = (written[..end].trim().to_owned(), written[end..].to_owned());
            let shape = self.bracketed(&found.shape);
            // Of a whole family there is no state beside it.
            let whole = found.at.iter().any(|at| matches!(at, At::Gather(..)));
            let carried = self.carried(found.value, (&path, &indices), &shape, span);
            let edits = if whole { Vec::new() } else { carried.edits };
            let name =
                if found.inner.is_empty() && !found.name.is_empty() { &found.name } else { &path };
            let one = errors::prev_of_value(span, name, found.place, &carried.state);
            self.sink().push(one.edits(edits));
            return None;
        }
        if self.start.is_some() && !found.is_param && !self.is_number_of_model(found) {
            let one = errors::only_at_a_step(span, &found.name, found.place);
            let usual = self.start.as_ref().map(|(domain, _)| usual_start(domain));
            self.sink().push(match usual {
                Some(usual) => errors::start_instead(one, span, &usual),
                None => one,
            });
            return None;
        }
        Some(())
    }

    /// Whether this is a number in the signature of a model: known when the model is built.
    fn is_number_of_model(&self, found: &Found) -> bool {
        let number = |kind: &ParamKind| match kind {
            ParamKind::Plain(id, Some(_)) => *id == found.value && found.inner.is_empty(),
            ParamKind::Plain(_, None)
            | ParamKind::Emit(_)
            | ParamKind::Param(_)
            | ParamKind::State(_)
            | ParamKind::Int(_)
            | ParamKind::Flag(_) => false,
        };
        self.is_model && self.def.params.iter().any(|param| number(&param.kind))
    }

    /// The read of a found value with the indices of its own axes.
    fn read(&mut self, found: Found, indices: &[ast::Arg], prev: bool, span: Span) -> Option<Expr> {
        if indices.len() > found.shape.len() {
            let what = format!("`{}{}`", found.name, self.bracketed(&found.shape));
            let one = errors::too_many_indices(span, &what, found.shape.len(), indices.len());
            let edits = self.shortened(indices, found.shape.len());
            let one = one.label(found.place, format!("`{}` is declared here", found.name));
            self.sink().push(one.edits(edits));
            return None;
        }
        if !prev {
            self.siblings(&found, span)?;
        }
        let mut at = Vec::new();
        let mut gathered = Vec::new();
        let mut found = found;
        let families = self.def.families(self.def.value(found.value).part);
        for (depth, one) in std::mem::take(&mut found.at).into_iter().enumerate() {
            let own = families.get(depth).copied();
            match one {
                At::Given(index) => {
                    // A member's shape may depend on its number.
                    if let (Some(own), ExprKind::Int(poly)) = (own, &index.kind) {
                        member_shape(&mut found.shape, own, poly);
                    }
                    at.push(index);
                }
                At::Gather(extent, family) => {
                    let ragged = found
                        .shape
                        .iter()
                        .any(|axis| own.is_some_and(|own| axis.size.mentions(own)));
                    if ragged && !self.joining {
                        self.sink().push(errors::ragged(span, &family));
                        return None;
                    }
                    let var = self.add_var(String::new(), span, extent.clone());
                    if let Some(own) = own {
                        member_shape(&mut found.shape, own, &Poly::var(var));
                    }
                    gathered.push((var, extent));
                    let kind = ExprKind::Int(Poly::var(var));
                    at.push(Expr { kind, span, shape: Vec::new(), sort: Sort::Int });
                }
            }
        }
        let what = format!("of `{}{}`", found.name, self.bracketed(&found.shape));
        if !prev && self.time_as_index(&found, indices, span)
            || self.exchanged_indices(indices, &found.shape, &what)
        {
            return None;
        }
        let mut default = None;
        for (axis, index) in indices.iter().enumerate() {
            let told = axis_of(axis, found.shape.len(), &what);
            let extent = &found.shape[axis];
            let checked = match &index.default {
                None => self.index_or_default(index, extent, &told, &found)?,
                Some(tree) => {
                    let (checked, test) = self.guarded_index(index, extent)?;
                    default = Some((test, tree));
                    checked
                }
            };
            at.push(checked);
        }
        let rest = found.shape[indices.len()..].to_vec();
        let kind =
            ExprKind::Read { value: found.value, inner: found.inner, prev, part: self.part, at };
        let mut expr = Expr { kind, span, shape: rest.clone(), sort: found.sort };
        if let Some((test, tree)) = default {
            let other = self.expr(tree, Some(&rest))?;
            if !other.shape.is_empty() && other.shape != rest {
                self.mismatch(span, &expr, &other);
                return None;
            }
            let sort = self.common_sort(&[expr.clone(), other.clone()])?;
            let kind = ExprKind::Inside(test, Box::new(expr), Box::new(other));
            expr = Expr { kind, span, shape: rest, sort };
        }
        if gathered.is_empty() {
            return Some(expr);
        }
        let (vars, mut shape): (Vec<VarId>, Vec<Extent>) = gathered.into_iter().unzip();
        shape.extend(expr.shape.clone());
        let sort = super::whole::sort_of_entries(&expr, None);
        Some(Expr { kind: ExprKind::For(vars, Box::new(expr)), span, shape, sort })
    }

    /// A family with an entry of a list for each member: the members are built in order, so that
    /// each is made for its own entry.
    fn members_differ(&mut self, at: Option<&Poly>) {
        let Some(at) = at else { return };
        let around: Vec<PartId> = self.def.around(self.part).collect();
        for part in around {
            let own = self.def.part(part).family.is_some_and(|var| at.mentions(var));
            self.def.parts[part.0 as usize].in_order |= own;
        }
    }

    /// A member that looks at another of its family makes the family one built in order.
    fn siblings(&mut self, found: &Found, span: Span) -> Option<()> {
        let part = self.def.value(found.value).part;
        let owners: Vec<PartId> = {
            let mut all: Vec<PartId> =
                self.def.around(part).filter(|p| self.def.part(*p).family.is_some()).collect();
            all.reverse();
            all
        };
        let here: Vec<PartId> = self.def.around(self.part).collect();
        for (owner, at) in owners.into_iter().zip(&found.at) {
            let Some(own) = self.def.part(owner).family else { continue };
            if !here.contains(&owner) {
                continue;
            }
            let earlier = match at {
                At::Given(Expr { kind: ExprKind::Int(poly), .. }) => {
                    if poly.as_var() == Some(own) {
                        continue;
                    }
                    let gap = Poly::var(own).minus(poly).add(-1);
                    self.facts.at_least_zero(&gap)
                }
                At::Given(_) | At::Gather(..) => false,
            };
            if !earlier {
                let name = self.def.part(owner).name.clone();
                let one = errors::later_member(span, &name);
                let back = found.is_state.then(|| Edit::new(span.before(), "prev "));
                self.sink().push(one.edits(back));
                return None;
            }
            self.def.parts[owner.0 as usize].in_order = true;
            // All of an earlier member is earlier, whichever members lie in it.
            return Some(());
        }
        Some(())
    }
}

/// A shape with one family's variable replaced by a member's number.
fn member_shape(shape: &mut [Extent], family: VarId, number: &Poly) {
    struct Member<'a>(VarId, &'a Poly);
    impl Substitution for Member<'_> {
        fn dim(&self, dim: DimId) -> Poly {
            Poly::dim(dim)
        }
        fn var(&self, var: VarId) -> Poly {
            if var == self.0 { self.1.clone() } else { Poly::var(var) }
        }
        fn flag(&self, flag: FlagId) -> Test {
            Test::Flag(flag)
        }
        fn item(&self, list: DimId, at: Poly) -> Poly {
            Poly::atom(Atom::Item(list, Box::new(at)))
        }
        fn sum(&self, var: VarId, count: Poly, body: &Poly) -> Poly {
            Poly::sum(var, count, &body.map(self))
        }
    }
    let by = Member(family, number);
    for axis in shape {
        *axis = Extent { low: axis.low.map(&by), size: axis.size.map(&by) };
    }
}

//! What was meant where shapes do not fit: an index left out or one too many, a learned map, sizes in the
//! wrong brackets.
//!
//! In: expressions with their shapes, and the indices in scope. Out: edits, or a message of its own.
//! Invariant: an edit gives what it changes the shape that is wanted there.

use std::sync::Arc;

use crate::diag::{Diagnostic, Edit};
use crate::source::Span;
use crate::syntax::ast;

use super::super::typed::{Def, DimKind, Expr, Extent, Param, ParamKind, ValueId, ValueKind};
use super::super::{errors, show};
use super::arguments::array_of;
use super::calls::Binding;
use super::declare::{Cx, Named, Pending};
use super::equations::bare;
use super::repairs::words;

/// Functions of a whole axis that give one.
const WHOLE: &[&str] = &["softmax", "argsort", "rank", "top"];

impl Cx<'_, '_> {
    /// The brackets that read one entry or row of a value at the indices in scope: `[i]` for an axis that
    /// just one of them runs over.
    fn brackets_here(&self, found: &Expr, axes: &[Extent]) -> Option<Edit> {
        let plain = |c: char| c.is_alphanumeric() || " ._".contains(c);
        if axes.is_empty() || !self.text(found.span).chars().all(plain) {
            return None;
        }
        let families = self.def.families(self.part);
        let mut names: Vec<&str> = Vec::new();
        for axis in axes {
            let over = |(name, var): &&(String, _)| {
                !families.contains(var)
                    && self.def.var(*var).extent == *axis
                    && !names.contains(&name.as_str())
            };
            let mut all = self.scope.iter().filter(over);
            let (name, _) = all.next()?;
            if all.next().is_some() {
                return None;
            }
            names.push(name);
        }
        Some(Edit::new(found.span.after(), format!("[{}]", names.join(", "))))
    }

    /// A row of an array where the array is given: `M[i]` for `M`.
    pub(super) fn row_here(&self, found: &Expr, wanted: &[Extent]) -> Option<Edit> {
        let extra = found.shape.len().checked_sub(wanted.len()).filter(|extra| *extra > 0)?;
        if found.shape[extra..] != *wanted {
            return None;
        }
        self.brackets_here(found, &found.shape[..extra])
    }

    /// Entries of two arrays that do not fit as wholes: `w[i] * a[c]` for `w * a`.
    pub(super) fn entries_here(&self, left: &Expr, right: &Expr) -> Vec<Edit> {
        let both = [left, right].map(|one| self.brackets_here(one, &one.shape));
        both.into_iter().collect::<Option<Vec<_>>>().unwrap_or_default()
    }

    /// A learned map where a vector of another size is given for the result of a model, whose size the
    /// task binds: `emit y[Y] from cat(h, r)` for `y = cat(h, r)`.
    pub(super) fn learned_result(&self, id: ValueId, found: &Expr) -> Vec<Edit> {
        let Some(tree) = self.equation_here() else { return Vec::new() };
        let [axis] = &self.def.value(id).shape[..] else { return Vec::new() };
        let bound = axis.size.as_dim().map(|dim| &self.def.dims[dim.0 as usize]);
        let open = bound.is_some_and(|dim| matches!(dim.kind, DimKind::Implicit));
        let plain = tree.left.segments.len() == 1 && tree.left.segments[0].brackets.is_none();
        let computed = matches!(self.def.value(id).kind, ValueKind::Computed(_));
        if !self.is_model || id != self.def.result || !open || !plain || !computed {
            return Vec::new();
        }
        if found.shape.len() != 1 || tree.left.span.start < tree.span.start {
            return Vec::new();
        }
        let start = Span { end: tree.right.span.start, ..tree.left.span };
        let (name, shape) =
            (&tree.left.segments[0].name.text, self.shown(std::slice::from_ref(axis)));
        vec![Edit::new(start, format!("emit {name}{shape} from "))]
    }

    /// Of these values the one that an equation gives and nothing reads, where there is just one.
    pub(super) fn never_read<'n>(&self, known: &[&'n str]) -> Option<&'n str> {
        let equations = self.pending.values().map(|pending| match pending {
            Pending::Equation(tree, _) => tree.right.span,
            Pending::Call(tree, _) => tree.span,
        });
        let emitted = self.emits.iter().map(|(_, tree, _)| tree.span);
        let places: Vec<Span> = equations.chain(emitted).collect();
        let read = |name: &str| places.iter().any(|place| speaks_of(self.text(*place), name));
        let given = |name: &str| matches!(self.named(name), Some(Named::Value(id)) if self.pending.contains_key(&id));
        let mut unread = known.iter().copied().filter(|name| given(name) && !read(name));
        unread.next().filter(|_| unread.next().is_none())
    }

    /// The axes of an emitted result that was declared as a number: `emit y[Y]` for `emit y`.
    pub(super) fn shape_of_result(&self, id: ValueId, wanted: &[Extent]) -> Option<Edit> {
        let value = self.def.value(id);
        let emitted = matches!(value.kind, ValueKind::Emission(_)) && value.shape.is_empty();
        let emitted = emitted && !self.text(value.span).contains('[');
        let name = Span { end: value.span.start + value.name.len() as u32, ..value.span };
        emitted.then(|| Edit::new(name.after(), self.shown(wanted)))
    }

    /// In place of what was told since `before` of the start of an emission that is made of values of a
    /// step: what it is emitted from was meant, `emit y[Y] from h` for `emit y[Y] = h`.
    pub(super) fn source_as_start(&mut self, id: ValueId, slot: &ast::Slot, before: usize) {
        let Some(tree) = &slot.value else { return };
        let emitted = matches!(self.def.value(id).kind, ValueKind::Emission(_));
        let told = self.sink().iter().skip(before).all(|one| one.code.0 == "E0307");
        let written = self.text(Span { end: tree.span.start, ..slot.span });
        let equals = written.rfind('=').map(|at| slot.span.start + at as u32);
        let Some(start) = equals.filter(|_| emitted && told && slot.span.start <= tree.span.start)
        else {
            return;
        };
        self.sink().truncate(before);
        let one = errors::source_as_start(tree.span, &slot.name.text);
        let place = Span { start, end: tree.span.start, ..slot.span };
        self.sink().push(one.edit(place, "from "));
    }

    /// Tells of an index that nothing binds, at the end of what a function of whole arrays is given:
    /// `softmax(score[i])` for `softmax(score)`.
    pub(super) fn index_too_many(&mut self, tree: &ast::Expr, place: Span) -> bool {
        let Some((index, edit)) = whole_array(tree, place) else { return false };
        let name = self.text(index).to_owned();
        let mut places = Vec::new();
        super::trees::indices_of(tree, &name, &mut places);
        if places.len() > 1 {
            return false;
        }
        let one = errors::index_of_a_whole(index, &name).edits([edit]);
        self.push_with_left(one, &name);
        true
    }

    /// The other places of an index in the equation being checked, under another name.
    pub(super) fn others_of(&self, name: &ast::Name, near: &str) -> Vec<Edit> {
        let mut places = Vec::new();
        if let Some(tree) = self.equation_here() {
            super::trees::indices_of(&tree.right, &name.text, &mut places);
        }
        let others = places.into_iter().filter(|place| *place != name.span);
        others.map(|place| Edit::new(place, near)).collect()
    }

    /// Tells of sizes in parentheses: `lstm(H, x)` for `lstm[H](x)`.
    pub(super) fn sizes_by_position(&mut self, def: &Def, segment: &ast::Segment) -> bool {
        let explicit = def.dims.iter().filter(|dim| matches!(dim.kind, DimKind::Explicit)).count();
        let all = segment.args.as_deref().unwrap_or_default();
        let is_size = |arg: &ast::Arg| {
            bare(arg).is_some_and(|name| matches!(self.named(&name.text), Some(Named::Dim(_))))
        };
        let at = all.iter().position(is_size).filter(|_| all.len() > 1);
        let Some(at) = at.filter(|_| explicit == 1 && segment.brackets.is_none()) else {
            return false;
        };
        let size = self.text(all[at].span).to_owned();
        let mut edits = vec![Edit::new(segment.name.span.after(), format!("[{size}]"))];
        edits.extend(self.without(all, at));
        let one = errors::size_by_position(all[at].span, &def.name, &size).edits(edits);
        self.sink().push(one);
        true
    }

    /// An argument that a call lacks, with what is most likely meant.
    pub(super) fn missing(
        &self,
        def: &Def,
        param: &Param,
        segment: &ast::Segment,
        (given, span): (&[Option<Arc<Expr>>], Span),
    ) -> Diagnostic {
        let shape = array_of(&param.kind).map(|value| &def.value(value).shape);
        let slot = match shape {
            Some(shape) if !shape.is_empty() => {
                format!("{}{}", param.name, show::shape(def, shape))
            }
            Some(_) | None => param.name.clone(),
        };
        let usual = shape.and_then(|shape| self.usual_argument(&param.name, shape));
        let all = segment.args.as_deref().unwrap_or_default();
        let written: Vec<&str> = all.iter().map(|arg| self.text(arg.span)).collect();
        let usual = usual.filter(|usual| !written.contains(&usual.as_str()));
        let edits = match &usual {
            Some(usual) => self.with_argument(segment, usual),
            None => self.emitted_instead(def, given),
        };
        let call = usual.as_deref().map(|usual| [&written[..], &[usual]].concat().join(", "));
        let one = errors::missing_argument(span, &def.name, &slot, call.as_deref());
        let one = if usual.is_none() && !edits.is_empty() {
            errors::emitted_argument(one, &slot)
        } else {
            one
        };
        one.edits(edits)
    }

    /// A size for a call that tells none: that of its first vector.
    pub(super) fn likely_size(&self, binding: &Binding, segment: &ast::Segment) -> Vec<Edit> {
        let vector = binding.args.iter().flatten().find(|arg| arg.shape.len() == 1);
        let Some(axis) = vector.and_then(|arg| arg.shape.first()) else { return Vec::new() };
        // A size that has the same name here is meant more likely than that of an argument.
        let open = (0..binding.dims.len()).find(|at| binding.dims[*at].is_none());
        let same = open.map(|at| binding.def.dims[at].name.clone());
        let same = same.filter(|name| self.def.dims.iter().any(|dim| dim.name == *name));
        let size = same.unwrap_or_else(|| show::extent(&self.def, axis));
        match segment.brackets.as_deref() {
            None => vec![Edit::new(segment.name.span.after(), format!("[{size}]"))],
            Some([.., last]) => vec![Edit::new(last.span.after(), format!(", {size}"))],
            Some([]) => Vec::new(),
        }
    }

    /// Marks what is missing of a definition of this file as emitted, where the caller has nothing to give.
    pub(super) fn emitted_instead(&self, def: &Def, given: &[Option<Arc<Expr>>]) -> Vec<Edit> {
        let here = def.span.file == self.equation_here().map_or(def.span, |tree| tree.span).file;
        let missing = def.params.iter().zip(given).filter(|(param, given)| {
            given.is_none() && matches!(param.kind, ParamKind::Plain(_, None))
        });
        let edits = missing.map(|(param, _)| Edit::new(param.span.before(), "emit "));
        edits.filter(|_| here).collect()
    }
}

/// The last index of a read that is a whole argument of a call, if it stands at a place, and the change
/// that takes it out.
fn whole_array(tree: &ast::Expr, place: Span) -> Option<(Span, Edit)> {
    if let ast::ExprKind::Ref(one) | ast::ExprKind::Pipe(_, one) = &tree.kind {
        let calls = one.segments.iter().flat_map(|segment| {
            let scalar = crate::op::Scalar::named(&segment.name.text).is_some();
            let entry_by_entry = WHOLE.contains(&segment.name.text.as_str());
            let all = segment.args.iter().flatten().filter(move |_| !scalar);
            all.map(move |arg| (arg, entry_by_entry))
        });
        for (arg, entry_by_entry) in calls {
            let (ast::ExprKind::Ref(read) | ast::ExprKind::Prev(read)) = &arg.value.kind else {
                continue;
            };
            let last = read.segments.last().and_then(|segment| {
                let brackets = segment.brackets.as_deref().filter(|_| segment.args.is_none())?;
                Some((segment, brackets, brackets.last()?))
            });
            let Some((segment, brackets, last)) = last.filter(|(.., last)| last.span == place)
            else {
                continue;
            };
            // A row may be meant where one index alone stands.
            if brackets.len() == 1 && !entry_by_entry {
                continue;
            }
            let start = match brackets {
                [.., before, _] => before.span.end,
                _ => segment.name.span.end,
            };
            let end = if brackets.len() > 1 { last.span.end } else { read.span.end };
            return Some((last.span, Edit::new(Span { start, end, ..place }, "")));
        }
    }
    super::trees::inner(tree).into_iter().find_map(|one| whole_array(one, place))
}

/// Whether a text is among the words of another.
pub(super) fn speaks_of(text: &str, word: &str) -> bool {
    words(text).any(|one| one == word)
}

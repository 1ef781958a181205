//! One mistake, one message: what only follows from another mistake is not told.
//!
//! In: the messages about a definition and what is known to be wrong in it. Out: those that stand for
//! mistakes of their own. Invariant: where something is wrong, at least one message stays.

use crate::diag::Diagnostic;
use crate::source::Span;
use crate::syntax::ast;

use super::super::errors;
use super::super::typed::{Param, ParamKind, ValueId};
use super::declare::{Cx, Named, Pending};
use super::repairs::words;
use super::trees;

/// The code of an index whose range cannot be seen.
const UNSEEN: &str = "E0203";

impl Cx<'_, '_> {
    /// Tells the circles of shapes that no other mistake explains, and forgets ranges that could not be
    /// seen because of another mistake.
    pub(super) fn tell_roots(&mut self, whole: Span) {
        let circles = std::mem::take(&mut self.circles);
        for circle in &circles {
            let explained = |id: &ValueId| {
                self.statement_of(*id)
                    .is_some_and(|span| self.wrong_within(span) || self.reads_misdeclared(span))
                    || self.misspelt_state(&self.def.value(*id).name).is_some()
            };
            if !circle.iter().any(explained) {
                self.tell_circle(circle);
            }
        }
        let mut kept = self.global.sink.clone();
        kept.retain(|one| one.code.0 != UNSEEN || !self.shape_lost(one));
        if kept.has_errors() || self.told_elsewhere(whole) {
            *self.sink() = kept;
        } else if let (Some(circle), false) = (circles.first(), self.sink().has_errors()) {
            self.tell_circle(circle);
        }
    }

    /// The range of an index cannot be seen; said only where everything it stands at is known.
    pub(super) fn unseen<T>(&mut self, span: Span, name: &str) -> Option<T> {
        let tree = self.equation_here().cloned();
        let mut arrays = Vec::new();
        if let Some(tree) = &tree {
            let inner = tree.left.segments[0].brackets.iter().flatten();
            let all = inner.map(|index| &index.value).chain([&tree.right]);
            all.for_each(|tree| trees::indexed_by(tree, name, &mut arrays));
        }
        let mut unknown = false;
        for array in arrays {
            unknown |= self.is_unknown(array);
        }
        if !unknown && !self.shares_call(span, name) {
            let edits = self.give_range(span, name);
            let left = tree.as_ref().filter(|tree| within(span, tree.left.span));
            let left = left.map(|tree| tree.left.segments[0].name.text.as_str());
            self.sink().push(errors::unseen_range(span, name, left).edits(edits));
        }
        None
    }

    /// Tells of a call on the right that emits or keeps state where an index on the left would repeat it,
    /// and that does not speak of the index: `c[n] = content(M)`.
    fn shares_call(&mut self, span: Span, name: &str) -> bool {
        let Some(tree) = self.equation_here().cloned() else { return false };
        let mut places = Vec::new();
        trees::indices_of(&tree.right, name, &mut places);
        if !within(span, tree.left.span) || !places.is_empty() {
            return false;
        }
        let Some(begun) = self.begun(&tree.right) else { return false };
        let def = self.global.checked.def(begun.def);
        let given = trees::arguments(&tree.right);
        let emitted = |param: &Param| {
            matches!(param.kind, ParamKind::Emit(_)) && !given.contains(&param.name.as_str())
        };
        let names: Vec<String> =
            def.params.iter().filter(|one| emitted(one)).map(|one| one.name.clone()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let emits = def.owns.emits || !names.is_empty();
        let (called, owns, range) = (def.name.clone(), def.owns, "R");
        let one = if owns.state {
            errors::state_under_index(tree.right.span, &called, name, range)
        } else if emits {
            errors::shared_emission(tree.right.span, (&called, &names), name, range)
        } else {
            return false;
        };
        self.sink().push(one);
        true
    }

    /// Whether a name of a path means nothing here, which is told.
    fn is_unknown(&mut self, path: &ast::Ref) -> bool {
        let first = &path.segments[0];
        if first.args.is_some() {
            let plain = ast::Segment { after: None, ..first.clone() };
            return self.call(&plain, None, None, first.name.span).is_none();
        }
        let Some(mut named) = self.named(&first.name.text) else {
            let inner = path.segments.get(1).map(|segment| segment.name.text.as_str());
            self.unknown(&first.name, inner);
            return true;
        };
        for two in path.segments.windows(2) {
            let Named::Part(part) = named else { return false };
            if self.def.part(part).instance.is_some() {
                return false;
            }
            match self.named_in(part, &two[0].name, &two[1].name) {
                Some(inner) => named = inner,
                None => return true,
            }
        }
        false
    }

    fn tell_circle(&mut self, circle: &[ValueId]) {
        let Some(first) = circle.first() else { return };
        let value = self.def.value(*first);
        let one = errors::needs_itself(value.span, &value.name.clone());
        self.sink().push(one);
    }

    /// The equation or call that defines a value.
    fn statement_of(&self, id: ValueId) -> Option<Span> {
        self.pending.get(&id).map(|pending| match pending {
            Pending::Equation(tree, _) => tree.span,
            Pending::Call(tree, _) => tree.span,
        })
    }

    /// Whether a mistake was found within a place.
    fn wrong_within(&self, span: Span) -> bool {
        let here = |one: &Diagnostic| one.code.0 != UNSEEN && within(one.primary.span, span);
        self.global.sink.iter().any(here) || self.told_elsewhere(span)
    }

    /// Whether a place speaks of a value that was declared wrongly, and so has no shape.
    fn reads_misdeclared(&self, span: Span) -> bool {
        let lost = self.broken.iter().filter(|id| !self.pending.contains_key(id));
        let lost: Vec<&str> = lost.map(|id| self.def.value(*id).name.as_str()).collect();
        words(self.text(span)).any(|word| lost.contains(&word))
    }

    /// Whether something within a place is wrong for a reason that is told elsewhere.
    fn told_elsewhere(&self, span: Span) -> bool {
        self.global.told.iter().any(|told| within(*told, span))
    }

    /// Whether an index has no range because of what its equation reads.
    fn shape_lost(&self, one: &Diagnostic) -> bool {
        let place = one.primary.span;
        let statement = |id: &ValueId| self.statement_of(*id).filter(|span| within(place, *span));
        let Some(span) = self.pending.keys().find_map(statement) else { return false };
        let own = |id: &ValueId| self.statement_of(*id) == Some(span);
        let name = |id: &ValueId| {
            let value = self.def.value(*id);
            // The value of `part name = call` has the name of the part.
            let part = self.def.part(value.part);
            if value.name.is_empty() { part.name.as_str() } else { value.name.as_str() }
        };
        let lost: Vec<&str> = self.broken.iter().filter(|id| !own(id)).map(name).collect();
        let defined: Vec<&str> = self.pending.keys().filter(|id| own(id)).map(name).collect();
        // A result or state under another name has no shape.
        let renamed = |one: &Diagnostic| {
            ["E0303", "E0309"].contains(&one.code.0)
                && one.edits.iter().any(|edit| defined.contains(&edit.text.as_str()))
        };
        self.global.sink.iter().any(renamed)
            || self.wrong_within(span)
            || words(self.text(span)).any(|word| lost.contains(&word))
    }
}

fn within(inner: Span, outer: Span) -> bool {
    inner.file == outer.file && outer.start <= inner.start && inner.end <= outer.end
}

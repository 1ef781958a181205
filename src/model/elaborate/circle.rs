//! Values that need each other within one step, as they are met while a model is built.
//!
//! In: the values that are being built, each for the one before. Out: one message for the first that
//! stands there twice. Most circles are found before, in one definition (`check::circles`); here are
//! those that depend on sizes, switches and members, or go through several definitions.

use crate::diag::Edit;
use crate::source::Span;

use super::super::errors::{self, LookBack};
use super::super::typed::{ExprKind, ValueKind};
use super::{Engine, Key};

impl Engine<'_> {
    /// The values that need each other, from the `at`th that is being built; the model's own where it
    /// has some among them, and a state first: its name where it is declared.
    fn circle(&self, at: usize) -> (Vec<(String, Span)>, Option<String>) {
        let running = &self.running[at..];
        let file = self.frames[0].def.span.file;
        let mut all: Vec<&(Key, String, Span)> = running.iter().collect();
        if running.iter().any(|(.., span)| span.file == file) {
            all.retain(|(.., span)| span.file == file);
        }
        let is_state = |key: &Key| {
            let def = &self.frames[key.frame.0].def;
            matches!(def.value(key.value).kind, ValueKind::State(..))
        };
        let first = all.iter().position(|(key, ..)| is_state(key));
        all.rotate_left(first.unwrap_or(0));
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|(_, path, _)| seen.insert(path));
        // What happens inside a definition of another file is shown where the model calls it.
        let place = |key: &Key, span: Span| match self.frames[key.frame.0].called {
            Some(called) if span.file != file => called,
            Some(_) | None => span,
        };
        let mut places: Vec<(String, Span)> = Vec::new();
        for (key, path, span) in all {
            let span = place(key, *span);
            if places.iter().all(|(_, known)| *known != span) {
                places.push((path.clone(), span));
            }
        }
        let state = running.iter().map(|(key, path, _)| (key, path)).find(|(key, _)| is_state(key));
        let state = state.map(|(key, path)| {
            let own = path.strip_prefix(&self.frames[key.frame.0].path).unwrap_or(path);
            own.trim_start_matches('.').to_owned()
        });
        (places, state)
    }

    /// Where the first state of a circle is read by the model's own equations on the way round it, at
    /// this step rather than one step ago.
    fn reads_in_circle(&self, at: usize) -> Vec<Span> {
        let running = &self.running[at..];
        let file = self.frames[0].def.span.file;
        let value_of = |key: &Key| self.frames[key.frame.0].def.value(key.value).clone();
        let is_state = |key: &&Key| {
            matches!(value_of(key).kind, ValueKind::State(..)) && value_of(key).span.file == file
        };
        let Some(state) = running.iter().map(|(key, ..)| key).find(is_state) else {
            return Vec::new();
        };
        let mut reads = Vec::new();
        for (key, ..) in running.iter().filter(|(key, ..)| key.frame == state.frame) {
            if let ValueKind::Computed(equation) | ValueKind::State(_, Some(equation)) =
                value_of(key).kind
            {
                equation.right.each(&mut |expr| {
                    if matches!(&expr.kind, ExprKind::Read { value, prev: false, inner, .. }
                        if *value == state.value && inner.is_empty())
                    {
                        reads.push(expr.span);
                    }
                });
            }
        }
        reads.sort();
        reads.dedup();
        reads
    }

    /// Marks a value as being built; `None` with a message when it needs itself.
    pub(super) fn begin(&mut self, key: &Key, path: &str, span: Span) -> Option<()> {
        if let Some(at) = self.places.get(key).copied() {
            // One circle has many ways round it; the first tells enough.
            if !std::mem::replace(&mut self.cyclic, true) {
                let (places, state) = self.circle(at);
                let reads = if state.is_some() { self.reads_in_circle(at) } else { Vec::new() };
                let back = state.as_deref().map_or(LookBack::Somewhere, LookBack::Read);
                let prevs = reads.iter().map(|read| Edit::new(read.before(), "prev "));
                self.sink.push(errors::cycle(&places, back).edits(prevs));
            }
            return None;
        }
        let limit = if self.running.len() >= super::DEEPEST {
            let text = format!("more than {} values build on each other", super::DEEPEST);
            Some(("the chain of values", text))
        } else if self.frames[key.frame.0].depth > super::MOST_CALLS {
            let text = format!("more than {} definitions call one another", super::MOST_CALLS);
            Some(("the chain of calls", text))
        } else {
            None
        };
        if let Some((what, text)) = limit {
            if !std::mem::replace(&mut self.cyclic, true) {
                self.sink.push(errors::too_large(span, what, &text));
            }
            return None;
        }
        self.places.insert(key.clone(), self.running.len());
        self.running.push((key.clone(), path.to_owned(), span));
        Some(())
    }

    /// The value that was begun last has been built.
    pub(super) fn end(&mut self) {
        if let Some((key, ..)) = self.running.pop() {
            self.places.remove(&key);
        }
    }
}

//! Diagnostics: what is wrong with a spec, where, and what to do about it.
//!
//! In: factories in the `errors.rs` of a room make [`Diagnostic`]s. Out: a collected list in source
//! order ([`Diagnostics`]) and its rendering ([`render`]). Invariant: a code never changes meaning.
//!
//! Where the compiler knows what would be right, a diagnostic carries [`Edit`]s: applied together they
//! make it vanish. They are computed, never guessed: their text uses the names of the spec.

mod draw;
mod edit;
mod github;
mod json;
mod names;

pub use draw::{Style, render};
pub use edit::{Edit, apply};
pub use github::{github, github_plain};
pub use json::json;
pub use names::nearest;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::source::Span;

/// The stable name of a kind of mistake, for example `E0202`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Code(pub &'static str);

impl Code {
    /// Whether the code is a note of `--pedantic` (`W....`) rather than an error.
    #[must_use]
    pub fn is_warning(self) -> bool {
        self.0.starts_with('W')
    }

    /// Whether the text went over a limit of this program rather than against the language:
    /// `E0090` to `E0099` and `E0690` to `E0699`, for which the command line has its own exit code.
    #[must_use]
    pub fn is_limit(self) -> bool {
        self.0.starts_with("E009") || self.0.starts_with("E069")
    }
}

/// A place and the local fact about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is the case there; may be empty.
    pub text: String,
}

impl Label {
    /// A label from its parts.
    pub fn new(span: Span, text: impl Into<String>) -> Label {
        Label { span, text: text.into() }
    }
}

/// One mistake: a sentence, the place, places it disagrees with, and one action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Its kind.
    pub code: Code,
    /// One plain sentence, lower case, without a full stop.
    pub message: String,
    /// The place to look at.
    pub primary: Label,
    /// Further places, where two disagree.
    pub others: Vec<Label>,
    /// One action.
    pub help: Option<String>,
    /// That action as changes of the text, where it can be computed; see [`apply`].
    pub edits: Vec<Edit>,
}

impl Diagnostic {
    /// A diagnostic with its primary label only.
    pub fn new(
        code: &'static str,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic {
            code: Code(code),
            message: message.into(),
            primary: Label::new(span, label),
            others: Vec::new(),
            help: None,
            edits: Vec::new(),
        }
    }

    /// Adds a secondary label.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.others.push(Label::new(span, text));
        self
    }

    /// Sets the help.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help = Some(text.into());
        self
    }

    /// "did you mean", where a known name is near: it takes the place of the primary label.
    #[must_use]
    pub fn did_you_mean(self, near: Option<&str>) -> Diagnostic {
        let span = self.primary.span;
        match near {
            Some(near) => self.help(format!("did you mean `{near}`?")).edit(span, near),
            None => self,
        }
    }

    /// Adds several changes.
    #[must_use]
    pub fn edits(mut self, edits: impl IntoIterator<Item = Edit>) -> Diagnostic {
        self.edits.extend(edits);
        self
    }

    /// Adds one of the changes that the help speaks of: what stands at `span` becomes `text`.
    ///
    /// An empty span inserts ([`Span::before`], [`Span::after`]), an empty text removes.
    #[must_use]
    pub fn edit(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.edits.push(Edit { span, text: text.into() });
        self
    }
}

/// The sink that a room reports into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    all: Vec<Diagnostic>,
    /// Which of them are about a place, so that an equal one is found without a look at all.
    places: BTreeMap<Span, Vec<usize>>,
}

impl Diagnostics {
    /// Adds one; an equal one at the same place is kept once.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let near = self.places.entry(diagnostic.primary.span).or_default();
        if near.iter().all(|at| self.all[*at] != diagnostic) {
            near.push(self.all.len());
            self.all.push(diagnostic);
        }
    }

    /// Adds all of another sink.
    pub fn extend(&mut self, other: Diagnostics) {
        other.all.into_iter().for_each(|one| self.push(one));
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Keeps the first of them.
    pub fn truncate(&mut self, len: usize) {
        for one in self.all.drain(len.min(self.all.len())..) {
            if let Some(near) = self.places.get_mut(&one.primary.span) {
                near.retain(|at| *at < len);
            }
        }
    }

    /// Everything, in the order of its finding.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.all.iter()
    }

    /// Keeps what fulfils a condition.
    pub fn retain(&mut self, keep: impl FnMut(&Diagnostic) -> bool) {
        let mut all = std::mem::take(&mut self.all);
        self.places.clear();
        all.retain(keep);
        all.into_iter().for_each(|one| self.push(one));
    }

    /// Of those of a code that say the same, keeps the first in the text, with the places and edits of all:
    /// a name misspelt in three places is one mistake.
    pub fn join(&mut self, code: &str) {
        let mut all = std::mem::take(&mut self.all);
        all.sort_by_key(|one| (one.primary.span.file, one.primary.span.start));
        let (mut kept, mut said) = (Vec::<Diagnostic>::new(), BTreeMap::new());
        for one in all {
            let first = said.get(&one.message).copied().filter(|_| one.code.0 == code);
            match first.map(|at: usize| &mut kept[at]) {
                Some(first) if first.edits.is_empty() == one.edits.is_empty() => {
                    first.others.push(Label::new(one.primary.span, "and here"));
                    first.edits.extend(one.edits);
                }
                Some(_) | None => {
                    if one.code.0 == code {
                        said.insert(one.message.clone(), kept.len());
                    }
                    kept.push(one);
                }
            }
        }
        self.places.clear();
        kept.into_iter().for_each(|one| self.push(one));
    }

    /// Whether anything but pedantic notes was reported.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.all.iter().any(|one| !one.code.is_warning())
    }

    /// Whether a limit of this program was reached.
    #[must_use]
    pub fn over_limit(&self) -> bool {
        self.all.iter().any(|one| one.code.is_limit())
    }

    /// Whether nothing was reported.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Everything, in source order.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut all: Vec<_> = self.all.iter().collect();
        all.sort_by_key(|one| (one.primary.span.file, one.primary.span.start, one.code));
        all
    }
}

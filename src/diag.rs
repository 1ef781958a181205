//! Diagnostics: what is wrong with a spec, where, and what to do about it.
//!
//! In: factories in the `errors.rs` of a room make [`Diagnostic`]s. Out: a collected list in source
//! order ([`Diagnostics`]) and its rendering ([`render`]). Invariant: a code never changes meaning.

use serde::Serialize;

use crate::source::{Sources, Span};

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
}

/// The sink that a room reports into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Adds one; an equal one at the same place is kept once.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if !self.0.contains(&diagnostic) {
            self.0.push(diagnostic);
        }
    }

    /// Adds all of another sink.
    pub fn extend(&mut self, other: Diagnostics) {
        other.0.into_iter().for_each(|one| self.push(one));
    }

    /// Whether anything but pedantic notes was reported.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|one| !one.code.is_warning())
    }

    /// Whether a limit of this program was reached.
    #[must_use]
    pub fn over_limit(&self) -> bool {
        self.0.iter().any(|one| one.code.is_limit())
    }

    /// Whether nothing was reported.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything, in source order.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by_key(|one| (one.primary.span.file, one.primary.span.start, one.code));
        all
    }
}

/// Of `names`, the one most likely meant by `wrong`, if any is near enough.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (wrong.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (edits(wrong, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, name)| (*distance, *name))
        .map(|(_, name)| name)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
fn edits(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.to_lowercase().chars().collect();
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    for i in 0..=left.len() {
        for j in 0..=right.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replace = rows[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]);
                let mut best = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[left.len()][right.len()]
}

/// How messages are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// ASCII without colour, for files and tests.
    Plain,
    /// Colours for a terminal.
    Colour,
}

/// All diagnostics as text, in source order.
#[must_use]
pub fn render(diagnostics: &Diagnostics, sources: &Sources, style: Style) -> String {
    diagnostics.sorted().into_iter().map(|one| render_one(one, sources, style)).collect()
}

fn render_one(one: &Diagnostic, sources: &Sources, style: Style) -> String {
    use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
    let level = if one.code.is_warning() { Level::WARNING } else { Level::ERROR };
    let mut files = vec![one.primary.span.file];
    for label in &one.others {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    let mut group = Group::with_title(level.primary_title(one.message.as_str()).id(one.code.0));
    for file in files {
        let source = sources.get(file);
        let mut snippet =
            Snippet::source(source.text.as_str()).path(source.name.as_str()).fold(true);
        let here = std::iter::once((&one.primary, AnnotationKind::Primary))
            .chain(one.others.iter().map(|label| (label, AnnotationKind::Context)))
            .filter(|(label, _)| label.span.file == file);
        for (label, kind) in here {
            let mark = kind.span(label.span.start as usize..label.span.end as usize);
            snippet = snippet.annotation(mark.label(label.text.as_str()));
        }
        group = group.element(snippet);
    }
    if let Some(help) = &one.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Colour => Renderer::styled(),
    };
    format!("{}\n\n", renderer.render(&[group]))
}

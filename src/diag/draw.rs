//! Diagnostics as text for people.

use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet};

use super::{Diagnostic, Diagnostics, Edit};
use crate::source::{FileId, Places, Sources, Span};

/// From how many bytes on a line is long.
const LONG: usize = 240;

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
    let places = sources.places();
    let view = View { sources, places: &places };
    diagnostics.sorted().into_iter().map(|one| render_one(one, view, style)).collect()
}

/// The texts that messages show.
#[derive(Clone, Copy)]
struct View<'a> {
    sources: &'a Sources,
    places: &'a Places<'a>,
}

/// Whole lines of one text: what is drawn of it, so that a message costs what it shows.
struct Excerpt<'a> {
    name: &'a str,
    text: &'a str,
    /// The number of the first line.
    line: usize,
    /// The byte at which it begins in the whole text.
    from: usize,
}

impl<'a> Excerpt<'a> {
    fn snippet<T: Clone>(&self) -> Snippet<'a, T> {
        Snippet::source(self.text).line_start(self.line).path(self.name).fold(true)
    }

    fn range(&self, span: Span) -> std::ops::Range<usize> {
        span.start as usize - self.from..span.end as usize - self.from
    }
}

impl<'a> View<'a> {
    /// The lines of a file that some places lie in.
    fn excerpt(self, file: FileId, spans: impl IntoIterator<Item = Span>) -> Excerpt<'a> {
        let source = self.sources.get(file);
        let all = spans.into_iter().reduce(Span::to).unwrap_or_default();
        let (line, bytes) = self.places.of(file).around(all, 1);
        Excerpt { name: &source.name, text: &source.text[bytes.clone()], line, from: bytes.start }
    }

    /// Whether a place lies in a line that does not fit a screen.
    fn is_long(self, place: Span) -> bool {
        let (_, bytes) = self.places.of(place.file).around(place, 0);
        self.sources.get(place.file).text[bytes].lines().any(|line| line.len() > LONG)
    }
}

fn render_one(one: &Diagnostic, view: View<'_>, style: Style) -> String {
    let level = if one.code.is_warning() { Level::WARNING } else { Level::ERROR };
    let mut files = vec![one.primary.span.file];
    for label in &one.others {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    let mut group = Group::with_title(level.primary_title(one.message.as_str()).id(one.code.0));
    for file in files {
        let mut here = std::iter::once((&one.primary, AnnotationKind::Primary))
            .chain(one.others.iter().map(|label| (label, AnnotationKind::Context)))
            .filter(|(label, _)| label.span.file == file)
            .collect::<Vec<_>>();
        // Lines drawn together are cut at the same columns, so a long one is drawn alone.
        let long = here.iter().any(|(label, _)| view.is_long(label.span));
        while !here.is_empty() {
            let together = if long { 1 } else { here.len() };
            let drawn: Vec<_> = here.drain(..together).collect();
            let excerpt = view.excerpt(file, drawn.iter().map(|(label, _)| label.span));
            let mut snippet = excerpt.snippet();
            for (label, kind) in drawn {
                let mark = kind.span(excerpt.range(label.span));
                snippet = snippet.annotation(mark.label(label.text.as_str()));
            }
            group = group.element(snippet);
        }
    }
    let mut groups = vec![];
    if let Some(help) = &one.help {
        // Lines as they should read are not cut, so long ones are left out.
        let long = |edit: &Edit| view.is_long(edit.span);
        if one.edits.is_empty() || one.edits.iter().any(long) {
            group = group.element(Level::HELP.message(help.as_str()));
        } else {
            groups.push(patched(one, help, view));
        }
    }
    groups.insert(0, group);
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Colour => Renderer::styled(),
    };
    format!("{}\n\n", renderer.render(&groups))
}

/// The help with the lines as they should read.
fn patched<'a>(one: &'a Diagnostic, help: &'a str, view: View<'a>) -> Group<'a> {
    let mut group = Group::with_title(Level::HELP.secondary_title(help));
    let mut files: Vec<_> = one.edits.iter().map(|edit| edit.span.file).collect();
    files.sort();
    files.dedup();
    for file in files {
        let here = one.edits.iter().filter(|edit| edit.span.file == file);
        let excerpt = view.excerpt(file, here.clone().map(|edit| edit.span));
        let patches = here.map(|edit| Patch::new(excerpt.range(edit.span), edit.text.as_str()));
        group = group.element(excerpt.snippet().patches(patches));
    }
    group
}

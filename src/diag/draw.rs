//! Diagnostics as text for people.

use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet};

use super::{Diagnostic, Diagnostics, Edit};
use crate::source::{Sources, Span};

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
    diagnostics.sorted().into_iter().map(|one| render_one(one, sources, style)).collect()
}

fn render_one(one: &Diagnostic, sources: &Sources, style: Style) -> String {
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
        let mut here = std::iter::once((&one.primary, AnnotationKind::Primary))
            .chain(one.others.iter().map(|label| (label, AnnotationKind::Context)))
            .filter(|(label, _)| label.span.file == file)
            .collect::<Vec<_>>();
        // Lines drawn together are cut at the same columns, so a long one is drawn alone.
        let long = here.iter().any(|(label, _)| is_long(&source.text, label.span));
        while !here.is_empty() {
            let together = if long { 1 } else { here.len() };
            let mut snippet =
                Snippet::source(source.text.as_str()).path(source.name.as_str()).fold(true);
            for (label, kind) in here.drain(..together) {
                let mark = kind.span(label.span.start as usize..label.span.end as usize);
                snippet = snippet.annotation(mark.label(label.text.as_str()));
            }
            group = group.element(snippet);
        }
    }
    let mut groups = vec![];
    if let Some(help) = &one.help {
        // Lines as they should read are not cut, so long ones are left out.
        let long = |edit: &Edit| is_long(&sources.get(edit.span.file).text, edit.span);
        if one.edits.is_empty() || one.edits.iter().any(long) {
            group = group.element(Level::HELP.message(help.as_str()));
        } else {
            groups.push(patched(one, help, sources));
        }
    }
    groups.insert(0, group);
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Colour => Renderer::styled(),
    };
    format!("{}\n\n", renderer.render(&groups))
}

/// Whether a place lies in a line that does not fit a screen.
fn is_long(text: &str, place: Span) -> bool {
    let (start, end) = (place.start as usize, place.end as usize);
    let from = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let to = text[end..].find('\n').map_or(text.len(), |at| end + at);
    text[from..to].lines().any(|line| line.len() > LONG)
}

/// The help with the lines as they should read.
fn patched<'a>(one: &'a Diagnostic, help: &'a str, sources: &'a Sources) -> Group<'a> {
    let mut group = Group::with_title(Level::HELP.secondary_title(help));
    let mut files: Vec<_> = one.edits.iter().map(|edit| edit.span.file).collect();
    files.sort();
    files.dedup();
    for file in files {
        let source = sources.get(file);
        let here = one.edits.iter().filter(|edit| edit.span.file == file);
        let patches = here.map(|edit| {
            Patch::new(edit.span.start as usize..edit.span.end as usize, edit.text.as_str())
        });
        let snippet = Snippet::source(source.text.as_str()).path(source.name.as_str()).fold(true);
        group = group.element(snippet.patches(patches));
    }
    group
}

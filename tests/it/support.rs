//! The check functions: the only place that calls our API directly.

use std::fs;
use std::path::{Path, PathBuf};

use ntmc::diag::{Diagnostics, Style, render};
use ntmc::source::{Source, Sources};
use ntmc::syntax::{self, ast};
use serde_json::Value;

/// The root of the package.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the package, shown under its path within the package.
pub(crate) fn source(path: &Path) -> Source {
    let name = path.strip_prefix(root()).unwrap_or(path).display().to_string();
    Source::new(name, fs::read_to_string(path).unwrap())
}

/// Everything the compiler has to say about a file.
pub(crate) fn diagnose(path: &Path) -> (Sources, Diagnostics) {
    let (mut sources, mut sink) = (Sources::default(), Diagnostics::default());
    let file = sources.add(source(path));
    syntax::parse(&sources, file, &mut sink);
    (sources, sink)
}

/// The diagnostics of a text.
pub(crate) fn diagnose_text(text: &str) -> (Sources, Diagnostics) {
    let (mut sources, mut sink) = (Sources::default(), Diagnostics::default());
    let file = sources.add(Source::new("text.ntm", text));
    syntax::parse(&sources, file, &mut sink);
    (sources, sink)
}

/// The codes of a text's diagnostics, in source order.
pub(crate) fn codes(text: &str) -> Vec<&'static str> {
    diagnose_text(text).1.sorted().into_iter().map(|one| one.code.0).collect()
}

/// Reads a value from the command line: its tree as a sketch of JSON, or the rendered mistakes.
pub(crate) fn value_of(text: &str) -> Result<Value, String> {
    let (mut sources, mut sink) = (Sources::default(), Diagnostics::default());
    let file = sources.add(Source::new("--set #1", text));
    let arg = syntax::parse_arg(&sources, file, &mut sink);
    match arg {
        Some(arg) if sink.is_empty() => {
            let mut value = serde_json::to_value(arg).unwrap();
            strip(&mut value);
            Ok(value)
        }
        Some(_) | None => Err(rendered(&sources, &sink)),
    }
}

/// Diagnostics as a person sees them.
pub(crate) fn rendered(sources: &Sources, found: &Diagnostics) -> String {
    render(found, sources, Style::Plain)
}

/// The tree of a text without mistakes.
pub(crate) fn tree(text: &str) -> ast::File {
    let (mut sources, mut sink) = (Sources::default(), Diagnostics::default());
    let file = sources.add(Source::new("text.ntm", text));
    let tree = syntax::parse(&sources, file, &mut sink);
    assert!(sink.is_empty(), "{}\n{text}", rendered(&sources, &sink));
    tree.unwrap()
}

/// A tree without places, comments and blank lines, as JSON.
pub(crate) fn placeless(tree: &ast::File) -> Value {
    let mut value = serde_json::to_value(tree).unwrap();
    strip(&mut value);
    let fields = value.as_object_mut().unwrap();
    fields.remove("comments");
    fields.remove("blanks");
    value
}

/// A tree without places and without parentheses, which printing may add.
pub(crate) fn plain(tree: &ast::File) -> Value {
    let mut value = placeless(tree);
    unwrap_parentheses(&mut value);
    value
}

fn unwrap_parentheses(value: &mut Value) {
    while let Some(inner) = value.pointer("/kind/Paren") {
        *value = inner.clone();
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(unwrap_parentheses),
        Value::Object(fields) => fields.values_mut().for_each(unwrap_parentheses),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Removes everything that looks like a span.
fn strip(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.retain(|item| !is_span(item));
            items.iter_mut().for_each(strip);
        }
        Value::Object(fields) => {
            fields.retain(|_, item| !is_span(item));
            fields.values_mut().for_each(strip);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_span(value: &Value) -> bool {
    let span = serde_json::to_value(ntmc::source::Span::default()).unwrap();
    let keys =
        |value: &Value| value.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>());
    keys(value).is_some() && keys(value) == keys(&span)
}

/// The three laws of the formatter for one text.
pub(crate) fn check_format(text: &str) {
    let before = tree(text);
    let once = syntax::format(&before);
    let after = tree(&once);
    assert_eq!(placeless(&before), placeless(&after), "the tree changed:\n{text}\n->\n{once}");
    assert_eq!(once, syntax::format(&after), "formatting twice differs:\n{text}");
    let words = |tree: &ast::File| {
        let mut words: Vec<_> = tree.comments.iter().map(|one| one.text.clone()).collect();
        words.sort();
        words
    };
    assert_eq!(words(&before), words(&after), "a comment was lost:\n{text}\n->\n{once}");
    assert_eq!(syntax::outline(&before), syntax::outline(&after));
}

/// An expectation written in a test file: `#~ E0002 "=="`, on the line it speaks of.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Expected {
    /// The line, from 1.
    pub(crate) line: usize,
    /// The code.
    pub(crate) code: String,
    /// The text under the primary label.
    pub(crate) text: String,
}

/// The expectations of a file. `#~^` speaks of the line above.
pub(crate) fn expectations(text: &str) -> Vec<Expected> {
    let mut out = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for note in line.split("#~").skip(1) {
            let (above, note) = match note.strip_prefix('^') {
                Some(note) => (1, note),
                None => (0, note),
            };
            let (code, text) = note.trim().split_once(' ').unwrap_or((note.trim(), "\"\""));
            let text = text.trim().strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            let text = text.unwrap_or_else(|| panic!("line {}: quote the text", at + 1)).to_owned();
            out.push(Expected { line: at + 1 - above, code: code.to_owned(), text });
        }
    }
    out.sort();
    out
}

/// What was found, in the form of expectations. A label over several lines counts with its first.
pub(crate) fn found(sources: &Sources, found: &Diagnostics) -> Vec<Expected> {
    let one = |one: &ntmc::diag::Diagnostic| {
        let span = one.primary.span;
        let (line, _) = sources.get(span.file).position(span.start);
        let text = sources.text(span).lines().next().unwrap_or("").to_owned();
        Expected { line, code: one.code.0.to_owned(), text }
    };
    let mut out: Vec<_> = found.sorted().into_iter().map(one).collect();
    out.sort();
    out
}

/// Every `.ntm` file below a folder of the package, in order; none if it does not exist.
pub(crate) fn specs_below(folder: &str) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "ntm") {
                out.push(path);
            }
        }
    }
    out.sort();
    out
}

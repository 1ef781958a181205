//! Diagnostics as objects for programs.

use serde_json::{Value, json};

use super::{Diagnostic, Diagnostics, Label};
use crate::source::{Places, Sources, Span};

/// Every diagnostic as an object, in source order.
///
/// Keys: `code`, `severity` (`error` or `note`), `message`, `help` (or null), `labels` (places with `text`,
/// the primary one first) and `edits` (places with the `text` that replaces what stands there; together
/// they are the help). The keys of the primary place stand in the object itself too, with its text as
/// `label`. A place has the keys `file`, `line`, `column`, `end_line`, `end_column` (from 1, columns in
/// characters, the end is past the last) and `start`, `end` (bytes from 0).
#[must_use]
pub fn json(diagnostics: &Diagnostics, sources: &Sources) -> Vec<Value> {
    let places = sources.places();
    diagnostics.sorted().into_iter().map(|one| object(one, sources, &places)).collect()
}

fn object(one: &Diagnostic, sources: &Sources, places: &Places<'_>) -> Value {
    let place = |span, key, text: &str| place(span, key, text, (sources, places));
    let label = |label: &Label| place(label.span, "text", &label.text);
    let labels: Vec<_> = std::iter::once(&one.primary).chain(&one.others).map(label).collect();
    let edits: Vec<_> = one.edits.iter().map(|edit| place(edit.span, "text", &edit.text)).collect();
    let mut object = place(one.primary.span, "label", &one.primary.text);
    object["code"] = json!(one.code.0);
    object["severity"] = json!(if one.code.is_warning() { "note" } else { "error" });
    object["message"] = json!(one.message);
    object["help"] = json!(one.help);
    object["labels"] = json!(labels);
    object["edits"] = json!(edits);
    object
}

/// A place with a text about it under `key`.
fn place(span: Span, key: &str, text: &str, (sources, places): (&Sources, &Places<'_>)) -> Value {
    let (source, lines) = (sources.get(span.file), places.of(span.file));
    let (line, column) = lines.position(span.start);
    let (end_line, end_column) = lines.position(span.end);
    let mut object = json!({
        "file": source.name, "line": line, "column": column,
        "end_line": end_line, "end_column": end_column,
        "start": span.start, "end": span.end,
    });
    object[key] = json!(text);
    object
}

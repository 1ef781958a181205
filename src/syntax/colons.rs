//! `M[0, :]` and `M[:, c]` of other languages, as this one writes them.
//!
//! In: the tokens around a `:` in brackets. Out: edits. Trailing axes are left out; a `:` before an
//! index becomes an index of a `for` around the value: `(for i: M[i, c])`. A range of a shape is `a..b`.

use crate::diag::Edit;
use crate::source::Span;
use crate::syntax::lex::Kind;
use crate::syntax::recover::Recovery;

/// The changes for the bracket that holds the `:` at token `colon`; none where it is a range of an
/// index, which has no counterpart.
pub(super) fn edits(text: &Recovery, colon: usize) -> Vec<Edit> {
    let Some((open, close)) = bracket(text, colon) else { return Vec::new() };
    let entries = entries(text, open, close);
    // In a signature an axis has a size, which is not known here.
    let item = (0..open).rev().find(|at| {
        text.word(*at) == "{" || crate::syntax::brackets::ITEMS.contains(&text.word(*at))
    });
    if item.is_some_and(|at| text.word(at) != "{") {
        return Vec::new();
    }
    let all = |(lo, hi): &(usize, usize)| hi - lo == 1 && text.word(*lo) == ":";
    if !entries.iter().any(all) {
        let declares =
            open > 1 && ["state", "memory", "emit", "param"].contains(&text.word(open - 2));
        let range = declares.then(|| Edit::new(text.span(colon), ".."));
        return range.into_iter().collect();
    }
    let kept = entries.iter().rposition(|entry| !all(entry)).map_or(0, |last| last + 1);
    let mut out = Vec::new();
    match kept {
        0 => out.push(Edit::new(text.span(open).to(text.span(close)), "")),
        _ if kept < entries.len() => {
            let end = entries[kept - 1].1;
            let rest = Span {
                start: text.span(end).start,
                end: text.span(close).start,
                ..text.span(close)
            };
            out.push(Edit::new(rest, ""));
        }
        _ => {}
    }
    let inner: Vec<usize> =
        entries[..kept].iter().filter(|entry| all(entry)).map(|entry| entry.0).collect();
    if inner.is_empty() {
        return out;
    }
    let used = |name: &str| (0..text.tokens.len()).any(|at| text.word(at) == name);
    let fresh: Vec<String> = ["i", "j", "k", "l", "m", "n", "a", "b", "c", "d"]
        .into_iter()
        .filter(|name| !used(name))
        .map(str::to_owned)
        .take(inner.len())
        .collect();
    if fresh.len() < inner.len() {
        return Vec::new();
    }
    let start = start_of_value(text, open);
    out.push(Edit::new(text.span(start).before(), format!("(for {}: ", fresh.join(", "))));
    out.extend(inner.iter().zip(fresh).map(|(at, name)| Edit::new(text.span(*at), name)));
    out.push(Edit::new(text.span(close).after(), ")"));
    out
}

/// The innermost bracket around a token.
fn bracket(text: &Recovery, at: usize) -> Option<(usize, usize)> {
    (0..at).rev().find_map(|open| {
        let close = text.brackets.partner[open].filter(|close| *close > at)?;
        Some((open, close))
    })
}

/// The entries between two brackets, as ranges of tokens.
fn entries(text: &Recovery, open: usize, close: usize) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    let (mut lo, mut at) = (open + 1, open + 1);
    while at < close {
        if text.word(at) == "," {
            out.push((lo, at));
            lo = at + 1;
        }
        at = match text.brackets.partner[at] {
            Some(end) if end > at => end + 1,
            Some(_) | None => at + 1,
        };
    }
    out.push((lo, close));
    out
}

/// The first token of the value that a bracket indexes, a `prev` before it included.
fn start_of_value(text: &Recovery, open: usize) -> usize {
    let mut at = open;
    while at > 0 {
        let before = at - 1;
        at = match text.tokens[before].kind {
            Kind::Word if text.word(before) == "prev" => return before,
            Kind::Word if text.word(at) == "." || at == open => before,
            Kind::Close if at == open || text.word(at) == "." => {
                text.brackets.partner[before].unwrap_or(before)
            }
            Kind::Word if matches!(text.tokens[at].kind, Kind::Open) => before,
            Kind::Op if text.word(before) == "." => before,
            Kind::Word
            | Kind::Close
            | Kind::Op
            | Kind::Number
            | Kind::Text
            | Kind::OpenText
            | Kind::Open
            | Kind::Doc
            | Kind::Unknown => return at,
        };
    }
    at
}

//! Changes of a text that make a diagnostic vanish.

use serde::Serialize;

use crate::source::{FileId, Span};

/// One change: what stands at `span` becomes `text`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// What is replaced; nothing, where text is inserted.
    pub span: Span,
    /// What stands there afterwards.
    pub text: String,
}

impl Edit {
    /// An edit from its parts.
    pub fn new(span: Span, text: impl Into<String>) -> Edit {
        Edit { span, text: text.into() }
    }
}

/// The text of `file` after the edits that lie in it. Edits do not overlap; of several at one place,
/// the first comes first.
#[must_use]
pub fn apply(text: &str, file: FileId, edits: &[Edit]) -> String {
    let mut here: Vec<&Edit> = edits.iter().filter(|edit| edit.span.file == file).collect();
    here.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let (mut out, mut at) = (String::new(), 0);
    for edit in here {
        let (start, end) = (edit.span.start as usize, edit.span.end as usize);
        out.push_str(&text[at..start.max(at)]);
        out.push_str(&edit.text);
        at = end.max(at);
    }
    out.push_str(&text[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(start: u32, end: u32, text: &str) -> Edit {
        Edit { span: Span { file: FileId(0), start, end }, text: text.to_owned() }
    }

    #[test]
    fn edits_are_applied_in_the_order_of_the_text() {
        let edits = [edit(6, 7, "c"), edit(0, 0, "("), edit(3, 3, ")"), edit(3, 3, "^2")];
        assert_eq!(apply("a + b i", FileId(0), &edits), "(a +)^2 b c");
        assert_eq!(apply("a + b i", FileId(1), &edits), "a + b i");
        assert_eq!(apply("x;", FileId(0), &[edit(1, 2, "")]), "x");
    }
}

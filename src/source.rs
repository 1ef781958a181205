//! Source texts and places in them.
//!
//! In: the text of a spec, a module of std, or an override from the command line. Out: [`Source`]s
//! with an id, and [`Span`]s that point into them. Invariant: a span always lies inside the text
//! of the source that its `file` names, on character boundaries.

use serde::Serialize;

/// Which source a span points into: its position in [`Sources`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct FileId(pub u16);

/// A range of bytes of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Span {
    /// The source.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The smallest span that covers both; they lie in the same source.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The place just before it.
    #[must_use]
    pub fn before(self) -> Span {
        Span { end: self.start, ..self }
    }

    /// The place just after it.
    #[must_use]
    pub fn after(self) -> Span {
        Span { start: self.end, ..self }
    }
}

/// One text with the name under which messages show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Path or pseudo path, for example `specs/ntm.ntm`, `std.address` or `--set #1`.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// A source from its name and text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Source {
        Source { name: name.into(), text: text.into() }
    }
}

/// Where the lines of a text begin, so that many places are found without a look at all of it.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    text: &'a str,
    /// The first byte of each line; never empty.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// The lines of a text.
    #[must_use]
    pub fn of(text: &'a str) -> Lines<'a> {
        let after = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Lines { text, starts: std::iter::once(0).chain(after.map(|(at, _)| at + 1)).collect() }
    }

    /// Line and column of a byte, both from 1, the column in characters.
    #[must_use]
    pub fn position(&self, byte: u32) -> (usize, usize) {
        let byte = (byte as usize).min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= byte);
        let before = &self.text[self.starts[line - 1]..byte];
        (line, before.chars().count() + 1)
    }

    /// The whole lines that a span lies in, with `around` more on either side: the number of the first,
    /// from 1, and the bytes of all.
    #[must_use]
    pub fn around(&self, span: Span, around: usize) -> (usize, std::ops::Range<usize>) {
        let line = |byte: u32| self.starts.partition_point(|start| *start <= byte as usize);
        let first = line(span.start).saturating_sub(around).max(1);
        let past = self.starts.get(line(span.end) + around).copied();
        (first, self.starts[first - 1]..past.unwrap_or(self.text.len()))
    }
}

/// Every source of one compilation, by [`FileId`].
#[derive(Clone, Debug, Default)]
pub struct Sources(Vec<Source>);

/// The lines of each source, by [`FileId`].
#[derive(Clone, Debug)]
pub struct Places<'a>(Vec<Lines<'a>>);

impl Places<'_> {
    /// The lines of one source.
    #[must_use]
    pub fn of(&self, id: FileId) -> &Lines<'_> {
        &self.0[usize::from(id.0)]
    }
}

impl Sources {
    /// Adds a source and returns its id.
    pub fn add(&mut self, source: Source) -> FileId {
        let id = FileId(u16::try_from(self.0.len()).expect("at most 65,536 sources"));
        self.0.push(source);
        id
    }

    /// Gives a source another text, in which everything stands where it stood.
    pub fn replace(&mut self, id: FileId, text: String) {
        self.0[usize::from(id.0)].text = text;
    }

    /// The source with this id.
    #[must_use]
    pub fn get(&self, id: FileId) -> &Source {
        &self.0[usize::from(id.0)]
    }

    /// The lines of every source.
    #[must_use]
    pub fn places(&self) -> Places<'_> {
        Places(self.0.iter().map(|source| Lines::of(&source.text)).collect())
    }

    /// The text a span covers.
    #[must_use]
    pub fn text(&self, span: Span) -> &str {
        &self.get(span.file).text[span.start as usize..span.end as usize]
    }

    /// All sources in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &Source)> {
        self.0.iter().enumerate().map(|(at, source)| (FileId(at as u16), source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_lines_and_columns_in_characters() {
        let lines = Lines::of("ab\nβc\n");
        let places: Vec<_> = (0..8).filter(|at| *at != 4).map(|at| lines.position(at)).collect();
        assert_eq!(places, [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (3, 1)]);
        assert_eq!(lines.position(99), (3, 1));
    }

    #[test]
    fn a_span_lies_in_whole_lines() {
        let lines = Lines::of("a\nb\nc\nd");
        let at = |start, end| Span { file: FileId(0), start, end };
        assert_eq!(lines.around(at(2, 3), 0), (2, 2..4));
        assert_eq!(lines.around(at(2, 5), 1), (1, 0..7));
        assert_eq!(lines.around(at(7, 7), 0), (4, 6..7));
    }
}

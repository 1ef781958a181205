//! What stands around the entries of a block or file: comments and blank lines.
//!
//! A comment after an entry on the same line stays there; any other is a line of its own above the
//! entry that follows. A comment inside an entry moves above it. One blank line stays one; more
//! become one.

use crate::source::Span;
use crate::syntax::ast::{Comment, File};

/// Where an entry stands in the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Its first byte, documentation included.
    pub(super) begin: u32,
    /// Up to where comments inside it move above it: its end, or the start of its block.
    pub(super) limit: u32,
    /// One past its last byte.
    pub(super) end: u32,
}

/// The comments and blank lines of an entry.
#[derive(Clone, Debug, Default)]
pub(super) struct Around<'a> {
    /// Lines above it, each with whether a blank line goes before it.
    pub(super) above: Vec<(bool, &'a Comment)>,
    /// Whether a blank line goes right above it.
    pub(super) blank: bool,
    /// The comment at the end of its line.
    pub(super) behind: Option<&'a Comment>,
}

impl Around<'_> {
    /// Whether a run of aligned equations is interrupted here.
    pub(super) fn interrupts(&self) -> bool {
        self.blank || !self.above.is_empty()
    }
}

/// The comments whose first byte lies in a range.
fn within(file: &File, start: u32, end: u32) -> &[Comment] {
    let from = file.comments.partition_point(|one| one.span.start < start);
    let to = file.comments.partition_point(|one| one.span.start < end);
    &file.comments[from..to.max(from)]
}

/// Whether any comment stands in a range.
pub(super) fn has_comments(file: &File, start: u32, end: u32) -> bool {
    !within(file, start, end).is_empty()
}

/// Whether a blank line stands in a range.
fn blank(file: &File, start: u32, end: u32) -> bool {
    let from = file.blanks.partition_point(|run| run.start < start);
    file.blanks.get(from).is_some_and(|run: &Span| run.start < end)
}

/// Distributes the comments between `start` and `end` over entries; the rest stands below the last.
pub(super) fn around<'a>(
    file: &'a File,
    places: &[Place],
    start: u32,
    end: u32,
) -> (Vec<Around<'a>>, Vec<(bool, &'a Comment)>) {
    let mut out: Vec<Around<'a>> = Vec::new();
    let mut last = start;
    for place in places {
        let mut here = Around::default();
        let comments = trailing(within(file, last, place.limit), place.begin, &mut out);
        let mut blank_above = false;
        for one in comments {
            if one.span.start < place.begin {
                here.above.push((blank(file, last, one.span.start), one));
                last = one.span.end;
            } else {
                // The first that moves takes the blank line that stood above the entry.
                let taken = std::mem::replace(&mut blank_above, true);
                here.above.push((!taken && blank(file, last, place.begin), one));
            }
        }
        here.blank = !blank_above && blank(file, last, place.begin);
        last = place.end;
        out.push(here);
    }
    let mut below = Vec::new();
    for one in trailing(within(file, last, end), end, &mut out) {
        below.push((blank(file, last, one.span.start), one));
        last = one.span.end;
    }
    (out, below)
}

/// Gives the first comment to the entry before it if it stands on that entry's line.
fn trailing<'a>(comments: &'a [Comment], end: u32, out: &mut [Around<'a>]) -> &'a [Comment] {
    match (comments.split_first(), out.last_mut()) {
        (Some((first, others)), Some(entry)) if !first.own_line && first.span.start < end => {
            entry.behind = Some(first);
            others
        }
        _ => comments,
    }
}

//! A brace that was forgotten, found by indentation.
//!
//! In: tokens of a text whose braces do not match. Out: the one mistake that explains it, and where the
//! missing brace can be put so that all places stay what they are. Blocks of one line are left alone.
//! Invariant: what is returned lies between two tokens, on a blank.

use crate::diag::{Diagnostic, Edit};
use crate::source::{FileId, Span};
use crate::syntax::brackets::ITEMS;
use crate::syntax::errors;
use crate::syntax::lex::{Kind, Token};

/// Words that begin a statement of a block, equations aside.
const STATEMENTS: &[&str] =
    &["state", "memory", "param", "emit", "controller", "head", "part", "require"];

/// A forgotten brace.
pub(super) struct Forgotten {
    /// The message.
    pub(super) diagnostic: Diagnostic,
    /// The byte that may hold it: a blank.
    pub(super) at: usize,
    /// The brace.
    pub(super) brace: &'static str,
}

/// The first brace that indentation shows to be missing.
pub(super) fn forgotten(text: &str, tokens: &[Token], file: FileId) -> Option<Forgotten> {
    let look = Look { text, tokens, file };
    let count = |brace: &str| (0..tokens.len()).filter(|at| look.word(*at) == brace).count();
    let found = match count("{").cmp(&count("}")) {
        std::cmp::Ordering::Less => look.opening(),
        std::cmp::Ordering::Greater => look.closing(),
        std::cmp::Ordering::Equal => None,
    }?;
    text[found.at..].starts_with([' ', '\n', '\t', '\r']).then_some(found)
}

struct Look<'a> {
    text: &'a str,
    tokens: &'a [Token],
    file: FileId,
}

impl Look<'_> {
    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &self.text[token.start..token.end])
    }

    fn span(&self, at: usize) -> Span {
        self.tokens[at].span(self.file)
    }

    /// The blanks before the first token of the line on which a token stands.
    fn indent(&self, at: usize) -> &str {
        let line = self.text[..self.tokens[at].start].rfind('\n').map_or(0, |line| line + 1);
        let rest = &self.text[line..];
        &rest[..rest.len() - rest.trim_start_matches([' ', '\t']).len()]
    }

    /// A head of a block that goes over to the next, deeper line without `{`.
    fn opening(&self) -> Option<Forgotten> {
        for start in 0..self.tokens.len() {
            let word = self.word(start);
            let heads = ITEMS.contains(&word) || ["head", "part"].contains(&word);
            if !self.tokens[start].first || !heads || self.word(start + 1) == "=" {
                continue;
            }
            if let Some(at) = self.on_one_line(start) {
                return Some(self.unopened(at));
            }
            let Some(end) = self.end_of_head(start) else { continue };
            let next = self.tokens.get(end)?;
            let deeper = self.indent(end).len() > self.indent(start).len();
            if next.first && deeper && !["=", "->", "{"].contains(&self.word(end)) {
                return Some(self.unopened(end - 1));
            }
        }
        None
    }

    /// A block without `{` after its head's last token.
    fn unopened(&self, last: usize) -> Forgotten {
        let span = self.span(last);
        let diagnostic = errors::unfinished(span, "`{`");
        let diagnostic = errors::missing(diagnostic, span.after(), " {");
        Forgotten { diagnostic, at: self.tokens[last].end, brace: "{" }
    }

    /// The last token of `part name[n]` where its block goes on on the same line.
    fn on_one_line(&self, start: usize) -> Option<usize> {
        if !["head", "part"].contains(&self.word(start)) {
            return None;
        }
        let mut last = start + 1;
        if self.word(last + 1) == "[" {
            last = (last + 1..self.tokens.len()).find(|at| self.word(*at) == "]")?;
        }
        if self.word(last + 1) == "tied" {
            last += 1;
        }
        if self.word(last + 1) == "if" {
            let begins = |at: &usize| STATEMENTS.contains(&self.word(*at));
            let block = (last + 1..self.tokens.len()).find(begins)?;
            let on_line = (last + 1..=block).all(|at| !self.tokens[at].first);
            return (on_line && !(last..block).any(|at| self.word(at) == "{")).then_some(block - 1);
        }
        let next = self.tokens.get(last + 1)?;
        let ends = ["{", "="].contains(&self.word(last + 1));
        (!next.first && !ends && next.kind == Kind::Word).then_some(last)
    }

    /// The token after the head of a block: its `{` or `=`, or what begins the next line.
    fn end_of_head(&self, start: usize) -> Option<usize> {
        let mut depth = 0usize;
        for at in start + 1..self.tokens.len() {
            match self.word(at) {
                "(" | "[" => depth += 1,
                ")" | "]" => depth = depth.checked_sub(1)?,
                "{" | "=" if depth == 0 => return None,
                _ if depth == 0 && self.tokens[at].first => return Some(at),
                _ => {}
            }
        }
        None
    }

    /// A block that is still open where a line begins no deeper than its head.
    fn closing(&self) -> Option<Forgotten> {
        // The braces that are open, each with the first token of its head.
        let mut open: Vec<(usize, usize)> = Vec::new();
        let mut head = 0;
        let depth = |at: usize| self.indent(at).len();
        for at in 0..self.tokens.len() {
            let first = self.tokens[at].first && self.tokens[at].kind != Kind::Doc;
            let word = self.word(at);
            if first
                && word != "}"
                && let Some((block, start)) = open.last()
                && at > *block
                && depth(at) <= depth(*start)
            {
                return Some(self.unclosed(*block, *start, at));
            }
            if first && (ITEMS.contains(&word) || ["head", "part"].contains(&word)) {
                head = at;
            }
            match word {
                "{" => open.push((at, head)),
                "}" => {
                    // A brace on a line of its own closes the block whose head is as deep.
                    let (block, start) = open.pop()?;
                    if first && depth(start) > depth(at) {
                        return Some(self.unclosed(block, start, at));
                    }
                }
                _ => {}
            }
        }
        open.last().map(|(block, start)| self.unclosed(*block, *start, self.tokens.len()))
    }

    /// A block that should have ended before a token.
    fn unclosed(&self, block: usize, head: usize, before: usize) -> Forgotten {
        let mut end = before;
        while end > block + 1 && self.tokens[end - 1].kind == Kind::Doc {
            end -= 1;
        }
        let after = self.span(end - 1).after();
        let mut diagnostic = errors::unclosed(self.span(block), "{", after);
        diagnostic.edits = vec![Edit::new(after, format!("\n{}}}", self.indent(head)))];
        Forgotten { diagnostic, at: self.tokens[end - 1].end, brace: "}" }
    }
}

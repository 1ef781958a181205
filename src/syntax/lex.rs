//! A first look at the text: words, numbers, operators and brackets with their places.
//!
//! In: a text. Out: its tokens, its comments and its blank lines. The grammar does the parsing;
//! these tokens serve what pest cannot: comments, limits, and finding out what went wrong.
//! Invariant: tokens are in source order, do not overlap, and every other byte is blank or comment.

use crate::source::{FileId, Span};
use crate::syntax::ast::Comment;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or keyword.
    Word,
    /// A number.
    Number,
    /// A string with both quotes.
    Text,
    /// A string without its end.
    OpenText,
    /// `(`, `[` or `{`.
    Open,
    /// `)`, `]` or `}`.
    Close,
    /// An operator or separator.
    Op,
    /// A `##` line.
    Doc,
    /// A character that means nothing.
    Unknown,
}

/// One token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: Kind,
    /// First byte.
    pub(super) start: usize,
    /// One past the last byte.
    pub(super) end: usize,
    /// Whether it is the first thing on its line.
    pub(super) first: bool,
}

impl Token {
    /// Where it stands.
    pub(super) fn span(self, file: FileId) -> Span {
        Span { file, start: self.start as u32, end: self.end as u32 }
    }
}

/// A text taken apart.
#[derive(Debug, Default)]
pub(super) struct Lexed {
    /// Everything the grammar sees.
    pub(super) tokens: Vec<Token>,
    /// Every `#` comment.
    pub(super) comments: Vec<Comment>,
    /// Every run of blank lines.
    pub(super) blanks: Vec<Span>,
}

/// Words that cannot be names.
pub(super) const KEYWORDS: &[&str] = &[
    "use",
    "def",
    "model",
    "train",
    "on",
    "head",
    "part",
    "controller",
    "memory",
    "state",
    "param",
    "emit",
    "from",
    "through",
    "tied",
    "prev",
    "for",
    "in",
    "if",
    "then",
    "else",
    "elsewhere",
    "and",
    "or",
    "not",
    "mod",
    "via",
    "require",
];

/// Words kept for later versions of the language.
pub(super) const RESERVED: &[&str] = &["sample", "grad", "scan", "record", "where", "task"];

/// Operators of two characters, before those of one.
const OPERATORS: &[&str] = &[
    "->", "<=", ">=", "==", "!=", ":=", "..", "+", "-", "*", "/", "^", "=", "<", ">", ",", ":",
    ".", ";",
];

/// Whether a character may stand inside a name. Taken from pest, so that both agree.
fn in_word(c: char) -> bool {
    c == '_' || pest::unicode::LETTER(c) || pest::unicode::NUMBER(c)
}

/// Takes a text apart.
pub(super) fn lex(text: &str, file: FileId) -> Lexed {
    let mut out = Lexed::default();
    let span = |start: usize, end: usize| Span { file, start: start as u32, end: end as u32 };
    let mut at = 0;
    // Nothing but blanks seen on this line so far, and where the line starts.
    let (mut first, mut line) = (true, 0);
    while let Some(c) = text[at..].chars().next() {
        if c == '\n' {
            if first {
                match out.blanks.last_mut() {
                    Some(run) if run.end as usize == line => run.end = at as u32 + 1,
                    Some(_) | None => out.blanks.push(span(line, at + 1)),
                }
            }
            (first, at) = (true, at + 1);
            line = at;
            continue;
        }
        if matches!(c, ' ' | '\t' | '\r' | '\u{FEFF}') {
            at += c.len_utf8();
            continue;
        }
        let rest = &text[at..];
        if c == '#' && !rest.starts_with("##") {
            let length = rest.find('\n').unwrap_or(rest.len());
            let words = rest[1..length].trim_end();
            out.comments.push(Comment {
                text: words.to_owned(),
                own_line: first,
                span: span(at, at + 1 + words.len()),
            });
            (first, at) = (false, at + length);
            continue;
        }
        let (kind, length) = token(rest, c);
        out.tokens.push(Token { kind, start: at, end: at + length, first });
        (first, at) = (false, at + length);
    }
    out
}

/// The kind and length of the token at the start of `rest`.
fn token(rest: &str, c: char) -> (Kind, usize) {
    let line = || rest.find('\n').unwrap_or(rest.len());
    match c {
        '#' => (Kind::Doc, rest[..line()].trim_end().len()),
        '"' => match rest[1..].find(['"', '\n']).map(|at| at + 1) {
            Some(at) if rest[at..].starts_with('"') => (Kind::Text, at + 1),
            Some(_) | None => (Kind::OpenText, rest[..line()].trim_end().len()),
        },
        '(' | '[' | '{' => (Kind::Open, 1),
        ')' | ']' | '}' => (Kind::Close, 1),
        '0'..='9' => (Kind::Number, number(rest.as_bytes())),
        c if c == '_' || pest::unicode::LETTER(c) => {
            (Kind::Word, rest.find(|c| !in_word(c)).unwrap_or(rest.len()))
        }
        c => match OPERATORS.iter().find(|op| rest.starts_with(**op)) {
            Some(op) => (Kind::Op, op.len()),
            None => (Kind::Unknown, c.len_utf8()),
        },
    }
}

/// The length of the number at the start.
fn number(bytes: &[u8]) -> usize {
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let digits = |mut at: usize| {
        while digit(at) || bytes.get(at) == Some(&b'_') {
            at += 1;
        }
        at
    };
    let mut at = digits(0);
    if bytes.get(at) == Some(&b'.') && digit(at + 1) {
        at = digits(at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        if digit(at + 1 + sign) {
            at = digits(at + 1 + sign);
        }
    }
    at
}

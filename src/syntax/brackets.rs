//! What can be said before parsing: brackets that match, and texts that are too deep to parse.
//!
//! In: tokens. Out: the partner of each bracket, the tokens that spoil whatever contains them, and
//! diagnostics. Invariant: within the limit neither the parser nor the tree nests deeper than
//! [`LEVELS`].

use crate::diag::Diagnostic;
use crate::source::{FileId, Span};
use crate::syntax::errors;
use crate::syntax::lex::{KEYWORDS, Kind, Token};

/// How many brackets and operators may lie inside each other.
const LEVELS: usize = 200;

/// Words that begin an item; on a new line they end whatever is still open.
pub(super) const ITEMS: &[&str] = &["def", "model", "train"];

/// Words that begin a statement.
pub(super) const STATEMENTS: &[&str] =
    &["state", "memory", "param", "emit", "controller", "head", "part", "require"];

/// The outcome of the scan.
#[derive(Debug, Default)]
pub(super) struct Brackets {
    /// For each token that is a matched bracket, the other one.
    pub(super) partner: Vec<Option<usize>>,
    /// Tokens already reported: a piece that holds one is not blamed again.
    pub(super) bad: Vec<bool>,
    /// Mistakes.
    pub(super) found: Vec<Diagnostic>,
    /// Set if the text must not be parsed at all.
    pub(super) limit: Option<Diagnostic>,
}

/// Matches brackets and measures depth.
pub(super) fn scan(text: &str, tokens: &[Token], file: FileId) -> Brackets {
    let none = vec![None; tokens.len()];
    let out = Brackets { partner: none, bad: vec![false; tokens.len()], ..Brackets::default() };
    let mut scan = Scan { text, tokens, file, open: Vec::new(), depth: Depth::default(), out };
    for at in 0..tokens.len() {
        scan.token(at);
        if scan.depth.now() > LEVELS {
            let span = scan.span(at);
            scan.out.limit = Some(errors::too_deep(span, LEVELS));
            return scan.out;
        }
    }
    scan.unwind(0, tokens.len());
    scan.out
}

/// The state of a scan.
struct Scan<'a> {
    text: &'a str,
    tokens: &'a [Token],
    file: FileId,
    /// The brackets open now.
    open: Vec<usize>,
    depth: Depth,
    out: Brackets,
}

impl Scan<'_> {
    fn text(&self, at: usize) -> &str {
        &self.text[self.tokens[at].start..self.tokens[at].end]
    }

    fn span(&self, at: usize) -> Span {
        self.tokens[at].span(self.file)
    }

    fn token(&mut self, at: usize) {
        let token = self.tokens[at];
        match token.kind {
            Kind::Open => {
                self.open.push(at);
                self.depth.open();
            }
            Kind::Close => self.close(at),
            Kind::OpenText => self.spoil(at, errors::open_string(self.span(at))),
            Kind::Unknown => {
                let follows = at > 0
                    && self.tokens[at - 1].kind == Kind::Unknown
                    && self.tokens[at - 1].end == token.start;
                let told = std::mem::replace(&mut self.out.bad[at], true);
                let next = self.tokens.get(at + 1).filter(|next| next.start == token.end);
                if self.text(at) == "|" && next.is_some() && self.text(at + 1) == ">" {
                    let whole = self.span(at).to(self.span(at + 1));
                    self.spoil(at, errors::pipe(whole));
                    return;
                }
                let character = self.text(at).chars().next();
                if let (false, false, Some(character)) = (told, follows, character) {
                    let span = self.span(at);
                    let last = self.same_sign(at);
                    let all = span.to(self.span(last));
                    let one = match (self.closing_quote(at), self.closing_bar(at, last)) {
                        (Some(end), _) => errors::quotes(span, self.span(end)),
                        (None, Some(end)) => {
                            let function = if last > at { "norm" } else { "abs" };
                            let inside = all.after().to(self.span(end).before());
                            let inside = &self.text[inside.start as usize..inside.end as usize];
                            let close = self.span(end).to(self.span(self.same_sign(end)));
                            errors::bars(function, inside, all, close)
                        }
                        (None, None) => errors::unknown_character(span, all, character),
                    };
                    self.spoil(at, one);
                }
            }
            Kind::Word => self.word(at),
            Kind::Op => match self.text(at) {
                "," | "=" | ":=" | ";" => self.depth.restart(),
                _ => self.depth.operator(),
            },
            Kind::Number | Kind::Text | Kind::Doc => {}
        }
    }

    fn word(&mut self, at: usize) {
        let token = self.tokens[at];
        let word = self.text(at);
        if token.first && ITEMS.contains(&word) && !self.names_value(at) {
            // No definition stands inside another, so whatever is open was forgotten.
            self.unwind(0, at);
            self.depth.restart();
        } else if STATEMENTS.contains(&word) || self.starts_line(at) {
            self.depth.restart();
        } else if matches!(word, "if" | "for" | "not" | "and" | "or" | "mod" | "prev")
            || self.tokens.get(at + 1).is_some_and(|next| next.kind == Kind::Open)
        {
            self.depth.operator();
        }
    }

    /// Whether `=` follows: a keyword misused as a name.
    fn names_value(&self, at: usize) -> bool {
        self.tokens.get(at + 1).is_some_and(|next| self.text[next.start..].starts_with('='))
    }

    /// Whether the word begins a line of a block, after a value.
    fn starts_line(&self, at: usize) -> bool {
        let in_block = self.open.last().is_none_or(|open| self.text(*open) == "{");
        in_block && self.tokens[at].first && at > 0 && ends_value(self.text, self.tokens[at - 1])
    }

    fn close(&mut self, at: usize) {
        let bracket = self.text(at);
        let fits = |open: &usize| errors::closer(self.text(*open)) == bracket;
        match self.open.iter().rposition(fits) {
            Some(place) => {
                self.unwind(place + 1, at);
                if let Some(open) = self.open.pop() {
                    self.out.partner[open] = Some(at);
                    self.out.partner[at] = Some(open);
                }
                self.depth.close();
            }
            None if self.told_on_line(at) => self.out.bad[at] = true,
            None => self.spoil(at, errors::stray_closer(self.span(at), bracket)),
        }
    }

    /// Whether a bracket before this one, on the same line, was told to be wrong: then this one may
    /// well be right.
    fn told_on_line(&self, at: usize) -> bool {
        let here = self.tokens[at].start;
        let line = self.text[..here].rfind('\n').map_or(0, |line| line + 1);
        let told = |one: &Diagnostic| {
            let start = one.primary.span.start as usize;
            one.code.0 == "E0010" && start >= line && start < here
        };
        self.out.found.iter().any(told)
    }

    /// Gives up on the brackets above `keep`, at token `until`. Of those on one line only the innermost is reported.
    fn unwind(&mut self, keep: usize, until: usize) {
        let mut reported: Option<usize> = None;
        while self.open.len() > keep {
            let Some(open) = self.open.pop() else { return };
            self.depth.close();
            self.out.bad[open] = true;
            let here = self.tokens[open].start;
            if reported.is_none_or(|other| self.text[here..other].contains('\n')) {
                let end = self.closing_place(open, until);
                self.spoil(open, errors::unclosed(self.span(open), self.text(open), end));
                reported = Some(here);
            }
        }
    }

    /// The bar that closes the one at `at`, which is two up to `last` for a norm: on the same line,
    /// after a value. It is marked, so that nothing more is said of it.
    fn closing_bar(&mut self, at: usize, last: usize) -> Option<usize> {
        let after_value = at > 0 && ends_value(self.text, self.tokens[at - 1]);
        if self.text(at) != "|" || (after_value && !self.tokens[at].first) {
            return None;
        }
        let here = (last + 1..self.tokens.len()).take_while(|next| !self.tokens[*next].first);
        let end = here.into_iter().find(|next| self.text(*next) == "|")?;
        let closes = self.same_sign(end) - end == last - at;
        let filled = end > last + 1 && ends_value(self.text, self.tokens[end - 1]);
        if !closes || !filled {
            return None;
        }
        (end..=end + last - at).for_each(|bar| self.out.bad[bar] = true);
        Some(end)
    }

    /// The `'` that ends a text which one at `at` begins, on the same line. It is marked.
    fn closing_quote(&mut self, at: usize) -> Option<usize> {
        let begins =
            self.text(at) == "'" && (at == 0 || !ends_value(self.text, self.tokens[at - 1]));
        let mut here = (at + 1..self.tokens.len()).take_while(|next| !self.tokens[*next].first);
        let end = here.find(|next| begins && self.text(*next) == "'")?;
        self.out.bad[end] = true;
        Some(end)
    }

    /// The last of the equal characters that follow one another from `at` on.
    fn same_sign(&self, at: usize) -> usize {
        let mut last = at;
        while let Some(next) = self.tokens.get(last + 1)
            && next.start == self.tokens[last].end
            && self.text(last + 1) == self.text(at)
        {
            last += 1;
        }
        last
    }

    /// Where a bracket that nothing closes before token `until` should have ended: a block before the
    /// next item, anything else before the next statement.
    fn closing_place(&self, open: usize, until: usize) -> Span {
        let block = self.text(open) == "{";
        let mut end = until;
        if block {
            while end > open + 1 && self.tokens[end - 1].kind == Kind::Doc {
                end -= 1;
            }
        } else {
            let starts = |at: &usize| {
                let token = self.tokens[*at];
                let word = self.text(*at);
                token.kind == Kind::Doc
                    || STATEMENTS.contains(&word)
                    || word == "}"
                    || token.first
                        && token.kind == Kind::Word
                        && ends_value(self.text, self.tokens[*at - 1])
            };
            end = (open + 1..until).find(starts).unwrap_or(until);
        }
        self.span(end - 1).after()
    }

    fn spoil(&mut self, at: usize, diagnostic: Diagnostic) {
        self.out.bad[at] = true;
        // A binary file would make a million of them.
        if self.out.found.len() < super::recover::MOST {
            self.out.found.push(diagnostic);
        }
    }
}

/// Whether a value may end with this token, so that a new line may begin a statement.
pub(super) fn ends_value(text: &str, token: Token) -> bool {
    match token.kind {
        Kind::Word => {
            let word = &text[token.start..token.end];
            word == "tied" || !KEYWORDS.contains(&word)
        }
        Kind::Number | Kind::Text | Kind::OpenText | Kind::Close => true,
        Kind::Open | Kind::Op | Kind::Doc | Kind::Unknown => false,
    }
}

/// An upper bound of how deep the tree gets: within a bracket, the number of operators plus the
/// depth of the deepest operand.
#[derive(Debug, Default)]
struct Depth {
    /// The brackets around the current one.
    around: Vec<Level>,
    /// What `around` adds up to, the brackets themselves included.
    above: usize,
    /// The current one.
    here: Level,
}

/// One bracket's share.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    /// Operators since the last separator.
    operators: usize,
    /// The deepest operand since then.
    operand: usize,
    /// The deepest part before.
    before: usize,
}

impl Depth {
    fn now(&self) -> usize {
        self.above + self.here.operators + self.here.operand
    }

    fn open(&mut self) {
        self.above += self.here.operators + 1;
        self.around.push(std::mem::take(&mut self.here));
    }

    fn close(&mut self) {
        let inner = (self.here.operators + self.here.operand).max(self.here.before);
        self.here = self.around.pop().unwrap_or_default();
        self.above -= self.here.operators + 1;
        self.here.operand = self.here.operand.max(inner + 1);
    }

    fn operator(&mut self) {
        self.here.operators += 1;
    }

    fn restart(&mut self) {
        let before = (self.here.operators + self.here.operand).max(self.here.before);
        self.here = Level { before, ..Level::default() };
    }
}

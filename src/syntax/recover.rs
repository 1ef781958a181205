//! After a failing parse: the file is cut into pieces that are parsed one by one.
//!
//! In: tokens and brackets. Out: what could be read, and one message for each mistake. The file is
//! cut at items, blocks at statements. A slip with an obvious correction (`;`, `:=`, `==`) is
//! corrected in a copy of the text, in place, so that all places stay what they are.
//! Invariant: at least one diagnostic is reported.

use crate::diag::{Diagnostic, Diagnostics};
use crate::source::{FileId, Span};
use crate::syntax::ast::{Body, Def, File, Import, Item, Setting, Stmt, Train};
use crate::syntax::brackets::{Brackets, ITEMS, STATEMENTS, ends_value};
use crate::syntax::build::Builder;
use crate::syntax::errors;
use crate::syntax::grammar::{self, Rule, Stop};
use crate::syntax::lex::{Kind, Lexed, Token};
use crate::syntax::slips::{self, Place};

/// How many mistakes are reported for one file.
pub(super) const MOST: usize = 50;

/// Words that begin a statement in other languages.
const CONTROL: &[&str] = &["if", "for", "while"];

/// What makes tree of the pairs of a piece.
type Build<T> = fn(&mut Builder<'_>, pest::iterators::Pair<'_, Rule>) -> T;

/// Tokens `lo..hi`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// First token.
    pub(super) lo: usize,
    /// One past the last token.
    pub(super) hi: usize,
}

/// Reads what can be read of a file that the grammar does not accept as a whole.
pub(super) fn recover(
    text: &str,
    lexed: &Lexed,
    brackets: Brackets,
    file: FileId,
    sink: &mut Diagnostics,
) -> File {
    let mut recovery = Recovery::new(text, lexed, brackets, file);
    let tree = recovery.file();
    if recovery.found.is_empty() {
        // Every piece is fine, so their order is not: say where the whole file stops.
        if let Err(stop) = grammar::read(Rule::file, &recovery.text) {
            let whole = Piece { lo: 0, hi: recovery.tokens.len() };
            recovery.blame(whole, &stop, Place::File);
        }
    }
    recovery.finish(sink);
    tree
}

/// Explains why a text that is not a file could not be read.
pub(super) fn explain(
    text: &str,
    lexed: &Lexed,
    brackets: Brackets,
    file: FileId,
    stop: &Stop,
    sink: &mut Diagnostics,
) {
    let mut recovery = Recovery::new(text, lexed, brackets, file);
    if recovery.found.is_empty() {
        let whole = Piece { lo: 0, hi: recovery.tokens.len() };
        recovery.blame(whole, stop, Place::Value);
    }
    recovery.finish(sink);
}

/// The state of a recovery.
pub(super) struct Recovery {
    /// The text with corrections.
    pub(super) text: String,
    /// Its tokens.
    pub(super) tokens: Vec<Token>,
    /// Its brackets.
    pub(super) brackets: Brackets,
    /// Which source it is.
    pub(super) file: FileId,
    /// What is wrong.
    pub(super) found: Vec<Diagnostic>,
    /// Whether a statement of another language was told of.
    control: bool,
}

impl Recovery {
    fn new(text: &str, lexed: &Lexed, mut brackets: Brackets, file: FileId) -> Recovery {
        let found = std::mem::take(&mut brackets.found);
        let (text, tokens) = (text.to_owned(), lexed.tokens.clone());
        Recovery { text, tokens, brackets, file, found, control: false }
    }

    fn finish(mut self, sink: &mut Diagnostics) {
        self.found.sort_by_key(|one| one.primary.span.start);
        self.found.truncate(MOST);
        super::report(self.found, sink);
    }

    /// The text of a token.
    pub(super) fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &self.text[token.start..token.end])
    }

    /// The text of the tokens `lo..hi`; nothing for none.
    pub(super) fn between(&self, lo: usize, hi: usize) -> &str {
        if lo < hi { &self.text[self.tokens[lo].start..self.tokens[hi - 1].end] } else { "" }
    }

    /// The place of a token; of the end of the text if there is no such token.
    pub(super) fn span(&self, at: usize) -> Span {
        match self.tokens.get(at) {
            Some(token) => token.span(self.file),
            None => {
                let end = self.text.len() as u32;
                Span { file: self.file, start: end, end }
            }
        }
    }

    /// Puts `with` in place of a token, padded with blanks.
    pub(super) fn correct(&mut self, at: usize, with: &str) {
        let Token { start, end, .. } = self.tokens[at];
        let padded = format!("{with:width$}", width = end - start);
        self.text.replace_range(start..end, &padded);
        self.tokens[at].end = start + with.len().max(1);
    }

    fn file(&mut self) -> File {
        self.correct_signs();
        let (version_span, mut at) = self.version();
        let mut imports = Vec::new();
        let mut items = Vec::new();
        let end = self.tokens.len();
        while at < end && self.found.len() < MOST {
            if self.word(at).trim().is_empty() {
                // A `;` that was taken away.
                at += 1;
                continue;
            }
            let piece = Piece { lo: at, hi: self.item_end(at) };
            match self.word(at) {
                "use" => imports.extend(self.import(piece)),
                _ => items.extend(self.item(piece)),
            }
            at = piece.hi;
        }
        let whole = Span { file: self.file, start: 0, end: self.text.len() as u32 };
        let (comments, blanks) = (Vec::new(), Vec::new());
        File { version: 1, version_span, imports, items, comments, blanks, span: whole }
    }

    /// Corrects every `;` and `:=`, wherever they stand.
    fn correct_signs(&mut self) {
        for at in 0..self.tokens.len() {
            if self.found.len() >= MOST {
                return;
            }
            let span = self.span(at);
            if self.word(at) == ":=" {
                self.found.push(errors::assignment(span));
                self.correct(at, "=");
            } else if self.word(at) == ";" {
                let around = (0..at)
                    .rev()
                    .find(|open| self.brackets.partner[*open].is_some_and(|close| close > at));
                let listed = around.is_some_and(|open| self.word(open) != "{");
                let closed = self.tokens.get(at + 1).is_none_or(|next| next.kind == Kind::Close);
                let (one, sign) = if listed && !closed {
                    (errors::semicolon_in_brackets(span), ",")
                } else {
                    (errors::semicolon(span), " ")
                };
                self.found.push(one);
                self.correct(at, sign);
            }
        }
    }

    /// Reads `ntm 1` and says where the rest begins.
    fn version(&mut self) -> (Span, usize) {
        let is_doc = |token: &&Token| token.kind == Kind::Doc;
        let docs = self.tokens.iter().take_while(is_doc).count();
        let number = self.tokens.get(docs + 1).filter(|token| token.kind == Kind::Number);
        if self.word(docs) == "ntm" && number.is_some() {
            if docs > 0 {
                self.found.push(errors::dangling_doc(self.span(0)));
            }
            let (span, number) = (self.span(docs + 1), self.word(docs + 1));
            if number.parse() != Ok(errors::NEWEST) {
                self.found.push(errors::newer_version(span, number));
            }
            return (self.span(docs).to(span), docs + 2);
        }
        let span = self.span(0);
        self.found.push(errors::no_version(span, self.word(0)));
        // What is neither version nor import nor item is part of the same mistake.
        let starts = |token: &Token| {
            let word = &self.text[token.start..token.end];
            token.first && (token.kind == Kind::Doc || word == "use" || ITEMS.contains(&word))
        };
        let rest = self.tokens.iter().position(starts).unwrap_or(self.tokens.len());
        (Span { end: span.start, ..span }, rest)
    }

    /// Where the item that begins at `lo` ends: before the next item or import, or after its block.
    fn item_end(&self, lo: usize) -> usize {
        let mut at = lo;
        while self.tokens.get(at).is_some_and(|token| token.kind == Kind::Doc) {
            at += 1;
        }
        at += 1;
        while at < self.tokens.len() {
            let word = self.word(at);
            let starts = self.tokens[at].kind == Kind::Doc
                || (ITEMS.contains(&word) && self.word(at + 1) != "=")
                || (word == "use" && self.tokens[at].first);
            if starts && (self.tokens[at].first || ends_value(&self.text, self.tokens[at - 1])) {
                return at;
            }
            let block = word == "{";
            match self.brackets.partner[at] {
                Some(close) if close > at && block => return close + 1,
                Some(close) if close > at => at = close + 1,
                Some(_) | None => at += 1,
            }
        }
        at.min(self.tokens.len())
    }

    /// Cuts the inside of a block into statements or settings.
    fn cut(&self, inside: Piece) -> Vec<Piece> {
        let mut out = Vec::new();
        let (mut lo, mut at) = (inside.lo, inside.lo);
        // Whether the piece has its `=` or its block, so that another may follow on the same line.
        let mut complete = false;
        while at < inside.hi {
            if at > lo && self.starts(lo, at, complete) {
                out.push(Piece { lo, hi: at });
                (lo, complete) = (at, false);
            }
            complete |= matches!(self.word(at), "=" | "{");
            at = match self.brackets.partner[at] {
                Some(close) if close > at && close < inside.hi => close + 1,
                Some(_) | None => at + 1,
            };
        }
        if lo < inside.hi {
            out.push(Piece { lo, hi: inside.hi });
        }
        out
    }

    /// Whether a new statement starts at `at`, when the one before it began at `lo`.
    fn starts(&self, lo: usize, at: usize, complete: bool) -> bool {
        let (token, before) = (self.tokens[at], self.tokens[at - 1]);
        if before.kind == Kind::Doc {
            return false;
        }
        let (word, last) = (self.word(at), self.word(at - 1));
        let after_value = ends_value(&self.text, before) || last.trim().is_empty();
        let declares = STATEMENTS.contains(&last) && last != "require" && at - 1 == lo;
        match token.kind {
            Kind::Doc => true,
            Kind::Word if STATEMENTS.contains(&word) => (token.first && !declares) || after_value,
            Kind::Word if token.first => {
                let continues = [",", ":", "via"].contains(&last) || declares;
                let keyword = super::lex::KEYWORDS.contains(&word);
                // No keyword is followed by `=`, so this one is used as the name of a value.
                let misused = keyword && self.word(at + 1) == "=";
                // No value goes on with these, which begin statements elsewhere.
                let foreign = CONTROL.contains(&word) || word == "prev";
                (after_value && (!keyword || foreign))
                    || (!continues && (misused || self.is_equation(at)))
            }
            Kind::Word => complete && after_value && self.is_equation(at),
            Kind::Number
            | Kind::Text
            | Kind::OpenText
            | Kind::Open
            | Kind::Close
            | Kind::Op
            | Kind::Unknown => false,
        }
    }

    /// Whether `name... =` begins at `at`.
    fn is_equation(&self, mut at: usize) -> bool {
        if super::lex::KEYWORDS.contains(&self.word(at)) {
            return false;
        }
        at += 1;
        loop {
            match self.word(at) {
                "=" => return true,
                "." => at += 2,
                _ => match self.brackets.partner.get(at).copied().flatten() {
                    Some(close) if close > at && self.word(at) != "{" => at = close + 1,
                    Some(_) | None => return false,
                },
            }
        }
    }

    fn import(&mut self, piece: Piece) -> Option<Import> {
        self.read(Rule::import_entry, piece, Place::File, |builder, pair| builder.import(pair))
    }

    fn item(&mut self, piece: Piece) -> Option<Item> {
        let build: Build<Item> = |builder, pair| builder.item(pair);
        let start = self.after_docs(piece);
        let Some((open, close)) = self.block(piece) else {
            return self.read(Rule::item_entry, piece, Place::Item, build);
        };
        let head = Piece { lo: piece.lo, hi: open + 1 };
        let item = self.read_head(Rule::item_entry, head, Place::Item, build);
        let inside = Piece { lo: open + 1, hi: close };
        let span = |span: Span| Span { end: self.tokens[close].end as u32, ..span };
        match item {
            Some(Item::Train(train)) => {
                let span = span(train.span);
                let settings = self.settings(inside);
                Some(Item::Train(Train { settings, span, ..train }))
            }
            Some(Item::Def(def)) => {
                let span = span(def.span);
                Some(Item::Def(Def { body: Body::Block(self.statements(inside)), span, ..def }))
            }
            Some(Item::Model(def)) => {
                let span = span(def.span);
                Some(Item::Model(Def { body: Body::Block(self.statements(inside)), span, ..def }))
            }
            None if self.word(start) == "train" => {
                self.settings(inside);
                None
            }
            None => {
                self.statements(inside);
                None
            }
        }
    }

    fn settings(&mut self, inside: Piece) -> Vec<Setting> {
        let build: Build<Setting> = |builder, pair| builder.setting(pair);
        let pieces = self.cut(inside).into_iter();
        pieces
            .filter_map(|piece| self.read(Rule::setting_entry, piece, Place::Setting, build))
            .collect()
    }

    fn statements(&mut self, inside: Piece) -> Vec<Stmt> {
        self.cut(inside).into_iter().filter_map(|piece| self.statement(piece)).collect()
    }

    fn statement(&mut self, piece: Piece) -> Option<Stmt> {
        let build: Build<Stmt> = |builder, pair| builder.stmt(pair);
        let start = self.after_docs(piece);
        let named = ["=", "[", "."].contains(&self.word(start + 1));
        if CONTROL.contains(&self.word(start)) && !named {
            self.found.push(errors::control(self.span(start), self.word(start)));
            self.control = true;
            return None;
        }
        // In an equation braces are no block.
        let equation = |open: usize| (start..open).any(|at| self.word(at) == "=");
        let block = self.block(piece).filter(|(open, _)| !equation(*open));
        let Some((open, close)) = block else {
            return self.read(Rule::stmt_entry, piece, Place::Statement, build);
        };
        let head = Piece { lo: piece.lo, hi: open + 1 };
        let stmt = self.read_head(Rule::stmt_entry, head, Place::Statement, build);
        let body = self.statements(Piece { lo: open + 1, hi: close });
        if close + 1 < piece.hi {
            let rest = Piece { lo: close + 1, hi: piece.hi };
            self.read(Rule::stmt_entry, rest, Place::Statement, build);
        }
        let Some(Stmt::Part(mut part)) = stmt else { return None };
        part.span.end = self.tokens[close].end as u32;
        part.body = Body::Block(body);
        Some(Stmt::Part(part))
    }

    /// The first token that is no documentation.
    fn after_docs(&self, piece: Piece) -> usize {
        let docs = self.tokens[piece.lo..piece.hi].iter();
        piece.lo + docs.take_while(|token| token.kind == Kind::Doc).count()
    }

    /// The braces of a piece's own block.
    fn block(&self, piece: Piece) -> Option<(usize, usize)> {
        let mut at = piece.lo;
        while at < piece.hi {
            match self.brackets.partner[at] {
                Some(close) if close > at && close < piece.hi => {
                    if self.word(at) == "{" {
                        return Some((at, close));
                    }
                    at = close + 1;
                }
                Some(_) | None => at += 1,
            }
        }
        None
    }

    /// Reads a piece; corrects what has an obvious correction and reads again.
    fn read<T>(&mut self, rule: Rule, piece: Piece, place: Place, build: Build<T>) -> Option<T> {
        self.read_with(rule, piece, place, "", build)
    }

    /// Reads the head of a block, up to its brace, as if the block were empty.
    fn read_head<T>(
        &mut self,
        rule: Rule,
        piece: Piece,
        place: Place,
        build: Build<T>,
    ) -> Option<T> {
        self.read_with(rule, piece, place, "}", build)
    }

    fn read_with<T>(
        &mut self,
        rule: Rule,
        piece: Piece,
        place: Place,
        ending: &str,
        build: Build<T>,
    ) -> Option<T> {
        loop {
            if self.found.len() >= MOST {
                return None;
            }
            let base = self.tokens[piece.lo].start;
            let text = format!("{}{ending}", &self.text[base..self.tokens[piece.hi - 1].end]);
            let mut stop = match grammar::read(rule, &text) {
                Ok(mut pairs) => {
                    let mut builder = Builder::new(self.file, base, &self.tokens[..piece.hi]);
                    let built = build(&mut builder, pairs.next()?);
                    self.found.append(&mut builder.found);
                    return Some(built);
                }
                Err(stop) => stop,
            };
            stop.at += base;
            if self.brackets.bad[piece.lo..piece.hi].contains(&true) {
                return None;
            }
            if !self.blame(piece, &stop, place) {
                return None;
            }
        }
    }

    /// Reports why a piece stops where it does. Whether it was corrected and is worth another try.
    fn blame(&mut self, piece: Piece, stop: &Stop, place: Place) -> bool {
        let bad = self.tokens[..piece.hi].partition_point(|token| token.end <= stop.at);
        if self.control && ["else", "elif"].contains(&self.word(bad)) {
            // The rest of an `if` that is told.
            return false;
        }
        let slip = slips::slip(self, piece, stop, place);
        self.found.push(slip.diagnostic);
        match slip.correction {
            Some((at, with)) => {
                self.correct(at, with);
                true
            }
            None => false,
        }
    }
}

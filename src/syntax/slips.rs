//! From the place where parsing stopped to a sentence about the mistake.
//!
//! In: a piece and the byte at which pest gave up. Out: one diagnostic, and perhaps a correction.
//! The common slips are told apart by the tokens around the place; everything else becomes
//! "expected X, found Y" in words of the language, never of the grammar.

mod foreign;

use crate::diag::{Diagnostic, Edit};
use crate::source::Span;
use crate::syntax::ast::DOMAINS;
use crate::syntax::brackets::{ITEMS, STATEMENTS, ends_value};
use crate::syntax::colons;
use crate::syntax::errors;
use crate::syntax::grammar::{Rule, Stop};
use crate::syntax::lex::{KEYWORDS, Kind};
use crate::syntax::recover::{Piece, Recovery};

/// What a piece ought to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Version and imports.
    File,
    /// A definition, a model or a training block.
    Item,
    /// A statement of a block.
    Statement,
    /// A setting of a training block.
    Setting,
    /// A value from the command line.
    Value,
}

/// A mistake and what to put in place of a token, if that is obvious.
pub(super) struct Slip {
    /// The message.
    pub(super) diagnostic: Diagnostic,
    /// The token and its correction.
    pub(super) correction: Option<(usize, &'static str)>,
}

/// Says what is wrong with a piece.
pub(super) fn slip(text: &Recovery, piece: Piece, stop: &Stop, place: Place) -> Slip {
    let tokens = &text.tokens[piece.lo..piece.hi];
    let at = piece.lo + tokens.partition_point(|token| token.end <= stop.at);
    let look = Look { text, piece, stop, place, at };
    if stop.gave_up {
        return Slip { diagnostic: errors::too_much_work(look.here()), correction: None };
    }
    if look.word(0) == "==" && look.is_statement_equation() {
        let diagnostic = errors::compares(look.here());
        return Slip { diagnostic, correction: Some((at, "=")) };
    }
    let diagnostic = look.foreign().or_else(|| look.special());
    let diagnostic = diagnostic.unwrap_or_else(|| look.general());
    Slip { diagnostic, correction: None }
}

/// A piece and the token at which it cannot be read on.
struct Look<'a> {
    text: &'a Recovery,
    piece: Piece,
    stop: &'a Stop,
    place: Place,
    at: usize,
}

impl Look<'_> {
    /// The token `by` places from the bad one; nothing outside the piece.
    fn word(&self, by: isize) -> &str {
        match self.token(by) {
            Some(at) => self.text.word(at),
            None => "",
        }
    }

    fn token(&self, by: isize) -> Option<usize> {
        let at = self.at.checked_add_signed(by)?;
        (self.piece.lo..self.piece.hi).contains(&at).then_some(at)
    }

    fn kind(&self, by: isize) -> Option<Kind> {
        self.token(by).map(|at| self.text.tokens[at].kind)
    }

    /// The place of the bad token.
    fn here(&self) -> Span {
        match (self.token(0), self.token(-1)) {
            (Some(at), _) | (None, Some(at)) => self.text.span(at),
            (None, None) => self.text.span(self.at),
        }
    }

    /// Whether a value may end right before the bad token.
    fn after_value(&self) -> bool {
        self.token(-1).is_some_and(|at| ends_value(&self.text.text, self.text.tokens[at]))
    }

    /// Whether the bad token may begin a value.
    fn starts_value(&self) -> bool {
        match self.kind(0) {
            Some(Kind::Number | Kind::Text | Kind::Open) => self.word(0) != "{",
            Some(Kind::Word) => {
                let word = self.word(0);
                !KEYWORDS.contains(&word) || ["prev", "if", "for", "not"].contains(&word)
            }
            Some(Kind::OpenText | Kind::Close | Kind::Op | Kind::Doc | Kind::Unknown) | None => {
                false
            }
        }
    }

    /// Whether an `=` stands before the bad token, outside all brackets of the piece.
    fn has_equals(&self) -> bool {
        let mut at = self.piece.lo;
        while at < self.at.min(self.piece.hi) {
            if self.text.word(at) == "=" {
                return true;
            }
            at = match self.text.brackets.partner[at] {
                Some(close) if close > at => close + 1,
                Some(_) | None => at + 1,
            };
        }
        false
    }

    /// The bracket around the bad token, within the piece.
    fn bracket(&self) -> Option<usize> {
        let before = self.piece.lo..self.at.min(self.piece.hi);
        before.rev().find(|at| self.text.brackets.partner[*at].is_some_and(|end| end >= self.at))
    }

    /// Whether `==` stands where the `=` of the piece belongs.
    fn is_statement_equation(&self) -> bool {
        let start = self.first();
        let condition = self.text.word(start) == "require";
        !condition && !self.has_equals() && self.bracket_word() != "["
    }

    fn bracket_word(&self) -> &str {
        self.bracket().map_or("", |at| self.text.word(at))
    }

    /// The first token that is no documentation.
    fn first(&self) -> usize {
        let range = self.piece.lo..self.piece.hi;
        range.clone().find(|at| self.text.tokens[*at].kind != Kind::Doc).unwrap_or(range.start)
    }

    /// The slips that have a code of their own.
    fn special(&self) -> Option<Diagnostic> {
        let here = self.here();
        let word = self.word(0);
        match self.kind(0) {
            None if self.kind(-1) == Some(Kind::Doc) => Some(errors::dangling_doc(here)),
            Some(Kind::Doc) => Some(errors::dangling_doc(here)),
            Some(_) if self.kind(-1) == Some(Kind::Doc) && !self.opens_statement() => {
                let doc = self.token(-1).map_or(here, |at| self.text.span(at));
                Some(errors::dangling_doc(doc))
            }
            Some(Kind::Op) => match word {
                ";" => Some(errors::semicolon(here)),
                ":=" => Some(errors::assignment(here)),
                "=" if self.names_keyword() => Some(self.keyword_as_name()),
                ":" if self.bracket_word() == "[" => {
                    Some(errors::colon_index(here).edits(colons::edits(self.text, self.at)))
                }
                _ => None,
            },
            Some(Kind::Open) if word == "[" && self.names_keyword() => Some(self.keyword_as_name()),
            Some(Kind::Word) if KEYWORDS.contains(&word) && self.wants_name() => {
                let left = self.token(0) == Some(self.first()) && self.place != Place::Value;
                let parameter = self.bracket_word() == "(" && ["(", ","].contains(&self.word(-1));
                let parameter = parameter && ITEMS.contains(&self.text.word(self.first()));
                let item = ITEMS.contains(&self.word(-1));
                let declared = left || item || parameter || STATEMENTS.contains(&self.word(-1));
                Some(errors::keyword(here, word, declared))
            }
            Some(_) if self.after_value() && self.starts_value() && self.in_value() => {
                let before = self.token(-1).map_or(here, |at| self.text.span(at));
                if let Some(word) = self.missing_word() {
                    let one = errors::unexpected(here, &format!("`{word}`"), &self.found());
                    let (at, text) = match word {
                        ":" => (before.after(), ":"),
                        _ => (before.after(), " then"),
                    };
                    return Some(errors::missing(one, at, text));
                }
                Some(self.side_by_side(before, here))
            }
            Some(_) | None => None,
        }
    }

    /// `emit = x` or `emit[i] = x` where `emit` is meant as the name of a value.
    fn names_keyword(&self) -> bool {
        self.token(-1) == Some(self.first())
            && KEYWORDS.contains(&self.word(-1))
            && self.text.word(self.first()) != "train"
    }

    /// That the word before the bad token is no name, with all other places of it in the statement.
    fn keyword_as_name(&self) -> Diagnostic {
        let before = self.token(-1).map_or_else(|| self.here(), |at| self.text.span(at));
        let word = self.word(-1);
        let again = (self.at + 1..self.piece.hi)
            .filter(|at| STATEMENTS.contains(&word) && self.text.word(*at) == word)
            .map(|at| Edit::new(self.text.span(at), format!("{word}_")));
        errors::keyword(before, word, true).edits(again)
    }

    /// Two values without an operator.
    fn side_by_side(&self, before: Span, here: Span) -> Diagnostic {
        let one = errors::side_by_side(before, here);
        if self.kind(0) == Some(Kind::Text) {
            return errors::message_after(one, before);
        }
        if ["sum", "prod", "max", "min", "mean"].contains(&self.word(-1)) {
            let plain = self.kind(0) == Some(Kind::Word) && self.kind(1) != Some(Kind::Open);
            let plain = plain && !KEYWORDS.contains(&self.word(0)) && self.word(1) != ".";
            return errors::reduction(one, before, plain.then_some(here));
        }
        errors::product(one, before, here)
    }

    /// The `then` of an `if` or the `:` of a `for` that is missing before the bad token.
    fn missing_word(&self) -> Option<&'static str> {
        let has = |word: &str, range: std::ops::Range<usize>| {
            range.clone().any(|at| self.text.word(at) == word)
        };
        if self.stop.wanted.contains(&Rule::THEN) && !has("then", self.at..self.piece.hi) {
            return Some("then");
        }
        let opened = (self.piece.lo..self.at).rev().find(|at| self.text.word(*at) == "for")?;
        (!has(":", opened..self.at)).then_some(":")
    }

    /// Whether the bad token begins a statement or item, perhaps a misspelt or misplaced one.
    fn opens_statement(&self) -> bool {
        self.kind(0) == Some(Kind::Word) && !["require", "use"].contains(&self.word(0))
    }

    /// Whether a name or value belongs where the bad token stands.
    fn wants_name(&self) -> bool {
        let (before, next, word) = (self.word(-1), self.word(1), self.word(0));
        let declares = STATEMENTS.contains(&before) && before != "require"
            || ITEMS.contains(&before)
            || ["via", "through", "prev"].contains(&before);
        let operand = match self.kind(-1) {
            Some(Kind::Op) => true,
            Some(Kind::Open) => before != "{",
            Some(Kind::Word) => declares,
            Some(_) => false,
            None => self.place == Place::Value || ["=", "[", "."].contains(&next),
        };
        // An operator is missing its value; the word after it goes on rightly.
        let goes_on = ["then", "else", "elsewhere", "on", "from"].contains(&word)
            && self.kind(-1) == Some(Kind::Op)
            && before != "."
            && before != "->"
            && (before != "," || self.bracket().is_none())
            && !["+", "*", "/", "^", ",", ")", "]"].contains(&next);
        operand && !goes_on && (before, word) != ("train", "on")
    }

    /// Whether the bad token stands in a value: after `=`, or inside brackets.
    fn in_value(&self) -> bool {
        let first = self.text.word(self.first());
        self.has_equals()
            || self.bracket().is_some() && first != "use" && !ITEMS.contains(&first)
            || first == "require"
            || self.place == Place::Value
    }

    /// "expected X, found Y".
    fn general(&self) -> Diagnostic {
        let expected = self.expected();
        let here = self.here();
        if self.token(0).is_none() {
            let one = errors::unfinished(here, &expected);
            let no_else = expected.starts_with("`else`");
            return if no_else { errors::missing(one, here.after(), " else 0") } else { one };
        }
        let one = errors::unexpected(here, &expected, &self.found());
        let before = self.token(-1).map_or(here.before(), |at| self.text.span(at).after());
        let first = self.first();
        let misspelt = errors::meant(one.clone(), self.text.span(first), self.text.word(first));
        if misspelt != one {
            return misspelt;
        }
        if let Some(one) = self.other_language(&one) {
            return one;
        }
        match expected.as_str() {
            "`=`" if self.starts_value() => errors::missing(one, before, " ="),
            "`->` and the result" => match self.likely_result() {
                Some(result) => errors::missing(one, before, &format!(" -> {result}")),
                None => one,
            },
            "`on` and a task" if self.kind(0) == Some(Kind::Word) => {
                one.help("write `on`").edit(here, "on")
            }
            "`,`, `=` or the next statement" if DOMAINS.contains(&self.word(0)) => {
                errors::missing(one, before, ":")
            }
            "`,`, `=` or the next statement" if self.kind(0) == Some(Kind::Word) => {
                errors::missing(one, before, ",")
            }
            _ => one,
        }
    }

    /// Help for signs of other languages, and for signs that stand twice.
    fn other_language(&self, one: &Diagnostic) -> Option<Diagnostic> {
        let (last, at) = (self.token(-1)?, self.token(0)?);
        let (before, word, after) = (self.word(-1), self.word(0), self.word(1));
        let both = self.text.span(last).to(self.text.span(at));
        let compares = ["<", "<=", ">", ">=", "==", "!="];
        if (before, word) == ("*", "*") {
            return Some(errors::power(one.clone(), both));
        }
        if word == ":" && self.bracket_word() == "(" && self.after_value() {
            let one = errors::unexpected(self.here(), "`..`", &self.found());
            return Some(errors::colon_range(one, self.text.span(at)));
        }
        if ["+", "-", "*", "/"].contains(&word) && after == "=" {
            let first = self.first();
            let left = self.text.between(first, at);
            let state = (0..first).rev().any(|at| {
                ["state", "memory"].contains(&self.text.word(at))
                    && self.text.word(at + 1) == self.text.word(first)
            });
            let signs = self.text.span(at).to(self.text.span(at + 1));
            let end = self.text.span(self.piece.hi - 1).after();
            return Some(errors::updates(one.clone(), left, word, state.then_some((signs, end))));
        }
        if before == word && [",", "->", ".", "=", "+", "/"].contains(&word) {
            return Some(errors::doubled(one.clone(), self.text.span(at)));
        }
        let ends = |at: &usize| compares.contains(&self.text.word(*at));
        let start = (self.piece.lo..at).rev().find(ends)?;
        let plain = (start + 1..at).all(|at| {
            let word = self.text.word(at);
            !KEYWORDS.contains(&word) && !["=", "(", ")"].contains(&word)
        });
        (compares.contains(&word) && plain && start + 1 < at)
            .then(|| errors::chained(one.clone(), self.here(), self.text.between(start + 1, at)))
    }

    /// A result of the shape of the first parameter, for a definition that names none.
    fn likely_result(&self) -> Option<String> {
        let open = (self.piece.lo..self.at).find(|at| self.text.word(*at) == "(")?;
        let close = self.text.brackets.partner[open]?;
        let taken = |word: &str| (open..close).any(|at| self.text.word(at) == word);
        let name = ["y", "out", "result"].into_iter().find(|name| !taken(name))?;
        let shape = self.text.brackets.partner.get(open + 2).copied().flatten();
        let shape = shape.filter(|end| *end < close && self.text.word(open + 2) == "[");
        let shape = shape.map_or("", |end| self.text.between(open + 2, end + 1));
        Some(format!("{name}{shape}"))
    }

    /// The bad token in words.
    fn found(&self) -> String {
        match self.kind(0) {
            Some(Kind::Text | Kind::OpenText) => "text".to_owned(),
            Some(_) | None => format!("`{}`", self.word(0)),
        }
    }

    /// What belongs here, in the words of the language.
    fn expected(&self) -> String {
        let wants = |rule| self.stop.wanted.contains(&rule);
        let before = self.word(-1);
        let must = [
            (Rule::THEN, "`then`"),
            (Rule::ON, "`on` and a task"),
            (Rule::result, "`->` and the result"),
            (Rule::params, "`(` and the parameters"),
            (Rule::block, "`{`"),
            (Rule::open, "`{`"),
            (Rule::is, "`=`"),
        ];
        if self.token(-1).is_none() || self.kind(-1) == Some(Kind::Doc) {
            return match self.place {
                Place::File | Place::Item => "`use`, `def`, `model` or `train`".to_owned(),
                Place::Statement => "a statement".to_owned(),
                Place::Setting => "a setting".to_owned(),
                Place::Value => "a value".to_owned(),
            };
        }
        if !self.after_value() {
            return self.expected_value(before);
        }
        let first = self.text.word(self.first());
        if wants(Rule::is) && self.bracket().is_none() {
            if first == "def" || first == "head" || first == "part" {
                return "`=` or `{`".to_owned();
            }
            if STATEMENTS.contains(&first) && first != "controller" {
                return "`,`, `=` or the next statement".to_owned();
            }
        }
        if let Some((_, words)) = must.iter().find(|(rule, _)| wants(*rule)) {
            return (*words).to_owned();
        }
        let words = (self.piece.lo..self.at.min(self.piece.hi)).map(|at| self.text.word(at));
        let open = words.fold(0, |open, word| match word {
            "if" => open + 1,
            "else" => open - 1,
            _ => open,
        });
        if wants(Rule::ELSE) && open > 0 {
            return "`else` and the other value".to_owned();
        }
        match (self.bracket_word(), self.place) {
            ("(" | "[", _) => "`,` or a closing bracket".to_owned(),
            (_, Place::File | Place::Item) if before == "}" => {
                "a definition, a model or a training block".to_owned()
            }
            (_, Place::Value) => "an operator or the end".to_owned(),
            _ => "an operator or the next statement".to_owned(),
        }
    }

    /// What belongs after a sign or keyword.
    fn expected_value(&self, before: &str) -> String {
        let what = match before {
            "->" if self.stop.wanted.contains(&Rule::name) => "a name",
            "->" => "a stage",
            "." | "via" | "through" => "a name",
            "use" => "a module",
            word if ITEMS.contains(&word) || STATEMENTS.contains(&word) && word != "require" => {
                "a name"
            }
            _ => "a value",
        };
        format!("{what} after `{before}`")
    }
}

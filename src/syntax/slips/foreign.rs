//! Forms of other languages where this one reads differently: `x if c else y`, `x ** 2`, `let a = x`.
//!
//! In: the tokens around the place where parsing stopped. Out: a message that says how it is written
//! here, as a replacement where the tokens tell it. Invariant: an edit only moves and renames what
//! stands there.

use crate::diag::{Diagnostic, Edit};
use crate::source::Span;
use crate::syntax::ast::REDUCTIONS;
use crate::syntax::brackets::ITEMS;
use crate::syntax::errors;
use crate::syntax::lex::{KEYWORDS, Kind};

use super::{Look, Place};

/// Words with which other languages introduce a value.
const INTRODUCES: &[&str] = &["let", "var", "const", "val", "auto", "local", "set"];

impl Look<'_> {
    /// The message for a form of another language.
    pub(super) fn foreign(&self) -> Option<Diagnostic> {
        let one = self.comment().or_else(|| self.choice_after()).or_else(|| self.generator());
        let one = one.or_else(|| self.introduced()).or_else(|| self.reduction());
        let one = one.or_else(|| self.sign()).or_else(|| self.bracket_form());
        let one = one.or_else(|| self.colon()).or_else(|| self.item());
        one.or_else(|| self.statement()).or_else(|| self.entries())
    }

    fn span_of(&self, by: isize) -> Span {
        self.token(by).map_or_else(|| self.here(), |at| self.text.span(at))
    }

    /// Whether the token `by` places away follows the one before it without a blank.
    fn joined(&self, by: isize) -> bool {
        let (last, at) = (self.token(by - 1), self.token(by));
        let ends = |at: usize| self.text.tokens[at].end;
        last.zip(at).is_some_and(|(last, at)| ends(last) == self.text.tokens[at].start)
    }

    /// The first token of the value that ends before `at`: what follows the last separator.
    fn start_of(&self, at: usize) -> usize {
        let mut start = at;
        while start > self.piece.lo {
            let before = start - 1;
            match self.text.brackets.partner[before] {
                Some(open) if open < before => start = open,
                Some(_) => return start,
                None => match self.text.word(before) {
                    "=" | "," | ":" | "then" | "else" | "(" | "[" | "{" | "->" => return start,
                    _ => start = before,
                },
            }
        }
        start
    }

    /// The next token with a text after the bad one, outside of further brackets.
    fn find(&self, from: usize, word: &str) -> Option<usize> {
        let mut at = from;
        while at < self.piece.hi {
            if self.text.word(at) == word {
                return Some(at);
            }
            at = match self.text.brackets.partner[at] {
                Some(close) if close > at => close + 1,
                Some(_) => return None,
                None => at + 1,
            };
        }
        None
    }

    /// `// comment`, `/* comment */`, and `a // b`.
    fn comment(&self) -> Option<Diagnostic> {
        if self.word(-1) != "/" || !self.joined(0) || !["/", "*"].contains(&self.word(0)) {
            return None;
        }
        let signs = self.span_of(-1).to(self.span_of(0));
        let line = self.token(-1).is_some_and(|at| self.text.tokens[at].first);
        let value = self.kind(1) == Some(Kind::Number) || self.bracket_word() != "";
        if self.word(0) == "/" && value && !line {
            return Some(errors::whole_division(signs));
        }
        let at = self.token(0)?;
        let ends = |end: &usize| self.text.word(*end) == "*" && self.text.word(*end + 1) == "/";
        let close = (at + 1..self.text.tokens.len())
            .take_while(|next| !self.text.tokens[*next].first)
            .find(ends)
            .map(|end| Edit::new(self.text.span(end).to(self.text.span(end + 1)), ""));
        if self.word(0) == "*" && close.is_none() {
            return Some(errors::comment(signs));
        }
        Some(errors::comment(signs).edit(signs, "#").edits(close))
    }

    /// `x if c else y`.
    fn choice_after(&self) -> Option<Diagnostic> {
        let at = self.token(0)?;
        if self.word(0) == "elif" || self.word(0) == "elseif" {
            return Some(errors::another_choice(self.here()));
        }
        if self.word(0) != "if" || !self.after_value() || self.text.tokens[at].first {
            return None;
        }
        let end = self.find(at + 1, "else").filter(|end| *end > at + 1)?;
        if self.find(at + 1, "then").is_some_and(|then| then < end) {
            return None;
        }
        let condition = self.text.between(at + 1, end);
        let start = self.text.span(self.start_of(at)).before();
        let gone = self.span_of(-1).after().to(self.text.span(end - 1));
        let one = errors::choice_after_its_value(self.here());
        Some(one.edit(start, format!("if {condition} then ")).edit(gone, ""))
    }

    /// `sum(x[i] for i in N)`, `[x[i] for i in range(N)]`.
    fn generator(&self) -> Option<Diagnostic> {
        let at = self.token(0)?;
        if self.word(-1) == "lambda" {
            return Some(errors::nameless_function(self.span_of(-1)));
        }
        if self.word(0) != "for" || !self.after_value() || self.word(2) != "in" {
            return None;
        }
        let open = self.bracket()?;
        let close = self.text.brackets.partner[open]?;
        let (name, range) = (self.word(1), self.range_of(at + 3, close)?);
        let body = self.text.between(open + 1, at);
        let reduction = open.checked_sub(1).map(|at| self.text.word(at));
        let reduction = reduction.filter(|word| REDUCTIONS.contains(word));
        let (whole, text) = match (reduction, self.text.word(open)) {
            (Some(word), "(") => {
                let body = if body.contains(' ') { format!("({body})") } else { body.to_owned() };
                (self.text.span(open - 1), format!("({word}[{name} in {range}] {body})"))
            }
            (None, "[") => (self.text.span(open), format!("(for {name} in {range}: {body})")),
            _ => return None,
        };
        let whole = whole.to(self.text.span(close));
        Some(errors::binder_first(self.here(), &text).edit(whole, text))
    }

    /// The range of a binder: `range(N)` is `N` here.
    fn range_of(&self, at: usize, close: usize) -> Option<&str> {
        let called = self.text.word(at) == "range" && self.text.word(at + 1) == "(";
        match self.text.brackets.partner.get(at + 1).copied().flatten() {
            Some(end) if called && end + 1 == close => Some(self.text.between(at + 2, end)),
            _ if called || at >= close => None,
            _ => Some(self.text.between(at, close)),
        }
    }

    /// `let a = x`, `return x`.
    fn introduced(&self) -> Option<Diagnostic> {
        let first = self.first();
        if self.place != Place::Statement || self.token(-1) != Some(first) {
            return None;
        }
        let word = self.text.word(first);
        if word == "return" && self.starts_value() {
            let one = errors::returns(self.text.span(first));
            return Some(match self.result_here() {
                Some(result) => one.edit(self.text.span(first), format!("{result} =")),
                None => one,
            });
        }
        if !INTRODUCES.contains(&word) || self.kind(0) != Some(Kind::Word) {
            return None;
        }
        let gone = Span { end: self.here().start, ..self.text.span(first) };
        Some(errors::introduced(self.text.span(first), word).edit(gone, ""))
    }

    /// The result of the definition around the bad token.
    fn result_here(&self) -> Option<&str> {
        let around = |at: &usize| {
            self.text.word(*at) == "{"
                && self.text.brackets.partner[*at].is_some_and(|end| end >= self.at)
        };
        let open = (0..self.at).find(around)?;
        let start = (0..open).rev().find(|at| ITEMS.contains(&self.text.word(*at)))?;
        let arrow = (start..open).rev().find(|at| self.text.word(*at) == "->")?;
        Some(self.text.word(arrow + 1))
    }

    /// `sum_j x[j]`, `sum(j) x[j]`, `sum{j} x[j]`, and the capital sigma.
    fn reduction(&self) -> Option<Diagnostic> {
        let last = self.token(-1)?;
        if self.word(0) == "{" && REDUCTIONS.contains(&self.word(-1)) {
            let close = self.text.brackets.partner[self.at]?;
            let one = errors::reduced_over(self.here(), self.word(-1));
            return Some(one.edit(self.here(), "[").edit(self.text.span(close), "]"));
        }
        if !self.starts_value() {
            return None;
        }
        if let Some((word, index)) = self.word(-1).split_once('_')
            && REDUCTIONS.contains(&word)
            && !index.is_empty()
        {
            let one = errors::reduced_over(self.span_of(-1), word);
            return Some(one.edit(self.span_of(-1), format!("{word}[{index}]")));
        }
        let open = self.text.brackets.partner[last].filter(|open| *open < last)?;
        let named = open.checked_sub(1)?;
        let reduction = match self.text.word(named) {
            "Σ" | "Sum" | "SUM" => "sum",
            "Π" | "Prod" | "PROD" | "product" => "prod",
            word => *REDUCTIONS.iter().find(|one| **one == word)?,
        };
        let one = errors::reduced_over(self.text.span(named), reduction);
        match self.text.word(open) {
            "[" => Some(one.edit(self.text.span(named), reduction)),
            "(" if (open + 1..last).all(|at| self.text.tokens[at].kind == Kind::Word) => {
                Some(one.edit(self.text.span(open), "[").edit(self.text.span(last), "]"))
            }
            _ => None,
        }
    }

    /// `<>`, `<-`, and `=` where a condition compares.
    fn sign(&self) -> Option<Diagnostic> {
        let two = || self.span_of(-1).to(self.span_of(0));
        match (self.word(-1), self.word(0), self.word(1)) {
            ("<", ">", _) if self.joined(0) => {
                Some(errors::written(two(), "`<>` compares nothing here", "!="))
            }
            (_, "<", "-") if self.joined(1) && !self.has_equals() && self.bracket().is_none() => {
                let signs = self.here().to(self.span_of(1));
                Some(errors::written(signs, "nothing is assigned with `<-`", "="))
            }
            (_, ",", _)
                if [-1, 1].iter().all(|by| self.kind(*by) == Some(Kind::Number))
                    && self.joined(0)
                    && self.joined(1) =>
            {
                let message = "no comma stands inside a number";
                Some(errors::written(self.here(), message, "_"))
            }
            (_, "=", _) if self.in_condition() => {
                Some(errors::written(self.here(), "a condition compares with `==`", "=="))
            }
            _ => None,
        }
    }

    /// Whether the bad token stands between an `if` and its `then`.
    fn in_condition(&self) -> bool {
        let before = (self.piece.lo..self.at.min(self.piece.hi)).rev();
        let mut words = before.map(|at| self.text.word(at));
        words.find(|word| ["if", "then", "else"].contains(word)) == Some("if")
    }

    /// `M[i][j]`, `prev(s)`, `{ a, b }`.
    fn bracket_form(&self) -> Option<Diagnostic> {
        let (at, last) = (self.token(0)?, self.token(-1)?);
        let close = self.text.brackets.partner[at].filter(|close| *close > at);
        match (self.word(-1), self.word(0)) {
            ("]", "[") if self.joined(0) => {
                let both = self.span_of(-1).to(self.here());
                Some(errors::one_bracket(both).edit(both, ", "))
            }
            ("prev", "(") => {
                let close = close?;
                let name = |at: usize| {
                    self.text.tokens[at].kind == Kind::Word
                        && !KEYWORDS.contains(&self.text.word(at))
                        || self.text.word(at) == "."
                };
                let mut inner = at + 1..close;
                let plain = inner.all(|at| name(at) || self.text.brackets.partner[at].is_some());
                let one = errors::prev_in_parentheses(self.here());
                let open = if self.joined(0) { " " } else { "" };
                Some(if plain && close > at + 1 {
                    one.edit(self.here(), open).edit(self.text.span(close), "")
                } else {
                    one
                })
            }
            (_, "{") if self.text.tokens[last].kind == Kind::Op => {
                let one = errors::braces(self.here());
                Some(one.edit(self.here(), "[").edit(self.text.span(close?), "]"))
            }
            _ => None,
        }
    }

    /// `softmax(i: x[i])`, `y: real = x`.
    fn colon(&self) -> Option<Diagnostic> {
        if self.word(0) != ":" {
            return None;
        }
        let named = self.kind(-1) == Some(Kind::Word);
        if named && self.place == Place::Setting && self.token(-1) == Some(self.first()) {
            return Some(errors::written(self.here(), "a setting is written with `=`", " ="));
        }
        if self.word(-1) == ")" && self.in_signature() {
            let message = "the result stands behind `->`";
            return Some(errors::written(self.here(), message, " ->"));
        }
        if self.word(-1) == "]" && self.place == Place::Statement && !self.has_equals() {
            let open = self.text.brackets.partner[self.token(-1)?]?;
            let first = self.first();
            let declares = open == first + 1 && self.find(self.at, "=").is_some();
            let one = errors::undeclared(self.text.span(first));
            return declares.then(|| one.edit(self.text.span(first).before(), "state "));
        }
        if !named {
            return None;
        }
        let separated = ["(", ","].contains(&self.word(-2));
        let call = self.bracket_word() == "(" && separated;
        if call && !self.in_signature() && !self.speaks_again() {
            return Some(errors::written(self.here(), "an argument is named with `=`", " ="));
        }
        if call && !self.in_signature() {
            let one = errors::binder(self.here(), self.word(-1));
            return Some(one.edit(self.span_of(-1).before(), "for "));
        }
        let equals = self.find(self.at, "=")?;
        let starts = self.place == Place::Statement && self.bracket().is_none();
        if !starts || self.has_equals() || KEYWORDS.contains(&self.word_first()) {
            return None;
        }
        let gone = self.here().to(self.text.span(equals - 1));
        Some(errors::domain_of_an_equation(self.here()).edit(gone, ""))
    }

    /// Whether the bad token stands in the signature of a definition.
    fn in_signature(&self) -> bool {
        ["def", "model"].contains(&self.word_first()) && !self.has_equals()
    }

    /// Whether the word before the bad token stands again before the next comma or closing bracket.
    fn speaks_again(&self) -> bool {
        let name = self.word(-1);
        let end = self.bracket().and_then(|open| self.text.brackets.partner[open]);
        let end = self.find(self.at, ",").or(end).unwrap_or(self.piece.hi);
        (self.at + 1..end).any(|at| self.text.word(at) == name)
    }

    /// Words that a statement lacks: `head`, `emit`, the name of a controller, `from`.
    fn statement(&self) -> Option<Diagnostic> {
        if self.place != Place::Statement {
            return None;
        }
        let (here, first) = (self.here(), self.first());
        let name = self.token(-1) == Some(first);
        let keyword = KEYWORDS.contains(&self.word_first());
        match (self.word_first(), self.word(0)) {
            (_, "{") if name && !keyword => {
                let name = self.span_of(-1);
                Some(errors::unnamed_block(name).edit(name.before(), "head "))
            }
            (_, "from") if !keyword && !self.has_equals() && self.bracket().is_none() => {
                let start = self.text.span(first);
                Some(errors::unemitted(start).edit(start.before(), "emit "))
            }
            ("controller", "[" | "(") if self.token(-2) == Some(first) => {
                let name = self.span_of(-1);
                Some(errors::nameless_controller(name).edit(name.before(), "h = "))
            }
            ("emit", "(") if self.after_value() && !self.has_equals() => {
                let close = self.text.brackets.partner[self.at]?;
                let one = errors::emitted_from(here);
                Some(one.edit(here, " from ").edit(self.text.span(close), ""))
            }
            ("emit", ",") if self.bracket().is_none() => {
                let from = (first..self.at).rev().find(|at| self.text.word(*at) == "from")?;
                let one = errors::emitted_from_one(here);
                let end = self.text.span(self.piece.hi - 1).after();
                let start = self.text.span(from + 1).before();
                Some(one.edit(start, "cat(").edit(end, ")"))
            }
            _ => None,
        }
    }

    /// Entries that nothing separates, in a call; a list in parentheses; a comma after the last setting.
    fn entries(&self) -> Option<Diagnostic> {
        let here = self.here();
        let open = self.bracket();
        let before = open.and_then(|open| open.checked_sub(1));
        let call = before.is_some_and(|at| {
            self.text.tokens[at].kind == Kind::Word && !KEYWORDS.contains(&self.text.word(at))
        });
        if (self.word(-1), self.word(0)) == ("prev", "prev") {
            let gone =
                Span { end: self.token(1).map_or(here.end, |_| self.span_of(1).start), ..here };
            return Some(errors::two_steps_back(here).edit(gone, ""));
        }
        if self.word(0) == "," && open.is_none() {
            let last = self.token(1).is_none_or(|next| self.text.tokens[next].first);
            return last.then(|| errors::nothing_follows(here).edit(here, ""));
        }
        if self.bracket_word() != "(" {
            return None;
        }
        let close = self.text.brackets.partner[open?]?;
        if self.word(0) == "," && !call {
            let (open, close) = (self.text.span(open?), self.text.span(close));
            let numbers = self.kind(-1) == Some(Kind::Number) && self.kind(1) == Some(Kind::Number);
            let two = numbers && self.at + 2 < self.piece.hi && self.text.word(self.at + 2) == ")";
            let one = errors::list_in_parentheses(open);
            return Some(if two {
                let blank = Span { end: self.span_of(1).start, ..here };
                one.edit(open, "").edit(blank, "..").edit(close, "")
            } else {
                one.edit(open, "[").edit(close, "]")
            });
        }
        let alone = ["(", ","].contains(&self.word(-2)) && self.kind(-1) == Some(Kind::Word);
        let starts = self.kind(0) == Some(Kind::Word) && self.starts_value();
        (call && alone && starts && !self.in_signature() && !["if", "for"].contains(&self.word(0)))
            .then(|| errors::unseparated(self.span_of(-1), here))
    }

    fn word_first(&self) -> &str {
        self.text.word(self.first())
    }

    /// `import module`, a task in quotes, a result without a name, `prev` on the left of an equation.
    fn item(&self) -> Option<Diagnostic> {
        let here = self.here();
        match (self.word(-1), self.word(0), self.kind(0)?) {
            (_, "function" | "func" | "fn" | "fun" | "define", Kind::Word)
                if self.place == Place::Item && self.token(0) == Some(self.first()) =>
            {
                Some(errors::written(here, "a definition begins with `def`", "def"))
            }
            (_, "import" | "include" | "using", Kind::Word) if self.text.tokens[self.at].first => {
                Some(errors::written(here, "a module is brought in with `use`", "use"))
            }
            ("on", text, Kind::Text) => {
                let name = text.trim_matches('"');
                Some(errors::written(here, "the name of a task stands without quotes", name))
            }
            ("->", "[", Kind::Open) if ITEMS.contains(&self.word_first()) => {
                let result = self.likely_result()?;
                let name = result.split('[').next()?.to_owned();
                Some(errors::nameless_result(here, &name).edit(here.before(), name))
            }
            (_, "prev", Kind::Word) if self.token(-1).is_none() && self.kind(1).is_some() => {
                let name = self.word(1);
                let again = (self.at + 2..self.piece.hi).filter(|at| {
                    self.text.word(*at) == name && !["prev", "."].contains(&self.text.word(*at - 1))
                });
                let back = again.map(|at| Edit::new(self.text.span(at).before(), "prev "));
                let gone = Span { end: self.span_of(1).start, ..here };
                Some(errors::prev_on_the_left(here, name).edit(gone, "").edits(back))
            }
            _ => None,
        }
    }
}

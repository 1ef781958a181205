//! Every sentence about how a spec is written down: one factory per mistake.
//!
//! In: places and words. Out: diagnostics `E0001` to `E0099`; those from `E0090` on are limits of
//! this program, see [`crate::diag::Code::is_limit`].

use crate::diag::{Diagnostic, nearest};
use crate::source::Span;
use crate::syntax::lex::KEYWORDS;

/// Words that begin a line of their own, with which a misspelt first word is compared.
const STARTERS: &[&str] = &[
    "use",
    "def",
    "model",
    "train",
    "head",
    "part",
    "controller",
    "memory",
    "state",
    "param",
    "emit",
    "require",
];

/// The newest version of the language that this program reads.
pub(super) const NEWEST: u32 = 1;

/// E0001: the file does not begin with `ntm 1`.
pub(super) fn no_version(span: Span, word: &str) -> Diagnostic {
    let message = "the file does not start with a version";
    let one = Diagnostic::new("E0001", message, span, "it starts here");
    if word == "ntm" {
        return one.help("write `ntm 1`").edit(span.after(), " 1");
    }
    one.help("add `ntm 1` as the first line").edit(span.before(), "ntm 1\n")
}

/// E0002: `==` where `=` belongs.
pub(super) fn compares(span: Span) -> Diagnostic {
    let message = "`==` compares; an equation is written `=`";
    Diagnostic::new("E0002", message, span, "this compares two values")
        .help("write `=`")
        .edit(span, "=")
}

/// E0003: two values without an operator between them.
pub(super) fn side_by_side(before: Span, span: Span) -> Diagnostic {
    let message = "two values stand side by side";
    Diagnostic::new("E0003", message, span, "a second value starts here")
        .label(before, "a value ends here")
}

/// Help for two values that are a product.
pub(super) fn product(diagnostic: Diagnostic, before: Span, here: Span) -> Diagnostic {
    let sign = if before.end == here.start { " * " } else { " *" };
    diagnostic.help("multiplication is written `*`").edit(before.after(), sign)
}

/// Help for `sum x`: what is reduced is indexed.
pub(super) fn reduction(diagnostic: Diagnostic, word: Span, reduced: Option<Span>) -> Diagnostic {
    let diagnostic = diagnostic.help("a reduction names its indices");
    match reduced {
        Some(reduced) => diagnostic.edit(word.after(), "[i]").edit(reduced.after(), "[i]"),
        None => diagnostic,
    }
}

/// Help for a text after a condition.
pub(super) fn message_after(diagnostic: Diagnostic, before: Span) -> Diagnostic {
    diagnostic.help("a comma stands before the text").edit(before.after(), ",")
}

/// E0004: a semicolon.
pub(super) fn semicolon(span: Span) -> Diagnostic {
    Diagnostic::new("E0004", "statements need no `;`", span, "nothing belongs here")
        .help("remove it")
        .edit(span, "")
}

/// E0004: a semicolon between the entries of a bracket.
pub(super) fn semicolon_in_brackets(span: Span) -> Diagnostic {
    Diagnostic::new("E0004", "entries are separated by `,`", span, "no `;` belongs here")
        .help("write `,`")
        .edit(span, ",")
}

/// E0005: a keyword where a name belongs; `declared` where it names something new.
pub(super) fn keyword(span: Span, word: &str, declared: bool) -> Diagnostic {
    let message = format!("`{word}` is a keyword and cannot be a name");
    let one = Diagnostic::new("E0005", message, span, "a name belongs here")
        .help(format!("choose another name, e.g. `{word}_`"));
    if declared { one.edit(span, format!("{word}_")) } else { one }
}

/// E0006: `:` in a bracket of indices.
pub(super) fn colon_index(span: Span) -> Diagnostic {
    let message = "`:` is not an index";
    Diagnostic::new("E0006", message, span, "an index belongs here")
        .help("trailing axes are left out: `M[i]` is row i; a range is written `a..b`")
}

/// E0007: `:=`.
pub(super) fn assignment(span: Span) -> Diagnostic {
    let message = "nothing is assigned with `:=`; an equation is written `=`";
    Diagnostic::new("E0007", message, span, "one `=` is enough").help("write `=`").edit(span, "=")
}

/// E0008: a word kept for later versions.
pub(super) fn reserved(span: Span, word: &str) -> Diagnostic {
    let message = format!("`{word}` is reserved for later versions and cannot be a name");
    Diagnostic::new("E0008", message, span, "a name belongs here")
        .help(format!("choose another name, e.g. `{word}_`"))
        .edit(span, format!("{word}_"))
}

/// E0009: something else belongs here.
pub(super) fn unexpected(span: Span, expected: &str, found: &str) -> Diagnostic {
    let message = format!("expected {expected}, found {found}");
    Diagnostic::new("E0009", message, span, "not expected here")
}

/// E0009: the text ends too early.
pub(super) fn unfinished(span: Span, expected: &str) -> Diagnostic {
    let message = format!("expected {expected}, but nothing follows");
    Diagnostic::new("E0009", message, span, "something is missing after this")
}

/// Help for a first word that is nearly a keyword.
pub(super) fn meant(diagnostic: Diagnostic, first: Span, word: &str) -> Diagnostic {
    if KEYWORDS.contains(&word) {
        return diagnostic;
    }
    match nearest(word, STARTERS.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")).edit(first, near),
        None => diagnostic,
    }
}

/// Help where one sign or word is missing before the bad token.
pub(super) fn missing(diagnostic: Diagnostic, at: Span, text: &str) -> Diagnostic {
    let help = format!("add `{}`", text.trim());
    diagnostic.help(help).edit(at, text)
}

/// Help for `**`.
pub(super) fn power(diagnostic: Diagnostic, signs: Span) -> Diagnostic {
    diagnostic.help("a power is written `^`").edit(signs, "^")
}

/// Help for `+=` and its kin; `signs` and the end of the statement where what is on the left has a
/// value of the step before.
pub(super) fn updates(
    diagnostic: Diagnostic,
    left: &str,
    sign: &str,
    places: Option<(Span, Span)>,
) -> Diagnostic {
    let diagnostic =
        diagnostic.help(format!("write the whole value: `{left} = prev {left} {sign} ...`"));
    match places {
        Some((signs, _)) if sign == "+" => diagnostic.edit(signs, format!("= prev {left} {sign}")),
        Some((signs, end)) => {
            diagnostic.edit(signs, format!("= prev {left} {sign} (")).edit(end, ")")
        }
        None => diagnostic,
    }
}

/// Help for `a < b < c`.
pub(super) fn chained(diagnostic: Diagnostic, span: Span, middle: &str) -> Diagnostic {
    diagnostic
        .help("comparisons are joined with `and`")
        .edit(span.before(), format!("and {middle} "))
}

/// Help for a sign written twice.
pub(super) fn doubled(diagnostic: Diagnostic, span: Span) -> Diagnostic {
    diagnostic.help("once is enough").edit(span, "")
}

/// E0010: a bracket that nothing closes, and where it could be closed.
pub(super) fn unclosed(span: Span, bracket: &str, end: Span) -> Diagnostic {
    let closer = closer(bracket);
    let message = format!("`{bracket}` is never closed");
    let text = if bracket == "{" { format!("\n{closer}") } else { closer.to_owned() };
    Diagnostic::new("E0010", message, span, "opened here")
        .help(format!("add `{closer}` where it should end"))
        .edit(end, text)
}

/// The bracket that closes `bracket`.
pub(super) fn closer(bracket: &str) -> &'static str {
    match bracket {
        "(" => ")",
        "[" => "]",
        _ => "}",
    }
}

/// E0011: a closing bracket without its opening one.
pub(super) fn stray_closer(span: Span, bracket: &str) -> Diagnostic {
    let message = format!("`{bracket}` closes nothing");
    Diagnostic::new("E0011", message, span, "no bracket is open here")
        .help("remove it")
        .edit(span, "")
}

/// E0012: a string that its line does not end.
pub(super) fn open_string(span: Span) -> Diagnostic {
    let message = "this text has no closing `\"`";
    Diagnostic::new("E0012", message, span, "starts here")
        .help("end it with `\"` on the same line")
        .edit(span.after(), "\"")
}

/// E0013: a character the language does not know; `all` with those of the same sign after it.
pub(super) fn unknown_character(span: Span, all: Span, character: char) -> Diagnostic {
    let shown = character.escape_debug();
    let message = format!("the character `{shown}` means nothing here");
    let (help, instead) = match character {
        '%' => ("the remainder is written `mod`", "mod"),
        '&' => ("write `and`", "and"),
        '|' => ("write `or`", "or"),
        '!' => ("write `not`, or `!=`", "not "),
        '\u{2212}' | '\u{2013}' => ("the minus sign is `-`", "-"),
        '\u{d7}' | '\u{b7}' | '\u{22c5}' => ("multiplication is written `*`", "*"),
        '\u{2192}' => ("an arrow is written `->`", "->"),
        '\'' | '\u{201c}' | '\u{201d}' => ("text stands between two `\"`", "\""),
        '\u{2264}' => ("write `<=`", "<="),
        '\u{2265}' => ("write `>=`", ">="),
        '\u{2260}' => ("write `!=`", "!="),
        '\u{2211}' => ("write `sum`", "sum"),
        '\u{220f}' => ("write `prod`", "prod"),
        '\u{2208}' => ("write `in`", "in"),
        '\u{2227}' => ("write `and`", "and"),
        '\u{2228}' => ("write `or`", "or"),
        '\u{ac}' => ("write `not`", "not "),
        '\u{2190}' => ("an equation is written `=`", "="),
        '\u{2299}' | '\u{2218}' => ("multiplication is written `*`", "*"),
        '\u{f7}' => ("division is written `/`", "/"),
        '\u{b2}' => ("a power is written `^`", "^2"),
        '\u{b3}' => ("a power is written `^`", "^3"),
        '\u{221a}' => {
            return Diagnostic::new("E0013", message, span, "not part of the language")
                .help("write `sqrt(...)`");
        }
        '?' => {
            return Diagnostic::new("E0013", message, span, "not part of the language")
                .help("a choice is written `if c then x else y`");
        }
        '@' => {
            return Diagnostic::new("E0013", message, span, "not part of the language")
                .help("a product of matrices is a sum: `y[i] = sum[k] A[i, k] * x[k]`");
        }
        _ => ("remove it", ""),
    };
    Diagnostic::new("E0013", message, span, "not part of the language")
        .help(help)
        .edit(all, instead)
}

/// E0013: `|>`.
pub(super) fn pipe(span: Span) -> Diagnostic {
    let message = "the sign `|>` means nothing here";
    Diagnostic::new("E0013", message, span, "not part of the language")
        .help("a value is passed on with `->`")
        .edit(span, "->")
}

/// E0013: `'text'`.
pub(super) fn quotes(open: Span, close: Span) -> Diagnostic {
    let message = "the character `'` means nothing here";
    Diagnostic::new("E0013", message, open, "not part of the language")
        .label(close, "")
        .help("text stands between two `\"`")
        .edit(open, "\"")
        .edit(close, "\"")
}

/// E0013: `|v|` or `||v||` around `inside`.
pub(super) fn bars(function: &str, inside: &str, open: Span, close: Span) -> Diagnostic {
    let message = "bars around a value mean nothing here";
    Diagnostic::new("E0013", message, open, "not part of the language")
        .label(close, "")
        .help(format!("write `{function}({inside})`"))
        .edit(open, format!("{function}("))
        .edit(close, ")")
}

/// E0009: `1:5` of other languages.
pub(super) fn colon_range(one: Diagnostic, colon: Span) -> Diagnostic {
    one.help("a range is written `..`, with both ends in it").edit(colon, "..")
}

/// E0009: a form of another language.
fn foreign(span: Span, message: &str, label: &str, help: impl Into<String>) -> Diagnostic {
    Diagnostic::new("E0009", message, span, label).help(help)
}

/// `// text`, `/* text */`.
pub(super) fn comment(span: Span) -> Diagnostic {
    let help = "a comment begins with `#` and ends with its line";
    foreign(span, "no comment begins with this sign", "not part of the language", help)
}

/// `a // b`.
pub(super) fn whole_division(span: Span) -> Diagnostic {
    let help = "divide and round down: `floor(a / b)`";
    foreign(span, "`//` divides nothing here", "not part of the language", help)
}

/// `-> [N]`.
pub(super) fn nameless_result(span: Span, name: &str) -> Diagnostic {
    let help = format!("for example `-> {name}[...]`, with an equation `{name} = ...`");
    foreign(span, "the result has a name", "a shape alone", help)
}

/// `prev M = ...`.
pub(super) fn prev_on_the_left(span: Span, name: &str) -> Diagnostic {
    let message = "an equation gives the value of this step";
    let help = format!("look back on the right: `{name} = ... prev {name} ...`");
    foreign(span, message, "the left side is never in the past", help)
}

/// `write { .. }`.
pub(super) fn unnamed_block(span: Span) -> Diagnostic {
    let help = "write `head` or `part` before it";
    foreign(span, "a group of statements begins with `head` or `part`", "a name alone", help)
}

/// `y[Y] from h`.
pub(super) fn unemitted(span: Span) -> Diagnostic {
    let help = "write `emit` before it";
    foreign(span, "a learned map begins with `emit`", "no `emit` before it", help)
}

/// `controller lstm[H](x)`.
pub(super) fn nameless_controller(span: Span) -> Diagnostic {
    let help = "write `controller h = ...`";
    foreign(span, "a controller has a name", "a call alone", help)
}

/// `emit y[Y](h)`.
pub(super) fn emitted_from(span: Span) -> Diagnostic {
    let help = "write `from`";
    foreign(span, "what is emitted from stands behind `from`", "not an argument", help)
}

/// `emit y[Y] from h, r`.
pub(super) fn emitted_from_one(span: Span) -> Diagnostic {
    let help = "join them: `from cat(a, b)`";
    foreign(span, "an emission comes from one vector", "a second one follows", help)
}

/// `prev prev s`.
pub(super) fn two_steps_back(span: Span) -> Diagnostic {
    let help = "carry it on: `state s_last[N] = 0` with `s_last = prev s`, and read `prev s_last`";
    foreign(span, "`prev` looks back one step", "a second step", help)
}

/// `steps = 10,`.
pub(super) fn nothing_follows(span: Span) -> Diagnostic {
    foreign(span, "no comma stands at the end of a line", "nothing belongs here", "remove it")
}

/// `(a, b)`.
pub(super) fn list_in_parentheses(span: Span) -> Diagnostic {
    let help = "a list stands in brackets, `[a, b]`; a range is written `a..b`";
    foreign(span, "parentheses hold one value", "a second one follows", help)
}

/// `cat(x y)`.
pub(super) fn unseparated(before: Span, span: Span) -> Diagnostic {
    side_by_side(before, span).help("arguments are separated by `,`").edit(before.after(), ",")
}

/// `tired[N]: unit = 0`.
pub(super) fn undeclared(span: Span) -> Diagnostic {
    let help = "write `state` before it";
    foreign(span, "a declaration begins with `state`, `param` or `emit`", "a name alone", help)
}

/// `x if c else y`.
pub(super) fn choice_after_its_value(span: Span) -> Diagnostic {
    let help = "the condition comes first: `if c then x else y`";
    foreign(span, "a choice begins with `if`", "its value stands before it", help)
}

/// `elif`.
pub(super) fn another_choice(span: Span) -> Diagnostic {
    written(span, "a choice goes on with `else if`", "else if")
}

/// `lambda a: e`.
pub(super) fn nameless_function(span: Span) -> Diagnostic {
    let help = "write a definition beside the model: `def f(a) -> y = ...`";
    foreign(span, "functions have names here", "not part of the language", help)
}

/// `[x[i] for i in N]`; `text` is how it is written here.
pub(super) fn binder_first(span: Span, text: &str) -> Diagnostic {
    let help = format!("what an index runs over comes first: `{text}`");
    foreign(span, "an index is bound before it is used", "bound behind its use", help)
}

/// `softmax(i: x[i])`.
pub(super) fn binder(span: Span, index: &str) -> Diagnostic {
    let message = "an array of values begins with `for`";
    foreign(span, message, "an index before it", format!("write `for {index}: ...`"))
}

/// `let a = x`.
pub(super) fn introduced(span: Span, word: &str) -> Diagnostic {
    let message = format!("an equation needs no `{word}`");
    foreign(span, &message, "nothing belongs here", "an equation is written `name = value`")
}

/// `return x`.
pub(super) fn returns(span: Span) -> Diagnostic {
    let help = "the result has an equation, under its name behind `->`";
    foreign(span, "nothing is returned", "not part of the language", help)
}

/// `if c { .. }`, `for i in N { .. }`.
pub(super) fn control(span: Span, word: &str) -> Diagnostic {
    let help = match word {
        "if" => "choose between values: `y = if c then a else b`",
        "for" => "an equation holds for all values of the indices on its left: `y[i] = ...`",
        _ => "what is carried from step to step is a state: `state s = 0` and `s = ... prev s`",
    };
    let message = format!("no statement begins with `{word}`");
    foreign(span, &message, "statements are equations and declarations", help)
}

/// `sum_j x[j]`, `sum(j) x[j]`.
pub(super) fn reduced_over(span: Span, word: &str) -> Diagnostic {
    let message = "what a reduction runs over stands in brackets";
    foreign(span, message, "a reduction without brackets", format!("write `{word}[i] ...`"))
}

/// A sign that is written in another way.
pub(super) fn written(span: Span, message: &str, sign: &str) -> Diagnostic {
    let help = format!("write `{}`", sign.trim());
    foreign(span, message, "not part of the language", help).edit(span, sign)
}

/// `M[i][j]`.
pub(super) fn one_bracket(span: Span) -> Diagnostic {
    let help = "write `M[i, j]`";
    foreign(span, "all indices stand in one bracket", "a second bracket", help)
}

/// `prev(s)`.
pub(super) fn prev_in_parentheses(span: Span) -> Diagnostic {
    let help = "write `prev` before each name: `prev s`";
    foreign(span, "`prev` stands before a name", "parentheses", help)
}

/// `{ a, b }`.
pub(super) fn braces(span: Span) -> Diagnostic {
    foreign(span, "braces hold no values", "a list begins with `[`", "write `[a, b]`")
}

/// `y: real = x`.
pub(super) fn domain_of_an_equation(span: Span) -> Diagnostic {
    let help = "a domain stands where something is declared: in a signature, after `state`, `param` \
                or `emit`";
    foreign(span, "an equation has no domain", "not declared here", help)
}

/// E0014: documentation of nothing.
pub(super) fn dangling_doc(span: Span) -> Diagnostic {
    let message = "this documentation belongs to nothing";
    Diagnostic::new("E0014", message, span, "no definition, statement or setting follows")
        .help("write `#` for a comment")
        .edit(Span { end: span.start + 1, ..span }, "")
}

/// E0015: a version this program cannot read.
pub(super) fn newer_version(span: Span, version: &str) -> Diagnostic {
    let message = format!("version {version} of the language is not known here");
    Diagnostic::new("E0015", message, span, format!("this program reads version {NEWEST}"))
        .help("use a newer `ntmc`, or write `ntm 1`")
        .edit(span, "1")
}

/// E0016: a number beyond what a computer holds.
pub(super) fn huge_number(span: Span) -> Diagnostic {
    Diagnostic::new("E0016", "this number is too large", span, "more than 1.8e308")
        .help("the largest number is 1.7976931348623157e308")
        .edit(span, "1.7976931348623157e308")
}

/// E0090: a text of more bytes than anyone writes.
pub(super) fn too_large(span: Span, limit_bytes: usize) -> Diagnostic {
    let message = format!("the file is larger than {} MiB", limit_bytes >> 20);
    Diagnostic::new("E0090", message, span, "it starts here")
}

/// E0091: brackets or operators inside each other beyond the limit.
pub(super) fn too_deep(span: Span, limit: usize) -> Diagnostic {
    let message = format!("more than {limit} levels are nested here");
    Diagnostic::new("E0091", message, span, "too deep from here on")
        .help("give the inner parts names: write several equations")
}

/// E0092: the parser gave up.
pub(super) fn too_much_work(span: Span) -> Diagnostic {
    let message = "this text is too complicated to read";
    Diagnostic::new("E0092", message, span, "reading it takes too long")
        .help("write it as several smaller pieces")
}

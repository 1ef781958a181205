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
pub(super) fn no_version(span: Span) -> Diagnostic {
    Diagnostic::new("E0001", "the file does not start with a version", span, "it starts here")
        .help("add `ntm 1` as the first line")
        .edit(span.before(), "ntm 1\n")
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
pub(super) fn product(diagnostic: Diagnostic, before: Span) -> Diagnostic {
    diagnostic.help("multiplication is written `*`").edit(before.after(), " *")
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

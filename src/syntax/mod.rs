//! TEXT to TREE: the only room that knows pest.
//!
//! In: a source. Out: [`ast`], or diagnostics `E0001` to `E0099`; and back: [`format()`] prints a tree
//! as canonical text, [`outline()`] as an indented sketch. Invariants: parsing never panics and never
//! fails without a diagnostic; one mistake gives one message; `parse(format(tree))` is `tree`,
//! spans aside.

pub mod ast;
mod braces;
mod brackets;
mod build;
mod colons;
mod errors;
mod grammar;
mod lex;
mod outline;
mod print;
mod recover;
mod slips;

use crate::diag::{Diagnostic, Diagnostics, Edit};
use crate::source::{FileId, Sources, Span};

pub use outline::outline;
pub use print::format;
pub use print::format_expr;

use build::Builder;
use grammar::Rule;

/// Whether a word belongs to the language and can name nothing.
#[must_use]
pub fn is_keyword(word: &str) -> bool {
    lex::KEYWORDS.contains(&word) || lex::RESERVED.contains(&word)
}

/// The largest text that is read.
const LIMIT_BYTES: usize = 1 << 20;

/// Reads a file.
///
/// After mistakes the tree holds what could be read all the same: whole statements, never half ones.
/// It is good for a list of names; checking it would blame the user for what is missing, so later
/// rooms go on only if `sink` has no errors. `None` if nothing could be read, or at a limit.
pub fn parse(sources: &Sources, file: FileId, sink: &mut Diagnostics) -> Option<ast::File> {
    let text = sources.get(file).text.as_str();
    let lexed = open(text, file, sink)?;
    let brackets = brackets::scan(text, &lexed.tokens, file);
    if let Some(limit) = brackets.limit {
        sink.push(limit);
        return None;
    }
    if let Some(corrected) = with_brace(text, &lexed, &brackets, file, sink) {
        let lexed = lex::lex(&corrected, file);
        let brackets = brackets::scan(&corrected, &lexed.tokens, file);
        return Some(read(&corrected, lexed, brackets, file, sink));
    }
    Some(read(text, lexed, brackets, file, sink))
}

/// A text whose braces do not match with the forgotten one in place of a blank, and the mistake told.
/// Only where one brace is all that is missing.
fn with_brace(
    text: &str,
    lexed: &lex::Lexed,
    brackets: &brackets::Brackets,
    file: FileId,
    sink: &mut Diagnostics,
) -> Option<String> {
    let braces = |found: &Diagnostic| found.message.contains('{') || found.message.contains('}');
    if !brackets.found.iter().any(braces) {
        return None;
    }
    let forgotten = braces::forgotten(text, &lexed.tokens, file)?;
    let mut corrected = text.to_owned();
    corrected.replace_range(forgotten.at..=forgotten.at, forgotten.brace);
    let again = brackets::scan(&corrected, &lex::lex(&corrected, file).tokens, file);
    if again.limit.is_some() || again.found.iter().any(braces) {
        return None;
    }
    sink.push(forgotten.diagnostic);
    Some(corrected)
}

/// Reads a text whose brackets are known.
fn read(
    text: &str,
    lexed: lex::Lexed,
    brackets: brackets::Brackets,
    file: FileId,
    sink: &mut Diagnostics,
) -> ast::File {
    let whole = brackets.found.is_empty().then(|| grammar::read(Rule::file, text).ok()).flatten();
    let mut tree = match whole.and_then(|mut pairs| pairs.next()) {
        Some(pair) => {
            let mut builder = Builder::new(file, 0, &lexed.tokens);
            let tree = builder.file(pair);
            report(builder.found, sink);
            tree
        }
        None => recover::recover(text, &lexed, brackets, file, sink),
    };
    tree.comments = lexed.comments;
    tree.blanks = lexed.blanks;
    tree
}

/// Reads one expression, as in `--set beta=2 * K`.
pub fn parse_expr(sources: &Sources, file: FileId, sink: &mut Diagnostics) -> Option<ast::Expr> {
    parse_part(sources, file, sink, Rule::expr_entry, |builder, pair| builder.expr(pair))
}

/// Reads what may stand in brackets or after a setting: `1..20`, `adam(lr = 1e-3)`, `beta = 1`.
pub fn parse_arg(sources: &Sources, file: FileId, sink: &mut Diagnostics) -> Option<ast::Arg> {
    parse_part(sources, file, sink, Rule::arg_entry, |builder, pair| builder.arg(pair))
}

/// Reads a text that is not a file.
fn parse_part<T>(
    sources: &Sources,
    file: FileId,
    sink: &mut Diagnostics,
    rule: Rule,
    build: impl FnOnce(&mut Builder<'_>, pest::iterators::Pair<'_, Rule>) -> T,
) -> Option<T> {
    let text = sources.get(file).text.as_str();
    let lexed = open(text, file, sink)?;
    let brackets = brackets::scan(text, &lexed.tokens, file);
    if let Some(limit) = brackets.limit {
        sink.push(limit);
        return None;
    }
    let pair = match grammar::read(rule, text) {
        Ok(mut pairs) => pairs.next()?,
        Err(stop) => {
            recover::explain(text, &lexed, brackets, file, &stop, sink);
            return None;
        }
    };
    let mut builder = Builder::new(file, 0, &lexed.tokens);
    let built = build(&mut builder, pair);
    let fine = builder.found.is_empty();
    report(builder.found, sink);
    fine.then_some(built)
}

/// Takes a text apart unless it is too large to.
fn open(text: &str, file: FileId, sink: &mut Diagnostics) -> Option<lex::Lexed> {
    if text.len() > LIMIT_BYTES {
        let end = text.chars().next().map_or(0, char::len_utf8) as u32;
        sink.push(errors::too_large(Span { file, start: 0, end }, LIMIT_BYTES));
        return None;
    }
    Some(lex::lex(text, file))
}

/// Moves diagnostics to the sink. A word that can name nothing is reported where it first stands,
/// and renamed wherever it stands.
fn report(found: Vec<Diagnostic>, sink: &mut Diagnostics) {
    let mut kept: Vec<Diagnostic> = Vec::new();
    for one in found {
        let name = matches!(one.code.0, "E0005" | "E0008");
        let first = kept.iter_mut().find(|first| name && first.message == one.message);
        match first {
            Some(first) => {
                let edit = first.edits.first().or(one.edits.first()).cloned();
                if let Some(edit) = edit {
                    if first.edits.is_empty() {
                        first.edits.push(Edit { span: first.primary.span, ..edit.clone() });
                    }
                    first.edits.push(Edit { span: one.primary.span, ..edit });
                    // The same word may stand in one statement more than once.
                    let again = one.edits.into_iter().skip(1);
                    first.edits.extend(again);
                }
            }
            None => kept.push(one),
        }
    }
    kept.into_iter().for_each(|one| sink.push(one));
}

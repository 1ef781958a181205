//! One mistake, one message: good specs with one mistake planted in each place where it can be.
//!
//! A mistake may show in several places, but then every message is about the same name. And two
//! mistakes that have nothing to do with each other give two messages.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use ntmc::diag::{Diagnostic, Diagnostics};
use ntmc::source::Sources;

use crate::support::{diagnose_beside, rendered, source, specs_below};

/// A mistake: what it is, the text with it, and the names that messages about it speak of.
struct Mutant {
    what: String,
    text: String,
    names: Vec<String>,
}

/// Words, numbers and signs of a text with their places; comments left out.
fn tokens(text: &str) -> Vec<(usize, &str)> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let in_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = if c == '#' {
            text[at..].find('\n').unwrap_or(text.len() - at)
        } else if c == '"' {
            text[at + 1..].find('"').map_or(1, |end| end + 2)
        } else if in_word(c) {
            text[at..].find(|c| !in_word(c)).unwrap_or(text.len() - at)
        } else {
            let two = text.get(at..at + 2).unwrap_or("");
            if ["->", "..", "==", "!=", "<=", ">="].contains(&two) { 2 } else { c.len_utf8() }
        };
        if c != '#' && !c.is_whitespace() {
            out.push((at, &text[at..at + length]));
        }
        at += length;
    }
    out
}

fn is_name(word: &str) -> bool {
    let starts = word.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
    let fixed = ["ntm", "true", "false", "optimizer", "steps", "learned", "uniform"];
    starts && !ntmc::syntax::is_keyword(word) && !fixed.contains(&word)
}

/// Every mistake of a few kinds that can be planted in a text.
fn mutants(text: &str) -> Vec<Mutant> {
    let all = tokens(text);
    let replaced =
        |from: usize, to: usize, with: &str| format!("{}{with}{}", &text[..from], &text[to..]);
    let mut out = Vec::new();
    for (n, (at, word)) in all.iter().copied().enumerate() {
        let end = at + word.len();
        let before = n.checked_sub(1).map_or("", |n| all[n].1);
        let next = all.get(n + 1).map_or("", |one| one.1);
        let mut plant = |what: &str, text: String, names: &[&str]| {
            let what = format!("{what} `{word}` at byte {at}");
            let names = names.iter().map(|one| (*one).to_owned()).collect();
            out.push(Mutant { what, text, names });
        };
        if is_name(word) && word.len() > 1 {
            let wrong = format!("{word}z");
            plant("misspelt", replaced(at, end, &wrong), &[word, &wrong]);
        }
        match word {
            "(" | ")" | "[" | "]" | "{" | "}" => plant("dropped", replaced(at, end, ""), &[word]),
            "state" | "prev" => {
                plant("dropped", replaced(at, end, ""), &[next]);
            }
            "use" => {
                let line = text[at..].find('\n').map_or(text.len(), |line| at + line);
                plant("dropped line", replaced(at, line, ""), &[]);
            }
            "=" if before != "=" => plant("doubled", replaced(at, end, "=="), &["=="]),
            "*" => plant("dropped", replaced(at, end, ""), &["*"]),
            _ => {}
        }
        if before == "," && (next == "]" || next == ")") {
            let comma = all[n - 1].0;
            plant("dropped", replaced(comma, end, ""), &[word]);
        }
    }
    out
}

/// The names at the place of a message, and those in backticks in it, its labels and its help.
fn speaks_of(one: &Diagnostic, sources: &Sources) -> BTreeSet<String> {
    let texts = std::iter::once(&one.message)
        .chain(&one.help)
        .chain(one.others.iter().map(|label| &label.text))
        .chain(std::iter::once(&one.primary.text));
    let place = sources.text(one.primary.span);
    let mut names: BTreeSet<String> =
        tokens(place).iter().map(|(_, word)| (*word).to_owned()).collect();
    for text in texts {
        for code in text.split('`').skip(1).step_by(2) {
            names.extend(code.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned));
            names.insert(code.to_owned());
        }
    }
    names
}

/// Whether the messages are one, or all about one of the names.
fn one_root(sources: &Sources, sink: &Diagnostics, names: &[String]) -> bool {
    let all: Vec<BTreeSet<String>> =
        sink.sorted().into_iter().map(|one| speaks_of(one, sources)).collect();
    if all.len() <= 1 {
        return true;
    }
    let about = |words: &BTreeSet<String>| names.iter().any(|name| words.contains(name));
    let shared =
        all.iter().skip(1).fold(all[0].clone(), |a, b| a.intersection(b).cloned().collect());
    all.iter().all(about) || shared.iter().any(|name| is_name(name))
}

/// Nothing of how the parser works may show.
fn in_plain_words(sources: &Sources, sink: &Diagnostics) -> Option<String> {
    let rules = [
        "item_expr",
        "red_op",
        "add_op",
        "mul_op",
        "cmp_op",
        "ref_",
        "id_rest",
        "EOI",
        "Rule",
        "setting_",
        "_entry",
        "brackets",
    ];
    sink.sorted().into_iter().find_map(|one| {
        let own = sources.text(one.primary.span);
        let texts = format!(
            "{} {} {}",
            one.message,
            one.primary.text,
            one.help.clone().unwrap_or_default()
        );
        rules
            .iter()
            .find(|rule| texts.contains(**rule) && !own.contains(**rule))
            .map(|rule| format!("{rule} in: {texts}"))
    })
}

/// Every how many places gets its mistake; all of them with `NTMC_MUTATIONS=all`.
fn share() -> usize {
    let all = std::env::var_os("NTMC_MUTATIONS").is_some_and(|share| share == "all");
    if all { 1 } else { 23 }
}

/// Every file, and of each a share of its places: all of them would take minutes.
fn planted() -> impl Iterator<Item = (PathBuf, Mutant)> {
    let share = share();
    specs_below("tests/ok").into_iter().flat_map(move |path| {
        let text = source(&path).text;
        let some = mutants(&text).into_iter().skip(text.len() % share).step_by(share);
        some.map(move |mutant| (path.clone(), mutant))
    })
}

#[test]
#[expect(clippy::print_stdout, reason = "the counts are read with --nocapture")]
fn one_mistake_gives_one_message() {
    let (mut wrong, mut count, mut cascades, mut several) = (String::new(), 0, 0, 0);
    for (path, mutant) in planted() {
        let (sources, sink) = diagnose_beside(&path, &mutant.text);
        count += 1;
        several += usize::from(sink.sorted().len() > 1);
        let mut tell = |what: &str| {
            let _ = writeln!(wrong, "{}: {}: {what}", path.display(), mutant.what);
        };
        if let Some(rule) = in_plain_words(&sources, &sink) {
            tell(&rule.to_string());
        }
        if !one_root(&sources, &sink, &mutant.names) {
            cascades += 1;
            tell(&rendered(&sources, &sink));
        }
    }
    println!("{count} mistakes, {several} told in several messages, {cascades} of them cascades");
    assert!(wrong.is_empty(), "{cascades} of {count} mistakes give several messages\n{wrong}");
    assert!(count > 400, "{count}");
}

/// A line that is wrong whatever else stands in a block or train block.
const OTHER: &str = "\n\ndef unrelated(q[Q]) -> r[Q] {\n  r[i] = q[i] * quite\n}\n";

#[test]
fn two_mistakes_give_two_messages() {
    let (mut wrong, mut count) = (String::new(), 0);
    for (path, mutant) in planted() {
        // A misspelt name and one in another definition have nothing to do with each other. Those of
        // train blocks are found later than those of definitions.
        let at: usize = mutant.what.rsplit(' ').next().unwrap().parse().unwrap();
        let trains = mutant.text.find("\ntrain ").is_some_and(|train| at > train);
        if !mutant.what.starts_with("misspelt") || trains {
            continue;
        }
        let (_, alone) = diagnose_beside(&path, &mutant.text);
        if !alone.has_errors() || alone.sorted().iter().any(|one| one.code.0 >= "E06") {
            continue;
        }
        // A text that cannot be read is not checked for names, and circles wait until names are right.
        let read = alone.sorted().iter().all(|one| one.code.0 >= "E01" && one.code.0 != "E0304");
        if !read {
            continue;
        }
        count += 1;
        let (sources, sink) = diagnose_beside(&path, &format!("{}{OTHER}", mutant.text));
        let sorted = sink.sorted();
        let other = sorted.iter().filter(|one| one.message.contains("`quite`")).count();
        if other != 1 || sorted.len() != alone.sorted().len() + 1 {
            let told = rendered(&sources, &sink);
            let _ = writeln!(wrong, "{}: {}\n{told}", path.display(), mutant.what);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count > 60, "{count}");
}

//! The same words in any layout: blanks, line breaks and comments between any two of them change
//! neither the tree nor the canonical form, and no comment changes its place among the others. And
//! what can be broken is broken before it is too long.

use ntmc::syntax;
use proptest::prelude::*;

use crate::mutate::Chance;
use crate::support::{check_format, plain, tree};
use crate::trees;

/// The words of a text. The version, an import and a line of documentation are one word each.
fn words(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (word, after) = rest.split_at(length_of(rest));
        out.push(word);
        rest = after.trim_start();
    }
    out
}

/// Whether a word goes on to the end of its line.
fn is_line(word: &str) -> bool {
    ["ntm ", "use ", "##"].iter().any(|start| word.starts_with(start))
}

fn length_of(rest: &str) -> usize {
    let run = |text: &str, inside: fn(char) -> bool| {
        text.find(|c: char| !inside(c)).unwrap_or(text.len())
    };
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    if is_line(rest) {
        return run(rest, |c| c != '\n');
    }
    if let Some(text) = rest.strip_prefix('"') {
        return run(text, |c| c != '"') + 2;
    }
    if rest.starts_with(|c: char| c.is_ascii_digit()) {
        let mut end = run(rest, in_word);
        if rest[end..].starts_with('.') && !rest[end..].starts_with("..") {
            end += 1 + run(&rest[end + 1..], in_word);
        }
        if rest[..end].ends_with(['e', 'E']) && rest[end..].starts_with(['+', '-']) {
            end += 1 + run(&rest[end + 1..], in_word);
        }
        return end;
    }
    if rest.starts_with(in_word) {
        return run(rest, in_word);
    }
    let pairs = ["->", "..", "<=", ">=", "==", "!="];
    pairs.iter().find(|pair| rest.starts_with(**pair)).map_or(1, |pair| pair.len())
}

/// The words again with other blanks between them; `comments` in a hundred gaps hold a comment.
fn relaid(text: &str, comments: usize, chance: &mut Chance) -> String {
    let mut out = String::new();
    let (mut count, mut last) = (0, "");
    for word in words(text) {
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '"';
        let apart = last.ends_with(is_word) && word.starts_with(is_word);
        // `sum[` is a reduction only with its bracket on the same line.
        let reduction = ["sum", "prod", "max", "min", "mean"].contains(&last) && word == "[";
        if !reduction && !last.is_empty() && chance.below(100) < comments {
            count += 1;
            let lines = ["\n", "\n\n", " ", "  "];
            // Documentation would swallow a comment at its end.
            let kinds = if is_line(last) { 2 } else { 4 };
            let lines = lines[chance.below(kinds)];
            out += &format!("{lines}# note {count}\n");
        } else if is_line(last) || is_line(word) {
            out.push('\n');
        } else if !reduction {
            let gaps = ["", " ", " ", " ", "\n", "\n\n", "\t", "  \r\n   "];
            let gap = gaps[chance.below(gaps.len())];
            out.push_str(if apart && gap.is_empty() { " " } else { gap });
        }
        out.push_str(word);
        last = word;
    }
    out
}

/// What is written in comments, in order.
fn notes(text: &str) -> Vec<String> {
    tree(text).comments.into_iter().map(|one| one.text).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(120) })]

    #[test]
    fn layout_changes_nothing(file in trees::file(), seed: u64) {
        let text = syntax::format(&file);
        let other = relaid(&text, 0, &mut Chance(seed));
        prop_assert_eq!(plain(&file), plain(&tree(&other)), "{}", other);
        check_format(&other);
    }

    #[test]
    fn comments_anywhere_stay_in_order(file in trees::file(), seed: u64) {
        let text = syntax::format(&file);
        let other = relaid(&text, 12, &mut Chance(seed));
        prop_assert_eq!(plain(&file), plain(&tree(&other)), "{}", other);
        check_format(&other);
        let formatted = syntax::format(&tree(&other));
        prop_assert_eq!(notes(&other), notes(&formatted), "{}\n->\n{}", other, formatted);
    }
}

/// Sentences of the language, with short names and moderate nesting, however long on one line.
struct Writer(Chance);

impl Writer {
    fn word(&mut self) -> &'static str {
        const NAMES: [&str; 10] =
            ["w", "M", "key", "gate", "beta", "usage", "r_prev", "content", "x", "strength"];
        NAMES[self.0.below(NAMES.len())]
    }

    /// Some of a thing, with something between.
    fn several(&mut self, most: usize, between: &str, one: impl Fn(&mut Self) -> String) -> String {
        let count = 1 + self.0.below(most);
        (0..count).map(|_| one(self)).collect::<Vec<_>>().join(between)
    }

    fn atom(&mut self) -> String {
        match self.0.below(4) {
            0 => ["0", "1e-6", "0.25", "50_000"][self.0.below(4)].to_owned(),
            1 => format!("{}[i, {}]", self.word(), self.word()),
            2 => format!("prev {}[i]", self.word()),
            _ => self.word().to_owned(),
        }
    }

    fn expr(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.atom();
        }
        let inner = |writer: &mut Self| writer.expr(depth - 1);
        match self.0.below(9) {
            0 => self.several(8, " + ", inner),
            1 => {
                format!("({})", self.several(8, " * ", |one| format!("({})", one.expr(depth - 1))))
            }
            2 => format!("{}({})", self.word(), self.several(6, ", ", inner)),
            3 => format!("{}[{}](a = {})", self.word(), self.word(), inner(self)),
            4 => format!("({} -> {})", inner(self), self.several(4, " -> ", Self::stage)),
            5 => format!("(if {} < 1 then {} else {})", self.atom(), inner(self), inner(self)),
            6 => format!("(sum[j] {})", self.several(6, " * ", Self::atom)),
            7 => format!("[{}]", self.several(12, ", ", inner)),
            _ => format!("-({} - {})", inner(self), self.several(5, " - ", Self::atom)),
        }
    }

    fn stage(&mut self) -> String {
        format!("{}({})", self.word(), self.several(4, ", ", Self::atom))
    }

    fn slot(&mut self) -> String {
        let start = ["", " = 0.5", " = learned"][self.0.below(3)];
        format!("{}[N, W]: unit{start}", self.word())
    }

    fn statement(&mut self) -> String {
        let depth = self.0.below(4);
        match self.0.below(7) {
            0 => format!("emit {} from {}", self.several(9, ", ", Self::slot), self.expr(depth)),
            1 => format!("state {}", self.several(9, ", ", Self::slot)),
            2 => format!("controller {} = {} through clip(-1, 1)", self.word(), self.expr(depth)),
            3 => format!("require {}, \"too small\"", self.expr(depth)),
            4 => format!("head {}[R] {{ {} }}", self.word(), self.several(3, "\n", Self::equation)),
            5 => format!("part {}[l: L] tied = f({})", self.word(), self.expr(depth)),
            _ => self.equation(),
        }
    }

    fn equation(&mut self) -> String {
        let depth = self.0.below(4);
        let elsewhere = ["", " elsewhere prev M"][self.0.below(2)];
        format!("{}[i] = {}{elsewhere}", self.word(), self.expr(depth))
    }

    fn file(&mut self) -> String {
        let import = self.several(14, ", ", |one| one.word().to_owned());
        let dims = self.several(12, ", ", |one| format!("{} = 1_000", one.word()));
        let params = self.several(9, ", ", |one| format!("emit {}", one.slot()));
        let body = self.several(6, "\n", Self::statement);
        let tasks = self.several(5, ", ", Self::stage);
        let settings = self.several(4, "\n", |one| format!("lr = {}", one.expr(2)));
        format!(
            "ntm 1\nuse std.address ({import})\ndef f[{dims}]({params}) -> out[N] {{ {body} }}\n\
             def g({params}) -> out = {}\ntrain one: m on [{tasks}] {{ {settings} }}\n",
            self.expr(3)
        )
    }
}

#[test]
fn no_line_is_long_where_it_can_be_broken() {
    for seed in 0..100 {
        let text = Writer(Chance(seed)).file();
        check_format(&text);
        let formatted = syntax::format(&tree(&text));
        for line in formatted.lines() {
            assert!(line.chars().count() <= 96, "seed {seed}: {line}\n{formatted}");
        }
    }
}

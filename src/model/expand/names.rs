//! Names: one word for every array of a model, made of its path.

use std::collections::BTreeSet;

use crate::op::Scalar;
use crate::syntax::ast::{DOMAINS, REDUCTIONS};
use crate::syntax::is_keyword;

/// Further words that mean something else in an expression.
const TAKEN: &[&str] = &[
    "softmax", "norm", "argsort", "rank", "top", "cat", "zeros", "one_hot", "normal", "uniform",
    "learned", "true", "false", "ntm",
];

/// Whether a word is free to name an array or an index.
fn is_free(word: &str) -> bool {
    let taken = [TAKEN, DOMAINS, REDUCTIONS].iter().any(|words| words.contains(&word));
    !taken && !is_keyword(word) && Scalar::named(word).is_none()
}

/// A word made of a path that is no other name: `read[0].w` becomes `read_0_w`.
pub(super) fn mangled(path: &str, used: &mut BTreeSet<String>) -> String {
    let mut word = String::new();
    for letter in path.chars() {
        if letter.is_alphanumeric() || letter == '_' {
            word.push(letter);
        } else if !word.ends_with('_') && letter != ']' {
            word.push('_');
        }
    }
    let starts_well = word.starts_with(|first: char| first.is_alphabetic() || first == '_');
    if !starts_well || !is_free(&word) {
        word.push('_');
    }
    if !starts_well {
        word.insert(0, 'v');
    }
    fresh(&word, used)
}

/// The word itself, or with the first number that makes it new.
pub(super) fn fresh(word: &str, used: &mut BTreeSet<String>) -> String {
    let mut name = word.to_owned();
    let mut count = 2;
    while used.contains(&name) || !is_free(&name) {
        name = format!("{word}_{count}");
        count += 1;
    }
    used.insert(name.clone());
    name
}

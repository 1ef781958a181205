//! The corpus of good files holds no two copies of one thing.

use std::collections::BTreeSet;

use ntmc::op::scalar;

use crate::support::specs_below;

/// How many tokens must be added, removed or replaced to make one file of another.
const LEAST: usize = 6;

/// Words of the language that are no functions of one number; every other word is a name.
const WORDS: &str = "use def model train on head part controller memory state param emit from through \
    tied prev for in if then else elsewhere and or not mod via require sum prod max min mean softmax \
    norm cat argsort rank top zeros one_hot uniform learned normal unit signed positive simplex sphere \
    weighting real index int bool true false";

/// The tokens of a text without comments; names are all alike, and so are numbers.
fn tokens(text: &str, words: &BTreeSet<&str>) -> Vec<String> {
    let mut out = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let whole = |fits: fn(char) -> bool| rest.find(|c| !fits(c)).unwrap_or(rest.len());
            let (length, token) = if first.is_ascii_digit() {
                (whole(|c| c.is_alphanumeric() || c == '_'), "0")
            } else if first.is_alphabetic() || first == '_' {
                let length = whole(|c| c.is_alphanumeric() || c == '_');
                (length, if words.contains(&rest[..length]) { &rest[..length] } else { "name" })
            } else {
                (first.len_utf8(), &rest[..first.len_utf8()])
            };
            out.push(token.to_owned());
            rest = rest[length..].trim_start();
        }
    }
    out
}

/// The number of edits between two lists, or `LEAST` if it is not smaller.
fn distance(left: &[String], right: &[String]) -> usize {
    if left.len().abs_diff(right.len()) >= LEAST {
        return LEAST;
    }
    let mut before: Vec<usize> = (0..=right.len()).collect();
    for (row, token) in left.iter().enumerate() {
        let mut now = vec![LEAST; right.len() + 1];
        now[0] = row + 1;
        let band = row.saturating_sub(LEAST)..(row + LEAST).min(right.len());
        for at in band {
            let replaced = before[at] + usize::from(*token != right[at]);
            now[at + 1] = replaced.min(before[at + 1] + 1).min(now[at] + 1);
        }
        before = now;
    }
    before[right.len()].min(LEAST)
}

#[test]
fn no_good_file_is_nearly_another() {
    let scalars = scalar::rows().iter().map(|row| row.name);
    let words: BTreeSet<&str> = WORDS.split_whitespace().chain(scalars).collect();
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path.file_name().unwrap().display().to_string(), tokens(&text, &words))
    };
    let files: Vec<_> = specs_below("tests/ok").into_iter().map(read).collect();
    let mut near = Vec::new();
    for (at, (name, left)) in files.iter().enumerate() {
        for (other, right) in &files[at + 1..] {
            let found = distance(left, right);
            if found < LEAST {
                near.push(format!("{found} edits make {other} of {name}"));
            }
        }
    }
    assert!(near.is_empty(), "{near:#?}");
}

#[test]
fn edits_are_counted() {
    let words = BTreeSet::from(["sum"]);
    let of = |text: &str| tokens(text, &words);
    assert_eq!(of("y = 2.5 * sum[k] a[k]  # x"), of("z = 1.0 * sum[i] b[i]"));
    assert_eq!(distance(&of("y = a + b"), &of("y = a")), 2);
    assert_eq!(distance(&of("y = a + b * c - d"), &of("x[i] = -2")), LEAST);
}

//! Mistakes at random in every file we have: whatever they make of it, there is a message or a model.
//!
//! `fuzz/` does the same for hours with a nightly toolchain; this is its small, repeatable part.

use ntmc::compile::{Spec, Stage};
use ntmc::diag::Style;
use ntmc::model::library::StdOnly;
use ntmc::source::Source;
use std::time::{Duration, Instant};

use crate::mutate::{Chance, mutate};
use crate::support::{check_format, codes, elaborate, program, root, specs_below};

/// How many texts are made.
const COUNT: u64 = 1_200;

/// Every file below some folders.
fn texts(folders: &[&str]) -> Vec<String> {
    let paths = folders.iter().flat_map(|folder| specs_below(folder));
    let texts = paths.map(|path| std::fs::read_to_string(path).unwrap());
    // Large models take long and show little more.
    texts.filter(|text| text.len() < 1_500).collect()
}

/// Takes a text as far as it goes; whether it went all the way.
fn check(text: &str) -> bool {
    let start = Instant::now();
    if codes(text).is_empty() {
        check_format(text);
    }
    let read = Spec::read(Source::new("text.ntm", text), &StdOnly);
    let whole = match read.and_then(|mut spec| elaborate(&mut spec, &[])) {
        Ok(model) => {
            program(&model, Stage::Adjoint);
            true
        }
        Err(error) => {
            assert!(!error.render(Style::Plain).is_empty());
            false
        }
    };
    // Milliseconds when alone; the margin is for a busy machine and a build for debugging.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?} for\n{text}", start.elapsed());
    whole
}

#[test]
fn mistakes_at_random_give_a_message_or_a_model() {
    // A mutation starts from a right text and copies from any.
    let good = texts(&["tests/ok", "specs", "tests/regressions"]);
    let all = texts(&["tests/ok", "tests/err", "specs", "src/std", "tests/regressions"]);
    let halves = [0, COUNT / 2].map(|first| {
        let (good, all) = (good.clone(), all.clone());
        std::thread::spawn(move || {
            let seeds = first..first + COUNT / 2;
            let whole = |seed: &u64| {
                let mut chance = Chance(*seed);
                let text = &good[chance.below(good.len())];
                check(&mutate(text, &all, &mut chance))
            };
            seeds.filter(whole).count()
        })
    });
    let whole: usize = halves.into_iter().map(|half| half.join().unwrap()).sum();
    // Enough of them stay right for the later rooms to see something new.
    assert!(whole > 60, "only {whole} of {COUNT} texts are models");
}

#[test]
fn what_was_found_once_stays_found() {
    let paths = specs_below("tests/regressions");
    assert!(!paths.is_empty(), "{}", root().display());
    for path in paths {
        check(&std::fs::read_to_string(path).unwrap());
    }
}

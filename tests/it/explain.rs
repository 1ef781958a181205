//! Pages of `ntmc explain`: one for each code, with examples that do what they say.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use ntmc::explain::{Example, PAGES, plain};
use ntmc::source::Source;

use crate::support::{codes_in_source, diagnose_example, notes_of, rendered};

/// Pages without examples, with the reason.
const NO_EXAMPLE: &[(&str, &str)] = &[
    ("E0090", "a text of a mebibyte"),
    ("E0092", "no text is known that does it"),
    ("E0614", "every domain that a task can have has a loss in std"),
    ("E0701", "only a run sees numbers"),
];

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let pages: BTreeSet<String> = PAGES.iter().map(|page| page.code.to_owned()).collect();
    let codes = codes_in_source();
    let without: Vec<_> = codes.difference(&pages).collect();
    assert!(without.is_empty(), "no page in src/explain for {without:?}");
    let stale: Vec<_> = pages.difference(&codes).collect();
    assert!(stale.is_empty(), "nothing can say {stale:?}");
    for page in PAGES.iter() {
        assert!(page.text.starts_with(&format!("# {}: {}\n\n", page.code, page.title)));
        assert!(page.text.split_whitespace().count() > 20, "{} says too little", page.code);
        assert!(plain(page).lines().all(|line| line.chars().count() < 420), "{}", page.code);
    }
}

/// What `ntmc test` says of a text, which alone draws numbers.
fn codes_of_trial(text: &str) -> (BTreeSet<&'static str>, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("example.ntm"), text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ntmc"))
        .args(["test", "example.ntm", "--draws", "200"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let found = if shown.contains("[E0403]") { BTreeSet::from(["E0403"]) } else { BTreeSet::new() };
    assert_eq!(output.status.code(), Some(i32::from(!found.is_empty())), "{shown}");
    (found, shown)
}

#[test]
fn every_wrong_example_has_its_code_alone_and_every_right_one_none() {
    let mut wrong = String::new();
    for page in PAGES.iter() {
        let (Some(bad), Some(good)) = (&page.wrong, &page.right) else {
            let known = NO_EXAMPLE.iter().any(|(code, _)| *code == page.code);
            assert!(known, "{} has no examples", page.code);
            continue;
        };
        let codes = |example: &Example| {
            if page.code == "E0403" {
                return codes_of_trial(example.spec);
            }
            let (sources, sink) = match page.code.starts_with('W') {
                true => {
                    notes_of(Path::new("example.ntm"), Source::new("example.ntm", example.spec))
                }
                false => diagnose_example(example),
            };
            let codes: BTreeSet<_> = sink.sorted().into_iter().map(|one| one.code.0).collect();
            (codes, rendered(&sources, &sink))
        };
        let (found, shown) = codes(bad);
        if found != BTreeSet::from([page.code]) {
            wrong += &format!("{}: the wrong example gives {found:?}\n{shown}\n", page.code);
        }
        let (found, shown) = codes(good);
        if !found.is_empty() {
            wrong += &format!("{}: the right example gives {found:?}\n{shown}\n", page.code);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

//! The house rules that a program can check.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{root, specs_below};

/// Which rooms a room may import. A new arrow is a design change.
const IMPORTS: &[(&str, &[&str])] = &[
    ("source", &[]),
    ("tensor", &[]),
    ("random", &[]),
    ("passes", &[]),
    ("diag", &["source"]),
    ("explain", &[]),
    ("syntax", &["source", "diag"]),
    ("op", &["tensor"]),
    ("model", &["source", "diag", "syntax", "op", "graph"]),
    ("graph", &["source", "op", "tensor"]),
    ("lower", &["source", "model", "op", "graph"]),
    ("grad", &["source", "op", "graph", "tensor"]),
    ("opt", &["source", "op", "graph", "tensor"]),
    ("notes", &["source", "diag", "syntax", "op", "model", "graph", "grad"]),
    ("plan", &["op", "graph"]),
    ("backend", &["source", "tensor", "op", "graph", "passes"]),
    ("run", &["tensor", "backend", "graph", "model", "random"]),
    ("task", &["tensor", "model", "random", "source", "diag"]),
    ("train", &["tensor", "run", "task", "random", "model"]),
    ("vectors", &["tensor", "backend", "graph", "diag"]),
    ("claims", &["source", "diag", "model", "op"]),
    (
        "trial",
        &[
            "backend", "claims", "compile", "diag", "error", "graph", "model", "op", "random",
            "syntax", "tensor",
        ],
    ),
    ("error", &["diag", "source", "run", "train", "vectors"]),
    (
        "compile",
        &[
            "source", "diag", "syntax", "op", "model", "graph", "lower", "grad", "opt", "error",
            "task", "notes", "passes",
        ],
    ),
];

/// Diagnostics no file of `tests/err` can show, with the reason.
const UNREACHABLE: &[(&str, &str)] = &[
    ("E0090", "a text too large to be a file; see syntax/errors.rs"),
    ("E0092", "a text too large to be a file"),
    ("E0403", "found by `ntmc test`, not by the checker"),
    ("E0601", "an override; tested through the command line's API"),
    ("E0602", "an override"),
    ("E0606", "a checkpoint"),
    ("E0613", "--train"),
    ("E0614", "every domain a task can have has a loss in std"),
    ("E0617", "an override"),
    ("E0618", "an override"),
    ("E0701", "found by `ntmc run`; see tests/it/bad_numbers.rs"),
];

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn is_test(path: &Path) -> bool {
    let inside = path.strip_prefix(root().join("src")).unwrap();
    inside.iter().any(|part| {
        let part = part.to_string_lossy();
        part == "tests"
            || part == "tests.rs"
            || part.ends_with("_tests.rs")
            || part == "samples.rs"
            || part == "fake.rs"
    })
}

/// The code of a file without its unit tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..end].to_owned()
}

fn room(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).unwrap();
    let first = inside.iter().next().unwrap().to_string_lossy();
    first.strip_suffix(".rs").unwrap_or(&first).to_owned()
}

#[test]
fn rooms_import_what_the_table_allows() {
    let allowed: BTreeMap<&str, &[&str]> = IMPORTS.iter().copied().collect();
    let mut wrong = BTreeSet::new();
    for path in rust_files("src").into_iter().filter(|path| !is_test(path)) {
        let room = room(&path);
        // The command line and the crate's root may import anything; nothing imports them.
        if ["cli", "main", "lib"].contains(&room.as_str()) {
            continue;
        }
        let Some(allowed) = allowed.get(room.as_str()) else {
            wrong.insert(format!("{room} is not in the table"));
            continue;
        };
        for line in code(&path).lines().filter(|line| !line.trim_start().starts_with("//")) {
            for used in line.split("crate::").skip(1) {
                let end = used.find(|c: char| !c.is_alphanumeric() && c != '_');
                let used = &used[..end.unwrap_or(used.len())];
                let is_room = allowed_names().contains(used) || used == "cli";
                if is_room && used != room && !allowed.contains(&used) {
                    wrong.insert(format!("{room} imports {used}: {}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn allowed_names() -> BTreeSet<&'static str> {
    IMPORTS.iter().map(|(room, _)| *room).collect()
}

/// Every code of an error.
fn codes_in_source() -> BTreeSet<String> {
    crate::support::codes_in_source().into_iter().filter(|code| code.starts_with('E')).collect()
}

#[test]
fn every_diagnostic_has_a_file_that_shows_it() {
    let shown: BTreeSet<String> = specs_below("tests/err")
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy()[..5].to_owned())
        .collect();
    let exempt: BTreeSet<String> = UNREACHABLE.iter().map(|(code, _)| (*code).to_owned()).collect();
    let known = codes_in_source();
    let missing: Vec<_> = known.difference(&shown).filter(|code| !exempt.contains(*code)).collect();
    assert!(missing.is_empty(), "no file in tests/err shows {missing:?}");
    let stale: Vec<_> = shown.difference(&known).collect();
    assert!(stale.is_empty(), "nothing can say {stale:?}");
    let both: Vec<_> = exempt.intersection(&shown).collect();
    assert!(both.is_empty(), "listed as unreachable, and yet shown: {both:?}");
}

#[test]
fn no_snapshot_is_left_over() {
    let folder = root().join("tests/it/snapshots");
    let mut stray = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if name.ends_with(".snap.new") {
            stray.push(name);
            continue;
        }
        let Some((_, input)) = name.strip_suffix(".snap").unwrap_or(&name).split_once('@') else {
            continue;
        };
        let input = input.replace("__", "/");
        let plain =
            ["tests/err", "tests/ok", "tests/note", "specs", "specs/pieces", "specs/published"];
        if !plain.iter().any(|folder| root().join(folder).join(&input).exists()) {
            stray.push(name);
        }
    }
    assert!(stray.is_empty(), "{stray:#?}");
}

#[test]
fn nothing_is_left_for_later() {
    let marks =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!("), concat!("#[ig", "nore")];
    let mut found = Vec::new();
    for path in rust_files("src").into_iter().chain(rust_files("tests")) {
        let text = fs::read_to_string(&path).unwrap();
        found.extend(
            marks.iter().filter(|mark| text.contains(**mark)).map(|mark| (path.clone(), mark)),
        );
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn files_stay_readable() {
    for path in rust_files("src") {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        assert!(lines <= 600, "{name} has {lines} lines");
        for (at, line) in text.lines().enumerate().filter(|(_, line)| line.trim().starts_with("//"))
        {
            assert!(line.chars().count() <= 120, "{name}:{} is a long comment", at + 1);
        }
    }
}

/// Words of mechanisms: they belong in std and specs, never in the compiler.
const MECHANISMS: &[&str] = &[
    "dnc",
    "content",
    "sharpen",
    "interpolate",
    "usage",
    "allocation",
    "linkage",
    "lstm",
    "lrua",
    "cosine",
    "addressing",
];

#[test]
fn the_compiler_knows_no_mechanism() {
    let mut found = Vec::new();
    for path in rust_files("src").into_iter().filter(|path| !is_test(path)) {
        for (at, line) in code(&path).lines().enumerate() {
            let line = line.trim_start();
            // Documentation may cite papers; help texts may name them as examples.
            if line.starts_with("//")
                || line.contains("help")
                || line.contains("include_str!")
                || line.contains("specs/")
            {
                continue;
            }
            let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            // Every command line has a usage, and a learning rate may follow a cosine.
            let plain = |word: &&str| {
                (*word == "usage" && room(&path) == "cli")
                    || (*word == "cosine" && path.ends_with("model/train_schedule.rs"))
            };
            for word in words.filter(|word| MECHANISMS.contains(word) && !plain(word)) {
                found.push(format!("{}:{}: {word}", path.display(), at + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

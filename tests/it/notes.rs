//! Pedantic notes: every file of `tests/note` with its inline expectations, its rendered notes and the
//! change that makes them go away; what the shipped specs are noted for; and that a symmetry which is
//! claimed is one, to the last bit.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ntmc::backend::interp::Interp;
use ntmc::backend::{Batch, Executable, Precision, Want};
use ntmc::diag::{Diagnostics, apply};
use ntmc::graph::{Array, Program};
use ntmc::model::Model;
use ntmc::model::flat::Term;
use ntmc::notes::equal_for_ever;
use ntmc::random::Stream;
use ntmc::source::{FileId, Source, Sources};
use ntmc::tensor::Tensor;

use crate::support::{
    expectations, found, model_of, notes_of, program, rendered, root, source, spec, specs_below,
};

/// The first part of a file's name.
fn code_of(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy()[..5].to_owned()
}

fn count(notes: &Diagnostics, code: &str) -> usize {
    notes.sorted().into_iter().filter(|one| one.code.0 == code).count()
}

#[test]
fn every_note_is_made_where_it_is_due() {
    let mut wrong = String::new();
    for path in specs_below("tests/note") {
        let (sources, notes) = notes_of(&path, source(&path));
        std_is_not_blamed(&sources, &notes);
        let (expected, found) = (expectations(&source(&path).text), found(&sources, &notes));
        let code = code_of(&path);
        if expected != found || !found.iter().all(|one| one.code == code) {
            let name = path.file_name().unwrap().to_string_lossy();
            wrong += &format!("{name}: expected {expected:#?}\n{}", rendered(&sources, &notes));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Only the user's own text is blamed.
fn std_is_not_blamed(sources: &Sources, notes: &Diagnostics) {
    for one in notes.sorted() {
        for label in std::iter::once(&one.primary).chain(&one.others) {
            let name = &sources.get(label.span.file).name;
            assert!(!name.starts_with("std."), "{}", rendered(sources, notes));
        }
    }
}

#[test]
fn every_note_reads_as_it_did() {
    insta::glob!("..", "note/*.ntm", |path| {
        let (sources, notes) = notes_of(path, source(path));
        insta::assert_snapshot!(rendered(&sources, &notes));
    });
}

/// The changes that a file says remove the cause: lines `#? "old" => "new"`, in which `\n` breaks a line.
fn without_the_cause(text: &str) -> Option<String> {
    let mut changed = text.to_owned();
    for line in text.lines().filter_map(|line| line.strip_prefix("#? ")) {
        let (old, new) = line.split_once(" => ").unwrap();
        let bare = |quoted: &str| {
            quoted
                .strip_prefix('"')
                .and_then(|one| one.strip_suffix('"'))
                .unwrap()
                .replace("\\n", "\n")
        };
        changed = changed.replacen(&bare(old), &bare(new), 1);
    }
    (changed != text).then_some(changed)
}

#[test]
fn a_note_vanishes_with_its_cause() {
    for path in specs_below("tests/note") {
        let (code, text) = (code_of(&path), source(&path).text);
        let (_, notes) = notes_of(&path, source(&path));
        let mut repairs: Vec<String> = without_the_cause(&text).into_iter().collect();
        for one in notes.sorted().into_iter().filter(|one| !one.edits.is_empty()) {
            repairs.push(apply(&text, FileId(0), &one.edits));
        }
        assert!(!repairs.is_empty(), "{}: nothing says what would repair it", path.display());
        for text in repairs {
            let source = Source { text: text.clone(), ..source(&path) };
            let (sources, after) = notes_of(&path, source);
            let shown = rendered(&sources, &after);
            assert!(count(&after, &code) < count(&notes, &code), "{text}\n{shown}");
            assert!(!after.has_errors(), "{text}\n{shown}");
        }
    }
}

#[test]
fn every_note_has_three_files() {
    let mut files: BTreeMap<String, usize> = BTreeMap::new();
    for path in specs_below("tests/note") {
        *files.entry(code_of(&path)).or_default() += 1;
    }
    let known: BTreeSet<String> = std::fs::read_to_string(root().join("src/notes/errors.rs"))
        .unwrap()
        .split("\"W09")
        .skip(1)
        .map(|rest| format!("W09{}", &rest[..2]))
        .collect();
    assert_eq!(files.keys().cloned().collect::<BTreeSet<_>>(), known);
    assert!(files.values().all(|count| *count >= 3), "{files:?}");
}

/// Every code of a note that a comment of a spec mentions, with the reason why it is right as it is.
fn explained(text: &str) -> BTreeSet<String> {
    let comments = text.lines().filter(|line| line.trim_start().starts_with('#'));
    let codes = comments.flat_map(|line| line.split("(W").skip(1));
    codes.map(|rest| format!("W{}", &rest[..4])).collect()
}

#[test]
fn shipped_specs_are_noted_for_a_reason_only() {
    let mut wrong = String::new();
    for path in specs_below("specs") {
        let (sources, notes) = notes_of(&path, source(&path));
        std_is_not_blamed(&sources, &notes);
        let codes: BTreeSet<String> =
            notes.sorted().into_iter().map(|one| one.code.0.to_owned()).collect();
        let explained = explained(&source(&path).text);
        if codes != explained {
            wrong += &format!("{}: {explained:?}\n{}", path.display(), rendered(&sources, &notes));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

const STEPS: usize = 5;

/// Runs a program on random parameters and inputs; the axes along which the entries of each state are
/// the same after every step, bit by bit.
fn measured(program: &Program, seed: u64) -> Vec<Vec<usize>> {
    let mut stream = Stream::new(seed, &["notes"], &[]);
    let mut drawn =
        |shape: &[usize]| Tensor::from_shape_simple_fn(shape, || stream.uniform(-1.0, 1.0));
    let params: Vec<Tensor> = program.params.iter().map(|one| drawn(&one.shape())).collect();
    let inputs: Vec<Tensor> =
        program.inputs.iter().map(|one| drawn(&[&[STEPS, 1], &one.shape()[..]].concat())).collect();
    let roots: Vec<String> =
        program.states.iter().map(|one| format!("next/{}", one.path)).collect();
    let starts = vec![None; program.states.len()];
    let batch = Batch { lengths: vec![STEPS], inputs, starts };
    let want = Want { roots: roots.clone(), gradients: false };
    let outcome = Interp::new(program, Precision::F64, 1).run(&params, &batch, &want);
    let level = |(root, state): (&String, &Array)| {
        let value = &outcome.roots[root];
        (0..state.sizes.len()).filter(|axis| is_level(value, axis + 2)).collect()
    };
    roots.iter().zip(&program.states).map(level).collect()
}

/// Whether all entries along an axis are the same bits.
fn is_level(value: &Tensor, axis: usize) -> bool {
    let mut lanes = value.lanes(ndarray::Axis(axis)).into_iter();
    lanes.all(|lane| lane.iter().all(|one| one.to_bits() == lane[0].to_bits()))
}

/// Checks every claim about a model; how many there are, and how many more hold unclaimed.
fn check_claims(name: &str, model: &Model) -> (usize, usize) {
    let program = program(model, ntmc::compile::Stage::Step);
    let claims = equal_for_ever(&program);
    let (mut claimed, mut more) = (0, 0);
    let measured = measured(&program, 3);
    for ((state, claims), measured) in program.states.iter().zip(&claims).zip(&measured) {
        for axis in claims {
            let found = measured.contains(axis);
            assert!(found, "{name}: `{}` is said to be level along axis {axis}", state.path);
        }
        claimed += claims.len();
        let wide = measured.iter().filter(|axis| state.sizes[**axis] > 1);
        more += wide.filter(|axis| !claims.contains(axis)).count();
    }
    (claimed, more)
}

/// The same model with every state started at one number.
fn level_starts(mut model: Model) -> Model {
    for state in &mut model.states {
        if state.sort == ntmc::model::flat::Sort::Real {
            state.start = Term::Real(0.25);
        }
    }
    model
}

#[test]
fn rows_that_are_claimed_equal_are_equal() {
    let mut sums = [(0, 0); 2];
    for folder in ["specs", "tests/ok", "tests/note"] {
        for path in specs_below(folder) {
            let has_model =
                !spec(source(&path), &crate::support::beside(&path)).checked.models.is_empty();
            // Files about cost are large on purpose.
            if !has_model || code_of(&path) == "W0904" {
                continue;
            }
            let name = path.display().to_string();
            let model = model_of(&path);
            for (sum, model) in sums.iter_mut().zip([model.clone(), level_starts(model)]) {
                let (claimed, more) = check_claims(&name, &model);
                *sum = (sum.0 + claimed, sum.1 + more);
            }
        }
    }
    // The analysis is worth something: it finds nearly all of what there is to find.
    for (claimed, more) in sums {
        assert!(claimed >= 10 && more * 3 <= claimed, "{sums:?}");
    }
}

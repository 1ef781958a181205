//! Numbers of other implementations, reproduced through the command line.
//!
//! Origin: the files under `tests/golden` were made in f64 by running public implementations (their
//! name, commit and licence stand in each file's metadata) and, in `pieces`, by evaluating single
//! equations of the papers in numpy; those in `reimplemented` by programs that follow the descriptions
//! of the same implementations step by step, for sizes and switches that the others lack; those in
//! `bench` by the JAX programs that `specs/bench` is timed against. Gradients are part of every file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs `ntmc verify` in every backend and returns what it says; the last that fails, if one does.
fn verify(spec: &Path, against: &Path) -> (bool, String) {
    let jit = verify_by("jit", spec, against);
    let interp = verify_by("interp", spec, against);
    if interp.0 { jit } else { interp }
}

fn verify_by(backend: &str, spec: &Path, against: &Path) -> (bool, String) {
    verify_with(&["--backend", backend], spec, against)
}

fn verify_with(options: &[&str], spec: &Path, against: &Path) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ntmc"))
        .args(["verify", "--json"])
        .args(options)
        .arg(spec)
        .arg("--against")
        .arg(against)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    (output.status.success(), format!("{text}{errors}"))
}

fn files(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut all: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "safetensors"))
        .collect();
    all.sort();
    all
}

#[test]
fn single_equations_agree() {
    let all = files("tests/golden/pieces");
    assert!(all.len() >= 23, "{} files", all.len());
    let mut cases = 0;
    for file in all {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let spec = PathBuf::from(format!("specs/pieces/{name}.ntm"));
        let (agrees, said) = verify(&spec, &file);
        assert!(agrees, "{name}: {said}");
        let report: serde_json::Value = serde_json::from_str(&said).unwrap();
        cases += report["cases"].as_array().unwrap().len();
    }
    assert_eq!(cases, 63);
}

/// The published spec that a file of vectors is for: the one with the longest name that begins the
/// file's, so that `dnc-deepmind-2writes` belongs to `dnc-deepmind`.
fn published(file: &Path) -> PathBuf {
    let stem = file.file_stem().unwrap().to_str().unwrap();
    (1..=stem.len())
        .rev()
        .filter(|end| stem[*end..].is_empty() || stem[*end..].starts_with('-'))
        .map(|end| PathBuf::from(format!("specs/published/{}.ntm", &stem[..end])))
        .find(|spec| Path::new(env!("CARGO_MANIFEST_DIR")).join(spec).exists())
        .unwrap_or_else(|| panic!("no spec for {stem}"))
}

/// Verifies all files of a folder and returns their specs.
fn agreeing(folder: &str) -> BTreeSet<PathBuf> {
    let mut specs = BTreeSet::new();
    for file in files(folder) {
        let spec = published(&file);
        let (agrees, said) = verify(&spec, &file);
        assert!(agrees, "{}: {said}", file.display());
        specs.insert(spec);
    }
    specs
}

#[test]
fn published_models_agree() {
    let specs = agreeing("tests/golden");
    assert!(specs.len() >= 6, "{specs:?}");
}

#[test]
fn published_models_agree_in_other_sizes_and_switches() {
    let specs = agreeing("tests/golden/reimplemented");
    assert!(specs.len() >= 4, "{specs:?}");
}

/// The networks that are timed: name, numbers in the optimiser's hands, sequences and time steps.
const TIMED: &[(&str, u64, u64, u64)] = &[
    ("dnc-n1024", 37_008, 4, 32),
    ("dnc-n128", 37_008, 4, 32),
    ("dnc-n256", 37_008, 4, 32),
    ("dnc-n512", 37_008, 4, 32),
    ("dnc-n64", 37_008, 4, 32),
    ("dnc-paper-b1", 892_279, 1, 128),
    ("dnc-paper-b8", 892_279, 8, 128),
    ("dnc-small-b16", 45_391, 16, 40),
    ("lstm-b32", 274_440, 32, 41),
    ("ntm-copy-b1", 62_536, 1, 41),
    ("ntm-copy-b32", 62_536, 32, 41),
];

#[test]
fn networks_that_are_timed_are_those_of_the_benchmark() {
    for (name, ..) in TIMED {
        let kind = name.split('-').next().unwrap();
        let spec = PathBuf::from(format!("specs/bench/{name}.ntm"));
        let file = PathBuf::from(format!("tests/golden/bench/{kind}.safetensors"));
        let (agrees, said) = verify_by("jit", &spec, &file);
        assert!(agrees, "{name}: {said}");
    }
    for (name, kind) in [("dnc-n64", "dnc"), ("lstm-b32", "lstm"), ("ntm-copy-b1", "ntm")] {
        let spec = PathBuf::from(format!("specs/bench/{name}.ntm"));
        let file = PathBuf::from(format!("tests/golden/bench/{kind}.safetensors"));
        let single = ["--precision", "f32", "--tolerance", "1e-4"];
        for options in [&["--backend", "interp"][..], &single] {
            let (agrees, said) = verify_with(options, &spec, &file);
            assert!(agrees, "{name}, {options:?}: {said}");
        }
    }
}

#[test]
fn networks_that_are_timed_have_the_sizes_of_the_benchmark() {
    let found = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/bench"));
    let names: BTreeSet<String> = found
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "ntm"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name.contains('-'))
        .collect();
    assert!(names.iter().eq(TIMED.iter().map(|(name, ..)| name)), "{names:?}");
    for (name, parameters, batch, steps) in TIMED {
        let text = std::fs::read_to_string(format!("specs/bench/{name}.ntm")).unwrap();
        let spec = crate::support::spec(
            ntmc::source::Source::new(name.to_owned(), text),
            &crate::support::beside(Path::new("specs/bench/x.ntm")),
        );
        let mut spec = spec;
        let ready = spec.training(&ntmc::compile::Choices::default()).unwrap();
        let size: usize = ready.program.params.iter().map(ntmc::graph::Array::len).sum();
        assert_eq!(size as u64, *parameters, "{name}");
        assert_eq!(u64::from(ready.block.batch), *batch, "{name}");
        assert_eq!(ready.tasks[0].longest(), *steps, "{name}");
    }
}

#[test]
fn a_map_may_be_another_one_and_then_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    put("a.ron", "(like: \"b.ron\")");
    put("b.ron", "(like: \"a.ron\")");
    put("c.ron", "(like: \"a.ron\", ignore: [\"x\"])");
    put("d.ron", "(like: \"missing.ron\")");
    for (map, says) in [("a", "like another"), ("c", "says nothing else"), ("d", "missing.ron")] {
        let map = folder.path().join(format!("{map}.ron")).display().to_string();
        let (spec, file) = ("specs/bench/lstm-b32.ntm", "tests/golden/bench/lstm.safetensors");
        let (agrees, said) = verify_with(&["--map", &map], Path::new(spec), Path::new(file));
        assert!(!agrees && said.contains(says), "{said}");
    }
}

#[test]
fn a_changed_number_is_noticed() {
    let file = "tests/golden/pieces/read.safetensors";
    let mut bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    // The last number of the file, changed in a digit far above the tolerance.
    let at = bytes.len() - 3;
    bytes[at] ^= 0x40;
    let folder = tempfile::tempdir().unwrap();
    let changed = folder.path().join("changed.safetensors");
    std::fs::write(&changed, bytes).unwrap();
    let (agrees, said) = verify(Path::new("specs/pieces/read.ntm"), &changed);
    assert!(!agrees, "{said}");
    // One object says it all.
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["passed"], false, "{said}");
}

//! Numbers of other implementations, reproduced through the command line.
//!
//! Origin: the files under `tests/golden` were made in f64 by running public implementations (their
//! name, commit and licence stand in each file's metadata) and, in `pieces`, by evaluating single
//! equations of the papers in numpy; those in `reimplemented` by programs that follow the descriptions
//! of the same implementations step by step, for sizes and switches that the others lack. Gradients are
//! part of every file.

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
    let output = Command::new(env!("CARGO_BIN_EXE_ntmc"))
        .args(["verify", "--json", "--backend", backend])
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

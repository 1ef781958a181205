//! The digest of the effective spec: the same wherever it is printed, and another one exactly when the
//! model, its training or its numbers are others.

use std::path::Path;
use std::process::Command;

use ntmc::compile::{Choices, Spec};
use ntmc::diag::Style;
use ntmc::model::library::Library;
use ntmc::source::Source;

const SPEC: &str = "ntm 1
use std.nn
use mine (twice)

## Half of what comes in, kept apart from the controller.
model m[N = 4, H = 3](x[X], deep: bool = true) -> y[Y] {
  controller h = lstm[H](x)
  emit k[N]: unit
  part side { emit g: unit }
  v = twice(k)
  emit y[Y] from cat(h, for i: v[i] * side.g)
}

train m on copy(bits = 2, length = 1..2) {
  optimizer = adam(lr = 1e-3)
  batch     = 2
  steps     = 10
}
";

const MODULE: &str = "ntm 1\ndef twice(v[N]) -> out[N] { out = 2 * v }\n";

/// A module `mine` with this text.
struct Mine(String);

impl Library for Mine {
    fn source(&self, module: &str) -> Option<Source> {
        (module == "mine").then(|| Source::new("mine.ntm", self.0.clone()))
    }
}

fn digest(text: &str, module: &str, sets: &[&str]) -> String {
    let read = Spec::read(Source::new("text.ntm", text), &Mine(module.to_owned()));
    let mut spec = read.unwrap_or_else(|error| panic!("{}", error.render(Style::Plain)));
    let sets = sets.iter().map(|set| (*set).to_owned()).collect();
    let training = spec.training(&Choices { sets, ..Choices::default() });
    training.unwrap_or_else(|error| panic!("{}", error.render(Style::Plain))).digest
}

#[test]
fn layout_and_comments_do_not_count() {
    let base = digest(SPEC, MODULE, &[]);
    let same = [
        SPEC.replace("## Half of what comes in, kept apart from the controller.\n", ""),
        SPEC.replace("  v = twice(k)", "  # The next line doubles.\n\n  v   =   twice( k )  # so"),
        SPEC.replace(
            "  emit k[N]: unit\n",
            "  ## Each between 0 and 1.\n  emit k[N]\n    : unit\n",
        ),
        SPEC.replace("batch     = 2\n  steps     = 10\n", "batch = 2 steps = 10"),
        format!("# A comment before all.\n{SPEC}\n# And one after.\n"),
    ];
    for text in same {
        assert_ne!(text, SPEC);
        assert_eq!(digest(&text, MODULE, &[]), base, "{text}");
    }
    let module = "ntm 1\n\n## Two times.\ndef twice(v[N]) -> out[N] {\n  out = 2 * v # so\n}\n";
    assert_eq!(digest(SPEC, module, &[]), base);
    // To set what is written already is to write it.
    assert_eq!(digest(SPEC, MODULE, &["N=4", "train.batch=2", "copy.bits=2"]), base);
}

#[test]
fn everything_that_changes_a_number_counts() {
    let mut all = vec![
        digest(SPEC, MODULE, &[]),
        digest(&SPEC.replace("twice(k)", "twice(k * k)"), MODULE, &[]),
        digest(SPEC, &MODULE.replace("2 * v", "3 * v"), &[]),
        digest(&SPEC.replace("N = 4", "N = 5"), MODULE, &[]),
    ];
    let sets = [
        "H=5",
        "deep=false",
        "k=0.5",
        "k=0.25",
        "side.g=0.5",
        "train.batch=4",
        "train.steps=20",
        "copy.bits=3",
        "copy.length=1..3",
    ];
    all.extend(sets.iter().map(|set| digest(SPEC, MODULE, &[set])));
    let given = digest(SPEC, MODULE, &["N=5"]);
    assert_eq!(given, all[3], "a size that is set is a size that is written");
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
}

fn ntmc(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ntmc"));
    let output = command.args(arguments).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The only word of 64 hexadecimal digits.
fn hexadecimal(text: &str) -> String {
    let is_digit = |letter: char| letter.is_ascii_hexdigit();
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    let found: Vec<&str> =
        words.filter(|word| word.len() == 64 && word.chars().all(is_digit)).collect();
    assert_eq!(found.len(), 1, "{text}");
    found[0].to_owned()
}

#[test]
fn check_expand_and_run_print_the_same_digest() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    std::fs::write(place.join("spec.ntm"), SPEC).unwrap();
    std::fs::write(place.join("mine.ntm"), MODULE).unwrap();
    for (out, sets) in [("a", &["--set", "H=4"][..]), ("b", &["--set", "k=0.5", "--set", "N=3"])] {
        let with = |first: &[&str]| ntmc(place, &[first, sets].concat());
        let checked = hexadecimal(&with(&["check", "spec.ntm"]));
        let object: serde_json::Value =
            serde_json::from_str(&with(&["check", "spec.ntm", "--json"])).unwrap();
        assert_eq!(object["digest"], checked.as_str());
        let expanded = with(&["expand", "spec.ntm"]);
        assert!(expanded.contains(&format!("# Digest of the effective spec: {checked}\n")));
        // What is printed is a spec, too.
        std::fs::write(place.join("flat.ntm"), &expanded).unwrap();
        ntmc(place, &["check", "flat.ntm"]);
        with(&["run", "spec.ntm", "--steps", "1", "--out", out]);
        let manifest = || std::fs::read_to_string(place.join(out).join("run.ron")).unwrap();
        assert_eq!(hexadecimal(&manifest()), checked);
        // The run's own spec, with the numbers it was given, is the same once more.
        let own = place.join(out).join("mine.ntm");
        std::fs::write(own, MODULE).unwrap();
        ntmc(place, &["run", "--resume", out, "--steps", "2"]);
        assert_eq!(hexadecimal(&manifest()), checked);
    }
}

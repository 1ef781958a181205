//! `ntmc test` as a person runs it.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::specs_below;

fn ntmc(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ntmc"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

/// Runs `ntmc test` on a text; the exit code, and both streams.
fn tried(text: &str, more: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.ntm");
    std::fs::write(&path, text).unwrap();
    let path = path.display().to_string();
    let output = ntmc(&[&["test", &path], more].concat());
    let shown = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&path, "mine.ntm");
    (output.status.code().unwrap(), shown(output.stdout), shown(output.stderr))
}

/// The weightings are plain numbers, so nothing keeps the result between 0 and 1.
const HOLE: &str = "ntm 1

## How full each slot is.
def full(ww[N], free[R]: unit, wr[R, N]) -> u[N]: unit {
  state u[N]: unit = 0
  psi[i] = prod[r] (1 - free[r] * wr[r, i])
  u[i]   = (prev u[i] + ww[i] - prev u[i] * ww[i]) * psi[i]
}
";

#[test]
fn a_false_claim_gets_its_counterexample() {
    let (code, shown, told) = tried(HOLE, &["--seed", "7", "--draws", "200"]);
    assert_eq!(code, 1, "{shown}{told}");
    insta::assert_snapshot!(format!("{shown}\n{told}"));
    let again = tried(HOLE, &["--seed", "7", "--draws", "200"]);
    assert_eq!((code, shown, told), again);
}

#[test]
fn a_trial_is_one_object_for_programs() {
    let (code, shown, told) = tried(HOLE, &["--json", "--draws", "200", "--def", "full"]);
    assert_eq!((code, told.as_str()), (1, ""));
    let object: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(object["schema"], 1);
    assert_eq!(object["holds"], false);
    let claim = &object["trials"][0]["claims"][0];
    assert_eq!(claim["verdict"], "broken");
    let found = &claim["counterexample"];
    assert!(found["step"].as_u64().unwrap() >= 1 && found["inputs"]["ww"].is_array());
    let mended =
        HOLE.replace("ww[N]", "ww[N]: weighting").replace("wr[R, N]", "wr[R, N]: weighting");
    let (code, shown, _) = tried(&mended, &["--json"]);
    let object: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((code, &object["trials"][0]["claims"][0]["verdict"]), (0, &"proved".into()));
    assert!(object["trials"][0]["gradients"].as_array().unwrap().len() >= 4);
}

#[test]
fn kinks_are_named_and_not_compared() {
    // Several jumps lie within each difference, another number of them in each.
    let text = "ntm 1\n\ndef steps(x[N]) -> y[N] { y[i] = floor(3700 * x[i]) / 3700 + x[i] }\n";
    let (code, shown, told) = tried(text, &[]);
    assert_eq!(code, 0, "{shown}{told}");
    assert!(shown.contains("near a kink and say nothing"), "{shown}");
}

/// The loss of one side of a root is no number: that is an edge, not a wrong gradient.
#[test]
fn an_edge_beyond_which_there_are_no_numbers_is_no_wrong_gradient() {
    let text =
        "ntm 1\n\ndef root(x) -> y {\n  state s = 0.0015\n  s = prev s\n  y = sqrt(s) * x\n}\n";
    let (code, shown, told) = tried(text, &[]);
    assert_eq!(code, 0, "{shown}{told}");
}

/// All slots start equal: the order of a sort changes on both sides of the start alike.
#[test]
fn a_tie_at_the_start_is_no_wrong_gradient() {
    let text = "ntm 1\n\ndef order(x[N]) -> y[N] {\n  state u[N] = 0\n  u[i] = prev u[i]\n  \
                phi = argsort(u)\n  y[j] = (j + 1) * u[phi[j]] + x[j]\n}\n";
    let (code, shown, told) = tried(text, &[]);
    assert_eq!(code, 0, "{shown}{told}");
}

#[test]
fn shipped_specs_and_definitions_pass_their_trials() {
    let small = ["act", "dnc", "dnc_flat", "dnc_mds", "lstm", "ntm", "tape"];
    let small = small.map(|name| PathBuf::from(format!("specs/{name}.ntm")));
    for path in small.into_iter().chain(specs_below("src/std")) {
        let path = path.display().to_string();
        let output = ntmc(&["test", &path, "--draws", "1"]);
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{path}\n{shown}");
    }
    for path in ["specs/ntm.ntm", "src/std/address.ntm"] {
        let output = ntmc(&["test", path, "--draws", "50"]);
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{shown}");
        assert!(shown.contains("proved") && shown.contains("slopes") && shown.contains("agrees"));
    }
    let output = ntmc(&["test", "src/std/address.ntm", "--def", "contents"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("did you mean `content`?"));
}

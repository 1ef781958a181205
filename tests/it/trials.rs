//! `ntmc test` as a person runs it.

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
fn an_open_claim_says_why() {
    let text = "ntm 1\n\ndef kept(g: unit, h: unit) -> s: unit {\n  state s: unit = 0\n  \
                s = prev s * sin(g + h) ^ 2 + (1 - g) * cos(g + h) ^ 2 * 0.4\n}\n";
    let (_, shown, told) = tried(text, &["--draws", "20"]);
    assert!(shown.contains("open     s "), "{shown}{told}");
    let why = "`s` (mine.ntm:5) is only known to be 0..1.4, by `prev s` 0..1; `g` 0..1; `h` 0..1";
    assert!(shown.contains(why), "{shown}");
    let (_, shown, _) = tried(text, &["--draws", "20", "--json"]);
    let object: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(object["trials"][0]["claims"][0]["why"], why);
}

#[test]
fn what_a_call_is_given_wrongly_is_told_once() {
    let text = "ntm 1\nuse std.dnc\n\nmodel m[N = 4](x[N]) -> y[N] {\n  controller h = x\n  \
                emit f[1]: unit, r[1, N]: simplex\n  y = usage(x, f, r)\n}\n";
    let (code, shown, _) = tried(text, &["--draws", "50"]);
    assert_eq!((code, shown.matches("BROKEN").count()), (1, 2), "{shown}");
    assert_eq!(shown.matches("error[E0403]").count(), 1, "{shown}");
    assert!(shown.contains("`ww` is declared `weighting` but gave"), "{shown}");
    assert!(shown.contains("help: give a value inside weighting"), "{shown}");
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

/// The first of two inputs that may be anything is not the one to blame.
#[test]
fn the_declaration_that_is_too_wide_is_named() {
    let text = "ntm 1\n\ndef f(M[N, W], w[N], g: unit) -> r[N]: positive =\n  \
                for i: g * w[i] + (sum[c] M[i, c] * M[i, c])\n";
    let (code, shown, _) = tried(text, &[]);
    assert_eq!(code, 1);
    assert!(shown.contains("declare `w[N]: positive`, or drop the claim"), "{shown}");
    let mended = text.replace("w[N],", "w[N]: positive,");
    let (code, shown, told) = tried(&mended, &[]);
    assert_eq!(code, 0, "{shown}{told}");
}

/// Of five steps the last breaks it.
#[test]
fn a_state_is_judged_after_the_last_step_too() {
    let text = |most: &str| {
        format!(
            "ntm 1\n\ndef f(x[N]) -> n[N] {{\n  state n[N]: real({most}) = 0\n  \
             n[i] = prev n[i] + 1 + 0 * sin(x[i])\n}}\n"
        )
    };
    let (code, shown, _) = tried(&text("0..4.5"), &["--json"]);
    let object: Value = serde_json::from_str(&shown).unwrap();
    let found = &object["trials"][0]["claims"][0]["counterexample"];
    assert_eq!((code, &found["step"]), (1, &5.into()));
    assert!(found["gave"].as_str().unwrap().starts_with("gave 5"), "{found}");
    assert_eq!(found["inputs"]["x"].as_array().unwrap().len(), 5);
    let (code, shown, _) = tried(&text("0..4.5"), &[]);
    assert!(code == 1 && shown.contains("after step 5 with x = "), "{shown}");
    let (code, shown, told) = tried(&text("0..5"), &[]);
    assert_eq!(code, 0, "{shown}{told}");
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

/// Which claims break depends on the options.
const CHOICES: &str = "ntm 1

def most(v) -> o: real(..2) = v

model right(x[X]) -> y[Y] {
  emit y[Y] from x
}

model wrong[K = 2](x[X], low: real = 1, high: real = 1) -> y[Y] {
  over = most(K + low - high)
  emit y[Y] from cat(x, for i in K: over)
}

train one: right on copy(bits = 2, length = 1..2) { optimizer = sgd(lr = 0.1) steps = 1 }
train two: wrong on copy(bits = 2, length = 1..2) { optimizer = sgd(lr = 0.1) steps = 1 }
";

/// Options that hold what a shell would take apart, of a file whose name does.
#[cfg(unix)]
#[test]
fn the_command_that_is_told_finds_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it's $mine.ntm");
    std::fs::write(&path, CHOICES).unwrap();
    let path = path.display().to_string();
    let task = "copy(bits = 3, length = 1..2)";
    let options: [&[&str]; 4] = [
        &[],
        &["--set", "K=3", "--train", "two"],
        &["--model", "wrong", "--set=low=-1", "--set", "high=-2.5", "--task", task],
        &["--def", "most"],
    ];
    for more in options {
        let first = ["test", path.as_str(), "--draws", "20", "--seed", "5"];
        let first = ntmc(&[&first, more].concat());
        assert_eq!(first.status.code(), Some(1), "{more:?}: {first:?}");
        let told = String::from_utf8(first.stderr.clone()).unwrap();
        let command = told.split_once("help: `").and_then(|(_, rest)| rest.rsplit_once('`'));
        let command = command.unwrap_or_else(|| panic!("{told}")).0;
        let own = std::path::Path::new(env!("CARGO_BIN_EXE_ntmc")).parent().unwrap();
        let again = Command::new("sh")
            .args(["-c", command])
            .env("PATH", format!("{}:{}", own.display(), std::env::var("PATH").unwrap()))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert_eq!(again, first, "{command}");
    }
}

/// Every spec and every module of std, with few draws; the larger models at small sizes.
#[test]
fn shipped_specs_and_definitions_pass_their_trials() {
    for path in specs_below("specs").into_iter().chain(specs_below("src/std")) {
        let path = path.display().to_string();
        let mut arguments = vec!["test", path.as_str(), "--draws", "1"];
        // The others are as small as they are shipped, or by their training block.
        if path.contains("published") || path.ends_with("multi_write.ntm") {
            arguments.extend(["--set", "N=7", "--set", "W=4", "--set", "H=5"]);
        }
        let output = ntmc(&arguments);
        let (shown, told) = (output.stdout, String::from_utf8(output.stderr).unwrap());
        let shown = String::from_utf8(shown).unwrap();
        assert_eq!(output.status.code(), Some(0), "{path}\n{shown}{told}");
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

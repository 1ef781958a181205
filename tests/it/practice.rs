//! What helps before and during a long run: overfitting, a rehearsal, limits of time, plateaus.

use std::path::Path;
use std::process::{Command, Output};

fn ntmc(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ntmc")).args(words).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn spec(tasks: &str, optimizer: &str, more: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "ntm 1
use std.nn

model small[H = 16](x[X]) -> y[Y] {{
  h = lstm[H](x)
  emit y[Y] from h
}}

train small on {tasks} {{
  optimizer = {optimizer}
  steps     = 20_000
  {more}
}}
"
    );
    std::fs::write(folder.path().join("spec.ntm"), text).unwrap();
    folder
}

#[test]
fn a_model_learns_a_few_episodes_by_heart() {
    let folder = spec("copy(bits = 3, length = 4..6)", "adam(lr = 1e-2)", "");
    let words = ["run", "spec.ntm", "--out", "a", "--overfit", "2", "--steps", "500", "--json"];
    let output = ntmc(folder.path(), &words);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("trained and evaluated on the same 2 episodes"), "{said}");
    let score = |output: &Output| {
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        report["score"]["value"].as_f64().unwrap()
    };
    assert_eq!(score(&output), 0.0);
    // The same without overfitting guesses what was not seen.
    let fresh = ntmc(folder.path(), &["run", "spec.ntm", "--out", "b", "--steps", "500", "--json"]);
    assert!(score(&fresh) > 2.0);
    // A run that goes on keeps its episodes.
    let refused = ntmc(folder.path(), &["run", "--resume", "a", "--overfit", "3"]);
    assert_eq!(refused.status.code(), Some(2));
    let on = ntmc(folder.path(), &["run", "--resume", "a", "--steps", "510", "--json"]);
    assert_eq!(score(&on), 0.0);
}

#[test]
fn a_rehearsal_runs_everything_and_leaves_nothing() {
    let tasks = "[copy(bits = 3, length = 1..3), copy(bits = 3, length = 4..6)]";
    let folder = spec(tasks, "adam(lr = 1e-2)", "");
    let output = ntmc(folder.path(), &["run", "spec.ntm", "--fast-dev-run"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        said.starts_with("small: 6 steps, an evaluation, checkpoints and pictures: all works\n")
    );
    assert!(said.contains("the block asks for 20000 steps"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let output = ntmc(folder.path(), &["run", "spec.ntm", "--fast-dev-run", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["fast_dev_run"], report["steps"].as_u64()), (&true.into(), Some(6)));
    // What would go wrong goes wrong now.
    let bad = spec("copy(bits = 3, length = 1..3)", "sgd(lr = 1e39)", "");
    let output = ntmc(bad.path(), &["run", "spec.ntm", "--fast-dev-run"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("E0701"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_dir(bad.path()).unwrap().count(), 1);
}

#[test]
fn a_run_that_ends_by_time_says_how_to_go_on() {
    let folder = spec("copy(bits = 3, length = 1..3)", "adam(lr = 1e-2)", "episodes = 10");
    let output = ntmc(folder.path(), &["run", "spec.ntm", "--out", "my run", "--time", "200ms"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    assert!(said.contains("note: it ended because its time was up, after step "), "{said}");
    assert!(said.contains("go on with: ntmc run --resume 'my run'"), "{said}");
}

#[test]
fn a_run_that_learns_nothing_says_so_and_goes_on() {
    let folder = spec("copy(bits = 1, length = 1..1)", "sgd(lr = 1e-9)", "batch = 4 episodes = 10");
    let words = ["run", "spec.ntm", "--out", "a", "--steps", "2300"];
    let output = ntmc(folder.path(), &words);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    assert!(said.contains("note: no progress over the last 4000 sequences: "), "{said}");
    assert!(said.contains("lr is 1e-9"), "{said}");
    assert_eq!(said.matches("no progress").count(), 1, "{said}");
}

#[test]
fn gradients_clipped_by_a_setting_are_those_clipped_by_the_model() {
    let train = |setting: &str, h: &str| {
        let folder = spec("copy(bits = 3, length = 1..3)", "sgd(lr = 0.1)", setting);
        let path = folder.path().join("spec.ntm");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("h = lstm[H](x)", h)).unwrap();
        let words = ["run", "spec.ntm", "--out", "a", "--steps", "30", "--precision", "f64"];
        let output = ntmc(folder.path(), &words);
        assert!(output.status.success(), "{}", text_of(&output));
        let loaded = std::fs::read(folder.path().join("a/checkpoint.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&loaded).unwrap();
        file.tensor("param/y.weight").unwrap().data().to_vec()
    };
    let plain = train("", "h = lstm[H](x)");
    let set = train("clip_backward = value(0.01, at = [h])", "h = lstm[H](x)");
    let said = train("", "h = clip_gradient(lstm[H](x), 0.01)");
    assert!(set == said && set != plain);
    let folder = spec(
        "copy(bits = 3, length = 1..3)",
        "sgd(lr = 0.1)",
        "clip_backward = value(1, at = [g])",
    );
    let output = ntmc(folder.path(), &["check", "spec.ntm"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text_of(&output).contains("no value `g` whose gradient could be clipped"));
}

fn text_of(output: &Output) -> String {
    text(&output.stderr)
}

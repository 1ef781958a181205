//! Every command of the README does what it says, and the spec in it is the one we ship.

use std::path::Path;
use std::process::Command;

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    std::fs::read_to_string(path).unwrap()
}

/// Lines of fenced blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let text = readme();
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line == format!("```{language}") && blocks.len() < 100 {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(block.join("\n"));
        } else if line.starts_with("```") {
            let _ = lines.by_ref().take_while(|line| *line != "```").count();
        }
    }
    blocks
}

#[test]
fn the_first_command_trains_a_model_that_learns() {
    let commands = blocks("sh");
    let run = commands.iter().find(|line| line.contains("cargo run")).unwrap();
    let arguments = run.strip_prefix("cargo run --release -- ").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let output = Command::new(env!("CARGO_BIN_EXE_ntmc"))
        .args(arguments.split(' '))
        .args(["--json", "--out"])
        .arg(&out)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let score = report["score"]["value"].as_f64().unwrap();
    assert!(score < 0.05, "{score} wrong bits per sequence");
    for file in ["run.ron", "spec.ntm", "metrics.jsonl", "checkpoint.safetensors", "figures"] {
        assert!(out.join(file).exists(), "no {file}");
    }
}

#[test]
fn the_second_command_is_what_ci_runs() {
    let commands = blocks("sh");
    let test = commands.iter().find(|line| line.starts_with("cargo test")).unwrap();
    let ci = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run");
    assert!(std::fs::read_to_string(ci).unwrap().contains(test.as_str()));
}

/// The command on trained weights asks for the weights and for nothing else: the weights themselves
/// are the subject of `trained`.
#[test]
fn the_command_on_trained_weights_lacks_only_them() {
    let commands = blocks("sh");
    let exec = commands.iter().find(|line| line.starts_with("ntmc exec ")).unwrap();
    let arguments = exec.replace("\\\n", " ");
    let output = Command::new(env!("CARGO_BIN_EXE_ntmc"))
        .args(arguments.split_whitespace().skip(1))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("weights.safetensors"), "{said}");
}

#[test]
fn the_command_that_times_a_step_says_how_long_it_takes() {
    let commands = blocks("sh");
    let bench = commands.iter().find(|line| line.starts_with("ntmc bench ")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ntmc"))
        .args(bench.split_whitespace().skip(1))
        .args(["--time", "200ms", "--json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["backend"], "jit");
    assert!(found["median_s"].as_f64().unwrap() > 0.0, "{found}");
}

#[test]
fn no_command_is_untested() {
    let known = ["cargo run --release -- run ", "cargo test", "ntmc exec ", "ntmc bench "];
    for block in blocks("sh") {
        let commands = block.replace("\\\n", " ");
        for line in commands.lines() {
            assert!(known.iter().any(|start| line.starts_with(start)), "{line}");
        }
    }
}

#[test]
fn the_spec_is_the_one_we_ship() {
    let shown = blocks("").into_iter().find(|block| block.starts_with("ntm 1")).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/ntm.ntm");
    let shipped = std::fs::read_to_string(path).unwrap();
    for part in shown.split("\n\n") {
        assert!(shipped.contains(part), "not in specs/ntm.ntm:\n{part}");
    }
}

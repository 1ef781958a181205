//! What is shown of a run: evaluations, event files.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn ntmc(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ntmc"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a successful call prints, as JSON.
fn object(arguments: &[&str]) -> Value {
    let output = ntmc(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A short run of a spec; its report and its folder.
fn trained(folder: &Path, spec: &str, more: &[&str]) -> (Value, PathBuf) {
    let out = folder.join("run");
    let place = out.display().to_string();
    (object(&[&["run", spec, "--json", "--out", &place], more].concat()), out)
}

#[test]
fn a_run_evaluated_again_has_the_score_it_ended_with() {
    let folder = tempfile::tempdir().unwrap();
    for (at, spec) in ["specs/ntm.ntm", "specs/dnc.ntm"].into_iter().enumerate() {
        let folder = folder.path().join(at.to_string());
        std::fs::create_dir(&folder).unwrap();
        let (report, run) = trained(&folder, spec, &["--steps", "20", "--seed", "5"]);
        let found = object(&["eval", run.to_str().unwrap(), "--json"]);
        let one = &found["evaluations"][0];
        assert_eq!(found["steps"], 20);
        assert_eq!(one["seed"], 5);
        assert_eq!(one["loss"], report["loss"], "{spec}");
        assert_eq!(one["score"]["value"], report["score"]["value"]);
        assert!(one["score"]["error"].as_f64().unwrap() > 0.0);
        let other = object(&["eval", run.to_str().unwrap(), "--seed", "6", "--json"]);
        assert_ne!(other["evaluations"][0]["loss"], one["loss"], "the seed does nothing");
    }
}

#[test]
fn a_run_is_evaluated_on_longer_sequences_and_on_no_other_widths() {
    let folder = tempfile::tempdir().unwrap();
    let (_, run) = trained(folder.path(), "specs/lstm.ntm", &["--steps", "3"]);
    let run = run.to_str().unwrap();
    let tasks = ["--task", "copy(length = 7)", "--task", "copy(bits = 4, length = 40..60)"];
    let few = ["--episodes", "1", "--best", "--json"];
    let found = object(&[&["eval", run][..], &tasks, &few].concat());
    assert_eq!(found["checkpoint"], "best");
    let [first, second] = &found["evaluations"].as_array().unwrap()[..] else { panic!("{found}") };
    // What a call leaves out is as in the run.
    assert_eq!(first["task"], "copy(bits = 4, length = 7)");
    assert_eq!(second["task"], "copy(bits = 4, length = 40..60)");
    assert!(second["loss"].as_f64() > first["loss"].as_f64());
    assert_eq!(first["score"]["error"], Value::Null, "one episode has no standard error");
    for (task, says) in [
        ("copy(bits = 8)", "X, the width of the input, is 5 in the run and 9 in the task"),
        ("copy(bits = 8)", "Y, the width of the output, is 4 in the run and 8 in the task"),
        (
            "random(inputs = 5, outputs = 4, target = real)",
            "`unit` in the run and `real` in the task",
        ),
        ("copi(bits = 4)", "did you mean `copy`"),
    ] {
        let output = ntmc(&["eval", run, "--task", task]);
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains(says), "{task}: {}", said(&output));
    }
    let output = ntmc(&["eval", "specs"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(said(&output).contains("run.ron"), "{}", said(&output));
}

/// Steps and scalars of an event file, its checksums left aside: `events` in `src/train` has a test of
/// these against known bytes.
fn messages(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    let mut count = 0;
    while let Some((length, more)) = rest.split_first_chunk::<8>() {
        rest = &more[4 + u64::from_le_bytes(*length) as usize + 4..];
        count += 1;
    }
    assert!(rest.is_empty());
    count
}

#[test]
fn an_event_file_has_every_line_of_the_metrics_also_when_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let train = |name: &str, steps: &str| {
        let out = folder.path().join(name);
        let place = out.display().to_string();
        if out.exists() {
            object(&["run", "--resume", &place, "--steps", steps, "--json"]);
        } else {
            object(&["run", "specs/lstm.ntm", "--out", &place, "--steps", steps, "--json"]);
        }
        let read = |name: &str| std::fs::read(out.join(name)).unwrap();
        let lines = read("metrics.jsonl").iter().filter(|byte| **byte == b'\n').count();
        (read("events.out.tfevents.0.ntmc"), lines)
    };
    let (whole, lines) = train("whole", "40");
    assert_eq!(messages(&whole), lines + 1);
    let (half, _) = train("half", "15");
    assert!(whole.starts_with(&half));
    assert!(train("half", "40").0 == whole, "a resumed run has other events");
}

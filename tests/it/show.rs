//! What is shown of a run: evaluations, event files, the report, traces.

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

/// Everything between two marks, once for each time they occur.
fn between<'t>(text: &'t str, start: &str, end: &str) -> Vec<&'t str> {
    text.split(start).skip(1).filter_map(|rest| Some(rest.split_once(end)?.0)).collect()
}

#[test]
fn a_report_is_one_page_that_depends_on_nothing_but_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let page = |name: &str, steps: &[&str]| {
        let out = folder.path().join(name);
        let place = out.display().to_string();
        object(&["run", "specs/dnc.ntm", "--out", &place, "--steps", steps[0], "--json"]);
        for more in &steps[1..] {
            object(&["run", "--resume", &place, "--steps", more, "--json"]);
        }
        std::fs::read_to_string(out.join("report.html")).unwrap()
    };
    let whole = page("whole", &["12"]);
    assert!(whole == page("again", &["12"]), "two equal runs have two reports");
    assert!(whole == page("resumed", &["5", "12"]), "a resumed run has another report");
    for part in [
        "dnc on copy(bits = 4, length = 1..5)",
        "7372 in 30 arrays",
        "digest of the spec",
        "loss in bits per sequence",
        "wrong bits per sequence",
        "<title>input</title>",
        "<title>target</title>",
        "<title>write.w</title>",
        "<title>links.L after step",
        "prefers-color-scheme: dark",
        "emit e[W]: unit, v[W], gate: unit",
    ] {
        assert!(whole.contains(part), "no {part}");
    }
    // Nothing is fetched, nothing runs.
    for outside in ["<script", "<link", "<img", "src=", "href=", "@import", "url("] {
        assert!(!whole.contains(outside), "{outside}");
    }
    let elsewhere = whole.replace("http://www.w3.org/2000/svg", "");
    assert!(!elsewhere.contains("http"), "an address");
    assert!(!elsewhere.contains("NaN") && !elsewhere.contains("inf"));
    for (start, end) in [("<svg", "</svg>"), ("<figure>", "</figure>"), ("<div", "</div>")] {
        assert_eq!(whole.matches(start).count(), whole.matches(end).count(), "{start}");
    }
    // Every emission has a row, after the map of its domain.
    let rows = between(&whole, "<tr><td>", "</tr>");
    let emitted: Vec<&str> = rows.iter().map(|row| row.split('<').next().unwrap()).collect();
    for name in ["read.free", "read.lookup.beta", "read.mix.pi", "write.e", "write.v", "y"] {
        assert!(emitted.contains(&name), "{name} is not in {emitted:?}");
    }
    let y = rows.iter().find(|row| row.starts_with("y<")).unwrap();
    let numbers: Vec<f64> =
        between(y, "<td>", "</td>").iter().filter_map(|one| one.parse().ok()).collect();
    assert!(numbers.iter().all(|one| (0.0..=4.0).contains(one)), "{y}");
}

#[test]
fn a_trace_holds_what_exec_computes_of_the_same_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let (_, run) = trained(folder.path(), "specs/dnc.ntm", &["--steps", "4", "--precision", "f64"]);
    let out = folder.path().join("figures");
    let (place, trace) = (run.display().to_string(), out.display().to_string());
    let found = object(&[
        "trace",
        &place,
        "--task",
        "copy(length = 6)",
        "--seed",
        "3",
        "--out",
        &trace,
        "--json",
    ]);
    assert_eq!(found["task"], "copy(bits = 4, length = 6)");
    assert_eq!(found["timesteps"], 13);
    let pictures = ["overview", "episode", "weightings", "vectors", "memory"];
    assert_eq!(found["pictures"], serde_json::json!(pictures));
    for name in pictures {
        let svg = std::fs::read_to_string(out.join(format!("{name}.svg"))).unwrap();
        assert!(svg.starts_with("<svg ") && !svg.contains("NaN"), "{name}");
        assert!(std::fs::read(out.join(format!("{name}.png"))).unwrap().starts_with(b"\x89PNG"));
    }
    // Memories and links at four moments each, what is written beside what is read.
    let svg = |name: &str| std::fs::read_to_string(out.join(format!("{name}.svg"))).unwrap();
    for part in ["M after step 0", "M after step 12", "links.L after step 4", ">W<", ">N<"] {
        assert!(svg("memory").contains(part), "no {part}");
    }
    for part in ["input", "output", "write.w", "write.v", "read.w", "read.r", "time step"] {
        assert!(svg("overview").contains(&format!(">{part}")), "no {part}");
    }
    for part in ["write.allocation.a", "read.lookup.w", "links.p"] {
        assert!(svg("weightings").contains(&format!(">{part}")), "no {part}");
    }
    let file =
        |name: &Path| ntmc::vectors::File::parse("t", &std::fs::read(name).unwrap()).unwrap();
    let traced = file(&out.join("trace.safetensors"));
    let (spec, weights) = (run.join("spec.ntm"), run.join("checkpoint.safetensors"));
    let again = folder.path().join("again.safetensors");
    let inputs = out.join("trace.safetensors");
    let output = Command::new(env!("CARGO_BIN_EXE_ntmc"))
        .args(["exec", "--trace", "read.w,links.L,usage.u", "--out"])
        .args([&again, &spec])
        .arg("--in")
        .arg(&weights)
        .arg("--in")
        .arg(&inputs)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let again = file(&again);
    for name in ["y", "trace/read.w", "trace/links.L", "trace/usage.u", "final/M"] {
        let (ours, theirs) = (traced.tensor(name).unwrap(), again.tensor(name).unwrap());
        assert_eq!(ours.shape(), theirs.shape(), "{name}");
        let worst = ours.iter().zip(&theirs).map(|(one, other)| (one - other).abs());
        assert!(worst.fold(0.0, f64::max) < 1e-9, "{name}");
    }
}

#[test]
fn a_trace_shows_what_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (_, run) = trained(folder.path(), "specs/ntm.ntm", &["--steps", "2"]);
    let run = run.to_str().unwrap();
    let chosen =
        ["trace", run, "--show", "write.w,read.content.M,M", "--at", "1,2", "--best", "--json"];
    let output = ntmc(&chosen);
    assert_eq!(output.status.code(), Some(2), "there is no `read.content.M`");
    let found = object(&["trace", run, "--show", "write.w,M", "--at", "1,2", "--best", "--json"]);
    let paths: Vec<&str> = found["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["M", "write.w"]);
    assert_eq!(found["values"][1]["weighting"], true);
    assert!(found["pictures"].as_array().unwrap().contains(&Value::from("chosen")));
    let first = object(&["trace", run, "--episode", "0", "--json"]);
    let again = object(&["trace", run, "--episode", "0", "--json"]);
    assert_eq!(first, again);
    for (more, code, says) in [
        (["--show", "read.ww"], 2, "did you mean `read.w`"),
        (["--at", "400"], 2, "no step 400"),
        (["--task", "copy(bits = 8)"], 1, "does not fit this run"),
        (["--task", "copy(length = 100000)"], 3, "the limit is"),
    ] {
        let output = ntmc(&[&["trace", run][..], &more].concat());
        assert_eq!(output.status.code(), Some(code), "{more:?}: {}", said(&output));
        assert!(said(&output).contains(says), "{more:?}: {}", said(&output));
    }
    let lstm = folder.path().join("lstm");
    std::fs::create_dir(&lstm).unwrap();
    let (_, plain) = trained(&lstm, "specs/lstm.ntm", &["--steps", "2"]);
    let found = object(&["trace", plain.to_str().unwrap(), "--json"]);
    assert_eq!(found["pictures"], serde_json::json!(["overview", "episode", "vectors"]));
}

#[test]
fn an_evaluation_knows_what_the_best_predictor_scores() {
    let folder = tempfile::tempdir().unwrap();
    let task = ["--task", "ngrams(length = 30, order = 3)", "--steps", "2"];
    let (_, run) = trained(folder.path(), "specs/lstm.ntm", &task);
    let run = run.to_str().unwrap();
    let found = object(&["eval", run, "--episodes", "500", "--json"]);
    let score = &found["evaluations"][0]["score"];
    let best = score["best"].as_f64().unwrap();
    // Two coins, and the rest as far as four entries of a table can be known.
    assert!(15.0 < best && best < 25.0, "{score}");
    assert!(best < score["value"].as_f64().unwrap(), "{score}");
    let text = ntmc(&["eval", run, "--episodes", "500"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains(&format!("  {best:.3} is the best there can be")), "{text}");
    let copied = object(&[
        "eval",
        run,
        "--task",
        "random(inputs = 1, outputs = 1, target = unit)",
        "--json",
    ]);
    assert_eq!(copied["evaluations"][0]["score"]["best"], 0.0, "{copied}");
}

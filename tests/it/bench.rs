//! `ntmc bench`: what it prints, and what it refuses.

use std::process::{Command, Output};

const SPEC: &str = "tests/ok/train-block-with-all-settings.ntm";

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ntmc"))
        .arg("bench")
        .args(arguments)
        .args(["--time", "20ms"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

/// The one object that `--json` prints.
fn object(arguments: &[&str]) -> serde_json::Value {
    let output = bench(&[arguments, &["--json"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    assert!(said.is_empty(), "{said}");
    assert!(text.ends_with("}\n") && text.lines().count() == 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn one_object_says_how_long_a_training_step_takes() {
    for backend in ["interp", "jit"] {
        let of = |more: &[&str]| object(&[&[SPEC, "--backend", backend], more].concat());
        let found = of(&["--threads", "1"]);
        // The longest copy of 1..3 vectors has 7 steps.
        assert_eq!(found["timesteps"], 7);
        assert_eq!((&found["schema"], &found["mode"]), (&1.into(), &"train".into()));
        assert_eq!((&found["backend"], &found["precision"]), (&backend.into(), &"f32".into()));
        assert_eq!((&found["threads"], &found["batch"]), (&1.into(), &4.into()));
        let number = |key: &str| found[key].as_f64().unwrap_or_else(|| panic!("no {key}: {found}"));
        assert!(0.0 < number("min_s") && number("min_s") <= number("median_s"), "{found}");
        assert!(number("median_s") <= number("max_s") && number("compile_s") > 0.0, "{found}");
        let rounds = found["round_medians_s"].as_array().unwrap();
        assert!(number("calls") >= rounds.len() as f64 && rounds.len() == 5, "{found}");
        assert!(number("parameters") > 0.0, "{found}");
        if cfg!(target_os = "linux") {
            assert!(number("peak_rss_mb") > 1.0, "{found}");
        }
        assert!(number("flops") > 100.0 && number("gflops_per_s") > 0.0, "{found}");
        assert!(number("kernels") > 4.0, "{found}");
        assert!(number("tape_bytes") > 0.0 && number("adjoint_reads_bytes") > 0.0, "{found}");
        let other = of(&["--batch", "3", "--timesteps", "5", "--precision", "f64"]);
        assert_eq!((&other["batch"], &other["timesteps"]), (&3.into(), &5.into()));
        assert_eq!(other["precision"], "f64");
    }
}

#[test]
fn data_has_the_shapes_and_the_domain_of_any_task() {
    let real = "random(inputs = 3, outputs = 2, steps = 4)";
    let classes = "random(inputs = 3, outputs = 2, steps = 2..5, target = simplex)";
    for (task, steps) in [(real, 4), (classes, 5)] {
        let found = object(&[SPEC, "--task", task]);
        assert_eq!(found["timesteps"], steps, "{task}");
    }
    // Every lesson of a curriculum fits in: the time steps are those of the longest.
    assert_eq!(object(&["tests/ok/curriculum.ntm"])["timesteps"], 19);
    assert_eq!(object(&["tests/ok/starts-drawn-for-every-episode.ntm"])["batch"], 3);
}

#[test]
fn an_answer_is_timed_step_by_step() {
    for spec in [SPEC, "tests/ok/starts-drawn-for-every-episode.ntm"] {
        let found = object(&[spec, "--inference"]);
        assert_eq!(found["mode"], "inference");
        assert_eq!((&found["batch"], &found["timesteps"]), (&1.into(), &1.into()));
        assert!(found["flops"].as_f64().unwrap() > 10.0 && found["tape_bytes"] == 0, "{found}");
    }
}

#[test]
fn people_get_a_few_lines() {
    let output = bench(&[SPEC]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("a training step of m: batch 4, 7 time steps, "), "{text}");
    assert!(text.contains("\n  median ") && text.contains("\n  compiled in "), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(output.stderr.is_empty(), "no progress where nobody looks");
}

#[test]
fn what_cannot_be_timed_is_refused() {
    let table: &[(&[&str], i32, &str)] = &[
        (&[SPEC, "--batch", "0"], 2, "--batch"),
        (&[SPEC, "--timesteps", "0"], 2, "--timesteps"),
        (&[SPEC, "--inference", "--batch", "2"], 2, "cannot be used with"),
        (&[SPEC, "--batch", "4000000000"], 3, "batch"),
        (&[SPEC, "--timesteps", "4000000000"], 3, "shorter sequences"),
        (&[SPEC, "--batch", "60000", "--timesteps", "1000000"], 3, "batch"),
        (&["tests/ok/emission-from-a-vector.ntm"], 1, "has no train block"),
        (&["tests/ok/missing.ntm"], 4, "no such file"),
    ];
    for (arguments, code, says) in table {
        let output = bench(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(*code), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?} says: {said}");
    }
}

#[test]
fn a_second_thread_that_helps_is_told_of() {
    let of = |more: &[&str]| object(&[&["specs/bench/ntm-copy-b1.ntm"], more].concat());
    let (alone, shared) = (of(&["--threads", "1"]), of(&["--threads", "2"]));
    assert_eq!((&alone["helpers"], &shared["helpers"]), (&0.into(), &1.into()));
    let of = |threads: &str| {
        let spec = ["specs/bench/ntm-copy-b1.ntm", "--profile", "--threads", threads];
        String::from_utf8(bench(&spec).stdout).unwrap()
    };
    let (alone, shared) = (of("1"), of("2"));
    assert!(alone.contains("between the functions") && !alone.contains("helping"), "{alone}");
    assert!(shared.contains("2 threads, 1 helping with single steps"), "{shared}");
    // Times that overlap are no parts of the whole.
    assert!(shared.contains("on all threads together"), "{shared}");
    assert!(!shared.contains("between the functions"), "{shared}");
}

#[test]
fn a_profile_names_functions_with_their_equations() {
    let found = object(&["specs/ntm.ntm", "--profile", "--threads", "1"]);
    let profile = &found["profile"];
    let functions = profile["functions"].as_array().unwrap();
    let seconds = |of: &serde_json::Value| of["seconds"].as_f64().unwrap();
    let sum: f64 = functions.iter().map(seconds).sum();
    assert!(0.0 < sum && sum <= seconds(profile), "{profile}");
    assert!(functions.windows(2).all(|pair| seconds(&pair[0]) >= seconds(&pair[1])), "{profile}");
    let erase =
        |one: &&serde_json::Value| one["equation"].as_str().unwrap().starts_with("M[i, c] =");
    let erase = functions.iter().find(erase).unwrap();
    assert_eq!(erase["where"], "specs/ntm.ntm:15");
    // Once a time step: the longest copy of 1..5 vectors has 11.
    assert_eq!(erase["calls"], 11.0);
    for when in ["forward", "backward", "end", "optimiser"] {
        assert!(functions.iter().any(|one| one["when"] == when), "no function {when}: {profile}");
    }
    let output = bench(&["specs/ntm.ntm", "--profile", "--backend", "interp"]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

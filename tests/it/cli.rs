//! The binary: exit codes, messages, and what a run leaves behind.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn ntmc(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ntmc"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder with the bad files of the table below.
fn bad() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let good = std::fs::read_to_string("specs/ntm.ntm").unwrap();
    put("empty.ntm", b"");
    put("bytes.ntm", b"ntm 1\n\xff\xfe");
    put("brackets.ntm", &[b"ntm 1\n".as_slice(), &vec![b'['; 10_000_000]].concat());
    let deep = format!("{}x{}", "(".repeat(100_000), ")".repeat(100_000));
    put("deep.ntm", format!("ntm 1\nmodel a(x[X]) -> y[Y] {{ y = {deep} }}").as_bytes());
    put("large.ntm", good.replace("N = 16, W = 8", "N = 1600000, W = 1600000").as_bytes());
    let wide = good.replace("N = 16, W = 8", "N = 10000, W = 20000");
    put("wide.ntm", wide.replace("batch     = 1\n", "batch     = 64\n").as_bytes());
    put("nothing.ntm", good.replace("steps     = 10_000", "steps     = 0").as_bytes());
    std::fs::create_dir(folder.path().join("folder.ntm")).unwrap();
    let vectors = std::fs::read("tests/golden/ntm-collier.safetensors").unwrap();
    put("cut.safetensors", &vectors[..vectors.len() / 2]);
    folder
}

#[test]
fn bad_input_gets_a_clear_message_and_its_exit_code() {
    let folder = bad();
    let place = |name: &str| folder.path().join(name).display().to_string();
    let verify = |file: String| {
        vec![
            "verify".to_owned(),
            "specs/published/ntm-collier.ntm".to_owned(),
            "--against".to_owned(),
            file,
        ]
    };
    let check = |file: String| vec!["check".to_owned(), file];
    let spec = || "specs/ntm.ntm".to_owned();
    let plan = |format: &str| {
        ["ir", "specs/ntm.ntm", "--stage", "plan", "--format", format].map(str::to_owned).to_vec()
    };
    let set = |value: &str| vec!["check".to_owned(), spec(), "--set".to_owned(), value.to_owned()];
    let table: Vec<(Vec<String>, i32, &str)> = vec![
        (check(place("missing.ntm")), 4, "no such file"),
        (check(place("folder.ntm")), 4, "directory"),
        (check(place("bytes.ntm")), 4, "not UTF-8"),
        (check(place("empty.ntm")), 1, "add `ntm 1`"),
        (check(place("brackets.ntm")), 3, "larger than 1 MiB"),
        (check(place("deep.ntm")), 3, "nested"),
        (check(place("large.ntm")), 3, "too large"),
        (vec!["run".to_owned(), place("wide.ntm"), "--out".to_owned(), place("out")], 3, "GiB"),
        (check(place("nothing.ntm")), 1, "`steps` must be"),
        (vec!["run".to_owned(), spec(), "--steps".to_owned(), "0".to_owned()], 2, "--steps"),
        (set("Memory=256"), 1, "nothing named `Memory`"),
        (set("N=2.5"), 1, "whole number"),
        (set("N"), 1, "PATH=VALUE"),
        (verify(place("cut.safetensors")), 4, "cut.safetensors"),
        (verify("tests/golden/dnc-deepmind.safetensors".to_owned()), 1, "layers"),
        (verify(place("missing.safetensors")), 4, "missing.safetensors"),
        (vec!["frobnicate".to_owned()], 2, "unrecognized"),
        (plan("json"), 2, "printed as text"),
    ];
    for (arguments, code, says) in table {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = ntmc(&arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?} says: {said}");
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    }
}

/// A short run into a folder; returns its checkpoint and metrics.
fn run(out: &Path, more: &[&str]) -> (Vec<u8>, Vec<u8>) {
    let place = out.display().to_string();
    let mut arguments = vec!["run"];
    arguments.extend(more);
    if !more.contains(&"--resume") {
        arguments.extend(["specs/ntm.ntm", "--out", place.as_str()]);
    }
    let output = ntmc(&arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let file = |name: &str| std::fs::read(out.join(name)).unwrap();
    (file("checkpoint.safetensors"), file("metrics.jsonl"))
}

#[test]
fn the_same_seed_gives_the_same_bytes_also_when_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| -> PathBuf { folder.path().join(name) };
    let whole = run(&place("a"), &["--steps", "60", "--seed", "3"]);
    let again = run(&place("b"), &["--steps", "60", "--seed", "3", "--threads", "1"]);
    assert!(whole == again, "two runs with one seed differ");
    run(&place("c"), &["--steps", "25", "--seed", "3"]);
    let c = place("c").display().to_string();
    let resumed = run(&place("c"), &["--resume", &c, "--steps", "60"]);
    assert!(whole == resumed, "a resumed run differs from one without a stop");
    let other = run(&place("d"), &["--steps", "60", "--seed", "4"]);
    assert!(whole != other, "the seed does nothing");
}

/// A run keeps the modules of its spec, so nothing else is needed to go on.
#[test]
fn a_run_of_a_spec_with_modules_goes_on_from_its_folder_alone() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(place("parts")).unwrap();
    let half = "ntm 1\n\ndef half(x[N]) -> y[N] = x / 2\n";
    std::fs::write(place("parts/scale.ntm"), half).unwrap();
    let mine = "ntm 1\nuse parts.scale\n\ndef quarter(x[N]) -> y[N] = half(half(x))\n";
    std::fs::write(place("mine.ntm"), mine).unwrap();
    let spec = "ntm 1\nuse mine\n\nmodel m(x[X]) -> y[Y] { emit y[Y] from quarter(x) }\n\n\
                train m on copy(bits = 2, length = 1..2) { optimizer = sgd(lr = 0.1) steps = 4 }\n";
    let (main, whole, cut) = (place("spec.ntm"), place("whole"), place("cut"));
    std::fs::write(&main, spec).unwrap();
    let runs =
        [vec!["run", &main, "--out", &whole], vec!["run", &main, "--out", &cut, "--steps", "2"]];
    for run in runs {
        let output = ntmc(&run);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    for name in ["mine.ntm", "parts/scale.ntm", "spec.ntm"] {
        std::fs::remove_file(place(name)).unwrap();
    }
    let output = ntmc(&["run", "--resume", &cut, "--steps", "4"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let file = |run: &str| std::fs::read(format!("{run}/checkpoint.safetensors")).unwrap();
    assert!(file(&whole) == file(&cut), "going on gives other parameters");
}

#[test]
fn first_states_are_drawn_by_seed_whatever_the_order_of_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let spec = "tests/ok/starts-drawn-for-every-episode.ntm";
    let train = |name: &str, more: &[&str]| {
        let out = folder.path().join(name).display().to_string();
        let place: &[&str] = if more.contains(&"--resume") { &[] } else { &["--out", &out] };
        let output = ntmc(&[&["run", spec], place, more].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let file = |file: &str| std::fs::read(folder.path().join(name).join(file)).unwrap();
        (file("checkpoint.safetensors"), file("metrics.jsonl"))
    };
    let whole = train("a", &["--steps", "6"]);
    train("b", &["--steps", "2"]);
    let b = folder.path().join("b").display().to_string();
    assert!(whole == train("b", &["--resume", &b, "--steps", "6"]), "resuming draws other states");
    assert!(whole != train("c", &["--steps", "6", "--seed", "1"]), "the seed does nothing");
    let exec = |seed: &str, name: &str| {
        let out = folder.path().join(name).display().to_string();
        let data = folder.path().join("x.safetensors");
        let x = std::collections::BTreeMap::from([
            ("x".to_owned(), ntmc::tensor::Tensor::zeros(vec![2, 3, 4])),
            ("param/y.weight".to_owned(), ntmc::tensor::Tensor::ones(vec![2, 10])),
            ("param/y.bias".to_owned(), ntmc::tensor::Tensor::zeros(vec![2])),
        ]);
        std::fs::write(&data, ntmc::vectors::File::of("x", &x).bytes()).unwrap();
        let data = data.display().to_string();
        let sizes = ["--set", "X=4", "--set", "Y=2"];
        let model = folder.path().join("wander.ntm").display().to_string();
        let all = std::fs::read_to_string(spec).unwrap();
        std::fs::write(&model, &all[..all.find("\ntrain").unwrap()]).unwrap();
        let verb = ["exec", &model, "--in", &data, "--out", &out, "--seed", seed];
        let output = ntmc(&[&verb[..], &sizes[..]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        std::fs::read(out).unwrap()
    };
    assert!(exec("1", "e") == exec("1", "f"));
    assert!(exec("1", "e") != exec("2", "g"));
}

#[test]
fn every_verb_explains_itself() {
    for verb in [
        "run",
        "check",
        "ir",
        "expand",
        "explain",
        "fmt",
        "exec",
        "verify",
        "test",
        "bench",
        "eval",
        "trace",
        "tasks",
        "completions",
    ] {
        let output = ntmc(&[verb, "--help"]);
        assert!(output.status.success());
        assert!(text(&output.stdout).contains("Examples:"), "{verb}");
    }
}

#[test]
fn check_prints_the_interface_size_of_the_paper() {
    let output = ntmc(&["check", "specs/dnc.ntm", "--train", "paper", "--json"]);
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    // W R + 3 W + 5 R + 3 with W = 64, R = 4 (Graves 2016, Methods).
    assert_eq!(object["interface"]["size"], 64 * 4 + 3 * 64 + 5 * 4 + 3);
}

#[test]
fn shipped_specs_are_laid_out() {
    let mut arguments = vec!["fmt".to_owned(), "--check".to_owned()];
    for folder in
        ["specs", "specs/bench", "specs/paper", "specs/published", "specs/pieces", "src/std"]
    {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "ntm") {
                arguments.push(path.display().to_string());
            }
        }
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = ntmc(&arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn examples_run() {
    let folder = Path::new(env!("CARGO_BIN_EXE_ntmc")).parent().unwrap().join("examples");
    for name in ["diagnose", "snapshot", "step", "train"] {
        let output = Command::new(folder.join(name)).output().unwrap();
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
    }
}

#[test]
fn the_page_of_results_is_what_its_data_say() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("docs/results");
    std::fs::create_dir_all(&results).unwrap();
    for entry in std::fs::read_dir("docs/results").unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, results.join(path.file_name().unwrap())).unwrap();
    }
    let example =
        Path::new(env!("CARGO_BIN_EXE_ntmc")).parent().unwrap().join("examples/reproduce");
    let output = Command::new(example).current_dir(&folder).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let page = |root: &Path| std::fs::read_to_string(root.join("docs/results.md")).unwrap();
    assert_eq!(page(folder.path()), page(Path::new(".")));
}

/// A folder with one spec in it.
fn with_spec(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spec.ntm");
    std::fs::write(&path, text).unwrap();
    let path = path.display().to_string();
    (folder, path)
}

#[test]
fn long_chains_work_up_to_a_limit() {
    let chain = |count: usize| {
        let rows: Vec<String> = (1..count).map(|at| format!("  a{at} = a{} + x", at - 1)).collect();
        let last = count - 1;
        format!(
            "ntm 1\nmodel m(x[X]) -> y[X] {{\n  a0 = x\n{}\n  y = a{last}\n}}\n",
            rows.join("\n")
        )
    };
    let (_folder, path) = with_spec(&chain(2000));
    let output = ntmc(&["ir", &path, "--set", "X=2", "--stage", "opt"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let (_folder, path) = with_spec(&chain(8000));
    let output = ntmc(&["check", &path, "--set", "X=2"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let output = ntmc(&["check", "specs/act.ntm", "--set", "P=1000"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let output = ntmc(&["check", "specs/act.ntm", "--set", "P=50000"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
}

#[test]
fn a_condition_of_many_cases_is_refused() {
    let factors: Vec<String> =
        (0..22).map(|at| format!("(i == {} or i == {})", 2 * at, 2 * at + 1)).collect();
    let spec = format!(
        "ntm 1\nmodel m(x[N]) -> y[N] {{\n  y[i] = if {} then x[i] else 0\n}}\n",
        factors.join(" and ")
    );
    let (_folder, path) = with_spec(&spec);
    let output = ntmc(&["check", &path, "--set", "N=64"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
}

#[test]
fn an_error_is_one_object_too() {
    let output = ntmc(&["check", "specs/ntm.ntm", "--set", "Q=1", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["error"]["exit"], 1);
    assert_eq!(object["error"]["diagnostics"][0]["code"], "E0601");
}

#[test]
fn a_checkpoint_can_be_executed_on_the_sizes_of_its_train_block() {
    let folder = tempfile::tempdir().unwrap();
    run(&folder.path().join("a"), &["--steps", "5", "--precision", "f64"]);
    let spec = folder.path().join("a/spec.ntm").display().to_string();
    let weights = folder.path().join("a/checkpoint.safetensors").display().to_string();
    let x: Vec<u8> = (0..3 * 5).flat_map(|at| f64::from(at % 2).to_le_bytes()).collect();
    let x =
        safetensors::tensor::TensorView::new(safetensors::Dtype::F64, vec![3, 1, 5], &x).unwrap();
    let input = folder.path().join("in.safetensors");
    std::fs::write(&input, safetensors::serialize([("x", x)], None).unwrap()).unwrap();
    let (input, out) = (input.display().to_string(), folder.path().join("out.safetensors"));
    let output = out.display().to_string();
    let exec = ["exec", &spec, "--out", &output, "--trace", "read.w", "--in", &weights, "--in"];
    let twice = ntmc(&[&exec[..], &[weights.as_str()]].concat());
    assert_eq!(twice.status.code(), Some(1));
    assert!(text(&twice.stderr).contains("another file given has a tensor of this name"));
    let output = ntmc(&[&exec[..], &[input.as_str()]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let bytes = std::fs::read(&out).unwrap();
    let numbers = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(numbers.tensor("y").unwrap().shape(), [3, 1, 4]);
    // Bits leave the model squashed, as the task wants them.
    let y = numbers
        .tensor("y")
        .unwrap()
        .data()
        .chunks(8)
        .map(|one| f64::from_le_bytes(one.try_into().unwrap()));
    assert!(y.into_iter().all(|bit| (0.0..=1.0).contains(&bit)));
    assert_eq!(numbers.tensor("trace/read.w").unwrap().shape(), [3, 1, 16]);
}

#[test]
fn check_prints_annotations_and_objects() {
    let bad = "tests/err/E0202-index-two-dims.ntm";
    let output = ntmc(&["check", bad, "specs/ntm.ntm", "--format", "github"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!("check_github", text(&output.stdout));
    assert_eq!(text(&output.stderr), "");
    let output = ntmc(&["check", bad, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let one: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    insta::assert_snapshot!("check_json", serde_json::to_string_pretty(&one).unwrap());
    let edit = &one["error"]["diagnostics"][0]["edits"][0];
    let spec = std::fs::read_to_string(bad).unwrap();
    let at = |key: &str| usize::try_from(edit[key].as_u64().unwrap()).unwrap();
    assert_eq!(&spec[at("start")..at("end")], "i");
    assert_eq!(edit["text"], "c");
}

#[test]
fn several_specs_are_checked_in_one_call() {
    let bad = "tests/err/E0202-index-two-dims.ntm";
    let output = ntmc(&["check", "specs/ntm.ntm", bad, "missing.ntm"]);
    assert_eq!(output.status.code(), Some(4), "the worst of them");
    assert!(text(&output.stdout).starts_with("ntm: right"));
    let said = text(&output.stderr);
    assert!(said.contains("E0202") && said.contains("no such file"), "{said}");
    assert!(said.ends_with("2 of 3 specs are wrong\n"), "{said}");
    let output = ntmc(&["check", "specs/ntm.ntm", bad, "--format", "json"]);
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(all["schema"], 1);
    assert_eq!(all["specs"][0]["model"], "ntm");
    assert_eq!(all["specs"][1]["spec"], bad);
    assert_eq!(all["specs"][1]["error"]["diagnostics"][0]["code"], "E0202");
}

#[test]
fn explain_lists_codes_and_shows_pages() {
    let list = text(&ntmc(&["explain"]).stdout);
    assert!(list.lines().any(|line| line == "E0202  one index for two dims"), "{list}");
    let page = ntmc(&["explain", "e0202"]);
    insta::assert_snapshot!("explain_page", text(&page.stdout));
    let page: serde_json::Value =
        serde_json::from_slice(&ntmc(&["explain", "E0202", "--json"]).stdout).unwrap();
    assert!(page["wrong"].as_str().unwrap().starts_with("ntm 1\n"));
    let output = ntmc(&["explain", "E022"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("did you mean `E02"), "{}", text(&output.stderr));
}

#[test]
fn notes_are_printed_on_demand_and_denied_on_demand() {
    let noted = "tests/note/W0909-content-only-memory.ntm";
    let sizes = ["--set", "X=3", "--set", "Y=2"];
    let check = |options: &[&str]| ntmc(&[&["check", noted], &sizes[..], options].concat());
    let plain = check(&[]);
    assert!(plain.status.success() && plain.stderr.is_empty(), "{}", text(&plain.stderr));
    let pedantic = check(&["--pedantic"]);
    assert_eq!(pedantic.status.code(), Some(0));
    assert!(text(&pedantic.stderr).contains("W0909"), "{}", text(&pedantic.stderr));
    assert_eq!(pedantic.stdout, plain.stdout);
    let json: serde_json::Value =
        serde_json::from_slice(&check(&["--pedantic", "--json"]).stdout).unwrap();
    let note = &json["notes"][0];
    assert_eq!((note["code"].as_str(), note["severity"].as_str()), (Some("W0909"), Some("note")));
    assert_eq!(note["edits"][0]["text"].as_str(), Some("learned"));
    let denied = check(&["--deny-notes"]);
    assert_eq!(denied.status.code(), Some(1));
    assert!(text(&denied.stderr).contains("1 note"), "{}", text(&denied.stderr));
    let clean = ntmc(&["check", "specs/ntm.ntm", "--deny-notes"]);
    assert!(clean.status.success(), "{}", text(&clean.stderr));
}

#[test]
fn a_file_of_definitions_is_checked_by_itself() {
    let output = ntmc(&["check", "src/std/address.ntm"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "src/std/address.ntm: 7 definitions, right\n");
}

#[test]
fn every_training_block_is_checked_not_only_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.ntm");
    let block = |name: &str, rule: &str| {
        format!(
            "train {name}: m on copy(bits = 2, length = 1..2) {{ optimizer = {rule}(lr = 1e-3) \
             steps = 10 }}\n"
        )
    };
    let model = "ntm 1\nmodel m(x[X]) -> y[Y] { emit y[Y] from x }\n";
    let (good, bad) = (block("a", "adam"), block("b", "lion"));
    std::fs::write(&path, format!("{model}{good}{bad}")).unwrap();
    let output = ntmc(&["check", path.to_str().unwrap()]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error[E0615]") && said.contains("lion"), "{said}");
    // Also where there is nothing else in the file.
    std::fs::write(&path, format!("ntm 1\n{good}")).unwrap();
    let output = ntmc(&["check", path.to_str().unwrap()]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error[E0612]") && said.contains("no model `m`"), "{said}");
}

#[test]
fn whole_numbers_are_executed_into_whole_numbers() {
    let (folder, spec) = with_spec(
        "ntm 1\nmodel m(x[3]) -> y[3] {\n  state t: int = 0\n  t = prev t + 1\n  order = argsort(x)\n  \
         y[i] = x[order[i]] * t\n}\n",
    );
    let place = |name: &str| folder.path().join(name).display().to_string();
    let x = ntmc::tensor::Tensor::from_shape_fn(vec![2, 1, 3], |at| [2.5, 0.5, 1.5][at[2]]);
    let given = std::collections::BTreeMap::from([("x".to_owned(), x)]);
    std::fs::write(place("in"), ntmc::vectors::File::of("in", &given).bytes()).unwrap();
    let (from, to) = (place("in"), place("out"));
    let output = ntmc(&["exec", &spec, "--in", &from, "--out", &to, "--trace", "order,t"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let file = ntmc::vectors::File::parse("out", &std::fs::read(&to).unwrap()).unwrap();
    let whole: Vec<&str> = file.whole.iter().map(String::as_str).collect();
    assert_eq!(whole, ["final/t", "trace/order", "trace/t"]);
    assert_eq!(file.tensor("trace/order").unwrap().as_slice().unwrap(), [1., 2., 0., 1., 2., 0.]);
    assert_eq!(file.tensor("final/t").unwrap().as_slice().unwrap(), [2.0]);
    assert_eq!(file.tensor("y").unwrap().as_slice().unwrap(), [0.5, 1.5, 2.5, 1.0, 3.0, 5.0]);
}

#[test]
fn a_plan_says_what_each_function_does_and_what_is_held() {
    let output = ntmc(&["ir", "specs/lstm.ntm", "--stage", "plan"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}");
    let (head, rest) = said.split_once("forward, at every step:").unwrap();
    assert!(head.contains("functions a step") && head.contains("bytes of tape"), "{head}");
    assert!(
        rest.contains("tanh of the whole array") && rest.contains("product, sum over"),
        "{rest}"
    );
    let (_, end) = rest.split_once("once after the last step").unwrap();
    assert!(end.contains("grad/param/"), "{end}");
}

#[test]
fn machine_code_is_shown_function_by_function() {
    for (stage, holds) in [("clif", "= load.i64 "), ("asm", "ret")] {
        let output = ntmc(&["ir", "specs/lstm.ntm", "--stage", stage]);
        let said = text(&output.stdout);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(said.contains("lstm.i[64]: sigmoid of the whole array"), "{said}");
        assert!(said.contains(holds), "{said}");
    }
}

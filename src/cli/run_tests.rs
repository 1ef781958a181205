//! Whole runs over a backend whose gradient is exact.

use std::fs;

use super::*;
use crate::model::train::{OptimiserCall, TaskCall};
use crate::source::{Sources, Span};
use crate::syntax::ast;
use crate::train::fake;

fn compiled() -> Compiled {
    let arg =
        |name: &str, value| block::TaskArg { name: name.into(), value, span: Span::default() };
    let args = vec![
        arg("bits", block::ArgValue::Number(2.0)),
        arg("length", block::ArgValue::Range(1.0, 4.0)),
    ];
    let block = TrainBlock {
        name: None,
        model: ast::Ref { segments: Vec::new(), span: Span::default() },
        tasks: vec![TaskCall { name: "copy".into(), args, span: Span::default() }],
        optimiser: OptimiserCall { name: "sgd".into(), args: Vec::new(), span: Span::default() },
        clip: Some(block::Clip::Value(10.0)),
        clip_backward: None,
        batch: 2,
        steps: vec![60],
        schedule: block::Schedule::default(),
        freeze: Vec::new(),
        evaluate_every: Some(16),
        episodes: 20,
        span: Span::default(),
    };
    let sources = Sources::default();
    Compiled {
        model: fake::model(3, 2),
        border: fake::border(3, 2),
        program: crate::graph::Program::default(),
        executable: Box::new(fake::Fake::new(3, 2, Precision::F32)),
        tasks: crate::compile::resolve_tasks(&block, &sources).expect("the task is right"),
        block,
        rate: 0.05,
        expanded: "ntm 1\n".to_owned(),
        modules: Vec::new(),
        digest: "d1".to_owned(),
        sources,
        cost: crate::backend::Cost::default(),
        budget: crate::backend::Budget { bytes: 0, threads: 1, kept: None },
        steps: 1,
    }
}

fn options(out: &Path) -> Options {
    Options {
        compile: CompileOptions {
            spec: "specs/fake.ntm".to_owned(),
            train: None,
            task: None,
            sets: Vec::new(),
            backend: Backend::Interp,
            precision: Precision::F32,
            memory: None,
            threads: None,
        },
        steps: None,
        seed: 5,
        batch: None,
        out: Some(out.to_owned()),
        resume: None,
        time: None,
        save_every: Duration::from_secs(60),
        overfit: None,
        brief: false,
        progress: false,
        letters: Letters::Unicode,
    }
}

fn go(options: &Options) -> Result<Report, Error> {
    execute(compiled(), options, Signals::default())
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let names = [
        "checkpoint.safetensors",
        "best.safetensors",
        "metrics.jsonl",
        "spec.ntm",
        "run.ron",
        "figures/loss.svg",
        "figures/loss.png",
        "figures/episode.svg",
        "report.html",
    ];
    names
        .iter()
        .map(|name| ((*name).to_owned(), fs::read(folder.join(name)).expect(name)))
        .collect()
}

#[test]
fn a_run_leaves_everything_behind_and_resuming_is_exact() {
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    let report = go(&options(&whole)).expect("trains");
    assert_eq!((report.steps, report.sequences, report.parameters), (60, 120, 8));
    let found = report.evaluation.expect("evaluated");
    assert!(found.loss.is_finite());
    for (steps, first) in [(23, true), (40, false), (60, false)] {
        let mut options = Options { steps: Some(steps), ..options(&parts) };
        if !first {
            options = Options { out: None, resume: Some(parts.clone()), ..options };
        }
        go(&options).expect("trains");
    }
    for ((name, left), (_, right)) in files(&whole).into_iter().zip(files(&parts)) {
        assert!(left == right, "{name} differs");
    }
    let again = go(&options(&whole)).expect_err("the directory is taken");
    assert_eq!(again.exit_code(), 4);
}

#[test]
fn the_report_reads_well_and_parses() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = go(&options(&folder.path().join("a"))).expect("trains");
    let text = report.text();
    assert!(text.starts_with("fake on copy(bits = 2, length = 1..4)\n"), "{text}");
    assert!(text.contains("wrong bits per sequence") && text.contains("8 parameters, 60 steps"));
    assert!(text.lines().all(|line| line.chars().count() <= 80 || line.contains('/')), "{text}");
    let json = report.json();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["score"]["name"], "wrong_bits");
    assert!(json["loss"].is_number() && !json.to_string().contains('\n'));
    if let Some(path) = std::env::var_os("NTMC_FIGURES") {
        fs::write(Path::new(&path).join("report.txt"), text).expect("written");
    }
}

#[test]
fn a_time_limit_stops_after_saving_and_a_changed_spec_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("a");
    let short = Options { time: Some(Duration::ZERO), ..options(&out) };
    let report = go(&short).expect("stops");
    assert_eq!((report.stop, report.steps), (Stop::Time, 0));
    let on = Options { out: None, resume: Some(out.clone()), ..options(&out) };
    let other = Compiled { digest: "d2".to_owned(), ..compiled() };
    let error = execute(other, &on, Signals::default()).expect_err("another spec");
    assert_eq!(error.exit_code(), 1);
    assert_eq!(go(&on).expect("goes on").steps, 60);
    let file = out.join("checkpoint.safetensors");
    let bytes = fs::read(&file).expect("there");
    fs::write(&file, &bytes[..bytes.len() - 3]).expect("written");
    let error = go(&on).expect_err("cut short");
    assert_eq!(error.exit_code(), 4);
    assert!(error.to_string().contains("checkpoint.safetensors"), "{error}");
}

#[test]
fn absurd_batches_are_a_limit_and_unknown_frozen_names_a_diagnostic() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("a");
    let huge = Options { batch: Some(u32::MAX), ..options(&out) };
    assert_eq!(go(&huge).expect_err("too large").exit_code(), 3);
    let mut wrong = compiled();
    wrong.sources.add(crate::source::Source::new("a.ntm", "ntm 1"));
    wrong.block.freeze = vec![("y.wieght".to_owned(), Span::default())];
    let error = execute(wrong, &options(&out), Signals::default()).expect_err("no such name");
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().contains("did you mean `y.weight`?"), "{error}");
    assert!(!out.exists());
}

#[test]
fn an_interrupt_saves_and_names_its_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("a");
    let signals = Signals::listen().expect("signals can be caught");
    signal_hook::low_level::raise(signal_hook::consts::SIGTERM).expect("raised");
    let report = execute(compiled(), &options(&out), signals).expect("stops");
    assert_eq!((report.stop, report.evaluation), (Stop::Terminate, None));
    assert_eq!(Error::Interrupted(report.stop).exit_code(), 143);
    assert_eq!(Error::Interrupted(Stop::Interrupt).exit_code(), 130);
    let on = Options { out: None, resume: Some(out.clone()), ..options(&out) };
    assert_eq!(go(&on).expect("goes on").steps, 60);
}

#[test]
fn a_run_that_goes_bad_names_the_step_and_the_last_checkpoint() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut backend = fake::Fake::new(3, 2, Precision::F32);
    backend.breaks_after = Some(20);
    let bad = Compiled { executable: Box::new(backend), ..compiled() };
    let error = execute(bad, &options(&folder.path().join("a")), Signals::default());
    let error = error.expect_err("the loss is NaN");
    assert_eq!(error.exit_code(), 1);
    let text = error.to_string();
    // One run of the twenty was the evaluation after step 16.
    assert!(text.starts_with("error: the loss is not finite at step 20\n"), "{text}");
    assert!(text.contains("the last checkpoint is in "), "{text}");
}

#[test]
fn times_have_units() {
    assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
    assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
    assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
    assert!(duration("2d").is_err() && duration("s").is_err() && duration("-1s").is_err());
}

//! Training within a limit of memory: stretches that are computed again change no bit.

use std::path::Path;
use std::process::{Command, Output};

use ntmc::backend::interp::Interp;
use ntmc::backend::{Batch, Executable, Outcome, Precision, Want, jit};
use ntmc::compile::{Choices, Spec};
use ntmc::graph::{Array, Program};
use ntmc::model::library::StdOnly;
use ntmc::source::Source;
use ntmc::tensor::Tensor;

/// A program ready for training.
fn program(spec: &str) -> Program {
    let text = std::fs::read_to_string(crate::support::root().join(spec)).unwrap();
    let mut spec = Spec::read(Source::new(spec, text), &StdOnly).unwrap();
    spec.training(&Choices::default()).unwrap().program
}

fn numbers(shape: &[usize], shift: usize) -> Tensor {
    let mut at = shift;
    Tensor::from_shape_simple_fn(shape, || {
        at += 1;
        (at as f64 * 0.7).sin() * 0.5
    })
}

/// Sequences of several lengths, some of which run together.
fn batch(program: &Program) -> Batch {
    let lengths = vec![290, 290, 290, 290, 290, 290, 290, 290, 261, 130, 7];
    let input = |(at, array): (usize, &Array)| {
        let shape = [&[290, lengths.len()][..], &array.shape()].concat();
        numbers(&shape, at).mapv(|value| (value > 0.0).into())
    };
    let inputs = program.inputs.iter().enumerate().map(input).collect();
    Batch { lengths, inputs, starts: Vec::new() }
}

fn run(backend: &mut dyn Executable, program: &Program, kept: Option<usize>) -> Outcome {
    if let Some(kept) = kept {
        backend.keep_at_most(kept);
    }
    let params: Vec<Tensor> =
        program.params.iter().enumerate().map(|(at, array)| numbers(&array.shape(), at)).collect();
    backend.run(&params, &batch(program), &Want { roots: vec!["y".to_owned()], gradients: true })
}

#[test]
fn what_is_computed_again_changes_no_bit() {
    for spec in ["specs/dnc.ntm", "specs/tape.ntm", "specs/lstm.ntm"] {
        let program = program(spec);
        type Make = fn(&Program) -> Box<dyn Executable>;
        let backends: [(Make, &[usize]); 3] = [
            (|program| jit::ready(program, Precision::F32, 1).unwrap(), &[1, 129]),
            (|program| jit::ready(program, Precision::F64, 2).unwrap(), &[128]),
            (|program| Box::new(Interp::new(program, Precision::F64, 2)), &[37, 1]),
        ];
        for (make, stretches) in backends {
            let mut backend = make(&program);
            let whole = run(&mut *backend, &program, None);
            let tape = backend.facts().tape_bytes;
            for kept in stretches {
                let cut = run(&mut *backend, &program, Some(*kept));
                assert!(backend.facts().tape_bytes < tape, "{spec}: {kept} steps save nothing");
                assert_eq!(cut.loss, whole.loss, "{spec}: {kept} steps kept");
                assert_eq!(cut.roots, whole.roots);
                assert_eq!(cut.finals, whole.finals);
                let (cut, whole) = (cut.gradients.unwrap(), whole.gradients.as_ref().unwrap());
                assert_eq!(cut.params, whole.params, "{spec}: {kept} steps kept");
                assert_eq!((cut.inputs, &cut.starts), (whole.inputs.clone(), &whole.starts));
            }
        }
    }
}

#[test]
fn a_budget_keeps_what_fits_and_says_what_it_takes() {
    let program = program("specs/dnc.ntm");
    let budget = |limit| jit::budget(&program, (1000, 4), 2, Precision::F32, limit);
    let all = budget(u64::MAX);
    assert_eq!((all.kept, all.threads), (1000, 2));
    let half = budget(all.bytes / 2);
    assert!(half.bytes <= all.bytes / 2 && half.kept < 1000 && half.threads == 2, "{half:?}");
    let least = budget(0);
    assert!(least.threads == 1 && least.kept < half.kept && least.bytes < half.bytes, "{least:?}");
    // What is least is enough.
    assert_eq!(budget(least.bytes), least);
    assert!(budget(least.bytes - 1).bytes > least.bytes - 1);
}

fn train(out: &Path, more: &[&str]) -> Output {
    let place = out.display().to_string();
    let task = "copy(bits = 4, length = 140)";
    Command::new(env!("CARGO_BIN_EXE_ntmc"))
        .args(["run", "specs/ntm.ntm", "--task", task, "--out", &place])
        .args(["--steps", "2", "--batch", "2"])
        .args(more)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

#[test]
fn a_run_in_little_memory_is_the_same_run() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let whole = train(&place("a"), &[]);
    assert!(whole.status.success() && !String::from_utf8_lossy(&whole.stderr).contains("memory"));
    // What it needs at least is what the refusal names.
    let refused = train(&place("b"), &["--memory", "1KiB"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains("`--memory` allows 1.0 KiB") && said.contains("more memory"), "{said}");
    let needed = said.split(" needs ").nth(1).unwrap().split(" at least").next().unwrap();
    let (number, unit) = needed.split_once(' ').unwrap();
    let enough = format!("{:.1}{unit}", number.parse::<f64>().unwrap() + 0.1);
    let little = train(&place("c"), &["--memory", &enough]);
    let said = String::from_utf8_lossy(&little.stderr).into_owned();
    assert!(little.status.success(), "{said}");
    assert!(said.contains("note: memory holds") && said.contains("at a time"), "{said}");
    let file = |place: &str, name| std::fs::read(folder.path().join(place).join(name)).unwrap();
    for name in ["checkpoint.safetensors", "metrics.jsonl"] {
        assert!(file("a", name) == file("c", name), "{name} differs");
    }
}

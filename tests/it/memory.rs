//! Training within a limit of memory: stretches that are computed again change no bit.

use std::path::Path;
use std::process::{Command, Output};

use ntmc::backend::interp::Interp;
use ntmc::backend::{Executable, Outcome, Precision, Want, jit};
use ntmc::graph::Program;
use ntmc::tensor::Tensor;

use crate::support::{bits, numbers, training};

/// Sequences of several lengths, some of which run together.
const LENGTHS: [usize; 11] = [290, 290, 290, 290, 290, 290, 290, 290, 261, 130, 7];

fn run(backend: &mut dyn Executable, program: &Program, lengths: &[usize]) -> Outcome {
    let params: Vec<Tensor> =
        program.params.iter().enumerate().map(|(at, array)| numbers(&array.shape(), at)).collect();
    let want = Want { roots: vec!["y".to_owned()], gradients: true };
    backend.run(&params, &bits(program, lengths), &want)
}

type Make = fn(&Program, usize) -> Box<dyn Executable>;

const SINGLE: Make = |program, threads| jit::ready(program, Precision::F32, threads).unwrap();
const DOUBLE: Make = |program, threads| jit::ready(program, Precision::F64, threads).unwrap();
const INTERP: Make = |program, threads| Box::new(Interp::new(program, Precision::F64, threads));

#[test]
fn what_is_computed_again_changes_no_bit() {
    for spec in ["specs/dnc.ntm", "specs/tape.ntm", "specs/lstm.ntm"] {
        let program = training(spec, &[]);
        compare((SINGLE, 1), &program, &LENGTHS, &[1, 129]);
        for threads in [1, 2] {
            compare((DOUBLE, threads), &program, &LENGTHS, &[128]);
            // Of the interpreter's blocks each is one step.
            compare((INTERP, threads), &program, &[20, 20, 9], &[7, 1]);
        }
    }
}

/// Where a step takes much, few are a block: of these links 16 of 40.
#[test]
fn large_steps_are_kept_a_few_at_a_time() {
    let program = training("specs/dnc.ntm", &["N=512"]);
    compare((SINGLE, 1), &program, &[40, 33], &[1, 17]);
}

fn compare(
    (make, threads): (Make, usize),
    program: &Program,
    lengths: &[usize],
    stretches: &[usize],
) {
    let mut backend = make(program, threads);
    let whole = run(&mut *backend, program, lengths);
    let tape = backend.facts().tape_bytes;
    for kept in stretches {
        backend.keep_at_most(*kept);
        let cut = run(&mut *backend, program, lengths);
        // Which of several threads find which work, and take memory for it, is chance.
        let less = backend.facts().tape_bytes < tape;
        assert!(less || threads > 1, "{kept} steps save nothing");
        assert_eq!(cut.loss, whole.loss, "{kept} steps kept");
        assert_eq!(cut.roots, whole.roots);
        assert_eq!(cut.finals, whole.finals);
        let (cut, whole) = (cut.gradients.unwrap(), whole.gradients.as_ref().unwrap());
        assert_eq!(cut.params, whole.params, "{kept} steps kept");
        assert_eq!((&cut.inputs, &cut.starts), (&whole.inputs, &whole.starts));
    }
}

/// Models large enough for passes, rolls in vectors, padded rows and narrow ends of rows, where an access outside
/// their memory ends the process.
#[cfg(target_os = "linux")]
#[test]
fn large_models_stay_inside_their_memory() {
    use crate::fence::{Side, behind};
    let ntm = training("specs/ntm.ntm", &["N=128", "W=20", "H=36"]);
    let dnc = training("specs/dnc.ntm", &["N=32", "W=36", "R=2", "H=50"]);
    for (number, program) in [ntm, dnc].iter().enumerate() {
        for (side, precision) in [
            (Side::Back, Precision::F32),
            (Side::Front, Precision::F32),
            (Side::Back, Precision::F64),
        ] {
            for lengths in [&[3][..], &[2; 9]] {
                let mut backend = jit::ready(program, precision, 1).unwrap();
                let first = run(&mut *backend, program, lengths);
                // All memory of a run is given back, and taken again behind the fence.
                backend.keep_at_most(usize::MAX);
                let seed = number as u64;
                let fenced = behind(side, seed, || run(&mut *backend, program, lengths));
                assert_eq!(first.loss, fenced.loss);
                assert_eq!(first.gradients.unwrap().params, fenced.gradients.unwrap().params);
            }
        }
    }
}

#[test]
fn a_budget_keeps_what_fits_and_says_what_it_takes() {
    let program = training("specs/dnc.ntm", &[]);
    let budget = |limit| jit::budget(&program, (1000, 4), 2, Precision::F32, limit);
    let all = budget(u64::MAX);
    assert_eq!((all.kept, all.threads), (None, 2));
    // Absurd sizes are told of at once, by few tries.
    let absurd = jit::budget(&program, (1 << 40, 1 << 30), usize::MAX, Precision::F32, 1);
    assert!(absurd.bytes > 1 && absurd.threads == 1, "{absurd:?}");
    let half = budget(all.bytes / 2);
    assert!(half.bytes <= all.bytes / 2 && half.threads == 2, "{half:?}");
    assert!(half.kept.is_some_and(|kept| kept < 1000), "{half:?}");
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

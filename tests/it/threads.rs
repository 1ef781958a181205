//! Two threads that share the steps of one sequence change no bit.

use ntmc::backend::{Advance, Batch, Clip, Held, Precision, jit};
use ntmc::compile::Choices;
use ntmc::graph::{Array, Program};
use ntmc::tensor::Tensor;

use crate::support::{beside, source};

const STEPS: usize = 5;

/// A program ready for training, with other sizes.
fn program(spec: &str, sets: &[&str]) -> Program {
    let path = crate::support::root().join(spec);
    let mut spec = crate::support::spec(source(&path), &beside(&path));
    let sets = sets.iter().map(|set| (*set).to_owned()).collect();
    spec.training(&Choices { sets, ..Choices::default() }).unwrap().program
}

fn numbers(shape: &[usize], shift: usize) -> Tensor {
    let mut at = shift;
    Tensor::from_shape_simple_fn(shape, || {
        at += 1;
        (at as f64 * 0.7).sin() * 0.5
    })
}

/// Parameters and slots after a few training steps on one batch, and the losses on the way.
fn trained(
    program: &Program,
    precision: Precision,
    threads: usize,
    samples: usize,
) -> (Held, Vec<f64>) {
    let mut ready = jit::ready(program, precision, threads).unwrap();
    let each = |(at, array): (usize, &Array)| numbers(&array.shape(), at);
    let params: Vec<Tensor> = program.params.iter().enumerate().map(each).collect();
    let slots = ready.slots();
    ready.hold(&params, &slots);
    let bits = |(at, array): (usize, &Array)| {
        let shape = [&[STEPS, samples][..], &array.shape()].concat();
        numbers(&shape, at).mapv(|value| f64::from(value > 0.0))
    };
    let inputs = program.inputs.iter().enumerate().map(bits).collect();
    let batch = Batch { lengths: vec![STEPS; samples], inputs, starts: Vec::new() };
    let frozen = vec![false; params.len()];
    let advance = Advance { rate: 1e-3, clip: Some(Clip::Value(10.0)), frozen: &frozen };
    let mut losses = Vec::new();
    for _ in 0..4 {
        let learned = ready.learn(&batch, &[], &advance);
        assert!(learned.trouble.is_none());
        losses.extend(learned.outcome.loss);
    }
    (ready.held(), losses)
}

#[test]
fn two_threads_that_share_a_step_change_no_bit() {
    for (spec, sets) in [
        ("specs/bench/ntm-copy-b1.ntm", &[][..]),
        ("specs/paper/ntm-deep-lstm.ntm", &[]),
        ("specs/dnc.ntm", &["N=64", "H=128", "R=3"]),
        ("specs/multi_write.ntm", &["H=96"]),
    ] {
        let program = program(spec, sets);
        // Otherwise there would be nothing to see.
        let plan = jit::describe(&program);
        let forks = plan.lines().filter(|line| line.contains("a second thread may run")).count();
        assert!(forks > 1, "{spec}: {plan}");
        for precision in [Precision::F32, Precision::F64] {
            let alone = trained(&program, precision, 1, 1);
            let shared = trained(&program, precision, 2, 1);
            assert_eq!(alone.1, shared.1, "{spec}, {precision:?}: losses");
            assert_eq!(alone.0.params, shared.0.params, "{spec}, {precision:?}");
            assert_eq!(alone.0.slots, shared.0.slots, "{spec}, {precision:?}");
        }
    }
}

/// More threads than chunks: each chunk has a helper, and groups of several samples are shared too.
#[test]
fn threads_that_a_batch_leaves_help_with_its_groups() {
    let program = program("specs/bench/ntm-copy-b1.ntm", &[]);
    let alone = trained(&program, Precision::F32, 1, 9);
    let shared = trained(&program, Precision::F32, 8, 9);
    assert_eq!((alone.0.params, alone.1), (shared.0.params, shared.1));
}

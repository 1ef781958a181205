//! Threads that share the steps of a sequence change no bit.

use ntmc::backend::{Advance, Batch, Clip, Held, Precision, Trainable, jit};
use ntmc::graph::{Array, Program};
use ntmc::tensor::Tensor;

use crate::support::{bits, numbers, training};

/// Machine code that holds parameters.
fn ready(program: &Program, precision: Precision, threads: usize) -> Box<dyn Trainable> {
    let mut ready = jit::ready(program, precision, threads).unwrap();
    let each = |(at, array): (usize, &Array)| numbers(&array.shape(), at);
    let params: Vec<Tensor> = program.params.iter().enumerate().map(each).collect();
    let slots = ready.slots();
    ready.hold(&params, &slots);
    ready
}

/// Takes a training step on each batch, the first parameter frozen; what is held then, the losses on the way, and how
/// many helped at each.
fn trained(ready: &mut dyn Trainable, batches: &[&Batch]) -> (Held, Vec<f64>, Vec<usize>) {
    let mut frozen = vec![false; ready.held().params.len()];
    frozen[0] = true;
    let advance = Advance { rate: 1e-3, clip: Some(Clip::Value(10.0)), frozen: &frozen };
    let (mut losses, mut helpers) = (Vec::new(), Vec::new());
    for batch in batches {
        let learned = ready.learn(batch, &[], &advance);
        assert!(learned.trouble.is_none());
        losses.extend(learned.outcome.loss);
        helpers.push(ready.facts().helpers);
    }
    (ready.held(), losses, helpers)
}

/// Compares one thread with several, of which so many should help at each step.
fn compare(
    (program, precision): (&Program, Precision),
    (threads, kept): (usize, usize),
    lengths: &[&[usize]],
    helpers: &[usize],
) {
    let batches: Vec<Batch> = lengths.iter().map(|lengths| bits(program, lengths)).collect();
    let batches: Vec<&Batch> = batches.iter().collect();
    let of = |threads: usize| {
        let mut ready = ready(program, precision, threads);
        ready.keep_at_most(kept);
        trained(&mut *ready, &batches)
    };
    let (alone, shared) = (of(1), of(threads));
    assert_eq!(alone.1, shared.1, "losses");
    assert_eq!(alone.0.params, shared.0.params);
    assert_eq!(alone.0.slots, shared.0.slots);
    assert_eq!(alone.2, vec![0; helpers.len()]);
    assert_eq!(shared.2, helpers);
}

#[test]
fn two_threads_that_share_a_step_change_no_bit() {
    for (spec, sets) in [
        ("specs/bench/ntm-copy-b1.ntm", &[][..]),
        ("specs/paper/ntm-deep-lstm.ntm", &[]),
        ("specs/dnc.ntm", &["N=64", "H=128", "R=3"]),
        ("specs/multi_write.ntm", &["H=96"]),
    ] {
        let program = training(spec, sets);
        for precision in [Precision::F32, Precision::F64] {
            compare((&program, precision), (2, usize::MAX), &[&[5], &[5], &[5]], &[1, 1, 1]);
        }
    }
}

/// Whoever has nothing to do helps, and goes on by himself when there is more: groups of several samples, batches
/// of few sequences and of many in turn, stretches that are computed again.
#[test]
fn threads_that_a_batch_leaves_help_with_its_groups() {
    let program = training("specs/bench/ntm-copy-b1.ntm", &[]);
    let lengths: [&[usize]; 5] = [&[4; 9], &[4], &[4; 40], &[3, 2], &[130]];
    // Groups of 4, 4 and 1, of 1, of 16, 16 and 8, and of 1 and 1.
    compare((&program, Precision::F32), (6, 128), &lengths, &[3, 1, 3, 2, 1]);
}

#[test]
fn small_steps_are_left_to_one_thread() {
    let program = training("specs/tape.ntm", &[]);
    compare((&program, Precision::F32), (2, usize::MAX), &[&[5]], &[0]);
}

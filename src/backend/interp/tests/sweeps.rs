//! The loops over time, samples and phases: a small recurrent program with adjoints by hand.

use super::{Draft, array, at, index, numbers, program, same};
use crate::backend::interp::Interp;
use crate::backend::{Batch, Executable, Outcome, Precision, Trainable, Want};
use crate::graph::{Builder, Fold, Index, Leaf, NodeId, Op, Program, Space, Update};
use crate::op::scalar;
use crate::tensor::Tensor;

const N: u32 = 3;

fn sum(draft: &mut Draft, of: NodeId, keep: &[u32], over: &[u32], read: Vec<Index>) -> NodeId {
    let op = Op::Reduce { fold: Fold::Sum, over: over.to_vec(), when: vec![] };
    draft.op(op, Space::of(keep), vec![(of, at(0, read))], "sum")
}

fn product(
    draft: &mut Draft,
    sizes: &[u32],
    left: (NodeId, Vec<Index>),
    right: (NodeId, Vec<Index>),
) -> NodeId {
    let list = vec![(left.0, at(0, left.1)), (right.0, at(1, right.1))];
    draft.op(Op::Map(scalar::MUL), Space::of(sizes), list, "product")
}

/// `d * (1 - out^2)`.
fn tanh_adjoint(draft: &mut Draft, seed: NodeId, out: NodeId) -> NodeId {
    let rank = draft.builder.graph().node(out).space.rank();
    let sizes = draft.builder.graph().node(out).space.sizes.clone();
    let one = draft.builder.constant(1.0);
    let square = draft.map(scalar::MUL, &[out, out]);
    let list = vec![(one, at(0, vec![])), (square, same(1, rank))];
    let slope = draft.op(Op::Map(scalar::SUB), Space::of(sizes), list, "slope");
    draft.map(scalar::MUL, &[seed, slope])
}

/// s[i]' = tanh(sum[j] w[i, j] * s[j] + x[i] + b); loss = sum[i] s'[i]^2; start s = tanh(p).
fn recurrent() -> Program {
    let i = Index::axis;
    let mut d = Draft::new();
    let w = d.leaf(Leaf::Param(0), &[N, N]);
    let bias = d.leaf(Leaf::Param(2), &[]);
    let x = d.leaf(Leaf::Input(0), &[N]);
    let s = d.leaf(Leaf::Prev(0), &[N]);
    let terms = product(&mut d, &[N, N], (w, vec![i(0), i(1)]), (s, vec![i(1)]));
    let ws = sum(&mut d, terms, &[N], &[N], vec![i(0), i(1)]);
    let list = vec![(x, same(0, 1)), (bias, at(1, vec![]))];
    let shifted = d.op(Op::Map(scalar::ADD), Space::of([N]), list, "shifted");
    let before = d.map(scalar::ADD, &[ws, shifted]);
    let next = d.map(scalar::TANH, &[before]);
    let square = d.map(scalar::MUL, &[next, next]);
    let loss = sum(&mut d, square, &[], &[N], vec![i(0)]);
    d.root("next/s", next);
    d.root("loss", loss);
    d.root("value/before", before);

    d.adjoint = true;
    let seed = d.leaf(Leaf::Seed(0), &[N]);
    let two = d.builder.constant(2.0);
    let own = product(&mut d, &[N], (next, vec![i(0)]), (two, vec![]));
    let arriving = d.map(scalar::ADD, &[own, seed]);
    let inner = tanh_adjoint(&mut d, arriving, next);
    let outer = product(&mut d, &[N, N], (inner, vec![i(0)]), (s, vec![i(1)]));
    let back = product(&mut d, &[N, N], (w, vec![i(1), i(0)]), (inner, vec![i(1)]));
    let prev = sum(&mut d, back, &[N], &[N], vec![i(0), i(1)]);
    let bias = sum(&mut d, inner, &[], &[N], vec![i(0)]);
    d.root("grad/param/w", outer);
    d.root("grad/param/b", bias);
    d.root("grad/input/x", inner);
    d.root("grad/prev/s", prev);

    let arrays = [array("w", &[N, N]), array("p", &[N]), array("b", &[])];
    let mut program = program(vec![array("x", &[N])], vec![array("s", &[N])], arrays.to_vec());
    program.step = d.builder.finish();
    program.init = init();
    program
}

fn init() -> crate::graph::Graph {
    let mut d = Draft::new();
    let p = d.leaf(Leaf::Param(1), &[N]);
    let start = d.map(scalar::TANH, &[p]);
    d.root("start/s", start);
    d.adjoint = true;
    let seed = d.leaf(Leaf::Seed(0), &[N]);
    let adjoint = tanh_adjoint(&mut d, seed, start);
    d.root("grad/param/p", adjoint);
    d.builder.finish()
}

fn params() -> Vec<Tensor> {
    let n = N as usize;
    vec![numbers(&[n, n], 1), numbers(&[n], 2), numbers(&[], 3)]
}

fn batch(lengths: &[usize]) -> Batch {
    let steps = lengths.iter().copied().max().unwrap_or(0);
    let x = numbers(&[steps, lengths.len(), N as usize], 4);
    Batch { lengths: lengths.to_vec(), inputs: vec![x], starts: vec![None] }
}

fn want(roots: &[&str], gradients: bool) -> Want {
    Want { roots: roots.iter().map(|root| (*root).to_owned()).collect(), gradients }
}

fn loss(params: &[Tensor], batch: &Batch) -> f64 {
    let mut interp = Interp::new(&recurrent(), Precision::F64, 1);
    interp.run(params, batch, &want(&[], false)).loss.iter().sum()
}

/// Compares a gradient with central differences of the loss.
fn differences(name: &str, gradient: &Tensor, at: &Tensor, loss: impl Fn(&Tensor) -> f64) {
    for (place, got) in gradient.indexed_iter() {
        let moved = |by: f64| {
            let mut moved = at.clone();
            moved[place.clone()] += by;
            loss(&moved)
        };
        let wanted = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        assert!((got - wanted).abs() < 1e-8, "{name}{place:?}: {got} but should be {wanted}");
    }
}

fn bits(outcome: &Outcome) -> Vec<u64> {
    let gradients = outcome.gradients.as_ref().unwrap();
    let tensors = outcome.finals.iter().chain(outcome.roots.values());
    let tensors =
        tensors.chain(&gradients.params).chain(&gradients.inputs).chain(&gradients.starts);
    let numbers = tensors.flat_map(|tensor| tensor.iter()).chain(&outcome.loss);
    numbers.map(|number| number.to_bits()).collect()
}

#[test]
fn gradients_equal_finite_differences() {
    let (params, batch) = (params(), batch(&[4, 0, 2]));
    let mut interp = Interp::new(&recurrent(), Precision::F64, 2);
    let outcome = interp.run(&params, &batch, &want(&[], true));
    let gradients = outcome.gradients.unwrap();
    for (number, gradient) in gradients.params.iter().enumerate() {
        differences("param", gradient, &params[number], |moved| {
            let mut params = params.clone();
            params[number] = moved.clone();
            loss(&params, &batch)
        });
    }
    differences("x", &gradients.inputs[0], &batch.inputs[0], |moved| {
        let mut batch = batch.clone();
        batch.inputs[0] = moved.clone();
        loss(&params, &batch)
    });
}

#[test]
fn a_given_start_has_a_gradient_and_the_computed_one_none() {
    let params = params();
    let mut batch = batch(&[3, 2]);
    batch.starts[0] = Some(numbers(&[2, N as usize], 9));
    let mut interp = Interp::new(&recurrent(), Precision::F64, 1);
    let outcome = interp.run(&params, &batch, &want(&[], true));
    let gradients = outcome.gradients.unwrap();
    assert!(gradients.params[1].iter().all(|number| *number == 0.0));
    let start = batch.starts[0].clone().unwrap();
    differences("start", &gradients.starts[0], &start, |moved| {
        let mut batch = batch.clone();
        batch.starts[0] = Some(moved.clone());
        loss(&params, &batch)
    });
}

#[test]
fn threads_and_other_wishes_change_no_bit() {
    let batch = batch(&(0..41).map(|number| number % 5).collect::<Vec<_>>());
    for precision in [Precision::F64, Precision::F32] {
        let mut reference = None;
        for threads in [1, 2, 3, 8] {
            let mut interp = Interp::new(&recurrent(), precision, threads);
            let wish = want(&["value/before"], true);
            let first = bits(&interp.run(&params(), &batch, &wish));
            let plain = interp.run(&params(), &batch, &want(&[], false));
            let again = interp.run(&params(), &batch, &wish);
            assert_eq!(plain.loss, again.loss);
            assert_eq!(plain.finals, again.finals);
            assert_eq!(first, bits(&again));
            assert_eq!(*reference.get_or_insert(first.clone()), first);
        }
    }
}

#[test]
fn single_precision_is_close_to_double() {
    let batch = batch(&[7, 3]);
    let run = |precision| {
        let mut interp = Interp::new(&recurrent(), precision, 1);
        interp.run(&params(), &batch, &want(&["value/before"], true))
    };
    let (single, double) = (run(Precision::F32), run(Precision::F64));
    let close = |left: &Tensor, right: &Tensor| {
        left.iter().zip(right).all(|(left, right)| (left - right).abs() < 1e-4)
    };
    let gradients = (single.gradients.unwrap(), double.gradients.unwrap());
    for (left, right) in gradients.0.params.iter().zip(&gradients.1.params) {
        assert!(close(left, right));
    }
    assert!(close(&single.roots["value/before"], &double.roots["value/before"]));
}

#[test]
fn each_sample_runs_as_if_alone() {
    let lengths = [3, 1, 0, 2];
    let all = batch(&lengths);
    let mut interp = Interp::new(&recurrent(), Precision::F64, 1);
    let together = interp.run(&params(), &all, &want(&["value/before"], true));
    for (number, steps) in lengths.iter().enumerate() {
        let x = all.inputs[0].select(ndarray::Axis(1), &[number]);
        let one = Batch { lengths: vec![*steps], inputs: vec![x], starts: vec![] };
        let alone = interp.run(&params(), &one, &want(&["value/before"], true));
        assert_eq!(alone.loss[0], together.loss[number]);
        let own = |tensor: &Tensor, axis| tensor.select(ndarray::Axis(axis), &[number]);
        assert_eq!(alone.finals[0], own(&together.finals[0], 0));
        let trace = own(&together.roots["value/before"], 1);
        assert!(trace.outer_iter().skip(*steps).all(|row| row.iter().all(|v| *v == 0.0)));
        for (step, row) in alone.roots["value/before"].outer_iter().enumerate() {
            assert_eq!(row, trace.index_axis(ndarray::Axis(0), step));
        }
    }
    let starts = interp.starts(&params());
    assert_eq!(
        starts[0].iter().next(),
        together.finals[0].index_axis(ndarray::Axis(0), 2).iter().next()
    );
}

#[test]
fn missing_roots_are_zero_and_states_stay() {
    let mut d = Draft::new();
    let x = d.leaf(Leaf::Input(0), &[]);
    d.root("y", x);
    let mut program =
        program(vec![array("x", &[])], vec![array("s", &[2])], vec![array("w", &[2])]);
    program.step = d.builder.finish();
    let mut interp = Interp::new(&program, Precision::F64, 1);
    let start = numbers(&[1, 2], 1);
    let batch = Batch {
        lengths: vec![3],
        inputs: vec![numbers(&[3, 1], 2)],
        starts: vec![Some(start.clone())],
    };
    let outcome = interp.run(&[numbers(&[2], 3)], &batch, &want(&["y", "absent"], true));
    assert_eq!(outcome.loss, [0.0]);
    assert_eq!(outcome.finals[0], start);
    assert_eq!(outcome.roots.len(), 1);
    assert_eq!(outcome.roots["y"], batch.inputs[0]);
    let gradients = outcome.gradients.unwrap();
    assert_eq!(gradients.params[0], Tensor::zeros(vec![2]));
    assert_eq!(gradients.starts[0], Tensor::zeros(vec![1, 2]));
}

#[test]
fn an_empty_batch_is_no_work() {
    let mut interp = Interp::new(&recurrent(), Precision::F64, 4);
    let outcome = interp.run(&params(), &batch(&[]), &want(&["value/before"], true));
    assert!(outcome.loss.is_empty());
    assert_eq!(outcome.gradients.unwrap().params[0], Tensor::zeros(vec![3, 3]));
}

/// Momentum: v' = 0.9 v + g, value' = value - rate * v'.
fn momentum() -> Update {
    let mut d = Draft::new();
    let value = d.leaf(Leaf::Input(0), &[4]);
    let gradient = d.leaf(Leaf::Input(1), &[4]);
    let rate = d.leaf(Leaf::Input(2), &[]);
    let slot = d.leaf(Leaf::Prev(0), &[4]);
    let decay = d.builder.constant(0.9);
    let kept = product(&mut d, &[4], (slot, vec![Index::axis(0)]), (decay, vec![]));
    let next = d.map(scalar::ADD, &[kept, gradient]);
    let step = product(&mut d, &[4], (rate, vec![]), (next, vec![index(0, &[(0, 1)])]));
    let result = d.map(scalar::SUB, &[value, step]);
    d.root("value", result);
    d.root("next/v", next);
    let mut init = Draft { builder: Builder::new(), adjoint: false };
    let one = init.leaf(Leaf::Const(crate::graph::Bits::of(1.0)), &[4]);
    init.root("start/v", one);
    Update {
        graph: d.builder.finish(),
        inputs: vec![array("value", &[4]), array("gradient", &[4]), array("rate", &[])],
        slots: vec![array("v", &[4])],
        init: init.builder.finish(),
    }
}

#[test]
fn the_optimiser_replaces_its_slots() {
    let program = Program { update: Some(momentum()), ..recurrent() };
    let mut interp = Interp::new(&program, Precision::F64, 1);
    let mut slots = interp.slots();
    assert_eq!(slots[0], Tensor::ones(vec![4]));
    let (value, gradient) = (numbers(&[4], 1), numbers(&[4], 2));
    let after = interp.update(&value, &gradient, 0.1, &mut slots);
    let wanted = gradient.mapv(|g| 0.9 + g);
    assert_eq!(slots[0], wanted);
    assert_eq!(after, &value - &wanted.mapv(|v| 0.1 * v));
}

#[test]
fn the_first_bad_value_is_named() {
    let program = recurrent();
    let mut interp = Interp::new(&program, Precision::F64, 1);
    assert_eq!(interp.first_bad(&params(), &batch(&[4, 3])), None);
    let mut input = batch(&[4, 3]);
    input.inputs[0][[2, 1, 0]] = f64::NAN;
    let bad = interp.first_bad(&params(), &input).unwrap();
    assert_eq!((bad.sample, bad.step, bad.adjoint), (1, 2, false));
    assert_eq!(bad.path.0, "Input(0)");
    let mut broken = params();
    broken[1][[0]] = f64::INFINITY;
    assert_eq!(interp.first_bad(&broken, &input).unwrap().path.0, "Param(1)");
}

#[test]
fn a_value_bad_in_the_backward_sweep_alone_is_named() {
    // The square root is finite at 0; what stands for its slope here is not.
    let mut d = Draft::new();
    let x = d.leaf(Leaf::Input(0), &[]);
    let root = d.map(scalar::SQRT, &[x]);
    d.root("loss", root);
    d.adjoint = true;
    let half = d.builder.constant(0.5);
    let slope = d.map(scalar::DIV, &[half, root]);
    d.root("grad/input/x", slope);
    let mut program = program(vec![array("x", &[])], vec![], vec![]);
    program.step = d.builder.finish();
    let mut interp = Interp::new(&program, Precision::F64, 1);
    let batch = Batch { lengths: vec![2], inputs: vec![Tensor::zeros(vec![2, 1])], starts: vec![] };
    let bad = interp.first_bad(&[], &batch).unwrap();
    assert_eq!((bad.step, bad.adjoint, &bad.path.0[..]), (1, true, "div"));
}

#[test]
fn memory_is_known_beforehand_and_never_overflows() {
    let program = recurrent();
    let bytes =
        |steps, batch| Interp::budget(&program, (steps, batch), 2, Precision::F64, u64::MAX).bytes;
    assert!(bytes(10, 1) < 100_000);
    assert!(bytes(1000, 16) > bytes(10, 16));
    assert_eq!(bytes(usize::MAX, usize::MAX), u64::MAX);
    let mut d = Draft::new();
    let x = d.leaf(Leaf::Input(0), &[u32::MAX, u32::MAX, u32::MAX]);
    let y = d.map(scalar::NEG, &[x]);
    d.root("y", y);
    let arrays = vec![array("x", &[u32::MAX, u32::MAX, u32::MAX]); 2];
    let huge = super::program(arrays.clone(), arrays.clone(), arrays);
    let huge = Program { step: d.builder.finish(), ..huge };
    assert_eq!(Interp::budget(&huge, (1, 1), 1, Precision::F32, 0).bytes, u64::MAX);
}

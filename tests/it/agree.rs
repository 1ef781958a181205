//! The interpreter against the definition of a graph, its gradients against differences, and machine
//! code against the interpreter.
//!
//! In: random graphs, closed into programs of a few steps. A root must hold, bit for bit, what the
//! point-by-point evaluator says; after the passes up to rounding. A gradient that went through
//! `differentiate`, the passes and the loop over time must be the slope of the loss.

use std::collections::BTreeSet;

use ndarray::IxDyn;
use ntmc::backend::interp::Interp;
use ntmc::backend::jit;
use ntmc::backend::{Batch, Executable, Gradients, Outcome, Precision, Want};
use ntmc::compile::{optimised, with_adjoints};
use ntmc::graph::eval::{Values, evaluate};
use ntmc::graph::{
    Access, Array, Builder, Fold, Graph, Leaf, NodeId, Op, Operand, Origin, Path, Port, Program,
    Read, Space, Type, text, verified,
};
use ntmc::op::scalar::{self, Sort};
use ntmc::tensor::Tensor;

#[cfg(target_os = "linux")]
use crate::fence::{Side, behind};
use crate::random_graph::{Dice, random_graph, random_large_graph};

const STEPS: usize = 2;
/// Of so many programs that machine code is made for, one has long axes.
const EVERY: u64 = 7;
/// Two for each chunk of a batch.
const THREADS: usize = 32;

/// A program with numbers to run it on, one sample.
struct Case {
    program: Program,
    params: Vec<Tensor>,
    /// Each [T, 1, sizes..].
    inputs: Vec<Tensor>,
}

fn flat(sizes: &[u32], point: &[u32]) -> usize {
    sizes.iter().zip(point).fold(0, |flat, (size, at)| flat * *size as usize + *at as usize)
}

fn numbers(dice: &mut Dice, shape: &[usize], ty: Type) -> Tensor {
    Tensor::from_shape_fn(IxDyn(shape), |_| {
        let unit = dice.roll(1 << 20) as f64 / f64::from(1 << 20);
        match ty {
            Type::Real => 0.1 + 1.3 * unit,
            Type::Bool => unit.round(),
            Type::Int => (4.0 * unit).floor(),
            Type::Index { below, .. } => (unit * f64::from(below)).floor(),
        }
    })
}

/// The arrays of one kind of leaf, by number; a number that no node has is a lone real.
fn arrays(graph: &Graph, name: &str, number: impl Fn(&Leaf) -> Option<u32>) -> Vec<Array> {
    let mut list: Vec<Array> = Vec::new();
    for id in graph.ids() {
        let node = graph.node(id);
        let Op::Leaf(leaf) = &node.op else { continue };
        let Some(at) = number(leaf) else { continue };
        while list.len() <= at as usize {
            let path = Path(format!("{name}{}", list.len()));
            list.push(Array { path, sizes: Vec::new(), axes: Vec::new(), ty: Type::Real });
        }
        list[at as usize].sizes.clone_from(&node.space.sizes);
        list[at as usize].ty = node.ty;
    }
    list
}

fn whole(node: NodeId, rank: usize) -> (NodeId, Operand) {
    (node, Operand { port: Port(0), access: Access::identity(rank), when: Vec::new() })
}

/// `tanh` of a node, so that nothing grows from step to step.
fn tanh(builder: &mut Builder, node: NodeId) -> NodeId {
    let space = builder.graph().node(node).space.clone();
    let operands = vec![whole(node, space.rank())];
    builder.add(Op::Map(scalar::TANH), space, Type::Real, operands, Origin::default())
}

fn sum(builder: &mut Builder, node: NodeId) -> NodeId {
    let over = builder.graph().node(node).space.sizes.clone();
    let operands = vec![whole(node, over.len())];
    let op = Op::Reduce { fold: Fold::Sum, over, when: Vec::new() };
    builder.add(op, Space::default(), Type::Real, operands, Origin::default())
}

fn add(builder: &mut Builder, left: NodeId, right: NodeId) -> NodeId {
    let (left, mut right) = (whole(left, 0), whole(right, 0));
    right.1.port = Port(1);
    let operands = vec![left, right];
    builder.add(Op::Map(scalar::ADD), Space::default(), Type::Real, operands, Origin::default())
}

/// Real nodes without gaps, the last first.
fn plain(graph: &Graph) -> Vec<NodeId> {
    let fits = |id: &NodeId| {
        let node = graph.node(*id);
        node.ty == Type::Real && node.space.when.is_empty() && !graph.operands(*id).is_empty()
    };
    graph.ids().rev().filter(fits).collect()
}

/// A random graph as the step of a program: its last values make the loss and the next states.
fn case(seed: u64) -> Case {
    closed(random_graph(seed, 10), seed)
}

fn closed(graph: Graph, seed: u64) -> Case {
    let mut dice = Dice(seed ^ 0x5eed);
    let params = arrays(&graph, "p", |leaf| match leaf {
        Leaf::Param(at) => Some(*at),
        Leaf::Input(_) | Leaf::Prev(_) | Leaf::Seed(_) | Leaf::Const(_) | Leaf::Axis(_) => None,
    });
    let inputs = arrays(&graph, "x", |leaf| match leaf {
        Leaf::Input(at) => Some(*at),
        Leaf::Param(_) | Leaf::Prev(_) | Leaf::Seed(_) | Leaf::Const(_) | Leaf::Axis(_) => None,
    });
    let states = arrays(&graph, "s", |leaf| match leaf {
        Leaf::Prev(at) => Some(*at),
        Leaf::Param(_) | Leaf::Input(_) | Leaf::Seed(_) | Leaf::Const(_) | Leaf::Axis(_) => None,
    });
    let init = init(&params, &states);
    let step = step(graph, &states);
    let mut all = |arrays: &[Array], front: &[usize]| -> Vec<Tensor> {
        let shape = |array: &Array| [front, &array.shape()].concat();
        arrays.iter().map(|array| numbers(&mut dice, &shape(array), array.ty)).collect()
    };
    let (values, fed) = (all(&params, &[]), all(&inputs, &[STEPS, 1]));
    let program = Program { params, inputs, states, init, step, update: None };
    Case { program, params: values, inputs: fed }
}

/// Every state starts at the `tanh` of the sum of a parameter.
fn init(params: &[Array], states: &[Array]) -> Graph {
    let mut builder = Builder::new();
    for (at, state) in states.iter().enumerate() {
        let number = at % params.len();
        let leaf = Leaf::Param(number as u32);
        let sizes = &params[number].sizes;
        let param = builder.leaf(leaf, sizes, Type::Real, Origin::default());
        let total = sum(&mut builder, param);
        let node = tanh(&mut builder, total);
        let read = Read { node, access: Access::default(), sizes: state.sizes.clone() };
        builder.root(format!("start/{}", state.path), read);
    }
    verified(builder.finish(), "the start of a case")
}

fn step(graph: Graph, states: &[Array]) -> Graph {
    let plain = plain(&graph);
    let mut builder = Builder::extend(graph);
    let mut loss = builder.constant(0.0);
    for node in plain.iter().take(4) {
        let bounded = tanh(&mut builder, *node);
        let total = sum(&mut builder, bounded);
        loss = add(&mut builder, loss, total);
    }
    builder.root("loss", Read { node: loss, access: Access::default(), sizes: Vec::new() });
    for (at, state) in states.iter().enumerate() {
        let fits = |id: &&NodeId| builder.graph().node(**id).space.sizes == state.sizes;
        let prev = Leaf::Prev(at as u32);
        let node = plain.iter().find(fits).copied();
        let node =
            node.unwrap_or_else(|| builder.leaf(prev, &state.sizes, Type::Real, Origin::default()));
        let node = tanh(&mut builder, node);
        let access = Access::identity(state.sizes.len());
        builder.root(
            format!("next/{}", state.path),
            Read { node, access, sizes: state.sizes.clone() },
        );
    }
    verified(builder.finish(), "the step of a case")
}

/// Leaves of one step.
fn values<'g>(case: &Case, graph: &'g Graph, prev: &[Vec<f64>], step: usize) -> Values<'g> {
    let leaf = |leaf: &Leaf, point: &[u32]| match leaf {
        Leaf::Param(at) => {
            let at = *at as usize;
            case.params[at].as_slice().unwrap()[flat(&case.program.params[at].sizes, point)]
        }
        Leaf::Input(at) => {
            let array = &case.program.inputs[*at as usize];
            let line = case.inputs[*at as usize].as_slice().unwrap();
            line[step * array.len() + flat(&array.sizes, point)]
        }
        Leaf::Prev(at) => {
            let sizes = &case.program.states[*at as usize].sizes;
            prev[*at as usize][flat(sizes, point)]
        }
        Leaf::Seed(_) | Leaf::Const(_) | Leaf::Axis(_) => panic!("{leaf:?} has no value"),
    };
    evaluate(graph, &leaf)
}

/// Every root of the step at every step, by the definition.
fn defined(case: &Case) -> Vec<Vec<Vec<f64>>> {
    let Program { init, step, states, .. } = &case.program;
    let of = |values: &Values<'_>, graph: &Graph, kind: &str| -> Vec<Vec<f64>> {
        let root = |state: &Array| graph.root(&format!("{kind}/{}", state.path)).unwrap();
        states.iter().map(|state| values.read(root(state))).collect()
    };
    let mut prev = of(&values(case, init, &[], 0), init, "start");
    let mut all = Vec::new();
    for at in 0..STEPS {
        let values = values(case, step, &prev, at);
        all.push(step.roots.iter().map(|(_, read)| values.read(read)).collect());
        prev = of(&values, step, "next");
    }
    all
}

fn ready(program: &Program) -> Box<dyn Executable> {
    Box::new(Interp::new(program, Precision::F64, 1))
}

fn run(case: &Case, executable: &mut dyn Executable, params: &[Tensor], want: &Want) -> Outcome {
    let starts = vec![None; case.program.states.len()];
    let batch = Batch { lengths: vec![STEPS], inputs: case.inputs.clone(), starts };
    executable.run(params, &batch, want)
}

fn compare(case: &Case, program: &Program, gradients: bool, tolerance: f64) -> Outcome {
    let roots: Vec<String> =
        case.program.step.roots.iter().map(|(path, _)| path.0.clone()).collect();
    let outcome =
        run(case, &mut *ready(program), &case.params, &Want { roots: roots.clone(), gradients });
    for (at, step) in defined(case).iter().enumerate() {
        for (root, wanted) in roots.iter().zip(step) {
            let line = outcome.roots[root].as_slice().unwrap();
            let got = &line[at * wanted.len()..][..wanted.len()];
            for (got, wanted) in got.iter().zip(wanted) {
                let same = got.to_bits() == wanted.to_bits() || (got.is_nan() && wanted.is_nan());
                let close = (got - wanted).abs() <= tolerance * wanted.abs().max(1.0);
                assert!(
                    same || close,
                    "{root} at step {at}: {got}, by definition {wanted}\n{}",
                    text::print(&program.step)
                );
            }
        }
    }
    outcome
}

#[test]
fn the_interpreter_computes_what_a_graph_means() {
    for seed in 0..400 {
        let case = case(seed);
        compare(&case, &case.program, false, 0.0);
    }
}

/// Whether some function passes no gradient to a real argument although it has a slope there.
fn stops(graph: &Graph) -> bool {
    graph.ids().any(|id| match &graph.node(id).op {
        Op::Map(scalar::FLOOR) => false,
        Op::Map(function) => {
            let row = function.row();
            let shut = |(sort, partial): (&Sort, &Option<_>)| {
                *sort == Sort::Real && partial.is_none() && row.gives == Sort::Real
            };
            row.takes.iter().zip(&row.partials).any(shut)
        }
        Op::Leaf(_) | Op::Reduce { .. } | Op::Recur { .. } | Op::Join | Op::Opaque { .. } => false,
    })
}

/// Compares gradients with differences where the loss is smooth; how many of those that are not 0 were
/// compared.
fn sloped(case: &Case, program: &Program, gradients: &Gradients) -> usize {
    let mut executable = ready(program);
    let mut loss =
        |params: &[Tensor]| run(case, &mut *executable, params, &Want::default()).loss[0];
    let mut compared = 0;
    for (number, gradient) in gradients.params.iter().enumerate() {
        for (at, exact) in gradient.iter().enumerate() {
            let mut slope = |by: f64| {
                let mut moved = |by: f64| {
                    let mut params = case.params.clone();
                    params[number].as_slice_mut().unwrap()[at] += by;
                    loss(&params)
                };
                (moved(by) - moved(-by)) / (2.0 * by)
            };
            let (near, far) = (slope(1e-5), slope(2e-5));
            let scale = exact.abs().max(1.0);
            // A kink, a jump or a singularity is near: nothing to compare with.
            if !exact.is_finite() || !near.is_finite() || (near - far).abs() > 1e-6 * scale {
                continue;
            }
            compared += usize::from(*exact != 0.0);
            let difference = (exact - (4.0 * near - far) / 3.0).abs();
            assert!(
                difference <= 1e-5 * scale,
                "parameter {number} at {at}: {exact}, slope {near}\n{}",
                text::print(&program.step)
            );
        }
    }
    compared
}

#[test]
fn gradients_through_time_are_slopes() {
    let (mut compared, mut used) = (0, BTreeSet::new());
    for seed in 1000..1250 {
        let case = case(seed);
        let plain = with_adjoints(case.program.clone());
        let better = optimised(plain.clone());
        let outcome = compare(&case, &plain, true, 0.0);
        let faster = compare(&case, &better, true, 1e-12);
        if stops(&case.program.step) || !outcome.loss[0].is_finite() {
            continue;
        }
        for (program, outcome) in [(&plain, &outcome), (&better, &faster)] {
            let count = sloped(&case, program, outcome.gradients.as_ref().unwrap());
            compared += count;
            if count > 0 {
                used.insert(seed);
            }
        }
    }
    assert!(compared > 500 && used.len() > 30, "{compared} slopes of {} graphs", used.len());
}

/// Whether two numbers are equal up to rounding.
fn alike(left: f64, right: f64, tolerance: f64) -> bool {
    left.to_bits() == right.to_bits()
        || (left.is_nan() && right.is_nan())
        || tolerance > 0.0
            && (left - right).abs() <= tolerance * left.abs().max(right.abs()).max(1.0)
}

/// Every number of two outcomes, with the name of what it belongs to.
pub(crate) fn same_outcome(left: &Outcome, right: &Outcome, tolerance: f64) -> Result<(), String> {
    let mut pairs: Vec<(String, Vec<f64>, Vec<f64>)> =
        vec![("loss".to_owned(), left.loss.clone(), right.loss.clone())];
    let mut all = |name: &str, left: &[Tensor], right: &[Tensor]| {
        assert_eq!(left.len(), right.len(), "{name}");
        for (at, (left, right)) in left.iter().zip(right).enumerate() {
            let flat = |tensor: &Tensor| tensor.iter().copied().collect();
            assert_eq!(left.shape(), right.shape(), "{name} {at}");
            pairs.push((format!("{name} {at}"), flat(left), flat(right)));
        }
    };
    let values = |outcome: &Outcome| -> Vec<Tensor> { outcome.roots.values().cloned().collect() };
    all("root", &values(left), &values(right));
    all("final", &left.finals, &right.finals);
    if let (Some(left), Some(right)) = (&left.gradients, &right.gradients) {
        all("gradient of parameter", &left.params, &right.params);
        all("gradient of input", &left.inputs, &right.inputs);
        all("gradient of start", &left.starts, &right.starts);
    }
    assert_eq!(left.gradients.is_some(), right.gradients.is_some());
    for (name, left, right) in pairs {
        for (at, (left, right)) in left.iter().zip(&right).enumerate() {
            if !alike(*left, *right, tolerance) {
                return Err(format!("{name} at {at}: {left} and {right}"));
            }
        }
    }
    Ok(())
}

/// Whether the case of a seed has long axes.
fn is_large(seed: u64) -> bool {
    seed % EVERY == EVERY - 1
}

/// The case of a seed, its graph as it is, with adjoints or with less work in it, and several samples,
/// each with numbers of its own.
fn several(seed: u64) -> (Case, Program, Batch, Want) {
    let case = if is_large(seed) { closed(random_large_graph(seed, 14), seed) } else { case(seed) };
    let program = match seed % 3 {
        0 => case.program.clone(),
        1 => with_adjoints(case.program.clone()),
        _ => optimised(with_adjoints(case.program.clone())),
    };
    let roots = program.step.roots.iter().map(|(path, _)| path.0.clone());
    let roots: Vec<String> = match seed % 2 {
        0 => roots.filter(|name| !name.starts_with("grad/")).collect(),
        _ => Vec::new(),
    };
    let want = Want { roots, gradients: !seed.is_multiple_of(3) };
    // Groups of 16, 8, 4 and 1 samples; those of unequal length run apart.
    let many = if is_large(seed) { 18 } else { 45 };
    let lengths = [vec![STEPS], vec![STEPS; many], vec![2, 2, 2, 2, 2, 2, 2, 2, 1]]
        [seed as usize / 3 % 3]
        .clone();
    let mut dice = Dice(seed);
    let inputs = program.inputs.iter().map(|array| {
        let shape = [&[STEPS, lengths.len()][..], &array.shape()].concat();
        numbers(&mut dice, &shape, array.ty)
    });
    let starts = vec![None; program.states.len()];
    let batch = Batch { inputs: inputs.collect(), starts, lengths };
    (case, program, batch, want)
}

/// What the cases of some seeds were.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// In how many gradients were compared too.
    gradients: usize,
    /// In how many threads shared a step.
    shared: usize,
    /// Loops over several values, and products, in those with long axes.
    fused: usize,
    products: usize,
    /// In how many of those single precision was compared.
    single: usize,
}

/// A run of the case of a seed.
fn machine_code(seed: u64, tally: &mut Tally) {
    let (case, program, batch, want) = several(seed);
    let told = |what: String| format!("seed {seed}: {what}\n{}", text::print(&program.step));
    let truth = Interp::new(&program, Precision::F64, 1).run(&case.params, &batch, &want);
    let mut jit = jit::ready(&program, Precision::F64, 1).unwrap();
    let outcome = jit.run(&case.params, &batch, &want);
    same_outcome(&truth, &outcome, 1e-9).unwrap_or_else(|what| panic!("{}", told(what)));
    // The same bytes again, and from code made anew for many threads, that share even the smallest steps.
    let again = jit.run(&case.params, &batch, &want);
    same_outcome(&outcome, &again, 0.0).unwrap_or_else(|what| panic!("again: {}", told(what)));
    let mut helpers = 0;
    if seed.is_multiple_of(8) || batch.lengths.len() == 1 {
        let mut anew = jit::ready_sharing(&program, Precision::F64, THREADS, 1).unwrap();
        let found = anew.run(&case.params, &batch, &want);
        same_outcome(&outcome, &found, 0.0).unwrap_or_else(|what| panic!("anew: {}", told(what)));
        helpers += anew.facts().helpers;
    }
    // In single precision other functions call kernels, and vectors are wider.
    if is_large(seed) || seed.is_multiple_of(2) && batch.lengths.len() == 1 {
        let mut of = |threads: usize| {
            let mut ready = jit::ready_sharing(&program, Precision::F32, threads, 1).unwrap();
            let outcome = ready.run(&case.params, &batch, &want);
            helpers += ready.facts().helpers;
            outcome
        };
        let (alone, shared) = (of(1), of(2));
        let single = Interp::new(&program, Precision::F32, 1).run(&case.params, &batch, &want);
        if !is_large(seed) {
            let same = same_outcome(&single, &alone, 1e-4);
            same.unwrap_or_else(|what| panic!("single: {}", told(what)));
        } else if same_outcome(&truth, &single, 1e-4).is_ok() {
            // Long sums are added in another order: where that tells, the interpreter is off as well.
            let same = same_outcome(&truth, &alone, 1e-3);
            same.unwrap_or_else(|what| panic!("single: {}", told(what)));
            tally.single += 1;
        }
        same_outcome(&alone, &shared, 0.0).unwrap_or_else(|what| panic!("shared: {}", told(what)));
    }
    tally.gradients += usize::from(want.gradients);
    tally.shared += usize::from(helpers > 0);
    if is_large(seed) {
        let counts = jit::counts(&program);
        tally.fused += counts.fused;
        tally.products += counts.products + counts.late;
    }
}

/// Runs of the cases of some seeds.
fn machine_codes(seeds: std::ops::Range<u64>) {
    let mut tally = Tally::default();
    seeds.for_each(|seed| machine_code(seed, &mut tally));
    let Tally { gradients, shared, fused, products, single } = tally;
    let large = fused > 100 && products > 80 && single > 80;
    assert!(gradients > 500 && shared > 100 && large, "{tally:?}");
}

/// Two tests, so that two cores share them.
#[test]
fn machine_code_computes_what_the_interpreter_does() {
    machine_codes(0..1000);
}

#[test]
fn machine_code_computes_what_the_interpreter_does_from_1000_on() {
    machine_codes(1000..2000);
}

/// Machine code made and run where a read or a write outside its memory ends the process.
#[cfg(target_os = "linux")]
#[test]
fn machine_code_stays_inside_its_memory() {
    for seed in 3000..3160 {
        let (case, program, batch, want) = several(seed);
        for precision in [Precision::F32, Precision::F64] {
            let side = if seed.is_multiple_of(2) { Side::Back } else { Side::Front };
            // What is the same for all steps lies in memory that is taken with the code.
            let whole = seed.is_multiple_of(16);
            let make = || jit::ready(&program, precision, 1).unwrap();
            let mut jit = if whole { behind(side, seed, make) } else { make() };
            let first = if whole { None } else { Some(jit.run(&case.params, &batch, &want)) };
            // The memory of steps is given back, and taken again behind the fence.
            jit.keep_at_most(usize::MAX);
            let fenced = behind(side, seed, || jit.run(&case.params, &batch, &want));
            if let Some(first) = first {
                same_outcome(&first, &fenced, 0.0).unwrap_or_else(|what| panic!("{seed}: {what}"));
            }
        }
    }
}

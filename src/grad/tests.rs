//! Adjoints against central differences, and the conventions at kinks.

#![allow(clippy::unwrap_used, reason = "a test may stop where its own setup is wrong")]

use super::*;
use crate::graph::eval::evaluate;
use crate::graph::random::random;
use crate::graph::samples::{self, Maker, Sample, ax, noise};
use crate::graph::{Fold, NodeId, Toward};
use crate::op::scalar;

fn flat(sizes: &[u32], point: &[u32]) -> usize {
    sizes.iter().zip(point).fold(0, |flat, (size, at)| flat * *size as usize + *at as usize)
}

/// Leaves of a sample: its parameters, and seeds out of noise.
fn leaf<'a>(
    params: &'a [(Vec<u32>, Vec<f64>)],
    seed_sizes: &'a [u32],
) -> impl Fn(&Leaf, &[u32]) -> f64 + 'a {
    move |leaf, point| match leaf {
        Leaf::Param(number) => {
            let (sizes, values) = &params[*number as usize];
            values[flat(sizes, point)]
        }
        Leaf::Seed(_) => noise(7000 + flat(seed_sizes, point) as u64),
        Leaf::Input(_) | Leaf::Prev(_) | Leaf::Const(_) | Leaf::Axis(_) => {
            panic!("a sample has no {leaf:?}")
        }
    }
}

fn wanted(sample: &Sample) -> Vec<Wanted> {
    let want = |(number, (sizes, _)): (usize, &(Vec<u32>, Vec<f64>))| Wanted {
        leaf: Leaf::Param(number as u32),
        sizes: sizes.clone(),
        root: format!("grad/param/{number}"),
    };
    sample.params.iter().enumerate().map(want).collect()
}

fn differentiated(sample: &Sample) -> Graph {
    let seed = Seed { root: "y".to_owned(), from: SeedFrom::Leaf(0) };
    differentiate(sample.graph.clone(), &[seed], &wanted(sample))
}

fn gradients(sample: &Sample, graph: &Graph) -> Vec<Vec<f64>> {
    let sizes = &sample.graph.root("y").unwrap().sizes;
    let values = evaluate(graph, &leaf(&sample.params, sizes));
    wanted(sample).iter().map(|want| values.read(graph.root(&want.root).unwrap())).collect()
}

fn seeded_sum(sample: &Sample, params: &[(Vec<u32>, Vec<f64>)]) -> f64 {
    let root = sample.graph.root("y").unwrap();
    let values = evaluate(&sample.graph, &leaf(params, &root.sizes));
    values.read(root).iter().enumerate().map(|(at, y)| y * noise(7000 + at as u64)).sum()
}

/// The largest distance between adjoints and central differences, relative to the largest gradient.
fn distance(sample: &Sample) -> f64 {
    let gradients = gradients(sample, &differentiated(sample));
    let (mut largest, mut worst) = (1.0f64, 0.0f64);
    for (number, gradient) in gradients.iter().enumerate() {
        for (at, exact) in gradient.iter().enumerate() {
            let moved = |by: f64| {
                let mut params = sample.params.clone();
                params[number].1[at] += by;
                seeded_sum(sample, &params)
            };
            let step = 1e-5;
            let slope = |step: f64| (moved(step) - moved(-step)) / (2.0 * step);
            // The error of the second order cancels.
            let slope = (4.0 * slope(step) - slope(2.0 * step)) / 3.0;
            largest = largest.max(exact.abs());
            worst = if exact.is_nan() { f64::INFINITY } else { worst.max((exact - slope).abs()) };
        }
    }
    worst / largest
}

#[test]
fn adjoints_agree_with_differences() {
    let distances = samples::all().into_iter().map(|sample| (distance(&sample), sample.name));
    let wrong: Vec<_> = distances.filter(|(distance, _)| *distance > 1e-7).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn adjoints_of_random_graphs_agree_with_differences() {
    let distances = (0..600).map(|seed| (distance(&random(seed)), seed));
    let wrong: Vec<_> = distances.filter(|(distance, _)| *distance > 1e-7).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// The gradients at given values, where the convention is known.
fn convention(sample: &Sample) -> Vec<Vec<f64>> {
    let mut sample = sample.clone();
    // Seeds would hide the numbers: differentiate the sum of the root instead.
    let root = sample.graph.root("y").unwrap().clone();
    let mut builder = Builder::extend(sample.graph.clone());
    let whole = View { node: root.node, access: root.access.clone(), gathers: Vec::new() };
    let total = solve::sum(
        &mut builder,
        &whole,
        &[],
        root.sizes.clone(),
        crate::graph::Space::of([]),
        Origin::default(),
    );
    builder.root("loss", View::scalar(total).as_read(&[]).unwrap());
    sample.graph = builder.finish();
    let seed = Seed { root: "loss".to_owned(), from: SeedFrom::One };
    let graph = differentiate(sample.graph.clone(), &[seed], &wanted(&sample));
    gradients(&sample, &graph)
}

/// One scalar function at one point.
fn at_point(scalar: crate::op::Scalar, values: &[f64]) -> Vec<f64> {
    let mut m = Maker::new();
    let arguments: Vec<NodeId> = values.iter().map(|value| m.valued(&[1], vec![*value])).collect();
    let place = [ax(0)];
    let reads: Vec<_> = arguments.iter().map(|node| (*node, place.as_slice())).collect();
    let y = m.map(scalar, &[1], &reads);
    convention(&m.done("point", y)).concat()
}

#[test]
fn kinks_follow_the_table() {
    assert_eq!(at_point(scalar::MAX, &[0.5, 0.5]), [0.5, 0.5]);
    assert_eq!(at_point(scalar::MIN, &[0.5, 0.5]), [0.5, 0.5]);
    assert_eq!(at_point(scalar::SQRT, &[0.0]), [0.0]);
    assert_eq!(at_point(scalar::POW, &[0.0, 1.5]), [0.0, 0.0]);
    assert_eq!(at_point(scalar::POW, &[0.0, 0.0]), [0.0, 0.0]);
    assert_eq!(at_point(scalar::RELU, &[0.0]), [0.0]);
    assert_eq!(at_point(scalar::ABS, &[0.0]), [0.0]);
    assert_eq!(at_point(scalar::CLIP, &[0.5, 0.1, 0.5]), [1.0, 0.0, 0.0]);
    assert_eq!(at_point(scalar::CLIP, &[0.5, 0.5, 0.9]), [1.0, 0.0, 0.0]);
    assert_eq!(at_point(scalar::CLIP, &[0.05, 0.1, 0.5]), [0.0, 1.0, 0.0]);
    assert_eq!(at_point(scalar::CLIP, &[0.6, 0.1, 0.5]), [0.0, 0.0, 1.0]);
    // Where the limits cross, the upper one is what comes out.
    assert_eq!(at_point(scalar::CLIP, &[0.3, 0.4, 0.2]), [0.0, 0.0, 1.0]);
    assert_eq!(at_point(scalar::STOP, &[0.5]), [0.0]);
    assert_eq!(at_point(scalar::FLOOR, &[0.5]), [0.0]);
    // The gradient that arrives here is 1.
    assert_eq!(at_point(scalar::CLIP_GRADIENT, &[0.5, 0.25]), [0.25, 0.0]);
    assert_eq!(at_point(scalar::CLIP_GRADIENT, &[0.5, 2.0]), [1.0, 0.0]);
}

#[test]
fn ties_of_a_fold_share_equally() {
    for fold in [Fold::Max, Fold::Min] {
        let mut m = Maker::new();
        let a = m.valued(&[2, 3], vec![0.5, 0.5, 0.5, 0.25, 0.25, 0.25]);
        let y = m.fold(fold, &[], &[2, 3], vec![], &[(a, &[ax(0), ax(1)])]);
        let share = 1.0 / 3.0;
        let (first, second) = if fold == Fold::Max { (share, 0.0) } else { (0.0, share) };
        assert_eq!(convention(&m.done("tie", y))[0], [first, first, first, second, second, second]);
    }
}

#[test]
fn what_nothing_reaches_has_gradient_zero() {
    let mut m = Maker::new();
    let (a, _) = (m.param(&[2]), m.param(&[2, 2]));
    let y = m.map(scalar::EXP, &[2], &[(a, &[ax(0)])]);
    assert_eq!(convention(&m.done("apart", y))[1], [0.0; 4]);
}

/// Ops of the adjoint nodes of a sample, in order.
fn adjoint_ops(name: &str) -> Vec<&'static str> {
    let sample = samples::all().into_iter().find(|sample| sample.name == name).unwrap();
    let graph = differentiated(&sample);
    let name = |id: NodeId| match &graph.node(id).op {
        Op::Leaf(_) => "leaf",
        Op::Map(scalar) => scalar.row().name,
        Op::Reduce { over, when, .. } if over[..] == [1] && when.is_empty() => "copy",
        Op::Reduce { when, .. } if when.is_empty() => "sum",
        Op::Reduce { .. } => "sum if",
        Op::Recur { toward: Toward::Up, .. } => "recur up",
        Op::Recur { toward: Toward::Down, .. } => "recur down",
        Op::Join => "join",
        Op::Opaque { .. } => "opaque",
    };
    graph.ids().skip(sample.graph.len()).map(name).collect()
}

#[test]
fn accesses_with_an_inverse_make_no_node() {
    // The seed, the product with the weights, the product with the operand: nothing for the reads.
    let plain = ["leaf", "mul", "mul"];
    for name in
        ["transpose", "backwards", "roll", "roll backwards", "flatten", "unflatten", "shape of one"]
    {
        assert_eq!(adjoint_ops(name), plain, "{name}");
    }
    assert_eq!(adjoint_ops("shift"), ["leaf", "mul", "sum", "mul", "sum"]);
}

#[test]
fn accesses_that_cover_a_part_join_with_zero() {
    for name in ["slice", "row", "stride", "backward stride", "short roll", "diagonal"] {
        assert!(adjoint_ops(name).contains(&"join"), "{name} {:?}", adjoint_ops(name));
        assert!(!adjoint_ops(name).iter().any(|op| op.starts_with("sum")), "{name}");
    }
}

#[test]
fn scatters_turn_into_gathers_and_back() {
    assert_eq!(adjoint_ops("scatter of a parameter"), ["leaf", "copy"]);
    let scatter = adjoint_ops("scatter");
    assert!(!scatter.contains(&"sum if"), "{scatter:?}");
    assert!(adjoint_ops("gather with a repeat").contains(&"sum if"));
    // The allocation of the description: two products and a recurrence, one scatter.
    let allocation = adjoint_ops("allocation");
    assert_eq!(allocation.iter().filter(|op| **op == "sum if").count(), 2, "{allocation:?}");
}

//! Adjoints against central differences, and the conventions at kinks.

use super::*;
use crate::graph::eval::{self, evaluate};
use crate::graph::samples::{self, Maker, Sample, ax, noise};
use crate::graph::{Fold, NodeId};
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
        other => panic!("a sample has no {other:?}"),
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
            let slope = (moved(step) - moved(-step)) / (2.0 * step);
            largest = largest.max(exact.abs());
            worst = if exact.is_nan() { f64::INFINITY } else { worst.max((exact - slope).abs()) };
        }
    }
    worst / largest
}

#[test]
fn adjoints_agree_with_differences() {
    for sample in samples::all() {
        let distance = distance(&sample);
        assert!(distance <= 1e-7, "{}: {distance:e}\n{:#?}", sample.name, differentiated(&sample));
    }
}

//! Every pass keeps every bit; every row of the table fires.

#![allow(clippy::unwrap_used, reason = "a test may stop where its own setup is wrong")]

use std::collections::BTreeSet;

use super::*;
use crate::grad::{Seed, SeedFrom, Wanted, differentiate};
use crate::graph::eval::evaluate;
use crate::graph::random::random;
use crate::graph::samples::{self, Maker, Sample, ax, cond, dig, lin, noise};
use crate::graph::{Cond, Fold, Leaf, Rel};
use crate::op::{Scalar, scalar};

fn adjoint(sample: &Sample) -> Graph {
    let want = |(number, (sizes, _)): (usize, &(Vec<u32>, Vec<f64>))| Wanted {
        leaf: Leaf::Param(number as u32),
        sizes: sizes.clone(),
        root: format!("grad/param/{number}"),
    };
    let wanted: Vec<_> = sample.params.iter().enumerate().map(want).collect();
    let seed = Seed { root: "y".to_owned(), from: SeedFrom::Leaf(0) };
    differentiate(sample.graph.clone(), &[seed], &wanted)
}

/// The bits of all roots.
fn bits(sample: &Sample, graph: &Graph) -> Vec<Vec<u64>> {
    let at = |sizes: &[u32], point: &[u32]| {
        sizes.iter().zip(point).fold(0, |flat, (size, at)| flat * *size as usize + *at as usize)
    };
    let seeds = &graph.root("y").unwrap().sizes;
    let leaf = |leaf: &Leaf, point: &[u32]| match leaf {
        Leaf::Param(number) => {
            let (sizes, values) = &sample.params[*number as usize];
            values[at(sizes, point)]
        }
        Leaf::Seed(_) => noise(7000 + at(seeds, point) as u64),
        Leaf::Input(_) | Leaf::Prev(_) | Leaf::Const(_) | Leaf::Axis(_) => {
            panic!("a sample has no {leaf:?}")
        }
    };
    let values = evaluate(graph, &leaf);
    let roots = graph.roots.iter().map(|(_, read)| values.read(read));
    roots.map(|root| root.into_iter().map(f64::to_bits).collect()).collect()
}

#[test]
fn passes_keep_every_bit() {
    for sample in samples::all().into_iter().chain((0..300).map(random)) {
        for graph in [sample.graph.clone(), adjoint(&sample)] {
            let before = bits(&sample, &graph);
            for pass in PASSES {
                let after = verified((pass.run)(&graph), pass.name);
                assert_eq!(before, bits(&sample, &after), "{} after {}", sample.name, pass.name);
            }
            let after = optimise(graph);
            assert_eq!(before, bits(&sample, &after), "{} optimised", sample.name);
        }
    }
}

#[test]
fn optimising_twice_changes_nothing() {
    for sample in samples::all().into_iter().chain((0..300).map(random)) {
        let once = optimise(adjoint(&sample));
        assert!(same(&once, &optimise(once.clone())), "{}", sample.name);
    }
}

/// `scalar(x, number)` or `scalar(number, x)`, read by an `exp`, so that the node itself may go.
fn with_number(scalar: Scalar, number: f64, first: bool) -> Sample {
    let mut m = Maker::new();
    let (x, number) = (m.valued(&[4], vec![0.3, -0.7, 0.0, -0.0]), m.number(number));
    let place = [ax(0)];
    let (x, number) = ((x, place.as_slice()), (number, [].as_slice()));
    let node = m.map(scalar, &[4], &if first { [number, x] } else { [x, number] });
    m.done(scalar.row().name, node)
}

/// `outer(x, -y)` or `outer(-x, y)`.
fn with_minus(scalar: Scalar, first: bool) -> Sample {
    let mut m = Maker::new();
    let (x, y) = (m.valued(&[3], vec![0.3, 0.0, -0.0]), m.valued(&[3], vec![0.0, 0.0, -0.0]));
    let minus = m.map(scalar::NEG, &[3], &[(y, &[ax(0)])]);
    let (x, minus) = ((x, [ax(0)]), (minus, [ax(0)]));
    let pair = if first {
        [(minus.0, minus.1.as_slice()), (x.0, x.1.as_slice())]
    } else {
        [(x.0, x.1.as_slice()), (minus.0, minus.1.as_slice())]
    };
    let node = m.map(scalar, &[3], &pair);
    m.done(scalar.row().name, node)
}

fn twice(scalar: Scalar) -> Sample {
    let mut m = Maker::new();
    let x = m.valued(&[2], vec![1.0, 0.0]);
    let zero = m.number(0.0);
    let positive = m.map(scalar::LT, &[2], &[(zero, &[]), (x, &[ax(0)])]);
    let from = if scalar == scalar::NOT { positive } else { x };
    let once = m.map(scalar, &[2], &[(from, &[ax(0)])]);
    let again = m.map(scalar, &[2], &[(once, &[ax(0)])]);
    let node = if scalar == scalar::NOT {
        m.map(scalar::SELECT, &[2], &[(again, &[ax(0)]), (x, &[ax(0)]), (zero, &[])])
    } else {
        again
    };
    m.done("twice", node)
}

fn selects() -> Vec<Sample> {
    let mut known = Maker::new();
    let (x, one, two) = (known.param(&[2]), known.number(1.0), known.number(2.0));
    let less = known.map(scalar::LT, &[], &[(one, &[]), (two, &[])]);
    let y = known.map(scalar::SELECT, &[2], &[(less, &[]), (x, &[ax(0)]), (one, &[])]);
    let mut same = Maker::new();
    let x = same.param(&[2]);
    let zero = same.number(0.0);
    let less = same.map(scalar::LT, &[2], &[(zero, &[]), (x, &[ax(0)])]);
    let z = same.map(scalar::SELECT, &[2], &[(less, &[ax(0)]), (x, &[ax(0)]), (x, &[ax(0)])]);
    let mut equal = Maker::new();
    let x = equal.param(&[2]);
    let w = equal.map(scalar::MAX, &[2], &[(x, &[ax(0)]), (x, &[ax(0)])]);
    vec![known.done("known", y), same.done("same", z), equal.done("equal", w)]
}

fn conditions() -> Vec<Sample> {
    let i = || lin(0, &[(0, 1)]);
    let always = [cond(i(), Rel::Lt, 3)];
    let never = [cond(i(), Rel::Ge, 3)];
    let mut m = Maker::new();
    let (x, zero) = (m.param(&[3]), m.number(0.0));
    let y = m.join(&[3], &[(&always, x, &[ax(0)]), (&never, zero, &[])]);
    let known = m.done("join known", y);
    let (low, high): ([Cond; 1], [Cond; 1]) = ([cond(i(), Rel::Lt, 1)], [cond(i(), Rel::Ge, 1)]);
    let mut m = Maker::new();
    let x = m.param(&[3]);
    let y = m.join(&[3], &[(&low, x, &[ax(0)]), (&high, x, &[ax(0)])]);
    let same = m.done("join same", y);
    let mut m = Maker::new();
    let x = m.param(&[3]);
    let y = m.fold(Fold::Sum, &[], &[3], always.to_vec(), &[(x, &[ax(0)])]);
    vec![known, same, m.done("fold known", y)]
}

fn firing() -> Vec<Sample> {
    let mut list = vec![
        with_number(scalar::MUL, 1.0, false),
        with_number(scalar::MUL, 1.0, true),
        with_number(scalar::MUL, -1.0, false),
        with_number(scalar::MUL, -1.0, true),
        with_number(scalar::DIV, 1.0, false),
        with_number(scalar::DIV, 4.0, false),
        with_number(scalar::SUB, 0.0, false),
        with_number(scalar::ADD, -0.0, false),
        with_number(scalar::ADD, -0.0, true),
        with_number(scalar::SUB, -0.0, true),
        with_number(scalar::POW, 1.0, false),
        with_number(scalar::POW, 2.0, false),
        with_minus(scalar::SUB, false),
        with_minus(scalar::ADD, false),
        with_minus(scalar::ADD, true),
        twice(scalar::NEG),
        twice(scalar::NOT),
    ];
    for first in [false, true] {
        let mut m = Maker::new();
        let (x, zero) = (m.param(&[2]), m.number(0.0));
        let e = m.map(scalar::EXP, &[2], &[(x, &[ax(0)])]);
        let (e, zero) = ((e, [ax(0)]), (zero, [].as_slice()));
        let e = (e.0, e.1.as_slice());
        let pair = if first { [zero, e] } else { [e, zero] };
        let y = m.map(scalar::ADD, &[2], &pair);
        list.push(m.done("plus zero", y));
    }
    list.extend(selects());
    list.extend(conditions());
    list
}

#[test]
fn every_row_fires_and_keeps_the_bits() {
    let mut fired = BTreeSet::new();
    for sample in firing() {
        fired.extend(simplify::fitting(&sample.graph));
        let after = optimise(sample.graph.clone());
        assert_eq!(bits(&sample, &sample.graph), bits(&sample, &after), "{}", sample.name);
    }
    let all: BTreeSet<_> = simplify::RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(fired, all);
}

#[test]
fn zero_is_kept_where_it_could_turn_minus_zero_round() {
    for sample in [with_number(scalar::ADD, 0.0, false), with_number(scalar::SUB, 0.0, true)] {
        assert!(same(&sample.graph, &optimise(sample.graph.clone())), "{}", sample.name);
    }
}

#[test]
fn a_roll_of_a_copied_roll_is_one_roll() {
    let mut m = Maker::new();
    let x = m.param(&[5]);
    let copy = m.join(&[5], &[(&[], x, &[dig(lin(-1, &[(0, 1)]), 1, 5)])]);
    let y = m.map(scalar::EXP, &[5], &[(copy, &[dig(lin(-2, &[(0, 1)]), 1, 5)])]);
    let after = optimise(m.done("rolls", y).graph);
    assert_eq!(after.len(), 2);
    let exp = after.root("y").unwrap().node;
    assert_eq!(after.operands(exp)[0].1.access.0, vec![dig(lin(2, &[(0, 1)]), 1, 5)]);
}

#[test]
fn what_no_root_needs_goes() {
    let mut m = Maker::new();
    let x = m.param(&[2]);
    m.map(scalar::EXP, &[2], &[(x, &[ax(0)])]);
    let y = m.map(scalar::TANH, &[2], &[(x, &[ax(0)])]);
    assert_eq!(optimise(m.done("dead", y).graph).len(), 2);
}

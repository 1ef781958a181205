//! Loops of groups of four samples, two places of which share a vector.
//!
//! In: a graph in which everything lies in another way: for each sample and for all, at every place, at one, and
//! apart. Invariant: values and gradients are those of the interpreter, up to the rounding of single precision.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

use super::{array, compare, inputs};
use crate::backend::interp::Interp;
use crate::backend::jit::{Listing, list, ready, wide};
use crate::backend::{Batch, Executable, Precision, Want};
use crate::compile::with_adjoints;
use crate::graph::Program;
use crate::graph::text::parse;
use crate::random::Stream;
use crate::tensor::Tensor;

const GRAPH: &str = "
%a[i:R, j:C] = input 0 -- a
%v[i:R] = input 1 -- v
%s[j:C, n:2] = input 2 -- s
%g[i:R, j:C] = param 0 -- g
%p[i:R] = param 1 -- p
%t[j:C, n:3] = param 2 -- t
%x[j:C]: permutation(C) = axis j -- x
%m[i:R, j:C] = join { i == j + 1: %p[i]; i != j + 1: %a[i, j] * %v[i] - %g[i, j] } -- m
%far[i:R, j:C] = %m[i, j] * %s[j, 1] + %t[j, 2] * %p[i] -- far
%near[i:R, j:C] = max(%far[i, j], %a[i, j]) * 0.5 - select(%x[j] == 5, %v[i], 0.25) -- near
%row[i:R] = sum[j:C | i != j + 1] %near[i, j] * %t[j, 0] -- row
%most[i:R] = max[j:C] %far[i, j] -- most
%col[j:C] = sum[i:R] %near[i, j] * %v[i] -- col
%below[j:C] = sum[i:R | i < j] %m[i, j] * %s[j, 0] -- below
%q[i:R] = tanh(%row[i] * 0.1) + %most[i] -- q
%r[j:C] = tanh(%col[j] * 0.1) - %below[j] * 0.1 -- r
%e = sum[i:R] %q[i] * %q[i] -- e
%f = sum[j:C] %r[j] * %r[j] -- f
%loss = %e + %f -- loss
loss = %loss
near[i:R, j:C] = %near[i, j]
row[i:R] = %row[i]
most[i:R] = %most[i]
col[j:C] = %col[j]
below[j:C] = %below[j]
";

fn program(rows: u32, cols: u32) -> Program {
    let text = GRAPH.replace(":R", &format!(":{rows}")).replace(":C", &format!(":{cols}"));
    let text = text.replace("(C)", &format!("({cols})"));
    with_adjoints(Program {
        params: vec![array("g", &[rows, cols]), array("p", &[rows]), array("t", &[cols, 3])],
        inputs: vec![array("a", &[rows, cols]), array("v", &[rows]), array("s", &[cols, 2])],
        step: parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}")),
        ..Program::default()
    })
}

#[test]
fn four_samples_at_two_places_are_each_what_they_are_alone() {
    let mut stream = Stream::new(12, &["pairs"], &[]);
    for (rows, cols) in [(40, 16), (20, 36), (33, 8), (16, 64)] {
        let program = program(rows, cols);
        let values: Vec<Tensor> = (program.params.iter())
            .map(|array| {
                Tensor::from_shape_simple_fn(array.shape(), || {
                    f64::from(stream.whole(0, 400) as u16) / 256.0 - 0.75
                })
            })
            .collect();
        let roots = ["near", "row", "most", "col", "below"].map(str::to_owned).to_vec();
        let want = Want { roots, gradients: true };
        for samples in [8, 9, 13] {
            let batch = Batch {
                lengths: vec![1; samples],
                inputs: inputs(&program, &mut stream, samples),
                starts: Vec::new(),
            };
            let wanted = Interp::new(&program, Precision::F64, 1).run(&values, &batch, &want);
            let got = ready(&program, Precision::F32, 1).unwrap().run(&values, &batch, &want);
            let what = format!("{rows} x {cols}, {samples} samples");
            compare(&wanted.roots, &got.roots, &what);
            let [wanted, got] = [wanted, got].map(|outcome| outcome.gradients.unwrap());
            let [wanted, got] = [wanted, got].map(|all| [all.params, all.inputs].concat());
            assert_eq!(wanted.len(), got.len());
            for (at, (wanted, got)) in wanted.iter().zip(&got).enumerate() {
                let largest = wanted.iter().fold(1.0, |most: f64, value| most.max(value.abs()));
                for (wanted, got) in wanted.iter().zip(got) {
                    let apart = (wanted - got).abs();
                    assert!(apart < 1e-4 * largest, "{what}, gradient {at}: {wanted}, {got}");
                }
            }
        }
    }
}

#[test]
fn two_places_share_a_vector_where_vectors_are_wide() {
    let program = program(40, 16);
    for (samples, pairs) in [(4, wide::can()), (8, false)] {
        let shown = list(&program, Listing::Asm, samples).unwrap();
        for inst in ["LoadTwice", "PutUpper"] {
            assert_eq!(shown.contains(&format!("  {inst}")), pairs, "{samples}: {inst}\n{shown}");
        }
    }
}

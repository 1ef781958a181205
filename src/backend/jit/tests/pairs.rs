//! Loops of groups of four samples, two places of which share a vector, and of eight, which fill one.
//!
//! In: a graph in which everything lies in another way: for each sample and for all, at every place, at one, and
//! apart. Invariant: values and gradients are those of the interpreter, up to the rounding of single precision.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

use super::sequences::{agree, of};
use super::{array, inputs};
use crate::backend::Batch;
use crate::backend::jit::{Listing, list, wide};
use crate::compile::with_adjoints;
use crate::graph::Program;
use crate::graph::text::parse;
use crate::random::Stream;

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
%back[i:R, j:C] = %a[i, j] * %s[C1 - j, 0] - %t[C1 - j, 1] * %v[i] -- back
%near[i:R, j:C] = max(%far[i, j], %a[i, j]) * 0.5 - select(%x[j] == 5, %v[i], 0.25) -- near
%row[i:R] = sum[j:C | i != j + 1] %near[i, j] * %t[j, 0] + %back[i, j] -- row
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
";

fn program(rows: u32, cols: u32) -> Program {
    let text = GRAPH.replace(":R", &format!(":{rows}")).replace(":C", &format!(":{cols}"));
    let text = text.replace("(C)", &format!("({cols})"));
    let text = text.replace("C1", &(cols - 1).to_string());
    with_adjoints(Program {
        params: vec![array("g", &[rows, cols]), array("p", &[rows]), array("t", &[cols, 3])],
        inputs: vec![array("a", &[rows, cols]), array("v", &[rows]), array("s", &[cols, 2])],
        step: parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}")),
        ..Program::default()
    })
}

#[test]
fn samples_at_some_places_are_each_what_they_are_alone() {
    let mut stream = Stream::new(12, &["pairs"], &[]);
    for (rows, cols) in [(40, 16), (20, 36), (33, 8), (16, 64)] {
        let program = program(rows, cols);
        let params = of(&program.params, &mut stream);
        for samples in [8, 9, 13, 16, 21] {
            let inputs = inputs(&program, &mut stream, samples);
            let batch = Batch { lengths: vec![1; samples], inputs, starts: Vec::new() };
            let what = format!("{rows} x {cols}, {samples} samples");
            agree(&program, &params, &batch, "near", &what);
        }
    }
}

#[test]
fn two_places_share_a_vector_where_vectors_are_wide() {
    let program = program(40, 16);
    for (samples, pairs) in [(4, wide::can()), (8, false)] {
        let shown = list(&program, Listing::Asm, samples).unwrap();
        let loops: Vec<&str> = shown.split(" one pass over ").skip(1).collect();
        assert!(loops.len() > 1, "{shown}");
        for code in loops {
            let code = code.split("\n\n").next().unwrap_or_default();
            assert_eq!(code.contains("(Eight, "), wide::can(), "{samples} samples: {code}");
        }
        for inst in ["LoadTwice", "PutUpper"] {
            assert_eq!(shown.contains(&format!("  {inst}")), pairs, "{samples}: {inst}\n{shown}");
        }
        // Either way a step is two places.
        let two = shown.contains("  Address(Mem { base: Register, index: None, offset: 2 })");
        assert_eq!(two, wide::can(), "{samples} samples: {shown}");
    }
}

/// What a row reads at every column is loaded once, unless a condition says whether it may be read.
#[test]
fn what_stands_still_is_loaded_before_a_row() {
    let first_pass = |row: &str| {
        let text = format!(
            "
%a[i:24, j:128] = input 0 -- a
%v[i:24] = input 1 -- v
%m[i:24, j:128] = join {{ i < 1: %a[i, j]; i >= 1: %a[i, j] * %v[i - 1] }} -- m
%row[i:24] = sum[j:128] {row} -- row
%col[j:128] = sum[i:24] %m[i, j] -- col
%e = sum[i:24] %row[i] * %row[i] -- e
%f = sum[j:128] %col[j] * %col[j] -- f
%loss = %e + %f -- loss
loss = %loss
"
        );
        let program = with_adjoints(Program {
            inputs: vec![array("a", &[24, 128]), array("v", &[24])],
            step: parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}")),
            ..Program::default()
        });
        let shown = list(&program, Listing::Clif, 1).unwrap();
        let pass =
            shown.split(" one pass over ").nth(1).and_then(|code| code.split("\n}\n").next());
        pass.unwrap_or_else(|| panic!("{shown}")).to_owned()
    };
    let still = first_pass("%m[i, j] * %v[i]");
    assert!(still.contains("can_move"), "{still}");
    let guarded = first_pass("%m[i, j]");
    assert!(guarded.contains("load") && !guarded.contains("can_move"), "{guarded}");
}

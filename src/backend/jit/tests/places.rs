//! Large states and their adjoints, written where those have arrived or elsewhere.
//!
//! In: a state that a step changes point by point, handed on in several ways. Invariant: an adjoint is written where it
//! has arrived only if nobody else reads that, and values and gradients are the interpreter's either way.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

use super::array;
use super::sequences::{agree, numbers, of};
use crate::backend::Batch;
use crate::backend::jit::layout::{Layout, Region, layout};
use crate::backend::jit::turn::arranged;
use crate::backend::jit::{Listing, list, wide};
use crate::backend::phase::{Wanted, wanted_of_step};
use crate::compile::with_adjoints;
use crate::graph::text::parse;
use crate::graph::{Leaf, Program};
use crate::random::Stream;

/// What steps begin with: a matrix, and two vectors that follow from the input.
const LEAVES: &str = "
%x[i:R] = input 0 -- x
%s[i:R, j:R] = prev 0 -- s
%u[i:R] = param 0 -- u
%v[i:R] = param 1 -- v
%g[i:R] = tanh(%x[i] * %u[i]) -- g
%k[i:R] = tanh(%x[i] + %v[i]) -- k
";

/// A matrix that fades and is written to, and is read along rows and columns; then what follows from it.
const STEP: &str = "
%w[i:R, j:R] = (1 - 0.25 * %g[i] - 0.25 * %k[j]) * %s[i, j] + %g[i] * %k[j] -- w
%t[i:R, j:R] = join { i < j: %w[i, j]; i == j: 0; i > j: %w[i, j] } -- t
%r[i:R] = sum[j:R] %t[i, j] * %k[j] -- r
%c[j:R] = sum[i:R] %t[i, j] * %g[i] -- c
%q[i:R] = %r[i] * %c[i] -- q
%o[i:R, j:R] = %t[i, j] * %k[(j + 1) mod R] -- o
%loss = sum[i:R] %q[i] * %q[i] -- loss
loss = %loss
q[i:R] = %q[i]
next/s[i:R, j:R] = ";

/// The program whose state takes that, with so many rows and columns.
fn program(next: &str, rows: u32) -> Program {
    of_state(&format!("{STEP}{next}\n"), rows)
}

/// The program of a step that goes on after [`LEAVES`], with one matrix as its state, with so many rows and columns.
fn of_state(step: &str, rows: u32) -> Program {
    let parsed = |text: &str| parse(&text.replace('R', &rows.to_string())).unwrap();
    with_adjoints(Program {
        params: vec![array("u", &[rows]), array("v", &[rows])],
        inputs: vec![array("x", &[rows])],
        states: vec![array("s", &[rows, rows])],
        init: parsed("\n%c = 0.25 -- c\nstart/s[i:R, j:R] = %c\n"),
        step: parsed(&format!("{LEAVES}{step}")),
        update: None,
    })
}

#[test]
fn what_lies_far_is_asked_for_ahead() {
    for (rows, far) in [(24, false), (192, true)] {
        let program = program("%t[i, j]", rows);
        let asks = |samples| list(&program, Listing::Asm, samples).unwrap().contains("  Fetch(");
        assert_eq!(asks(1), far && wide::can(), "{rows}");
        assert!(!asks(4), "{rows}");
        // Where nothing fetches, nothing may load from there.
        assert!(!list(&program, Listing::Clif, 4).unwrap().contains("load.i8"), "{rows}");
    }
}

fn laid_out(program: &Program) -> Layout {
    let wanted = wanted_of_step(program, &["q".to_owned()], true);
    layout(&arranged(&program.step).graph, &wanted, true)
}

/// Compiled code and the interpreter agree on sequences of these lengths.
fn right(program: &Program, lengths: &[usize], stream: &mut Stream, what: &str) {
    let params = of(&program.params, stream);
    let most = lengths.iter().max().copied().unwrap_or(0);
    let sizes = [&[most, lengths.len()], &program.inputs[0].shape()[..]].concat();
    let inputs = vec![numbers(&sizes, stream)];
    let batch = Batch { lengths: lengths.to_vec(), inputs, starts: Vec::new() };
    agree(program, &params, &batch, "q", what);
}

#[test]
fn an_adjoint_stays_where_it_is_if_nobody_else_reads_it() {
    let stay = [("%t[i, j]", 1), ("%w[i, j]", 1)];
    let elsewhere = ["%t[j, i]", "%t[(i + 1) mod R, j]", "%o[i, j]"].map(|next| (next, 0));
    for rows in [20, 24, 192] {
        let mut stream = Stream::new(5, &["places"], &[u64::from(rows)]);
        for (next, standing) in stay.into_iter().chain(elsewhere) {
            let program = program(next, rows);
            assert_eq!(laid_out(&program).standing().count(), standing, "{next}");
            let many: &[usize] =
                if rows == 192 { &[3, 3] } else { &[3, 3, 3, 3, 3, 3, 3, 3, 0, 1] };
            for lengths in [&[3], many] {
                let what = format!("{next} of {rows} rows, lengths {lengths:?}");
                right(&program, lengths, &mut stream, &what);
            }
        }
    }
}

/// A matrix whose new part follows from it and vectors; the gradient of how much is written reads that part.
const WRITTEN: &str = "
%d[i:R, j:R] = %g[j] - %s[i, j] * %k[j] -- d
%w[i:R, j:R] = %s[i, j] + 0.25 * %g[i] * %d[i, j] -- w
%q[i:R] = sum[j:R] %w[i, j] * %k[j] -- q
%loss = sum[i:R] %q[i] * %q[i] -- loss
loss = %loss
q[i:R] = %q[i]
next/s[i:R, j:R] = %w[i, j]
";

#[test]
fn what_a_large_state_is_read_for_anyway_is_not_kept() {
    for (rows, kept) in [(24, true), (32, false)] {
        let program = of_state(WRITTEN, rows);
        let laid_out = laid_out(&program);
        let graph = arranged(&program.step).graph;
        let paths = graph.ids().filter(|id| graph.node(*id).origin.path.to_string() == "d");
        let mut slots = paths.filter_map(|id| laid_out.slot(id));
        assert_eq!(slots.any(|slot| slot.region == Region::Tape), kept, "{rows} rows");
        for lengths in [&[4][..], &[4; 9]] {
            let what = format!("{rows} rows, lengths {lengths:?}");
            right(&program, lengths, &mut Stream::new(11, &["written"], &[]), &what);
        }
    }
}

/// Two states, of which one is what the other was, and one that is only scaled.
const ROOTS: &str = "
%x[i:R] = input 0 -- x
%a[i:R, j:R] = prev 0 -- a
%b[i:R, j:R] = prev 1 -- b
%s[i:R, j:R] = prev 2 -- s
%u[i:R] = param 0 -- u
%v[i:R] = param 1 -- v
%k[i:R] = tanh(%x[i] * %u[i] + %v[i]) -- k
%c[i:R, j:R] = %a[i, j] * %k[i] + %k[j] -- c
%r[i:R] = sum[j:R] %c[i, j] * %k[j] -- r
%h[i:R, j:R] = ORDER -- h
%q[i:R] = %r[i] + %h[i, 0] -- q
%loss = sum[i:R] %q[i] * %q[i] -- loss
loss = %loss
q[i:R] = %q[i]
next/a[i:R, j:R] = %b[i, j]
next/b[i:R, j:R] = %c[i, j]
next/s[i:R, j:R] = %h[i, j]
";

#[test]
fn an_adjoint_that_is_handed_on_itself_does_not_stay() {
    for order in ["%s[i, j] * %k[i]", "%k[i] * %s[i, j]", "tanh(%k[i] * %s[i, j])"] {
        let parsed = |text: &str| parse(&text.replace("ORDER", order).replace('R', "24")).unwrap();
        let init = "
%c = 0.25 -- c
start/a[i:R, j:R] = %c
start/b[i:R, j:R] = %c
start/s[i:R, j:R] = %c
";
        let program = with_adjoints(Program {
            params: vec![array("u", &[24]), array("v", &[24])],
            inputs: vec![array("x", &[24])],
            states: ["a", "b", "s"].map(|name| array(name, &[24, 24])).to_vec(),
            init: parsed(init),
            step: parsed(ROOTS),
            update: None,
        });
        let laid_out = laid_out(&program);
        let graph = arranged(&program.step).graph;
        let arriving = |state| graph.leaf(&Leaf::Seed(state)).and_then(|leaf| laid_out.slot(leaf));
        let stays = |state| arriving(state).is_some_and(|slot| slot.region == Region::Work);
        assert!(laid_out.handed[0].is_some() && arriving(0).is_some(), "{order}");
        assert!(!stays(0) && stays(2), "{order}");
        right(&program, &[4], &mut Stream::new(9, &[order], &[]), order);
        right(&program, &[4; 9], &mut Stream::new(9, &[order], &[]), order);
    }
}

/// An adjoint that two read directly: one hands it on, the other adds it up along its rows.
const SEED: &str = "
%s[i:24, j:24] = prev 0 -- s
%k[i:24] = param 0 -- k
%h[i:24, j:24] = %s[i, j] * %k[i] -- h
%d[i:24, j:24] = seed 0 -- d
";

#[test]
fn who_reads_an_adjoint_comes_before_whoever_writes_over_it() {
    let over = "%o[i:24, j:24] = %d[i, j] * %k[i] -- o\n";
    let sum = "%f[i:24] = sum[j:24] %d[i, j] * %s[i, j] -- f\n";
    let roots =
        "next/s[i:24, j:24] = %h[i, j]\ngrad/prev/s[i:24, j:24] = %o[i, j]\nf[i:24] = %f[i]\n";
    for (lines, standing) in [([sum, over], 1), ([over, sum], 0)] {
        let graph = parse(&format!("{SEED}{}{roots}", lines.concat())).unwrap();
        let wanted = Wanted {
            states: vec!["s".to_owned()],
            forward: vec!["next/s".to_owned()],
            backward: vec!["grad/prev/s".to_owned(), "f".to_owned()],
            ..Wanted::default()
        };
        let layout = layout(&graph, &wanted, true);
        assert_eq!(layout.fused.len(), 1, "{lines:?}");
        assert_eq!(layout.standing().count(), standing, "{lines:?}");
    }
}

#[test]
fn second_arguments_have_room_wherever_results_lie() {
    let text = "
%s[i:4096] = prev 0 -- s
%k[i:4096] = param 0 -- k
%h[i:4096] = %s[i] * %k[i] -- h
%d[i:4096] = seed 0 -- d
%o[i:4096] = pow(%d[i], %k[i]) -- o
next/s[i:4096] = %h[i]
grad/prev/s[i:4096] = %o[i]
";
    let wanted = Wanted {
        states: vec!["s".to_owned()],
        forward: vec!["next/s".to_owned()],
        backward: vec!["grad/prev/s".to_owned()],
        ..Wanted::default()
    };
    let layout = layout(&parse(text).unwrap(), &wanted, true);
    assert!(layout.handed[0].is_some());
    assert!(layout.work - layout.second.offset >= 4096);
}

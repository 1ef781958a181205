//! Programs over time, and optimisers, whose graphs are laid out in another way than they are written.
//!
//! In: states of every form, products that can be stacked, joins, rules over many parameters. Invariant: values,
//! last states, gradients and new parameters are those of the interpreter, up to rounding.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

use super::array;
use crate::backend::interp::Interp;
use crate::backend::jit::stack::stacked;
use crate::backend::jit::{ready, ready_sharing};
use crate::backend::{Batch, Executable, Gradients, Outcome, Precision, Trainable, Want};
use crate::compile::with_adjoints;
use crate::graph::text::parse;
use crate::graph::{Array, Graph, Program, Update};
use crate::random::Stream;
use crate::tensor::Tensor;

/// A square state that comes back transposed, one whose columns are whole vectors, one that is both read and
/// written askew, and products that share a vector, forward and backward.
const STEP: &str = "
%x[i:6] = input 0 -- x
%s[i:8, j:8] = prev 0 -- s
%m[i:16, j:5] = prev 1 -- m
%w[i:16, j:5] = prev 2 -- w
%u[i:5, j:6] = param 0 -- u
%v[n:2, i:3, j:6] = param 1 -- v
%b[i:6] = param 2 -- b
%h[i:6] = tanh(%x[i] + %b[i] + 0.5 * %s[i, 1]) -- h
%k[i:5] = sum[j:6] %u[i, j] * %h[j] -- k
%q[n:2, i:3] = sum[j:6] %v[n, i, j] * %h[j] -- q
%z[i:14] = join { i < 5: %k[i]; i >= 5, i < 8: %q[0, i - 5]; i >= 8: %h[i - 8] } -- z
%e[i:16, j:5] = 0.5 * %m[i, j] + tanh(%k[j]) * %q[1, 2] + 0.1 * %w[i, j] -- e
%r[i:16] = sum[j:5] %e[i, j] * %k[j] -- r
%c[j:5] = sum[i:16] %e[i, j] * %r[i] -- c
%g[i:16, j:5] = 0.25 * %e[i, j] + %w[(i + 1) mod 16, j] * %c[j] * 0.01 -- g
%t[i:8, j:8] = 0.5 * %s[i, j] + %z[i] * %q[0, 1] -- t
%l = sum[i:14] %z[i] * %z[i] -- l
%p = sum[j:5] %c[j] * %c[j] -- p
%o[n:5, i:16] = param 4 -- o
%f = sum[n:5, i:16] %o[n, i] * %r[(i + n - 1) mod 16] -- f
%d = %l + %p -- d
%loss = %d + %f -- loss
next/s[i:8, j:8] = %t[j, i]
next/m[i:16, j:5] = %e[i, j]
next/w[i:16, j:5] = %g[i, j]
loss = %loss
z[i:14] = %z[i]
";

const INIT: &str = "
%c = 0.25 -- c
%b[i:6] = param 2 -- b
%m[i:16, j:5] = param 3 -- m
%s[i:8, j:8] = %b[1] * %b[2] -- s
start/s[i:8, j:8] = %s[i, j]
start/m[i:16, j:5] = %m[i, j]
start/w[i:16, j:5] = %c
";

fn graph(text: &str) -> Graph {
    parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn program() -> Program {
    with_adjoints(Program {
        params: vec![
            array("u", &[5, 6]),
            array("v", &[2, 3, 6]),
            array("b", &[6]),
            array("m", &[16, 5]),
            array("o", &[5, 16]),
        ],
        inputs: vec![array("x", &[6])],
        states: vec![array("s", &[8, 8]), array("m", &[16, 5]), array("w", &[16, 5])],
        init: graph(INIT),
        step: graph(STEP),
        update: None,
    })
}

pub(super) fn numbers(sizes: &[usize], stream: &mut Stream) -> Tensor {
    // Numbers that single precision holds.
    Tensor::from_shape_simple_fn(sizes, || f64::from(stream.whole(0, 400) as u16) / 512.0 - 0.375)
}

pub(super) fn of(arrays: &[Array], stream: &mut Stream) -> Vec<Tensor> {
    arrays.iter().map(|array| numbers(&array.shape(), stream)).collect()
}

pub(super) fn close(wanted: &Tensor, got: &Tensor, precision: Precision, what: &str) {
    assert_eq!(wanted.shape(), got.shape(), "{what}");
    let largest = wanted.iter().fold(1.0, |most: f64, value| most.max(value.abs()));
    let limit = if precision == Precision::F64 { 1e-11 } else { 1e-4 };
    for (place, wanted) in wanted.indexed_iter() {
        let apart = (wanted - got[&place]).abs() / largest;
        assert!(
            apart < limit,
            "{what} in {precision:?} at {place:?}: {wanted}, got {}",
            got[&place]
        );
    }
}

/// All tensors of an outcome with gradients: a root, then last states, gradients.
fn tensors(outcome: &Outcome, root: &str) -> Vec<Tensor> {
    let Outcome { loss, roots, finals, gradients } = outcome;
    let Gradients { params, inputs, starts } = gradients.as_ref().unwrap();
    let loss = Tensor::from_shape_fn(vec![loss.len()], |at| loss[at[0]]);
    let lists = [finals, params, inputs, starts];
    [loss, roots[root].clone()].into_iter().chain(lists.into_iter().flatten().cloned()).collect()
}

/// Holds a program's values, last states and gradients, compiled in several ways, against the interpreter's.
pub(super) fn agree(program: &Program, params: &[Tensor], batch: &Batch, root: &str, what: &str) {
    let want = Want { roots: vec![root.to_owned()], gradients: true };
    let wanted = Interp::new(program, Precision::F64, 1).run(params, batch, &want);
    let wanted = tensors(&wanted, root);
    for (precision, threads) in
        [(Precision::F64, 1), (Precision::F64, 2), (Precision::F32, 1), (Precision::F32, 2)]
    {
        let mut code = ready_sharing(program, precision, threads, 1).unwrap();
        for kept in [usize::MAX, 1] {
            code.keep_at_most(kept);
            // Twice: what a run has left behind must not count.
            for _ in 0..2 {
                let got = tensors(&code.run(params, batch, &want), root);
                assert_eq!(got.len(), wanted.len(), "{what}");
                for (number, (wanted, got)) in wanted.iter().zip(&got).enumerate() {
                    let what = format!("{what}, {threads} threads, tensor {number}");
                    close(wanted, got, precision, &what);
                }
            }
        }
    }
}

#[test]
fn states_find_their_way_however_they_lie() {
    let program = program();
    let mut stream = Stream::new(21, &["states"], &[]);
    let params = of(&program.params, &mut stream);
    for samples in [1, 3, 9] {
        let inputs = vec![numbers(&[4, samples, 6], &mut stream)];
        let given = numbers(&[samples, 16, 5], &mut stream);
        for starts in [Vec::new(), vec![None, Some(given), None]] {
            let batch = Batch { lengths: vec![4; samples], inputs: inputs.clone(), starts };
            agree(&program, &params, &batch, "z", &format!("{samples} samples"));
        }
    }
}

#[test]
fn small_products_of_one_vector_become_one() {
    let step = program().step;
    let products = |graph: &Graph| {
        let text = crate::graph::text::print(graph);
        text.lines().filter(|line| line.contains("= sum[")).count()
    };
    let stacked = stacked(&step).unwrap();
    crate::graph::verify(&stacked).unwrap();
    // Two products and the two with their columns are one each.
    assert_eq!(products(&stacked), products(&step) - 2);
}

/// Sums over two axes, the last of which is padded where it lies.
const BOTH: &str = "
%x[a:4, b:40] = input 0 -- x
%w[o:8, a:4, b:40] = param 0 -- w
%v[a:4, b:40] = param 1 -- v
%h[a:4, b:40] = tanh(%x[a, b]) -- h
%y[o:8] = sum[a:4, b:40] %w[o, a, b] * %h[a, b] -- y
%s = sum[a:4, b:40] %v[a, b] * %h[a, b] -- s
y[o:8] = %y[o]
s = %s
";

#[test]
fn rows_that_are_summed_over_whole_are_read_where_they_lie() {
    let mut stream = Stream::new(23, &["both"], &[]);
    let program = Program {
        params: vec![array("w", &[8, 4, 40]), array("v", &[4, 40])],
        inputs: vec![array("x", &[4, 40])],
        step: graph(BOTH),
        ..Program::default()
    };
    let params = of(&program.params, &mut stream);
    for samples in [1, 9] {
        let inputs = vec![numbers(&[1, samples, 4, 40], &mut stream)];
        let batch = Batch { lengths: vec![1; samples], inputs, starts: Vec::new() };
        let want = Want { roots: ["y", "s"].map(str::to_owned).to_vec(), gradients: false };
        let wanted = Interp::new(&program, Precision::F64, 1).run(&params, &batch, &want).roots;
        for precision in [Precision::F64, Precision::F32] {
            let got = ready(&program, precision, 1).unwrap().run(&params, &batch, &want).roots;
            for (name, wanted) in &wanted {
                close(wanted, &got[name], precision, name);
            }
        }
    }
}

/// A sum that would be a product if one parameter's rows were longer, which they are not, since others read them too;
/// and an array of one matrix, of which a row is read at the number of another axis.
const ASKEW: &str = "
%x[i:16] = input 0 -- x
%a[i:16, j:33] = param 0 -- a
%b[i:16, j:33] = param 1 -- b
%y = sum[i:16, j:3] %a[i, 16 * j] * %b[i, 16 * j] -- y
%t[i:16, j:33] = %b[i, j] * %x[i] -- t
%m[k:1, i:16, j:64] = join { i < 8: %x[i]; i >= 8: 0.5 } -- m
%n[i:16, j:64] = join { i == 0: %m[i, i, j]; i != 0: %x[i] } -- n
y = %y
t[i:16, j:33] = %t[i, j]
n[i:16, j:64] = %n[i, j]
";

#[test]
fn what_is_read_askew_is_found() {
    let mut stream = Stream::new(24, &["askew"], &[]);
    let program = Program {
        params: vec![array("a", &[16, 33]), array("b", &[16, 33])],
        inputs: vec![array("x", &[16])],
        step: graph(ASKEW),
        ..Program::default()
    };
    let params = of(&program.params, &mut stream);
    for samples in [1, 8] {
        let inputs = vec![numbers(&[1, samples, 16], &mut stream)];
        let batch = Batch { lengths: vec![1; samples], inputs, starts: Vec::new() };
        let want = Want { roots: ["y", "t", "n"].map(str::to_owned).to_vec(), gradients: false };
        let wanted = Interp::new(&program, Precision::F64, 1).run(&params, &batch, &want).roots;
        assert_eq!(wanted.len(), 3);
        for precision in [Precision::F64, Precision::F32] {
            let got = ready(&program, precision, 1).unwrap().run(&params, &batch, &want).roots;
            for (name, wanted) in &wanted {
                close(wanted, &got[name], precision, name);
            }
        }
    }
}

const RULE: &str = "
%v[i:N] = input 0 -- v
%g[i:N] = input 1 -- g
%r = input 2 -- r
%a[i:N] = prev 0 -- a
%d[i:N] = prev 1 -- d
%b[i:N] = 0.9 * %a[i] + 0.1 * %g[i] * %g[i] -- b
%e[i:N] = 0.5 * %d[i] - %r * %g[i] / sqrt(%b[i] + %a[i] + 0.01) -- e
%n[i:N] = %v[i] + %e[i] + 0.001 * %d[i] -- n
value[i:N] = %n[i]
next/a[i:N] = %b[i]
next/d[i:N] = %e[i]
";

#[test]
fn what_is_updated_where_it_lies_is_read_before_it_is_written() {
    let mut stream = Stream::new(22, &["rule"], &[]);
    for count in [100_usize, 4096, 5000, 9001] {
        let text = RULE.replace(":N", &format!(":{count}"));
        let sizes = [count as u32];
        let start = format!("%c = 0 -- c\nstart/a[i:{count}] = %c\nstart/d[i:{count}] = %c\n");
        let update = Update {
            graph: graph(&text),
            inputs: vec![array("value", &sizes), array("gradient", &sizes), array("rate", &[])],
            slots: vec![array("a", &sizes), array("d", &sizes)],
            init: graph(&start),
        };
        let program = Program { update: Some(update), ..Program::default() };
        let value = numbers(&[count], &mut stream);
        let slots: Vec<Tensor> =
            vec![numbers(&[count], &mut stream).mapv(f64::abs), numbers(&[count], &mut stream)];
        for precision in [Precision::F64, Precision::F32] {
            let mut own = (value.clone(), slots.clone());
            let mut other = own.clone();
            let mut code = ready(&program, precision, 1).unwrap();
            let mut definition = Interp::new(&program, Precision::F64, 1);
            for _ in 0..3 {
                let gradient = numbers(&[count], &mut stream);
                own.0 = code.update(&own.0, &gradient, 0.125, &mut own.1);
                other.0 = definition.update(&other.0, &gradient, 0.125, &mut other.1);
            }
            close(&other.0, &own.0, precision, &format!("{count} values"));
            for (wanted, got) in other.1.iter().zip(&own.1) {
                close(wanted, got, precision, &format!("slots of {count} values"));
            }
        }
    }
}

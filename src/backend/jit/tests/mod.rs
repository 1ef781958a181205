//! Wide vectors and fused loops against the interpreter in double precision.
//!
//! In: graphs in which everything is read that these have a way of their own for: rolls, diagonals, transposes,
//! folds over rows and over columns, over many sizes. Invariant: alone and in groups, a value is that of the
//! interpreter up to the rounding of single precision.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

mod forks;
mod pairs;
mod places;
mod sequences;

use std::collections::BTreeMap;

use super::ready;
use crate::backend::interp::Interp;
use crate::backend::{Batch, Executable, Precision, Want};
use crate::graph::text::parse;
use crate::graph::{Array, Path, Program, Type};
use crate::random::Stream;
use crate::tensor::Tensor;

/// Everything at once, over rows `R`, columns `C` and two beside each other.
const GRAPH: &str = "
%a[i:R, j:C] = input 0 -- a
%b[i:R, j:C] = input 1 -- b
%v[i:R] = input 2 -- v
%w[j:C] = input 3 -- w
%k[n:2, j:C] = input 4 -- k
%q[c:C, d:C] = %w[c] * %w[d] + 0.5 * %k[0, d] -- q
%l[i:R, j:C | i != j] = 1 - %v[i] - %w[j] -- l
%m[i:R, j:C] = join { i == j: 0; i != j: %l[i, j] * %a[i, j] + %v[i] * %w[j] } -- m
%x[i:R, j:C] = max(%m[i, j], %b[i, j]) -- x
%row[i:R] = sum[j:C] %m[i, j] * %w[j] -- row
%rows[n:2, i:R] = sum[j:C] %x[i, j] * %k[n, j] -- rows
%col[j:C] = sum[i:R] %x[i, j] * %v[i] -- col
%cols[n:2, j:C] = sum[i:R] %m[i, j] * %rows[n, i] -- cols
%below[j:C] = sum[i:R | i < j] %b[i, j] -- below
%most[i:R] = max[j:C] %x[i, j] -- most
%far[i:R, j:C] = %k[i mod 2, j] / (2 + sqrt(%v[i] * %v[i])) - %x[i, j] -- far
%first[i:R, j:C] = %m[i, 0] * %a[i, j] -- first
%diagonal[i:R, j:C] = %x[i, i] + %b[i, j] -- diagonal
%all[i:R] = sum[j:C] select(%far[i, j] < %a[i, j], -%far[i, j], %b[i, j]) -- all
%turn[n:2, j:C] = sum[s:3] %k[n, (j - s + 1) mod C] * %w[s] -- turn
%back[n:2, s:3] = sum[j:C] %turn[n, j] * %k[n, (j + s) mod C] -- back
%part[n:2, j:C, s:3] = (%k[n, j] - %w[j]) * %w[s] -- part
%wound[n:2, j:C] = sum[s:3] %part[n, (j + s - 1) mod C, s] -- wound
%across[j:C] = sum[n:2] %k[n, C1 - j] * %w[j] -- across
%twice[j:C] = %w[j] + %k[1, j] + %q[(j + 1) mod C, (j + 2) mod C] -- twice
%alike[n:2, j:C] = abs(%k[n, j]) * %turn[n, j] - %across[j] -- alike
%share[n:2] = sum[j:C] %alike[n, j] -- share
%spun[s:5, j:C] = tanh(%w[(j + s - 1) mod C]) -- spun
";

const ROOTS: [&str; 20] = [
    "m", "x", "row", "rows", "col", "cols", "below", "most", "far", "all", "turn", "back", "alike",
    "share", "first", "diagonal", "twice", "q", "wound", "spun",
];

fn array(path: &str, sizes: &[u32]) -> Array {
    Array { path: Path(path.to_owned()), sizes: sizes.to_vec(), axes: Vec::new(), ty: Type::Real }
}

fn program(rows: u32, cols: u32) -> Program {
    let mut text = GRAPH.to_owned();
    for name in ROOTS {
        let head = text.lines().find(|line| line.starts_with(&format!("%{name}["))).unwrap();
        let space = head.split('=').next().unwrap().trim().trim_start_matches('%').to_owned();
        let axes: Vec<&str> = space.split(['[', ']']).nth(1).unwrap().split(", ").collect();
        let axes: Vec<&str> = axes.iter().map(|axis| axis.split(':').next().unwrap()).collect();
        text += &format!("{space} = %{name}[{}]\n", axes.join(", "));
    }
    let text = text
        .replace("C1", &(cols - 1).to_string())
        .replace(":C", &format!(":{cols}"))
        .replace("mod C", &format!("mod {cols}"))
        .replace(":R", &format!(":{rows}"));
    let inputs = vec![
        array("a", &[rows, cols]),
        array("b", &[rows, cols]),
        array("v", &[rows]),
        array("w", &[cols]),
        array("k", &[2, cols]),
    ];
    program_of(&text, inputs)
}

/// A program whose step is that text.
fn program_of(text: &str, inputs: Vec<Array>) -> Program {
    let step = parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    Program { inputs, step, ..Program::default() }
}

fn inputs(program: &Program, stream: &mut Stream, samples: usize) -> Vec<Tensor> {
    let arrays = program.inputs.iter().map(|array| {
        let sizes: Vec<usize> = [1, samples].into_iter().chain(array.shape()).collect();
        Tensor::from_shape_simple_fn(sizes, || {
            // Numbers that single precision holds.
            f64::from(stream.whole(0, 400) as u16) / 256.0 - 0.75
        })
    });
    arrays.collect()
}

#[test]
fn wide_and_fused_values_are_those_of_the_interpreter() {
    let mut stream = Stream::new(7, &["wide"], &[]);
    for (rows, cols) in
        [(2, 128), (4, 16), (5, 8), (16, 16), (16, 20), (33, 36), (20, 33), (64, 64), (3, 1000)]
    {
        let program = program(rows, cols);
        for samples in [1, 9, 32] {
            let batch = Batch {
                lengths: vec![1; samples],
                inputs: inputs(&program, &mut stream, samples),
                starts: Vec::new(),
            };
            let want = Want { roots: ROOTS.map(str::to_owned).to_vec(), gradients: false };
            let wanted = Interp::new(&program, Precision::F64, 1).run(&[], &batch, &want).roots;
            let got = ready(&program, Precision::F32, 1).unwrap().run(&[], &batch, &want).roots;
            compare(&wanted, &got, &format!("{rows} x {cols}, {samples} samples"));
        }
    }
}

/// A loop with conditions that ask for one diagonal.
const CROSSED: &str = "
%a[i:R, j:C] = input 0 -- a
%v[i:R] = input 1 -- v
%w[j:C] = input 2 -- w
%m[i:R, j:C] = join { LEFT == RIGHT: %v[i]; LEFT != RIGHT: %v[i] * %a[i, j] + %w[j] } -- m
%row[i:R] = sum[j:C | LEFT != RIGHT] %m[i, j] * %w[j] -- row
%col[j:C] = sum[i:R | LEFT == RIGHT] %m[i, j] * %v[i] -- col
%most[j:C] = max[i:R] %m[i, j] -- most
m[i:R, j:C] = %m[i, j]
row[i:R] = %row[i]
col[j:C] = %col[j]
most[j:C] = %most[j]
";

#[test]
fn loops_go_around_a_diagonal_wherever_it_lies() {
    let mut stream = Stream::new(9, &["diagonal"], &[]);
    let sides =
        [("i", "j"), ("j + 1", "i"), ("i + 3", "j"), ("i", "j + 40"), ("j", "5"), ("i + j", "30")];
    for ((left, right), (rows, cols)) in sides
        .into_iter()
        .flat_map(|sides| [(50, 64), (64, 48), (70, 32), (9, 256)].map(|of| (sides, of)))
    {
        let text = CROSSED.replace("LEFT", left).replace("RIGHT", right);
        let text = text.replace(":R", &format!(":{rows}")).replace(":C", &format!(":{cols}"));
        let program = program_of(
            &text,
            vec![array("a", &[rows, cols]), array("v", &[rows]), array("w", &[cols])],
        );
        let roots = ["m", "row", "col", "most"].map(str::to_owned).to_vec();
        let want = Want { roots, gradients: false };
        for samples in [1, 8] {
            let inputs = inputs(&program, &mut stream, samples);
            let batch = Batch { lengths: vec![1; samples], inputs, starts: Vec::new() };
            let wanted = Interp::new(&program, Precision::F64, 1).run(&[], &batch, &want).roots;
            for precision in [Precision::F32, Precision::F64] {
                let got = ready(&program, precision, 1).unwrap().run(&[], &batch, &want).roots;
                let what = format!("{left} = {right}, {rows} x {cols}, {samples}, {precision:?}");
                compare(&wanted, &got, &what);
            }
        }
    }
}

/// So many folds along rows that two vectors share a sum, one of them with a diagonal of its own a term.
const SHARED: &str = "
%a[i:R, j:C] = input 0 -- a
%w[j:C] = input 1 -- w
%q[n:4, k:2] = input 2 -- q
%m[i:R, j:C] = join { i == j: 0; i != j: %a[i, j] * %w[j] } -- m
%row[i:R] = sum[j:C | i != j] %m[i, j] * %a[i, j] -- row
%out[n:4, i:R] = sum[j:C, k:2 | i != j + k] %m[i, j] * %q[n, k] -- out
%in[n:4, i:R] = sum[j:C, k:2 | i == j + k] %m[i, j] * %q[n, k] -- in
m[i:R, j:C] = %m[i, j]
row[i:R] = %row[i]
out[n:4, i:R] = %out[n, i]
in[n:4, i:R] = %in[n, i]
";

#[test]
fn folds_that_share_a_sum_ask_every_term_for_its_condition() {
    let mut stream = Stream::new(10, &["shared"], &[]);
    for (left_out, roots) in [("%in", ["m", "row", "out"]), ("%out", ["m", "row", "in"])] {
        let lines = SHARED.lines().filter(|line| !line.contains(left_out));
        let text = lines.collect::<Vec<_>>().join("\n");
        let text = text.replace(":R", ":70").replace(":C", ":64");
        let program =
            program_of(&text, vec![array("a", &[70, 64]), array("w", &[64]), array("q", &[4, 2])]);
        for samples in [1, 8] {
            let inputs = inputs(&program, &mut stream, samples);
            let batch = Batch { lengths: vec![1; samples], inputs, starts: Vec::new() };
            let want = Want { roots: roots.map(str::to_owned).to_vec(), gradients: false };
            let wanted = Interp::new(&program, Precision::F64, 1).run(&[], &batch, &want).roots;
            let got = ready(&program, Precision::F32, 1).unwrap().run(&[], &batch, &want).roots;
            compare(&wanted, &got, &format!("{left_out}, {samples} samples"));
        }
    }
}

/// Folds of every kind along rows, several of a kind.
const FOLDS: &str = "
%a[i:R, j:C] = input 0 -- a
%k[n:3, j:C] = input 1 -- k
%most[n:3, i:R] = max[j:C] %a[i, j] + %k[n, j] -- most
%least[n:2, i:R] = min[j:C] %a[i, j] * %k[n, j] -- least
%sum[n:3, i:R] = sum[j:C] %a[i, j] * %k[n, j] -- sum
%whole[i:R] = sum[j:C] %a[i, j] - %k[2, j] -- whole
%times[i:R] = prod[j:C] %a[i, j] * %a[i, j] + 0.5 -- times
%known[i:R] = sum[j:C | j == 3] %a[i, j] -- known
most[n:3, i:R] = %most[n, i]
least[n:2, i:R] = %least[n, i]
sum[n:3, i:R] = %sum[n, i]
whole[i:R] = %whole[i]
times[i:R] = %times[i]
known[i:R] = %known[i]
";

/// The program of some of the folds, with so many columns.
fn some_folds(names: &[&str], cols: u32) -> Program {
    let kept = |line: &&str| {
        let name = line.trim_start_matches('%').split('[').next().unwrap_or_default();
        ["", "a", "k"].contains(&name) || names.contains(&name)
    };
    let text = FOLDS.lines().filter(kept).collect::<Vec<_>>().join("\n") + "\n";
    let text = text.replace(":R", ":40").replace(":C", &format!(":{cols}"));
    program_of(&text, vec![array("a", &[40, cols]), array("k", &[3, cols])])
}

#[test]
fn results_of_several_folds_go_where_they_belong() {
    let mut stream = Stream::new(11, &["folds"], &[]);
    let plain = ["most", "least", "sum", "whole", "times"];
    let masked = [&plain[..], &["known"]].concat();
    // Ten and nine results, which leave vectors no registers; three and four, of which vectors share some; and two.
    let all: [(&[&str], &[u32]); 6] = [
        (&plain, &[8, 16, 20, 36]),
        (&masked, &[20, 64]),
        (&["most"], &[16, 36, 48]),
        (&["most", "times"], &[16, 36, 64]),
        (&["least", "known"], &[16, 36, 48]),
        (&["least"], &[16, 36]),
    ];
    for (names, cols) in all.iter().flat_map(|(names, all)| all.iter().map(move |c| (*names, *c))) {
        let program = some_folds(names, cols);
        let roots = names.iter().map(|name| (*name).to_owned()).collect();
        let want = Want { roots, gradients: false };
        for samples in [1, 9] {
            let inputs = inputs(&program, &mut stream, samples);
            let batch = Batch { lengths: vec![1; samples], inputs, starts: Vec::new() };
            let wanted = Interp::new(&program, Precision::F64, 1).run(&[], &batch, &want).roots;
            for precision in [Precision::F32, Precision::F64] {
                let got = ready(&program, precision, 1).unwrap().run(&[], &batch, &want).roots;
                let what = format!("{names:?} of {cols} columns, {samples} samples, {precision:?}");
                compare(&wanted, &got, &what);
            }
        }
    }
}

#[test]
fn halves_of_sums_meet_in_registers() {
    let text = "
%a[i:40, j:48] = input 0 -- a
%y[i:40] = prod[j:48] %a[i, j] * %a[i, j] + 0.5 -- y
y[i:40] = %y[i]
";
    let program = program_of(text, vec![array("a", &[40, 48])]);
    let shown = super::list(&program, super::Listing::Asm, 1).unwrap();
    assert_eq!(shown.contains("  UpperHalf"), super::wide::can(), "{shown}");
}

/// A matrix that products alone read, forward and backward, and one that is read otherwise too.
const WEIGHTS: &str = "
%w[i:R, j:C] = param 0 -- w
%u[i:R, j:C] = param 1 -- u
%x[j:C] = input 0 -- x
%v[i:R] = input 1 -- v
%y[i:R] = sum[j:C] %w[i, j] * %x[j] -- y
%z[j:C] = sum[i:R] %w[i, j] * %v[i] -- z
%s[i:R] = sum[j:C] %u[i, j] * %x[j] -- s
%t[i:R, j:C] = %u[i, j] / (2 + %w[i, 0] * 0) -- t
%m[i:R, j:C] = input 2 -- m
%n[i:R, j:C] = %m[i, j] * %v[i] + 0.5 -- n
%p[i:R] = sum[j:C] %w[i, j] * %n[i, j] -- p
%q[j:C] = sum[i:R] %n[i, j] * %v[i] -- q
y[i:R] = %y[i]
z[j:C] = %z[j]
s[i:R] = %s[i]
t[i:R, j:C] = %t[i, j]
n[i:R, j:C] = %n[i, j]
p[i:R] = %p[i]
q[j:C] = %q[j]
";

#[test]
fn products_of_rows_of_any_length_are_those_of_the_interpreter() {
    let mut stream = Stream::new(8, &["rows"], &[]);
    for (rows, cols) in [(3, 31), (7, 32), (40, 33), (40, 36), (100, 129), (6, 500)] {
        // Once both matrices are read by a loop, once only the second.
        for text in [WEIGHTS.to_owned(), WEIGHTS.replace(" / (2 + %w[i, 0] * 0)", " / 2")] {
            let text = text.replace(":R", &format!(":{rows}")).replace(":C", &format!(":{cols}"));
            let step = parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            let program = Program {
                params: vec![array("w", &[rows, cols]), array("u", &[rows, cols])],
                inputs: vec![array("x", &[cols]), array("v", &[rows]), array("m", &[rows, cols])],
                step,
                ..Program::default()
            };
            let values: Vec<Tensor> = (0..2)
                .map(|_| {
                    let sizes = vec![rows as usize, cols as usize];
                    Tensor::from_shape_simple_fn(sizes, || {
                        f64::from(stream.whole(0, 400) as u16) / 256.0 - 0.75
                    })
                })
                .collect();
            for samples in [1, 9, 32] {
                let batch = Batch {
                    lengths: vec![1; samples],
                    inputs: inputs(&program, &mut stream, samples),
                    starts: Vec::new(),
                };
                let roots = ["y", "z", "s", "t", "n", "p", "q"].map(str::to_owned).to_vec();
                let want = Want { roots, gradients: false };
                let wanted = Interp::new(&program, Precision::F64, 1).run(&values, &batch, &want);
                for precision in [Precision::F32, Precision::F64] {
                    let got = ready(&program, precision, 1).unwrap().run(&values, &batch, &want);
                    let what = format!("{rows} x {cols}, {samples} samples, {precision:?}");
                    compare(&wanted.roots, &got.roots, &what);
                }
            }
        }
    }
}

fn compare(wanted: &BTreeMap<String, Tensor>, got: &BTreeMap<String, Tensor>, what: &str) {
    assert!(!wanted.is_empty() && wanted.keys().eq(got.keys()), "{what}");
    for (name, wanted) in wanted {
        assert_eq!(wanted.shape(), got[name].shape(), "{what}: {name}");
        // Products of many factors are small; 0 is 0.
        let scale = wanted.iter().fold(f64::MIN_POSITIVE, |most, value| most.max(value.abs()));
        for ((at, wanted), got) in wanted.indexed_iter().zip(got[name].iter()) {
            let close = (wanted - got).abs() <= 2e-5 * scale;
            assert!(close, "{what}: {name} at {at:?} is {got}, should be {wanted}");
        }
    }
}

#[test]
fn products_without_loops_around_them_need_no_machine_code() {
    let text = "
%w[r:8, c:16] = param 0 -- w
%k[c:16, d:8] = param 1 -- k
%x[c:16] = input 0 -- x
%fixed[r:8, d:8] = sum[c:16] %w[r, c] * %k[c, d] -- fixed
%y[r:8] = sum[c:16] %w[r, c] * %x[c] -- y
%z[r:8] = sum[d:8] %fixed[r, d] * %y[d] -- z
";
    let text = format!("{text}%loss = sum[r:8] %z[r] -- loss\nloss = %loss\nz[r:8] = %z[r]\n");
    let inputs_of = vec![array("x", &[16])];
    let params_of = vec![array("w", &[8, 16]), array("k", &[16, 8])];
    let program = Program { params: params_of, ..program_of(&text, inputs_of) };
    let mut stream = Stream::new(11, &["direct"], &[]);
    let mut draw = |rows: usize, cols: usize| {
        let numbers = (0..rows * cols).map(|_| stream.normal()).collect();
        Tensor::from_shape_vec(vec![rows, cols], numbers).unwrap()
    };
    let params = [draw(8, 16), draw(16, 8)];
    let want = Want { roots: vec!["z".to_owned()], gradients: false };
    for samples in [1, 3, 16] {
        let inputs = inputs(&program, &mut Stream::new(12, &["direct"], &[]), samples);
        let batch = Batch { lengths: vec![1; samples], inputs, starts: Vec::new() };
        let wanted = Interp::new(&program, Precision::F64, 1).run(&params, &batch, &want).roots;
        for precision in [Precision::F32, Precision::F64] {
            let got = ready(&program, precision, 1).unwrap().run(&params, &batch, &want).roots;
            compare(&wanted, &got, &format!("{samples} samples, {precision:?}"));
        }
    }
    let shown = super::list(&program, super::Listing::Asm, 1).unwrap();
    assert_eq!(shown.matches("calls the kernel of products").count(), 3, "{shown}");
}

#[test]
fn kernels_of_whole_arrays_follow_what_lays_out_their_arguments() {
    let text = "
%u[i:20] = param 0 -- u
%x[i:20] = input 0 -- x
%s[i:20] = sigmoid(%u[i]) -- s
%e[i:20] = pow(%s[i], %u[i]) -- e
%t[i:20] = tanh(%x[i] * %s[i]) -- t
%p[i:20] = pow(%s[i], %x[i] + %e[i]) -- p
%y[i:20] = %t[i] + %p[i] -- y
%loss = sum[i:20] %y[i] -- loss
loss = %loss
y[i:20] = %y[i]
";
    let params_of = vec![array("u", &[20])];
    let program = Program { params: params_of, ..program_of(text, vec![array("x", &[20])]) };
    let mut stream = Stream::new(13, &["follow"], &[]);
    let params = [Tensor::from_shape_simple_fn(vec![20], || stream.normal())];
    let want = Want { roots: vec!["y".to_owned()], gradients: false };
    for samples in [1, 3, 16] {
        let inputs = inputs(&program, &mut stream, samples);
        let batch = Batch { lengths: vec![1; samples], inputs, starts: Vec::new() };
        let wanted = Interp::new(&program, Precision::F64, 1).run(&params, &batch, &want).roots;
        for precision in [Precision::F32, Precision::F64] {
            let got = ready(&program, precision, 1).unwrap().run(&params, &batch, &want).roots;
            compare(&wanted, &got, &format!("{samples} samples, {precision:?}"));
        }
    }
    for samples in [1, 16] {
        let shown = super::list(&program, super::Listing::Asm, samples).unwrap();
        let follows = |function: &str, region: &str| {
            let kernel = format!("then the kernel of {function}: {} numbers at {region}+", {
                if region == "Fixed" { 20 } else { 20 * samples }
            });
            shown.matches(&kernel).count()
        };
        assert_eq!(follows("sigmoid", "Fixed"), 1, "{shown}");
        assert_eq!(follows("tanh", "Work") + follows("tanh", "Tape"), 1, "{shown}");
        // Of parameters alone there is no room for second arguments.
        assert_eq!(follows("pow", "Fixed"), 0, "{shown}");
        assert_eq!(follows("pow", "Work") + follows("pow", "Tape"), 1, "{shown}");
        // The kernel reads eight at a time what was written eight at a time.
        assert_eq!(shown.contains("Store(Eight"), super::wide::can(), "{shown}");
    }
}

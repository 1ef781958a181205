//! What small specs compute, run through the whole corridor by the interpreter in f64.

mod elsewhere;
mod instances;
mod whole;

use std::collections::BTreeMap;

use ntmc::backend::interp::Interp;
use ntmc::backend::{Batch, Executable, Outcome, Precision, Want};
use ntmc::compile::Stage;
use ntmc::graph::Program;
use ntmc::model::{Given, Model};
use ntmc::random::Stream;
use ntmc::tensor::Tensor;

use crate::support::{model_of_text, program, root};

const STEPS: usize = 4;
const BATCH: usize = 2;

/// Numbers that depend on a name alone.
fn drawn(name: &str, shape: &[usize]) -> Tensor {
    let mut stream = Stream::new(7, &["semantics", name], &[]);
    Tensor::from_shape_simple_fn(shape, || stream.uniform(-0.7, 0.7))
}

/// A program on inputs drawn by name and on these parameters.
struct Run {
    program: Program,
    outcome: Outcome,
}

fn run(model: &Model, params: &BTreeMap<String, Tensor>) -> Run {
    let program = program(model, Stage::Adjoint);
    let inputs = program.inputs.iter().map(|input| {
        let shape = [&[STEPS, BATCH], &input.shape()[..]].concat();
        drawn(&input.path.0, &shape)
    });
    let inputs = inputs.collect();
    let own = |array: &ntmc::graph::Array| {
        params.get(&array.path.0).cloned().unwrap_or_else(|| drawn(&array.path.0, &array.shape()))
    };
    let params: Vec<Tensor> = program.params.iter().map(own).collect();
    let starts = vec![None; program.states.len()];
    let batch = Batch { lengths: vec![STEPS; BATCH], inputs, starts };
    let want = Want { roots: vec!["y".to_owned()], gradients: true };
    let outcome = Interp::new(&program, Precision::F64, 1).run(&params, &batch, &want);
    Run { program, outcome }
}

impl Run {
    fn output(&self) -> &Tensor {
        &self.outcome.roots["y"]
    }

    fn input_gradient(&self, name: &str) -> &Tensor {
        let at = self.program.inputs.iter().position(|input| input.path.0 == name);
        &self.outcome.gradients.as_ref().unwrap().inputs[at.unwrap()]
    }

    fn param_gradient(&self, name: &str) -> &Tensor {
        let at = self.program.params.iter().position(|param| param.path.0 == name);
        let at = at.unwrap_or_else(|| panic!("no param {name}"));
        &self.outcome.gradients.as_ref().unwrap().params[at]
    }
}

fn plain(text: &str) -> Run {
    run(&model_of_text(text, &[]), &BTreeMap::new())
}

/// The largest difference of two arrays of one number of entries.
fn distance(left: &Tensor, right: &Tensor) -> f64 {
    assert_eq!(left.len(), right.len(), "{:?} and {:?}", left.shape(), right.shape());
    left.iter().zip(right).map(|(left, right)| (left - right).abs()).fold(0.0, f64::max)
}

#[test]
fn a_passed_state_is_its_members_by_hand() {
    let family = plain(
        "ntm 1
         model a[N = 3, R = 2](g[R, N], v[R, N]) -> y[N] {
           memory M[N] = 0.5
           part turn[n: R] {
             seen = sum[i] prev M[i] * g[n, i]
             M[i] = prev M[i] * (1 - g[n, i]) + v[n, i] * seen
           }
           y = M
         }",
    );
    let hand = plain(
        "ntm 1
         model a[N = 3, R = 2](g[R, N], v[R, N]) -> y[N] {
           require R == 2
           memory M[N] = 0.5
           s0    = sum[i] prev M[i] * g[0, i]
           M0[i] = prev M[i] * (1 - g[0, i]) + v[0, i] * s0
           s1    = sum[i] M0[i] * g[R - 1, i]
           M[i]  = M0[i] * (1 - g[R - 1, i]) + v[R - 1, i] * s1
           y     = M
         }",
    );
    assert!(distance(family.output(), hand.output()) < 1e-15);
    for input in ["g", "v"] {
        assert!(distance(family.input_gradient(input), hand.input_gradient(input)) < 1e-13);
    }
}

#[test]
fn nested_families_take_turns_in_lexicographic_order() {
    let nested = plain(
        "ntm 1
         model a[N = 3, A = 2, B = 3](g[A, B, N]) -> y[N] {
           memory M[N] = 0.5
           part outer[a: A] {
             part inner[b: B] {
               M[i] = prev M[i] * (1 - g[a, b, i]) + g[a, b, i] * g[a, b, 0]
             }
           }
           y = M
         }",
    );
    let flat = plain(
        "ntm 1
         model a[N = 3, A = 2, B = 3](g[A, B, N]) -> y[N] {
           memory M[N] = 0.5
           k = cat(g)
           part turn[t: A * B] {
             M[i] = prev M[i] * (1 - k[t * N + i]) + k[t * N + i] * k[t * N]
           }
           y = M
         }",
    );
    assert!(distance(nested.output(), flat.output()) < 1e-15);
    assert!(distance(nested.input_gradient("g"), flat.input_gradient("g")) < 1e-13);
}

/// Write heads that address the memory they find, with the update inside their family or after it.
fn writes(inside: bool, heads: u32) -> Run {
    let update = "M[i] = prev M[i] * (1 - write[n].w[i]) + write[n].w[i] * v[n]";
    let (within, after) = match inside {
        true => ("M[i] = prev M[i] * (1 - w[i]) + w[i] * v[n]".to_owned(), String::new()),
        false => (String::new(), format!("part stored[n: R] {{ {update} }}")),
    };
    plain(&format!(
        "ntm 1
         model a[N = 3, R = {heads}](v[R], k[R]) -> y[N] {{
           memory M[N] = for i in N: 0.1 * i
           head write[n: R] {{
             w = softmax(for i: k[n] * prev M[i])
             {within}
           }}
           {after}
           y = M
         }}"
    ))
}

#[test]
fn where_the_update_stands_matters_for_two_heads_and_not_for_one() {
    assert!(distance(writes(true, 1).output(), writes(false, 1).output()) < 1e-15);
    assert!(distance(writes(true, 2).output(), writes(false, 2).output()) > 1e-4);
}

#[test]
fn a_member_sees_earlier_members() {
    let family = plain(
        "ntm 1
         model a[L = 3, N = 2](x[N], g[L]) -> y[L, N] {
           part layer[l: L] {
             h[i] = tanh(g[l] * (if l == 0 then x[i] else layer[l - 1].h[i]) + x[i])
           }
           y = layer.h
         }",
    );
    let hand = plain(
        "ntm 1
         model a[L = 3, N = 2](x[N], g[L]) -> y[L, N] {
           require L == 3
           h0[i] = tanh(g[0] * x[i] + x[i])
           h1[i] = tanh(g[L - 2] * h0[i] + x[i])
           h2[i] = tanh(g[L - 1] * h1[i] + x[i])
           y[l, i] = if l == 0 then h0[i] else if l == 1 then h1[i] else h2[i]
         }",
    );
    assert!(distance(family.output(), hand.output()) < 1e-15);
    assert!(distance(family.input_gradient("g"), hand.input_gradient("g")) < 1e-13);
}

/// A member is made for its own entry of a list of dims, whatever the family looks like otherwise,
/// and a list read at an index that runs has the entry of that place.
#[test]
fn an_entry_of_a_list_decides_per_member() {
    let listed = |turns: &str| {
        plain(&format!(
            "ntm 1\nmodel m[K = 2, turn[R] = {turns}](x) -> y[R] {{
               part put[m: K] {{
                 seen = if m == 0 then x else put[m - 1].left
                 left = 10 * seen
               }}
               last = put[K - 1].left
               part get[n: R] {{
                 got = if turn[n] <= K then put[turn[n] - 1].seen else last
               }}
               y[n] = turn[n] * get[n].got + (if turn[n] < turn[R - 1] then 0 else 7)
             }}"
        ))
    };
    for turns in [vec![1], vec![2, 1], vec![3, 1, 2], vec![1, 2, 2, 3]] {
        let run = listed(&format!("{turns:?}"));
        let x = drawn("x", &[STEPS, BATCH]);
        for ((at, ours), turn) in run.output().indexed_iter().zip(turns.iter().cycle()) {
            let turn = f64::from(*turn);
            let last = f64::from(turns[turns.len() - 1]);
            let more = if turn < last { 0.0 } else { 7.0 };
            let theirs = turn * 10f64.powf(turn - 1.0) * x[[at[0], at[1]]] + more;
            assert!((ours - theirs).abs() < 1e-12, "{turns:?} at {at:?}: {ours}, not {theirs}");
        }
    }
}

fn dnc(file: &str) -> Model {
    let text = std::fs::read_to_string(root().join("specs").join(file)).unwrap();
    let text = &text[..text.find("\n}\n").unwrap() + 3];
    let size = |name: &'static str, size: f64| (name, Given::Number(size));
    let sizes = [("N", 5.0), ("W", 3.0), ("R", 2.0), ("H", 4.0), ("X", 3.0), ("Y", 2.0)];
    model_of_text(text, &sizes.map(|(name, value)| size(name, value)))
}

/// The paths of the composed spec that differ from those of the flat one, whose tensors are the same.
const SAME: &[(&str, &str)] = &[
    ("kr", "read.lookup.k"),
    ("br", "read.lookup.beta"),
    ("f", "read.free"),
    ("pi", "read.mix.pi"),
    ("kw", "write.lookup.k"),
    ("bw", "write.lookup.beta"),
    ("e", "write.e"),
    ("v", "write.v"),
    ("ga", "write.blend.g"),
    ("gw", "write.gate"),
];

#[test]
fn flat_and_composed_dnc_are_the_same() {
    let (flat, composed) = (dnc("dnc_flat.ntm"), dnc("dnc.ntm"));
    let mut params = BTreeMap::new();
    for (left, right) in SAME {
        for kind in ["weight", "bias"] {
            let named = |param: &&ntmc::model::flat::Param| param.path == format!("{left}.{kind}");
            let param = flat.params.iter().find(named).unwrap_or_else(|| panic!("{left}.{kind}"));
            let shape: Vec<usize> = param.axes.iter().map(|axis| axis.size as usize).collect();
            let tensor = drawn(&format!("{left}.{kind}"), &shape);
            params.insert(format!("{right}.{kind}"), tensor.clone());
            params.insert(format!("{left}.{kind}"), tensor);
        }
    }
    let (left, right) = (run(&flat, &params), run(&composed, &params));
    assert_eq!(left.output(), right.output(), "to the bit");
    for (own, other) in SAME {
        for kind in ["weight", "bias"] {
            let (own, other) = (format!("{own}.{kind}"), format!("{other}.{kind}"));
            let gap = distance(left.param_gradient(&own), right.param_gradient(&other));
            assert!(gap < 1e-13, "{own}: {gap:e}");
        }
    }
    for own in ["lstm.i.weight", "lstm.f.bias", "y.weight", "y.bias"] {
        let gap = distance(left.param_gradient(own), right.param_gradient(own));
        assert!(gap < 1e-13, "{own}: {gap:e}");
    }
}

#[test]
fn the_interface_has_the_size_the_paper_counts() {
    let (w, r) = (3, 2);
    for file in ["dnc.ntm", "dnc_flat.ntm"] {
        let model = dnc(file);
        let interface = model.emissions.iter().filter(|emission| emission.interface);
        let size: u64 = interface.map(|emission| emission.size).sum();
        assert_eq!(size, w * r + 3 * w + 5 * r + 3, "{file}: {:?}", model.emissions);
    }
}

//! Gradients of weights that machine code computes once all steps are done.
//!
//! In: small models in which the factors of such a gradient live in every kind of place. Out: what the interpreter
//! gives, for groups of all sizes and sequences of one step and of several.

use ntmc::backend::interp::Interp;
use ntmc::backend::{Batch, Precision, Want, jit};
use ntmc::compile::Stage;
use ntmc::tensor::Tensor;

use crate::agree::same_outcome;
use crate::support::{model_of_text, program};

/// What a model shows, and the model.
const MODELS: [(&str, &str); 7] = [
    (
        "a factor that is the adjoint of a state, which arrives from the step after",
        "state s[4] = 0\n emit u[4] from x\n s = u\n emit y[3] from prev s",
    ),
    (
        "a factor that is a state of the step before",
        "state s[4] = 0.5\n emit u[4] from prev s\n s[i] = tanh(u[i]) + x[i]\n emit y[3] from s",
    ),
    ("factors read backwards", "param W[3, 5]\n y[i] = sum[j] W[2 - i, j] * x[4 - j]"),
    (
        "one weight in two products",
        "param W[3, 5]\n state s[5] = 0\n s[j] = tanh(x[j] + 0.5 * prev s[j])\n
         y[i] = sum[j] W[i, j] * x[j] + sum[j] W[i, j] * s[j] * s[j]",
    ),
    (
        "states that change places",
        "state a[4] = 1\n state b[4] = 0\n emit u[4] from cat(prev b, x)\n a = u\n
         b[i] = 0.9 * prev a[i]\n emit y[3] from cat(a, b)",
    ),
    ("a family of weights", "param W[2, 3, 5]\n y[i] = sum[n, j] W[n, i, j] * x[j]"),
    (
        "weights that take the same input, large enough for it to be laid out for both",
        "emit u[20] from x\n h[j] = tanh(u[j])\n emit a[16], b[24] from h\n emit y[3] from cat(a, b)",
    ),
];

fn spec(body: &str) -> String {
    format!("ntm 1\nmodel m(x[5]) -> y[3] {{\n {body}\n}}\n")
}

#[test]
fn gradients_of_weights_are_those_of_the_interpreter() {
    for (shows, body) in MODELS {
        let program = program(&model_of_text(&spec(body), &[]), Stage::Opt);
        let params: Vec<Tensor> = (program.params.iter().zip(1..))
            .map(|(array, number)| {
                let mut at = f64::from(number);
                let shape = array.shape();
                Tensor::from_shape_simple_fn(shape, || {
                    at += 1.0;
                    (at * 0.7).sin()
                })
            })
            .collect();
        for lengths in [vec![1; 3], vec![3; 45], vec![4, 4, 2]] {
            let steps = lengths[0];
            let inputs = program.inputs.iter().map(|array| {
                let shape: Vec<usize> =
                    [steps, lengths.len()].into_iter().chain(array.shape()).collect();
                let mut at = 0.0_f64;
                Tensor::from_shape_simple_fn(shape, || {
                    at += 1.0;
                    (at * 0.37).cos()
                })
            });
            let inputs = inputs.collect();
            let starts = vec![None; program.states.len()];
            let batch = Batch { lengths: lengths.clone(), inputs, starts };
            let want = Want { roots: vec!["y".to_owned()], gradients: true };
            for (precision, tolerance) in [(Precision::F64, 1e-9), (Precision::F32, 1e-4)] {
                let truth = ntmc::backend::Executable::run(
                    &mut Interp::new(&program, precision, 1),
                    &params,
                    &batch,
                    &want,
                );
                let found = jit::ready(&program, precision, 2).unwrap().run(&params, &batch, &want);
                assert!(truth.gradients.is_some());
                same_outcome(&truth, &found, tolerance)
                    .unwrap_or_else(|what| panic!("{shows}, {lengths:?}, {precision:?}: {what}"));
            }
        }
    }
}

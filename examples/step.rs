//! Runs a model for three steps, with gradients, without training it.
//!
//! `cargo run --example step`

use ndarray::{ArrayD, IxDyn};
use ntmc::backend::interp::Interp;
use ntmc::backend::{Batch, Executable, Precision, Want};
use ntmc::compile::{self, Choices, Purpose, Spec};
use ntmc::error::Error;
use ntmc::model::Loss;
use ntmc::model::library::StdOnly;
use ntmc::source::Source;

const SPEC: &str = "ntm 1

## A leaky sum of the input.
model leak[N = 2](x[N]) -> y[N] {
  param a[N] = 0.5
  state s[N] = 0
  s[i] = a[i] * prev s[i] + x[i]
  y = s
}
";

#[expect(clippy::print_stdout, reason = "an example shows what it computes")]
fn main() -> Result<(), Error> {
    let mut spec = Spec::read(Source::new("leak.ntm", SPEC), &StdOnly)?;
    let choice = spec.choose(&Choices::default())?;
    let purpose = Purpose { loss: Loss::HalfSquares, ..Purpose::default() };
    let model = spec.elaborate(&choice, &purpose)?;
    let program = compile::optimised(compile::with_adjoints(compile::forward(&model)));
    let mut backend = Interp::new(&program, Precision::F64, 1);

    let params = vec![ArrayD::from_elem(IxDyn(&[2]), 0.5)];
    let batch = Batch {
        lengths: vec![3],
        inputs: vec![ArrayD::ones(IxDyn(&[3, 1, 2]))],
        starts: vec![None; program.states.len()],
    };
    let want = Want { roots: vec!["y".to_owned()], gradients: true };
    let outcome = backend.run(&params, &batch, &want);
    println!("y at each step:\n{:?}", outcome.roots["y"]);
    println!("loss: {:?}", outcome.loss);
    if let Some(gradients) = outcome.gradients {
        println!("d loss / d a: {:?}", gradients.params[0]);
    }
    Ok(())
}

//! Optimisers of std against trajectories written by hand.

use std::collections::BTreeSet;

use ntmc::backend::interp::Interp;
use ntmc::backend::{Precision, Trainable, jit};
use ntmc::compile::{self, Choices, Purpose, Spec};
use ntmc::diag::Diagnostics;
use ntmc::model;
use ntmc::model::library::{STD, StdOnly};
use ntmc::random::Stream;
use ntmc::source::{Source, Span};
use ntmc::tensor::Tensor;

use super::library::definitions;

/// The learning rates of successive steps.
const RATES: [f64; 5] = [0.1, 0.1, 0.05, 0.02, 0.3];

/// Parameters at once: more than a backend takes in one block.
const PARAMS: usize = 4099;

/// One step of one parameter: what is remembered, the parameter, its gradient, the learning rate.
type Step = fn(&mut [f64; 4], f64, f64, f64) -> f64;

/// An optimiser with arguments.
struct Row {
    name: &'static str,
    arguments: &'static [(&'static str, f64)],
    /// The learning rate it starts from.
    rate: f64,
    step: Step,
}

fn centred(
    memory: &mut [f64; 4],
    value: f64,
    g: f64,
    rate: f64,
    decay: f64,
    momentum: f64,
    eps: f64,
) -> f64 {
    let [square, mean, moved, _] = memory;
    *square = decay * *square + (1.0 - decay) * g * g;
    *mean = decay * *mean + (1.0 - decay) * g;
    *moved = momentum * *moved - rate * g / (*square - *mean * *mean + eps).sqrt();
    value + *moved
}

fn plain(
    memory: &mut [f64; 4],
    value: f64,
    g: f64,
    rate: f64,
    decay: f64,
    momentum: f64,
    eps: f64,
) -> f64 {
    let [square, moved, ..] = memory;
    *square = decay * *square + (1.0 - decay) * g * g;
    *moved = momentum * *moved - rate * g / (*square + eps).sqrt();
    value + *moved
}

fn adam(
    memory: &mut [f64; 4],
    value: f64,
    g: f64,
    rate: f64,
    beta1: f64,
    beta2: f64,
    eps: f64,
) -> f64 {
    let [mean, square, steps, _] = memory;
    *steps += 1.0;
    *mean += (1.0 - beta1) * (g - *mean);
    *square += (1.0 - beta2) * (g * g - *square);
    let mean = *mean / (1.0 - beta1.powf(*steps));
    let square = *square / (1.0 - beta2.powf(*steps));
    value - rate * mean / (square.sqrt() + eps)
}

fn descent(memory: &mut [f64; 4], value: f64, g: f64, rate: f64, momentum: f64) -> f64 {
    memory[0] = momentum * memory[0] - rate * g;
    value + memory[0]
}

const ROWS: &[Row] = &[
    Row {
        name: "graves_rmsprop",
        arguments: &[],
        rate: 1e-4,
        step: |m, value, g, rate| centred(m, value, g, rate, 0.95, 0.9, 1e-4),
    },
    Row {
        name: "graves_rmsprop",
        arguments: &[("lr", 3e-4), ("decay", 0.8), ("momentum", 0.5), ("eps", 1e-3)],
        rate: 3e-4,
        step: |m, value, g, rate| centred(m, value, g, rate, 0.8, 0.5, 1e-3),
    },
    Row {
        name: "rmsprop",
        arguments: &[],
        rate: 1e-4,
        step: |m, value, g, rate| plain(m, value, g, rate, 0.9, 0.0, 1e-10),
    },
    Row {
        name: "rmsprop",
        arguments: &[("momentum", 0.9), ("decay", 0.7), ("eps", 1e-4)],
        rate: 1e-4,
        step: |m, value, g, rate| plain(m, value, g, rate, 0.7, 0.9, 1e-4),
    },
    Row {
        name: "adam",
        arguments: &[],
        rate: 1e-3,
        step: |m, value, g, rate| adam(m, value, g, rate, 0.9, 0.999, 1e-8),
    },
    Row {
        name: "adam",
        arguments: &[("lr", 0.2), ("beta1", 0.5), ("beta2", 0.75), ("eps", 1e-2)],
        rate: 0.2,
        step: |m, value, g, rate| adam(m, value, g, rate, 0.5, 0.75, 1e-2),
    },
    Row {
        name: "adamw",
        arguments: &[],
        rate: 1e-3,
        step: |m, value, g, rate| adam(m, value, g, rate, 0.9, 0.999, 1e-8) - rate * 1e-2 * value,
    },
    Row {
        name: "adamw",
        arguments: &[("decay", 0.5), ("beta1", 0.8)],
        rate: 1e-3,
        step: |m, value, g, rate| adam(m, value, g, rate, 0.8, 0.999, 1e-8) - rate * 0.5 * value,
    },
    Row {
        name: "sgd",
        arguments: &[],
        rate: 1e-2,
        step: |m, value, g, rate| descent(m, value, g, rate, 0.0),
    },
    Row {
        name: "sgd",
        arguments: &[("decay", 0.3)],
        rate: 1e-2,
        step: |m, value, g, rate| descent(m, value, g + 0.3 * value, rate, 0.0),
    },
    Row {
        name: "sgd",
        arguments: &[("momentum", 0.9)],
        rate: 1e-2,
        step: |m, value, g, rate| descent(m, value, g, rate, 0.9),
    },
];

/// A program to hang an optimiser on.
const SPEC: &str = "ntm 1

model still[N = 3](x[N]) -> y[N] {
  param a[N] = 0.5
  y[i] = a[i] * x[i]
}
";

#[test]
fn every_optimiser_has_a_trajectory() {
    let (_, text) = STD.iter().find(|(module, _)| module == "std.optim").unwrap();
    let defined: BTreeSet<String> = definitions(text).into_iter().collect();
    let listed: BTreeSet<String> = ROWS.iter().map(|row| row.name.to_owned()).collect();
    assert_eq!(defined, listed);
}

#[test]
fn optimisers_follow_trajectories_written_by_hand() {
    let mut spec =
        Spec::read(Source::new("still.ntm", SPEC), &StdOnly).unwrap_or_else(|e| panic!("{e}"));
    let choice = spec.choose(&Choices::default()).unwrap_or_else(|error| panic!("{error}"));
    let still = spec.elaborate(&choice, &Purpose::default());
    let still = still.unwrap_or_else(|error| panic!("{error}"));
    let forward = compile::forward(&still);
    for row in ROWS {
        let (name, span) = (row.name, Span::default());
        let arguments: Vec<(String, f64, Span)> =
            row.arguments.iter().map(|(word, value)| ((*word).to_owned(), *value, span)).collect();
        let mut sink = Diagnostics::default();
        let optimiser = model::elaborate_optimiser(
            &spec.checked,
            (name, span),
            &arguments,
            PARAMS as u32,
            &mut sink,
        )
        .unwrap();
        assert_eq!(model::learning_rate(&spec.checked, name, &arguments), Some(row.rate), "{name}");
        let plain = compile::with_optimiser(forward.clone(), &optimiser);
        for program in [compile::optimised(plain.clone()), plain] {
            let mut interp = Interp::new(&program, Precision::F64, 1);
            let mut slots = interp.slots();
            let mut stream = Stream::new(1, &["optimiser"], &[]);
            let mut value = Tensor::from_shape_simple_fn(vec![PARAMS], || stream.normal());
            let mut expected: Vec<([f64; 4], f64)> =
                value.iter().map(|value| ([0.0; 4], *value)).collect();
            for (step, rate) in RATES.into_iter().enumerate() {
                // The last parameter gets no gradient at first.
                let one = |(at, value): (usize, &f64)| {
                    if at + 1 == PARAMS && step < 2 { 0.0 } else { value + stream.normal() }
                };
                let gradient: Vec<f64> = value.iter().enumerate().map(one).collect();
                for ((memory, value), g) in expected.iter_mut().zip(&gradient) {
                    *value = (row.step)(memory, *value, *g, rate);
                }
                let gradient = Tensor::from_shape_vec(vec![PARAMS], gradient).unwrap();
                value = interp.update(&value, &gradient, rate, &mut slots);
                for (value, (_, expected)) in value.iter().zip(&expected) {
                    assert!(
                        (value - expected).abs() <= 1e-12 * expected.abs().max(1.0),
                        "{name}, step {step}: {value}, by hand {expected}"
                    );
                }
            }
        }
    }
}

/// Twenty steps on a small quadratic, as other programs take them: PyTorch, and the paper's equations in
/// NumPy (`tests/golden/optimisers.py`), by the interpreter and by machine code.
#[test]
fn optimisers_follow_the_trajectories_of_other_programs() {
    let path = crate::support::root().join("tests/golden/optimisers.json");
    let data: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let numbers = |of: &serde_json::Value| -> Vec<f64> {
        of.as_array().unwrap().iter().map(|one| one.as_f64().unwrap()).collect()
    };
    let matrix: Vec<Vec<f64>> = data["matrix"].as_array().unwrap().iter().map(numbers).collect();
    let (offset, start) = (numbers(&data["offset"]), numbers(&data["start"]));
    let mut spec =
        Spec::read(Source::new("still.ntm", SPEC), &StdOnly).unwrap_or_else(|e| panic!("{e}"));
    let choice = spec.choose(&Choices::default()).unwrap_or_else(|error| panic!("{error}"));
    let still = spec.elaborate(&choice, &Purpose::default());
    let forward = compile::forward(&still.unwrap_or_else(|error| panic!("{error}")));
    let mut seen = BTreeSet::new();
    for row in data["rows"].as_array().unwrap() {
        let (name, span) = (row["optimiser"].as_str().unwrap(), Span::default());
        let arguments = row["arguments"].as_object().unwrap();
        let arguments: Vec<(String, f64, Span)> = arguments
            .iter()
            .map(|(word, value)| (word.clone(), value.as_f64().unwrap(), span))
            .collect();
        let rate = model::learning_rate(&spec.checked, name, &arguments).unwrap();
        let mut sink = Diagnostics::default();
        let size = start.len() as u32;
        let optimiser =
            model::elaborate_optimiser(&spec.checked, (name, span), &arguments, size, &mut sink);
        let program = compile::with_optimiser(forward.clone(), &optimiser.unwrap());
        let program = compile::optimised(program);
        let interp: Box<dyn Trainable> = Box::new(Interp::new(&program, Precision::F64, 1));
        let machine = jit::ready(&program, Precision::F64, 1).unwrap();
        for (backend, mut ready) in [("interp", interp), ("jit", machine)] {
            let mut slots = ready.slots();
            let mut value = Tensor::from_shape_vec(vec![start.len()], start.clone()).unwrap();
            let expected: Vec<Vec<f64>> =
                row["values"].as_array().unwrap().iter().map(numbers).collect();
            assert_eq!(expected.len(), 20);
            for (step, expected) in expected.iter().enumerate() {
                let slope = |at: usize| -> f64 {
                    let terms = matrix[at].iter().zip(&value).map(|(a, v)| a * v);
                    terms.sum::<f64>() - offset[at]
                };
                let gradient = Tensor::from_shape_fn(vec![start.len()], |at| slope(at[0]));
                value = ready.update(&value, &gradient, rate, &mut slots);
                for (value, expected) in value.iter().zip(expected) {
                    assert!(
                        (value - expected).abs() <= 1e-12 * expected.abs().max(1.0),
                        "{name}, {backend}, step {step}: {value}, elsewhere {expected}"
                    );
                }
            }
        }
        seen.insert(name.to_owned());
    }
    let listed: BTreeSet<String> = ROWS.iter().map(|row| row.name.to_owned()).collect();
    assert_eq!(seen, listed);
}

#[test]
fn an_optimiser_gives_the_same_bits_on_any_number_of_threads() {
    const MANY: usize = 300_001;
    let text = SPEC.replace("N = 3", &format!("N = {MANY}"));
    let mut spec = Spec::read(Source::new("still.ntm", text), &StdOnly).unwrap();
    let choice = spec.choose(&Choices::default()).unwrap();
    let still = spec.elaborate(&choice, &Purpose::default()).unwrap();
    let mut sink = Diagnostics::default();
    let named = ("adam", Span::default());
    let adam = model::elaborate_optimiser(&spec.checked, named, &[], MANY as u32, &mut sink);
    let program = compile::with_optimiser(compile::forward(&still), &adam.unwrap());
    let mut stream = Stream::new(2, &["optimiser"], &[]);
    let mut draw = || Tensor::from_shape_simple_fn(vec![MANY], || stream.normal());
    let (value, gradient) = (draw(), draw());
    let after = |threads: usize| {
        let mut jit = jit::ready(&program, Precision::F32, threads).unwrap();
        let mut slots = jit.slots();
        let next = jit.update(&value, &gradient, 0.1, &mut slots);
        (jit.update(&next, &gradient, 0.1, &mut slots), slots)
    };
    let one = after(1);
    assert_eq!(one, after(2));
    assert_eq!(one, after(5));
    assert!(one.0 != value);
}

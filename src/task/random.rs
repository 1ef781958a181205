//! Random numbers in, random numbers to be given back: nothing to learn, any shape to time.
//!
//! Inputs are uniform in -1..1. The target is of the domain asked for: the same as the inputs, random
//! bits, or one class of all.

use super::{ANY, Episode, Kind, Param, Ports, Score, Task, Value};
use crate::random::Stream;
use crate::tensor::Tensor;

pub(super) const TASK: Task = Task {
    name: "random",
    summary: "random inputs and targets of any shape, for timing",
    params: &[
        Param {
            name: "inputs",
            kind: Kind::Whole { least: 1, most: 1 << 16 },
            default: Value::Whole(8),
            doc: "numbers into the model at each step",
        },
        Param {
            name: "outputs",
            kind: Kind::Whole { least: 1, most: 1 << 16 },
            default: Value::Whole(8),
            doc: "numbers out of the model at each step",
        },
        Param {
            name: "steps",
            kind: Kind::Range { least: 1, most: 1 << 20 },
            default: Value::Range(20, 20),
            doc: "length of a sequence, drawn uniformly",
        },
        Param {
            name: "target",
            kind: Kind::Word { of: &["real", "unit", "simplex"] },
            default: Value::Word("real"),
            doc: "domain of the outputs: real, unit (bits) or simplex (classes)",
        },
    ],
    ports: |values| Ports {
        input: values[0].low(),
        output: values[1].low(),
        domain: values[3].word(),
    },
    longest: |values| u64::from(values[2].high()),
    agree: ANY,
    episode,
    oracle: None,
    score: Score {
        name: "squared_error",
        unit: "mean squared error",
        perfect: Some(0.0),
        lower_is_better: true,
        of: squared_error,
    },
};

fn episode(values: &[Value], stream: &mut Stream) -> Episode {
    let steps = stream.whole(values[2].low(), values[2].high()) as usize;
    let (inputs, outputs) = (values[0].low() as usize, values[1].low() as usize);
    let mut draw = || stream.uniform(-1.0, 1.0);
    let inputs = Tensor::from_shape_simple_fn(vec![steps, inputs], &mut draw);
    let target = match values[3].word() {
        "unit" => Tensor::from_shape_simple_fn(vec![steps, outputs], || stream.bit()),
        "simplex" => {
            let mut classes = Tensor::zeros(vec![steps, outputs]);
            for step in 0..steps {
                classes[[step, stream.whole(0, outputs as u32 - 1) as usize]] = 1.0;
            }
            classes
        }
        _ => Tensor::from_shape_simple_fn(vec![steps, outputs], draw),
    };
    Episode { inputs, target, mask: Tensor::ones(vec![steps]) }
}

fn squared_error(episode: &Episode, output: &Tensor) -> f64 {
    let pairs = output.iter().zip(&episode.target);
    pairs.map(|(out, target)| (out - target).powi(2)).sum::<f64>() / episode.target.len() as f64
}

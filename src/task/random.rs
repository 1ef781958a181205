//! Random numbers in, random numbers to be given back: nothing to learn, any shape to time.

use super::{Episode, Kind, Param, Ports, Score, Task, Value};
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
    ],
    ports: |values| Ports { input: values[0].low(), output: values[1].low(), domain: "real" },
    longest: |values| u64::from(values[2].high()),
    episode,
    score: Score {
        name: "squared_error",
        unit: "mean squared error",
        perfect: 0.0,
        lower_is_better: true,
        of: squared_error,
    },
};

fn episode(values: &[Value], stream: &mut Stream) -> Episode {
    let steps = stream.whole(values[2].low(), values[2].high()) as usize;
    let mut draw = |width: Value| {
        Tensor::from_shape_simple_fn(vec![steps, width.low() as usize], || {
            stream.uniform(-1.0, 1.0)
        })
    };
    let (inputs, target) = (draw(values[0]), draw(values[1]));
    Episode { inputs, target, mask: Tensor::ones(vec![steps]) }
}

fn squared_error(episode: &Episode, output: &Tensor) -> f64 {
    let pairs = output.iter().zip(&episode.target);
    pairs.map(|(out, target)| (out - target).powi(2)).sum::<f64>() / episode.target.len() as f64
}

//! Copy (Graves 2014, section 4.1): a sequence of random bit vectors, a delimiter on a channel of its
//! own, then silence, during which the sequence has to come back.
//!
//! ```text
//! step     0 .. L-1    L           L+1 .. 2L
//! input    bits        delimiter   zeros
//! target   -           -           bits
//! ```

use super::{Episode, Kind, Param, Ports, Score, Task, Value};
use crate::random::Stream;
use crate::tensor::Tensor;

pub(super) const TASK: Task = Task {
    name: "copy",
    summary: "give a sequence of random bit vectors back after a delimiter",
    params: &[
        Param {
            name: "bits",
            kind: Kind::Whole { least: 1, most: 4096 },
            default: Value::Whole(8),
            doc: "width of each vector",
        },
        Param {
            name: "length",
            kind: Kind::Range { least: 1, most: 100_000 },
            default: Value::Range(1, 20),
            doc: "how many vectors, drawn uniformly",
        },
    ],
    ports,
    longest: |values| 2 * u64::from(values[1].high()) + 1,
    episode,
    score: Score {
        name: "wrong_bits",
        unit: "wrong bits per sequence",
        perfect: 0.0,
        lower_is_better: true,
        of: wrong_bits,
    },
};

fn ports(values: &[Value]) -> Ports {
    let bits = values[0].low();
    Ports { input: bits + 1, output: bits, domain: "unit" }
}

fn episode(values: &[Value], stream: &mut Stream) -> Episode {
    let bits = values[0].low() as usize;
    let length = stream.whole(values[1].low(), values[1].high()) as usize;
    let steps = 2 * length + 1;
    let mut inputs = Tensor::zeros(vec![steps, bits + 1]);
    let mut target = Tensor::zeros(vec![steps, bits]);
    let mut mask = Tensor::zeros(vec![steps]);
    for at in 0..length {
        for bit in 0..bits {
            let drawn = stream.bit();
            inputs[[at, bit]] = drawn;
            target[[length + 1 + at, bit]] = drawn;
        }
        mask[[length + 1 + at]] = 1.0;
    }
    inputs[[length, bits]] = 1.0;
    Episode { inputs, target, mask }
}

/// Outputs above one half count as 1.
pub(super) fn wrong_bits(episode: &Episode, output: &Tensor) -> f64 {
    let asked = (0..episode.steps()).filter(|step| episode.mask[[*step]] > 0.0);
    let width = episode.target.shape()[1];
    let wrong = asked.map(|step| {
        let differs =
            |bit: &usize| (output[[step, *bit]] > 0.5) != (episode.target[[step, *bit]] > 0.5);
        (0..width).filter(differs).count() as f64
    });
    wrong.sum()
}

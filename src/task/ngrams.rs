//! Dynamic N-grams (Graves 2014, section 4.4): bits whose chances depend on the bits just before
//! them, by a table that is drawn anew for every sequence. At each step the next bit is predicted.
//!
//! ```text
//! step     0       1        ..  T-1
//! input    0       bit 0    ..  bit T-2
//! target   bit 0   bit 1    ..  bit T-1
//! ```
//!
//! The first `order - 1` bits are fair coins. Each entry of the table is from Beta(1/2, 1/2), so that
//! the best prediction from the counts within the sequence is known (Murphy 2012):
//! P(1 | context) = (n1 + 1/2) / (n0 + n1 + 1).

use super::{ANY, Episode, Kind, Param, Ports, Score, Task, Value};
use crate::random::Stream;
use crate::tensor::Tensor;

pub(super) const TASK: Task = Task {
    name: "ngrams",
    summary: "predict the next bit of a random process from the bits before it",
    params: &[
        Param {
            name: "length",
            kind: Kind::Range { least: 1, most: 1_000_000 },
            default: Value::Range(200, 200),
            doc: "bits a sequence, drawn uniformly",
        },
        Param {
            name: "order",
            kind: Kind::Whole { least: 1, most: 16 },
            default: Value::Whole(6),
            doc: "a bit depends on the `order` - 1 before it",
        },
    ],
    ports: |_| Ports { input: 1, output: 1, domain: "unit" },
    longest: |values| u64::from(values[0].high()),
    agree: ANY,
    episode,
    oracle: Some(oracle),
    score: Score {
        name: "bits",
        unit: "bits per sequence",
        perfect: None,
        lower_is_better: true,
        of: cost,
    },
};

fn episode(values: &[Value], stream: &mut Stream) -> Episode {
    let length = stream.whole(values[0].low(), values[0].high()) as usize;
    let seen = values[1].low() as usize - 1;
    let table: Vec<f64> = (0..1usize << seen).map(|_| arcsine(stream)).collect();
    let mut bits: Vec<usize> = Vec::with_capacity(length);
    for at in 0..length {
        let chance = if at < seen { 0.5 } else { table[context(&bits, seen)] };
        bits.push(usize::from(stream.unit() < chance));
    }
    let mut episode = Episode::silent(length, 1, 1);
    for (at, bit) in bits.into_iter().enumerate() {
        episode.target[[at, 0]] = bit as f64;
        episode.mask[[at]] = 1.0;
        if at + 1 < length {
            episode.inputs[[at + 1, 0]] = bit as f64;
        }
    }
    episode
}

/// From Beta(1/2, 1/2), the arcsine law, by its inverse distribution.
fn arcsine(stream: &mut Stream) -> f64 {
    (std::f64::consts::FRAC_PI_2 * stream.unit()).sin().powi(2)
}

/// The last bits as a number.
fn context(bits: &[usize], seen: usize) -> usize {
    bits[bits.len() - seen..].iter().fold(0, |all, bit| 2 * all + bit)
}

/// Chances of a 1 from what was counted so far.
fn oracle(values: &[Value], episode: &Episode) -> Tensor {
    let seen = values[1].low() as usize - 1;
    let mut counts = vec![[0.5, 0.5]; 1 << seen];
    let mut bits: Vec<usize> = Vec::with_capacity(episode.steps());
    let mut output = Tensor::from_elem(episode.target.raw_dim(), 0.5);
    for at in 0..episode.steps() {
        let bit = usize::from(episode.target[[at, 0]] > 0.5);
        if at >= seen {
            let counted = &mut counts[context(&bits, seen)];
            output[[at, 0]] = counted[1] / (counted[0] + counted[1]);
            counted[bit] += 1.0;
        }
        bits.push(bit);
    }
    output
}

/// Cross-entropy in bits. A chance that f32 cannot tell from 0 or 1 counts as the nearest it can.
fn cost(episode: &Episode, output: &Tensor) -> f64 {
    let asked = (0..episode.steps()).filter(|step| episode.mask[[*step]] > 0.0);
    let given = asked.map(|step| {
        let one = output[[step, 0]];
        let chance = if episode.target[[step, 0]] > 0.5 { one } else { 1.0 - one };
        -chance.max(f64::from(f32::EPSILON)).log2()
    });
    given.sum()
}

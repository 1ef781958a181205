//! Repeat copy (Graves 2014, section 4.2): a sequence of random bit vectors and a number of copies,
//! then silence, during which the copies have to come, and after the last an end marker.
//!
//! ```text
//! step     0 .. L-1    L                    L+1 .. L+nL    L+nL+1
//! input    bits        delimiter, count     zeros          zeros
//! target   -           -                    bits, n times  end marker
//! ```
//!
//! The count has a channel of its own and is normalised to mean 0 and variance 1 over the range
//! `normal`, which is an argument of its own: a network that is asked for more copies than it was
//! trained on must be told the count in the same units.

use super::{ANY, Episode, Kind, Param, Ports, Task, Value, bits};
use crate::random::Stream;

pub(super) const TASK: Task = Task {
    name: "repeat_copy",
    summary: "give a sequence of random bit vectors back several times, then an end marker",
    params: &[
        bits::width(8),
        Param {
            name: "length",
            kind: Kind::Range { least: 1, most: 100_000 },
            default: Value::Range(1, 10),
            doc: "how many vectors, drawn uniformly",
        },
        Param {
            name: "repeats",
            kind: Kind::Range { least: 1, most: 100_000 },
            default: Value::Range(1, 10),
            doc: "how many copies, drawn uniformly",
        },
        Param {
            name: "normal",
            kind: Kind::Range { least: 1, most: 100_000 },
            default: Value::Range(1, 10),
            doc: "counts that have mean 0 and variance 1 on their channel: those of the training",
        },
    ],
    ports: |values| {
        let bits = values[0].low();
        Ports { input: bits + 2, output: bits + 1, domain: "unit" }
    },
    longest: |values| u64::from(values[1].high()) * (u64::from(values[2].high()) + 1) + 2,
    agree: ANY,
    episode,
    oracle: None,
    score: bits::WRONG,
};

fn episode(values: &[Value], stream: &mut Stream) -> Episode {
    let width = values[0].low() as usize;
    let length = stream.whole(values[1].low(), values[1].high()) as usize;
    let repeats = stream.whole(values[2].low(), values[2].high());
    let rows = bits::draw(length, width, stream);
    let copies = repeats as usize * length;
    let mut episode = Episode::silent(length + copies + 2, width + 2, width + 1);
    episode.show(0, &rows);
    episode.inputs[[length, width]] = 1.0;
    episode.inputs[[length, width + 1]] = normalised(repeats, values[3]);
    for copy in 0..repeats as usize {
        episode.ask(length + 1 + copy * length, &rows);
    }
    let end = length + copies + 1;
    episode.target[[end, width]] = 1.0;
    episode.mask[[end]] = 1.0;
    episode
}

/// A count in standard deviations from the mean of a uniform range; of a single number, from it.
fn normalised(count: u32, range: Value) -> f64 {
    let (low, high) = (f64::from(range.low()), f64::from(range.high()));
    let size = high - low + 1.0;
    let deviation = if size > 1.0 { ((size * size - 1.0) / 12.0).sqrt() } else { 1.0 };
    (f64::from(count) - (low + high) / 2.0) / deviation
}

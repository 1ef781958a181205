//! Copy (Graves 2014, section 4.1): a sequence of random bit vectors, a delimiter on a channel of its
//! own, then silence, during which the sequence has to come back.
//!
//! ```text
//! step     0 .. L-1    L           L+1 .. 2L
//! input    bits        delimiter   zeros
//! target   -           -           bits
//! ```

use super::{ANY, Episode, Kind, Param, Ports, Task, Value, bits};
use crate::random::Stream;

pub(super) const TASK: Task = Task {
    name: "copy",
    summary: "give a sequence of random bit vectors back after a delimiter",
    params: &[
        bits::width(8),
        Param {
            name: "length",
            kind: Kind::Range { least: 1, most: 100_000 },
            default: Value::Range(1, 20),
            doc: "how many vectors, drawn uniformly",
        },
    ],
    ports,
    longest: |values| 2 * u64::from(values[1].high()) + 1,
    agree: ANY,
    episode,
    oracle: None,
    score: bits::WRONG,
};

fn ports(values: &[Value]) -> Ports {
    let bits = values[0].low();
    Ports { input: bits + 1, output: bits, domain: "unit" }
}

fn episode(values: &[Value], stream: &mut Stream) -> Episode {
    let bits = values[0].low() as usize;
    let length = stream.whole(values[1].low(), values[1].high()) as usize;
    let rows = bits::draw(length, bits, stream);
    let mut episode = Episode::silent(2 * length + 1, bits + 1, bits);
    episode.show(0, &rows);
    episode.inputs[[length, bits]] = 1.0;
    episode.ask(length + 1, &rows);
    episode
}

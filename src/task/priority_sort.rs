//! Priority sort (Graves 2014, section 4.5): random bit vectors, each with a random priority, then
//! silence, during which those of highest priority have to come, the highest first.
//!
//! ```text
//! step     0 .. n-1          n .. n+k-1
//! input    bits, priority    zeros
//! target   -                 the k best
//! ```

use super::{Disagreement, Episode, Kind, Param, Ports, Task, Value, bits};
use crate::random::Stream;
use crate::tensor::Tensor;

pub(super) const TASK: Task = Task {
    name: "priority_sort",
    summary: "give the vectors of highest priority back in order",
    params: &[
        bits::width(8),
        Param {
            name: "items",
            kind: Kind::Range { least: 1, most: 100_000 },
            default: Value::Range(20, 20),
            doc: "how many vectors, drawn uniformly",
        },
        Param {
            name: "best",
            kind: Kind::Whole { least: 1, most: 100_000 },
            default: Value::Whole(16),
            doc: "how many of them to give back",
        },
    ],
    ports: |values| {
        let bits = values[0].low();
        Ports { input: bits + 1, output: bits, domain: "unit" }
    },
    longest: |values| u64::from(values[1].high()) + u64::from(values[2].low()),
    agree,
    episode,
    oracle: None,
    score: bits::WRONG,
};

fn agree(values: &[Value]) -> Result<(), Disagreement> {
    let (items, best) = (values[1].low(), values[2].low());
    if best <= items {
        return Ok(());
    }
    let message = format!("`best` asks for {best} vectors, there may be only {items}");
    Err(Disagreement { param: 2, message, instead: Value::Whole(items) })
}

fn episode(values: &[Value], stream: &mut Stream) -> Episode {
    let (width, best) = (values[0].low() as usize, values[2].low() as usize);
    let items = stream.whole(values[1].low(), values[1].high()) as usize;
    let rows = bits::draw(items, width, stream);
    let priorities: Vec<f64> = (0..items).map(|_| stream.uniform(-1.0, 1.0)).collect();
    let mut order: Vec<usize> = (0..items).collect();
    order.sort_by(|left, right| priorities[*right].total_cmp(&priorities[*left]));
    let mut episode = Episode::silent(items + best, width + 1, width);
    episode.show(0, &rows);
    for (at, priority) in priorities.iter().enumerate() {
        episode.inputs[[at, width]] = *priority;
    }
    let sorted = Tensor::from_shape_fn(vec![best, width], |at| rows[[order[at[0]], at[1]]]);
    episode.ask(items, &sorted);
    episode
}

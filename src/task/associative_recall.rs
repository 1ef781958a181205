//! Associative recall (Graves 2014, section 4.3): items of a few random bit vectors, each with a
//! delimiter on its left and right, then one of them between two delimiters of another kind; the
//! item that followed it has to be given. The last item is never asked for, as nothing followed it.
//!
//! ```text
//! step     0           1 .. r    ..  n(r+1)            .. + r       .. + 1            .. + r
//! input    delimiter   item      ..  query delimiter   the query    query delimiter   zeros
//! target   -           -         ..  -                 -            -                 its successor
//! ```

use ndarray::{Axis, Slice};

use super::{ANY, Episode, Kind, Param, Ports, Task, Value, bits};
use crate::random::Stream;

pub(super) const TASK: Task = Task {
    name: "associative_recall",
    summary: "give the item that followed another in a list",
    params: &[
        bits::width(6),
        Param {
            name: "rows",
            kind: Kind::Whole { least: 1, most: 4096 },
            default: Value::Whole(3),
            doc: "vectors an item",
        },
        Param {
            name: "items",
            kind: Kind::Range { least: 2, most: 100_000 },
            default: Value::Range(2, 6),
            doc: "how many items, drawn uniformly",
        },
    ],
    ports: |values| {
        let bits = values[0].low();
        Ports { input: bits + 2, output: bits, domain: "unit" }
    },
    longest: |values| {
        let rows = u64::from(values[1].low());
        u64::from(values[2].high()) * (rows + 1) + 2 * rows + 2
    },
    agree: ANY,
    episode,
    oracle: None,
    score: bits::WRONG,
};

fn episode(values: &[Value], stream: &mut Stream) -> Episode {
    let (width, rows) = (values[0].low() as usize, values[1].low() as usize);
    let items = stream.whole(values[2].low(), values[2].high());
    let query = stream.whole(0, items - 2) as usize;
    let list = bits::draw(items as usize * rows, width, stream);
    let item =
        |at: usize| list.slice_axis(Axis(0), Slice::from(at * rows..(at + 1) * rows)).to_owned();
    let question = items as usize * (rows + 1);
    let answer = question + rows + 2;
    let mut episode = Episode::silent(answer + rows, width + 2, width);
    for at in 0..items as usize {
        episode.inputs[[at * (rows + 1), width]] = 1.0;
        episode.show(at * (rows + 1) + 1, &item(at));
    }
    episode.inputs[[question, width + 1]] = 1.0;
    episode.show(question + 1, &item(query));
    episode.inputs[[answer - 1, width + 1]] = 1.0;
    episode.ask(answer, &item(query + 1));
    episode
}

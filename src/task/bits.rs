//! What tasks about bits share: how rows of bits are drawn and how answers are counted.

use super::{Episode, Kind, Param, Score, Value};
use crate::random::Stream;
use crate::tensor::Tensor;

/// The argument that says how wide a row of bits is.
pub(super) const fn width(default: u32) -> Param {
    Param {
        name: "bits",
        kind: Kind::Whole { least: 1, most: 4096 },
        default: Value::Whole(default),
        doc: "width of each vector",
    }
}

/// Bits that are not as asked.
pub(super) const WRONG: Score = Score {
    name: "wrong_bits",
    unit: "wrong bits per sequence",
    perfect: Some(0.0),
    lower_is_better: true,
    of: wrong,
};

/// Fair bits [rows, width].
pub(super) fn draw(rows: usize, width: usize, stream: &mut Stream) -> Tensor {
    Tensor::from_shape_simple_fn(vec![rows, width], || stream.bit())
}

/// Outputs above one half count as 1.
fn wrong(episode: &Episode, output: &Tensor) -> f64 {
    let asked = (0..episode.steps()).filter(|step| episode.mask[[*step]] > 0.0);
    let width = episode.target.shape()[1];
    let wrong = asked.map(|step| {
        let differs =
            |bit: &usize| (output[[step, *bit]] > 0.5) != (episode.target[[step, *bit]] > 0.5);
        (0..width).filter(differs).count() as f64
    });
    wrong.sum()
}

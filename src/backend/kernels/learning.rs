//! What a training step does to all its numbers at once, besides the optimiser's own equations.
//!
//! In: numbers of one array after another. Out: a sum, whether all are finite, a clipped gradient. Invariant: the same
//! bits at every level; lanes are of a fixed number.

use super::leveled;

/// Sums kept apart, so that none waits for another.
const LANES: usize = 16;

leveled! {
    /// The sum of squares.
    pub(in crate::backend) fn squares<F>(values: &[F]) -> f64 {
        let mut lanes = [0.0; LANES];
        let (chunks, rest) = values.as_chunks::<LANES>();
        for chunk in chunks {
            for lane in 0..LANES {
                let value = chunk[lane].wide();
                lanes[lane] += value * value;
            }
        }
        let mut sum = 0.0;
        for value in rest {
            sum += value.wide() * value.wide();
        }
        lanes.iter().sum::<f64>() + sum
    }
}

leveled! {
    /// Whether no number is NaN or infinite.
    pub(in crate::backend) fn finite<F>(values: &[F]) -> bool {
        // 0 times such a number is no number.
        let mut lanes = [F::zero(); LANES];
        let (chunks, rest) = values.as_chunks::<LANES>();
        for chunk in chunks {
            for lane in 0..LANES {
                lanes[lane] += chunk[lane] * F::zero();
            }
        }
        let mut sum = F::zero();
        for value in rest {
            sum += *value * F::zero();
        }
        lanes.iter().fold(sum, |sum, lane| sum + *lane) == F::zero()
    }
}

leveled! {
    /// Multiplies numbers and cuts the products to at most that magnitude.
    pub(in crate::backend) fn cut<F>(from: &[F], scale: F, limit: F, out: &mut [F]) {
        let low = -limit;
        let count = out.len().min(from.len());
        let (out, from) = (&mut out[..count], &from[..count]);
        for at in 0..count {
            let value = from[at] * scale;
            let value = if value < low { low } else { value };
            out[at] = if value > limit { limit } else { value };
        }
    }
}

//! The number type a backend computes in.
//!
//! In: `f64` from other rooms. Out: `f64` to them. Invariant: arithmetic happens in the type itself,
//! every other function in `f64` rounded once, so single precision is as deterministic as double.

use std::fmt::Debug;
use std::ops::{AddAssign, Neg};

use ndarray::LinalgScalar;

/// `f32` or `f64`.
pub(super) trait Float:
    LinalgScalar + PartialOrd + Neg<Output = Self> + AddAssign + Default + Send + Sync + Debug
{
    /// Rounds to this type.
    fn of(value: f64) -> Self;

    /// Widens, exactly.
    fn wide(self) -> f64;
}

impl Float for f32 {
    fn of(value: f64) -> f32 {
        value as f32
    }

    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Float for f64 {
    fn of(value: f64) -> f64 {
        value
    }

    fn wide(self) -> f64 {
        self
    }
}

/// Rounds a row of numbers.
pub(super) fn round<F: Float>(out: &mut [F], from: &[f64]) {
    assert_eq!(out.len(), from.len(), "internal error: backend: an array of another size");
    out.iter_mut().zip(from).for_each(|(out, from)| *out = F::of(*from));
}

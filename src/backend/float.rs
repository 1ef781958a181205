//! The number type a backend computes in.
//!
//! In: `f64` from other rooms. Out: `f64` to them. Invariant: arithmetic happens in the type itself, and
//! so do functions that have a row of their own in it; every other function in `f64`, rounded once. So
//! single precision is as deterministic as double.

use std::fmt::Debug;
use std::ops::{AddAssign, Neg};

use ndarray::LinalgScalar;

use crate::op::scalar::Row;

/// The most arguments of a function of the table.
pub(super) const MOST_ARGUMENTS: usize = 4;

/// `f32` or `f64`.
pub(super) trait Float:
    LinalgScalar + PartialOrd + Neg<Output = Self> + AddAssign + Default + Send + Sync + Debug
{
    /// Rounds to this type.
    fn of(value: f64) -> Self;

    /// Widens, exactly.
    fn wide(self) -> f64;

    /// A function of the table; at most four arguments.
    fn apply(row: &Row, args: &[Self]) -> Self;
}

impl Float for f32 {
    fn of(value: f64) -> f32 {
        value as f32
    }

    fn wide(self) -> f64 {
        f64::from(self)
    }

    #[inline]
    fn apply(row: &Row, args: &[f32]) -> f32 {
        if let Some(single) = row.single {
            return single(args);
        }
        let mut wide = [0.0; MOST_ARGUMENTS];
        wide.iter_mut().zip(args).for_each(|(wide, arg)| *wide = f64::from(*arg));
        (row.eval)(&wide[..args.len()]) as f32
    }
}

impl Float for f64 {
    fn of(value: f64) -> f64 {
        value
    }

    fn wide(self) -> f64 {
        self
    }

    #[inline]
    fn apply(row: &Row, args: &[f64]) -> f64 {
        (row.eval)(args)
    }
}

/// Rounds a row of numbers.
pub(super) fn round<F: Float>(out: &mut [F], from: &[f64]) {
    assert_eq!(out.len(), from.len(), "internal error: backend: an array of another size");
    out.iter_mut().zip(from).for_each(|(out, from)| *out = F::of(*from));
}

//! What machine code calls: functions of the table without an instruction of their own, and
//! whole-axis primitives.
//!
//! In: addresses in the memory of a run. Out: values written there. Invariant: the same functions as
//! the interpreter's, so equal inputs give equal bits.

use crate::backend::float::Float;
use crate::op::{Opaque, scalar};

/// A number type of machine code.
pub(super) trait Number: Float {
    /// Bytes of one number.
    const BYTES: i64;
    /// Applies a row of the scalar table; see [`apply`].
    const APPLY: Apply;
    /// Evaluates a whole-axis primitive; see [`order`].
    const ORDER: Order;
}

/// The most arguments of a function of the table.
pub(super) const MOST_ARGUMENTS: usize = 4;

/// Row, address of the arguments, numbers in each.
pub(super) type Apply = unsafe extern "C" fn(usize, *mut u8, usize);
/// Address and stride of a line, its length, address and stride of the result, its length, and one
/// more than the `k` of a top-k, or 0 for a sort.
pub(super) type Order = unsafe extern "C" fn(*const u8, usize, usize, *mut u8, usize, usize, usize);

macro_rules! number {
    ($float:ty, $bytes:literal) => {
        impl Number for $float {
            const BYTES: i64 = $bytes;
            const APPLY: Apply = apply::<$float>;
            const ORDER: Order = order::<$float>;
        }
    };
}

number!(f32, 4);
number!(f64, 8);

/// Applies a function of the scalar table to `n` points. The arguments lie one after the other, `n`
/// numbers each; the results replace the first.
///
/// # Safety
/// `args` points to as many arguments of `n` numbers as the row takes, of which nobody else knows.
#[expect(
    unsafe_code,
    reason = "called by machine code, with the address of its own scratch memory"
)]
unsafe extern "C" fn apply<F: Number>(row: usize, args: *mut u8, n: usize) {
    let row = &scalar::rows()[row];
    let count = row.takes.len();
    // SAFETY: the caller's promise.
    let all = unsafe { std::slice::from_raw_parts_mut(args.cast::<F>(), count * n) };
    let mut point = [0.0; MOST_ARGUMENTS];
    for at in 0..n {
        for (number, value) in point[..count].iter_mut().enumerate() {
            *value = all[number * n + at].wide();
        }
        all[at] = F::of((row.eval)(&point[..count]));
    }
}

/// Orders one line.
///
/// # Safety
/// `length` numbers lie at `from`, `stride` numbers apart, and `results` numbers fit at `to`, `by`
/// apart; the two do not overlap.
#[expect(unsafe_code, reason = "called by machine code, with addresses inside the memory of a run")]
unsafe extern "C" fn order<F: Number>(
    from: *const u8,
    stride: usize,
    length: usize,
    to: *mut u8,
    by: usize,
    results: usize,
    top: usize,
) {
    let (from, to) = (from.cast::<F>(), to.cast::<F>());
    // SAFETY: the caller's promise.
    let line: Vec<f64> =
        (0..length).map(|at| unsafe { from.add(at * stride).read() }.wide()).collect();
    let op = match top {
        0 => Opaque::Argsort,
        more => Opaque::TopK { k: (more - 1) as u32 },
    };
    for (at, position) in op.positions(&line).into_iter().take(results).enumerate() {
        // SAFETY: the caller's promise.
        unsafe { to.add(at * by).write(F::of(f64::from(position))) };
    }
}

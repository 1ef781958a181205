//! What machine code calls, or is followed by: functions of the table without an instruction of their own, whole-axis
//! primitives, and kernels.
//!
//! In: addresses in the memory of a run. Out: values written there. Invariant: functions are
//! the interpreter's, so equal inputs give equal bits; sums of products may add in another order.

use std::fmt;

use crate::backend::float::{Float, MOST_ARGUMENTS};
use crate::backend::kernels::{self, Arrays, Level, Product, Run};
use crate::op::{Opaque, Scalar, scalar};

use super::layout::{Region, Slot};

/// The memory of a call, by its regions; see [`Region`].
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Pointers<P> {
    pub(super) fixed: P,
    pub(super) tape: P,
    pub(super) before: P,
    pub(super) work: P,
    pub(super) arriving: P,
    pub(super) leaving: P,
    /// Sums over steps and samples.
    pub(super) gradient: P,
}

impl<P: Copy> Pointers<P> {
    /// That of a region.
    pub(super) fn of(&self, region: Region) -> P {
        match region {
            Region::Fixed => self.fixed,
            Region::Tape => self.tape,
            Region::Before => self.before,
            Region::Work => self.work,
            Region::Arriving => self.arriving,
            Region::Leaving => self.leaving,
        }
    }
}

/// A place in the memory of a call: in which region, and how many bytes from its start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    region: Region,
    at: usize,
}

impl Place {
    /// A position of a slot, which so many samples share, of numbers of so many bytes.
    pub(super) fn of(slot: Slot, position: usize, (samples, bytes): (usize, usize)) -> Place {
        let at = (slot.offset + position) * slot.beside(samples) * bytes;
        Place { region: slot.region, at }
    }

    /// Whether it lies among what is the same for all steps and samples.
    pub(super) fn is_fixed(self) -> bool {
        self.region == Region::Fixed
    }

    /// Its address.
    ///
    /// # Safety
    /// The region is there, and as large as the plan says from which the slot is.
    #[expect(unsafe_code, reason = "kernels take addresses of the memory of a run")]
    pub(super) unsafe fn find(self, memory: &Pointers<*mut u8>) -> *mut u8 {
        // SAFETY: the caller's promise; slots lie inside regions.
        unsafe { memory.of(self.region).add(self.at) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}+{:#x}", self.region, self.at)
    }
}

impl<P> Pointers<P> {
    /// One pointer after the other, in the order in which they lie.
    pub(super) fn each(mut next: impl FnMut(i32) -> P) -> Pointers<P> {
        let mut number = -1;
        let mut next = || {
            number += 1;
            next(number)
        };
        Pointers {
            fixed: next(),
            tape: next(),
            before: next(),
            work: next(),
            arriving: next(),
            leaving: next(),
            gradient: next(),
        }
    }
}

/// A number type of machine code.
pub(super) trait Number: Float {
    /// Bytes of one number.
    const BYTES: i64;
    /// Applies a row of the scalar table; see [`apply`].
    const APPLY: Apply;
    /// Evaluates a whole-axis primitive; see [`order`].
    const ORDER: Order;
    /// Computes sums of products.
    const PRODUCT: Run;
    /// Whether functions are computed for whole arrays at once.
    const TILES: bool;

    /// Computes sums of products: the result, the factors.
    fn product(product: &Product, out: &mut [Self], left: &[Self], right: &[Self]);

    /// Computes sums of products that read their right factor [alike](Product::reads_like): for each the place of its
    /// result and its left factor.
    fn products(all: &[(Product, usize, &[Self])], out: &mut [Self], right: &[Self]) {
        for (product, to, left) in all {
            Self::product(product, &mut out[*to..], left, right);
        }
    }
}

/// Row, address of the arguments, numbers in each.
pub(super) type Apply = unsafe extern "C" fn(usize, *mut u8, usize);
/// Address and stride of a line, its length, address and stride of the result, its length, and one
/// more than the `k` of a top-k, or 0 for a sort.
pub(super) type Order = unsafe extern "C" fn(*const u8, usize, usize, *mut u8, usize, usize, usize);

macro_rules! number {
    ($float:ty, $bytes:literal, $apply:path, $product:path, $tiles:literal $(, $sharing:path)?) => {
        impl Number for $float {
            const BYTES: i64 = $bytes;
            const APPLY: Apply = $apply;
            const ORDER: Order = order::<$float>;
            const PRODUCT: Run = $product;
            const TILES: bool = $tiles;

            fn product(product: &Product, out: &mut [Self], left: &[Self], right: &[Self]) {
                let fits = product.fits([out.len(), left.len(), right.len()]);
                assert!(fits, "internal error: jit: a product outside its arrays");
                #[expect(unsafe_code, reason = "kernels take addresses")]
                // SAFETY: all that the product leads to lies inside the arrays.
                unsafe {
                    $product(
                        product,
                        out.as_mut_ptr().cast(),
                        left.as_ptr().cast(),
                        right.as_ptr().cast(),
                    );
                }
            }

            $(fn products(all: &[(Product, usize, &[Self])], out: &mut [Self], right: &[Self]) {
                let (first, room) = (out.as_mut_ptr(), out.len());
                let mut list = Vec::with_capacity(all.len());
                for (product, to, left) in all {
                    let fits = product.fits([room.saturating_sub(*to), left.len(), right.len()]);
                    assert!(fits, "internal error: jit: a product outside its arrays");
                    let alike = product.reads_like(&all[0].0);
                    assert!(alike, "internal error: jit: products that do not share a factor");
                    let out = first.wrapping_add(*to);
                    list.push((*product, Arrays { out, left: left.as_ptr(), right: right.as_ptr() }));
                }
                #[expect(unsafe_code, reason = "kernels take addresses")]
                // SAFETY: all that each product leads to lies inside the arrays; they share their factor.
                unsafe {
                    $sharing(Level::here(), &list);
                }
            })?
        }
    };
}

number!(f32, 4, apply_single, kernels::single, true, kernels::sharing);
// Functions in double precision have no vectors of ours.
number!(f64, 8, apply::<f64>, kernels::double, false);

/// Applies a function of one or two arguments to arrays of single precision.
///
/// # Safety
/// `count` numbers lie at `first` and, if the function takes two, at `second`; they do not overlap and
/// nobody else knows of the first.
#[expect(unsafe_code, reason = "takes addresses inside the memory of a run")]
pub(super) unsafe fn tile(function: Scalar, first: *mut u8, second: *const u8, count: usize) {
    // SAFETY: the caller's promise.
    let xs = unsafe { std::slice::from_raw_parts_mut(first.cast::<f32>(), count) };
    if function.row().takes.len() == 1 {
        return kernels::one(Level::here(), function, xs);
    }
    // SAFETY: the caller's promise.
    let ys = unsafe { std::slice::from_raw_parts(second.cast::<f32>(), count) };
    kernels::two(Level::here(), function, xs, ys);
}

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
    let mut point = [F::default(); MOST_ARGUMENTS];
    for at in 0..n {
        for (number, value) in point[..count].iter_mut().enumerate() {
            *value = all[number * n + at];
        }
        all[at] = F::apply(row, &point[..count]);
    }
}

/// The same in single precision, where kernels know functions of one and two arguments.
///
/// # Safety
/// As for [`apply`].
#[expect(
    unsafe_code,
    reason = "called by machine code, with the address of its own scratch memory"
)]
unsafe extern "C" fn apply_single(row: usize, args: *mut u8, n: usize) {
    let few = scalar::rows()[row].takes.len() <= 2;
    // SAFETY: the caller's promise; the second arguments, if there are any, follow the first.
    unsafe {
        match few {
            true => {
                let second = args.wrapping_add(n * size_of::<f32>());
                tile(Scalar(row as u16), args, second, n);
            }
            false => apply::<f32>(row, args, n),
        }
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

//! Elementary functions in single precision, free of branches, so that every width of vector gives the
//! same bits.
//!
//! In: any number. Out: the function's value to a few units in the last place. A multiplication whose
//! product is added to is one step and rounds once ([`f32::mul_add`]). That gives the same bits
//! everywhere, but is a call, and slow, wherever it is compiled for a machine without such an instruction; so
//! backends go by way of their kernels. Nothing else is called. Invariant: what falls
//! below the normal numbers on the way is 0, because arithmetic on denormal numbers is a hundred times
//! slower; `tanh` of such a number is the number. Polynomials: Moshier's Cephes library, their terms
//! added in pairs, so that few of them wait for one another.

use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

/// Added and taken away again, it rounds a number of magnitude below 2^22 to a whole one, which then stands
/// in the low bits of the sum.
const WHOLE: f32 = 12_582_912.0;
/// The same for `f64`, below 2^51.
const WHOLE_WIDE: f64 = 6_755_399_441_055_744.0;
/// ln 2 in two parts.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Below this e to the x is no normal number, ...
const LOWEST: f32 = -87.336_54;
/// ... and above this it is infinite.
const HIGHEST: f32 = 88.722_83;

/// e to the x without its power of two, which is `whole`. Of use between [`LOWEST`] and [`HIGHEST`].
#[inline(always)]
fn mantissa_of_exp(x: f32, whole: f32) -> f32 {
    let rest = whole.mul_add(-LN_2_HIGH, x);
    let rest = whole.mul_add(-LN_2_LOW, rest);
    let square = rest * rest;
    let first = rest.mul_add(0.166_666_66, 0.5);
    let second = rest.mul_add(8.333_452e-3, 4.166_579_6e-2);
    let third = rest.mul_add(1.987_569_2e-4, 1.398_2e-3);
    let series = third.mul_add(square, second).mul_add(square, first);
    series.mul_add(square, rest) + 1.0
}

/// e to the x. Error at most 2 units in the last place.
#[inline(always)]
#[must_use]
pub fn exp(x: f32) -> f32 {
    let sum = x.mul_add(LOG2_E, WHOLE);
    let value = mantissa_of_exp(x, sum - WHOLE);
    // The power is added to the exponent, for 2^128 is no number.
    let value = f32::from_bits(value.to_bits().wrapping_add(sum.to_bits() << 23));
    // A NaN is not below, and the sum gives it back.
    let far = if x < LOWEST { 0.0 } else { x + f32::INFINITY };
    if (LOWEST..=HIGHEST).contains(&x) { value } else { far }
}

/// e to the x, for an x that is not above 0; a NaN remains one.
#[inline(always)]
fn exp_falling(x: f32) -> f32 {
    // 127 more: the bits of the power, once they stand where an exponent does.
    let sum = x.mul_add(LOG2_E, WHOLE + 127.0);
    let value = mantissa_of_exp(x, sum - (WHOLE + 127.0));
    let value = value * f32::from_bits(sum.to_bits() << 23);
    if x < LOWEST { 0.0 } else { value }
}

/// The natural logarithm. Error at most 2 units in the last place.
#[inline(always)]
#[must_use]
pub fn log(x: f32) -> f32 {
    let tiny = x < f32::MIN_POSITIVE;
    let scaled = if tiny { x * 8_388_608.0 } else { x };
    // Mantissas between the root of 1/2 and that of 2.
    let shifted = scaled.to_bits().wrapping_sub(FRAC_1_SQRT_2.to_bits()).cast_signed() >> 23;
    let mantissa = f32::from_bits(scaled.to_bits().wrapping_sub((shifted << 23).cast_unsigned()));
    let power = shifted as f32 - if tiny { 23.0 } else { 0.0 };
    let rest = mantissa - 1.0;
    let square = rest * rest;
    let first = rest.mul_add(-0.249_999_94, 0.333_333_3);
    let second = rest.mul_add(-0.166_680_57, 0.200_007_15);
    let third = rest.mul_add(-0.124_201_41, 0.142_493_23);
    let fourth = rest.mul_add(-0.115_146_1, 0.116_769_984);
    let low = second.mul_add(square, first);
    let high = fourth.mul_add(square, third);
    let fourfold = square * square;
    let series = fourfold.mul_add(7.037_683_6e-2, high).mul_add(fourfold, low);
    let value = (series * rest).mul_add(square, power * LN_2_LOW);
    let value = square.mul_add(-0.5, value);
    let value = power.mul_add(LN_2_HIGH, rest + value);
    let value = if x > f32::MAX { x } else { value };
    let value = if x == 0.0 { f32::NEG_INFINITY } else { value };
    if x >= 0.0 { value } else { f32::NAN }
}

/// The logistic function. Error at most 3 units in the last place.
#[inline(always)]
#[must_use]
pub fn sigmoid(x: f32) -> f32 {
    let small = exp_falling(-x.abs());
    let over = if x < 0.0 { small } else { 1.0 };
    over / (1.0 + small)
}

/// The hyperbolic tangent. Error at most 3 units in the last place.
#[inline(always)]
#[must_use]
pub fn tanh(x: f32) -> f32 {
    let size = x.abs();
    let small = exp_falling(-2.0 * size);
    let far = (1.0 - small) / (1.0 + small);
    let square = x * x;
    let fourfold = square * square;
    let low = square.mul_add(0.133_314_42, -0.333_332_8);
    let high = square.mul_add(2.063_909e-2, -5.373_971_6e-2);
    let series = fourfold.mul_add(-5.704_988_6e-3, high).mul_add(fourfold, low);
    let near = (series * square).mul_add(x, x);
    // Near 0 the sum of two zeros would lose the sign.
    let value = if size < 0.625 { near } else { far };
    value.copysign(x)
}

/// log(1 + e^x). Error at most 3 units in the last place.
#[inline(always)]
#[must_use]
pub fn softplus(x: f32) -> f32 {
    let small = exp_falling(-x.abs());
    // What rounding 1 + small loses is given back by the quotient.
    let sum = 1.0 + small;
    let lost = sum - 1.0;
    // No number where nothing was kept.
    let given = log(sum) * (small / lost);
    let tail = if lost == 0.0 { small } else { given };
    let high = if x > 0.0 { x } else { 0.0 };
    if x.is_nan() { x } else { high + tail }
}

/// x to the power y, by way of double precision. Error at most 1 unit in the last place.
#[inline(always)]
#[must_use]
pub fn pow(x: f32, y: f32) -> f32 {
    let base = f64::from(x.abs());
    let value = exp_wide(f64::from(y) * log_wide(base)) as f32;
    let value = if value < f32::MIN_POSITIVE { 0.0 } else { value };
    // The logarithm is no help at the ends.
    let value = if base == 0.0 || base == f64::INFINITY {
        if (y < 0.0) == (base == 0.0) { f32::INFINITY } else { 0.0 }
    } else {
        value
    };
    let value = if y.is_nan() { y } else { value };
    // A whole exponent, odd or not, of a negative base; from 2^24 on all are even.
    let rounded = (y.abs() + 8_388_608.0) - 8_388_608.0;
    let large = y.abs() >= 8_388_608.0;
    let whole = large || rounded == y.abs();
    let halved = (y.abs() * 0.5 + 8_388_608.0) - 8_388_608.0;
    let odd = whole && y.abs() < 16_777_216.0 && halved + halved != y.abs();
    let signed = if odd { -value } else { value };
    let infinite = base == f64::INFINITY || base == 0.0 || y.abs() == f32::INFINITY;
    let negative = if whole || infinite { signed } else { f32::NAN };
    let value = if x.is_sign_negative() { negative } else { value };
    let value = if x.is_nan() { x } else { value };
    let one = y == 0.0 || x == 1.0 || (base == 1.0 && y.abs() == f32::INFINITY);
    if one { 1.0 } else { value }
}

/// The logarithm of a positive number to single precision and a margin.
#[inline(always)]
fn log_wide(x: f64) -> f64 {
    let bits = x.to_bits();
    let mantissa = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    let large = mantissa > std::f64::consts::SQRT_2;
    let mantissa = if large { mantissa * 0.5 } else { mantissa };
    let power = f64::from_bits((bits >> 52) | 0x4330_0000_0000_0000);
    let power = power - (4_503_599_627_370_496.0 + 1023.0);
    let power = if large { power + 1.0 } else { power };
    // log m = 2 artanh((m - 1) / (m + 1)), whose argument is below 0.172.
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    let fourfold = square * square;
    let first = square.mul_add(1.0 / 3.0, 1.0);
    let second = square.mul_add(1.0 / 7.0, 1.0 / 5.0);
    let third = square.mul_add(1.0 / 11.0, 1.0 / 9.0);
    let third = fourfold.mul_add(1.0 / 13.0, third);
    let series = third.mul_add(fourfold, second).mul_add(fourfold, first);
    power.mul_add(std::f64::consts::LN_2, 2.0 * ratio * series)
}

/// e to the x to single precision and a margin, cut to what single precision holds.
#[inline(always)]
fn exp_wide(x: f64) -> f64 {
    let near = if x > 100.0 { 100.0 } else { x };
    let near = if near < -110.0 { -110.0 } else { near };
    let sum = near.mul_add(std::f64::consts::LOG2_E, WHOLE_WIDE);
    let rest = (sum - WHOLE_WIDE).mul_add(-std::f64::consts::LN_2, near);
    let square = rest * rest;
    let fourfold = square * square;
    let first = rest + 1.0;
    let second = rest.mul_add(1.0 / 6.0, 0.5);
    let third = rest.mul_add(1.0 / 120.0, 1.0 / 24.0);
    let fourth = rest.mul_add(1.0 / 5_040.0, 1.0 / 720.0);
    let fifth = rest.mul_add(1.0 / 362_880.0, 1.0 / 40_320.0);
    let low = second.mul_add(square, first);
    let high = fourth.mul_add(square, third);
    let series = fifth.mul_add(fourfold, high).mul_add(fourfold, low);
    // The whole number of halvings stands in the low bits of the sum.
    series * f64::from_bits((sum.to_bits() << 52).wrapping_add(1023 << 52))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::scalar;

    /// Numbers of all magnitudes and signs, evenly spread over their bits, and the special ones.
    fn numbers(step: usize) -> impl Iterator<Item = f32> {
        let special = [0.0, -0.0, 1.0, -1.0, 2.0, -3.0, 88.72, 88.73, 89.5, -87.33, -87.4, -104.0];
        let special = special.into_iter().chain([f32::INFINITY, f32::NEG_INFINITY, f32::NAN]);
        let near = |x: f32| (x.to_bits() - 40..x.to_bits() + 40).map(f32::from_bits);
        let ends = near(LOWEST).chain(near(HIGHEST)).chain(near(f32::MIN_POSITIVE));
        let all = (0..u32::MAX).step_by(step).map(f32::from_bits);
        special.chain(ends).chain(all.filter(|x| !x.is_nan()))
    }

    /// How many units in the last place of single precision two numbers are apart.
    fn apart(found: f32, truth: f64) -> f64 {
        let rounded = truth as f32;
        if rounded.is_nan() || found.is_nan() {
            return if rounded.is_nan() && found.is_nan() { 0.0 } else { f64::INFINITY };
        }
        if rounded.is_infinite() || found.is_infinite() || rounded.abs() < f32::MIN_POSITIVE {
            let flushed =
                rounded.abs() < 2.0 * f32::MIN_POSITIVE && found.abs() <= f32::MIN_POSITIVE;
            return if found == rounded || flushed { 0.0 } else { f64::INFINITY };
        }
        let unit = f32::from_bits(rounded.abs().to_bits() + 1) - rounded.abs();
        (f64::from(found) - truth).abs() / f64::from(unit)
    }

    #[test]
    fn functions_of_one_argument_are_close_to_double_precision() {
        type One = fn(f32) -> f32;
        let all: [(scalar::Scalar, One, f64); 5] = [
            (scalar::EXP, exp, 2.0),
            (scalar::LOG, log, 2.0),
            (scalar::TANH, tanh, 3.0),
            (scalar::SIGMOID, sigmoid, 3.0),
            (scalar::SOFTPLUS, softplus, 3.0),
        ];
        for (scalar, function, most) in all {
            let eval = scalar.row().eval;
            for x in numbers(39_989) {
                let (found, truth) = (function(x), eval(&[f64::from(x)]));
                let error = apart(found, truth);
                assert!(error <= most, "{} of {x}: {found}, not {truth}", scalar.row().name);
            }
        }
    }

    #[test]
    fn signs_of_zeros_are_those_of_double_precision() {
        for x in [0.0_f32, -0.0] {
            assert_eq!(tanh(x).to_bits(), (f64::from(x).tanh() as f32).to_bits(), "tanh of {x}");
        }
    }

    #[test]
    fn powers_are_close_to_double_precision() {
        for x in numbers(8_388_593) {
            for y in numbers(8_388_611).chain([0.5, 1.5, 2.5, -2.0, 3.0, 30.0, -7.0]) {
                let (found, truth) = (pow(x, y), f64::from(x).powf(f64::from(y)));
                assert!(apart(found, truth) <= 1.0, "{x} ^ {y}: {found}, not {truth}");
            }
        }
    }
}

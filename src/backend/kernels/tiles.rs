//! Elementary functions over arrays.
//!
//! In: arguments. Out: results in their place. Invariant: the bits of [`crate::op::single`], at any
//! width, since every width is a compilation of the same source.

use crate::op::scalar::{self, Scalar};
use crate::op::single;

use super::{Level, leveled};

/// Numbers that are worth a vector, however many a level has room for.
const WIDTH: usize = 8;
/// So many are computed side by side: each step of a function waits for the one before it.
const ABREAST: usize = 2 * WIDTH;

/// A function of some numbers. Taken out of memory and put back together, they are written as one.
macro_rules! each {
    ($function:ident of $xs:expr) => {{
        let mut own = $xs;
        for x in &mut own {
            *x = single::$function(*x);
        }
        own
    }};
}

/// Functions of one argument, each applied to an array. The last numbers, if they fill no vector, are a vector together
/// with those before them: one by one they would take as long each.
macro_rules! functions {
    ($($function:ident),*) => {$(
        leveled! {
            fn $function(xs: &mut [f32]) {
                let Some(last) = xs.last_chunk::<WIDTH>().copied() else {
                    for x in xs {
                        *x = single::$function(*x);
                    }
                    return;
                };
                let (abreast, rest) = xs.as_chunks_mut::<ABREAST>();
                for some in abreast {
                    *some = each!($function of *some);
                }
                if let Some(some) = rest.first_chunk_mut::<WIDTH>() {
                    *some = each!($function of *some);
                }
                if xs.len() % WIDTH > 0
                    && let Some(some) = xs.last_chunk_mut::<WIDTH>()
                {
                    *some = each!($function of last);
                }
            }
        }
    )*};
}

functions!(exp, log, tanh, sigmoid, softplus);

leveled!(
    fn pow(xs: &mut [f32], ys: &[f32]) {
        let count = xs.len().min(ys.len());
        let (xs, ys) = (&mut xs[..count], &ys[..count]);
        for at in 0..count {
            xs[at] = single::pow(xs[at], ys[at]);
        }
    }
);

/// Applies a function of one argument to an array.
pub(in crate::backend) fn one(level: Level, function: Scalar, xs: &mut [f32]) {
    match function {
        scalar::EXP => exp(level, xs),
        scalar::LOG => log(level, xs),
        scalar::TANH => tanh(level, xs),
        scalar::SIGMOID => sigmoid(level, xs),
        scalar::SOFTPLUS => softplus(level, xs),
        other => {
            let row = other.row();
            let wide = |x: f32| (row.eval)(&[f64::from(x)]) as f32;
            xs.iter_mut().for_each(|x| *x = row.single.map_or_else(|| wide(*x), |f| f(&[*x])));
        }
    }
}

/// Applies a function of two arguments to two arrays of one length; the results replace the first.
pub(in crate::backend) fn two(level: Level, function: Scalar, xs: &mut [f32], ys: &[f32]) {
    if function == scalar::POW {
        return pow(level, xs, ys);
    }
    let row = function.row();
    for (x, y) in xs.iter_mut().zip(ys) {
        let wide = || (row.eval)(&[f64::from(*x), f64::from(*y)]) as f32;
        *x = row.single.map_or_else(wide, |f| f(&[*x, *y]));
    }
}

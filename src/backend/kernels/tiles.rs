//! Elementary functions over arrays.
//!
//! In: arguments. Out: results in their place. Invariant: the bits of [`crate::op::single`], at any
//! width, since every width is a compilation of the same source.

use crate::op::scalar::{self, Scalar};
use crate::op::single;

use super::Level;

/// A loop over an array, compiled for every [`Level`]. It is a plain one: a closure handed to an iterator
/// would be compiled apart, without the features of the level.
macro_rules! tile {
    ($name:ident, ($($arg:ident: $ty:ty),*), $body:expr) => {
        fn $name(level: Level, $($arg: $ty),*) {
            #[inline(always)]
            fn plain($($arg: $ty),*) {
                $body
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $ty),*) {
                plain($($arg),*);
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
            fn avx512($($arg: $ty),*) {
                plain($($arg),*);
            }
            match level {
                Level::Plain => plain($($arg),*),
                #[cfg(target_arch = "x86_64")]
                #[expect(unsafe_code, reason = "calls what this machine can do")]
                // SAFETY: a level is only found where its features are.
                Level::Avx2 => unsafe { avx2($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                #[expect(unsafe_code, reason = "calls what this machine can do")]
                // SAFETY: a level is only found where its features are.
                Level::Avx512 => unsafe { avx512($($arg),*) },
            }
        }
    };
}

tile!(exp, (xs: &mut [f32]), for x in xs {
    *x = single::exp(*x);
});
tile!(log, (xs: &mut [f32]), for x in xs {
    *x = single::log(*x);
});
tile!(tanh, (xs: &mut [f32]), for x in xs {
    *x = single::tanh(*x);
});
tile!(sigmoid, (xs: &mut [f32]), for x in xs {
    *x = single::sigmoid(*x);
});
tile!(softplus, (xs: &mut [f32]), for x in xs {
    *x = single::softplus(*x);
});
tile!(pow, (xs: &mut [f32], ys: &[f32]), {
    let count = xs.len().min(ys.len());
    let (xs, ys) = (&mut xs[..count], &ys[..count]);
    for at in 0..count {
        xs[at] = single::pow(xs[at], ys[at]);
    }
});

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
            let apply = |x: f32| row.single.map_or((row.eval)(&[f64::from(x)]) as f32, |f| f(&[x]));
            xs.iter_mut().for_each(|x| *x = apply(*x));
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

//! Hand-vectorised kernels: sums of products, elementary functions, and what learning does to all numbers.
//!
//! In: addresses and strides, or slices. Out: numbers written. What a kernel does it does at the width of
//! this machine, looked up once ([`Level`]). Invariants: a kernel touches what its description says and
//! nothing else; at every level with vectors a result has the same bits, since terms are added in ascending
//! order, in blocks whose sizes follow from the number of terms, or in lanes of a fixed number with a fixed
//! tree over them. Plain loops add in ascending order and round products too.

#[cfg(target_arch = "x86_64")]
mod lanes;
mod learning;
#[cfg(target_arch = "x86_64")]
mod panels;
mod product;
#[cfg(test)]
mod tests;
mod tiles;
#[cfg(target_arch = "x86_64")]
mod wide;

use std::sync::LazyLock;

/// A function that loops over arrays, compiled for every [`Level`], which it takes first. Its loop is a plain one: a
/// closure handed to an iterator could be compiled apart, without the features of the level. For the files of this
/// directory.
macro_rules! leveled {
    (
        $(#[$about:meta])*
        $seen:vis fn $name:ident $(<$float:ident>)? ($($arg:ident: $ty:ty),*) $(-> $out:ty)? $body:block
    ) => {
        $(#[$about])*
        $seen fn $name $(<$float: super::super::float::Float>)? (level: super::Level, $($arg: $ty),*) $(-> $out)? {
            #[inline(always)]
            fn plain $(<$float: super::super::float::Float>)? ($($arg: $ty),*) $(-> $out)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2 $(<$float: super::super::float::Float>)? ($($arg: $ty),*) $(-> $out)? {
                plain($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
            fn avx512 $(<$float: super::super::float::Float>)? ($($arg: $ty),*) $(-> $out)? {
                plain($($arg),*)
            }
            match level {
                super::Level::Plain => plain($($arg),*),
                #[cfg(target_arch = "x86_64")]
                #[expect(unsafe_code, reason = "calls what this machine can do")]
                // SAFETY: a level is only found where its features are.
                super::Level::Avx2 => unsafe { avx2($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                #[expect(unsafe_code, reason = "calls what this machine can do")]
                // SAFETY: a level is only found where its features are.
                super::Level::Avx512 => unsafe { avx512($($arg),*) },
            }
        }
    };
}
use leveled;

pub(super) use learning::{cut, finite, squares};
pub(super) use product::{Arrays, Pack, Product, Run, Strides, double, sharing, single};
pub(super) use tiles::{one, two};

/// What the processor can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// Whatever the compiler makes of plain loops.
    Plain,
    /// Vectors of 256 bits and fused multiply-adds.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Vectors of 512 bits.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// Of this machine.
    pub(super) fn here() -> Level {
        static HERE: LazyLock<Level> = LazyLock::new(Level::look);
        *HERE
    }

    #[cfg(target_arch = "x86_64")]
    fn look() -> Level {
        if !is_x86_feature_detected!("avx2") || !is_x86_feature_detected!("fma") {
            return Level::Plain;
        }
        let wide = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bw");
        if wide { Level::Avx512 } else { Level::Avx2 }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn look() -> Level {
        Level::Plain
    }
}

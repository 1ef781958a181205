//! Vectors of 4, 8 and 16 numbers, whatever the machine calls them.
//!
//! In: addresses. Out: registers. Every function has the features of its registers, so that it is inlined
//! where they are known and nowhere else. Invariant: the tree that adds the numbers of a vector is the
//! same at every level: upper half to lower half, until one is left.

#![expect(unsafe_code, reason = "vectors are read and written by address")]

/// Functions that need features.
macro_rules! with {
    ($features:literal: $($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),*) $(-> $out:ty)? $body:block)*) => {
        $($(#[$doc])*
        #[inline]
        #[target_feature(enable = $features)]
        pub(in crate::backend::kernels) fn $name($($arg: $ty),*) $(-> $out)? $body)*
    };
}

/// Functions that need features, and addresses of as many numbers as they move.
macro_rules! moving {
    ($features:literal: $($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),*) $(-> $out:ty)? $body:block)*) => {
        $($(#[$doc])*
        /// # Safety
        /// The address holds as many numbers as are moved.
        #[inline]
        #[target_feature(enable = $features)]
        pub(in crate::backend::kernels) unsafe fn $name($($arg: $ty),*) $(-> $out)? {
            // SAFETY: the caller's promise.
            unsafe { $body }
        })*
    };
}

/// 4 numbers.
pub(super) mod four {
    use std::arch::x86_64::{
        __m128, _mm_add_ps, _mm_fmadd_ps, _mm_loadu_ps, _mm_movehl_ps, _mm_movelh_ps, _mm_set1_ps,
        _mm_setzero_ps, _mm_storeu_ps, _mm_unpackhi_ps, _mm_unpacklo_ps, _mm256_castps256_ps128,
        _mm256_maskload_ps,
    };

    use super::eight::mask;

    /// The vector.
    pub(in crate::backend::kernels) type V = __m128;
    /// Numbers in it.
    pub(in crate::backend::kernels) const WIDTH: usize = 4;

    with! { "avx2,fma":
        fn zero() -> V { _mm_setzero_ps() }
        fn splat(number: f32) -> V { _mm_set1_ps(number) }
        /// `a * b + more`, rounded once.
        fn mul_add(a: V, b: V, more: V) -> V { _mm_fmadd_ps(a, b, more) }
        fn add(a: V, b: V) -> V { _mm_add_ps(a, b) }
        /// All numbers of each of four vectors.
        fn sums(all: [V; 4]) -> V {
            let [a, b, c, d] = all;
            let first = _mm_add_ps(_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
            let last = _mm_add_ps(_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
            _mm_add_ps(_mm_movelh_ps(first, last), _mm_movehl_ps(last, first))
        }
        /// Rows become columns.
        fn transposed(all: [V; 4]) -> [V; 4] {
            let [a, b, c, d] = all;
            let (ab, cd) = (_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d));
            let (more_ab, more_cd) = (_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
            [
                _mm_movelh_ps(ab, cd),
                _mm_movehl_ps(cd, ab),
                _mm_movelh_ps(more_ab, more_cd),
                _mm_movehl_ps(more_cd, more_ab),
            ]
        }
    }
    moving! { "avx2,fma":
        fn load(from: *const f32) -> V { _mm_loadu_ps(from) }
        /// The first `count` numbers, the others 0.
        fn load_some(from: *const f32, count: usize) -> V {
            _mm256_castps256_ps128(_mm256_maskload_ps(from, mask(count)))
        }
        fn store(to: *mut f32, a: V) { _mm_storeu_ps(to, a) }
        /// The first `count` numbers.
        fn store_some(to: *mut f32, count: usize, a: V) {
            let mut all = [0.0_f32; 4];
            _mm_storeu_ps(all.as_mut_ptr(), a);
            std::ptr::copy_nonoverlapping(all.as_ptr(), to, count);
        }
    }
}

/// 8 numbers.
pub(super) mod eight {
    use std::arch::x86_64::{
        __m256, __m256i, _mm256_add_ps, _mm256_castps256_ps128, _mm256_cmpgt_epi32,
        _mm256_extractf128_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_maskload_ps,
        _mm256_maskstore_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setr_epi32,
        _mm256_setzero_ps, _mm256_storeu_ps,
    };

    use super::four;

    /// The vector.
    pub(in crate::backend::kernels) type V = __m256;
    /// Numbers in it.
    pub(in crate::backend::kernels) const WIDTH: usize = 8;

    with! { "avx2,fma":
        /// Ones in the first `count` of 8 lanes.
        fn mask(count: usize) -> __m256i {
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes)
        }
        fn zero() -> V { _mm256_setzero_ps() }
        fn splat(number: f32) -> V { _mm256_set1_ps(number) }
        /// `a * b + more`, rounded once.
        fn mul_add(a: V, b: V, more: V) -> V { _mm256_fmadd_ps(a, b, more) }
        fn add(a: V, b: V) -> V { _mm256_add_ps(a, b) }
        /// All numbers of each of four vectors.
        fn sums(all: [V; 4]) -> four::V { four::sums([half(all[0]), half(all[1]), half(all[2]), half(all[3])]) }
        /// The upper half added to the lower.
        fn half(a: V) -> four::V {
            four::add(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a))
        }
    }
    moving! { "avx2,fma":
        fn load(from: *const f32) -> V { _mm256_loadu_ps(from) }
        /// The first `count` numbers, the others 0.
        fn load_some(from: *const f32, count: usize) -> V { _mm256_maskload_ps(from, mask(count)) }
        fn store(to: *mut f32, a: V) { _mm256_storeu_ps(to, a) }
        /// The first `count` numbers.
        fn store_some(to: *mut f32, count: usize, a: V) { _mm256_maskstore_ps(to, mask(count), a) }
    }
}

/// 16 numbers where registers hold 8.
pub(super) mod pair {
    use super::{eight, four};

    /// The vector.
    pub(in crate::backend::kernels) type V = [eight::V; 2];
    /// Numbers in it.
    pub(in crate::backend::kernels) const WIDTH: usize = 16;

    with! { "avx2,fma":
        fn zero() -> V { [eight::zero(), eight::zero()] }
        fn splat(number: f32) -> V { [eight::splat(number), eight::splat(number)] }
        /// `a * b + more`, rounded once.
        fn mul_add(a: V, b: V, more: V) -> V {
            [eight::mul_add(a[0], b[0], more[0]), eight::mul_add(a[1], b[1], more[1])]
        }
        fn add(a: V, b: V) -> V { [eight::add(a[0], b[0]), eight::add(a[1], b[1])] }
        /// All numbers of each of four vectors.
        fn sums(all: [V; 4]) -> four::V { eight::sums([half(all[0]), half(all[1]), half(all[2]), half(all[3])]) }
        /// The upper half added to the lower.
        fn half(a: V) -> eight::V { eight::add(a[0], a[1]) }
    }
    moving! { "avx2,fma":
        fn load(from: *const f32) -> V { [eight::load(from), eight::load(from.add(8))] }
        /// The first `count` numbers, the others 0.
        fn load_some(from: *const f32, count: usize) -> V {
            let upper = eight::load_some(from.wrapping_add(8), count.saturating_sub(8));
            [eight::load_some(from, count.min(8)), upper]
        }
        fn store(to: *mut f32, a: V) {
            eight::store(to, a[0]);
            eight::store(to.add(8), a[1]);
        }
        /// The first `count` numbers.
        fn store_some(to: *mut f32, count: usize, a: V) {
            eight::store_some(to, count.min(8), a[0]);
            eight::store_some(to.wrapping_add(8), count.saturating_sub(8), a[1]);
        }
    }
}

/// 16 numbers.
pub(super) mod sixteen {
    use std::arch::x86_64::{
        __m512, _mm512_add_ps, _mm512_castps512_ps256, _mm512_extractf32x8_ps, _mm512_fmadd_ps,
        _mm512_loadu_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_set1_ps,
        _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use super::{eight, four};

    /// The vector.
    pub(in crate::backend::kernels) type V = __m512;
    /// Numbers in it.
    pub(in crate::backend::kernels) const WIDTH: usize = 16;

    with! { "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma":
        fn zero() -> V { _mm512_setzero_ps() }
        fn splat(number: f32) -> V { _mm512_set1_ps(number) }
        /// `a * b + more`, rounded once.
        fn mul_add(a: V, b: V, more: V) -> V { _mm512_fmadd_ps(a, b, more) }
        fn add(a: V, b: V) -> V { _mm512_add_ps(a, b) }
        /// All numbers of each of four vectors.
        fn sums(all: [V; 4]) -> four::V { eight::sums([half(all[0]), half(all[1]), half(all[2]), half(all[3])]) }
        /// The upper half added to the lower.
        fn half(a: V) -> eight::V {
            eight::add(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps::<1>(a))
        }
    }
    moving! { "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma":
        fn load(from: *const f32) -> V { _mm512_loadu_ps(from) }
        /// The first `count` numbers, the others 0.
        fn load_some(from: *const f32, count: usize) -> V {
            _mm512_maskz_loadu_ps(((1_u32 << count) - 1) as u16, from)
        }
        fn store(to: *mut f32, a: V) { _mm512_storeu_ps(to, a) }
        /// The first `count` numbers.
        fn store_some(to: *mut f32, count: usize, a: V) {
            _mm512_mask_storeu_ps(to, ((1_u32 << count) - 1) as u16, a)
        }
    }
}

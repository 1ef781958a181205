//! Memory that begins where a line of the cache does.
//!
//! In: a number of elements. Out: as many zeros. Invariant: the first lies at a multiple of [`LINE`] bytes, so
//! that a vector at an offset of whole lines lies in one of them.

use std::ops::{Deref, DerefMut};

/// Bytes of a line of the cache.
pub(super) const LINE: usize = 64;
/// Bytes of a page of memory.
pub(super) const PAGE: usize = 4096;

/// Numbers in a line, of the smallest kind.
const NUMBERS: usize = LINE / 4;

/// Numbers from the start of a line on.
#[derive(Debug, Default)]
pub(super) struct Aligned<F> {
    all: Vec<F>,
    first: usize,
    len: usize,
}

impl<F: Copy + Default> Aligned<F> {
    /// That many zeros.
    pub(super) fn zeros(len: usize) -> Aligned<F> {
        let more = LINE / size_of::<F>();
        let all = vec![F::default(); len + more];
        in_large_pages(&all);
        // The last such place, so that as little as can be lies behind the numbers.
        let over = (all.as_ptr().addr() + LINE) % LINE / size_of::<F>();
        Aligned { all, first: more - over, len }
    }

    /// At least that many elements: what it holds, or zeros.
    pub(super) fn fit(&mut self, len: usize) {
        if self.len < len {
            *self = Aligned::zeros(len);
        }
    }
}

impl<F> Deref for Aligned<F> {
    type Target = [F];

    fn deref(&self) -> &[F] {
        &self.all[self.first..][..self.len]
    }
}

impl<F> DerefMut for Aligned<F> {
    fn deref_mut(&mut self) -> &mut [F] {
        &mut self.all[self.first..][..self.len]
    }
}

/// Bytes from which on large pages are asked for: from here on one surely lies inside.
#[cfg(target_os = "linux")]
const LARGE: usize = 4 << 20;

/// Asks the system for large pages under memory, best before it is touched. A big state is gone through in a few
/// streams, each of which waits at every new page; large ones are 512 times as long. Whether there are any is
/// the system's choice; one whose smallest pages are longer than those here does nothing.
#[cfg(target_os = "linux")]
fn in_large_pages<F>(all: &[F]) {
    let bytes = size_of_val(all);
    if bytes < LARGE {
        return;
    }
    let start = all.as_ptr().cast_mut().cast::<u8>();
    let skipped = start.align_offset(PAGE);
    let whole = bytes.saturating_sub(skipped) / PAGE * PAGE;
    #[expect(unsafe_code, reason = "tells the system how memory will be used")]
    // SAFETY: the pages lie inside `all`, and the advice changes neither what they hold nor who may touch them.
    unsafe {
        libc::madvise(start.wrapping_add(skipped).cast(), whole, libc::MADV_HUGEPAGE);
    }
}

#[cfg(not(target_os = "linux"))]
fn in_large_pages<F>(_: &[F]) {}

/// The next multiple of a line's numbers, for what fills one.
pub(super) fn whole(end: usize, len: u64) -> usize {
    match len >= NUMBERS as u64 {
        true => end.checked_next_multiple_of(NUMBERS).unwrap_or(usize::MAX),
        false => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_begins_with_a_line_and_holds_zeros() {
        for len in [0, 1, 15, 16, 1000] {
            let (single, mut double) = (Aligned::<f32>::zeros(len), Aligned::<f64>::default());
            double.fit(len);
            assert_eq!((single.len(), double.len()), (len, len));
            assert!(single.iter().all(|value| *value == 0.0));
            let addresses = [single.as_ptr().addr(), double.as_ptr().addr()];
            assert!(len == 0 || addresses.iter().all(|at| at.is_multiple_of(LINE)));
        }
        let mut kept = Aligned::zeros(4);
        kept[3] = 1.0;
        kept.fit(2);
        assert_eq!(kept[3], 1.0);
        assert_eq!([whole(5, 15), whole(5, 16), whole(usize::MAX, 16)], [5, 16, usize::MAX]);
    }
}

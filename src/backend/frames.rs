//! Numbers of all parameters, block by block.
//!
//! In: lists with a number a parameter: the parameters themselves, then an optimiser's slots. Out: frames, one a
//! block: its numbers of the first list, then those of the second, and so on. So all that is read and written when a
//! block is updated lies together. Invariant: what lies behind the last parameter is nobody's.

use std::ops::Range;

use super::float::Float;

/// Lists cut into blocks.
#[derive(Clone, Debug, Default)]
pub(super) struct Frames<F> {
    all: Vec<F>,
    /// Parameters of a block.
    block: usize,
    /// Number of lists.
    lists: usize,
    /// Number of parameters.
    len: usize,
}

/// A part of a list that lies in one block.
struct Piece {
    /// Where it lies among all numbers.
    own: Range<usize>,
    /// Where it lies in what is copied.
    other: Range<usize>,
}

impl<F: Float> Frames<F> {
    /// From lists of one length.
    pub(super) fn new(lists: &[Vec<F>], block: usize) -> Frames<F> {
        let len = lists.first().map_or(0, Vec::len);
        let block = block.max(1);
        let all = vec![F::of(0.0); len.div_ceil(block) * block * lists.len()];
        let mut frames = Frames { all, block, lists: lists.len(), len };
        for (at, list) in lists.iter().enumerate() {
            frames.put(at, 0, list);
        }
        frames
    }

    /// Number of parameters.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The pieces of a list from a parameter on.
    fn pieces(&self, list: usize, range: Range<usize>) -> impl Iterator<Item = Piece> + use<F> {
        let (block, lists) = (self.block, self.lists);
        let first = range.start;
        let mut next = first;
        std::iter::from_fn(move || {
            let start = next;
            if start >= range.end {
                return None;
            }
            next = range.end.min((start / block + 1) * block);
            let own = (start / block * lists + list) * block + start % block;
            let (len, other) = (next - start, start - first);
            Some(Piece { own: own..own + len, other: other..other + len })
        })
    }

    /// Copies numbers of a list, from a parameter on.
    pub(super) fn take(&self, list: usize, first: usize, out: &mut [F]) {
        for Piece { own, other } in self.pieces(list, first..first + out.len()) {
            out[other].copy_from_slice(&self.all[own]);
        }
    }

    /// Writes numbers of a list, from a parameter on.
    pub(super) fn put(&mut self, list: usize, first: usize, from: &[F]) {
        for Piece { own, other } in self.pieces(list, first..first + from.len()) {
            self.all[own].copy_from_slice(&from[other]);
        }
    }

    /// A whole list.
    pub(super) fn list(&self, list: usize) -> Vec<F> {
        let mut out = vec![F::of(0.0); self.len];
        self.take(list, 0, &mut out);
        out
    }

    /// Whether some piece of a stretch of a list is such.
    pub(super) fn any(
        &self,
        list: usize,
        range: Range<usize>,
        such: impl Fn(&[F]) -> bool,
    ) -> bool {
        self.pieces(list, range).any(|piece| such(&self.all[piece.own]))
    }

    /// Stretches of whole frames, for that many blocks each.
    pub(super) fn stretches(&mut self, blocks: usize) -> impl Iterator<Item = &mut [F]> {
        self.all.chunks_mut((blocks * self.block * self.lists).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_back_as_they_were_put_whatever_the_block() {
        let lists: Vec<Vec<f64>> =
            (0..3).map(|list| (0..10).map(|at| f64::from(list * 100 + at)).collect()).collect();
        for block in [1, 3, 4, 10, 16] {
            let mut frames = Frames::new(&lists, block);
            assert_eq!(frames.len(), 10);
            for (at, list) in lists.iter().enumerate() {
                assert_eq!(frames.list(at), *list, "block {block}");
            }
            let mut some = [0.0; 5];
            frames.take(1, 2, &mut some);
            assert_eq!(some, [102.0, 103.0, 104.0, 105.0, 106.0]);
            frames.put(1, 2, &[7.0; 5]);
            assert!(frames.any(1, 6..10, |piece| piece.contains(&7.0)));
            assert!(!frames.any(1, 7..10, |piece| piece.contains(&7.0)));
            assert_eq!([frames.list(0), frames.list(2)], [lists[0].clone(), lists[2].clone()]);
            let blocks: usize = frames.stretches(2).map(|stretch| stretch.len()).sum();
            assert_eq!(blocks, 10_usize.div_ceil(block) * block * 3);
        }
        assert_eq!(Frames::<f64>::new(&[Vec::new()], 4).list(0), Vec::<f64>::new());
    }
}

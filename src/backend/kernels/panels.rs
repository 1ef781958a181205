//! Products whose factors are both laid out anew, as panels that fit the registers and the caches.
//!
//! In: a description and addresses. Out: the product. Terms are taken in blocks. Of a block the columns lie
//! in panels of [`ACROSS`], the rows in panels of at most [`DOWN`], each with the numbers of one term side
//! by side. Invariant: how terms are split into blocks follows from their number alone; a sum is made of
//! the terms of a block in ascending order, and those of the blocks are added in ascending order. Every
//! unsafe function here asks what [`run`](super::product::run) asks.

#![expect(unsafe_code, reason = "kernels take addresses of the memory of a run")]

use std::cell::Cell;
use std::ops::Range;

use super::lanes::{eight, four};
use super::product::Strides;
use super::wide::times;

/// Columns of a panel.
const ACROSS: usize = 16;
/// Rows for which a panel has room.
const DOWN: usize = 8;
/// The most terms of a block: a panel of columns and one of rows lie in the nearest cache.
const TERMS: usize = 256;
/// The most columns laid out at a time: with the rows they lie in the second cache.
const COLS: usize = 20 * ACROSS;
/// The most panels of rows laid out at a time.
const PANELS: usize = 16;

thread_local! {
    /// Where panels of columns, and behind them panels of rows, lie.
    static ROOM: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// A factor, in a block of terms.
#[derive(Clone, Copy)]
struct Part {
    /// The first of all numbers of the factor.
    from: *const f32,
    by: Strides,
    /// Terms of a turn.
    turn: usize,
    /// The first term of the block, where turns follow one another.
    first: usize,
    /// Terms of the block.
    terms: usize,
}

impl Part {
    /// Lays places out, side by side for each term, in panels one after the other: where each begins,
    /// and how many places it has. What stands beyond them is of no use.
    ///
    /// # Safety
    /// As for the product; the panels have room.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn lay<const W: usize>(
        self,
        panels: impl Iterator<Item = (usize, usize)> + Clone,
        room: &mut [f32],
    ) {
        let mut done = 0;
        while done < self.terms {
            let before = self.first + done;
            let (turn, term) = (before / self.turn, before % self.turn);
            let run = (self.terms - done).min(self.turn - term);
            let at = times(turn, self.by.turn) + times(term, self.by.term);
            for ((place, live), room) in panels.clone().zip(room.chunks_exact_mut(W * self.terms)) {
                // SAFETY: the caller's promise.
                unsafe {
                    let from = self.from.offset(at + times(place, self.by.place));
                    let to = room.as_mut_ptr().add(done * W);
                    match self.by {
                        Strides { place: 1, .. } => self.copy::<W>(from, live, run, to),
                        Strides { term: 1, .. } => self.transpose::<W>(from, live, run, to),
                        _ => self.gather::<W>(from, live, 0..run, to),
                    }
                }
            }
            done += run;
        }
    }

    /// Places lie side by side.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn copy<const W: usize>(self, from: *const f32, live: usize, run: usize, to: *mut f32) {
        for term in 0..run {
            let (from, to) =
                (from.wrapping_offset(times(term, self.by.term)), to.wrapping_add(term * W));
            for eighth in (0..live).step_by(8) {
                let (from, to) = (from.wrapping_add(eighth), to.wrapping_add(eighth));
                let rest = live - eighth;
                // SAFETY: the caller's promise; no more is read than lives.
                unsafe {
                    let own =
                        if rest < 8 { eight::load_some(from, rest) } else { eight::load(from) };
                    eight::store(to, own);
                }
            }
        }
    }

    /// Terms lie side by side.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn transpose<const W: usize>(
        self,
        from: *const f32,
        live: usize,
        run: usize,
        to: *mut f32,
    ) {
        let whole = run - run % 4;
        for place in (0..live).step_by(4) {
            // Beyond the last place it is read again.
            let own = |number: usize| {
                from.wrapping_offset(times((place + number).min(live - 1), self.by.place))
            };
            let rows = [own(0), own(1), own(2), own(3)];
            for term in (0..whole).step_by(4) {
                // SAFETY: the caller's promise.
                unsafe {
                    let all = rows.map(|row| four::load(row.add(term)));
                    for (number, column) in four::transposed(all).into_iter().enumerate() {
                        four::store(to.add((term + number) * W + place), column);
                    }
                }
            }
        }
        // SAFETY: the caller's promise.
        unsafe { self.gather::<W>(from, live, whole..run, to) }
    }

    /// One number at a time.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn gather<const W: usize>(
        self,
        from: *const f32,
        live: usize,
        terms: Range<usize>,
        to: *mut f32,
    ) {
        for term in terms {
            for place in 0..live {
                let at = times(place, self.by.place) + times(term, self.by.term);
                // SAFETY: the caller's promise.
                unsafe { *to.add(term * W + place) = *from.offset(at) };
            }
        }
    }
}

/// The terms of each block, where it begins and how many they are: as few blocks as can be, of much the same
/// size. Without terms there is one, so that sums of none are written.
fn blocks(terms: usize) -> impl Iterator<Item = (usize, usize)> {
    let parts = terms.div_ceil(TERMS).max(1);
    let each = terms.div_ceil(parts).next_multiple_of(16);
    (0..parts).map(move |part| (part * each, each.min(terms - part * each)))
}

/// The kernels of one vector: tiles of so many rows and panels of columns.
macro_rules! panels {
    ($name:ident, $features:literal, $high:literal x $broad:literal of $tiles:tt) => {
        pub(super) mod $name {
            use super::super::lanes::$name::{
                add, load, load_some, mul_add, splat, store, store_some, zero,
            };
            use super::super::product::{Arrays, Product};
            use super::super::wide::{ask, shaped, shares, times};
            use super::{ACROSS, COLS, DOWN, PANELS, Part, ROOM, TERMS, blocks};

            /// # Safety
            /// As for [`run`](super::super::product::run).
            #[target_feature(enable = $features)]
            pub(in crate::backend::kernels) unsafe fn batch(product: &Product, at: Arrays<f32>) {
                for one in 0..product.batch {
                    // SAFETY: the caller's promise.
                    unsafe { shared(&[(*product, at.later(one, product.steps))]) };
                }
            }

            /// Products that read their right factor [alike](Product::reads_like).
            ///
            /// # Safety
            /// As for [`run`](super::super::product::run), for each of them.
            #[target_feature(enable = $features)]
            pub(in crate::backend::kernels) unsafe fn shared(all: &[(Product, Arrays<f32>)]) {
                let Some((Product { terms, turns, .. }, _)) = all.first() else { return };
                let mut room = ROOM.take();
                room.resize(TERMS * (COLS + DOWN * PANELS), 0.0);
                for of in blocks(terms * turns) {
                    // SAFETY: the caller's promise; the room holds a block.
                    unsafe { block(all, of, &mut room) };
                }
                ROOM.set(room);
            }

            /// Some of the terms.
            #[target_feature(enable = $features)]
            unsafe fn block(
                all: &[(Product, Arrays<f32>)],
                (first, terms): (usize, usize),
                room: &mut [f32],
            ) {
                let (right, left) = room.split_at_mut(TERMS * COLS);
                let part = |from, by, turn| Part { from, by, turn, first, terms };
                let Some((one, at)) = all.first() else { return };
                let (cols, b) = (one.cols, part(at.right, one.right, one.terms));
                for (panel, panels) in shares(cols.div_ceil(ACROSS), COLS / ACROSS) {
                    let live = |panel| (panel * ACROSS, ACROSS.min(cols - panel * ACROSS));
                    // SAFETY: the caller's promise; the room holds the panels.
                    unsafe { b.lay::<ACROSS>((panel..panel + panels).map(live), right) };
                    for (product, at) in all {
                        let product = Product { add: product.add || first > 0, ..*product };
                        let a = part(at.left, product.left, product.terms);
                        for (row, rows) in shares(product.rows, $high * PANELS) {
                            let own = shares(rows, $high).map(|(down, height)| (row + down, height));
                            // SAFETY: the caller's promise; the room holds the panels.
                            unsafe { a.lay::<DOWN>(own, left) };
                            let laid =
                                Arrays { out: at.out, left: left.as_ptr(), right: right.as_ptr() };
                            // SAFETY: the caller's promise; the panels are laid out.
                            unsafe { tiles(&product, laid, terms, (row, rows), (panel, panels)) };
                        }
                    }
                }
            }

            /// Panels of rows times panels of columns.
            #[target_feature(enable = $features)]
            unsafe fn tiles(
                product: &Product,
                laid: Arrays<f32>,
                terms: usize,
                (row, rows): (usize, usize),
                (panel, panels): (usize, usize),
            ) {
                for (across, width) in shares(panels, $broad) {
                    let col = (panel + across) * ACROSS;
                    for (number, (down, height)) in shares(rows, $high).enumerate() {
                        let to = times(row + down, product.out[0]) + col as isize;
                        // SAFETY: the caller's promise.
                        shaped!((height, width), $tiles, R, C => unsafe {
                            let own = Arrays {
                                out: laid.out.offset(to),
                                left: laid.left.add(number * DOWN * terms),
                                right: laid.right.add(across * ACROSS * terms),
                            };
                            tile::<R, C>(product, own, terms, product.cols - col);
                        });
                    }
                }
            }

            /// One of each, of which so many columns are some.
            #[target_feature(enable = $features)]
            unsafe fn tile<const R: usize, const C: usize>(
                product: &Product,
                own: Arrays<f32>,
                terms: usize,
                cols: usize,
            ) {
                // SAFETY: the caller's promise.
                unsafe {
                    let (mut left, mut right) = (own.left, own.right);
                    let mut sums = [[zero(); C]; R];
                    for r in 0..R {
                        // The result is added to last; it may come from far.
                        let to = own.out.wrapping_offset(times(r, product.out[0]));
                        (0..C).for_each(|c| ask(to.wrapping_add(c * ACROSS)));
                        // Its rows begin anywhere in a line.
                        ask(to.wrapping_add(C * ACROSS - 1));
                    }
                    for _ in 0..terms {
                        let mut factors = [zero(); C];
                        for c in 0..C {
                            factors[c] = load(right.wrapping_add(c * ACROSS * terms));
                        }
                        for r in 0..R {
                            let weight = splat(*left.add(r));
                            for c in 0..C {
                                sums[r][c] = mul_add(weight, factors[c], sums[r][c]);
                            }
                        }
                        left = left.wrapping_add(DOWN);
                        right = right.wrapping_add(ACROSS);
                    }
                    for r in 0..R {
                        for c in 0..C {
                            let to = own.out.offset(times(r, product.out[0])).add(c * ACROSS);
                            let rest = cols - c * ACROSS;
                            let sum = sums[r][c];
                            if rest >= ACROSS {
                                store(to, if product.add { add(sum, load(to)) } else { sum });
                            } else {
                                let there = if product.add { add(sum, load_some(to, rest)) } else { sum };
                                store_some(to, rest, there);
                            }
                        }
                    }
                }
            }
        }
    };
}

panels!(pair, "avx2,fma", 6 x 1 of { 1: 1; 2: 1; 3: 1; 4: 1; 5: 1; 6: 1; });
panels!(
    sixteen, "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma",
    8 x 3 of {
        1: 1 2 3; 2: 1 2 3; 3: 1 2 3; 4: 1 2 3; 5: 1 2 3; 6: 1 2 3; 7: 1 2 3; 8: 1 2 3;
    }
);

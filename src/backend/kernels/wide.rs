//! Products in registers: tiles of as many sums at once as hide the time of an addition.
//!
//! In: a description and addresses. Out: the product. Invariant: which lane a term is added in depends on the
//! number of columns, terms or samples, never on the level. Every unsafe function here asks what
//! [`run`](super::product::run) asks, and that its tile lies inside the rows and columns.

#![expect(unsafe_code, reason = "kernels take addresses of the memory of a run")]

use super::panels;
use super::product::{Arrays, Pack, Product, Strides, plain};

/// # Safety
/// As for [`run`](super::product::run).
pub(super) unsafe fn avx2(product: &Product, at: Arrays<f32>) {
    // SAFETY: the caller's promise.
    unsafe {
        if product.pack == Pack::Both {
            return panels::pair::batch(product, at);
        }
        match width(product) {
            4 => four::batch(product, at),
            8 => eight::batch(product, at),
            16 => pair::batch(product, at),
            _ => (0..product.batch).for_each(|one| plain(product, at.later(one, product.steps))),
        }
    }
}

/// # Safety
/// As for [`run`](super::product::run).
pub(super) unsafe fn avx512(product: &Product, at: Arrays<f32>) {
    // SAFETY: the caller's promise.
    unsafe {
        if product.pack == Pack::Both {
            return panels::sixteen::batch(product, at);
        }
        match width(product) {
            4 => four::batch(product, at),
            8 => eight::batch(product, at),
            16 => sixteen::batch(product, at),
            _ => (0..product.batch).for_each(|one| plain(product, at.later(one, product.steps))),
        }
    }
}

/// Numbers in a vector; 0 where vectors do not help.
fn width(product: &Product) -> usize {
    let along = if product.lanes > 1 {
        product.lanes
    } else if product.spreads() {
        product.cols
    } else if product.dots() {
        product.terms
    } else {
        return 0;
    };
    match along {
        0..=4 => 4,
        5..=8 => 8,
        _ => 16,
    }
}

/// As few parts of at most that many as make up all, as even as can be: where each begins, its size.
#[inline(always)]
pub(super) fn shares(all: usize, most: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    let parts = all.div_ceil(most);
    let (each, more) = all.checked_div(parts).map_or((0, 0), |each| (each, all % parts));
    (0..parts).map(move |part| (part * each + part.min(more), each + usize::from(part < more)))
}

/// Evaluates an expression in which the height and width of a tile are constants.
macro_rules! shaped {
    ($shape:expr, { $($high:literal: $($broad:literal)*;)* }, $h:ident, $c:ident => $body:expr) => {
        match $shape {
            $($(($high, $broad) => {
                const $h: usize = $high;
                const $c: usize = $broad;
                $body
            })*)*
            other => panic!("internal error: kernels: no tile of {other:?}"),
        }
    };
}

/// How many terms ahead a row of a matrix that is read once is asked for.
const AHEAD: isize = 4;

/// The most terms of a block where each has a line of its own in a factor that is read again and again: these lines
/// and 16 columns of the other factor are half of the nearest cache.
const BLOCK: usize = 128;
/// The most rows of a tile, at any level.
const HIGHEST: usize = 8;

/// Asks for a line of the cache before it is read. A matrix that is read once a call comes from the second cache or
/// beyond, in pieces too short for the machine to see where the next one is.
#[inline(always)]
pub(super) fn ask(from: *const f32) {
    // SAFETY: this reads nothing, and may be told any address.
    unsafe { std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(from.cast()) }
}

/// How far apart to ask for the rows of the next tile, one number for each term of this one: rows that lie close to one
/// another are asked for from end to end, of others the first, or all term by term.
#[inline(always)]
fn step_ahead(rows: usize, by: Strides, terms: usize) -> isize {
    let close = by.term == 1 && (0..=times(2, terms as isize)).contains(&by.place);
    if close { times(rows, by.place) / terms.max(1) as isize } else { by.term }
}

#[inline(always)]
pub(super) fn times(count: usize, by: isize) -> isize {
    count as isize * by
}

pub(super) use shaped;

/// The kernels of one vector, and the shapes of their tiles: along columns at most so many rows, and so many
/// vectors where there are one, two or more rows; along terms, or of lanes, so many rows and columns where
/// there is more than one of each.
macro_rules! kernels {
    (
        $name:ident, $features:literal,
        spread $high:literal x [$one:literal, $two:literal, $more:literal] of $spread:tt,
        dots $rows:literal x $cols:literal of $dots:tt
    ) => {
        mod $name {
            use std::array::from_fn;
            use std::hint::black_box;

            use super::super::lanes::four;
            use super::super::lanes::$name::{
                V, WIDTH, add, load, load_some, mul_add, splat, store, store_some, sums, zero,
            };
            use super::super::product::{Arrays, Product};
            use super::{AHEAD, BLOCK, HIGHEST, ask, shares, step_ahead, times};

            /// # Safety
            /// As for [`run`](super::super::product::run).
            #[target_feature(enable = $features)]
            pub(super) unsafe fn batch(product: &Product, at: Arrays<f32>) {
                for one in 0..product.batch {
                    // SAFETY: the caller's promise.
                    unsafe { vectors(product, at.later(one, product.steps)) };
                }
            }

            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn vectors(product: &Product, at: Arrays<f32>) {
                // SAFETY: the caller's promise.
                unsafe {
                    if product.lanes > 1 {
                        let mut lane = 0;
                        while lane < product.lanes {
                            let here = at.later(lane, [1; 3]);
                            let count = product.lanes - lane;
                            if count >= WIDTH {
                                lanewise::<false>(product, here, WIDTH);
                            } else {
                                lanewise::<true>(product, here, count);
                            }
                            lane += WIDTH;
                        }
                    } else if product.spreads() {
                        spread(product, at);
                    } else {
                        dots(product, at);
                    }
                }
            }

            /// The most rows and columns of a tile of vectors.
            fn most(product: &Product) -> (usize, usize) {
                match (product.rows, product.cols) {
                    (1, _) => (1, 4),
                    (_, 1) => (6, 1),
                    _ => ($rows, $cols),
                }
            }

            #[target_feature(enable = $features)]
            unsafe fn lanewise<const SOME: bool>(product: &Product, at: Arrays<f32>, count: usize) {
                let (high, broad) = most(product);
                for (col, width) in shares(product.cols, broad) {
                    for (row, height) in shares(product.rows, high) {
                        // SAFETY: the caller's promise.
                        shaped!((height, width), $dots, R, C => unsafe {
                            lanes_tile::<R, C, SOME>(product, at, (row, col), count);
                        });
                    }
                }
            }

            #[target_feature(enable = $features)]
            unsafe fn dots(product: &Product, at: Arrays<f32>) {
                let (high, broad) = most(product);
                for (col, width) in shares(product.cols, broad) {
                    for (row, height) in shares(product.rows, high) {
                        // SAFETY: the caller's promise.
                        shaped!((height, width), $dots, R, C => unsafe {
                            dot_tile::<R, C>(product, at, row, col);
                        });
                    }
                }
            }

            /// Where rows lie side by side each term has a line of its own, which the next tile needs again: terms
            /// are taken in blocks whose lines stay in the nearest cache.
            #[target_feature(enable = $features)]
            unsafe fn spread(product: &Product, at: Arrays<f32>) {
                let Product { rows, terms, left, right, add, .. } = *product;
                if left.place != 1 || rows <= HIGHEST || terms <= BLOCK {
                    // SAFETY: the caller's promise.
                    return unsafe { spread_tiles(product, at) };
                }
                for (first, terms) in shares(terms, BLOCK) {
                    let part = Product { terms, add: add || first > 0, ..*product };
                    let at = at.later(first, [0, left.term, right.term]);
                    // SAFETY: the caller's promise.
                    unsafe { spread_tiles(&part, at) };
                }
            }

            #[target_feature(enable = $features)]
            unsafe fn spread_tiles(product: &Product, at: Arrays<f32>) {
                let broad = match product.rows {
                    1 => $one,
                    2 => $two,
                    _ => $more,
                };
                for (vector, width) in shares(product.cols.div_ceil(WIDTH), broad) {
                    let col = vector * WIDTH;
                    let whole = col + width * WIDTH <= product.cols;
                    for (row, height) in shares(product.rows, $high) {
                        // SAFETY: the caller's promise.
                        shaped!((height, width), $spread, R, C => unsafe {
                            if whole {
                                spread_tile::<R, C, false>(product, at, row, col);
                            } else {
                                spread_tile::<R, C, true>(product, at, row, col);
                            }
                        });
                    }
                }
            }

            /// Vectors along the columns, of which the last may not be whole.
            #[target_feature(enable = $features)]
            unsafe fn spread_tile<const R: usize, const C: usize, const EDGE: bool>(
                product: &Product,
                at: Arrays<f32>,
                row: usize,
                col: usize,
            ) {
                // SAFETY: the caller's promise.
                unsafe {
                    let rest = product.cols - col - (C - 1) * WIDTH;
                    let (by, of) = (product.left, product.right);
                    // Whoever compiles this shall not reach one row by way of the other, which takes
                    // longer than the sums.
                    let first = at.left.offset(times(row, by.place));
                    let rows: [_; R] = from_fn(|r| black_box(first.offset(times(r, by.place))));
                    let mut term = 0;
                    let mut right = at.right.add(col);
                    let mut sums = [[zero(); C]; R];
                    // Where rows lie side by side a tile ends in a line that this one need not have met.
                    let reach = if by.place == 1 { 2 * R - 1 } else { R };
                    let mut next = first.wrapping_offset(times(reach, by.place));
                    let ahead = step_ahead(R, by, product.terms);
                    for _ in 0..product.terms {
                        if R > 1 && WIDTH == 16 {
                            ask(next);
                            next = next.wrapping_offset(ahead);
                        }
                        let mut factors = [zero(); C];
                        for c in 0..C {
                            let from = right.add(c * WIDTH);
                            let part = EDGE && c + 1 == C;
                            factors[c] = if part { load_some(from, rest) } else { load(from) };
                        }
                        if R == 1 && WIDTH == 16 {
                            let next = right.wrapping_offset(AHEAD * of.term);
                            (0..C).for_each(|c| ask(next.wrapping_add(c * WIDTH)));
                        }
                        for r in 0..R {
                            let weight = splat(*rows[r].offset(term));
                            for c in 0..C {
                                sums[r][c] = mul_add(weight, factors[c], sums[r][c]);
                            }
                        }
                        term += by.term;
                        right = right.wrapping_offset(of.term);
                    }
                    for r in 0..R {
                        let to = at.out.offset(times(row + r, product.out[0])).add(col);
                        for c in 0..C {
                            let to = to.add(c * WIDTH);
                            if EDGE && c + 1 == C {
                                some(product.add, to, rest, sums[r][c]);
                            } else {
                                finish(product.add, to, sums[r][c]);
                            }
                        }
                    }
                }
            }

            /// Vectors along the terms.
            #[target_feature(enable = $features)]
            unsafe fn dot_tile<const R: usize, const C: usize>(
                product: &Product,
                at: Arrays<f32>,
                row: usize,
                col: usize,
            ) {
                // SAFETY: the caller's promise.
                unsafe {
                    let (by, of) = (product.left, product.right);
                    let mut left = at.left.offset(times(row, by.place));
                    let mut right = at.right.offset(times(col, of.place));
                    let mut all = [[zero(); C]; R];
                    let rest = product.terms % WIDTH;
                    let whole = product.terms - rest;
                    for _ in 0..product.turns {
                        let mut term = 0;
                        while term < whole {
                            let mut factors = [zero(); C];
                            for c in 0..C {
                                factors[c] = load(right.offset(times(c, of.place)).add(term));
                            }
                            for r in 0..R {
                                let weight = load(left.offset(times(r, by.place)).add(term));
                                if C == 1 && WIDTH == 16 {
                                    let next = left.wrapping_offset(times(r + R, by.place));
                                    ask(next.wrapping_add(term));
                                }
                                for c in 0..C {
                                    all[r][c] = mul_add(weight, factors[c], all[r][c]);
                                }
                            }
                            term += WIDTH;
                        }
                        if rest > 0 {
                            let mut factors = [zero(); C];
                            for c in 0..C {
                                let from = right.offset(times(c, of.place)).add(whole);
                                factors[c] = load_some(from, rest);
                            }
                            for r in 0..R {
                                let from = left.offset(times(r, by.place)).add(whole);
                                let weight = load_some(from, rest);
                                for c in 0..C {
                                    all[r][c] = mul_add(weight, factors[c], all[r][c]);
                                }
                            }
                        }
                        left = left.wrapping_offset(by.turn);
                        right = right.wrapping_offset(of.turn);
                    }
                    write::<R, C>(product, at.out, (row, col), &all);
                }
            }

            /// Writes the sums of a tile: four at a time, of which some of the last may be nobody's.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn write<const R: usize, const C: usize>(
                product: &Product,
                out: *mut f32,
                (row, col): (usize, usize),
                all: &[[V; C]; R],
            ) {
                for first in (0..R * C).step_by(4) {
                    let own = |number: usize| {
                        let at = (first + number).min(R * C - 1);
                        all[at / C][at % C]
                    };
                    let mut values = [0.0; 4];
                    // SAFETY: four numbers fit; the caller's promise.
                    unsafe {
                        four::store(values.as_mut_ptr(), sums([own(0), own(1), own(2), own(3)]));
                        for number in first..(first + 4).min(R * C) {
                            let (row, col) = (row + number / C, col + number % C);
                            let place = times(row, product.out[0]) + times(col, product.out[1]);
                            let to = out.offset(place);
                            let value = values[number - first];
                            *to = if product.add { *to + value } else { value };
                        }
                    }
                }
            }

            /// Every sample for itself.
            #[target_feature(enable = $features)]
            unsafe fn lanes_tile<const R: usize, const C: usize, const SOME: bool>(
                product: &Product,
                at: Arrays<f32>,
                (row, col): (usize, usize),
                count: usize,
            ) {
                // SAFETY: the caller's promise.
                unsafe {
                    let (by, of) = (product.left, product.right);
                    let mut sums = [[zero(); C]; R];
                    for turn in 0..product.turns {
                        let mut left = at.left.offset(times(row, by.place) + times(turn, by.turn));
                        let mut right =
                            at.right.offset(times(col, of.place) + times(turn, of.turn));
                        for _ in 0..product.terms {
                            let mut factors = [zero(); C];
                            for c in 0..C {
                                let from = right.offset(times(c, of.place));
                                factors[c] = if SOME { load_some(from, count) } else { load(from) };
                            }
                            for r in 0..R {
                                let from = left.offset(times(r, by.place));
                                let weight = if SOME { load_some(from, count) } else { load(from) };
                                for c in 0..C {
                                    sums[r][c] = mul_add(weight, factors[c], sums[r][c]);
                                }
                            }
                            left = left.wrapping_offset(by.term);
                            right = right.wrapping_offset(of.term);
                        }
                    }
                    for r in 0..R {
                        for c in 0..C {
                            let place =
                                times(row + r, product.out[0]) + times(col + c, product.out[1]);
                            let to = at.out.offset(place);
                            if SOME {
                                some(product.add, to, count, sums[r][c]);
                            } else {
                                finish(product.add, to, sums[r][c]);
                            }
                        }
                    }
                }
            }

            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn some(more: bool, to: *mut f32, count: usize, value: V) {
                // SAFETY: the caller's promise.
                unsafe {
                    let value = if more { add(value, load_some(to, count)) } else { value };
                    store_some(to, count, value);
                }
            }

            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn finish(more: bool, to: *mut f32, value: V) {
                // SAFETY: the caller's promise.
                unsafe {
                    let value = if more { add(value, load(to)) } else { value };
                    store(to, value);
                }
            }
        }
    };
}

// The sums of a tile, a factor for each of its columns and one for a row fit the registers, of which there are
// 16, or 32 of 512 bits. At least 8 sums at a time hide the time of an addition.
kernels!(
    four, "avx2,fma",
    spread 8 x [1, 1, 1] of { 1: 1; 2: 1; 3: 1; 4: 1; 5: 1; 6: 1; 7: 1; 8: 1; },
    dots 4 x 2 of { 1: 1 2 3 4; 2: 1 2; 3: 1 2; 4: 1 2; 5: 1; 6: 1; }
);
kernels!(
    eight, "avx2,fma",
    spread 8 x [1, 1, 1] of { 1: 1; 2: 1; 3: 1; 4: 1; 5: 1; 6: 1; 7: 1; 8: 1; },
    dots 4 x 2 of { 1: 1 2 3 4; 2: 1 2; 3: 1 2; 4: 1 2; 5: 1; 6: 1; }
);
kernels!(
    pair, "avx2,fma",
    spread 6 x [6, 2, 1] of { 1: 1 2 3 4 5 6; 2: 1 2; 3: 1; 4: 1; 5: 1; 6: 1; },
    dots 3 x 2 of { 1: 1 2 3 4; 2: 1 2; 3: 1 2; 4: 1; 5: 1; 6: 1; }
);
kernels!(
    sixteen, "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma",
    spread 8 x [8, 4, 3] of {
        1: 1 2 3 4 5 6 7 8; 2: 1 2 3 4; 3: 1 2 3; 4: 1 2 3; 5: 1 2 3; 6: 1 2 3; 7: 1 2 3; 8: 1 2 3;
    },
    dots 4 x 4 of { 1: 1 2 3 4; 2: 1 2 3 4; 3: 1 2 3 4; 4: 1 2 3 4; 5: 1; 6: 1; }
);

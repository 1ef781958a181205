//! Products in registers: tiles of as many sums at once as hide the time of an addition.
//!
//! In: a description and addresses. Out: the product. Invariant: which lane a term is added in depends on the
//! number of columns, terms or samples, never on the level. Every unsafe function here asks what
//! [`run`](super::product::run) asks, and that its tile lies inside the rows and columns.

#![expect(unsafe_code, reason = "kernels take addresses of the memory of a run")]

use super::product::{Arrays, Product, plain};

/// # Safety
/// As for [`run`](super::product::run).
pub(super) unsafe fn avx2(product: &Product, at: Arrays<f32>) {
    // SAFETY: the caller's promise.
    unsafe {
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

/// So many rows or columns are left: how many the next tile takes.
#[inline(always)]
fn next(left: usize, most: usize) -> usize {
    match left {
        left if left >= most => most,
        left if left >= 4 && most > 4 => 4,
        _ => 1,
    }
}

#[inline(always)]
fn times(count: usize, by: isize) -> isize {
    count as isize * by
}

/// The kernels of one vector.
macro_rules! kernels {
    ($name:ident, $features:literal, $high:literal, $broad:literal) => {
        mod $name {
            use super::super::lanes::$name::{
                V, WIDTH, add, load, load_some, mul_add, splat, store, store_some, sum, zero,
            };
            use super::super::product::{Arrays, Product};
            use super::{next, times};

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

            #[target_feature(enable = $features)]
            unsafe fn lanewise<const SOME: bool>(product: &Product, at: Arrays<f32>, count: usize) {
                let mut col = 0;
                while col < product.cols {
                    let width = next(product.cols - col, 4);
                    let mut row = 0;
                    while row < product.rows {
                        let height = next(product.rows - row, 4);
                        // SAFETY: the caller's promise.
                        unsafe {
                            match (height, width) {
                                (4, 4) => lanes_tile::<4, 4, SOME>(product, at, (row, col), count),
                                (4, _) => lanes_tile::<4, 1, SOME>(product, at, (row, col), count),
                                (_, 4) => lanes_tile::<1, 4, SOME>(product, at, (row, col), count),
                                _ => lanes_tile::<1, 1, SOME>(product, at, (row, col), count),
                            }
                        }
                        row += height;
                    }
                    col += width;
                }
            }

            #[target_feature(enable = $features)]
            unsafe fn dots(product: &Product, at: Arrays<f32>) {
                let mut col = 0;
                while col < product.cols {
                    let width = next(product.cols - col, 4);
                    let mut row = 0;
                    while row < product.rows {
                        let height = next(product.rows - row, 4);
                        // SAFETY: the caller's promise.
                        unsafe {
                            match (height, width) {
                                (4, 4) => dot_tile::<4, 4>(product, at, row, col),
                                (4, _) => dot_tile::<4, 1>(product, at, row, col),
                                (_, 4) => dot_tile::<1, 4>(product, at, row, col),
                                _ => dot_tile::<1, 1>(product, at, row, col),
                            }
                        }
                        row += height;
                    }
                    col += width;
                }
            }

            #[target_feature(enable = $features)]
            unsafe fn spread(product: &Product, at: Arrays<f32>) {
                let (mut col, whole) = (0, product.cols - product.cols % WIDTH);
                while col < whole {
                    let vectors = (whole - col) / WIDTH;
                    let width =
                        if product.rows == 1 { next(vectors, 8) } else { next(vectors, $broad) };
                    let mut row = 0;
                    while row < product.rows {
                        let height = next(product.rows - row, $high);
                        // SAFETY: the caller's promise.
                        unsafe {
                            match (height, width) {
                                ($high, $broad) => {
                                    spread_tile::<$high, $broad>(product, at, row, col)
                                }
                                ($high, _) => spread_tile::<$high, 1>(product, at, row, col),
                                (4, $broad) => spread_tile::<4, $broad>(product, at, row, col),
                                (4, 1) => spread_tile::<4, 1>(product, at, row, col),
                                (_, 4) => spread_tile::<1, 4>(product, at, row, col),
                                (_, 8) => spread_tile::<1, 8>(product, at, row, col),
                                (_, $broad) => spread_tile::<1, $broad>(product, at, row, col),
                                _ => spread_tile::<1, 1>(product, at, row, col),
                            }
                        }
                        row += height;
                    }
                    col += width * WIDTH;
                }
                let mut row = if col < product.cols { 0 } else { product.rows };
                while row < product.rows {
                    let height = next(product.rows - row, $high);
                    // SAFETY: the caller's promise.
                    unsafe {
                        match height {
                            $high => edge_tile::<$high>(product, at, row, col),
                            4 => edge_tile::<4>(product, at, row, col),
                            _ => edge_tile::<1>(product, at, row, col),
                        }
                    }
                    row += height;
                }
            }

            /// Vectors along the columns.
            #[target_feature(enable = $features)]
            unsafe fn spread_tile<const R: usize, const C: usize>(
                product: &Product,
                at: Arrays<f32>,
                row: usize,
                col: usize,
            ) {
                // SAFETY: the caller's promise.
                unsafe {
                    let (by, of) = (product.left, product.right);
                    let mut left = at.left.offset(times(row, by.place));
                    let mut right = at.right.add(col);
                    let mut sums = [[zero(); C]; R];
                    for _ in 0..product.terms {
                        let mut factors = [zero(); C];
                        for c in 0..C {
                            factors[c] = load(right.add(c * WIDTH));
                        }
                        for r in 0..R {
                            let weight = splat(*left.offset(times(r, by.place)));
                            for c in 0..C {
                                sums[r][c] = mul_add(weight, factors[c], sums[r][c]);
                            }
                        }
                        left = left.wrapping_offset(by.term);
                        right = right.wrapping_offset(of.term);
                    }
                    for r in 0..R {
                        let to = at.out.offset(times(row + r, product.out[0])).add(col);
                        for c in 0..C {
                            finish(product.add, to.add(c * WIDTH), sums[r][c]);
                        }
                    }
                }
            }

            /// The last columns, fewer than a vector holds.
            #[target_feature(enable = $features)]
            unsafe fn edge_tile<const R: usize>(
                product: &Product,
                at: Arrays<f32>,
                row: usize,
                col: usize,
            ) {
                // SAFETY: the caller's promise.
                unsafe {
                    let rest = product.cols - col;
                    let (by, of) = (product.left, product.right);
                    let mut left = at.left.offset(times(row, by.place));
                    let mut right = at.right.add(col);
                    let mut sums = [zero(); R];
                    for _ in 0..product.terms {
                        let factor = load_some(right, rest);
                        for r in 0..R {
                            let weight = splat(*left.offset(times(r, by.place)));
                            sums[r] = mul_add(weight, factor, sums[r]);
                        }
                        left = left.wrapping_offset(by.term);
                        right = right.wrapping_offset(of.term);
                    }
                    for r in 0..R {
                        let to = at.out.offset(times(row + r, product.out[0])).add(col);
                        some(product.add, to, rest, sums[r]);
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
                    let mut sums = [[zero(); C]; R];
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
                                for c in 0..C {
                                    sums[r][c] = mul_add(weight, factors[c], sums[r][c]);
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
                                    sums[r][c] = mul_add(weight, factors[c], sums[r][c]);
                                }
                            }
                        }
                        left = left.wrapping_offset(by.turn);
                        right = right.wrapping_offset(of.turn);
                    }
                    for r in 0..R {
                        for c in 0..C {
                            let place =
                                times(row + r, product.out[0]) + times(col + c, product.out[1]);
                            let to = at.out.offset(place);
                            let value = sum(sums[r][c]);
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

kernels!(four, "avx2,fma", 6, 2);
kernels!(eight, "avx2,fma", 6, 2);
kernels!(pair, "avx2,fma", 3, 2);
kernels!(sixteen, "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma", 8, 3);

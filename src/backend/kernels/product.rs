//! Sums of products of two arrays, whatever their strides.
//!
//! In: a description and three addresses. Out: `out[r, c] (+)= sum over t, k of left[r, k, t] * right[c, k, t]`.
//! Invariant: which order the terms are added in follows from the description alone: ascending; where both
//! factors lie side by side along the terms, in 16, 8 or 4 lanes; where both are laid out anew, or the left one
//! lies side by side along many rows, in blocks.

#![expect(unsafe_code, reason = "kernels take addresses of the memory of a run")]

use crate::backend::float::Float;

/// How far apart neighbours lie, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::backend) struct Strides {
    /// From one row (left) or column (right) to the next.
    pub(in crate::backend) place: isize,
    /// From one term to the next.
    pub(in crate::backend) term: isize,
    /// From one turn of terms to the next.
    pub(in crate::backend) turn: isize,
}

/// How factors are laid out anew before they are used, where neighbours lie apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::backend) enum Pack {
    /// Not at all.
    #[default]
    None,
    /// The right one, terms side by side.
    Terms,
    /// Both, in blocks of terms.
    Both,
}

/// What is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::backend) struct Product {
    /// Rows of the result.
    pub(in crate::backend) rows: usize,
    /// Columns of the result.
    pub(in crate::backend) cols: usize,
    /// Terms of a turn.
    pub(in crate::backend) terms: usize,
    /// Turns of terms.
    pub(in crate::backend) turns: usize,
    /// Numbers side by side in each factor and in the result, each computed for itself: samples, or points
    /// of an axis along which both factors move; 1 if there are none.
    pub(in crate::backend) lanes: usize,
    /// How many times all of it is done.
    pub(in crate::backend) batch: usize,
    /// How far apart these are: in the result, the factors.
    pub(in crate::backend) steps: [isize; 3],
    /// The left factor.
    pub(in crate::backend) left: Strides,
    /// The right factor.
    pub(in crate::backend) right: Strides,
    /// Rows and columns of the result.
    pub(in crate::backend) out: [isize; 2],
    /// Whether the result is added to what stands there.
    pub(in crate::backend) add: bool,
    /// What is done to the factors first.
    pub(in crate::backend) pack: Pack,
}

/// So many uses of each number make it worth while to lay both out anew, where vectors can run along the
/// columns as they lie, ...
const MOST: usize = 55;
/// ... where they can run along the terms, ...
const SOME: usize = 6;
/// ... and where they cannot run.
const LEAST: usize = 2;

/// How machine code calls a product: description, result, left and right factor.
pub(in crate::backend) type Run =
    unsafe extern "C" fn(*const Product, *mut u8, *const u8, *const u8);

impl Product {
    /// The same with rows and columns exchanged.
    fn turned(self) -> Product {
        Product {
            rows: self.cols,
            cols: self.rows,
            left: self.right,
            right: self.left,
            out: [self.out[1], self.out[0]],
            steps: [self.steps[0], self.steps[2], self.steps[1]],
            ..self
        }
    }

    /// Whether all that it leads to lies inside arrays of these lengths: the result, the factors.
    pub(in crate::backend) fn fits(&self, lengths: [usize; 3]) -> bool {
        let spread = |counts: &[(usize, isize)]| {
            let ends =
                counts.iter().map(|(count, by)| (count.saturating_sub(1) as i128) * *by as i128);
            let (low, high) =
                ends.fold((0, 0), |(low, high), end| (low + end.min(0), high + end.max(0)));
            (low, high + self.lanes as i128)
        };
        let factor = |count: usize, by: Strides, batch| {
            spread(&[(count, by.place), (self.terms, by.term), (self.turns, by.turn), batch])
        };
        let [out, left, right] = self.steps.map(|step| (self.batch, step));
        let reached = [
            spread(&[(self.rows, self.out[0]), (self.cols, self.out[1]), out]),
            factor(self.rows, self.left, left),
            factor(self.cols, self.right, right),
        ];
        let inside = |(reached, length): (&(i128, i128), &usize)| {
            reached.0 >= 0 && reached.1 <= *length as i128
        };
        let none = self.rows == 0 || self.cols == 0 || self.batch == 0;
        none || reached.iter().zip(&lengths).all(inside)
    }

    /// Whether vectors can run along the columns.
    pub(super) fn spreads(&self) -> bool {
        self.lanes == 1 && self.turns == 1 && self.right.place == 1 && self.out[1] == 1
    }

    /// Whether vectors can run along the terms.
    pub(super) fn dots(&self) -> bool {
        self.lanes == 1 && self.left.term == 1 && self.right.term == 1
    }

    /// Whether vectors can run along rows, columns or terms.
    pub(in crate::backend) fn vectors(&self) -> bool {
        let (own, turned) = self.arranged();
        let wide = own.pack != Pack::None || (own.spreads() && own.cols >= 4);
        wide || (own.dots() && own.terms >= 4) || (turned && own.spreads())
    }

    /// The same in the form that suits vectors best, and whether the factors have changed places.
    pub(in crate::backend) fn arranged(self) -> (Product, bool) {
        let turned = self.turned();
        let ways = [(self, false), (turned, true)];
        let both = |uses| {
            let (product, way) = ways.iter().find(|(product, _)| product.reuses(uses))?;
            Some((Product { pack: Pack::Both, ..*product }, *way))
        };
        let wide = |product: &Product| product.spreads() && product.cols >= 4;
        let better = wide(&turned) || (!self.dots() && !self.spreads() && turned.spreads());
        let packed = || ways.iter().find_map(|(product, way)| Some((product.packed()?, *way)));
        if wide(&self) {
            both(MOST).unwrap_or((self, false))
        } else if self.dots() && !better {
            both(SOME).unwrap_or((self, false))
        } else if better {
            both(MOST).unwrap_or((turned, true))
        } else {
            both(LEAST).or_else(packed).unwrap_or((self, false))
        }
    }

    /// Whether vectors can run along the columns once both factors are laid out anew, and each number laid
    /// out is used so many times.
    fn reuses(&self, uses: usize) -> bool {
        let fits = self.lanes == 1 && self.out[1] == 1 && self.cols >= 8;
        fits && self.terms * self.turns > 0
            && self.rows * self.cols >= uses * (self.rows + self.cols)
    }

    /// Whether a product and another, of the same right factor, read all of it in the same way once both are laid out
    /// anew.
    pub(in crate::backend) fn reads_like(&self, other: &Product) -> bool {
        let of = |product: &Product| {
            let Product { cols, terms, turns, lanes, batch, right, pack, .. } = *product;
            (cols, terms, turns, lanes, batch, right, pack)
        };
        self.pack == Pack::Both && self.batch == 1 && of(self) == of(other)
    }

    /// The same with the right factor laid out anew, if that pays.
    fn packed(self) -> Option<Product> {
        let fits = self.lanes == 1 && self.turns == 1 && self.left.term == 1;
        let pays = self.rows >= 4 && self.terms >= 8;
        (fits && pays).then_some(Product { pack: Pack::Terms, ..self })
    }
}

/// Computes a product of `f32`.
///
/// # Safety
/// The description is valid; every position it leads to lies inside an array of numbers that may be read,
/// or for `out` written; `out` overlaps neither factor.
pub(in crate::backend) unsafe extern "C" fn single(
    product: *const Product,
    out: *mut u8,
    left: *const u8,
    right: *const u8,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let at = Arrays { out: out.cast::<f32>(), left: left.cast(), right: right.cast() };
        run(super::Level::here(), &*product, at);
    }
}

/// Computes products of `f32` that read the same right factor [alike](Product::reads_like): it is laid out once.
///
/// # Safety
/// As for [`single`], for each of them; the machine has the level.
pub(in crate::backend) unsafe fn sharing(level: super::Level, all: &[(Product, Arrays<f32>)]) {
    // SAFETY: the caller's promise; a level is only found where its features are.
    unsafe {
        match level {
            super::Level::Plain => {
                for (product, at) in all {
                    each(product, *at, |at| plain(product, at));
                }
            }
            #[cfg(target_arch = "x86_64")]
            super::Level::Avx2 => super::panels::pair::shared(all),
            #[cfg(target_arch = "x86_64")]
            super::Level::Avx512 => super::panels::sixteen::shared(all),
        }
    }
}

/// Computes a product of `f64`.
///
/// # Safety
/// As for [`single`].
pub(in crate::backend) unsafe extern "C" fn double(
    product: *const Product,
    out: *mut u8,
    left: *const u8,
    right: *const u8,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let at = Arrays { out: out.cast::<f64>(), left: left.cast(), right: right.cast() };
        each(&*product, at, |at| plain(&*product, at));
    }
}

/// Addresses of the first numbers.
#[derive(Clone, Copy)]
pub(in crate::backend) struct Arrays<F> {
    pub(in crate::backend) out: *mut F,
    pub(in crate::backend) left: *const F,
    pub(in crate::backend) right: *const F,
}

/// Chooses the code for a level.
///
/// # Safety
/// As for [`single`]; the machine has the level.
pub(super) unsafe fn run(level: super::Level, product: &Product, at: Arrays<f32>) {
    match level {
        // SAFETY: the caller's promise.
        super::Level::Plain => unsafe { each(product, at, |at| plain(product, at)) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller's promise.
        super::Level::Avx2 => unsafe {
            laid_out(product, at, |product, at| super::wide::avx2(product, at));
        },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller's promise.
        super::Level::Avx512 => unsafe {
            laid_out(product, at, |product, at| super::wide::avx512(product, at));
        },
    }
}

impl<F> Arrays<F> {
    /// The arrays of a later one of a batch.
    pub(super) fn later(self, number: usize, steps: [isize; 3]) -> Arrays<F> {
        let [out, left, right] = steps.map(|step| number as isize * step);
        Arrays {
            out: self.out.wrapping_offset(out),
            left: self.left.wrapping_offset(left),
            right: self.right.wrapping_offset(right),
        }
    }
}

/// Lays the right factor out, terms side by side, if the product asks for it: once for each of its batch.
///
/// # Safety
/// As for [`single`].
#[cfg(target_arch = "x86_64")]
unsafe fn laid_out(product: &Product, at: Arrays<f32>, run: impl Fn(&Product, Arrays<f32>)) {
    thread_local! {
        static ROOM: std::cell::RefCell<Vec<f32>> = const { std::cell::RefCell::new(Vec::new()) };
    }
    if product.pack != Pack::Terms {
        return run(product, at);
    }
    let Product { cols, terms, right, .. } = *product;
    let laid = Strides { place: terms as isize, term: 1, turn: 0 };
    let one = Product { right: laid, batch: 1, pack: Pack::None, ..*product };
    ROOM.with_borrow_mut(|room| {
        room.resize(cols * terms, 0.0);
        for number in 0..product.batch {
            let at = at.later(number, product.steps);
            for k in 0..terms {
                for c in 0..cols {
                    let from = c as isize * right.place + k as isize * right.term;
                    // SAFETY: the caller's promise.
                    room[c * terms + k] = unsafe { *at.right.offset(from) };
                }
            }
            run(&one, Arrays { right: room.as_ptr(), ..at });
        }
    });
}

/// All of a batch.
fn each<F: Copy>(product: &Product, at: Arrays<F>, mut one: impl FnMut(Arrays<F>)) {
    (0..product.batch).for_each(|number| one(at.later(number, product.steps)));
}

/// Plain loops, over one of a batch.
///
/// # Safety
/// As for [`single`].
pub(super) unsafe fn plain<F: Float>(product: &Product, at: Arrays<F>) {
    let Product { rows, cols, terms, turns, lanes, left, right, out, add, .. } = *product;
    let own = |row: usize, by: isize| row as isize * by;
    for row in 0..rows {
        for col in 0..cols {
            for lane in 0..lanes {
                let mut sum = F::of(0.0);
                for turn in 0..turns {
                    for term in 0..terms {
                        let a = own(row, left.place) + own(term, left.term) + own(turn, left.turn);
                        let b =
                            own(col, right.place) + own(term, right.term) + own(turn, right.turn);
                        // SAFETY: the caller's promise.
                        unsafe {
                            let a = *at.left.offset(a + lane as isize);
                            sum += a * *at.right.offset(b + lane as isize);
                        }
                    }
                }
                // SAFETY: the caller's promise.
                unsafe {
                    let to = at.out.offset(own(row, out[0]) + own(col, out[1]) + lane as isize);
                    *to = if add { *to + sum } else { sum };
                }
            }
        }
    }
}

use super::product::{Arrays, Product, Strides, plain, run, sharing};
use super::*;
use crate::op::scalar;
use crate::random::Stream;

/// Levels that this machine has.
fn levels() -> Vec<Level> {
    let all = [
        Level::Plain,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512,
    ];
    let here = all.iter().position(|level| *level == Level::here()).unwrap();
    all[..=here].to_vec()
}

fn draw(stream: &mut Stream, count: usize) -> Vec<f32> {
    (0..count).map(|_| f32::from(stream.whole(0, 200) as u8) / 50.0 - 2.0).collect()
}

/// Products of all forms and sizes, with factors that lie in every way.
fn products(stream: &mut Stream) -> Vec<Product> {
    let mut all = Vec::new();
    for _ in 0..500 {
        let mut size = |most: u32| stream.whole(1, most) as usize;
        let (rows, cols, terms, turns) = (size(20), size(70), size(40), size(3));
        let form = size(4);
        let [r, c, k] = [rows, cols, terms].map(|size| size as isize);
        let product = match form {
            1 => Product {
                turns: 1,
                left: Strides { place: k, term: 1, turn: 0 },
                right: Strides { place: 1, term: c, turn: 0 },
                ..Product::default()
            },
            2 => Product {
                turns: 1,
                left: Strides { place: 1, term: r, turn: 0 },
                right: Strides { place: 1, term: c + 3, turn: 0 },
                ..Product::default()
            },
            3 => Product {
                turns,
                left: Strides { place: k, term: 1, turn: r * k },
                right: Strides { place: k, term: 1, turn: c * k },
                ..Product::default()
            },
            _ => Product {
                turns,
                left: Strides { place: 2, term: 2 * r, turn: 2 * r * k },
                right: Strides { place: 3, term: 3 * c, turn: 0 },
                ..Product::default()
            },
        };
        let add = size(2) == 1;
        let product = Product { rows, cols, terms, lanes: 1, out: [c, 1], add, ..product };
        all.push(Product { batch: 1, ..product });
        all.push(Product { batch: size(4), steps: [r * c, 5, 7], ..product });
        let lanes = [2, 4, 8, 16, 21, 35][size(6) - 1];
        let l = lanes as isize;
        all.push(Product {
            rows: rows.min(9),
            cols: cols.min(9),
            terms,
            turns,
            lanes,
            left: Strides { place: k * l, term: l, turn: r * k * l },
            right: Strides { place: l, term: c * l, turn: 0 },
            out: [c * l, l],
            add,
            batch: 1,
            ..Product::default()
        });
    }
    all
}

/// Products whose factors are laid out anew, of more than one block of terms and of columns.
fn laid_out(stream: &mut Stream) -> Vec<Product> {
    let form = |number: usize| {
        let mut size = |most: u32| stream.whole(1, most) as usize;
        let (rows, cols, gap) = (size(120), size(400), size(3) as isize);
        let (terms, turns) = [(size(300), 1), (size(20), size(30))][number % 2];
        let [r, c, k] = [rows, cols, terms].map(|size| size as isize);
        let lying = |places: isize, size: usize| match size {
            1 => Strides { place: 1, term: places + gap, turn: (places + gap) * k },
            2 => Strides { place: k + gap, term: 1, turn: (k + gap) * places },
            _ => Strides { place: gap, term: gap * places, turn: gap * places * k },
        };
        let (left, right, add) = (lying(r, size(3)), lying(c, size(3)), size(2) == 1);
        let (batch, steps) = (size(2), [r * (c + gap), 1, 2]);
        let out = [c + gap, 1];
        Product {
            rows,
            cols,
            terms,
            turns,
            lanes: 1,
            batch,
            steps,
            left,
            right,
            out,
            add,
            pack: Pack::Both,
        }
    };
    (0..60).map(form).collect()
}

/// How many numbers of an array a product reaches: of the result, or of a factor.
fn reach(product: &Product, count: usize, by: Strides, array: usize) -> usize {
    let last = |count: usize, by: isize| (count as isize - 1) * by;
    let far = last(count, by.place) + last(product.terms, by.term) + last(product.turns, by.turn);
    (far + last(product.batch, product.steps[array])) as usize + product.lanes
}

/// Compares what all levels make of a product, once it is arranged if `arrange`, with plain loops.
#[expect(unsafe_code, reason = "gives kernels arrays of the size they need")]
fn check(stream: &mut Stream, product: &Product, arrange: bool) {
    let left = draw(stream, reach(product, product.rows, product.left, 1));
    let right = draw(stream, reach(product, product.cols, product.right, 2));
    let own = Strides { place: product.out[0], ..Strides::default() };
    let result = Product { terms: 1, turns: 1, ..*product };
    let across = (product.cols - 1) * product.out[1] as usize;
    let before = draw(stream, reach(&result, product.rows, own, 0) + across);
    let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
    let (mut truth, left64, right64) = (wide(&before), wide(&left), wide(&right));
    let at = Arrays { out: truth.as_mut_ptr(), left: left64.as_ptr(), right: right64.as_ptr() };
    // SAFETY: the arrays are as long as the product reaches.
    (0..product.batch).for_each(|one| unsafe { plain(product, at.later(one, product.steps)) });
    let (arranged, changed) = if arrange { product.arranged() } else { (*product, false) };
    let (a, b) = if changed { (&right, &left) } else { (&left, &right) };
    let mut bits: Option<Vec<u32>> = None;
    for level in levels() {
        let mut out = before.clone();
        let at = Arrays { out: out.as_mut_ptr(), left: a.as_ptr(), right: b.as_ptr() };
        // SAFETY: the arrays are as long as the product reaches.
        unsafe { run(level, &arranged, at) };
        for (found, truth) in out.iter().zip(&truth) {
            let apart = (f64::from(*found) - truth).abs();
            assert!(apart <= 2e-3, "{level:?} {product:?}: {found}, not {truth}");
        }
        if level != Level::Plain {
            let own: Vec<u32> = out.iter().map(|value| value.to_bits()).collect();
            assert_eq!(*bits.get_or_insert(own.clone()), own, "{level:?} {product:?}");
        }
    }
}

#[test]
fn every_level_gives_the_sums_that_plain_loops_give() {
    let mut stream = Stream::new(7, &["kernels"], &[]);
    for product in products(&mut stream) {
        check(&mut stream, &product, true);
        if product.lanes == 1 {
            check(&mut stream, &Product { pack: Pack::Both, ..product }, false);
        }
    }
}

#[test]
fn factors_laid_out_in_blocks_give_the_sums_that_plain_loops_give() {
    let mut stream = Stream::new(8, &["kernels"], &[]);
    for product in laid_out(&mut stream) {
        check(&mut stream, &product, false);
    }
}

#[test]
#[expect(unsafe_code, reason = "gives kernels arrays of the size they need")]
fn products_that_share_a_factor_have_the_bits_of_each_alone() {
    let mut stream = Stream::new(10, &["kernels"], &[]);
    for one in laid_out(&mut stream) {
        let one = Product { batch: 1, ..one };
        let right = draw(&mut stream, reach(&one, one.cols, one.right, 2));
        let all = [one.rows, 3, 130].map(|rows| Product { rows, add: rows != 3, ..one });
        let lefts = all.map(|own| draw(&mut stream, reach(&own, own.rows, own.left, 1)));
        let befores = all.map(|own| draw(&mut stream, own.rows * own.out[0] as usize));
        for level in levels() {
            let mut alone = befores.clone();
            let mut shared = befores.clone();
            let mut list = Vec::new();
            for (number, own) in all.iter().enumerate() {
                let (left, right) = (lefts[number].as_ptr(), right.as_ptr());
                // SAFETY: the arrays are as long as the products reach.
                unsafe { run(level, own, Arrays { out: alone[number].as_mut_ptr(), left, right }) };
                list.push((*own, Arrays { out: shared[number].as_mut_ptr(), left, right }));
            }
            assert!(list.iter().all(|(own, _)| own.reads_like(&one)));
            // SAFETY: as above.
            unsafe { sharing(level, &list) };
            assert!(alone != befores && alone == shared, "{level:?} {one:?}");
        }
    }
}

#[test]
fn terms_taken_in_blocks_give_the_sums_that_plain_loops_give() {
    let mut stream = Stream::new(9, &["kernels"], &[]);
    for (rows, cols) in [(7, 16), (8, 20), (9, 3), (9, 8), (20, 16), (33, 70)] {
        for (terms, add) in [(128, false), (129, true), (129, false), (300, true), (300, false)] {
            let [r, c] = [rows as isize, cols as isize];
            let left = Strides { place: 1, term: r + 2, turn: 0 };
            let right = Strides { place: 1, term: c, turn: 0 };
            let one = Product {
                rows,
                cols,
                terms,
                turns: 1,
                lanes: 1,
                left,
                right,
                add,
                ..Product::default()
            };
            check(
                &mut stream,
                &Product { batch: 2, steps: [r * c, 1, 2], out: [c, 1], ..one },
                false,
            );
        }
    }
}

#[test]
fn a_sum_without_terms_is_zero() {
    let empty = Product {
        rows: 9,
        cols: 19,
        turns: 1,
        lanes: 1,
        batch: 1,
        out: [19, 1],
        pack: Pack::Both,
        ..Product::default()
    };
    for level in levels() {
        let mut out = [1.0_f32; 9 * 19];
        let at = Arrays { out: out.as_mut_ptr(), left: [].as_ptr(), right: [].as_ptr() };
        #[expect(unsafe_code, reason = "gives kernels arrays of the size they need")]
        // SAFETY: the product reads nothing.
        unsafe {
            run(level, &empty, at);
        }
        assert_eq!(out, [0.0; 9 * 19], "{level:?}");
    }
}

#[test]
fn what_a_product_reaches_is_known() {
    let one = Product {
        rows: 2,
        cols: 3,
        terms: 4,
        turns: 1,
        lanes: 1,
        batch: 2,
        steps: [6, 0, 0],
        left: Strides { place: 4, term: 1, turn: 0 },
        right: Strides { place: 1, term: 3, turn: 0 },
        out: [3, 1],
        ..Product::default()
    };
    assert!(one.fits([12, 8, 12]));
    for short in [[11, 8, 12], [12, 7, 12], [12, 8, 11]] {
        assert!(!one.fits(short), "{short:?}");
    }
    let back = Strides { place: 4, term: -1, turn: 0 };
    assert!(!Product { left: back, ..one }.fits([12, 8, 12]), "it starts before the array");
    assert!(Product { rows: 0, ..one }.fits([0; 3]), "nothing is reached");
}

#[test]
fn tiles_have_the_bits_of_their_functions() {
    let numbers: Vec<f32> = (0..u32::MAX).step_by(999_983).map(f32::from_bits).collect();
    let others: Vec<f32> = numbers.iter().rev().copied().collect();
    let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    for (number, row) in scalar::rows().iter().enumerate() {
        let function = scalar::Scalar(number as u16);
        let Some(single) = row.single else { continue };
        for level in levels() {
            let mut out = numbers.clone();
            match row.takes.len() {
                1 => one(level, function, &mut out),
                _ => two(level, function, &mut out, &others),
            }
            for (found, (x, y)) in out.iter().zip(numbers.iter().zip(&others)) {
                let truth = single(&[*x, *y][..row.takes.len()]);
                assert!(same(*found, truth), "{} {x} {y} {level:?}: {found}, {truth}", row.name);
            }
            // Of all signs and magnitudes.
            let apart = |all: &[f32]| -> Vec<f32> { all.iter().step_by(101).copied().collect() };
            let (numbers, others, out) = (apart(&numbers), apart(&others), apart(&out));
            for count in 0..40 {
                let mut few = numbers[..count].to_vec();
                match row.takes.len() {
                    1 => one(level, function, &mut few),
                    _ => two(level, function, &mut few, &others[..count]),
                }
                let pairs = few.iter().zip(&out);
                assert!(pairs.clone().all(|(a, b)| same(*a, *b)), "{} of {count}", row.name);
            }
        }
    }
}

#[test]
fn squares_are_summed_and_numbers_looked_at_whatever_how_many() {
    for level in levels() {
        for count in [0_usize, 1, 15, 16, 17, 100] {
            let mut values: Vec<f32> = (1..=count).map(|at| at as f32).collect();
            let exact = (count * (count + 1) * (2 * count + 1)) as f64 / 6.0;
            assert_eq!(squares(level, &values), exact);
            assert!(finite(level, &values));
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                for at in 0..count {
                    let good = std::mem::replace(&mut values[at], bad);
                    assert!(!finite(level, &values), "{bad} at {at} of {count}");
                    values[at] = good;
                }
            }
            for (scale, limit) in [(-0.5, 8.0), (0.5, 8.0), (2.0, f32::INFINITY)] {
                let mut out = vec![0.0; count];
                cut(level, &values, scale, limit, &mut out);
                let cuts = values.iter().map(|x| (scale * x).clamp(-limit, limit));
                assert_eq!(out, cuts.collect::<Vec<f32>>());
            }
        }
        let mut out = [0.0; 2];
        cut(level, &[f64::NAN, 3.0], 0.5, 1.0, &mut out);
        assert!(out[0].is_nan() && out[1] == 1.0 && !finite(level, &out));
        assert_eq!(squares(level, &[3.0_f64, 4.0]), 25.0);
        assert!(finite(level, &[f32::MAX, f32::MIN, 0.0, f32::MIN_POSITIVE / 2.0]));
    }
}

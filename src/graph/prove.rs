//! Proofs about affine functions over boxes of whole numbers.
//!
//! In: a box, digits of numbers over it, and facts that hold. Out: whether a statement follows. A
//! cheap argument over intervals and sums of facts comes first; where it fails and few points are
//! concerned, all of them are tried. Invariant: what is proved is true; what is not may still be.

use super::{Affine, Axis, Rel};

/// The most points that are tried one by one.
const POINTS_TRIED: u64 = 4096;

/// How many `!=` facts are split into `<` and `>`.
const SPLITS: usize = 3;

/// `diff rel 0`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Test {
    pub(super) diff: Affine,
    pub(super) rel: Rel,
}

impl Test {
    /// `left rel right`.
    pub(super) fn new(left: &Affine, rel: Rel, right: &Affine) -> Test {
        Test { diff: left.plus(&right.times(-1)), rel }
    }

    /// `0 >= 1`, which follows from a contradiction only.
    fn never() -> Test {
        Test { diff: Affine::constant(-1), rel: Rel::Ge }
    }

    fn negated(&self) -> Test {
        Test { diff: self.diff.clone(), rel: self.rel.negated() }
    }

    /// Affine functions that are at least 0 exactly where the test holds; none for `!=`.
    fn forms(&self) -> Vec<Affine> {
        match self.rel {
            Rel::Eq => vec![self.diff.clone(), self.diff.times(-1)],
            Rel::Ne => Vec::new(),
            Rel::Lt => vec![below(&self.diff)],
            Rel::Ge => vec![self.diff.clone()],
        }
    }

    fn holds(&self, point: &[i64]) -> bool {
        let value = at(&self.diff, point);
        match self.rel {
            Rel::Eq => value == 0,
            Rel::Ne => value != 0,
            Rel::Lt => value < 0,
            Rel::Ge => value >= 0,
        }
    }
}

/// `-form - 1`, at least 0 exactly where `form < 0`.
fn below(form: &Affine) -> Affine {
    form.times(-1).plus(&Affine::constant(-1))
}

fn at(form: &Affine, point: &[i64]) -> i64 {
    form.offset + form.terms.iter().map(|(axis, by)| by * point[usize::from(axis.0)]).sum::<i64>()
}

#[derive(Clone, Debug, PartialEq)]
enum Var {
    Free { size: u32 },
    Digit { of: Affine, step: u32, radix: u32 },
}

/// Rounds of narrowing. Most conditions settle in two; two that contradict each other may take one
/// value a round, and stopping early is sound.
const ROUNDS: usize = 16;

/// Points with facts about them. Variables are numbered as axes are.
#[derive(Clone, Debug)]
pub(super) struct Domain {
    vars: Vec<Var>,
    given: Vec<Test>,
}

impl Domain {
    /// A box.
    pub(super) fn of(sizes: &[u32]) -> Domain {
        let vars = sizes.iter().map(|size| Var::Free { size: *size }).collect();
        Domain { vars, given: Vec::new() }
    }

    /// A further number `0..size`.
    pub(super) fn free(&mut self, size: u32) -> Affine {
        self.var(Var::Free { size })
    }

    /// The digit of a number over the variables so far; what is known of it counts wherever it occurs.
    pub(super) fn digit(&mut self, of: Affine, step: u32, radix: u32) -> Affine {
        // Whole turns do not show.
        let turn = i64::from(step) * i64::from(radix);
        let terms = of.terms.into_iter().filter(|(_, by)| by % turn != 0).collect();
        let of = Affine { offset: of.offset.rem_euclid(turn), terms };
        let var = Var::Digit { of, step, radix };
        match self.vars.iter().position(|known| *known == var) {
            Some(at) => Affine::axis(Axis(at as u8)),
            None => self.var(var),
        }
    }

    fn var(&mut self, var: Var) -> Affine {
        let axis =
            Axis(u8::try_from(self.vars.len()).expect("verify bounds the number of indices"));
        self.vars.push(var);
        Affine::axis(axis)
    }

    /// Adds a fact.
    pub(super) fn assume(&mut self, test: Test) {
        self.given.push(test);
    }

    fn with(&self, tests: impl IntoIterator<Item = Test>) -> Domain {
        let mut domain = self.clone();
        domain.given.extend(tests);
        domain
    }

    /// Whether the test holds at every point.
    pub(super) fn proves(&self, test: &Test) -> bool {
        let tried = |wide| self.tried(test, wide).unwrap_or(false);
        self.argued(test, SPLITS) || tried(false) || tried(true)
    }

    /// Whether there is provably no point.
    pub(super) fn is_empty(&self) -> bool {
        self.proves(&Test::never())
    }

    /// Two arms that are not provably apart.
    pub(super) fn overlap(&self, arms: &[Vec<Test>]) -> Option<(usize, usize)> {
        let apart =
            |a: usize, b: usize| self.with(arms[a].iter().chain(&arms[b]).cloned()).is_empty();
        (0..arms.len())
            .flat_map(|a| (a + 1..arms.len()).map(move |b| (a, b)))
            .find(|(a, b)| !apart(*a, *b))
    }

    /// Whether every point provably lies in some arm.
    pub(super) fn covered(&self, arms: &[Vec<Test>]) -> bool {
        if self.is_empty() {
            return true;
        }
        let Some((arm, rest)) = arms.split_first() else { return false };
        // Outside the arm, some first condition fails: one piece a condition.
        (0..arm.len()).all(|at| {
            let piece = arm[..at].iter().cloned().chain([arm[at].negated()]);
            self.with(piece).covered(rest)
        })
    }

    // ---- by argument -----------------------------------------------------------------------

    fn argued(&self, test: &Test, splits: usize) -> bool {
        let forms: Vec<Affine> = self.given.iter().flat_map(Test::forms).collect();
        let Some(bounds) = self.bounds(&forms) else { return true };
        let follows = |goal: &Affine| nonnegative(goal, &forms, &bounds);
        let diff = &test.diff;
        let direct = follows(&Affine::constant(-1))
            || match test.rel {
                Rel::Eq => follows(diff) && follows(&diff.times(-1)),
                Rel::Ne => follows(&below(diff)) || follows(&diff.plus(&Affine::constant(-1))),
                Rel::Lt => follows(&below(diff)),
                Rel::Ge => follows(diff),
            };
        direct || (splits > 0 && self.split(test, splits - 1))
    }

    /// Argues separately on both sides of the first `!=`.
    fn split(&self, test: &Test, splits: usize) -> bool {
        let Some(place) = self.given.iter().position(|given| given.rel == Rel::Ne) else {
            return false;
        };
        let mut less = self.clone();
        let apart = less.given.remove(place);
        let mut more = less.clone();
        less.given.push(Test { diff: apart.diff.clone(), rel: Rel::Lt });
        more.given.push(Test { diff: apart.diff.plus(&Affine::constant(-1)), rel: Rel::Ge });
        less.argued(test, splits) && more.argued(test, splits)
    }

    /// Intervals of the variables under the forms; `None` if some variable has no value left.
    fn bounds(&self, forms: &[Affine]) -> Option<Vec<(i64, i64)>> {
        let mut bounds: Vec<(i64, i64)> = Vec::new();
        for var in &self.vars {
            let bound = match var {
                Var::Free { size } => (0, i64::from(*size) - 1),
                Var::Digit { radix, .. } => (0, i64::from(*radix) - 1),
            };
            bounds.push(bound);
        }
        for _ in 0..ROUNDS {
            let before = bounds.clone();
            for form in forms {
                tighten(form, &mut bounds);
            }
            for (place, var) in self.vars.iter().enumerate() {
                if let Var::Digit { of, step, radix } = var {
                    narrow_digit(place, of, i64::from(*step), i64::from(*radix), &mut bounds);
                }
            }
            if bounds.iter().any(|(low, high)| low > high) {
                return None;
            }
            if bounds == before {
                break;
            }
        }
        Some(bounds)
    }

    // ---- by trial --------------------------------------------------------------------------

    /// Tries every point of the variables concerned; `None` if there are too many.
    fn tried(&self, test: &Test, wide: bool) -> Option<bool> {
        let concerned = self.concerned(test, wide);
        let mut points: u64 = 1;
        for (var, _) in self.vars.iter().zip(&concerned).filter(|(_, concerned)| **concerned) {
            if let Var::Free { size } = var {
                points = points.checked_mul(u64::from(*size)).filter(|n| *n <= POINTS_TRIED)?;
            }
        }
        let relevant: Vec<&Test> =
            self.given.iter().filter(|given| touches(&given.diff, &concerned)).collect();
        let mut point = vec![0; self.vars.len()];
        for number in 0..points {
            self.place(number, &concerned, &mut point);
            if relevant.iter().all(|given| given.holds(&point)) && !test.holds(&point) {
                return Some(false);
            }
        }
        Some(true)
    }

    /// The variables that occur in the test, and those that facts and digits tie to them. A test
    /// without variables concerns all facts, and a `wide` look all digits of what is concerned.
    fn concerned(&self, test: &Test, wide: bool) -> Vec<bool> {
        let mut concerned = vec![false; self.vars.len()];
        let all = test.diff.terms.is_empty();
        mark(&test.diff, &mut concerned);
        loop {
            let before = concerned.clone();
            for given in &self.given {
                if all || touches(&given.diff, &concerned) {
                    mark(&given.diff, &mut concerned);
                }
            }
            for (place, var) in self.vars.iter().enumerate() {
                if let Var::Digit { of, .. } = var {
                    if concerned[place] {
                        mark(of, &mut concerned);
                    } else if wide && touches(of, &concerned) {
                        concerned[place] = true;
                    }
                }
            }
            if concerned == before {
                return concerned;
            }
        }
    }

    /// The point of that number, counting through the free variables concerned.
    fn place(&self, mut number: u64, concerned: &[bool], point: &mut [i64]) {
        for (place, var) in self.vars.iter().enumerate() {
            if !concerned[place] {
                continue;
            }
            point[place] = match var {
                Var::Free { size } => {
                    let digit = number % u64::from(*size);
                    number /= u64::from(*size);
                    digit as i64
                }
                Var::Digit { of, step, radix } => {
                    at(of, point).div_euclid(i64::from(*step)).rem_euclid(i64::from(*radix))
                }
            };
        }
    }
}

fn mark(form: &Affine, concerned: &mut [bool]) {
    for (axis, _) in &form.terms {
        concerned[usize::from(axis.0)] = true;
    }
}

fn touches(form: &Affine, concerned: &[bool]) -> bool {
    form.terms.is_empty() || form.terms.iter().any(|(axis, _)| concerned[usize::from(axis.0)])
}

fn least(form: &Affine, bounds: &[(i64, i64)]) -> i64 {
    let terms = form.terms.iter().map(|(axis, by)| {
        let (low, high) = bounds[usize::from(axis.0)];
        (by * low).min(by * high)
    });
    form.offset + terms.sum::<i64>()
}

fn largest(form: &Affine, bounds: &[(i64, i64)]) -> i64 {
    -least(&form.times(-1), bounds)
}

/// Whether the goal is at least 0: by itself, or because it exceeds a fact or the sum of two.
fn nonnegative(goal: &Affine, forms: &[Affine], bounds: &[(i64, i64)]) -> bool {
    let exceeds = |fact: &Affine| least(&goal.plus(&fact.times(-1)), bounds) >= 0;
    least(goal, bounds) >= 0
        || forms.iter().any(exceeds)
        || forms.iter().any(|one| forms.iter().any(|two| exceeds(&one.plus(two))))
}

/// Uses `form >= 0` to narrow each variable in it.
fn tighten(form: &Affine, bounds: &mut [(i64, i64)]) {
    let most = largest(form, bounds);
    for (axis, by) in &form.terms {
        let (low, high) = bounds[usize::from(axis.0)];
        let rest = most - (by * low).max(by * high);
        let bound = &mut bounds[usize::from(axis.0)];
        if *by > 0 {
            bound.0 = low.max((-rest).div_euclid(*by) + i64::from((-rest).rem_euclid(*by) != 0));
        } else {
            bound.1 = high.min(rest.div_euclid(-by));
        }
        if bound.0 > bound.1 {
            return;
        }
    }
}

/// A number that stays within one run of the radix has its digit between those of its limits.
fn narrow_digit(place: usize, of: &Affine, step: i64, radix: i64, bounds: &mut [(i64, i64)]) {
    let low = least(of, bounds).div_euclid(step);
    let high = largest(of, bounds).div_euclid(step);
    if low.div_euclid(radix) == high.div_euclid(radix) {
        let bound = &mut bounds[place];
        *bound = (bound.0.max(low.rem_euclid(radix)), bound.1.min(high.rem_euclid(radix)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(at: u8) -> Affine {
        Affine::axis(Axis(at))
    }

    fn number(value: i64) -> Affine {
        Affine::constant(value)
    }

    #[test]
    fn a_difference_is_bounded_by_the_fact_that_orders_it() {
        let mut domain = Domain::of(&[100_000, 100_000]);
        domain.assume(Test::new(&axis(1), Rel::Lt, &axis(0)));
        let index = Affine::new(-1, [(Axis(0), 1), (Axis(1), -1)]);
        assert!(domain.proves(&Test::new(&index, Rel::Ge, &number(0))));
        assert!(domain.proves(&Test::new(&index, Rel::Lt, &number(100_000))));
        assert!(!domain.proves(&Test::new(&index, Rel::Ge, &number(1))));
    }

    #[test]
    fn arms_by_equality_partition_a_large_box() {
        let domain = Domain::of(&[1000, 1000]);
        let equal = vec![Test::new(&axis(0), Rel::Eq, &axis(1))];
        let apart = vec![Test::new(&axis(0), Rel::Ne, &axis(1))];
        let arms = [equal.clone(), apart];
        assert_eq!(domain.overlap(&arms), None);
        assert!(domain.covered(&arms));
        assert!(!domain.covered(&[equal]));
    }

    #[test]
    fn intervals_partition_a_large_axis() {
        let domain = Domain::of(&[1_000_000]);
        let from = |low: i64| Test::new(&axis(0), Rel::Ge, &number(low));
        let to = |high: i64| Test::new(&axis(0), Rel::Lt, &number(high));
        let arms = [vec![to(10)], vec![from(10), to(500)], vec![from(500)]];
        assert_eq!(domain.overlap(&arms), None);
        assert!(domain.covered(&arms));
        let gap = [vec![to(10)], vec![from(11)]];
        assert!(!domain.covered(&gap));
        let twice = [vec![to(11)], vec![from(10)]];
        assert_eq!(domain.overlap(&twice), Some((0, 1)));
    }

    #[test]
    fn digits_of_a_small_box_are_tried() {
        let mut domain = Domain::of(&[12]);
        let digit = domain.digit(axis(0), 4, 3);
        assert!(domain.proves(&Test::new(&digit.times(4), Rel::Lt, &axis(0).plus(&number(1)))));
        assert!(!domain.proves(&Test::new(&digit.times(4), Rel::Lt, &axis(0))));
    }
}

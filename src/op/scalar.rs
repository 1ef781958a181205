//! The table of scalar functions: name, arity, value, interval rule, partial derivatives.
//!
//! A row is everything the project knows of a function: the interpreter evaluates it, the adjoint
//! pass builds its partials from the formulas, claims are decided with its interval rule, the tests walk
//! the table. A derivative that is a
//! convention (at a kink) stands in the row's documentation.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::interval::{self, Range};
use super::single;

/// A row of the table, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Scalar(pub u16);

impl From<Scalar> for String {
    fn from(scalar: Scalar) -> String {
        scalar.row().name.to_owned()
    }
}

impl TryFrom<String> for Scalar {
    type Error = String;

    fn try_from(name: String) -> Result<Scalar, String> {
        Scalar::named(&name).ok_or_else(|| format!("no scalar function `{name}`"))
    }
}

/// What kind of values a function takes and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Reals (an `Index` joins as its number).
    Real,
    /// Truth values, held as 0 and 1.
    Bool,
}

/// A small expression over the arguments and the result of a function.
#[derive(Clone, Debug, PartialEq)]
pub enum Formula {
    /// A number.
    Const(f64),
    /// Argument k.
    Arg(usize),
    /// The value of the function itself.
    Out,
    /// A function of the table.
    Apply(Scalar, Vec<Formula>),
}

/// One function.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name, in the language where it has one, and in the text form.
    pub name: &'static str,
    /// Sorts of the arguments.
    pub takes: &'static [Sort],
    /// Sort of the value.
    pub gives: Sort,
    /// Where its value lies, from where its arguments lie.
    pub range: Range,
    /// Its value in `f64`.
    pub eval: fn(&[f64]) -> f64,
    /// Its value in `f32`, where that is not `eval` rounded once.
    pub single: Option<fn(&[f32]) -> f32>,
    /// One partial derivative an argument, `None` where no gradient passes.
    pub partials: Vec<Option<Formula>>,
    /// Whether a spec may call it by this name.
    pub public: bool,
}

impl Scalar {
    /// The function of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Scalar> {
        rows().iter().position(|row| row.name == name).map(|at| Scalar(at as u16))
    }

    /// Its row.
    #[must_use]
    pub fn row(self) -> &'static Row {
        &rows()[usize::from(self.0)]
    }
}

/// Addresses of rows, checked against the table by a test.
macro_rules! addresses {
    ($($name:ident = $at:literal, $text:literal;)*) => {
        $(#[doc = concat!("The function `", $text, "`.")] pub const $name: Scalar = Scalar($at);)*
        #[cfg(test)]
        const ADDRESSES: &[(Scalar, &str)] = &[$((Scalar($at), $text)),*];
    };
}

addresses! {
    ADD = 0, "add";
    SUB = 1, "sub";
    MUL = 2, "mul";
    DIV = 3, "div";
    POW = 4, "pow";
    NEG = 5, "neg";
    EXP = 6, "exp";
    LOG = 7, "log";
    SQRT = 8, "sqrt";
    TANH = 9, "tanh";
    SIGMOID = 10, "sigmoid";
    SOFTPLUS = 11, "softplus";
    RELU = 12, "relu";
    ABS = 13, "abs";
    MAX = 14, "max";
    MIN = 15, "min";
    CLIP = 16, "clip";
    STOP = 17, "stop";
    SELECT = 18, "select";
    LT = 19, "lt";
    LE = 20, "le";
    EQ = 21, "eq";
    AND = 22, "and";
    OR = 23, "or";
    NOT = 24, "not";
    SIN = 25, "sin";
    COS = 26, "cos";
    FLOOR = 27, "floor";
    CLIP_GRADIENT = 28, "clip_gradient";
}

fn c(value: f64) -> Formula {
    Formula::Const(value)
}

fn x(at: usize) -> Formula {
    Formula::Arg(at)
}

fn out() -> Formula {
    Formula::Out
}

fn f(scalar: Scalar, args: impl Into<Vec<Formula>>) -> Formula {
    Formula::Apply(scalar, args.into())
}

fn mul(left: Formula, right: Formula) -> Formula {
    f(MUL, [left, right])
}

fn sub(left: Formula, right: Formula) -> Formula {
    f(SUB, [left, right])
}

fn div(left: Formula, right: Formula) -> Formula {
    f(DIV, [left, right])
}

fn select(condition: Formula, yes: Formula, no: Formula) -> Formula {
    f(SELECT, [condition, yes, no])
}

fn truth(value: bool) -> f64 {
    f64::from(u8::from(value))
}

/// The larger, the first of equals; NaN in either gives NaN.
fn larger(left: f64, right: f64) -> f64 {
    if left >= right || left.is_nan() { left } else { right }
}

/// The smaller, the first of equals; NaN in either gives NaN.
fn smaller(left: f64, right: f64) -> f64 {
    if left <= right || left.is_nan() { left } else { right }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f64) -> f64 {
    // Both forms keep the exponent negative, so nothing overflows.
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// 1 where the first argument wins, a half on a tie, 0 where it loses; `wins(a, b)` says that a wins.
fn share(wins: impl Fn(Formula, Formula) -> Formula, mine: usize, other: usize) -> Formula {
    let tie = select(f(EQ, [x(mine), x(other)]), c(0.5), c(0.0));
    select(wins(x(mine), x(other)), c(1.0), tie)
}

/// The table. Its order is the order of the addresses above.
#[must_use]
pub fn rows() -> &'static [Row] {
    static ROWS: LazyLock<Vec<Row>> = LazyLock::new(table);
    &ROWS
}

const R: Sort = Sort::Real;
const B: Sort = Sort::Bool;

#[rustfmt::skip]
fn table() -> Vec<Row> {
    let row = |name, takes, gives, range: Range, eval: fn(&[f64]) -> f64, partials: Vec<Option<Formula>>, public| {
        Row { name, takes, gives, range, eval, single: None, partials, public }
    };
    let greater = |a: Formula, b: Formula| f(LT, [b, a]);
    let less = |a: Formula, b: Formula| f(LT, [a, b]);
    vec![
        row("add", &[R, R], R, interval::add, |v| v[0] + v[1], vec![Some(c(1.0)), Some(c(1.0))], false),
        row("sub", &[R, R], R, interval::sub, |v| v[0] - v[1], vec![Some(c(1.0)), Some(c(-1.0))], false),
        row("mul", &[R, R], R, interval::mul, |v| v[0] * v[1], vec![Some(x(1)), Some(x(0))], false),
        row("div", &[R, R], R, interval::div, |v| v[0] / v[1],
            vec![Some(div(c(1.0), x(1))), Some(f(NEG, [div(out(), x(1))]))], false),
        // At base 0 the derivative in the exponent is 0 (sharpening meets exact zeros), and at
        // exponent 0 the derivative in the base is 0.
        Row { single: Some(|v| single::pow(v[0], v[1])), ..row("pow", &[R, R], R, interval::pow, |v| v[0].powf(v[1]),
            vec![
                Some(select(f(EQ, [x(1), c(0.0)]), c(0.0),
                    mul(x(1), f(POW, [x(0), sub(x(1), c(1.0))])))),
                Some(select(f(EQ, [x(0), c(0.0)]), c(0.0), mul(out(), f(LOG, [x(0)])))),
            ], false) },
        row("neg", &[R], R, interval::neg, |v| -v[0], vec![Some(c(-1.0))], false),
        Row { single: Some(|v| single::exp(v[0])), ..row("exp", &[R], R, interval::exp, |v| v[0].exp(), vec![Some(out())], true) },
        Row { single: Some(|v| single::log(v[0])), ..row("log", &[R], R, interval::log, |v| v[0].ln(), vec![Some(div(c(1.0), x(0)))], true) },
        // At 0 the derivative is 0, so that the norm of a zero vector has gradient 0, not NaN.
        row("sqrt", &[R], R, interval::sqrt, |v| v[0].sqrt(),
            vec![Some(select(f(EQ, [out(), c(0.0)]), c(0.0), div(c(0.5), out())))], true),
        Row { single: Some(|v| single::tanh(v[0])), ..row("tanh", &[R], R, |v| v[0].rising(f64::tanh), |v| v[0].tanh(), vec![Some(sub(c(1.0), mul(out(), out())))], true) },
        Row { single: Some(|v| single::sigmoid(v[0])), ..row("sigmoid", &[R], R, |v| v[0].rising(sigmoid), |v| sigmoid(v[0]), vec![Some(mul(out(), sub(c(1.0), out())))], false) },
        Row { single: Some(|v| single::softplus(v[0])), ..row("softplus", &[R], R, |v| v[0].rising(softplus), |v| softplus(v[0]), vec![Some(f(SIGMOID, [x(0)]))], false) },
        // At 0 the derivative is 0.
        row("relu", &[R], R, |v| v[0].rising(|x| larger(0.0, x)), |v| larger(0.0, v[0]),
            vec![Some(select(f(LT, [c(0.0), x(0)]), c(1.0), c(0.0)))], true),
        // At 0 the derivative is 0.
        row("abs", &[R], R, interval::abs, |v| v[0].abs(),
            vec![Some(select(f(LT, [c(0.0), x(0)]), c(1.0), select(f(LT, [x(0), c(0.0)]), c(-1.0), c(0.0))))], true),
        // Half of the gradient to each on ties.
        row("max", &[R, R], R, interval::max, |v| larger(v[0], v[1]),
            vec![Some(share(greater, 0, 1)), Some(share(greater, 1, 0))], true),
        row("min", &[R, R], R, interval::min, |v| smaller(v[0], v[1]),
            vec![Some(share(less, 0, 1)), Some(share(less, 1, 0))], true),
        // `clip(v, lo, hi)`: `v` gets the gradient on the closed interval, outside the limit that acts.
        row("clip", &[R, R, R], R, interval::clip, |v| smaller(larger(v[0], v[1]), v[2]),
            vec![Some(select(f(AND, [f(LE, [x(1), x(0)]), f(LE, [x(0), x(2)])]), c(1.0), c(0.0))),
                Some(select(f(AND, [f(LT, [x(0), x(1)]), f(LE, [x(1), x(2)])]), c(1.0), c(0.0))),
                Some(select(f(OR, [f(LT, [x(2), x(0)]), f(LT, [x(2), x(1)])]), c(1.0), c(0.0)))], true),
        row("stop", &[R], R, interval::same, |v| v[0], vec![None], true),
        row("select", &[B, R, R], R, interval::select, |v| if v[0] != 0.0 { v[1] } else { v[2] },
            vec![None, Some(select(x(0), c(1.0), c(0.0))), Some(select(x(0), c(0.0), c(1.0)))], false),
        row("lt", &[R, R], B, interval::lt, |v| truth(v[0] < v[1]), vec![None, None], false),
        row("le", &[R, R], B, interval::le, |v| truth(v[0] <= v[1]), vec![None, None], false),
        row("eq", &[R, R], B, interval::eq, |v| truth(v[0] == v[1]), vec![None, None], false),
        row("and", &[B, B], B, interval::and, |v| truth(v[0] != 0.0 && v[1] != 0.0), vec![None, None], false),
        row("or", &[B, B], B, interval::or, |v| truth(v[0] != 0.0 || v[1] != 0.0), vec![None, None], false),
        row("not", &[B], B, interval::not, |v| truth(v[0] == 0.0), vec![None], false),
        row("sin", &[R], R, interval::wave, |v| v[0].sin(), vec![Some(f(COS, [x(0)]))], true),
        row("cos", &[R], R, interval::wave, |v| v[0].cos(), vec![Some(f(NEG, [f(SIN, [x(0)])]))], true),
        row("floor", &[R], R, |v| v[0].rising(f64::floor), |v| v[0].floor(), vec![None], true),
        // `clip_gradient(x, c)` is x; what flows back to it is clipped to [-c, c] on the way, which no partial
        // derivative says: the adjoint pass knows.
        row("clip_gradient", &[R, R], R, interval::same, |v| v[0], vec![Some(c(1.0)), None], true),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::interval::Interval;
    use super::*;
    use crate::random::Stream;

    #[test]
    fn addresses_name_their_rows() {
        assert_eq!(ADDRESSES.len(), rows().len());
        for (scalar, text) in ADDRESSES {
            assert_eq!(scalar.row().name, *text);
        }
    }

    #[test]
    fn every_row_has_one_partial_an_argument() {
        for row in rows() {
            assert_eq!(row.partials.len(), row.takes.len(), "{}", row.name);
        }
    }

    /// Ends of intervals: special values, small and large ones.
    const ENDS: &[f64] = &[
        f64::NEG_INFINITY,
        -1e9,
        -40.0,
        -2.0,
        -1.0,
        -0.3,
        -1e-9,
        0.0,
        1e-160,
        1e-9,
        0.2,
        0.5,
        1.0,
        1.5,
        2.0,
        3.0,
        40.0,
        1e9,
        f64::INFINITY,
    ];

    fn intervals(sort: Sort) -> Vec<Interval> {
        let ends = |sort| if sort == B { &[0.0, 1.0] } else { ENDS };
        let pairs = ends(sort).iter().flat_map(|lo| ends(sort).iter().map(move |hi| (*lo, *hi)));
        let some = pairs.filter(|(lo, hi)| lo <= hi && lo.is_finite() | hi.is_finite());
        some.map(|(lo, hi)| Interval::new(lo, hi)).chain([Interval::REAL]).collect()
    }

    /// Finite numbers in an interval: its ends, and the ends of others that lie in it.
    fn inside(interval: Interval) -> impl Iterator<Item = f64> {
        let held = move |x: &f64| x.is_finite() && interval.lo <= *x && *x <= interval.hi;
        ENDS.iter().copied().chain([0.75, 12.5, -7.25]).filter(held)
    }

    #[test]
    fn every_interval_rule_holds_what_the_function_gives() {
        let mut stream = Stream::new(1, &["interval"], &[]);
        for row in rows() {
            let choices: Vec<Vec<Interval>> =
                row.takes.iter().map(|sort| intervals(*sort)).collect();
            let (mut told, mut tried) = (0, 0);
            for _ in 0..1500 {
                let pick =
                    |all: &Vec<Interval>| all[stream.whole(0, all.len() as u32 - 1) as usize];
                let given: Vec<Interval> = choices.iter().map(pick).collect();
                let range = (row.range)(&given);
                assert!(
                    !range.lo.is_nan() && !range.hi.is_nan() && range.lo <= range.hi,
                    "{} {given:?}",
                    row.name
                );
                if range.wild {
                    continue;
                }
                told += 1;
                for _ in 0..8 {
                    let at: Vec<f64> = given
                        .iter()
                        .map(|one| {
                            let all: Vec<f64> = inside(*one).collect();
                            all[stream.whole(0, all.len() as u32 - 1) as usize]
                        })
                        .collect();
                    let value = (row.eval)(&at);
                    tried += 1;
                    assert!(
                        value.is_finite() && range.lo <= value && value <= range.hi,
                        "{} of {at:?} is {value}, outside {range:?} of {given:?}",
                        row.name
                    );
                }
            }
            assert!(told >= 80 && tried > told, "{}: nothing is said of {told}", row.name);
        }
    }

    #[test]
    fn what_may_be_undefined_is_wild() {
        let of = |scalar: Scalar, given: &[Interval]| (scalar.row().range)(given).wild;
        let unit = Interval::UNIT;
        assert!(of(DIV, &[unit, unit]) && of(LOG, &[unit]) && of(EXP, &[Interval::REAL]));
        assert!(
            of(SQRT, &[Interval::new(-1.0, 1.0)])
                && of(POW, &[Interval::new(0.0, 2.0), Interval::new(0.0, f64::INFINITY)])
        );
        assert!(!of(DIV, &[unit, Interval::new(1e-6, 1.0)]) && !of(SQRT, &[unit]));
        for row in rows().iter().filter(|row| row.gives == R) {
            let wild = vec![Interval::WILD; row.takes.len()];
            assert!((row.range)(&wild).wild, "{}", row.name);
        }
    }
}

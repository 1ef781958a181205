//! The table of scalar functions: name, arity, value, partial derivatives, accuracy.
//!
//! A row is everything the project knows of a function: the interpreter evaluates it, the adjoint
//! pass builds its partials from the formulas, the tests walk the table. A derivative that is a
//! convention (at a kink) stands in the row's documentation.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

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
    /// Its value in `f64`.
    pub eval: fn(&[f64]) -> f64,
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
    let row = |name, takes, gives, eval: fn(&[f64]) -> f64, partials: Vec<Option<Formula>>, public| {
        Row { name, takes, gives, eval, partials, public }
    };
    let greater = |a: Formula, b: Formula| f(LT, [b, a]);
    let less = |a: Formula, b: Formula| f(LT, [a, b]);
    vec![
        row("add", &[R, R], R, |v| v[0] + v[1], vec![Some(c(1.0)), Some(c(1.0))], false),
        row("sub", &[R, R], R, |v| v[0] - v[1], vec![Some(c(1.0)), Some(c(-1.0))], false),
        row("mul", &[R, R], R, |v| v[0] * v[1], vec![Some(x(1)), Some(x(0))], false),
        row("div", &[R, R], R, |v| v[0] / v[1],
            vec![Some(div(c(1.0), x(1))), Some(f(NEG, [div(out(), x(1))]))], false),
        // At base 0 the derivative in the exponent is 0 (sharpening meets exact zeros), and at
        // exponent 0 the derivative in the base is 0.
        row("pow", &[R, R], R, |v| v[0].powf(v[1]),
            vec![
                Some(select(f(EQ, [x(1), c(0.0)]), c(0.0),
                    mul(x(1), f(POW, [x(0), sub(x(1), c(1.0))])))),
                Some(select(f(EQ, [x(0), c(0.0)]), c(0.0), mul(out(), f(LOG, [x(0)])))),
            ], false),
        row("neg", &[R], R, |v| -v[0], vec![Some(c(-1.0))], false),
        row("exp", &[R], R, |v| v[0].exp(), vec![Some(out())], true),
        row("log", &[R], R, |v| v[0].ln(), vec![Some(div(c(1.0), x(0)))], true),
        // At 0 the derivative is 0, so that the norm of a zero vector has gradient 0, not NaN.
        row("sqrt", &[R], R, |v| v[0].sqrt(),
            vec![Some(select(f(EQ, [out(), c(0.0)]), c(0.0), div(c(0.5), out())))], true),
        row("tanh", &[R], R, |v| v[0].tanh(), vec![Some(sub(c(1.0), mul(out(), out())))], true),
        row("sigmoid", &[R], R, |v| sigmoid(v[0]), vec![Some(mul(out(), sub(c(1.0), out())))], false),
        row("softplus", &[R], R, |v| softplus(v[0]), vec![Some(f(SIGMOID, [x(0)]))], false),
        // At 0 the derivative is 0.
        row("relu", &[R], R, |v| larger(0.0, v[0]),
            vec![Some(select(f(LT, [c(0.0), x(0)]), c(1.0), c(0.0)))], true),
        // At 0 the derivative is 0.
        row("abs", &[R], R, |v| v[0].abs(),
            vec![Some(select(f(LT, [c(0.0), x(0)]), c(1.0), select(f(LT, [x(0), c(0.0)]), c(-1.0), c(0.0))))], true),
        // Half of the gradient to each on ties.
        row("max", &[R, R], R, |v| larger(v[0], v[1]),
            vec![Some(share(greater, 0, 1)), Some(share(greater, 1, 0))], true),
        row("min", &[R, R], R, |v| smaller(v[0], v[1]),
            vec![Some(share(less, 0, 1)), Some(share(less, 1, 0))], true),
        // `clip(v, lo, hi)`: 1 on the closed interval, 0 outside; the limits get no gradient.
        row("clip", &[R, R, R], R, |v| smaller(larger(v[0], v[1]), v[2]),
            vec![Some(select(f(AND, [f(LE, [x(1), x(0)]), f(LE, [x(0), x(2)])]), c(1.0), c(0.0))), None, None], true),
        row("stop", &[R], R, |v| v[0], vec![None], true),
        row("select", &[B, R, R], R, |v| if v[0] != 0.0 { v[1] } else { v[2] },
            vec![None, Some(select(x(0), c(1.0), c(0.0))), Some(select(x(0), c(0.0), c(1.0)))], false),
        row("lt", &[R, R], B, |v| truth(v[0] < v[1]), vec![None, None], false),
        row("le", &[R, R], B, |v| truth(v[0] <= v[1]), vec![None, None], false),
        row("eq", &[R, R], B, |v| truth(v[0] == v[1]), vec![None, None], false),
        row("and", &[B, B], B, |v| truth(v[0] != 0.0 && v[1] != 0.0), vec![None, None], false),
        row("or", &[B, B], B, |v| truth(v[0] != 0.0 || v[1] != 0.0), vec![None, None], false),
        row("not", &[B], B, |v| truth(v[0] == 0.0), vec![None], false),
        row("sin", &[R], R, |v| v[0].sin(), vec![Some(f(COS, [x(0)]))], true),
        row("cos", &[R], R, |v| v[0].cos(), vec![Some(f(NEG, [f(SIN, [x(0)])]))], true),
        row("floor", &[R], R, |v| v[0].floor(), vec![None], true),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

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
}

//! Terms that read no array, evaluated point by point.
//!
//! In: a term and the values of its variables. Out: a number. Invariant: what a start is does not depend
//! on the backend that runs it.

use std::collections::BTreeMap;

use super::flat::{At, Axis, Cond, Fold, Linear, Rel, Term, Var};

/// Values of index variables.
pub type Point = BTreeMap<Var, i64>;

/// Visits every point of the axes, the last fastest.
///
/// # Errors
/// What the visitor returns.
pub fn each(
    axes: &[Axis],
    point: &mut Point,
    visit: &mut dyn FnMut(&mut Point) -> Result<(), &'static str>,
) -> Result<(), &'static str> {
    let Some((first, rest)) = axes.split_first() else { return visit(point) };
    for at in 0..first.size {
        point.insert(first.var, i64::from(at));
        each(rest, point, visit)?;
    }
    point.remove(&first.var);
    Ok(())
}

/// The number that a term is at a point; it may read no array.
///
/// # Errors
/// Why it is not a number by itself.
pub fn value(term: &Term, point: &mut Point) -> Result<f64, &'static str> {
    match term {
        Term::Real(value) => Ok(*value),
        Term::Truth(value) => Ok(f64::from(u8::from(*value))),
        Term::Position(linear) => Ok(position(linear, point) as f64),
        Term::Map(scalar, args) => {
            let args: Result<Vec<f64>, _> = args.iter().map(|arg| value(arg, point)).collect();
            Ok((scalar.row().eval)(&args?))
        }
        Term::Choose(arms) => {
            for (when, arm) in arms {
                if all_hold(when, point)? {
                    return value(arm, point);
                }
            }
            Err("has a choice without an arm for some entry")
        }
        Term::Fold { fold, over, when, body } => folded(*fold, over, when, body, point),
        Term::Read(..) => Err("reads another value; only numbers and positions can start it"),
        Term::Whole { .. } => Err("needs a function of a whole array, which a start cannot use"),
    }
}

fn folded(
    fold: Fold,
    over: &[Axis],
    when: &[Cond],
    body: &Term,
    point: &mut Point,
) -> Result<f64, &'static str> {
    let (mut sum, combine): (f64, fn(f64, f64) -> f64) = match fold {
        Fold::Sum => (0.0, |left, right| left + right),
        Fold::Prod => (1.0, |left, right| left * right),
        Fold::Max => (f64::NEG_INFINITY, f64::max),
        Fold::Min => (f64::INFINITY, f64::min),
    };
    each(over, point, &mut |point| {
        if all_hold(when, point)? {
            sum = combine(sum, value(body, point)?);
        }
        Ok(())
    })?;
    Ok(sum)
}

fn all_hold(when: &[Cond], point: &mut Point) -> Result<bool, &'static str> {
    for cond in when {
        let (left, right) = (index(&cond.left, point)?, position(&cond.right, point));
        let holds = match cond.rel {
            Rel::Eq => left == right,
            Rel::Ne => left != right,
            Rel::Lt => left < right,
            Rel::Ge => left >= right,
        };
        if !holds {
            return Ok(false);
        }
    }
    Ok(true)
}

fn index(at: &At, point: &mut Point) -> Result<i64, &'static str> {
    match at {
        At::Linear(linear) => Ok(position(linear, point)),
        At::Digit { of, step, radix } => {
            let whole = position(of, point).div_euclid(i64::from(*step));
            Ok(whole.rem_euclid(i64::from(*radix)))
        }
        At::Value(term) => Ok(value(term, point)? as i64),
    }
}

fn position(linear: &Linear, point: &Point) -> i64 {
    let terms = linear.terms.iter();
    linear.offset + terms.map(|(var, by)| by * point.get(var).copied().unwrap_or(0)).sum::<i64>()
}

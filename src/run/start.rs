//! First values of parameters.
//!
//! A parameter is drawn from a stream of its own, named by its path, in row-major order and in `f64`.

use std::collections::BTreeMap;

use super::Error;
use crate::graph::Rel;
use crate::model::flat::{At, Axis, Cond, Draw, Fold, Linear, Param, Term, Var};
use crate::random::Stream;
use crate::tensor::Tensor;

/// Values of index variables.
type Point = BTreeMap<Var, i64>;

/// The first value of a parameter.
///
/// # Errors
/// If it is given by a term that reads another array.
pub fn draw(param: &Param, seed: u64) -> Result<Tensor, Error> {
    let shape: Vec<usize> = param.axes.iter().map(|axis| axis.size as usize).collect();
    let mut stream = Stream::new(seed, &["param", &param.path], &[]);
    match &param.start {
        Draw::Uniform(low, high) => {
            Ok(Tensor::from_shape_simple_fn(shape, || stream.uniform(*low, *high)))
        }
        Draw::Normal(deviation) => {
            Ok(Tensor::from_shape_simple_fn(shape, || deviation * stream.normal()))
        }
        Draw::Fixed(term) => {
            let mut values = Vec::new();
            each(&param.axes, &mut Point::new(), &mut |point| {
                values.push(value(term, point)?);
                Ok(())
            })
            .map_err(|what| Error::Start { path: param.path.clone(), what })?;
            Ok(Tensor::from_shape_vec(shape, values).expect("one value a point"))
        }
    }
}

/// Visits every point of the axes, the last fastest.
fn each(
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

fn value(term: &Term, point: &mut Point) -> Result<f64, &'static str> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::scalar;
    use crate::source::Span;

    fn param(start: Draw) -> Param {
        let axis = |var, size| Axis { var: Var(var), name: "i".into(), dim: String::new(), size };
        Param { path: "w".into(), axes: vec![axis(0, 2), axis(1, 3)], start, span: Span::default() }
    }

    #[test]
    fn draws_depend_on_path_and_seed_alone() {
        let uniform = param(Draw::Uniform(-0.5, 0.5));
        let first = draw(&uniform, 1).expect("drawn");
        assert_eq!(first.shape(), [2, 3]);
        assert!(first.iter().all(|value| value.abs() < 0.5));
        assert_eq!(first, draw(&uniform, 1).expect("drawn"));
        assert_ne!(first, draw(&uniform, 2).expect("drawn"));
        let other = Param { path: "v".into(), ..uniform };
        assert_ne!(first, draw(&other, 1).expect("drawn"));
    }

    #[test]
    fn fixed_starts_are_evaluated_at_each_entry() {
        let place = Linear::new(1, [(Var(0), 10), (Var(1), 1)]);
        let term = Term::Map(scalar::MUL, vec![Term::Real(2.0), Term::Position(place)]);
        let drawn = draw(&param(Draw::Fixed(term)), 0).expect("constant");
        assert_eq!(drawn.iter().copied().collect::<Vec<_>>(), [2.0, 4.0, 6.0, 22.0, 24.0, 26.0]);
        let diagonal = Cond { left: At::var(Var(0)), rel: Rel::Eq, right: Linear::var(Var(1)) };
        let off = Cond { rel: Rel::Ne, ..diagonal.clone() };
        let arms = vec![(vec![diagonal], Term::Real(1.0)), (vec![off], Term::Real(0.0))];
        let drawn = draw(&param(Draw::Fixed(Term::Choose(arms))), 0).expect("constant");
        assert_eq!(drawn.iter().copied().collect::<Vec<_>>(), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn a_start_that_reads_is_an_error() {
        let read = Term::Read(crate::model::flat::Array::Param(0), Vec::new());
        let error = draw(&param(Draw::Fixed(read)), 0).expect_err("not a constant");
        assert!(error.to_string().contains("`w` reads another value"), "{error}");
    }
}

//! First values of parameters.
//!
//! A parameter is drawn from a stream of its own, named by its path, in row-major order and in `f64`.

use super::Error;
use crate::graph::Array;
use crate::model::flat::{Draw, Param};
use crate::model::point::{Point, each, value};
use crate::random::Stream;
use crate::tensor::Tensor;

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

/// The first values of a state that is drawn anew in every episode, one row a sample: the sample's
/// stream is named by the path of the state, so nothing else changes what it starts from.
///
/// # Panics
/// If the draw is given by a term: states are drawn from a distribution.
#[must_use]
pub fn draw_state(
    array: &Array,
    draw: &Draw,
    (seed, kind): (u64, &str),
    (step, first): (u64, u64),
    samples: usize,
) -> Tensor {
    let shape: Vec<usize> = std::iter::once(samples).chain(array.shape()).collect();
    let mut all = Tensor::zeros(shape);
    for (at, mut row) in all.outer_iter_mut().enumerate() {
        let place = [step, first + at as u64];
        let mut stream = Stream::new(seed, &["start", &array.path.0, kind], &place);
        row.map_inplace(|entry| {
            *entry = match draw {
                Draw::Uniform(low, high) => stream.uniform(*low, *high),
                Draw::Normal(deviation) => deviation * stream.normal(),
                Draw::Fixed(_) => panic!("internal error: run: a state is drawn from a term"),
            };
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Rel;
    use crate::model::flat::{At, Axis, Cond, Linear, Term, Var};
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
    fn first_states_depend_on_their_episode_alone() {
        let array = |path: &str| Array {
            path: crate::graph::Path(path.into()),
            sizes: vec![3],
            axes: vec!["i".into()],
            ty: crate::graph::Type::Real,
        };
        let normal = Draw::Normal(0.5);
        let (s, key) = (array("s"), (1, "episode"));
        let many = draw_state(&s, &normal, key, (7, 0), 4);
        assert_eq!(many.shape(), [4, 3]);
        let last = draw_state(&s, &normal, key, (7, 3), 1);
        assert_eq!(many.index_axis(ndarray::Axis(0), 3), last.index_axis(ndarray::Axis(0), 0));
        for other in [
            draw_state(&array("z"), &normal, key, (7, 0), 4),
            draw_state(&s, &normal, (2, "episode"), (7, 0), 4),
            draw_state(&s, &normal, (1, "evaluation"), (7, 0), 4),
            draw_state(&s, &normal, key, (8, 0), 4),
        ] {
            assert!(many.iter().zip(&other).all(|(one, other)| one != other));
        }
        let unit = draw_state(&s, &Draw::Uniform(0.25, 0.5), key, (0, 0), 50);
        assert!(unit.iter().all(|one| (0.25..0.5).contains(one)));
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

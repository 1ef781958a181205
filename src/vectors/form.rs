//! Linear forms: every entry of an array as a constant plus a weighted sum of numbers of a file.
//!
//! All steps of a map move, repeat, add or scale entries, so a form describes any pipeline of steps
//! at once: [`Form::apply`] runs it, and [`Form::pull`] is exactly its transpose, because both read
//! the same terms. No step needs an adjoint of its own.

use ndarray::{ArrayD, Axis, IxDyn};

use super::file::Slot;
use crate::tensor::Tensor;

/// One entry: a constant, and positions in the file with their factors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// The constant.
    pub constant: f64,
    /// Positions among the numbers of the file, with factors.
    pub terms: Vec<(usize, f64)>,
}

/// An array of such entries.
#[derive(Clone, Debug, PartialEq)]
pub struct Form(pub ArrayD<Cell>);

/// The most entries that a step may make, at some 50 bytes each.
const LARGEST: usize = 1 << 24;

/// The most copies of entries that a step may make out of nothing.
const MOST_COPIES: usize = 1 << 22;

impl Form {
    /// A tensor of a file, as it is.
    pub fn tensor(slot: &Slot) -> Result<Form, String> {
        let cells = |at| Cell { constant: 0.0, terms: vec![(slot.base + at, 1.0)] };
        let count = slot.shape.iter().product::<usize>();
        Form::of(&slot.shape, (0..count).map(cells).collect())
    }

    /// The same constant everywhere.
    pub fn constant(shape: &[usize], constant: f64) -> Result<Form, String> {
        let count = count(shape)?;
        if count > MOST_COPIES {
            return Err(format!("the shape {shape:?} is too large for a constant"));
        }
        Form::of(shape, vec![Cell { constant, terms: Vec::new() }; count])
    }

    fn of(shape: &[usize], cells: Vec<Cell>) -> Result<Form, String> {
        ArrayD::from_shape_vec(IxDyn(shape), cells).map(Form).map_err(|why| why.to_string())
    }

    /// Its shape.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    /// The entries at these positions along an axis: a slice, a permutation, repeats.
    pub fn take(&self, axis: usize, positions: &[usize]) -> Result<Form, String> {
        let size = self.size(axis)?;
        if let Some(wrong) = positions.iter().find(|at| **at >= size) {
            return Err(format!(
                "position {wrong} is outside axis {axis} of the shape {:?}",
                self.shape()
            ));
        }
        let mut shape = self.shape().to_vec();
        shape[axis] = positions.len();
        count(&shape)?;
        Ok(Form(self.0.select(Axis(axis), positions)))
    }

    /// Axis k of the result is axis `order[k]` of this.
    pub fn permute(&self, order: &[usize]) -> Result<Form, String> {
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..self.shape().len()) {
            return Err(format!(
                "{order:?} is no order of the axes of the shape {:?}",
                self.shape()
            ));
        }
        Ok(Form(self.0.clone().permuted_axes(order.to_vec())))
    }

    /// All axes in reverse order; a vector stays as it is.
    #[must_use]
    pub fn transpose(&self) -> Form {
        Form(self.0.clone().reversed_axes())
    }

    /// The same entries, row by row, in another shape.
    pub fn reshape(&self, shape: &[usize]) -> Result<Form, String> {
        if count(shape)? != self.0.len() {
            return Err(format!("the shape {:?} cannot become {shape:?}", self.shape()));
        }
        Form::of(shape, self.0.iter().cloned().collect())
    }

    /// A reshape that only splits axes, merges neighbours, or adds and removes axes of size 1: it
    /// refuses to turn [7, 4] into [4, 7].
    pub fn fit(&self, shape: &[usize]) -> Result<Form, String> {
        if self.shape() == shape {
            return Ok(self.clone());
        }
        if !refines(self.shape(), shape) {
            return Err(format!("the shape is {:?}, expected is {shape:?}", self.shape()));
        }
        self.reshape(shape)
    }

    /// Several behind each other along an axis.
    pub fn join(axis: usize, parts: &[Form]) -> Result<Form, String> {
        let [first, ..] = parts else { return Err("nothing to join".to_owned()) };
        first.size(axis)?;
        let views: Vec<_> = parts.iter().map(|part| part.0.view()).collect();
        let shapes = || parts.iter().map(|part| format!("{:?}", part.shape())).collect::<Vec<_>>();
        let joined = ndarray::concatenate(Axis(axis), &views);
        joined.map(Form).map_err(|_| {
            format!("the shapes {} cannot be joined along axis {axis}", shapes().join(", "))
        })
    }

    /// Several of one shape along a new axis.
    pub fn stack(axis: usize, parts: &[Form]) -> Result<Form, String> {
        let wide: Result<Vec<Form>, String> = parts
            .iter()
            .map(|part| {
                let mut shape = part.shape().to_vec();
                if axis > shape.len() {
                    return Err(format!("no place for an axis {axis} in the shape {shape:?}"));
                }
                shape.insert(axis, 1);
                part.reshape(&shape)
            })
            .collect();
        Form::join(axis, &wide?)
    }

    /// Several taken in turn along an axis: first of each, second of each, ..
    pub fn interleave(axis: usize, parts: &[Form]) -> Result<Form, String> {
        let [first, ..] = parts else { return Err("nothing to interleave".to_owned()) };
        let mut shape = first.shape().to_vec();
        first.size(axis)?;
        shape[axis] *= parts.len();
        Form::stack(axis + 1, parts)?.reshape(&shape)
    }

    /// Copies along a new axis.
    pub fn repeat(&self, axis: usize, times: usize) -> Result<Form, String> {
        if self.0.len().max(1).checked_mul(times).is_none_or(|count| count > MOST_COPIES) {
            return Err(format!("{times} copies of the shape {:?} are too many", self.shape()));
        }
        Form::stack(axis, std::slice::from_ref(self))?.take(axis, &vec![0; times])
    }

    /// The sum of several of one shape.
    pub fn sum(parts: &[Form]) -> Result<Form, String> {
        let [first, rest @ ..] = parts else { return Err("nothing to add".to_owned()) };
        let mut sum = first.clone();
        for part in rest {
            if part.shape() != sum.shape() {
                return Err(format!(
                    "the shapes {:?} and {:?} cannot be added",
                    sum.shape(),
                    part.shape()
                ));
            }
            for (into, cell) in sum.0.iter_mut().zip(&part.0) {
                into.constant += cell.constant;
                into.terms.extend(&cell.terms);
            }
        }
        Ok(sum)
    }

    /// A constant added to every entry.
    #[must_use]
    pub fn plus(mut self, constant: f64) -> Form {
        self.0.iter_mut().for_each(|cell| cell.constant += constant);
        self
    }

    /// Every entry times a number.
    #[must_use]
    pub fn times(mut self, factor: f64) -> Form {
        for cell in &mut self.0 {
            cell.constant *= factor;
            cell.terms.iter_mut().for_each(|(_, by)| *by *= factor);
        }
        self
    }

    /// The tensor for these numbers of the file.
    #[must_use]
    pub fn apply(&self, numbers: &[f64]) -> Tensor {
        self.0.map(|cell| match cell.terms[..] {
            // A copied number stays the same to the bit, -0.0 and NaN included.
            [(at, 1.0)] if cell.constant == 0.0 => numbers[at],
            _ => {
                let terms = cell.terms.iter().map(|(at, by)| by * numbers[*at]);
                terms.fold(cell.constant, |sum, term| sum + term)
            }
        })
    }

    /// The transpose: adds to each number of the file what `gradient` (of this form's shape, row by
    /// row) sends back to it.
    pub fn pull(&self, gradient: &Tensor, into: &mut [f64]) {
        for (cell, slope) in self.0.iter().zip(gradient) {
            for (at, by) in &cell.terms {
                into[*at] += by * slope;
            }
        }
    }

    fn size(&self, axis: usize) -> Result<usize, String> {
        let size = self.shape().get(axis).copied();
        size.ok_or_else(|| format!("no axis {axis} in the shape {:?}", self.shape()))
    }
}

/// The number of entries, if it is one we are willing to hold.
fn count(shape: &[usize]) -> Result<usize, String> {
    let count = shape.iter().try_fold(1usize, |all, size| all.checked_mul(*size));
    count
        .filter(|count| *count <= LARGEST)
        .ok_or_else(|| format!("the shape {shape:?} is too large"))
}

/// Whether one shape becomes the other by splitting and merging neighbouring axes.
fn refines(left: &[usize], right: &[usize]) -> bool {
    if left.iter().product::<usize>() != right.iter().product::<usize>() {
        return false;
    }
    if left.contains(&0) {
        return true;
    }
    let solid = |shape: &[usize]| shape.iter().copied().filter(|size| *size != 1).collect();
    let (left, right): (Vec<usize>, Vec<usize>) = (solid(left), solid(right));
    let (mut left, mut right) = (left.into_iter(), right.into_iter());
    // Cut both into the shortest groups of equal products; one side of each group is one axis.
    while let (Some(mut a), Some(mut b)) = (left.next(), right.next()) {
        let (mut split, mut merged) = (false, false);
        while a != b {
            let (short, more, mark) = match a < b {
                true => (&mut a, left.next(), &mut split),
                false => (&mut b, right.next(), &mut merged),
            };
            let Some(more) = more else { return false };
            *short *= more;
            *mark = true;
        }
        if split && merged {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (Vec<f64>, Form, Form) {
        let a = Slot { base: 0, shape: vec![2, 3, 4] };
        let b = Slot { base: 24, shape: vec![2, 3, 4] };
        let numbers = (0..48).map(|at| (f64::from(at) * 0.7).sin()).collect();
        (numbers, Form::tensor(&a).unwrap(), Form::tensor(&b).unwrap())
    }

    /// Every step, for the tests that hold of all.
    fn steps(a: &Form, b: &Form) -> Vec<(&'static str, Form)> {
        let two = [a.clone(), b.clone()];
        vec![
            ("tensor", a.clone()),
            ("take", a.take(1, &[2, 0, 0]).unwrap()),
            ("permute", a.permute(&[2, 0, 1]).unwrap()),
            ("transpose", a.transpose()),
            ("reshape", a.transpose().reshape(&[6, 4]).unwrap()),
            ("fit", a.permute(&[1, 0, 2]).unwrap().fit(&[1, 3, 8]).unwrap()),
            ("join", Form::join(1, &two).unwrap()),
            ("stack", Form::stack(3, &two).unwrap()),
            ("interleave", Form::interleave(0, &two).unwrap()),
            ("repeat", a.repeat(0, 5).unwrap()),
            ("sum", Form::sum(&[a.clone(), b.clone(), a.clone()]).unwrap()),
            ("times", b.clone().times(-2.5)),
        ]
    }

    #[test]
    fn every_step_is_the_transpose_of_its_pull() {
        let (numbers, a, b) = file();
        for (name, form) in steps(&a, &b) {
            let out = form.apply(&numbers);
            let mut k = 0.0;
            let slope = out.map(|_| {
                k += 1.0;
                f64::cos(1.3 * k)
            });
            let mut back = vec![0.0; numbers.len()];
            form.pull(&slope, &mut back);
            let there: f64 = out.iter().zip(&slope).map(|(a, b)| a * b).sum();
            let here: f64 = numbers.iter().zip(&back).map(|(a, b)| a * b).sum();
            assert!((there - here).abs() < 1e-12, "{name}: {there} and {here}");
        }
    }

    #[test]
    fn steps_move_numbers_where_they_say() {
        let (numbers, a, b) = file();
        let (x, y) = (a.apply(&numbers), b.apply(&numbers));
        let steps: std::collections::BTreeMap<_, _> = steps(&a, &b).into_iter().collect();
        let run = |name: &str| steps[name].apply(&numbers);
        assert_eq!(run("take")[[1, 0, 3]], x[[1, 2, 3]]);
        assert_eq!(run("permute")[[3, 1, 2]], x[[1, 2, 3]]);
        assert_eq!(run("transpose")[[3, 2, 1]], x[[1, 2, 3]]);
        assert_eq!(run("join")[[1, 4, 3]], y[[1, 1, 3]]);
        assert_eq!(run("stack")[[1, 2, 3, 1]], y[[1, 2, 3]]);
        assert_eq!(run("interleave")[[3, 2, 3]], y[[1, 2, 3]]);
        assert_eq!(run("repeat")[[4, 1, 2, 3]], x[[1, 2, 3]]);
        assert_eq!(a.clone().plus(1.0).apply(&numbers)[[0, 0, 0]], x[[0, 0, 0]] + 1.0);
    }

    #[test]
    fn a_fit_splits_and_merges_but_never_swaps() {
        for (left, right, fine) in [
            (&[8, 7][..], &[2, 4, 7][..], true),
            (&[1, 36], &[9, 4], true),
            (&[2, 3, 4], &[6, 4, 1], true),
            (&[4, 6], &[2, 2, 6], true),
            (&[7, 4], &[4, 7], false),
            (&[6, 4], &[4, 6], false),
            (&[1], &[], true),
            (&[2, 6], &[3, 4], false),
            (&[2, 2, 3], &[2, 6], true),
            (&[3], &[4], false),
        ] {
            assert_eq!(refines(left, right), fine, "{left:?} {right:?}");
            assert_eq!(refines(right, left), fine, "{right:?} {left:?}");
        }
    }

    #[test]
    fn wrong_shapes_are_errors() {
        let (_, a, _) = file();
        let one = a.take(0, &[0]).unwrap();
        assert!(a.take(3, &[0]).is_err());
        assert!(a.take(0, &[2]).is_err());
        assert!(a.permute(&[0, 0, 1]).is_err());
        assert!(a.reshape(&[5, 5]).is_err());
        assert!(a.repeat(0, usize::MAX).is_err());
        assert!(Form::join(1, &[a.clone(), one.clone()]).is_err());
        assert!(Form::sum(&[a, one]).is_err());
        assert!(Form::constant(&[1 << 40, 1 << 40], 0.0).is_err());
        assert!(Form::stack(9, &[]).is_err());
    }
}

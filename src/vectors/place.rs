//! Which entries of which array a name means.
//!
//! A family is stored as one array with a leading axis, or member by member, and a map may use either
//! form for either. `read[1].k` means row 1 of an array `read.k`, and `read.k` means all of the arrays
//! `read[0].k`, `read[1].k`.

use ndarray::{ArrayD, Axis, IxDyn};

use super::error::Error;
use super::form::{Cell, Form};
use super::resolve::{Bound, Case};
use crate::diag;

/// How a name and an array meet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Meeting {
    /// Positions along the leading axes of the array that the name fixes.
    pub(super) array: Vec<usize>,
    /// Positions along the leading axes of the value named that the array fixes.
    pub(super) value: Vec<usize>,
}

/// How a name means an array, if it does.
#[must_use]
pub(super) fn meet(name: &str, array: &str) -> Option<Meeting> {
    if name == array {
        return Some(Meeting::default());
    }
    let (left, right): (Vec<&str>, Vec<&str>) =
        (name.split('.').collect(), array.split('.').collect());
    if left.len() != right.len() {
        return None;
    }
    let mut meeting = Meeting::default();
    for (left, right) in left.into_iter().zip(right) {
        let ((left, mine), (right, theirs)) = (member(left), member(right));
        match (mine, theirs) {
            _ if left != right => return None,
            (Some(mine), Some(theirs)) if mine != theirs => return None,
            (Some(at), None) => meeting.array.push(at),
            (None, Some(at)) => meeting.value.push(at),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
    Some(meeting)
}

/// `read[2]` as `read` and 2.
fn member(part: &str) -> (&str, Option<usize>) {
    let split = part.strip_suffix(']').and_then(|part| part.split_once('['));
    match split.and_then(|(name, at)| at.parse().ok().map(|at| (name, at))) {
        Some((name, at)) => (name, Some(at)),
        None => (part, None),
    }
}

/// The entries of an array at fixed positions of the axes after the first `skip`.
pub(super) fn part<T: Clone>(
    array: &ArrayD<T>,
    skip: usize,
    positions: &[usize],
) -> Result<ArrayD<T>, String> {
    let mut view = array.view();
    for at in positions {
        if view.shape().get(skip).is_none_or(|size| at >= size) {
            return Err(format!("no member {at} in the shape {:?}", array.shape()));
        }
        view = view.index_axis_move(Axis(skip), *at);
    }
    Ok(view.to_owned())
}

/// What leads the shape of an array of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    /// Nothing: a parameter.
    None,
    /// Samples: a state.
    Batch,
    /// Steps and samples: an input, a result.
    Steps,
}

impl Lead {
    /// The leading sizes.
    #[must_use]
    pub(super) fn sizes(self, case: &Case) -> Vec<usize> {
        match self {
            Lead::None => Vec::new(),
            Lead::Batch => vec![case.batch],
            Lead::Steps => vec![case.steps, case.batch],
        }
    }
}

/// A form in the shape `lead` and `rest`; a form without its leading axes is repeated along them.
pub(super) fn fit(form: &Form, lead: &[usize], rest: &[usize]) -> Result<Form, String> {
    let whole = [lead, rest].concat();
    let count = |shape: &[usize]| shape.iter().product::<usize>();
    if lead.is_empty() || form.0.len() == count(&whole) {
        return form.fit(&whole);
    }
    let own = match lead {
        // A mask may be given once for all samples.
        [steps, batch] if form.0.len() == *steps * count(rest) => {
            return form.fit(&[&[*steps], rest].concat())?.repeat(1, *batch);
        }
        _ if form.0.len() == count(rest) => form.fit(rest)?,
        _ => return Err(format!("the shape is {:?}, expected is {whole:?}", form.shape())),
    };
    let mut all = own;
    for size in lead.iter().rev() {
        all = all.repeat(0, *size)?;
    }
    Ok(all)
}

/// An array of the program put together from all that the map binds to it; nothing if it binds nothing.
pub(super) fn assemble(
    case: &Case,
    kind: &str,
    path: &str,
    sizes: &[usize],
    lead: Lead,
) -> Result<Option<Form>, Error> {
    let leading = lead.sizes(case);
    let shape = [&leading[..], sizes].concat();
    let mut cells: ArrayD<Option<Cell>> = ArrayD::from_elem(IxDyn(&shape), None);
    let mut any = false;
    for bound in &case.arrays {
        let Some(meeting) = meets(bound, kind, path) else { continue };
        any = true;
        piece(bound, &meeting, &leading, sizes, &mut cells).map_err(|why| {
            let why = format!("{why} (array `{path}` of the model, {shape:?})");
            Error::data(bound.name.as_str(), why)
        })?;
    }
    if !any {
        return Ok(None);
    }
    if cells.iter().any(Option::is_none) {
        let why = format!("only some members of the array {shape:?} are bound");
        return Err(Error::data(format!("{kind}/{path}"), why));
    }
    Ok(Some(Form(cells.map(|cell| cell.clone().unwrap_or_default()))))
}

/// How a binding meets an array, by the whole name or by kind and path.
fn meets(bound: &Bound, kind: &str, path: &str) -> Option<Meeting> {
    if kind.is_empty() {
        return meet(&bound.name, path);
    }
    bound.name.strip_prefix(kind)?.strip_prefix('/').and_then(|name| meet(name, path))
}

/// The share of some members in a form that holds whole families.
fn members(
    form: &Form,
    value: &[usize],
    leading: &[usize],
    rest: &[usize],
) -> Result<Form, String> {
    let skip = form.shape().len().saturating_sub(rest.len() + value.len());
    let lead = if form.shape().starts_with(leading) { leading.len() } else { skip };
    let [at] = value else { return part(&form.0, skip, value).map(Form) };
    // One family may still be merged with the axes of its members: [R * W, Z] is [R, W, Z].
    let lead = form.shape().get(..lead).unwrap_or_default();
    let one = lead.iter().chain(rest).product::<usize>().max(1);
    let split = form.fit(&[lead, &[form.0.len() / one], rest].concat())?;
    part(&split.0, lead.len(), &[*at]).map(Form)
}

fn piece(
    bound: &Bound,
    meeting: &Meeting,
    leading: &[usize],
    sizes: &[usize],
    cells: &mut ArrayD<Option<Cell>>,
) -> Result<(), String> {
    let rest = sizes.get(meeting.array.len()..).ok_or("the array has no such members")?;
    // A family bound as a whole: its own axes lead, unless the batch does.
    let value = members(&bound.form, &meeting.value, leading, rest)?;
    let value = fit(&value, leading, rest)?;
    let mut view = cells.view_mut();
    for at in &meeting.array {
        if view.shape().get(leading.len()).is_none_or(|size| at >= size) {
            return Err(format!("no member {at}"));
        }
        view = view.index_axis_move(Axis(leading.len()), *at);
    }
    for (into, cell) in view.iter_mut().zip(&value.0) {
        if into.is_some() {
            return Err("bound twice".to_owned());
        }
        *into = Some(cell.clone());
    }
    Ok(())
}

/// An error about a name that means no array.
#[must_use]
pub(super) fn unknown(name: &str, known: &[String]) -> Error {
    let near = diag::nearest(name, known.iter().map(String::as_str));
    let hint = match near {
        Some(near) => format!("; did you mean `{near}`?"),
        None if known.is_empty() => String::new(),
        None => {
            let some: Vec<&str> = known.iter().take(40).map(String::as_str).collect();
            format!("; there are {}", some.join(", "))
        }
    };
    Error::data(name, format!("the model has no such array{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_meet_arrays_in_either_form() {
        let meeting = |array: &[usize], value: &[usize]| {
            Some(Meeting { array: array.to_vec(), value: value.to_vec() })
        };
        assert_eq!(meet("read.k", "read.k"), meeting(&[], &[]));
        assert_eq!(meet("read[1].k", "read[1].k"), meeting(&[], &[]));
        assert_eq!(meet("read[1].k", "read.k"), meeting(&[1], &[]));
        assert_eq!(meet("read.k", "read[1].k"), meeting(&[], &[1]));
        assert_eq!(meet("pair[0].read[2].k", "pair[0].read.k"), meeting(&[2], &[]));
        assert_eq!(meet("read[0].k", "read[1].k"), None);
        assert_eq!(meet("read.k", "read.k.bias"), None);
    }
}

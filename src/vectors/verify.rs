//! Comparing a run with the numbers of a file.
//!
//! Results are compared in the layout of the model, gradients in the layout of the file: those of our
//! arrays go back through the transpose of the map, so that a tensor that feeds several arrays gets
//! their sum.

use std::fmt;

use serde::Serialize;

use super::error::Error;
use super::exec::{self, Compile, Results};
use super::file::File;
use super::form::Form;
use super::map::Map;
use super::place;
use super::resolve::{self, Bound, Case, is_given};
use crate::tensor::Tensor;

/// The comparison of one tensor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The array of the model, or the tensor of the file for gradients.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The largest difference, relative to the larger of 1 and the largest magnitude; infinite where
    /// one of the two is no number.
    #[serde(serialize_with = "finite_or_text")]
    pub error: f64,
    /// Where it is.
    pub at: Vec<usize>,
    /// Our number there.
    #[serde(serialize_with = "finite_or_text")]
    pub ours: f64,
    /// The file's number there.
    #[serde(serialize_with = "finite_or_text")]
    pub theirs: f64,
    /// Whether the error is within the tolerance.
    pub passed: bool,
}

/// JSON has no infinity: such numbers are written as texts.
fn finite_or_text<S: serde::Serializer>(number: &f64, out: S) -> Result<S::Ok, S::Error> {
    if number.is_finite() { out.serialize_f64(*number) } else { out.collect_str(number) }
}

/// The comparison of one group of tensors.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CaseReport {
    /// The prefix of its tensors; empty if the file is one group.
    pub case: String,
    /// Sizes and switches, as read from the file.
    pub sizes: std::collections::BTreeMap<String, super::value::Value>,
    /// One an array compared.
    pub rows: Vec<Row>,
}

/// The comparison of a whole file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Version of this layout.
    pub schema: u32,
    /// The file.
    pub against: String,
    /// The largest error that passes.
    pub tolerance: f64,
    /// The largest error met.
    #[serde(serialize_with = "finite_or_text")]
    pub worst: f64,
    /// Whether all passed.
    pub passed: bool,
    /// One a group of tensors.
    pub cases: Vec<CaseReport>,
}

/// Compiles and runs every case of a file and compares.
pub fn verify<C: Compile + ?Sized>(
    map: &Map,
    file: &File,
    tolerance: f64,
    compile: &mut C,
) -> Result<Report, C::Error> {
    let mut cases = Vec::new();
    for case in resolve::resolve(map, file)? {
        let mut compiled = compile.compile(&case.bindings)?;
        let results = exec::run(&mut compiled, &case, file)
            .map_err(|error| error.of_file(&format!("{}{}", file.name, suffix(&case))))?;
        let rows = compare(&case, file, &results, tolerance)?;
        cases.push(CaseReport { case: case.prefix.clone(), sizes: case.bindings.sizes, rows });
    }
    let rows = || cases.iter().flat_map(|case| &case.rows);
    Ok(Report {
        schema: 1,
        against: file.name.clone(),
        tolerance,
        worst: rows().map(|row| row.error).fold(0.0, f64::max),
        passed: rows().all(|row| row.passed),
        cases,
    })
}

fn suffix(case: &Case) -> String {
    if case.prefix.is_empty() { String::new() } else { format!(" ({})", case.prefix) }
}

/// Every compared array of a case, then the gradients.
pub fn compare(
    case: &Case,
    file: &File,
    results: &Results,
    tolerance: f64,
) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    for bound in case.arrays.iter().filter(|bound| !is_given(&bound.name)) {
        rows.push(result(bound, file, results, tolerance)?);
    }
    if case.gradients.is_empty() {
        return Ok(rows);
    }
    let mut pulled = vec![0.0; file.numbers.len()];
    for (name, form) in &results.given {
        if let Some(gradient) = results.arrays.get(&format!("grad/{name}")) {
            form.pull(gradient, &mut pulled);
        }
    }
    for (tensor, gradient) in &case.gradients {
        let slot = file.slot(tensor)?;
        let count = slot.shape.iter().product::<usize>();
        let ours = pulled[slot.base..slot.base + count].to_vec();
        let ours = Tensor::from_shape_vec(slot.shape.clone(), ours);
        let ours = ours.map_err(|why| Error::data(tensor.as_str(), why))?;
        let theirs = file.tensor(gradient)?;
        if ours.shape() != theirs.shape() {
            let why =
                format!("the shape is {:?}, that of `{tensor}` {:?}", theirs.shape(), ours.shape());
            return Err(Error::data(gradient.as_str(), why).of_file(&file.name));
        }
        rows.push(row(gradient, &[(ours, theirs)], tolerance));
    }
    Ok(rows)
}

/// Compares what the map says of one array with all arrays of the model that it means.
fn result(bound: &Bound, file: &File, results: &Results, tolerance: f64) -> Result<Row, Error> {
    let mut pairs = Vec::new();
    for kind in kinds(&bound.name) {
        for (name, ours) in &results.arrays {
            let Some(path) = name.strip_prefix(kind.array) else { continue };
            let Some(meeting) = place::meet(kind.path, path) else { continue };
            let wrong = |why: String| Error::data(bound.name.as_str(), why);
            let ours = place::part(ours, kind.skip, &meeting.array).map_err(wrong)?;
            let form = match meeting.value[..] {
                [] => bound.form.clone(),
                _ => Form(place::part(&bound.form.0, kind.skip, &meeting.value).map_err(wrong)?),
            };
            let (lead, rest) = ours.shape().split_at(kind.skip.min(ours.ndim()));
            let form = place::fit(&form, lead, rest).map_err(wrong)?;
            pairs.push((ours.clone(), form.apply(&file.numbers)));
        }
        if !pairs.is_empty() {
            return Ok(row(&bound.name, &pairs, tolerance));
        }
    }
    let known: Vec<String> = results.arrays.keys().cloned().collect();
    Err(place::unknown(&bound.name, &known))
}

/// Where the array of a name is looked for.
struct Kind<'a> {
    /// How the names of the arrays begin.
    array: &'static str,
    /// What is left of the name.
    path: &'a str,
    /// How many axes come before the array's own.
    skip: usize,
}

/// In this order, until one is found.
fn kinds(name: &str) -> Vec<Kind<'_>> {
    let kind = |array, path, skip| Kind { array, path, skip };
    if let Some(path) = name.strip_prefix("trace/") {
        return vec![kind("value/", path, 2), kind("next/", path, 2)];
    }
    if let Some(path) = name.strip_prefix("y/") {
        return vec![kind("value/", path, 2), kind("", "y", 2)];
    }
    match name {
        "y" => vec![kind("", "y", 2)],
        "loss" => vec![kind("", "loss", 0)],
        "grad/x" => vec![kind("", "grad/x/x", 2)],
        _ if name.starts_with("grad/x/") => vec![kind("", name, 2)],
        _ if name.starts_with("grad/param/") => vec![kind("", name, 0)],
        // `final/`, `start/`, `grad/init/`.
        _ => vec![kind("", name, 1)],
    }
}

/// The worst of several pairs of ours and theirs.
fn row(name: &str, pairs: &[(Tensor, Tensor)], tolerance: f64) -> Row {
    let magnitudes = pairs.iter().flat_map(|(_, theirs)| theirs.iter());
    let largest = magnitudes.map(|number| number.abs()).fold(1.0, f64::max);
    let shape = pairs.first().map(|(_, theirs)| theirs.shape().to_vec()).unwrap_or_default();
    let mut worst = Row {
        name: name.to_owned(),
        at: vec![0; shape.len()],
        shape,
        error: 0.0,
        ours: 0.0,
        theirs: 0.0,
        passed: true,
    };
    let mut first = true;
    for (ours, theirs) in pairs {
        for (((at, a), b), _) in ours.indexed_iter().zip(theirs).zip(0u64..) {
            let difference = (a - b).abs() / largest;
            let error = if difference.is_nan() { f64::INFINITY } else { difference };
            if first || error > worst.error {
                let at = ndarray::Dimension::slice(&at).to_vec();
                worst = Row { error, at, ours: *a, theirs: *b, ..worst };
                first = false;
            }
        }
    }
    worst.passed = worst.error <= tolerance;
    worst
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.cases.iter().flat_map(|case| &case.rows).map(|row| row.name.len());
        let width = names.max().unwrap_or(0);
        for case in &self.cases {
            let sizes: Vec<String> =
                case.sizes.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            writeln!(out, "{}{}", case.case, bracketed(&sizes.join(", "), !case.case.is_empty()))?;
            for row in &case.rows {
                write!(out, "  {:width$}  {:8.1e}", row.name, row.error)?;
                if row.passed {
                    writeln!(out, "  ok")?;
                } else {
                    let (at, ours, theirs) = (&row.at, row.ours, row.theirs);
                    writeln!(
                        out,
                        "  FAILED at {at:?} of {:?}: {ours} here, {theirs} there",
                        row.shape
                    )?;
                }
            }
        }
        let count = self.cases.iter().map(|case| case.rows.len()).sum::<usize>();
        let verdict = if self.passed { "agrees with" } else { "differs from" };
        let (against, worst, tolerance) = (&self.against, self.worst, self.tolerance);
        write!(
            out,
            "{verdict} {against}: {count} tensors, worst {worst:.1e}, tolerance {tolerance:.0e}"
        )
    }
}

fn bracketed(text: &str, after: bool) -> String {
    match (text.is_empty(), after) {
        (true, _) => String::new(),
        (false, true) => format!(" ({text})"),
        (false, false) => text.to_owned(),
    }
}

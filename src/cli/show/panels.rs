//! An episode as heat maps: what was asked and answered, what goes into and comes out of memories,
//! every weighting, what is emitted, and memories themselves.

use super::Shown;
use super::values::Traced;
use crate::task::Episode;
use crate::tensor::Tensor;
use crate::train::figure::{Panel, Picture, heat};

/// More heat maps than this are no picture.
const MOST_PANELS: usize = 24;
/// Width of a map in a file.
pub(in crate::cli) const WIDE: f64 = 560.0;
/// Width of a map on a page.
pub(in crate::cli) const NARROW: f64 = 240.0;

/// Input, target and output; steps whose output does not count are left blank, errors are crossed.
pub(in crate::cli) fn episode(shown: &Shown) -> Vec<Panel> {
    let Episode { inputs, target, mask } = &shown.episode;
    let asked = |values: &Tensor| {
        Tensor::from_shape_fn(values.raw_dim(), |at| {
            if mask[[at[0]]] > 0.0 { values[&at] } else { f64::NAN }
        })
    };
    let panel = |title: &str, values: Tensor, of: &Tensor| {
        let inside = of.iter().all(|value| (0.0..=1.0).contains(value));
        Panel::over_time(title, "channel", values, inside.then_some((0.0, 1.0)))
    };
    let wrong = wrong(shown);
    let title = match wrong.len() {
        0 => "output".to_owned(),
        count => format!("output, {count} wrong"),
    };
    let output = panel(&title, asked(&shown.output), target);
    vec![
        panel("input", inputs.clone(), inputs),
        panel("target", asked(target), target),
        Panel { marks: wrong, ..output },
    ]
}

/// Cells of the output that are wrong, as far as that is a question of yes and no: a bit on the other
/// side of one half, or the largest of a distribution at another place.
fn wrong(shown: &Shown) -> Vec<[usize; 2]> {
    let Episode { target, mask, .. } = &shown.episode;
    let output = &shown.output;
    let (steps, width) = (target.shape()[0], target.shape()[1]);
    let asked = (0..steps).filter(|step| mask[[*step]] > 0.0);
    let largest = |of: &Tensor, step: usize| {
        (0..width).max_by(|left, right| of[[step, *left]].total_cmp(&of[[step, *right]]))
    };
    match shown.task.ports().domain {
        "unit" => asked
            .flat_map(|step| (0..width).map(move |row| [step, row]))
            .filter(|at| (output[*at] > 0.5) != (target[*at] > 0.5))
            .collect(),
        "simplex" => asked
            .filter(|step| largest(output, *step) != largest(target, *step))
            .filter_map(|step| Some([step, largest(output, step)?]))
            .collect(),
        _ => Vec::new(),
    }
}

/// The panels of a value over time, one a member of its families; arrays of two axes have none.
pub(in crate::cli) fn over_time(one: &Traced) -> Vec<Panel> {
    let range = (one.weighting || within(&one.values)).then_some((0.0, 1.0));
    let panel = |(name, values): (String, Tensor)| {
        let rows = values.len() / values.shape()[0].max(1);
        let shape = vec![values.shape()[0], rows];
        let values = values.to_shape(shape).expect("as many numbers").into_owned();
        let label = if one.weighting {
            "location"
        } else if rows == 1 {
            ""
        } else {
            one.last_dim()
        };
        Panel::over_time(&name, label, values, range)
    };
    if one.rank() > 1 { Vec::new() } else { one.members().into_iter().map(panel).collect() }
}

/// Whether numbers fill a good part of 0 to 1 and nothing else.
fn within(values: &Tensor) -> bool {
    values.iter().all(|value| (0.0..=1.0).contains(value)) && values.iter().any(|one| *one > 0.2)
}

/// Values without those that only repeat another, which has the shorter name or is carried.
fn distinct<'s>(all: impl Iterator<Item = &'s Traced>) -> Vec<&'s Traced> {
    let mut sorted: Vec<&Traced> = all.collect();
    sorted.sort_by_key(|one| (!one.carried, one.path.matches('.').count()));
    let mut kept: Vec<&Traced> = Vec::new();
    for one in sorted {
        if kept.iter().all(|other| other.values != one.values) {
            kept.push(one);
        }
    }
    kept.sort_by(|left, right| (!left.carried, &left.path).cmp(&(!right.carried, &right.path)));
    kept
}

/// Every weighting, carried ones first; `all` or the carried ones alone, where there are any.
pub(in crate::cli) fn weightings(shown: &Shown, all: bool) -> Vec<Panel> {
    let found = distinct(shown.values.iter().filter(|one| one.weighting));
    let carried = found.iter().any(|one| one.carried);
    let found = found.into_iter().filter(|one| all || one.carried || !carried);
    found.flat_map(over_time).take(MOST_PANELS).collect()
}

/// What is emitted, and what is carried and no weighting: values of at most one axis.
pub(in crate::cli) fn vectors(shown: &Shown) -> Vec<Panel> {
    let other = |one: &&Traced| (one.emitted || one.carried) && !one.weighting && one.rank() < 2;
    let found = distinct(shown.values.iter().filter(other));
    found.into_iter().flat_map(over_time).take(2 * MOST_PANELS).collect()
}

/// The picture of the NTM paper for any model: on the left the input and what goes into memories, on the
/// right the output and what comes out of them.
pub(in crate::cli) fn overview(shown: &Shown) -> [Vec<Panel>; 2] {
    let mut sides = episode(shown).into_iter();
    let (input, output) = (sides.next(), sides.next_back());
    let column = |first: Option<Panel>, paths: &[String], other: bool| {
        let found = paths.iter().filter_map(|path| shown.value(path));
        // Weightings first, so that those of both sides stand at one height.
        let (weightings, rest): (Vec<_>, Vec<_>) = found.partition(|one| one.weighting);
        let all = weightings.into_iter().chain(rest);
        let all: Vec<&Traced> = if paths.is_empty() && other {
            // Without a memory: everything that is carried.
            let carried = shown.values.iter().filter(|one| one.carried && one.rank() == 1);
            distinct(carried)
        } else {
            all.collect()
        };
        let maps = all.into_iter().flat_map(over_time).take(MOST_PANELS);
        first.into_iter().chain(maps).collect::<Vec<_>>()
    };
    let (into, out) = &shown.traffic;
    [column(input, into, false), column(output, out, into.is_empty())]
}

/// Steps at which memories are drawn, where none are asked for: the first, the last, and two between.
pub(in crate::cli) fn moments(steps: usize) -> Vec<usize> {
    let last = steps.saturating_sub(1);
    let mut all: Vec<usize> = (0..4).map(|part| last * part / 3).collect();
    all.dedup();
    all
}

/// Arrays of two axes as they are after some steps: a row of maps each, in columns.
pub(in crate::cli) fn memories(shown: &Shown, steps: &[usize]) -> Vec<Vec<Panel>> {
    let matrices = distinct(shown.values.iter().filter(|one| one.rank() == 2));
    let members: Vec<(&Traced, String, Tensor)> = matrices
        .into_iter()
        .flat_map(|one| one.members().into_iter().map(move |(name, all)| (one, name, all)))
        .take(MOST_PANELS)
        .collect();
    let column = |step: &usize| {
        let map = |(one, name, all): &(&Traced, String, Tensor)| {
            let values = all.index_axis(ndarray::Axis(0), *step).t().to_owned();
            // One scale for all moments, or a change could not be seen.
            let scale = crate::train::figure::Scale::of(all, None);
            let dim = |at: usize| match one.dims[one.families + at].as_str() {
                "" => ["row", "column"][at].to_owned(),
                name => name.to_owned(),
            };
            Panel {
                title: format!("{name} after step {step}"),
                rows: dim(0),
                columns: dim(1),
                values,
                range: Some((scale.low, scale.high)),
                marks: Vec::new(),
            }
        };
        members.iter().map(map).collect::<Vec<_>>()
    };
    if members.is_empty() { Vec::new() } else { steps.iter().map(column).collect() }
}

/// Panels below one another as a picture.
pub(in crate::cli) fn stacked(title: &str, panels: Vec<Panel>) -> Picture {
    heat(title, &[panels], WIDE)
}

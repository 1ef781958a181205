//! States that can never break their symmetry (W0909): a memory whose rows start equal and are treated
//! alike is one vector for ever. The proof is in `equal`.

use std::collections::BTreeMap;

use super::equal::{driven, equal_for_ever, equal_unless};
use super::place::resolve;
use super::{Built, Spec, errors};
use crate::diag::Diagnostics;
use crate::graph::Program;
use crate::model::flat::State;
use crate::model::typed::{Domain, ExprKind, Start, Value, ValueKind};
use crate::source::Span;

/// A state with an axis along which it is equal for ever.
struct Equal<'a> {
    state: &'a State,
    /// Its number.
    at: usize,
    axis: usize,
    /// Where the user wrote it, or called what declares it.
    span: Span,
    /// Its declaration, where the user wrote that.
    value: Option<&'a Value>,
}

/// One note for each dim along which states stay equal, at the largest of them.
pub(super) fn unbroken(spec: Spec<'_>, built: Built<'_>, sink: &mut Diagnostics) {
    let driven = driven(built.program);
    let mut groups: BTreeMap<(String, u32), Vec<Equal<'_>>> = BTreeMap::new();
    for (at, axes) in equal_for_ever(built.program).into_iter().enumerate() {
        let state = &built.model.states[at];
        let Some(place) = resolve(spec.checked, built.def, &state.path) else { continue };
        let Some(span) = place.blamed(spec.sources) else { continue };
        for axis in axes.into_iter().filter(|_| driven.contains(&at)) {
            let key = (state.axes[axis].dim.clone(), state.axes[axis].size);
            let value = place.own(spec.checked, spec.sources);
            groups.entry(key).or_default().push(Equal { state, at, axis, span, value });
        }
    }
    for ((dim, size), mut group) in groups {
        let numbers = |one: &Equal<'_>| {
            one.state.axes.iter().map(|axis| u64::from(axis.size)).product::<u64>()
        };
        group.sort_by_key(|one| (one.value.is_none(), std::cmp::Reverse(numbers(one)), one.span));
        let Some((first, rest)) = group.split_first() else { continue };
        let dim = if dim.is_empty() { size.to_string() } else { dim };
        let others: Vec<(Span, &str)> = rest
            .iter()
            .filter(|one| one.value.is_some() && one.span != first.span)
            .map(|one| (one.span, one.state.path.as_str()))
            .take(3)
            .collect();
        let change = change(built.program, first, &group);
        let alike = errors::Alike { path: &first.state.path, dim: &dim, noun: first.noun() };
        sink.push(errors::unbroken(first.span, &alike, &others, change));
    }
}

impl Equal<'_> {
    /// How many axes come from families around the state.
    fn families(&self) -> usize {
        let own = self.value.map_or(self.state.axes.len(), |value| value.shape.len());
        self.state.axes.len().saturating_sub(own)
    }

    /// One of the things that stay equal.
    fn noun(&self) -> &'static str {
        let own = self.state.axes.len() - self.families();
        match self.axis.checked_sub(self.families()) {
            None => "member",
            Some(0) if own > 1 => "row",
            Some(1) if own == 2 => "column",
            Some(_) => "entry",
        }
    }
}

/// The start to change, and to what, so that `first` is equal no more: a weighting on one row where
/// that is enough, which teaches fastest, else rows of their own.
fn change(program: &Program, first: &Equal<'_>, group: &[Equal<'_>]) -> Option<errors::Change> {
    let start = |one: &Equal<'_>| {
        let value = one.value.filter(|_| one.axis >= one.families())?;
        let ValueKind::State(Start::Value(start), _) = &value.kind else { return None };
        let given = matches!(start.kind, ExprKind::Read { .. } | ExprKind::Call(_));
        (!given).then(|| (value.name.clone(), start.span))
    };
    let breaks = |one: &&Equal<'_>| {
        !equal_unless(program, &[(one.at, one.axis)])[first.at].contains(&first.axis)
    };
    let weighting = |one: &&Equal<'_>| {
        let last = one.state.axes.len() - 1;
        one.axis == last && one.value.is_some_and(|value| value.domain == Domain::Simplex)
    };
    if let Some((name, start)) = group.iter().filter(weighting).filter(breaks).find_map(start) {
        return Some(errors::Change { name, start, to: "one_hot(0)" });
    }
    let (name, start) = group.iter().filter(breaks).find_map(start)?;
    Some(errors::Change { name, start, to: "learned" })
}

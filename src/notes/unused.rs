//! What is declared and makes no difference: emissions that nothing reads (W0901), states whose past
//! nothing reads (W0907).

use std::collections::BTreeSet;

use super::{Spec, errors};
use crate::diag::Diagnostics;
use crate::model::typed::{Checked, Def, DefId, ExprKind, ParamKind, Value, ValueId, ValueKind};

/// Emissions on which no result depends.
pub(super) fn emissions(spec: Spec<'_>, sink: &mut Diagnostics) {
    let outside = read_from_outside(spec.checked);
    for (id, def) in spec.own() {
        let live = live(def, outside.iter().filter(|(of, _)| *of == id).map(|(_, value)| *value));
        let dead = def.values.iter().enumerate().filter(|(at, value)| {
            matches!(value.kind, ValueKind::Emission(_)) && !live.contains(&ValueId(*at as u32))
        });
        for (at, value) in dead {
            match reader(def, ValueId(at as u32)) {
                None => sink.push(errors::unread_emission(value.span, &value.name)),
                Some(other) => {
                    let one =
                        errors::idle_emission(value.span, &value.name, other.span, &other.name);
                    sink.push(one);
                }
            }
        }
    }
}

/// Values of definitions that others read through a named instance.
fn read_from_outside(checked: &Checked) -> BTreeSet<(DefId, ValueId)> {
    let mut found = BTreeSet::new();
    for def in &checked.defs {
        for value in &def.values {
            value.each(&mut |expr| {
                let ExprKind::Read { value, inner, .. } = &expr.kind else { return };
                let mut call = def.call_of(*value);
                for inner in inner {
                    let Some(known) = call else { return };
                    found.insert((known.def, *inner));
                    call = checked.def(known.def).call_of(*inner);
                }
            });
        }
    }
    found
}

/// Everything that the result, what is read from outside, or a controller depends on.
fn live(def: &Def, outside: impl Iterator<Item = ValueId>) -> BTreeSet<ValueId> {
    let mut open: Vec<ValueId> = outside.collect();
    open.push(def.result);
    open.extend(def.parts.iter().filter_map(|part| Some(part.controller.as_ref()?.value)));
    let mut live = BTreeSet::new();
    while let Some(id) = open.pop() {
        if live.insert(id) {
            open.extend(reads(def.value(id)).into_iter().map(|(value, _)| value));
        }
    }
    live
}

/// What a value reads, and whether one step ago.
fn reads(value: &Value) -> Vec<(ValueId, bool)> {
    let mut all = Vec::new();
    value.each(&mut |expr| {
        if let ExprKind::Read { value, prev, .. } = &expr.kind {
            all.push((*value, *prev));
        }
    });
    all
}

/// A value other than itself that reads a value.
fn reader(def: &Def, id: ValueId) -> Option<&Value> {
    let mut others = def.values.iter().enumerate().filter(|(at, _)| ValueId(*at as u32) != id);
    others
        .find(|(_, value)| reads(value).iter().any(|(read, _)| *read == id))
        .map(|(_, value)| value)
}

/// States whose value one step ago is never read.
pub(super) fn past(spec: Spec<'_>, sink: &mut Diagnostics) {
    let mut known: BTreeSet<(DefId, ValueId)> = BTreeSet::new();
    for (at, def) in spec.checked.defs.iter().enumerate() {
        let own = def.values.iter().flat_map(reads).filter(|(_, prev)| *prev);
        known.extend(own.map(|(value, _)| (DefId(at as u32), value)));
    }
    known.extend(past_from_outside(spec.checked));
    for (id, def) in spec.own() {
        for (at, value) in def.values.iter().enumerate() {
            let ValueKind::State(_, Some(equation)) = &value.kind else { continue };
            if known.contains(&(id, ValueId(at as u32))) {
                continue;
            }
            let given = def.params.iter().any(
                |param| matches!(param.kind, ParamKind::State(of) if of == ValueId(at as u32)),
            );
            sink.push(errors::past_unread(value.span, &value.name, equation.span, given));
        }
    }
}

/// States of named instances that are read one step ago from outside.
fn past_from_outside(checked: &Checked) -> BTreeSet<(DefId, ValueId)> {
    let mut found = BTreeSet::new();
    for def in &checked.defs {
        for value in &def.values {
            value.each(&mut |expr| {
                let ExprKind::Read { value, inner, prev: true, .. } = &expr.kind else { return };
                let Some((last, way)) = inner.split_last() else { return };
                let mut call = def.call_of(*value);
                for inner in way {
                    call = call.and_then(|known| checked.def(known.def).call_of(*inner));
                }
                found.extend(call.map(|known| (known.def, *last)));
            });
        }
    }
    found
}

//! Values inside named instances: `cell.c`, `access.read.r`.

use crate::diag::nearest;
use crate::syntax::ast;

use super::super::errors;
use super::super::typed::{Call, Def, PartId, ValueId, ValueKind};
use super::calls::Begun;
use super::declare::{Cx, Pending, Progress};
use super::refs::{At, Found};
use super::sizes::CallSizes;

impl Cx<'_, '_> {
    /// A value inside a named instance: `cell.c`, `access.read.r`.
    pub(super) fn inside<'t>(
        &mut self,
        mut at: Vec<At>,
        instance: ValueId,
        segments: &'t [ast::Segment],
    ) -> Option<(Found, &'t [ast::Arg])> {
        // An instance that looks back at itself is still being checked: its brackets must tell the sizes.
        let running = self.progress.get(&instance) == Some(&Progress::Running);
        let (mut callee, mut sizes) = if running {
            let Some(Pending::Call(tree, _)) = self.pending.get(&instance).cloned() else {
                return None;
            };
            match self.begun(&tree) {
                Some(begun) => match self.own_state(&begun, segments) {
                    true => (begun.def, begun.sizes),
                    false => return self.no_size(instance, &segments[0]),
                },
                None => return self.no_size(instance, &segments[0]),
            }
        } else {
            if !self.ensure(instance) {
                return None;
            }
            let Some(call) = self.call_of(instance) else {
                let part = self.def.value(instance).part;
                let (name, part) = (&segments[0].name, self.def.part(part).name.clone());
                self.sink().push(errors::unknown_member(name.span, &part, &name.text, None));
                return None;
            };
            (call.def, CallSizes::of(&call))
        };
        let mut inner = Vec::new();
        let mut part = PartId(0);
        for (depth, segment) in segments.iter().enumerate() {
            let last = depth + 1 == segments.len();
            let def = self.global.checked.def(callee).clone();
            let brackets = segment.brackets.as_deref().unwrap_or_default();
            if let Some(id) = value_named(&def, part, &segment.name.text)
                && last
            {
                inner.push(id);
                let value = def.value(id);
                let found = Found {
                    at,
                    value: instance,
                    inner,
                    name: value.name.clone(),
                    shape: sizes.shape(&value.shape),
                    sort: sizes.sort(&value.sort),
                    is_state: matches!(value.kind, ValueKind::State(..)),
                    is_param: matches!(value.kind, ValueKind::Param(_)),
                    place: segment.name.span,
                };
                return Some((found, brackets));
            }
            let Some(next) = part_named(&def, part, &segment.name.text) else {
                return self.no_member(&def, part, segment);
            };
            let mut rest = brackets;
            if let Some(var) = def.part(next).family {
                let extent = sizes.extent(&def.var(var).extent);
                match rest.split_first() {
                    None => at.push(At::Gather(extent, def.part(next).name.clone())),
                    Some((first, more)) => {
                        let what = format!("the members of `{}`", def.part(next).name);
                        at.push(At::Given(self.index(first, &extent, &what)?));
                        rest = more;
                    }
                }
            }
            part = next;
            if let Some(id) = def.part(next).instance {
                inner.push(id);
                let nested = def.call_of(id).cloned();
                if last {
                    let value = def.value(id);
                    let found = Found {
                        at,
                        value: instance,
                        inner,
                        name: segment.name.text.clone(),
                        shape: sizes.shape(&value.shape),
                        sort: sizes.sort(&value.sort),
                        is_state: false,
                        is_param: false,
                        place: segment.name.span,
                    };
                    return Some((found, rest));
                }
                let Some(nested) = nested else {
                    return self.no_member(&def, part, segment);
                };
                sizes = sizes.then(&nested);
                callee = nested.def;
                part = PartId(0);
            }
        }
        let last = segments.last()?;
        self.sink().push(errors::not_callable(last.name.span, &last.name.text));
        None
    }

    /// Whether the size of a value of an instance is known before its arguments are.
    fn own_state(&self, begun: &Begun, segments: &[ast::Segment]) -> bool {
        let def = self.global.checked.def(begun.def);
        let found = match segments {
            [only] => value_named(def, PartId(0), &only.name.text),
            _ => None,
        };
        // Other names are refused, or found deeper inside, where shapes say more.
        found.is_none_or(|id| begun.shape(&def.value(id).shape).is_some())
    }

    fn no_size<T>(&mut self, instance: ValueId, segment: &ast::Segment) -> Option<T> {
        let part = self.def.value(instance).part;
        let name = self.def.part(part).name.clone();
        let one = errors::own_size_not_inferred(segment.name.span, &name, &segment.name.text);
        self.sink().push(one);
        None
    }

    fn no_member<T>(&mut self, def: &Def, part: PartId, segment: &ast::Segment) -> Option<T> {
        let names: Vec<&str> = def
            .values
            .iter()
            .filter(|value| value.part == part)
            .map(|value| value.name.as_str())
            .collect();
        let near = nearest(&segment.name.text, names.iter().copied()).map(|near| (near, None));
        let one = errors::unknown_member(segment.name.span, &def.name, &segment.name.text, near);
        let one = if near.is_none() { errors::has_members(one, &def.name, &names) } else { one };
        self.sink().push(one);
        None
    }

    /// The call that a named instance stands for.
    fn call_of(&self, instance: ValueId) -> Option<Call> {
        self.def.call_of(instance).cloned()
    }
}

/// A value of a part by name.
fn value_named(def: &Def, part: PartId, name: &str) -> Option<ValueId> {
    let at = def.values.iter().position(|value| value.part == part && value.name == name)?;
    Some(ValueId(at as u32))
}

/// A part in a part by name.
fn part_named(def: &Def, parent: PartId, name: &str) -> Option<PartId> {
    let at = def.parts.iter().position(|part| part.parent == Some(parent) && part.name == name)?;
    Some(PartId(at as u32))
}

//! From the paths of a built model back to the text: only the user's own words are blamed.

use crate::model::library::STD;
use crate::model::typed::{Call, Checked, Def, DefId, ExprKind, PartId, Value, ValueId};
use crate::source::{FileId, Sources, Span};

/// Whether a source is one of std's.
pub(super) fn is_std(sources: &Sources, file: FileId) -> bool {
    let source = sources.get(file);
    STD.iter().any(|(name, text)| *name == source.name && *text == source.text)
}

/// Where a path leads: the places on the way, outermost first, and the value at its end.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Calls passed through, then the declaration of the value itself.
    pub(super) spans: Vec<Span>,
    /// The definition that the value stands in.
    pub(super) def: DefId,
    /// The value.
    pub(super) value: ValueId,
}

impl Place {
    /// The innermost place that the user wrote.
    pub(super) fn blamed(&self, sources: &Sources) -> Option<Span> {
        self.spans.iter().rev().copied().find(|span| !is_std(sources, span.file))
    }

    /// The value itself, if the user declared it.
    pub(super) fn own<'c>(&self, checked: &'c Checked, sources: &Sources) -> Option<&'c Value> {
        let value = checked.def(self.def).value(self.value);
        (!is_std(sources, value.span.file)).then_some(value)
    }
}

/// Follows a path such as `read[0].content.k` through parts, named instances and calls. Endings that
/// elaboration adds (`weight`, `bias`, `start`, `raw`) count for nothing.
pub(super) fn resolve(checked: &Checked, model: DefId, path: &str) -> Option<Place> {
    let names: Vec<&str> =
        path.split('.').map(|one| one.split('[').next().unwrap_or(one)).collect();
    let (mut def, mut part, mut at) = (model, PartId(0), 0);
    let mut spans = Vec::new();
    // Every turn takes at least one name.
    while at < names.len() {
        let here = checked.def(def);
        let inside =
            |id: &PartId| here.part(*id).parent == Some(part) && here.part(*id).name == names[at];
        if let Some(next) = (1..here.parts.len() as u32).map(PartId).find(inside) {
            if let Some(call) = here.part(next).instance.and_then(|one| here.call_of(one)) {
                spans.push(call.span);
                (def, part) = (call.def, PartId(0));
            } else {
                part = next;
            }
            at += 1;
        } else if let Some((call, taken)) = called(here, part, &names[at..]) {
            spans.push(call.span);
            (def, part) = (call.def, PartId(0));
            at += taken;
        } else {
            let value = here
                .values
                .iter()
                .position(|value| value.part == part && value.name == names[at])?;
            spans.push(here.values[value].span);
            return Some(Place { spans, def, value: ValueId(value as u32) });
        }
    }
    None
}

/// The call in a part whose name the next names are, and how many of them.
fn called(def: &Def, part: PartId, names: &[&str]) -> Option<(Call, usize)> {
    let mut found = None;
    each_call(def, &mut |call| {
        let own: Vec<&str> = call.name.split('.').collect();
        if call.part == part && names.starts_with(&own) && names.len() > own.len() {
            found.get_or_insert_with(|| (call.clone(), own.len()));
        }
    });
    found
}

/// Every call that a definition makes.
pub(super) fn each_call(def: &Def, visit: &mut dyn FnMut(&Call)) {
    for value in &def.values {
        value.each(&mut |expr| {
            if let ExprKind::Call(call) = &expr.kind {
                visit(call);
            }
        });
    }
}

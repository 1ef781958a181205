//! Stages between an affine map and its squash, and maps into a domain: functions of each number.
//!
//! In: what stands after `through` or `via`. Out: a [`Stage`]. Invariant: a stage takes one number,
//! gives one, and owns nothing.

use crate::source::Span;
use crate::syntax::ast;

use super::super::errors;
use super::super::typed::{Expr, ExprKind, ParamKind, Pointwise, Sort, Stage};
use super::declare::{Cx, number};
use super::repairs::words;
use crate::diag::Edit;

impl Cx<'_, '_> {
    /// The stage between an affine map and its squash: a function of each number.
    pub(super) fn stage(&mut self, tree: &ast::Ref) -> Option<Stage> {
        let [segment] = &tree.segments[..] else {
            self.sink().push(errors::not_a_stage(tree.span, &tree.segments[0].name.text, None));
            return None;
        };
        if self.global.modules[self.module].scope.contains_key(&segment.name.text) {
            return self.stage_of(segment, tree.span);
        }
        let scalar = crate::op::Scalar::named(&segment.name.text).filter(|one| one.row().public);
        let Some(scalar) = scalar else {
            let known = crate::op::scalar::rows().iter().filter(|row| row.public);
            let known = known.filter(|row| row.takes.len() == 1).map(|row| row.name);
            let near = crate::diag::nearest(&segment.name.text, known);
            let near = near.filter(|_| segment.args.is_none());
            self.sink().push(errors::not_a_stage(tree.span, &segment.name.text, near));
            return None;
        };
        let mut args = Vec::new();
        for arg in segment.args.as_deref().unwrap_or_default() {
            args.push(self.expr(&arg.value, None)?);
        }
        if args.len() + 1 != scalar.row().takes.len() {
            self.sink().push(errors::not_a_stage(tree.span, &segment.name.text, None));
            return None;
        }
        Some(Stage { function: Pointwise::Scalar(scalar), args })
    }

    /// A definition as a stage: called with one number, it gives one.
    fn stage_of(&mut self, segment: &ast::Segment, span: Span) -> Option<Stage> {
        let name = &segment.name.text;
        let reported = self.sink().clone();
        let module = self.module;
        let id = self.global.lookup(module, &segment.name)?;
        let def = self.global.checked.def(id).clone();
        let owns = def.owns;
        let scalar = def.value(def.result).shape.is_empty();
        if owns.state || owns.params || owns.emits || !scalar {
            *self.sink() = reported;
            self.sink().push(errors::not_a_stage(span, name, None));
            return None;
        }
        // It is no call of the block: it takes part in no count, and is named after itself.
        let outer = (self.calls.clone(), self.called.clone());
        let found = self.call(segment, Some(number(0.5, span)), None, span);
        (self.calls, self.called) = outer;
        let Expr { kind: ExprKind::Call(mut call), shape, sort, .. } = found? else { return None };
        call.name.clone_from(&def.name);
        if !shape.is_empty() || sort == Sort::Bool {
            self.sink().push(errors::not_a_stage(span, name, None));
            return None;
        }
        Some(Stage { function: Pointwise::Def(call), args: Vec::new() })
    }

    /// The same for emissions: a stage of all of them at once is written out by hand instead.
    pub(super) fn stage_of_emissions(&mut self, emit: &ast::Emit) -> Option<Stage> {
        let tree = emit.through.as_ref()?;
        let reported = self.sink().clone();
        let stage = self.stage(tree);
        if stage.is_none()
            && let Some(text) = self.by_hand(emit, tree)
        {
            *self.sink() = reported;
            let name = &tree.segments[0].name.text;
            let edits = vec![Edit::new(emit.span, text)];
            self.sink().push(errors::joint_stage(tree.span, name).edits(edits));
        }
        stage
    }

    /// `emit k[W], beta: positive through layer_norm` as raw emissions, the stage of all of them joined,
    /// and the equations that cut the result; nothing where the stage is no function of a whole vector.
    fn by_hand(&mut self, emit: &ast::Emit, tree: &ast::Ref) -> Option<String> {
        let [stage] = &tree.segments[..] else { return None };
        if stage.brackets.is_some() || stage.after.is_some() || !self.is_joint(&stage.name) {
            return None;
        }
        let all = &self.global.sources.get(emit.span.file).text;
        // Comments do not count.
        let code = || all.lines().filter_map(|line| line.split('#').next()).flat_map(words);
        let fresh = |base: String| code().all(|word| word != base).then_some(base);
        let joined = fresh("joined".to_owned())?;
        let index = fresh("i".to_owned()).or_else(|| fresh("a".to_owned()))?;
        let (mut slots, mut raws, mut cuts) = (Vec::new(), Vec::new(), Vec::new());
        let mut offset: Vec<String> = Vec::new();
        for slot in &emit.slots {
            let raw = fresh(format!("raw_{}", slot.name.text))?;
            let whole = (emit.slots.len() == 1).then_some(joined.as_str());
            let (size, entry) = self.entry_of(slot, &offset, (&joined, &index), whole)?;
            let cut = match &slot.of {
                Some(of) if of.bounds.is_some() || of.via.is_some() => return None,
                Some(of) if of.name.text != "real" => format!("{}({entry})", of.name.text),
                Some(_) | None => entry,
            };
            let shape = if slot.shape.is_empty() { String::new() } else { format!("[{size}]") };
            slots.push(format!("{raw}{shape}"));
            raws.push(raw);
            cuts.push(format!("{} = {cut}", slot.name.text));
            offset.push(size);
        }
        let from = emit.from.as_ref().map(|from| format!(" from {}", self.text(from.span)));
        let whole = match (&emit.slots[..], &raws[..]) {
            ([slot], [raw]) if !slot.shape.is_empty() => raw.clone(),
            _ => format!("cat({})", raws.join(", ")),
        };
        let args = stage.args.iter().flatten().map(|arg| format!(", {}", self.text(arg.span)));
        let args: String = args.collect();
        let mut lines = vec![
            format!("emit {}{}", slots.join(", "), from.unwrap_or_default()),
            format!("{joined} = {}({whole}{args})", stage.name.text),
        ];
        lines.extend(cuts);
        Some(lines.join(&format!("\n{}", " ".repeat(indent_of(all, emit.span.start as usize)))))
    }

    /// The size of an emission, and its piece of the joined vector after others of these sizes; nothing
    /// for one that starts somewhere or has other axes. `whole` is the vector where it is all there is.
    fn entry_of(
        &self,
        slot: &ast::Slot,
        offset: &[String],
        (joined, index): (&str, &str),
        whole: Option<&str>,
    ) -> Option<(String, String)> {
        if slot.value.is_some() || slot.shape.iter().any(|axis| axis.end.is_some()) {
            return None;
        }
        match &slot.shape[..] {
            [] if offset.is_empty() => Some(("1".to_owned(), format!("{joined}[0]"))),
            [] => Some(("1".to_owned(), format!("{joined}[{}]", offset.join(" + ")))),
            [axis] => {
                let size = self.text(axis.span).to_owned();
                let place: Vec<&str> = offset.iter().map(String::as_str).chain([index]).collect();
                let place = place.join(" + ");
                let entry = match whole {
                    Some(whole) => whole.to_owned(),
                    None => format!("for {index} in {size}: {joined}[{place}]"),
                };
                Some((size, entry))
            }
            _ => None,
        }
    }

    /// Whether a name is a function of a whole vector that gives one of the same length.
    fn is_joint(&mut self, name: &ast::Name) -> bool {
        if !self.global.modules[self.module].scope.contains_key(&name.text) {
            return name.text == "softmax";
        }
        let module = self.module;
        let Some(id) = self.global.lookup(module, name) else { return false };
        let def = self.global.checked.def(id);
        let first = def.params.first().map(|param| &param.kind);
        let Some(ParamKind::Plain(first, None)) = first else { return false };
        match (&def.value(*first).shape[..], &def.value(def.result).shape[..]) {
            ([taken], [given]) => taken.size == given.size && !def.owns.state && !def.owns.emits,
            _ => false,
        }
    }
}

/// How far the line of a place is indented.
fn indent_of(text: &str, place: usize) -> usize {
    let line = text[..place].rfind('\n').map_or(0, |at| at + 1);
    let blank = |character: &char| character.is_whitespace();
    text[line..place].chars().take_while(blank).map(char::len_utf8).sum()
}

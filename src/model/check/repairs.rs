//! Repairs: changes of the text that make a mistake vanish, in the names and indices of the spec.
//!
//! In: the place of a mistake and what the checker knows there. Out: [`Edit`]s for a diagnostic, or none
//! where what is right cannot be computed. Invariant: an edit touches only the file being checked.

use crate::diag::Edit;
use crate::source::{Sources, Span};
use crate::syntax::ast;

use super::super::show;
use super::super::typed::{Domain, Expr, ExprKind, Extent, ParamKind, Value, ValueId, ValueKind};
use super::declare::{Cx, Named, Pending, Progress};
use super::trees;

/// Letters for indices that have no name yet.
const LETTERS: &[&str] = &["i", "j", "k", "n", "m", "a", "b", "c", "d", "p", "q"];

/// A declaration that carries a value from step to step.
pub(super) struct Carried {
    /// What to write, in words.
    pub(super) state: String,
    /// The same as changes, where they can be computed.
    pub(super) edits: Vec<Edit>,
}

impl Cx<'_, '_> {
    /// The text of a place.
    pub(super) fn text(&self, span: Span) -> &str {
        self.global.sources.text(span)
    }

    /// The equation being checked.
    pub(super) fn equation_here(&self) -> Option<&ast::Equation> {
        match self.pending.get(self.stack.last()?)? {
            Pending::Equation(tree, _) => Some(tree),
            Pending::Call(..) => None,
        }
    }

    /// The statement being checked.
    fn statement(&self) -> Option<Span> {
        match self.pending.get(self.stack.last()?)? {
            Pending::Equation(tree, _) => Some(tree.span),
            Pending::Call(..) => Some(self.def.value(*self.stack.last()?).span),
        }
    }

    /// A statement on a line of its own before another one.
    pub(super) fn line_before(&self, span: Span, statement: &str) -> Edit {
        line_before(self.global.sources, span, statement)
    }

    /// The same before the statement being checked.
    pub(super) fn statement_before(&self, statement: &str) -> Vec<Edit> {
        self.statement().map(|span| self.line_before(span, statement)).into_iter().collect()
    }

    /// Names for `count` new indices in the equation being checked.
    pub(super) fn fresh_indices(&self, count: usize) -> Option<Vec<String>> {
        let written = self.statement().map_or("", |span| self.text(span));
        let free = |name: &&&str| {
            self.named(name).is_none()
                && self.scope.iter().all(|(known, _)| known != **name)
                && words(written).all(|word| word != **name)
        };
        let names: Vec<String> =
            LETTERS.iter().filter(free).take(count).map(|name| (*name).to_owned()).collect();
        (names.len() == count).then_some(names)
    }

    /// A name for a new value: `base`, or with a number.
    pub(super) fn fresh_name(&self, base: &str) -> String {
        let taken = |name: &str| self.names.iter().any(|part| part.contains_key(name));
        (2..).map(|n| format!("{base}_{n}")).find(|name| !taken(name)).unwrap_or_default()
    }

    /// The index `name` of the equation being checked under another name.
    pub(super) fn rename_index(&self, name: &str) -> Vec<Edit> {
        let Some(tree) = self.equation_here() else { return Vec::new() };
        let Some(fresh) = self.fresh_indices(1) else { return Vec::new() };
        let mut places = Vec::new();
        trees::indices_of_ref(&tree.left, name, &mut places);
        trees::indices_of(&tree.right, name, &mut places);
        places.into_iter().map(|span| Edit::new(span, fresh[0].clone())).collect()
    }

    /// Instead of an index that stands for two dims: a second one, bound where the first is.
    pub(super) fn second_index(&self, bound: Span, here: Span) -> Vec<Edit> {
        let Some(tree) = self.equation_here() else { return Vec::new() };
        if !trees::binds(&tree.right, bound) {
            return Vec::new();
        }
        let Some(fresh) = self.fresh_indices(1) else { return Vec::new() };
        vec![Edit::new(bound.after(), format!(", {}", fresh[0])), Edit::new(here, fresh[0].clone())]
    }

    /// The range of an index that never stands alone: the divisor of a `mod` around it.
    pub(super) fn give_range(&self, span: Span, name: &str) -> Vec<Edit> {
        let Some(tree) = self.equation_here() else { return Vec::new() };
        let divisor = trees::divisor(&tree.right, name).map(|span| self.text(span).to_owned());
        let (range, inside) = match divisor {
            Some(range) => (range, Vec::new()),
            None => match self.range_of_reads(tree, name) {
                Some(found) => found,
                None => return Vec::new(),
            },
        };
        let left = &tree.left;
        if !(left.span.start <= span.start && span.end <= left.span.end) {
            let given = Edit::new(span.after(), format!(" in {range}"));
            return std::iter::once(given).chain(inside).collect();
        }
        // On the left no range can be written: the array is built on the right.
        let ([segment], Some(indices)) = (&left.segments[..], &left.segments[0].brackets) else {
            return Vec::new();
        };
        let binders: Vec<String> = indices
            .iter()
            .map(|index| match self.text(index.span) {
                same if same == name => format!("{name} in {range}"),
                other => other.to_owned(),
            })
            .collect();
        let mut edits = vec![
            Edit::new(Span { start: segment.name.span.end, ..left.span }, ""),
            Edit::new(tree.right.span.before(), format!("for {}: ", binders.join(", "))),
        ];
        edits.extend(inside);
        edits
    }

    /// The axis at which all arithmetic with an index stands, and what keeps it inside there.
    fn range_of_reads(&self, tree: &ast::Equation, name: &str) -> Option<(String, Vec<Edit>)> {
        let mut arrays = Vec::new();
        trees::indexed_by(&tree.right, name, &mut arrays);
        let (mut range, mut edits) = (None, Vec::new());
        for array in arrays {
            let [segment] = &array.segments[..] else { return None };
            let Named::Value(id) = self.named(&segment.name.text)? else { return None };
            let indices = segment.brackets.as_deref()?;
            let ready = self.shape_known(id) || self.progress.get(&id) == Some(&Progress::Done);
            let shape = ready.then(|| &self.def.value(id).shape)?;
            for (index, axis) in indices.iter().zip(shape) {
                if words(self.text(index.value.span)).all(|word| word != name) {
                    continue;
                }
                let size = show::poly(&self.def, &axis.size);
                if *range.get_or_insert_with(|| size.clone()) != size {
                    return None;
                }
                if index.default.is_none() {
                    edits.push(Edit::new(index.value.span.after(), " else 0"));
                }
            }
        }
        Some((range?, edits))
    }

    /// A sum over an index that nothing binds, before the one term that has it.
    pub(super) fn sum_over(&self, name: &str) -> Option<Edit> {
        let tree = self.equation_here()?;
        let term = trees::term_of(&tree.right, name)?;
        Some(Edit::new(term.span.before(), format!("sum[{name}] ")))
    }

    /// Of the indices in scope, one that runs over an axis; the nearest in spelling, else the innermost.
    pub(super) fn index_over(&self, extent: &Extent, name: &str) -> Option<String> {
        let fits: Vec<&str> = self
            .scope
            .iter()
            .filter(|(_, var)| self.def.var(*var).extent == *extent)
            .map(|(name, _)| name.as_str())
            .collect();
        let near = crate::diag::nearest(name, fits.iter().copied());
        near.or(fits.last().copied()).map(str::to_owned)
    }

    /// Indices for every array of an equation `name = e`, where every dim tells them apart.
    pub(super) fn name_axes(&mut self) -> Vec<Edit> {
        let Some(tree) = self.equation_here().cloned() else { return Vec::new() };
        let [segment] = &tree.left.segments[..] else { return Vec::new() };
        let mut arrays = Vec::new();
        if segment.brackets.is_some() || !trees::pointwise(&tree.right, &mut arrays) {
            return Vec::new();
        }
        let mut axes: Vec<Extent> = Vec::new();
        let mut reads: Vec<(Span, Vec<Extent>)> = Vec::new();
        for array in arrays {
            let kept = std::mem::take(self.sink());
            let found = self.expr(&array, None);
            *self.sink() = kept;
            let Some(found) = found else { return Vec::new() };
            let twice = |axis: &Extent| found.shape.iter().filter(|one| *one == axis).count() > 1;
            if found.shape.iter().any(twice) {
                return Vec::new();
            }
            axes.extend(
                found.shape.iter().filter(|one| !axes.contains(one)).cloned().collect::<Vec<_>>(),
            );
            reads.push((array.span, found.shape));
        }
        if let Some(id) = self.stack.last().copied().filter(|id| self.shape_known(*id)) {
            let own = self.def.value(id).shape.clone();
            if own.len() != axes.len() || axes.iter().any(|axis| !own.contains(axis)) {
                return Vec::new();
            }
            axes = own;
        }
        let Some(names) = self.fresh_indices(axes.len()) else { return Vec::new() };
        let bracket = |shape: &[Extent]| {
            let place = |axis: &Extent| axes.iter().position(|one| one == axis).unwrap_or(0);
            let all: Vec<&str> = shape.iter().map(|axis| names[place(axis)].as_str()).collect();
            format!("[{}]", all.join(", "))
        };
        let left = Edit::new(segment.name.span.after(), bracket(&axes));
        let arrays = reads.iter().filter(|(_, shape)| !shape.is_empty());
        std::iter::once(left)
            .chain(arrays.map(|(span, shape)| Edit::new(span.after(), bracket(shape))))
            .collect()
    }

    /// A named array with its axes in another order: `for c, i: M[i, c]`.
    pub(super) fn reordered(&self, found: &Expr, wanted: &[Extent]) -> Vec<Edit> {
        let plain = matches!(found.kind, ExprKind::Read { .. } | ExprKind::For(..))
            && self.text(found.span).chars().all(|c| c.is_alphanumeric() || " ._".contains(c));
        let distinct = |axis: &Extent| found.shape.iter().filter(|one| *one == axis).count() == 1;
        let same = found.shape.len() == wanted.len() && wanted.iter().all(distinct);
        if !plain || !same || found.shape == wanted {
            return Vec::new();
        }
        let Some(names) = self.fresh_indices(wanted.len()) else { return Vec::new() };
        let place = |axis: &Extent| wanted.iter().position(|one| one == axis).unwrap_or(0);
        let own: Vec<&str> = found.shape.iter().map(|axis| names[place(axis)].as_str()).collect();
        vec![
            Edit::new(found.span.before(), format!("(for {}: ", names.join(", "))),
            Edit::new(found.span.after(), format!("[{}])", own.join(", "))),
        ]
    }

    /// The argument of a function of a whole axis, built with the index it depends on.
    pub(super) fn whole_axis(&self, call: Span, argument: Span, gives_array: bool) -> Vec<Edit> {
        let families = self.def.families(self.part);
        let mut own = self.scope.iter().rev().filter(|(_, var)| !families.contains(var));
        let inside = |name: &str| words(self.text(argument)).any(|word| word == name);
        let Some((index, _)) = own.find(|(name, _)| inside(name)) else { return Vec::new() };
        let mut edits = vec![Edit::new(argument.before(), format!("for {index}: "))];
        if gives_array {
            edits.push(Edit::new(call.after(), format!("[{index}]")));
        }
        edits
    }

    /// Where `M = prev M` may stand, for a state without an equation.
    pub(super) fn keep_state(&self, id: ValueId) -> Vec<Edit> {
        let Some(statement) = self.statements.get(&id) else { return Vec::new() };
        let name = &self.def.value(id).name;
        vec![line_after(self.global.sources, *statement, &format!("{name} = prev {name}"))]
    }

    /// What makes the value of the step before of something that is no state available, in the place of
    /// `prev path`: a state of the value's own name, or one beside it.
    pub(super) fn carried(
        &self,
        id: ValueId,
        (path, indices): (&str, &str),
        shape: &str,
        read: Span,
    ) -> Carried {
        let value = self.def.value(id);
        let equation = matches!(self.pending.get(&id), Some(Pending::Equation(..)));
        if equation && path.rsplit('.').next() == Some(&value.name) {
            let state = format!("`state {}{shape} = 0`", value.name);
            return Carried { state, edits: self.state_for(id, shape).into_iter().collect() };
        }
        let last = format!("{}_last", path.rsplit('.').next().unwrap_or(path));
        let (state, equation) = (format!("state {last}{shape} = 0"), format!("{last} = {path}"));
        let mut edits = Vec::new();
        let plain = path.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
        // In `def f(x) -> y = e` no statement can stand before.
        let block = self.equation_here().is_none_or(|tree| {
            tree.span.start <= tree.left.span.start && tree.left.span.end <= tree.span.end
        });
        if plain && block && self.named(&last).is_none() {
            edits.extend(self.statement_before(&state));
            edits.extend(self.statement_before(&equation));
            edits.push(Edit::new(read, format!("prev {last}{indices}")));
        }
        let whole = edits.len() == 3;
        let state = format!("`{state}` with `{equation}`");
        Carried { state, edits: if whole { edits } else { Vec::new() } }
    }

    /// What usually is meant by an argument that is missing: the value of the step before of what the
    /// equation defines, or a value of the same name.
    pub(super) fn usual_argument(&self, name: &str, shape: &[Extent]) -> Option<String> {
        let target = self.stack.last().map(|id| self.def.value(*id));
        let same_shape = |value: &Value| {
            // Dims of the callee have no name here: axes are counted.
            value.shape.len() == shape.len()
        };
        if let Some(target) = target
            && matches!(target.kind, ValueKind::State(..))
            && same_shape(target)
        {
            return Some(format!("prev {}", target.name));
        }
        match self.named(name) {
            Some(Named::Value(id)) if same_shape(self.def.value(id)) => Some(name.to_owned()),
            Some(_) | None => None,
        }
    }

    /// Instead of an equation `c[n] = call` a family of calls: `part c[n: R] = call`. The result of a
    /// definition is no part, so it is read from one.
    pub(super) fn family_of(&self, call: Span, index: &str, dim: &str) -> Vec<Edit> {
        let Some(tree) = self.equation_here().filter(|tree| tree.right.span == call) else {
            return Vec::new();
        };
        let ([segment], Some(id)) = (&tree.left.segments[..], self.stack.last()) else {
            return Vec::new();
        };
        let indices = segment.brackets.as_deref().unwrap_or_default();
        if indices.len() != 1 || self.text(indices[0].span) != index {
            return Vec::new();
        }
        let declared = self.shape_known(*id);
        if !declared {
            return vec![Edit::new(
                tree.left.span,
                format!("part {}[{index}: {dim}]", segment.name.text),
            )];
        }
        if self.named("each").is_some() {
            return Vec::new();
        }
        vec![
            Edit::new(tree.left.span, format!("part each[{index}: {dim}]")),
            line_after(self.global.sources, tree.span, &format!("{} = each", segment.name.text)),
        ]
    }

    /// The one input of a model that is a vector.
    fn vector_in(&self) -> Option<&str> {
        let arguments = self.def.params.iter().filter_map(|param| match param.kind {
            ParamKind::Plain(id, _) => Some(self.def.value(id)),
            ParamKind::Emit(_)
            | ParamKind::Param(_)
            | ParamKind::State(_)
            | ParamKind::Int(_)
            | ParamKind::Flag(_) => None,
        });
        let mut vectors = arguments.filter(|value| value.shape.len() == 1);
        let first = vectors.next()?;
        vectors.next().is_none().then_some(first.name.as_str())
    }

    /// A controller before the statement being checked: the input as it is.
    pub(super) fn plain_controller(&self) -> Vec<Edit> {
        let Some(input) = self.vector_in() else { return Vec::new() };
        let name = if self.named("h").is_none() { "h".to_owned() } else { self.fresh_name("h") };
        self.statement_before(&format!("controller {name} = {input}"))
    }

    /// The same for an emission: from the input.
    pub(super) fn input_as_source(&self, emit: &ast::Emit) -> Vec<Edit> {
        let input = self.vector_in().filter(|_| emit.through.is_none());
        let edit = input.map(|input| Edit::new(emit.span.after(), format!(" from {input}")));
        edit.into_iter().collect()
    }

    /// A condition as a number.
    pub(super) fn as_number(&self, condition: Span) -> Vec<Edit> {
        let text = &self.global.sources.get(condition.file).text;
        let enclosed = text[..condition.start as usize].ends_with('(')
            && text[condition.end as usize..].starts_with(')');
        let (open, close) = if enclosed { ("", "") } else { ("(", ")") };
        vec![
            Edit::new(condition.before(), format!("{open}if ")),
            Edit::new(condition.after(), format!(" then 1 else 0{close}")),
        ]
    }

    /// A number as a condition.
    pub(super) fn as_condition(&self, number: Span) -> Vec<Edit> {
        if self.text(number).chars().any(|c| "+-*/^<>=".contains(c)) {
            return vec![Edit::new(number.before(), "("), Edit::new(number.after(), ") != 0")];
        }
        vec![Edit::new(number.after(), " != 0")]
    }

    /// A start as an equation can say it: the whole right side of a value with one axis.
    pub(super) fn start_as_value(
        &self,
        name: &str,
        argument: Option<Span>,
        span: Span,
    ) -> Vec<Edit> {
        let Some(tree) = self.equation_here().filter(|tree| tree.right.span == span) else {
            return Vec::new();
        };
        let Some(id) = self.stack.last().copied().filter(|id| self.shape_known(*id)) else {
            return Vec::new();
        };
        let (value, left) = (self.def.value(id), &tree.left.segments[0]);
        let ([axis], None) = (&value.shape[..], &left.brackets) else { return Vec::new() };
        let dim = show::extent(&self.def, axis);
        let Some(index) = self.fresh_indices(1) else { return Vec::new() };
        let index = &index[0];
        match (name, argument) {
            ("one_hot", Some(at)) => {
                let at = self.text(at);
                let text = format!("for {index} in {dim}: if {index} == {at} then 1 else 0");
                vec![Edit::new(span, text)]
            }
            ("uniform", None) => {
                vec![Edit::new(
                    span,
                    format!("for {index} in {dim}: 1 / ({})", show::poly(&self.def, &axis.size)),
                )]
            }
            ("learned", None) => {
                let param = self.fresh_name(&value.name);
                let mut edits = self.statement_before(&format!("param {param}[{dim}]"));
                edits.push(Edit::new(span, param));
                edits
            }
            _ => Vec::new(),
        }
    }

    /// An array of computed indices on the left as a sum on the right.
    pub(super) fn summed(&self, index: &ast::Arg, bound: &str, tree: &ast::Equation) -> Vec<Edit> {
        let Some(fresh) = self.fresh_indices(1) else { return Vec::new() };
        let (text, i) = (self.text(index.span), &fresh[0]);
        vec![
            Edit::new(index.span, i.clone()),
            Edit::new(tree.right.span.before(), format!("sum[{bound}] (if {text} == {i} then ")),
            Edit::new(tree.right.span.after(), " else 0)"),
        ]
    }

    /// A diagonal on the left as a condition on the right.
    pub(super) fn diagonal(&self, name: &ast::Name, tree: &ast::Equation) -> Vec<Edit> {
        let Some(fresh) = self.fresh_indices(1) else { return Vec::new() };
        vec![
            Edit::new(name.span, fresh[0].clone()),
            Edit::new(tree.right.span.before(), format!("if {} == {} then ", name.text, fresh[0])),
            Edit::new(tree.right.span.after(), " else 0"),
        ]
    }

    /// Bounds as they may be written.
    pub(super) fn right_bounds(&self, of: &ast::Of) -> Option<String> {
        let text = |expr: &Option<ast::Expr>| {
            expr.as_ref().map_or(String::new(), |expr| self.text(expr.span).to_owned())
        };
        match (of.name.text.as_str(), &of.bounds) {
            ("index", None) => self.def.dims.first().map(|dim| format!("index({})", dim.name)),
            ("unit" | "signed" | "positive", Some(ast::Bounds::Between(low, high))) => {
                Some(format!("real({}..{})", text(low), text(high)))
            }
            ("real", Some(ast::Bounds::Between(low @ Some(_), high @ Some(_)))) => {
                Some(format!("real({}..{})", text(high), text(low)))
            }
            ("index" | "real", _) => None,
            (name, Some(_)) => Some(name.to_owned()),
            (_, None) => None,
        }
    }

    /// Puts another argument into a call.
    pub(super) fn with_argument(&self, segment: &ast::Segment, text: &str) -> Vec<Edit> {
        match segment.args.as_deref() {
            Some([.., last]) => vec![Edit::new(last.span.after(), format!(", {text}"))],
            Some([]) => {
                let after = segment.brackets.as_ref().and_then(|all| all.last());
                let from = after.map_or(segment.name.span, |last| last.span);
                let file = &self.global.sources.get(from.file).text;
                let open = file[from.end as usize..].find('(').map(|at| from.end + at as u32 + 1);
                let open = open.map(|at| Span { start: at, end: at, ..from });
                open.map(|at| Edit::new(at, text)).into_iter().collect()
            }
            None if segment.brackets.is_none() => {
                vec![Edit::new(segment.name.span.after(), format!("({text})"))]
            }
            None => Vec::new(),
        }
    }

    /// Takes an entry out of a bracket or argument list, with its comma.
    pub(super) fn without(&self, all: &[ast::Arg], at: usize) -> Vec<Edit> {
        let span = match (at.checked_sub(1).and_then(|at| all.get(at)), all.get(at + 1)) {
            (Some(before), _) => Span { start: before.span.end, ..all[at].span },
            (None, Some(next)) => Span { end: next.span.start, ..all[at].span },
            (None, None) => all[at].span,
        };
        vec![Edit::new(span, "")]
    }

    /// Takes every entry from `keep` on out of a bracket; the bracket too, if none is kept.
    pub(super) fn shortened(&self, all: &[ast::Arg], keep: usize) -> Vec<Edit> {
        let (Some(first), Some(last)) = (all.first(), all.last()) else { return Vec::new() };
        let text = &self.global.sources.get(last.span.file).text;
        let close = text[last.span.end as usize..].find(']').map(|at| last.span.end + at as u32);
        let Some(close) = close else { return Vec::new() };
        let span = match keep.checked_sub(1) {
            Some(at) => Span { start: all[at].span.end, end: close, ..last.span },
            None => {
                let open = text[..first.span.start as usize].rfind('[');
                let Some(open) = open else { return Vec::new() };
                Span { start: open as u32, end: close + 1, ..last.span }
            }
        };
        vec![Edit::new(span, "")]
    }
}

/// A statement on a line of its own before another one, with the same indent; before its
/// documentation, if it has any.
pub(super) fn line_before(sources: &Sources, span: Span, statement: &str) -> Edit {
    let text = &sources.get(span.file).text;
    let line = |at: usize| text[..at].rfind('\n').map_or(0, |at| at + 1);
    let mut start = line(span.start as usize);
    let before = &text[start..span.start as usize];
    if !before.trim().is_empty() {
        return Edit::new(span.before(), format!("{statement} "));
    }
    let indent = before.to_owned();
    while start > 0 && text[line(start - 1)..start].trim_start().starts_with("##") {
        start = line(start - 1);
    }
    let at = (start + indent.len()) as u32;
    Edit::new(Span { start: at, end: at, ..span }, format!("{statement}\n{indent}"))
}

/// A statement on a line of its own after another one, with the same indent.
pub(super) fn line_after(sources: &Sources, span: Span, statement: &str) -> Edit {
    let text = &sources.get(span.file).text;
    let start = text[..span.start as usize].rfind('\n').map_or(0, |at| at + 1);
    let indent: String = text[start..].chars().take_while(|c| *c == ' ' || *c == '\t').collect();
    let end = span.end as usize;
    let stop = text[end..].find(['\n', '\r']).map_or(text.len(), |at| end + at);
    let rest = text[end..stop].trim_start();
    if !rest.is_empty() && !rest.starts_with('#') {
        return Edit::new(span.after(), format!(" {statement}"));
    }
    let at = stop as u32;
    Edit::new(Span { start: at, end: at, ..span }, format!("\n{indent}{statement}"))
}

/// The words of a text.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The number of a domain that is nearest to one outside; `inside`: not at its ends.
pub(super) fn nearest_inside(domain: &Domain, value: f64, inside: bool) -> Option<String> {
    let Domain::Real(low, high) = domain else { return None };
    let near = match (low, high) {
        (Some(low), Some(high)) if inside => (low + high) / 2.0,
        (Some(low), None) if inside => low + 1.0,
        (None, Some(high)) if inside => high - 1.0,
        (Some(low), _) if value < *low => *low,
        (_, Some(high)) if value > *high => *high,
        _ => return None,
    };
    Some(near.to_string())
}

/// The start most often meant for a state of a domain.
pub(super) fn usual_start(domain: &Domain) -> String {
    match domain {
        Domain::Simplex => "uniform".to_owned(),
        Domain::Sphere => "one_hot(0)".to_owned(),
        Domain::Weighting => "0".to_owned(),
        Domain::Real(..) => nearest_inside(domain, 0.0, false).unwrap_or_else(|| "0".to_owned()),
    }
}

/// What a definition owns, and so gets by name alone.
pub(super) fn owned(kind: &ParamKind) -> bool {
    matches!(kind, ParamKind::Emit(_) | ParamKind::Param(_) | ParamKind::State(_))
}

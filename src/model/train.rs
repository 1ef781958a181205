//! Training blocks: `train NAME: MODEL on TASK { settings }` with every setting read and checked.
//!
//! In: [`ast::Train`]. Out: [`TrainBlock`], plain numbers with the spans that later checks need.
//! Invariant: settings are the closed list [`SETTINGS`]; a block that is returned is complete.
//! Tasks and the arguments of the optimiser are looked up by others: they live in tables of theirs.

pub use super::train_backward::Backward;
pub use super::train_schedule::{Schedule, Shape};
use super::{
    train_backward as backward, train_errors as errors, train_schedule as schedule,
    train_settings as settings,
};
use crate::diag::{Diagnostics, nearest};
use crate::source::Span;
use crate::syntax::ast::{self, BinaryOp, Expr, ExprKind, UnaryOp};

/// A checked block.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainBlock {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The model with its overrides, as written: `tape[N = 32]`.
    pub model: ast::Ref,
    /// One task, or the lessons of a curriculum in their order.
    pub tasks: Vec<TaskCall>,
    /// The update rule.
    pub optimiser: OptimiserCall,
    /// What is done to a gradient that is too large.
    pub clip: Option<Clip>,
    /// What is done to gradients on their way back.
    pub clip_backward: Option<Backward>,
    /// Sequences a step.
    pub batch: u32,
    /// Steps of each task, or one number for all of them.
    pub steps: Vec<u64>,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Parameters that keep their first value, or the parts that hold them.
    pub freeze: Vec<(String, Span)>,
    /// Evaluate after every so many steps.
    pub evaluate_every: Option<u64>,
    /// Fresh episodes an evaluation.
    pub episodes: u32,
    /// The whole block.
    pub span: Span,
}

impl TrainBlock {
    /// Names in `freeze` that are no parameter, and no part that holds one, among these paths.
    #[must_use]
    pub fn unknown_frozen(&self, params: &[&str]) -> Diagnostics {
        let mut wrong = Diagnostics::default();
        for (name, span) in &self.freeze {
            if !params.iter().any(|path| holds(name, path)) {
                let prefixes = |path: &&str| {
                    let ends: Vec<usize> =
                        path.match_indices(['.', '[']).map(|(at, _)| at).collect();
                    ends.into_iter().chain([path.len()]).collect::<Vec<usize>>()
                };
                let all = params
                    .iter()
                    .flat_map(|path| prefixes(path).into_iter().map(|end| &path[..end]));
                wrong.push(errors::unknown_param(*span, name, nearest(name, all)));
            }
        }
        wrong
    }
}

/// Whether a name is that of a parameter, or of a part that holds it.
fn holds(name: &str, path: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// `copy(bits = 8, length = 1..20)`.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskCall {
    /// The task.
    pub name: String,
    /// Its arguments.
    pub args: Vec<TaskArg>,
    /// The whole call.
    pub span: Span,
}

/// One argument of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskArg {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: ArgValue,
    /// The whole argument.
    pub span: Span,
}

/// What may be given to a task.
#[derive(Clone, Debug, PartialEq)]
pub enum ArgValue {
    /// A number.
    Number(f64),
    /// `a..b`.
    Range(f64, f64),
    /// A bare word such as `all`.
    Word(String),
    /// A string.
    Text(String),
    /// `[a, b]`.
    List(Vec<ArgValue>),
}

impl ArgValue {
    /// Its kind, with an article.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self {
            ArgValue::Number(_) => "a number",
            ArgValue::Range(..) => "a range",
            ArgValue::Word(_) => "a word",
            ArgValue::Text(_) => "a string",
            ArgValue::List(_) => "a list",
        }
    }
}

/// `rmsprop(lr = 1e-4, momentum = 0.9)`.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimiserCall {
    /// The definition.
    pub name: String,
    /// Its arguments.
    pub args: Vec<OptimiserArg>,
    /// The whole call.
    pub span: Span,
}

/// One argument of an optimiser.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimiserArg {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// The whole argument.
    pub span: Span,
}

/// Limits of the gradient after the mean over the batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clip {
    /// Every component to ± this.
    Value(f64),
    /// The norm of the whole gradient to at most this.
    Norm(f64),
}

/// One setting.
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// One line about it.
    pub summary: &'static str,
    /// A line that can be pasted.
    pub example: &'static str,
    /// Whether a block must give it.
    pub required: bool,
    read: fn(&mut Draft, &ast::Setting) -> Result<(), Wrong>,
}

/// Every setting.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "optimizer",
        summary: "the update rule, a definition of std.optim",
        example: "optimizer = rmsprop(lr = 1e-4)",
        required: true,
        read: |draft, setting| draft.optimiser(setting),
    },
    Setting {
        name: "steps",
        summary: "optimiser steps; a list gives one number a task",
        example: "steps = 10_000",
        required: true,
        read: |draft, setting| draft.steps(setting),
    },
    Setting {
        name: "batch",
        summary: "sequences a step (default 1)",
        example: "batch = 16",
        required: false,
        read: |draft, setting| put(&mut draft.batch, positive(setting, u32::MAX.into())? as u32),
    },
    Setting {
        name: "clip",
        summary: "limit each component of the gradient, or its norm",
        example: "clip = value(10)",
        required: false,
        read: |draft, setting| draft.clip(setting),
    },
    Setting {
        name: "clip_backward",
        summary: backward::SUMMARY,
        example: backward::EXAMPLE,
        required: false,
        read: |draft, setting| put(&mut draft.clip_backward, backward::read(setting)?),
    },
    Setting {
        name: "schedule",
        summary: schedule::SUMMARY,
        example: schedule::EXAMPLE,
        required: false,
        read: |draft, setting| put(&mut draft.schedule, schedule::read(setting)?),
    },
    Setting {
        name: "freeze",
        summary: "parameters that are not trained",
        example: "freeze = [M0]",
        required: false,
        read: |draft, setting| draft.freeze(setting),
    },
    Setting {
        name: "evaluate_every",
        summary: "steps between two evaluations",
        example: "evaluate_every = 1_000",
        required: false,
        read: |draft, setting| put(&mut draft.evaluate_every, positive(setting, MOST)?),
    },
    Setting {
        name: "episodes",
        summary: "fresh episodes an evaluation (default 200)",
        example: "episodes = 200",
        required: false,
        read: |draft, setting| put(&mut draft.episodes, positive(setting, u32::MAX.into())? as u32),
    },
];

/// The largest whole number that an `f64` surely holds.
pub(super) const MOST: u64 = 1 << 53;

/// Why a value cannot be used; the span is inside the setting.
pub(super) enum Wrong {
    Kind(Span, &'static str),
    Range(Span, &'static str, f64),
}

#[derive(Default)]
struct Draft {
    optimiser: Option<OptimiserCall>,
    steps: Option<Vec<u64>>,
    steps_span: Span,
    batch: Option<u32>,
    clip: Option<Clip>,
    clip_backward: Option<Backward>,
    schedule: Option<Schedule>,
    freeze: Vec<(String, Span)>,
    evaluate_every: Option<u64>,
    episodes: Option<u32>,
}

/// Reads a block; everything wrong with it goes to `sink`, and then nothing is returned.
pub fn check(train: &ast::Train, sink: &mut Diagnostics) -> Option<TrainBlock> {
    let mut found = Diagnostics::default();
    let mut draft = Draft::default();
    let mut seen: Vec<&ast::Name> = Vec::new();
    let mut meant: Vec<String> = Vec::new();
    let optimizer = train.settings.iter().find(|one| one.name.text == "optimizer");
    for setting in &train.settings {
        let name = &setting.name;
        let Some(row) = SETTINGS.iter().find(|row| row.name == name.text) else {
            let one = settings::unknown(optimizer, setting);
            // Under its right name it is no longer missing.
            meant.extend(one.edits.iter().map(|edit| edit.text.clone()));
            found.push(one);
            continue;
        };
        if let Some(first) = seen.iter().find(|first| **first == name) {
            found.push(errors::duplicate_setting(name.span, &name.text, first.span, setting.span));
            continue;
        }
        seen.push(name);
        match (row.read)(&mut draft, setting) {
            Ok(()) => {}
            Err(Wrong::Kind(span, takes)) => {
                let one = errors::wrong_value(span, row.name, takes, row.example);
                found.push(one.edits(settings::instead(setting, span)));
            }
            Err(Wrong::Range(span, must, value)) => {
                found.push(errors::out_of_range(span, row.name, must, value, row.example));
            }
        }
    }
    for row in SETTINGS.iter().filter(|row| row.required) {
        if !seen.iter().any(|name| name.text == row.name)
            && !meant.iter().any(|one| one == row.name)
        {
            let place = match train.settings.first() {
                Some(first) => (first.span.before(), true),
                None => (Span { start: train.span.end - 1, ..train.span }.before(), false),
            };
            found.push(errors::missing_setting(head(train), row.name, row.example, place));
        }
    }
    let tasks = tasks(train, &mut found);
    if let (Some(steps), Some(first), Some(last)) =
        (&draft.steps, train.tasks.first(), train.tasks.last())
        && steps.len() != 1
        && steps.len() != train.tasks.len()
    {
        let at = first.span.to(last.span);
        found.push(errors::steps_and_tasks(draft.steps_span, steps.len(), train.tasks.len(), at));
    }
    let failed = found.has_errors();
    sink.extend(found);
    if failed { None } else { draft.finish(train, tasks) }
}

/// The part before the braces: where a missing setting is reported.
fn head(train: &ast::Train) -> Span {
    train.name.as_ref().map_or(train.model.span, |name| name.span.to(train.model.span))
}

/// The task calls of a text given on the command line, or of a block.
fn tasks(train: &ast::Train, sink: &mut Diagnostics) -> Vec<TaskCall> {
    if train.tasks.is_empty() {
        sink.push(errors::no_tasks(train.model.span));
    }
    train.tasks.iter().filter_map(|expr| task_call(expr, sink)).collect()
}

/// Reads `copy(bits = 8, length = 1..20)`; the name is not looked up.
pub fn task_call(expr: &Expr, sink: &mut Diagnostics) -> Option<TaskCall> {
    const EXAMPLE: &str = "copy(bits = 8, length = 1..20)";
    let Some((name, args)) = call(expr) else {
        sink.push(errors::not_a_call(expr.span, "a task", EXAMPLE));
        return None;
    };
    let mut list = Vec::new();
    for arg in args {
        match (&arg.name, arg_value(arg)) {
            (Some(name), Some(value)) => {
                list.push(TaskArg { name: name.text.clone(), value, span: arg.span });
            }
            (None, _) => {
                sink.push(errors::unnamed_argument(arg.span, EXAMPLE));
                return None;
            }
            (Some(name), None) => {
                let takes = "a number, a range, a word, a string or a list of these";
                sink.push(errors::wrong_value(arg.span, &name.text, takes, EXAMPLE));
                return None;
            }
        }
    }
    Some(TaskCall { name: name.text.clone(), args: list, span: expr.span })
}

/// A name with arguments in parentheses, perhaps none.
pub(super) fn call(expr: &Expr) -> Option<(&ast::Name, &[ast::Arg])> {
    let ExprKind::Ref(reference) = &expr.kind else { return None };
    let [segment] = &reference.segments[..] else { return None };
    if segment.brackets.is_some() || segment.after.is_some() {
        return None;
    }
    Some((&segment.name, segment.args.as_deref().unwrap_or_default()))
}

fn arg_value(arg: &ast::Arg) -> Option<ArgValue> {
    if arg.default.is_some() {
        return None;
    }
    if let Some(to) = &arg.to {
        return Some(ArgValue::Range(number(&arg.value)?, number(to)?));
    }
    if let Some(value) = number(&arg.value) {
        return Some(ArgValue::Number(value));
    }
    if let ExprKind::Text(text) = &arg.value.kind {
        return Some(ArgValue::Text(text.clone()));
    }
    if let ExprKind::List(items) = &arg.value.kind {
        return items.iter().map(arg_value).collect::<Option<_>>().map(ArgValue::List);
    }
    let (name, args) = call(&arg.value)?;
    args.is_empty().then(|| ArgValue::Word(name.text.clone()))
}

/// A constant expression.
pub(super) fn number(expr: &Expr) -> Option<f64> {
    if let ExprKind::Number(value, _) = &expr.kind {
        return Some(*value);
    }
    if let ExprKind::Paren(inner) = &expr.kind {
        return number(inner);
    }
    if let ExprKind::Unary(UnaryOp::Neg, inner) = &expr.kind {
        return number(inner).map(|value| -value);
    }
    let ExprKind::Binary(op, left, right) = &expr.kind else { return None };
    let (left, right) = (number(left)?, number(right)?);
    match op {
        BinaryOp::Add => Some(left + right),
        BinaryOp::Sub => Some(left - right),
        BinaryOp::Mul => Some(left * right),
        BinaryOp::Div => Some(left / right),
        BinaryOp::Pow => Some(left.powf(right)),
        BinaryOp::Mod
        | BinaryOp::Lt
        | BinaryOp::Le
        | BinaryOp::Gt
        | BinaryOp::Ge
        | BinaryOp::Eq
        | BinaryOp::Ne
        | BinaryOp::And
        | BinaryOp::Or => None,
    }
}

fn put<T>(slot: &mut Option<T>, value: T) -> Result<(), Wrong> {
    *slot = Some(value);
    Ok(())
}

/// The value of a setting without a range or default.
pub(super) fn plain<'a>(arg: &'a ast::Arg, takes: &'static str) -> Result<&'a Expr, Wrong> {
    match (&arg.to, &arg.default, &arg.name) {
        (None, None, None) => Ok(&arg.value),
        _ => Err(Wrong::Kind(arg.span, takes)),
    }
}

fn positive(setting: &ast::Setting, most: u64) -> Result<u64, Wrong> {
    whole(plain(&setting.value, "a whole number")?, most)
}

pub(super) fn whole(expr: &Expr, most: u64) -> Result<u64, Wrong> {
    let value = number(expr).ok_or(Wrong::Kind(expr.span, "a whole number"))?;
    if value.fract() != 0.0 || value < 1.0 || value.is_nan() {
        return Err(Wrong::Range(expr.span, "a whole number, 1 or more", value));
    }
    if value > most as f64 {
        return Err(Wrong::Range(expr.span, "smaller", value));
    }
    Ok(value as u64)
}

pub(super) fn above_zero(expr: &Expr, takes: &'static str) -> Result<f64, Wrong> {
    let value = number(expr).ok_or(Wrong::Kind(expr.span, takes))?;
    if value > 0.0 && value.is_finite() {
        Ok(value)
    } else {
        Err(Wrong::Range(expr.span, "above 0", value))
    }
}

impl Draft {
    fn finish(self, train: &ast::Train, tasks: Vec<TaskCall>) -> Option<TrainBlock> {
        Some(TrainBlock {
            name: train.name.as_ref().map(|name| name.text.clone()),
            model: train.model.clone(),
            tasks,
            optimiser: self.optimiser?,
            clip: self.clip,
            clip_backward: self.clip_backward,
            batch: self.batch.unwrap_or(1),
            steps: self.steps?,
            schedule: self.schedule.unwrap_or_default(),
            freeze: self.freeze,
            evaluate_every: self.evaluate_every,
            episodes: self.episodes.unwrap_or(200),
            span: train.span,
        })
    }

    fn optimiser(&mut self, setting: &ast::Setting) -> Result<(), Wrong> {
        const TAKES: &str = "a call with named numbers";
        let value = plain(&setting.value, TAKES)?;
        let (name, args) = call(value).ok_or(Wrong::Kind(value.span, TAKES))?;
        let mut list = Vec::new();
        for arg in args {
            let name = arg.name.as_ref().ok_or(Wrong::Kind(arg.span, TAKES))?;
            let value = number(&arg.value).filter(|_| arg.to.is_none() && arg.default.is_none());
            let value = value.ok_or(Wrong::Kind(arg.span, TAKES))?;
            // Whatever the rule, a negative rate climbs; no rate is a way to stand still.
            if name.text == "lr" && (value < 0.0 || !value.is_finite()) {
                return Err(Wrong::Range(arg.span, "given a rate that is not negative", value));
            }
            list.push(OptimiserArg { name: name.text.clone(), value, span: arg.span });
        }
        let call = OptimiserCall { name: name.text.clone(), args: list, span: value.span };
        put(&mut self.optimiser, call)
    }

    fn steps(&mut self, setting: &ast::Setting) -> Result<(), Wrong> {
        const TAKES: &str = "a whole number, or a list with one for each task";
        let value = plain(&setting.value, TAKES)?;
        self.steps_span = value.span;
        let items = if let ExprKind::List(items) = &value.kind { &items[..] } else { &[] };
        let steps = if items.is_empty() {
            vec![whole(value, MOST)?]
        } else {
            let each = items.iter().map(|item| whole(plain(item, TAKES)?, MOST));
            each.collect::<Result<Vec<_>, _>>()?
        };
        put(&mut self.steps, steps)
    }

    fn clip(&mut self, setting: &ast::Setting) -> Result<(), Wrong> {
        const TAKES: &str = "`value(c)` or `norm(c)`";
        let value = plain(&setting.value, TAKES)?;
        let wrong = || Wrong::Kind(value.span, TAKES);
        let (name, args) = call(value).ok_or_else(wrong)?;
        let [limit] = args else { return Err(wrong()) };
        let limit = above_zero(plain(limit, TAKES)?, TAKES)?;
        match name.text.as_str() {
            "value" => put(&mut self.clip, Clip::Value(limit)),
            "norm" => put(&mut self.clip, Clip::Norm(limit)),
            _ => Err(wrong()),
        }
    }

    fn freeze(&mut self, setting: &ast::Setting) -> Result<(), Wrong> {
        const TAKES: &str = "a list of names of parameters";
        let value = plain(&setting.value, TAKES)?;
        let ExprKind::List(items) = &value.kind else {
            return Err(Wrong::Kind(value.span, TAKES));
        };
        for item in items {
            let expr = plain(item, TAKES)?;
            let path = path(expr).ok_or(Wrong::Kind(expr.span, TAKES))?;
            self.freeze.push((path, expr.span));
        }
        Ok(())
    }
}

/// `write.content` as one dotted word.
pub(super) fn path(expr: &Expr) -> Option<String> {
    let ExprKind::Ref(reference) = &expr.kind else { return None };
    let words = reference.segments.iter().map(|segment| {
        let bare = segment.brackets.is_none() && segment.args.is_none() && segment.after.is_none();
        bare.then_some(segment.name.text.as_str())
    });
    words.collect::<Option<Vec<_>>>().map(|words| words.join("."))
}

#[cfg(test)]
#[path = "train_tests.rs"]
mod tests;

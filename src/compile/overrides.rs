//! `--train`, `--task` and `--set`: what the command line puts in place of what is written.

use std::collections::BTreeMap;

use super::{Choice, Choices, Spec};
use crate::diag::{Diagnostics, nearest};
use crate::model::typed::DefId;
use crate::model::{Given, Place, command_errors as errors};
use crate::source::{Source, Span};
use crate::syntax::{self, ast};

/// The model and train block that are meant, with every override applied.
pub(super) fn choose(spec: &mut Spec, choices: &Choices, sink: &mut Diagnostics) -> Option<Choice> {
    let mut train = pick_train(spec, choices, sink)?;
    if let (Some(text), Some(train)) = (&choices.task, &mut train) {
        let id = spec.sources.add(Source::new("--task", text.clone()));
        let task = syntax::parse_expr(&spec.sources, id, sink)?;
        train.tasks = vec![task];
        train.curriculum = false;
    }
    let model = pick_model(spec, choices, train.as_ref(), sink)?;
    let mut given = BTreeMap::new();
    if let Some(train) = &train {
        model_arguments(spec, train, &mut given, sink);
    }
    for (at, text) in choices.sets.iter().enumerate() {
        apply(spec, (at, text), model, &mut train, &mut given, sink);
    }
    Some(Choice { model, train, given })
}

fn pick_train(
    spec: &mut Spec,
    choices: &Choices,
    sink: &mut Diagnostics,
) -> Option<Option<ast::Train>> {
    let all = spec.checked.trains.clone();
    let Some(name) = &choices.train else {
        return Some(match &choices.model {
            None => all.first().cloned(),
            Some(model) => {
                all.iter().find(|train| train.model.segments[0].name.text == *model).cloned()
            }
        });
    };
    let named = |train: &&ast::Train| train.name.as_ref().is_some_and(|own| own.text == *name);
    let found = all.iter().find(named).cloned();
    if found.is_none() {
        let names: Vec<&str> =
            all.iter().filter_map(|train| train.name.as_ref()).map(|n| n.text.as_str()).collect();
        let near = nearest(name, names.iter().copied());
        let span = word(spec, "--train", name);
        sink.push(errors::unknown_train(span, name, &names, near));
    }
    found.map(Some)
}

/// A word of the command line as a source of its own.
fn word(spec: &mut Spec, option: &str, text: &str) -> Span {
    let file = spec.sources.add(Source::new(option, text));
    Span { file, start: 0, end: text.len() as u32 }
}

fn pick_model(
    spec: &mut Spec,
    choices: &Choices,
    train: Option<&ast::Train>,
    sink: &mut Diagnostics,
) -> Option<DefId> {
    let wanted = match (&choices.model, train) {
        (Some(name), _) => Some((name.clone(), None)),
        (None, Some(train)) => {
            let name = &train.model.segments[0].name;
            Some((name.text.clone(), Some(name.span)))
        }
        (None, None) => None,
    };
    let Some((name, span)) = wanted else {
        let last = spec.checked.models.last().copied();
        if last.is_none() {
            sink.push(errors::no_model(spec.file.version_span));
        }
        return last;
    };
    let found = spec.checked.models.iter().find(|id| spec.checked.def(**id).name == name).copied();
    if found.is_none() {
        let span = span.unwrap_or_else(|| word(spec, "--model", &name));
        let names: Vec<&str> =
            spec.checked.models.iter().map(|id| spec.checked.def(*id).name.as_str()).collect();
        let only = names.first().copied().filter(|_| names.len() == 1);
        let near = nearest(&name, names.iter().copied()).or(only);
        sink.push(errors::unknown_model(span, &name, &names, near));
    }
    found
}

/// What stands behind the model's name in a train block: `tape[N = 32](links = false)`.
fn model_arguments(
    spec: &Spec,
    train: &ast::Train,
    given: &mut BTreeMap<String, (Given, Place)>,
    sink: &mut Diagnostics,
) {
    let segment = &train.model.segments[0];
    let def = spec.checked.models.iter().map(|id| spec.checked.def(*id));
    let def = def.into_iter().find(|def| def.name == segment.name.text);
    let brackets = segment.brackets.iter().flatten();
    for (at, arg) in brackets.chain(segment.args.iter().flatten()).enumerate() {
        let name = arg.name.as_ref().map(|name| name.text.clone());
        let by_place = || def.and_then(|def| def.dims.get(at)).map(|dim| dim.name.clone());
        match (name.or_else(by_place), value(&arg.value)) {
            (Some(name), Some(value)) => {
                let written = arg.name.as_ref().map_or(arg.value.span, |name| name.span);
                given.insert(name, (value, Place { name: written, value: arg.value.span }));
            }
            _ => {
                let wanted = "a number, a list or a truth";
                sink.push(errors::set_wrong_kind(arg.value.span.into(), "this", wanted));
            }
        }
    }
}

/// One `PATH=VALUE`.
fn apply(
    spec: &mut Spec,
    (at, text): (usize, &str),
    model: DefId,
    train: &mut Option<ast::Train>,
    given: &mut BTreeMap<String, (Given, Place)>,
    sink: &mut Diagnostics,
) {
    let id = spec.sources.add(Source::new(format!("--set #{}", at + 1), text.to_owned()));
    let whole = Span { file: id, start: 0, end: text.len() as u32 };
    let Some((path, _)) = text.split_once('=') else {
        sink.push(errors::bad_override(whole));
        return;
    };
    let path = path.trim().to_owned();
    let start = (text.len() - text.trim_start().len()) as u32;
    let span = Span { file: id, start, end: start + path.len() as u32 };
    // The value keeps its place in the text: everything before it is blanked while it is read.
    let cut = text.find('=').map_or(0, |at| at + 1);
    spec.sources.replace(id, format!("{}{}", " ".repeat(cut), &text[cut..]));
    let arg = syntax::parse_arg(&spec.sources, id, sink);
    spec.sources.replace(id, text.to_owned());
    let Some(arg) = arg else { return };
    if let (Some((first, rest)), Some(train)) = (path.split_once('.'), train.as_mut()) {
        if first == "train" {
            set_setting(train, rest, &arg, span, sink);
            return;
        }
        if set_argument(train, first, rest, &arg, span) {
            return;
        }
    }
    let def = spec.checked.def(model);
    let dim = def.dims.iter().any(|dim| dim.name == path);
    let flag = def.flags.iter().any(|flag| flag.name == path);
    let named = dim || flag || def.params.iter().any(|param| param.name == path);
    if let (false, Some(near)) = (named, train.as_ref().and_then(|train| meant(train, &path))) {
        let known: Vec<&str> = def.dims.iter().map(|dim| dim.name.as_str()).collect();
        sink.push(errors::nothing_to_set(span, &path, &known.join(", "), Some(&near)));
        return;
    }
    let place = Place { name: span, value: arg.value.span };
    match value(&arg.value) {
        Some(value) => {
            given.insert(path, (value, place));
        }
        None => {
            let wanted = match (dim, flag) {
                (true, _) => "a dim, a whole number",
                (_, true) => "true or false",
                _ => "a number, a list of numbers, true or false",
            };
            sink.push(errors::set_wrong_kind(place, &path, wanted));
        }
    }
}

/// The setting, or the argument of a task or optimizer, whose path was written in part: `steps`, `lr`.
fn meant(train: &ast::Train, path: &str) -> Option<String> {
    let last = path.rsplit('.').next()?;
    let known = crate::model::train::SETTINGS.iter().map(|row| row.name);
    if let Some(setting) = known.into_iter().find(|name| *name == path) {
        return Some(format!("train.{setting}"));
    }
    let calls = train.tasks.iter().chain(train.settings.iter().map(|one| &one.value.value));
    calls.into_iter().find_map(|tree| {
        let ast::ExprKind::Ref(one) = &tree.kind else { return None };
        let segment = &one.segments[0];
        let mut args = segment.args.iter().flatten();
        args.find(|arg| arg.name.as_ref().is_some_and(|own| own.text == last))?;
        Some(format!("{}.{last}", segment.name.text))
    })
}

/// `train.batch=32`.
fn set_setting(
    train: &mut ast::Train,
    name: &str,
    arg: &ast::Arg,
    span: Span,
    sink: &mut Diagnostics,
) {
    if let Some(setting) = train.settings.iter_mut().find(|setting| setting.name.text == name) {
        setting.value = arg.clone();
        return;
    }
    let known: Vec<&str> = crate::model::train::SETTINGS.iter().map(|row| row.name).collect();
    if known.contains(&name) {
        let name = ast::Name { text: name.to_owned(), span };
        let value = arg.clone();
        train.settings.push(ast::Setting { docs: Vec::new(), name, value, span });
        return;
    }
    let near = nearest(name, known.iter().copied()).map(|near| format!("train.{near}"));
    let near = meant(train, name).or(near);
    let known: Vec<String> = known.iter().map(|name| format!("train.{name}")).collect();
    let (name, known) = (format!("train.{name}"), known.join(", "));
    sink.push(errors::nothing_to_set(span, &name, &known, near.as_deref()));
}

/// `copy.bits=6`, `adam.lr=1e-3`; false where the train block has no such task or setting.
fn set_argument(
    train: &mut ast::Train,
    call: &str,
    name: &str,
    arg: &ast::Arg,
    span: Span,
) -> bool {
    let mut found = false;
    let settings = train.settings.iter_mut().map(|setting| &mut setting.value.value);
    for tree in train.tasks.iter_mut().chain(settings) {
        let ast::ExprKind::Ref(one) = &mut tree.kind else { continue };
        let segment = &mut one.segments[0];
        if segment.name.text != call {
            continue;
        }
        let mut arg = arg.clone();
        arg.name = Some(ast::Name { text: name.to_owned(), span });
        let args = segment.args.get_or_insert_with(Vec::new);
        let named = |own: &&mut ast::Arg| own.name.as_ref().is_some_and(|own| own.text == name);
        match args.iter_mut().find(named) {
            Some(own) => *own = arg,
            None => args.push(arg),
        }
        found = true;
    }
    found
}

/// `left op right` of two numbers: `--set write.content.beta=1/3`.
fn arithmetic(op: ast::BinaryOp, left: f64, right: f64) -> Option<f64> {
    use ast::BinaryOp::{Add, And, Div, Eq, Ge, Gt, Le, Lt, Mod, Mul, Ne, Or, Pow, Sub};
    match op {
        Add => Some(left + right),
        Sub => Some(left - right),
        Mul => Some(left * right),
        Div => Some(left / right),
        Pow => Some(left.powf(right)),
        Mod | Lt | Le | Gt | Ge | Eq | Ne | And | Or => None,
    }
}

/// A number, truth or list as it is written.
fn value(tree: &ast::Expr) -> Option<Given> {
    match &tree.kind {
        ast::ExprKind::Number(value, _) => Some(Given::Number(*value)),
        ast::ExprKind::Unary(ast::UnaryOp::Neg, inner) => match value(inner)? {
            Given::Number(value) => Some(Given::Number(-value)),
            Given::Truth(_) | Given::List(_) => None,
        },
        ast::ExprKind::Paren(inner) => value(inner),
        ast::ExprKind::Binary(op, left, right) => match (value(left)?, value(right)?) {
            (Given::Number(left), Given::Number(right)) => {
                arithmetic(*op, left, right).map(Given::Number)
            }
            _ => None,
        },
        ast::ExprKind::Ref(one) => match one.segments[0].name.text.as_str() {
            "true" => Some(Given::Truth(true)),
            "false" => Some(Given::Truth(false)),
            _ => None,
        },
        ast::ExprKind::List(items) => {
            let number = |item: &ast::Arg| match value(&item.value)? {
                Given::Number(value) => Some(value),
                Given::Truth(_) | Given::List(_) => None,
            };
            items.iter().map(number).collect::<Option<Vec<f64>>>().map(Given::List)
        }
        ast::ExprKind::Text(_)
        | ast::ExprKind::Pipe(..)
        | ast::ExprKind::If(..)
        | ast::ExprKind::For(..)
        | ast::ExprKind::Unary(ast::UnaryOp::Not, _)
        | ast::ExprKind::Reduce(..)
        | ast::ExprKind::Prev(_) => None,
    }
}

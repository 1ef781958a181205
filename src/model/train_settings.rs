//! Settings of a training block that are none: what was meant instead.
//!
//! In: a block with such a setting. Out: its message. Invariant: the arguments of optimisers are those
//! of std.optim, as they are written there.

use std::sync::LazyLock;

use super::library::STD;
use super::train::{SETTINGS, call};
use super::train_errors as errors;
use crate::diag::{Diagnostic, Diagnostics, Edit, nearest};
use crate::source::{Source, Sources, Span};
use crate::syntax::{self, ast};

/// Names by which people look for the learning rate.
const RATES: &[&str] = &["learning_rate", "rate", "alpha", "step_size"];

/// Names that other libraries have for an argument.
const ALIASES: &[(&str, &str)] =
    &[("epsilon", "eps"), ("weight_decay", "decay"), ("beta_1", "beta1"), ("beta_2", "beta2")];

/// Names that other libraries have for a setting.
const SETTING_ALIASES: &[(&str, &str)] =
    &[("optimiser", "optimizer"), ("batch_size", "batch"), ("epochs", "steps")];

/// The message about a setting that does not exist, in a block with that `optimizer`.
pub(super) fn unknown(optimizer: Option<&ast::Setting>, setting: &ast::Setting) -> Diagnostic {
    let name = setting.name.text.as_str();
    let lower = name.to_lowercase();
    let known = &*OPTIMISERS;
    let own = optimizer.and_then(|own| call(&own.value.value)).map(|(name, _)| name.text.as_str());
    let argument = argument(&lower, own, known);
    let belongs = argument.as_deref().and_then(|argument| {
        let has = |(_, args): &&(String, Vec<String>)| args.iter().any(|arg| arg == argument);
        let all = known.iter().filter(has);
        let (optimiser, _) = all.min_by_key(|(optimiser, _)| {
            (own != Some(optimiser.as_str()), optimiser.as_str() != "rmsprop")
        })?;
        let value = spelling(&setting.value.value);
        Some(match argument {
            "lr" => (optimiser, format!("{optimiser}(lr = {value})")),
            _ => (optimiser, format!("{optimiser}(lr = 1e-4, {argument} = {value})")),
        })
    });
    let alias = SETTING_ALIASES.iter().find(|(wrong, _)| *wrong == lower).map(|(_, right)| *right);
    let near = alias.or_else(|| nearest(name, SETTINGS.iter().map(|row| row.name)));
    let text = belongs.as_ref().map(|(_, text)| text.as_str());
    let one = errors::unknown_setting(setting.name.span, name, near, text);
    let fits = belongs.as_ref().is_some_and(|(optimiser, _)| own == Some(optimiser.as_str()));
    let moved =
        argument.filter(|_| fits).and_then(|argument| moved(optimizer?, setting, &argument));
    one.edits(moved.into_iter().flatten())
}

/// What a value of the wrong kind at a place surely stands for: a limit alone, the name of an optimiser
/// alone, a learning rate without its name.
pub(super) fn instead(setting: &ast::Setting, place: Span) -> Option<Edit> {
    let value = &setting.value.value;
    match (setting.name.text.as_str(), &value.kind) {
        ("clip", ast::ExprKind::Number(..)) => {
            Some(Edit::new(value.span, format!("value({})", spelling(value))))
        }
        ("optimizer", ast::ExprKind::Text(name)) => {
            let name = name.trim_matches('"').to_lowercase();
            let known = OPTIMISERS.iter().any(|(own, _)| *own == name);
            known.then(|| Edit::new(value.span, format!("{name}(lr = 1e-3)")))
        }
        ("optimizer", _) => {
            let (_, args) = call(value)?;
            let [only] = args else { return None };
            let number = only.name.is_none() && only.span == place;
            number.then(|| Edit::new(place.before(), "lr = "))
        }
        _ => None,
    }
}

/// The argument of an optimiser that a name stands for: by its own name, by that of another library,
/// or nearly so.
fn argument(name: &str, own: Option<&str>, known: &[(String, Vec<String>)]) -> Option<String> {
    if RATES.contains(&name) {
        return Some("lr".to_owned());
    }
    let alias = ALIASES.iter().find(|(wrong, _)| *wrong == name).map(|(_, right)| *right);
    let name = alias.unwrap_or(name);
    let all = || known.iter().flat_map(|(_, args)| args.iter().map(String::as_str));
    if all().any(|arg| arg == name) {
        return Some(name.to_owned());
    }
    if nearest(name, SETTINGS.iter().map(|row| row.name)).is_some() {
        return None;
    }
    let (_, args) = known.iter().find(|(optimiser, _)| Some(optimiser.as_str()) == own)?;
    nearest(name, args.iter().map(String::as_str)).map(str::to_owned)
}

/// The optimisers of std with the arguments that may be given to them.
static OPTIMISERS: LazyLock<Vec<(String, Vec<String>)>> = LazyLock::new(optimisers);

fn optimisers() -> Vec<(String, Vec<String>)> {
    let Some((module, text)) = STD.iter().find(|(module, _)| module == "std.optim") else {
        return Vec::new();
    };
    let mut sources = Sources::default();
    let file = sources.add(Source::new(module.as_str(), *text));
    let Some(tree) = syntax::parse(&sources, file, &mut Diagnostics::default()) else {
        return Vec::new();
    };
    let named =
        |param: &ast::Param| param.slot.value.as_ref().map(|_| param.slot.name.text.clone());
    tree.items
        .iter()
        .filter_map(|item| match item {
            ast::Item::Def(def) => Some(def),
            ast::Item::Model(_) | ast::Item::Train(_) => None,
        })
        .map(|def| (def.name.text.clone(), def.params.iter().filter_map(named).collect()))
        .collect()
}

/// A setting made an argument of the block's optimiser.
fn moved(optimizer: &ast::Setting, setting: &ast::Setting, argument: &str) -> Option<Vec<Edit>> {
    let (_, args) = call(&optimizer.value.value)?;
    let removed = Edit::new(setting.span, "");
    let named = |arg: &&ast::Arg| arg.name.as_ref().is_some_and(|name| name.text == argument);
    if args.iter().any(|arg| named(&arg)) {
        return Some(vec![removed]);
    }
    let last = args.last()?;
    let text = format!(", {argument} = {}", spelling(&setting.value.value));
    Some(vec![Edit::new(last.span.after(), text), removed])
}

/// A number as its author spelled it; anything else as a common value.
fn spelling(expr: &ast::Expr) -> &str {
    if let ast::ExprKind::Number(_, text) = &expr.kind { text } else { "1e-4" }
}

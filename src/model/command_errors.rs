//! What can be wrong with `--train`, `--task` and `--set`.

use std::collections::BTreeSet;

use crate::diag::Diagnostic;
use crate::source::Span;

use super::Place;

fn new(code: &'static str, message: String, span: Span, label: String) -> Diagnostic {
    Diagnostic::new(code, message, span, label)
}

pub(crate) fn bad_override(span: Span) -> Diagnostic {
    new("E0617", "an override is written PATH=VALUE".to_owned(), span, "no `=` here".to_owned())
        .help("for example `--set N=32` or `--set train.batch=8`")
}

pub(crate) fn nothing_to_set(
    span: Span,
    name: &str,
    known: &str,
    nearest: Option<&str>,
) -> Diagnostic {
    let one = new("E0601", format!("nothing named `{name}` to set"), span, "unknown".to_owned());
    match nearest {
        Some(near) => one
            .did_you_mean(Some(near))
            .help(format!("this model has {known}; did you mean `{near}`?")),
        None => one.help(format!("this model has {known}")),
    }
}

pub(crate) fn set_wrong_kind(place: Place, name: &str, wanted: &str) -> Diagnostic {
    let message = format!("`{name}` is {wanted}, this is not");
    let one = new("E0602", message, place.value, "wrong kind".to_owned());
    named(one, place, format!("`{name}` is {wanted}"))
        .help(format!("give {}", wanted.trim_start_matches("a dim, ")))
}

/// With a label on the name, where one stands beside the value.
fn named(one: Diagnostic, place: Place, text: String) -> Diagnostic {
    if place.name == place.value { one } else { one.label(place.name, text) }
}

/// A number in place of an emission that its domain does not allow; `why` says what is the matter.
pub(crate) fn set_outside(
    place: Place,
    path: &str,
    domain: &str,
    why: &str,
    declared: Span,
) -> Diagnostic {
    let message = format!("`{path}` must lie in {domain}, {why}");
    new("E0401", message, place.value, "outside".to_owned())
        .label(declared, "what it stands for is declared here".to_owned())
        .help(format!("give a value inside {domain}"))
}

pub(crate) fn no_such_member(
    span: Span,
    family: &str,
    member: i64,
    (low, high): (i64, i64),
) -> Diagnostic {
    let message = format!("`{family}` has no member {member}");
    let label = format!("its members are {low} to {high}");
    new("E0601", message, span, label).help(format!("give one of them: `{family}[{low}]`"))
}

/// An override that names more than one thing.
pub(crate) fn names_several(span: Span, path: &str, places: &BTreeSet<String>) -> Diagnostic {
    let listed: Vec<String> = places.iter().map(|place| format!("`{place}`")).collect();
    let message = format!("`{path}` names {} emissions: {}", places.len(), listed.join(", "));
    let help = "name one of them, each with a `--set` of its own".to_owned();
    new("E0618", message, span, "which one?".to_owned()).help(help)
}

pub(crate) fn length_of_a_list(
    place: Place,
    length: &str,
    list: &str,
    entries: &[i64],
) -> Diagnostic {
    let all: Vec<String> = entries.iter().map(i64::to_string).collect();
    let message = format!("`{length}` is the length of `{list}`, which has {}", entries.len());
    let one = new("E0602", message, place.value, "another length".to_owned());
    named(one, place, format!("the length of `{list}`")).help(format!(
        "set the list instead: `--set '{list}=[{}, ..]'`, one entry for each",
        all.join(", ")
    ))
}

pub(crate) fn unknown_model(
    span: Span,
    name: &str,
    known: &[&str],
    nearest: Option<&str>,
) -> Diagnostic {
    let one = new("E0612", format!("no model `{name}` in this file"), span, "unknown".to_owned());
    one.help(listed("models", known)).did_you_mean(nearest)
}

/// What there is of a kind of thing in a file.
fn listed(what: &str, known: &[&str]) -> String {
    match known {
        [] => format!("the file has no named {what}"),
        _ => format!("the file has {}", known.join(", ")),
    }
}

pub(crate) fn no_model(span: Span) -> Diagnostic {
    new("E0612", "the file has no model".to_owned(), span, "nothing to run".to_owned())
        .help("add `model name(x[X]) -> y[Y] { ... }`")
}

pub(crate) fn unknown_train(
    span: Span,
    name: &str,
    known: &[&str],
    nearest: Option<&str>,
) -> Diagnostic {
    let one = new("E0613", format!("no train block `{name}`"), span, "unknown".to_owned());
    one.help(listed("train blocks", known)).did_you_mean(nearest)
}

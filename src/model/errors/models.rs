//! Whole models: sizes, tasks, optimisers, what is too large.

use crate::diag::Diagnostic;
use crate::source::Span;

use super::new;

pub(in crate::model) fn output_does_not_fit(
    span: Span,
    wanted: &str,
    found: &str,
    task: Span,
) -> Diagnostic {
    new(
        "E0603",
        format!("the task wants {wanted}, the model defines {found}"),
        span,
        "the model's result".to_owned(),
    )
    .label(task, format!("this task wants {wanted}"))
    .help("leave the domain of the result to the task")
}

pub(in crate::model) fn port_size(
    span: Span,
    port: &str,
    (wanted, task): (u32, Span),
    found: u32,
) -> Diagnostic {
    new(
        "E0603",
        format!("the task wants {port} of {wanted} numbers, the model defines {found}"),
        span,
        if found == 1 { "1 number".to_owned() } else { format!("{found} numbers") },
    )
    .label(task, format!("this task wants {wanted}"))
    .help("leave the size to the task: a dim of the signature that has no default")
}

pub(in crate::model) fn requirement_failed(
    span: Span,
    text: &str,
    fact: &str,
    call: Option<Span>,
) -> Diagnostic {
    let one = new("E0604", text.to_owned(), span, format!("{fact} is false"));
    match call {
        Some(call) => one.label(call, "for this call"),
        None => one,
    }
    .help("change the sizes, or the argument")
}

pub(in crate::model) fn size_unknown(span: Span, dim: &str) -> Diagnostic {
    new(
        "E0610",
        format!("the size {dim} is not known"),
        span,
        "neither a default nor a task binds it".to_owned(),
    )
    .help(format!("give it: `--set {dim}=8`, a default `{dim} = 8`, or a `train` block"))
    .edit(span.after(), " = 8")
}

pub(in crate::model) fn size_not_positive(span: Span, dim: &str, value: i64) -> Diagnostic {
    new(
        "E0611",
        format!("{dim} is {value}, and a size is at least 1"),
        span,
        "too small".to_owned(),
    )
    .help("choose a larger size")
}

pub(in crate::model) fn too_large(span: Span, what: &str, size: &str) -> Diagnostic {
    new("E0690", format!("{what} is too large: {size}"), span, "beyond the limit".to_owned())
        .help("choose smaller sizes")
}

pub(in crate::model) fn no_loss(span: Span, domain: &str) -> Diagnostic {
    new(
        "E0614",
        format!("no loss in std for an output in {domain}"),
        span,
        "the model's result".to_owned(),
    )
    .help("leave the domain of the result to the task")
}

pub(in crate::model) fn unknown_optimiser(
    span: Span,
    name: &str,
    known: &str,
    nearest: Option<&str>,
) -> Diagnostic {
    new("E0615", format!("no optimizer `{name}`"), span, "unknown".to_owned())
        .help(format!("std.optim has {known}"))
        .did_you_mean(nearest)
}

pub(in crate::model) fn task_inputs(span: Span, model: &str) -> Diagnostic {
    new(
        "E0616",
        format!("`{model}` cannot train: a task gives one vector in and wants one vector out"),
        span,
        "the model's signature".to_owned(),
    )
    .help("write `model name(x[X]) -> y[Y]`")
}

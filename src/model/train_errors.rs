//! Everything that can be wrong with a `train` block.

use crate::diag::Diagnostic;
use crate::source::Span;

/// E0605: a setting that does not exist. `optimiser` is the call to which it could belong.
#[must_use]
pub fn unknown_setting(
    span: Span,
    name: &str,
    nearest: Option<&str>,
    belongs_to_optimiser: Option<&str>,
) -> Diagnostic {
    let wrong =
        Diagnostic::new("E0605", format!("no setting `{name}`"), span, "not a setting of `train`");
    match (belongs_to_optimiser, nearest) {
        (Some(text), _) => wrong.help(format!("it belongs to the optimizer: `{text}`")),
        (None, Some(near)) => wrong.help(format!("did you mean `{near}`?")),
        (None, None) => wrong.help("the settings are `optimizer`, `clip`, `batch`, `steps`, `schedule`, `freeze`, `evaluate_every`, `episodes`"),
    }
}

/// E0607: a setting given twice.
#[must_use]
pub fn duplicate_setting(span: Span, name: &str, first: Span) -> Diagnostic {
    Diagnostic::new("E0607", format!("`{name}` is set twice"), span, "and again here")
        .label(first, "set here")
        .help("remove one of them")
}

/// E0607: a value of the wrong kind.
#[must_use]
pub fn wrong_value(span: Span, name: &str, takes: &str, example: &str) -> Diagnostic {
    Diagnostic::new("E0607", format!("`{name}` takes {takes}"), span, "this is something else")
        .help(format!("for example `{example}`"))
}

/// E0607: a number outside the range of its setting.
#[must_use]
pub fn out_of_range(span: Span, name: &str, must: &str, value: f64) -> Diagnostic {
    Diagnostic::new("E0607", format!("`{name}` must be {must}"), span, format!("this is {value}"))
}

/// E0607: a list of steps that does not fit the list of tasks.
#[must_use]
pub fn steps_and_tasks(span: Span, steps: usize, tasks: usize, at_tasks: Span) -> Diagnostic {
    let message = format!(
        "{} for {}",
        count(steps, "number of steps", "numbers of steps"),
        count(tasks, "task", "tasks")
    );
    Diagnostic::new("E0607", message, span, "one number a task")
        .label(at_tasks, count(tasks, "task here", "tasks here"))
        .help("give one number for each task, or one number that is shared equally")
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// E0607: a list of tasks without a task.
#[must_use]
pub fn no_tasks(span: Span) -> Diagnostic {
    Diagnostic::new("E0607", "the list of tasks is empty", span, "nothing to train on")
        .help("for example `copy(bits = 8, length = 1..20)`")
}

/// E0607: `freeze` names no parameter of the model.
#[must_use]
pub fn unknown_param(span: Span, name: &str, nearest: Option<&str>) -> Diagnostic {
    let wrong = Diagnostic::new("E0607", format!("no parameter `{name}` to freeze"), span, "");
    match nearest {
        Some(near) => wrong.help(format!("did you mean `{near}`?")),
        None => wrong,
    }
}

/// E0608: a setting that must be given.
#[must_use]
pub fn missing_setting(span: Span, name: &str, example: &str) -> Diagnostic {
    Diagnostic::new("E0608", format!("`train` has no `{name}`"), span, "in this block")
        .help(format!("for example `{example}`"))
}

/// E0609: something that is not the call of a task.
#[must_use]
pub fn not_a_call(span: Span, what: &str, example: &str) -> Diagnostic {
    Diagnostic::new("E0609", format!("{what} is written as a call"), span, "this is something else")
        .help(format!("for example `{example}`"))
}

/// E0609: an unknown task or a wrong argument, as the task room words it.
#[must_use]
pub fn task(span: Span, message: &str, help: Option<&str>) -> Diagnostic {
    let wrong = Diagnostic::new("E0609", message, span, "");
    match help {
        Some(help) => wrong.help(help),
        None => wrong,
    }
}

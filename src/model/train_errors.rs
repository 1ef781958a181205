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
        (None, Some(near)) => wrong.did_you_mean(Some(near)),
        (None, None) => wrong.help("the settings are `optimizer`, `clip`, `clip_backward`, `batch`, `steps`, `schedule`, `freeze`, `evaluate_every`, `episodes`"),
    }
}

/// E0607: a setting given twice; `whole` is the second with its value.
#[must_use]
pub fn duplicate_setting(span: Span, name: &str, first: Span, whole: Span) -> Diagnostic {
    Diagnostic::new("E0607", format!("`{name}` is set twice"), span, "and again here")
        .label(first, "set here")
        .help("remove one of them")
        .edit(whole, "")
}

/// E0607: a value of the wrong kind.
#[must_use]
pub fn wrong_value(span: Span, name: &str, takes: &str, example: &str) -> Diagnostic {
    Diagnostic::new("E0607", format!("`{name}` takes {takes}"), span, "this is something else")
        .help(format!("for example `{example}`"))
}

/// E0607: a number outside the range of its setting.
#[must_use]
pub fn out_of_range(span: Span, name: &str, must: &str, value: f64, example: &str) -> Diagnostic {
    let one = Diagnostic::new(
        "E0607",
        format!("`{name}` must be {must}"),
        span,
        format!("this is {value}"),
    )
    .help(format!("for example `{example}`"));
    // A plain number takes the place of another; what is inside a call has its own range.
    let number = example.split_once(" = ").map(|(_, number)| number);
    match number.filter(|number| number.chars().all(|c| c.is_ascii_digit() || c == '_')) {
        Some(number) => one.edit(span, number),
        None => one,
    }
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
    let message = format!("no parameter `{name}` to freeze");
    Diagnostic::new("E0607", message, span, "not in this model").did_you_mean(nearest)
}

/// E0607: `clip_backward` names no value of the model.
#[must_use]
pub fn unknown_value(span: Span, name: &str, nearest: Option<&str>) -> Diagnostic {
    let message = format!("no value `{name}` whose gradient could be clipped");
    Diagnostic::new("E0607", message, span, "not in this model").did_you_mean(nearest)
}

/// E0608: a setting that must be given; `place` is where it may stand, and whether others follow.
#[must_use]
pub fn missing_setting(
    span: Span,
    name: &str,
    example: &str,
    (place, others): (Span, bool),
) -> Diagnostic {
    let text = if others { format!("{example}\n  ") } else { format!("\n  {example}\n") };
    Diagnostic::new("E0608", format!("`train` has no `{name}`"), span, "in this block")
        .help(format!("for example `{example}`"))
        .edit(place, text)
}

/// E0609: something that is not the call of a task.
#[must_use]
pub fn not_a_call(span: Span, what: &str, example: &str) -> Diagnostic {
    Diagnostic::new("E0609", format!("{what} is written as a call"), span, "this is something else")
        .help(format!("for example `{example}`"))
}

/// E0609: an argument of a task without its name.
#[must_use]
pub fn unnamed_argument(span: Span, example: &str) -> Diagnostic {
    Diagnostic::new("E0609", "an argument of a task has a name", span, "no name here")
        .help(format!("for example `{example}`"))
}

/// E0609: an unknown task or a wrong argument, as the task room words it; `instead` of what is there.
#[must_use]
pub fn task(span: Span, message: &str, help: Option<&str>, instead: Option<&str>) -> Diagnostic {
    let wrong = Diagnostic::new("E0609", message, span, "in this task");
    let wrong = match help {
        Some(help) => wrong.help(help),
        None => wrong,
    };
    match instead {
        Some(text) => wrong.edit(span, text),
        None => wrong,
    }
}

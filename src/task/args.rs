//! Arguments of tasks: what was written, checked against what the task takes.

use super::{Disagreement, Kind, Param, TASKS, Task};
use crate::diag::nearest;
use crate::model::train::{ArgValue, TaskArg};

/// A checked argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// One whole number.
    Whole(u32),
    /// Both ends included.
    Range(u32, u32),
    /// A word.
    Word(&'static str),
}

impl Value {
    /// The number; the lower end of a range; 0 of a word.
    #[must_use]
    pub fn low(self) -> u32 {
        match self {
            Value::Whole(value) | Value::Range(value, _) => value,
            Value::Word(_) => 0,
        }
    }

    /// The number; the upper end of a range; 0 of a word.
    #[must_use]
    pub fn high(self) -> u32 {
        match self {
            Value::Whole(value) | Value::Range(_, value) => value,
            Value::Word(_) => 0,
        }
    }

    /// The word; empty of a number.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Value::Whole(_) | Value::Range(..) => "",
            Value::Word(word) => word,
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Whole(value) => write!(out, "{value}"),
            Value::Range(low, high) if low == high => write!(out, "{low}"),
            Value::Range(low, high) => write!(out, "{low}..{high}"),
            Value::Word(word) => out.write_str(word),
        }
    }
}

/// What kind of mistake a call makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The call is wrong.
    Wrong,
    /// The call makes sense, but is larger than we run.
    Limit,
}

/// Why a call cannot be used; the caller knows where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Whether it is wrong or too large.
    pub kind: ErrorKind,
    /// Which argument, by its position in the call; `None`: the task itself.
    pub argument: Option<usize>,
    /// One sentence, as in a diagnostic.
    pub message: String,
    /// One action.
    pub help: Option<String>,
    /// Whether the name alone is meant, of the argument or the task.
    pub at_name: bool,
    /// What should stand there instead.
    pub instead: Option<String>,
}

impl Error {
    fn wrong(argument: Option<usize>, message: String, help: Option<String>) -> Error {
        Error { kind: ErrorKind::Wrong, argument, message, help, at_name: false, instead: None }
    }

    /// A name that is not known.
    fn unknown(
        argument: Option<usize>,
        message: String,
        near: Option<&str>,
        otherwise: String,
    ) -> Error {
        let help = near.map_or(otherwise, |near| format!("did you mean `{near}`?"));
        let instead = near.map(str::to_owned);
        Error { at_name: true, instead, ..Error::wrong(argument, message, Some(help)) }
    }

    /// With what should stand in place of the argument.
    fn instead(self, text: String) -> Error {
        Error { help: Some(format!("write `{text}`")), instead: Some(text), ..self }
    }

    pub(super) fn limit(message: String) -> Error {
        Error { kind: ErrorKind::Limit, ..Error::wrong(None, message, None) }
    }

    /// Marks the argument that is to change, or the task where it is left to its default.
    pub(super) fn disagreement(task: &Task, args: &[TaskArg], found: &Disagreement) -> Error {
        let name = task.params[found.param].name;
        let at = args.iter().position(|arg| arg.name == name);
        let text = format!("{name} = {}", found.instead);
        let wrong = Error::wrong(at, found.message.clone(), Some(format!("write `{text}`")));
        // Without an argument to replace, the text would take the place of the whole call.
        Error { instead: at.is_some().then_some(text), ..wrong }
    }

    pub(super) fn unknown_task(name: &str) -> Error {
        let names = TASKS.iter().map(|task| task.name);
        let near = nearest(name, names.clone());
        let all = format!("the tasks are {}", list(names));
        Error::unknown(None, format!("no task `{name}`"), near, all)
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// One value a parameter, defaults where none is given.
pub(super) fn check(task: &Task, args: &[TaskArg]) -> Result<Vec<Value>, Error> {
    let mut given: Vec<Option<Value>> = vec![None; task.params.len()];
    for (at, arg) in args.iter().enumerate() {
        let Some(slot) = task.params.iter().position(|param| param.name == arg.name) else {
            return Err(unknown_argument(task, at, &arg.name));
        };
        if given[slot].is_some() {
            let message = format!("`{}` is given twice", arg.name);
            return Err(Error::wrong(Some(at), message, None));
        }
        given[slot] = Some(value(&task.params[slot], at, &arg.value)?);
    }
    let defaults = task.params.iter().map(|param| param.default);
    Ok(given.into_iter().zip(defaults).map(|(given, default)| given.unwrap_or(default)).collect())
}

fn unknown_argument(task: &Task, at: usize, name: &str) -> Error {
    let names = task.params.iter().map(|param| param.name);
    let near = nearest(name, names.clone());
    let all = format!("`{}` takes {}", task.name, list(names));
    let message = format!("`{}` has no argument `{name}`", task.name);
    Error::unknown(Some(at), message, near, all)
}

fn value(param: &Param, at: usize, written: &ArgValue) -> Result<Value, Error> {
    let mismatch = |takes: &str| {
        let message = format!("`{}` takes {takes}, this is {}", param.name, written.describe());
        Error::wrong(Some(at), message, None).instead(format!("{} = {}", param.name, param.default))
    };
    match param.kind {
        Kind::Whole { least, most } => match written {
            ArgValue::Number(number) => Ok(Value::Whole(whole(param, at, *number, least, most)?)),
            ArgValue::Range(..) | ArgValue::Word(_) | ArgValue::Text(_) | ArgValue::List(_) => {
                Err(mismatch("a whole number"))
            }
        },
        Kind::Range { least, most } => {
            let (low, high) = match written {
                ArgValue::Number(number) => (*number, *number),
                ArgValue::Range(low, high) => (*low, *high),
                ArgValue::Word(_) | ArgValue::Text(_) | ArgValue::List(_) => {
                    return Err(mismatch("a range of whole numbers"));
                }
            };
            let low = whole(param, at, low, least, most)?;
            let high = whole(param, at, high, least, most)?;
            if low > high {
                let message = format!("the range `{low}..{high}` of `{}` is empty", param.name);
                let wrong = Error::wrong(Some(at), message, None);
                return Err(wrong.instead(format!("{} = {high}..{low}", param.name)));
            }
            Ok(Value::Range(low, high))
        }
        Kind::Word { of } => match written {
            ArgValue::Word(word) => match of.iter().find(|known| *known == word) {
                Some(known) => Ok(Value::Word(known)),
                None => {
                    let near = nearest(word, of.iter().copied());
                    let message = format!("`{}` is {}, not `{word}`", param.name, choice(of));
                    let wrong = Error::wrong(Some(at), message, None);
                    let likely = near.unwrap_or(of[0]);
                    Err(wrong.instead(format!("{} = {likely}", param.name)))
                }
            },
            ArgValue::Number(_) | ArgValue::Range(..) | ArgValue::Text(_) | ArgValue::List(_) => {
                Err(mismatch(&choice(of)))
            }
        },
    }
}

/// Words to choose from.
fn choice(of: &[&str]) -> String {
    of.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ")
}

fn whole(param: &Param, at: usize, number: f64, least: u32, most: u32) -> Result<u32, Error> {
    let wrong = |message| Err(Error::wrong(Some(at), message, None));
    if number.fract() != 0.0 || !number.is_finite() {
        return wrong(format!("`{}` is a whole number, {number} is not", param.name));
    }
    if number < f64::from(least) {
        let message = format!("`{}` is at least {least}, this is {number}", param.name);
        let one = Error::wrong(Some(at), message, None);
        // Both ends of a range are checked here: only a single number has an obvious neighbour.
        return Err(match param.kind {
            Kind::Whole { .. } => one.instead(format!("{} = {least}", param.name)),
            Kind::Range { .. } | Kind::Word { .. } => one,
        });
    }
    if number > f64::from(most) {
        return Err(Error {
            kind: ErrorKind::Limit,
            ..Error::wrong(
                Some(at),
                format!("`{}` is at most {most} here, this is {number}", param.name),
                None,
            )
        });
    }
    Ok(number as u32)
}

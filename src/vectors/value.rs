//! Values that a map computes with: numbers, switches, texts, lists, and records out of metadata.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// A value of a map's arithmetic.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// A real number.
    Real(f64),
    /// A switch.
    Truth(bool),
    /// A text.
    Text(String),
    /// Several, in order.
    List(Vec<Value>),
    /// Several, by name.
    Record(BTreeMap<String, Value>),
}

/// The longest list a map may make.
const LONGEST: i64 = 1 << 20;

impl Value {
    /// What a JSON value says; `null` is the empty text.
    #[must_use]
    pub fn from_json(json: &serde_json::Value) -> Value {
        use serde_json::Value as Json;
        match json {
            Json::Null => Value::Text(String::new()),
            Json::Bool(truth) => Value::Truth(*truth),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => Value::Int(whole),
                None => Value::Real(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(items) => Value::List(items.iter().map(Value::from_json).collect()),
            Json::Object(fields) => Value::Record(
                fields.iter().map(|(key, item)| (key.clone(), Value::from_json(item))).collect(),
            ),
        }
    }

    /// The number, whole or not.
    pub fn number(&self) -> Result<f64, String> {
        match self {
            Value::Int(whole) => Ok(*whole as f64),
            Value::Real(real) => Ok(*real),
            Value::Truth(_) | Value::Text(_) | Value::List(_) | Value::Record(_) => {
                Err(format!("{self} is not a number"))
            }
        }
    }

    /// The whole number.
    pub fn int(&self) -> Result<i64, String> {
        match self {
            Value::Int(whole) => Ok(*whole),
            Value::Real(_)
            | Value::Truth(_)
            | Value::Text(_)
            | Value::List(_)
            | Value::Record(_) => Err(format!("{self} is not a whole number")),
        }
    }

    /// The size or position.
    pub fn size(&self) -> Result<usize, String> {
        usize::try_from(self.int()?).map_err(|_| format!("{self} is negative"))
    }

    /// The switch.
    pub fn truth(&self) -> Result<bool, String> {
        match self {
            Value::Truth(truth) => Ok(*truth),
            Value::Int(_) | Value::Real(_) | Value::Text(_) | Value::List(_) | Value::Record(_) => {
                Err(format!("{self} is neither true nor false"))
            }
        }
    }

    /// The items of a list, or the letters of a text.
    pub fn items(&self) -> Result<Vec<Value>, String> {
        match self {
            Value::List(items) => Ok(items.clone()),
            Value::Text(text) => Ok(text.chars().map(|one| Value::Text(one.into())).collect()),
            Value::Int(_) | Value::Real(_) | Value::Truth(_) | Value::Record(_) => {
                Err(format!("{self} is not a list"))
            }
        }
    }

    /// The positions that a list holds; one number is a list of one.
    pub fn positions(&self) -> Result<Vec<usize>, String> {
        match self {
            Value::Int(_) => Ok(vec![self.size()?]),
            Value::List(items) => items.iter().map(Value::size).collect(),
            Value::Real(_) | Value::Truth(_) | Value::Text(_) | Value::Record(_) => {
                Err(format!("{self} is not a list of positions"))
            }
        }
    }

    /// `from..to`, the end left out, every `by`-th.
    pub fn range(from: i64, to: i64, by: i64) -> Result<Value, String> {
        if by < 1 || to.saturating_sub(from) > LONGEST {
            return Err(format!("no list from {from} to {to} by {by}"));
        }
        let count = if to > from { (to - from - 1) / by + 1 } else { 0 };
        Ok(Value::List((0..count).map(|at| Value::Int(from + at * by)).collect()))
    }

    /// Whether two are equal; numbers by their value.
    #[must_use]
    pub fn same(&self, other: &Value) -> bool {
        match (self.number(), other.number()) {
            (Ok(left), Ok(right)) => left == right,
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
            (Err(_), Err(_)) => self == other,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(whole) => write!(out, "{whole}"),
            Value::Real(real) => write!(out, "{real}"),
            Value::Truth(truth) => write!(out, "{truth}"),
            Value::Text(text) => out.write_str(text),
            Value::List(items) => {
                let items: Vec<String> = items.iter().map(Value::to_string).collect();
                write!(out, "[{}]", items.join(", "))
            }
            Value::Record(fields) => {
                let fields: Vec<String> =
                    fields.iter().map(|(key, item)| format!("{key}: {item}")).collect();
                write!(out, "{{{}}}", fields.join(", "))
            }
        }
    }
}

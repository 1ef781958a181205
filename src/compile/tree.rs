//! The tree of a spec for Graphviz.

use serde_json::Value;

use crate::syntax::ast;

/// Every node of the tree with its children; places are left out.
#[must_use]
pub fn tree_dot(file: &ast::File) -> String {
    let mut out = String::from("digraph tree {\n  node [shape=box];\n");
    let value = serde_json::to_value(file).unwrap_or(Value::Null);
    let mut count = 0;
    node("file", &value, &mut count, &mut out);
    out.push_str("}\n");
    out
}

/// Adds a node and everything below it; returns its number.
fn node(name: &str, value: &Value, count: &mut usize, out: &mut String) -> usize {
    let id = *count;
    *count += 1;
    let label = match value {
        Value::String(text) => format!("{name}: {text}"),
        Value::Number(number) => format!("{name}: {number}"),
        Value::Bool(truth) => format!("{name}: {truth}"),
        Value::Null | Value::Array(_) | Value::Object(_) => name.to_owned(),
    };
    let label = label.replace('\\', "\\\\").replace('"', "\\\"");
    out.push_str(&format!("  n{id} [label=\"{label}\"];\n"));
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, value)| !key.contains("span") && *key != "blanks" && !value.is_null())
            .map(|(key, value)| (key.clone(), value))
            .collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    for (name, value) in children {
        let child = node(&name, value, count, out);
        out.push_str(&format!("  n{id} -> n{child};\n"));
    }
    id
}

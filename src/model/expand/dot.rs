//! Which array reads which, for Graphviz.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::super::flat::{Array, At, Cond, Model, Term};

/// One node an array, one arrow a read; what is read a step later is dashed.
pub(super) fn dot(model: &Model) -> String {
    let mut out = String::from("digraph model {\n  node [shape=box];\n");
    let label = |path: &str, axes: &[super::Axis]| {
        let sizes: Vec<String> = axes.iter().map(|axis| axis.size.to_string()).collect();
        let sizes =
            if sizes.is_empty() { String::new() } else { format!("[{}]", sizes.join(", ")) };
        format!("{path}{sizes}").replace('\\', "\\\\").replace('"', "\\\"")
    };
    let mut node = |id: String, text: String, shape: &str| {
        out.push_str(&format!("  {id} [label=\"{text}\", shape={shape}];\n"));
    };
    for (at, one) in model.inputs.iter().enumerate() {
        node(format!("x{at}"), label(&one.path, &one.axes), "invhouse");
    }
    for (at, one) in model.params.iter().enumerate() {
        node(format!("p{at}"), label(&one.path, &one.axes), "ellipse");
    }
    for (at, one) in model.states.iter().enumerate() {
        node(format!("s{at}"), format!("prev {}", label(&one.path, &one.axes)), "cylinder");
    }
    for (at, one) in model.values.iter().enumerate() {
        node(format!("v{at}"), label(&one.path, &one.axes), "box");
    }
    for (at, value) in model.values.iter().enumerate() {
        let reads = RefCell::new(BTreeSet::new());
        collect(&value.right, &reads);
        for array in reads.into_inner() {
            let from = match array {
                Array::Input(at) => format!("x{at}"),
                Array::Param(at) => format!("p{at}"),
                Array::Prev(at) => format!("s{at}"),
                Array::Value(at) => format!("v{at}"),
            };
            out.push_str(&format!("  {from} -> v{at};\n"));
        }
    }
    for (at, state) in model.states.iter().enumerate() {
        out.push_str(&format!("  v{} -> s{at} [style=dashed];\n", state.next));
    }
    out.push_str("}\n");
    out
}

/// Every array that a term reads.
fn collect(term: &Term, into: &RefCell<BTreeSet<Array>>) {
    let at = |at: &At| match at {
        At::Linear(_) | At::Digit { .. } => {}
        At::Value(term) => collect(term, into),
    };
    let conds = |when: &[Cond]| when.iter().for_each(|cond| at(&cond.left));
    match term {
        Term::Real(_) | Term::Truth(_) | Term::Position(_) => {}
        Term::Read(array, all) => {
            into.borrow_mut().insert(*array);
            all.iter().for_each(at);
        }
        Term::Map(_, all) => all.iter().for_each(|one| collect(one, into)),
        Term::Fold { when, body, .. } => {
            conds(when);
            collect(body, into);
        }
        Term::Choose(arms) => {
            for (when, term) in arms {
                conds(when);
                collect(term, into);
            }
        }
        Term::Whole { body, at: places, .. } => {
            collect(body, into);
            places.iter().for_each(at);
        }
    }
}

//! Graphviz text of a graph, to be looked at.
//!
//! In: a graph. Out: one box a node, with its equation and path, and one arrow a read. Invariant: the
//! same graph gives the same bytes.

use std::fmt::Write;

use super::{Graph, NodeId};

/// The graph in the language of Graphviz. Nodes that the text form writes on one line are one box.
#[must_use]
pub fn dot(graph: &Graph) -> String {
    let lines = super::text::lines(graph);
    let mut text =
        String::from("digraph {\n  rankdir = LR\n  node [shape = box, fontname = monospace]\n");
    for line in &lines {
        let style = if line.adjoint { ", style = dashed" } else { "" };
        let _ = writeln!(text, "  n{} [label = {}{style}]", line.node.0, label(&line.text));
        for (port, (from, read)) in line.reads.iter().enumerate() {
            let (from, to) = (from.0, line.node.0);
            let _ = writeln!(
                text,
                "  n{from} -> n{to} [label = {}]",
                label(&format!("{port}: {read}"))
            );
        }
    }
    for (at, (path, read)) in graph.roots.iter().enumerate() {
        let _ = writeln!(text, "  r{at} [label = {}, shape = ellipse]", label(&path.0));
        let NodeId(node) = read.node;
        let _ = writeln!(text, "  n{node} -> r{at}");
    }
    text.push_str("}\n");
    text
}

fn label(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_line_is_a_box_and_every_read_an_arrow() {
        let text = "%x[i:4] = input 0 -- x\n%y[i:4] = 2 * %x[3 - i] + %x[i] -- y\ny[i:4] = %y[i]\n";
        let graph = crate::graph::text::parse(text).expect("a graph");
        let dot = super::dot(&graph);
        assert_eq!(dot.matches("shape = ellipse").count(), 1);
        assert!(dot.contains("n0 -> n3 [label = \"0: %x[3 - i]\"]"), "{dot}");
        assert!(dot.contains("n0 -> n3 [label = \"1: %x[i]\"]"), "{dot}");
    }
}

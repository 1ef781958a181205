//! Properties of graphs: what holds of every valid one, and what no broken one passes.

use ntmc::graph::{
    Affine, Cond, Graph, Index, NodeId, Op, Part, Path, Read, Rel, canonical, text, verify,
};
use proptest::prelude::*;

use crate::random_graph::random_graph;

fn checked(graph: &Graph) {
    if let Err(violation) = verify(graph) {
        panic!("{violation}\n{}", text::print(graph));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_graphs_verify_and_print_and_parse(seed: u64, equations in 0_usize..25) {
        let graph = random_graph(seed, equations);
        checked(&graph);
        let printed = text::print(&graph);
        let parsed = text::parse(&printed).unwrap_or_else(|error| panic!("{error}\n{printed}"));
        prop_assert!(parsed == graph, "{printed}\n---\n{}", text::print(&parsed));
        prop_assert_eq!(text::print(&parsed), printed);
    }

    #[test]
    fn canonical_order_is_final_and_verifies(seed: u64, equations in 0_usize..25) {
        let graph = canonical(random_graph(seed, equations));
        checked(&graph);
        prop_assert!(canonical(graph.clone()) == graph, "{}", text::print(&graph));
        let printed = text::print(&graph);
        prop_assert!(text::parse(&printed).unwrap() == graph, "{printed}");
    }

    #[test]
    fn graphs_survive_ron_and_json(seed: u64, equations in 0_usize..12) {
        let graph = random_graph(seed, equations);
        let json = serde_json::to_string(&graph).unwrap();
        prop_assert!(serde_json::from_str::<Graph>(&json).unwrap() == graph);
        let pretty = ron::ser::to_string_pretty(&graph, ron::ser::PrettyConfig::default()).unwrap();
        prop_assert!(ron::from_str::<Graph>(&pretty).unwrap() == graph);
    }

    #[test]
    fn no_text_makes_the_parser_panic(seed: u64, at in 0_usize..4000, put in ".{0,3}") {
        let mut printed = text::print(&random_graph(seed, 8));
        let mut at = at % printed.len();
        while !printed.is_char_boundary(at) { at -= 1; }
        printed.truncate(printed.len().min(at + 40));
        printed.insert_str(at, &put);
        let _ = text::parse(&printed);
        let _ = text::parse_program(&printed);
    }
}

/// A graph whose second walk goes another way than its first, with nothing to align between them.
#[test]
fn canonical_order_is_final_where_one_walk_is_not() {
    let graph = canonical(random_graph(12_930_283_306_976_145_166, 20));
    assert!(canonical(graph.clone()) == graph, "{}", text::print(&graph));
}

fn example(name: &str) -> Graph {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ir");
    text::parse(&std::fs::read_to_string(format!("{folder}/{name}.ir")).unwrap()).unwrap()
}

const EXAMPLES: &[&str] = &["shift", "allocation", "stack", "cat", "gather"];

/// Every change of one kind that can be made to the worked examples is refused.
fn refused(what: &str, change: impl Fn(&mut Vec<Part>, usize) -> bool) {
    let mut changed = 0;
    for name in EXAMPLES {
        let graph = example(name);
        for at in 0..graph.len() {
            let mut parts = graph.parts();
            if change(&mut parts, at) {
                changed += 1;
                let Ok(broken) = Graph::assemble(parts, graph.roots.clone()) else { continue };
                assert!(
                    verify(&broken).is_err(),
                    "{what}, node {at} of {name}\n{}",
                    text::print(&broken)
                );
            }
        }
    }
    assert!(changed > 0, "{what}: {changed}");
}

#[test]
fn a_read_outside_is_refused() {
    refused("moved read", |parts, at| {
        let indices = parts[at].operands.iter_mut().flat_map(|(_, operand)| &mut operand.access.0);
        let mut affine = indices.filter_map(|index| match index {
            Index::Affine(of) => Some(of),
            Index::Digit { .. } | Index::Value(_) => None,
        });
        affine.next().map(|of| of.offset += 1000).is_some()
    });
}

#[test]
fn a_digit_beyond_its_axis_is_refused() {
    let text = "%x[i:4] = input 0\n%y[i:7] = exp(%x[i mod 4])\n";
    let mut parts = text::parse(text).unwrap().parts();
    parts[1].operands[0].1.access.0[0] =
        Index::Digit { of: Affine::axis(ntmc::graph::Axis(0)), step: 1, radix: 5 };
    assert!(verify(&Graph::assemble(parts, Vec::new()).unwrap()).is_err());
}

#[test]
fn a_missing_operand_is_refused() {
    refused("missing operand", |parts, at| parts[at].operands.pop().is_some());
}

#[test]
fn a_surplus_operand_is_refused() {
    refused("surplus operand", |parts, at| {
        let Some((from, mut operand)) = parts[at].operands.last().cloned() else { return false };
        operand.port.0 += 1;
        parts[at].operands.push((from, operand));
        true
    });
}

#[test]
fn a_repeated_port_is_refused() {
    refused("repeated port", |parts, at| {
        let two = parts[at].operands.len() > 1;
        if two {
            parts[at].operands[1].1.port.0 = 0;
        }
        two
    });
}

#[test]
fn an_operand_after_its_user_is_refused() {
    refused("late operand", |parts, at| {
        parts[at].operands.first_mut().map(|operand| operand.0 = NodeId(at as u32)).is_some()
    });
}

#[test]
fn overlapping_and_gaping_joins_are_refused() {
    let change = |to: Rel| {
        move |parts: &mut Vec<Part>, at: usize| {
            let join = parts[at].node.op == Op::Join;
            let cond =
                parts[at].operands.iter_mut().flat_map(|(_, operand)| &mut operand.when).next();
            cond.filter(|cond| join && cond.rel != to).map(|cond| cond.rel = to).is_some()
        }
    };
    refused("arm turned", change(Rel::Ge));
    refused("arm turned", change(Rel::Lt));
    refused("arm without conditions", |parts, at| {
        let join = parts[at].node.op == Op::Join;
        parts[at]
            .operands
            .first_mut()
            .filter(|_| join)
            .map(|operand| operand.1.when.clear())
            .is_some()
    });
}

#[test]
fn a_guarded_value_is_not_read_elsewhere() {
    let text = "%x[i:4] = input 0\n%y[i:4 | i >= 1] = exp(%x[i - 1])\n%z[i:3] = exp(%y[i + 1])\n";
    let graph = text::parse(text).unwrap();
    let mut parts = graph.parts();
    parts[2].operands[0].1.access.0[0] = Index::axis(0);
    assert!(verify(&Graph::assemble(parts, Vec::new()).unwrap()).is_err());
    let mut parts = graph.parts();
    parts[1].node.space.when.push(Cond {
        left: Index::axis(0),
        rel: Rel::Lt,
        right: Affine::constant(3),
    });
    assert!(verify(&Graph::assemble(parts, Vec::new()).unwrap()).is_err());
}

#[test]
fn equal_nodes_are_refused() {
    refused("equal node", |parts, at| {
        let copy = parts[at].clone();
        parts.push(copy);
        true
    });
}

#[test]
fn roots_are_checked() {
    let graph = text::parse("%x[i:4] = input 0\n%y[i:4] = exp(%x[i])\na[i:4] = %y[i]\n").unwrap();
    let with = |roots: Vec<(Path, Read)>| verify(&Graph::assemble(graph.parts(), roots).unwrap());
    let root = graph.roots[0].clone();
    assert!(with(vec![root.clone()]).is_ok());
    assert!(with(vec![root.clone(), root.clone()]).is_err(), "twice");
    let mut long = root.clone();
    long.1.sizes[0] = 5;
    assert!(with(vec![long]).is_err(), "outside");
    let mut absent = root;
    absent.1.node = NodeId(9);
    assert!(with(vec![absent]).is_err(), "absent");
}

#[test]
fn types_are_checked() {
    refused("truth value", |parts, at| {
        let real = parts[at].node.ty != ntmc::graph::Type::Bool;
        parts[at].node.ty = ntmc::graph::Type::Bool;
        real && !matches!(
            parts[at].node.op,
            Op::Leaf(ntmc::graph::Leaf::Input(_) | ntmc::graph::Leaf::Prev(_))
        )
    });
    refused("claimed permutation", |parts, at| {
        let real = parts[at].node.ty == ntmc::graph::Type::Real;
        parts[at].node.ty = ntmc::graph::Type::Index { below: 9, permutation: true };
        real
    });
}

#[test]
fn random_graphs_use_every_way_of_writing() {
    let all: String = (0..300).map(|seed| text::print(&random_graph(seed, 12))).collect();
    let parts = [
        " where @",
        "join {",
        "recur[",
        "argsort",
        "top(",
        " = axis ",
        "| j < ",
        " mod ",
        " div ",
        "[%",
        "sum[",
        "select(",
        "true",
        " | ",
        ") * ",
        "permutation(",
    ];
    for part in parts {
        assert!(all.contains(part), "no `{part}`");
    }
}

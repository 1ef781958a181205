//! Every shipped spec at every graph stage: its text is the program, and nothing about it is chance.

use std::path::{Path, PathBuf};

use ntmc::compile::{Choices, Format, Purpose, Spec, Stage, ir, program, show};
use ntmc::graph::{Graph, Program, canonical, text, verify};
use ntmc::model::library::StdOnly;
use ntmc::model::{Loss, Ports};

use crate::support::{root, source};

const STAGES: [Stage; 3] = [Stage::Step, Stage::Adjoint, Stage::Opt];

/// Sizes that a spec leaves open, and smaller ones.
const SIZES: &[(&str, &[&str])] = &[
    ("dnc-csordas", &["X=6", "Y=5", "N=9", "W=4", "H=[7]", "R=2"]),
    ("dnc-deepmind", &["X=6", "Y=5", "N=9", "W=4", "K=1", "H=7", "R=2", "limit=20"]),
    ("dnc-ixaxaar", &["X=6", "Y=6", "N=9", "W=4", "H=7", "R=2", "P=2", "S=2"]),
    ("mann-snowkylin", &["X=6", "N=9", "W=4", "H=7", "R=2"]),
    ("ntm-collier", &["X=6", "Y=5", "N=9", "W=4", "K=2", "H=7", "R=2"]),
    ("ntm-loudinthecloud", &["X=6", "Y=5", "N=9", "W=4", "H=7", "K=2", "turn=[1, 2]"]),
    ("ntm-loudinthecloud-2017", &["X=6", "Y=5", "N=9", "W=4", "H=7"]),
    ("ntm-rs9000", &["X=6", "Y=5", "N=9", "W=4", "H=8", "O=7"]),
    ("sam-ixaxaar", &["X=6", "Y=6", "N=12", "W=4", "H=7", "K=3"]),
    ("ntm-vlgiitr", &["X=6", "Y=5", "N=9", "W=4", "H=7", "K=2", "turn=[1, 2]"]),
];

fn specs() -> Vec<PathBuf> {
    let mut list = Vec::new();
    for folder in ["specs", "specs/published", "specs/pieces"] {
        let files = std::fs::read_dir(root().join(folder)).unwrap();
        list.extend(files.map(|entry| entry.unwrap().path()));
    }
    list.retain(|path| path.extension().is_some_and(|end| end == "ntm"));
    list.sort();
    assert!(list.len() > 30);
    list
}

fn stem(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

/// A spec, what is chosen in it, and what it is for.
fn chosen(path: &Path) -> (Spec, ntmc::compile::Choice, Purpose) {
    let mut spec = Spec::read(source(path), &StdOnly).unwrap();
    let sizes = SIZES.iter().find(|(name, _)| *name == stem(path)).map_or(&[][..], |(_, set)| set);
    let sets = sizes.iter().map(|set| (*set).to_owned()).collect();
    let choice = spec.choose(&Choices { sets, ..Choices::default() }).unwrap();
    let mut purpose = Purpose { loss: Loss::HalfSquares, ..Purpose::default() };
    if choice.train.is_some() {
        let block = spec.block(&choice).unwrap();
        let tasks = ntmc::compile::resolve_tasks(&block, &spec.sources).unwrap();
        let ports = tasks[0].ports();
        let (domain, place) = (ports.domain.to_owned(), block.tasks[0].span);
        purpose.ports = Some(Ports { input: ports.input, output: ports.output, domain, place });
        purpose.loss = Loss::Target { masked: true };
    }
    (spec, choice, purpose)
}

fn each(check: impl Fn(&str, &Program)) {
    for path in specs() {
        let (spec, choice, purpose) = chosen(&path);
        let model =
            spec.elaborate(&choice, &purpose).unwrap_or_else(|why| panic!("{path:?}: {why}"));
        for stage in STAGES {
            check(&format!("{}, {stage:?}", stem(&path)), &program(&model, stage));
        }
    }
}

fn graphs(program: &Program) -> [&Graph; 2] {
    [&program.init, &program.step]
}

#[test]
fn every_stage_verifies_in_its_canonical_order() {
    each(|name, program| {
        for graph in graphs(program) {
            verify(graph).unwrap_or_else(|why| panic!("{name}: {why}\n{}", text::print(graph)));
            assert!(canonical(graph.clone()) == *graph, "{name}\n{}", text::print(graph));
        }
    });
}

#[test]
fn what_is_printed_is_the_program() {
    each(|name, program| {
        let printed = show(program, Format::Text);
        let parsed = text::parse_program(&printed).unwrap_or_else(|why| panic!("{name}: {why}"));
        let again = show(&parsed, Format::Text);
        if let Some((old, new)) = printed.lines().zip(again.lines()).find(|(old, new)| old != new) {
            panic!("{name}: text changed\n{old}\n{new}");
        }
        assert!(printed == again, "{name}: text grew");
        for (own, other) in graphs(program).into_iter().zip(graphs(&parsed)) {
            for (left, right) in own.parts().iter().zip(other.parts()) {
                assert_eq!(
                    left.node.origin.axes, right.node.origin.axes,
                    "{name}: {:?}",
                    left.node
                );
            }
        }
        assert!(parsed == *program, "{name}: another program with the same text");
    });
}

#[test]
fn stored_programs_are_the_program() {
    each(|name, program| {
        let stored: Program = serde_json::from_str(&show(program, Format::Json)).unwrap();
        assert!(stored == *program, "{name}: json");
        let stored: Program = ron::from_str(&show(program, Format::Ron)).unwrap();
        assert!(stored == *program, "{name}: ron");
    });
}

#[test]
fn two_runs_give_the_same_bytes() {
    for path in specs() {
        for stage in STAGES {
            for format in [Format::Text, Format::Ron, Format::Json, Format::Dot] {
                let run = || {
                    let (spec, choice, purpose) = chosen(&path);
                    ir(&spec, &choice, &purpose, stage, format).unwrap()
                };
                assert!(run() == run(), "{}, {stage:?}, {format:?}", stem(&path));
            }
        }
    }
}

#[test]
fn every_axis_of_a_node_has_its_own_name() {
    each(|name, program| {
        for graph in graphs(program) {
            for id in graph.ids() {
                let axes = &graph.node(id).origin.axes;
                let twice = (1..axes.len()).any(|at| axes[..at].contains(&axes[at]));
                assert!(!twice, "{name}: {axes:?}");
                assert!(axes.iter().all(|axis| !axis.is_empty()), "{name}: {axes:?}");
                assert_eq!(axes.len(), graph.scope(id).len(), "{name}: {:?}", graph.node(id));
            }
        }
    });
}

//! The expanded text of every spec reads back, and means the same step.

use std::path::{Path, PathBuf};

use ntmc::compile::{self, Choices, Purpose, Spec, Stage};
use ntmc::graph::{Array, Graph, Leaf, Op, Origin, Path as Name, Program, canonical};
use ntmc::model::library::StdOnly;
use ntmc::model::typed::DimKind;
use ntmc::model::{Given, Loss, Model, Ports, dot, expand};
use ntmc::source::{Source, Span};
use ntmc::syntax::ast;

use crate::support::{beside, root, source, tree};

/// Specs whose starts are computed in several steps: `expand` writes a start as one expression, so that
/// the graph of first states has other nodes (the same numbers, which `meaning.rs` checks).
const STARTS_IN_STEPS: &[&str] = &["start-from-a-definition.ntm"];

/// Dims small enough to look at every point.
const SMALL: &[(&str, i64)] =
    &[("N", 6), ("W", 3), ("R", 2), ("H", 4), ("K", 2), ("P", 3), ("X", 5), ("Y", 4)];

fn specs() -> Vec<PathBuf> {
    let mut all = Vec::new();
    for folder in ["specs", "specs/pieces", "specs/published", "tests/ok"] {
        let entries = std::fs::read_dir(root().join(folder)).unwrap();
        all.extend(entries.map(|entry| entry.unwrap().path()));
    }
    all.retain(|path| path.extension().is_some_and(|end| end == "ntm"));
    all.sort();
    all
}

/// The last model of a spec at small sizes; nothing for a spec that has none or needs others.
fn elaborated(path: &Path, loss: &Loss) -> Option<Model> {
    let library = beside(path);
    let mut spec = Spec::read(source(path), &library).ok()?;
    let choice = spec.choose(&Choices::default()).ok()?;
    let def = spec.checked.def(choice.model);
    // The length of a list is that of the list.
    let is_length = |name: &str| {
        def.dims.iter().any(|list| match list.kind {
            DimKind::List(length) => def.dims[length.0 as usize].name == name,
            DimKind::Explicit | DimKind::Implicit | DimKind::Int => false,
        })
    };
    let known = |name: &str| def.dims.iter().any(|dim| dim.name == name) && !is_length(name);
    let given: Vec<(String, Given)> = SMALL
        .iter()
        .filter(|(name, _)| known(name))
        .map(|(name, size)| ((*name).to_owned(), Given::Number(*size as f64)))
        .collect();
    let ports = Ports { input: 5, output: 4, domain: "unit".to_owned(), place: Span::default() };
    let without = |words: &[&str]| -> Vec<(String, Given)> {
        given.iter().filter(|(name, _)| !words.contains(&name.as_str())).cloned().collect()
    };
    let attempts = [
        (Some(ports.clone()), without(&["X", "Y"])),
        // A list of dims keeps its own.
        (Some(ports), without(&["X", "Y", "H"])),
        (None, given.clone()),
        (None, Vec::new()),
    ];
    attempts.into_iter().find_map(|(ports, given)| {
        let purpose = Purpose { ports, given, loss: loss.clone(), ..Purpose::default() };
        spec.elaborate(&choice, &purpose).ok()
    })
}

fn again(text: &str, loss: Loss) -> Model {
    let mut spec = Spec::read(Source::new("expanded.ntm", text), &StdOnly)
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    let choice = spec.choose(&Choices::default()).unwrap();
    let purpose = Purpose { loss, ..Purpose::default() };
    let elaborated = spec.elaborate(&choice, &purpose);
    elaborated.unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Names of params or states in the order of the text, which is that of the model.
fn declared(file: &ast::File, wanted: ast::StateKind) -> Vec<String> {
    let [ast::Item::Model(def)] = &file.items[..] else { panic!("one model") };
    let ast::Body::Block(body) = &def.body else { panic!("a block") };
    let slots = body.iter().filter_map(|stmt| {
        let ast::Stmt::State(_, kind, slots, _) = stmt else { return None };
        (*kind == wanted).then_some(slots)
    });
    slots.flatten().map(|slot| slot.name.text.clone()).collect()
}

/// Names of values in the order of the text, which is that of the model.
fn defined(file: &ast::File) -> Vec<String> {
    let [ast::Item::Model(def)] = &file.items[..] else { panic!("one model") };
    let ast::Body::Block(body) = &def.body else { panic!("a block") };
    let left = body.iter().filter_map(|stmt| match stmt {
        ast::Stmt::Equation(one) => Some(one.left.segments[0].name.text.clone()),
        ast::Stmt::State(..)
        | ast::Stmt::Emit(_)
        | ast::Stmt::Controller(_)
        | ast::Stmt::Part(_)
        | ast::Stmt::Require(_) => None,
    });
    left.collect()
}

/// The graphs of a program as text in which nothing is called by a name of the spec: a parameter or state
/// is its place in the first program, as `params` and `states` say, a value its place in `values`.
fn nameless(
    program: &Program,
    params: &[usize],
    states: &[usize],
    values: &[String],
    count: usize,
) -> [String; 2] {
    let place = |all: &[Array], path: &str| all.iter().position(|one| one.path.0 == path).unwrap();
    let value = |path: &str| values.iter().position(|one| one == path);
    let root = |name: &str| match name.split('/').collect::<Vec<_>>()[..] {
        [kind @ ("next" | "start"), path] => {
            format!("{kind}/{}", states[place(&program.states, path)])
        }
        ["value", path] => format!("value/{:?}", value(path)),
        ["grad", kind @ "prev", path] => {
            format!("grad/{kind}/{}", states[place(&program.states, path)])
        }
        ["grad", kind @ "param", path] => {
            format!("grad/{kind}/{}", params[place(&program.params, path)])
        }
        ["grad", kind @ "input", path] => {
            format!("grad/{kind}/{}", place(&program.inputs, path))
        }
        _ => name.to_owned(),
    };
    let leaf = |leaf: Leaf| match leaf {
        Leaf::Param(at) => Leaf::Param(params[at as usize] as u32),
        Leaf::Prev(at) => Leaf::Prev(states[at as usize] as u32),
        Leaf::Seed(at) => Leaf::Seed(states[at as usize] as u32),
        Leaf::Input(_) | Leaf::Const(_) | Leaf::Axis(_) => leaf,
    };
    [&program.init, &program.step].map(|graph| {
        let mut parts = graph.parts();
        for part in &mut parts {
            let adjoint = part.node.origin.adjoint;
            part.node.origin = Origin { adjoint, ..Origin::default() }.into();
            if let Op::Leaf(one) = &mut part.node.op {
                *one = leaf(one.clone());
            }
        }
        // Equations that only rename have no value in the first program.
        let shown = |name: &str| match name.strip_prefix("value/") {
            Some(path) => value(path).is_some_and(|at| at < count) || path.starts_with("loss"),
            None => true,
        };
        let roots = graph
            .roots
            .iter()
            .filter(|(name, _)| shown(&name.0))
            .map(|(name, read)| (Name(root(&name.0)), read.clone()));
        let graph = Graph::assemble(parts, roots.collect()).unwrap();
        ntmc::graph::text::print(&canonical(graph.clone()))
    })
}

/// Reads the expanded text of a model back and compares the graphs with all adjoints; gives the first line
/// that differs. The loss is none of the spec's, so it is added to both.
fn compare(name: &str, path: &Path) -> Option<String> {
    let first = elaborated(path, &Loss::None).unwrap();
    let text = expand(&first);
    let second = again(&text, Loss::HalfSquares);
    let file = tree(&text);
    let one = compile::program(&elaborated(path, &Loss::HalfSquares).unwrap(), Stage::Adjoint);
    let two = compile::program(&second, Stage::Adjoint);
    let places = |kind, all: &[Array]| -> Vec<usize> {
        let names = declared(&file, kind);
        let place = |array: &Array| names.iter().position(|name| *name == array.path.0).unwrap();
        all.iter().map(place).collect()
    };
    let params = places(ast::StateKind::Param, &two.params);
    let states = places(ast::StateKind::State, &two.states);
    assert_eq!(params.len(), one.params.len(), "{name}: {text}");
    assert_eq!(states.len(), one.states.len(), "{name}: {text}");
    let same = |count: usize| (0..count).collect::<Vec<_>>();
    let values: Vec<String> = first.values.iter().map(|value| value.path.clone()).collect();
    let left =
        nameless(&one, &same(one.params.len()), &same(one.states.len()), &values, values.len());
    let right = nameless(&two, &params, &states, &defined(&file), values.len());
    let skip = usize::from(STARTS_IN_STEPS.contains(&name));
    let (left, right) = (left[skip..].concat(), right[skip..].concat());
    let mut lines = left.lines().zip(right.lines());
    let (one, other) = lines.find(|(one, other)| one != other)?;
    Some(format!("{name}:\n- {one}\n+ {other}\n{text}"))
}

#[test]
fn expanded_specs_mean_the_same_step() {
    let (mut count, mut differ) = (0, Vec::new());
    for path in specs() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        if !text.lines().any(|line| line.starts_with("model ")) {
            continue;
        }
        if elaborated(&path, &Loss::None).is_none() {
            differ.push(format!("{name}: not elaborated"));
            continue;
        }
        count += 1;
        differ.extend(compare(&name, &path));
    }
    assert!(count >= 17, "only {count} specs were elaborated");
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn expanding_twice_changes_nothing_more() {
    let model = elaborated(&root().join("specs/ntm.ntm"), &Loss::None).unwrap();
    let text = expand(&again(&expand(&model), Loss::None));
    assert_eq!(expand(&again(&text, Loss::None)), text);
}

#[test]
fn who_reads_whom_is_drawn_the_same_way_every_time() {
    let model = elaborated(&root().join("specs/ntm.ntm"), &Loss::None).unwrap();
    let text = dot(&model);
    assert_eq!(dot(&elaborated(&root().join("specs/ntm.ntm"), &Loss::None).unwrap()), text);
    assert!(text.starts_with("digraph model {") && text.ends_with("}\n"));
    assert_eq!(text.matches("style=dashed").count(), model.states.len());
}

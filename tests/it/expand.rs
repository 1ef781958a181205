//! The expanded text of every spec reads back, and means the same step.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ntmc::compile::{self, Choices, Purpose, Spec, Stage};
use ntmc::graph::{Array, Leaf, Op, Program, Type, canonical, eval};
use ntmc::model::library::{Library, StdOnly};
use ntmc::model::typed::DimKind;
use ntmc::model::{Given, Model, Ports, dot, expand};
use ntmc::source::Source;
use ntmc::syntax::ast;

use crate::support::{root, source, tree};

/// Modules beside a spec.
struct Beside(PathBuf);

impl Library for Beside {
    fn source(&self, module: &str) -> Option<Source> {
        let path = self.0.join(format!("{module}.ntm"));
        path.exists().then(|| source(&path))
    }
}

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
fn elaborated(path: &Path) -> Option<Model> {
    let library = Beside(path.parent().unwrap().to_owned());
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
    let ports = Ports { input: 5, output: 4, domain: "unit".to_owned() };
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
        let purpose = Purpose { ports, given, ..Purpose::default() };
        spec.elaborate(&choice, &purpose).ok()
    })
}

fn again(text: &str) -> Model {
    let mut spec = Spec::read(Source::new("expanded.ntm", text), &StdOnly)
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    let choice = spec.choose(&Choices::default()).unwrap();
    let elaborated = spec.elaborate(&choice, &Purpose::default());
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

/// A number for an entry of a leaf: any, but the same for the same.
fn number(kind: u64, at: usize, point: &[u32], ty: Type) -> f64 {
    let mut hash = kind.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ at as u64;
    for one in point {
        hash = (hash ^ u64::from(*one)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        hash ^= hash >> 29;
    }
    hash = hash.wrapping_mul(0x94D0_49BB_1331_11EB);
    match ty {
        Type::Real => (hash >> 11) as f64 / (1_u64 << 53) as f64,
        Type::Bool => (hash >> 63) as f64,
        Type::Int => ((hash >> 33) % 4) as f64,
        Type::Index { below, .. } => ((hash >> 33) % u64::from(below)) as f64,
    }
}

/// What the roots of a step and of its start hold; `params` and `states` say which array of the first
/// program each array is.
fn values(
    program: &Program,
    params: &[usize],
    states: &[usize],
) -> (BTreeMap<String, Vec<u64>>, BTreeMap<String, usize>) {
    let ty = |all: &[Array], at: u32| all[at as usize].ty;
    let leaf = |leaf: &Leaf, point: &[u32]| match leaf {
        Leaf::Input(at) => number(1, *at as usize, point, ty(&program.inputs, *at)),
        Leaf::Param(at) => number(2, params[*at as usize], point, ty(&program.params, *at)),
        Leaf::Prev(at) => number(3, states[*at as usize], point, ty(&program.states, *at)),
        Leaf::Seed(_) | Leaf::Const(_) | Leaf::Axis(_) => panic!("no array"),
    };
    let mut shown = BTreeMap::new();
    for graph in [&program.init, &program.step] {
        let graph = canonical(graph);
        let found = eval::evaluate(&graph, &leaf);
        for (name, read) in &graph.roots {
            let name = match name.0.split_once('/') {
                Some((kind @ ("next" | "start"), path)) => {
                    let at = program.states.iter().position(|state| state.path.0 == path).unwrap();
                    format!("{kind}/{}", states[at])
                }
                Some(_) => continue,
                None => name.0.clone(),
            };
            shown.insert(name, found.read(read).into_iter().map(f64::to_bits).collect());
        }
    }
    // Constants are folded first: `-(1e-6)` is read as a number. Choices are left out: a chain of `if`
    // or a `cat` may partition the same points in fewer or more steps.
    let step = compile::optimised(program.clone()).step;
    let mut counts = BTreeMap::new();
    for id in step.ids().filter(|id| step.node(*id).op != Op::Join) {
        let name = match &step.node(id).op {
            Op::Leaf(leaf) => format!("{leaf:?}").split('(').next().unwrap().to_owned(),
            Op::Map(scalar) => scalar.row().name.to_owned(),
            Op::Reduce { fold, .. } => format!("{fold:?}"),
            Op::Join => "join".to_owned(),
            Op::Recur { .. } => "recur".to_owned(),
            Op::Opaque { op, .. } => format!("{op:?}"),
        };
        *counts.entry(name).or_insert(0) += 1;
    }
    (shown, counts)
}

/// Runs both and compares; gives what differs in the number of nodes.
fn compare(name: &str, first: &Model) -> Vec<String> {
    let text = expand(first);
    let second = again(&text);
    let file = tree(&text);
    let one = compile::program(first, Stage::Step);
    let two = compile::program(&second, Stage::Step);
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
    let left = values(&one, &same(one.params.len()), &same(one.states.len()));
    let right = values(&two, &params, &states);
    for (root, expected) in &left.0 {
        assert_eq!(right.0.get(root), Some(expected), "{name}: `{root}` differs\n{text}");
    }
    let names = left.1.keys().chain(right.1.keys());
    let names: std::collections::BTreeSet<&String> = names.collect();
    names
        .into_iter()
        .filter(|op| left.1.get(*op) != right.1.get(*op))
        .map(|op| format!("{name}: {op} {:?} {:?}", left.1.get(op), right.1.get(op)))
        .collect()
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
        let Some(model) = elaborated(&path) else {
            differ.push(format!("{name}: not elaborated"));
            continue;
        };
        count += 1;
        if std::path::Path::new("/tmp/expanded").exists() {
            std::fs::write(format!("/tmp/expanded/{name}"), expand(&model)).unwrap();
        }
        differ.extend(compare(&name, &model));
    }
    assert!(count >= 17, "only {count} specs were elaborated");
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn expanding_twice_changes_nothing_more() {
    let model = elaborated(&root().join("specs/ntm.ntm")).unwrap();
    let text = expand(&again(&expand(&model)));
    assert_eq!(expand(&again(&text)), text);
}

#[test]
fn who_reads_whom_is_drawn_the_same_way_every_time() {
    let model = elaborated(&root().join("specs/ntm.ntm")).unwrap();
    let text = dot(&model);
    assert_eq!(dot(&elaborated(&root().join("specs/ntm.ntm")).unwrap()), text);
    assert!(text.starts_with("digraph model {") && text.ends_with("}\n"));
    assert_eq!(text.matches("style=dashed").count(), model.states.len());
}

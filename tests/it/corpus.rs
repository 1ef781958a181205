//! Every good spec through every stage: small ones as text, large ones as a summary; and two laws of
//! the language: the order of statements does not show, and dims are told apart by name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ntmc::backend::jit;
use ntmc::compile::{Choices, Spec, Stage};
use ntmc::diag::Style;
use ntmc::error::Error;
use ntmc::graph::{Graph, Leaf, Op, Program};
use ntmc::model::library::StdOnly;
use ntmc::model::typed::DimKind;
use ntmc::model::{self, Given, Model};
use ntmc::random::Stream;
use ntmc::source::Source;
use ntmc::syntax::{self, ast};

use crate::meaning::parse;
use crate::support::{
    beside, elaborate, elaborate_chosen, model_of, program, source, spec, specs_below, text_of,
};

/// Files of definitions alone have no stage after the tree.
fn has_model(path: &Path) -> bool {
    !spec(source(path), &beside(path)).checked.models.is_empty()
}

/// The most nodes of a step that are shown one by one.
const SMALL: usize = 100;

/// The stages a reader looks at: those the file names (`#> show tree, step`); the model of a file that
/// says what it computes, because its numbers say the rest; else all.
fn stages_shown(text: &str) -> Vec<String> {
    let every = || ["tree", "model", "step", "adjoint", "opt"].map(str::to_owned).to_vec();
    let named = parse::shown(text);
    let meant = !parse::expectations(text).is_empty();
    named.unwrap_or_else(|| if meant { vec!["model".to_owned()] } else { every() })
}

#[test]
fn small_specs_at_every_stage() {
    insta::glob!("..", "ok/*.ntm", |path| {
        if !has_model(path) {
            return;
        }
        let mut read = spec(source(path), &beside(path));
        let model = elaborate(&mut read, &[]);
        let model = model.unwrap_or_else(|error| panic!("{}", error.render(Style::Plain)));
        let mut stages = vec![
            ("tree".to_owned(), syntax::outline(&read.file)),
            ("model".to_owned(), model::expand(&model)),
        ];
        for stage in [Stage::Step, Stage::Adjoint, Stage::Opt] {
            let program = program(&model, stage);
            // What is too long to be read is a summary; the text is checked to read back either way.
            let whole = text_of(&program);
            let short = program.step.len() <= SMALL;
            stages.push((format!("{stage:?}"), if short { whole } else { summary(&program) }));
        }
        let shown = stages_shown(&std::fs::read_to_string(path).unwrap());
        let known =
            |name: &String| stages.iter().any(|(stage, _)| stage.eq_ignore_ascii_case(name));
        assert!(shown.iter().all(known), "{}: {shown:?}", path.display());
        let shown = stages
            .iter()
            .filter(|(name, _)| shown.iter().any(|one| name.eq_ignore_ascii_case(one)));
        let text: Vec<String> = shown.map(|(name, text)| format!("== {name}\n{text}\n")).collect();
        insta::assert_snapshot!(text.concat());
    });
}

#[test]
fn shipped_specs_in_short() {
    insta::glob!("../..", "specs/{*,*/*}.ntm", |path| {
        if !has_model(path) {
            return;
        }
        let model = model_of(path);
        let mut text = outline(&model);
        for stage in [Stage::Step, Stage::Adjoint, Stage::Opt] {
            text += &format!("== {stage:?}\n{}", summary(&program(&model, stage)));
        }
        // What machine code makes of a training step: a lost fusion shows here.
        text += &format!("== Plan\n{}", jit::counts(&program(&model, Stage::Opt)));
        insta::assert_snapshot!(text);
    });
}

/// Params, states and the numbers of what is computed.
fn outline(model: &Model) -> String {
    let shape = |axes: &[model::flat::Axis]| {
        axes.iter().map(|axis| axis.size.to_string()).collect::<Vec<_>>().join(", ")
    };
    let mut text = format!("{} values\n", model.values.len());
    for param in &model.params {
        text += &format!("param {} [{}]\n", param.path, shape(&param.axes));
    }
    for state in &model.states {
        text += &format!("state {} [{}]\n", state.path, shape(&state.axes));
    }
    text
}

/// How many nodes of each kind.
fn summary(program: &Program) -> String {
    format!("init: {}\nstep: {}\n", kinds(&program.init), kinds(&program.step))
}

fn kinds(graph: &Graph) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for id in graph.ids() {
        *counts.entry(kind(&graph.node(id).op)).or_default() += 1;
    }
    let all: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    all.join(", ")
}

fn kind(op: &Op) -> &'static str {
    match op {
        Op::Leaf(Leaf::Const(_)) => "constants",
        Op::Leaf(_) => "leaves",
        Op::Map(_) => "maps",
        Op::Reduce { .. } => "folds",
        Op::Recur { .. } => "recurrences",
        Op::Join => "joins",
        Op::Opaque { .. } => "opaque",
    }
}

fn every_model() -> Vec<PathBuf> {
    let all = specs_below("tests/ok").into_iter().chain(specs_below("specs"));
    all.filter(|path| has_model(path)).collect()
}

#[test]
fn the_order_of_statements_does_not_show() {
    let mut wrong = Vec::new();
    for path in every_model() {
        let read = spec(source(&path), &beside(&path));
        // Later stages are functions of this one, whose text says all there is in it.
        let step = |text: String| -> Result<String, Error> {
            let mut shuffled = Spec::read(Source::new("shuffled.ntm", text), &beside(&path))?;
            Ok(text_of(&program(&elaborate(&mut shuffled, &[])?, Stage::Step)))
        };
        let mut file = read.file.clone();
        (file.comments, file.blanks) = (Vec::new(), Vec::new());
        let name = path.display();
        let before = step(syntax::format(&file)).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        let mut rng = Stream::new(0, &["shuffle", &name.to_string()], &[]);
        for item in &mut file.items {
            if let ast::Item::Def(def) | ast::Item::Model(def) = item
                && let ast::Body::Block(block) = &mut def.body
            {
                shuffle(block, &mut rng);
            }
        }
        let text = syntax::format(&file);
        match step(text.clone()) {
            Ok(after) if after == before => {}
            Ok(_) => wrong.push(format!("{name}: another program\n{text}")),
            Err(error) => wrong.push(format!("{name}: {}\n{text}", error.render(Style::Plain))),
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong[0]);
}

fn shuffle(block: &mut [ast::Stmt], rng: &mut Stream) {
    for at in (1..block.len()).rev() {
        block.swap(at, rng.whole(0, at as u32) as usize);
    }
    for stmt in block {
        if let ast::Stmt::Part(part) = stmt
            && let ast::Body::Block(block) = &mut part.body
        {
            shuffle(block, rng);
        }
    }
}

#[test]
fn dims_are_told_apart_by_name() {
    for path in every_model() {
        let mut read = spec(source(&path), &beside(&path));
        let name = path.display();
        let mut choice = read.choose(&Choices::default()).unwrap();
        let def = read.checked.def(choice.model);
        let bound = choice.train.is_some();
        // The length of a list is that of the list.
        let is_length = |name: &str| {
            def.dims.iter().any(|list| match list.kind {
                DimKind::List(length) => def.dims[length.0 as usize].name == name,
                DimKind::Explicit | DimKind::Implicit | DimKind::Int => false,
            })
        };
        let dims: Vec<String> = def
            .dims
            .iter()
            .filter(|dim| match dim.kind {
                DimKind::Explicit => true,
                DimKind::Implicit => !bound && !is_length(&dim.name),
                DimKind::List(_) | DimKind::Int => false,
            })
            .map(|dim| dim.name.clone())
            .collect();
        choice.given.clear();
        let with = |sizes: &[f64]| {
            let given: Vec<(&str, Given)> = dims
                .iter()
                .map(String::as_str)
                .zip(sizes.iter().map(|size| Given::Number(*size)))
                .collect();
            elaborate_chosen(&read, &choice, &given)
        };
        match with(&vec![6.0; dims.len()]) {
            Ok(_) => {}
            Err(error) => {
                only_requirements(&error, &name.to_string());
                continue;
            }
        }
        // Sizes that all differ, in orders until the requirements are met.
        let sizes: Vec<f64> = (0..dims.len()).map(|at| 3.0 + at as f64).collect();
        let met = (0..dims.len().max(1)).any(|by| {
            let mut sizes = sizes.clone();
            sizes.rotate_left(by);
            let reversed: Vec<f64> = sizes.iter().rev().copied().collect();
            [sizes, reversed].iter().any(|sizes| match with(sizes) {
                Ok(_) => true,
                Err(error) => {
                    only_requirements(&error, &name.to_string());
                    false
                }
            })
        });
        assert!(met, "{name}: no distinct sizes of {dims:?} meet its requirements");
    }
}

fn only_requirements(error: &Error, name: &str) {
    let Error::Spec { diagnostics, .. } = error else { panic!("{name}: {error:?}") };
    let codes: Vec<_> = diagnostics.sorted().iter().map(|one| one.code.0).collect();
    let shown = error.render(Style::Plain);
    assert!(codes.iter().all(|code| *code == "E0604"), "{name}: {shown}");
}

/// Three mechanisms that no shipped spec has: fast weights (Ba et al. 2016), bumps at positions that move, and
/// the delta rule (Schlag et al. 2021). Each: its memory, the passes over it forward and backward.
const OWN: [(&str, &str, usize, usize); 3] = [
    (
        "state h[H] = 0\n  state A[H, H] = 0\n  \
         A[i, j] = 0.95 * prev A[i, j] + 0.5 * prev h[i] * prev h[j]\n  \
         emit a[H] from cat(x, prev h)\n  \
         b[i] = tanh(a[i] + sum[j] A[i, j] * prev h[j])\n  \
         h[i] = tanh(a[i] + sum[j] A[i, j] * b[j])",
        "A[48, 48]",
        1,
        1,
    ),
    (
        "state M[H, 20] = 0\n  state at = 0\n  emit move: signed, a[20]: signed, e[20]: unit from x\n  \
         at = prev at + move\n  \
         q = for i in H: exp(-(i - at) ^ 2)\n  s = sum[k] q[k]\n  w[i] = q[i] / (0.1 + s)\n  \
         M[i, c] = prev M[i, c] * (1 - w[i] * e[c]) + w[i] * a[c]\n  \
         r[c] = sum[i] w[i] * M[i, c]\n  emit h[H] from cat(x, r)",
        // Laid out column by column.
        "M[20, 48]",
        1,
        1,
    ),
    (
        "state S[H, H] = 0\n  emit k[H], v[H]: signed, rate: unit, q[H] from x\n  \
         p[c] = k[c] / sqrt(1e-6 + sum[d] k[d] ^ 2)\n  \
         old[i] = sum[c] prev S[i, c] * p[c]\n  \
         S[i, c] = prev S[i, c] + rate * (v[i] - old[i]) * p[c]\n  \
         h[i] = sum[c] S[i, c] * q[c]",
        "S[48, 48]",
        1,
        2,
    ),
];

/// What nobody has thought of shares passes over its memory as well as what is shipped: everything of the
/// memory's size is computed in the fewest passes that its sums allow.
#[test]
fn a_mechanism_of_ones_own_is_fused_too() {
    for (body, memory, forward, backward) in OWN {
        let text = format!(
            "ntm 1\nuse std.nn\nmodel own[H = 48](x[X]) -> y[Y] {{\n  {body}\n  emit y[Y] from h\n}}\n\
             train t: own on copy(bits = 4, length = 3) {{\n  optimizer = adam(lr = 1e-3)\n  \
             steps = 1\n}}\n"
        );
        let mut spec = Spec::read(Source::new("own.ntm", text), &StdOnly).unwrap();
        let program = spec.training(&Choices::default()).unwrap().program;
        let plan = jit::describe(&program);
        let (front, back) = plan.split_once("backward, at every step:").unwrap();
        let passes = |text: &str| {
            let blocks = text.split("one pass over").skip(1);
            blocks.filter(|block| block.contains(memory)).count()
        };
        assert_eq!((passes(front), passes(back)), (forward, backward), "{plan}");
        let alone = |line: &&str| line.contains(memory) && line.contains(" loop, ");
        assert_eq!(plan.lines().find(alone), None, "{plan}");
    }
}

//! The room as a whole, on a program small enough to know by heart.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array1, Array2, IxDyn};

use super::*;
use crate::backend::{Batch, Executable, Gradients, Outcome, Want};
use crate::graph::{self, Access, Graph, Path, Program, Read, Type};
use crate::tensor::Tensor;

/// `h[r] = A[r] x + prev h[r]`, `y = h[0] + h[1]`, for two members of a family; half of y squared.
struct Fake {
    /// Added to every output, to see differences.
    off: f64,
}

const T: usize = 3;
const B: usize = 2;
const I: usize = 2;
const O: usize = 4;

impl Executable for Fake {
    fn keep_at_most(&mut self, _: usize) {}

    fn facts(&self) -> crate::backend::Facts {
        crate::backend::Facts::default()
    }

    fn run(&mut self, params: &[Tensor], batch: &Batch, want: &Want) -> Outcome {
        let x = &batch.inputs[0];
        let start = batch.starts[0].clone().unwrap_or_else(|| Tensor::zeros(IxDyn(&[B, 2, O])));
        let mut y = Tensor::zeros(IxDyn(&[T, B, O]));
        let mut h = Tensor::zeros(IxDyn(&[T, B, 2, O]));
        let mut grads = [
            Tensor::zeros(IxDyn(&[2, O, I])),
            Tensor::zeros(IxDyn(&[T, B, I])),
            Tensor::zeros(IxDyn(&[B, 2, O])),
        ];
        let mut loss = vec![0.0; B];
        for b in 0..B {
            let mut now: Array2<f64> = Array2::from_shape_fn((2, O), |(r, o)| start[[b, r, o]]);
            for t in 0..T {
                for (r, o, i) in ndarray::indices((2, O, I)) {
                    now[[r, o]] += params[0][[r, o, i]] * x[[t, b, i]];
                }
                for o in 0..O {
                    h[[t, b, 0, o]] = now[[0, o]];
                    h[[t, b, 1, o]] = now[[1, o]];
                    y[[t, b, o]] = now[[0, o]] + now[[1, o]] + self.off;
                    loss[b] += 0.5 * y[[t, b, o]].powi(2);
                }
            }
            let mut later: Array1<f64> = Array1::zeros(O);
            for t in (0..T).rev() {
                for (o, r) in ndarray::indices((O, 2)) {
                    later[o] += if r == 0 { y[[t, b, o]] } else { 0.0 };
                    for i in 0..I {
                        grads[0][[r, o, i]] += later[o] * x[[t, b, i]];
                        grads[1][[t, b, i]] += later[o] * params[0][[r, o, i]];
                    }
                    grads[2][[b, r, o]] = later[o];
                }
            }
        }
        let finals = vec![h.index_axis(ndarray::Axis(0), T - 1).to_owned()];
        let all = BTreeMap::from([("y".to_owned(), y), ("value/read.h".to_owned(), h)]);
        let [params, inputs, starts] = grads.map(|one| vec![one]);
        Outcome {
            loss,
            roots: all.into_iter().filter(|(name, _)| want.roots.contains(name)).collect(),
            finals,
            gradients: want.gradients.then_some(Gradients { params, inputs, starts }),
        }
    }

    fn starts(&mut self, _: &[Tensor]) -> Vec<Tensor> {
        vec![Tensor::zeros(IxDyn(&[2, O]))]
    }
}

/// Hands out the fake and keeps what it was asked for.
struct Maker {
    off: f64,
    asked: Vec<Bindings>,
}

impl Compile for Maker {
    type Error = Error;

    fn compile(&mut self, bindings: &Bindings) -> Result<Compiled, Error> {
        self.asked.push(bindings.clone());
        let array = |path: &str, sizes: &[usize]| graph::Array {
            path: Path(path.to_owned()),
            sizes: sizes.iter().map(|size| *size as u32).collect(),
            axes: Vec::new(),
            ty: Type::Real,
        };
        let read = || Read { node: graph::NodeId(0), access: Access::default(), sizes: Vec::new() };
        let roots = ["value/read.h", "y"].map(|name| (Path(name.to_owned()), read())).to_vec();
        let mut step = Graph::default();
        step.roots = roots;
        let program = Program {
            params: vec![array("read.A", &[2, O, I])],
            inputs: vec![array("x", &[I])],
            states: vec![array("read.h", &[2, O])],
            step,
            ..Program::default()
        };
        let drawn = Box::new(|_| Vec::new());
        Ok(Compiled {
            program,
            executable: Box::new(Fake { off: self.off }),
            drawn,
            whole: BTreeSet::new(),
        })
    }
}

/// One stored matrix feeds both members; the start of member 1 is stored, that of member 0 is zero.
const MAP: &str = r#"(
    names: [("R", "count(config.heads, 'r')")],
    sizes: [("R", "R"), ("X", "shape('x')[2]"), ("plain", "config.mode == 'plain'")],
    arrays: [
        Bind("x", File("x")),
        For("r", "0..R", [
            Bind("param/read[{r}].A", Transpose(File("w/A"))),
            Bind("trace/read[{r}].h", Take(2, "r", File("trace/h"))),
        ]),
        Bind("init/read[0].h", Fill(["4"], "0")),
        Bind("init/read[1].h", File("w/start")),
        Bind("y", File("y")),
        Bind("final/read.h", Take(0, "shape('x')[0] - 1", File("trace/h"))),
        Bind("loss", File("loss")),
    ],
    ignore: ["note*"],
)"#;

/// A file that agrees with the fake.
fn golden() -> File {
    let wave = |shape: &[usize], by: f64| {
        let mut at = 0.0;
        Tensor::from_shape_simple_fn(IxDyn(shape), || {
            at += by;
            f64::sin(at)
        })
    };
    let (x, a, start) = (wave(&[T, B, I], 0.7), wave(&[I, O], 1.1), wave(&[O], 2.3));
    let turned = a.clone().reversed_axes();
    let params = ndarray::stack(ndarray::Axis(0), &[turned.view(), turned.view()]).unwrap();
    let mut first = Tensor::zeros(IxDyn(&[B, 2, O]));
    for (b, o) in ndarray::indices((B, O)) {
        first[[b, 1, o]] = start[[o]];
    }
    let batch = Batch { lengths: vec![T; B], inputs: vec![x.clone()], starts: vec![Some(first)] };
    let want = Want { roots: vec!["y".to_owned(), "value/read.h".to_owned()], gradients: true };
    let mut outcome = Fake { off: 0.0 }.run(&[params], &batch, &want);
    let gradients = outcome.gradients.take().unwrap();
    let both = gradients.params[0].sum_axis(ndarray::Axis(0)).reversed_axes();
    let starts = gradients.starts[0].sum_axis(ndarray::Axis(0));
    let loss = Tensor::from_elem(IxDyn(&[1]), outcome.loss.iter().sum());
    let tensors = BTreeMap::from([
        ("x".to_owned(), x),
        ("w/A".to_owned(), a),
        ("w/start".to_owned(), start),
        ("y".to_owned(), outcome.roots["y"].clone()),
        ("trace/h".to_owned(), outcome.roots["value/read.h"].clone()),
        ("loss".to_owned(), loss),
        ("grad/x".to_owned(), gradients.inputs[0].clone()),
        ("grad/A".to_owned(), both),
        ("grad/start".to_owned(), starts.index_axis(ndarray::Axis(0), 1).to_owned()),
        ("note/extra".to_owned(), Tensor::zeros(IxDyn(&[1]))),
    ]);
    let mut file = File::of("golden", &tensors);
    file.metadata.insert("config".to_owned(), r#"{"heads": "rr", "mode": "plain"}"#.to_owned());
    file
}

fn check(map: &str, file: &File, off: f64) -> Result<(Report, Vec<Bindings>), Error> {
    let mut maker = Maker { off, asked: Vec::new() };
    let report = verify(&Map::parse("m", map)?, file, 1e-9, &mut maker)?;
    Ok((report, maker.asked))
}

#[test]
fn a_file_that_agrees_passes_in_every_tensor() {
    let (report, asked) = check(MAP, &golden(), 0.0).unwrap();
    assert!(report.passed, "{report}");
    let names: Vec<&str> = report.cases[0].rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "trace/read[0].h",
            "trace/read[1].h",
            "y",
            "final/read.h",
            "loss",
            "grad/A",
            "grad/start",
            "grad/x",
        ]
    );
    assert_eq!(asked[0].sizes["R"], Value::Int(2));
    assert_eq!(asked[0].sizes["X"], Value::Int(2));
    assert_eq!(asked[0].sizes["plain"], Value::Truth(true));
    assert_eq!(asked[0].loss, LossKind::HalfSquares);
    assert_eq!(asked[0].traces, ["read[0].h", "read[1].h"]);
    assert!(asked[0].gradients);
}

#[test]
fn a_difference_fails_where_it_is() {
    let (report, _) = check(MAP, &golden(), 1e-3).unwrap();
    let failed: Vec<&str> = report.cases[0]
        .rows
        .iter()
        .filter(|row| !row.passed)
        .map(|row| row.name.as_str())
        .collect();
    assert_eq!(failed, ["y", "loss", "grad/A", "grad/start", "grad/x"]);
    let text = report.to_string();
    assert!(text.contains("FAILED at"), "{text}");
    assert!(text.contains("differs from golden"), "{text}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["passed"], serde_json::json!(false));
}

#[test]
fn no_number_is_never_agreement() {
    let (report, _) = check(MAP, &golden(), f64::NAN).unwrap();
    assert!(!report.passed);
    assert_eq!(report.worst, f64::INFINITY);
    assert!(serde_json::to_string(&report).unwrap().contains("\"inf\""));
}

#[test]
fn mistakes_of_a_map_name_the_pattern() {
    for (from, to, part) in [
        ("read[{r}].A\"", "read[{r}].B\"", "nothing is bound to it"),
        ("Transpose(File(\"w/A\"))", "File(\"w/A\")", "the shape is [2, 4], expected is [4, 2]"),
        ("\"note*\"", "", "leaves over note/extra"),
        ("trace/read[{r}].h", "trace/reed[{r}].h", "reed[0].h"),
        ("final/read.h", "final/reed.h", "did you mean `final/read.h`"),
        ("count(config.heads, 'r')", "count(config.head, 'r')", "no entry `head`"),
        ("\"w/A\"", "\"w/B\"", "did you mean `w/A`"),
        ("Bind(\"init/read[0].h\", Fill([\"4\"], \"0\")),", "", "only some members"),
        ("Bind(\"y\"", "Bind(\"x\"", "bound twice"),
        ("0..R", "0..R - 1", "only some members"),
        ("sizes: [", "size: [", "size"),
        ("Fill([\"4\"], \"0\")", "Fill([\"4000\", \"4000\"], \"0\")", "too large"),
        ("Fill([\"4\"], \"0\")", "Repeat(0, \"4000000000\", File(\"x\"))", "too many"),
        (
            "Bind(\"y\", File(\"y\"))",
            "Blocks(0, File(\"y\"), [(to: \"y\", size: \"4000000000\")])",
            "goes past axis 0",
        ),
    ] {
        assert!(MAP.contains(from), "{from}");
        let error = check(&MAP.replace(from, to), &golden(), 0.0).unwrap_err();
        assert!(error.to_string().contains(part), "{from}: {error}");
        assert_eq!(error.exit_code(), 1);
    }
}

#[test]
fn an_unused_tensor_has_no_gradient() {
    let with = |gradient: f64| {
        let mut file = golden();
        let mut tensors: BTreeMap<String, Tensor> =
            file.slots.keys().map(|name| (name.clone(), file.tensor(name).unwrap())).collect();
        tensors.insert("w/extra".to_owned(), Tensor::ones(IxDyn(&[2])));
        tensors.insert("grad/extra".to_owned(), Tensor::from_elem(IxDyn(&[2]), gradient));
        let metadata = std::mem::take(&mut file.metadata);
        File { metadata, ..File::of("golden", &tensors) }
    };
    let map = MAP.replace("Bind(\"loss\"", "Unused(\"w/extra\"), Bind(\"loss\"");
    let (report, _) = check(&map, &with(0.0), 0.0).unwrap();
    assert!(report.passed && report.cases[0].rows.iter().any(|row| row.name == "grad/extra"));
    assert!(!check(&map, &with(1e-3), 0.0).unwrap().0.passed);
    let error = check(MAP, &with(0.0), 0.0).unwrap_err().to_string();
    assert!(error.contains("leaves over grad/extra, w/extra"), "{error}");
    let error = check(&map, &golden(), 0.0).unwrap_err().to_string();
    assert!(error.contains("w/extra"), "{error}");
}

#[test]
fn a_program_may_keep_members_apart() {
    let bound = |name: &str, shape: &[usize]| Bound {
        name: name.to_owned(),
        form: Form::tensor(&Slot { base: 0, shape: shape.to_vec() }).unwrap(),
    };
    let bindings = Bindings {
        sizes: BTreeMap::new(),
        loss: LossKind::HalfSquares,
        traces: Vec::new(),
        gradients: false,
    };
    let arrays = vec![bound("param/read.k", &[6, 5]), bound("init/read.w", &[4, 2, 3])];
    let case =
        Case { prefix: String::new(), bindings, arrays, steps: 1, batch: 4, gradients: Vec::new() };
    let numbers: Vec<f64> = (0..30).map(f64::from).collect();
    let k = place::assemble(&case, "param", "read[1].k", &[3, 5], place::Lead::None);
    assert_eq!(k.unwrap().unwrap().apply(&numbers)[[2, 4]], 29.0);
    let w = place::assemble(&case, "init", "read[1].w", &[3], place::Lead::Batch);
    assert_eq!(w.unwrap().unwrap().apply(&numbers)[[3, 2]], 23.0);
}

/// Every shipped map must account for every tensor of every file it is for.
#[test]
fn every_shipped_map_accounts_for_its_files() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = 0;
    for (specs, golden) in
        [("specs/published", "tests/golden"), ("specs/pieces", "tests/golden/pieces")]
    {
        let maps = std::fs::read_dir(root.join(specs)).unwrap().map(|entry| entry.unwrap().path());
        for path in maps.filter(|path| path.to_string_lossy().ends_with(".map.ron")) {
            let stem = path.file_name().unwrap().to_string_lossy().replace(".map.ron", "");
            let map = Map::parse(&stem, &std::fs::read_to_string(&path).unwrap()).unwrap();
            for entry in std::fs::read_dir(root.join(golden)).unwrap() {
                let name = entry.unwrap().file_name().to_string_lossy().into_owned();
                let Some(rest) = name.strip_suffix(".safetensors") else { continue };
                let own = rest == stem || (specs.ends_with("published") && rest.starts_with(&stem));
                if own {
                    let bytes = std::fs::read(root.join(golden).join(&name)).unwrap();
                    let file = File::parse(&name, &bytes).unwrap();
                    let cases = resolve(&map, &file).unwrap_or_else(|error| panic!("{error}"));
                    assert!(cases.iter().all(|case| !case.gradients.is_empty()), "{name}");
                    files += 1;
                }
            }
        }
    }
    assert!(files >= 34, "only {files} files");
}

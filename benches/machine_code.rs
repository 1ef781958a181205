//! How long it takes from the text of a spec to its machine code: for every shipped spec, and for specs 1, 4
//! and 16 times as large.
//!
//! `cargo bench --bench machine_code` prints a table of medians: each spec should take under 100 ms, and a
//! step of 4 times in size no more than 4 times as long. Given words pick specs.
//!
//! Only a batch says for how many sequences code is made, so a first step is taken. What it does besides, as
//! taking memory for all its steps, is no compiling and not counted, as `ntmc bench` does not.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ntmc::backend::{Batch, Precision, Want, jit};
use ntmc::compile::{self, Choices, Purpose, Spec, Stage};
use ntmc::graph::Program;
use ntmc::model::library::Library;
use ntmc::passes;
use ntmc::source::Source;
use ntmc::tensor::Tensor;

/// How often each is made; the median counts.
const ROUNDS: usize = 7;

/// A spec.
struct Case {
    name: String,
    text: String,
}

/// The modules beside a spec.
struct Beside(PathBuf);

impl Library for Beside {
    fn source(&self, module: &str) -> Option<Source> {
        let file = self.0.join(format!("{}.ntm", module.replace('.', "/")));
        let text = std::fs::read_to_string(&file).ok()?;
        Some(Source::new(file.display().to_string(), text))
    }
}

/// Sizes for models that nothing binds: those of the first line that fits.
const SIZES: &[&[&str]] = &[&[], &["X=8", "Y=8"], &["X=8"]];

/// A program with gradients, and how many sequences a step has: of the train block with its optimiser;
/// without one, of half the sum of squares of the output of one sequence.
fn program(case: &Case, sizes: &[&str]) -> Option<(Program, usize)> {
    let beside = Beside(Path::new(&case.name).parent()?.to_owned());
    let mut spec = Spec::read(Source::new("bench.ntm", case.text.clone()), &beside).ok()?;
    let sets = sizes.iter().map(|&size| size.to_owned()).collect();
    let choices = Choices { sets, ..Choices::default() };
    let choice = spec.choose(&choices).ok()?;
    if choice.train.is_some() {
        let training = spec.training(&choices).ok()?;
        return Some((training.program, training.block.batch as usize));
    }
    let model = compile::with_loss(&spec, &choice, &Purpose::default()).ok()?;
    Some((compile::program(&model, Stage::Opt), 1))
}

/// Milliseconds from the text to code that has taken a step, and the number of kernels.
fn compiled(case: &Case, sizes: &[&str]) -> Option<(f64, usize)> {
    passes::record();
    let start = Instant::now();
    let (program, samples) = program(case, sizes)?;
    let mut ready = jit::ready(&program, Precision::F32, 2).ok()?;
    let (setup, passed) = (start.elapsed().as_secs_f64(), passes::spent());
    let zeros = |front: &[usize], shape: Vec<usize>| Tensor::zeros([front, &shape[..]].concat());
    let params: Vec<Tensor> =
        program.params.iter().map(|array| zeros(&[], array.shape())).collect();
    let inputs = program.inputs.iter().map(|array| zeros(&[1, samples], array.shape())).collect();
    let batch = Batch { lengths: vec![1; samples], inputs, starts: Vec::new() };
    let want = Want { roots: Vec::new(), gradients: true };
    black_box(ready.run(&params, &batch, &want));
    let late = passes::spent() - passed;
    Some(((setup + late) * 1e3, ready.facts().kernels))
}

/// The median time in milliseconds, and the number of kernels.
fn measure(case: &Case) -> Option<(f64, usize)> {
    let fits = |sizes: &&&[&str]| compiled(case, sizes).is_some();
    let sizes = *SIZES.iter().find(fits)?;
    let (_, kernels) = compiled(case, sizes)?;
    let again = || compiled(case, sizes).map(|(time, _)| time);
    let mut all: Vec<f64> = (0..ROUNDS).filter_map(|_| again()).collect();
    all.sort_by(f64::total_cmp);
    Some((*all.get(all.len() / 2)?, kernels))
}

/// Every spec below a folder.
fn shipped(folder: &Path, all: &mut Vec<Case>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            shipped(&path, all);
        } else if path.extension().is_some_and(|ending| ending == "ntm")
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            let name = path.display().to_string();
            all.push(Case { name, text });
        }
    }
}

/// A memory with that many heads, each written out, so that none shares its kernels with another.
fn heads(n: usize) -> String {
    let head = |at: usize| {
        format!(
            "  head h{at} {{\n    state w[N]: simplex = one_hot(0)\n    emit a[W]: signed, e[W]: unit\n    \
             w = content(prev M) -> interpolate(prev w) -> shift(range = 1) -> sharpen\n    \
             r[c] = sum[i] w[i] * prev M[i, c]\n  }}\n"
        )
    };
    let all = |part: fn(usize) -> String, between: &str| {
        (0..n).map(part).collect::<Vec<_>>().join(between)
    };
    let reads = all(|at| format!("h{at}.r"), ", ");
    let kept = all(|at| format!("(1 - h{at}.w[i] * h{at}.e[c])"), " * ");
    let added = all(|at| format!("h{at}.w[i] * h{at}.a[c]"), " + ");
    format!(
        "ntm 1\nuse std.nn\nuse std.address\nmodel m[N = 16, W = 8, H = 32](x[X]) -> y[Y] {{\n  \
         memory M[N, W] = 0.1\n  controller o = lstm[H](x)\n{}  \
         M[i, c] = prev M[i, c] * {kept} + {added}\n  emit y[Y] from cat(o, {reads})\n}}\n{TRAIN}",
        (0..n).map(head).collect::<String>()
    )
}

/// That many layers of LSTM.
fn layers(n: usize) -> String {
    let layers: String =
        (1..n).map(|at| format!("  l{at} = lstm[H](cat(x, l{}))\n", at - 1)).collect();
    format!(
        "ntm 1\nuse std.nn\nmodel m[H = 32](x[X]) -> y[Y] {{\n  l0 = lstm[H](x)\n{layers}  \
         emit y[Y] from l{}\n}}\n{TRAIN}",
        n - 1
    )
}

/// What grows, and its text at a size.
type Grow = (&'static str, fn(usize) -> String);

const GROW: &[Grow] = &[("heads", heads), ("layers", layers)];

const TRAIN: &str = "train t: m on copy(bits = 4, length = 3) {\n  optimizer = adam(lr = 1e-3)\n  \
                     steps = 1\n}\n";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|one| !one.starts_with('-')).collect();
    let wanted =
        |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let mut cases = Vec::new();
    shipped(Path::new("specs"), &mut cases);
    println!("{:<36}{:>9}{:>10}", "from text to machine code", "ms", "kernels");
    for case in cases.iter().filter(|case| wanted(&case.name)) {
        match measure(case) {
            Some((ms, kernels)) => println!("{:<36}{ms:>9.1}{kernels:>10}", case.name),
            // A file of definitions, or a mistake that the tests tell of.
            None => println!("{:<36}{:>9}", case.name, "-"),
        }
    }
    println!(
        "\n{:<36}{:>9}{:>9}{:>9}{:>8}{:>8}",
        "what grows", "ms at 1", "at 4", "at 16", "4/1", "16/4"
    );
    for (name, text) in GROW.iter().filter(|(name, _)| wanted(name)) {
        let times = [1, 4, 16].map(|n| {
            let case = Case { name: format!("{name} {n}"), text: text(n) };
            measure(&case).unwrap_or_else(|| panic!("{} does not train", case.name)).0
        });
        let [a, b, c] = times;
        println!("{name:<36}{a:>9.1}{b:>9.1}{c:>9.1}{:>8.1}{:>8.1}", b / a, c / b);
    }
}

//! What must hold for any bytes, for the fuzz targets; and how bytes are changed.
//!
//! In: the bytes of the fuzzer. Invariant: a check panics if and only if the compiler breaks a promise:
//! a panic of its own, a law that does not hold, or more than a second of work.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use ntmc::compile::{self, Choices, Format, Purpose, Spec, Stage};
use ntmc::diag::{Diagnostics, Style, render};
use ntmc::error::Error;
use ntmc::graph::{text as ir, verify};
use ntmc::model::library::StdOnly;
use ntmc::model::typed::DimKind;
use ntmc::model::{Given, Loss};
use ntmc::source::{Source, Sources};
use ntmc::syntax;
use ntmc::vectors::{File, Map, resolve};

#[path = "../../tests/it/mutate.rs"]
mod mutate;

/// The most processor time that one input may take.
const MOST_SECONDS: f64 = 1.0;

/// Runs a check on text; anything that is no text is left alone.
pub fn on_text(data: &[u8], check: fn(&str)) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let before = processor_seconds();
    check(text);
    let took = processor_seconds() - before;
    assert!(took <= MOST_SECONDS, "{took} seconds of work");
}

/// Processor time of this process: a busy machine makes nothing slow.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |at: usize| after.split_whitespace().nth(at).and_then(|one| one.parse().ok());
    ticks(11).unwrap_or(0.0) / 100.0 + ticks(12).unwrap_or(0.0) / 100.0
}

/// Parsing says what is wrong or gives a tree; the formatter keeps its laws.
pub fn check_text(text: &str) {
    let read = |text: &str| {
        let (mut sources, mut sink) = (Sources::default(), Diagnostics::default());
        let id = sources.add(Source::new("text.ntm", text));
        let tree = syntax::parse(&sources, id, &mut sink);
        let shown = render(&sink, &sources, Style::Plain);
        assert_eq!(sink.is_empty(), shown.is_empty());
        assert!(tree.is_some() || sink.has_errors(), "nothing read, nothing said");
        tree.filter(|_| !sink.has_errors())
    };
    let Some(tree) = read(text) else { return };
    let once = syntax::format(&tree);
    let again = read(&once).unwrap_or_else(|| panic!("what was printed does not parse:\n{once}"));
    assert_eq!(syntax::outline(&tree), syntax::outline(&again), "the tree changed:\n{once}");
    assert_eq!(once, syntax::format(&again), "formatting twice differs");
    let words = |tree: &syntax::ast::File| {
        let mut words: Vec<_> = tree.comments.iter().map(|one| one.text.clone()).collect();
        words.sort();
        words
    };
    assert_eq!(words(&tree), words(&again), "a comment was lost:\n{once}");
}

/// Checking says what is wrong or gives a model, and every model compiles. Lines `#set PATH=VALUE`
/// are overrides.
pub fn check_spec(text: &str) {
    let sets = text.lines().filter_map(|line| line.strip_prefix("#set "));
    let choices =
        Choices { sets: sets.take(4).map(str::to_owned).collect(), ..Choices::default() };
    match program(text, &choices) {
        Ok(()) => {}
        Err(error) => assert!(!error.render(Style::Plain).is_empty()),
    }
}

fn program(text: &str, choices: &Choices) -> Result<(), Error> {
    let mut spec = Spec::read(Source::new("text.ntm", text), &StdOnly)?;
    let choice = spec.choose(choices)?;
    let mut purpose = spec.purpose(&choice)?;
    if purpose.ports.is_some() {
        purpose.loss = Loss::Target { masked: true };
    } else {
        let open = spec.checked.def(choice.model).dims.iter().filter(|dim| {
            let list = matches!(dim.kind, DimKind::List(_));
            dim.default.is_none() && !choice.given.contains_key(&dim.name) && !list
        });
        let sizes = [3.0, 5.0, 7.0, 4.0, 6.0, 8.0, 9.0].into_iter().cycle();
        let given = open.zip(sizes).map(|(dim, size)| (dim.name.clone(), Given::Number(size)));
        purpose = Purpose { given: given.collect(), loss: Loss::HalfSquares, ..purpose };
    }
    let model = spec.elaborate(&choice, &purpose)?;
    let program = compile::program(&model, Stage::Adjoint);
    for graph in [&program.init, &program.step] {
        verify(graph).unwrap_or_else(|broken| panic!("{broken}"));
    }
    if choice.train.is_some() {
        spec.optimiser(&spec.block(&choice)?, 3)?;
    }
    Ok(())
}

/// Text of the IR is refused with a place, or gives graphs that verify, print and read back.
pub fn check_ir(text: &str) {
    let Ok(program) = ir::parse_program(text) else { return };
    for graph in [&program.init, &program.step] {
        verify(graph).unwrap_or_else(|broken| panic!("{broken}"));
    }
    let printed = compile::show(&program, Format::Text);
    let again = ir::parse_program(&printed).unwrap_or_else(|error| panic!("{error}\n{printed}"));
    assert!(program == again, "the text reads back as another program:\n{printed}");
    for format in [Format::Dot, Format::Ron, Format::Json] {
        assert!(!compile::show(&program, format).is_empty());
    }
}

/// Maps are refused or give cases, for a file of tensors that is there.
pub fn check_map(text: &str) {
    static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
        let paths = below(&root().join("tests/golden"), &["safetensors"]);
        let read = |path: &PathBuf| File::parse("a", &std::fs::read(path).ok()?).ok();
        paths.iter().filter_map(read).filter(|file| file.numbers.len() < 5_000).collect()
    });
    let Ok(map) = Map::parse("text.map.ron", text) else { return };
    for file in FILES.iter().take(3) {
        let _ = resolve(&map, file);
    }
}

/// Files of tensors are refused or read, printed and read again.
pub fn check_tensors(data: &[u8]) {
    let Ok(file) = File::parse("text.safetensors", data) else { return };
    let _ = resolve(&Map::plain(&file), &file);
    let again = File::parse("again", &file.bytes()).expect("what was written can be read");
    assert_eq!(file.slots.len(), again.slots.len());
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Every file below a folder with one of these endings.
fn below(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            out.extend(below(&path, endings));
        } else if path.extension().is_some_and(|end| endings.iter().any(|one| end == *one)) {
            out.push(path);
        }
    }
    out.sort();
    out
}

/// The texts that a mutation may copy from.
fn texts(folders: &[&str], endings: &[&str]) -> Vec<String> {
    let paths = folders.iter().flat_map(|folder| below(&root().join(folder), endings));
    paths.filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}

/// Changes text word by word; sometimes byte by byte, as the fuzzer does by itself.
pub fn change(data: &mut [u8], size: usize, most: usize, seed: u32) -> usize {
    static SPECS: LazyLock<Vec<String>> = LazyLock::new(|| {
        texts(&["tests/ok", "tests/err", "specs", "src/std", "tests/regressions"], &["ntm"])
    });
    static GRAPHS: LazyLock<Vec<String>> =
        LazyLock::new(|| texts(&["tests/ir", "fuzz/corpus/ir"], &["ir"]));
    static MAPS: LazyLock<Vec<String>> =
        LazyLock::new(|| texts(&["specs", "tests"], &["ron"]));
    let mut chance = mutate::Chance(u64::from(seed));
    let text = match std::str::from_utf8(&data[..size]) {
        Ok(text) if chance.below(8) > 0 => text,
        _ => return libfuzzer_sys::fuzzer_mutate(data, size, most),
    };
    let others: &[String] = if text.trim_start().starts_with("ntm") {
        &SPECS
    } else if text.trim_start().starts_with('(') {
        &MAPS
    } else {
        &GRAPHS
    };
    let mut changed = mutate::mutate(text, others, &mut chance);
    if changed.len() > most {
        let mut end = most;
        while !changed.is_char_boundary(end) {
            end -= 1;
        }
        changed.truncate(end);
    }
    data[..changed.len()].copy_from_slice(changed.as_bytes());
    changed.len()
}

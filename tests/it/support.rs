//! The check functions: the only place that calls our API directly.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use ntmc::backend::Batch;
use ntmc::compile::{self, Choice, Choices, Purpose, Spec};
use ntmc::diag::{Diagnostic, Diagnostics, Style, apply, render};
use ntmc::error::Error;
use ntmc::explain::Example;
use ntmc::graph::{Array, Program};
use ntmc::model::library::Library;
use ntmc::model::typed::DimKind;
use ntmc::model::{self, Given, Loss, Model, Ports, Setting, train};
use ntmc::source::{FileId, Source, Sources};
use ntmc::syntax::{self, ast};
use ntmc::tensor::Tensor;
use serde_json::Value;

/// The root of the package.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder of the data that is not part of the package, below the folder named by `NTMC_DATA`.
/// Where it is absent the test counts as skipped, and says so even though it passes.
pub(crate) fn data(test: &str, folder: &str) -> Option<PathBuf> {
    let why = match std::env::var_os("NTMC_DATA").map(|data| Path::new(&data).join(folder)) {
        Some(found) if found.is_dir() => return Some(found),
        Some(absent) => format!("there is no {}", absent.display()),
        None => format!("set NTMC_DATA to the folder that holds {folder}"),
    };
    // Not `eprintln`: the test harness keeps what passing tests print.
    let said = format!("skipped: {test}: {why}\n");
    std::io::stderr().write_all(said.as_bytes()).unwrap();
    None
}

/// A file of the package, shown under its path within the package.
pub(crate) fn source(path: &Path) -> Source {
    let name = path.strip_prefix(root()).unwrap_or(path).display().to_string();
    Source::new(name, fs::read_to_string(path).unwrap())
}

/// Modules beside a file of the package.
pub(crate) struct Beside(pub(crate) PathBuf);

impl Library for Beside {
    fn source(&self, module: &str) -> Option<Source> {
        let folders = [self.0.clone(), root().join("tests/modules")];
        let paths = folders.map(|folder| folder.join(format!("{module}.ntm")));
        paths.iter().find(|path| path.exists()).map(|path| source(path))
    }
}

/// The modules that a file may use.
pub(crate) fn beside(path: &Path) -> Beside {
    Beside(path.parent().unwrap_or(root()).to_path_buf())
}

/// Everything the compiler has to say about a file: text, definitions, train blocks, and the first
/// train block's model (or else the last model) at the sizes of its task.
pub(crate) fn diagnose(path: &Path) -> (Sources, Diagnostics) {
    diagnose_beside(path, &source(path).text)
}

/// The text of a file after the edits of a diagnostic.
pub(crate) fn with_edits(path: &Path, one: &Diagnostic) -> String {
    let text = source(path).text;
    let repaired = apply(&text, FileId(0), &one.edits);
    assert!(repaired != text, "{}: {one:?} edits nothing", path.display());
    repaired
}

/// The same for another text in place of a file.
pub(crate) fn diagnose_beside(path: &Path, text: &str) -> (Sources, Diagnostics) {
    diagnose_source(
        Source::new(path.strip_prefix(root()).unwrap_or(path).display().to_string(), text),
        &beside(path),
    )
}

fn diagnose_source(source: Source, library: &dyn Library) -> (Sources, Diagnostics) {
    let (mut sources, mut sink) = (Sources::default(), Diagnostics::default());
    let file = sources.add(source);
    let tree = syntax::parse(&sources, file, &mut sink);
    let Some(tree) = tree.filter(|_| !sink.has_errors()) else { return (sources, sink) };
    let checked = model::check(&tree, library, &mut sources, &mut sink);
    for block in &checked.trains {
        train::check(block, &mut sink);
    }
    if sink.has_errors() || checked.models.is_empty() {
        return (sources, sink);
    }
    let mut spec = Spec { sources, file: tree, checked, notes: Diagnostics::default() };
    let choice = match spec.choose(&Choices::default()) {
        Ok(choice) => choice,
        Err(error) => return of_error(error),
    };
    let ports = match ports(&spec, &choice) {
        Ok(ports) => ports,
        Err(error) => return of_error(error),
    };
    let loss = if ports.is_some() { Loss::Target { masked: true } } else { Loss::HalfSquares };
    let given = choice.given.clone().into_iter().chain(unbound(&spec, &choice)).collect();
    let setting = Setting { given, ports, loss, ..Setting::default() };
    let built = model::elaborate_with_claims(&spec.checked, choice.model, &setting, &mut sink);
    if let Some((model, claimed)) = built {
        let verdicts = ntmc::claims::decide(&model, &claimed, ntmc::claims::Effort::QUICK);
        sink.extend(ntmc::claims::refuted(&claimed, &verdicts));
        if let Some(Ok(block)) = choice.train.is_some().then(|| spec.block(&choice)) {
            let params: Vec<&str> = model.params.iter().map(|one| one.path.as_str()).collect();
            sink.extend(block.unknown_frozen(&params));
        }
    }
    if !sink.has_errors()
        && choice.train.is_some()
        && let Err(error) = spec.block(&choice).and_then(|block| spec.optimiser(&block, 3))
    {
        return of_error(error);
    }
    (spec.sources, sink)
}

fn of_error(error: Error) -> (Sources, Diagnostics) {
    match error {
        Error::Spec { diagnostics, sources } => (*sources, diagnostics),
        Error::Check(_)
        | Error::Usage(_)
        | Error::Limit(_)
        | Error::File { .. }
        | Error::Interrupted(_)
        | Error::Told(_)
        | Error::Closed => panic!("{error:?}"),
    }
}

/// What the task of the chosen train block binds.
fn ports(spec: &Spec, choice: &Choice) -> Result<Option<Ports>, Error> {
    if choice.train.is_none() {
        return Ok(None);
    }
    let block = spec.block(choice)?;
    let tasks = ntmc::compile::resolve_tasks(&block, &spec.sources)?;
    let ports = tasks[0].ports();
    let (domain, place) = (ports.domain.to_owned(), block.tasks[0].span);
    Ok(Some(Ports { input: ports.input, output: ports.output, domain, place }))
}

/// Small sizes for the dims that nothing binds, all different.
fn unbound(spec: &Spec, choice: &Choice) -> Vec<(String, (Given, ntmc::model::Place))> {
    if choice.train.is_some() {
        return Vec::new();
    }
    let def = spec.checked.def(choice.model);
    let open = def.dims.iter().filter(|dim| {
        dim.default.is_none()
            && !choice.given.contains_key(&dim.name)
            && !matches!(dim.kind, DimKind::List(_))
    });
    let sizes = [3.0, 5.0, 7.0, 4.0, 6.0, 8.0, 9.0].into_iter().cycle();
    // The length of a list is that of the list.
    let is_length = |name: &str| {
        def.dims.iter().any(|list| match list.kind {
            DimKind::List(length) => def.dims[length.0 as usize].name == name,
            DimKind::Explicit | DimKind::Implicit | DimKind::Int => false,
        })
    };
    let open = open.zip(sizes).filter(|(dim, _)| !is_length(&dim.name));
    open.map(|(dim, size)| (dim.name.clone(), (Given::Number(size), dim.span.into()))).collect()
}

/// What a terminal shows of all diagnostics about a text, its colours taken away again.
pub(crate) fn on_a_terminal(text: &str) -> String {
    let (sources, sink) = diagnose_beside(Path::new("text.ntm"), text);
    let coloured = render(&sink, &sources, Style::Colour);
    assert!(coloured.contains("\u{1b}["), "{coloured}");
    let parts = coloured.split("\u{1b}[").enumerate();
    parts.map(|(at, part)| if at == 0 { part } else { part.split_once('m').unwrap().1 }).collect()
}

/// A spec that must be right so far.
pub(crate) fn spec(source: Source, library: &dyn Library) -> Spec {
    Spec::read(source, library).unwrap_or_else(|error| panic!("{}", error.render(Style::Plain)))
}

/// The model of a spec at the sizes of its task, of `given`, or small ones.
pub(crate) fn elaborate(spec: &mut Spec, given: &[(&str, Given)]) -> Result<Model, Error> {
    let choice = spec.choose(&Choices::default())?;
    elaborate_chosen(spec, &choice, given)
}

/// The same for a choice.
pub(crate) fn elaborate_chosen(
    spec: &Spec,
    choice: &Choice,
    given: &[(&str, Given)],
) -> Result<Model, Error> {
    let ports = ports(spec, choice)?;
    let loss = if ports.is_some() { Loss::Target { masked: true } } else { Loss::HalfSquares };
    let mut all: Vec<(String, Given)> =
        given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    for (name, (value, _)) in unbound(spec, choice) {
        if all.iter().all(|(known, _)| *known != name) {
            all.push((name, value));
        }
    }
    spec.elaborate(choice, &Purpose { ports, loss, given: all, ..Purpose::default() })
}

/// The model of a file.
pub(crate) fn model_of(path: &Path) -> Model {
    let mut spec = spec(source(path), &beside(path));
    elaborate(&mut spec, &[]).unwrap_or_else(|error| panic!("{}", error.render(Style::Plain)))
}

/// The model of a text.
pub(crate) fn model_of_text(text: &str, given: &[(&str, Given)]) -> Model {
    let library = Beside(root().join("specs"));
    let mut spec = spec(Source::new("text.ntm", text), &library);
    elaborate(&mut spec, given).unwrap_or_else(|error| panic!("{}", error.render(Style::Plain)))
}

/// The program of a model at a stage; every graph of it is verified.
pub(crate) fn program(model: &Model, stage: compile::Stage) -> Program {
    let program = compile::program(model, stage);
    for graph in [&program.init, &program.step] {
        if let Err(violation) = ntmc::graph::verify(graph) {
            panic!("{} at {stage:?}: {violation}", model.name);
        }
    }
    program
}

/// A program as text, which reads back as the same program.
pub(crate) fn text_of(program: &Program) -> String {
    let text = compile::show(program, compile::Format::Text);
    let read = ntmc::graph::text::parse_program(&text);
    let read = read.unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert!(read == *program, "the text reads back as another program:\n{text}");
    let again = ntmc::graph::text::program_text(&read);
    assert!(again == text, "the text changes when it is read back:\n{text}\n{again}");
    text
}

/// The diagnostics of a text.
pub(crate) fn diagnose_text(text: &str) -> (Sources, Diagnostics) {
    let (mut sources, mut sink) = (Sources::default(), Diagnostics::default());
    let file = sources.add(Source::new("text.ntm", text));
    roomy(|| syntax::parse(&sources, file, &mut sink));
    (sources, sink)
}

/// Runs with the stack of a program's main thread; those of tests are smaller, and frames of a build
/// without optimisation larger.
fn roomy<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(64 << 20);
        match thread.spawn_scoped(scope, run).unwrap().join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// The codes of a text's diagnostics, in source order.
pub(crate) fn codes(text: &str) -> Vec<&'static str> {
    diagnose_text(text).1.sorted().into_iter().map(|one| one.code.0).collect()
}

/// Reads a value from the command line: its tree as a sketch of JSON, or the rendered mistakes.
pub(crate) fn value_of(text: &str) -> Result<Value, String> {
    let (mut sources, mut sink) = (Sources::default(), Diagnostics::default());
    let file = sources.add(Source::new("--set #1", text));
    let arg = syntax::parse_arg(&sources, file, &mut sink);
    match arg {
        Some(arg) if sink.is_empty() => {
            let mut value = serde_json::to_value(arg).unwrap();
            strip(&mut value);
            Ok(value)
        }
        Some(_) | None => Err(rendered(&sources, &sink)),
    }
}

/// Diagnostics as a person sees them.
pub(crate) fn rendered(sources: &Sources, found: &Diagnostics) -> String {
    render(found, sources, Style::Plain)
}

/// The tree of a text without mistakes.
pub(crate) fn tree(text: &str) -> ast::File {
    let (mut sources, mut sink) = (Sources::default(), Diagnostics::default());
    let file = sources.add(Source::new("text.ntm", text));
    let tree = syntax::parse(&sources, file, &mut sink);
    assert!(sink.is_empty(), "{}\n{text}", rendered(&sources, &sink));
    tree.unwrap()
}

/// A tree without places, comments and blank lines, as JSON.
pub(crate) fn placeless(tree: &ast::File) -> Value {
    let mut value = serde_json::to_value(tree).unwrap();
    strip(&mut value);
    let fields = value.as_object_mut().unwrap();
    fields.remove("comments");
    fields.remove("blanks");
    value
}

/// A tree without places and without parentheses, which printing may add.
pub(crate) fn plain(tree: &ast::File) -> Value {
    let mut value = placeless(tree);
    unwrap_parentheses(&mut value);
    value
}

fn unwrap_parentheses(value: &mut Value) {
    while let Some(inner) = value.pointer("/kind/Paren") {
        *value = inner.clone();
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(unwrap_parentheses),
        Value::Object(fields) => fields.values_mut().for_each(unwrap_parentheses),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Removes everything that looks like a span.
fn strip(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.retain(|item| !is_span(item));
            items.iter_mut().for_each(strip);
        }
        Value::Object(fields) => {
            fields.retain(|_, item| !is_span(item));
            fields.values_mut().for_each(strip);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_span(value: &Value) -> bool {
    let span = serde_json::to_value(ntmc::source::Span::default()).unwrap();
    let keys =
        |value: &Value| value.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>());
    keys(value).is_some() && keys(value) == keys(&span)
}

/// The three laws of the formatter for one text.
pub(crate) fn check_format(text: &str) {
    let before = tree(text);
    let once = syntax::format(&before);
    let after = tree(&once);
    assert_eq!(placeless(&before), placeless(&after), "the tree changed:\n{text}\n->\n{once}");
    assert_eq!(once, syntax::format(&after), "formatting twice differs:\n{text}");
    let words = |tree: &ast::File| {
        let mut words: Vec<_> = tree.comments.iter().map(|one| one.text.clone()).collect();
        words.sort();
        words
    };
    assert_eq!(words(&before), words(&after), "a comment was lost:\n{text}\n->\n{once}");
    assert_eq!(syntax::outline(&before), syntax::outline(&after));
}

/// An expectation written in a test file: `#~ E0002 "=="`, on the line it speaks of.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Expected {
    /// The line, from 1.
    pub(crate) line: usize,
    /// The code.
    pub(crate) code: String,
    /// The text under the primary label.
    pub(crate) text: String,
}

/// The expectations of a file. `#~^` speaks of the line above.
pub(crate) fn expectations(text: &str) -> Vec<Expected> {
    let mut out = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for note in line.split("#~").skip(1) {
            let (above, note) = match note.strip_prefix('^') {
                Some(note) => (1, note),
                None => (0, note),
            };
            let (code, text) = note.trim().split_once(' ').unwrap_or((note.trim(), "\"\""));
            let text = text.trim().strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            let text = text.unwrap_or_else(|| panic!("line {}: quote the text", at + 1)).to_owned();
            out.push(Expected { line: at + 1 - above, code: code.to_owned(), text });
        }
    }
    out.sort();
    out
}

/// What was found, in the form of expectations. A label over several lines counts with its first.
pub(crate) fn found(sources: &Sources, found: &Diagnostics) -> Vec<Expected> {
    let one = |one: &ntmc::diag::Diagnostic| {
        let span = one.primary.span;
        let (line, _) = sources.places().of(span.file).position(span.start);
        let text = sources.text(span).lines().next().unwrap_or("").to_owned();
        Expected { line, code: one.code.0.to_owned(), text }
    };
    let mut out: Vec<_> = found.sorted().into_iter().map(one).collect();
    out.sort();
    out
}

/// Of the specs that are timed, one of each network: the others differ in sizes alone.
const TIMED: &[&str] = &["dnc-small-b16", "lstm-b32", "ntm-copy-b1"];

/// Whether a file differs in its sizes alone from one that is looked at.
fn differs_in_sizes(path: &Path) -> bool {
    let name = path.file_stem().unwrap().to_string_lossy();
    let timed = path.parent().is_some_and(|folder| folder.ends_with("specs/bench"));
    timed && name.contains('-') && !TIMED.contains(&&*name)
}

/// Every `.ntm` file below a folder of the package that has something of its own, in order; none if
/// it does not exist.
pub(crate) fn specs_below(folder: &str) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "ntm")
                && !differs_in_sizes(&path)
            {
                out.push(path);
            }
        }
    }
    out.sort();
    out
}

/// What the compiler says to choices made on the command line, for a text.
pub(crate) fn codes_of_choices(text: &str, choices: &Choices) -> (Vec<&'static str>, String) {
    let mut spec = spec(Source::new("text.ntm", text), &Beside(root().join("specs")));
    let result = spec.choose(choices).and_then(|choice| elaborate_chosen(&spec, &choice, &[]));
    match result {
        Ok(_) => (Vec::new(), String::new()),
        Err(error) => {
            let shown = error.render(Style::Plain);
            let (_, found) = of_error(error);
            (found.sorted().into_iter().map(|one| one.code.0).collect(), shown)
        }
    }
}

/// Every code of a message that stands in the compiler: `"E0123"`, `"W0901"`.
pub(crate) fn codes_in_source() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    let mut open = vec![root().join("src")];
    while let Some(folder) = open.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                for code in text.split('"').filter(|word| is_code(word)) {
                    codes.insert(code.to_owned());
                }
            }
        }
    }
    codes
}

/// `E0123` or `W0901`.
fn is_code(word: &str) -> bool {
    let number = word.strip_prefix("E0").or(word.strip_prefix("W0"));
    number.is_some_and(|rest| rest.len() == 3 && rest.bytes().all(|b| b.is_ascii_digit()))
}

/// What the compiler says about an example of a page, with the options that it names.
pub(crate) fn diagnose_example(example: &Example) -> (Sources, Diagnostics) {
    let path = root().join("tests/err/example.ntm");
    let mut choices = Choices::default();
    for pair in example.options.chunks(2) {
        let [option, value] = pair else { panic!("an option without a value: {pair:?}") };
        match *option {
            "--set" => choices.sets.push((*value).to_owned()),
            "--train" => choices.train = Some((*value).to_owned()),
            "--model" => choices.model = Some((*value).to_owned()),
            other => panic!("unknown option {other}"),
        }
    }
    if example.options.is_empty() {
        let source = Source::new("example.ntm", example.spec);
        return diagnose_source(source, &beside(&path));
    }
    let mut spec = spec(Source::new("example.ntm", example.spec), &beside(&path));
    let result = spec.choose(&choices).and_then(|choice| elaborate_chosen(&spec, &choice, &[]));
    match result {
        Ok(_) => (Sources::default(), Diagnostics::default()),
        Err(error) => of_error(error),
    }
}

/// The pedantic notes on a text in place of a file, at the sizes of its task or at small ones; its
/// mistakes, if it has any.
pub(crate) fn notes_of(path: &Path, text: Source) -> (Sources, Diagnostics) {
    let mut spec = match Spec::read(text, &beside(path)) {
        Ok(spec) => spec,
        Err(error) => return of_error(error),
    };
    if spec.checked.models.is_empty() {
        let notes = spec.pedantic(None);
        return (spec.sources, notes);
    }
    let choice = spec.choose(&Choices::default());
    let model = choice.and_then(|choice| Ok((elaborate_chosen(&spec, &choice, &[])?, choice)));
    match model {
        Ok((model, choice)) => {
            let program = program(&model, compile::Stage::Step);
            let notes = spec.pedantic(Some((choice.model, &model, &program)));
            (spec.sources, notes)
        }
        Err(error) => of_error(error),
    }
}

/// The program of a spec's first train block, with other sizes.
pub(crate) fn training(path: &str, sets: &[&str]) -> Program {
    let path = root().join(path);
    let mut spec = spec(source(&path), &beside(&path));
    let sets = sets.iter().map(|set| (*set).to_owned()).collect();
    spec.training(&Choices { sets, ..Choices::default() }).unwrap().program
}

/// Numbers between -0.5 and 0.5; `shift` begins elsewhere.
pub(crate) fn numbers(shape: &[usize], shift: usize) -> Tensor {
    let mut at = shift;
    Tensor::from_shape_simple_fn(shape, || {
        at += 1;
        (at as f64 * 0.7).sin() * 0.5
    })
}

/// Sequences of bits of those lengths for a program.
pub(crate) fn bits(program: &Program, lengths: &[usize]) -> Batch {
    let longest = lengths.iter().copied().max().unwrap();
    let input = |(at, array): (usize, &Array)| {
        let shape = [&[longest, lengths.len()][..], &array.shape()].concat();
        numbers(&shape, at).mapv(|value| f64::from(value > 0.0))
    };
    let inputs = program.inputs.iter().enumerate().map(input).collect();
    Batch { lengths: lengths.to_vec(), inputs, starts: Vec::new() }
}

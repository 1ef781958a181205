//! The text form of graphs: the worked examples read, verify and print as they are written.

use ntmc::graph::{Graph, Path, Type, canonical, text};

fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with(';')).map(|line| format!("{line}\n")).collect()
}

fn fixtures() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ir");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|e| e == "ir")).collect();
    files.sort();
    let read = |file: std::path::PathBuf| {
        (file.display().to_string(), std::fs::read_to_string(&file).unwrap())
    };
    files.into_iter().map(read).collect()
}

#[test]
fn worked_examples_print_as_they_are_written() {
    assert!(fixtures().len() >= 5);
    for (name, source) in fixtures() {
        let graph = text::parse(&source).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(text::print(&graph), without_comments(&source), "{name}");
        assert_eq!(text::parse(&text::print(&graph)).unwrap(), graph, "{name}");
    }
}

#[test]
fn worked_examples_have_a_canonical_order() {
    for (name, source) in fixtures() {
        let graph = canonical(text::parse(&source).unwrap());
        ntmc::graph::verify(&graph).unwrap_or_else(|violation| panic!("{name}: {violation}"));
        assert_eq!(canonical(graph.clone()), graph, "{name}");
        assert_eq!(text::parse(&text::print(&graph)).unwrap(), graph, "{name}");
    }
}

#[test]
fn the_order_of_equations_does_not_show() {
    let one = "%x[i:3] = input 0 -- x\n%a[i:3] = %x[i] + 1 -- a\n%b[i:3] = %x[i] * 2 -- b\n\
               a[i:3] = %a[i]\nb[i:3] = %b[i]\n";
    let two = "%x[i:3] = input 0 -- x\n%b[i:3] = %x[i] * 2 -- b\n%a[i:3] = %x[i] + 1 -- a\n\
               %c[i:3] = %x[i] * 3 -- c\nb[i:3] = %b[i]\na[i:3] = %a[i]\n";
    let (one, two) = (text::parse(one).unwrap(), text::parse(two).unwrap());
    assert_eq!(text::print(&canonical(one.clone())), text::print(&canonical(two.clone())));
}

/// Each text with the line, the column and a part of what is said about it.
const WRONG: &[(&str, usize, usize, &str)] = &[
    ("%x[i:3] = input 0\n%y[i:3] = %x[j]\n", 2, 14, "no axis `j`"),
    ("%y[i:3] = exp(%x[i])\n", 1, 15, "no line above defines `%x`"),
    ("%y[i:3] = axp(1)\n", 1, 11, "no function `axp`"),
    ("%y[i:3] = 1 +\n", 1, 14, "expected a value"),
    ("%y = 1\n%y = 2\n", 2, 1, "defined twice"),
    ("%x[i:3] = input 0\n%y[i:3] = exp(%x[i + 1])\n", 2, 1, "read outside 0..3"),
    ("%x[i:3] = input 0\n%y[i:3] = recur[i up from 0] %x[i] * self\n", 2, 30, "a + b * self"),
    ("%x[i:3] = input 0\n%y[i:3] = join { i < 2: %x[i]; i >= 1: 0 }\n", 2, 1, "overlap"),
    ("%x[i:3] = input 0\n%y[i:3] = join { i < 1: %x[i]; i >= 2: 0 }\n", 2, 1, "cover"),
    ("%x[i:3] = input 0\n%y[i:3] = %x[i] ? 1\n", 2, 17, "`?`"),
    ("%x[i:3] = input 0\n%y[i:3] = %x[i] and true\n", 2, 1, "cannot take real"),
    ("%x[i:9 | i >= 1] = 5 * %x[i]\n", 1, 24, "no line above"),
    ("%z[i:9] = 5\n%x[i:9 | i >= 1] = 2 * %z[i]\n%y[i:9] = exp(%x[i])\n", 3, 1, "does not exist"),
    ("nonsense\n", 1, 1, "expected a node"),
];

#[test]
fn faults_have_a_place() {
    for (source, line, column, part) in WRONG {
        let error = text::parse(source).unwrap_err();
        assert!(error.message.contains(part), "{source}: {error}");
        assert_eq!((error.line, error.column), (*line, *column), "{source}: {error}");
    }
}

/// Sentences that print as they stand, one for each way of writing.
const SENTENCES: &[&str] = &[
    "-(1)",
    "-1",
    "-%x",
    "-(-%x)",
    "-(%x + %x)",
    "-%x ^ 2",
    "(-1) ^ 2",
    "%x ^ -1",
    "%x ^ %x ^ 2",
    "(%x ^ %x) ^ 2",
    "%x - (%x - 1)",
    "%x - %x - 1",
    "%x * (%x / 2) / 3",
    "(%x + 1) * %x",
    "-(inf)",
    "exp(inf)",
    "exp(-inf)",
    "exp(nan)",
    "exp(nan_7ff8000000000001)",
    "exp(-0)",
    "exp(1e300)",
    "exp(1e-7)",
    "exp(0.1)",
    "select(%x < 1 and not 1 <= %x or %x == 2, 1, 2)",
    "clip(%x, 0, 1)",
    "select(not (%x < 1 or true), 1, 2)",
    "(%x < 1) and (1 < %x)",
    "(not %x < 1) == (not true)",
];

#[test]
fn expressions_print_as_they_are_written() {
    for sentence in SENTENCES {
        let ty = if sentence.starts_with('(') && sentence.contains('<') { ": bool" } else { "" };
        let source = format!("%x = input 0 -- x\n%y{ty} = {sentence} -- y\n");
        match text::parse(&source) {
            Ok(graph) => {
                let printed = text::print(&graph);
                assert_eq!(text::parse(&printed).unwrap(), graph, "{printed}");
                if !sentence.starts_with("(%x <") {
                    assert_eq!(
                        printed.lines().last().unwrap(),
                        format!("%y{ty} = {sentence} -- y")
                    );
                }
            }
            Err(error) => assert!(sentence.starts_with("(not"), "{source}: {error}"),
        }
    }
}

#[test]
fn programs_print_and_parse() {
    let source = "param 0 lookup.k.weight[h:4, w:3]\nparam 1 b\ninput 0 x[_0:4]\n\
                  input 1 idx[m:2]: index(8)\nstate 0 read[0].w[n:8]\n\n\
                  graph init\n%0[n:8] = 0.125\nstart/read[0].w[n:8] = %0[n]\n\n\
                  graph step\n%w[n:8] = prev 0 -- read[0].w\n%w.1[n:8] = exp(%w[n]) -- read[0].w\n\
                  next/read[0].w[n:8] = %w.1[n]\n\n\
                  update input 0 value[p:13]\nupdate input 1 gradient[p:13]\nupdate input 2 rate\n\
                  update slot 0 m[p:13]\n\n\
                  graph update init\n%0[p:13] = 0\nstart/m[p:13] = %0[p]\n\n\
                  graph update\n%0[p:13] = input 0\nnext/m[p:13] = %0[p]\nvalue[p:13] = %0[p]\n";
    let program = text::parse_program(source).unwrap();
    assert_eq!(text::program_text(&program), source);
    assert_eq!(program.params[0].axes, ["h", "w"]);
    assert!(program.inputs[0].axes.is_empty());
}

/// Names that could be taken for something else where they stand.
const ODD: &[&str] = &[
    "a\u{0}b",
    "\u{1}",
    "a\u{7f}",
    "tab\there",
    "line\nbreak",
    "return\r",
    "\u{85}next",
    "a\u{200b}b",
    "\u{feff}mark",
    "\u{2028}",
    "quote\"d",
    "back\\slash",
    " blank ",
    "",
    "adjoint",
    "adjoint x",
    "a = b",
    "a -- b",
    "a: real",
    "x[i:3]",
    "x[i:3]: int",
    "# no comment",
    "; nor this",
    "param 0 x",
    "graph step",
    "'",
    "β",
    "e\u{301}",
    "%x",
    "\u{10ffff}",
    "\u{1b}[0m",
    "a\"",
    "\"a\"",
    "x]",
    "[",
];

#[test]
fn odd_names_survive_the_text() {
    let source = "param 0 weight[i:2]\ninput 0 x[i:2]\nstate 0 s[i:2]\n\n\
                  graph init\n%w[i:2] = param 0 -- w\n%v[i:2] = exp(%w[i]) -- adjoint w\n\
                  start/s[i:2] = %v[i]\n\ngraph step\n%x[i:2] = input 0\nnext/s[i:2] = %x[i]\n";
    let good = text::parse_program(source).unwrap();
    let mut wrong = String::new();
    for name in ODD {
        let path = || Path((*name).to_owned());
        let mut program = good.clone();
        program.params[0].path = path();
        program.inputs[0].path = path();
        program.inputs[0].ty = Type::Int;
        program.states[0].path = path();
        let mut parts = program.init.parts();
        parts
            .iter_mut()
            .for_each(|part| std::sync::Arc::make_mut(&mut part.node.origin).path = path());
        let root = |kind: &str| Path(format!("{kind}{name}"));
        let first = program.init.roots[0].1.clone();
        let mut roots = vec![(root("start/"), first.clone())];
        roots.push((path(), first));
        roots.sort_by(|left, right| left.0.cmp(&right.0));
        program.init = Graph::assemble(parts, roots).unwrap();
        let text = text::program_text(&program);
        match text::parse_program(&text) {
            Ok(read) if read == program => {}
            Ok(_) => wrong += &format!("{name:?} is another program:\n{text}\n"),
            Err(error) => wrong += &format!("{name:?}: {error}\n{text}\n"),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn whatever_is_read_reads_back() {
    let letters = ('\u{0}'..='\u{ff}').chain("\u{200b}\u{2028}\u{feff}\u{301}\u{3000}".chars());
    let mut read = 0;
    for letter in letters {
        for name in [format!("a{letter}b"), format!("{letter}b"), format!("a{letter}")] {
            for source in [
                format!(
                    "param 0 {name}[i:2]\n\ngraph init\n%w[i:2] = param 0\nstart/s[i:2] = %w[i]\n"
                ),
                format!(
                    "param 0 w[i:2]\n\ngraph init\n%w[i:2] = param 0 -- {name}\nstart/s[i:2] = %w[i]\n"
                ),
                format!(
                    "param 0 w[i:2]\n\ngraph init\n%w[i:2] = param 0 -- adjoint {name}\nstart/s[i:2] = %w[i]\n"
                ),
                format!("param 0 w[i:2]\n\ngraph init\n%w[i:2] = param 0\n{name}[i:2] = %w[i]\n"),
                format!(
                    "param 0 w[{name}:2]\n\ngraph init\n%w[{name}:2] = param 0\ny[i:2] = %w[i]\n"
                ),
                format!("param 0 \"{name}\"[i:2]\n"),
            ] {
                let Ok(program) = text::parse_program(&source) else { continue };
                read += 1;
                let printed = text::program_text(&program);
                let again = text::parse_program(&printed);
                let again = again.unwrap_or_else(|error| panic!("{source:?}: {error}\n{printed}"));
                assert_eq!(again, program, "{source:?}\n{printed}");
                assert_eq!(text::program_text(&again), printed);
            }
        }
    }
    assert!(read > 1_000, "only {read} texts are programs");
}

//! Every file of `tests/err`: its inline expectations and its rendered message; and texts too large
//! to be files.

use std::time::{Duration, Instant};

use ntmc::compile::{Choices, Spec};
use ntmc::error::Error;
use ntmc::model::library::StdOnly;
use ntmc::source::Source;

use crate::support::{
    Expected, codes, codes_of_choices, diagnose, diagnose_beside, diagnose_text, expectations,
    found, rendered, specs_below, value_of, with_edits,
};

#[test]
fn every_mistake_is_reported_where_it_is() {
    let mut wrong = String::new();
    for path in specs_below("tests/err") {
        let (sources, sink) = diagnose(&path);
        let text = std::fs::read_to_string(&path).unwrap();
        let (expected, found) = (expectations(&text), found(&sources, &sink));
        let name = path.file_name().unwrap().to_str().unwrap();
        let code = name.split('-').next().unwrap();
        if expected != found || !found.iter().any(|one| one.code == code) {
            wrong += &format!("{name}: expected {expected:#?}\n{}", rendered(&sources, &sink));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_message_reads_as_it_did() {
    insta::glob!("..", "err/*.ntm", |path| {
        let (sources, sink) = diagnose(path);
        insta::assert_snapshot!(rendered(&sources, &sink));
    });
}

/// Of the files with a replacement, those whose mistake is still there, or where another arose.
#[test]
fn a_replacement_makes_its_mistake_vanish() {
    let mut wrong = String::new();
    for path in specs_below("tests/err") {
        let (sources, sink) = diagnose(&path);
        let before = found(&sources, &sink);
        for one in sink.sorted().into_iter().filter(|one| !one.edits.is_empty()) {
            let repaired = with_edits(&path, one);
            let (sources, sink) = diagnose_beside(&path, &repaired);
            let after = found(&sources, &sink);
            let codes =
                |all: &[Expected], code: &str| all.iter().filter(|e| e.code == code).count();
            let gone = codes(&after, one.code.0) < codes(&before, one.code.0);
            let new = after.iter().any(|new| codes(&after, &new.code) > codes(&before, &new.code));
            if !gone || new {
                wrong += &format!("{}:\n{repaired}{}", path.display(), rendered(&sources, &sink));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// How many codes, and how many files of `tests/err`, have a replacement for the code they show.
#[test]
#[expect(clippy::print_stdout, reason = "the counts are read with --nocapture")]
fn most_mistakes_come_with_a_replacement() {
    let (mut files, mut codes) = (Vec::new(), std::collections::BTreeMap::<String, bool>::new());
    let mut without = String::new();
    for path in specs_below("tests/err") {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let code = name.split('-').next().unwrap().to_owned();
        let (_, sink) = diagnose(&path);
        let replaced =
            sink.sorted().into_iter().any(|one| one.code.0 == code && !one.edits.is_empty());
        *codes.entry(code).or_default() |= replaced;
        files.push(replaced);
        if !replaced {
            without += &format!("{name}\n");
        }
    }
    let (n_files, n_codes) =
        (files.iter().filter(|one| **one).count(), codes.values().filter(|one| **one).count());
    let report = format!(
        "{n_files} of {} files and {n_codes} of {} codes have a replacement; without:\n{without}",
        files.len(),
        codes.len()
    );
    println!("{report}");
    assert!(n_files * 10 >= files.len() * 6 && n_codes * 10 >= codes.len() * 6, "{report}");
}

/// A file of `tests/err` without its mistakes: lines `#= text` stand for the line before them.
fn repaired(text: &str) -> Option<String> {
    let mut out: Vec<&str> = Vec::new();
    let (mut repairs, mut replaced) = (0, None);
    for line in text.lines() {
        if let Some(new) = line.strip_prefix("#=") {
            out.truncate(replaced.take().unwrap_or(out.len()));
            out.push(new);
            repairs += 1;
        } else {
            if !line.trim_start().starts_with("#~") {
                replaced = Some(out.len());
            }
            out.push(line);
        }
    }
    (repairs > 0).then(|| out.join("\n") + "\n")
}

#[test]
fn each_file_is_refused_for_its_mistake_alone() {
    let (mut wrong, mut count) = (String::new(), 0);
    for path in specs_below("tests/err") {
        let Some(text) = repaired(&std::fs::read_to_string(&path).unwrap()) else { continue };
        let (sources, sink) = diagnose_beside(&path, &text);
        wrong += &rendered(&sources, &sink);
        count += 1;
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count > 100, "only {count} files say how they are repaired");
}

#[test]
fn good_files_are_not_blamed() {
    for path in specs_below("tests/ok") {
        let (sources, sink) = diagnose(&path);
        assert!(sink.is_empty(), "{}", rendered(&sources, &sink));
    }
}

/// Asserts that a text gives exactly one diagnostic of a code, and quickly.
fn check_at_once(text: &str, code: &str) {
    let start = Instant::now();
    let (sources, sink) = diagnose_text(text);
    let took = start.elapsed();
    let found: Vec<_> = sink.sorted().into_iter().map(|one| one.code).collect();
    assert_eq!(found.iter().map(|one| one.0).collect::<Vec<_>>(), [code]);
    assert_eq!(found[0].is_limit(), code >= "E0090", "{code}");
    assert!(rendered(&sources, &sink).len() < 2_000);
    // Milliseconds when alone; the margin is for a busy machine.
    assert!(took < Duration::from_secs(1), "{code} took {took:?}");
}

#[test]
fn hostile_texts_are_refused_at_once() {
    check_at_once("", "E0001");
    check_at_once(" \n# only a comment\n", "E0001");
    check_at_once(&"[".repeat(10 << 20), "E0090");
    check_at_once(&format!("ntm 1\n# {}\n", "é".repeat(1 << 20)), "E0090");
    for (open, close) in [("(", ")"), ("[", "]"), ("{", "}"), ("f(", ")")] {
        let nested = format!("{}x{}", open.repeat(100_000), close.repeat(100_000));
        check_at_once(&format!("ntm 1\ndef f(x) -> y = {nested}\n"), "E0091");
    }
    for sign in ["-", "not ", "if ", "for i: ", "sum[i] ", "x ^ ", "x + ", "x -> ", "x and "] {
        check_at_once(&format!("ntm 1\ndef f(x) -> y = {}x\n", sign.repeat(50_000)), "E0091");
    }
}

#[test]
fn large_nonsense_is_refused_soon() {
    let block =
        |line: &str| format!("ntm 1\ndef f(x) -> y {{\n{}}}\n", line.repeat(900_000 / line.len()));
    let texts = [
        block("a\n"),
        block("a ;"),
        block("x = \n"),
        block("a = b c\n"),
        block("a.b."),
        block("?"),
        block("## doc\n"),
        block("head a {\n}\n}\n"),
        block("def f(\n"),
        block("\"\n"),
        block("(\n)["),
        block("x = a, "),
        block("part p { x = 1 } ; "),
        block("f(a) "),
        block("x == 3\n"),
    ];
    for text in texts {
        let start = Instant::now();
        let (_, sink) = diagnose_text(&text);
        let took = start.elapsed();
        assert!(sink.has_errors() && sink.sorted().len() <= 50, "{}", &text[..60]);
        assert!(took < Duration::from_secs(20), "{took:?} for {}", &text[..60]);
    }
}

#[test]
fn what_is_within_the_limits_is_read() {
    for (open, close) in [("(", ")"), ("-(", ")"), ("f(", ")"), ("1 + (", ")"), ("[", "]")] {
        let levels = 195 / open.chars().filter(|c| !c.is_whitespace() && *c != '1').count();
        let nested = format!("{}x{}", open.repeat(levels), close.repeat(levels));
        assert_eq!(codes(&format!("ntm 1\ndef f(x) -> y = {nested}\n")), [""; 0]);
    }
    let long = "  w[i] = a[i] * (b[i] + c[i]) - sum[j] d[j] * e[i, j] # and so on\n".repeat(15_000);
    let start = Instant::now();
    assert_eq!(codes(&format!("ntm 1\ndef f(x) -> y {{\n{long}}}\n")), [""; 0]);
    assert!(start.elapsed() < Duration::from_secs(60));
}

/// Members that pass a state along are as many as the chain of values allows, and no read of it looks
/// at all of them.
#[test]
fn states_are_passed_through_thousands_of_members_soon() {
    let text = |outer: usize| {
        format!(
            "ntm 1\nmodel m(x) -> y {{\n  state s = 0\n  part outer[a: {outer}] {{\n    \
             part inner[b: 256] {{ s = prev s + x }}\n  }}\n  y = s\n}}\n"
        )
    };
    let start = Instant::now();
    assert_eq!(codes_of_choices(&text(19), &Choices::default()).0, [""; 0]);
    assert_eq!(codes_of_choices(&text(22), &Choices::default()).0, ["E0690"]);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

/// The codes for which the checker refuses a text.
fn refused(text: &str) -> Vec<&'static str> {
    match Spec::read(Source::new("text.ntm", text), &StdOnly) {
        Err(Error::Spec { diagnostics, .. }) => diagnostics.iter().map(|one| one.code.0).collect(),
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[test]
fn names_of_any_length_and_number_are_refused_soon() {
    let start = Instant::now();
    let long = "a".repeat(200_000);
    let text = format!("ntm 1\nmodel m(x[3]) -> y[3] {{\n  {long} = x\n  y = {long}b\n}}\n");
    assert_eq!(refused(&text), ["E0101"]);
    let many: String = (0..1_000).map(|at| format!("  v{at} = w{at}\n")).collect();
    let text = format!("ntm 1\nmodel m(x[3]) -> y[3] {{\n{many}  y = x\n}}\n");
    assert_eq!(refused(&text), ["E0101"; 1_000]);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

#[test]
fn definitions_call_one_another_up_to_a_limit() {
    let chain = |last: usize| {
        let one = |at: usize| format!("def f{at}(a[N]) -> b[N] = 2 * f{}(a)\n", at - 1);
        let all: String = (1..=last).map(one).collect();
        format!(
            "ntm 1\ndef f0(a[N]) -> b[N] = a\n{all}model m(x[3]) -> y[3] {{\n  y = f{last}(x)\n}}\n"
        )
    };
    let codes = |last| codes_of_choices(&chain(last), &Choices::default()).0;
    assert_eq!(codes(150), [""; 0]);
    assert_eq!(codes(250), ["E0690"]);
}

#[test]
fn several_mistakes_are_reported_in_one_run() {
    let text = "ntm 1\nmodel m[N = 4](x[X]) -> y[Y] {\n  memory M[N = 0\n  a == x;\n  b = a x\n  \
                head read {\n    c = (1 + \n    d = M[:, 1]\n  }\n}\ndef f(x) = x\n\
                train m on copy() { lr := 3 steps = }\n";
    let expected =
        ["E0010", "E0002", "E0004", "E0003", "E0010", "E0006", "E0009", "E0007", "E0009"];
    assert_eq!(codes(text), expected, "{}", {
        let (sources, sink) = diagnose_text(text);
        rendered(&sources, &sink)
    });
}

#[test]
fn a_mistake_anywhere_gives_a_message_and_no_panic() {
    // Every file with one token or blank removed, or cut off there, at some sixty places of it; what follows
    // in comments is left away.
    const PLACES: usize = 60;
    for path in specs_below("tests/ok") {
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.split("\n#>").next().unwrap();
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let mut before = ' ';
        let mut begins = |c: char| !(word(std::mem::replace(&mut before, c)) && word(c));
        let starts: Vec<usize> =
            text.char_indices().filter(|(_, c)| begins(*c)).map(|(at, _)| at).collect();
        let stride = starts.len().div_ceil(PLACES);
        for window in starts.windows(2).step_by(stride) {
            let (start, end) = (window[0], window[1]);
            let without = format!("{}{}", &text[..start], &text[end..]);
            let (sources, sink) = diagnose_text(&without);
            rendered(&sources, &sink);
            let (sources, sink) = diagnose_text(&text[..end]);
            rendered(&sources, &sink);
        }
    }
}

#[test]
fn values_from_the_command_line_are_read_like_the_file() {
    for text in ["1..20", "copy(bits = 8, length = 1..20)", "beta = 2 * K", "[1, 2]", "-1e-4"] {
        assert!(value_of(text).is_ok(), "{text}: {:?}", value_of(text));
    }
    for (text, message) in [
        ("", "expected a value, but nothing follows"),
        ("copy(bits = )", "expected a value after `=`, found `)`"),
        ("copy(bits = 8", "`(` is never closed"),
        ("1 2", "two values stand side by side"),
        ("head", "`head` is a keyword and cannot be a name"),
        ("x = 3 y = 4", "two values stand side by side"),
    ] {
        let shown = value_of(text).unwrap_err();
        assert!(shown.contains(message) && shown.contains("--set #1"), "{text}: {shown}");
    }
}

#[test]
fn mistakes_on_the_command_line_have_codes_and_places() {
    let text = "ntm 1\nuse std.nn\nmodel m[N = 4, H = 3](x[X], deep: bool = true) -> y[Y] {\n  \
                controller h = lstm[H](x)\n  emit k[N]: unit\n  emit y[Y] from cat(h, k)\n}\n\
                train first: m on copy(bits = 4) { optimizer = adam(lr = 1e-3) steps = 10 }\n";
    let set = |text: &str| Choices { sets: vec![text.to_owned()], ..Choices::default() };
    let train = |name: &str| Choices { train: Some(name.to_owned()), ..Choices::default() };
    let model = |name: &str| Choices { model: Some(name.to_owned()), ..Choices::default() };
    let rows = [
        (set("H=5"), None, ""),
        (set("copy.bits=2"), None, ""),
        (set("deep=false"), None, ""),
        (set("k=0.5"), None, ""),
        (set("adam.lr=1e-2"), None, ""),
        (set("Memory=256"), Some("E0601"), "--set #1"),
        (set("train.bach=3"), Some("E0601"), "`train.batch`"),
        (set("steps=3"), Some("E0601"), "did you mean `train.steps`?"),
        (set("bits=3"), Some("E0601"), "did you mean `copy.bits`?"),
        (set("lr=1e-2"), Some("E0601"), "did you mean `adam.lr`?"),
        (set("optimizer.lr=1e-2"), Some("E0601"), "did you mean `adam.lr`?"),
        (set("N="), Some("E0009"), "1 | N=\n"),
        (set("N=large"), Some("E0602"), "help: give a whole number"),
        (set("N=2.5"), Some("E0602"), "--set #1:1:3"),
        (set("N=2.5"), Some("E0602"), "`N` is a dim, a whole number\n"),
        (set("deep=3"), Some("E0602"), "true or false"),
        (set("N"), Some("E0617"), "PATH=VALUE"),
        (train("frist"), Some("E0613"), "did you mean `first`?"),
        (model("n"), Some("E0612"), "did you mean `m`?"),
    ];
    for (choices, code, part) in rows {
        let (found, shown) = codes_of_choices(text, &choices);
        assert_eq!(found, code.into_iter().collect::<Vec<_>>(), "{choices:?}\n{shown}");
        assert!(shown.contains(part), "{choices:?}\n{shown}");
    }
    let heads = "ntm 1\nuse std.address\nmodel m[N = 5, R = 3](x[X]) -> y[R, N] {\n  \
                 controller h = x\n  memory M[N, 2] = 0.1\n  M = prev M\n  head read[R] {\n    \
                 state w[N]: simplex = uniform\n    \
                 w = content(M) -> interpolate(prev w) -> shift(range = 1)\n  }\n  \
                 part layer[l: 2] {\n    emit g: unit from x\n    \
                 s = if l == 0 then g else layer[l - 1].s + g\n  }\n  \
                 y[n, i] = read[n].w[i] * layer[1].s\n}\n";
    let rows = [
        ("read.interpolate.g=1", None, ""),
        ("read[2].interpolate.g=1/4", None, ""),
        ("layer[1].g=0", None, ""),
        ("read[0].shift.s=[0, 0.5, 0.5]", None, ""),
        ("read[3].interpolate.g=1", Some("E0601"), "its members are 0 to 2"),
        ("read.interpolate.h=1", Some("E0601"), "did you mean `read.interpolate.g`?"),
        ("interpolate.g=1", Some("E0601"), "did you mean `read.interpolate.g`?"),
        ("write.gate=1", Some("E0601"), "emissions: layer[0].g, layer[1].g, read.content.beta"),
        ("layer[2].g=0", Some("E0601"), "did you mean `layer[0].g`?"),
        ("layer.g=1", Some("E0618"), "names 2 emissions: `layer[0].g`, `layer[1].g`"),
        ("read.interpolate.g=true", Some("E0602"), "is a number, this is not"),
        ("read.shift.s=[0, 1]", Some("E0602"), "a number or a list of 3"),
        ("read.interpolate.g=1.5", Some("E0401"), "--set #1:1:20"),
        ("read.shift.s=[0.5, 0.5, 0.5]", Some("E0401"), "this sums to 1.5"),
        ("N=2", Some("E0604"), "set here"),
        ("N=0", Some("E0611"), "--set #1:1:1"),
    ];
    for (text, code, part) in rows {
        let (found, shown) = codes_of_choices(heads, &set(text));
        assert_eq!(found, code.into_iter().collect::<Vec<_>>(), "{text}\n{shown}");
        assert!(shown.contains(part), "{text}\n{shown}");
        assert!(code.is_none() || shown.contains("--set #1"), "{text}\n{shown}");
    }
    let layers = "ntm 1\nmodel m[H[L] = [3, 2]](x[X]) -> y[X] {\n  y = x\n}\n";
    let rows = [
        ("L=5", Some("E0602"), "`--set 'H=[3, 2, ..]'`"),
        ("L=2", None, ""),
        ("H=[4, 4, 4]", None, ""),
        ("H=4", None, ""),
    ];
    for (text, code, part) in rows {
        let choices = Choices { sets: vec![text.to_owned(), "X=2".to_owned()], ..set("") };
        let (found, shown) = codes_of_choices(layers, &choices);
        assert_eq!(found, code.into_iter().collect::<Vec<_>>(), "{choices:?}\n{shown}");
        assert!(shown.contains(part), "{choices:?}\n{shown}");
    }
}

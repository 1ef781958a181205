//! Claims: what the prover decides, what trials find, and that neither is ever wrong.

use ntmc::claims::{self, Effort, Verdict};
use ntmc::compile::Spec;
use ntmc::diag::Style;
use ntmc::model::domain_name;
use ntmc::model::library::{STD, StdOnly};
use ntmc::random::Stream;
use ntmc::source::Source;
use ntmc::trial::{self, Instance, Options};

use crate::support::{beside, source, specs_below};

/// Every definition of a text, each alone.
fn definitions(source: Source) -> Vec<Instance> {
    let spec = Spec::read(source, &StdOnly);
    let spec = spec.unwrap_or_else(|error| panic!("{}", error.render(Style::Plain)));
    let alone = |(name, id)| {
        let instance = trial::alone(&spec, id);
        instance.unwrap_or_else(|error| panic!("{name}: {}", error.render(Style::Plain)))
    };
    trial::definitions(&spec).into_iter().map(alone).collect()
}

/// Every claim with its verdict, a line each; what is proved, and what is open, must hold on the draws.
fn verdicts(instance: &Instance, draws: u64) -> String {
    let decided = claims::decide(&instance.model, &instance.claims, Effort::THOROUGH);
    let found = trial::falsify(instance, Options { draws, seed: 1 }, &mut |_| {});
    let mut text = String::new();
    for ((claim, verdict), found) in instance.claims.all.iter().zip(decided).zip(found) {
        let (kind, domain) = (claims::kind(claim), domain_name(&claim.domain));
        let (name, path) = (&instance.name, &claim.path);
        if let Some(found) = found {
            panic!("{name}: {kind} {path}, {verdict:?}, {} {}", found.gave, found.from);
        }
        let verdict = match verdict {
            Verdict::Proved => "proved",
            Verdict::Open => "open",
            Verdict::Refuted(why) => panic!("{name}: {kind} {path} is refuted: {why}"),
        };
        text.push_str(&format!("{verdict} {name}: {kind} {path}: {domain}\n"));
    }
    text
}

#[test]
fn every_claim_of_std_holds() {
    let mut text = String::new();
    for (module, source) in STD.iter() {
        let all = definitions(Source::new(module.as_str(), *source));
        let lines: Vec<String> = all.iter().map(|one| verdicts(one, 10_000)).collect();
        text.push_str(&format!("{module}\n{}", lines.concat()));
    }
    insta::assert_snapshot!(text);
}

/// The specs that are small enough to be tried here.
const TRIED: &[&str] = &["act", "dnc", "dnc_flat", "mann", "ntm", "tape"];

#[test]
fn claims_of_shipped_specs_hold() {
    let mut text = String::new();
    for path in specs_below("specs").iter().filter(|path| path.parent().unwrap().ends_with("specs"))
    {
        let mut spec = Spec::read(source(path), &beside(path)).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut instance = trial::chosen(&mut spec, &ntmc::compile::Choices::default()).unwrap();
        instance.name.clone_from(&name);
        let draws = if TRIED.contains(&name.as_str()) { 16 } else { 0 };
        text.push_str(&verdicts(&instance, draws));
    }
    insta::assert_snapshot!(text);
}

/// What a person who only checks is told of the first spec that people see.
#[test]
fn a_quick_look_proves_the_turing_machine() {
    let path = crate::support::root().join("specs/ntm.ntm");
    let mut spec = Spec::read(source(&path), &beside(&path)).unwrap();
    let instance = trial::chosen(&mut spec, &ntmc::compile::Choices::default()).unwrap();
    let all = claims::decide(&instance.model, &instance.claims, Effort::QUICK);
    assert!(all.len() >= 20 && all.iter().all(|one| *one == Verdict::Proved), "{all:?}");
}

/// A random expression under the index `i`, as text.
fn expression(stream: &mut Stream, depth: u32, index: &str) -> String {
    let entries = [format!("w[{index}]"), format!("v[{index}]"), format!("z[{index}]")];
    let plain = ["a", "b", "c", "x", "0.5", "1", "prev s", "g"];
    if depth == 0 || stream.whole(0, 5) == 0 {
        return match stream.whole(0, 10) {
            at @ 0..=2 => entries[at as usize].clone(),
            at => plain[at as usize - 3].to_owned(),
        };
    }
    let mut one = || expression(stream, depth - 1, index);
    let (left, right) = (one(), one());
    match stream.whole(0, 19) {
        0 | 1 => format!("({left} + {right})"),
        2 | 3 => format!("({left} - {right})"),
        4..=6 => format!("{left} * {right}"),
        7 => format!("{left} / (1 + abs({right}))"),
        8 => format!("{left} / ({right})"),
        9 => format!("(1 - {left})"),
        10 => format!("max({left}, {right})"),
        11 => format!("min({left}, {right})"),
        12 => format!("clip({left}, 0, 1)"),
        13 => format!("(if {left} < {right} then {left} else {right})"),
        14 => format!("(a * {left} + (1 - a) * {right})"),
        15 => "(sum[j] w[j] * v[j])".to_owned(),
        16 => format!("(sum[j] z[j] * {})", expression(stream, 1, "j")),
        17 => format!("{left} / (sum[j] abs(z[j]) + 0.1)"),
        18 => format!("w[({index} + 1) mod N]"),
        _ => format!("sqrt({left})"),
    }
}

/// A random vector, sometimes of a form that is a simplex or a weighting.
fn vector(stream: &mut Stream) -> String {
    match stream.whole(0, 9) {
        0 => "a * w[i] + (1 - a) * v[i]".to_owned(),
        1 => "a * w[i] + (1 - a) * w[(i + 1) mod N]".to_owned(),
        2 => "a * b * w[i]".to_owned(),
        3 => "abs(z[i]) / (sum[j] abs(z[j]) + 1e-3)".to_owned(),
        4 => "sum[k] w[(i - k) mod N] * w[k]".to_owned(),
        5 => format!("w[i] * {}", expression(stream, 1, "i")),
        6 => "if i == 0 then g * v[0] else v[i]".to_owned(),
        7 => "w[i] * v[i]".to_owned(),
        _ => expression(stream, 2, "i"),
    }
}

/// Many random definitions with claims: nothing that is proved breaks, and all that is refuted does.
#[test]
fn what_is_proved_never_breaks() {
    let (mut proved, mut open, mut broken) = (0, 0, 0);
    for seed in 0..120 {
        let mut stream = Stream::new(seed, &["claims"], &[]);
        let domains = ["unit", "signed", "positive", "real(-2..2)", "real(..1)"];
        let whole = ["simplex", "weighting", "unit", "signed"];
        let arguments = "a: unit, b: unit, c: signed, x, g: positive, w[N]: simplex, \
                         v[N]: weighting, z[N]";
        let state = format!("  state s: signed = 0\n  s = {}\n", expression(&mut stream, 2, "0"));
        let text = format!(
            "ntm 1\n\ndef inner(u[N]: {}) -> o = sum[i] u[i]\n\n\
             def vector({arguments}) -> out[N]: {} {{\n{state}  out[i] = {}\n  kept = inner(for i in N: {})\n}}\n\n\
             def number({arguments}) -> e: {} {{\n{state}  e = {}\n}}\n",
            whole[stream.whole(0, 3) as usize],
            whole[stream.whole(0, 3) as usize],
            vector(&mut stream),
            vector(&mut stream),
            domains[stream.whole(0, 4) as usize],
            expression(&mut stream, 3, "0"),
        );
        for instance in definitions(Source::new("random.ntm", text.as_str())) {
            let decided = claims::decide(&instance.model, &instance.claims, Effort::THOROUGH);
            let found = trial::falsify(&instance, Options { draws: 256, seed }, &mut |_| {});
            for ((claim, verdict), found) in instance.claims.all.iter().zip(decided).zip(found) {
                let path = &claim.path;
                match (verdict, found) {
                    (Verdict::Proved, None) => proved += 1,
                    (Verdict::Proved, Some(found)) => {
                        panic!("{path} is proved, and {} {}\n{text}", found.gave, found.from)
                    }
                    (Verdict::Refuted(why), None) => panic!("{path}: {why}, but holds\n{text}"),
                    (Verdict::Open, None) => open += 1,
                    (Verdict::Open | Verdict::Refuted(_), Some(_)) => broken += 1,
                }
            }
        }
    }
    assert!(proved > 80 && broken > 40, "{proved} proved, {open} open, {broken} broken");
}

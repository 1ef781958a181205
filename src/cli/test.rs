//! `ntmc test`: claims, gradients and backends, tried with random numbers.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::choose::{Pick, quoted};
use super::{Terminal, input, note, print};
use crate::backend::Precision;
use crate::backend::interp::Interp;
use crate::claims::{self, Doubt, Verdict};
use crate::compile::{self, Spec};
use crate::diag::Style;
use crate::error::Error;
use crate::model::domain_name;
use crate::trial::{self, Counterexample, Instance, Options, Report};

/// Try a spec with random numbers: its claims, its gradients, and backends against each other
///
/// A domain on a computed value is a claim: it is proved, refuted, or tried on random numbers inside and
/// at the edges of the domains of what it is computed from. The chosen model is tried as a whole, and
/// every definition of the file alone, at small sizes. Gradients are compared with differences of the
/// loss. A sample has five steps, counted from 1: a value is judged at each of them, a state before the
/// first (step 0) and after each. The same seed finds the same again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ntmc test specs/ntm.ntm\n  \
    ntmc test mine.ntm --def fade --draws 100000\n  \
    ntmc test mine.ntm --seed 7 --json")]
pub(super) struct Args {
    /// The spec, or a file of definitions; `-` is standard input
    spec: String,
    #[command(flatten)]
    pick: Pick,
    /// Only this definition
    #[arg(long = "def", value_name = "NAME")]
    definition: Option<String>,
    /// How many samples are drawn for the claims
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    draws: u64,
    /// Where random numbers start
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object on standard output and nothing else there
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, terminal: Terminal) -> Result<(), Error> {
    let mut spec = input::spec(&args.spec)?;
    let instances = instances(args, &mut spec)?;
    let options = Options { draws: args.draws, seed: args.seed };
    let mut reports = Vec::new();
    for instance in &instances {
        let program = compile::with_adjoints(compile::forward(&instance.model));
        // A trial keeps everything.
        input::within_memory(None, &format!("a trial of `{}`", instance.name), |_| {
            Interp::budget(&program, (5, 128), 1, Precision::F64, u64::MAX)
        })?;
        let mut shown = 0;
        let mut progress = |done: u64| {
            let percent = done * 100 / options.draws;
            if terminal.progress && percent >= shown + 5 {
                shown = percent;
                note(&format!("\r{}: {percent} % drawn\u{1b}[K", instance.name));
            }
        };
        reports.push(trial::run(instance, options, &mut progress));
        if terminal.progress {
            note("\r\u{1b}[K");
        }
    }
    let all: Vec<(&Instance, &Report)> = instances.iter().zip(&reports).collect();
    if args.json {
        print(&format!("{}\n", json_of(args, &spec, &all)))?;
    } else {
        print(&text(args, &spec, &all))?;
    }
    if all.iter().all(|(_, report)| report.holds()) {
        return Ok(());
    }
    if args.json {
        // The object has said it all.
        return Err(Error::Told(1));
    }
    Err(Error::Check(format!(
        "{} of {} do not hold\nhelp: `{}` finds the same again",
        all.iter().filter(|(_, report)| !report.holds()).count(),
        all.len(),
        command(args),
    )))
}

/// The command that does the same again.
fn command(args: &Args) -> String {
    // A name that looks like an option is a path from here.
    let here = if args.spec.len() > 1 && args.spec.starts_with('-') { "./" } else { "" };
    let spec = quoted(&format!("{here}{}", args.spec));
    let mut text = format!("ntmc test {spec}{}", args.pick.quoted());
    if let Some(name) = &args.definition {
        text.push_str(&format!(" --def {}", quoted(name)));
    }
    text.push_str(&format!(" --draws {} --seed {}", args.draws, args.seed));
    text
}

/// The chosen model and every definition, or the one that was asked for.
fn instances(args: &Args, spec: &mut Spec) -> Result<Vec<Instance>, Error> {
    let definitions = trial::definitions(spec);
    if let Some(name) = &args.definition {
        let Some((_, id)) = definitions.iter().find(|(own, _)| own == name) else {
            let names: Vec<&str> = definitions.iter().map(|(name, _)| name.as_str()).collect();
            let near = crate::diag::nearest(name, names.iter().copied());
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if names.is_empty() => "it has models only".to_owned(),
                None => format!("it defines {}", names.join(", ")),
            };
            return Err(Error::Usage(format!("{} defines no `{name}`\nhelp: {help}", args.spec)));
        };
        return Ok(vec![trial::alone(spec, *id)?]);
    }
    let mut all = Vec::new();
    if !spec.checked.models.is_empty() {
        all.push(trial::chosen(spec, &args.pick.choices())?);
    }
    for (_, id) in definitions {
        all.push(trial::alone(spec, id)?);
    }
    Ok(all)
}

// ---- for people -------------------------------------------------------------------------------------

fn text(args: &Args, spec: &Spec, all: &[(&Instance, &Report)]) -> String {
    let mut text = String::new();
    for (instance, report) in all {
        let sizes: Vec<String> =
            instance.model.sizes.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let kind = if instance.alone { "def " } else { "model " };
        let _ = writeln!(text, "{kind}{}  ({})", instance.name, sizes.join(", "));
        let doubts = report.doubts.iter();
        for ((claim, (verdict, found)), doubt) in
            instance.claims.all.iter().zip(&report.claims).zip(doubts)
        {
            let word = word(verdict, found.as_ref());
            let domain = domain_name(&claim.domain);
            let what = claims::kind(claim);
            let _ = writeln!(text, "  {word:<8} {:<28} {domain:<12} {what}", claim.path);
            if word == "open" {
                let why = reason(spec, doubt.as_ref());
                let _ = writeln!(text, "           {why}");
            }
        }
        if let Some(slopes) = &report.slopes {
            let _ = writeln!(text, "  {}", slope_line(slopes));
        }
        for one in &report.agreements {
            let word = if one.error <= one.tolerance { "agrees" } else { "DIFFERS" };
            let _ = writeln!(
                text,
                "  {word:<8} {} with interp f64: {:.0e} of {:.0e} at most, in {} ({} arrays)",
                one.backend, one.error, one.tolerance, one.of, one.arrays
            );
        }
        let found = report.diagnostics(instance, args.seed);
        if !found.is_empty() {
            let _ = write!(text, "\n{}", spec.render(&found, Style::Plain));
        }
    }
    let count = |wanted: &str| {
        let words = all.iter().flat_map(|(_, report)| &report.claims);
        words.filter(|(verdict, found)| word(verdict, found.as_ref()) == wanted).count()
    };
    let _ = writeln!(
        text,
        "claims: {} proved, {} open on {} draws, {} broken, {} refuted",
        count("proved"),
        count("open"),
        args.draws,
        count("BROKEN"),
        count("REFUTED")
    );
    text
}

/// Why a claim is open, in a line.
fn reason(spec: &Spec, doubt: Option<&Doubt>) -> String {
    match doubt {
        Some(Doubt::Loose { path, place, known, from }) => {
            let line = spec.sources.places().of(place.file).position(place.start).0;
            let name = &spec.sources.get(place.file).name;
            let from = match &from[..] {
                [] => String::new(),
                all => format!(", by {}", all.join("; ")),
            };
            format!("`{path}` ({name}:{line}) is only known to be {known}{from}")
        }
        Some(Doubt::Needs(paths)) => {
            let few: Vec<String> = paths.iter().take(2).map(|path| format!("`{path}`")).collect();
            let more = if paths.len() > 2 { ", .." } else { "" };
            format!("would follow from {}{more}", few.join(", "))
        }
        Some(Doubt::Work) | None => "takes more work than a trial does".to_owned(),
    }
}

fn word(verdict: &Verdict, found: Option<&Counterexample>) -> &'static str {
    match (verdict, found) {
        (Verdict::Refuted(_), _) => "REFUTED",
        (_, Some(_)) => "BROKEN",
        (Verdict::Proved, None) => "proved",
        (Verdict::Open, None) => "open",
    }
}

fn slope_line(slopes: &trial::Slopes) -> String {
    let kinks: usize = slopes.all.iter().map(|one| one.kinks).sum();
    let compared: usize = slopes.all.iter().map(|one| one.compared).sum();
    let mut text = match slopes.worst() {
        Some(worst) if worst.error > trial::TOLERANCE => {
            format!("{:<8} gradient of {}: {:.0e} from its slope", "WRONG", worst.name, worst.error)
        }
        Some(worst) => format!(
            "{:<8} {compared} slopes of {} arrays, worst {:.0e} (gradient of {})",
            "slopes",
            slopes.all.len(),
            worst.error,
            worst.name
        ),
        None => format!("{:<8} nothing to compare", "slopes"),
    };
    if kinks > 0 {
        text.push_str(&format!("; {kinks} more lie near a kink and say nothing"));
    }
    if slopes.stops {
        text.push_str("; `stop` is looked through");
    }
    text
}

// ---- for programs -----------------------------------------------------------------------------------

fn json_of(args: &Args, spec: &Spec, all: &[(&Instance, &Report)]) -> Value {
    let one = |(instance, report): &(&Instance, &Report)| {
        let claims = instance.claims.all.iter().zip(&report.claims).zip(&report.doubts);
        let claims = claims.map(|((claim, (verdict, found)), doubt)| {
            let word = word(verdict, found.as_ref()).to_lowercase();
            let why = (word == "open").then(|| reason(spec, doubt.as_ref()));
            json!({
                "path": claim.path,
                "kind": claims::kind(claim),
                "domain": domain_name(&claim.domain),
                "verdict": word,
                "why": why,
                "counterexample": found.as_ref().map(|found| json!({
                    "gave": found.gave,
                    "step": found.step,
                    "draw": found.draw,
                    "mend": found.mend,
                    "inputs": found.inputs.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
                })),
            })
        });
        let slopes = report.slopes.iter().flat_map(|slopes| &slopes.all).map(|slope| {
            json!({
                "array": slope.name,
                "error": finite(slope.error),
                "compared": slope.compared,
                "kinks": slope.kinks,
            })
        });
        let backends = report.agreements.iter().map(|one| {
            json!({
                "backend": one.backend,
                "error": finite(one.error),
                "tolerance": one.tolerance,
                "worst": one.of,
            })
        });
        json!({
            "name": instance.name,
            "kind": if instance.alone { "def" } else { "model" },
            "holds": report.holds(),
            "sizes": instance.model.sizes.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
            "claims": claims.collect::<Vec<_>>(),
            "gradients": slopes.collect::<Vec<_>>(),
            "backends": backends.collect::<Vec<_>>(),
        })
    };
    json!({
        "schema": 1,
        "seed": args.seed,
        "draws": args.draws,
        "holds": all.iter().all(|(_, report)| report.holds()),
        "command": command(args),
        "trials": all.iter().map(one).collect::<Vec<_>>(),
    })
}

/// A distance; what is none is as far as can be.
fn finite(error: f64) -> f64 {
    if error.is_finite() { error } else { f64::MAX }
}

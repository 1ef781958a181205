//! `ntmc bench`: how long a training step takes, or a step of an answer.

use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::backend::Backend;
use super::compiled::{CompileOptions, Compiled, Extent};
use super::input::{self, bytes, size};
use super::profile::Profile;
use super::run::{
    PrecisionName, duration, freeze, name_of, precision, settings as settings_of, within_limits,
};
use super::{Terminal, print};
use crate::backend::{Budget, Cost};
use crate::error::Error;
use crate::passes::{self, Pass};
use crate::run::{self, Batch, Border, Held, Session, Streaming};
use crate::source::Sources;
use crate::task::{self, Instance, Ports};
use crate::tensor::Tensor;
use crate::train::{self, Pace, Settings, assemble, learn, sample};

/// Time a training step of a model
///
/// Trains on random data of the task's shapes and tells the median time of a step: forward, loss,
/// backward, clipping and update. Every sequence has the length of the task's longest.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ntmc bench specs/ntm.ntm\n  \
    ntmc bench specs/dnc.ntm --train paper --batch 16 --timesteps 100 --threads 2\n  \
    ntmc bench specs/ntm.ntm --task 'random(inputs = 9, outputs = 8, steps = 41)'\n  \
    ntmc bench specs/bench/dnc-n1024.ntm --batch 1 --timesteps 1000 --memory 2GiB\n  \
    ntmc bench specs/dnc.ntm --profile --threads 1\n  \
    ntmc bench specs/dnc.ntm --time-passes\n  \
    ntmc bench specs/ntm.ntm --inference --json")]
pub(super) struct Args {
    /// The spec; `-` is standard input
    spec: String,
    /// Sequences a step [default: that of the train block]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "inference")]
    batch: Option<u32>,
    /// Time steps of a sequence [default: those of the task's longest]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "inference")]
    timesteps: Option<u32>,
    /// Time one step of an answer instead: one sequence, its state kept between the calls
    #[arg(long)]
    inference: bool,
    /// About how long to measure: 5s, 1m
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5s")]
    time: Duration,
    /// Seed of everything random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// What runs the program
    #[arg(long, value_enum, default_value_t = Backend::Jit)]
    backend: Backend,
    /// Floating-point type
    #[arg(long, value_enum, default_value = "f32")]
    precision: PrecisionName,
    /// Threads [default: as many as the machine has cores]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// The most memory that training may take, as in 4GiB, of what is free: what does not fit is computed
    /// again, if need be on fewer threads [default: all that is free]
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    memory: Option<u64>,
    /// Override a dim, a setting, an argument or an emission
    #[arg(long = "set", value_name = "PATH=VALUE")]
    sets: Vec<String>,
    /// Another task, in place of the train block's
    #[arg(long, value_name = "CALL")]
    task: Option<String>,
    /// Which train block [default: the first]
    #[arg(long, value_name = "NAME")]
    train: Option<String>,
    /// Tell how long each function of machine code takes, and the equation it comes from
    #[arg(long, conflicts_with = "inference")]
    profile: bool,
    /// Tell how long each pass of the compiler takes
    #[arg(long)]
    time_passes: bool,
    /// Print one JSON object on standard output and nothing else there
    #[arg(long)]
    json: bool,
}

impl Args {
    fn compile(&self) -> CompileOptions {
        CompileOptions {
            spec: self.spec.clone(),
            train: self.train.clone(),
            task: self.task.clone(),
            sets: self.sets.clone(),
            backend: self.backend,
            precision: precision(self.precision),
            threads: self.threads.map(usize::from),
            memory: self.memory,
        }
    }
}

pub(super) fn run(args: &Args, terminal: Terminal) -> Result<(), Error> {
    if args.profile && args.backend != Backend::Jit {
        return Err(Error::Usage(
            "`--profile` times functions of machine code: leave out `--backend`".into(),
        ));
    }
    let clock = Clock::new(args.time, terminal.progress && !args.json);
    passes::record();
    let measured = if args.inference { answer(args, &clock)? } else { train(args, &clock)? };
    let report = Report { args, measured, peak: peak_bytes(), passes: passes::recorded() };
    if args.json { print(&format!("{}\n", report.json())) } else { print(&report.text()) }
}

/// What was found.
struct Measured {
    facts: Facts,
    times: Times,
    /// What the backend took.
    took: run::Facts,
    /// Where the time goes, if asked for, and the texts of the equations.
    profile: Option<(Profile, Sources)>,
}

/// What was measured.
struct Facts {
    model: String,
    mode: &'static str,
    batch: usize,
    timesteps: usize,
    parameters: usize,
    /// From the text to something that runs.
    ready: Duration,
    /// What passes took by then, in seconds.
    passed: f64,
    /// On paper.
    cost: Cost,
    /// Time steps of which the forward sweep is kept at a time, where not all are.
    kept: Option<usize>,
    /// The most threads that share a batch.
    threads: usize,
}

/// Times a training step.
fn train(args: &Args, clock: &Clock) -> Result<Measured, Error> {
    let options = args.compile();
    let start = Instant::now();
    let extent = Extent { batch: args.batch, steps: args.timesteps };
    let compiled = options.for_training(extent)?;
    let (ready, passed) = (start.elapsed(), passes::spent());
    let Compiled { model, border, executable, block, tasks, rate, sources, cost, .. } = compiled;
    let Budget { threads, kept, .. } = compiled.budget;
    let task = random(&tasks, args.timesteps)?;
    let timesteps = task.longest() as usize;
    let mut settings = settings_of(&block, vec![task], rate, (args.seed, args.batch));
    settings.episodes = 0;
    within_limits(&settings)?;
    let name = model.name.clone();
    let mut session = Session::new(border, &model, executable, options.precision, args.seed)?;
    if let Err(diagnostics) = freeze(&mut session, &block) {
        return Err(Error::Spec { diagnostics, sources: Box::new(sources) });
    }
    let facts = Facts {
        model: name,
        mode: "train",
        batch: settings.batch,
        timesteps,
        parameters: session.size(),
        ready,
        passed,
        cost,
        kept,
        threads,
    };
    let mut steps = Steps::new(&mut session, &settings);
    let times = clock.measure(|| steps.next())?;
    let profile =
        if args.profile { Some((steps.profile(args.time, threads == 1)?, sources)) } else { None };
    Ok(Measured { facts, times, took: session.facts(), profile })
}

/// Random data in the shapes of the last task.
fn random(tasks: &[Instance], timesteps: Option<u32>) -> Result<Instance, Error> {
    let longest = tasks.iter().map(Instance::longest).max().unwrap_or(1);
    let steps = timesteps.unwrap_or(u32::try_from(longest).unwrap_or(u32::MAX));
    let ports = tasks.last().map_or(Ports { input: 1, output: 1, domain: "real" }, Instance::ports);
    task::random_like(ports, steps).map_err(|error| Error::Limit(error.message))
}

/// Training on one batch again and again.
struct Steps<'a> {
    session: &'a mut Session,
    settings: &'a Settings,
    batch: Batch,
    first: Held,
    step: u64,
}

impl<'a> Steps<'a> {
    fn new(session: &'a mut Session, settings: &'a Settings) -> Steps<'a> {
        let episodes = sample(settings.goal(), settings.seed, "bench", 0, settings.batch);
        let mut batch = assemble(&session.border().inputs, &episodes);
        batch.starts = session.starts((settings.seed, "bench"), (0, 0), episodes.len());
        let first = session.held();
        Steps { session, settings, batch, first, step: 0 }
    }

    /// One step; how long it took.
    fn next(&mut self) -> Result<Duration, Error> {
        let Steps { session, settings, batch, first, step } = self;
        let pace = Pace { step: *step, rate: settings.rate_at(*step), clip: settings.clip };
        let start = Instant::now();
        let learned = learn(session, batch, pace);
        let time = start.elapsed();
        *step += 1;
        match learned {
            Ok(_) => {}
            // Random data has nothing to teach: after many steps a bold learning rate may fail on it.
            Err(train::Error::NotFinite { .. }) if *step > 1 => {
                session.restore(first);
                *step = 0;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(time)
    }

    /// Where the time goes, from some more steps.
    fn profile(mut self, budget: Duration, alone: bool) -> Result<Profile, Error> {
        self.session.measure();
        let start = Instant::now();
        let (mut steps, mut seconds) = (0, 0.0);
        while steps == 0 || start.elapsed() < budget / 5 {
            seconds += self.next()?.as_secs_f64();
            steps += 1;
        }
        Ok(Profile::new(steps, seconds, self.session.spent(), alone))
    }
}

/// Times one step of an answer.
fn answer(args: &Args, clock: &Clock) -> Result<Measured, Error> {
    let options = args.compile();
    let start = Instant::now();
    let mut spec = input::spec(&options.spec)?;
    let (model, program, tasks) = spec.answering(&options.choices())?;
    let (precision, threads) = (options.precision, options.threads());
    let budget = input::within_memory(options.memory, "one step of this model", |limit| {
        options.backend.budget(&program, (1, 1), (threads, precision), limit)
    })?;
    let executable = options.backend.ready(&program, precision, &budget)?;
    let (ready, passed) = (start.elapsed(), passes::spent());
    let task = random(&tasks, None)?;
    let episodes = sample(&task, args.seed, "bench", 0, 1);
    let batch = assemble(&Border::of(&program).inputs, &episodes);
    let inputs = batch.inputs.first().map_or(Vec::new(), rows);
    let name = model.name.clone();
    let border = Border::of(&program);
    let mut session = Session::new(border, &model, executable, precision, args.seed)?;
    let parameters = session.size();
    let facts = Facts {
        model: name,
        mode: "inference",
        batch: 1,
        timesteps: 1,
        parameters,
        ready,
        passed,
        cost: Cost::of(&program, false),
        kept: None,
        threads: budget.threads,
    };
    let mut stream = Streaming::new(&mut session, args.seed);
    let mut steps = inputs.iter().cycle();
    let times = clock.measure(|| {
        let input = steps.next().cloned().unwrap_or_else(|| Tensor::zeros(vec![1, 1]));
        let start = Instant::now();
        let _ = stream.step(input);
        Ok(start.elapsed())
    })?;
    Ok(Measured { facts, times, took: session.facts(), profile: None })
}

/// [T, B, ..] as T pieces [1, B, ..].
fn rows(all: &Tensor) -> Vec<Tensor> {
    all.axis_iter(ndarray::Axis(0))
        .map(|row| row.insert_axis(ndarray::Axis(0)).to_owned())
        .collect()
}

/// How often the measurement is begun anew: what disturbs one round may spare the others.
const ROUNDS: u32 = 5;

/// Decides how often something is timed.
struct Clock {
    budget: Duration,
    bar: ProgressBar,
}

/// Times in seconds.
struct Times {
    /// The first call, which makes machine code and takes memory, in seconds.
    first: f64,
    /// The median of each round.
    rounds: Vec<f64>,
    /// The shortest.
    least: f64,
    /// The longest, without the calls before the first round.
    most: f64,
    /// How many were timed.
    calls: usize,
}

impl Clock {
    fn new(budget: Duration, shown: bool) -> Clock {
        let target =
            if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(u64::from(ROUNDS)), target);
        let style = "{bar:30} round {pos} of {len}  {msg}";
        bar.set_style(ProgressStyle::with_template(style).expect("the template is constant"));
        Clock { budget, bar }
    }

    /// Times something that says how long it took: once cold, a few times to warm up, then in rounds.
    fn measure(&self, mut call: impl FnMut() -> Result<Duration, Error>) -> Result<Times, Error> {
        let mut timed = || call().map(|time| time.as_secs_f64());
        let first = timed()?;
        let start = Instant::now();
        let mut warm = 0;
        while warm < 3 && (warm == 0 || start.elapsed() < self.budget / 10) {
            timed()?;
            warm += 1;
        }
        let mut all = Vec::new();
        let mut rounds = Vec::new();
        for round in 0..ROUNDS {
            self.bar.set_position(u64::from(round));
            let start = Instant::now();
            let mut times = vec![timed()?];
            while start.elapsed() < self.budget / ROUNDS {
                times.push(timed()?);
            }
            rounds.push(median(&times));
            self.bar.set_message(format!("{} a step", seconds(median(&rounds))));
            all.extend(times);
        }
        self.bar.finish_and_clear();
        let least = all.iter().copied().fold(f64::INFINITY, f64::min);
        let most = all.iter().copied().fold(0.0, f64::max);
        Ok(Times { first, rounds, least, most, calls: all.len() })
    }
}

impl Times {
    /// The median of the rounds' medians.
    fn median(&self) -> f64 {
        median(&self.rounds)
    }
}

/// The middle one, or the mean of the two in the middle.
fn median(all: &[f64]) -> f64 {
    let mut sorted = all.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

/// The most memory this process has had, where the system says.
fn peak_bytes() -> Option<u64> {
    let text = std::fs::read_to_string(Path::new("/proc/self/status")).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// A time for people.
fn seconds(time: f64) -> String {
    match time {
        short if short < 1e-3 => format!("{:.1} us", short * 1e6),
        short if short < 1.0 => format!("{:.2} ms", short * 1e3),
        long => format!("{long:.2} s"),
    }
}

struct Report<'a> {
    args: &'a Args,
    measured: Measured,
    peak: Option<u64>,
    /// How long passes took.
    passes: Vec<Pass>,
}

impl Report<'_> {
    /// From the text to machine code: all before the first step, and the passes that wait for it, since
    /// only a batch says for how many samples code is made.
    fn compile(&self) -> f64 {
        let Measured { facts, .. } = &self.measured;
        let late = self.passes.iter().map(|(_, seconds)| seconds).sum::<f64>() - facts.passed;
        facts.ready.as_secs_f64() + late.max(0.0)
    }

    /// Arithmetic of a call.
    fn flops(&self) -> u64 {
        let facts = &self.measured.facts;
        facts.cost.arithmetic(facts.timesteps as u64, facts.batch as u64)
    }

    /// Bytes of the forward sweep that the backward sweep reads, of the whole batch.
    fn adjoint_reads(&self) -> u64 {
        let facts = &self.measured.facts;
        let each = match self.args.precision {
            PrecisionName::F32 => 4,
            PrecisionName::F64 => 8,
        };
        let numbers = facts.cost.kept.saturating_mul((facts.timesteps * facts.batch) as u64);
        numbers.saturating_mul(each)
    }

    fn json(&self) -> Value {
        let Report { args, measured: Measured { facts, times, took, profile }, peak, passes } =
            self;
        let flops = self.flops();
        let mut all = json!({
            "schema": 1,
            "spec": args.spec,
            "model": facts.model,
            "mode": facts.mode,
            "backend": args.backend.name(),
            "precision": name_of(precision(args.precision)),
            "threads": facts.threads,
            "helpers": took.helpers,
            "batch": facts.batch,
            "timesteps": facts.timesteps,
            "parameters": facts.parameters,
            "median_s": times.median(),
            "min_s": times.least,
            "max_s": times.most,
            "round_medians_s": times.rounds,
            "calls": times.calls,
            "compile_s": self.compile(),
            "first_s": times.first,
            "peak_rss_mb": peak.map(|bytes| bytes as f64 / f64::from(1 << 20)),
            "tape_bytes": took.tape_bytes,
            "kept_timesteps": facts.kept.unwrap_or(facts.timesteps),
            "adjoint_reads_bytes": self.adjoint_reads(),
            "flops": flops,
            "gflops_per_s": flops as f64 / times.median() / 1e9,
            "kernels": took.kernels,
        });
        if args.time_passes {
            let passes = passes.iter().map(|(name, time)| json!({ "pass": name, "seconds": time }));
            all["passes"] = passes.collect();
        }
        if let Some((profile, sources)) = profile {
            all["profile"] = profile.json(sources);
        }
        all
    }

    fn text(&self) -> String {
        let Report { args, measured: Measured { facts, times, took, profile }, peak, passes } =
            self;
        let threads = match (facts.threads, took.helpers) {
            (1, _) => "1 thread".to_owned(),
            (many, 0) => format!("{many} threads"),
            (many, helpers) => format!("{many} threads, {helpers} helping with single steps"),
        };
        let (what, of) = match facts.mode {
            "train" => (
                "a training step",
                format!("batch {}, {} time steps", facts.batch, facts.timesteps),
            ),
            _ => ("a step of an answer", "one sequence, state kept".to_owned()),
        };
        let mut text = format!(
            "{} of {}: {of}, {} parameters\n{} {}, {threads}\n\n",
            what,
            facts.model,
            facts.parameters,
            args.backend.name(),
            name_of(precision(args.precision))
        );
        let mut row = |name: &str, value: String| text.push_str(&format!("  {name:<12} {value}\n"));
        row("median", seconds(times.median()));
        row("fastest", seconds(times.least));
        row("slowest", format!("{} of {} timed", seconds(times.most), times.calls));
        let first = seconds(times.first);
        row("compiled in", format!("{}; the first call took {first}", seconds(self.compile())));
        if let Some(peak) = peak {
            row("peak memory", size(*peak));
        }
        if !args.inference {
            let reads = size(self.adjoint_reads());
            row("tape", format!("{}; the backward sweep reads {reads}", size(took.tape_bytes)));
            if let Some(kept) = facts.kept {
                row("", format!("{kept} of {} time steps at a time", facts.timesteps));
            }
        }
        let flops = self.flops() as f64;
        let rate = flops / times.median() / 1e9;
        row("arithmetic", format!("{:.3} Mflop, {rate:.2} Gflop/s", flops / 1e6));
        row("kernels", took.kernels.to_string());
        for (at, (name, time)) in passes.iter().filter(|_| args.time_passes).enumerate() {
            let value = format!("{:<14} {}", name, seconds(*time));
            row(if at == 0 { "passes" } else { "" }, value);
        }
        if let Some((profile, sources)) = profile {
            text.push_str(&profile.text(sources));
        }
        text
    }
}

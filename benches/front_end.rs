//! How time and memory of the front end grow with a spec: every way to be large, at 1, 8 and 64 times.
//!
//! `cargo bench` prints criterion's figures, then a table of ratios: a step of 8 times in size should
//! cost no more than 8 to 12 times (n log n), and less where a constant part shows. Given words pick
//! groups, `cargo bench -- sum_chain`; `--quick` saves criterion's time, not the table.

#![expect(unsafe_code, reason = "an allocator that counts is an unsafe trait")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its table")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use criterion::Criterion;
use ntmc::compile::{self, Choices, Purpose, Spec};
use ntmc::diag::Diagnostics;
use ntmc::model::Loss;
use ntmc::model::library::StdOnly;
use ntmc::source::{Source, Sources};
use ntmc::syntax;

/// The system's allocator, which remembers how much was in use at most.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One way to be large: a name, the size at 1 time, and the text at a size.
type Group = (&'static str, usize, fn(usize) -> String);

const GROUPS: &[Group] = &[
    ("equations", 50, equations),
    ("sum_chain", 3, |n| many(20, &format!("x[i]{}", " + x[i]".repeat(n)))),
    ("pipe_chain", 3, |n| many(5, &format!("x[i]{}", " -> twice".repeat(n)))),
    ("parentheses", 3, |n| many(20, &format!("{}x[i]{}", "(".repeat(n), ")".repeat(n)))),
    ("calls_in_calls", 3, |n| many(5, &format!("{}x[i]{}", "twice(".repeat(n), ")".repeat(n)))),
    ("conditions", 3, |n| many(5, &format!("{}x[i]", "if i < 1 then 0 else ".repeat(n)))),
    ("arguments", 8, |n| {
        format!(
            "ntm 1\nmodel m[N = 2](x[N]) -> y {{\n  z = cat(x{})\n  y = sum[i] z[i]\n}}\n",
            ", x".repeat(n)
        )
    }),
    ("definitions", 20, definitions),
    ("definitions_in_turn", 3, definitions_in_turn),
    ("axes", 1, axes),
    ("members_in_order", 60, |n| {
        members(&format!("[l: {n}]"), "if l == 0 then x else layer[l - 1].h")
    }),
    ("members_as_axis", 60, |n| members(&format!("[l: {n}]"), "x")),
    ("families", 10, families),
    ("parts_in_parts", 3, parts_in_parts),
    ("emissions", 10, emissions),
    ("dims", 8, dims),
    ("comments", 250, |n| {
        format!("ntm 1\ndef f(x) -> y {{\n{}  y = x\n}}\n", "  # why\n\n".repeat(n))
    }),
    ("documentation", 250, |n| format!("ntm 1\n{}def f(x) -> y = x\n", "## what\n".repeat(n))),
    ("settings", 250, |n| {
        format!("{}train m on copy(bits = 2) {{\n{}}}\n", equations(1), "  a = 1\n".repeat(n))
    }),
    ("nonsense_values", 250, |n| nonsense("a = b c\n", n)),
    ("nonsense_words", 250, |n| nonsense("a\n", n)),
    ("nonsense_closers", 250, |n| nonsense("head a {\n}\n}\n", n)),
    ("nonsense_heads", 250, |n| nonsense("def f(\n", n)),
    ("nonsense_brackets", 250, |n| nonsense("(\n)[", n)),
    ("nonsense_list", 250, |n| nonsense("x = a, ", n)),
    ("nonsense_path", 250, |n| nonsense("a.b.", n)),
    ("nonsense_texts", 250, |n| nonsense("\"\n", n)),
    ("nonsense_signs", 250, |n| nonsense("?", n)),
    ("nonsense_dots", 250, |n| nonsense("x == 3\n", n)),
    ("nonsense_line", 250, |n| nonsense("f(a) ", n)),
];

/// Equations with the same right side.
fn many(count: usize, right: &str) -> String {
    let mut text = "ntm 1\ndef twice(a) -> b = 2 * a\nmodel m[N = 2](x[N]) -> y[N] {\n".to_owned();
    (0..count).for_each(|at| writeln!(text, "  v{at}[i] = {right}").expect("a string"));
    let sum: String = (0..count).map(|at| format!(" + v{at}")).collect();
    text + &format!("  y = x{sum}\n}}\n")
}

fn equations(n: usize) -> String {
    let mut text = "ntm 1\nmodel m[N = 4](x[N]) -> y[N] {\n  v0 = x\n".to_owned();
    for at in 1..=n {
        let before = at - 1;
        writeln!(text, "  v{at}[i] = 0.5 * v{before}[i] + sum[j] v{before}[j] * x[i]")
            .expect("a string");
    }
    text + &format!("  y = v{n}\n}}\n")
}

fn definitions(n: usize) -> String {
    let mut text = "ntm 1\n".to_owned();
    for at in 0..n {
        writeln!(text, "def f{at}(a[N]) -> b[N] {{\n  b[i] = {at} * a[i]\n}}").expect("a string");
    }
    text += "model m[N = 4](x[N]) -> y[N] {\n  v0 = x\n";
    for at in 0..n {
        writeln!(text, "  v{} = f{at}(v{at})", at + 1).expect("a string");
    }
    text + &format!("  y = v{n}\n}}\n")
}

fn definitions_in_turn(n: usize) -> String {
    let mut text = "ntm 1\ndef f0(a[N]) -> b[N] = a\n".to_owned();
    for at in 1..=n {
        writeln!(text, "def f{at}(a[N]) -> b[N] = 2 * f{}(a)", at - 1).expect("a string");
    }
    text + &format!("model m[N = 4](x[N]) -> y[N] {{\n  y = f{n}(x)\n}}\n")
}

fn axes(n: usize) -> String {
    let dims: Vec<String> = (0..n).map(|at| format!("D{at}")).collect();
    let given: Vec<String> = dims.iter().map(|dim| format!("{dim} = 1")).collect();
    let names: Vec<String> = (0..n).map(|at| format!("i{at}")).collect();
    let (dims, given, names) = (dims.join(", "), given.join(", "), names.join(", "));
    format!(
        "ntm 1\nmodel m[{given}](x[{dims}]) -> y {{\n  v[{names}] = 2 * x[{names}] + x[{names}]\n  \
         y = sum[{names}] v[{names}]\n}}\n"
    )
}

fn members(family: &str, below: &str) -> String {
    format!(
        "ntm 1\nuse std.nn\nmodel m[H = 4](x[H]) -> y[H] {{\n  part layer{family} {{\n    \
         state c[H] = 0\n    a = {below}\n    h = tanh(a + prev c)\n    c = 0.5 * h\n  }}\n  \
         y[i] = sum[l] layer[l].h[i]\n}}\n"
    )
}

fn families(n: usize) -> String {
    let mut text =
        "ntm 1\nuse std.nn\nmodel m[H = 4](x[H]) -> y[H] {\n  controller h = x\n".to_owned();
    for at in 0..n {
        let below =
            if at == 0 { "x[i]".to_owned() } else { format!("(sum[n] p{}[n].a[i])", at - 1) };
        writeln!(text, "  part p{at}[n: 3] {{\n    emit g: unit\n    a[i] = g * {below}\n  }}")
            .expect("a string");
    }
    text + &format!("  y[i] = sum[n] p{}[n].a[i]\n}}\n", n - 1)
}

fn parts_in_parts(n: usize) -> String {
    let open: String = (0..n).map(|at| format!("part p{at} {{\n")).collect();
    let path: Vec<String> = (0..n).map(|at| format!("p{at}")).collect();
    let (path, close) = (path.join("."), "}\n".repeat(n));
    format!("ntm 1\nmodel m[N = 2](x[N]) -> y[N] {{\n{open}a = 2 * x\n{close}y = {path}.a\n}}\n")
}

fn emissions(n: usize) -> String {
    let mut text = "ntm 1\nmodel m[H = 4](x[H]) -> y {\n  controller h = x\n".to_owned();
    (0..n).for_each(|at| writeln!(text, "  emit e{at}[H]: unit").expect("a string"));
    let sum: Vec<String> = (0..n).map(|at| format!("  s{at} = sum[i] e{at}[i]\n")).collect();
    let all: Vec<String> = (0..n).map(|at| format!("s{at}")).collect();
    let mut parts = String::new();
    // A sum may not be longer than a tree may be deep.
    for (at, some) in all.chunks(50).enumerate() {
        writeln!(parts, "  t{at} = {}", some.join(" + ")).expect("a string");
    }
    let last: Vec<String> = (0..all.len().div_ceil(50)).map(|at| format!("t{at}")).collect();
    text + &sum.concat() + &parts + &format!("  y = {}\n}}\n", last.join(" + "))
}

fn dims(n: usize) -> String {
    let list: Vec<String> = (0..n).map(|at| (2 + at % 3).to_string()).collect();
    format!(
        "ntm 1\nuse std.nn\nmodel m[H[L] = [{}]](x[X = 3]) -> y {{\n  part layer[l: L] = \
         linear[H[l]](if l == 0 then x else layer[l - 1])\n  o = cat(layer)\n  y = sum[i] o[i]\n}}\n",
        list.join(", ")
    )
    .replace("x[X = 3]", "x[3]")
}

fn nonsense(line: &str, n: usize) -> String {
    format!("ntm 1\ndef f(x) -> y {{\n{}}}\n", line.repeat(n))
}

/// What is measured of one text: the fastest time and the largest memory of each stage.
#[derive(Default)]
struct Cost {
    seconds: f64,
    bytes: usize,
}

/// Processor time of this process so far: a busy machine makes nothing slow.
#[cfg(target_os = "linux")]
fn processor_time() -> Duration {
    #[repr(C)]
    struct Time {
        seconds: i64,
        nanoseconds: i64,
    }
    unsafe extern "C" {
        fn clock_gettime(clock: i32, time: *mut Time) -> i32;
    }
    const OF_THE_PROCESS: i32 = 2;
    let mut time = Time { seconds: 0, nanoseconds: 0 };
    // SAFETY: the call writes a time of two 64-bit numbers, which is what it is given.
    let failed = unsafe { clock_gettime(OF_THE_PROCESS, &raw mut time) };
    assert_eq!(failed, 0, "the clock of a process is always there");
    Duration::new(time.seconds.cast_unsigned(), time.nanoseconds as u32)
}

/// Time that passed, where the clock of a process is not asked.
#[cfg(not(target_os = "linux"))]
fn processor_time() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

/// Runs, keeps what it cost if it is the least so far, and gives the time to criterion.
fn measure<T>(cost: &RefCell<Cost>, times: u64, mut run: impl FnMut() -> T) -> Duration {
    let mut all = Duration::ZERO;
    for _ in 0..times {
        let before = NOW.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let start = processor_time();
        let result = black_box(run());
        let took = processor_time() - start;
        let peak = PEAK.load(Ordering::Relaxed).saturating_sub(before);
        drop(result);
        let mut cost = cost.borrow_mut();
        let first = cost.bytes == 0;
        cost.seconds =
            if first { took.as_secs_f64() } else { cost.seconds.min(took.as_secs_f64()) };
        cost.bytes = if first { peak } else { cost.bytes.min(peak) };
        all += took;
    }
    all
}

fn parsed(text: &str) -> Option<(Sources, syntax::ast::File)> {
    let (mut sources, mut sink) = (Sources::default(), Diagnostics::default());
    let id = sources.add(Source::new("bench.ntm", text));
    let tree = syntax::parse(&sources, id, &mut sink).filter(|_| !sink.has_errors());
    tree.map(|tree| (sources, tree))
}

fn read(text: &str) -> Option<Spec> {
    Spec::read(Source::new("bench.ntm", text), &StdOnly).ok()
}

/// Measures every stage that a text reaches.
fn stages(
    criterion: &mut Criterion,
    name: &str,
    text: &str,
    mut keep: impl FnMut(&'static str, Cost),
) {
    let mut one = |stage: &'static str, run: &mut dyn FnMut()| {
        let cost = RefCell::default();
        let label = format!("{name}/{stage}");
        criterion.bench_function(&label, |bench| {
            bench.iter_custom(|times| measure(&cost, times, &mut *run));
        });
        keep(stage, cost.into_inner());
    };
    one("parse", &mut || drop(black_box(parsed(text))));
    let Some((_, tree)) = parsed(text) else { return };
    one("format", &mut || drop(black_box(syntax::format(&tree))));
    one("check", &mut || drop(black_box(read(text))));
    let Some(mut spec) = read(text) else { return };
    let Ok(choice) = spec.choose(&Choices::default()) else { return };
    // Adjoints need something to differentiate.
    let purpose = Purpose { loss: Loss::HalfSquares, ..Purpose::default() };
    let model = || spec.elaborate(&choice, &purpose);
    let program = || model().map(|model| compile::forward(&model));
    if let Err(error) = model() {
        return eprintln!("{name}: {error}");
    }
    one("lower", &mut || drop(black_box(program())));
    let Ok(step) = program() else { return };
    one("adjoint", &mut || drop(black_box(compile::with_adjoints(step.clone()))));
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(50))
        .measurement_time(Duration::from_millis(300))
        .without_plots()
        .configure_from_args();
    let words: Vec<String> = std::env::args().skip(1).filter(|one| !one.starts_with('-')).collect();
    let wanted =
        |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let mut rows = Vec::new();
    for (name, base, text) in GROUPS.iter().filter(|(name, ..)| wanted(name)) {
        let mut costs: BTreeMap<&'static str, Vec<Cost>> = BTreeMap::new();
        for factor in [1, 8, 64] {
            let label = format!("{name}/{factor}");
            let text = text(base * factor);
            stages(&mut criterion, &label, &text, |stage, cost| {
                costs.entry(stage).or_default().push(cost);
            });
        }
        for stage in ["parse", "format", "check", "lower", "adjoint"] {
            let Some([a, b, c]) = costs.get(stage).map(Vec::as_slice) else { continue };
            let ms = |cost: &Cost| cost.seconds * 1e3;
            let kib = |cost: &Cost| cost.bytes as f64 / 1024.0;
            rows.push(format!(
                "{:<22}{stage:<8}{:>9.3}{:>10.3}{:>10.2}{:>8.1}{:>8.1}{:>12.0}{:>8.1}{:>8.1}",
                name,
                ms(a),
                ms(b),
                ms(c),
                ms(b) / ms(a),
                ms(c) / ms(b),
                kib(c),
                kib(b) / kib(a),
                kib(c) / kib(b),
            ));
        }
    }
    criterion.final_summary();
    println!(
        "{:<22}{:<8}{:>9}{:>10}{:>10}{:>8}{:>8}{:>12}{:>8}{:>8}",
        "what grows",
        "stage",
        "ms at 1",
        "at 8",
        "at 64",
        "8/1",
        "64/8",
        "KiB at 64",
        "8/1",
        "64/8"
    );
    rows.iter().for_each(|row| println!("{row}"));
}

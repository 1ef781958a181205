//! Stopping a run and going on: by its steps, by signals, by a kill at any moment.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use ntmc::random::Stream;
use ntmc::run::checkpoint;

/// Small enough that a thousand steps take a second.
const SPEC: &str = "ntm 1

model small[H = 4](x[X]) -> y[Y] {
  state h[H] = 0
  emit a[H]: signed from cat(x, prev h)
  h = a
  emit y[Y] from h
}

train small on copy(bits = 2, length = 1..3) {
  optimizer      = graves_rmsprop(lr = 1e-2)
  batch          = 5
  steps          = 1_000
  evaluate_every = 90
  episodes       = 20
}
";

/// A folder with a spec and runs of it.
struct Place(tempfile::TempDir);

impl Place {
    fn new(spec: &str) -> Place {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("spec.ntm"), spec).unwrap();
        Place(folder)
    }

    fn run(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `ntmc run` with these words; a run that is there goes on.
    fn command(&self, name: &str, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ntmc"));
        command.current_dir(self.0.path()).arg("run").args(words);
        if self.run(name).join("run.ron").exists() {
            command.args(["--resume", name]);
        } else {
            command.args(["spec.ntm", "--out", name]);
        }
        command
    }

    fn output(&self, name: &str, words: &[&str]) -> Output {
        self.command(name, words).output().unwrap()
    }

    /// A run that must end well; everything in it that tells of no clock.
    fn done(&self, name: &str, words: &[&str]) -> Vec<(&'static str, Vec<u8>)> {
        let output = self.output(name, words);
        assert!(output.status.success(), "{name} {words:?}: {}", said(&output));
        files(&self.run(name))
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const FILES: [&str; 8] = [
    "checkpoint.safetensors",
    "best.safetensors",
    "metrics.jsonl",
    "run.ron",
    "spec.ntm",
    "figures/loss.svg",
    "figures/loss.png",
    "figures/episode.png",
];

fn files(run: &Path) -> Vec<(&'static str, Vec<u8>)> {
    FILES.iter().map(|name| (*name, std::fs::read(run.join(name)).expect(name))).collect()
}

fn assert_same(whole: &[(&str, Vec<u8>)], parts: &[(&str, Vec<u8>)], what: &str) {
    for ((name, left), (_, right)) in whole.iter().zip(parts) {
        assert!(left == right, "{what}: {name} differs");
    }
}

#[test]
fn a_run_that_goes_on_ends_with_the_bytes_of_one_without_a_stop() {
    let place = Place::new(SPEC);
    for backend in ["jit", "interp"] {
        let own = ["--backend", backend];
        let name = |kind: &str| format!("{backend}-{kind}");
        let with = |more: &[&'static str]| [&own[..], more].concat();
        let whole = place.done(&name("whole"), &with(&["--steps", "1000", "--threads", "1"]));
        let two = place.done(&name("two"), &with(&["--steps", "1000", "--threads", "2"]));
        assert_same(&whole, &two, &format!("{backend}, two threads"));
        for threads in ["1", "2"] {
            let parts = name(threads);
            // Not where an evaluation or a line of metrics ends.
            for steps in ["400", "403", "1000"] {
                place.done(&parts, &with(&["--steps", steps, "--threads", threads]));
            }
            let what = format!("{backend}, {threads} threads, resumed");
            assert_same(&whole, &files(&place.run(&parts)), &what);
        }
    }
}

/// Sends a signal to a process that runs.
fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits until something is the case.
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what} took too long");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn start(place: &Place, name: &str, words: &[&str]) -> Child {
    let mut command = place.command(name, words);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_signal_saves_and_the_run_goes_on_as_if_nothing_had_been() {
    let place = Place::new(SPEC);
    let whole = place.done("whole", &["--steps", "3000"]);
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let mut child = start(&place, name, &["--steps", "3000"]);
        let lines = place.run(name).join("metrics.jsonl");
        until("a line of metrics", || std::fs::metadata(&lines).is_ok_and(|file| file.len() > 0));
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(code), "{name}");
        let facts = checkpoint::facts(&place.run(name).join("checkpoint.safetensors")).unwrap();
        assert!(facts.step < 3000, "{name} came too late");
        // The run remembers how far it was meant to go.
        assert_same(&whole, &place.done(name, &[]), name);
    }
}

#[test]
fn a_second_signal_leaves_at_once_even_in_a_long_step() {
    let place = Place::new(SPEC);
    // A single step of a batch that takes very long.
    let batch = ["--backend", "interp", "--batch", "2000000", "--steps", "1", "--threads", "1"];
    for (first, second, code) in [("INT", "INT", 130), ("INT", "TERM", 143)] {
        let mut child = start(&place, second, &batch);
        until("the start", || place.run(second).join("timing.jsonl").exists());
        // Long enough to be in the step, and not at the question that comes before it.
        std::thread::sleep(Duration::from_millis(500));
        signal(&child, first);
        std::thread::sleep(Duration::from_millis(200));
        assert!(child.try_wait().unwrap().is_none(), "the step ended too soon");
        let sent = Instant::now();
        signal(&child, second);
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert!(sent.elapsed() < Duration::from_millis(500), "{:?}", sent.elapsed());
    }
}

#[test]
fn a_signal_ends_a_long_evaluation_and_the_run_goes_on_with_it() {
    let long = SPEC.replace("episodes       = 20", "episodes       = 50_000_000");
    let place = Place::new(&long.replace("evaluate_every = 90", "evaluate_every = 20"));
    let mut child = start(&place, "a", &[]);
    let lines = place.run("a").join("metrics.jsonl");
    let written = || std::fs::read_to_string(&lines).unwrap_or_default();
    // The line of step 20 waits for the evaluation.
    until("the evaluation", || written().contains("{\"step\":18,"));
    std::thread::sleep(Duration::from_millis(100));
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let facts = checkpoint::facts(&place.run("a").join("checkpoint.safetensors")).unwrap();
    assert_eq!(facts.step, 20);
    assert_eq!(facts.progress["window"]["steps"], 2);
}

/// A run of little more than its start and its end, that saves all the time.
const SHORT: [&str; 6] = ["--steps", "180", "--save-every", "3ms", "--threads", "1"];

/// Kills a run at random moments, as often as is asked for, and lets it go on; a run that ends before
/// its kill is compared, and another one begins. Returns how many runs ended.
fn kill_again_and_again(
    place: &Place,
    (whole, longest): (&[(&str, Vec<u8>)], Duration),
    (part, kills): (u64, usize),
) -> usize {
    let mut stream = Stream::new(5, &["kills"], &[part]);
    let (mut killed, mut ended) = (0, 0);
    loop {
        let name = format!("part-{part}-{ended}");
        if killed == kills {
            assert_same(whole, &place.done(&name, &SHORT), &name);
            return ended + 1;
        }
        let moment = Instant::now() + longest.mul_f64(stream.uniform(0.0, 1.0));
        let mut child = start(place, &name, &SHORT);
        while Instant::now() < moment && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{name} after {killed} kills: {status}");
            assert_same(whole, &files(&place.run(&name)), &name);
            let left = std::fs::read_dir(place.run(&name)).unwrap().filter(|entry| {
                entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with('.')
            });
            assert_eq!(left.count(), 0, "{name} has something left over");
            ended += 1;
            continue;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
        for file in ["checkpoint.safetensors", "best.safetensors"] {
            let file = place.run(&name).join(file);
            assert!(!file.exists() || checkpoint::facts(&file).is_some(), "{}", file.display());
        }
    }
}

#[test]
fn a_hundred_kills_at_random_moments_change_no_byte() {
    let place = Place::new(SPEC);
    let started = Instant::now();
    let whole = place.done("whole", &SHORT);
    let longest = started.elapsed();
    let ended: usize = std::thread::scope(|scope| {
        let (place, whole) = (&place, &whole[..]);
        let both: Vec<_> = (0..2)
            .map(|part| {
                scope.spawn(move || kill_again_and_again(place, (whole, longest), (part, 50)))
            })
            .collect();
        both.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert!(ended >= 2);
}

#[test]
fn what_was_done_to_a_run_is_told_or_mended() {
    let place = Place::new(SPEC);
    let whole = place.done("whole", &["--steps", "300"]);
    place.done("a", &["--steps", "200"]);
    let file = |name: &str| place.run("a").join(name);
    let refused = |says: &str| {
        let output = place.output("a", &["--steps", "300"]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(4), "{text}");
        assert!(text.contains(says) && !text.contains("panicked"), "{says}: {text}");
    };
    // Damage to a checkpoint, with what is there instead.
    let good = std::fs::read(file("checkpoint.safetensors")).unwrap();
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    std::fs::write(file("checkpoint.safetensors"), &bad).unwrap();
    refused("damaged");
    refused("help: `best.safetensors` beside it, of step ");
    std::fs::write(file("checkpoint.safetensors"), &good[..good.len() - 1]).unwrap();
    refused("cut short");
    // Another run's, and that of another seed.
    let other = Place::new(&SPEC.replace("H = 4", "H = 5"));
    other.done("b", &["--steps", "20"]);
    let copy = |from: &Place, run: &str| {
        let from = from.run(run).join("checkpoint.safetensors");
        std::fs::copy(from, file("checkpoint.safetensors")).unwrap();
    };
    copy(&other, "b");
    refused("has shape");
    place.done("c", &["--steps", "20", "--seed", "9"]);
    copy(&place, "c");
    refused("its seed is 9, not 0");
    std::fs::write(file("checkpoint.safetensors"), &good).unwrap();
    // A checkpoint as parameters of `exec` is looked at too.
    bad.clone_from(&good);
    *bad.last_mut().unwrap() ^= 1;
    std::fs::write(file("bad.safetensors"), &bad).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ntmc"))
        .args(["exec", "a/spec.ntm", "--in", "a/bad.safetensors", "--out", "a/out.safetensors"])
        .current_dir(place.0.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(said(&output).contains("damaged"), "{}", said(&output));
    // A spec that is not the run's.
    let spec = std::fs::read_to_string(file("spec.ntm")).unwrap();
    std::fs::write(file("spec.ntm"), spec.replace("1e-2", "2e-2")).unwrap();
    let output = place.output("a", &["--steps", "300"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("was changed since the run began"), "{}", said(&output));
    std::fs::write(file("spec.ntm"), spec).unwrap();
    // A manifest that is none, and none.
    let manifest = std::fs::read(file("run.ron")).unwrap();
    std::fs::write(file("run.ron"), &manifest[..manifest.len() / 2]).unwrap();
    refused("not a run");
    std::fs::remove_file(file("run.ron")).unwrap();
    refused("it already holds a run");
    let output = Command::new(env!("CARGO_BIN_EXE_ntmc"))
        .args(["run", "--resume", "a"])
        .current_dir(place.0.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(said(&output).contains("run.ron: no such file: this is no run"), "{}", said(&output));
    std::fs::write(file("run.ron"), &manifest).unwrap();
    // Metrics that end in the middle of a line written after the checkpoint, and left-over files.
    let lines = std::fs::read(file("metrics.jsonl")).unwrap();
    std::fs::write(file("metrics.jsonl"), [&lines[..], b"{\"step\":202,\"seq"].concat()).unwrap();
    std::fs::write(file(".checkpoint.safetensors.99.tmp"), b"half").unwrap();
    assert_same(&whole, &place.done("a", &["--steps", "300"]), "mended");
    assert!(!file(".checkpoint.safetensors.99.tmp").exists());
    // Metrics that lack lines from before the checkpoint are told.
    std::fs::write(file("metrics.jsonl"), &lines[..lines.len() / 2]).unwrap();
    let output = place.output("a", &["--steps", "310"]);
    assert!(output.status.success() && said(&output).contains("are lost"), "{}", said(&output));
}

#[test]
fn a_run_in_use_is_refused() {
    let place = Place::new(SPEC);
    let mut child = start(&place, "a", &["--steps", "1000000"]);
    until("the start", || place.run("a").join("run.ron").exists());
    let output = place.output("a", &[]);
    assert_eq!(output.status.code(), Some(4));
    assert!(said(&output).contains("another process is writing this run"), "{}", said(&output));
    child.kill().unwrap();
    child.wait().unwrap();
    place.done("a", &["--steps", "10"]);
}

#[test]
fn a_disk_that_is_full_or_a_place_that_cannot_be_written_is_an_error() {
    let place = Place::new(SPEC);
    place.done("a", &["--steps", "90"]);
    let before = std::fs::read(place.run("a").join("checkpoint.safetensors")).unwrap();
    // No file may grow beyond a few blocks: the metrics are the first that would.
    let script = "trap '' XFSZ; ulimit -f 24; exec \"$0\" run --resume a --steps 900";
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_ntmc")])
        .current_dir(place.0.path())
        .output()
        .unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("metrics.jsonl: File too large"), "{text}");
    assert!(checkpoint::facts(&place.run("a").join("checkpoint.safetensors")).is_some());
    let whole = place.done("whole", &["--steps", "900"]);
    assert_same(&whole, &place.done("a", &["--steps", "900"]), "after a full disk");
    assert!(before != whole[0].1);
    let output = place.output("/dev/null/x", &[]);
    assert_eq!(output.status.code(), Some(4));
    assert!(said(&output).contains("/dev/null/x"), "{}", said(&output));
}

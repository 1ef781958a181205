//! Where the time of a training step goes: function by function, with the equation behind each.

use serde_json::{Value, json};

use crate::run::Timed;
use crate::source::{Lines, Sources};

/// What the functions of some training steps took.
pub(super) struct Profile {
    /// How many steps.
    pub(super) steps: u64,
    /// Their wall time in seconds, with all that is not a function.
    pub(super) seconds: f64,
    /// Every function, the longest first.
    spent: Vec<Timed>,
    /// Whether one thread did it all.
    alone: bool,
}

/// Functions shown to people; the rest are summed up.
const SHOWN: usize = 20;

/// Characters of an equation that are shown.
const EQUATION: usize = 48;

impl Profile {
    /// Of some steps in so many seconds, by one thread or by several.
    pub(super) fn new(steps: u64, seconds: f64, mut spent: Vec<Timed>, alone: bool) -> Profile {
        spent.sort_by(|left, right| right.seconds.total_cmp(&left.seconds));
        Profile { steps, seconds, spent, alone }
    }

    /// Microseconds a step.
    fn each(&self, seconds: f64) -> f64 {
        seconds / self.steps.max(1) as f64 * 1e6
    }

    pub(super) fn json(&self, sources: &Sources) -> Value {
        let one = |timed: &Timed| {
            json!({
                "value": timed.what,
                "when": timed.when,
                "where": place(sources, timed),
                "equation": equation(sources, timed),
                "calls": timed.calls as f64 / self.steps.max(1) as f64,
                "seconds": timed.seconds / self.steps.max(1) as f64,
            })
        };
        json!({
            "steps": self.steps,
            "seconds": self.seconds / self.steps.max(1) as f64,
            "functions": self.spent.iter().map(one).collect::<Vec<_>>(),
        })
    }

    /// A table.
    pub(super) fn text(&self, sources: &Sources) -> String {
        let together = if self.alone { "" } else { ", on all threads together" };
        let mut text = format!(
            "\nwhere the time goes, of {} steps in which each function was timed{together}\n\n  \
             {:>6} {:>8} {:>6}  {:9}  {}\n",
            self.steps, "share", "us", "calls", "when", "value and equation"
        );
        let sum = |list: &[Timed]| list.iter().map(|timed| timed.seconds).sum::<f64>();
        // What several threads do at once is counted several times.
        let all = if self.alone { self.seconds } else { sum(&self.spent) };
        let mut row = |seconds: f64, calls: f64, when: &str, what: &str| {
            let share = 100.0 * seconds / all.max(1e-12);
            let line = format!(
                "  {share:>4.1} % {:>8.1} {calls:>6.0}  {when:9}  {what}",
                self.each(seconds)
            );
            text.push_str(line.trim_end());
            text.push('\n');
        };
        let (shown, others) = self.spent.split_at(SHOWN.min(self.spent.len()));
        let calls = |timed: &Timed| timed.calls as f64 / self.steps.max(1) as f64;
        for timed in shown {
            let what =
                format!("{}  {}  {}", timed.what, place(sources, timed), equation(sources, timed));
            row(timed.seconds, calls(timed), timed.when, &what);
        }
        if !others.is_empty() {
            let all = others.iter().map(calls).sum();
            row(sum(others), all, "", &format!("{} other functions", others.len()));
        }
        if self.alone {
            let rest = (self.seconds - sum(&self.spent)).max(0.0);
            row(rest, 0.0, "", "between the functions: loops, copies, clipping, taking the time");
        }
        text
    }
}

/// File and line of the equation.
fn place(sources: &Sources, timed: &Timed) -> String {
    if timed.span.start == timed.span.end {
        return String::new();
    }
    let source = sources.get(timed.span.file);
    let (line, _) = Lines::of(&source.text).position(timed.span.start);
    format!("{}:{line}", source.name)
}

/// The beginning of the equation, on one line.
fn equation(sources: &Sources, timed: &Timed) -> String {
    if timed.span.start == timed.span.end {
        return String::new();
    }
    let words = sources.text(timed.span).split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= EQUATION {
        return words;
    }
    words.chars().take(EQUATION - 2).collect::<String>() + ".."
}

//! A run that has stopped learning says so; it goes on nevertheless.
//!
//! In: lines of metrics. Out: a note, once for each plateau. Invariant: two spans of the same number of
//! sequences, of one task, are compared, each of at least [`SEQUENCES`] sequences and [`STEPS`] steps.

use crate::train::{Line, Settings};

/// Sequences of a span, at least.
const SEQUENCES: u64 = 3_000;

/// Steps of a span, at least.
const STEPS: u64 = 1_000;

/// A smaller part of the loss than this is no progress.
const PROGRESS: f64 = 0.01;

/// What is watched for.
#[derive(Clone, Debug)]
pub(super) struct Stall {
    /// Sequences of a span.
    span: u64,
    batch: u64,
    rate: f64,
    /// The steps before which each lesson ends, but for the last.
    ends: Vec<u64>,
    /// The loss of the plateau that was told.
    told: Option<f64>,
}

impl Stall {
    pub(super) fn new(settings: &Settings) -> Stall {
        let batch = settings.batch.max(1) as u64;
        let lessons = &settings.lessons[..settings.lessons.len().saturating_sub(1)];
        let ends = lessons.iter().scan(0u64, |end, lesson| {
            *end = end.saturating_add(lesson.steps);
            Some(*end)
        });
        Stall {
            span: SEQUENCES.max(STEPS.saturating_mul(batch)),
            batch,
            rate: settings.rate,
            ends: ends.collect(),
            told: None,
        }
    }

    /// Looks at the lines so far; a note if the last span was no better than the one before.
    pub(super) fn look(&mut self, lines: &[Line]) -> Option<String> {
        let now = lines.last()?;
        let begun =
            self.ends.iter().rfind(|end| **end < now.step).map_or(0, |end| end * self.batch);
        let middle = now.sequences.checked_sub(self.span)?;
        let start = middle.checked_sub(self.span).filter(|start| *start >= begun)?;
        let (late, early) = (mean(lines, middle, now.sequences)?, mean(lines, start, middle)?);
        let first = mean(lines, begun, begun + self.span)?;
        if late < early * (1.0 - PROGRESS) || late < 0.05 * first {
            self.told = self.told.filter(|told| late >= told * (1.0 - PROGRESS));
            return None;
        }
        if self.told.is_some() {
            return None;
        }
        self.told = Some(late);
        let bits = |nats: f64| nats / std::f64::consts::LN_2;
        let advice = if late > 0.6 * first {
            format!(
                "it never left its first plateau, and a rate that is too low is the commonest \
                 reason: lr is {:?}; 3e-4 with graves_rmsprop or 3e-3 with adam is usual at batch 1, \
                 1e-2 with adam at batch 16",
                self.rate
            )
        } else {
            "if there is more to learn, a lower rate (`schedule = decay(..)`) or another seed may help"
                .to_owned()
        };
        Some(format!(
            "note: no progress over the last {} sequences: {:.2} bits per sequence, {:.2} in as many \
             before; {advice}\n",
            self.span,
            bits(late),
            bits(early)
        ))
    }
}

/// The mean loss of the sequences from one number to another, by the lines that lie between.
fn mean(lines: &[Line], from: u64, to: u64) -> Option<f64> {
    let mut before = 0;
    let (mut sum, mut count) = (0.0, 0);
    for line in lines {
        if before >= from && line.sequences <= to {
            sum += line.loss * (line.sequences - before) as f64;
            count += line.sequences - before;
        }
        before = line.sequences;
    }
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(losses: impl Iterator<Item = f64>) -> Vec<Line> {
        let one = |(at, loss): (usize, f64)| Line {
            step: (at as u64 + 1) * 100,
            sequences: (at as u64 + 1) * 100,
            loss,
            bits_per_sequence: loss,
            score_name: String::new(),
            score: 0.0,
            gradient_norm: 1.0,
            learning_rate: 0.1,
            evaluation: None,
        };
        losses.enumerate().map(one).collect()
    }

    fn notes(mut stall: Stall, lines: &[Line]) -> Vec<(u64, String)> {
        let each = (1..=lines.len())
            .filter_map(|end| Some((lines[end - 1].step, stall.look(&lines[..end])?)));
        each.collect()
    }

    fn watch(ends: Vec<u64>) -> Stall {
        Stall { span: 3_000, batch: 1, rate: 1e-5, ends, told: None }
    }

    #[test]
    fn a_plateau_is_told_once_and_the_first_of_all_with_the_rate() {
        let flat = lines((0..200).map(|_| 10.0));
        let told = notes(watch(Vec::new()), &flat);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].0, 6_000);
        assert!(told[0].1.contains("over the last 3000 sequences") && told[0].1.contains("1e-5"));
        // Down, then flat, then down again, then flat for good.
        let falls = |at: i32| match at {
            0..40 => 10.0 - 0.2 * f64::from(at),
            40..120 => 2.0,
            120..160 => 2.0 - 0.03 * f64::from(at - 120),
            _ => 0.8,
        };
        let told = notes(watch(Vec::new()), &lines((0..260).map(falls)));
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().all(|(_, text)| text.contains("a lower rate")), "{told:?}");
    }

    #[test]
    fn progress_and_a_task_that_is_solved_are_no_plateau() {
        let slow = lines((0..300).map(|at| 10.0 * 0.995f64.powi(at)));
        assert_eq!(notes(watch(Vec::new()), &slow), []);
        let solved = lines((0..300).map(|at| if at < 20 { 10.0 } else { 0.01 }));
        assert_eq!(notes(watch(Vec::new()), &solved), []);
        // A harder lesson begins: its loss is not compared with that of the one before.
        let lessons =
            lines((0..80).map(|at| if at < 40 { 5.0 - 0.1 * f64::from(at) } else { 8.0 }));
        assert_eq!(notes(watch(vec![4_000]), &lessons), []);
    }
}

//! How long the passes of the compiler take, for whoever asks.
//!
//! In: passes, each under its name. Out: the time of each, in the order in which they first ran. Invariant:
//! what is computed does not depend on whether anybody asks; each thread records for itself.

use std::cell::RefCell;
use std::time::Instant;

/// A pass, and the seconds it took, all its runs together.
pub type Pass = (&'static str, f64);

thread_local! {
    static RECORD: RefCell<Option<Vec<Pass>>> = const { RefCell::new(None) };
}

/// From now on takes times on this thread.
pub fn record() {
    RECORD.set(Some(Vec::new()));
}

/// Seconds recorded since [`record`], all passes together.
#[must_use]
pub fn spent() -> f64 {
    RECORD.with_borrow(|record| record.iter().flatten().map(|(_, seconds)| seconds).sum())
}

/// What was recorded since [`record`]; nothing more is.
pub(crate) fn recorded() -> Vec<Pass> {
    RECORD.take().unwrap_or_default()
}

/// Runs a pass. Passes do not contain each other.
pub(crate) fn timed<T>(name: &'static str, pass: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = pass();
    let seconds = start.elapsed().as_secs_f64();
    RECORD.with_borrow_mut(|record| {
        let Some(passes) = record else { return };
        match passes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, spent)) => *spent += seconds,
            None => passes.push((name, seconds)),
        }
    });
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_are_timed_where_somebody_asks() {
        assert_eq!(timed("first", || 1), 1);
        assert!(recorded().is_empty());
        record();
        timed("first", || std::thread::sleep(std::time::Duration::from_millis(2)));
        timed("second", || ());
        timed("first", || ());
        let all = spent();
        let passes = recorded();
        assert_eq!(all, passes.iter().map(|(_, seconds)| seconds).sum::<f64>());
        let names: Vec<&str> = passes.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["first", "second"]);
        assert!(passes[0].1 >= 0.002 && recorded().is_empty() && spent() == 0.0);
    }
}

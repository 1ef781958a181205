//! Where the time of a step goes.
//!
//! In: functions as they run. Out: how often each ran and how long it took. Invariant: what is not
//! asked for costs one comparison a phase.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Time spent on one function, by any thread.
#[derive(Debug, Default)]
pub(super) struct Spent {
    calls: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Spent {
    /// Does something and counts the time it takes.
    pub(super) fn on<T>(&self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        let time = start.elapsed().as_nanos().try_into().unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(time, Ordering::Relaxed);
        self.calls.fetch_add(1, Ordering::Relaxed);
        done
    }

    /// How often it ran, and how long in seconds.
    pub(super) fn told(&self) -> (u64, f64) {
        let nanoseconds = self.nanoseconds.load(Ordering::Relaxed);
        (self.calls.load(Ordering::Relaxed), nanoseconds as f64 * 1e-9)
    }
}

//! Whether helpers are worth having, found by trying.
//!
//! In: how long runs took. Out: whether the next one is helped. Two threads that wait for each other many times in a
//! step lose more than they win where their cores are one, or are wanted by others, and no count of cores tells.
//! Invariant: what is computed is the same either way.

use std::time::Duration;

/// Runs at first, all helped.
const FIRST: u64 = 8;
/// So many of each cycle are done the other way, to see what it is like now.
const TRIED: u64 = 4;
/// Runs of a cycle.
const CYCLE: u64 = 64;
/// How much of a new time goes into the mean.
const NEW: f64 = 0.25;

/// What is known so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Aid {
    runs: u64,
    /// Seconds a step, alone and helped; 0 before anything is known.
    seconds: [f64; 2],
    /// Whether the last run was helped.
    last: bool,
}

impl Aid {
    /// Whether the next run is helped.
    pub(super) fn next(&self) -> bool {
        let [alone, helped] = self.seconds;
        let better = helped <= alone;
        match self.runs {
            first if first < FIRST => true,
            first if first < FIRST + TRIED => false,
            later => (later % CYCLE < TRIED) != better,
        }
    }

    /// A run has ended.
    pub(super) fn end(&mut self, helped: bool, time: Duration, steps: usize) {
        let seconds = time.as_secs_f64() / steps.max(1) as f64;
        let mean = &mut self.seconds[usize::from(helped)];
        // The first one of a kind wakes somebody, or meets other memory.
        if helped == self.last {
            *mean = match *mean {
                0.0 => seconds,
                // What took far too long was somebody else's doing.
                mean => mean + NEW * (seconds.min(2.0 * mean) - mean),
            };
        }
        self.last = helped;
        self.runs += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of some runs are helped, if they take so many microseconds alone and helped.
    fn helped(aid: &mut Aid, runs: usize, times: [u64; 2]) -> usize {
        let mut count = 0;
        for _ in 0..runs {
            let next = aid.next();
            aid.end(next, Duration::from_micros(10 * times[usize::from(next)]), 10);
            count += usize::from(next);
        }
        count
    }

    #[test]
    fn the_faster_way_is_taken_most_of_the_time_and_the_other_is_not_forgotten() {
        let mut aid = Aid::default();
        assert_eq!(helped(&mut aid, 8, [7, 9]), 8);
        assert_eq!(helped(&mut aid, 56, [7, 9]), 0);
        assert_eq!(helped(&mut aid, 640, [7, 9]), 40);
        // A core has become free.
        helped(&mut aid, 256, [7, 5]);
        assert_eq!(helped(&mut aid, 640, [7, 5]), 600);
        helped(&mut aid, 256, [7, 100]);
        assert_eq!(helped(&mut aid, 640, [7, 100]), 40);
    }
}

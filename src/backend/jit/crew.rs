//! A second thread that does a part of what one has to do, and is always there for the next.
//!
//! In: two pieces of work that do not touch each other's memory. Out: both done. A part of a step takes about a
//! microsecond, waking a thread takes fifty: so the second thread watches for work in a loop, and sleeps when none
//! has come for a while. Who offers work does it himself if nobody has begun it by then, so that a second thread
//! without a core to run on costs next to nothing, unless it loses the core in the middle of a part. Invariant: when
//! [`Crew::both`] returns, nobody holds what it was given.

#![expect(
    unsafe_code,
    reason = "what another thread runs lives no longer than the call that offers it"
)]

use std::cell::UnsafeCell;
use std::fmt;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{Builder, JoinHandle, park, yield_now};

/// Nothing is to be done.
const NOTHING: u32 = 0;
/// Work lies ready.
const OFFERED: u32 = 1;
/// The second thread has begun it.
const TAKEN: u32 = 2;
/// It is done.
const DONE: u32 = 3;
/// It ended in a panic.
const FAILED: u32 = 4;
/// No more will come.
const CLOSED: u32 = 5;

/// Looks for work, some tens of microseconds long, before every further one lets others on this core run first: steps
/// offer some that often, and to let others run takes as long as a part.
const EAGER: u32 = 1 << 12;
/// Looks for work before the second thread sleeps: some milliseconds.
const PATIENT: u32 = 1 << 15;

/// Work that lives as long as the call that offers it.
type Work = *mut (dyn FnMut() + Send);

/// What both threads see.
struct Desk {
    state: AtomicU32,
    asleep: AtomicBool,
    /// Written by the first thread in the state NOTHING, read by the second in the state TAKEN.
    work: UnsafeCell<Option<Work>>,
}

// SAFETY: `work` is written and read in states that exclude each other, and every change of state that hands it over
// releases on one side and acquires on the other; what it points to may be sent to another thread.
unsafe impl Sync for Desk {}
// SAFETY: as above.
unsafe impl Send for Desk {}

/// The second thread.
pub(super) struct Crew {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
    /// Whether the other part is done first the next time, in debug builds.
    turned: bool,
}

impl fmt::Debug for Crew {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Crew")
    }
}

impl Crew {
    /// Starts the thread; nothing, where none can be had.
    pub(super) fn new() -> Option<Crew> {
        let desk = Arc::new(Desk {
            state: AtomicU32::new(NOTHING),
            asleep: AtomicBool::new(false),
            work: UnsafeCell::new(None),
        });
        let own = Arc::clone(&desk);
        let thread =
            Builder::new().name("ntmc helper".to_owned()).spawn(move || own.serve()).ok()?;
        Some(Crew { desk, thread: Some(thread), turned: false })
    }

    /// Does both, the other one perhaps on the second thread. In debug builds it is done before the first every other
    /// time, so that tests see what is not independent.
    ///
    /// # Panics
    /// If one of them does.
    pub(super) fn both(&mut self, own: impl FnOnce(), other: impl FnOnce() + Send) {
        let mut other = Some(other);
        let mut work = || {
            if let Some(other) = other.take() {
                other();
            }
        };
        let turned = cfg!(debug_assertions) && self.turned;
        self.turned = !self.turned;
        let offer = self.offer(&mut work);
        if turned {
            if offer.take_back() {
                work();
            }
            return own();
        }
        own();
        if offer.take_back() {
            work();
        }
    }

    /// Lays work ready. It is not touched before the offer is taken back.
    fn offer<'w>(&'w mut self, work: &'w mut (dyn FnMut() + Send)) -> Offer<'w> {
        let work: *mut (dyn FnMut() + Send + 'w) = work;
        // SAFETY: only the lifetime changes. The pointer is followed in the state TAKEN alone, and an `Offer` does not
        // end, be it by a panic, before that state is over; it holds the borrow until then, and nobody forgets it,
        // since `both` alone gets one.
        let work = unsafe { std::mem::transmute::<*mut (dyn FnMut() + Send + 'w), Work>(work) };
        // SAFETY: nothing is offered: `&mut self` is held by the last offer until it has ended in the state NOTHING.
        unsafe { *self.desk.work.get() = Some(work) };
        // One order for all, so that either the sleeper sees the offer or is seen asleep.
        self.desk.state.store(OFFERED, Ordering::SeqCst);
        if self.desk.asleep.load(Ordering::SeqCst)
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
        Offer { desk: &self.desk, open: true }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.desk.state.store(CLOSED, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It catches what it runs, and cannot panic itself.
            let _ = thread.join();
        }
    }
}

/// A crew that helps at some times.
#[derive(Debug, Default)]
pub(super) struct Help {
    /// Once there, it stays: it sleeps when nobody offers anything.
    crew: Option<Crew>,
    wanted: bool,
}

impl Help {
    /// From now on it helps, or it does not.
    pub(super) fn want(&mut self, wanted: bool) {
        self.wanted = wanted;
        if wanted && self.crew.is_none() {
            self.crew = Crew::new();
        }
    }

    /// Who helps.
    pub(super) fn crew(&mut self) -> Option<&mut Crew> {
        self.crew.as_mut().filter(|_| self.wanted)
    }

    /// Whether anybody does.
    pub(super) fn is_there(&self) -> bool {
        self.wanted && self.crew.is_some()
    }

    /// Does both, one after the other where nobody helps.
    pub(super) fn both(&mut self, own: impl FnOnce(), other: impl FnOnce() + Send) {
        match self.crew() {
            Some(crew) => crew.both(own, other),
            None => {
                own();
                other();
            }
        }
    }
}

/// Work that lies ready, or is being done.
struct Offer<'w> {
    desk: &'w Desk,
    open: bool,
}

impl Offer<'_> {
    /// Whether nobody has begun it; otherwise waits until it is done.
    fn take_back(mut self) -> bool {
        let (back, failed) = self.end();
        assert!(!failed, "internal error: jit: a second thread has failed, see above");
        back
    }

    fn end(&mut self) -> (bool, bool) {
        self.open = false;
        let state = &self.desk.state;
        if state.compare_exchange(OFFERED, NOTHING, Ordering::Acquire, Ordering::Acquire).is_ok() {
            return (true, false);
        }
        let mut looks = 0;
        let ended = loop {
            match state.load(Ordering::Acquire) {
                ended @ (DONE | FAILED) => break ended,
                _ => pause(&mut looks),
            }
        };
        state.store(NOTHING, Ordering::Release);
        (false, ended == FAILED)
    }
}

impl Drop for Offer<'_> {
    fn drop(&mut self) {
        if self.open {
            self.end();
        }
    }
}

/// Lets a moment pass, or whoever else wants this core.
fn pause(looks: &mut u32) {
    *looks = looks.saturating_add(1);
    if *looks < EAGER { spin_loop() } else { yield_now() }
}

impl Desk {
    /// Does what is offered, until no more will come.
    fn serve(&self) {
        let mut looks = 0;
        loop {
            match self.state.load(Ordering::Acquire) {
                CLOSED => return,
                OFFERED => {
                    let taken = self.state.compare_exchange(
                        OFFERED,
                        TAKEN,
                        Ordering::Acquire,
                        Ordering::Relaxed,
                    );
                    if taken.is_ok() {
                        self.work();
                        looks = 0;
                    }
                }
                _ if looks < PATIENT => pause(&mut looks),
                _ => {
                    self.sleep();
                    looks = 0;
                }
            }
        }
    }

    fn work(&self) {
        // SAFETY: the state is TAKEN, which this thread alone ends: the offer waits for that, and holds what is pointed
        // to for as long; nobody else follows the pointer meanwhile.
        let done = unsafe {
            let work = *self.work.get();
            work.map(|work| catch_unwind(AssertUnwindSafe(|| (*work)())))
        };
        let state = if matches!(done, Some(Ok(()))) { DONE } else { FAILED };
        self.state.store(state, Ordering::Release);
        // What a panic carries is dropped after nobody waits any more.
        drop(done);
    }

    /// Sleeps until somebody may have offered something.
    fn sleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        if !matches!(self.state.load(Ordering::SeqCst), OFFERED | CLOSED) {
            park();
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn both_parts_are_done_whoever_does_them() {
        let mut crew = Crew::new().unwrap();
        let mut sums = [0_u64; 2];
        for round in 0..20_000 {
            let [own, other] = &mut sums;
            crew.both(|| *own += round, || *other += 2 * round);
        }
        assert_eq!(sums, [199_990_000, 399_980_000]);
    }

    /// Waits until the other part has begun: it has, if anybody else does it.
    fn wait_for(begun: &AtomicBool) {
        for _ in 0..10_000 {
            if begun.load(Ordering::SeqCst) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("nobody has begun");
    }

    #[test]
    fn a_sleeper_is_woken_and_work_that_takes_long_is_waited_for() {
        let mut crew = Crew::new().unwrap();
        for _ in 0..3 {
            // Long enough to fall asleep, most of the time.
            std::thread::sleep(Duration::from_millis(30));
            let begun = AtomicBool::new(false);
            let mut done = false;
            crew.turned = false;
            crew.both(
                || wait_for(&begun),
                || {
                    begun.store(true, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(10));
                    done = true;
                },
            );
            assert!(done);
        }
    }

    #[test]
    fn a_panic_of_either_part_is_one_of_the_caller_and_the_crew_goes_on() {
        let mut crew = Crew::new().unwrap();
        for own in [true, false] {
            let begun = AtomicBool::new(false);
            let mut done = false;
            crew.turned = false;
            let caught = catch_unwind(AssertUnwindSafe(|| {
                crew.both(
                    || {
                        wait_for(&begun);
                        assert!(!own, "wanted");
                    },
                    || {
                        begun.store(true, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(10));
                        done = true;
                        assert!(own, "wanted");
                    },
                );
            }));
            assert!(caught.is_err() && done);
            let mut sum = [0; 2];
            let [left, right] = &mut sum;
            crew.both(|| *left += 1, || *right += 1);
            assert_eq!(sum, [1, 1]);
        }
    }
}

//! Work that some threads share.
//!
//! In: what each thread has for itself, and what it does with it. Out: all of it done. Invariant: a thread that cannot
//! be had is done without, so that the work must come from a queue which whoever is there empties.

use std::thread::{Builder, scope};

/// Does work here with what is our own, and on a thread more for each of the others.
pub(super) fn on_threads<T: Send>(
    own: T,
    others: impl Iterator<Item = T>,
    work: impl Fn(T) + Sync,
) {
    scope(|scope| {
        let work = &work;
        for other in others {
            if Builder::new().spawn_scoped(scope, move || work(other)).is_err() {
                break;
            }
        }
        work(own);
    });
}

//! Runs many seeds, each on one thread.

use std::sync::atomic::{AtomicU64, Ordering};

use seata_core::planted::Planted;

use crate::report::Report;
use crate::run::run;
use crate::trace::Keep;

/// Runs `count` seeds from `first` on, on so many threads, with a planted bug or none.
///
/// # Panics
/// A run of a seed panicked outside of the code under test.
#[must_use]
pub fn run_many(first: u64, count: u64, bug: Option<Planted>, threads: u64, keep: Keep) -> Report {
    let next = AtomicU64::new(first);
    let work = || {
        let mut report = Report::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count {
                return report;
            }
            report.add(run(seed, bug, keep));
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.clamp(1, count.max(1)))
            .map(|_| scope.spawn(work))
            .collect();
        let mut whole = Report::default();
        for worker in workers {
            match worker.join() {
                Ok(report) => whole.merge(report),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        whole
    })
}

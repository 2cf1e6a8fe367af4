//! A store that panics is one that fails: the task that asked it goes on. Each belongs to the whole engine, and without it
//! leases would be renewed for ever that nobody makes use of.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

/// Answers what a store answers; none if its adapter panicked.
pub(crate) async fn survive<T>(
    doing: &'static str,
    question: impl Future<Output = T>,
) -> Option<T> {
    let answer = AssertUnwindSafe(question).catch_unwind().await.ok();
    if answer.is_none() {
        tracing::error!(
            doing,
            "the store's adapter panicked, which is a bug in it: this counts as a store that fails"
        );
    }
    answer
}

//! Whether the store answers: told by every answer that anybody in this process gets, or doesn't get.
//!
//! One failure is no outage. It raises a doubt, and a probe asks the store until it answers. Once nothing was answered for
//! [`SILENCE_MIN`] and several calls failed, the store is *away*: new work is refused at once, appends are not queued, and
//! drivers wait for its return instead of asking. Any answer to anybody ends that (docs/adr/0010).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seata_store::{StoreError, StoreErrorKind};
use tokio::sync::Notify;

/// So long nobody was answered before the store counts as away: a shard that is dead, or a reply that was lost, is no
/// outage while others are answered.
const SILENCE_MIN: Duration = Duration::from_secs(1);

/// So many calls failed since the last answer.
const FAILURES_MIN: u32 = 2;

/// How often a doubted store is asked whether it answers.
pub(crate) const PROBE_INTERVAL: Duration = Duration::from_millis(200);

/// How often one request passes while the store is away: should an adapter's ping fail while its appends don't, this
/// finds out.
const TRIAL_INTERVAL: Duration = Duration::from_secs(5);

/// How often the log says again what it said already.
const REMIND_INTERVAL: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
struct State {
    answered_at: Duration,
    /// Calls that failed since then.
    failures: u32,
    away_since: Option<Duration>,
    told_at: Duration,
    trial_at: Duration,
    /// Appends that a request may make which was let through.
    trials: u32,
    lapses: Seldom,
}

/// What is known of the store.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    state: Mutex<State>,
    /// Wakes whoever waits for the store's return.
    back: Notify,
    /// Wakes the probe.
    doubted: Notify,
    /// Wakes the journal, whose queue leads nowhere now.
    gone: Notify,
}

impl Outage {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the end of one call to the store.
    pub(crate) fn note<T>(&self, answer: &Result<T, StoreError>, boot: Duration) {
        match answer {
            Ok(_) => self.answered(boot),
            Err(error) => match error.kind {
                StoreErrorKind::Unavailable | StoreErrorKind::Ambiguous => self.failed(error, boot),
                // It had something to say.
                StoreErrorKind::Corrupt | StoreErrorKind::Invalid => self.answered(boot),
            },
        }
    }

    fn answered(&self, boot: Duration) {
        let mut state = self.state();
        state.answered_at = boot;
        state.failures = 0;
        let Some(since) = state.away_since.take() else {
            return;
        };
        drop(state);
        let away_ms = boot.saturating_sub(since).as_millis();
        tracing::warn!(away_ms, "the store answers again: work goes on by itself");
        self.back.notify_waiters();
    }

    fn failed(&self, error: &StoreError, boot: Duration) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if state.failures == 1 {
            self.doubted.notify_one();
        }
        let silent = boot.saturating_sub(state.answered_at) >= SILENCE_MIN;
        if state.away_since.is_some() || !silent || state.failures < FAILURES_MIN {
            return;
        }
        state.away_since = Some(boot);
        state.told_at = boot;
        state.trial_at = boot;
        drop(state);
        tracing::warn!(%error, "the store is away: new work is refused, open work waits until it is back");
        self.gone.notify_one();
    }

    pub(crate) fn is_away(&self) -> bool {
        self.state().away_since.is_some()
    }

    /// Answers whether the last call failed.
    pub(crate) fn is_doubted(&self) -> bool {
        self.state().failures > 0
    }

    /// Answers whether a request is worth its time: while the store is away, one now and then.
    pub(crate) fn admits(&self, boot: Duration) -> bool {
        let mut state = self.state();
        if state.away_since.is_none() {
            return true;
        }
        let due = boot.saturating_sub(state.trial_at) >= TRIAL_INTERVAL;
        if due {
            state.trial_at = boot;
            state.trials = 1;
        }
        due
    }

    /// Answers whether an append is worth its way: while the store is away, one of the request that was let through. A
    /// creation asks the store nothing else.
    pub(crate) fn admits_append(&self) -> bool {
        let mut state = self.state();
        if state.away_since.is_none() {
            return true;
        }
        std::mem::take(&mut state.trials) > 0
    }

    /// Waits while the store is away. Those who came first are woken first.
    pub(crate) async fn over(&self) {
        loop {
            let back = self.back.notified();
            tokio::pin!(back);
            back.as_mut().enable();
            if !self.is_away() {
                return;
            }
            back.await;
        }
    }

    /// Waits until the store goes away.
    pub(crate) async fn begun(&self) {
        self.gone.notified().await;
    }

    /// Waits until somebody doubts that the store answers.
    pub(crate) async fn doubted(&self) {
        while !self.is_doubted() {
            self.doubted.notified().await;
        }
    }

    /// Ends the wait for a doubt.
    pub(crate) fn wake_probe(&self) {
        let mut state = self.state();
        state.failures = state.failures.max(1);
        drop(state);
        self.doubted.notify_one();
    }

    /// Says now and then that it is still away.
    pub(crate) fn remind(&self, boot: Duration) {
        let mut state = self.state();
        let Some(since) = state.away_since else {
            return;
        };
        if boot.saturating_sub(state.told_at) < REMIND_INTERVAL {
            return;
        }
        state.told_at = boot;
        drop(state);
        let away_ms = boot.saturating_sub(since).as_millis();
        tracing::warn!(away_ms, "the store is still away");
    }

    /// Answers whether it is time to say again that leases end without renewal: thousands may at once.
    pub(crate) fn tells_of_lapse(&self, boot: Duration) -> bool {
        self.state().lapses.is_due(boot)
    }
}

/// Says something at most once in [`REMIND_INTERVAL`].
#[derive(Debug, Default)]
pub(crate) struct Seldom(Option<Duration>);

impl Seldom {
    pub(crate) fn is_due(&mut self, boot: Duration) -> bool {
        let due = self
            .0
            .is_none_or(|told_at| boot.saturating_sub(told_at) >= REMIND_INTERVAL);
        if due {
            self.0 = Some(boot);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> Result<(), StoreError> {
        Err(StoreError::new(
            StoreErrorKind::Unavailable,
            "asking",
            "gone",
        ))
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn failures_among_answers_are_no_outage() {
        let outage = Outage::default();
        for at in 0..100 {
            outage.note(&failure(), ms(at * 50));
            outage.note(&failure(), ms(at * 50 + 20));
            outage.note(&Ok(()), ms(at * 50 + 40));
            assert!(!outage.is_away());
        }
    }

    #[test]
    fn silence_and_two_failures_are_an_outage_and_any_answer_ends_it() {
        let outage = Outage::default();
        outage.note(&Ok(()), ms(0));
        outage.note(&failure(), ms(1_500));
        assert!(!outage.is_away(), "one failure");
        outage.note(&failure(), ms(1_600));
        assert!(outage.is_away());
        assert!(!outage.admits(ms(1_700)) && !outage.admits_append());
        assert!(outage.admits(ms(7_000)), "a trial");
        assert!(outage.admits_append(), "its append");
        assert!(!outage.admits(ms(7_001)) && !outage.admits_append());
        outage.note(&Ok(()), ms(7_100));
        assert!(!outage.is_away() && outage.admits(ms(7_101)));
    }
}

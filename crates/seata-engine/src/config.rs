//! Limits and spans of the engine, each with a name.

use std::time::Duration;

use seata_store::Owner;

/// How often the store's time is asked.
pub(crate) const TIME_INTERVAL: Duration = Duration::from_secs(5);

/// How the engine runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Names this start of this process: 128 random bits.
    pub owner: Owner,
    /// How long a lease holds without renewal.
    pub lease: Duration,
    /// The most transactions in memory at once. Beyond it due work waits in the store. Requests are refused beyond
    /// seven eighths of it: the rest is kept for due work, so that a flood of requests can't hold it up.
    pub active_max: usize,
    /// The most bytes of transactions in memory at once, by their payloads, headers and endpoints, and a fixed part for
    /// each transaction, branch, header and name in `after`. Beyond it due work waits in the store. New content, and
    /// requests about transactions that are not in memory, are refused beyond seven eighths of it.
    pub active_bytes_max: usize,
    /// The most bytes of events that wait to be appended. Beyond it new transactions and branches are refused.
    pub journal_bytes_max: usize,
    /// How long events may wait to be appended. Once one has waited longer, new transactions and branches are refused, so
    /// that those which are taken are answered in time however slow the store is: well below `store_timeout`.
    pub journal_wait_max: Duration,
    /// The most questions that wait for the driver of one transaction.
    pub questions_max: usize,
    /// The most clients that wait for an end at once.
    pub waiters_max: usize,
    /// The most watchers at once.
    pub watchers_max: usize,
    /// How many changes a slow watcher may fall behind.
    pub changes_kept_max: usize,
    /// The most branches of one transaction.
    pub branches_max: usize,
    /// A transaction that waits longer than this waits in the store.
    pub linger: Duration,
    /// How long an answer in the middle of a path may wait for the next append (docs/adr/0004).
    pub behind_delay_max: Duration,
    /// How often the store is asked for due work, at least.
    pub claim_interval: Duration,
    /// The most transactions of one claim.
    pub claim_count_max: usize,
    /// The most bytes of histories of one claim.
    pub claim_bytes_max: usize,
    /// How long the store may take for one answer before the engine goes on without.
    pub store_timeout: Duration,
    /// The most ended transactions that are kept in memory.
    pub ended_kept_max: usize,
    /// How long an ended one is answered from memory at most. What was purged must not be told of, least of all when its
    /// gid is used again: so it is forgotten well before `retention` has passed, whatever is said here.
    pub ended_kept_for: Duration,
    /// How long ended transactions are kept in the store. Longer than any request to the store may be on its way and any
    /// process may stand still: with the record its fencing token is forgotten.
    pub retention: Duration,
    /// How often the store is asked for what can be purged, about: each server has a rhythm of its own.
    pub purge_interval: Duration,
}

impl Config {
    /// Answers the defaults for one start of a process.
    #[must_use]
    pub const fn new(owner: Owner) -> Self {
        Self {
            owner,
            lease: Duration::from_secs(10),
            active_max: 16_000,
            active_bytes_max: 256 << 20,
            journal_bytes_max: 64 << 20,
            journal_wait_max: Duration::from_secs(1),
            questions_max: 1_000,
            waiters_max: 10_000,
            watchers_max: 100,
            changes_kept_max: 1_024,
            branches_max: 1_000,
            linger: Duration::from_secs(2),
            behind_delay_max: Duration::from_millis(250),
            claim_interval: Duration::from_millis(200),
            claim_count_max: 256,
            claim_bytes_max: 16 << 20,
            store_timeout: Duration::from_secs(2),
            ended_kept_max: 1_024,
            ended_kept_for: Duration::from_secs(60),
            retention: Duration::from_secs(7 * 24 * 3_600),
            purge_interval: Duration::from_secs(30),
        }
    }

    /// Answers how long an ended transaction is answered from memory: at most until so long before it can be purged,
    /// by any server, that this one's idea of the store's time may be late by a whole answer, and by what the store's
    /// clock jumped since it was asked last.
    pub(crate) fn ended_kept(&self) -> Duration {
        let lateness_max = self.store_timeout * 2 + TIME_INTERVAL;
        self.ended_kept_for
            .min(self.retention.saturating_sub(lateness_max))
    }
}

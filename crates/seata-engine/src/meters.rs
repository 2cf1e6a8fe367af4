//! The engine's metrics. Labels come from closed sets; handles are made once.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use seata_core::{Mode, Operation, Outcome, Status, UnixMillis};
use seata_store::StoreErrorKind;

const OUTCOMES: [&str; 4] = ["success", "failure", "ongoing", "unknown"];

/// Handles of all that the engine counts.
pub(crate) struct Meters {
    pub(crate) active: Gauge,
    pub(crate) active_bytes: Gauge,
    pub(crate) stuck: Gauge,
    ended: [[Counter; 3]; 2],
    duration: [Histogram; 2],
    attempts: [[Counter; 4]; 5],
    success: Counter,
    failure: Counter,
    append_seconds: Histogram,
    batch_size: Histogram,
    store_errors: [Counter; 4],
    wakeup_lag: Histogram,
    purged: Counter,
    pub(crate) journal_bytes: Gauge,
}

impl Meters {
    pub(crate) fn new() -> Self {
        let ended = |mode: Mode| {
            [Status::Committed, Status::Aborted, Status::Stuck].map(|status| {
                counter!("seata_transactions_total", "mode" => mode.as_str(), "status" => status.as_str())
            })
        };
        let attempts = |operation: Operation| {
            let mode = operation.mode().as_str();
            OUTCOMES.map(|outcome| {
                counter!("seata_branch_attempts_total", "mode" => mode, "operation" => operation.as_str(), "outcome" => outcome)
            })
        };
        let errors = [
            StoreErrorKind::Unavailable,
            StoreErrorKind::Ambiguous,
            StoreErrorKind::Corrupt,
            StoreErrorKind::Invalid,
        ];
        Self {
            active: gauge!("seata_active_transactions"),
            active_bytes: gauge!("seata_active_bytes"),
            stuck: gauge!("seata_stuck_transactions"),
            ended: Mode::ALL.map(ended),
            duration: Mode::ALL.map(
                |mode| histogram!("seata_transaction_duration_seconds", "mode" => mode.as_str()),
            ),
            attempts: Operation::ALL.map(attempts),
            success: counter!("seata_branch_success_total"),
            failure: counter!("seata_branch_failure_total"),
            append_seconds: histogram!("seata_store_append_seconds"),
            batch_size: histogram!("seata_store_append_batch_size"),
            store_errors: errors
                .map(|kind| counter!("seata_store_errors_total", "kind" => kind.as_str())),
            wakeup_lag: histogram!("seata_wakeup_lag_seconds"),
            purged: counter!("seata_purged_total"),
            journal_bytes: gauge!("seata_journal_bytes"),
        }
    }

    pub(crate) fn appended(&self, count: usize, took: Duration) {
        self.append_seconds.record(took.as_secs_f64());
        self.batch_size
            .record(u32::try_from(count).map_or(f64::MAX, f64::from));
    }

    pub(crate) fn store_error(&self, kind: StoreErrorKind) {
        let at = match kind {
            StoreErrorKind::Unavailable => 0,
            StoreErrorKind::Ambiguous => 1,
            StoreErrorKind::Corrupt => 2,
            StoreErrorKind::Invalid => 3,
        };
        self.store_errors[at].increment(1);
    }

    pub(crate) fn answered(&self, operation: Operation, outcome: &Outcome) {
        let row = match operation {
            Operation::Action => &self.attempts[0],
            Operation::Compensation => &self.attempts[1],
            Operation::Try => &self.attempts[2],
            Operation::Confirm => &self.attempts[3],
            Operation::Cancel => &self.attempts[4],
        };
        match outcome {
            Outcome::Success => {
                self.success.increment(1);
                row[0].increment(1);
            }
            Outcome::Failure { .. } => {
                self.failure.increment(1);
                row[1].increment(1);
            }
            Outcome::Ongoing => row[2].increment(1),
            Outcome::Unknown { .. } => {
                self.failure.increment(1);
                row[3].increment(1);
            }
        }
    }

    /// Counts the entry into a state, and how long it took from creation if it is the last one.
    pub(crate) fn moved(&self, mode: Mode, from: Option<Status>, to: Status, lived: Duration) {
        let row = match mode {
            Mode::Saga => 0,
            Mode::Tcc => 1,
        };
        if from == Some(to) {
            return;
        }
        match to {
            Status::Committed => self.ended[row][0].increment(1),
            Status::Aborted => self.ended[row][1].increment(1),
            Status::Stuck => self.ended[row][2].increment(1),
            Status::Prepared | Status::Submitted | Status::Aborting => {}
        }
        if to.is_final() {
            self.duration[row].record(lived.as_secs_f64());
        }
    }

    pub(crate) fn purged(&self, count: usize) {
        self.purged.increment(u64::try_from(count).unwrap_or(0));
    }

    pub(crate) fn woken(&self, wake_at: Option<UnixMillis>, now: UnixMillis) {
        if let Some(wake_at) = wake_at {
            self.wakeup_lag.record(now.since(wake_at).as_secs_f64());
        }
    }
}

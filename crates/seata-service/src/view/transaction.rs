//! A transaction as everyone may see it.

use seata_core::{BranchView, Gid, Mode, Payload, Reason, Status, UnixMillis};
use seata_engine::Snapshot;

use super::sentence;

/// A transaction.
#[derive(Debug, Clone)]
pub struct TransactionView<'a> {
    /// Its name.
    pub gid: &'a Gid,
    /// Its pattern.
    pub mode: Mode,
    /// Its state.
    pub status: Status,
    /// What branches without a payload of their own are sent.
    pub payload: Option<&'a Payload>,
    /// Its branches, in the order as added.
    pub branches: Vec<BranchView>,
    /// When it began.
    pub created_at: UnixMillis,
    /// When it was last appended to.
    pub updated_at: UnixMillis,
    /// Why it was or will be aborted, as a sentence.
    pub reason: Option<String>,
    /// When it turns round by itself.
    pub deadline: Option<UnixMillis>,
    /// Why a person should look.
    pub attention: Option<Reason>,
    /// Why an operator skipped or forced something.
    pub forced: Option<&'a Reason>,
    /// What it waits for first, as a sentence.
    pub waiting_for: Option<String>,
}

/// Looks at a transaction. `now` is only for how long it still waits.
pub(crate) fn transaction(snapshot: &Snapshot, now: UnixMillis) -> TransactionView<'_> {
    let transaction = &*snapshot.transaction;
    TransactionView {
        gid: &snapshot.header.gid,
        mode: snapshot.header.mode,
        status: snapshot.status(),
        payload: transaction.payload(),
        branches: transaction.branches(),
        created_at: snapshot.header.created_at,
        updated_at: snapshot.header.updated_at,
        reason: transaction
            .abort_cause()
            .map(|cause| sentence::abort_reason(transaction, cause)),
        deadline: transaction.deadline(),
        attention: transaction.attention(),
        forced: transaction.overridden(),
        waiting_for: sentence::waiting_for(transaction, now),
    }
}

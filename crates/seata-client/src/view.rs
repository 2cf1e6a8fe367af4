//! What the coordinator shows. Fields that a newer server adds are ignored.

use serde::Deserialize;
use serde_json::Value;

use crate::gid::Gid;
use crate::words::{BranchStatus, EventKind, OperationStatus, Status};

/// A transaction as it is, durably.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Transaction {
    /// Its name.
    pub gid: Gid,
    /// `saga` or `tcc`.
    pub mode: String,
    /// Where it stands.
    pub status: Status,
    /// Its payload, if it is JSON.
    #[serde(default)]
    pub payload: Value,
    /// Its branches, in the order in which they were added.
    #[serde(default)]
    pub branches: Vec<BranchView>,
    /// When it began, in seconds since 1970.
    pub created_unix: i64,
    /// When it changed last, in seconds since 1970.
    pub updated_unix: i64,
    /// Why it was or will be aborted.
    pub reason: Option<String>,
    /// When it turns round by itself.
    pub deadline: Option<String>,
    /// Why a person should look.
    pub attention: Option<String>,
    /// The reason of the operator who skipped or forced something.
    pub forced: Option<String>,
    /// What it waits for first, for a person.
    pub waiting_for: Option<String>,
}

impl Transaction {
    /// Answers a branch by its name.
    #[must_use]
    pub fn branch(&self, branch_id: &str) -> Option<&BranchView> {
        self.branches
            .iter()
            .find(|branch| branch.branch_id == branch_id)
    }
}

/// A branch as it is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct BranchView {
    /// Its name.
    pub branch_id: String,
    /// Where it stands.
    pub status: BranchStatus,
    /// Those that must have succeeded before.
    #[serde(default)]
    pub after: Vec<String>,
    /// The operations that were called or are due.
    #[serde(default)]
    pub operations: Vec<OperationView>,
}

/// An operation as it is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct OperationView {
    /// `action`, `compensation`, `try`, `confirm` or `cancel`.
    pub operation: String,
    /// Where it stands.
    pub status: OperationStatus,
    /// How many answers but `ongoing` ones it had.
    #[serde(default)]
    pub attempts: u64,
    /// What the last attempt ended with, if not with a success.
    pub last_error: Option<String>,
    /// When the next attempt is due.
    pub next_attempt_at: Option<String>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Event {
    /// Its number: they rise, with gaps where a history was shortened.
    pub number: u64,
    /// When, in RFC 3339.
    #[serde(default)]
    pub time: String,
    /// What.
    pub kind: EventKind,
    /// Of which branch.
    pub branch_id: Option<String>,
    /// Of which operation.
    pub operation: Option<String>,
    /// Of which attempt.
    pub attempt: Option<u64>,
    /// How an attempt ended: `success`, `failure`, `ongoing` or `unknown`.
    pub outcome: Option<String>,
    /// How long an attempt took.
    pub duration_ms: Option<u64>,
    /// What an attempt ended with, if not with a success.
    pub error: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// A transaction in a list.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Header {
    /// Its name.
    pub gid: Gid,
    /// `saga` or `tcc`.
    pub mode: String,
    /// Where it stands.
    pub status: Status,
    /// When it began, in seconds since 1970.
    pub created_unix: i64,
    /// When it changed last, in seconds since 1970.
    pub updated_unix: i64,
}

/// Some transactions, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// They; possibly none, although there are more.
    pub transactions: Vec<Header>,
    /// Where the next page begins, while there may be one.
    pub next_cursor: Option<String>,
}

/// A transaction that changed, as a watch of all tells it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Change {
    /// Where [`crate::Client::watch_all`] goes on behind this change.
    #[serde(skip)]
    pub id: String,
    /// Its name.
    pub gid: Gid,
    /// `saga` or `tcc`.
    pub mode: String,
    /// Where it stands now.
    pub status: Status,
    /// The number of its last event.
    pub last_event: u64,
}

//! What an initiator asks, as data: each transport says it in the words of its wire.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::gid::Gid;
use crate::options::{BranchOptions, Options};
use crate::participant::Operation;
use crate::payload::PayloadFields;
use crate::view::Transaction;
use crate::words::Status;

/// A whole transaction, or one that is begun.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct TransactionRequest {
    pub(crate) gid: Gid,
    pub(crate) mode: Mode,
    #[serde(flatten)]
    pub(crate) payload: PayloadFields,
    #[serde(skip_serializing_if = "Options::is_default")]
    pub(crate) options: Options,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) branches: Vec<BranchRequest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    Saga,
    Tcc,
}

/// A branch as the wire has it. Which of its endpoints are there follows from the mode.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct BranchRequest {
    pub(crate) branch_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) compensation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) confirm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cancel: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) after: Vec<String>,
    #[serde(flatten)]
    pub(crate) payload: PayloadFields,
    #[serde(skip_serializing_if = "BranchOptions::is_default")]
    pub(crate) options: BranchOptions,
}

/// What decides a transaction.
#[derive(Debug, Clone)]
pub(crate) enum Settle {
    /// Submit all of it at once.
    Whole(Box<TransactionRequest>),
    /// Submit what was begun.
    Submit(Gid),
    /// Abort it.
    Abort { gid: Gid, reason: Option<String> },
}

/// How a decision was answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settled {
    pub(crate) word: SettledWord,
    /// Where it stands, if that was said.
    pub(crate) status: Option<Status>,
    /// All of it, if that was waited for.
    pub(crate) transaction: Option<Box<Transaction>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SettledWord {
    Accepted,
    Committed,
    Aborted,
    Stuck,
    Pending,
}

/// A change of one branch.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Add(BranchRequest),
    Register(BranchRequest),
    Confirm(String),
    Cancel(String),
    Succeed(Completed),
    Fail(Completed),
}

/// An operation that ended elsewhere.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Completed {
    pub(crate) branch_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operation: Option<Operation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// An operator's order.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) kind: OrderKind,
    pub(crate) fields: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OrderKind {
    Retry,
    Skip,
    Force,
}

/// What became of a transaction within the time that was waited.
#[derive(Debug, Clone, PartialEq)]
pub enum Waited {
    /// Every branch took effect.
    Committed(Box<Transaction>),
    /// No branch's effect remains; the transaction says why.
    Aborted(Box<Transaction>),
    /// Only an operator can go on.
    Stuck(Box<Transaction>),
    /// It goes on: the time ran out first. That is no failure.
    Pending(Box<Transaction>),
}

impl Waited {
    /// Answers the transaction as it was then.
    #[must_use]
    pub fn transaction(&self) -> &Transaction {
        match self {
            Self::Committed(transaction)
            | Self::Aborted(transaction)
            | Self::Stuck(transaction)
            | Self::Pending(transaction) => transaction,
        }
    }

    /// Reads where a transaction stands.
    pub(crate) fn of(transaction: Transaction) -> Self {
        let transaction = Box::new(transaction);
        match transaction.status {
            Status::Committed => Self::Committed(transaction),
            Status::Aborted => Self::Aborted(transaction),
            Status::Stuck => Self::Stuck(transaction),
            Status::Prepared | Status::Submitted | Status::Aborting | Status::Other(_) => {
                Self::Pending(transaction)
            }
        }
    }
}

/// What became of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// The participant has reserved what it needs.
    Succeeded,
    /// The participant refused, for good.
    Refused {
        /// What it said.
        reason: String,
    },
    /// Not known yet: ask again with the same branch, or abort.
    NotKnown {
        /// What was seen instead of an answer, if anything.
        reason: Option<String>,
    },
}

/// Which transactions to list, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// The most of one page, 1 to 1000; by default 10.
    pub limit: Option<u32>,
    /// In one of these statuses; empty: in any.
    pub statuses: Vec<Status>,
    /// Begun at this second since 1970 or later.
    pub created_after_unix: Option<i64>,
    /// Begun before this second since 1970.
    pub created_before_unix: Option<i64>,
    /// With gids that begin so.
    pub gid_prefix: Option<String>,
    /// Where the last page ended: its `next_cursor`.
    pub cursor: Option<String>,
}

/// Which changes to watch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeedQuery {
    /// Into one of these statuses; empty: into any.
    pub statuses: Vec<Status>,
    /// Of this mode, `saga` or `tcc`; none: of both.
    pub mode: Option<String>,
    /// Behind the change of this id; none: from now on.
    pub behind: Option<String>,
}

/// How long the coordinator is asked to keep an answer back, at most 300 s.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(300);

//! What a client asks, as values that a transport has read and nobody has checked yet.
//!
//! Texts and payloads are borrowed where the transport can lend them. Closed sets of words are the core's own enums:
//! a transport translates its words, and refuses those that are none.

use std::borrow::Cow;

use seata_core::{End, Mode, Operation, Order, Status, UnixMillis};

/// A text.
pub type Text<'a> = Cow<'a, str>;

/// Names and values, in the order as given.
pub type Pairs<'a> = Vec<(Text<'a>, Text<'a>)>;

/// A global transaction: all of it, or what is known of it at its beginning.
#[derive(Debug, Clone, Default)]
pub struct TransactionRequest<'a> {
    /// Its name; none: the server makes one.
    pub gid: Option<Text<'a>>,
    /// Its pattern; none: a saga.
    pub mode: Option<Mode>,
    /// What branches without a payload of their own are sent.
    pub payload: Option<PayloadRequest<'a>>,
    /// Its options.
    pub options: Option<OptionsRequest<'a>>,
    /// Its branches.
    pub branches: Option<Vec<BranchRequest<'a>>>,
}

/// A submission: by gid, or of a whole transaction, which has branches.
#[derive(Debug, Clone, Default)]
pub struct SubmitRequest<'a> {
    /// What is submitted.
    pub transaction: TransactionRequest<'a>,
    /// Whether the client waits for the end.
    pub wait: Option<WaitRequest>,
}

/// One branch.
#[derive(Debug, Clone, Default)]
pub struct BranchRequest<'a> {
    /// Its name.
    pub branch_id: Option<Text<'a>>,
    /// Who does the work, or reserves.
    pub action: Option<Text<'a>>,
    /// Who undoes it.
    pub compensation: Option<Text<'a>>,
    /// Who uses what was reserved.
    pub confirm: Option<Text<'a>>,
    /// Who gives back what was reserved.
    pub cancel: Option<Text<'a>>,
    /// What to send.
    pub payload: Option<PayloadRequest<'a>>,
    /// The branches before it.
    pub after: Vec<Text<'a>>,
    /// Headers of its calls.
    pub headers: Option<Pairs<'a>>,
    /// Its options.
    pub options: BranchOptionsRequest<'a>,
}

/// One branch more of a transaction.
#[derive(Debug, Clone, Default)]
pub struct AddBranchRequest<'a> {
    /// Whose.
    pub gid: Option<Text<'a>>,
    /// Which.
    pub branch: BranchRequest<'a>,
}

/// A payload.
#[derive(Debug, Clone)]
pub enum PayloadRequest<'a> {
    /// The text of a JSON value. Invariant: it is valid JSON.
    Json(&'a str),
    /// Any bytes.
    Bytes {
        /// The name of the field that they came in, for problems.
        field: &'static str,
        /// The bytes.
        bytes: Cow<'a, [u8]>,
        /// Their type; none: `application/octet-stream`.
        content_type: Option<Text<'a>>,
    },
}

impl PayloadRequest<'_> {
    /// Answers the name of the field that it came in.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Json(_) => "payload",
            Self::Bytes { field, .. } => field,
        }
    }
}

/// The options of a transaction. Spans are seconds, not yet checked against a range.
#[derive(Debug, Clone, Default)]
pub struct OptionsRequest<'a> {
    /// What concerns each call.
    pub calls: CallOptionsRequest,
    /// Headers of every call.
    pub headers: Option<Pairs<'a>>,
    /// `timeout_to_fail_secs`
    pub timeout_to_fail: Option<f64>,
    /// `prepared_timeout_secs`
    pub prepared_timeout: Option<f64>,
    /// How many branches are called at once.
    pub branch_parallelism: Option<u64>,
    /// In which order branches without `after` run.
    pub order: Option<Order>,
}

/// The options of a branch.
#[derive(Debug, Clone, Default)]
pub struct BranchOptionsRequest<'a> {
    /// What concerns each call.
    pub calls: CallOptionsRequest,
    /// Headers of its calls, if they do not stand beside the options.
    pub headers: Option<Pairs<'a>>,
}

/// The options that a transaction and a branch have in common.
#[derive(Debug, Clone, Copy, Default)]
pub struct CallOptionsRequest {
    /// `request_timeout_secs`
    pub request_timeout: Option<f64>,
    /// `retry_interval_secs`
    pub retry_interval: Option<f64>,
    /// `retry_interval_max_secs`
    pub retry_interval_max: Option<f64>,
    /// Attempts in all.
    pub max_attempts: Option<u64>,
}

/// How long a client waits for the end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WaitRequest {
    /// As long as is usual.
    Usual,
    /// So many seconds.
    Secs(f64),
}

/// An abort.
#[derive(Debug, Clone, Default)]
pub struct AbortRequest<'a> {
    /// Of which transaction.
    pub gid: Option<Text<'a>>,
    /// Why.
    pub reason: Option<Text<'a>>,
    /// Whether the client waits for the end.
    pub wait: Option<WaitRequest>,
}

/// What concerns one branch of a TCC: to confirm or to cancel it.
#[derive(Debug, Clone, Default)]
pub struct BranchOrderRequest<'a> {
    /// Of which transaction.
    pub gid: Option<Text<'a>>,
    /// Which branch.
    pub branch_id: Option<Text<'a>>,
}

/// A completion from outside.
#[derive(Debug, Clone, Default)]
pub struct CompletionRequest<'a> {
    /// Of which transaction.
    pub gid: Option<Text<'a>>,
    /// Which branch.
    pub branch_id: Option<Text<'a>>,
    /// Which operation; none: the one of the present direction, refused if an earlier one may be meant.
    pub operation: Option<Operation>,
    /// Why it failed.
    pub reason: Option<Text<'a>>,
}

/// An operator's order; which fields it needs depends on which order it is.
#[derive(Debug, Clone, Default)]
pub struct OrderRequest<'a> {
    /// Which branch.
    pub branch_id: Option<Text<'a>>,
    /// Which operation.
    pub operation: Option<Operation>,
    /// Which end.
    pub to: Option<End>,
    /// Why.
    pub reason: Option<Text<'a>>,
}

/// What a client wants to see of the list.
#[derive(Debug, Clone, Default)]
pub struct ListRequest<'a> {
    /// How many at most.
    pub limit: Option<usize>,
    /// How many to step over first.
    pub offset: Option<usize>,
    /// Where an earlier page ended.
    pub cursor: Option<Text<'a>>,
    /// Only these states; none: all.
    pub status: Vec<Status>,
    /// Only this pattern.
    pub mode: Option<Mode>,
    /// Only what was created at this time or later.
    pub created_from: Option<UnixMillis>,
    /// Only what was created before.
    pub created_before: Option<UnixMillis>,
    /// Only gids that begin so.
    pub gid_prefix: Option<Text<'a>>,
}

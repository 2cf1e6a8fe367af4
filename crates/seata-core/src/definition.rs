//! What an initiator asks for: branches, options and payloads, as values that were checked at the edge.

use std::sync::Arc;
use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::id::BranchId;
use crate::operation::{Mode, Operation};
use crate::retry::RetryPolicy;

/// Tells one content of a request from another: a digest that the transports compute of the request as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Fingerprint(pub [u8; 32]);

/// The type of a payload's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentType {
    /// `application/json`
    Json,
    /// Any other, as the initiator wrote it.
    Other(Arc<str>),
}

impl ContentType {
    /// Answers the value of the `content-type` header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Json => "application/json",
            Self::Other(text) => text,
        }
    }
}

/// Bytes for a participant. The coordinator never reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Their type.
    pub content_type: ContentType,
    /// The bytes.
    pub bytes: Arc<[u8]>,
}

/// A header of the calls to participants. Name and value were checked at the edge; the name is in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The name.
    pub name: Arc<str>,
    /// The value.
    pub value: Arc<str>,
}

/// The headers that belong to the connection or to the coordinator. Beside these, all that begins with `seata-`.
const RESERVED: [&str; 13] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "proxy-connection",
    "te",
    "traceparent",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Header {
    /// Answers whether nobody but the coordinator sets a header of this name, which is in lower case: the edge refuses
    /// it, and one that an embedding program configures all the same is left out of calls.
    #[must_use]
    pub fn is_reserved(name: &str) -> bool {
        name.starts_with("seata-") || RESERVED.contains(&name)
    }
}

/// In which order branches without `after` run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Concurrently, up to `branch_parallelism`.
    Concurrent,
    /// One after the other, as added.
    Sequential,
}

/// The options of a transaction, with the server's defaults filled in when it was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The time limit of one call.
    pub request_timeout: Duration,
    /// When a call is made again.
    pub retry: RetryPolicy,
    /// How long after submission a saga turns round; none: never. How long after creation a TCC that was not submitted
    /// is cancelled; none: `prepared_timeout`.
    pub timeout_to_fail: Option<Duration>,
    /// How long after creation a transaction that was not submitted is aborted.
    pub prepared_timeout: Duration,
    /// How many branches are called at once, at least 1.
    pub branch_parallelism: u32,
    /// In which order branches without `after` run.
    pub order: Order,
    /// After how many attempts of one operation a person should look.
    pub attention_attempts: u32,
    /// Headers of every call.
    pub headers: Vec<Header>,
}

/// The options of one branch; what is given wins over the transaction's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BranchOptions {
    /// The time limit of one call.
    pub request_timeout: Option<Duration>,
    /// The first interval between attempts.
    pub retry_interval: Option<Duration>,
    /// The longest interval between attempts.
    pub retry_interval_max: Option<Duration>,
    /// Attempts of the action in all; 0: until the deadline.
    pub max_attempts: Option<u32>,
}

/// Where a branch is called, for each operation of its mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoints {
    /// Of a branch of a saga.
    Saga {
        /// Who does the work.
        action: Endpoint,
        /// Who undoes it; none declares that nothing need be undone.
        compensation: Option<Endpoint>,
    },
    /// Of a branch of a TCC.
    Tcc {
        /// Who reserves; none: the initiator asks for that itself.
        try_: Option<Endpoint>,
        /// Who uses what was reserved.
        confirm: Endpoint,
        /// Who gives back what was reserved.
        cancel: Endpoint,
    },
}

impl Endpoints {
    /// Answers the mode in which such a branch runs.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        match self {
            Self::Saga { .. } => Mode::Saga,
            Self::Tcc { .. } => Mode::Tcc,
        }
    }

    /// Answers where an operation is called; none: by nobody, or not by the coordinator.
    #[must_use]
    pub const fn of(&self, operation: Operation) -> Option<&Endpoint> {
        match (self, operation) {
            (Self::Saga { action, .. }, Operation::Action) => Some(action),
            (Self::Saga { compensation, .. }, Operation::Compensation) => compensation.as_ref(),
            (Self::Tcc { try_, .. }, Operation::Try) => try_.as_ref(),
            (Self::Tcc { confirm, .. }, Operation::Confirm) => Some(confirm),
            (Self::Tcc { cancel, .. }, Operation::Cancel) => Some(cancel),
            (Self::Saga { .. }, Operation::Try | Operation::Confirm | Operation::Cancel)
            | (Self::Tcc { .. }, Operation::Action | Operation::Compensation) => None,
        }
    }
}

/// One participant's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchDefinition {
    /// Its name, unique within the transaction.
    pub branch_id: BranchId,
    /// Where it is called.
    pub endpoints: Endpoints,
    /// What to send; none: the transaction's payload.
    pub payload: Option<Payload>,
    /// The branches that must have succeeded before.
    pub after: Vec<BranchId>,
    /// Headers of this branch's calls; they win over the transaction's.
    pub headers: Vec<Header>,
    /// Its options.
    pub options: BranchOptions,
    /// Tells a repeated request from a contrary one.
    pub fingerprint: Fingerprint,
}

/// A global transaction as asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its pattern.
    pub mode: Mode,
    /// Its branches, in the order as added.
    pub branches: Vec<Arc<BranchDefinition>>,
    /// Its options.
    pub options: Options,
    /// What branches without a payload of their own are sent.
    pub payload: Option<Payload>,
    /// Tells a repeated request from a contrary one.
    pub fingerprint: Fingerprint,
}

impl BranchDefinition {
    /// Answers where an operation is called; none: by nobody, or not by the coordinator.
    #[must_use]
    pub const fn endpoint(&self, operation: Operation) -> Option<&Endpoint> {
        self.endpoints.of(operation)
    }

    /// Answers the time limit of one call of this branch.
    #[must_use]
    pub fn request_timeout(&self, options: &Options) -> Duration {
        self.options
            .request_timeout
            .unwrap_or(options.request_timeout)
    }

    /// Answers when a call of this branch is made again.
    #[must_use]
    pub fn retry(&self, options: &Options) -> RetryPolicy {
        RetryPolicy {
            first: self.options.retry_interval.unwrap_or(options.retry.first),
            max: self.options.retry_interval_max.unwrap_or(options.retry.max),
            max_attempts: self
                .options
                .max_attempts
                .unwrap_or(options.retry.max_attempts),
        }
    }
}

//! What can go wrong, by what can be done about it.

use std::time::Duration;

use serde_json::Value;

use crate::gid::InvalidGid;
use crate::words::words;

/// Says why a request did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The coordinator refused, and nothing was changed.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The coordinator can't be reached, and nothing was sent. It was tried as often as [`crate::Repeat`] says.
    #[error("the coordinator can't be reached: {0}")]
    Unreachable(String),
    /// No answer came: whether the coordinator took the request is not known. Send the same request again, with the
    /// same gid: nothing happens twice.
    #[error("the coordinator gave no answer: {0}; send the same request again")]
    NoAnswer(String),
    /// The answer is none that this version understands. Is it a coordinator?
    #[error("the coordinator's answer can't be understood: {0}")]
    Unreadable(String),
    /// What was asked can't be sent.
    #[error("the request can't be sent: {0}")]
    Invalid(String),
}

impl Error {
    /// Answers the stable code of a refusal.
    #[must_use]
    pub fn code(&self) -> Option<&ErrorCode> {
        match self {
            Self::Refused(refusal) => Some(&refusal.code),
            Self::Unreachable(_) | Self::NoAnswer(_) | Self::Unreadable(_) | Self::Invalid(_) => {
                None
            }
        }
    }

    /// Answers whether the same request may do better later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::NoAnswer(_) => true,
            Self::Refused(refusal) => refusal.retry_after.is_some(),
            Self::Unreadable(_) | Self::Invalid(_) => false,
        }
    }
}

impl From<InvalidGid> for Error {
    fn from(error: InvalidGid) -> Self {
        Self::Invalid(error.to_string())
    }
}

/// A refusal of the coordinator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Refusal {
    /// What was refused, for programs.
    pub code: ErrorCode,
    /// What is wrong and how to mend it, for people.
    pub message: String,
    /// What else a program may want to read, such as `status` or `field`.
    pub details: Value,
    /// When to send the same again: only if that may help.
    pub retry_after: Option<Duration>,
}

words! {
    /// The stable codes of refusals. Each is explained in docs/errors.md.
    ErrorCode {
        /// The request or a value in it can't be understood.
        InvalidRequest = "INVALID_REQUEST",
        /// The gid is none.
        InvalidGid = "INVALID_GID",
        /// There is no such path.
        RouteNotFound = "ROUTE_NOT_FOUND",
        /// No transaction has this gid.
        TransactionNotFound = "TRANSACTION_NOT_FOUND",
        /// The transaction has no such branch.
        BranchNotFound = "BRANCH_NOT_FOUND",
        /// The path exists, but not with this method.
        MethodNotAllowed = "METHOD_NOT_ALLOWED",
        /// The gid is taken by a transaction with other content.
        GidConflict = "GID_CONFLICT",
        /// The branch was added with other content.
        BranchConflict = "BRANCH_CONFLICT",
        /// The participant refused the try.
        BranchRefused = "BRANCH_REFUSED",
        /// The state of the transaction doesn't allow it.
        InvalidStatusTransition = "INVALID_STATUS_TRANSITION",
        /// What was missed of a watch of all transactions is no longer kept.
        EventsGone = "EVENTS_GONE",
        /// The request is too large.
        PayloadTooLarge = "PAYLOAD_TOO_LARGE",
        /// The body is not declared as JSON.
        UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE",
        /// A bound is reached.
        Overloaded = "OVERLOADED",
        /// This client sends too much.
        RateLimited = "RATE_LIMITED",
        /// The stored record can't be read.
        RecordUnreadable = "RECORD_UNREADABLE",
        /// A mistake of the server.
        Internal = "INTERNAL",
        /// The store can't be reached, or has not said whether it took the write.
        StoreUnavailable = "STORE_UNAVAILABLE",
        /// The store has no room for new transactions.
        StoreFull = "STORE_FULL",
        /// The server is stopping.
        Stopping = "STOPPING",
    }
}

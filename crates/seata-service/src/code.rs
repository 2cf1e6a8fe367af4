//! The closed list of error codes. `docs/errors.md` says the same; a test compares them.

/// Says what kind of refusal an answer is. Codes are stable: they never change their meaning, and a new one is added
/// rather than an old one bent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The request can't be understood, or a value is out of range.
    InvalidRequest,
    /// The gid is no gid.
    InvalidGid,
    /// No such path.
    RouteNotFound,
    /// No transaction has this gid.
    TransactionNotFound,
    /// The transaction has no such branch.
    BranchNotFound,
    /// The path exists, but not with this method.
    MethodNotAllowed,
    /// The gid is taken by a transaction with other content.
    GidConflict,
    /// The branch exists with other content.
    BranchConflict,
    /// A participant refused the try of a branch.
    BranchRefused,
    /// The state of the transaction does not allow it.
    InvalidStatusTransition,
    /// The events that a watcher wants to go on behind are no longer kept.
    EventsGone,
    /// The body, a payload or the whole transaction is too large.
    PayloadTooLarge,
    /// The body is not declared as JSON.
    UnsupportedMediaType,
    /// A bound is reached.
    Overloaded,
    /// The record can't be read by this server.
    RecordUnreadable,
    /// A bug of ours.
    Internal,
    /// The store can't be reached.
    StoreUnavailable,
    /// The disk is nearly full.
    StoreFull,
    /// The server is stopping.
    Stopping,
}

impl ErrorCode {
    /// All codes, in the order in which they are documented.
    pub const ALL: [Self; 19] = [
        Self::InvalidRequest,
        Self::InvalidGid,
        Self::RouteNotFound,
        Self::TransactionNotFound,
        Self::BranchNotFound,
        Self::MethodNotAllowed,
        Self::GidConflict,
        Self::BranchConflict,
        Self::BranchRefused,
        Self::InvalidStatusTransition,
        Self::EventsGone,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::Overloaded,
        Self::RecordUnreadable,
        Self::Internal,
        Self::StoreUnavailable,
        Self::StoreFull,
        Self::Stopping,
    ];

    /// Answers the word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::InvalidGid => "INVALID_GID",
            Self::RouteNotFound => "ROUTE_NOT_FOUND",
            Self::TransactionNotFound => "TRANSACTION_NOT_FOUND",
            Self::BranchNotFound => "BRANCH_NOT_FOUND",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::GidConflict => "GID_CONFLICT",
            Self::BranchConflict => "BRANCH_CONFLICT",
            Self::BranchRefused => "BRANCH_REFUSED",
            Self::InvalidStatusTransition => "INVALID_STATUS_TRANSITION",
            Self::EventsGone => "EVENTS_GONE",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::Overloaded => "OVERLOADED",
            Self::RecordUnreadable => "RECORD_UNREADABLE",
            Self::Internal => "INTERNAL",
            Self::StoreUnavailable => "STORE_UNAVAILABLE",
            Self::StoreFull => "STORE_FULL",
            Self::Stopping => "STOPPING",
        }
    }
}

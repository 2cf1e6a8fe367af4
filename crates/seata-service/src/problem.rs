//! Why a request is refused: a code, a text that says how to mend it, and facts for programs.

use std::fmt::Display;
use std::time::Duration;

use seata_core::{BranchId, End, Gid, Reason, Rejection};
use seata_engine::{EngineError, Snapshot};

use crate::code::ErrorCode;
use crate::path::Path;

/// The longest text of an error, in bytes: it may quote what was sent.
const TEXT_BYTES_MAX: usize = 600;

/// When to come back, unless somebody knows better.
const RETRY_DEFAULT: Duration = Duration::from_secs(1);

/// When to come back to a full disk.
const STORE_FULL_RETRY: Duration = Duration::from_secs(30);

/// The name of the fact that says which branch a refusal is about.
const BRANCH_ID: &str = "branch_id";

/// One fact that a program may want to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// A word or a name.
    Text(String),
    /// A number.
    Count(u64),
    /// Several names, in an order that matters.
    Names(Vec<String>),
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What kind of refusal.
    pub code: ErrorCode,
    text: String,
    details: Vec<(&'static str, Detail)>,
    retry_after: Option<Duration>,
}

impl Problem {
    /// Makes one of a text that says what is wrong and how to mend it.
    pub fn new(code: ErrorCode, text: impl Display) -> Self {
        Self {
            code,
            text: cut(text.to_string()),
            details: Vec::new(),
            retry_after: None,
        }
    }

    /// A field of the request is wrong: says which and how to mend it.
    pub fn field(path: impl Display, why: impl Display) -> Self {
        Self::invalid(ErrorCode::InvalidRequest, path, why)
    }

    /// A field of the request is wrong, with a code of its own.
    pub fn invalid(code: ErrorCode, path: impl Display, why: impl Display) -> Self {
        let path = cut(path.to_string());
        Self::new(code, format_args!("{path}: {why}")).with("field", Detail::Text(path))
    }

    /// Something is larger than the bound that a key of the configuration sets.
    pub fn too_large(what: impl Display, bytes_max: usize, key: &str) -> Self {
        let text =
            format_args!("{what} is larger than {bytes_max} bytes: send less, or raise {key}");
        let bytes_max = u64::try_from(bytes_max).unwrap_or(u64::MAX);
        Self::new(ErrorCode::PayloadTooLarge, text).with("bytes_max", Detail::Count(bytes_max))
    }

    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, name: &'static str, detail: Detail) -> Self {
        self.details.push((name, detail));
        self
    }

    /// Says when to come back.
    #[must_use]
    pub const fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Names the transaction, so that a client that let the server choose the gid can ask again.
    #[must_use]
    pub fn of(self, gid: &Gid) -> Self {
        if self.details.iter().any(|(name, _)| *name == "gid") {
            return self;
        }
        self.with("gid", Detail::Text(gid.to_string()))
    }

    /// Names the field that the text is about, if the text does not begin with it.
    #[must_use]
    pub(crate) fn about(self, path: Path<'_>) -> Self {
        self.with("field", Detail::Text(path.to_string()))
    }

    /// The participant refused the try of a branch.
    pub(crate) fn refused(present: &Snapshot, branch_id: &BranchId, reason: &Reason) -> Self {
        let said = reason.behind_colon();
        let status = present.status();
        let next = match present.transaction.decided() {
            None => "abort the transaction".to_owned(),
            Some(_) => format!("the transaction is {status}"),
        };
        let why = format_args!("branch {branch_id} refused its try{said}; {next}");
        Self::new(ErrorCode::BranchRefused, why)
            .branch(branch_id)
            .said(reason)
            .with_state(present)
    }

    /// Nothing was to be written: a store that is away leaves nothing in doubt.
    pub(crate) fn of_reading(error: EngineError) -> Self {
        match error {
            EngineError::StoreUnavailable { retry_after } => {
                let why = "the store does not answer: ask again later";
                Self::new(ErrorCode::StoreUnavailable, why).after(retry_after)
            }
            EngineError::NotFound { .. }
            | EngineError::GidConflict { .. }
            | EngineError::Rejected { .. }
            | EngineError::TooManyBranches { .. }
            | EngineError::Overloaded { .. }
            | EngineError::StoreFull
            | EngineError::Stopping
            | EngineError::Unreadable { .. }
            | EngineError::TooLarge => Self::from(error),
        }
    }

    /// It was decided to abort: nothing more is done for a branch but its cancel.
    pub(crate) fn decided_to_abort(
        present: &Snapshot,
        branch_id: &BranchId,
        asked: &'static str,
    ) -> Self {
        let rejection = Rejection::WrongStatus {
            asked,
            status: present.status(),
        };
        rejected(&rejection, refusal(&rejection, Some(present)))
            .branch(branch_id)
            .with_state(present)
    }

    /// Tells the state as it is: of the transaction, and of the branch that the refusal is about.
    fn with_state(self, present: &Snapshot) -> Self {
        let branch_id = self.details.iter().find_map(|(name, detail)| match detail {
            Detail::Text(text) if *name == BRANCH_ID => Some(text.clone()),
            Detail::Text(_) | Detail::Count(_) | Detail::Names(_) => None,
        });
        let branches = branch_id.map(|id| (id, present.transaction.branches()));
        let branch = branches.and_then(|(id, branches)| {
            let mut branches = branches.into_iter();
            branches.find(|branch| branch.definition.branch_id.as_str() == id)
        });
        let problem = self
            .of(&present.header.gid)
            .with("status", Detail::Text(present.status().to_string()))
            .with_decision(present);
        match branch {
            Some(branch) => {
                let status = branch.status.as_str().to_owned();
                problem.with("branch_status", Detail::Text(status))
            }
            None => problem,
        }
    }

    /// Tells which way a TCC was decided: its status alone doesn't say it when it is stuck.
    fn with_decision(self, present: &Snapshot) -> Self {
        match present.transaction.decided() {
            None => self,
            Some(end) => self.with("decided", Detail::Text(decision(end).to_owned())),
        }
    }

    fn names(self, name: &'static str, ids: &[BranchId]) -> Self {
        self.with(
            name,
            Detail::Names(ids.iter().map(ToString::to_string).collect()),
        )
    }

    fn branch(self, branch_id: &BranchId) -> Self {
        self.with(BRANCH_ID, Detail::Text(branch_id.to_string()))
    }

    /// Tells what the participant said, if it said anything.
    fn said(self, reason: &Reason) -> Self {
        if reason.is_empty() {
            return self;
        }
        self.with("reason", Detail::Text(reason.to_string()))
    }

    /// Answers when to come back, in whole seconds: every refusal that passes by itself says it.
    #[must_use]
    pub fn retry_after_secs(&self) -> Option<u64> {
        let passes = match self.code {
            ErrorCode::Overloaded
            | ErrorCode::StoreUnavailable
            | ErrorCode::StoreFull
            | ErrorCode::Stopping => Some(RETRY_DEFAULT),
            ErrorCode::InvalidRequest
            | ErrorCode::InvalidGid
            | ErrorCode::RouteNotFound
            | ErrorCode::TransactionNotFound
            | ErrorCode::BranchNotFound
            | ErrorCode::MethodNotAllowed
            | ErrorCode::GidConflict
            | ErrorCode::BranchConflict
            | ErrorCode::BranchRefused
            | ErrorCode::InvalidStatusTransition
            | ErrorCode::EventsGone
            | ErrorCode::PayloadTooLarge
            | ErrorCode::UnsupportedMediaType
            | ErrorCode::RecordUnreadable
            | ErrorCode::Internal => None,
        };
        let wait = self.retry_after.or(passes)?;
        let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Some(secs.max(1))
    }

    /// Answers the text, for a person.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Answers the facts, each with its name.
    #[must_use]
    pub fn details(&self) -> &[(&'static str, Detail)] {
        &self.details
    }
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        let mut end = TEXT_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        let text = error.to_string();
        match error {
            EngineError::NotFound { gid } => {
                let why =
                    format_args!("{text}: check the gid; one that ended may have been purged");
                Self::new(ErrorCode::TransactionNotFound, why).of(&gid)
            }
            EngineError::GidConflict { gid, present } => Self::new(ErrorCode::GidConflict, text)
                .of(&gid)
                .with("status", Detail::Text(present.status().to_string())),
            EngineError::Rejected { rejection, present } => {
                let problem = rejected(&rejection, refusal(&rejection, present.as_deref()));
                match present {
                    Some(present) => problem.with_state(&present),
                    None => problem,
                }
            }
            EngineError::TooManyBranches { max } => {
                let why = format_args!("{text}: make several transactions of it");
                let max = Detail::Count(u64::try_from(max).unwrap_or(u64::MAX));
                Self::new(ErrorCode::InvalidRequest, why).with("branches_max", max)
            }
            EngineError::Overloaded { retry_after, .. } => {
                Self::new(ErrorCode::Overloaded, text).after(retry_after)
            }
            EngineError::StoreUnavailable { retry_after } => {
                Self::new(ErrorCode::StoreUnavailable, text).after(retry_after)
            }
            EngineError::StoreFull => Self::new(ErrorCode::StoreFull, text).after(STORE_FULL_RETRY),
            EngineError::Stopping => {
                Self::new(ErrorCode::Stopping, text).after(Duration::from_secs(1))
            }
            EngineError::Unreadable { gid } => {
                Self::new(ErrorCode::RecordUnreadable, text).of(&gid)
            }
            EngineError::TooLarge => {
                let why = format_args!("{text}: send smaller payloads, or fewer branches");
                Self::new(ErrorCode::PayloadTooLarge, why)
            }
        }
    }
}

const fn decision(end: End) -> &'static str {
    match end {
        End::Committed => "confirm",
        End::Aborted => "abort",
    }
}

/// Answers the text of a refusal. The status of a TCC alone doesn't say which way it was decided when it is stuck.
fn refusal(rejection: &Rejection, present: Option<&Snapshot>) -> String {
    let decided = present.and_then(|present| present.transaction.decided());
    match (rejection, decided) {
        (Rejection::WrongStatus { asked, status }, Some(end)) => {
            let decision = decision(end);
            format!(
                "the transaction is {status}: it was decided to {decision}, so that it can't be {asked} any more"
            )
        }
        (rejection, _) => rejection.to_string(),
    }
}

fn rejected(rejection: &Rejection, text: String) -> Problem {
    match rejection {
        Rejection::BranchConflict { branch_id } => {
            let why =
                format_args!("{text}: choose another branch_id, or send the same content again");
            Problem::new(ErrorCode::BranchConflict, why).branch(branch_id)
        }
        Rejection::TryOfInitiator { branch_id } | Rejection::TryOfCoordinator { branch_id } => {
            Problem::new(ErrorCode::BranchConflict, text).branch(branch_id)
        }
        Rejection::BranchTwice { branch_id } => {
            Problem::new(ErrorCode::InvalidRequest, text).branch(branch_id)
        }
        Rejection::AfterUnknown { branch_id, unknown } => {
            Problem::new(ErrorCode::InvalidRequest, text)
                .branch(branch_id)
                .with("unknown", Detail::Text(unknown.to_string()))
        }
        Rejection::AfterCycle { names } => {
            Problem::new(ErrorCode::InvalidRequest, text).names("cycle", names)
        }
        Rejection::NoBranches => Problem::new(ErrorCode::InvalidRequest, text),
        Rejection::UnknownBranch { branch_id } => {
            let why = format_args!("{text}: GET /api/tx/{{gid}} shows its branches");
            Problem::new(ErrorCode::BranchNotFound, why).branch(branch_id)
        }
        Rejection::WrongStatus { .. } => Problem::new(ErrorCode::InvalidStatusTransition, text),
        Rejection::NothingToRetry => {
            let why = format_args!("{text}: GET /api/tx/{{gid}} says what it waits for");
            Problem::new(ErrorCode::InvalidStatusTransition, why)
        }
        Rejection::WrongMode { mode, .. } => Problem::new(ErrorCode::InvalidStatusTransition, text)
            .with("mode", Detail::Text(mode.to_string())),
        Rejection::OperationNotOpen {
            branch_id,
            operation,
        }
        | Rejection::NotToComplete {
            branch_id,
            operation,
        }
        | Rejection::CompletedOtherwise {
            branch_id,
            operation,
            ..
        }
        | Rejection::OperationUnclear {
            branch_id,
            operation,
            ..
        } => Problem::new(ErrorCode::InvalidStatusTransition, text)
            .branch(branch_id)
            .with("operation", Detail::Text(operation.to_string())),
        Rejection::NoTryEndpoint { branch_id } => {
            Problem::new(ErrorCode::InvalidRequest, text).branch(branch_id)
        }
        Rejection::TryNotKnown { branch_id } => {
            Problem::new(ErrorCode::InvalidStatusTransition, text).branch(branch_id)
        }
        Rejection::TryRefused { branch_id, reason } => Problem::new(ErrorCode::BranchRefused, text)
            .branch(branch_id)
            .said(reason),
    }
}

//! Waits for the end on behalf of a client, and never calls "not finished yet" a failure.

use std::time::Duration;

use seata_core::Status;
use seata_engine::{Engine, EngineError, Snapshot, Waited};

use crate::problem::Problem;

/// How far a client that submitted or aborted sees it come. The decision is durable.
#[derive(Debug, Clone)]
pub enum Settled {
    /// Nobody waits for the end.
    Accepted(Snapshot),
    /// It has ended, or is stuck.
    Ended(Snapshot),
    /// The time to wait ran out.
    Pending(Snapshot),
}

/// What a waiting client is told in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndWord {
    /// Every branch took effect.
    Committed,
    /// No effect remains.
    Aborted,
    /// Only an operator can decide.
    Stuck,
    /// It goes on.
    Pending,
}

impl EndWord {
    /// Says where a state stands for someone who waits.
    #[must_use]
    pub const fn of(status: Status) -> Self {
        match status {
            Status::Committed => Self::Committed,
            Status::Aborted => Self::Aborted,
            Status::Stuck => Self::Stuck,
            Status::Prepared | Status::Submitted | Status::Aborting => Self::Pending,
        }
    }

    /// Answers the word used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Aborted => "aborted",
            Self::Stuck => "stuck",
            Self::Pending => "pending",
        }
    }
}

/// Looks at a decision that is durable, at once or when the transaction has ended.
pub(crate) async fn settle(
    engine: &Engine,
    decided: Snapshot,
    wait: Option<Duration>,
) -> Result<Settled, Problem> {
    let Some(at_most) = wait else {
        return Ok(Settled::Accepted(decided));
    };
    if EndWord::of(decided.status()) != EndWord::Pending {
        return Ok(Settled::Ended(decided));
    }
    let gid = decided.header.gid.clone();
    match engine.wait_after(decided.clone(), at_most).await {
        Ok(Waited::Settled(snapshot)) => Ok(Settled::Ended(snapshot)),
        Ok(Waited::Pending(snapshot)) => Ok(Settled::Pending(snapshot)),
        // The decision stands; only the waiting was not possible.
        Err(
            EngineError::Overloaded { .. }
            | EngineError::StoreUnavailable { .. }
            | EngineError::Stopping,
        ) => Ok(Settled::Pending(decided)),
        Err(error) => Err(Problem::from(error).of(&gid)),
    }
}

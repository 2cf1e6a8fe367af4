//! What clients do, one act after the other.

use seata_core::{CompletionEnd, Operation};

/// What a client or an operator does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Asks a server.
    Ask(Demand),
    Pause {
        for_ms: u64,
    },
    /// Waits until a process has died and its leases have just run out.
    PauseForLapse {
        after_ms: u64,
    },
    /// Waits until the store has purged the transaction.
    PauseForPurge,
    /// The initiator calls a try itself, if it knows that the branch is registered.
    OwnTry(usize),
    /// The initiator tells the coordinator what came of its own try, if it knows.
    TellTry(usize),
    /// Submits if this client knows that all its tries succeeded, and aborts else.
    Decide,
    /// The participant says how the last operation that it was asked for ended.
    Finish {
        branch: usize,
        how: Finishing,
    },
}

/// What is asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    Begin(Content),
    Add(usize),
    Submit,
    Run(Content),
    Abort,
    Wait {
        for_ms: u64,
    },
    Get,
    Retry {
        branch: Option<usize>,
    },
    Skip {
        branch: usize,
    },
    ForceCommit,
    ForceAbort,
    Register(usize),
    /// Registers something else under the same branch name.
    RegisterContrary(usize),
    Try(usize),
    ConfirmBranch(usize),
    CancelBranch(usize),
    Complete {
        branch: usize,
        operation: Option<Operation>,
        how: Finishing,
    },
}

/// How an operation ends that is completed from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finishing {
    Succeeds,
    Fails,
}

/// Which content a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// All branches.
    Whole,
    /// No branch yet.
    Empty,
    /// Something else under the same name.
    Contrary,
}

/// What one client does.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) at_ms: u64,
    pub(crate) acts: Vec<Act>,
    /// How long the client waits for one answer.
    pub(crate) patience_ms: u64,
    /// How often it asks before it gives the act up.
    pub(crate) tries: u32,
}

impl From<Demand> for Act {
    fn from(demand: Demand) -> Self {
        Self::Ask(demand)
    }
}

impl From<&CompletionEnd> for Finishing {
    fn from(end: &CompletionEnd) -> Self {
        match end {
            CompletionEnd::Succeeded => Self::Succeeds,
            CompletionEnd::Failed { .. } => Self::Fails,
        }
    }
}

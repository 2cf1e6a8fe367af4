//! What a branch is asked, what it answers, and the words for modes and states.

use std::fmt;

use crate::text::Reason;

/// Says who may write a transaction: each taking of its lease raises the token, and a store refuses an older one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FencingToken(pub u64);

impl fmt::Debug for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}

/// Identifies one attempt at one operation. Numbers restart after a takeover, so the token belongs to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId {
    /// The token under which the call was made.
    pub token: FencingToken,
    /// Counts the calls of this operation from 1.
    pub number: u32,
}

impl fmt::Debug for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}#{}", self.token, self.number)
    }
}

/// What a branch is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Do the work (saga).
    Action,
    /// Undo the work (saga).
    Compensation,
    /// Reserve what the work needs (TCC).
    Try,
    /// Use what was reserved (TCC).
    Confirm,
    /// Give back what was reserved (TCC).
    Cancel,
}

impl Operation {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Self; 5] = [
        Self::Action,
        Self::Compensation,
        Self::Try,
        Self::Confirm,
        Self::Cancel,
    ];

    /// Answers the word used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Compensation => "compensation",
            Self::Try => "try",
            Self::Confirm => "confirm",
            Self::Cancel => "cancel",
        }
    }

    /// Answers the mode in which it is asked for.
    #[must_use]
    pub const fn mode(self) -> Mode {
        match self {
            Self::Action | Self::Compensation => Mode::Saga,
            Self::Try | Self::Confirm | Self::Cancel => Mode::Tcc,
        }
    }

    /// Reads the word used on the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.as_str() == text)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The participant did it.
    Success,
    /// The participant refuses: it did nothing and never will.
    Failure {
        /// What it said.
        reason: Reason,
    },
    /// The participant has not finished: ask again later.
    Ongoing,
    /// Nobody knows: silence is not a no (P4).
    Unknown {
        /// What was seen instead of an answer.
        reason: Reason,
    },
}

impl Outcome {
    /// Answers the word used in history and metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure { .. } => "failure",
            Self::Ongoing => "ongoing",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// Answers what the participant or the network said, if it said anything.
    #[must_use]
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Failure { reason } | Self::Unknown { reason } => {
                Some(reason).filter(|reason| !reason.is_empty())
            }
            Self::Success | Self::Ongoing => None,
        }
    }
}

/// The pattern by which a transaction runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Actions forward, compensations backward.
    Saga,
    /// Try first, then confirm all or cancel all.
    Tcc,
}

impl Mode {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Self; 2] = [Self::Saga, Self::Tcc];

    /// Answers the word used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Saga => "saga",
            Self::Tcc => "tcc",
        }
    }

    /// Reads the word used on the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The state of a transaction as everyone may know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Branches may be added; nothing was called.
    Prepared,
    /// Accepted: every action will be called.
    Submitted,
    /// Decided to abort: what may have taken effect is being compensated.
    Aborting,
    /// Every branch took effect.
    Committed,
    /// No branch's effect remains.
    Aborted,
    /// Open, but only an operator can decide.
    Stuck,
}

impl Status {
    /// All states, in the order in which they are documented.
    pub const ALL: [Self; 6] = [
        Self::Prepared,
        Self::Submitted,
        Self::Aborting,
        Self::Committed,
        Self::Aborted,
        Self::Stuck,
    ];

    /// Answers the word used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prepared => "PREPARED",
            Self::Submitted => "SUBMITTED",
            Self::Aborting => "ABORTING",
            Self::Committed => "COMMITTED",
            Self::Aborted => "ABORTED",
            Self::Stuck => "STUCK",
        }
    }

    /// Reads the word used on the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Answers whether a transaction in this state never moves again.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Committed | Self::Aborted => true,
            Self::Prepared | Self::Submitted | Self::Aborting | Self::Stuck => false,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

//! The closed sets of words on the wire. Each has a place for what a newer server may say.

/// Declares an enum of words: read from and written as text.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$word_doc])* $variant,)*
            /// A word that this version doesn't know.
            Other(String),
        }

        impl $name {
            /// Answers the word on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(text: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(text)?;
                Ok(Self::from(&*word))
            }
        }
    };
}
pub(crate) use words;

words! {
    /// Where a transaction stands.
    Status {
        /// Begun, and not decided.
        Prepared = "PREPARED",
        /// Submitted: it goes forward.
        Submitted = "SUBMITTED",
        /// Decided to be undone.
        Aborting = "ABORTING",
        /// Ended: every branch took effect.
        Committed = "COMMITTED",
        /// Ended: no branch's effect remains.
        Aborted = "ABORTED",
        /// Open, but only an operator can decide.
        Stuck = "STUCK",
    }
}

impl Status {
    /// Answers whether it never moves again.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Committed | Self::Aborted => true,
            Self::Prepared | Self::Submitted | Self::Aborting | Self::Stuck | Self::Other(_) => {
                false
            }
        }
    }
}

words! {
    /// Where a branch stands.
    BranchStatus {
        /// Of a saga: not called yet.
        Prepared = "PREPARED",
        /// Of a saga: its action is called.
        Acting = "ACTING",
        /// Of a saga: its action succeeded.
        Succeeded = "SUCCEEDED",
        /// It refused, and did nothing.
        Refused = "REFUSED",
        /// It may have taken effect.
        InDoubt = "IN_DOUBT",
        /// Of a saga: it is being undone.
        Compensating = "COMPENSATING",
        /// Of a saga: it was undone.
        Compensated = "COMPENSATED",
        /// Of a TCC: known, and not tried yet.
        Registered = "REGISTERED",
        /// Of a TCC: its try is called.
        Trying = "TRYING",
        /// Of a TCC: its try succeeded.
        Tried = "TRIED",
        /// Of a TCC: it is being confirmed.
        Confirming = "CONFIRMING",
        /// Of a TCC: it was confirmed.
        Confirmed = "CONFIRMED",
        /// Of a TCC: it is being cancelled.
        Cancelling = "CANCELLING",
        /// Of a TCC: it was cancelled.
        Cancelled = "CANCELLED",
    }
}

words! {
    /// Where one operation of a branch stands.
    OperationStatus {
        /// It waits for its next attempt.
        Open = "OPEN",
        /// A call is in flight.
        Calling = "CALLING",
        /// It succeeded.
        Succeeded = "SUCCEEDED",
        /// The participant refused it.
        Refused = "REFUSED",
        /// An operator counted it as done.
        Skipped = "SKIPPED",
    }
}

words! {
    /// What happened, in a transaction's history.
    EventKind {
        /// It began.
        Created = "created",
        /// A branch was added.
        BranchAdded = "branch_added",
        /// It was submitted.
        Submitted = "submitted",
        /// Somebody asked to abort.
        AbortRequested = "abort_requested",
        /// An attempt ended.
        Answered = "answered",
        /// Another driver took over.
        Recovered = "recovered",
        /// The decision to abort.
        TurnedRound = "turned_round",
        /// The end: every branch took effect.
        Committed = "committed",
        /// The end: no branch's effect remains.
        Aborted = "aborted",
        /// Only an operator can decide.
        Stuck = "stuck",
        /// An operator ordered another attempt.
        Retried = "retried",
        /// An operator counted an operation as done.
        Skipped = "skipped",
        /// An operator ended it.
        Forced = "forced",
        /// Somebody asked the coordinator to call a try.
        TryRequested = "try_requested",
        /// The call of a try begins.
        TryBegun = "try_begun",
        /// An operation was completed from outside.
        Completed = "completed",
        /// Somebody asked for a confirm or cancel at once.
        Hurried = "hurried",
        /// Stands for attempts that are not kept one by one.
        Elided = "elided",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_word_that_is_new_is_kept_and_breaks_nothing() {
        let status: Status = serde_json::from_str("\"RESTING\"").unwrap();
        assert_eq!(status, Status::Other("RESTING".into()));
        assert_eq!(status.to_string(), "RESTING");
        assert!(!status.is_final());
        assert_eq!(
            serde_json::from_str::<Status>("\"ABORTED\"").unwrap(),
            Status::Aborted
        );
    }
}

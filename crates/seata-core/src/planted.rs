//! Named bugs for the simulation: each breaks one rule of the design, and the oracle must find it.
//!
//! Without the feature `planted-bugs` every question is answered `false` at compile time and nothing of this remains.

/// A bug that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Planted {
    /// Compensations run in the order of the actions.
    CompensationOrderReversed,
    /// A branch that is in doubt is not compensated.
    InDoubtNotCompensated,
    /// A refusal counts as "nothing happened" although an earlier attempt was unknown.
    RefusalAfterUnknownNotCompensated,
    /// `timeout_to_fail` never passes.
    DeadlineIgnored,
    /// A submit that comes again decides again.
    DuplicateSubmitRedecides,
    /// Silence is read as a no.
    UnknownReadAsRefusal,
    /// A taker doesn't mark unanswered actions as in doubt.
    RecoveryForgetsDoubt,
    /// Compensations begin while actions are in flight.
    InFlightNotAwaited,
    /// The decision to abort travels behind.
    DecisionNotDurable,
    /// Calls are made before the append that they follow from.
    EffectsBeforeAppend,
    /// A client is told before the append is durable.
    AnswerBeforeDurable,
    /// What was behind is dropped when an append was stale.
    BehindDroppedOnStale,
    /// Calls are made, and go on, after the lease was lost.
    CallAfterLostLease,
    /// An ambiguous creation that turns out to be another's is driven all the same.
    TwoDriversAfterAmbiguousCreation,
    /// A server that takes the lease for an abort doesn't take what it did not see as in doubt.
    AbortWithoutLeaseCompensatesNothing,
    /// An open record is appended without a wake-up.
    WakeUpLost,
    /// Leases are not renewed while a call runs.
    LeaseNotRenewed,
    /// The store applies an append to another revision than expected.
    StaleRevisionAccepted,
    /// The store applies an append under another token than the record's.
    TokenIgnored,
    /// The store leases out what another still holds.
    ClaimIgnoresLease,
    /// A TCC that is submitted again counts the first waiting confirm as done.
    TccSecondSubmitSkipsConfirm,
    /// A refused confirm makes a TCC cancel.
    TccRefusedConfirmCancels,
    /// A try is called, and its registration told, before the registration is durable.
    TccCancelBeforeRegistrationDurable,
    /// A TCC is submitted although a try of the coordinator's is not known to have succeeded.
    TccSubmitWhileTryUnknown,
    /// A cancel doesn't wait for the answer to its try.
    TccCancelDoesNotAwaitTry,
    /// A purge takes open transactions as well.
    PurgeTakesOpen,
    /// An end is told from memory however long ago it was.
    EndedServedAfterPurge,
    /// A renewal that the store could say nothing about counts as done.
    UnknownRenewalReadAsRenewed,
    /// A server that stood still appends under whichever token stands now.
    ThawedAppendsWithoutToken,
    /// Calls go on while it is uncertain whether the lease was released.
    CallsWhileReleaseUncertain,
    /// What is known is dropped when the answer to a release is lost.
    LostReleaseForgetsAnswers,
}

impl Planted {
    /// All of them.
    pub const ALL: [Self; 31] = [
        Self::CompensationOrderReversed,
        Self::InDoubtNotCompensated,
        Self::RefusalAfterUnknownNotCompensated,
        Self::DeadlineIgnored,
        Self::DuplicateSubmitRedecides,
        Self::UnknownReadAsRefusal,
        Self::RecoveryForgetsDoubt,
        Self::InFlightNotAwaited,
        Self::DecisionNotDurable,
        Self::EffectsBeforeAppend,
        Self::AnswerBeforeDurable,
        Self::BehindDroppedOnStale,
        Self::CallAfterLostLease,
        Self::TwoDriversAfterAmbiguousCreation,
        Self::AbortWithoutLeaseCompensatesNothing,
        Self::WakeUpLost,
        Self::LeaseNotRenewed,
        Self::StaleRevisionAccepted,
        Self::TokenIgnored,
        Self::ClaimIgnoresLease,
        Self::TccSecondSubmitSkipsConfirm,
        Self::TccRefusedConfirmCancels,
        Self::TccCancelBeforeRegistrationDurable,
        Self::TccSubmitWhileTryUnknown,
        Self::TccCancelDoesNotAwaitTry,
        Self::PurgeTakesOpen,
        Self::EndedServedAfterPurge,
        Self::UnknownRenewalReadAsRenewed,
        Self::ThawedAppendsWithoutToken,
        Self::CallsWhileReleaseUncertain,
        Self::LostReleaseForgetsAnswers,
    ];
}

#[cfg(feature = "planted-bugs")]
mod chosen {
    use std::cell::Cell;

    use super::Planted;

    thread_local! {
        static CHOSEN: Cell<Option<Planted>> = const { Cell::new(None) };
    }

    /// Plants one bug, or none, in everything that runs on this thread from now on.
    pub fn plant(bug: Option<Planted>) {
        CHOSEN.set(bug);
    }

    /// Answers whether this bug is planted.
    #[must_use]
    pub fn is(bug: Planted) -> bool {
        CHOSEN.get() == Some(bug)
    }
}

#[cfg(feature = "planted-bugs")]
pub use chosen::{is, plant};

/// Answers whether this bug is planted: never, in this build.
#[cfg(not(feature = "planted-bugs"))]
#[must_use]
pub const fn is(_bug: Planted) -> bool {
    false
}

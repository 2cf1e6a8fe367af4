//! What can go wrong, counted by kind, so that a run can prove that it went wrong often enough. Decides nothing.

use seata_core::Operation;

/// Counts one enum's variants.
macro_rules! counted {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident => $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
        }

        impl $name {
            /// All of them, in the order of the table that is printed.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Answers the words for the table.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

counted! {
    /// A kind of fault.
    Fault {
        /// The process died when it handed an append to the store, which never saw it.
        CrashBeforeAppend => "crash before append",
        /// The process died when the store had applied its append.
        CrashAfterAppend => "crash after append",
        /// The process died when the store had leased transactions out to it.
        CrashAfterClaim => "crash after claim",
        /// The process died at some moment.
        CrashAtRandom => "crash at a random moment",
        /// The process was told to stop.
        Stop => "graceful stop",
        /// The append was applied, its answer was lost.
        LostAppendReply => "lost append reply",
        /// The append was applied long after its sender had given up.
        LateAppend => "late applied append",
        /// The append was never applied and never answered.
        AppendHang => "append never answered",
        /// The store refused an append.
        AppendUnavailable => "append refused: store unavailable",
        /// The store refused another question.
        StoreUnavailable => "store unavailable",
        /// The store never answered another question.
        StoreHang => "store never answered",
        /// One process could not reach the store for a while.
        StorePartition => "process cut off from the store",
        /// A request reached its participant twice.
        DuplicateDelivery => "duplicate delivery",
        /// A request reached its participant after the caller had given up.
        LateDelivery => "late delivery",
        /// A request reached its participant after the coordinator that sent it had died.
        DeliveryAfterDeath => "delivery after its coordinator died",
        /// A request was lost.
        LostRequest => "lost request",
        /// An answer was lost.
        LostReply => "lost reply",
        /// A participant took long.
        Slow => "slow branch",
        /// A participant took longer than the lease.
        SlowerThanLease => "branch slower than the lease",
        /// A participant was dead for a while.
        Dead => "dead branch",
        /// A participant was dead and alive by turns.
        Flapping => "flapping branch",
        /// A participant refused its action.
        Refusal => "refusal",
        /// A participant refused its action after an attempt that nobody knows the end of.
        RefusalAfterUnknown => "refusal after an unknown",
        /// A participant answered 500 after its work had taken effect.
        ErrorAfterEffect => "500 after effect",
        /// A participant had not finished.
        Ongoing => "ongoing",
        /// A participant refused its compensation.
        RefusedCompensation => "refused compensation",
        /// A participant refused its confirm.
        RefusedConfirm => "refused confirm",
        /// A participant refused its cancel.
        RefusedCancel => "refused cancel",
        /// A try that the initiator called itself was never answered to it.
        OwnTryLost => "initiator's own try lost",
        /// A process stood still for longer than the lease.
        FreezePastLease => "freeze longer than the lease",
        /// A process stood still for a moment.
        Freeze => "freeze",
        /// A process's clock jumped forward.
        ClockJump => "clock jump forward",
        /// A client's request never reached the server.
        ClientRequestLost => "client's request lost",
        /// The server's answer never reached the client.
        ClientReplyLost => "client's answer lost",
        /// The client gave up waiting and its connection closed.
        ClientGaveUp => "client gave up",
        /// The server refused work because a bound was reached.
        Overloaded => "refused: overloaded",
        /// The same request came again.
        DuplicateRequest => "duplicate request",
        /// The same name came with other content.
        ContraryRequest => "same gid, other content",
        /// The store refused everybody for a while.
        OutageRefuses => "store away: refuses everybody",
        /// The store answered nobody for a while.
        OutageHangs => "store away: hangs",
        /// The store was slow for everybody.
        OutageSlow => "store slow for everybody",
        /// Every reply of the store was lost for a while.
        OutageLosesReplies => "store's replies lost",
        /// A part of the store refused what is kept in it.
        PartRefuses => "a part of the store refuses",
        /// A part of the store kept everybody waiting.
        PartHangs => "a part of the store hangs",
        /// A renewal was not known to have been done or not.
        UnknownRenewal => "renewal unknown: its part of the store is dead",
        /// The store's clock jumped forward.
        StoreJump => "store's clock jumps forward",
        /// A transaction was purged.
        Purge => "purged after its retention",
        /// The name of a purged transaction was used again.
        Reuse => "gid used again after its purge",
    }
}

counted! {
    /// What the old holder was doing when another took its transaction.
    Takeover {
        /// A call was in flight.
        CallInFlight => "takeover: call in flight",
        /// An append was in flight.
        AppendInFlight => "takeover: append in flight",
        /// It waited for the next attempt.
        Waiting => "takeover: waiting",
        /// It was compensating.
        Aborting => "takeover: aborting",
        /// It was waiting for the submission.
        Prepared => "takeover: prepared",
        /// It was making a try.
        Trying => "takeover: in the middle of a try",
        /// A server took an ended lease together with an order.
        ByOrder => "takeover: by an order",
    }
}

counted! {
    /// What clients and operators asked of a server that did not hold the lease.
    Stray {
        /// Add a branch.
        AddBranch => "add a branch, without the lease",
        /// Submit.
        Submit => "submit, without the lease",
        /// Abort.
        Abort => "abort, without the lease",
        /// Retry.
        Retry => "retry, without the lease",
        /// Skip.
        Skip => "skip, without the lease",
        /// Force.
        Force => "force, without the lease",
        /// Create again.
        Create => "create again, without the lease",
        /// Wait for the end.
        Wait => "wait, without the lease",
        /// Register a branch.
        Register => "register a branch, without the lease",
        /// Ask for a try.
        Try => "ask for a try, without the lease",
        /// Confirm a branch.
        Confirm => "confirm a branch, without the lease",
        /// Cancel a branch.
        Cancel => "cancel a branch, without the lease",
        /// Complete an operation from outside.
        Complete => "complete from outside, without the lease",
    }
}

counted! {
    /// What was done and decided that a run must have seen often.
    Deed {
        /// A branch was registered whose try the initiator calls.
        Register => "branch registered",
        /// A try was called.
        Try => "try called",
        /// A confirm was called.
        Confirm => "confirm called",
        /// A cancel was called.
        Cancel => "cancel called",
        /// An operation of a saga was completed from outside: done.
        SagaSucceed => "completed from outside: succeeded, saga",
        /// An operation of a saga was completed from outside: refused.
        SagaFail => "completed from outside: failed, saga",
        /// An operation of a TCC was completed from outside: done.
        TccSucceed => "completed from outside: succeeded, TCC",
        /// An operation of a TCC was completed from outside: refused.
        TccFail => "completed from outside: failed, TCC",
        /// A submit came while confirms were pending.
        SecondSubmit => "submitted again while confirms are pending",
        /// An order came that contradicts the decision or what is registered.
        ContraryOrder => "contrary order to a TCC",
        /// A submit came while a try was not known to have succeeded.
        SubmitUntried => "submitted while a try is not known",
        /// A waiting confirm or cancel was hurried.
        Hurry => "confirm or cancel hurried",
        /// A TCC was committed.
        TccCommitted => "TCC committed",
        /// A TCC was aborted.
        TccAborted => "TCC aborted",
        /// The deadline of a TCC decided.
        TccDeadline => "TCC cancelled by its deadline",
    }
}

/// How often each thing happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    faults: Vec<u64>,
    takeovers: Vec<u64>,
    strays: Vec<u64>,
    deeds: Vec<u64>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            faults: vec![0; Fault::ALL.len()],
            takeovers: vec![0; Takeover::ALL.len()],
            strays: vec![0; Stray::ALL.len()],
            deeds: vec![0; Deed::ALL.len()],
        }
    }
}

impl Counts {
    pub(crate) fn fault(&mut self, fault: Fault) {
        self.faults[fault as usize] += 1;
    }

    pub(crate) fn takeover(&mut self, phase: Takeover) {
        self.takeovers[phase as usize] += 1;
    }

    pub(crate) fn stray(&mut self, order: Stray) {
        self.strays[order as usize] += 1;
    }

    /// Notes that an operation is called.
    pub(crate) fn call(&mut self, operation: Operation) {
        match operation {
            Operation::Try => self.deed(Deed::Try),
            Operation::Confirm => self.deed(Deed::Confirm),
            Operation::Cancel => self.deed(Deed::Cancel),
            Operation::Action | Operation::Compensation => {}
        }
    }

    pub(crate) fn deed(&mut self, deed: Deed) {
        self.deeds[deed as usize] += 1;
    }

    /// Answers how often this fault happened.
    #[must_use]
    pub fn of(&self, fault: Fault) -> u64 {
        self.faults[fault as usize]
    }

    /// Adds another run's counts.
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.faults, &other.faults),
            (&mut self.takeovers, &other.takeovers),
            (&mut self.strays, &other.strays),
            (&mut self.deeds, &other.deeds),
        ];
        for (mine, theirs) in pairs {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                *mine += theirs;
            }
        }
    }

    /// Answers every row of the table: its words and its count.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let faults = Fault::ALL.iter().map(|fault| fault.as_str());
        let takeovers = Takeover::ALL.iter().map(|phase| phase.as_str());
        let strays = Stray::ALL.iter().map(|order| order.as_str());
        let deeds = Deed::ALL.iter().map(|deed| deed.as_str());
        let words = faults.chain(takeovers).chain(strays).chain(deeds);
        let counts = self
            .faults
            .iter()
            .chain(&self.takeovers)
            .chain(&self.strays)
            .chain(&self.deeds);
        words.zip(counts.copied())
    }
}

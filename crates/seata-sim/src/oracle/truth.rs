//! What the store holds, as the oracle knows it: folded from the appends that were applied, by its own few rules and
//! not by the core's. It judges what the record says, never how the engine came to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use seata_core::{
    AbortCause, AttemptId, BranchDefinition, BranchId, BranchIndex, CompletionEnd, Definition, End,
    Event, Fact, Mode, Operation, Outcome, Status, UnixMillis,
};
use seata_store::{Header, Owner};

use crate::oracle::tcc::Trials;
use crate::plan::act::Finishing;

/// The decision to abort.
#[derive(Debug, Clone)]
pub(crate) struct Turned {
    pub(crate) cause: AbortCause,
    pub(crate) at: UnixMillis,
    pub(crate) compensate: Vec<BranchIndex>,
}

/// One operation of one branch.
pub(crate) type Part = (BranchIndex, Operation);

/// One transaction as the store holds it.
#[derive(Debug, Clone)]
pub(crate) struct Truth {
    pub(crate) header: Header,
    pub(crate) definition: Arc<Definition>,
    pub(crate) branches: Vec<Arc<BranchDefinition>>,
    last_event: u32,
    pub(crate) submitted_at: Option<UnixMillis>,
    pub(crate) abort_requested: bool,
    pub(crate) turned: Option<Turned>,
    pub(crate) answered: BTreeSet<(BranchIndex, Operation, AttemptId)>,
    /// With the number of the first event that says so.
    pub(crate) succeeded: BTreeMap<Part, u32>,
    /// What was refused, with the number of the event, until an operator orders to try again.
    pub(crate) refused: BTreeMap<Part, u32>,
    /// What was completed as failed, whatever was ordered or said since: that decides, though nobody was there to act on it.
    pub(crate) said_to_have_failed: BTreeSet<Part>,
    /// What was completed from outside, with the number of the event.
    pub(crate) completed: BTreeMap<Part, (Finishing, u32)>,
    pub(crate) skipped: BTreeSet<Part>,
    /// The first event that says that no try may be called any more.
    pub(crate) decided: Option<u32>,
    pub(crate) trials: Trials,
    /// Up to which event each process knows the record for sure, because it wrote or claimed it then.
    known: BTreeMap<Owner, u32>,
    /// When each process was last granted the lease, in real ms, unless it released it since.
    granted: BTreeMap<Owner, u64>,
    /// When the answer to a release by each process was lost last, in real ms.
    releases_lost: BTreeMap<Owner, u64>,
    pub(crate) forced: Option<End>,
    pub(crate) ended: Option<End>,
    /// When the store removed it.
    pub(crate) purged_ms: Option<u64>,
    stands_still: bool,
    /// A coordinator marked it STUCK without saying so in an event: it broke an invariant there.
    pub(crate) set_aside: bool,
    /// The reasons of all orders.
    pub(crate) reasons: BTreeSet<String>,
}

impl Truth {
    /// Begins with the first event.
    pub(crate) fn begin(header: Header, first: &Event) -> Result<Self, String> {
        let Fact::Created(definition) = &first.fact else {
            return Err(format!("the first event is {}", first.fact.as_str()));
        };
        Ok(Self {
            header,
            definition: Arc::clone(definition),
            branches: definition.branches.clone(),
            last_event: first.number,
            submitted_at: None,
            abort_requested: false,
            turned: None,
            answered: BTreeSet::new(),
            succeeded: BTreeMap::new(),
            refused: BTreeMap::new(),
            said_to_have_failed: BTreeSet::new(),
            completed: BTreeMap::new(),
            skipped: BTreeSet::new(),
            decided: None,
            trials: Trials::default(),
            known: BTreeMap::new(),
            granted: BTreeMap::new(),
            releases_lost: BTreeMap::new(),
            forced: None,
            ended: None,
            purged_ms: None,
            stands_still: false,
            set_aside: false,
            reasons: BTreeSet::new(),
        })
    }

    pub(crate) fn index(&self, branch: &BranchId) -> Option<BranchIndex> {
        let at = self
            .branches
            .iter()
            .position(|known| known.branch_id == *branch)?;
        u32::try_from(at).ok().map(BranchIndex)
    }

    pub(crate) fn branch(&self, index: BranchIndex) -> Option<&Arc<BranchDefinition>> {
        self.branches.get(usize::try_from(index.0).ok()?)
    }

    /// Answers whether an operator overrode the participants, so that the end is not theirs (P3).
    pub(crate) fn is_overridden(&self) -> bool {
        self.forced.is_some() || !self.skipped.is_empty()
    }

    /// Answers the deadline of a submitted saga, or of a TCC.
    pub(crate) fn deadline(&self) -> Option<UnixMillis> {
        let options = &self.definition.options;
        match self.definition.mode {
            Mode::Saga => Some(self.submitted_at?.plus(options.timeout_to_fail?)),
            Mode::Tcc => {
                let limit = options.timeout_to_fail.unwrap_or(options.prepared_timeout);
                Some(self.header.created_at.plus(limit))
            }
        }
    }

    /// Answers whether an operation is known to be done, or counts as done.
    pub(crate) fn is_done(&self, part: Part) -> bool {
        self.succeeded.contains_key(&part)
            || self.skipped.contains(&part)
            || self.is_completed(part, Finishing::Succeeds)
    }

    pub(crate) fn is_completed(&self, part: Part, how: Finishing) -> bool {
        self.completed
            .get(&part)
            .is_some_and(|(end, _)| *end == how)
    }

    /// Notes that a process knows all that stands now.
    pub(crate) fn is_known_to(&mut self, owner: Owner) {
        self.known.insert(owner, self.last_event);
    }

    /// Notes that a process is granted the lease, by an append, a claim or a renewal.
    pub(crate) fn grant(&mut self, owner: Owner, at_ms: u64) {
        self.granted.insert(owner, at_ms);
    }

    /// Notes that a process releases the lease.
    pub(crate) fn release(&mut self, owner: Owner) {
        self.granted.remove(&owner);
    }

    /// Notes that a process doesn't know whether it has released the lease.
    pub(crate) fn release_lost(&mut self, owner: Owner, at_ms: u64) {
        self.releases_lost.insert(owner, at_ms);
    }

    /// Answers whether a process may have released the lease since then without knowing it: others may call.
    pub(crate) fn may_have_released(&self, owner: Owner, since_ms: u64) -> bool {
        let lost_ms = self.releases_lost.get(&owner);
        lost_ms.is_some_and(|at_ms| *at_ms >= since_ms)
    }

    /// Answers when a process was granted the lease last. It may have lost it since.
    pub(crate) fn granted_ms(&self, owner: Owner) -> Option<u64> {
        self.granted.get(&owner).copied()
    }

    /// Answers whether a process knows of an event for sure.
    pub(crate) fn knows(&self, owner: Owner, event: u32) -> bool {
        self.known.get(&owner).is_some_and(|known| *known >= event)
    }

    pub(crate) fn indices(&self) -> impl Iterator<Item = (BranchIndex, &Arc<BranchDefinition>)> {
        (0..).map(BranchIndex).zip(&self.branches)
    }

    /// Takes the next event, or says why it contradicts what stands.
    pub(crate) fn follow(&mut self, event: &Event) -> Result<(), String> {
        let word = event.fact.as_str();
        if event.number <= self.last_event {
            return Err(format!(
                "event {} ({word}) was written over event {}",
                event.number, self.last_event
            ));
        }
        if let Some(end) = self.ended {
            return Err(format!(
                "event {} ({word}) follows the end {}",
                event.number,
                end.as_str()
            ));
        }
        self.last_event = event.number;
        self.stands_still = match &event.fact {
            Fact::Stuck { .. } => true,
            Fact::Retried { .. }
            | Fact::Skipped { .. }
            | Fact::TurnedRound { .. }
            | Fact::Committed
            | Fact::Aborted => false,
            Fact::Created(_)
            | Fact::BranchAdded(_)
            | Fact::Submitted
            | Fact::AbortRequested { .. }
            | Fact::Answered(_)
            | Fact::Recovered { .. }
            | Fact::Forced { .. }
            | Fact::TryRequested { .. }
            | Fact::TryBegun { .. }
            | Fact::Completed { .. }
            | Fact::Hurried { .. }
            | Fact::Elided { .. } => self.stands_still,
        };
        self.trials.follow(event);
        if let Fact::Submitted | Fact::TurnedRound { .. } | Fact::Forced { .. } = &event.fact {
            self.decided.get_or_insert(event.number);
        }
        match &event.fact {
            Fact::Created(_) => return Err("created twice".to_owned()),
            Fact::BranchAdded(branch) => self.branches.push(Arc::clone(branch)),
            Fact::Submitted => {
                if self.submitted_at.is_some() || self.turned.is_some() {
                    return Err("submitted again".to_owned());
                }
                self.submitted_at = Some(event.at);
            }
            Fact::AbortRequested { reason } => {
                self.abort_requested = true;
                self.reasons.insert(reason.as_str().to_owned());
            }
            Fact::Answered(answered) => {
                self.answered
                    .insert((answered.branch, answered.operation, answered.attempt));
                let part = (answered.branch, answered.operation);
                match answered.outcome {
                    // What was completed from outside stays so, whatever is answered later.
                    Outcome::Success | Outcome::Failure { .. }
                        if self.completed.contains_key(&part) => {}
                    Outcome::Success => {
                        self.succeeded.entry(part).or_insert(event.number);
                    }
                    Outcome::Failure { .. } => drop(self.refused.insert(part, event.number)),
                    Outcome::Ongoing | Outcome::Unknown { .. } => {}
                }
            }
            Fact::Completed {
                branch,
                operation,
                end,
            } => self.complete((*branch, *operation), end, event.number),
            Fact::TurnedRound { cause, compensate } => {
                if self.turned.is_some() {
                    return Err("turned round twice".to_owned());
                }
                self.turned = Some(Turned {
                    cause: cause.clone(),
                    at: event.at,
                    compensate: compensate.clone(),
                });
            }
            Fact::Committed => self.end(End::Committed)?,
            Fact::Aborted => self.end(End::Aborted)?,
            Fact::Retried { branch, reason } => {
                self.retry(*branch);
                self.reasons.insert(reason.as_str().to_owned());
            }
            Fact::Skipped {
                branch,
                operation,
                reason,
            } => {
                self.skipped.insert((*branch, *operation));
                self.reasons.insert(reason.as_str().to_owned());
            }
            Fact::Forced { to, reason } => {
                self.forced = Some(*to);
                self.reasons.insert(reason.as_str().to_owned());
            }
            Fact::Recovered { .. }
            | Fact::Stuck { .. }
            | Fact::TryRequested { .. }
            | Fact::TryBegun { .. }
            | Fact::Hurried { .. }
            | Fact::Elided { .. } => {}
        }
        Ok(())
    }

    fn complete(&mut self, part: Part, end: &CompletionEnd, event: u32) {
        let how = Finishing::from(end);
        match how {
            Finishing::Succeeds => {}
            Finishing::Fails => {
                self.said_to_have_failed.insert(part);
                self.refused.insert(part, event);
            }
        }
        self.completed.insert(part, (how, event));
    }

    /// What must be done may be called again; what may be refused for good never is.
    fn retry(&mut self, only: Option<BranchIndex>) {
        let again = |(branch, operation): &Part| {
            let must = match operation {
                Operation::Compensation | Operation::Confirm | Operation::Cancel => true,
                Operation::Action | Operation::Try => false,
            };
            must && only.is_none_or(|only| only == *branch)
        };
        self.refused.retain(|part, _| !again(part));
        self.completed
            .retain(|part, (how, _)| *how == Finishing::Succeeds || !again(part));
    }

    /// Takes a history that took the old one's place: what is new in it follows, the rest must not be new.
    pub(crate) fn follow_compacted(&mut self, rest: &[Event]) -> Result<(), String> {
        let known = self.last_event;
        rest.iter()
            .filter(|event| event.number > known)
            .try_for_each(|event| self.follow(event))
    }

    fn end(&mut self, end: End) -> Result<(), String> {
        let allowed = match end {
            End::Committed => self.turned.is_none() && self.submitted_at.is_some(),
            End::Aborted => self.turned.is_some(),
        };
        if !allowed && self.forced != Some(end) {
            return Err(format!("ended {} without having decided so", end.as_str()));
        }
        self.ended = Some(end);
        Ok(())
    }

    /// Notes whether the record was marked STUCK although no event says so.
    pub(crate) fn note_set_aside(&mut self) {
        self.set_aside |= self.header.status == Status::Stuck && !self.stands_still;
    }

    /// Says what is wrong between the header and the events, if anything.
    pub(crate) fn contradiction(&self) -> Option<String> {
        let status = self.header.status;
        let agrees = match self.ended {
            Some(End::Committed) => status == Status::Committed,
            Some(End::Aborted) => status == Status::Aborted,
            None => !status.is_final(),
        };
        (!agrees).then(|| format!("the header says {status}, the events say {:?}", self.ended))
    }
}

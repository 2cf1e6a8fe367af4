//! Judges TCC: what is called and when, and what is said of a try.
//!
//! `records` judges what is recorded and what participants hold, `deeds` counts.

mod deeds;
mod records;

use std::collections::BTreeMap;
use std::time::Duration;

use seata_core::{BranchIndex, Event, Fact, Gid, Operation, UnixMillis};
use seata_engine::TryAnswer;

pub(super) use deeds::count;
pub(super) use records::{judge_fact, judge_ledgers};

use crate::oracle::{Asked, Breach, CallEnd, Now, Oracle, Promise, Seen, Truth};
use crate::participant::Participants;

/// How far a process that asks the store for its time may be off: as long as the question and its answer travel.
const LIMIT_GRACE: Duration = Duration::from_millis(10);

/// What is recorded of the attempts at tries.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trials {
    /// How often each was asked for.
    requested: BTreeMap<BranchIndex, usize>,
    /// The last attempt at each: its number, and until when it lasts at most.
    begun: BTreeMap<BranchIndex, (u32, UnixMillis)>,
}

impl Trials {
    pub(super) fn follow(&mut self, event: &Event) {
        if let Fact::TryRequested { branch } = &event.fact {
            *self.requested.entry(*branch).or_default() += 1;
        }
        if let Fact::TryBegun {
            branch,
            number,
            until,
        } = &event.fact
        {
            self.begun.insert(*branch, (*number, *until));
        }
    }
}

impl Oracle {
    /// Notes until when a call lasts at most, as recorded when it begins.
    pub(super) fn with_limit(&self, seen: Seen) -> Seen {
        let (gid, branch_id, operation) = &seen.key;
        let begun = || {
            let truth = self.truths.get(gid)?;
            truth.trials.begun.get(&truth.index(branch_id)?)
        };
        let until = match operation {
            Operation::Try => begun().map(|(_, until)| *until),
            Operation::Action
            | Operation::Compensation
            | Operation::Confirm
            | Operation::Cancel => None,
        };
        Seen { until, ..seen }
    }

    /// A try is called only when it was asked for and while nothing is decided, with its time limit on record.
    pub(super) fn judge_try(
        &self,
        truth: &Truth,
        branch: BranchIndex,
        seen: &Seen,
        now: Now,
    ) -> Option<Breach> {
        let before = self.by_key.get(&seen.key).map_or(0, Vec::len);
        let requested = truth.trials.requested.get(&branch).copied().unwrap_or(0);
        if before >= requested {
            let what = format!(
                "the try of {branch:?} was called for the {before}. time again, asked for {requested} times"
            );
            return Some((Promise::P1, what));
        }
        let begun = truth.trials.begun.get(&branch);
        if begun.is_none_or(|(number, _)| *number != seen.attempt.number) {
            let what = format!(
                "the try of {branch:?} was called before attempt {} was durable",
                seen.attempt.number
            );
            return Some((Promise::P1, what));
        }
        if let Some(decided) = truth.decided
            && truth.knows(seen.owner, decided)
        {
            let what = format!("the try of {branch:?} was called after the decision");
            return Some((Promise::P2, what));
        }
        let deadline = truth.deadline()?;
        (now.store > deadline.plus(self.bound.deadline)).then(|| {
            let late = now.store.since(deadline);
            let what = format!("the try of {branch:?} was called {late:?} after the deadline");
            (Promise::P7, what)
        })
    }

    /// A confirm or a cancel is called only after the decision, never both, and never while a try may be on its way.
    pub(super) fn judge_settling(
        &self,
        truth: &Truth,
        branch: BranchIndex,
        seen: &Seen,
        now: Now,
    ) -> Option<Breach> {
        let operation = seen.key.2;
        let (is_decided, opposite) = match operation {
            Operation::Confirm => (truth.submitted_at.is_some(), Operation::Cancel),
            Operation::Cancel | Operation::Try | Operation::Action | Operation::Compensation => {
                (truth.turned.is_some(), Operation::Confirm)
            }
        };
        if !is_decided {
            let what =
                format!("the {operation} of {branch:?} was called before it was durably decided");
            return Some((Promise::P2, what));
        }
        let gid = &truth.header.gid;
        let both = truth.branches.iter().any(|other| {
            let key = (gid.clone(), other.branch_id.clone(), opposite);
            self.by_key.contains_key(&key)
        });
        if both {
            let what = format!(
                "the {operation} of {branch:?} was called although another {opposite} had been"
            );
            return Some((Promise::P5, what));
        }
        self.judge_wait(truth, branch, seen, now)
    }

    /// The answer to each try is known to whoever goes on, or its limit has passed.
    fn judge_wait(
        &self,
        truth: &Truth,
        branch: BranchIndex,
        seen: &Seen,
        now: Now,
    ) -> Option<Breach> {
        let (gid, branch_id, operation) = &seen.key;
        let latest = self.latest_at(gid, seen.owner, now);
        let tries = self
            .by_key
            .get(&(gid.clone(), branch_id.clone(), Operation::Try))?;
        let open = tries
            .iter()
            .filter_map(|id| self.calls.get(id))
            .find(|earlier| {
                let answered = matches!(earlier.end, Some(CallEnd::Answered(_)))
                    && earlier.owner == seen.owner;
                let recorded = (branch, Operation::Try, earlier.attempt);
                let heard = answered || truth.answered.contains(&recorded);
                !heard && earlier.until.is_none_or(|until| latest < until)
            })?;
        let what = format!(
            "the {operation} of {branch:?} was called while the try {:?} may be on its way, until {:?} (now {:?})",
            open.attempt, open.until, now.store
        );
        Some((Promise::P8, what))
    }

    /// A try is not awaited beyond the limit that is on record.
    pub(super) fn judge_limit(&mut self, seen: &Seen, now: Now) {
        let grace = LIMIT_GRACE + self.lateness(seen.owner, seen.begun_ms, now);
        let late = match (&seen.end, seen.until) {
            (Some(CallEnd::Answered(_) | CallEnd::Dropped), Some(until)) => {
                now.store > until.plus(grace)
            }
            (Some(CallEnd::Answered(_) | CallEnd::Dropped | CallEnd::Died) | None, _) => false,
        };
        if late && self.is_untroubled(seen.owner, seen.begun_ms) {
            let what = format!(
                "the try of {} was in flight beyond its recorded limit",
                seen.key.1
            );
            let gid = seen.key.0.clone();
            self.broken(Promise::P8, &gid, now, what);
        }
    }

    /// Answers whether the recorded limit of a try passes now.
    pub(super) fn is_at_limit(&self, seen: &Seen, now: Now) -> bool {
        seen.until.is_some_and(|until| {
            self.latest_at(&seen.key.0, seen.owner, now)
                .plus(LIMIT_GRACE)
                >= until
        })
    }

    /// What is said of a try is durable and true.
    pub(super) fn judge_tried(
        &self,
        gid: &Gid,
        (asked, answer): (&Asked, &TryAnswer),
        participants: &Participants,
    ) -> Option<Breach> {
        let Asked::Add { branch_id, .. } = asked else {
            return None;
        };
        let truth = self.truths.get(gid)?;
        let part = (truth.index(branch_id)?, Operation::Try);
        let ledger = participants.ledger(gid, branch_id);
        let completed = truth.completed.contains_key(&part);
        let (durable, happened) = match answer {
            TryAnswer::Succeeded => (truth.is_done(part), ledger.reservations > 0),
            TryAnswer::Refused { .. } => (
                truth.refused.contains_key(&part),
                ledger.refusals(Operation::Try) > 0,
            ),
            TryAnswer::NotKnown { .. } => return None,
        };
        if !durable {
            let what = format!(
                "a client was told {answer:?} of the try of {branch_id}, which the store does not say"
            );
            return Some((Promise::P1, what));
        }
        (!happened && !completed).then(|| {
            let what = format!(
                "a client was told {answer:?} of the try of {branch_id}, which is not true"
            );
            (Promise::P4, what)
        })
    }
}

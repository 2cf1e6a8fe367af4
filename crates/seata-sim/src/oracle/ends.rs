//! Judges where everything came to, after the faults have stopped: P3, P4, P7.

use std::time::Duration;

use seata_core::{BranchDefinition, BranchIndex, End, Gid, Operation, Status};
use seata_store::Stored;

use crate::oracle::{Breach, Now, Oracle, Promise, Truth, tcc};
use crate::participant::{Holding, Participants};
use crate::plan::act::Finishing;

impl Oracle {
    /// Answers whether everything is final or STUCK.
    pub(crate) fn is_settled(&self) -> bool {
        self.truths
            .values()
            .all(|truth| is_settled(truth.header.status))
    }

    /// Says which transactions should have ended by now and have not (P7).
    pub(crate) fn judge_overdue(&mut self, since_ms: u64, now: Now) {
        let overdue: Vec<(Gid, String)> = self
            .truths
            .values()
            .filter(|truth| !is_settled(truth.header.status))
            .filter(|truth| {
                Duration::from_millis(now.ms - since_ms) > self.bound.ends_within(truth)
            })
            .map(|truth| {
                let header = &truth.header;
                let what = format!(
                    "still {} {} ms after the faults stopped (wake {:?}, lease {:?}, store {:?})",
                    header.status,
                    now.ms - since_ms,
                    header.wake_at,
                    header.lease_until,
                    now.store
                );
                (header.gid.clone(), what)
            })
            .collect();
        for (gid, what) in overdue {
            self.broken(Promise::P7, &gid, now, what);
        }
    }

    /// Answers whether some transaction is overdue.
    pub(crate) fn is_overdue(&self, since_ms: u64, now: Now) -> bool {
        let open = self
            .truths
            .values()
            .filter(|truth| !is_settled(truth.header.status));
        open.map(|truth| self.bound.ends_within(truth))
            .max()
            .is_none_or(|bound| Duration::from_millis(now.ms - since_ms) > bound)
    }

    /// Judges every end, once nothing is under way any more.
    pub(crate) fn judge_ends(&mut self, participants: &Participants, now: Now) {
        let mut breaches = Vec::new();
        for (gid, truth) in &self.truths {
            let found = self.breaches_of(gid, truth, participants);
            breaches.extend(
                found
                    .into_iter()
                    .map(|(promise, what)| (gid.clone(), promise, what)),
            );
        }
        for gid in self
            .accepted()
            .into_iter()
            .filter(|gid| !self.truths.contains_key(gid))
        {
            breaches.push((
                gid,
                Promise::P1,
                "an accepted transaction does not exist".to_owned(),
            ));
        }
        for (gid, promise, what) in breaches {
            self.broken(promise, &gid, now, what);
        }
    }

    /// Judges the end of one transaction.
    pub(super) fn breaches_of(
        &self,
        gid: &Gid,
        truth: &Truth,
        participants: &Participants,
    ) -> Vec<Breach> {
        if truth.set_aside {
            return Vec::new();
        }
        let mut breaches = Vec::new();
        breaches.extend(self.judge_end(truth, participants));
        breaches.extend(tcc::judge_ledgers(truth, participants));
        let cause = self.judge_cause(truth, participants);
        breaches.extend(cause.map(|what| (Promise::P4, what)));
        let told = self.told.get(gid).and_then(|told| told.end);
        let told = told.map(|(end, _)| end);
        if told.is_some_and(|told| told != truth.header.status) {
            let what = format!(
                "a client was told {told:?}, the store says {}",
                truth.header.status
            );
            breaches.push((Promise::P5, what));
        }
        breaches
    }

    fn judge_end(&self, truth: &Truth, participants: &Participants) -> Option<(Promise, String)> {
        let branches = || truth.branches.iter().zip((0..).map(BranchIndex));
        match (truth.header.status, truth.forced) {
            (_, Some(_)) => {
                let ordered = self
                    .sent
                    .get(&truth.header.gid)
                    .is_some_and(|sent| sent.overrides > 0);
                (!ordered).then(|| (Promise::P3, "forced, and no operator said so".to_owned()))
            }
            (Status::Committed, None) => branches()
                .filter(|(_, index)| !is_skipped(truth, *index))
                .find_map(|(branch, index)| {
                    unfit(truth, participants, branch, index, Holding::is_missing)
                })
                .map(|what| (Promise::P3, what)),
            (Status::Aborted, None) => branches()
                .filter(|(branch, index)| {
                    let back = branch.endpoint(Operation::Compensation);
                    back.or_else(|| branch.endpoint(Operation::Cancel))
                        .is_some()
                        && !is_skipped(truth, *index)
                })
                .find_map(|(branch, index)| {
                    unfit(truth, participants, branch, index, Holding::remains)
                })
                .map(|what| (Promise::P3, what)),
            (Status::Stuck, None) => {
                let refused = truth
                    .indices()
                    .any(|(index, branch)| was_refused(truth, participants, index, branch));
                (!refused).then(|| {
                    (
                        Promise::P7,
                        "STUCK, although nothing was refused that must be done".to_owned(),
                    )
                })
            }
            (Status::Prepared | Status::Submitted | Status::Aborting, None) => None,
        }
    }

    /// Answers the records that a coordinator set aside because it broke an invariant of its own.
    pub(crate) fn set_aside(&self) -> Vec<String> {
        let aside = self.truths.iter().filter(|(_, truth)| truth.set_aside);
        aside
            .map(|(gid, _)| format!("{gid} was set aside by a coordinator"))
            .collect()
    }

    /// Compares what the store holds in the end with what was applied to it.
    pub(crate) fn judge_stored(&mut self, gid: &Gid, stored: Option<&Stored>, now: Now) {
        let Some(truth) = self.truths.get(gid) else {
            return;
        };
        let what = match stored {
            None if truth.purged_ms.is_some() => None,
            None => Some("the record is gone".to_owned()),
            Some(stored)
                if stored.header.revision != truth.header.revision
                    || stored.header.status != truth.header.status =>
            {
                Some(format!(
                    "the store holds {:?}, the appends give {:?}",
                    stored.header, truth.header
                ))
            }
            Some(_) => None,
        };
        if let Some(what) = what {
            self.broken(Promise::P1, gid, now, what);
        }
    }
}

fn is_settled(status: Status) -> bool {
    match status {
        Status::Committed | Status::Aborted | Status::Stuck => true,
        Status::Prepared | Status::Submitted | Status::Aborting => false,
    }
}

/// Answers whether this branch refused what must be done, or somebody outside said so.
fn was_refused(
    truth: &Truth,
    participants: &Participants,
    index: BranchIndex,
    branch: &BranchDefinition,
) -> bool {
    let ledger = participants.ledger(&truth.header.gid, &branch.branch_id);
    let must = [
        Operation::Compensation,
        Operation::Confirm,
        Operation::Cancel,
    ];
    must.into_iter().any(|operation| {
        ledger.refusals(operation) > 0 || truth.is_completed((index, operation), Finishing::Fails)
    })
}

fn is_skipped(truth: &Truth, branch: BranchIndex) -> bool {
    Operation::ALL
        .into_iter()
        .any(|operation| truth.skipped.contains(&(branch, operation)))
}

impl Holding {
    const fn is_missing(self) -> bool {
        match self {
            Self::Present => false,
            Self::Untouched | Self::Reserved | Self::Undone | Self::Barred => true,
        }
    }

    const fn remains(self) -> bool {
        match self {
            Self::Reserved | Self::Present => true,
            Self::Untouched | Self::Undone | Self::Barred => false,
        }
    }
}

fn unfit(
    truth: &Truth,
    participants: &Participants,
    branch: &BranchDefinition,
    index: BranchIndex,
    is_unfit: fn(Holding) -> bool,
) -> Option<String> {
    let holding = participants
        .ledger(&truth.header.gid, &branch.branch_id)
        .holding;
    let end = match truth.ended {
        Some(End::Committed) => "COMMITTED",
        Some(End::Aborted) => "ABORTED",
        None => "open",
    };
    is_unfit(holding).then(|| {
        format!(
            "{end}, but {} ({index:?}) holds {holding:?}",
            branch.branch_id
        )
    })
}

//! Judges where everything came to, after the faults have stopped: P3, P4, P7.

use std::time::Duration;

use seata_core::{AbortCause, BranchDefinition, BranchIndex, End, Gid, Mode, Operation, Status};
use seata_store::Stored;

use crate::oracle::{Now, Oracle, Promise, Truth, tcc};
use crate::participant::{Holding, Participants};
use crate::plan::act::Finishing;
use crate::plan::work::{LIMIT_MAX_MS, REQUEST_TIMEOUT_MAX_MS};
use crate::plan::{FREEZE_MAX_MS, LATE_MAX_MS, Plan};

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    /// How long after its deadline an action may still begin: it was decided before, and then its process stood still,
    /// waited for a renewal and for a slot, or took a clock that jumped for the store's.
    pub(crate) deadline: Duration,
    base: Duration,
}

impl Bound {
    /// Derives the bounds of a run from its plan.
    ///
    /// From the moment at which faults stop, a transaction ends within: what may still come of the faults (a late
    /// append, which may take a lease; a clock that jumped ahead and is waited for), the lease and one claim, then
    /// P7 of docs/promises.md.
    pub(crate) fn of(plan: &Plan) -> Self {
        const SLACK_MS: u64 = 5_000;
        let knobs = &plan.knobs;
        let jumps_ms = plan.jumps_ms();
        let base_ms = LATE_MAX_MS
            + jumps_ms
            + knobs.lease_ms
            + knobs.claim_interval_ms
            + knobs.linger_ms
            + SLACK_MS;
        let deadline_ms =
            FREEZE_MAX_MS + jumps_ms + knobs.lease_ms + REQUEST_TIMEOUT_MAX_MS + SLACK_MS;
        Self {
            deadline: Duration::from_millis(deadline_ms),
            base: Duration::from_millis(base_ms),
        }
    }

    /// Answers within which time after the faults a transaction is final or STUCK. Per branch and direction, one call
    /// that was sent before may run into its time limit and be followed by the largest interval before the call that
    /// succeeds; a few participants answer badly some times first; a deadline or `prepared_timeout` may have to pass, and
    /// before a cancel the time limit of a try.
    pub(crate) fn ends_within(self, truth: &Truth) -> Duration {
        const BAD_ANSWERS_MAX: u32 = 6;
        let options = &truth.definition.options;
        let depth = u32::try_from(truth.branches.len()).unwrap_or(u32::MAX);
        let call = options.request_timeout + options.retry.max;
        self.base
            + Duration::from_millis(LIMIT_MAX_MS)
            + options.request_timeout
            + call * 2 * depth
            + options.retry.max * 2 * BAD_ANSWERS_MAX
    }
}

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
        for (gid, truth) in self.truths.iter().filter(|(_, truth)| !truth.set_aside) {
            breaches.extend(
                self.judge_end(truth, participants)
                    .map(|(promise, what)| (gid.clone(), promise, what)),
            );
            breaches.extend(
                tcc::judge_ledgers(truth, participants)
                    .map(|(promise, what)| (gid.clone(), promise, what)),
            );
            breaches.extend(
                self.judge_cause(truth, participants)
                    .map(|what| (gid.clone(), Promise::P4, what)),
            );
            let told = self.told.get(gid).and_then(|told| told.end);
            let told = told.map(|(end, _)| end);
            if told.is_some_and(|told| told != truth.header.status) {
                let what = format!(
                    "a client was told {told:?}, the store says {}",
                    truth.header.status
                );
                breaches.push((gid.clone(), Promise::P5, what));
            }
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

    /// A transaction is aborted for a cause that somebody can name.
    fn judge_cause(&self, truth: &Truth, participants: &Participants) -> Option<String> {
        let turned = truth.turned.as_ref()?;
        let gid = &truth.header.gid;
        let options = &truth.definition.options;
        let found = match &turned.cause {
            AbortCause::Refused { .. } | AbortCause::AttemptLimit { .. }
                if truth.definition.mode == Mode::Tcc =>
            {
                false
            }
            AbortCause::Refused { branch } => is_refused(truth, participants, *branch),
            AbortCause::AttemptLimit { branch } => truth.branch(*branch).is_some_and(|branch| {
                let limit = branch.retry(options).max_attempts;
                limit > 0
                    && self.calls_of(gid, branch) >= usize::try_from(limit).unwrap_or(usize::MAX)
            }),
            AbortCause::Deadline => truth
                .deadline()
                .is_some_and(|deadline| deadline <= turned.at),
            AbortCause::Requested { .. } => self.sent.get(gid).is_some_and(|sent| sent.aborts > 0),
            AbortCause::NeverSubmitted => {
                truth.submitted_at.is_none()
                    && truth.header.created_at.plus(options.prepared_timeout) <= turned.at
            }
        };
        (!found).then(|| format!("aborted without a cause: {:?}", turned.cause))
    }

    fn calls_of(&self, gid: &Gid, branch: &BranchDefinition) -> usize {
        let key = (gid.clone(), branch.branch_id.clone(), Operation::Action);
        self.by_key.get(&key).map_or(0, Vec::len)
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

/// Answers whether an action was refused, by its participant or from outside, before anybody said that it is done.
fn is_refused(truth: &Truth, participants: &Participants, index: BranchIndex) -> bool {
    let part = (index, Operation::Action);
    let Some(branch) = truth.branch(index) else {
        return false;
    };
    match truth.completed.get(&part) {
        Some((Finishing::Succeeds, _)) => false,
        Some((Finishing::Fails, _)) => true,
        None => {
            let ledger = participants.ledger(&truth.header.gid, &branch.branch_id);
            ledger.refusals(Operation::Action) > 0
        }
    }
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

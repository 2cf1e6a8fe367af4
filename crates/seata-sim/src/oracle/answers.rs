//! Judges what clients are told at the moment at which the server answers: P1, P2, P5.

use seata_core::{BranchId, Fingerprint, Gid, Mode, Operation, Status};
use seata_engine::{EngineError, Snapshot};

use crate::client::{Answer, Said};
use crate::oracle::{Now, Oracle, Promise, Truth};
use crate::participant::Participants;
use crate::plan::act::Finishing;

/// What was asked, as far as the answer promises something about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Begin {
        fingerprint: Fingerprint,
    },
    Run {
        fingerprint: Fingerprint,
    },
    Add {
        branch_id: BranchId,
        fingerprint: Fingerprint,
    },
    Submit,
    Abort,
    Complete {
        branch_id: BranchId,
        operation: Option<Operation>,
        how: Finishing,
    },
    Order {
        reason: String,
    },
    Read,
}

/// What clients were told of one transaction.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    /// When anybody was told first that it exists, in ms.
    pub(crate) accepted_ms: Option<u64>,
    /// Which end anybody was told first, and when.
    pub(crate) end: Option<(Status, u64)>,
}

/// What anybody ever asked of one transaction, whether it arrived or not.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sent {
    pub(crate) aborts: u32,
    pub(crate) overrides: u32,
}

impl Oracle {
    /// Notes that somebody asks to abort.
    pub(crate) fn abort_sent(&mut self, gid: &Gid) {
        self.sent.entry(gid.clone()).or_default().aborts += 1;
    }

    /// Notes that an operator skips or forces something.
    pub(crate) fn override_sent(&mut self, gid: &Gid) {
        self.sent.entry(gid.clone()).or_default().overrides += 1;
    }

    /// Answers the transactions that clients may rely on.
    pub(crate) fn accepted(&self) -> Vec<Gid> {
        self.told
            .iter()
            .filter(|(_, told)| told.accepted_ms.is_some())
            .map(|(gid, _)| gid.clone())
            .collect()
    }

    /// Judges an answer.
    pub(crate) fn told(
        &mut self,
        gid: &Gid,
        (asked, sent_ms): (&Asked, u64),
        answer: &Answer,
        participants: &Participants,
        now: Now,
    ) {
        let breach = match answer {
            Ok(said) if self.is_of_earlier(gid, &said.snapshot, sent_ms) => None,
            Ok(said) => self
                .judge_generation(gid, &said.snapshot, sent_ms)
                .or_else(|| self.judge_promise(gid, asked))
                .or_else(|| self.judge_snapshot(gid, &said.snapshot, sent_ms))
                .or_else(|| self.judge_tried(gid, (asked, said.tried.as_ref()?), participants)),
            Err(error) => self.judge_error(gid, (asked, sent_ms), error),
        };
        if let Some((promise, what)) = breach {
            self.broken(promise, gid, now, what);
        }
        if let Ok(Said { snapshot, .. }) = answer
            && !self.is_of_earlier(gid, snapshot, sent_ms)
        {
            let told = self.told.entry(gid.clone()).or_default();
            told.accepted_ms.get_or_insert(now.ms);
            if snapshot.status().is_final() {
                told.end.get_or_insert((snapshot.status(), now.ms));
            }
        }
    }

    /// What was told must be in the store.
    fn judge_promise(&self, gid: &Gid, asked: &Asked) -> Option<(Promise, String)> {
        let Some(truth) = self.truths.get(gid) else {
            return Some((
                Promise::P1,
                format!("a client was told yes ({asked:?}) and the store holds nothing"),
            ));
        };
        let decided = truth.turned.is_some() || truth.forced.is_some();
        let known = match asked {
            Asked::Begin { fingerprint } => truth.definition.fingerprint == *fingerprint,
            Asked::Run { fingerprint } => {
                truth.definition.fingerprint == *fingerprint
                    && (truth.submitted_at.is_some() || decided)
            }
            Asked::Add {
                branch_id,
                fingerprint,
            } => has_branch(truth, branch_id, *fingerprint),
            Asked::Submit => truth.submitted_at.is_some() || truth.forced.is_some(),
            Asked::Abort => decided || truth.abort_requested && truth.definition.mode == Mode::Saga,
            Asked::Complete {
                branch_id,
                operation,
                how,
            } => has_ended(truth, branch_id, *operation, *how),
            Asked::Order { reason } => {
                truth.reasons.contains(reason) || truth.forced.is_some() || truth.ended.is_some()
            }
            Asked::Read => true,
        };
        (!known).then(|| {
            (
                Promise::P1,
                format!("a client was told yes ({asked:?}) and the store does not say so"),
            )
        })
    }

    /// A question may be answered by what stood when it was sent, or later.
    fn judge_snapshot(
        &self,
        gid: &Gid,
        snapshot: &Snapshot,
        sent_ms: u64,
    ) -> Option<(Promise, String)> {
        let truth = self.truths.get(gid)?;
        let (told, stands) = (snapshot.header.revision, truth.header.revision);
        if told > stands {
            return Some((
                Promise::P1,
                format!("a client was told of {told:?} while the store stands at {stands:?}"),
            ));
        }
        let end = snapshot.status();
        if end.is_final() && truth.header.status != end {
            return Some((
                Promise::P2,
                format!(
                    "a client was told {end} while the store says {}",
                    truth.header.status
                ),
            ));
        }
        match self.told.get(gid).and_then(|told| told.end) {
            Some((before, told_ms)) if before != end && (end.is_final() || told_ms < sent_ms) => {
                Some((
                    Promise::P5,
                    format!("a client was told {before} before and {end} now"),
                ))
            }
            Some(_) | None => None,
        }
    }

    fn judge_error(
        &self,
        gid: &Gid,
        (asked, sent_ms): (&Asked, u64),
        error: &EngineError,
    ) -> Option<(Promise, String)> {
        let accepted = self
            .told
            .get(gid)
            .and_then(|told| told.accepted_ms)
            .is_some_and(|told_ms| told_ms < sent_ms);
        match (error, asked) {
            (EngineError::NotFound { .. }, _) if accepted && !self.is_purged(gid) => Some((
                Promise::P1,
                "a transaction that was accepted was not found".to_owned(),
            )),
            (
                EngineError::GidConflict { .. },
                Asked::Begin { fingerprint } | Asked::Run { fingerprint },
            ) => {
                let same = self
                    .truths
                    .get(gid)
                    .is_none_or(|truth| truth.definition.fingerprint == *fingerprint);
                same.then(|| {
                    (
                        Promise::P1,
                        "the same content was called other content".to_owned(),
                    )
                })
            }
            (
                EngineError::NotFound { .. }
                | EngineError::GidConflict { .. }
                | EngineError::Rejected { .. }
                | EngineError::TooManyBranches { .. }
                | EngineError::Overloaded { .. }
                | EngineError::StoreUnavailable { .. }
                | EngineError::StoreFull
                | EngineError::Stopping
                | EngineError::Unreadable { .. }
                | EngineError::TooLarge,
                _,
            ) => None,
        }
    }
}

fn has_branch(truth: &Truth, branch_id: &BranchId, fingerprint: Fingerprint) -> bool {
    truth
        .branches
        .iter()
        .any(|branch| branch.branch_id == *branch_id && branch.fingerprint == fingerprint)
}

/// Answers whether an operation of this branch, this one if it is named, has ended so.
fn has_ended(
    truth: &Truth,
    branch_id: &BranchId,
    operation: Option<Operation>,
    how: Finishing,
) -> bool {
    let Some(branch) = truth.index(branch_id) else {
        return false;
    };
    let mut meant = Operation::ALL
        .into_iter()
        .filter(|known| operation.is_none_or(|named| named == *known));
    meant.any(|operation| match how {
        Finishing::Succeeds => truth.is_done((branch, operation)),
        Finishing::Fails => truth.refused.contains_key(&(branch, operation)),
    })
}

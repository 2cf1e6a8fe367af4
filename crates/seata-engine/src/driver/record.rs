//! The transaction in a driver's hands: loading it, adopting what is stored, and what its header tells of the past.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use seata_core::planted::{self, Planted};
use seata_core::{FencingToken, Input, Status, Transaction};
use seata_store::{Header, Stored};

use crate::content;
use crate::driver::{Driver, reply};
use crate::error::EngineError;
use crate::lease::Held;
use crate::mailbox::{Ask, Asked, Submission};
use crate::shared::{read, store_failed};
use crate::snapshot::Snapshot;

/// How long a driver waits before it asks a failing store again.
pub(super) const STORE_BACKOFF: Duration = Duration::from_millis(100);

/// How long at most, between two questions to a store that answers others.
const STORE_BACKOFF_MAX: Duration = Duration::from_millis(500);

/// A transaction and its header as of the last append. No header: its creation has not been appended.
pub(super) struct Record {
    pub(super) txn: Arc<Transaction>,
    pub(super) header: Option<Header>,
    /// The boot time before it was read or appended.
    pub(super) as_of: Duration,
}

impl Driver {
    /// Makes sure that there is a state to step: a new one for a creation, else the stored one. Answers false if there
    /// can't be; the ask is answered then.
    pub(super) async fn ensure_record(&mut self, ask: &mut Option<Ask>) -> bool {
        if self.record.is_some() {
            return true;
        }
        // Who drives knows more than a draft has: what is stored is read.
        if self.held().is_none()
            && let Some(drafted) = self.draft(ask)
        {
            return drafted;
        }
        self.load(ask).await
    }

    /// Makes the state of a creation that is asked for. Answers false if it can't be, and none if nothing is to be created.
    fn draft(&mut self, ask: &mut Option<Ask>) -> Option<bool> {
        let Some(Asked::Create {
            definition,
            submission,
        }) = ask.as_ref().map(|ask| &ask.asked)
        else {
            return None;
        };
        // Only what takes the lease is repeated with its time. What is not submitted yet would be aborted too early.
        let repeated = self.creation.filter(|_| *submission == Submission::Now);
        let at = repeated.map_or_else(|| self.shared.now(), |creation| creation.created_at);
        let created = Transaction::create(Arc::clone(definition), at);
        let drafted = created.map(|event| (Transaction::fold(&self.gid, [&event]), event));
        match drafted {
            Ok((Ok(txn), event)) => {
                self.pending = vec![event];
                self.record = Some(Record {
                    txn: Arc::new(txn),
                    header: None,
                    as_of: self.shared.boot(),
                });
                self.weigh();
                Some(true)
            }
            Ok((Err(illegal), _)) => panic!("invariant: a creation folds: {illegal}"),
            Err(rejection) => {
                let present = None;
                self.answer(ask, Err(EngineError::Rejected { rejection, present }));
                Some(false)
            }
        }
    }

    async fn load(&mut self, ask: &mut Option<Ask>) -> bool {
        loop {
            let shared = Arc::clone(&self.shared);
            // Thousands may have waited for the store's return: they must not all ask at once.
            let retry = match self.store_failures {
                0 => None,
                _ => self.beside(shared.retries.acquire()).await.ok(),
            };
            let gid = self.gid.clone();
            let asked_at = shared.boot();
            let loaded = self.beside(shared.load(&gid)).await;
            drop(retry);
            match loaded {
                Ok(Some(stored)) => return self.adopt_stored(stored, asked_at, ask).await,
                Ok(None) => {
                    self.let_go();
                    if let Some(drafted) = self.draft(ask) {
                        return drafted;
                    }
                    self.answer(
                        ask,
                        Err(EngineError::NotFound {
                            gid: self.gid.clone(),
                        }),
                    );
                    return false;
                }
                Err(error) => {
                    self.answer(ask, Err(store_failed(&error, Some(&self.gid))));
                    if !self.wait_for_store().await {
                        return false;
                    }
                }
            }
        }
    }

    /// Takes what is stored as the present state; it was asked for at that boot time. Answers false if it can't be read.
    pub(super) async fn adopt_stored(
        &mut self,
        stored: Stored,
        asked_at: Duration,
        ask: &mut Option<Ask>,
    ) -> bool {
        match read(&stored) {
            Ok(snapshot) => {
                self.adopt(snapshot, asked_at);
                true
            }
            Err(error) => {
                self.let_go();
                self.shared.saw(&stored.header);
                if stored.header.status != Status::Stuck {
                    self.shared.set_aside(&stored, &error).await;
                }
                self.answer(
                    ask,
                    Err(EngineError::Unreadable {
                        gid: self.gid.clone(),
                    }),
                );
                false
            }
        }
    }

    /// Takes a state as the present one and notes the calls that are in flight from here.
    pub(super) fn adopt(&mut self, snapshot: Snapshot, as_of: Duration) {
        let Snapshot {
            mut transaction,
            header,
        } = snapshot;
        self.handle.note_flights(Arc::make_mut(&mut transaction));
        self.handle.saw(header.revision);
        self.shared.saw(&header);
        self.record = Some(Record {
            txn: transaction,
            header: Some(header),
            as_of,
        });
        self.weigh();
    }

    /// Says whether the state may be older than the question. Whoever asks may have been told of a later one by another
    /// server: without an append, which the store judges, the state must be read once more.
    pub(super) fn is_older_than(&self, ask: Option<&Ask>) -> bool {
        match (&self.record, ask) {
            (Some(record), Some(ask)) => record.header.is_some() && record.as_of < ask.asked_at,
            (Some(_) | None, _) => false,
        }
    }

    /// Notes how many bytes the state holds.
    pub(super) fn weigh(&self) {
        if let Some(record) = &self.record {
            let bytes = content::of_transaction(&record.txn);
            self.handle.weight.set(bytes);
        }
    }

    /// Waits for a failing store while the lease holds: longer each time, and for its return if it is away. Calls that
    /// end meanwhile are noted. Answers false if this driver has to let go.
    pub(super) async fn wait_for_store(&mut self) -> bool {
        let pause = (STORE_BACKOFF * (1 << self.store_failures.min(5))).min(STORE_BACKOFF_MAX);
        self.store_failures = self.store_failures.saturating_add(1);
        let shared = Arc::clone(&self.shared);
        let patience = async {
            tokio::time::sleep(pause).await;
            shared.outage.over().await;
        };
        tokio::pin!(patience);
        let handle = Arc::clone(&self.handle);
        loop {
            let Some(Held { until, .. }) = self.held() else {
                self.let_go();
                return false;
            };
            let left = until.saturating_sub(shared.boot());
            if left <= STORE_BACKOFF {
                self.let_go();
                return false;
            }
            tokio::select! {
                biased;
                () = &mut patience => return true,
                Some(ended) = self.calls.next(), if !self.calls.is_empty() => self.note(ended),
                () = handle.lease.gone() => {}
                () = tokio::time::sleep(left - STORE_BACKOFF) => {}
            }
        }
    }

    /// Answers whether the record says that the lease that this driver thinks it holds is lost: it bears another token, or
    /// was released by an append whose answer was lost.
    pub(super) fn is_overtaken(&self) -> bool {
        let stored = self
            .record
            .as_ref()
            .and_then(|record| record.header.as_ref());
        match (self.held(), stored) {
            (Some(held), Some(header))
                if planted::is(Planted::ThawedAppendsWithoutToken)
                    && held.token != header.token =>
            {
                let token = header.token;
                self.handle.lease.set(Some(Held { token, ..held }));
                false
            }
            (Some(held), Some(header)) if !planted::is(Planted::CallAfterLostLease) => {
                let released = header.lease_until.is_none()
                    && !planted::is(Planted::CallsWhileReleaseUncertain);
                held.token != header.token || released
            }
            (Some(_) | None, Some(_) | None) => false,
        }
    }

    /// Marks what another driver may have done as in doubt, unless the record tells that nothing was left open. The event
    /// tells of the last token that was given out: the own one of whoever claimed, but not yet that of a taker, who may
    /// give the lease back with the append that would take it. Else the next one would find that token not given out yet,
    /// and would record the same again, with each question of a client.
    pub(super) fn recover_if_needed(&mut self, token: FencingToken) {
        let record = self.record.as_ref();
        let given = record
            .filter(|record| needs_recovery(record, token))
            .and_then(|record| Some(record.header.as_ref()?.token));
        if let Some(token) = given {
            self.unsaved.insert(0, Input::Recover { token });
        }
    }

    /// Drops the recovery that is left of a turn that did not take the lease: only who takes or holds the lease records
    /// one, and a taker notes his own.
    pub(super) fn drop_stale_recovery(&mut self) {
        let unfed = self.unsaved.split_off(self.fed);
        let known = unfed
            .into_iter()
            .filter(|input| !matches!(input, Input::Recover { .. }));
        self.unsaved.extend(known);
    }

    pub(super) fn answer(&self, ask: &mut Option<Ask>, answer: Result<Snapshot, EngineError>) {
        if let Some(ask) = ask.take() {
            reply(ask, answer);
        }
    }
}

/// Says whether calls may have been made that the record doesn't tell of.
///
/// Invariant: a wake-up later than the append that set it is only ever appended together with the release of the
/// lease, when no call was in flight and nothing was behind. So is the entry into STUCK. But a claim changes no
/// wake-up: only if this token follows the last one that the events tell of, nobody claimed it in between.
fn needs_recovery(record: &Record, token: FencingToken) -> bool {
    let Some(header) = &record.header else {
        return false;
    };
    match header.status {
        Status::Committed | Status::Aborted => false,
        // Only a TCC calls before it is decided, and it records that it calls.
        Status::Prepared => record.txn.has_unanswered_try(),
        Status::Stuck => record.txn.status() != Status::Stuck,
        Status::Submitted | Status::Aborting => {
            let follows = token.0 == record.txn.token_seen().0 + 1;
            is_left_open(header) || !follows || record.txn.has_unanswered_try()
        }
    }
}

/// Says whether a driver left it in the middle of its work: what is given back in good order is not due at once.
pub(crate) fn is_left_open(header: &Header) -> bool {
    match header.status {
        Status::Prepared | Status::Committed | Status::Aborted | Status::Stuck => false,
        Status::Submitted | Status::Aborting => header
            .wake_at
            .is_none_or(|wake_at| wake_at <= header.updated_at),
    }
}

/// Says whether a taker for this question leaves out the recovery: never, but for a planted bug.
pub(super) fn skips_recovery(asked: &Asked) -> bool {
    match asked {
        Asked::Abort { .. } => planted::is(Planted::AbortWithoutLeaseCompensatesNothing),
        Asked::Create { .. }
        | Asked::AddBranch(_)
        | Asked::Submit
        | Asked::Order(_)
        | Asked::Try(_)
        | Asked::ConfirmBranch(_)
        | Asked::CancelBranch(_)
        | Asked::Complete(_) => false,
    }
}

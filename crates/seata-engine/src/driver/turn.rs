//! One turn: state → plan → append → effects. Whatever the store answers, nothing known is dropped and nothing is
//! applied blindly.

use std::time::Duration;

use seata_core::FencingToken;
use seata_core::planted::{self, Planted};
use seata_store::{
    AppendOutcome, Expected, LeaseChange, Owner, Status, StoreError, StoreErrorKind, Stored,
};

use crate::driver::append::Sent;
use crate::driver::plan::{Needed, Plan, Role};
use crate::driver::record::STORE_BACKOFF;
use crate::driver::{Creation, Driver, Holder, reply};
use crate::error::EngineError;
use crate::lease::Held;
use crate::mailbox::{Ask, Asked, Submission};
use crate::shared::{RETRY_AFTER, store_failed};

/// How often a turn without a question is tried when others write at the same time. One with a question goes on until
/// its time is over.
const TRIES_MAX: u32 = 8;

/// How often at once. After that others are let through: each time twice as long, up to so long.
const TRIES_AT_ONCE_MAX: u32 = 3;
const PAUSE_MAX: Duration = Duration::from_millis(64);

/// Whether a turn has come to its end.
enum Turned {
    Done,
    /// Once more, on the state as it is now.
    Again,
}

impl Driver {
    /// Takes one turn, with a question or without.
    pub(super) async fn turn(&mut self, mut ask: Option<Ask>) {
        self.holder = Holder::Told;
        for tries in 0.. {
            if tries > 0 {
                self.answer_if_over(&mut ask);
                if self.uncertain.is_some() {
                    self.let_go_if_lapsed();
                }
            }
            if ask.is_none() && tries >= TRIES_MAX {
                return;
            }
            if tries >= TRIES_AT_ONCE_MAX {
                let pause = pause(self.shared.config.owner, tries);
                self.beside(tokio::time::sleep(pause)).await;
            }
            if ask.is_none() && self.held().is_none() {
                return self.let_go();
            }
            if !self.ensure_record(&mut ask).await {
                return;
            }
            if self.is_overtaken() {
                self.let_go_overtaken();
                continue;
            }
            self.judge_release();
            let Some(plan) = self.plan(&mut ask) else {
                let since = self.pending_since;
                self.forget_state();
                // Whoever is refused puts nothing off.
                self.pending_since = since;
                continue;
            };
            if self.holder == Holder::Nobody {
                // So it was when the record was read: what comes next may be another's.
                self.holder = Holder::Told;
            }
            if self.is_refused_creation(&ask) {
                return self.forget_state();
            }
            match self.carry_out(plan, &mut ask).await {
                Turned::Done => return,
                Turned::Again => {}
            }
        }
    }

    /// Tells whoever has waited long enough to ask again. What this driver must do goes on without.
    fn answer_if_over(&self, ask: &mut Option<Ask>) {
        let patience = self.shared.config.store_timeout;
        if ask
            .as_ref()
            .is_some_and(|ask| ask.asked_at + patience <= self.shared.boot())
        {
            self.answer(
                ask,
                Err(EngineError::StoreUnavailable {
                    retry_after: RETRY_AFTER,
                }),
            );
        }
    }

    /// A creation whose question was answered already leaves nothing behind.
    fn is_refused_creation(&self, ask: &Option<Ask>) -> bool {
        ask.is_none()
            && self
                .record
                .as_ref()
                .is_some_and(|record| record.header.is_none())
    }

    async fn carry_out(&mut self, mut plan: Plan, ask: &mut Option<Ask>) -> Turned {
        match plan.needed {
            Needed::Nothing | Needed::Behind if self.is_older_than(ask.as_ref()) => {
                self.forget_state();
                Turned::Again
            }
            Needed::Nothing | Needed::Behind => {
                if plan.needed == Needed::Behind {
                    self.pending_since.get_or_insert(self.shared.boot());
                }
                if plan.needed == Needed::Nothing {
                    // Whatever was fed is durable already, or changes nothing.
                    self.unsaved.drain(..self.fed);
                    self.fed = 0;
                    self.pending_since = None;
                }
                self.dispatch_as(plan.role, std::mem::take(&mut plan.effects));
                self.answer_appended(ask);
                self.let_go_if_ended();
                Turned::Done
            }
            Needed::Append => {
                if planted::is(Planted::EffectsBeforeAppend) || registers_too_late(ask.as_ref()) {
                    self.dispatch_as(plan.role, std::mem::take(&mut plan.effects));
                }
                if planted::is(Planted::AnswerBeforeDurable) || registers_too_late(ask.as_ref()) {
                    self.answer_early(ask, &plan);
                }
                let sent = self.send(&plan).await;
                self.appended(plan, sent, ask).await
            }
        }
    }

    async fn appended(&mut self, plan: Plan, sent: Sent, ask: &mut Option<Ask>) -> Turned {
        match sent.answer {
            Ok(AppendOutcome::Applied(_)) => {
                self.applied(&plan, &sent);
                self.answer_joined();
                self.answer_appended(ask);
                let idle = plan.effects.is_empty();
                self.dispatch_as(plan.role, plan.effects);
                match (plan.role, plan.lease) {
                    // Nothing is to be done with the lease now: it is released.
                    (Role::Taker(_), LeaseChange::Take { .. }) if idle => Turned::Again,
                    (Role::Driver(_) | Role::Taker(_) | Role::Clerk, _) => {
                        self.let_go_if_ended();
                        Turned::Done
                    }
                }
            }
            Ok(AppendOutcome::Exists(stored)) => self.exists(*stored, sent.at, ask).await,
            Ok(AppendOutcome::Stale) => {
                if planted::is(Planted::BehindDroppedOnStale) {
                    self.unsaved.clear();
                }
                self.forget_state();
                Turned::Again
            }
            Ok(AppendOutcome::Fenced) => {
                if planted::is(Planted::CallAfterLostLease)
                    || planted::is(Planted::ThawedAppendsWithoutToken)
                {
                    self.forget_state();
                } else {
                    self.let_go();
                    self.holder = match plan.role {
                        Role::Taker(_) => Holder::Another,
                        Role::Driver(_) | Role::Clerk => Holder::Told,
                    };
                }
                Turned::Again
            }
            Err(ref error) => self.failed(error, &plan, &sent, ask).await,
        }
    }

    /// A creation met a record. It is this driver's own, and so is its lease, if it bears this process's name and the
    /// time of a creation whose fate was unknown.
    async fn exists(&mut self, stored: Stored, sent_at: Duration, ask: &mut Option<Ask>) -> Turned {
        let (owner, token) = (stored.header.owner, stored.header.token);
        let living = stored.header.is_leased(self.shared.now());
        let creation = self.creation.take();
        self.forget_state();
        if !self.adopt_stored(stored, sent_at, ask).await {
            return Turned::Done;
        }
        let created_at = self.record.as_ref().map(|record| record.txn.created_at());
        let mine = |creation: &Creation| {
            let created_here = owner == Some(self.shared.config.owner)
                && token == FencingToken(1)
                && created_at == Some(creation.created_at);
            created_here || planted::is(Planted::TwoDriversAfterAmbiguousCreation)
        };
        if let Some(creation) = creation.filter(mine).filter(|_| living) {
            let lease = self.shared.config.lease;
            let until = creation.sent_at + lease;
            if until.saturating_sub(self.shared.boot()) >= lease / 2 {
                self.handle.lease.set(Some(Held { token, until }));
            } else {
                // It was applied late, and may end before it is renewed: it is taken anew.
                self.holder = Holder::Nobody;
            }
        }
        Turned::Again
    }

    async fn failed(
        &mut self,
        error: &StoreError,
        plan: &Plan,
        sent: &Sent,
        ask: &mut Option<Ask>,
    ) -> Turned {
        let created_at = self.record.as_ref().map(|record| record.txn.created_at());
        self.forget_state();
        match error.kind {
            StoreErrorKind::Unavailable => {
                self.answer(ask, Err(store_failed(error, Some(&self.gid))));
                self.again_while_held().await
            }
            StoreErrorKind::Ambiguous => {
                if self.is_out_of_hand(plan, sent) {
                    // Its calls may be made by another now.
                    self.handle.lease.set(None);
                    self.drop_calls();
                }
                if plan.expected == Expected::Absent
                    && creates_now(ask.as_ref())
                    && let Some(created_at) = created_at
                {
                    self.creation.get_or_insert(Creation {
                        created_at,
                        sent_at: sent.at,
                    });
                }
                if ask.is_some() {
                    self.beside(tokio::time::sleep(STORE_BACKOFF)).await;
                    Turned::Again
                } else {
                    self.again_while_held().await
                }
            }
            StoreErrorKind::Corrupt | StoreErrorKind::Invalid => {
                tracing::error!(gid = %self.gid, %error, "an append was refused");
                let asked = ask.is_some();
                self.answer(ask, Err(store_failed(error, Some(&self.gid))));
                // What was asked is too large or wrong: the transaction goes on without. What the driver itself must
                // append and can't stands until an operator looks.
                if !asked && self.held().is_some() {
                    self.let_go();
                    self.shared.isolate(&self.gid).await;
                }
                Turned::Done
            }
        }
    }

    async fn again_while_held(&mut self) -> Turned {
        if self.wait_for_store().await {
            Turned::Again
        } else {
            Turned::Done
        }
    }

    fn dispatch_as(&mut self, role: Role, effects: Vec<seata_core::Effect>) {
        match role {
            Role::Driver(token) | Role::Taker(token) => self.dispatch(effects, token),
            Role::Clerk => {}
        }
    }

    fn answer_appended(&mut self, ask: &mut Option<Ask>) {
        let asked = ask.take().and_then(|ask| self.join(ask));
        if let Some(ask) = asked {
            match self.appended_snapshot() {
                Some(snapshot) => reply(ask, Ok(snapshot)),
                None => reply(
                    ask,
                    Err(EngineError::NotFound {
                        gid: self.gid.clone(),
                    }),
                ),
            }
        }
    }

    /// The planted bug: tells a client what is not durable.
    fn answer_early(&mut self, ask: &mut Option<Ask>, plan: &Plan) {
        let Some(record) = &self.record else { return };
        let header = self.append_of(plan).judge(record.header.as_ref(), plan.now);
        if let (Ok(header), Some(ask)) = (header, ask.take()) {
            reply(
                ask,
                Ok(crate::snapshot::Snapshot {
                    transaction: std::sync::Arc::clone(&record.txn),
                    header,
                }),
            );
        }
    }

    fn let_go_if_ended(&mut self) {
        let ended = self
            .record
            .as_ref()
            .and_then(|record| record.header.as_ref())
            .is_some_and(|header| match header.status {
                Status::Committed | Status::Aborted | Status::Stuck => true,
                Status::Prepared | Status::Submitted | Status::Aborting => false,
            });
        if ended && self.pending.is_empty() {
            self.let_go();
        }
    }
}

/// Answers the pause before one more try: servers that write to one transaction take different ones.
fn pause(owner: Owner, tries: u32) -> Duration {
    let doubled = Duration::from_millis(2) * (1 << (tries - TRIES_AT_ONCE_MAX).min(5));
    let byte = owner.0.to_le_bytes()[tries as usize % 16];
    doubled.min(PAUSE_MAX) * (128 + u32::from(byte)) / 256
}

/// The planted bug: a branch of a TCC is called, or told, before it is durable.
fn registers_too_late(ask: Option<&Ask>) -> bool {
    let asked = ask.map(|ask| &ask.asked);
    planted::is(Planted::TccCancelBeforeRegistrationDurable)
        && matches!(asked, Some(Asked::AddBranch(_) | Asked::Try(_)))
}

fn creates_now(ask: Option<&Ask>) -> bool {
    match ask.map(|ask| &ask.asked) {
        Some(Asked::Create {
            submission: Submission::Now,
            ..
        }) => true,
        Some(
            Asked::Create {
                submission: Submission::Later,
                ..
            }
            | Asked::AddBranch(_)
            | Asked::Submit
            | Asked::Abort { .. }
            | Asked::Order(_)
            | Asked::Try(_)
            | Asked::ConfirmBranch(_)
            | Asked::CancelBranch(_)
            | Asked::Complete(_),
        )
        | None => false,
    }
}

//! A release of the lease whose fate is unknown: it may have been applied, or may be yet.
//!
//! What this driver knows stays with it, but nothing is called until an append of this driver's was applied, or the
//! record shows what became of the release. Both are conditional on one revision: whichever comes first, the other
//! never will.

use seata_core::planted::{self, Planted};
use seata_store::{Expected, LeaseChange, Revision};

use crate::driver::Driver;
use crate::driver::append::Sent;
use crate::driver::calls::Calls;
use crate::driver::plan::{Plan, Role};
use crate::journal::{Appended, is_lost};

/// A release that may be applied, now or later, as long as the record stands at this revision.
#[derive(Debug, Clone, Copy)]
pub(super) struct Uncertain {
    revision: Revision,
}

impl Driver {
    /// Takes note of what the store answered to a release. Calls are held back until its fate is known.
    pub(super) fn note_release(&mut self, plan: &Plan, answer: &Appended) {
        if let (true, Role::Driver(_), Expected::At { revision, .. }) =
            (is_lost(answer), plan.role, plan.expected)
            && !self.has_flights()
            && !planted::is(Planted::CallsWhileReleaseUncertain)
            && !planted::is(Planted::LostReleaseForgetsAnswers)
        {
            self.uncertain = Some(Uncertain { revision });
        }
        if self.uncertain.is_none() {
            self.handle.lease.go_on();
        }
    }

    /// Notes that no release of this driver's is under way any more.
    pub(super) fn release_is_certain(&mut self) {
        if self.uncertain.take().is_some() {
            self.handle.lease.go_on();
        }
    }

    /// Looks at the record that was read: an append to a later revision shows that the release can't be applied any more.
    pub(super) fn judge_release(&mut self) {
        let stored = self
            .record
            .as_ref()
            .and_then(|record| record.header.as_ref());
        if let (Some(uncertain), Some(header)) = (self.uncertain, stored)
            && header.revision > uncertain.revision
        {
            self.release_is_certain();
        }
    }

    /// Answers whether a turn in this role must append before anything else, to learn who drives.
    pub(super) fn must_prove_lease(&self, role: Role) -> bool {
        match role {
            Role::Driver(_) => self.uncertain.is_some(),
            Role::Taker(_) | Role::Clerk => false,
        }
    }

    /// Lets go of a lease that the record shows as lost. If it was released by an append of this driver's, those who wait
    /// here are told what that came to.
    pub(super) fn let_go_overtaken(&mut self) {
        let token = self.held().map(|held| held.token);
        if let Some(snapshot) = self.appended_snapshot()
            && Some(snapshot.header.token) == token
        {
            self.shared.publish(&snapshot);
        }
        self.let_go();
    }

    /// Answers whether a release may be applied while calls are in flight: they can't be kept from being made twice.
    pub(super) fn is_out_of_hand(&self, plan: &Plan, sent: &Sent) -> bool {
        sent.may_release(plan)
            && self.uncertain.is_none()
            && !planted::is(Planted::CallsWhileReleaseUncertain)
    }

    /// Gives up the calls that are in flight, because others may make them now. The state goes on knowing that they
    /// were made.
    pub(super) fn break_off_calls(&mut self) {
        if !self.calls.is_empty() {
            self.calls = Calls::new();
        }
        self.queued.clear();
    }

    /// Answers whether calls were begun whose answers are not known.
    pub(super) fn has_flights(&self) -> bool {
        let flights = self.handle.flights.lock();
        !flights
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .is_empty()
    }
}

impl Sent {
    /// Answers whether this may have released the lease, or may yet.
    pub(super) fn may_release(&self, plan: &Plan) -> bool {
        plan.lease == LeaseChange::Release && is_lost(&self.answer)
    }
}

//! Plans a turn: in which role it is taken, what the core decides, and how that is to be appended.

use std::sync::Arc;

use seata_core::planted::{self, Planted};
use seata_core::{
    AppendMode, Effect, FencingToken, Input, Next, Rejection, Step, Transaction, UnixMillis,
};
use seata_store::{Expected, LeaseChange};

use crate::driver::record::{Record, skips_recovery};
use crate::driver::wanted::Wanted;
use crate::driver::{Driver, Holder};
use crate::error::EngineError;
use crate::mailbox::{Ask, Asked, Submission};
use crate::snapshot::Snapshot;

/// In which role a turn is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// This driver holds the lease under this token.
    Driver(FencingToken),
    /// The append takes the lease; the token will be this.
    Taker(FencingToken),
    /// Another server drives, or nobody needs to: only the order is recorded.
    Clerk,
}

/// What a turn will do.
pub(super) struct Plan {
    pub(super) role: Role,
    pub(super) expected: Expected,
    pub(super) lease: LeaseChange,
    pub(super) wake_at: Option<UnixMillis>,
    pub(super) effects: Vec<Effect>,
    pub(super) now: UnixMillis,
    pub(super) needed: Needed,
}

/// Whether and when a turn appends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needed {
    /// Nothing changed.
    Nothing,
    /// The events may travel with a later append.
    Behind,
    /// Before anything else.
    Append,
}

impl Driver {
    /// Steps the state as far as it goes. A question that is refused is answered here, and the turn goes on without it.
    /// None: the state is too old to refuse it.
    pub(super) fn plan(&mut self, ask: &mut Option<Ask>) -> Option<Plan> {
        let record = self
            .record
            .as_ref()
            .expect("invariant: a turn has a record");
        let now = self.shared.now().max(record.txn.updated_at());
        let role = self.role(record, ask.as_ref().map(|ask| &ask.asked), now);
        match role {
            Role::Driver(_) => {}
            Role::Taker(_) | Role::Clerk => self.drop_stale_recovery(),
        }
        if let (Role::Taker(token), Some(ask)) = (role, ask.as_ref())
            && !skips_recovery(&ask.asked)
        {
            self.recover_if_needed(token);
        }
        let mut step = self.feed(role, now);
        if let Role::Driver(token) = role {
            step.then(self.doubt_lost_tries(token, now));
        }
        let refused = match self.wanted(ask.as_ref()) {
            Ok(Wanted::Read) => None,
            Ok(Wanted::Input(input)) => match self.txn_mut().record(input, now) {
                Ok(more) => {
                    step.then(more);
                    None
                }
                Err(rejection) => {
                    let present = self.appended_snapshot().map(Box::new);
                    Some(EngineError::Rejected { rejection, present })
                }
            },
            Err(error) => Some(error),
        };
        if let Some(error) = refused {
            if self.is_older_than(ask.as_ref()) {
                return None;
            }
            self.answer(ask, Err(error));
        }
        if let Role::Driver(token) | Role::Taker(token) = role {
            self.withdraw_unwanted(now);
            step.then(certain(self.txn_mut().advance(Input::Wake, token, now)));
        }
        if self.pending.is_empty() {
            self.pending = std::mem::take(&mut step.events);
        } else {
            self.pending.append(&mut step.events);
        }
        Some(self.finish_plan(role, step, ask.is_some(), now))
    }

    fn role(&self, record: &Record, asked: Option<&Asked>, now: UnixMillis) -> Role {
        let Some(header) = &record.header else {
            return match asked {
                Some(Asked::Create {
                    submission: Submission::Now,
                    ..
                }) => Role::Taker(FencingToken(1)),
                Some(_) | None => Role::Clerk,
            };
        };
        if self.held().is_some_and(|held| held.token == header.token) {
            return Role::Driver(header.token);
        }
        // Also while this process itself holds a living lease of which this driver doesn't know: a claim whose answer is
        // on its way will drive.
        let foreign = match self.holder {
            Holder::Told => header.is_leased(now),
            Holder::Another => true,
            Holder::Nobody => false,
        };
        match asked {
            None
            | Some(
                Asked::AddBranch(_)
                | Asked::Create {
                    submission: Submission::Later,
                    ..
                },
            ) => Role::Clerk,
            Some(
                Asked::Create {
                    submission: Submission::Now,
                    ..
                }
                | Asked::Submit
                | Asked::Abort { .. }
                | Asked::Order(_)
                | Asked::Try(_)
                | Asked::ConfirmBranch(_)
                | Asked::CancelBranch(_)
                | Asked::Complete(_),
            ) => {
                if foreign {
                    Role::Clerk
                } else {
                    Role::Taker(FencingToken(header.token.0 + 1))
                }
            }
        }
    }

    /// Feeds the state what it has not been fed. Nothing is decided before all of it is known, orders included.
    fn feed(&mut self, role: Role, now: UnixMillis) -> Step {
        let next = match role {
            Role::Driver(_) | Role::Taker(_) => Next::WakeAt(now),
            Role::Clerk => certain(self.txn_mut().step(Input::Wake, now)).next,
        };
        let mut step = Step {
            events: Vec::new(),
            effects: Vec::new(),
            next,
            append: AppendMode::Behind,
        };
        while let Some(input) = self.unsaved.get(self.fed).cloned() {
            self.fed += 1;
            step.then(certain(self.txn_mut().record(input, now)));
        }
        step
    }

    /// Marks as in doubt what was begun by an append whose reply was lost: it is called by nobody, and nobody else would
    /// see that before the lease ends.
    fn doubt_lost_tries(&mut self, token: FencingToken, now: UnixMillis) -> Step {
        let txn = self.txn_mut();
        if txn.has_lost_try() {
            certain(txn.record(Input::Recover { token }, now))
        } else {
            Step {
                events: Vec::new(),
                effects: Vec::new(),
                next: Next::WakeAt(now),
                append: AppendMode::Behind,
            }
        }
    }

    fn finish_plan(&self, role: Role, step: Step, asked: bool, now: UnixMillis) -> Plan {
        let record = self
            .record
            .as_ref()
            .expect("invariant: a turn has a record");
        let idle = step.effects.is_empty() && record.txn.in_flight() == 0;
        let (lease, wake_at) = self.lease_change(role, step.next, idle, now);
        let ended = step.next == Next::Nobody && self.pending.is_empty();
        let releases = lease == LeaseChange::Release && self.held().is_some() && !ended;
        let overdue = self
            .pending_since
            .is_some_and(|since| since + self.shared.config.behind_delay_max <= self.shared.boot());
        let takes = matches!(role, Role::Taker(_)) && !step.effects.is_empty();
        let needed = match (self.pending.is_empty(), step.append) {
            _ if releases || takes || self.must_prove_lease(role) => Needed::Append,
            (true, _) => Needed::Nothing,
            (false, AppendMode::BeforeEffects) => Needed::Append,
            (false, AppendMode::Behind) if overdue || asked || role == Role::Clerk => {
                Needed::Append
            }
            (false, AppendMode::Behind) => match role {
                Role::Taker(_) => Needed::Append,
                Role::Driver(_) | Role::Clerk => Needed::Behind,
            },
        };
        let expected = match &record.header {
            None => Expected::Absent,
            Some(header) => Expected::At {
                revision: header.revision,
                token: header.token,
            },
        };
        Plan {
            role,
            expected,
            lease,
            wake_at,
            effects: step.effects,
            now,
            needed,
        }
    }

    /// Says what becomes of the lease and the wake-up. See `needs_recovery` for the invariant about late wake-ups.
    fn lease_change(
        &self,
        role: Role,
        next: Next,
        idle: bool,
        now: UnixMillis,
    ) -> (LeaseChange, Option<UnixMillis>) {
        let take = LeaseChange::Take {
            owner: self.shared.config.owner,
            lasts: self.shared.config.lease,
        };
        let open_at = |at| {
            if planted::is(Planted::WakeUpLost) {
                None
            } else {
                Some(at)
            }
        };
        match (role, next) {
            (Role::Clerk, Next::WakeAt(at)) => (LeaseChange::Keep, Some(at)),
            (Role::Clerk, Next::Nobody | Next::Operator) => (LeaseChange::Keep, None),
            (Role::Driver(_) | Role::Taker(_), Next::Nobody | Next::Operator)
                if self.may_release(role) =>
            {
                (LeaseChange::Release, None)
            }
            (Role::Driver(_) | Role::Taker(_), Next::Nobody | Next::Operator) => (take, None),
            (Role::Driver(_) | Role::Taker(_), Next::WakeAt(at))
                if idle && at > now.plus(self.shared.config.linger) && self.may_release(role) =>
            {
                (LeaseChange::Release, open_at(at))
            }
            (Role::Driver(_), Next::WakeAt(_)) => (LeaseChange::Keep, open_at(now)),
            (Role::Taker(_), Next::WakeAt(_)) => (take, open_at(now)),
        }
    }

    /// Says whether the lease may be released. A taker takes one that has only run out by this server's clock, so that the
    /// store judges whether it has: another may still drive. It is released then.
    fn may_release(&self, role: Role) -> bool {
        match role {
            Role::Driver(_) | Role::Clerk => true,
            Role::Taker(_) => self
                .record
                .as_ref()
                .and_then(|record| record.header.as_ref())
                .is_none_or(|header| header.lease_until.is_none()),
        }
    }

    fn txn_mut(&mut self) -> &mut Transaction {
        let record = self
            .record
            .as_mut()
            .expect("invariant: a turn has a record");
        Arc::make_mut(&mut record.txn)
    }

    /// Answers the state if all of it is appended.
    pub(super) fn appended_snapshot(&self) -> Option<Snapshot> {
        let record = self.record.as_ref()?;
        let header = record.header.clone()?;
        Some(Snapshot {
            transaction: Arc::clone(&record.txn),
            header,
        })
    }
}

/// What a driver saw itself is never rejected.
fn certain(step: Result<Step, Rejection>) -> Step {
    step.unwrap_or_else(|rejection| {
        panic!("invariant: a driver's own input is never rejected: {rejection}")
    })
}

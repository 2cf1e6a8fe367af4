//! The states of a saga, each owning what is only known in it.

use crate::agenda::Agenda;
use crate::branch::Flights;
use crate::event::{AbortCause, End};
use crate::text::Reason;
use crate::time::UnixMillis;

/// Which way an open saga goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Side {
    /// Not submitted.
    Prepared,
    /// Every action will be called.
    Running {
        submitted_at: UnixMillis,
        agenda: Agenda,
    },
    /// What may have taken effect is compensated.
    Aborting { agenda: Agenda },
}

/// Where a saga stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    Open(Side),
    /// Only an operator can go on; the side is kept.
    Stuck {
        side: Side,
        reason: Reason,
    },
    Ended(End),
}

/// An operator's order to end it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Forced {
    pub(crate) to: End,
}

/// What only a saga knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saga {
    pub(crate) phase: Phase,
    pub(crate) flights: Flights,
    /// Why it must turn round, or did: the first cause stays.
    pub(crate) cause: Option<AbortCause>,
    /// An order to end it that was recorded; the driver carries it out.
    pub(crate) forced: Option<Forced>,
    /// An operator skipped or forced something: the end is not the participants' own (P3).
    pub(crate) overridden: Option<Reason>,
}

impl Saga {
    pub(crate) const fn new() -> Self {
        Self {
            phase: Phase::Open(Side::Prepared),
            flights: Flights::NONE,
            cause: None,
            forced: None,
            overridden: None,
        }
    }

    /// Answers the side of an open saga, stuck or not.
    pub(crate) const fn side(&self) -> Option<&Side> {
        match &self.phase {
            Phase::Open(side) | Phase::Stuck { side, .. } => Some(side),
            Phase::Ended(_) => None,
        }
    }

    /// Answers the end that an operator ordered, carried out or not.
    pub(crate) const fn forced_to(&self) -> Option<End> {
        match &self.forced {
            Some(forced) => Some(forced.to),
            None => None,
        }
    }

    pub(crate) const fn agenda(&self) -> Option<&Agenda> {
        match self.side() {
            Some(Side::Running { agenda, .. } | Side::Aborting { agenda }) => Some(agenda),
            Some(Side::Prepared) | None => None,
        }
    }

    pub(crate) const fn agenda_mut(&mut self) -> Option<&mut Agenda> {
        match &mut self.phase {
            Phase::Open(side) | Phase::Stuck { side, .. } => match side {
                Side::Running { agenda, .. } | Side::Aborting { agenda } => Some(agenda),
                Side::Prepared => None,
            },
            Phase::Ended(_) => None,
        }
    }
}

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
pub(crate) type Phase = crate::phase::Phase<Side>;

/// What only a saga knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saga {
    pub(crate) phase: Phase,
    pub(crate) flights: Flights,
    /// Why it must turn round, or did: the first cause stays.
    pub(crate) cause: Option<AbortCause>,
    /// The end that an operator ordered; the driver carries it out.
    pub(crate) forced: Option<End>,
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
        self.phase.side()
    }

    pub(crate) const fn agenda(&self) -> Option<&Agenda> {
        match self.side() {
            Some(Side::Running { agenda, .. } | Side::Aborting { agenda }) => Some(agenda),
            Some(Side::Prepared) | None => None,
        }
    }

    pub(crate) const fn agenda_mut(&mut self) -> Option<&mut Agenda> {
        match self.phase.side_mut() {
            Some(Side::Running { agenda, .. } | Side::Aborting { agenda }) => Some(agenda),
            Some(Side::Prepared) | None => None,
        }
    }
}

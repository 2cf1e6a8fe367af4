//! The states of a TCC, each owning what is only known in it.

use crate::agenda::Agenda;
use crate::branch::Flights;
use crate::dag::Dag;
use crate::event::{AbortCause, End};
use crate::table::Table;
use crate::tcc::place;
use crate::text::Reason;

/// What was decided for an open TCC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Side {
    /// Nothing: tries run.
    Trying,
    /// To confirm every branch.
    Confirming { agenda: Agenda },
    /// To cancel every branch.
    Cancelling { agenda: Agenda },
}

/// Where a TCC stands.
pub(crate) type Phase = crate::phase::Phase<Side>;

/// What only a TCC knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tcc {
    pub(crate) phase: Phase,
    pub(crate) flights: Flights,
    /// Why it must be cancelled, or was: the first cause stays.
    pub(crate) cause: Option<AbortCause>,
    /// The end that an operator ordered; the driver carries it out.
    pub(crate) forced: Option<End>,
    /// An operator skipped or forced something: the end is not the participants' own (P3).
    pub(crate) overridden: Option<Reason>,
}

impl Tcc {
    pub(crate) const fn new() -> Self {
        Self {
            phase: Phase::Open(Side::Trying),
            flights: Flights::NONE,
            cause: None,
            forced: None,
            overridden: None,
        }
    }

    /// Answers the side of an open TCC, stuck or not.
    pub(crate) const fn side(&self) -> Option<&Side> {
        self.phase.side()
    }

    pub(crate) const fn agenda(&self) -> Option<&Agenda> {
        match self.side() {
            Some(Side::Confirming { agenda } | Side::Cancelling { agenda }) => Some(agenda),
            Some(Side::Trying) | None => None,
        }
    }

    pub(crate) const fn agenda_mut(&mut self) -> Option<&mut Agenda> {
        match self.phase.side_mut() {
            Some(Side::Confirming { agenda } | Side::Cancelling { agenda }) => Some(agenda),
            Some(Side::Trying) | None => None,
        }
    }
}

/// Begins an agenda of all branches, none of which waits for another.
pub(super) fn all_branches(table: &Table) -> Agenda {
    let mut agenda = Agenda::forward(Dag::independent(), table.len());
    for (index, branch) in table.iter() {
        place(&mut agenda, index, branch);
    }
    agenda
}

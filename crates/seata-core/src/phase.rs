//! Where a transaction stands, in every mode. Which sides there are is the mode's own.

use crate::agenda::Agenda;
use crate::event::End;
use crate::operation::{Operation, Outcome};
use crate::table::Table;
use crate::text::Reason;
use crate::transaction::{Applied, Illegal};

/// Where a transaction stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase<Side> {
    Open(Side),
    /// Only an operator can go on; the side is kept.
    Stuck {
        side: Side,
        reason: Reason,
    },
    Ended(End),
}

impl<Side> Phase<Side> {
    /// Answers the side of what is open, stuck or not.
    pub(crate) const fn side(&self) -> Option<&Side> {
        match self {
            Self::Open(side) | Self::Stuck { side, .. } => Some(side),
            Self::Ended(_) => None,
        }
    }

    pub(crate) const fn side_mut(&mut self) -> Option<&mut Side> {
        match self {
            Self::Open(side) | Self::Stuck { side, .. } => Some(side),
            Self::Ended(_) => None,
        }
    }

    /// Comes to a standstill; the side stays.
    pub(crate) fn stick(&mut self, reason: &Reason) -> Applied {
        match std::mem::replace(self, Self::Ended(End::Aborted)) {
            Self::Open(side) => {
                *self = Self::Stuck {
                    side,
                    reason: reason.clone(),
                };
                Ok(())
            }
            Self::Stuck { .. } | Self::Ended(_) => Err(Illegal),
        }
    }

    /// An operator's order ends the standstill; the side stays.
    pub(crate) fn reopen(&mut self) {
        *self = match std::mem::replace(self, Self::Ended(End::Aborted)) {
            Self::Open(side) | Self::Stuck { side, .. } => Self::Open(side),
            Self::Ended(end) => Self::Ended(end),
        };
    }
}

/// Says why nothing of an operation can go on: who refused it.
pub(crate) fn stuck_reason(table: &Table, agenda: &Agenda, operation: Operation) -> Reason {
    let refused = agenda
        .unsettled()
        .filter_map(|index| table.get(index))
        .find_map(
            |branch| match &branch.progress(operation).last.as_ref()?.outcome {
                Outcome::Failure { reason } => Some((&branch.definition.branch_id, reason)),
                Outcome::Success | Outcome::Ongoing | Outcome::Unknown { .. } => None,
            },
        );
    match refused {
        Some((branch_id, said)) => Reason::new(&format!(
            "branch {branch_id} refused its {operation}{}",
            said.behind_colon()
        )),
        None => Reason::new(&format!("no {operation} can go on")),
    }
}

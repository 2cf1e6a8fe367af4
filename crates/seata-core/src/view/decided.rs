//! Which way a TCC was decided.

use crate::event::End;
use crate::tcc::{Phase, Side, Tcc};
use crate::transaction::{ModeState, Transaction};

impl Transaction {
    /// Answers the end that a TCC was decided for, also while whoever drives it has yet to carry out the order that was
    /// recorded. None: nothing is decided, or it is a saga, which may still turn round.
    #[must_use]
    pub const fn decided(&self) -> Option<End> {
        match &self.state {
            ModeState::Saga(_) => None,
            ModeState::Tcc(tcc) => decided(tcc),
        }
    }
}

const fn decided(tcc: &Tcc) -> Option<End> {
    match &tcc.phase {
        Phase::Ended(end) => Some(*end),
        Phase::Open(side) | Phase::Stuck { side, .. } => match (side, tcc.forced, &tcc.cause) {
            (Side::Confirming { .. }, _, _) => Some(End::Committed),
            (Side::Cancelling { .. }, _, _) => Some(End::Aborted),
            (Side::Trying, Some(end), _) => Some(end),
            (Side::Trying, None, Some(_)) => Some(End::Aborted),
            (Side::Trying, None, None) => None,
        },
    }
}

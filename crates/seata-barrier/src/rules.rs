//! What follows from which rows were there: the one table of the barrier. It knows no database.

use http::StatusCode;
use seata_core::Operation;

/// Says whether the participant does the work.
#[must_use]
#[derive(Debug)]
pub enum Claim<T> {
    /// Nobody did this operation yet: do the work in this transaction, commit it, then answer success.
    ///
    /// To refuse, roll it back and answer 409: then nothing was claimed.
    Run(T),
    /// Do no work, and give the answer that this says. What had to be remembered is committed.
    Skip(Skip),
}

/// Why an operation needs no work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Skip {
    /// It has been done before. Answer success.
    Duplicate,
    /// Its action (or try) never took effect here and never will: nothing to undo. Answer success.
    Null,
    /// Its compensation (or cancel) came first. Answer a refusal: doing it now would never be undone.
    Hanging,
}

impl Skip {
    /// Answers the status of the HTTP answer: 200, or 409 for a hanging action.
    #[must_use]
    pub const fn http_status(self) -> StatusCode {
        match self {
            Self::Duplicate | Self::Null => StatusCode::OK,
            Self::Hanging => StatusCode::CONFLICT,
        }
    }

    /// Answers a sentence for a person.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Duplicate => "done before",
            Self::Null => "nothing to undo: it was never done",
            Self::Hanging => "refused: it has been undone before it came",
        }
    }
}

/// How an operation is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Its own row: a compensation may have taken it first.
    Forward,
    /// Its own row and, before that, the row of what it undoes.
    Backward {
        /// The operation that it undoes.
        undone: Operation,
    },
    /// Its own row, which nobody else takes.
    Alone,
}

impl Plan {
    pub(crate) const fn of(operation: Operation) -> Self {
        match operation {
            Operation::Action | Operation::Try => Self::Forward,
            Operation::Compensation => Self::Backward {
                undone: Operation::Action,
            },
            Operation::Cancel => Self::Backward {
                undone: Operation::Try,
            },
            Operation::Confirm => Self::Alone,
        }
    }
}

/// What the unique key said to an insert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    New,
    Exists,
}

/// Judges a compensation or cancel whose own row was there already, or whose action's row was not.
pub(crate) const fn backward(undone: Inserted, own: Inserted) -> Backward {
    match (undone, own) {
        (Inserted::New | Inserted::Exists, Inserted::Exists) => Backward::Skip(Skip::Duplicate),
        (Inserted::New, Inserted::New) => Backward::Skip(Skip::Null),
        (Inserted::Exists, Inserted::New) => Backward::AskWhoClaimed,
    }
}

/// What two inserts say about a compensation or cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backward {
    Skip(Skip),
    /// It runs if the row of what it undoes is that operation's own. A purge may have left the row of an earlier null compensation.
    AskWhoClaimed,
}

/// Judges a compensation or cancel that comes for the first time, by who had inserted the row of what it undoes.
pub(crate) fn undo(undone: Operation, claimed_by: &str) -> Option<Skip> {
    (claimed_by != undone.as_str()).then_some(Skip::Null)
}

/// Judges an action or try whose row was there already, by who had inserted it.
pub(crate) fn forward(operation: Operation, claimed_by: &str) -> Skip {
    if claimed_by == operation.as_str() {
        Skip::Duplicate
    } else {
        Skip::Hanging
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Inserted::{Exists, New};

    #[test]
    fn what_undoes_claims_what_it_undoes() {
        let plans = Operation::ALL.map(Plan::of);
        assert_eq!(
            plans,
            [
                Plan::Forward,
                Plan::Backward {
                    undone: Operation::Action
                },
                Plan::Forward,
                Plan::Alone,
                Plan::Backward {
                    undone: Operation::Try
                },
            ]
        );
    }

    #[test]
    fn a_compensation_runs_only_after_its_action_and_once() {
        assert_eq!(backward(Exists, New), Backward::AskWhoClaimed);
        assert_eq!(backward(New, New), Backward::Skip(Skip::Null));
        assert_eq!(backward(Exists, Exists), Backward::Skip(Skip::Duplicate));
        assert_eq!(backward(New, Exists), Backward::Skip(Skip::Duplicate));
        assert_eq!(undo(Operation::Action, "action"), None);
        assert_eq!(undo(Operation::Action, "compensation"), Some(Skip::Null));
        assert_eq!(undo(Operation::Try, "cancel"), Some(Skip::Null));
    }

    #[test]
    fn an_action_is_refused_only_after_its_compensation() {
        assert_eq!(forward(Operation::Action, "action"), Skip::Duplicate);
        assert_eq!(forward(Operation::Action, "compensation"), Skip::Hanging);
        assert_eq!(forward(Operation::Try, "try"), Skip::Duplicate);
        assert_eq!(forward(Operation::Try, "cancel"), Skip::Hanging);
    }

    #[test]
    fn only_a_hanging_action_is_answered_with_a_refusal() {
        assert_eq!(Skip::Duplicate.http_status(), StatusCode::OK);
        assert_eq!(Skip::Null.http_status(), StatusCode::OK);
        assert_eq!(Skip::Hanging.http_status(), StatusCode::CONFLICT);
    }
}

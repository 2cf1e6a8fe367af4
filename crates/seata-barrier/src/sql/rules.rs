//! What follows from which rows were there: the one table of the barrier. It knows no database.

use seata_core::Operation;

use crate::Skip;

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
}

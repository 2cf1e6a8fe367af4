//! Which rows an operation claims. It knows no database.

use seata_core::Operation;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}

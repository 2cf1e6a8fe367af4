//! What the runner tells the load, one JSON text a line, and what it hears.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::calls::Calls;
use crate::case::Shape;
use crate::coordinator::Coordinator;

/// Work for the load.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Submits, on each connection one after the other.
    Submit { work: Work, until: Until },
    /// Looks at every transaction that was accepted so far, once, where the coordinator speaks HTTP.
    Check {
        target: SocketAddr,
        who: Coordinator,
    },
}

/// What is submitted, and to whom.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) who: Coordinator,
    /// Where it speaks the wire of the shape.
    pub(crate) target: SocketAddr,
    pub(crate) stub: SocketAddr,
    pub(crate) shape: Shape,
}

/// When submitting ends.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Until {
    Seconds(f64),
    Accepted(u64),
}

/// What came of an order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    Submitted(Submitted),
    Checked(Checked),
    Failed(String),
}

/// What came of submitting.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Submitted {
    /// Answers 200 to the last request of a transaction.
    pub(crate) accepted: u64,
    /// Answers 429. The load pauses and sends the same again.
    pub(crate) refused: u64,
    /// The calls that the accepted ones must lead to.
    pub(crate) calls: Calls,
    pub(crate) seconds: f64,
    /// From the first request of a transaction to the answer to its submission.
    pub(crate) p50_us: u32,
    pub(crate) p99_us: u32,
}

/// What came of looking.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checked {
    /// Those that have the end that they must have.
    pub(crate) right: u64,
    /// Those that are missing, have another state, or were never accepted.
    pub(crate) wrong: u64,
    /// One of these.
    pub(crate) example: Option<String>,
}

impl Checked {
    /// Counts one that is right.
    pub(crate) fn found(&mut self) {
        self.right += 1;
    }

    /// Counts one that is not.
    pub(crate) fn complain(&mut self, what: impl FnOnce() -> String) {
        self.wrong += 1;
        self.example.get_or_insert_with(what);
    }

    /// Says whether all that were accepted are right, and nothing else is there.
    ///
    /// # Errors
    /// They aren't.
    pub(crate) fn judge(&self, accepted: u64) -> anyhow::Result<()> {
        self.judge_beside(0, accepted)
    }

    /// Says the same beside so many others that another load left there.
    ///
    /// # Errors
    /// They aren't right, or there are more or fewer others.
    pub(crate) fn judge_beside(&self, others: u64, accepted: u64) -> anyhow::Result<()> {
        if self.wrong != others || self.right != accepted {
            let example = self.example.as_deref().unwrap_or_default();
            anyhow::bail!(
                "of {accepted} accepted transactions {} are stored as they must have ended, and {} aren't: {example}",
                self.right,
                self.wrong
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_must_be_as_many_as_were_left_there() {
        assert!(checked(3, 2).judge_beside(2, 3).is_ok());
        assert!(checked(3, 2).judge_beside(1, 3).is_err());
        assert!(checked(3, 1).judge_beside(2, 3).is_err());
    }

    fn checked(right: u64, wrong: u64) -> Checked {
        let mut checked = Checked::default();
        (0..right).for_each(|_| checked.found());
        (0..wrong).for_each(|at| checked.complain(|| format!("{at} is ABORTED")));
        checked
    }

    #[test]
    fn one_transaction_in_another_state_or_missing_fails_the_run() {
        assert!(checked(9, 0).judge(9).is_ok());
        assert!(checked(9, 1).judge(9).is_err());
        assert!(checked(8, 0).judge(9).is_err());
        assert!(checked(10, 0).judge(9).is_err());
    }

    #[test]
    fn the_first_wrong_one_is_the_example() {
        assert_eq!(checked(0, 3).example.as_deref(), Some("0 is ABORTED"));
    }
}

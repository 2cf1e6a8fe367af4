//! Which questions are taken: beyond a bound, what brings content is refused, and accepted work goes on.

use crate::content;
use crate::error::EngineError;
use crate::mailbox::Asked;
use crate::shared::{RETRY_AFTER, Shared};

/// What is full when `active_max` or `active_bytes_max` is reached.
pub(crate) const MEMORY: &str = "the memory for active transactions";

/// What is full when `questions_max` is reached.
pub(crate) const QUESTIONS: &str = "the queue of questions about this transaction";

/// What is full when `waiters_max` is reached.
pub(crate) const WAITERS: &str = "the room for waiting clients";

/// What a question brings.
enum Brings {
    /// A transaction: whoever drives it makes room for it, or has it already.
    Transaction,
    /// A branch of so many bytes.
    Branch(usize),
    /// A few bytes: an order, or the submission of what was taken.
    Order,
}

fn brings(asked: &Asked) -> Brings {
    match asked {
        Asked::Create { .. } => Brings::Transaction,
        Asked::AddBranch(branch) | Asked::Try(branch) => Brings::Branch(content::of_branch(branch)),
        Asked::Submit
        | Asked::Abort { .. }
        | Asked::Order(_)
        | Asked::ConfirmBranch(_)
        | Asked::CancelBranch(_)
        | Asked::Complete(_) => Brings::Order,
    }
}

impl Shared {
    /// Says whether there is room for what a question brings.
    pub(crate) fn admit(&self, asked: &Asked) -> Result<(), EngineError> {
        match brings(asked) {
            Brings::Order => Ok(()),
            Brings::Transaction => self.require_journal_room(),
            Brings::Branch(bytes) => {
                self.require_journal_room()?;
                if self.registry.takes_content(bytes) {
                    Ok(())
                } else {
                    Err(overloaded(MEMORY))
                }
            }
        }
    }

    fn require_journal_room(&self) -> Result<(), EngineError> {
        let is_full = self.journal.bytes() > self.config.journal_bytes_max
            || self.journal.waits(self.boot()) > self.config.journal_wait_max;
        if is_full {
            Err(overloaded("the journal"))
        } else {
            Ok(())
        }
    }
}

pub(crate) const fn overloaded(what: &'static str) -> EngineError {
    EngineError::Overloaded {
        what,
        retry_after: RETRY_AFTER,
    }
}

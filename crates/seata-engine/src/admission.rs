//! Which questions are taken: beyond a bound, what brings content is refused, and accepted work goes on.

use seata_core::{Definition, Endpoints};

use crate::content;
use crate::error::EngineError;
use crate::mailbox::Asked;
use crate::registry::Origin;
use crate::shared::{RETRY_AFTER, Shared};

/// The part of the room for requests that is left to those whose participants are not slow: one in so many.
const OTHERS_SHARE: usize = 8;

/// What is full when `active_max` or `active_bytes_max` is reached.
pub(crate) const MEMORY: &str = "the memory for active transactions";

/// What is full when too many calls wait for a destination.
const CALLS: &str = "the queue of calls to a participant of this transaction";

/// What is full when `questions_max` is reached.
pub(crate) const QUESTIONS: &str = "the queue of questions about this transaction";

/// What is full when `waiters_max` is reached.
pub(crate) const WAITERS: &str = "the room for waiting clients";

/// What a question brings.
enum Brings<'a> {
    /// A transaction: whoever drives it makes room for it, or has it already.
    Transaction(&'a Definition),
    /// A branch of so many bytes.
    Branch(usize),
    /// A few bytes: an order, or the submission of what was taken.
    Order,
}

fn brings(asked: &Asked) -> Brings<'_> {
    match asked {
        Asked::Create { definition, .. } => Brings::Transaction(definition),
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
            Brings::Transaction(definition) => {
                self.require_journal_room()?;
                self.require_open_ways(definition)
            }
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

    /// Refuses what would wait with many others for a slow participant, so that what goes elsewhere finds room: the last
    /// eighth is left to that, and the less of it there is, the fewer may wait for one participant.
    fn require_open_ways(&self, definition: &Definition) -> Result<(), EngineError> {
        let left = self.registry.room(Origin::Asked).count;
        let for_others = self.registry.requests_max() / OTHERS_SHARE;
        if left > for_others {
            return Ok(());
        }
        let is_crowded = |waiting: usize| waiting * for_others > left * left;
        let crowded = definition
            .branches
            .iter()
            .any(|branch| match &branch.endpoints {
                Endpoints::Saga { action, .. } => is_crowded(self.caller.waiting(action)),
                Endpoints::Tcc { .. } => false,
            });
        if crowded {
            Err(overloaded(CALLS))
        } else {
            Ok(())
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

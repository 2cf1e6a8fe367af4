//! What a question asks of the state as it is: an input for the core, or only a look. Changes nothing.

use std::sync::Arc;

use seata_core::{BranchDefinition, Definition, Input, Rejection, Status, Transaction};

use crate::content;
use crate::driver::Driver;
use crate::driver::record::Record;
use crate::error::EngineError;
use crate::mailbox::{Ask, Asked, Submission};
use crate::snapshot::Order;

/// What a question amounts to for the state as it is.
pub(super) enum Wanted {
    Input(Input),
    Read,
}

impl Driver {
    /// Says what a question amounts to.
    pub(super) fn wanted(&self, ask: Option<&Ask>) -> Result<Wanted, EngineError> {
        let (Some(ask), Some(record)) = (ask, &self.record) else {
            return Ok(Wanted::Read);
        };
        let txn = &record.txn;
        match &ask.asked {
            Asked::Create {
                definition,
                submission,
            } => self.wanted_of_creation(record, definition, *submission),
            Asked::AddBranch(branch) => {
                self.require_room(txn, branch)?;
                Ok(Wanted::Input(Input::AddBranch(Arc::clone(branch))))
            }
            Asked::Try(branch) => {
                self.require_room(txn, branch)?;
                Ok(Wanted::Input(Input::Try(Arc::clone(branch))))
            }
            Asked::ConfirmBranch(branch) => self
                .known(txn.find_branch(branch))
                .map(|branch| Wanted::Input(Input::Confirm { branch })),
            Asked::CancelBranch(branch) => self
                .known(txn.find_branch(branch))
                .map(|branch| Wanted::Input(Input::Cancel { branch })),
            Asked::Complete(completion) => {
                self.known(txn.find_branch(&completion.branch))
                    .map(|branch| {
                        Wanted::Input(Input::Complete {
                            branch,
                            operation: completion.operation,
                            end: completion.end.clone(),
                        })
                    })
            }
            Asked::Submit => Ok(Wanted::Input(Input::Submit)),
            Asked::Abort { reason } => Ok(Wanted::Input(Input::Abort {
                reason: reason.clone(),
            })),
            Asked::Order(order) => self.known(order_input(txn, order)).map(Wanted::Input),
        }
    }

    /// Says what a creation amounts to: of what is there already, nothing, if it asks for the same.
    fn wanted_of_creation(
        &self,
        record: &Record,
        definition: &Definition,
        submission: Submission,
    ) -> Result<Wanted, EngineError> {
        let branches_max = self.shared.config.branches_max;
        if definition.branches.len() > branches_max {
            return Err(EngineError::TooManyBranches { max: branches_max });
        }
        let txn = &record.txn;
        if record.header.is_none() {
            self.require_bytes(content::of_definition(definition))?;
        }
        if record.header.is_some() && definition.fingerprint != txn.fingerprint() {
            return Err(self.conflict());
        }
        Ok(match (submission, txn.status()) {
            (Submission::Now, Status::Prepared) => Wanted::Input(Input::Submit),
            (Submission::Now | Submission::Later, _) => Wanted::Read,
        })
    }

    fn conflict(&self) -> EngineError {
        let gid = self.gid.clone();
        match self.appended_snapshot() {
            Some(present) => EngineError::GidConflict {
                gid,
                present: Box::new(present),
            },
            None => EngineError::NotFound { gid },
        }
    }

    /// Refuses a branch that is one too many, or too large; one that is known takes no room.
    fn require_room(
        &self,
        txn: &Transaction,
        branch: &BranchDefinition,
    ) -> Result<(), EngineError> {
        let branches_max = self.shared.config.branches_max;
        if txn.find_branch(&branch.branch_id).is_ok() {
            return Ok(());
        }
        if txn.branch_count() >= branches_max {
            return Err(EngineError::TooManyBranches { max: branches_max });
        }
        self.require_bytes(content::of_transaction(txn) + content::of_branch(branch))
    }

    /// Refuses what would fill more of a record than requests may. The rest is for what becomes of them: what was
    /// accepted must be able to go on.
    fn require_bytes(&self, bytes: usize) -> Result<(), EngineError> {
        if bytes > self.shared.store.limits().record_bytes_max / 4 * 3 {
            return Err(EngineError::TooLarge);
        }
        Ok(())
    }

    /// Tells the state as it is to whoever asks for what it does not have.
    fn known<T>(&self, found: Result<T, Rejection>) -> Result<T, EngineError> {
        found.map_err(|rejection| EngineError::Rejected {
            rejection,
            present: self.appended_snapshot().map(Box::new),
        })
    }
}

fn order_input(txn: &Transaction, order: &Order) -> Result<Input, Rejection> {
    match order {
        Order::Retry { branch, reason } => {
            let branch = branch
                .as_ref()
                .map(|branch| txn.find_branch(branch))
                .transpose()?;
            Ok(Input::Retry {
                branch,
                reason: reason.clone(),
            })
        }
        Order::Skip {
            branch,
            operation,
            reason,
        } => {
            let index = txn.find_branch(branch)?;
            Ok(Input::Skip {
                branch: index,
                operation: *operation,
                reason: reason.clone(),
            })
        }
        Order::Force { to, reason } => Ok(Input::Force {
            to: *to,
            reason: reason.clone(),
        }),
    }
}

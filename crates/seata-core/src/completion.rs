//! Completion from outside: which operation is meant, and whether it may be completed so. Likewise which one an operator
//! skips.

use crate::agenda::{Agenda, Place};
use crate::branch::{Branch, By, OperationState};
use crate::event::{BranchIndex, CompletionEnd, Fact};
use crate::operation::Operation;
use crate::rejection::Rejection;
use crate::text::Reason;

/// What somebody outside says.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    /// Which operation; none: the one of the present direction.
    pub(crate) operation: Option<Operation>,
    pub(crate) end: CompletionEnd,
}

/// What a mode knows of the branch at this time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facing {
    /// The operation of the present direction, or of the last one.
    pub(crate) present: Operation,
    /// The operation of the direction before it.
    pub(crate) before: Option<Operation>,
    pub(crate) asked_for: AskedFor,
}

/// Whether the present operation is asked for, so that it can be settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AskedFor {
    Now,
    NotNow,
}

impl AskedFor {
    /// Says whether an agenda still asks for a branch.
    pub(crate) fn on(agenda: &Agenda, branch: BranchIndex) -> Self {
        match agenda.place(branch) {
            Place::Settled => Self::NotNow,
            Place::Blocked | Place::Ready | Place::Waiting(_) | Place::Calling | Place::Halted => {
                Self::Now
            }
        }
    }
}

/// Answers the fact that a completion of a branch is recorded as; none if it says what is known.
///
/// # Errors
/// The operation isn't asked for, has ended otherwise, or can't be told from an earlier one.
pub(crate) fn completed(
    (index, branch): (BranchIndex, &Branch),
    facing: Facing,
    said: Said,
) -> Result<Option<Fact>, Rejection> {
    Ok(match judge(branch, facing, &said)? {
        Verdict::Repeats => None,
        Verdict::Settles(operation) => Some(Fact::Completed {
            branch: index,
            operation,
            end: said.end,
        }),
    })
}

/// Answers the fact that an order to skip is recorded as. `open`: the operation that this branch is to do, or none.
///
/// # Errors
/// The operation isn't open, or can't be told from an earlier one.
pub(crate) fn skipped(
    (index, branch): (BranchIndex, &Branch),
    facing: Facing,
    open: Option<Operation>,
    named: Option<Operation>,
    reason: Reason,
) -> Result<Fact, Rejection> {
    let operation = named.unwrap_or(facing.present);
    if open != Some(operation) {
        return Err(Rejection::OperationNotOpen {
            branch_id: branch.definition.branch_id.clone(),
            operation,
        });
    }
    require_plain(branch, facing, named)?;
    Ok(Fact::Skipped {
        branch: index,
        operation,
        reason,
    })
}

/// What a completion amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It settles this operation.
    Settles(Operation),
    /// It says what is known.
    Repeats,
}

/// Judges what somebody outside says of a branch.
fn judge(branch: &Branch, facing: Facing, said: &Said) -> Result<Verdict, Rejection> {
    let operation = match said.operation {
        Some(operation) => operation,
        None => unnamed(branch, facing, &said.end)?,
    };
    let branch_id = || branch.definition.branch_id.clone();
    let not_to_complete = Rejection::NotToComplete {
        branch_id: branch_id(),
        operation,
    };
    if operation.mode() != branch.definition.endpoints.mode() {
        return Err(not_to_complete);
    }
    let otherwise = |ended| {
        Err(Rejection::CompletedOtherwise {
            branch_id: branch_id(),
            operation,
            ended,
        })
    };
    match (branch.progress(operation).state, &said.end) {
        (OperationState::Succeeded(_) | OperationState::Skipped, CompletionEnd::Succeeded)
        | (OperationState::Refused(_), CompletionEnd::Failed { .. }) => Ok(Verdict::Repeats),
        (OperationState::Succeeded(_), CompletionEnd::Failed { .. }) => otherwise("succeeded"),
        (OperationState::Skipped, CompletionEnd::Failed { .. }) => otherwise("been skipped"),
        (OperationState::Refused(_), CompletionEnd::Succeeded) => otherwise("been refused"),
        (OperationState::Open, _)
            if operation == facing.present && facing.asked_for == AskedFor::Now =>
        {
            Ok(Verdict::Settles(operation))
        }
        (OperationState::Open, _) => Err(not_to_complete),
    }
}

/// Answers which operation is meant when none is named: the one of the present direction, unless it may be the one
/// before it. Whoever says so may not know yet that the transaction was decided, or may repeat what settled that one,
/// because the first answer was lost. It must not settle this one too: nothing would have been undone, or confirmed.
fn unnamed(branch: &Branch, facing: Facing, end: &CompletionEnd) -> Result<Operation, Rejection> {
    let operation = facing.present;
    let open = branch.progress(operation).state == OperationState::Open;
    match facing.before {
        Some(before) if open && may_be_meant(branch, before, end) => {
            Err(unclear(branch, before, operation))
        }
        Some(_) | None => Ok(operation),
    }
}

/// Refuses an order to skip that names no operation and may mean the one before the present direction: it is not
/// settled, or was skipped so before. An order that crosses with the decision must not count as a compensation, a confirm
/// or a cancel that nobody has done.
fn require_plain(
    branch: &Branch,
    facing: Facing,
    named: Option<Operation>,
) -> Result<(), Rejection> {
    let (None, Some(before)) = (named, facing.before) else {
        return Ok(());
    };
    match branch.progress(before).state {
        OperationState::Open | OperationState::Skipped => {
            Err(unclear(branch, before, facing.present))
        }
        OperationState::Succeeded(_) | OperationState::Refused(_) => Ok(()),
    }
}

fn unclear(branch: &Branch, before: Operation, operation: Operation) -> Rejection {
    Rejection::OperationUnclear {
        branch_id: branch.definition.branch_id.clone(),
        before,
        operation,
    }
}

/// Says whether an earlier operation may be meant: it was completed so before, or its participant never settled it.
fn may_be_meant(branch: &Branch, operation: Operation, end: &CompletionEnd) -> bool {
    match (branch.progress(operation).state, end) {
        (OperationState::Open | OperationState::Skipped, _)
        | (OperationState::Succeeded(By::Outside), CompletionEnd::Succeeded)
        | (OperationState::Refused(By::Outside), CompletionEnd::Failed { .. }) => true,
        (
            OperationState::Succeeded(_) | OperationState::Refused(_),
            CompletionEnd::Succeeded | CompletionEnd::Failed { .. },
        ) => false,
    }
}

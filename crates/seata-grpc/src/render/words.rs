//! Words of closed sets.

use seata_core::{BranchStatus, End, Fact, Mode, Operation, OperationStatus, Outcome, Status};
use seata_proto::v1;
use seata_service::EndWord;

pub(crate) fn mode(mode: Mode) -> i32 {
    let mode = match mode {
        Mode::Saga => v1::Mode::Saga,
        Mode::Tcc => v1::Mode::Tcc,
    };
    mode.into()
}

pub(crate) fn status(status: Status) -> i32 {
    let status = match status {
        Status::Prepared => v1::TransactionStatus::Prepared,
        Status::Submitted => v1::TransactionStatus::Submitted,
        Status::Aborting => v1::TransactionStatus::Aborting,
        Status::Committed => v1::TransactionStatus::Committed,
        Status::Aborted => v1::TransactionStatus::Aborted,
        Status::Stuck => v1::TransactionStatus::Stuck,
    };
    status.into()
}

pub(crate) fn progress(word: EndWord) -> i32 {
    let progress = match word {
        EndWord::Committed => v1::Progress::Committed,
        EndWord::Aborted => v1::Progress::Aborted,
        EndWord::Stuck => v1::Progress::Stuck,
        EndWord::Pending => v1::Progress::Pending,
    };
    progress.into()
}

pub(super) fn branch_status(status: BranchStatus) -> i32 {
    let status = match status {
        BranchStatus::Prepared => v1::BranchStatus::Prepared,
        BranchStatus::Acting => v1::BranchStatus::Acting,
        BranchStatus::Succeeded => v1::BranchStatus::Succeeded,
        BranchStatus::Refused => v1::BranchStatus::Refused,
        BranchStatus::InDoubt => v1::BranchStatus::InDoubt,
        BranchStatus::Compensating => v1::BranchStatus::Compensating,
        BranchStatus::Compensated => v1::BranchStatus::Compensated,
        BranchStatus::Registered => v1::BranchStatus::Registered,
        BranchStatus::Trying => v1::BranchStatus::Trying,
        BranchStatus::Tried => v1::BranchStatus::Tried,
        BranchStatus::Confirming => v1::BranchStatus::Confirming,
        BranchStatus::Confirmed => v1::BranchStatus::Confirmed,
        BranchStatus::Cancelling => v1::BranchStatus::Cancelling,
        BranchStatus::Cancelled => v1::BranchStatus::Cancelled,
    };
    status.into()
}

pub(super) fn operation(operation: Operation) -> i32 {
    let operation = match operation {
        Operation::Action => v1::Operation::Action,
        Operation::Compensation => v1::Operation::Compensation,
        Operation::Try => v1::Operation::Try,
        Operation::Confirm => v1::Operation::Confirm,
        Operation::Cancel => v1::Operation::Cancel,
    };
    operation.into()
}

pub(super) fn operation_status(status: OperationStatus) -> i32 {
    let status = match status {
        OperationStatus::Open => v1::OperationStatus::Open,
        OperationStatus::Calling => v1::OperationStatus::Calling,
        OperationStatus::Succeeded => v1::OperationStatus::Succeeded,
        OperationStatus::Refused => v1::OperationStatus::Refused,
        OperationStatus::Skipped => v1::OperationStatus::Skipped,
    };
    status.into()
}

pub(super) fn outcome(outcome: &Outcome) -> i32 {
    let outcome = match outcome {
        Outcome::Success => v1::Outcome::Success,
        Outcome::Failure { .. } => v1::Outcome::Failure,
        Outcome::Ongoing => v1::Outcome::Ongoing,
        Outcome::Unknown { .. } => v1::Outcome::Unknown,
    };
    outcome.into()
}

pub(super) fn end(end: End) -> i32 {
    let end = match end {
        End::Committed => v1::End::Committed,
        End::Aborted => v1::End::Aborted,
    };
    end.into()
}

pub(super) fn kind(fact: &Fact) -> i32 {
    let kind = match fact {
        Fact::Created(_) => v1::EventKind::Created,
        Fact::BranchAdded(_) => v1::EventKind::BranchAdded,
        Fact::Submitted => v1::EventKind::Submitted,
        Fact::AbortRequested { .. } => v1::EventKind::AbortRequested,
        Fact::Answered(_) => v1::EventKind::Answered,
        Fact::Recovered { .. } => v1::EventKind::Recovered,
        Fact::TurnedRound { .. } => v1::EventKind::TurnedRound,
        Fact::Committed => v1::EventKind::Committed,
        Fact::Aborted => v1::EventKind::Aborted,
        Fact::Stuck { .. } => v1::EventKind::Stuck,
        Fact::Retried { .. } => v1::EventKind::Retried,
        Fact::Skipped { .. } => v1::EventKind::Skipped,
        Fact::Forced { .. } => v1::EventKind::Forced,
        Fact::TryRequested { .. } => v1::EventKind::TryRequested,
        Fact::TryBegun { .. } => v1::EventKind::TryBegun,
        Fact::Completed { .. } => v1::EventKind::Completed,
        Fact::Hurried { .. } => v1::EventKind::Hurried,
        Fact::Elided { .. } => v1::EventKind::Elided,
    };
    kind.into()
}

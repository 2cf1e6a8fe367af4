//! How many bytes a driver holds for the content of a transaction: an estimate that bounds the memory, not a measure.

use seata_core::{BranchDefinition, BranchIndex, Definition, Payload, Transaction};

/// What a driver holds for one transaction beside its content, in bytes: its task, names and options.
pub(crate) const TRANSACTION_BYTES: usize = 4 << 10;

/// What it holds for one branch beside its payload, in bytes: names, endpoints, and the last answers.
const BRANCH_BYTES: usize = 2 << 10;

/// Answers what a driver will hold for a transaction as asked for.
pub(crate) fn of_definition(definition: &Definition) -> usize {
    let branches = definition.branches.iter().map(|branch| of_branch(branch));
    TRANSACTION_BYTES + of_payload(definition.payload.as_ref()) + branches.sum::<usize>()
}

/// Answers what a driver holds for a transaction.
pub(crate) fn of_transaction(transaction: &Transaction) -> usize {
    TRANSACTION_BYTES + BRANCH_BYTES * transaction.branch_count() + of_payloads(transaction)
}

/// Answers how many bytes all payloads of a transaction have.
pub(crate) fn of_payloads(transaction: &Transaction) -> usize {
    let branches = (0..u32::try_from(transaction.branch_count()).unwrap_or(u32::MAX))
        .filter_map(|at| transaction.branch(BranchIndex(at)))
        .map(|branch| of_payload(branch.payload.as_ref()));
    of_payload(transaction.payload()) + branches.sum::<usize>()
}

/// Answers what a driver holds for a branch.
pub(crate) fn of_branch(branch: &BranchDefinition) -> usize {
    BRANCH_BYTES + of_payload(branch.payload.as_ref())
}

fn of_payload(payload: Option<&Payload>) -> usize {
    payload.map_or(0, |payload| payload.bytes.len())
}

//! The history of a transaction, event by event.

use std::time::Duration;

use seata_core::{
    Answered, BranchIndex, CompletionEnd, End, Event, Fact, Operation, Outcome, Reason,
    Transaction, UnixMillis,
};

use super::sentence;

/// One event. What does not belong to its kind is none.
#[derive(Debug, Clone)]
pub struct EventView<'a> {
    /// Counts the events of the transaction from 1; there may be gaps.
    pub number: u32,
    /// When it was decided.
    pub at: UnixMillis,
    /// What happened, in a word of a closed set.
    pub kind: &'static str,
    /// Whose.
    pub branch_id: Option<&'a str>,
    /// Of which operation.
    pub operation: Option<Operation>,
    /// Which call, from 1.
    pub attempt: Option<u32>,
    /// Who was called.
    pub endpoint: Option<&'a str>,
    /// The answer.
    pub outcome: Option<Outcome>,
    /// How long the call took.
    pub took: Option<Duration>,
    /// What the participant or the network said.
    pub error: Option<&'a str>,
    /// Until when the call has ended at the latest.
    pub until: Option<UnixMillis>,
    /// When it is called again.
    pub next_attempt_at: Option<UnixMillis>,
    /// Why.
    pub reason: Option<String>,
    /// The branches that it began with, or that are to be compensated.
    pub branches: Option<Vec<&'a str>>,
    /// Which end an operator ordered.
    pub to: Option<End>,
    /// How many calls are left out here.
    pub calls: Option<u32>,
    /// How many of them count as attempts.
    pub attempts: Option<u32>,
}

impl<'a> EventView<'a> {
    /// Looks at one event of a transaction.
    #[must_use]
    pub fn of(transaction: &'a Transaction, event: &'a Event) -> Self {
        view(transaction, event)
    }
}

fn view<'a>(transaction: &'a Transaction, event: &'a Event) -> EventView<'a> {
    let names = |indices: &[BranchIndex]| {
        let names = indices.iter().map(|at| sentence::name(transaction, *at));
        Some(names.collect::<Vec<_>>())
    };
    let blank = blank(event);
    match &event.fact {
        Fact::Created(definition) => EventView {
            branches: Some(
                definition
                    .branches
                    .iter()
                    .map(|branch| branch.branch_id.as_str())
                    .collect(),
            ),
            ..blank
        },
        Fact::BranchAdded(branch) => EventView {
            branch_id: Some(branch.branch_id.as_str()),
            ..blank
        },
        Fact::Submitted | Fact::Recovered { .. } | Fact::Committed | Fact::Aborted => blank,
        Fact::AbortRequested { reason } | Fact::Stuck { reason } => EventView {
            reason: text(reason),
            ..blank
        },
        Fact::Answered(answered) => answer(transaction, answered, blank),
        Fact::TurnedRound { cause, compensate } => EventView {
            reason: Some(sentence::abort_reason(transaction, cause)),
            branches: names(compensate),
            ..blank
        },
        Fact::Retried { branch, reason } => EventView {
            branch_id: branch.map(|at| sentence::name(transaction, at)),
            reason: text(reason),
            ..blank
        },
        Fact::Skipped {
            branch,
            operation,
            reason,
        } => EventView {
            branch_id: Some(sentence::name(transaction, *branch)),
            operation: Some(*operation),
            reason: text(reason),
            ..blank
        },
        Fact::Forced { to, reason } => EventView {
            to: Some(*to),
            reason: text(reason),
            ..blank
        },
        Fact::TryRequested { branch } => EventView {
            branch_id: Some(sentence::name(transaction, *branch)),
            operation: Some(Operation::Try),
            ..blank
        },
        Fact::TryBegun {
            branch,
            number,
            until,
        } => EventView {
            branch_id: Some(sentence::name(transaction, *branch)),
            operation: Some(Operation::Try),
            attempt: Some(*number),
            until: Some(*until),
            ..blank
        },
        Fact::Completed {
            branch,
            operation,
            end,
        } => EventView {
            branch_id: Some(sentence::name(transaction, *branch)),
            operation: Some(*operation),
            ..completed(end, blank)
        },
        Fact::Hurried { branch } => EventView {
            branch_id: Some(sentence::name(transaction, *branch)),
            ..blank
        },
        Fact::Elided {
            branch,
            operation,
            calls,
            attempts,
        } => EventView {
            branch_id: Some(sentence::name(transaction, *branch)),
            operation: Some(*operation),
            calls: Some(*calls),
            attempts: Some(*attempts),
            ..blank
        },
    }
}

const fn blank(event: &Event) -> EventView<'_> {
    EventView {
        number: event.number,
        at: event.at,
        kind: event.fact.as_str(),
        branch_id: None,
        operation: None,
        attempt: None,
        endpoint: None,
        outcome: None,
        took: None,
        error: None,
        until: None,
        next_attempt_at: None,
        reason: None,
        branches: None,
        to: None,
        calls: None,
        attempts: None,
    }
}

fn answer<'a>(
    transaction: &'a Transaction,
    answered: &'a Answered,
    blank: EventView<'a>,
) -> EventView<'a> {
    let branch = transaction.branch(answered.branch);
    let endpoint = branch.and_then(|branch| branch.endpoint(answered.operation));
    EventView {
        branch_id: Some(sentence::name(transaction, answered.branch)),
        operation: Some(answered.operation),
        attempt: Some(answered.attempt.number),
        endpoint: endpoint.map(|endpoint| endpoint.as_str()),
        outcome: Some(answered.outcome.clone()),
        took: Some(answered.took),
        error: match &answered.outcome {
            Outcome::Failure { reason } | Outcome::Unknown { reason } => Some(reason.as_str()),
            Outcome::Success | Outcome::Ongoing => None,
        },
        next_attempt_at: answered.next_attempt_at,
        ..blank
    }
}

fn completed<'a>(end: &CompletionEnd, blank: EventView<'a>) -> EventView<'a> {
    match end {
        CompletionEnd::Succeeded => EventView {
            outcome: Some(Outcome::Success),
            ..blank
        },
        CompletionEnd::Failed { reason } => EventView {
            outcome: Some(Outcome::Failure {
                reason: reason.clone(),
            }),
            reason: text(reason),
            ..blank
        },
    }
}

fn text(reason: &Reason) -> Option<String> {
    Some(reason.as_str().to_owned()).filter(|text| !text.is_empty())
}

//! The history of a transaction, event by event.

use seata_core::{Answered, BranchIndex, Event, Fact, Operation, Outcome, Reason, Transaction};
use serde::Serialize;

use super::sentence;
use super::time::rfc3339;

#[derive(Serialize, Default)]
struct EventJson<'a> {
    number: u32,
    time: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    branches: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calls: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
}

/// Renders a history.
pub(crate) fn events<'a>(transaction: &'a Transaction, events: &'a [Event]) -> impl Serialize + 'a {
    events
        .iter()
        .map(|event| render(transaction, event))
        .collect::<Vec<_>>()
}

fn render<'a>(transaction: &'a Transaction, event: &'a Event) -> EventJson<'a> {
    let names = |indices: &[BranchIndex]| {
        let names = indices.iter().map(|at| sentence::name(transaction, *at));
        Some(names.collect::<Vec<_>>())
    };
    let blank = EventJson {
        number: event.number,
        time: rfc3339(event.at),
        kind: event.fact.as_str(),
        ..EventJson::default()
    };
    match &event.fact {
        Fact::Created(definition) => EventJson {
            branches: Some(
                definition
                    .branches
                    .iter()
                    .map(|branch| branch.branch_id.as_str())
                    .collect(),
            ),
            ..blank
        },
        Fact::BranchAdded(branch) => EventJson {
            branch_id: Some(branch.branch_id.as_str()),
            ..blank
        },
        Fact::Submitted | Fact::Recovered { .. } | Fact::Committed | Fact::Aborted => blank,
        Fact::AbortRequested { reason } | Fact::Stuck { reason } => EventJson {
            reason: text(reason),
            ..blank
        },
        Fact::Answered(answered) => answer(transaction, answered, blank),
        Fact::TurnedRound { cause, compensate } => EventJson {
            reason: Some(sentence::abort_reason(transaction, cause)),
            branches: names(compensate),
            ..blank
        },
        Fact::Retried { branch, reason } => EventJson {
            branch_id: branch.map(|at| sentence::name(transaction, at)),
            reason: text(reason),
            ..blank
        },
        Fact::Skipped {
            branch,
            operation,
            reason,
        } => EventJson {
            branch_id: Some(sentence::name(transaction, *branch)),
            operation: Some(operation.as_str()),
            reason: text(reason),
            ..blank
        },
        Fact::Forced { to, reason } => EventJson {
            to: Some(to.as_str()),
            reason: text(reason),
            ..blank
        },
        Fact::Elided {
            branch,
            operation,
            calls,
            attempts,
        } => EventJson {
            branch_id: Some(sentence::name(transaction, *branch)),
            operation: Some(operation.as_str()),
            calls: Some(*calls),
            attempts: Some(*attempts),
            ..blank
        },
    }
}

fn answer<'a>(
    transaction: &'a Transaction,
    answered: &'a Answered,
    blank: EventJson<'a>,
) -> EventJson<'a> {
    let branch = transaction.branch(answered.branch);
    let endpoint = branch.and_then(|branch| match answered.operation {
        Operation::Action => Some(&branch.action),
        Operation::Compensation => branch.compensation.as_ref(),
    });
    EventJson {
        branch_id: Some(sentence::name(transaction, answered.branch)),
        operation: Some(answered.operation.as_str()),
        attempt: Some(answered.attempt.number),
        endpoint: endpoint.map(|endpoint| endpoint.as_str()),
        outcome: Some(answered.outcome.as_str()),
        duration_ms: Some(u64::try_from(answered.took.as_millis()).unwrap_or(u64::MAX)),
        error: match &answered.outcome {
            Outcome::Failure { reason } | Outcome::Unknown { reason } => Some(reason.as_str()),
            Outcome::Success | Outcome::Ongoing => None,
        },
        next_attempt_at: answered.next_attempt_at.map(rfc3339),
        ..blank
    }
}

fn text(reason: &Reason) -> Option<String> {
    Some(reason.as_str().to_owned()).filter(|text| !text.is_empty())
}

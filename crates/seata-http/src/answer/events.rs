//! The history of a transaction, event by event.

use std::time::Duration;

use seata_core::{End, Event, Operation, Outcome, Transaction};
use seata_service::{EventView, rfc3339};
use serde::Serialize;

#[derive(Serialize)]
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
    until: Option<String>,
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
        .map(|event| EventJson::new(EventView::of(transaction, event)))
        .collect::<Vec<_>>()
}

/// Renders one event.
pub(crate) fn event<'a>(transaction: &'a Transaction, event: &'a Event) -> impl Serialize + 'a {
    EventJson::new(EventView::of(transaction, event))
}

impl<'a> EventJson<'a> {
    fn new(view: EventView<'a>) -> Self {
        Self {
            number: view.number,
            time: rfc3339(view.at),
            kind: view.kind,
            branch_id: view.branch_id,
            operation: view.operation.map(Operation::as_str),
            attempt: view.attempt,
            endpoint: view.endpoint,
            outcome: view.outcome.as_ref().map(Outcome::as_str),
            duration_ms: view.took.map(millis),
            error: view.error,
            until: view.until.map(rfc3339),
            next_attempt_at: view.next_attempt_at.map(rfc3339),
            reason: view.reason,
            branches: view.branches,
            to: view.to.map(End::as_str),
            calls: view.calls,
            attempts: view.attempts,
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

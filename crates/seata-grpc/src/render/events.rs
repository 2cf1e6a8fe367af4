//! Events.

use seata_core::{Event, Transaction};
use seata_proto::v1;
use seata_service::EventView;

use super::{span, timestamp, words};

/// Renders an event.
pub(crate) fn event(transaction: &Transaction, event: &Event) -> v1::Event {
    let view = EventView::of(transaction, event);
    let branches = view.branches.unwrap_or_default();
    v1::Event {
        number: view.number,
        time: Some(timestamp(view.at)),
        kind: words::kind(&event.fact),
        branch_id: view.branch_id.map(str::to_owned),
        operation: view.operation.map(words::operation).unwrap_or_default(),
        attempt: view.attempt,
        endpoint: view.endpoint.map(str::to_owned),
        outcome: view
            .outcome
            .as_ref()
            .map(words::outcome)
            .unwrap_or_default(),
        duration: view.took.map(span),
        error: view.error.map(str::to_owned),
        until: view.until.map(timestamp),
        next_attempt_at: view.next_attempt_at.map(timestamp),
        reason: view.reason,
        branches: branches.into_iter().map(str::to_owned).collect(),
        to: view.to.map(words::end).unwrap_or_default(),
        calls: view.calls,
        attempts: view.attempts,
    }
}

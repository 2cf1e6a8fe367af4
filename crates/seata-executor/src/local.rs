//! Handlers within an embedding program: `local://name` endpoints. They get no right that a call over the wire lacks.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use seata_core::{BranchId, Gid, Operation, Outcome, Payload};
use seata_engine::Call;

use crate::outcome::unknown;

/// One call to a handler. As over the wire, the same (gid, branch_id, operation) may come again.
#[derive(Debug, Clone)]
pub struct LocalCall {
    /// Of which transaction.
    pub gid: Gid,
    /// Which branch.
    pub branch_id: BranchId,
    /// What is asked.
    pub operation: Operation,
    /// Counts the calls of this operation from 1.
    pub attempt: u32,
    /// What the initiator sent along.
    pub payload: Option<Payload>,
}

/// A participant in the same process. It is given the call's time limit; after it the future is dropped.
#[async_trait]
pub trait LocalHandler: Send + Sync + 'static {
    /// Does the work, or undoes it.
    async fn handle(&self, call: LocalCall) -> Outcome;
}

#[derive(Default)]
pub(crate) struct Locals {
    by_name: BTreeMap<String, Arc<dyn LocalHandler>>,
}

impl Locals {
    pub(crate) fn add(&mut self, name: &str, handler: Arc<dyn LocalHandler>) {
        self.by_name.insert(name.to_owned(), handler);
    }

    /// Calls the handler of this name. A panic is an unknown outcome: it may have taken effect.
    pub(crate) async fn call(&self, call: &Call) -> Outcome {
        let name = call.endpoint.authority();
        let Some(handler) = self.by_name.get(name) else {
            return unknown(&format!("no local handler named {name} is registered"));
        };
        let local = LocalCall {
            gid: call.gid.clone(),
            branch_id: call.branch.branch_id.clone(),
            operation: call.operation,
            attempt: call.attempt.number,
            payload: call.payload().cloned(),
        };
        let work = AssertUnwindSafe(async { handler.handle(local).await });
        work.catch_unwind()
            .await
            .unwrap_or_else(|_| unknown(&format!("the local handler {name} panicked")))
    }
}

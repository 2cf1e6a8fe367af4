//! One attempt at one branch, as the engine asks for it.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use seata_core::{
    AttemptId, BranchDefinition, Definition, Endpoint, Gid, Header, Operation, Outcome, Payload,
};

/// One call to a participant.
#[derive(Debug, Clone)]
pub struct Call {
    /// Of which transaction.
    pub gid: Gid,
    /// What is asked.
    pub operation: Operation,
    /// Which attempt.
    pub attempt: AttemptId,
    /// Where, for this operation.
    pub endpoint: Endpoint,
    /// Whose.
    pub branch: Arc<BranchDefinition>,
    /// The transaction as asked for.
    pub definition: Arc<Definition>,
}

impl Call {
    /// Answers what to send: the branch's payload, else the transaction's.
    #[must_use]
    pub fn payload(&self) -> Option<&Payload> {
        self.branch
            .payload
            .as_ref()
            .or(self.definition.payload.as_ref())
    }

    /// Answers the configured headers, the transaction's first: a later one of the same name wins.
    pub fn headers(&self) -> impl Iterator<Item = &Header> {
        self.definition
            .options
            .headers
            .iter()
            .chain(&self.branch.headers)
    }

    /// Answers the time limit, from the first byte sent to the last one read, connecting included.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.branch.request_timeout(&self.definition.options)
    }
}

/// The right to make one call, until dropped.
pub struct Slot(Option<Box<dyn Any + Send>>);

impl Slot {
    /// A right that is bounded by nothing.
    #[must_use]
    pub const fn unbounded() -> Self {
        Self(None)
    }

    /// A right that gives back what it holds, such as permits, when the call has ended.
    #[must_use]
    pub fn holding(permits: impl Any + Send) -> Self {
        Self(Some(Box::new(permits)))
    }

    /// Answers whether the right is bounded.
    #[must_use]
    pub const fn is_bounded(&self) -> bool {
        self.0.is_some()
    }
}

/// Makes attempts. It never retries, and reads the answer by the one table of its wire (docs/api.md).
#[async_trait]
pub trait Caller: Send + Sync + 'static {
    /// Waits until the bounds on calls in flight, in all and per destination, leave room for one to this endpoint.
    /// First come, first served per destination; a slow destination must not hold up others. Dropping the future gives
    /// up the place in the queue.
    async fn slot(&self, endpoint: &Endpoint) -> Slot;

    /// Answers about how many wait in [`Caller::slot`] for the destination of this endpoint.
    fn waiting(&self, endpoint: &Endpoint) -> usize {
        let _ = endpoint;
        0
    }

    /// Makes one attempt within its time limit. Dropping the future gives the attempt up.
    async fn call(&self, call: Call, slot: Slot) -> Outcome;
}

//! Calls as the engine would make them.

use std::sync::Arc;
use std::time::Duration;

use seata_core::{
    AttemptId, BranchDefinition, BranchId, BranchOptions, ContentType, Definition, Endpoint,
    Endpoints, FencingToken, Fingerprint, Gid, Header, Mode, Operation, Options, Order, Outcome,
    Payload, RetryPolicy,
};
use seata_engine::{Call, Caller};
use seata_executor::Executor;

/// Longer than any call that gets an answer here takes.
const PATIENT: Duration = Duration::from_secs(20);

pub(crate) fn call(endpoint: &str) -> Call {
    within(endpoint, PATIENT)
}

pub(crate) fn within(endpoint: &str, request_timeout: Duration) -> Call {
    let endpoint = Endpoint::parse(endpoint).unwrap();
    let branch = Arc::new(BranchDefinition {
        branch_id: BranchId::parse("stock").unwrap(),
        endpoints: Endpoints::Saga {
            action: endpoint.clone(),
            compensation: None,
        },
        payload: None,
        after: Vec::new(),
        headers: Vec::new(),
        options: BranchOptions::default(),
        fingerprint: Fingerprint::default(),
    });
    Call {
        gid: Gid::parse("order-1").unwrap(),
        operation: Operation::Action,
        attempt: AttemptId {
            token: FencingToken(7),
            number: 3,
        },
        endpoint,
        definition: Arc::new(Definition {
            mode: Mode::Saga,
            branches: vec![Arc::clone(&branch)],
            options: options(request_timeout),
            payload: None,
            fingerprint: Fingerprint::default(),
        }),
        branch,
    }
}

fn options(request_timeout: Duration) -> Options {
    Options {
        request_timeout,
        retry: RetryPolicy {
            first: Duration::from_secs(1),
            max: Duration::from_secs(60),
            max_attempts: 0,
        },
        timeout_to_fail: None,
        prepared_timeout: Duration::from_secs(35),
        branch_parallelism: 8,
        order: Order::Concurrent,
        attention_attempts: 5,
        headers: Vec::new(),
    }
}

pub(crate) fn json(text: &str) -> Payload {
    Payload {
        content_type: ContentType::Json,
        bytes: Arc::from(text.as_bytes()),
    }
}

pub(crate) fn header(name: &str, value: &str) -> Header {
    Header {
        name: Arc::from(name),
        value: Arc::from(value),
    }
}

pub(crate) trait Changed {
    fn with_branch(self, change: impl FnOnce(&mut BranchDefinition)) -> Self;
    fn with_definition(self, change: impl FnOnce(&mut Definition)) -> Self;
}

impl Changed for Call {
    fn with_branch(mut self, change: impl FnOnce(&mut BranchDefinition)) -> Self {
        change(Arc::make_mut(&mut self.branch));
        self
    }

    fn with_definition(mut self, change: impl FnOnce(&mut Definition)) -> Self {
        change(Arc::make_mut(&mut self.definition));
        self
    }
}

/// Makes a call as the engine does: a slot first.
pub(crate) async fn made(executor: &Executor, call: Call) -> Outcome {
    let slot = executor.slot(&call.endpoint).await;
    executor.call(call, slot).await
}

pub(crate) fn reason(outcome: &Outcome) -> &str {
    outcome.reason().map_or("", |reason| reason.as_str())
}

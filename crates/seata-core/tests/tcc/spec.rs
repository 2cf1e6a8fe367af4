//! TCCs in one line: `"a b*"` is a, whose try the coordinator calls, and b, whose try the initiator calls itself.

use std::sync::Arc;
use std::time::Duration;

use seata_core::{
    BranchDefinition, BranchId, BranchOptions, Definition, Endpoint, Endpoints, Fingerprint, Gid,
    Mode, Options, Order, RetryPolicy,
};

/// The first interval between attempts, in milliseconds.
pub(crate) const RETRY_MS: u64 = 100;
/// How long a TCC may stay undecided, in milliseconds.
pub(crate) const PREPARED_MS: u64 = 10_000;
/// How long one call may last, in milliseconds.
pub(crate) const CALL_MS: u64 = 1_000;

pub(crate) fn gid() -> Gid {
    Gid::parse("g").unwrap()
}

pub(crate) fn name(text: &str) -> BranchId {
    BranchId::parse(text).unwrap()
}

pub(crate) fn branch(text: &str) -> BranchDefinition {
    let (id, tried) = match text.strip_suffix('*') {
        Some(id) => (id, None),
        None => (text, Some(text)),
    };
    let endpoint = |path: &str| Endpoint::parse(&format!("http://{id}/{path}")).unwrap();
    BranchDefinition {
        branch_id: name(id),
        endpoints: Endpoints::Tcc {
            try_: tried.map(|_| endpoint("try")),
            confirm: endpoint("confirm"),
            cancel: endpoint("cancel"),
        },
        payload: None,
        after: Vec::new(),
        headers: Vec::new(),
        options: BranchOptions::default(),
        fingerprint: Fingerprint::default(),
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Spec(pub(crate) Definition);

pub(crate) fn tcc(branches: &str) -> Spec {
    Spec(Definition {
        mode: Mode::Tcc,
        branches: branches
            .split_whitespace()
            .map(|text| Arc::new(branch(text)))
            .collect(),
        options: Options {
            request_timeout: Duration::from_millis(CALL_MS),
            retry: RetryPolicy {
                first: Duration::from_millis(RETRY_MS),
                max: Duration::from_millis(4 * RETRY_MS),
                max_attempts: 0,
            },
            timeout_to_fail: None,
            prepared_timeout: Duration::from_millis(PREPARED_MS),
            branch_parallelism: 8,
            order: Order::Concurrent,
            attention_attempts: 3,
            headers: Vec::new(),
        },
        payload: None,
        fingerprint: Fingerprint::default(),
    })
}

impl Spec {
    pub(crate) fn parallelism(mut self, branches: u32) -> Self {
        self.0.options.branch_parallelism = branches;
        self
    }

    pub(crate) fn deadline(mut self, after_ms: u64) -> Self {
        self.0.options.timeout_to_fail = Some(Duration::from_millis(after_ms));
        self
    }
}

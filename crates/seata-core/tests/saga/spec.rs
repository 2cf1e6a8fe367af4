//! Sagas in one line: `"a b:a c:a,b d-"` is c after a and b, and d without a compensation.

use std::sync::Arc;
use std::time::Duration;

use seata_core::{
    BranchDefinition, BranchId, BranchOptions, Definition, Endpoint, Endpoints, Fingerprint, Gid,
    Mode, Options, Order, RetryPolicy,
};

/// The first interval between attempts, in milliseconds.
pub(crate) const RETRY_MS: u64 = 100;
/// How long a saga may stay without submission, in milliseconds.
pub(crate) const PREPARED_MS: u64 = 10_000;
/// After how many attempts a person should look.
pub(crate) const ATTENTION: u32 = 3;

pub(crate) fn gid() -> Gid {
    Gid::parse("g").unwrap()
}

pub(crate) fn name(text: &str) -> BranchId {
    BranchId::parse(text).unwrap()
}

pub(crate) fn branch(text: &str) -> BranchDefinition {
    let (named, after) = text.split_once(':').unwrap_or((text, ""));
    let (id, compensated) = match named.strip_suffix('-') {
        Some(id) => (id, None),
        None => (named, Some(named)),
    };
    let endpoint = |path: &str| Endpoint::parse(&format!("http://{id}/{path}")).unwrap();
    BranchDefinition {
        branch_id: name(id),
        endpoints: Endpoints::Saga {
            action: endpoint("act"),
            compensation: compensated.map(|_| endpoint("undo")),
        },
        payload: None,
        after: after
            .split(',')
            .filter(|text| !text.is_empty())
            .map(name)
            .collect(),
        headers: Vec::new(),
        options: BranchOptions::default(),
        fingerprint: Fingerprint::default(),
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Spec(pub(crate) Definition);

pub(crate) fn saga(branches: &str) -> Spec {
    Spec(Definition {
        mode: Mode::Saga,
        branches: branches
            .split_whitespace()
            .map(|text| Arc::new(branch(text)))
            .collect(),
        options: Options {
            request_timeout: Duration::from_secs(1),
            retry: RetryPolicy {
                first: Duration::from_millis(RETRY_MS),
                max: Duration::from_millis(4 * RETRY_MS),
                max_attempts: 0,
            },
            timeout_to_fail: None,
            prepared_timeout: Duration::from_millis(PREPARED_MS),
            branch_parallelism: 8,
            order: Order::Concurrent,
            attention_attempts: ATTENTION,
            headers: Vec::new(),
        },
        payload: None,
        fingerprint: Fingerprint::default(),
    })
}

impl Spec {
    pub(crate) fn sequential(mut self) -> Self {
        self.0.options.order = Order::Sequential;
        self
    }

    pub(crate) fn parallelism(mut self, branches: u32) -> Self {
        self.0.options.branch_parallelism = branches;
        self
    }

    pub(crate) fn deadline(mut self, after_ms: u64) -> Self {
        self.0.options.timeout_to_fail = Some(Duration::from_millis(after_ms));
        self
    }

    pub(crate) fn max_attempts(mut self, attempts: u32) -> Self {
        self.0.options.retry.max_attempts = attempts;
        self
    }

    pub(crate) fn branch_options(mut self, id: &str, options: BranchOptions) -> Self {
        for branch in &mut self.0.branches {
            if branch.branch_id.as_str() == id {
                Arc::make_mut(branch).options = options.clone();
            }
        }
        self
    }
}

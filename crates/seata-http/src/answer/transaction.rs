//! A transaction as everyone may see it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use seata_core::{BranchView, ContentType, Endpoint, Endpoints, OperationView, Payload, Reason};
use seata_service::{TransactionView, rfc3339, unix_secs};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

#[derive(Serialize)]
struct TransactionJson<'a> {
    gid: &'a str,
    mode: &'a str,
    status: &'a str,
    payload: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    branches: Branches<'a>,
    created_unix: i64,
    updated_unix: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attention: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forced: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_for: Option<&'a str>,
}

/// Renders a transaction.
pub(crate) fn transaction<'a>(view: &'a TransactionView<'a>) -> impl Serialize + 'a {
    let json = view.payload.and_then(as_json);
    let bytes = view.payload.filter(|_| json.is_none());
    TransactionJson {
        gid: view.gid.as_str(),
        mode: view.mode.as_str(),
        status: view.status.as_str(),
        payload: json,
        payload_base64: bytes.map(|payload| BASE64_STANDARD.encode(&payload.bytes)),
        content_type: bytes.map(|payload| payload.content_type.as_str()),
        branches: Branches(&view.branches),
        created_unix: unix_secs(view.created_at),
        updated_unix: unix_secs(view.updated_at),
        reason: view.reason.as_deref(),
        deadline: view.deadline.map(rfc3339),
        attention: view.attention.as_ref().map(Reason::as_str),
        forced: view.forced.map(Reason::as_str),
        waiting_for: view.waiting_for.as_deref(),
    }
}

/// Answers a JSON payload as what it is. One that came in by another door and is not JSON is shown as bytes.
fn as_json(payload: &Payload) -> Option<&RawValue> {
    match payload.content_type {
        ContentType::Json => serde_json::from_slice(&payload.bytes).ok(),
        ContentType::Other(_) => None,
    }
}

struct Branches<'a>(&'a [BranchView]);

impl Serialize for Branches<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(BranchJson::new))
    }
}

#[derive(Serialize)]
struct BranchJson<'a> {
    branch_id: &'a str,
    status: &'a str,
    action: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compensation: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Names<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel: Option<&'a str>,
    operations: Operations<'a>,
}

impl<'a> BranchJson<'a> {
    fn new(view: &'a BranchView) -> Self {
        let definition = &*view.definition;
        let url = |endpoint: Option<&'a Endpoint>| endpoint.map(Endpoint::as_str);
        let (action, compensation, confirm, cancel) = match &definition.endpoints {
            Endpoints::Saga {
                action,
                compensation,
            } => (Some(action), Some(compensation.as_ref()), None, None),
            Endpoints::Tcc {
                try_,
                confirm,
                cancel,
            } => (try_.as_ref(), None, Some(confirm), Some(cancel)),
        };
        Self {
            branch_id: definition.branch_id.as_str(),
            status: view.status.as_str(),
            action: url(action),
            compensation: compensation.map(url),
            after: compensation.map(|_| Names(&definition.after)),
            confirm: url(confirm),
            cancel: url(cancel),
            operations: Operations(&view.operations),
        }
    }
}

struct Names<'a>(&'a [seata_core::BranchId]);

impl Serialize for Names<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(seata_core::BranchId::as_str))
    }
}

struct Operations<'a>(&'a [OperationView]);

impl Serialize for Operations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(OperationJson::new))
    }
}

#[derive(Serialize)]
struct OperationJson<'a> {
    operation: &'a str,
    status: &'a str,
    calls: u32,
    attempts: u32,
    last_error: Option<&'a str>,
    next_attempt_at: Option<String>,
}

impl<'a> OperationJson<'a> {
    fn new(view: &'a OperationView) -> Self {
        let last = view.last.as_ref();
        Self {
            operation: view.operation.as_str(),
            status: view.status.as_str(),
            calls: view.calls,
            attempts: view.attempts,
            last_error: last
                .and_then(|outcome| outcome.reason())
                .map(|reason| reason.as_str()),
            next_attempt_at: view.next_attempt_at.map(rfc3339),
        }
    }
}

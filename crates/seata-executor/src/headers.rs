//! The headers of a call: who is asked what, and by which key the participant recognizes a repetition.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE, USER_AGENT,
};
use seata_core::Header;
use seata_engine::Call;

use crate::trace;

const GID: HeaderName = HeaderName::from_static("seata-gid");
const BRANCH_ID: HeaderName = HeaderName::from_static("seata-branch-id");
const OPERATION: HeaderName = HeaderName::from_static("seata-operation");
const ATTEMPT: HeaderName = HeaderName::from_static("seata-attempt");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The longest `grpc-timeout`: eight digits, in milliseconds (more than a day).
const GRPC_TIMEOUT_MS_MAX: u128 = 99_999_999;

/// What we and the configuration add to a call at most, without a new table.
const HEADERS_USUAL: usize = 16;

/// Answers all headers of a call over HTTP but those of the connection. A configured `user-agent` wins over ours.
pub(crate) fn of(call: &Call, user_agent: Option<&HeaderValue>) -> HeaderMap {
    let mut headers = ours(call, user_agent);
    if let Some(payload) = call.payload() {
        set(&mut headers, CONTENT_TYPE, payload.content_type.as_str());
    }
    if call
        .payload()
        .is_none_or(|payload| payload.bytes.is_empty())
    {
        // Said outright: some servers wait for a body of a POST without a length.
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    configured(&mut headers, call, Header::is_reserved);
    identity(&mut headers, call);
    headers
}

/// Answers the metadata of a call over gRPC. Nothing configured says how the message is to be read: it is sent as one
/// uncompressed message.
pub(crate) fn of_grpc(call: &Call, user_agent: Option<&HeaderValue>) -> HeaderMap {
    let mut headers = ours(call, user_agent);
    configured(&mut headers, call, |name| {
        Header::is_reserved(name) || name.starts_with("grpc-")
    });
    identity(&mut headers, call);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    // Without it a server may leave the trailers out, and with them the status.
    headers.insert(TE, HeaderValue::from_static("trailers"));
    set(&mut headers, GRPC_TIMEOUT, &grpc_timeout(call.timeout()));
    headers
}

fn ours(call: &Call, user_agent: Option<&HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(HEADERS_USUAL);
    if let Some(user_agent) = user_agent {
        headers.insert(USER_AGENT, user_agent.clone());
    }
    set(&mut headers, TRACEPARENT, trace::parent(call).as_str());
    headers
}

fn grpc_timeout(limit: Duration) -> String {
    format!("{}m", limit.as_millis().min(GRPC_TIMEOUT_MS_MAX))
}

fn configured(headers: &mut HeaderMap, call: &Call, is_reserved: impl Fn(&str) -> bool) {
    for header in call.headers() {
        if let Ok(name) = HeaderName::from_bytes(header.name.as_bytes())
            && !is_reserved(name.as_str())
        {
            set(headers, name, &header.value);
        }
    }
}

/// Adds who is asked what. The key holds gid and branch id, so that one allocation serves three headers.
fn identity(headers: &mut HeaderMap, call: &Call) {
    let (gid, branch_id) = (call.gid.as_str(), call.branch.branch_id.as_str());
    let operation = call.operation.as_str();
    let key = Bytes::from(format!("{gid}/{branch_id}/{operation}"));
    let branch_id_at = gid.len() + 1;
    add(headers, GID, key.slice(..gid.len()));
    let branch_id = key.slice(branch_id_at..branch_id_at + branch_id.len());
    add(headers, BRANCH_ID, branch_id);
    add(headers, IDEMPOTENCY_KEY, key);
    headers.insert(OPERATION, HeaderValue::from_static(operation));
    headers.insert(ATTEMPT, HeaderValue::from(call.attempt.number));
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    add(headers, name, Bytes::copy_from_slice(value.as_bytes()));
}

/// Sets a header whose value was checked at the edge; one that is none after all is left out.
fn add(headers: &mut HeaderMap, name: HeaderName, value: Bytes) {
    if let Ok(value) = HeaderValue::from_maybe_shared(value) {
        headers.insert(name, value);
    }
}

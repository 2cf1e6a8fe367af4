//! The headers of a call: who is asked what, and by which key the participant recognizes a repetition.

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use seata_engine::Call;

/// Headers that belong to the connection or to us: configured ones of these names are left out.
const RESERVED: [&str; 9] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "te",
    "trailer",
    "idempotency-key",
    "traceparent",
];

/// Writes all headers of a call but those of the connection.
pub(crate) fn write(headers: &mut HeaderMap, call: &Call) {
    if let Some(payload) = call.payload() {
        set(headers, CONTENT_TYPE, payload.content_type.as_str());
    }
    for header in call.headers() {
        if let Ok(name) = HeaderName::from_bytes(header.name.as_bytes())
            && !is_reserved(name.as_str())
        {
            set(headers, name, &header.value);
        }
    }
    let (gid, branch_id) = (call.gid.as_str(), call.branch.branch_id.as_str());
    let operation = call.operation.as_str();
    set(headers, HeaderName::from_static("seata-gid"), gid);
    set(
        headers,
        HeaderName::from_static("seata-branch-id"),
        branch_id,
    );
    headers.insert(
        HeaderName::from_static("seata-operation"),
        HeaderValue::from_static(operation),
    );
    headers.insert(
        HeaderName::from_static("seata-attempt"),
        HeaderValue::from(call.attempt.number),
    );
    set(
        headers,
        HeaderName::from_static("idempotency-key"),
        &format!("{gid}/{branch_id}/{operation}"),
    );
    set(
        headers,
        HeaderName::from_static("traceparent"),
        &traceparent(call),
    );
}

fn is_reserved(name: &str) -> bool {
    name.starts_with("seata-") || RESERVED.contains(&name)
}

/// Sets a header whose value was checked at the edge; one that is none after all is left out.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Makes a W3C trace context: one trace per transaction, one span per attempt, sampled.
fn traceparent(call: &Call) -> String {
    let high = hash(0x9e37_79b9_7f4a_7c15, call.gid.as_str().bytes());
    let low = hash(high, call.gid.as_str().bytes());
    let span = hash(
        low,
        call.branch
            .branch_id
            .as_str()
            .bytes()
            .chain(call.operation.as_str().bytes()),
    );
    let span = hash(
        span,
        call.attempt
            .number
            .to_le_bytes()
            .into_iter()
            .chain(call.attempt.token.0.to_le_bytes()),
    );
    format!("00-{high:016x}{low:016x}-{span:016x}-01")
}

/// FNV-1a from a start of its own, with the finalizer of splitmix64; never zero, which trace contexts forbid.
fn hash(start: u64, bytes: impl Iterator<Item = u8>) -> u64 {
    let fnv = bytes.fold(start ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (fnv ^ (fnv >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 31)).max(1)
}

//! A call as the request that is sent.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, Uri, Version};
use http_body_util::Full;
use seata_core::Endpoint;
use seata_engine::Call;

use crate::{grpc, headers};

/// Writes a request over plain HTTP/1.1: the target is a path, and the host a header.
///
/// # Errors
/// The endpoint can't be called.
pub(crate) fn plain(
    call: &Call,
    user_agent: Option<&HeaderValue>,
) -> Result<Request<Full<Bytes>>, http::Error> {
    let authority = call.endpoint.authority();
    let host = authority.strip_suffix(":80").unwrap_or(authority);
    let host = HeaderValue::from_str(host)?;
    let target = PathAndQuery::from_maybe_shared(target(call))?;
    let mut request = post(call, Uri::from(target), user_agent);
    request.headers_mut().insert(HOST, host);
    Ok(request)
}

/// Answers path and query. hyper sends them as they are.
fn target(call: &Call) -> Bytes {
    let (_, target) = split(&call.endpoint);
    if target.starts_with('/') {
        Bytes::copy_from_slice(target.as_bytes())
    } else {
        Bytes::from(format!("/{target}"))
    }
}

/// Answers the part of an endpoint that names the destination (scheme, host and port), and what follows it.
pub(crate) fn split(endpoint: &Endpoint) -> (&str, &str) {
    let text = endpoint.as_str();
    let authority_at = text.find("://").map_or(0, |at| at + 3);
    text.split_at(authority_at + endpoint.authority().len())
}

/// Writes a request whose target is the whole endpoint.
///
/// # Errors
/// The endpoint can't be called.
pub(crate) fn absolute(
    call: &Call,
    user_agent: Option<&HeaderValue>,
) -> Result<Request<Full<Bytes>>, http::Error> {
    let target = call.endpoint.as_str().parse()?;
    Ok(post(call, target, user_agent))
}

fn post(call: &Call, target: Uri, user_agent: Option<&HeaderValue>) -> Request<Full<Bytes>> {
    let body = call
        .payload()
        .map(|payload| Bytes::from_owner(Arc::clone(&payload.bytes)));
    let mut request = Request::new(Full::new(body.unwrap_or_default()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = target;
    *request.headers_mut() = headers::of(call, user_agent);
    request
}

/// Writes a call over gRPC.
///
/// # Errors
/// Says for a person why it can't be made.
pub(crate) fn grpc(
    call: &Call,
    user_agent: Option<&HeaderValue>,
) -> Result<Request<Full<Bytes>>, String> {
    let payload = call.payload().map_or(&[][..], |payload| &payload.bytes);
    let mut request = Request::new(Full::new(grpc::message(payload)?));
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = grpc::uri(&call.endpoint).map_err(|error| error.to_string())?;
    *request.headers_mut() = headers::of_grpc(call, user_agent);
    Ok(request)
}

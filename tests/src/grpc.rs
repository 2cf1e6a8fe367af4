//! The participants' side of gRPC over plain HTTP/2: one message in, one answer with its status out.

use std::convert::Infallible;

use bytes::{Buf, Bytes};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};

/// The body of an answer of either kind.
pub(crate) type AnswerBody = UnsyncBoxBody<Bytes, Infallible>;

const KIND: &str = "application/grpc";

/// What precedes a message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// Answers whether a request is a call over gRPC.
pub(crate) fn is_call(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind == KIND)
}

/// Answers the method of a path.
pub(crate) fn method(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or("")
}

/// Answers the one message of a call.
///
/// # Panics
/// It is not exactly one, uncompressed.
pub(crate) fn message(mut body: &[u8]) -> Bytes {
    assert_eq!(body.get_u8(), 0, "it is compressed");
    let length = body.get_u32() as usize;
    assert_eq!(body.len(), length, "it is not one message");
    Bytes::copy_from_slice(body)
}

/// Answers a body of HTTP.
pub(crate) fn plain(text: String) -> AnswerBody {
    Full::from(text).boxed_unsync()
}

/// Answers a call by what the same answer would be over HTTP. A refusal is in the head alone, as most servers have it; a
/// success has a message, and its status behind it.
pub(crate) fn answer(status: u16, text: &str) -> Response<AnswerBody> {
    let mut ends = HeaderMap::new();
    ends.insert("grpc-status", HeaderValue::from_static(code(status)));
    ends.insert("grpc-message", HeaderValue::from_str(text).unwrap());
    let mut response = if status == 200 {
        let message = Full::from(Bytes::from_static(&[0; PREFIX_BYTES]));
        let trailers = std::future::ready(Some(Ok(ends)));
        Response::new(message.with_trailers(trailers).boxed_unsync())
    } else {
        let mut response = Response::new(plain(String::new()));
        response.headers_mut().extend(ends);
        response
    };
    let kind = HeaderValue::from_static(KIND);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn code(status: u16) -> &'static str {
    match status {
        200 => "0",
        202 => "9",
        409 => "10",
        503 => "14",
        _ => "2",
    }
}

//! gRPC over HTTP/2, as far as one unary call needs it: the frame of a message, and the status behind it.
//!
//! It is written out here because the null coordinator is to do as little as can be done.

use anyhow::{Context, Result, bail};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::WithTrailers;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::future::{Ready, ready};

/// What is spoken, to the coordinator and to the participants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Wire {
    /// HTTP/1.1 and JSON.
    #[default]
    Http,
    /// gRPC.
    Grpc,
}

impl Wire {
    /// Names it as the command line does.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Grpc => "grpc",
        }
    }
}

/// What precedes a message: a byte that says "not compressed", and its length.
pub(crate) const PREFIX_BYTES: usize = 5;

const STATUS: &str = "grpc-status";

/// The body of an answer of either wire.
pub(crate) type AnswerBody = Either<Full<Bytes>, WithTrailers<Full<Bytes>, Trailers>>;

type Trailers = Ready<Option<Result<HeaderMap, Infallible>>>;

/// Puts a length before a message.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    put_prefix(&mut framed, message.len());
    framed.put_slice(message);
    framed.freeze()
}

/// Writes what precedes a message of that length.
pub(crate) fn put_prefix(to: &mut BytesMut, bytes: usize) {
    to.put_u8(0);
    to.put_u32(u32::try_from(bytes).unwrap_or(u32::MAX));
}

/// Answers the message that a body consists of.
///
/// # Errors
/// It is not exactly one, uncompressed.
pub(crate) fn unframed(mut body: Bytes) -> Result<Bytes> {
    if body.len() < PREFIX_BYTES || body.get_u8() != 0 || body.get_u32() as usize != body.len() {
        bail!("a body isn't one uncompressed message");
    }
    Ok(body)
}

/// Makes a request of either wire: gRPC says so in its headers.
pub(crate) fn post(wire: Wire, uri: &str, body: Bytes) -> Result<Request<Full<Bytes>>> {
    let mut request = Request::post(uri)
        .body(Full::new(body))
        .context("making a request")?;
    let headers = request.headers_mut();
    match wire {
        Wire::Http => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Wire::Grpc => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
    }
    Ok(request)
}

/// Reads an answer to its end; its status is the one that the same answer has over HTTP.
///
/// # Errors
/// It breaks off, or says nothing.
pub(crate) async fn read(wire: Wire, response: Response<Incoming>) -> Result<(StatusCode, Bytes)> {
    let (head, body) = response.into_parts();
    let body = body.collect().await.context("reading an answer")?;
    let status = match wire {
        Wire::Http => head.status,
        Wire::Grpc => {
            let said = body.trailers().and_then(|trailers| trailers.get(STATUS));
            let said = said.or_else(|| head.headers.get(STATUS));
            said.and_then(over_http)
                .context("an answer has no grpc-status that is known here")?
        }
    };
    Ok((status, body.to_bytes()))
}

/// Makes an answer, of HTTP as it is, of gRPC with its status behind its message.
pub(crate) fn answer(wire: Wire, status: StatusCode, body: Bytes) -> Response<AnswerBody> {
    match wire {
        Wire::Http => {
            let mut answer = Response::new(Either::Left(Full::new(body)));
            *answer.status_mut() = status;
            answer
        }
        Wire::Grpc => {
            let mut trailers = HeaderMap::new();
            trailers.insert(STATUS, HeaderValue::from_static(over_grpc(status)));
            let trailers = ready(Some(Ok(trailers)));
            let body = Full::new(framed(&body)).with_trailers(trailers);
            let mut answer = Response::new(Either::Right(body));
            let kind = HeaderValue::from_static("application/grpc");
            answer.headers_mut().insert(CONTENT_TYPE, kind);
            answer
        }
    }
}

fn over_grpc(status: StatusCode) -> &'static str {
    match status {
        StatusCode::OK => "0",
        StatusCode::ACCEPTED => "9",
        StatusCode::CONFLICT => "10",
        _ => "2",
    }
}

fn over_http(status: &HeaderValue) -> Option<StatusCode> {
    match status.as_bytes() {
        b"0" => Some(StatusCode::OK),
        b"8" => Some(StatusCode::TOO_MANY_REQUESTS),
        b"9" => Some(StatusCode::ACCEPTED),
        b"10" => Some(StatusCode::CONFLICT),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_message_comes_out_of_its_frame_as_it_went_in() {
        assert_eq!(framed(b"abc").as_ref(), b"\0\0\0\0\x03abc");
        assert_eq!(unframed(framed(b"abc")).unwrap().as_ref(), b"abc");
        assert_eq!(unframed(framed(b"")).unwrap().as_ref(), b"");
        assert!(unframed(Bytes::from_static(b"\0\0\0\0\x04abc")).is_err());
        assert!(unframed(Bytes::from_static(b"\x01\0\0\0\x03abc")).is_err());
        assert!(unframed(Bytes::new()).is_err());
    }

    #[test]
    fn a_status_is_the_same_over_both_wires() {
        for status in [StatusCode::OK, StatusCode::ACCEPTED, StatusCode::CONFLICT] {
            let written = HeaderValue::from_static(over_grpc(status));
            assert_eq!(over_http(&written), Some(status));
        }
        assert_eq!(over_http(&HeaderValue::from_static("14")), None);
    }
}

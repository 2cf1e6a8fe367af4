//! The wire and the outcome table of gRPC: `grpc-status` decides, never the answer's message.
//!
//! It knows HTTP/2 framing through hyper, and of gRPC only what one unary call needs. The messages are the participant's
//! own: they are neither read nor checked.

use bytes::{BufMut, Bytes, BytesMut};
use http::uri::Scheme;
use http::{HeaderMap, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use seata_core::Scheme::{Grpc, Grpcs, Http, Https, Local};
use seata_core::{Endpoint, Outcome, Reason};

use crate::outcome::unknown;
use crate::silence;

const OK: u32 = 0;
const FAILED_PRECONDITION: u32 = 9;
const ABORTED: u32 = 10;

const STATUS: &str = "grpc-status";
const MESSAGE: &str = "grpc-message";

/// What precedes a message: a byte that says "not compressed", and its length.
const PREFIX_BYTES: usize = 5;

/// The names of the status codes, each at its number.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// Answers the URI that hyper calls for an endpoint: hyper knows the schemes of HTTP only.
///
/// # Errors
/// The endpoint is no URI.
pub(crate) fn uri(endpoint: &Endpoint) -> Result<Uri, http::Error> {
    let mut parts = endpoint.as_str().parse::<Uri>()?.into_parts();
    parts.scheme = Some(match endpoint.scheme() {
        Grpcs | Https => Scheme::HTTPS,
        Grpc | Http | Local => Scheme::HTTP,
    });
    Ok(Uri::from_parts(parts)?)
}

/// Frames a payload as the one message of a call. No payload is the empty message.
///
/// # Errors
/// The payload is larger than a message can be.
pub(crate) fn message(payload: &[u8]) -> Result<Bytes, String> {
    let length = u32::try_from(payload.len())
        .map_err(|_| "the payload is larger than a gRPC message can be".to_owned())?;
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + payload.len());
    framed.put_u8(0);
    framed.put_u32(length);
    framed.put_slice(payload);
    Ok(framed.freeze())
}

/// How far an answer was read.
pub(crate) enum Ended {
    /// To its end, with these trailers, if any.
    Complete(HeaderMap),
    /// It is longer than the bound.
    TooLarge,
    /// It broke off.
    BrokenOff(String),
}

/// Reads a body to its trailers and keeps nothing else of it.
pub(crate) async fn ended(mut body: Incoming, bytes_max: usize) -> Ended {
    let mut read_bytes = 0;
    loop {
        let frame = match body.frame().await {
            None => return Ended::Complete(HeaderMap::new()),
            Some(Err(error)) => return Ended::BrokenOff(silence::of_body(&error)),
            Some(Ok(frame)) => frame,
        };
        match frame.into_trailers() {
            Ok(trailers) => return Ended::Complete(trailers),
            Err(frame) => read_bytes += frame.data_ref().map_or(0, Bytes::len),
        }
        if read_bytes > bytes_max {
            return Ended::TooLarge;
        }
    }
}

/// Reads the status of an answer from its trailers, or from its head. None if there is none.
///
/// | grpc-status | outcome |
/// |---|---|
/// | OK, with or without a message | `Success` |
/// | ABORTED | `Failure`: the participant refuses |
/// | FAILED_PRECONDITION | `Ongoing` |
/// | any other code, or what is no code | `Unknown` |
pub(crate) fn read(fields: &HeaderMap) -> Option<Outcome> {
    let status = fields.get(STATUS)?;
    let said = fields.get(MESSAGE).map(|said| decoded(said.as_bytes()));
    let said = said.as_deref().map_or("", str::trim);
    let code = status.to_str().ok().and_then(code);
    Some(match code {
        Some(OK) => Outcome::Success,
        Some(FAILED_PRECONDITION) => Outcome::Ongoing,
        Some(ABORTED) => Outcome::Failure {
            reason: Reason::new(&with_text(&name(ABORTED), said)),
        },
        Some(other) => unknown(&with_text(&name(other), said)),
        None => unknown("the answer's grpc-status is not a number"),
    })
}

/// Reads an answer's status behind its message, or in its head if that is all there is: an answer that goes on behind
/// its head has not said how it ends.
pub(crate) fn read_end(ended: Ended, head: &HeaderMap) -> Outcome {
    match ended {
        Ended::Complete(trailers) => read(&trailers)
            .or_else(|| read(head))
            .unwrap_or_else(|| unknown("the answer has no grpc-status")),
        Ended::TooLarge => {
            unknown("the answer is larger than allowed: its grpc-status was not read")
        }
        Ended::BrokenOff(why) => unknown(&format!(
            "the answer broke off before its grpc-status: {why}"
        )),
    }
}

/// Says that what answered is no gRPC server but, say, a proxy.
pub(crate) fn not_grpc(status: StatusCode) -> Outcome {
    unknown(&format!("HTTP status {status} instead of a gRPC answer"))
}

/// Reads a code: digits and nothing else.
fn code(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

fn name(code: u32) -> String {
    let known = usize::try_from(code).ok().and_then(|at| CODES.get(at));
    known.map_or_else(|| format!("grpc-status {code}"), |name| (*name).to_owned())
}

fn with_text(name: &str, said: &str) -> String {
    match said {
        "" => name.to_owned(),
        said => format!("{name}: {said}"),
    }
}

/// Undoes the percent-encoding of a message. What is badly encoded is kept as it is: it only tells people why.
fn decoded(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let (byte, left) = encoded_byte(rest).unwrap_or((*first, after));
        bytes.push(byte);
        rest = left;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Answers the byte that `%XX` stands for and what follows, or none if none is at the beginning.
fn encoded_byte(text: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, rest @ ..] = text else {
        return None;
    };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let byte = digit(high)? * 16 + digit(low)?;
    Some((u8::try_from(byte).ok()?, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn outcome(status: &str, message: Option<&str>) -> Outcome {
        let mut fields = HeaderMap::new();
        fields.insert(STATUS, status.parse().unwrap());
        if let Some(message) = message {
            fields.insert(MESSAGE, message.parse().unwrap());
        }
        read(&fields).unwrap()
    }

    fn reason(status: &str, message: Option<&str>) -> String {
        outcome(status, message)
            .reason()
            .unwrap()
            .as_str()
            .to_owned()
    }

    #[test]
    fn each_code_has_one_outcome_and_the_message_changes_nothing() {
        for message in [None, Some("OK"), Some("ABORTED"), Some("FAILURE")] {
            for code in 0..100_u32 {
                let expected = match code {
                    0 => "success",
                    9 => "ongoing",
                    10 => "failure",
                    _ => "unknown",
                };
                let outcome = outcome(&code.to_string(), message);
                assert_eq!(outcome.as_str(), expected, "{code} {message:?}");
            }
        }
    }

    #[test]
    fn what_is_no_code_is_never_read_as_one() {
        for status in ["", "+0", "-0", "0 0", "OK", "4294967296", "0x0", "1e1"] {
            let outcome = outcome(status, None);
            assert_eq!(outcome.as_str(), "unknown", "{status:?}");
        }
        assert!(read(&HeaderMap::new()).is_none());
    }

    #[test]
    fn a_refusal_keeps_its_code_and_what_was_said_like_any_other_answer() {
        assert_eq!(
            reason("10", Some("no%20money %E2%82%AC")),
            "ABORTED: no money \u{20ac}"
        );
        assert_eq!(reason("10", None), "ABORTED");
        assert_eq!(reason("10", Some("")), "ABORTED");
    }

    #[test]
    fn an_unknown_answer_keeps_its_code_and_what_was_said() {
        assert_eq!(reason("14", Some("try later")), "UNAVAILABLE: try later");
        assert_eq!(reason("5", None), "NOT_FOUND");
        assert_eq!(reason("77", Some("x")), "grpc-status 77: x");
    }

    #[test]
    fn a_message_that_is_badly_encoded_is_kept_as_it_is() {
        for text in ["%", "%4", "100%", "%zz", "a%4gb"] {
            assert_eq!(decoded(text.as_bytes()), text);
        }
        assert_eq!(decoded(b"%ff"), "\u{fffd}");
        assert_eq!(decoded(b"%25%34"), "%4");
    }

    #[test]
    fn a_reason_is_bounded() {
        assert_eq!(
            reason("10", Some(&"x".repeat(5_000))).len(),
            Reason::BYTES_MAX
        );
    }

    #[test]
    fn a_message_is_framed_with_its_length() {
        assert_eq!(message(b"abc").unwrap().as_ref(), b"\0\0\0\0\x03abc");
        assert_eq!(message(b"").unwrap().as_ref(), [0; 5]);
    }
}

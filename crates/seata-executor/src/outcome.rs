//! The outcome table of HTTP: the status decides, never a text in a body.

use http::StatusCode;
use seata_core::{Outcome, Reason};

/// Reads an answer. `body` is what was kept of it, and only tells people why: it may be cut anywhere.
///
/// | status | outcome |
/// |---|---|
/// | 2xx except 202 | `Success` |
/// | 409 | `Failure`: the participant refuses |
/// | 202, 425 | `Ongoing` |
/// | anything else, redirects included | `Unknown` |
///
/// Once a status has come it stands, even if the body breaks off, is too large or takes longer than the time limit:
/// the participant has said what it did.
pub(crate) fn read(status: StatusCode, body: &[u8]) -> Outcome {
    match status.as_u16() {
        202 | 425 => Outcome::Ongoing,
        200..=299 => Outcome::Success,
        409 => Outcome::Failure {
            reason: Reason::new(&with_text(status, &text(body))),
        },
        300..=399 => unknown(&with_text(
            status,
            "redirects are not followed: give the final address",
        )),
        0..=199 | 400..=u16::MAX => unknown(&with_text(status, &text(body))),
    }
}

/// Answers an unknown outcome with what was seen instead of an answer.
pub(crate) fn unknown(reason: &str) -> Outcome {
    Outcome::Unknown {
        reason: Reason::new(reason),
    }
}

/// Answers the body as text. A character that was cut in two at the end is left out.
fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body)
        .trim_end_matches(char::REPLACEMENT_CHARACTER)
        .trim()
        .to_owned()
}

fn with_text(status: StatusCode, text: &str) -> String {
    let code = status.as_str();
    let named = status
        .canonical_reason()
        .map_or_else(|| code.to_owned(), |name| format!("{code} {name}"));
    match text {
        "" => named,
        text => format!("{named}: {text}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn reason(code: u16, body: &[u8]) -> String {
        let outcome = read(StatusCode::from_u16(code).unwrap(), body);
        outcome.reason().unwrap().as_str().to_owned()
    }

    #[test]
    fn each_status_has_one_outcome_and_the_body_changes_nothing() {
        for body in ["", "FAILURE", "SUCCESS", "ONGOING"] {
            for code in 100..1000_u16 {
                let outcome = read(StatusCode::from_u16(code).unwrap(), body.as_bytes());
                let expected = match code {
                    202 | 425 => "ongoing",
                    200..=299 => "success",
                    409 => "failure",
                    _ => "unknown",
                };
                assert_eq!(outcome.as_str(), expected, "{code} {body}");
            }
        }
    }

    #[test]
    fn a_refusal_keeps_its_status_and_what_was_said_like_any_other_answer() {
        assert_eq!(reason(409, b" no money\n"), "409 Conflict: no money");
        assert_eq!(reason(409, b""), "409 Conflict");
    }

    #[test]
    fn an_unknown_answer_keeps_its_status_and_what_was_said() {
        assert_eq!(
            reason(503, b"try later"),
            "503 Service Unavailable: try later"
        );
        assert_eq!(reason(503, b""), "503 Service Unavailable");
        assert_eq!(reason(599, b"x"), "599: x");
        assert!(reason(302, b"moved").starts_with("302 Found: redirects are not followed"));
    }

    #[test]
    fn a_reason_is_bounded_and_cut_at_a_character() {
        assert_eq!(reason(500, &[b'x'; 5_000]).len(), Reason::BYTES_MAX);
        assert_eq!(reason(409, &"aé".as_bytes()[..2]), "409 Conflict: a");
        assert_eq!(reason(409, b"\xff"), "409 Conflict");
    }
}

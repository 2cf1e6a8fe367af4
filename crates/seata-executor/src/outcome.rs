//! The outcome table of HTTP: the status decides, never a text in a body.

use http::StatusCode;
use seata_core::{Outcome, Reason};

/// Reads an answer. `body` is what was read of it, and only tells people why.
///
/// | status | outcome |
/// |---|---|
/// | 2xx except 202 | `Success` |
/// | 409 | `Failure`: the participant refuses |
/// | 202, 425 | `Ongoing` |
/// | anything else | `Unknown` |
pub(crate) fn read(status: StatusCode, body: &[u8]) -> Outcome {
    match status.as_u16() {
        202 | 425 => Outcome::Ongoing,
        200..=299 => Outcome::Success,
        409 => Outcome::Failure {
            reason: said(status, body),
        },
        0..=199 | 300..=u16::MAX => Outcome::Unknown {
            reason: said(status, body),
        },
    }
}

fn said(status: StatusCode, body: &[u8]) -> Reason {
    let text = String::from_utf8_lossy(body);
    match text.trim() {
        "" => Reason::new(&status.to_string()),
        text => Reason::new(&format!("{status}: {text}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

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
    fn the_reason_keeps_the_status_and_a_bounded_text() {
        let outcome = read(StatusCode::CONFLICT, "no money".repeat(1_000).as_bytes());
        let text = outcome.reason().unwrap().as_str().to_owned();
        assert!(text.starts_with("409 Conflict: no money"));
        assert_eq!(text.len(), Reason::BYTES_MAX);
    }
}

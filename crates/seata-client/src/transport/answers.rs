//! Reads the coordinator's answers over HTTP.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, Response};
use hyper::body::Incoming;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::connection::{Answered, read};
use crate::error::{Error, ErrorCode, Refusal};
use crate::requests::{Settled, SettledWord, Tried};
use crate::view::{Page, Transaction};
use crate::words::Status;

/// Reads an answer that says no more than that it was done.
pub(crate) fn done(answered: &Answered) -> Result<(), Error> {
    accepted(answered)
}

/// Reads a JSON answer.
pub(crate) fn json<T: DeserializeOwned>(answered: &Answered) -> Result<T, Error> {
    accepted(answered)?;
    serde_json::from_slice(&answered.body).map_err(|error| Error::Unreadable(error.to_string()))
}

#[derive(Deserialize)]
struct SettledBody {
    status: String,
    transaction_status: Option<Status>,
    transaction: Option<Box<Transaction>>,
}

/// Reads the answer to a decision.
pub(crate) fn settled(answered: &Answered) -> Result<Settled, Error> {
    let body: SettledBody = json(answered)?;
    let word = match body.status.as_str() {
        "success" => SettledWord::Accepted,
        "committed" => SettledWord::Committed,
        "aborted" => SettledWord::Aborted,
        "stuck" => SettledWord::Stuck,
        "pending" => SettledWord::Pending,
        other => return Err(Error::Unreadable(format!("its status is {other:?}"))),
    };
    Ok(Settled {
        word,
        status: body
            .transaction_status
            .or_else(|| Some(body.transaction.as_ref()?.status.clone())),
        transaction: body.transaction,
    })
}

/// Reads the answer to a try. A participant's refusal is an answer, the coordinator's is an error.
pub(crate) fn tried(answered: &Answered) -> Result<Tried, Error> {
    if answered.status.as_u16() == 202 {
        let body: Value = serde_json::from_slice(&answered.body).unwrap_or_default();
        let reason = body["reason"].as_str().map(ToOwned::to_owned);
        return Ok(Tried::NotKnown { reason });
    }
    match accepted(answered) {
        Ok(()) => Ok(Tried::Succeeded),
        Err(Error::Refused(refusal)) if refusal.code == ErrorCode::BranchRefused => {
            Ok(refused_try(&refusal))
        }
        Err(error) => Err(error),
    }
}

/// Reads what the participant said as it refused.
pub(crate) fn refused_try(refusal: &Refusal) -> Tried {
    let said = refusal.details["reason"].as_str();
    let reason = said.unwrap_or(&refusal.message).to_owned();
    Tried::Refused { reason }
}

#[derive(Deserialize)]
struct OrderedBody {
    transaction: Transaction,
}

/// Reads the answer to an operator's order.
pub(crate) fn ordered(answered: &Answered) -> Result<Transaction, Error> {
    json(answered).map(|body: OrderedBody| body.transaction)
}

/// Reads a page of a list.
pub(crate) fn page(answered: &Answered) -> Result<Page, Error> {
    let cursor = answered.headers.get("x-next-cursor");
    Ok(Page {
        transactions: json(answered)?,
        next_cursor: cursor.and_then(|text| Some(text.to_str().ok()?.to_owned())),
    })
}

/// Answers the body of a stream that was opened, or reads why it was not.
pub(crate) async fn opened(
    response: Response<Incoming>,
    bytes_max: usize,
) -> Result<Incoming, Error> {
    let (head, body) = response.into_parts();
    if head.status.is_success() {
        return Ok(body);
    }
    let answered = Answered {
        status: head.status,
        headers: head.headers,
        body: read(body, bytes_max).await?,
    };
    accepted(&answered)?;
    Err(Error::Unreadable(format!(
        "HTTP status {}",
        answered.status
    )))
}

/// Tells a refusal from an answer.
fn accepted(answered: &Answered) -> Result<(), Error> {
    if answered.status.is_success() {
        return Ok(());
    }
    Err(refusal(answered))
}

#[derive(Deserialize)]
struct RefusalBody {
    error: String,
    code: ErrorCode,
    #[serde(default)]
    details: Value,
}

/// Reads a refusal. What else says no, such as a proxy, is none: but its 429 and 503 may pass just as well.
fn refusal(answered: &Answered) -> Error {
    let status = answered.status.as_u16();
    let retry_after = match status {
        429 | 503 => retry_after(&answered.headers),
        _ => None,
    };
    match serde_json::from_slice::<RefusalBody>(&answered.body) {
        Ok(body) => Error::Refused(Box::new(Refusal {
            code: body.code,
            message: body.error,
            details: body.details,
            retry_after,
        })),
        Err(_) if retry_after.is_some() => Error::Refused(Box::new(Refusal {
            code: ErrorCode::Other(status.to_string()),
            message: format!("HTTP status {}", answered.status),
            details: Value::Null,
            retry_after,
        })),
        Err(_) => Error::Unreadable(format!("HTTP status {}", answered.status)),
    }
}

/// Reads `retry-after` in seconds. A date is left out: clocks differ.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use bytes::Bytes;

    use super::*;

    fn answered(status: u16, body: &str) -> Answered {
        Answered {
            status: status.try_into().unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::from(body.to_owned()),
        }
    }

    fn later(status: u16, body: &str) -> Answered {
        let mut answered = answered(status, body);
        answered.headers.insert(RETRY_AFTER, 2.into());
        answered
    }

    #[test]
    fn a_try_that_the_participant_refused_is_an_answer_and_any_other_conflict_an_error() {
        let refused =
            r#"{"error": "b refused", "code": "BRANCH_REFUSED", "details": {"reason": "no seat"}}"#;
        let reason = "no seat".to_owned();
        assert_eq!(
            tried(&answered(409, refused)).unwrap(),
            Tried::Refused { reason }
        );
        let late = r#"{"error": "too late", "code": "INVALID_STATUS_TRANSITION", "details": {}}"#;
        let error = tried(&answered(409, late)).unwrap_err();
        assert_eq!(error.code(), Some(&ErrorCode::InvalidStatusTransition));
        assert_eq!(tried(&answered(200, "{}")).unwrap(), Tried::Succeeded);
        assert_eq!(
            tried(&answered(202, "{}")).unwrap(),
            Tried::NotKnown { reason: None }
        );
    }

    #[test]
    fn only_what_asks_for_it_may_pass() {
        let full = r#"{"error": "full", "code": "OVERLOADED", "details": {}}"#;
        assert!(done(&later(429, full)).unwrap_err().may_pass());
        assert!(done(&later(503, "<html>")).unwrap_err().may_pass());
        assert!(!done(&answered(503, "<html>")).unwrap_err().may_pass());
        let wrong = r#"{"error": "x", "code": "INVALID_REQUEST"}"#;
        assert!(!done(&later(400, wrong)).unwrap_err().may_pass());
    }

    #[test]
    fn a_code_that_is_new_is_kept() {
        let new = r#"{"error": "x", "code": "NEW_CODE"}"#;
        let error = done(&answered(409, new)).unwrap_err();
        assert_eq!(error.code(), Some(&ErrorCode::Other("NEW_CODE".into())));
    }

    #[test]
    fn a_decision_tells_where_it_stands() {
        let accepted = settled(&answered(
            200,
            r#"{"status": "success", "transaction_status": "ABORTED"}"#,
        ));
        assert_eq!(accepted.unwrap().status, Some(Status::Aborted));
        assert!(settled(&answered(200, r#"{"status": "odd"}"#)).is_err());
        assert!(settled(&answered(200, "[]")).is_err());
    }
}

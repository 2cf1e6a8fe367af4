//! The participant's side of a call: what is asked, and what to answer.

mod http;

use std::fmt;

use ::http::{HeaderMap, StatusCode};
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Serialize, Serializer};

use crate::gid::Gid;

pub use http::HttpParticipant;

/// What a branch is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Of a saga: do the work.
    Action,
    /// Of a saga: undo it.
    Compensation,
    /// Of a TCC: reserve.
    Try,
    /// Of a TCC: make the reservation good.
    Confirm,
    /// Of a TCC: give the reservation back.
    Cancel,
}

impl Operation {
    const ALL: [Self; 5] = [
        Self::Action,
        Self::Compensation,
        Self::Try,
        Self::Confirm,
        Self::Cancel,
    ];

    /// Answers the word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Compensation => "compensation",
            Self::Try => "try",
            Self::Confirm => "confirm",
            Self::Cancel => "cancel",
        }
    }

    /// Reads the word on the wire.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.as_str() == word)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Operation {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

/// One call to a participant. The same (gid, branch, operation) may come again, late, or out of order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Of which transaction.
    pub gid: Gid,
    /// Which branch.
    pub branch_id: String,
    /// What is asked.
    pub operation: Operation,
    /// Counts the calls of this operation from 1, and may start again after a takeover.
    pub attempt: u32,
    /// What the payload is.
    pub content_type: Option<String>,
    /// What the initiator sent along.
    pub payload: Bytes,
}

/// Says that a request is no call of a coordinator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the header {0} is missing or wrong: this is no call of a coordinator")]
pub struct UnknownCall(&'static str);

impl Call {
    /// Reads a call from a request's headers (or a gRPC call's metadata) and body.
    ///
    /// # Errors
    /// A `seata-*` header is missing or wrong: then answer 400, which is no refusal.
    pub fn from_headers(headers: &HeaderMap, payload: Bytes) -> Result<Self, UnknownCall> {
        let text = |name: &'static str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.ok_or(UnknownCall(name))
        };
        let gid = Gid::parse(text("seata-gid")?).map_err(|_| UnknownCall("seata-gid"))?;
        let operation = Operation::parse(text("seata-operation")?);
        let content_type = text("content-type").ok().map(ToOwned::to_owned);
        Ok(Self {
            gid,
            branch_id: text("seata-branch-id")?.to_owned(),
            operation: operation.ok_or(UnknownCall("seata-operation"))?,
            attempt: text("seata-attempt")?
                .parse()
                .map_err(|_| UnknownCall("seata-attempt"))?,
            content_type,
            payload,
        })
    }

    /// Answers the key that is the same for each repetition.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}/{}", self.gid, self.branch_id, self.operation)
    }
}

/// A participant's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is done, durably.
    Success,
    /// It is refused: nothing happened and nothing will.
    Failure {
        /// Why, for a person.
        reason: String,
    },
    /// It has begun and is not finished: ask again.
    Ongoing,
    /// Nobody knows.
    Unknown {
        /// What was seen, for a person.
        reason: String,
    },
}

impl Answer {
    /// Refuses, and says why.
    #[must_use]
    pub fn failure(reason: impl Into<String>) -> Self {
        Self::Failure {
            reason: reason.into(),
        }
    }

    /// Answers the HTTP status that says so.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Success => StatusCode::OK,
            Self::Failure { .. } => StatusCode::CONFLICT,
            Self::Ongoing => StatusCode::ACCEPTED,
            Self::Unknown { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Answers what the body of such a response should say.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Success | Self::Ongoing => "",
            Self::Failure { reason } | Self::Unknown { reason } => reason,
        }
    }

    /// Reads an HTTP response: its status decides, never the text.
    #[must_use]
    pub fn from_response(status: StatusCode, body: &str) -> Self {
        match status.as_u16() {
            202 | 425 => Self::Ongoing,
            200..=299 => Self::Success,
            409 => Self::failure(body),
            0..=199 | 300..=u16::MAX => Self::Unknown {
                reason: format!("{status} {body}").trim().to_owned(),
            },
        }
    }
}

/// Something that answers calls: a service, or a part of one in the same process.
#[async_trait]
pub trait Participant: Send + Sync {
    /// Does what is asked, or says why not.
    async fn call(&self, call: &Call) -> Answer;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn headers(change: impl FnOnce(&mut HeaderMap)) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("seata-gid", "order-1"),
            ("seata-branch-id", "stock"),
            ("seata-operation", "compensation"),
            ("seata-attempt", "2"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        change(&mut headers);
        headers
    }

    #[test]
    fn a_call_is_read_from_its_headers() {
        let call = Call::from_headers(&headers(|_| ()), Bytes::from_static(b"{}")).unwrap();
        assert_eq!(call.operation, Operation::Compensation);
        assert_eq!(call.attempt, 2);
        assert_eq!(call.idempotency_key(), "order-1/stock/compensation");
    }

    #[test]
    fn what_is_no_call_is_named_by_the_header_that_is_wrong() {
        for (name, bad) in [
            ("seata-gid", "a/b"),
            ("seata-operation", "undo"),
            ("seata-attempt", "x"),
        ] {
            let wrong = headers(|headers| {
                headers.insert(name, bad.parse().unwrap());
            });
            let error = Call::from_headers(&wrong, Bytes::new()).unwrap_err();
            assert_eq!(error, UnknownCall(name));
        }
        let missing = headers(|headers| {
            headers.remove("seata-branch-id");
        });
        assert!(Call::from_headers(&missing, Bytes::new()).is_err());
    }

    #[test]
    fn what_is_answered_is_read_back() {
        for answer in [Answer::Success, Answer::failure("no"), Answer::Ongoing] {
            let read = Answer::from_response(answer.status(), answer.reason());
            assert_eq!(read, answer);
        }
        let status = StatusCode::NOT_FOUND;
        assert!(matches!(
            Answer::from_response(status, "FAILURE"),
            Answer::Unknown { .. }
        ));
    }
}

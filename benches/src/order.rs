//! What the runner tells the load, one JSON text a line, and what it hears; and the transaction that is submitted.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Work for the load.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Submits, on each connection one after the other.
    Submit {
        target: SocketAddr,
        saga: Saga,
        until: Until,
    },
    /// Reads every transaction that was accepted so far, once, and compares its status.
    Check { target: SocketAddr, status: String },
}

/// When submitting ends.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Until {
    Seconds(f64),
    Accepted(u64),
}

/// What came of an order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    Submitted(Submitted),
    Checked(Checked),
    Failed(String),
}

/// What came of submitting.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Submitted {
    /// Answers 200.
    pub(crate) accepted: u64,
    /// Answers 429. The load pauses and sends the same again.
    pub(crate) refused: u64,
    pub(crate) seconds: f64,
    /// From the request to its answer 200.
    pub(crate) p50_us: u32,
    pub(crate) p99_us: u32,
}

/// What came of reading.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Checked {
    pub(crate) checked: u64,
    pub(crate) wrong: u64,
    /// One that has another status, with that status.
    pub(crate) example: Option<String>,
}

/// The two-branch saga that all are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Saga {
    stub: SocketAddr,
    answer: Answer,
    retry_interval_secs: Option<f64>,
}

/// When the coordinator is to answer a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// As soon as the transaction is accepted.
    AtOnce,
    /// When it has ended: as the null coordinator does.
    AtTheEnd,
}

impl Saga {
    /// Its participants do their work at once.
    pub(crate) fn committing(stub: SocketAddr, answer: Answer) -> Self {
        Self {
            stub,
            answer,
            retry_interval_secs: None,
        }
    }

    /// Its participants are asked again at this interval until they are done.
    pub(crate) fn asked_every(stub: SocketAddr, retry_interval_secs: f64) -> Self {
        Self {
            stub,
            answer: Answer::AtOnce,
            retry_interval_secs: Some(retry_interval_secs),
        }
    }

    /// Writes the request but for its gid.
    pub(crate) fn template(&self) -> Template {
        let branches = json!([self.branch("debit", 1), self.branch("credit", 2)]);
        let options = self.retry_interval_secs.map_or_else(String::new, |secs| {
            let options =
                json!({ "retry_interval_secs": secs, "retry_interval_max_secs": secs.max(1.0) });
            format!(r#","options":{options}"#)
        });
        let wait = match self.answer {
            Answer::AtOnce => "",
            Answer::AtTheEnd => r#","wait":true"#,
        };
        Template {
            before: r#"{"gid":""#,
            after: format!(r#"","mode":"saga","branches":{branches}{options}{wait}}}"#),
        }
    }

    fn branch(&self, name: &str, account: u32) -> serde_json::Value {
        let stub = self.stub;
        json!({
            "branch_id": name,
            "action": format!("http://{stub}/{name}"),
            "compensation": format!("http://{stub}/{name}-undo"),
            "payload": {
                "account": format!("DE{account:020}"),
                "amount_cents": 4200,
                "currency": "EUR",
                "reference": "invoice 2026-11",
            },
        })
    }
}

/// A request whose gid is missing.
pub(crate) struct Template {
    before: &'static str,
    after: String,
}

impl Template {
    /// Writes the request of one transaction.
    pub(crate) fn body(&self, gid: u128) -> Bytes {
        let gid = gid_text(gid);
        let length = self.before.len() + gid.len() + self.after.len();
        let mut body = BytesMut::with_capacity(length);
        body.put_slice(self.before.as_bytes());
        body.put_slice(gid.as_bytes());
        body.put_slice(self.after.as_bytes());
        body.freeze()
    }
}

/// Writes a gid as the server gets it.
pub(crate) fn gid_text(gid: u128) -> String {
    format!("{gid:032x}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn written(saga: &Saga) -> serde_json::Value {
        serde_json::from_slice(&saga.template().body(255)).unwrap()
    }

    fn stub() -> SocketAddr {
        "127.0.0.1:9".parse().unwrap()
    }

    #[test]
    fn a_request_is_a_whole_transaction_with_the_gid_of_the_client() {
        let body = written(&Saga::committing(stub(), Answer::AtOnce));
        assert_eq!(body["gid"], "000000000000000000000000000000ff");
        assert_eq!(body["mode"], "saga");
        assert_eq!(body["branches"].as_array().unwrap().len(), 2);
        assert_eq!(body["branches"][1]["branch_id"], "credit");
        assert_eq!(
            body["branches"][0]["compensation"],
            "http://127.0.0.1:9/debit-undo"
        );
        assert!(body.get("options").is_none());
        assert!(body.get("wait").is_none());
    }

    #[test]
    fn an_answer_at_the_end_is_asked_for() {
        let body = written(&Saga::committing(stub(), Answer::AtTheEnd));
        assert_eq!(body["wait"], true);
    }

    #[test]
    fn the_interval_between_questions_is_an_option_of_the_transaction() {
        let body = written(&Saga::asked_every(stub(), 600.0));
        assert_eq!(body["options"]["retry_interval_secs"], 600.0);
        assert_eq!(body["options"]["retry_interval_max_secs"], 600.0);
    }
}

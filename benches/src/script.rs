//! What the load sends for one transaction, to each coordinator in its own words, and what must come of it.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use bytes::{BufMut, Bytes, BytesMut};
use serde_json::Value;

use crate::author::Author;
use crate::calls::{Calls, Operation};
use crate::case::{Begun, Mode, Refused, Shape};
use crate::coordinator::Coordinator;
use crate::wire::Wire;

/// The length of each gid, in characters.
pub(crate) const GID_BYTES: usize = 32;

/// Stands for the gid in a text that is still to be cut there.
pub(crate) const GID_MARK: &str = "<gid>";

/// How a transaction is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Committed,
    /// A participant refuses.
    Aborted,
}

/// The requests of one transaction, one after the other. The last one submits it.
pub(crate) struct Script {
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
    who: Coordinator,
    calls: Vec<(String, Operation)>,
}

/// A request whose gid is missing.
pub(crate) struct Step {
    pub(crate) path: &'static str,
    before: Bytes,
    after: Bytes,
}

impl Step {
    /// Writes the request of one transaction.
    pub(crate) fn body(&self, gid: &str) -> Bytes {
        let mut body = BytesMut::with_capacity(self.before.len() + gid.len() + self.after.len());
        body.put_slice(&self.before);
        body.put_slice(gid.as_bytes());
        body.put_slice(&self.after);
        body.freeze()
    }

    /// The gid stands between two parts.
    pub(crate) const fn new(path: &'static str, before: Bytes, after: Bytes) -> Self {
        Self {
            path,
            before,
            after,
        }
    }

    /// The gid stands at its mark.
    ///
    /// # Errors
    /// There is no mark.
    pub(crate) fn json(path: &'static str, body: &Value) -> Result<Self> {
        let text = body.to_string();
        let (before, after) = text.split_once(GID_MARK).context("a body has no gid")?;
        let part = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        Ok(Self::new(path, part(before), part(after)))
    }
}

impl Script {
    /// Writes it; the participants are all at this address.
    ///
    /// # Errors
    /// The coordinator has no such transactions.
    pub(crate) fn new(who: Coordinator, shape: &Shape, stub: SocketAddr, end: End) -> Result<Self> {
        let author = Author {
            who,
            shape,
            stub,
            end,
        };
        let steps = match (who, shape.wire) {
            (Coordinator::Dtmrs, Wire::Http) => author.dtmrs(),
            (Coordinator::Null | Coordinator::Server, Wire::Http) => author.http(),
            (Coordinator::Null | Coordinator::Server, Wire::Grpc) => author.grpc(),
            (Coordinator::Dtmrs, Wire::Grpc) => bail!("dtmrs isn't measured over gRPC"),
        };
        Ok(Self {
            steps: steps?,
            end,
            who,
            calls: author.calls(),
        })
    }

    /// Answers the calls that one transaction must lead to.
    pub(crate) fn calls(&self, gid: &str) -> Calls {
        match self.who {
            Coordinator::Null => Calls::unnamed(self.calls.len() as u64),
            Coordinator::Server | Coordinator::Dtmrs => {
                let mut calls = Calls::default();
                for (branch, operation) in &self.calls {
                    calls.add(gid, branch, *operation);
                }
                calls
            }
        }
    }
}

/// Answers how many requests a coordinator gets and sends for one transaction that commits.
pub(crate) fn requests(shape: &Shape) -> u32 {
    let branches = shape.branches;
    match (shape.mode, shape.begun) {
        // One in, an action each.
        (Mode::Saga, Begun::AtOnce) => 1 + branches,
        // Begun, added, submitted; an action each.
        (Mode::Saga, Begun::StepByStep) => 2 + 2 * branches,
        // Begun, each try in and out, submitted; a confirm each.
        (Mode::Tcc, Begun::AtOnce | Begun::StepByStep) => 2 + 3 * branches,
    }
}

/// The scripts of a run: which of them a transaction follows.
pub(crate) struct Scripts {
    committed: Script,
    aborted: Option<Script>,
}

impl Scripts {
    /// Writes them.
    ///
    /// # Errors
    /// The coordinator has no such transactions.
    pub(crate) fn new(who: Coordinator, shape: &Shape, stub: SocketAddr) -> Result<Self> {
        let script = |end| Script::new(who, shape, stub, end);
        Ok(Self {
            committed: script(End::Committed)?,
            aborted: match shape.refused {
                Refused::None => None,
                Refused::OneInTen => Some(script(End::Aborted)?),
            },
        })
    }

    /// Answers the script of one connection's transaction, counted from 0.
    pub(crate) fn of(&self, number: u64) -> &Script {
        match &self.aborted {
            Some(aborted) if number % 10 == 9 => aborted,
            Some(_) | None => &self.committed,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use prost::Message;
    use seata_proto::v1::SubmitRequest;
    use serde_json::json;

    use super::*;
    use crate::case::{Answer, BASE, Order};
    use crate::wire::unframed;

    const GID: &str = "000000000000000000000000000000ff";

    fn script(who: Coordinator, shape: Shape, end: End) -> Script {
        Script::new(who, &shape, "127.0.0.1:9".parse().unwrap(), end).unwrap()
    }

    fn sent(who: Coordinator, shape: Shape) -> Vec<(&'static str, Value)> {
        let script = script(who, shape, End::Committed);
        let steps = script.steps.iter();
        steps
            .map(|step| (step.path, serde_json::from_slice(&step.body(GID)).unwrap()))
            .collect()
    }

    #[test]
    fn a_saga_is_one_request_with_the_gid_of_the_client() {
        let sent = sent(Coordinator::Server, BASE);
        let [(path, body)] = sent.as_slice() else {
            panic!("{sent:?}")
        };
        assert_eq!(*path, "/api/submit");
        assert_eq!(body["gid"], GID);
        assert_eq!(body["branches"].as_array().unwrap().len(), 2);
        assert_eq!(
            body["branches"][0]["compensation"],
            "http://127.0.0.1:9/b1_undo"
        );
        assert_eq!(body["branches"][1]["payload"].to_string().len(), 100);
        assert!(body.get("options").is_none() && body.get("wait").is_none());
    }

    #[test]
    fn what_a_case_asks_for_stands_in_the_request() {
        let shape = Shape {
            answer: Answer::Ended,
            delay_ms: 10,
            asked_every_secs: Some(600),
            payload_bytes: 10_000,
            ..BASE
        };
        let body = &sent(Coordinator::Server, shape)[0].1;
        assert_eq!(body["wait"], true);
        assert_eq!(body["options"]["retry_interval_max_secs"], 600);
        assert_eq!(body["branches"][0]["action"], "http://127.0.0.1:9/b1_10ms");
        assert_eq!(body["branches"][0]["payload"].to_string().len(), 10_000);
    }

    #[test]
    fn branches_in_order_wait_for_the_one_before() {
        let shape = Shape {
            branches: 3,
            order: Order::Listed,
            ..BASE
        };
        let body = &sent(Coordinator::Server, shape)[0].1;
        let after = |index: usize| body["branches"][index].get("after").cloned();
        assert_eq!(after(0), None);
        assert_eq!(after(1), Some(json!(["01"])));
        assert_eq!(after(2), Some(json!(["02"])));
    }

    #[test]
    fn the_null_coordinator_is_told_whom_to_call_as_often_as_the_server_calls() {
        for (mode, begun) in [
            (Mode::Saga, Begun::AtOnce),
            (Mode::Saga, Begun::StepByStep),
            (Mode::Tcc, Begun::AtOnce),
        ] {
            let shape = Shape {
                mode,
                begun,
                ..BASE
            };
            let (null, server) = (
                sent(Coordinator::Null, shape),
                sent(Coordinator::Server, shape),
            );
            assert_eq!(null.len(), server.len());
            let told = null
                .iter()
                .map(|(_, body)| body["branches"].as_array().map_or(0, Vec::len));
            let told = told.sum::<usize>();
            let calls = script(Coordinator::Server, shape, End::Committed)
                .calls(GID)
                .all();
            assert_eq!(told as u64, calls, "{shape:?}");
            assert_eq!(u64::from(requests(&shape)), server.len() as u64 + calls);
        }
    }

    #[test]
    fn a_refusal_undoes_what_was_done() {
        let refused = |who| script(who, BASE, End::Aborted).calls(GID).counts[..2].to_vec();
        assert_eq!(refused(Coordinator::Server), [2, 1]);
        assert_eq!(refused(Coordinator::Dtmrs), [2, 2]);
        let null = script(Coordinator::Null, BASE, End::Aborted).calls(GID);
        assert_eq!(null, Calls::unnamed(3));
        let body = script(Coordinator::Server, BASE, End::Aborted).steps[0].body(GID);
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["branches"][0]["action"], "http://127.0.0.1:9/b1");
        assert_eq!(
            body["branches"][1]["action"],
            "http://127.0.0.1:9/b2_refuse"
        );
    }

    #[test]
    fn over_grpc_the_same_saga_is_sent() {
        let shape = Shape {
            wire: Wire::Grpc,
            ..BASE
        };
        let body = script(Coordinator::Server, shape, End::Committed).steps[0].body(GID);
        let request = SubmitRequest::decode(unframed(body).unwrap()).unwrap();
        assert_eq!(request.gid, GID);
        let branches = request.transaction.unwrap().branches;
        assert_eq!(
            branches[1].action,
            "grpc://127.0.0.1:9/bench.Participant/b2"
        );
        assert_eq!(branches[1].payload.as_ref().unwrap().data.len(), 100);
    }

    #[test]
    fn one_transaction_in_ten_is_refused() {
        let shape = Shape {
            refused: Refused::OneInTen,
            ..BASE
        };
        let scripts = Scripts::new(Coordinator::Server, &shape, "127.0.0.1:9".parse().unwrap());
        let scripts = scripts.unwrap();
        let refused = (0..100).filter(|number| scripts.of(*number).end == End::Aborted);
        assert_eq!(refused.count(), 10);
    }

    #[test]
    fn dtmrs_is_sent_a_saga_in_its_words() {
        let body = &sent(Coordinator::Dtmrs, BASE)[0].1;
        assert_eq!(body["steps"][1]["compensate"], "http://127.0.0.1:9/b2_undo");
        assert_eq!(body["steps"][1]["payload"].as_str().unwrap().len(), 100);
        let tcc = Shape {
            mode: Mode::Tcc,
            ..BASE
        };
        assert!(!Coordinator::Dtmrs.has(&tcc));
    }
}

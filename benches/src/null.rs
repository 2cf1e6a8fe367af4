//! The null coordinator: the least that any coordinator does. It reads a request, calls the branches that stand in it at
//! once over pooled connections, undoes what was done where one refuses, and answers.
//!
//! It keeps nothing, checks nothing and retries nothing: it is the floor, not a rival.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use futures_util::future::try_join_all;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use prost::Message;
use seata_proto::v1::{BranchDefinition, Progress, SubmitRequest, SubmitResponse};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::serve;
use crate::wire::{self, Wire, answer, framed, unframed};

/// How long a pooled connection may lie idle.
const POOL_IDLE: Duration = Duration::from_secs(30);

type Participants = Client<HttpConnector, Full<Bytes>>;

/// Relays for ever.
///
/// # Errors
/// It can't listen.
pub(crate) async fn serve(wire: Wire) -> Result<()> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let participants: Participants = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .http2_only(wire == Wire::Grpc)
        .build(connector);
    let relay = Relay { participants, wire };
    serve::serve(wire, move |request| relay.clone().respond(request)).await
}

#[derive(Clone)]
struct Relay {
    participants: Participants,
    wire: Wire,
}

impl Relay {
    async fn respond(self, request: Request<Incoming>) -> Response<wire::AnswerBody> {
        match self.relay(request).await {
            Ok(body) => answer(self.wire, StatusCode::OK, body),
            Err(error) => answer(
                self.wire,
                StatusCode::BAD_GATEWAY,
                format!("{error:#}").into(),
            ),
        }
    }

    async fn relay(&self, request: Request<Incoming>) -> Result<Bytes> {
        let body = request.into_body().collect().await;
        let body = body.context("reading the request")?.to_bytes();
        match self.wire {
            Wire::Http => {
                let read: Transaction<'_> =
                    serde_json::from_slice(&body).context("reading the transaction")?;
                self.call_all(read.branches.iter().map(Branch::of_json))
                    .await?;
                Ok(Bytes::from_static(br#"{"status":"success"}"#))
            }
            Wire::Grpc => {
                let read =
                    SubmitRequest::decode(unframed(body)?).context("reading the transaction")?;
                let branches = read.transaction.unwrap_or_default().branches;
                self.call_all(branches.iter().map(Branch::of_proto)).await?;
                let response = SubmitResponse {
                    gid: read.gid,
                    progress: Progress::Committed.into(),
                    ..SubmitResponse::default()
                };
                Ok(response.encode_to_vec().into())
            }
        }
    }

    async fn call_all(&self, branches: impl Iterator<Item = Branch<'_>> + Clone) -> Result<()> {
        let actions = branches
            .clone()
            .map(|branch| self.call(branch.action, branch.payload));
        let answers = try_join_all(actions).await?;
        if answers.iter().all(|status| status.is_success()) {
            return Ok(());
        }
        let done = branches
            .zip(answers)
            .filter(|(_, status)| status.is_success());
        let undone = done.map(|(branch, _)| self.call(branch.compensation, branch.payload));
        try_join_all(undone).await?;
        Ok(())
    }

    /// Answers a success or a refusal.
    async fn call(&self, endpoint: &str, payload: Bytes) -> Result<StatusCode> {
        let request = match (self.wire, endpoint.strip_prefix("grpc")) {
            (Wire::Grpc, Some(rest)) => {
                wire::post(self.wire, &format!("http{rest}"), framed(&payload))?
            }
            (Wire::Http | Wire::Grpc, _) => wire::post(self.wire, endpoint, payload)?,
        };
        let response = self
            .participants
            .request(request)
            .await
            .context("calling")?;
        let (status, _) = wire::read(self.wire, response).await?;
        if !(status.is_success() || status == StatusCode::CONFLICT) {
            bail!("the participant answered {status}");
        }
        Ok(status)
    }
}

/// Whom to call. A request without branches is answered at once.
#[derive(Deserialize)]
struct Transaction<'a> {
    #[serde(borrow, default)]
    branches: Vec<BranchJson<'a>>,
}

#[derive(Deserialize)]
struct BranchJson<'a> {
    action: &'a str,
    #[serde(default)]
    compensation: &'a str,
    #[serde(borrow)]
    payload: &'a RawValue,
}

struct Branch<'a> {
    action: &'a str,
    compensation: &'a str,
    payload: Bytes,
}

impl<'a> Branch<'a> {
    fn of_json(branch: &BranchJson<'a>) -> Self {
        Self {
            action: branch.action,
            compensation: branch.compensation,
            payload: Bytes::copy_from_slice(branch.payload.get().as_bytes()),
        }
    }

    fn of_proto(branch: &'a BranchDefinition) -> Self {
        let payload = branch.payload.as_ref();
        Self {
            action: &branch.action,
            compensation: &branch.compensation,
            payload: payload.map_or_else(Bytes::new, |payload| payload.data.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::case::BASE;
    use crate::coordinator::Coordinator;
    use crate::script::{End, Script};

    #[test]
    fn the_null_coordinator_reads_what_the_load_sends() {
        let stub = "127.0.0.1:9".parse().unwrap();
        let script = Script::new(Coordinator::Null, &BASE, stub, End::Committed).unwrap();
        let body = script.steps[0].body("7");
        let transaction: Transaction<'_> = serde_json::from_slice(&body).unwrap();
        let [one, other] = transaction.branches.as_slice() else {
            panic!("not two branches")
        };
        assert_eq!(one.action, "http://127.0.0.1:9/b1");
        assert_eq!(other.compensation, "http://127.0.0.1:9/b2_undo");
        assert_eq!(one.payload.get().len(), 100);
    }

    #[test]
    fn a_request_without_branches_calls_nobody() {
        let transaction: Transaction<'_> = serde_json::from_str(r#"{"gid":"1"}"#).unwrap();
        assert!(transaction.branches.is_empty());
    }
}

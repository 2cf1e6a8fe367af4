//! The null coordinator: the least that any coordinator does. It reads a transaction, calls both participants at once
//! over pooled connections and answers.
//!
//! It keeps nothing, checks nothing and retries nothing: it is the floor, not a rival.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::serve::{self, answer};

/// How long a pooled connection may lie idle.
const POOL_IDLE: Duration = Duration::from_secs(30);

type Participants = Client<HttpConnector, Full<Bytes>>;

/// Relays for ever.
///
/// # Errors
/// It can't listen.
pub(crate) async fn serve() -> Result<()> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let participants: Participants = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .build(connector);
    serve::serve(move |request| respond(participants.clone(), request)).await
}

async fn respond(participants: Participants, request: Request<Incoming>) -> Response<Full<Bytes>> {
    match relay(&participants, request).await {
        Ok(()) => answer(StatusCode::OK, r#"{"status":"success"}"#),
        Err(error) => answer(StatusCode::BAD_GATEWAY, format!("{error:#}")),
    }
}

async fn relay(participants: &Participants, request: Request<Incoming>) -> Result<()> {
    let body = request.into_body().collect().await;
    let body = body.context("reading the request")?.to_bytes();
    let transaction: Transaction<'_> =
        serde_json::from_slice(&body).context("reading the transaction")?;
    let [one, other] = transaction.branches;
    tokio::try_join!(call(participants, one), call(participants, other))?;
    Ok(())
}

#[derive(Deserialize)]
struct Transaction<'a> {
    #[serde(borrow)]
    branches: [Branch<'a>; 2],
}

#[derive(Deserialize)]
struct Branch<'a> {
    action: &'a str,
    #[serde(borrow)]
    payload: &'a RawValue,
}

async fn call(participants: &Participants, branch: Branch<'_>) -> Result<()> {
    let request = Request::post(branch.action)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .body(Full::new(Bytes::copy_from_slice(
            branch.payload.get().as_bytes(),
        )))
        .context("making a call")?;
    let response = participants.request(request).await.context("calling")?;
    let status = response.status();
    let _answer = response.into_body().collect().await.context("reading")?;
    if !status.is_success() {
        bail!("the participant answered {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::order::{Answer, Saga};

    #[test]
    fn the_null_coordinator_reads_what_the_load_sends() {
        let saga = Saga::committing("127.0.0.1:9".parse().unwrap(), Answer::AtTheEnd);
        let body = saga.template().body(7);
        let transaction: Transaction<'_> = serde_json::from_slice(&body).unwrap();
        let [one, other] = transaction.branches;
        assert_eq!(one.action, "http://127.0.0.1:9/debit");
        assert_eq!(other.action, "http://127.0.0.1:9/credit");
        assert!(one.payload.get().contains(r#""amount_cents":4200"#));
    }
}

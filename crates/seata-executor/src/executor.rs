//! The caller that the engine uses.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use metrics::{Gauge, Histogram, gauge, histogram};
use seata_core::{Endpoint, Outcome, Reason, Scheme};
use seata_engine::{Call, Caller, Slot};
use tokio::time::Instant;

use crate::client::{Clients, Failed};
use crate::local::{LocalHandler, Locals};
use crate::slots::Slots;
use crate::{headers, outcome};

/// How the executor runs.
#[derive(Debug, Clone)]
pub struct ExecutorConfig {
    /// The most calls in flight.
    pub calls_max: usize,
    /// The most calls in flight to one host and port; also the most idle connections kept to it.
    pub calls_per_destination_max: usize,
    /// How long connecting may take; the call's own time limit holds besides.
    pub connect_timeout: Duration,
    /// How long an idle connection is kept: less than participants keep it, so that they don't close it under a call.
    pub pool_idle_timeout: Duration,
    /// The most bytes of an answer that are read.
    pub answer_bytes_max: usize,
}

impl Default for ExecutorConfig {
    fn default() -> Self {
        Self {
            calls_max: 2_000,
            calls_per_destination_max: 256,
            connect_timeout: Duration::from_secs(3),
            pool_idle_timeout: Duration::from_secs(4),
            answer_bytes_max: 64 * 1024,
        }
    }
}

/// Makes attempts over HTTP and within this process.
pub struct Executor {
    clients: Clients,
    locals: Locals,
    slots: Slots,
    answer_bytes_max: usize,
    in_flight: Gauge,
    latency: Histogram,
}

impl Executor {
    /// Makes an executor without local handlers.
    #[must_use]
    pub fn new(config: ExecutorConfig) -> Self {
        Self {
            slots: Slots::new(config.calls_max, config.calls_per_destination_max),
            answer_bytes_max: config.answer_bytes_max,
            clients: Clients::new(config),
            locals: Locals::default(),
            in_flight: gauge!("seata_calls_in_flight"),
            latency: histogram!("seata_branch_latency_seconds"),
        }
    }

    /// Registers the handler of `local://name`.
    #[must_use]
    pub fn with_local(mut self, name: &str, handler: Arc<dyn LocalHandler>) -> Self {
        self.locals.add(name, handler);
        self
    }

    async fn attempt(&self, call: Call) -> Outcome {
        match call.endpoint.scheme() {
            Scheme::Local => within(call.timeout(), self.locals.call(call)).await,
            Scheme::Http | Scheme::Https => {
                let (timeout, until) = (call.timeout(), Instant::now() + call.timeout());
                let request = match request(&call) {
                    Ok(request) => request,
                    Err(error) => {
                        return unknown(&format!("the endpoint can't be called: {error}"));
                    }
                };
                let sent = async {
                    match call.endpoint.scheme() {
                        Scheme::Https => self.clients.secure(request).await,
                        Scheme::Http | Scheme::Local => self.clients.plain(request).await,
                    }
                };
                match tokio::time::timeout_at(until, sent).await {
                    Ok(Ok(response)) => self.read(response, until).await,
                    Ok(Err(failed)) => unknown(&describe(&failed)),
                    Err(_) => unknown(&no_answer(timeout)),
                }
            }
        }
    }

    /// Reads an answer. Once the status has come it decides, even if the body breaks off or takes too long.
    async fn read(&self, response: Response<Incoming>, until: Instant) -> Outcome {
        let status = response.status();
        let mut body = response.into_body();
        let mut kept = Vec::new();
        let mut read = 0;
        // Reading on to the end lets the connection be used again; a larger body costs the connection.
        while let Ok(Some(Ok(frame))) = tokio::time::timeout_at(until, body.frame()).await {
            if let Some(data) = frame.data_ref() {
                read += data.len();
                let room = Reason::BYTES_MAX.saturating_sub(kept.len());
                kept.extend_from_slice(&data[..data.len().min(room)]);
            }
            if read > self.answer_bytes_max {
                break;
            }
        }
        outcome::read(status, &kept)
    }
}

#[async_trait]
impl Caller for Executor {
    async fn slot(&self, endpoint: &Endpoint) -> Slot {
        Slot::holding(self.slots.take(endpoint.authority()).await)
    }

    async fn call(&self, call: Call, slot: Slot) -> Outcome {
        let _in_flight = InFlight::begin(&self.in_flight);
        let begun = Instant::now();
        let outcome = self.attempt(call).await;
        self.latency.record(begun.elapsed().as_secs_f64());
        drop(slot);
        outcome
    }
}

/// Counts a call, also if its future is dropped.
struct InFlight<'a>(&'a Gauge);

impl<'a> InFlight<'a> {
    fn begin(gauge: &'a Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

fn request(call: &Call) -> Result<Request<Full<Bytes>>, http::Error> {
    let body = call
        .payload()
        .map(|payload| Bytes::from_owner(Arc::clone(&payload.bytes)))
        .unwrap_or_default();
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(call.endpoint.as_str())
        .body(Full::new(body))?;
    headers::write(request.headers_mut(), call);
    Ok(request)
}

async fn within(timeout: Duration, work: impl Future<Output = Outcome>) -> Outcome {
    tokio::time::timeout(timeout, work)
        .await
        .unwrap_or_else(|_| unknown(&no_answer(timeout)))
}

fn no_answer(timeout: Duration) -> String {
    format!("no answer within {} s", timeout.as_secs_f64())
}

fn unknown(reason: &str) -> Outcome {
    Outcome::Unknown {
        reason: Reason::new(reason),
    }
}

/// Says in a person's words what went wrong below.
fn describe(failed: &Failed) -> String {
    let error = match failed {
        Failed::Unable(why) => return why.clone(),
        Failed::Call(error) => error,
    };
    let what = if error.is_connect() {
        "can't connect"
    } else {
        "the connection broke"
    };
    let mut cause = error.source();
    let mut deepest = None;
    while let Some(inner) = cause {
        deepest = Some(inner.to_string());
        cause = inner.source();
    }
    deepest.map_or_else(|| what.to_owned(), |why| format!("{what}: {why}"))
}

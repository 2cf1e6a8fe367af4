//! The caller that the engine uses. It makes one attempt and keeps no state between calls but connections.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Version, uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use metrics::{Gauge, Histogram, gauge, histogram};
use seata_core::{Endpoint, Outcome, Reason, Scheme};
use seata_engine::{Call, Caller, Slot};
use tokio::time::{Instant, timeout};

use crate::client::{Clients, Spoken};
use crate::config::ExecutorConfig;
use crate::local::{LocalHandler, Locals};
use crate::names::Names;
use crate::outcome::unknown;
use crate::slots::Slots;
use crate::{grpc, headers, outcome, silence};

/// Makes attempts over HTTP, over gRPC and within this process.
pub struct Executor {
    http: Clients,
    grpc: Clients,
    locals: Locals,
    slots: Slots,
    user_agent: Option<HeaderValue>,
    answer_bytes_max: usize,
    in_flight: Gauge,
    latency: Histogram,
}

impl Executor {
    /// Makes an executor without local handlers. A recorder of metrics must be installed before, if there is to be one.
    #[must_use]
    pub fn new(config: ExecutorConfig) -> Self {
        let names = Names::of_system();
        Self {
            slots: Slots::new(
                config.calls_in_flight_max,
                config.calls_in_flight_per_destination_max,
            ),
            user_agent: HeaderValue::from_str(&config.user_agent).ok(),
            answer_bytes_max: config.answer_bytes_max,
            http: Clients::new(config.clone(), names.clone(), Spoken::AsOffered),
            grpc: Clients::new(config, names, Spoken::Http2),
            locals: Locals::default(),
            in_flight: gauge!("seata_calls_in_flight"),
            latency: histogram!("seata_branch_latency_seconds"),
        }
    }

    /// Registers the handler of `local://name`; a later one of the same name takes its place.
    #[must_use]
    pub fn with_local(mut self, name: &str, handler: Arc<dyn LocalHandler>) -> Self {
        self.locals.add(name, handler);
        self
    }

    async fn attempt(&self, call: Call) -> Outcome {
        let limit = call.timeout();
        match call.endpoint.scheme() {
            Scheme::Http | Scheme::Https => match self.http_request(&call) {
                Ok(request) => self.over_http(request, limit).await,
                Err(error) => unknown(&format!("the endpoint can't be called: {error}")),
            },
            Scheme::Grpc => self.over_grpc(&call, uri::Scheme::HTTP).await,
            Scheme::Grpcs => self.over_grpc(&call, uri::Scheme::HTTPS).await,
            Scheme::Local => timeout(limit, self.locals.call(call))
                .await
                .unwrap_or_else(|_| unknown(&silence::no_answer_within(limit))),
        }
    }

    fn http_request(&self, call: &Call) -> Result<Request<Full<Bytes>>, http::Error> {
        let body = call
            .payload()
            .map(|payload| Bytes::from_owner(Arc::clone(&payload.bytes)))
            .unwrap_or_default();
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(call.endpoint.as_str())
            .body(Full::new(body))?;
        *request.headers_mut() = headers::of(call, self.user_agent.as_ref());
        Ok(request)
    }

    fn grpc_request(
        &self,
        call: &Call,
        scheme: uri::Scheme,
    ) -> Result<Request<Full<Bytes>>, String> {
        let payload = call.payload().map_or(&[][..], |payload| &payload.bytes);
        let mut request = Request::new(Full::new(grpc::message(payload)?));
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() =
            grpc::uri(&call.endpoint, scheme).map_err(|error| error.to_string())?;
        *request.headers_mut() = headers::of_grpc(call, self.user_agent.as_ref());
        Ok(request)
    }

    async fn over_grpc(&self, call: &Call, scheme: uri::Scheme) -> Outcome {
        let limit = call.timeout();
        match self.grpc_request(call, scheme) {
            Ok(request) => timeout(limit, self.answer_over_grpc(request))
                .await
                .unwrap_or_else(|_| unknown(&silence::no_answer_within(limit))),
            Err(error) => unknown(&format!("the endpoint can't be called: {error}")),
        }
    }

    async fn answer_over_grpc(&self, request: Request<Full<Bytes>>) -> Outcome {
        let (head, body) = match self.grpc.send(request).await {
            Ok(response) => response.into_parts(),
            Err(why) => return unknown(&why),
        };
        if head.status != StatusCode::OK {
            return grpc::not_grpc(head.status);
        }
        let ended = grpc::ended(body, self.answer_bytes_max).await;
        grpc::read_end(ended, &head.headers)
    }

    async fn over_http(&self, request: Request<Full<Bytes>>, limit: Duration) -> Outcome {
        let begun = Instant::now();
        let response = match timeout(limit, self.http.send(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(why)) => return unknown(&why),
            Err(_) => return unknown(&silence::no_answer_within(limit)),
        };
        let (head, body) = response.into_parts();
        let kept_max = if head.status.is_success() {
            0
        } else {
            Reason::BYTES_MAX
        };
        let mut kept = Vec::new();
        let left = limit.saturating_sub(begun.elapsed());
        // The status stands however this ends (see the outcome table).
        let _ = timeout(left, self.read(body, kept_max, &mut kept)).await;
        outcome::read(head.status, &kept)
    }

    /// Reads a body and keeps its beginning. One read to its end leaves the connection for the next call; one that is
    /// larger than the bound, breaks off or takes too long costs the connection.
    async fn read(&self, mut body: Incoming, kept_max: usize, kept: &mut Vec<u8>) {
        let mut read_bytes = 0;
        while read_bytes <= self.answer_bytes_max
            && let Some(Ok(frame)) = body.frame().await
        {
            let data = frame.data_ref().map_or(&[][..], AsRef::as_ref);
            read_bytes += data.len();
            let room = kept_max.saturating_sub(kept.len());
            kept.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
}

#[async_trait]
impl Caller for Executor {
    async fn slot(&self, endpoint: &Endpoint) -> Slot {
        Slot::holding(self.slots.take(destination(endpoint)).await)
    }

    fn waiting(&self, endpoint: &Endpoint) -> usize {
        self.slots.waiting(destination(endpoint))
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

/// Answers the part of an endpoint that names the destination: scheme, host and port, without the path.
fn destination(endpoint: &Endpoint) -> &str {
    let text = endpoint.as_str();
    let authority_at = text.find("://").map_or(0, |at| at + 3);
    &text[..authority_at + endpoint.authority().len()]
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

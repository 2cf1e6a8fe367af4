//! The caller that the engine uses. It makes one attempt and keeps no state between calls but connections.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderValue, StatusCode};
use metrics::{Gauge, Histogram, gauge, histogram};
use seata_core::{Endpoint, Outcome, Scheme};
use seata_engine::{Call, Caller, Slot};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};

use crate::answer::Said;
use crate::client::{Clear, Secured, Spoken};
use crate::config::ExecutorConfig;
use crate::local::{LocalHandler, Locals};
use crate::names::Names;
use crate::outcome::unknown;
use crate::pool::Pool;
use crate::slots::Slots;
use crate::{answer, grpc, request, silence};

/// Makes attempts over HTTP, over gRPC and within this process.
pub struct Executor {
    http: Pool,
    https: Secured,
    grpc: Clear,
    grpcs: Secured,
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
            http: Pool::new(&config, names.clone()),
            https: Secured::new(config.clone(), names.clone(), Spoken::AsOffered),
            grpc: Clear::new(&config, names.clone()),
            grpcs: Secured::new(config, names, Spoken::Http2),
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

    /// The ways that need much room are boxed: plain HTTP, the most usual one, is not to pay for them.
    async fn attempt(&self, call: &Call) -> Outcome {
        let limit = call.timeout();
        match call.endpoint.scheme() {
            Scheme::Http => self.over_http(call, limit).await,
            Scheme::Https => Box::pin(self.over_https(call, limit)).await,
            Scheme::Grpc | Scheme::Grpcs => Box::pin(self.over_grpc(call, limit)).await,
            Scheme::Local => timeout(limit, self.locals.call(call))
                .await
                .unwrap_or_else(|_| unknown(&silence::no_answer_within(limit))),
        }
    }

    async fn over_http(&self, call: &Call, limit: Duration) -> Outcome {
        let request = match request::plain(call, self.user_agent.as_ref()) {
            Ok(request) => request,
            Err(error) => return unknown(&uncallable(&error)),
        };
        let mut said = None;
        let exchange = self
            .http
            .exchange(call.endpoint.authority(), request, &mut said);
        let ended = timeout(limit, exchange).await;
        outcome_of(said, ended, limit)
    }

    async fn over_https(&self, call: &Call, limit: Duration) -> Outcome {
        let mut said = None;
        let ended = timeout(limit, self.exchange(call, &mut said)).await;
        outcome_of(said, ended, limit)
    }

    async fn exchange(&self, call: &Call, said: &mut Option<Said>) -> Result<(), String> {
        let request = || {
            let request = request::absolute(call, self.user_agent.as_ref());
            request.map_err(|error| uncallable(&error))
        };
        let answer = self.https.send(request).await?;
        answer::read(answer, self.answer_bytes_max, said).await;
        Ok(())
    }

    async fn over_grpc(&self, call: &Call, limit: Duration) -> Outcome {
        timeout(limit, self.answer_over_grpc(call))
            .await
            .unwrap_or_else(|_| unknown(&silence::no_answer_within(limit)))
    }

    async fn answer_over_grpc(&self, call: &Call) -> Outcome {
        let request = || {
            let request = request::grpc(call, self.user_agent.as_ref());
            request.map_err(|error| uncallable(&error))
        };
        let sent = if call.endpoint.scheme() == Scheme::Grpcs {
            self.grpcs.send(request).await
        } else {
            self.grpc.send(request).await
        };
        let (head, body) = match sent {
            Ok(response) => response.into_parts(),
            Err(why) => return unknown(&why),
        };
        if head.status != StatusCode::OK {
            return grpc::not_grpc(head.status);
        }
        let ended = grpc::ended(body, self.answer_bytes_max).await;
        grpc::read_end(ended, &head.headers)
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
        let outcome = self.attempt(&call).await;
        self.latency.record(begun.elapsed().as_secs_f64());
        drop(slot);
        outcome
    }
}

fn uncallable(error: &dyn Display) -> String {
    format!("the endpoint can't be called: {error}")
}

/// Answers what an attempt came to. The status stands however it ended: see the outcome table.
fn outcome_of(
    said: Option<Said>,
    ended: Result<Result<(), String>, Elapsed>,
    limit: Duration,
) -> Outcome {
    match (said, ended) {
        (Some(said), _) => said.outcome(),
        (None, Ok(Err(why))) => unknown(&why),
        (None, Ok(Ok(())) | Err(_)) => unknown(&silence::no_answer_within(limit)),
    }
}

fn destination(endpoint: &Endpoint) -> &str {
    request::split(endpoint).0
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

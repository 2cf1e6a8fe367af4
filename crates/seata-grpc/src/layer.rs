//! What is common to all methods: a request takes its room, is counted and timed, and survives a panic.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use seata_service::{ErrorCode, Problem};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::deadline;
use crate::health;
use crate::meters::{Meters, Method};
use crate::room::{Counted, Room};
use crate::status::{Within, refuse};

/// Wraps the routes.
#[derive(Clone)]
pub(crate) struct Observe {
    pub(crate) meters: Arc<Meters>,
    pub(crate) room: Room,
    pub(crate) message_bytes_max: usize,
}

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;
    fn layer(&self, inner: S) -> Observed<S> {
        Observed {
            inner,
            observe: self.clone(),
        }
    }
}

/// Routes that are observed.
#[derive(Clone)]
pub(crate) struct Observed<S> {
    inner: S,
    observe: Observe,
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S> Service<Request<Body>> for Observed<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        let observe = self.observe.clone();
        let begun = Instant::now();
        let path = request.uri().path();
        let method = Method::of(path);
        // Else whoever fills the room takes the server from its balancer, too.
        let held = (!health::is_path(path)).then(|| observe.room.enter());
        let counted = held.clone();
        let deadline = deadline::of(request.headers());
        let request = request.map(|body| Body::new(Counted::new(body, counted)));
        let answering = deadline::within(deadline, self.inner.call(request));
        let answering = AssertUnwindSafe(answering).catch_unwind();
        let ending = Ending {
            meters: Arc::clone(&observe.meters),
            method,
            is_noted: false,
        };
        Box::pin(async move {
            let response = match answering.await {
                Ok(Ok(response)) => response,
                Err(_) => panicked(method),
            };
            let response = match held {
                Some(_) => reworded(response, observe.message_bytes_max),
                // The health service has a bound of its own.
                None => response,
            };
            observe.meters.begun(method, begun.elapsed());
            Ok(ending.told(response))
        })
    }
}

fn panicked(method: Method) -> Response<Body> {
    tracing::error!(method = method.name(), "a request made the server panic");
    let text = "the server made a mistake: see its log";
    refuse(&Problem::new(ErrorCode::Internal, text), Within::Request).into_http()
}

/// What tonic refuses by itself, in our shape: messages that are too large, or none of the method's.
fn reworded(response: Response<Body>, message_bytes_max: usize) -> Response<Body> {
    let Some(status) = Status::from_header_map(response.headers()) else {
        return response;
    };
    if !status.details().is_empty() {
        return response;
    }
    if status.code() == Code::OutOfRange {
        let problem = Problem::too_large("the message", message_bytes_max, "SEATA_BODY_BYTES_MAX");
        return refuse(&problem, Within::Request).into_http();
    }
    if status.code() == Code::Internal {
        let text = "the message can't be read: send the request of this method, in protobuf";
        let problem = Problem::new(ErrorCode::InvalidRequest, text);
        return refuse(&problem, Within::Request).into_http();
    }
    response
}

/// Notes the end of an answer once; a client that goes before is one that cancelled.
struct Ending {
    meters: Arc<Meters>,
    method: Method,
    is_noted: bool,
}

impl Ending {
    /// Counts the answer when its code is known: in its head, or at its end.
    fn told(mut self, response: Response<Body>) -> Response<Body> {
        self.note(response.headers());
        let ending = self;
        response.map(|body| Body::new(Told { body, ending }))
    }

    fn note(&mut self, headers: &HeaderMap) {
        if let Some(status) = Status::from_header_map(headers)
            && !self.is_noted
        {
            self.is_noted = true;
            self.meters.ended(self.method, status.code());
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.is_noted {
            self.meters.ended(self.method, Code::Cancelled);
        }
    }
}

/// A body whose end is noted.
struct Told {
    body: Body,
    ending: Ending,
}

impl http_body::Body for Told {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            self.ending.note(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::future::pending;

    use metrics_exporter_prometheus::PrometheusBuilder;
    use tower::service_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_that_nobody_waits_for_any_more_are_counted() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _ours = metrics::set_default_local_recorder(&recorder);
        let observe = Observe {
            meters: Arc::new(Meters::new()),
            room: Room::new(1_000),
            message_bytes_max: 1_000,
        };
        let mut silent = observe.layer(service_fn(|_: Request<Body>| {
            pending::<Result<Response<Body>, Infallible>>()
        }));
        let request = || Request::post("/seata.v1.TransactionService/Get");
        let hurried = request().header("grpc-timeout", "5S");
        let answer = silent.call(hurried.body(Body::empty()).unwrap()).await;
        let status = Status::from_header_map(answer.unwrap().headers());
        assert_eq!(status.unwrap().code(), Code::DeadlineExceeded);
        drop(silent.call(request().body(Body::empty()).unwrap()));
        let told = recorder.handle().render();
        for code in ["CANCELLED", "DEADLINE_EXCEEDED"] {
            let counted = format!("seata_grpc_requests_total{{method=\"Get\",code=\"{code}\"}} 1");
            assert!(told.contains(&counted), "{told}");
        }
    }
}

//! What is common to all routes: a handler becomes a service that counts, times, and survives a panic.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::extract::Request;
use axum::response::Response;
use futures_util::FutureExt;
use seata_service::{ErrorCode, Problem};
use tower::Service;

use crate::api::Api;
use crate::body::discard;
use crate::meters::{Route, Verb};
use crate::problem::respond;
use crate::query::Query;

/// What a handler gives.
pub(crate) type Answer = Result<Response, Problem>;

type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A route with its handler.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) api: Arc<Api>,
    pub(crate) route: Route,
    pub(crate) handler: fn(Arc<Api>, Request) -> Answering,
}

impl Service<Request> for Endpoint {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (api, route) = (Arc::clone(&self.api), self.route);
        let handler = self.handler;
        Box::pin(async move {
            let begun = Instant::now();
            let answering = AssertUnwindSafe(async {
                let request = checked(route, request).await?;
                handler(Arc::clone(&api), request).await
            });
            let answer = answering.catch_unwind().await.unwrap_or_else(|_| {
                tracing::error!(route = route.path(), "a request made the server panic");
                Err(Problem::new(
                    ErrorCode::Internal,
                    "the server made a mistake: see its log",
                ))
            });
            let response = answer.unwrap_or_else(|problem| respond(&problem));
            api.meters
                .answered(route, response.status(), begun.elapsed());
            Ok(response)
        })
    }
}

/// Refuses the parameters of a path that takes none: one that is stepped over, a `wait` perhaps, promises what is not
/// done.
async fn checked(route: Route, request: Request) -> Result<Request, Problem> {
    if !route.takes_no_query() {
        return Ok(request);
    }
    let refused = Query::parse(request.uri().query()).and_then(|query| match route.verb() {
        Verb::Post => query.none_beside_a_body(),
        Verb::Get | Verb::Any => query.only(&[]).map(drop),
    });
    match refused {
        Ok(()) => Ok(request),
        Err(problem) => {
            let (parts, body) = request.into_parts();
            discard(&parts.headers, body).await;
            Err(problem)
        }
    }
}

//! The API over one service: its routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::routing::{get_service, post_service};
use seata_service::{ErrorCode, Problem, Service};
use tokio::sync::watch;
use tower::Service as _;

use crate::body::Bodies;
use crate::cors::Origins;
use crate::endpoint::Endpoint;
use crate::feed::Feed;
use crate::meters::{Meters, Route, Verb};
use crate::routes::handler;

/// Renders the metrics of this process as Prometheus text.
pub type Render = Arc<dyn Fn() -> String + Send + Sync>;

/// How the API answers, beside what the service decides.
#[derive(Debug, Clone, Default)]
pub struct ApiConfig {
    /// What `/health` says.
    pub version: &'static str,
    /// The origins whose pages may ask; by default none.
    pub cors_origins: Origins,
}

/// The API over one service.
pub struct Api {
    pub(crate) service: Service,
    pub(crate) config: ApiConfig,
    pub(crate) render: Render,
    pub(crate) meters: Meters,
    pub(crate) bodies: Bodies,
    pub(crate) feed: Feed,
    life: watch::Sender<Life>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Serving,
    Stopping,
}

impl Api {
    /// Makes the API.
    #[must_use]
    pub fn new(service: Service, config: ApiConfig, render: Render) -> Arc<Self> {
        Arc::new(Self {
            bodies: Bodies::new(service.rules().limits.body_bytes_max),
            feed: Feed::new(service.now()),
            service,
            config,
            render,
            meters: Meters::new(),
            life: watch::Sender::new(Life::Serving),
        })
    }

    /// Answers `/readyz` with 503 from now on, so that balancers send new requests elsewhere, and lets go those who watch:
    /// they would stay for ever.
    pub fn stopping(&self) {
        self.life.send_replace(Life::Stopping);
        self.service.stop();
    }

    /// Refuses what would stay, once the server stops.
    pub(crate) fn serves(&self) -> Result<(), Problem> {
        match *self.life.borrow() {
            Life::Serving => Ok(()),
            Life::Stopping => Err(Problem::new(ErrorCode::Stopping, "the server is stopping")),
        }
    }

    /// Waits for the stop.
    pub(crate) async fn stopped(&self) {
        let mut life = self.life.subscribe();
        // The sender lives as long as the API.
        let _ = life.wait_for(|life| *life == Life::Stopping).await;
    }

    /// Makes the router of all routes.
    pub fn router(self: &Arc<Self>) -> Router {
        let endpoint = |route: Route| Endpoint {
            api: Arc::clone(self),
            route,
            handler: handler(route),
        };
        let wrong_method = Endpoint {
            api: Arc::clone(self),
            route: Route::Other,
            handler: crate::routes::wrong_method,
        };
        let mut router = Router::new();
        for route in Route::ALL {
            let endpoint = endpoint(route);
            router = match route.verb() {
                Verb::Post => router.route(route.path(), post_service(endpoint)),
                Verb::Get => router.route(route.path(), get_service(endpoint)),
                Verb::Any => router.fallback_service(endpoint),
            };
        }
        let router = router.method_not_allowed_fallback(move |request: Request| {
            let mut wrong_method = wrong_method.clone();
            async move { wrong_method.call(request).await }
        });
        if self.config.cors_origins.is_empty() {
            return router;
        }
        router.layer(self.config.cors_origins.layer())
    }
}

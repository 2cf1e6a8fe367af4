//! The API over one service: its routes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::routing::{get_service, post_service};
use seata_service::Service;
use tower::Service as _;

use crate::body::Bodies;
use crate::cors::Origins;
use crate::endpoint::Endpoint;
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
    stopping: AtomicBool,
}

impl Api {
    /// Makes the API.
    #[must_use]
    pub fn new(service: Service, config: ApiConfig, render: Render) -> Arc<Self> {
        Arc::new(Self {
            bodies: Bodies::new(service.rules().limits.body_bytes_max),
            service,
            config,
            render,
            meters: Meters::new(),
            stopping: AtomicBool::new(false),
        })
    }

    /// Answers `/readyz` with 503 from now on, so that balancers send new requests elsewhere.
    pub fn stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
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

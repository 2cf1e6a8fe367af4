//! The API over one engine: its limits, its routes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::routing::{get_service, post_service};
use seata_engine::Engine;
use tower::Service;

use crate::body::Bodies;
use crate::defaults::Defaults;
use crate::endpoint::Endpoint;
use crate::meters::{Meters, Route, Verb};
use crate::resolve::Rules;
use crate::routes::handler;

/// Renders the metrics of this process as Prometheus text.
pub type Render = Arc<dyn Fn() -> String + Send + Sync>;

/// The most that a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of a body.
    pub body_bytes_max: usize,
    /// Of one payload: the JSON text, or the decoded bytes.
    pub payload_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 4 << 20,
            payload_bytes_max: 1 << 20,
        }
    }
}

/// Whether branches may name handlers within this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalEndpoints {
    /// An embedding program registered some.
    Allowed,
    /// There are none: a `local://` endpoint is refused.
    Refused,
}

/// How the API answers.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// What options leave out.
    pub defaults: Defaults,
    /// The most that a client may send.
    pub limits: Limits,
    /// Whether branches may name handlers within this process.
    pub local: LocalEndpoints,
    /// What `/health` says.
    pub version: &'static str,
}

/// The API over one engine.
pub struct Api {
    pub(crate) engine: Engine,
    pub(crate) config: ApiConfig,
    pub(crate) render: Render,
    pub(crate) meters: Meters,
    pub(crate) bodies: Bodies,
    stopping: AtomicBool,
}

impl Api {
    /// Makes the API.
    #[must_use]
    pub fn new(engine: Engine, config: ApiConfig, render: Render) -> Arc<Self> {
        Arc::new(Self {
            bodies: Bodies::new(config.limits.body_bytes_max),
            engine,
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

    pub(crate) fn rules(&self) -> Rules<'_> {
        Rules {
            limits: self.config.limits,
            local: self.config.local,
            defaults: &self.config.defaults,
        }
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
        router.method_not_allowed_fallback(move |request: Request| {
            let mut wrong_method = wrong_method.clone();
            async move { wrong_method.call(request).await }
        })
    }
}

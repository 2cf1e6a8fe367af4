//! The HTTP transport: reads requests for `seata-service` and renders what it answers.
//!
//! The only crate that knows HTTP status codes towards clients. It decides nothing about transactions, keeps no state
//! of them and starts no tasks but connections: what is accepted lives in the engine, and a request that is refused
//! here has changed nothing.
//!
//! A server makes an [`Api`] over its service, takes its [`Api::router`] and gives it to [`serve`].

mod answer;
mod api;
mod body;
mod cors;
#[cfg(test)]
mod documented;
mod endpoint;
mod feed;
mod meters;
mod openapi;
mod parse;
mod places;
mod problem;
mod query;
mod read;
mod routes;
mod serve;
mod sse;

pub use api::{Api, ApiConfig, Render};
pub use cors::{OriginError, Origins};
pub use problem::status_of;
pub use seata_service::{Defaults, ErrorCode, Limits, LocalEndpoints, Rules, Service};
pub use serve::{ServeConfig, Stop, serve};

/// Reads the same bytes as each body that a route takes, and answers the refusals as they would go out.
///
/// For fuzzing and property tests: no bytes may panic, and each refusal has the shape of an error.
#[must_use]
pub fn parse_any(body: &[u8], limits: Limits, defaults: &Defaults) -> Vec<String> {
    routes::parse_any(body, limits, defaults)
}

//! The HTTP transport: translates requests to engine calls and their outcomes to answers.
//!
//! The only crate that knows HTTP status codes towards clients. It decides nothing about transactions, keeps no state
//! of them and starts no tasks but connections: what is accepted lives in the engine, and a request that is refused
//! here has changed nothing.
//!
//! A server makes an [`Api`] over its engine, takes its [`Api::router`] and gives it to [`serve`].

mod answer;
mod api;
mod body;
mod canonical;
mod code;
mod content;
mod defaults;
#[cfg(test)]
mod documented;
mod endpoint;
mod meters;
mod parse;
mod problem;
mod query;
mod resolve;
mod routes;
mod serve;

pub use api::{Api, ApiConfig, Limits, LocalEndpoints, Render};
pub use code::ErrorCode;
pub use defaults::Defaults;
pub use serve::{ServeConfig, serve};

/// Reads the same bytes as each body that a route takes, and answers the refusals as they would go out.
///
/// For fuzzing and property tests: no bytes may panic, and each refusal has the shape of an error.
#[must_use]
pub fn parse_any(body: &[u8], limits: Limits, defaults: &Defaults) -> Vec<String> {
    routes::parse_any(body, limits, defaults)
}

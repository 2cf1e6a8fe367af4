//! Makes one attempt at one branch and answers an outcome.
//!
//! It reads answers by the one table of its wire (docs/api.md), bounds calls in flight in all and per destination, and
//! never retries: only the core does, durably. It knows no transaction beyond the call in its hands.
#![warn(missing_docs)]

mod answer;
mod client;
mod config;
mod connection;
mod connector;
mod executor;
mod grpc;
mod headers;
mod local;
mod names;
mod outcome;
mod pool;
mod request;
mod silence;
mod slots;
mod tls;
mod trace;

pub use config::{ExecutorConfig, TlsRoots};
pub use executor::Executor;
pub use local::{LocalCall, LocalHandler};

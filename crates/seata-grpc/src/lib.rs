//! The gRPC transport: reads messages for `seata-service` and renders what it answers.
//!
//! The only crate that knows gRPC codes towards clients. It decides nothing about transactions and keeps no state of
//! them: what is accepted lives in the engine, and a request that is refused here has changed nothing.
//!
//! A server makes a [`Grpc`] over its service and gives it to [`serve`].

mod connection;
mod deadline;
mod health;
mod layer;
mod meters;
mod read;
mod render;
mod room;
mod serve;
mod status;
mod transactions;
mod watch;

pub use serve::{Grpc, ServeConfig, serve};
pub use status::{DOMAIN, code_of};

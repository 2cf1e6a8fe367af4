//! The executor against participants on real sockets. Nothing here measures time.
#![allow(clippy::unwrap_used, reason = "tests")]

mod bounds;
mod calls;
mod connecting;
mod connections;
mod grpc;
mod grpc_tls;
mod headers;
mod local;
mod meters;
mod outcomes;
mod participant;
mod tls;

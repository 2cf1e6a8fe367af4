//! What the end-to-end tests share: the server as a process, a client, participants with a ledger, and patience.
//!
//! Nothing here knows a crate of ours: the product is met through its binary and its sockets only.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests: a broken helper is a failed test"
)]

mod balancer;
mod binary;
mod caller;
mod causes;
mod client;
mod faketime;
mod fleet;
mod full_pipe;
mod grpc;
pub mod journal;
mod ledger;
mod load;
mod participants;
mod saga;
mod scenario;
mod server;
mod shared;
mod tcc;
mod until;
mod watcher;

pub use causes::all_are_caused;
pub use client::{Answer, Client};
pub use faketime::clock_apart;
pub use fleet::{Fleet, LEASE, Strike, Strikes};
pub use ledger::{Delivery, Ledger};
pub use load::{Load, Tally};
pub use participants::Participants;
pub use saga::{Saga, saga};
pub use scenario::{in_scenario, measured};
pub use server::{Refused, Server, Setup};
pub use shared::{Kind, SharedStore, skipped};
pub use tcc::{Branch, Tcc, branch_of, kinds};
pub use until::{PATIENCE, until};
pub use watcher::{Told, Watcher};

/// Starts participants and a server with defaults, and a client of it.
pub async fn scene() -> (Server, Client, Participants) {
    scene_with(Setup::new()).await
}

/// Starts participants and a server as set up, and a client of it.
pub async fn scene_with(setup: Setup) -> (Server, Client, Participants) {
    let server = setup.start().await;
    let client = server.client();
    (server, client, Participants::start().await)
}

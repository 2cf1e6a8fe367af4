//! The Rust SDK: for initiators, who begin global transactions, and for participants, who do their work.
//!
//! ```no_run
//! use std::time::Duration;
//! use seata_client::{Branch, Client, Gid, Saga, Waited};
//! use serde_json::json;
//!
//! # async fn order() -> Result<(), seata_client::Error> {
//! let client = Client::http("http://127.0.0.1:36789")?;
//! let saga = Saga::new(Gid::new())
//!     .payload(json!({ "order": 1, "amount": 30 }))
//!     .branch(
//!         Branch::new("stock")
//!             .action("http://127.0.0.1:8080/stock/take")
//!             .compensation("http://127.0.0.1:8080/stock/return"),
//!     )
//!     .branch(
//!         Branch::new("payment")
//!             .action("http://127.0.0.1:8080/payment/charge")
//!             .compensation("http://127.0.0.1:8080/payment/refund")
//!             .after(["stock"]),
//!     );
//! match saga.submit_and_wait(&client, Duration::from_secs(30)).await? {
//!     Waited::Committed(_) => println!("paid"),
//!     Waited::Aborted(transaction) => println!("not paid: {:?}", transaction.reason),
//!     Waited::Stuck(_) | Waited::Pending(_) => println!("it goes on, or waits for a person"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! It speaks to the coordinator over its wire alone and knows nothing of how a coordinator works: it depends on none of
//! the coordinator's crates. Whoever embeds a coordinator needs none of it, but may test participants with [`SagaKit`].
#![warn(missing_docs)]

mod client;
mod end;
mod error;
mod feed;
mod gid;
mod kit;
mod options;
mod participant;
mod payload;
mod repeat;
mod requests;
mod saga;
mod sse;
mod tcc;
mod transport;
mod view;
mod watch;
mod words;

pub use client::{Client, ClientConfig};
pub use end::End;
pub use error::{Error, ErrorCode, Refusal};
pub use feed::Feed;
pub use gid::{Gid, InvalidGid};
pub use kit::{Breach, Report, Rule, SagaKit};
pub use options::{BranchOptions, Options, Order};
pub use participant::{Answer, Call, HttpParticipant, Operation, Participant, UnknownCall};
pub use payload::Payload;
pub use repeat::Repeat;
pub use requests::{FeedQuery, ListQuery, Tried, Waited};
pub use saga::{Branch, Saga};
pub use sse::{SseEvent, SseParser};
pub use tcc::{OpenTcc, Tcc, TccBranch};
pub use view::{BranchView, Change, Event, Header, OperationView, Page, Transaction};
pub use watch::Watch;
pub use words::{BranchStatus, EventKind, OperationStatus, Status};

/// Lets the examples of the guide be compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/client.md")]
struct Guide;

//! Decides what a global transaction does next.
//!
//! The core is a pure machine: [`Transaction::step`] takes an input and the time and answers which events to record
//! and which branches to call; [`Transaction::apply`] changes the state by one event. Loading a transaction is
//! folding `apply` over its stored events, so that a live run and a recovery share one transition table.
//!
//! It knows no clock, no randomness, no store, no network and no thread. Whoever drives it appends the events first
//! and carries out the effects after.
#![warn(missing_docs)]

mod again;
mod agenda;
mod branch;
mod completion;
mod cycles;
mod dag;
mod definition;
mod endpoint;
mod event;
mod history;
mod id;
mod operation;
mod phase;
pub mod planted;
mod rejection;
mod retry;
mod saga;
mod step;
mod table;
mod tcc;
mod text;
mod tight;
mod time;
mod transaction;
mod view;

pub use definition::{
    BranchDefinition, BranchOptions, ContentType, Definition, Endpoints, Fingerprint, Header,
    Options, Order, Payload,
};
pub use endpoint::{Endpoint, EndpointError, Scheme};
pub use event::{AbortCause, Answered, BranchIndex, CompletionEnd, End, Event, Fact};
pub use history::{ATTEMPTS_KEPT_MAX, compact};
pub use id::{BranchId, Gid, IdError};
pub use operation::{AttemptId, FencingToken, Mode, Operation, Outcome, Status};
pub use rejection::Rejection;
pub use retry::{RetryPolicy, backoff};
pub use step::{AppendMode, Call, Effect, Input, Next, Step};
pub use text::Reason;
pub use tight::compact_tightly;
pub use time::UnixMillis;
pub use transaction::{IllegalEvent, Transaction};
pub use view::{BranchStatus, BranchView, OperationStatus, OperationView, TrialView, WaitingFor};

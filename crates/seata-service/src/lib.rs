//! The one service layer under all transports: requests as typed values become checked definitions and engine calls,
//! and what the engine tells becomes views, problems and codes.
//!
//! It knows no wire: no body, no message, no status code. A transport reads its bytes into the types of [`request`],
//! asks a [`Service`], and renders what it answers; so the same request means the same and is refused the same way on
//! every wire. Field names in problems are those of `docs/api.md`.
#![warn(missing_docs)]

mod branches;
mod canonical;
mod code;
mod content;
mod defaults;
mod list;
mod pages;
mod path;
mod problem;
mod refused;
pub mod request;
mod resolve;
mod rules;
mod service;
mod settle;
mod store;
mod time;
mod view;
mod watch;

pub use branches::Tried;
pub use code::ErrorCode;
pub use defaults::Defaults;
pub use list::{AllPages, LIMIT_MAX, Listed, OFFSET_MAX};
pub use pages::Asked;
pub use path::Path;
pub use problem::{Detail, Problem};
pub use resolve::{AddedBranch, NamedBy, Submission, Whole};
pub use rules::{BRANCHES_MAX, Limits, LocalEndpoints, Rules};
pub use service::Service;
pub use settle::{EndWord, Settled};
pub use store::{ShardHealth, Shards, StoreFacts, StoreHealth, StoreState};
pub use time::{rfc3339, unix_secs};
pub use view::{EventView, TransactionView};
pub use watch::{Watch, WatchAll, Watched};

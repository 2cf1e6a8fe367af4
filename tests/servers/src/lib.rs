//! Private database servers for tests: each in a temporary folder, on free ports, gone with whoever started it, and what
//! may befall them: they freeze, they are killed, they start again on the same data; a [`Proxy`] loses what goes between.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use seata_test_servers::{Postgres, Proxy};
//!
//! let server = Postgres::start()?;
//! let proxy = Proxy::to(server.address())?;
//! // … a store is opened at `proxy.address()` …
//! proxy.lose_reply_to(b"COMMIT");          // it arrives, its answer does not
//! server.kill()?;                          // as `kill -9`; what it acknowledged stays
//! server.start_again()?;                   // the same port, the same data; answers when it does
//! # Ok(())
//! # }
//! ```
//!
//! Nothing here touches a server that it did not start, installs anything, or knows what a store is. All calls block,
//! for some milliseconds at most, but for `start` and `start_again`.
#![warn(missing_docs)]

mod ask;
mod clocks;
mod cluster;
mod folder;
mod guard;
mod mariadb;
mod port;
mod postgres;
pub mod programs;
mod proxy;
mod redis;
mod server;

pub use clocks::{FAKETIME_PACKAGE, faketime_library};
pub use cluster::RedisCluster;
pub use mariadb::MariaDb;
pub use postgres::Postgres;
pub use proxy::{Direction, Proxy};
pub use redis::{AppendFsync, Redis, RedisOptions};
pub use server::Server;

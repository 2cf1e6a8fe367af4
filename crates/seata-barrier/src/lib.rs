//! The participant's side of a global transaction: each operation takes effect exactly once.
//!
//! The coordinator delivers an operation *at least* once. A participant must therefore tolerate a **duplicate**, a **null
//! compensation** (its action never came) and a **hanging action** (it comes after its compensation). A participant that claims the
//! operation in the *same database transaction* as its work tolerates all three: the unique key of the barrier's table judges.
//!
//! ```
//! # #[cfg(feature = "postgres")] mod example {
//! use seata_barrier::{BarrierError, Call, Claim, Skip, claim};
//!
//! # enum Answer { Done, Skipped(Skip) }
//! # impl From<Skip> for Answer { fn from(skip: Skip) -> Self { Self::Skipped(skip) } }
//! async fn pay(pool: &sqlx::PgPool, call: &Call, amount: i64) -> Result<Answer, BarrierError> {
//!     let mut transaction = match claim(pool.begin().await?, call).await? {
//!         Claim::Run(transaction) => transaction,
//!         Claim::Skip(skip) => return Ok(skip.into()),
//!     };
//!     sqlx::query("UPDATE account SET balance = balance - $1 WHERE id = 1")
//!         .bind(amount)
//!         .execute(&mut *transaction)
//!         .await?;
//!     transaction.commit().await?;
//!     Ok(Answer::Done)
//! }
//! # }
//! ```
//!
//! Each database is a feature (`postgres`, `mysql` for MySQL and MariaDB, `sqlite`, `redis`), and so is each server framework
//! (`axum`, `tonic`). The guide is `docs/barrier.md`.
#![warn(missing_docs)]

mod call;
mod claim;
mod error;
#[cfg(any(
    feature = "postgres",
    feature = "mysql",
    feature = "sqlite",
    feature = "redis"
))]
mod plan;

#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
mod sql;
#[cfg(feature = "tonic")]
mod tonic;

pub use call::{Call, CallError};
pub use claim::{Claim, Skip};
pub use error::BarrierError;
pub use seata_core::{BranchId, Gid, Operation};
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
pub use sql::{Database, claim, migrate, purge};

/// Compiles the examples of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/barrier.md")]
struct Guide;

//! Spreads transactions over several stores, by their gid: how a deployment grows past one database.
//!
//! A gid always maps to the same shard: the 64-bit XXH3 of its bytes, modulo the number of shards ([`shard_of`]). So the
//! number and the order of the shards are fixed for as long as they hold anything. The combinator can't see a mistake
//! there; the adapters do: each writes the `seata_store::Shard` that it was opened as into its database, and refuses to
//! be opened as another.
//!
//! # What it promises
//!
//! - **A dead shard fails its own appends only**, and its own loads and leases. A list without a part would be a lie, so it
//!   fails as long as a shard does.
//! - **No answer waits for a shard longer than [`ANSWER_TIME_MAX`]**, which is below the time that the engine gives a batch.
//!   An append that was sent and not answered by then is `Ambiguous`.
//! - **A shard that fell silent costs the others their time once.** Then its gate is shut: what is meant for it is
//!   refused at once as `Unavailable`, while a probe looks whether it answers again. After that one call passes, and if it
//!   is answered, all do.
//! - **Claims** take a share from each shard, and what one shard lacks from the others. Within a shard the earliest wake-up
//!   comes first; over shards the order holds as far as their shares go. An exact one would lease what it does not
//!   answer, or take a question per transaction.
//! - **Time** is the latest of all shards. Their clocks must agree: each shard judges wake-ups and leases by its own clock,
//!   so a shard that is late by a second wakes its transactions a second late. Beyond a second of difference a warning is
//!   logged.
//!
//! [`Sharded::states`] answers which shards answer. Changes of that are logged once.
#![warn(missing_docs)]

mod append;
mod gate;
mod lease;
mod list;
mod member;
mod place;
mod sharded;
mod time;

pub use gate::ShardState;
pub use member::ANSWER_TIME_MAX;
pub use place::shard_of;
pub use sharded::Sharded;

//! The suite that every storage adapter passes, ours and other people's.
//!
//! An adapter's test file implements [`Fixture`] and names it in [`suite!`]; each behaviour is then a test of its own.
//! The suite asserts what the contract says of a store (see `seata_store::TxnStore`) and nothing about how it is built.
//! It waits for conditions with a deadline and asserts no times.
//!
//! # For the author of an adapter
//!
//! Add `seata-store-conformance`, `async-trait` and `tokio` (with `macros`, `rt-multi-thread`, `time`) to
//! `[dev-dependencies]`, and write `tests/conformance.rs`. Each test makes a fixture of its own, so a fixture must be
//! empty at first and share nothing with the others: a folder, a database, a prefix of keys.
//!
//! ```text
//! use std::{sync::Arc, time::Duration};
//! use seata_store::TxnStore;
//! use seata_store_conformance::{Fixture, Leases};
//!
//! struct Mine { folder: tempfile::TempDir, store: Option<MyStore> }
//!
//! impl Mine {
//!     fn new() -> Self {
//!         let folder = tempfile::tempdir().unwrap();
//!         Self { store: Some(MyStore::open(folder.path()).unwrap()), folder }
//!     }
//! }
//!
//! #[async_trait::async_trait]
//! impl Fixture for Mine {
//!     fn store(&self) -> Arc<dyn TxnStore> { Arc::new(self.store.clone().unwrap()) }
//!     async fn reopen(&mut self) {
//!         self.store = None;                       // closed before it is opened again
//!         self.store = Some(MyStore::open(self.folder.path()).unwrap());
//!     }
//!     fn leases(&self) -> Leases { Leases::Void }  // `Hold` where several servers share the store
//!     async fn pass(&self, span: Duration) { tokio::time::sleep(span).await }
//! }
//!
//! seata_store_conformance::suite!(Mine::new());
//! ```
//!
//! | the suite asks | behaviours |
//! |---|---|
//! | what is applied and what is refused | create races, stale revision, other token, the end, batches, sizes, names |
//! | who may drive | claims once among many, in order, within limits; leases, renewals |
//! | what lasts | a restart, a crash ([`Fixture::crash`]), a lost reply, an abandoned append, also under load |
//! | what is found | lists, pages, filters, purges, many records ([`Fixture::records_max`], [`records`]) |
//! | many at once | forks, losses, torn reads; batches that cross; random histories against a model |
//! | several servers | two handles ([`Fixture::another`]): claims, fences and purges of one hold against the other |
//! | the edges | owners of 128 bits, times from zero to the far future, empty histories, a thousand chunks, all names |
//!
//! A batch may run into one of another server. What it holds may then be answered with an error that its sender can try
//! again after (`Unavailable`, `Ambiguous`), and nothing else.
//!
//! A store that shares its server with others keeps to `SEATA_TEST_*` for its address ([`address`]); with
//! `suite!(maybe …)` its tests are skipped where there is none. `SEATA_TEST_RECORDS` says how many records the largest test
//! makes, 50,000 by default; a store that is slow where it is not optimised asks for fewer:
//! `fn records_max(&self) -> usize { seata_store_conformance::records(10_000) }`.
//!
//! What only the adapter can test stays with it: damaged files, a killed process of its own, a server that goes away.
//! A store in one folder has [`folder`] for some of that.
#![warn(missing_docs)]
#![allow(
    clippy::unwrap_used,
    reason = "the suite fails by panicking, as tests do"
)]

mod address;
mod appends;
mod claims;
mod crowds;
mod durability;
mod extremes;
mod fixture;
pub mod folder;
mod lists;
mod lost;
mod many;
mod model;
mod neighbours;
mod pages;
mod purges;
mod races;
mod servers;
mod size;

/// Appends as tests make them: for an adapter's own tests too.
pub mod appending {
    pub use crate::fixture::{append, applied, creation, ending, following, gid, history, loaded};
}

pub use address::address;
pub use appends::*;
pub use claims::*;
pub use crowds::*;
pub use durability::*;
pub use extremes::*;
pub use fixture::{Fixture, Leases};
pub use lists::*;
pub use lost::*;
pub use many::*;
pub use model::{random_calls_agree_with_the_model, random_histories_agree_with_the_model};
pub use neighbours::*;
pub use pages::*;
pub use purges::*;
pub use races::*;
pub use servers::*;
pub use size::records;

/// Makes a test of each behaviour. `$new` is an expression that makes a [`Fixture`]; it may `.await`. After `maybe` it
/// makes an `Option` of one: without one the test is skipped. Whoever makes it says so, and fails where nothing may be
/// skipped: [`address`] does both.
#[macro_export]
macro_rules! suite {
    (maybe $new:expr) => {
        $crate::suite!(@each (maybe $new));
    };
    ($new:expr) => {
        $crate::suite!(@each (always $new));
    };
    (@each $new:tt) => {
        $crate::suite!(@tests $new
            of_many_creations_one_wins
            a_stale_revision_writes_nothing
            another_token_is_fenced_whatever_the_revision
            an_append_to_nothing_is_stale
            chunks_keep_their_order_and_replace_swaps_them
            a_batch_answers_each_by_itself
            gids_that_are_prefixes_of_each_other_stay_apart
            too_large_a_history_is_refused_and_nothing_is_written
            a_too_large_append_fails_alone
            times_and_modes_are_kept
            what_has_ended_never_moves
            each_due_transaction_is_claimed_once_among_many
            claims_come_by_earliest_wake_up_within_the_limit
            a_lease_that_has_passed_costs_no_place_in_the_order
            a_claim_raises_the_token_and_nothing_else
            a_held_lease_is_not_claimed_and_a_passed_one_is
            a_lease_that_holds_is_not_taken_by_an_append
            nothing_is_claimed_before_its_wake_up_or_without_one
            renewal_prolongs_until_the_lease_is_taken_or_released
            a_renewal_tells_the_revision
            what_was_acknowledged_survives_a_restart
            what_was_acknowledged_survives_a_crash
            after_a_lost_reply_the_same_append_tells
            an_abandoned_append_is_settled_by_the_next_one
            ended_transactions_survive_a_restart
            a_restart_gives_out_no_token_that_a_claim_gave
            no_start_gives_out_a_token_of_another
            lists_are_newest_first_and_complete
            pages_are_stable_while_others_write
            filters_select_and_a_rare_match_still_comes
            purge_takes_only_what_ended_before
            purges_get_past_old_open_transactions
            many_records_are_found_again
            histories_neither_fork_nor_lose_under_many_writers
            reads_find_what_moves_to_its_end
            a_bad_append_never_fails_its_neighbours
            batches_in_different_orders_do_not_lock_each_other_out
            overlapping_batches_of_creations_create_each_once
            appends_abandoned_under_load_are_settled_by_the_next_ones
            two_servers_see_one_truth
            two_servers_claim_each_due_transaction_once
            a_server_that_slept_past_its_lease_is_fenced
            a_thousand_leases_are_renewed_in_one_call
            owners_are_kept_and_told_apart_to_the_last_bit
            times_are_kept_from_zero_to_the_far_future
            histories_may_be_empty_and_shrink
            a_thousand_chunks_keep_their_order
            names_of_all_legal_characters_are_ordered_by_their_bytes
            pages_go_on_among_equal_times
            a_purge_takes_nothing_that_was_created_again
            what_is_too_young_for_a_purge_goes_first_when_it_is_old
            purges_take_no_open_transaction_while_names_come_again
            random_histories_agree_with_the_model
            random_calls_agree_with_the_model
        );
    };
    (@tests $new:tt $($behaviour:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                $crate::suite!(@run $new $behaviour);
            }
        )*
    };
    (@run (maybe $new:expr) $behaviour:ident) => {
        if let Some(fixture) = $new {
            $crate::$behaviour(fixture).await;
        }
    };
    (@run (always $new:expr) $behaviour:ident) => {
        $crate::$behaviour($new).await;
    };
}

/// Makes the tests of a store in a folder that need other processes. `$in_folder` is a [`folder::InFolder`]. It stands in
/// the root of a test file: the other processes are tests of that file, found by their names.
#[macro_export]
macro_rules! folder_suite {
    ($in_folder:ty) => {
        $crate::folder_suite!(@tests $in_folder;
            child_appends_until_killed
            every_acknowledged_append_survives_kill_9
            child_opens
            a_file_where_the_folder_should_be_is_refused_and_left_as_it_is
            a_folder_in_use_is_refused_within_the_process_and_by_another
            child_writes_to_a_failing_disk
            a_failed_write_is_told_once_and_nothing_is_tried_again
        );
    };
    (@tests $in_folder:ty; $($behaviour:ident)*) => {
        $(
            #[test]
            fn $behaviour() {
                $crate::folder::$behaviour::<$in_folder>();
            }
        )*
    };
}

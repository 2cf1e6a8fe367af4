//! The suite that every storage adapter passes, ours and other people's.
//!
//! An adapter's test file implements [`Fixture`] and names it in [`suite!`]; each behaviour is then a test of its own.
//! The suite asserts what DESIGN 6 says of a store and nothing about how it is built. It waits for conditions with a
//! deadline and asserts no times.
#![warn(missing_docs)]
#![allow(
    clippy::unwrap_used,
    reason = "the suite fails by panicking, as tests do"
)]

mod appends;
mod claims;
mod durability;
mod fixture;
mod lists;
mod model;

pub use appends::*;
pub use claims::*;
pub use durability::*;
pub use fixture::{Fixture, Leases};
pub use lists::*;
pub use model::random_histories_agree_with_the_model;

/// Makes a test of each behaviour. `$new` is an expression that makes a [`Fixture`].
#[macro_export]
macro_rules! suite {
    ($new:expr) => {
        $crate::suite!($new;
            of_many_creations_one_wins
            a_stale_revision_writes_nothing
            another_token_is_fenced_whatever_the_revision
            an_append_to_nothing_is_stale
            chunks_keep_their_order_and_replace_swaps_them
            a_batch_answers_each_by_itself
            gids_that_are_prefixes_of_each_other_stay_apart
            too_large_a_history_is_refused_and_nothing_is_written
            times_and_modes_are_kept
            each_due_transaction_is_claimed_once_among_many
            claims_come_by_earliest_wake_up_within_the_limit
            a_claim_raises_the_token_and_nothing_else
            a_held_lease_is_not_claimed_and_a_passed_one_is
            a_lease_that_holds_is_not_taken_by_an_append
            nothing_is_claimed_before_its_wake_up_or_without_one
            renewal_prolongs_until_the_lease_is_taken_or_released
            a_renewal_tells_the_revision
            what_was_acknowledged_survives_a_restart
            ended_transactions_survive_a_restart
            a_restart_gives_out_no_token_that_a_claim_gave
            lists_are_newest_first_and_complete
            pages_are_stable_while_others_write
            filters_select_and_a_rare_match_still_comes
            purge_takes_only_what_ended_before
            many_records_are_found_again
            random_histories_agree_with_the_model
        );
    };
    ($new:expr; $($behaviour:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                $crate::$behaviour($new).await;
            }
        )*
    };
}

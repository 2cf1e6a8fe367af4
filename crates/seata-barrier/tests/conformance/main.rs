//! One suite for all databases: each operation, delivered in whatever order, how often and how broken, takes effect once.
//!
//! PostgreSQL, MariaDB and Redis are real servers: `cargo xtask servers -- cargo test -p seata-barrier`.
#![allow(clippy::unwrap_used, reason = "tests")]

mod bank;
mod keeping;
mod killed;
mod orders;
mod redis_bank;
mod sql;
mod together;

use std::sync::Arc;

use bank::{Bank, Isolation};
use redis_bank::RedisBank;
use seata_barrier::Operation::{Action, Cancel, Compensation, Try};
use sql::SqlBank;
use sqlx::{MySql, Postgres, Sqlite};

/// Makes a test of each scenario.
macro_rules! tests {
    ($bank:ty, $isolation:expr, { $($name:ident: |$opened:ident| $scenario:expr;)* }) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                let Some(bank) = <$bank>::open($isolation).await else {
                    return;
                };
                let $opened = Arc::new(bank);
                $scenario.await;
                $opened.close().await;
            }
        )*
    };
}

/// What every database promises.
macro_rules! promises {
    ($bank:ty, $isolation:expr, $kind:literal) => {
        tests!($bank, $isolation, {
            an_action_that_is_compensated_leaves_nothing_in_any_order: |bank| orders::undone(&*bank, Action, Compensation);
            a_try_that_is_cancelled_leaves_nothing_in_any_order: |bank| orders::undone(&*bank, Try, Cancel);
            a_confirm_needs_its_try_and_runs_once: |bank| orders::confirmed(&*bank);
            keys_that_look_alike_are_different: |bank| orders::alike(&*bank);
            the_longest_ids_fit: |bank| orders::longest(&*bank);
            actions_and_compensations_at_once_balance: |bank| together::undone(&bank, Action, Compensation);
            tries_and_cancels_at_once_balance: |bank| together::undone(&bank, Try, Cancel);
            repetitions_at_once_run_once: |bank| together::repeated(&bank);
            refusals_at_once_claim_nothing: |bank| together::refused(&bank);
            a_process_that_dies_in_the_middle_claims_nothing: |bank| killed::between(&*bank, $kind);
        });
    };
}

/// What databases with transactions promise beside that.
macro_rules! promises_of_sql {
    ($database:ty, $isolation:expr, $kind:literal) => {
        promises!(SqlBank<$database>, $isolation, $kind);
        tests!(SqlBank<$database>, $isolation, {
            a_claim_that_is_let_go_is_free_again: |bank| together::abandoned(&bank);
            old_claims_are_purged_and_young_ones_hold: |bank| keeping::purged(&bank);
            a_purge_disturbs_nobody: |bank| keeping::purged_meanwhile(&bank);
            the_table_is_made_once_by_many: |bank| keeping::migrated_at_once(&bank);
            a_missing_table_is_named: |bank| keeping::not_migrated(&bank);
            an_old_snapshot_judges_nothing: |bank| keeping::old_snapshot(&bank);
        });
    };
}

mod postgres_read_committed {
    use super::*;
    promises_of_sql!(Postgres, Isolation::ReadCommitted, "postgres");
}

mod postgres_repeatable_read {
    use super::*;
    promises_of_sql!(Postgres, Isolation::RepeatableRead, "postgres");
}

mod mysql_read_committed {
    use super::*;
    promises_of_sql!(MySql, Isolation::ReadCommitted, "mysql");
}

mod mysql_repeatable_read {
    use super::*;
    promises_of_sql!(MySql, Isolation::RepeatableRead, "mysql");
}

mod sqlite {
    use super::*;
    promises_of_sql!(Sqlite, Isolation::TheOne, "sqlite");
}

mod redis {
    use super::*;
    promises!(RedisBank, Isolation::TheOne, "redis");
    tests!(RedisBank, Isolation::TheOne, {
        claims_expire: |bank| redis_bank::expiring(&bank);
        work_that_raises_an_error_is_not_claimed: |bank| redis_bank::raising(&bank);
    });
}

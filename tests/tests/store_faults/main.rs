//! What befalls the store under load: nothing that was acknowledged is lost, nothing is done twice without a cause, new
//! work is told at once that it can't be done now, and everything goes on by itself when the store is back.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod failover;
mod folder;
mod freeze;
mod lost_replies;
mod restarts;

/// Makes a test of each scenario on each store that is one server.
macro_rules! on_each_server {
    ($($module:ident::$scenario:ident)*) => {
        on_each_server!(@store postgres Postgres $($module::$scenario)*);
        on_each_server!(@store mysql Mysql $($module::$scenario)*);
        on_each_server!(@store redis Redis $($module::$scenario)*);
    };
    (@store $name:ident $kind:ident $($module:ident::$scenario:ident)*) => {
        mod $name {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $scenario() {
                    if let Some(store) = seata_tests::SharedStore::start(seata_tests::Kind::$kind) {
                        crate::$module::$scenario(store).await;
                    }
                }
            )*
        }
    };
}

on_each_server! {
    restarts::a_store_may_be_killed_and_stopped_under_load
    freeze::a_frozen_store_is_said_at_once_and_everything_goes_on_when_it_thaws
    lost_replies::a_reply_that_is_lost_loses_nothing
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_of_a_redis_cluster_may_die_under_load() {
    if let Some(store) = seata_tests::SharedStore::start(seata_tests::Kind::RedisCluster) {
        failover::a_master_may_die_under_load(store).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_on_sled_may_be_killed_under_load() {
    folder::a_server_may_be_killed_under_load("sled").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_on_the_embedded_store_may_be_killed_under_load() {
    folder::a_server_may_be_killed_under_load("embedded").await;
}

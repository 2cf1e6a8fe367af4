//! What befalls the store under load: nothing that was acknowledged is lost, nothing is done twice without a cause, new
//! work is told at once that it can't be done now, and everything goes on by itself when the store is back.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod failover;
mod folder;
mod freeze;
mod lost_replies;
mod restarts;

use seata_tests::{Fleet, Kind, SharedStore, in_scenario};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_befalls_postgres_loses_nothing() {
    on(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_befalls_mysql_loses_nothing() {
    on(Kind::Mysql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_befalls_redis_loses_nothing() {
    on(Kind::Redis).await;
}

/// Plays all scenarios on one store, whose start takes longer than most of them: each begins when all of the one before
/// has ended, and names its transactions as no other does.
async fn on(kind: Kind) {
    let Some(store) = SharedStore::start(kind) else {
        return;
    };
    let fleet = Fleet::start(&store).await;
    in_scenario(&store, "freeze", freeze::under_load(&store, &fleet)).await;
    in_scenario(&store, "restarts", restarts::under_load(&store, &fleet)).await;
    drop(fleet);
    in_scenario(&store, "lost replies", lost_replies::under_load(&store)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_of_a_redis_cluster_may_die_under_load() {
    if let Some(store) = SharedStore::start(Kind::RedisCluster) {
        failover::under_load(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_on_sled_may_be_killed_under_load() {
    folder::killed_under_load("sled").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_on_the_embedded_store_may_be_killed_under_load() {
    folder::killed_under_load("embedded").await;
}

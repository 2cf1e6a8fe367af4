//! Several servers on one shared store, behind a balancer that knows nothing of transactions: what one began, another
//! goes on with; and whatever befalls one of them, everything ends right and nothing is called again without a cause.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod clocks;
mod handover;
mod kills;
mod scene;
mod slow;
mod spread;
mod spread_grpc;
mod suspended;

use seata_tests::{Fleet, Kind, SharedStore, in_scenario};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_on_postgres_go_on_with_what_others_began() {
    on(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_on_mysql_go_on_with_what_others_began() {
    on(Kind::Mysql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_on_redis_go_on_with_what_others_began() {
    on(Kind::Redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_on_a_redis_cluster_go_on_with_what_others_began() {
    on(Kind::RedisCluster).await;
}

/// Plays all scenarios on one store, whose start takes longer than most of them: each begins when all of the one before
/// has ended, and names its transactions as no other does.
async fn on(kind: Kind) {
    let Some(store) = SharedStore::start(kind) else {
        return;
    };
    let mut fleet = Fleet::start(&store).await;
    in_scenario(&store, "nothing befalls anybody", peace(&fleet)).await;
    in_scenario(&store, "kill -9 under load", kills::under_load(&mut fleet)).await;
    let killed = kills::with_calls_in_flight(&store, &mut fleet);
    in_scenario(&store, "kill -9 with calls in flight", killed).await;
    in_scenario(
        &store,
        "suspension",
        suspended::beyond_its_lease(&mut fleet),
    )
    .await;
    drop(fleet);
    in_scenario(&store, "wrong clocks", clocks::a_minute_apart(&store)).await;
    in_scenario(&store, "SIGTERM", handover::at_a_stop(&store)).await;
}

/// Scenarios that do not disturb each other.
async fn peace(fleet: &Fleet) {
    let spread = async {
        spread::to_any_server_over_http(fleet).await;
        spread_grpc::to_any_server_over_grpc(fleet).await;
    };
    tokio::join!(spread, slow::a_call_longer_than_a_lease(fleet));
}

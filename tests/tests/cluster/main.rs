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

/// Makes a test of each scenario on each store that servers may share.
macro_rules! on_each_store {
    ($($module:ident::$scenario:ident)*) => {
        on_each_store!(@store postgres Postgres $($module::$scenario)*);
        on_each_store!(@store mysql Mysql $($module::$scenario)*);
        on_each_store!(@store redis Redis $($module::$scenario)*);
        on_each_store!(@store redis_cluster RedisCluster $($module::$scenario)*);
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

on_each_store! {
    spread::the_requests_of_a_transaction_may_go_to_any_server
    spread_grpc::the_calls_of_a_transaction_may_go_to_any_server
    kills::servers_may_be_killed_again_and_again_under_load
    kills::what_a_killed_server_drove_goes_on_elsewhere
    suspended::a_server_that_was_suspended_beyond_its_lease_changes_nothing
    clocks::servers_whose_clocks_are_a_minute_apart_behave_alike
    handover::a_server_that_stops_hands_over_at_once
    slow::a_call_that_takes_longer_than_a_lease_is_made_once
}

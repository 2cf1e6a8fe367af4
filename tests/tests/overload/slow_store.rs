//! A store that answers late, and more work than it takes meanwhile.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use seata_test_servers::Direction;
use seata_tests::{Kind, Participants, Setup, SharedStore, until};

use crate::{Flooded, looked_after};

const CLIENTS: usize = 200;
const SAGAS: usize = 2_000;

/// Floods a server whose store answers each question 200 ms late.
async fn on(kind: Kind) {
    let Some(store) = SharedStore::start(kind) else {
        return;
    };
    let proxy = store.proxy();
    let setup = Setup::new().with("SEATA_ACTIVE_MAX", 100);
    let server = store.used_through(setup, &proxy).start().await;
    let (client, participants) = (server.client(), Participants::start().await);
    proxy.slow_down(Direction::Replies, Duration::from_millis(200));
    let clients: Vec<_> = (0..CLIENTS).map(|_| client.another()).collect();
    let action = participants.url("ok");
    let flooded = stream::iter(0..SAGAS)
        .map(async |number| {
            let mut one = Flooded::default();
            let client = &clients[number % CLIENTS];
            one.submit(client, format!("g-{number}"), &action).await;
            one
        })
        .buffer_unordered(CLIENTS)
        .fold(Flooded::default(), async |mut all, one| {
            all.add(one);
            all
        })
        .await;
    // A busy machine may make the store slower than it is meant to be here.
    until("the server is in reach", async || {
        (looked_after(&client).await == [200; 2]).then_some(())
    })
    .await;
    assert!(!flooded.accepted.is_empty() && !flooded.turned_away.is_empty());
    proxy.restore();
    flooded.ended_as_answered(&client, &participants).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_a_slow_postgres_takes_is_refused_and_the_rest_is_not_lost() {
    on(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_a_slow_redis_takes_is_refused_and_the_rest_is_not_lost() {
    on(Kind::Redis).await;
}

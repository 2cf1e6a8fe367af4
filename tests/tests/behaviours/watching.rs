//! Following by server-sent events, over connections that break.

use seata_tests::{Told, saga, scene, until};
use serde_json::{Value, json};

fn data(told: &[Told]) -> Vec<Value> {
    told.iter().map(|told| told.data.clone()).collect()
}

#[tokio::test]
async fn a_transaction_is_followed_over_a_cut_and_a_restart_and_no_event_is_lost_or_told_twice() {
    let (mut server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("followed")
        .branch("one", at("ok"), at("ok"))
        .branch("two", at("gate/held"), at("ok"))
        .after(&["one"])
        .branch("three", at("refuse"), at("ok"))
        .after(&["two"]);
    client.submit(whole).await;
    participants.arrived("held", 1).await;
    let mut told = Vec::new();

    let mut first = client.watch("/api/tx/followed/watch", "").await;
    told.push(first.next().await.unwrap());
    drop(first);
    let mut second = client.watch("/api/tx/followed/watch", &told[0].id).await;
    while told
        .last()
        .is_none_or(|told: &Told| told.data["branch_id"] != "one")
    {
        told.push(second.next().await.unwrap());
    }

    server.kill_nine();
    assert_eq!(second.next().await, None);
    server.start_again().await;
    participants.open("held");
    let third = client
        .watch("/api/tx/followed/watch", &told.last().unwrap().id)
        .await;
    told.extend(third.all().await);
    assert_eq!(data(&told), client.events("followed").await);
    assert_eq!(told.last().unwrap().data["kind"], "aborted");
}

#[tokio::test]
async fn what_the_server_does_is_followed_over_a_cut_and_its_own_end_is_the_end() {
    let (mut server, client, participants) = scene().await;
    let ended = |gid: &str| {
        let at = participants.url("ok");
        saga(gid).branch("one", at.clone(), at)
    };
    let mut feed = client.watch("/api/watch?status=COMMITTED", "").await;
    let scope = feed.next().await.unwrap();
    assert_eq!(scope.name, "scope");
    client.run(ended("first")).await;
    let first = feed.next().await.unwrap();
    assert_eq!(
        (&first.data["gid"], &first.data["status"]),
        (&json!("first"), &json!("COMMITTED"))
    );
    drop(feed);

    client.run(ended("second")).await;
    let mut feed = client.watch("/api/watch?status=COMMITTED", &first.id).await;
    assert_eq!(feed.next().await.unwrap().id, first.id, "the scope");
    assert_eq!(feed.next().await.unwrap().data["gid"], "second");

    server.terminate();
    assert_eq!(feed.next().await, None);
    assert_eq!(
        server.ended().await.code(),
        Some(0),
        "a watcher holds up no stop"
    );
    server.start_again().await;
    let gone = client.no_watch("/api/watch", &first.id).await;
    assert_eq!(gone, Some((410, "EVENTS_GONE".to_owned())));
}

#[tokio::test]
async fn watchers_that_are_gone_leave_room_for_others() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    client
        .submit(saga("held").branch("one", at("gate/held"), at("ok")))
        .await;
    for _ in 0..3 {
        let mut watchers = Vec::new();
        for _ in 0..100 {
            watchers.push(client.watch("/api/tx/held/watch", "").await);
        }
        let full = Some((429, "OVERLOADED".to_owned()));
        for path in ["/api/tx/held/watch", "/api/watch"] {
            assert_eq!(client.no_watch(path, "").await, full);
        }
        drop(watchers);
        until("there is room for all again", async || {
            let metrics = client.get("/metrics").await.text;
            let open = metrics
                .lines()
                .find_map(|line| line.strip_prefix("seata_http_watchers "));
            open.and_then(|open| open.parse::<u32>().ok())
                .filter(|open| *open == 0)
        })
        .await;
    }
    participants.open("held");
}

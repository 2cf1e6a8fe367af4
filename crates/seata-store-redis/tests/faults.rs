//! What a restarted, a frozen and a forgetful server do to the store, and that it goes on by itself.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use seata_store::{
    AppendOutcome, ClaimLimit, Held, LeaseChange, Owner, Status, StoreErrorKind, TxnStore,
};
use seata_store_conformance::address;
use seata_store_redis::{RedisOptions, RedisStore};
use seata_test_servers::{AppendFsync, Direction, Proxy, Server};
use support::{Plain, append, applied, creation, following, gid, options, start};

/// A server of its own may only be started where there is Redis at all.
fn server() -> Option<Server> {
    address("SEATA_TEST_REDIS_URL").map(|_| start(AppendFsync::Always, &[]))
}

/// Opens a store that waits longer than a busy machine keeps anybody waiting. A dead server refuses at once.
async fn open(address: &str) -> RedisStore {
    RedisStore::open(options(address, "faults")).await.unwrap()
}

/// Opens a store that gives up so soon that a test can sit out a server's silence.
async fn open_impatient(address: &str) -> RedisStore {
    let options = RedisOptions {
        timeout: Duration::from_secs(2),
        ..options(address, "faults")
    };
    RedisStore::open(options).await.unwrap()
}

/// Asks until the store answers, for as long as an operator would wait.
async fn answers_again(store: &RedisStore) {
    let end = Instant::now() + Duration::from_secs(60);
    while let Err(error) = store.ping().await {
        assert!(Instant::now() < end, "{error}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Creates until one answer is an error, and answers what was acknowledged.
async fn create_until_it_fails(store: RedisStore) -> (Vec<String>, StoreErrorKind) {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let name = format!("g{number}");
        match append(&store, creation(&name, 1_000)).await {
            Ok(AppendOutcome::Applied(_)) => acknowledged.push(name),
            Ok(other) => panic!("{name}: {other:?}"),
            Err(error) => return (acknowledged, error.kind),
        }
    }
    unreachable!("numbers have no end")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_found_again_and_has_lost_nothing_acknowledged() {
    let Some(server) = server() else {
        return;
    };
    let store = open(server.address()).await;
    applied(&store, creation("before", 1_000)).await;
    let writer = tokio::spawn(create_until_it_fails(store.clone()));
    while store.load(&gid("g20")).await.unwrap().is_none() {
        assert!(!writer.is_finished(), "it failed at a server that was well");
    }
    server.kill().unwrap();
    let (acknowledged, kind) = writer.await.unwrap();
    assert!(acknowledged.len() >= 20);
    assert!(matches!(
        kind,
        StoreErrorKind::Ambiguous | StoreErrorKind::Unavailable
    ));
    // Each connection finds out for itself. Whatever comes once the loss is known was surely not applied.
    let mut kinds = Vec::new();
    for number in 0..20 {
        let answer = append(&store, creation(&format!("down{number}"), 1_000)).await;
        kinds.push(answer.unwrap_err().kind);
    }
    let known = kinds
        .iter()
        .position(|kind| *kind == StoreErrorKind::Unavailable);
    let after = &kinds[known.unwrap()..];
    assert!(after.len() >= 3, "{kinds:?}");
    assert!(
        after
            .iter()
            .all(|kind| *kind == StoreErrorKind::Unavailable),
        "{kinds:?}"
    );
    assert!(store.ping().await.is_err());
    server.start_again().unwrap();
    answers_again(&store).await;
    for name in &acknowledged {
        assert!(store.load(&gid(name)).await.unwrap().is_some(), "{name}");
    }
    for number in 0..20 {
        let name = gid(&format!("down{number}"));
        assert_eq!(store.load(&name).await.unwrap(), None);
    }
    applied(&store, creation("after", 1_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_fails_calls_soon_and_is_used_again_when_it_wakes() {
    let Some(server) = server() else {
        return;
    };
    let store = open_impatient(server.address()).await;
    let before = applied(&store, creation("g", 1_000)).await;
    server.freeze().unwrap();
    let lost = append(&store, following(&before, "<lost>")).await;
    assert_eq!(lost.unwrap_err().kind, StoreErrorKind::Ambiguous);
    // Both connections are given up in turn; then nothing is sent any more.
    let mut kinds = Vec::new();
    for number in 0..20 {
        let answer = append(&store, creation(&format!("frozen{number}"), 1_000)).await;
        kinds.push(answer.unwrap_err().kind);
    }
    let sent = kinds
        .iter()
        .filter(|kind| **kind == StoreErrorKind::Ambiguous);
    assert!(sent.count() <= 1, "{kinds:?}");
    server.thaw().unwrap();
    answers_again(&store).await;
    match append(&store, following(&before, "<next>")).await.unwrap() {
        AppendOutcome::Applied(_) | AppendOutcome::Stale => {}
        other => panic!("{other:?}"),
    }
    let stored = store.load(&gid("g")).await.unwrap().unwrap();
    let history = String::from_utf8(stored.chunks.concat()).unwrap();
    assert!(
        ["[g]<lost>", "[g]<next>"].contains(&history.as_str()),
        "{history}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgot_its_scripts_is_given_them_again() {
    let Some(server) = server() else {
        return;
    };
    let store = open(server.address()).await;
    let mut plain = Plain::connect(server.address());
    let mut taken = creation("g", 1_000);
    taken.lease = LeaseChange::Take {
        owner: Owner(1),
        lasts: Duration::from_secs(60),
    };
    plain.ask(&["SCRIPT", "FLUSH"]);
    let header = applied(&store, taken).await;
    plain.ask(&["SCRIPT", "FLUSH"]);
    let renewed = store
        .renew(&[(gid("g"), header.token)], Duration::from_secs(60))
        .await;
    assert_eq!(renewed.unwrap(), [Held::Renewed(header.revision)]);
    plain.ask(&["SCRIPT", "FLUSH"]);
    let many = (0..100).map(|number| creation(&format!("m{number}"), 1_000));
    for answer in store.append(many.collect()).await {
        assert!(matches!(answer.unwrap(), AppendOutcome::Applied(_)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_memory_refuses_and_says_what_to_change() {
    let Some(server) = server() else {
        return;
    };
    let store = open(server.address()).await;
    let before = applied(&store, creation("g", 1_000)).await;
    let mut plain = Plain::connect(server.address());
    plain.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let batch = vec![creation("new", 1_000), following(&before, "more")];
    for answer in store.append(batch).await {
        let error = answer.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Unavailable);
        assert!(error.why.contains("raise maxmemory"), "{error}");
    }
    plain.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(store.load(&gid("new")).await.unwrap(), None);
    assert_eq!(store.load(&gid("g")).await.unwrap().unwrap().header, before);
    applied(&store, creation("new", 1_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_refuses_writes_and_they_are_surely_not_applied() {
    let Some(server) = server() else {
        return;
    };
    let store = open(server.address()).await;
    let mut plain = Plain::connect(server.address());
    plain.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    let error = append(&store, creation("g", 1_000)).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unavailable);
    plain.ask(&["REPLICAOF", "NO", "ONE"]);
    answers_again(&store).await;
    assert_eq!(store.load(&gid("g")).await.unwrap(), None);
    applied(&store, creation("g", 1_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_nobody_waits_for_leave_the_store_whole() {
    let Some(server) = server() else {
        return;
    };
    let store = open(server.address()).await;
    for number in 0..200 {
        let asked = store.clone();
        let task = tokio::spawn(async move {
            let limit = ClaimLimit {
                count: 10,
                bytes: 1_000,
            };
            let name = format!("g{number}");
            drop(asked.append(vec![creation(&name, 1_000)]).await);
            drop(
                asked
                    .claim_due(Owner(1), Duration::from_millis(1), limit)
                    .await,
            );
            drop(asked.load(&gid(&name)).await);
        });
        if number % 3 > 0 {
            tokio::task::yield_now().await;
        }
        if number % 3 > 1 {
            store.ping().await.unwrap();
        }
        task.abort();
    }
    answers_again(&store).await;
    let mut held = applied(&store, creation("last", 1_000)).await;
    held.status = Status::Committed;
    held.wake_at = None;
    let mut end = following(&held, "end");
    end.lease = LeaseChange::Release;
    assert_eq!(applied(&store, end).await.status, Status::Committed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_told_without_any_password() {
    let Some(server) = server() else {
        return;
    };
    let mut plain = Plain::connect(server.address());
    plain.ask(&["CONFIG", "SET", "requirepass", "the-right-one"]);
    let host = server.address().replace("redis://", "");
    for (credentials, is_right) in [
        (":wrong-secret@", false),
        ("", false),
        (":the-right-one@", true),
    ] {
        let address = format!("redis://{credentials}{host}");
        let opened = RedisStore::open(options(&address, "faults")).await;
        match opened {
            Ok(_) => assert!(is_right),
            Err(error) => {
                assert!(!is_right, "{error}");
                assert_eq!(error.kind, StoreErrorKind::Invalid, "{error}");
                let told = format!("{error} {error:?}");
                assert!(
                    !told.contains("secret") && !told.contains("right-one"),
                    "{told}"
                );
            }
        }
    }
}

/// Answers which connections the server has, but for the one that asks.
fn clients(plain: &mut Plain) -> BTreeSet<String> {
    let own = plain.ask(&["CLIENT", "ID"]).text().to_owned();
    let list = plain.ask(&["CLIENT", "LIST"]);
    let ids = list.text().lines().filter_map(|line| {
        let id = line.split(' ').find_map(|word| word.strip_prefix("id="))?;
        (id != own).then(|| id.to_owned())
    });
    ids.collect()
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What a firewall does that forgot a connection: nobody is told that anything is wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_swallows_all_is_given_up_and_replaced() {
    let Some(server) = server() else {
        return;
    };
    let proxy = Proxy::to(server.address()).unwrap();
    let store = open_impatient(proxy.address()).await;
    applied(&store, creation("g", 1_000)).await;
    let mut plain = Plain::connect(server.address());
    let before = clients(&mut plain);
    for direction in [Direction::Requests, Direction::Replies] {
        proxy.swallow(direction);
        let mut kinds = Vec::new();
        for number in 0..10 {
            let name = format!("{direction:?}{number}");
            let answer = append(&store, creation(&name, 1_000)).await;
            kinds.push(answer.unwrap_err().kind);
        }
        let sent = kinds
            .iter()
            .filter(|kind| **kind == StoreErrorKind::Ambiguous);
        assert!(sent.count() <= 2, "one for each connection: {kinds:?}");
        proxy.restore();
        answers_again(&store).await;
        applied(&store, creation(&format!("after{direction:?}"), 1_000)).await;
    }
    eventually("the old connections are gone", || {
        clients(&mut plain).is_disjoint(&before)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_connections_leave_nothing_behind_nor_does_a_dropped_store() {
    let Some(server) = server() else {
        return;
    };
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = tasks();
    let store = open(server.address()).await;
    answers_again(&store).await;
    let mut plain = Plain::connect(server.address());
    eventually("both connections are there", || {
        clients(&mut plain).len() == 2
    })
    .await;
    let at_work = tasks();
    for _ in 0..30 {
        plain.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        answers_again(&store).await;
    }
    eventually("there are as many tasks and connections as before", || {
        tasks() <= at_work && clients(&mut plain).len() == 2
    })
    .await;
    for millis in 0..20 {
        let opening = RedisStore::open(options(server.address(), "faults"));
        drop(tokio::time::timeout(Duration::from_millis(millis), opening).await);
    }
    drop(store);
    eventually(
        "all tasks have ended and all connections are closed",
        || tasks() <= before && clients(&mut plain).is_empty(),
    )
    .await;
    // Also one that is lost at that moment.
    let store = open(server.address()).await;
    server.kill().unwrap();
    assert!(store.ping().await.is_err());
    drop(store);
    eventually("nobody connects any more", || tasks() <= before).await;
}

/// A batch is a script per partition: some were answered, some executed, some never sent. Each append is told as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_lost_within_a_batch_is_told_for_what_it_answered_only() {
    let Some(server) = server() else {
        return;
    };
    let proxy = Proxy::to(server.address()).unwrap();
    let store = open(proxy.address()).await;
    // Not through the proxy: what it was told to lose may be what comes next.
    let beside = open(server.address()).await;
    for nth in 1..=8 {
        let batch: Vec<_> = (0..32)
            .map(|number| creation(&format!("g{nth}-{number}"), 1_000))
            .collect();
        proxy.lose_reply_of(nth);
        let answers = store.append(batch.clone()).await;
        answers_again(&store).await;
        for (one, answer) in batch.iter().zip(answers) {
            let stored = beside.load(&one.gid).await.unwrap();
            match answer.map_err(|error| error.kind) {
                Ok(AppendOutcome::Applied(_)) => assert!(stored.is_some(), "{}", one.gid),
                Err(StoreErrorKind::Unavailable) => assert_eq!(stored, None),
                Err(StoreErrorKind::Ambiguous) => {}
                other => panic!("{}: {other:?}", one.gid),
            }
            match append(&beside, one.clone()).await.unwrap() {
                AppendOutcome::Applied(_) => assert_eq!(stored, None),
                AppendOutcome::Exists(found) => assert_eq!(Some(*found), stored),
                other => panic!("{}: {other:?}", one.gid),
            }
        }
    }
    assert!(proxy.replies_lost() > 0);
}

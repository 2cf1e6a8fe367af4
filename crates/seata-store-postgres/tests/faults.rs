//! What a server does to us: deadlocks, locks of others, killed sessions, silence; and callers who stop waiting.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{join, join_all};
use seata_store::{AppendOutcome, Revision, StoreErrorKind, TxnStore};
use seata_store_postgres::{PostgresOptions, PostgresStore};
use support::{Apart, Place, applied, creation, following, history, number, one, run, until};
use tokio::io::copy;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

const PATIENT: Duration = Duration::from_secs(30);

async fn open(place: &Place, connections_max: u32, limit: Duration) -> PostgresStore {
    let options = PostgresOptions {
        connections_max,
        timeout: limit,
        ..place.options()
    };
    PostgresStore::open(options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_is_resolved_and_the_batch_is_applied() {
    let Some(place) = Place::new(Apart::Database).await else {
        return;
    };
    let options = PostgresOptions {
        address: format!("{}?options[deadlock_timeout]=10s", place.address()),
        timeout: Duration::from_secs(60),
        ..place.options()
    };
    let store = PostgresStore::open(options).await.unwrap();
    for name in ["a", "b"] {
        applied(&store, creation(name, 1_000)).await;
    }
    let (mut other, mut watcher) = (place.connect().await, place.connect().await);
    // The store's session looks for a deadlock once, when it has waited for ten seconds: by then there must be one. The
    // other one looks later, so that the store's is the one that the server rolls back.
    run(&mut other, "BEGIN; SET LOCAL deadlock_timeout = '600s'").await;
    run(
        &mut other,
        "SELECT 1 FROM global_transaction WHERE gid = 'b' FOR UPDATE",
    )
    .await;
    let batch = vec![following("b", 1, "<b>"), following("a", 1, "<a>")];
    let appending = tokio::spawn(async move { (store.append(batch).await, store) });
    let waits = format!(
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = '{}' AND wait_event_type = 'Lock' AND application_name = 'seata-server'",
        place.name()
    );
    until(&mut watcher, &waits).await;
    run(
        &mut other,
        "UPDATE global_transaction SET wake_at = 7 WHERE gid = 'a'; COMMIT",
    )
    .await;
    let (answers, store) = appending.await.unwrap();
    let second = Ok(AppendOutcome::Applied(Revision(2)));
    assert_eq!(answers, [second.clone(), second]);
    assert_eq!(history(&store, "a").await, b"[a]<a>");
    let deadlocks = format!(
        "SELECT deadlocks > 0 FROM pg_stat_database WHERE datname = '{}'",
        place.name()
    );
    until(&mut watcher, &deadlocks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_in_crossing_order_never_deadlock() {
    let Some(place) = Place::new(Apart::Database).await else {
        return;
    };
    let stores = [
        open(&place, 2, PATIENT).await,
        open(&place, 2, PATIENT).await,
    ];
    let names: Vec<String> = (0..20).map(|n| format!("g{n}")).collect();
    let batch = names.iter().map(|name| creation(name, 1_000)).collect();
    drop(stores[0].append(batch).await);
    for revision in 1..40 {
        let upwards = names.iter().map(|name| following(name, revision, "<up>"));
        let downwards = names
            .iter()
            .rev()
            .map(|name| following(name, revision, "<dn>"));
        let (up, mut down) = join(
            stores[0].append(upwards.collect()),
            stores[1].append(downwards.collect()),
        )
        .await;
        down.reverse();
        for answers in up.into_iter().zip(down) {
            let moved = Ok(AppendOutcome::Applied(Revision(revision + 1)));
            let stale = Ok(AppendOutcome::Stale);
            let expected = [(moved.clone(), stale.clone()), (stale, moved)];
            assert!(expected.contains(&answers), "{answers:?}");
        }
    }
    for name in &names {
        let text = String::from_utf8(history(&stores[0], name).await).unwrap();
        assert_eq!(text.matches('<').count(), 39);
    }
    drop(stores);
    let deadlocks = format!(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = '{}'",
        place.name()
    );
    assert_eq!(number(&mut place.connect().await, &deadlocks).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_somebody_keeps_costs_a_known_refusal() {
    let Some(place) = Place::new(Apart::Schema).await else {
        return;
    };
    let store = open(&place, 2, Duration::from_secs(5)).await;
    applied(&store, creation("kept", 1_000)).await;
    let mut other = place.connect().await;
    run(
        &mut other,
        "BEGIN; SELECT 1 FROM global_transaction WHERE gid = 'kept' FOR UPDATE",
    )
    .await;
    let error = one(&store, following("kept", 1, "<no>")).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}");
    // Others are not held up, and it is not claimed meanwhile.
    applied(&store, creation("other", 1_000)).await;
    run(&mut other, "ROLLBACK").await;
    assert_eq!(
        one(&store, following("kept", 1, "<yes>")).await,
        Ok(AppendOutcome::Applied(Revision(2)))
    );
    assert_eq!(history(&store, "kept").await, b"[kept]<yes>");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_sessions_lose_nothing_and_the_pool_goes_on() {
    let Some(place) = Place::new(Apart::Database).await else {
        return;
    };
    let store = open(&place, 4, PATIENT).await;
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let failed = Arc::new(AtomicUsize::new(0));
    let writers = (0..4).map(|writer| {
        let (store, acknowledged, failed) = (
            store.clone(),
            Arc::clone(&acknowledged),
            Arc::clone(&failed),
        );
        tokio::spawn(async move {
            let mut kept = Vec::new();
            for number in 0.. {
                let names: Vec<String> =
                    (0..16).map(|n| format!("w{writer}-{number}-{n}")).collect();
                let batch = names.iter().map(|name| creation(name, 1_000)).collect();
                for (name, answer) in names.into_iter().zip(store.append(batch).await) {
                    match answer {
                        Ok(outcome) => {
                            assert!(matches!(outcome, AppendOutcome::Applied(_)));
                            acknowledged.fetch_add(1, Ordering::Relaxed);
                            kept.push(name);
                        }
                        Err(error) => {
                            let kinds = [StoreErrorKind::Ambiguous, StoreErrorKind::Unavailable];
                            assert!(kinds.contains(&error.kind), "{error}");
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
                if failed.load(Ordering::Relaxed) >= 10 * 16 {
                    return kept;
                }
            }
            kept
        })
    });
    let writers = join_all(writers);
    let killer = async {
        let mut live = place.connect().await;
        let kill = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{}' AND application_name = 'seata-server' AND state = 'active'",
            place.name()
        );
        while failed.load(Ordering::Relaxed) < 10 * 16 {
            number(&mut live, &kill).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (kept, ()) = join(writers, killer).await;
    let kept: Vec<String> = kept.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(kept.len(), acknowledged.load(Ordering::Relaxed));
    // One that was killed when its work was done lies idle: it fails once, and takes the other idle ones with it.
    let _ = store.ping().await;
    for name in &kept {
        assert_eq!(history(&store, name).await, format!("[{name}]").as_bytes());
    }
    applied(&store, creation("after", 1_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_stop_waiting_leak_no_connection() {
    let Some(place) = Place::new(Apart::Database).await else {
        return;
    };
    let store = open(&place, 2, PATIENT).await;
    applied(&store, creation("g", 1_000)).await;
    let mut other = place.connect().await;
    for round in 0..100 {
        // Every other one is cut while it waits for a lock, the others wherever they are.
        let locked = round % 2 == 0;
        if locked {
            run(
                &mut other,
                "BEGIN; SELECT 1 FROM global_transaction WHERE gid = 'g' FOR UPDATE",
            )
            .await;
        }
        let appending = one(&store, following("g", 1_000, "<never>"));
        drop(timeout(Duration::from_micros(round * 200), appending).await);
        if locked {
            run(&mut other, "ROLLBACK").await;
        }
    }
    // Two at once still get one each, and the server keeps no more than those.
    let (a, b) = join(one(&store, creation("a", 1)), one(&store, creation("b", 1))).await;
    assert!(a.is_ok() && b.is_ok(), "{a:?} {b:?}");
    let few = format!(
        "SELECT count(*) <= 2 FROM pg_stat_activity WHERE datname = '{}' AND application_name = 'seata-server'",
        place.name()
    );
    until(&mut other, &few).await;
    assert_eq!(history(&store, "g").await, b"[g]");
}

/// Passes bytes on until it is told to fall silent; what is connected then stays connected and hears nothing more.
async fn proxy(to: String, silent: watch::Receiver<bool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (to, mut silent) = (to.clone(), silent.clone());
            tokio::spawn(async move {
                if *silent.borrow() {
                    // Kept open, and never answered.
                    return std::future::pending::<()>().await;
                }
                let mut far = TcpStream::connect(to).await.unwrap();
                let ((mut near_in, mut near_out), (mut far_in, mut far_out)) =
                    (near.split(), far.split());
                let fall_silent = async move { drop(silent.wait_for(|silent| *silent).await) };
                tokio::select! {
                    _ = copy(&mut near_in, &mut far_out) => {}
                    _ = copy(&mut far_in, &mut near_out) => {}
                    () = fall_silent => std::future::pending().await,
                }
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_uses_up_nothing_and_all_goes_on_when_it_is_back() {
    let Some(place) = Place::new(Apart::Schema).await else {
        return;
    };
    let (say, silent) = watch::channel(false);
    let address = place.address();
    let (start, rest) = address.split_once('@').unwrap();
    let (host, database) = rest.split_once('/').unwrap();
    let port = proxy(host.to_owned(), silent).await;
    let options = PostgresOptions {
        connections_max: 2,
        timeout: Duration::from_secs(3),
        ..PostgresOptions::new(format!("{start}@127.0.0.1:{port}/{database}"))
    };
    let store = PostgresStore::open(options).await.unwrap();
    applied(&store, creation("before", 1_000)).await;
    say.send(true).unwrap();
    let asked = (0..12).map(|n| {
        let store = store.clone();
        async move { one(&store, creation(&format!("g{n}"), 1_000)).await }
    });
    let answers = timeout(PATIENT, join_all(asked)).await.unwrap();
    for answer in answers {
        let error = answer.unwrap_err();
        let kinds = [StoreErrorKind::Ambiguous, StoreErrorKind::Unavailable];
        assert!(kinds.contains(&error.kind), "{error}");
    }
    let error = store.ping().await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unavailable);
    say.send(false).unwrap();
    let (a, b) = join(one(&store, creation("a", 1)), one(&store, creation("b", 1))).await;
    assert!(a.is_ok() && b.is_ok(), "{a:?} {b:?}");
}

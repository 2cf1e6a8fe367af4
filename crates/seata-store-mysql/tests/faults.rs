//! What goes wrong in between: killed connections, callers that leave, deadlocks, a server that is frozen.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use seata_store::{AppendOutcome, ClaimLimit, Owner, StoreErrorKind, TxnStore};
use seata_store_mysql::{MysqlOptions, MysqlStore};
use sqlx::{AssertSqlSafe, Connection, Row};
use support::{
    Database, append, applied, creation, ending, following, gid, history, loaded, revision,
};

async fn open(database: &Database, connections_max: u32) -> MysqlStore {
    let options = MysqlOptions {
        connections_max,
        timeout: Duration::from_secs(30),
        ..MysqlOptions::new(database.address())
    };
    MysqlStore::open(options).await.unwrap()
}

/// Kills every connection to this database but its own, until told to stop.
async fn kill(database: &Database, stop: &AtomicBool) -> usize {
    let mut connection = database.connect().await;
    let mut killed = 0;
    while !stop.load(Ordering::Relaxed) {
        let others = sqlx::query(
            "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        for row in others {
            let id: i64 = row.get(0);
            // It may be gone by itself.
            let text = AssertSqlSafe(format!("KILL CONNECTION {id}"));
            killed += usize::from(sqlx::raw_sql(text).execute(&mut connection).await.is_ok());
        }
        tokio::task::yield_now().await;
    }
    connection.close().await.unwrap();
    killed
}

/// Appends one text after the other to one record; where the answer is lost, the next append tells.
async fn write(store: MysqlStore, name: String, rounds: usize) -> (usize, usize) {
    let (mut expected, mut lost) = (format!("[{name}]"), 0);
    let mut stored = loop {
        match append(&store, creation(&name, 1_000)).await {
            Ok(_) => break patient(&store, &name).await,
            Err(error) => {
                assert!(is_lost(error.kind), "{error}");
                lost += 1;
            }
        }
    };
    for round in 0..rounds {
        let text = format!("<{round}>");
        loop {
            match append(&store, following(&stored.header, &text)).await {
                Ok(AppendOutcome::Applied(_) | AppendOutcome::Stale) => break,
                Ok(other @ (AppendOutcome::Exists(_) | AppendOutcome::Fenced)) => {
                    panic!("{other:?}")
                }
                Err(error) => {
                    assert!(is_lost(error.kind), "{error}");
                    lost += 1;
                }
            }
        }
        expected += &text;
        stored = patient(&store, &name).await;
        assert_eq!(
            history(&stored),
            expected,
            "applied once, whatever was lost"
        );
    }
    (rounds, lost)
}

fn is_lost(kind: StoreErrorKind) -> bool {
    match kind {
        StoreErrorKind::Unavailable | StoreErrorKind::Ambiguous => true,
        StoreErrorKind::Corrupt | StoreErrorKind::Invalid => false,
    }
}

async fn patient(store: &MysqlStore, name: &str) -> seata_store::Stored {
    loop {
        match store.load(&gid(name)).await {
            Ok(stored) => return stored.unwrap(),
            Err(error) => assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_connections_lose_answers_and_nothing_else() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = open(&database, 4).await;
    let stop = AtomicBool::new(false);
    let writers = async {
        let writers = (0..4).map(|n| tokio::spawn(write(store.clone(), format!("g{n}"), 40)));
        let mut lost = 0;
        for writer in writers.collect::<Vec<_>>() {
            lost += writer.await.unwrap().1;
        }
        stop.store(true, Ordering::Relaxed);
        lost
    };
    let (lost, killed) = tokio::join!(writers, kill(&database, &stop));
    assert!(
        killed > 0 && lost > 0,
        "nothing was killed: {killed} {lost}"
    );
    // What lay idle when it was killed fails once, and takes the other idle ones with it.
    let _ = store.ping().await;
    for _ in 0..16 {
        store.ping().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_leave_use_up_no_connection() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = Arc::new(open(&database, 2).await);
    let mut stored = applied(store.as_ref(), creation("g", 1_000)).await;
    for round in 0..100 {
        let abandoned = following(&stored.header, &format!("<lost {round}>"));
        let task = tokio::spawn({
            let store = Arc::clone(&store);
            async move {
                let other = creation(&format!("other-{round}"), 1_000);
                store.append(vec![abandoned, other]).await
            }
        });
        for _ in 0..round % 7 {
            tokio::task::yield_now().await;
        }
        task.abort();
        let next = following(&stored.header, &format!("<next {round}>"));
        match append(store.as_ref(), next).await.unwrap() {
            AppendOutcome::Applied(_) | AppendOutcome::Stale => {}
            other @ (AppendOutcome::Exists(_) | AppendOutcome::Fenced) => panic!("{other:?}"),
        }
        stored = loaded(store.as_ref(), &gid("g")).await;
        assert_eq!(stored.header.revision, revision(round + 2));
    }
    // Both connections are there, and nobody holds a row.
    let all = ClaimLimit {
        count: 1_000,
        bytes: 1 << 20,
    };
    let (one, other) = tokio::join!(store.ping(), store.ping());
    assert!(one.is_ok() && other.is_ok());
    applied(store.as_ref(), following(&stored.header, "last")).await;
    store
        .claim_due(Owner(1), Duration::from_secs(60), all)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_of_the_same_batches_end_in_right_answers() {
    let Some(database) = Database::create().await else {
        return;
    };
    let (one, other) = (open(&database, 8).await, open(&database, 8).await);
    for round in 0..20 {
        let names: Vec<String> = (0..24).map(|n| format!("r{round}-{n}")).collect();
        // Half of them exist; everybody creates the others and appends to those.
        let old = names
            .iter()
            .step_by(2)
            .map(|name| creation(name, 1_000))
            .collect();
        for answer in one.append(old).await {
            answer.unwrap();
        }
        let mut headers = Vec::new();
        for name in names.iter().step_by(2) {
            headers.push(loaded(&one, &gid(name)).await.header);
        }
        let racers = (0..6).map(|racer| {
            let store = if racer % 2 == 0 {
                one.clone()
            } else {
                other.clone()
            };
            let mut batch: Vec<_> = headers
                .iter()
                .map(|header| following(header, "x"))
                .collect();
            batch.extend(
                names
                    .iter()
                    .skip(1)
                    .step_by(2)
                    .map(|name| creation(name, 1_000)),
            );
            if racer % 3 == 1 {
                batch.reverse();
            }
            tokio::spawn(async move {
                let gids: Vec<_> = batch.iter().map(|one| one.gid.clone()).collect();
                let answers = store.append(batch).await;
                gids.into_iter().zip(answers).collect::<Vec<_>>()
            })
        });
        let (mut won, mut unavailable) = (BTreeSet::new(), 0);
        for racer in racers.collect::<Vec<_>>() {
            for (name, answer) in racer.await.unwrap() {
                match answer {
                    Ok(AppendOutcome::Applied(_)) => assert!(won.insert(name), "twice"),
                    Ok(AppendOutcome::Exists(stored)) => assert_eq!(stored.header.gid, name),
                    Ok(AppendOutcome::Stale) => {}
                    Ok(AppendOutcome::Fenced) => panic!("nobody took a lease"),
                    Err(error) => {
                        assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}");
                        unavailable += 1;
                    }
                }
            }
        }
        assert!(
            unavailable > 0 || won.len() == 24,
            "round {round}: {}",
            won.len()
        );
        for name in &names {
            let stored = one.load(&gid(name)).await.unwrap();
            let expected = match (won.contains(&gid(name)), stored.as_ref()) {
                (true, Some(stored)) => stored.header.revision.0,
                (false, stored) => stored.map_or(0, |_| 1),
                (true, None) => panic!("{name} was acknowledged and is gone"),
            };
            assert_eq!(
                stored.map_or(0, |stored| stored.header.revision.0),
                expected
            );
        }
    }
}

#[tokio::test]
async fn rows_that_others_hold_are_unavailable_and_not_written() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = open(&database, 4).await;
    let stored = applied(&store, creation("g", 1_000)).await;
    let mut holder = database.connect().await;
    let mut transaction = holder.begin().await.unwrap();
    sqlx::query("SELECT gid FROM global_transaction FOR UPDATE")
        .fetch_all(&mut *transaction)
        .await
        .unwrap();
    let batch = vec![following(&stored.header, "x"), creation("h", 1_000)];
    for answer in store.append(batch).await {
        assert_eq!(answer.unwrap_err().kind, StoreErrorKind::Unavailable);
    }
    let alone = append(&store, following(&stored.header, "x")).await;
    assert_eq!(alone.unwrap_err().kind, StoreErrorKind::Unavailable);
    let all = ClaimLimit {
        count: 10,
        bytes: 1 << 20,
    };
    let claimed = store
        .claim_due(Owner(1), Duration::from_secs(60), all)
        .await;
    assert!(claimed.unwrap().is_empty(), "a claim doesn't wait");
    transaction.rollback().await.unwrap();
    assert_eq!(loaded(&store, &gid("g")).await, stored);
    assert_eq!(store.load(&gid("h")).await.unwrap(), None);
    applied(&store, ending(&stored.header)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_appends_and_renewals_lock_each_other_out_of_nothing() {
    let Some(database) = Database::create().await else {
        return;
    };
    let (one, other) = (open(&database, 8).await, open(&database, 8).await);
    let names: Vec<_> = (0..60).map(|n| gid(&format!("g{n:02}"))).collect();
    let batch = names
        .iter()
        .map(|name| creation(name.as_str(), 1_000))
        .collect();
    for answer in one.append(batch).await {
        answer.unwrap();
    }
    let tasks = (0..6_u128).map(|worker| {
        let store = if worker % 2 == 0 {
            one.clone()
        } else {
            other.clone()
        };
        tokio::spawn(async move {
            let limit = ClaimLimit {
                count: 9,
                bytes: 1 << 20,
            };
            let mut driven = 0;
            for _ in 0..40 {
                let lasts = Duration::from_millis(worker as u64 * 7);
                let claimed = store.claim_due(Owner(worker), lasts, limit).await.unwrap();
                let held: Vec<_> = claimed
                    .iter()
                    .map(|one| (one.header.gid.clone(), one.header.token))
                    .collect();
                store.renew(&held, lasts).await.unwrap();
                let batch = claimed.iter().map(|one| {
                    let mut next = following(&one.header, "x");
                    next.lease = seata_store::LeaseChange::Release;
                    next
                });
                for answer in store.append(batch.collect()).await {
                    driven += usize::from(matches!(answer.unwrap(), AppendOutcome::Applied(_)));
                }
            }
            driven
        })
    });
    let mut driven = 0;
    for task in tasks.collect::<Vec<_>>() {
        driven += task.await.unwrap();
    }
    let mut appended = 0;
    for name in &names {
        let stored = loaded(&one, name).await;
        assert_eq!(
            history(&stored).matches('x').count() as u64 + 1,
            stored.header.revision.0
        );
        appended += stored.header.revision.0 - 1;
    }
    assert_eq!(appended, driven as u64);
    assert!(driven > 100, "too little was driven: {driven}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_batches_at_the_same_revisions_one_wins_each_record() {
    let Some(database) = Database::create().await else {
        return;
    };
    let (one, other) = (open(&database, 8).await, open(&database, 8).await);
    let names: Vec<_> = (0..16).map(|n| gid(&format!("g{n:02}"))).collect();
    let batch = names.iter().map(|name| creation(name.as_str(), 1_000));
    for answer in one.append(batch.collect()).await {
        answer.unwrap();
    }
    for round in 0..30 {
        let mut headers = Vec::new();
        for name in &names {
            headers.push(loaded(&one, name).await.header);
        }
        let racers = (0..6).map(|racer| {
            let store = [&one, &other][racer % 2].clone();
            let batch: Vec<_> = headers
                .iter()
                .map(|header| following(header, &format!("<{racer}>")))
                .collect();
            tokio::spawn(async move { store.append(batch).await })
        });
        let mut applied = vec![0; names.len()];
        for racer in racers.collect::<Vec<_>>() {
            for (at, answer) in racer.await.unwrap().into_iter().enumerate() {
                applied[at] += usize::from(matches!(answer, Ok(AppendOutcome::Applied(_))));
            }
        }
        assert_eq!(applied, vec![1; names.len()], "round {round}");
    }
}

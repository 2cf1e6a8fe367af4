//! Claims, renewals and appends of several servers at once, with leases so short that they pass all the time.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use seata_store::{
    Append, AppendOutcome, ClaimLimit, FencingToken, Gid, Header, Held, LeaseChange, Owner,
    TxnStore,
};
use seata_store_postgres::PostgresStore;
use support::{Apart, Place, applied, creation, gid, history};

const FEW: ClaimLimit = ClaimLimit {
    count: 5,
    bytes: 1 << 20,
};

/// What one server did: which leases it got, and which texts were applied.
#[derive(Default)]
struct Told {
    leases: Vec<(Gid, u64)>,
    applied: Vec<(Gid, u64, String)>,
}

fn next(header: &Header, text: &str, lease: LeaseChange) -> Append {
    Append {
        lease,
        chunk: seata_store::Chunk::Add(text.to_owned().into()),
        ..Append::to(header)
    }
}

async fn drive(store: PostgresStore, server: u64, rounds: usize) -> Told {
    let mut told = Told::default();
    let lasts = Duration::from_millis(server % 4);
    for round in 0..rounds {
        let owner = Owner(u128::from(server));
        let claimed = store.claim_due(owner, lasts, FEW).await.unwrap();
        assert!(claimed.len() <= FEW.count);
        let mut held: Vec<(Gid, FencingToken)> = Vec::new();
        for one in &claimed {
            assert_eq!(one.header.owner, Some(owner));
            told.leases
                .push((one.header.gid.clone(), one.header.token.0));
            held.push((one.header.gid.clone(), one.header.token));
        }
        let renewed = store.renew(&held, lasts).await.unwrap();
        assert!(!renewed.contains(&Held::Unknown));
        let texts: Vec<String> = (0..claimed.len())
            .map(|n| format!("<{server}.{round}.{n}>"))
            .collect();
        let lease = match round % 2 {
            0 => LeaseChange::Release,
            _ => LeaseChange::Keep,
        };
        let batch = claimed
            .iter()
            .zip(&texts)
            .map(|(one, text)| next(&one.header, text, lease));
        let answers = store.append(batch.collect()).await;
        for ((one, text), answer) in claimed.iter().zip(texts).zip(answers) {
            match answer.unwrap() {
                AppendOutcome::Applied(revision) => {
                    told.applied
                        .push((one.header.gid.clone(), revision.0, text));
                }
                AppendOutcome::Fenced => {}
                other @ (AppendOutcome::Stale | AppendOutcome::Exists(_)) => {
                    panic!("nobody else writes under this token: {other:?}")
                }
            }
        }
    }
    told
}

/// No two servers ever get the same lease, and each text stands where its server was told, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_that_pass_all_the_time_go_to_one_server_each() {
    let Some(place) = Place::new(Apart::Schema).await else {
        return;
    };
    let store = place.open().await;
    let names: Vec<String> = (0..12).map(|n| format!("g{n:02}")).collect();
    for name in &names {
        applied(&store, creation(name, 1_000)).await;
    }
    let mut servers = Vec::new();
    for server in 1..7 {
        let store = place.open().await;
        servers.push(tokio::spawn(drive(store, server, 60)));
    }
    let told: Vec<Told> = join_all(servers)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let leases: Vec<_> = told.iter().flat_map(|told| &told.leases).collect();
    let different: BTreeSet<_> = leases.iter().collect();
    assert_eq!(different.len(), leases.len(), "a lease was given twice");
    assert!(leases.len() > 200, "too little happened: {}", leases.len());
    let mut texts: BTreeMap<(Gid, u64), String> = BTreeMap::new();
    for (name, revision, text) in told.into_iter().flat_map(|told| told.applied) {
        let before = texts.insert((name, revision), text);
        assert_eq!(before, None, "two appends at one revision");
    }
    for name in &names {
        let stored = store.load(&gid(name)).await.unwrap().unwrap();
        let all = (2..=stored.header.revision.0).map(|at| texts[&(gid(name), at)].as_str());
        let whole = format!("[{name}]{}", all.collect::<String>());
        assert_eq!(history(&store, name).await, whole.as_bytes());
    }
}

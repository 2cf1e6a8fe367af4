//! Many at once: writers, claimers and readers on the same few transactions.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::{join, join_all};
use seata_store::{
    AppendOutcome, ClaimLimit, Gid, Header, LeaseChange, Owner, StoreErrorKind, TxnStore,
    UnixMillis,
};

use crate::fixture::{Fixture, append, applied, creation, ending, following, gid, history, loaded};

/// What was acknowledged of one transaction: which text at which revision.
type Acknowledged = Vec<(Gid, u64, String)>;

/// Drives what it can claim: appends under its token, then lets go.
async fn drive(store: &dyn TxnStore, worker: u128, rounds: usize) -> Acknowledged {
    let limit = ClaimLimit {
        count: 3,
        bytes: 1 << 20,
    };
    let mut acknowledged = Vec::new();
    for round in 0..rounds {
        let claimed = store
            .claim_due(Owner(worker), Duration::from_secs(600), limit)
            .await
            .unwrap();
        for stored in claimed {
            assert_eq!(stored.header.owner, Some(Owner(worker)));
            let name = stored.header.gid.clone();
            let mut header = stored.header;
            // Somebody may write in between, but nobody under another token.
            for turn in 0.. {
                let text = format!("<{worker}.{round}.{turn}>");
                let mut next = following(&header, &text);
                next.lease = LeaseChange::Release;
                match append(store, next).await.unwrap() {
                    AppendOutcome::Applied(revision) => {
                        acknowledged.push((name.clone(), revision.0, text));
                        break;
                    }
                    AppendOutcome::Stale => header = loaded(store, &name).await.header,
                    AppendOutcome::Exists(_) | AppendOutcome::Fenced => {
                        panic!("{name} is driven by {worker} alone")
                    }
                }
            }
        }
        tokio::task::yield_now().await;
    }
    acknowledged
}

/// Appends orders to whatever it sees, as a server without the lease does.
async fn order(store: &dyn TxnStore, clerk: usize, names: &[Gid], rounds: usize) -> Acknowledged {
    let mut acknowledged = Vec::new();
    for round in 0..rounds {
        let name = &names[(clerk + round) % names.len()];
        let seen = loaded(store, name).await;
        check_whole(&seen.header, &history(&seen));
        let text = format!("<order {clerk}.{round}>");
        match append(store, following(&seen.header, &text)).await.unwrap() {
            AppendOutcome::Applied(revision) => {
                acknowledged.push((name.clone(), revision.0, text));
            }
            AppendOutcome::Stale | AppendOutcome::Fenced => {}
            AppendOutcome::Exists(_) => panic!("it expected a record"),
        }
    }
    acknowledged
}

/// A reader sees as many texts as the revision says: no append in part, no header without its history.
fn check_whole(header: &Header, history: &str) {
    let texts = history.matches(['[', '<']).count();
    assert_eq!(texts as u64, header.revision.0, "{history}");
}

/// Workers claim and append while others order and read: every acknowledged text stands at its revision, once, and no
/// revision was acknowledged to two.
pub async fn histories_neither_fork_nor_lose_under_many_writers(fixture: impl Fixture) {
    let store = fixture.store();
    let names: Vec<Gid> = (0..6).map(|n| gid(&format!("g{n}"))).collect();
    for name in &names {
        applied(store.as_ref(), creation(name.as_str(), 1_000)).await;
    }
    let drivers = join_all((1..5).map(|worker| {
        let store = fixture.store();
        tokio::spawn(async move { drive(store.as_ref(), worker, 60).await })
    }));
    let clerks = join_all((0..4).map(|clerk| {
        let (store, names) = (fixture.store(), names.clone());
        tokio::spawn(async move { order(store.as_ref(), clerk, &names, 120).await })
    }));
    let (driven, ordered) = join(drivers, clerks).await;
    let mut at: BTreeMap<(Gid, u64), String> = BTreeMap::new();
    for (name, revision, text) in driven.into_iter().chain(ordered).flat_map(Result::unwrap) {
        let before = at.insert((name.clone(), revision), text);
        assert_eq!(before, None, "{name} has two appends at {revision}");
    }
    for name in &names {
        let stored = loaded(store.as_ref(), name).await;
        let texts: String = (2..=stored.header.revision.0)
            .map(|revision| at[&(name.clone(), revision)].as_str())
            .collect();
        assert_eq!(history(&stored), format!("[{name}]{texts}"));
    }
    assert!(at.len() > 100, "too little was written: {}", at.len());
}

/// Transactions end in large batches while others load them: each is seen whole, and never as if it were not there.
pub async fn reads_find_what_moves_to_its_end(fixture: impl Fixture) {
    for generation in 0..6 {
        let names = (0..200).map(|n| gid(&format!("g{generation}-{n}")));
        read_while_moving(&fixture, names.collect()).await;
    }
}

async fn read_while_moving(fixture: &impl Fixture, names: Vec<Gid>) {
    let store = fixture.store();
    let batch = names
        .iter()
        .map(|name| creation(name.as_str(), 1_000))
        .collect();
    for answer in store.append(batch).await {
        assert!(matches!(answer.unwrap(), AppendOutcome::Applied(_)));
    }
    let readers = join_all((0..3).map(|reader| {
        let (store, names) = (fixture.store(), names.clone());
        tokio::spawn(async move {
            let mut ended = 0;
            for round in 0.. {
                let name = &names[(reader * 67 + round) % names.len()];
                let stored = loaded(store.as_ref(), name).await;
                let whole = match stored.header.status.is_final() {
                    true => format!("[{name}]moreend"),
                    false if stored.header.revision.0 == 2 => format!("[{name}]more"),
                    false => format!("[{name}]"),
                };
                assert_eq!(history(&stored), whole);
                ended = if stored.header.status.is_final() {
                    ended + 1
                } else {
                    0
                };
                if ended > names.len() {
                    return;
                }
            }
        })
    }));
    let writer = async {
        for last in [false, true] {
            let mut batch = Vec::new();
            for name in &names {
                let header = loaded(store.as_ref(), name).await.header;
                batch.push(match last {
                    false => following(&header, "more"),
                    true => ending(&header),
                });
            }
            for answer in store.append(batch).await {
                assert!(matches!(answer.unwrap(), AppendOutcome::Applied(_)));
            }
        }
    };
    let (read, ()) = join(readers, writer).await;
    read.into_iter().for_each(|reader| reader.unwrap());
}

/// A transaction that has ended never moves: every append to it is refused and changes nothing.
pub async fn what_has_ended_never_moves(fixture: impl Fixture) {
    let store = fixture.store();
    let open = applied(store.as_ref(), creation("g", 1_000)).await;
    let ended = applied(store.as_ref(), ending(&open.header)).await;
    let mut again = following(&ended.header, "more");
    again.status = open.header.status;
    again.wake_at = Some(UnixMillis(1));
    let error = append(store.as_ref(), again).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Invalid);
    assert_eq!(loaded(store.as_ref(), &gid("g")).await, ended);
}

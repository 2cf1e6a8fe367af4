//! Claims that come between the steps of an append.

use super::*;
use crate::claim::Lease;
use crate::index::Known;

#[tokio::test]
async fn what_was_claimed_since_it_was_looked_up_is_no_longer_what_was_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder);
    applied(&store, creation("g", UnixMillis(1))).await;
    let mut index = store.inner.index();
    let Known::Active(seen) = index.get(&gid("g")) else {
        panic!("it is only in the log");
    };
    assert!(index.is_still(&seen));
    let lease = Lease {
        owner: Owner(1),
        lasts: LEASE,
        now: UnixMillis(2),
    };
    index.lease(&gid("g"), lease).unwrap();
    assert!(!index.is_still(&seen));
}

/// Claims with leases that end at once, while appends are judged and written. An append that was judged before a claim
/// and written behind it would take the token back, which the next claim then gives out once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_token_is_given_out_twice_while_appends_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let (store, told) = open(&folder);
    let names: Vec<String> = (0..32).map(|n| format!("g{n}")).collect();
    for name in &names {
        applied(&store, creation(name, UnixMillis(1))).await;
    }
    let done = Arc::new(AtomicUsize::new(0));
    let claiming = {
        let (store, done) = (store.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let mut given = std::collections::HashMap::new();
            while done.load(Ordering::Relaxed) == 0 {
                for one in store
                    .claim_due(Owner(1), Duration::ZERO, ALL)
                    .await
                    .unwrap()
                {
                    let (gid, token) = (one.header.gid, one.header.token);
                    let last = given.insert(gid.clone(), token);
                    assert!(
                        last.is_none_or(|last| last < token),
                        "{gid}: {token:?} after {last:?}"
                    );
                }
            }
        })
    };
    let mut written = 0;
    for _ in 0..200 {
        let mut batch = Vec::new();
        for name in &names {
            let header = store.load(&gid(name)).await.unwrap().unwrap().header;
            let mut next = creation(name, UnixMillis(1));
            next.expected = Expected::At {
                revision: header.revision,
                token: header.token,
            };
            batch.push(next);
        }
        for answer in store.append(batch).await {
            match answer.unwrap() {
                AppendOutcome::Applied(_) => written += 1,
                AppendOutcome::Fenced => {}
                other @ (AppendOutcome::Exists(_) | AppendOutcome::Stale) => panic!("{other:?}"),
            }
        }
    }
    done.store(1, Ordering::Relaxed);
    claiming.await.unwrap();
    assert!(written > 0);
    assert_eq!(told.load(Ordering::Relaxed), 0);
}

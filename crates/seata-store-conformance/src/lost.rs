//! Replies that nobody waits for any more, while much else is going on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use seata_store::{AppendOutcome, Header, TxnStore};

use crate::fixture::{
    Fixture, append, applied, creation, following, gid, history, is_retriable, loaded,
};

/// A transaction and its history as it must be.
struct Known {
    header: Header,
    text: String,
}

/// Appends to transactions of its own until it is told to stop.
async fn press(store: Arc<dyn TxnStore>, presser: usize, stop: Arc<AtomicBool>) {
    let mut headers = Vec::new();
    for n in 0..8 {
        let one = creation(&format!("load{presser}-{n}"), 1_000);
        headers.push(applied(store.as_ref(), one).await.header);
    }
    while !stop.load(Ordering::Relaxed) {
        let batch = headers.iter().map(|header| following(header, "<more>"));
        let batch = batch.collect();
        for (header, answer) in headers.iter_mut().zip(store.append(batch).await) {
            match answer.unwrap() {
                AppendOutcome::Applied(revision) => header.revision = revision,
                AppendOutcome::Exists(_) | AppendOutcome::Stale | AppendOutcome::Fenced => {
                    panic!("nobody else writes to {}", header.gid)
                }
            }
        }
        // A store that never waits would leave nobody else a turn.
        tokio::task::yield_now().await;
    }
}

/// Appends a batch and drops it somewhere on its way; then settles each of its appends.
async fn abandon(store: Arc<dyn TxnStore>, worker: u64, rounds: usize) {
    let mut dice = fastrand::Rng::with_seed(worker);
    let mut known = Vec::new();
    for n in 0..4 {
        let stored = applied(store.as_ref(), creation(&format!("w{worker}-{n}"), 1_000)).await;
        known.push(Known {
            text: history(&stored),
            header: stored.header,
        });
    }
    for round in 0..rounds {
        let lost = format!("<lost {round}>");
        let batch: Vec<_> = known
            .iter()
            .map(|known| following(&known.header, &lost))
            .collect();
        let patience = Duration::from_micros(dice.u64(..3_000));
        // Dropped where it stands, as the engine drops what takes too long.
        let _ = tokio::time::timeout(patience, store.append(batch)).await;
        for known in &mut known {
            settle(store.as_ref(), known, &lost, &format!("<next {round}>")).await;
        }
    }
    for known in known {
        let stored = loaded(store.as_ref(), &known.header.gid).await;
        assert_eq!(history(&stored), known.text, "it was settled for good");
    }
}

/// Decides for good whether the lost append was applied, by the next conditional one.
async fn settle(store: &dyn TxnStore, known: &mut Known, lost: &str, next: &str) {
    let settling = following(&known.header, next);
    let mut answer = append(store, settling.clone()).await;
    let mut unsure = false;
    for _ in 0..200 {
        match &answer {
            Ok(_) => break,
            Err(error) => assert!(is_retriable(error), "{error}"),
        }
        unsure = true;
        tokio::time::sleep(Duration::from_millis(5)).await;
        answer = append(store, settling.clone()).await;
    }
    let stored = loaded(store, &known.header.gid).await;
    let of_lost = format!("{}{lost}", known.text);
    let of_next = format!("{}{next}", known.text);
    let text = history(&stored);
    match answer.unwrap() {
        AppendOutcome::Applied(_) => assert_eq!(text, of_next),
        AppendOutcome::Stale if unsure => assert!(text == of_lost || text == of_next, "{text}"),
        AppendOutcome::Stale => assert_eq!(text, of_lost),
        AppendOutcome::Exists(_) | AppendOutcome::Fenced => panic!("nobody took it"),
    }
    assert_eq!(stored.header.revision, known.header.revision.next());
    *known = Known {
        text,
        header: stored.header,
    };
}

/// Batches are dropped in the middle of their way while others write: each append of them was applied whole or not at
/// all, the next conditional one tells which, and nothing of it comes later.
pub async fn appends_abandoned_under_load_are_settled_by_the_next_ones(fixture: impl Fixture) {
    let stop = Arc::new(AtomicBool::new(false));
    let pressers = join_all((0..2).map(|presser| {
        let (store, stop) = (fixture.store(), Arc::clone(&stop));
        tokio::spawn(press(store, presser, stop))
    }));
    let pressers = tokio::spawn(pressers);
    let workers = (0..4).map(|worker| tokio::spawn(abandon(fixture.store(), worker, 15)));
    let worked = join_all(workers).await;
    stop.store(true, Ordering::Relaxed);
    let pressed = pressers.await.unwrap();
    worked
        .into_iter()
        .chain(pressed)
        .for_each(|task| task.unwrap());
    let seen = loaded(fixture.store().as_ref(), &gid("load0-0")).await;
    let texts = history(&seen).matches("<more>").count();
    assert_eq!(texts as u64 + 1, seen.header.revision.0);
}

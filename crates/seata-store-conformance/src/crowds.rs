//! Batches of several servers that meet at the same transactions, in other orders each.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::future::join_all;
use seata_store::{AppendOutcome, Chunk, Gid, Stored, TxnStore};

use crate::fixture::{
    Fixture, append, applied_all, creation, following, gid, history, is_retriable, loaded,
};

/// What a writer knows of its texts.
#[derive(Default)]
struct Told {
    /// Acknowledged, at these revisions.
    applied: Vec<(Gid, u64, String)>,
    /// Surely not written.
    refused: BTreeSet<String>,
}

/// Appends one text to all of the names in one batch, again and again, each time in another order.
async fn write_crosswise(store: &dyn TxnStore, writer: u64, names: &[Gid], rounds: usize) -> Told {
    let mut dice = fastrand::Rng::with_seed(writer);
    let mut told = Told::default();
    for round in 0..rounds {
        let mut batch = Vec::new();
        for name in names {
            let header = loaded(store, name).await.header;
            batch.push(following(&header, &format!("<{writer}.{round}.{name}>")));
        }
        dice.shuffle(&mut batch);
        let sent = batch.clone();
        // Time for the others to make it stale, also where the store itself never waits.
        tokio::task::yield_now().await;
        for (sent, answer) in sent.into_iter().zip(store.append(batch).await) {
            let text = String::from_utf8(sent.chunk.bytes().to_vec()).unwrap();
            match answer {
                Ok(AppendOutcome::Applied(revision)) => {
                    told.applied.push((sent.gid, revision.0, text));
                }
                Ok(AppendOutcome::Stale) => {
                    told.refused.insert(text);
                }
                Ok(AppendOutcome::Exists(_) | AppendOutcome::Fenced) => {
                    panic!("nobody took {}", sent.gid)
                }
                Err(error) => assert!(is_retriable(&error), "{error}"),
            }
        }
    }
    told
}

/// Batches that hold the same transactions in different orders end, each append of them by itself, and no history is
/// torn: no deadlock is anybody's end, and what was acknowledged stands.
pub async fn batches_in_different_orders_do_not_lock_each_other_out(fixture: impl Fixture) {
    let names: Vec<Gid> = (0..12).map(|n| gid(&format!("g{n:02}"))).collect();
    let creations = names.iter().map(|name| creation(name.as_str(), 1_000));
    applied_all(fixture.store().as_ref(), creations.collect()).await;
    let mut writers = Vec::new();
    for writer in 0..8 {
        let store = match writer % 2 {
            0 => fixture.store(),
            _ => fixture.another().await,
        };
        let names = names.clone();
        writers.push(tokio::spawn(async move {
            write_crosswise(store.as_ref(), writer, &names, 25).await
        }));
    }
    let told: Vec<Told> = join_all(writers)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let mut texts: BTreeMap<Gid, Vec<String>> = BTreeMap::new();
    for name in &names {
        let stored = loaded(fixture.store().as_ref(), name).await;
        texts.insert(name.clone(), texts_of(&stored));
    }
    for (name, revision, text) in told.iter().flat_map(|told| &told.applied) {
        let at = usize::try_from(*revision).unwrap() - 1;
        assert_eq!(texts[name].get(at), Some(text), "{name} at {revision}");
    }
    let refused = |text| told.iter().any(|told| told.refused.contains(text));
    for (name, texts) in &texts {
        assert!(!texts.iter().any(refused), "{name} holds what was refused");
        assert!(texts.len() > 10, "too little was written to {name}");
    }
}

/// Takes a history apart: as many different texts as the revision says.
fn texts_of(stored: &Stored) -> Vec<String> {
    let whole = history(stored);
    let (first, rest) = whole.split_once(']').unwrap();
    let mut texts = vec![format!("{first}]")];
    texts.extend(rest.split_inclusive('>').map(str::to_owned));
    assert_eq!(texts.len() as u64, stored.header.revision.0, "{whole}");
    let different: BTreeSet<_> = texts.iter().collect();
    assert_eq!(different.len(), texts.len(), "{whole}");
    texts
}

/// Several servers create overlapping batches of transactions at once: each is created once, whoever came second is shown
/// the winner's, and that is what stands.
pub async fn overlapping_batches_of_creations_create_each_once(fixture: impl Fixture) {
    for round in 0..8 {
        let mut servers = Vec::new();
        for server in 0..6_usize {
            let store = match server % 2 {
                0 => fixture.store(),
                _ => fixture.another().await,
            };
            servers.push(tokio::spawn(async move {
                create_some(store.as_ref(), round, server).await
            }));
        }
        let answers = join_all(servers).await;
        let mut created: BTreeMap<Gid, String> = BTreeMap::new();
        let mut shown: BTreeMap<Gid, BTreeSet<String>> = BTreeMap::new();
        for (name, text, seen) in answers.into_iter().flat_map(Result::unwrap) {
            match seen {
                Some(seen) => {
                    shown.entry(name).or_default().insert(seen);
                }
                None => {
                    let other = created.insert(name.clone(), text);
                    assert_eq!(other, None, "{name} was created twice");
                }
            }
        }
        for n in 0..ROOM {
            let name = gid(&format!("r{round}-{n}"));
            let stands = history(&loaded(fixture.store().as_ref(), &name).await);
            let winner = created.get(&name).unwrap_or(&stands);
            assert_eq!(winner, &stands);
            let shown = shown.remove(&name).unwrap_or_default();
            assert!(shown.iter().all(|seen| *seen == stands), "{shown:?}");
        }
    }
}

/// How many gids the servers of one round draw from.
const ROOM: usize = 24;

/// Creates two thirds of them, shuffled. Answers each name with what was written, or with what was there already.
async fn create_some(
    store: &dyn TxnStore,
    round: usize,
    server: usize,
) -> Vec<(Gid, String, Option<String>)> {
    let first = server * ROOM / 6;
    let names = (first..first + ROOM * 2 / 3).map(|n| format!("r{round}-{}", n % ROOM));
    let batch = names.map(|name| {
        let mut one = creation(&name, 1_000);
        one.chunk = Chunk::Add(Bytes::from(format!("{name} of {server}")));
        one
    });
    let mut batch: Vec<_> = batch.collect();
    fastrand::Rng::with_seed(server as u64).shuffle(&mut batch);
    let mut answers = Vec::new();
    let sent = batch.clone();
    for (one, answer) in sent.into_iter().zip(store.append(batch).await) {
        let text = String::from_utf8(one.chunk.bytes().to_vec()).unwrap();
        // Servers may run into each other: after an error the same creation tells.
        let mut answer = answer;
        let mut unsure = false;
        for _ in 0..100 {
            match &answer {
                Err(error) => assert!(is_retriable(error), "{error}"),
                Ok(_) => break,
            }
            unsure = true;
            answer = append(store, one.clone()).await;
        }
        let name = one.gid;
        match answer.unwrap() {
            AppendOutcome::Applied(_) => answers.push((name, text, None)),
            AppendOutcome::Exists(seen) if unsure && history(&seen) == text => {
                answers.push((name, text, None));
            }
            AppendOutcome::Exists(seen) => {
                answers.push((name, text, Some(history(&seen))));
            }
            AppendOutcome::Stale | AppendOutcome::Fenced => {
                panic!("a creation is applied or exists")
            }
        }
    }
    answers
}

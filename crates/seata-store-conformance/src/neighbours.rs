//! A batch is no bond: each of its appends stands or falls by itself.

use bytes::Bytes;
use seata_store::{AppendOutcome, Chunk, Expected, StoreErrorKind, TxnStore};

use crate::fixture::{
    Fixture, applied, creation, ending, following, gid, history, holding, loaded, revision, token,
};

/// What is known of an answer without what it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answered {
    Applied(u64),
    Exists,
    Stale,
    Fenced,
    Invalid,
}

/// Among good appends, each kind of bad one, first, in the middle and last: too large, ended, stale, fenced, there already.
/// The good ones are applied, whatever is beside them, and what is refused changes nothing.
pub async fn a_bad_append_never_fails_its_neighbours(fixture: impl Fixture) {
    let store = fixture.store();
    for round in 0..6 {
        let named = |name: &str| format!("{name}{round}");
        let mut good = Vec::new();
        for n in 0..4 {
            good.push(
                applied(
                    store.as_ref(),
                    creation(&named(&format!("good{n}-")), 1_000),
                )
                .await,
            );
        }
        let bad = bad_ones(store.as_ref(), &named).await;
        let mut batch: Vec<_> = bad.iter().map(|(append, _)| append.clone()).collect();
        let mut expected: Vec<_> = bad.iter().map(|(_, answer)| *answer).collect();
        // Each bad one is at each edge of the batch once.
        batch.rotate_left(round);
        expected.rotate_left(round);
        for (n, stored) in good.iter().enumerate() {
            let at = n * 2 + 1;
            batch.insert(at, following(&stored.header, "more"));
            expected.insert(at, Answered::Applied(2));
        }
        batch.insert(4, creation(&named("new"), 1_000));
        expected.insert(4, Answered::Applied(1));
        let answers = store.append(batch).await;
        let answers: Vec<_> = answers.iter().map(answered).collect();
        assert_eq!(answers, expected, "round {round}");
        for stored in good {
            let after = loaded(store.as_ref(), &stored.header.gid).await;
            assert_eq!(history(&after), format!("{}more", history(&stored)));
        }
        loaded(store.as_ref(), &gid(&named("new"))).await;
        assert_eq!(store.load(&gid(&named("huge"))).await.unwrap(), None);
        let names = ["large", "ended", "fenced", "stale"].map(named);
        for name in names {
            let text = history(&loaded(store.as_ref(), &gid(&name)).await);
            assert!(!text.contains("bad"), "{name}: {text}");
        }
    }
}

/// Answers six appends that must be refused, and how.
async fn bad_ones(
    store: &dyn TxnStore,
    named: &impl Fn(&str) -> String,
) -> Vec<(seata_store::Append, Answered)> {
    let beyond = Bytes::from(vec![b'x'; store.limits().record_bytes_max + 1]);
    let large = applied(store, creation(&named("large"), 1_000)).await;
    let mut too_large = following(&large.header, "");
    too_large.chunk = Chunk::Replace(beyond.clone());
    let mut huge = creation(&named("huge"), 1_000);
    huge.chunk = Chunk::Add(beyond);
    let open = applied(store, creation(&named("ended"), 1_000)).await;
    let ended = applied(store, ending(&open.header)).await;
    let mut taken = creation(&named("fenced"), 1_000);
    taken.lease = holding(1);
    let taken = applied(store, taken).await;
    let mut fenced = following(&taken.header, "bad");
    fenced.lease = holding(2);
    let current = applied(store, creation(&named("stale"), 1_000)).await;
    let mut stale = following(&current.header, "bad");
    stale.expected = Expected::At {
        revision: revision(7),
        token: token(0),
    };
    let there = applied(store, creation(&named("there"), 1_000)).await;
    vec![
        (too_large, Answered::Invalid),
        (following(&ended.header, "bad"), Answered::Invalid),
        (fenced, Answered::Fenced),
        (huge, Answered::Invalid),
        (stale, Answered::Stale),
        (creation(there.header.gid.as_str(), 2_000), Answered::Exists),
    ]
}

fn answered(answer: &Result<AppendOutcome, seata_store::StoreError>) -> Answered {
    match answer {
        Ok(AppendOutcome::Applied(revision)) => Answered::Applied(revision.0),
        Ok(AppendOutcome::Exists(_)) => Answered::Exists,
        Ok(AppendOutcome::Stale) => Answered::Stale,
        Ok(AppendOutcome::Fenced) => Answered::Fenced,
        Err(error) => {
            assert_eq!(error.kind, StoreErrorKind::Invalid, "{error}");
            Answered::Invalid
        }
    }
}

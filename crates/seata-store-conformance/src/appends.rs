//! Conditional appends: what is applied, what is refused, and what a refusal leaves behind.

use bytes::Bytes;
use futures_util::future::join_all;
use seata_store::{
    AppendOutcome, Chunk, Expected, LeaseChange, Status, StoreErrorKind, UnixMillis,
};

use crate::fixture::{
    Fixture, append, applied, creation, following, gid, history, loaded, revision, taking, token,
};

/// Many create the same gid at once: one is applied, the others see the winner's record.
pub async fn of_many_creations_one_wins(fixture: impl Fixture) {
    let store = fixture.store();
    let racers = (0..16).map(|n| {
        let store = fixture.store();
        let mut one = creation("race", 1_000);
        one.chunk = Chunk::Add(Bytes::from(format!("racer {n}")));
        async move { append(store.as_ref(), one).await.unwrap() }
    });
    let outcomes = join_all(racers).await;
    let won = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, AppendOutcome::Applied(_)))
        .count();
    assert_eq!(won, 1, "{outcomes:?}");
    let winner = loaded(store.as_ref(), &gid("race")).await;
    for outcome in outcomes {
        match outcome {
            AppendOutcome::Applied(first) => assert_eq!(first, revision(1)),
            AppendOutcome::Exists(seen) => assert_eq!(history(&seen), history(&winner)),
            AppendOutcome::Stale | AppendOutcome::Fenced => {
                panic!("a creation is applied or exists")
            }
        }
    }
}

/// An append to an older revision is stale and changes nothing.
pub async fn a_stale_revision_writes_nothing(fixture: impl Fixture) {
    let store = fixture.store();
    let first = applied(store.as_ref(), creation("g", 1_000)).await;
    let second = applied(store.as_ref(), following(&first.header, "2")).await;
    assert_eq!(
        append(store.as_ref(), following(&first.header, "late"))
            .await
            .unwrap(),
        AppendOutcome::Stale
    );
    let mut ahead = following(&second.header, "early");
    ahead.expected = Expected::At {
        revision: revision(9),
        token: second.header.token,
    };
    assert_eq!(
        append(store.as_ref(), ahead).await.unwrap(),
        AppendOutcome::Stale
    );
    assert_eq!(loaded(store.as_ref(), &gid("g")).await, second);
}

/// An append under another token is fenced, whether its revision is right or wrong.
pub async fn another_token_is_fenced_whatever_the_revision(fixture: impl Fixture) {
    let store = fixture.store();
    let first = applied(store.as_ref(), creation("g", 1_000)).await;
    let mut take = following(&first.header, "taken");
    take.lease = taking(1);
    let taken = applied(store.as_ref(), take).await;
    assert_eq!(taken.header.token, token(1));
    for (number, held) in [(2, 0), (1, 0), (7, 0), (2, 2)] {
        let mut old = following(&taken.header, "old");
        old.expected = Expected::At {
            revision: revision(number),
            token: token(held),
        };
        assert_eq!(
            append(store.as_ref(), old).await.unwrap(),
            AppendOutcome::Fenced,
            "{number} {held}"
        );
    }
    assert_eq!(loaded(store.as_ref(), &gid("g")).await, taken);
}

/// An append to a gid that isn't there is stale.
pub async fn an_append_to_nothing_is_stale(fixture: impl Fixture) {
    let store = fixture.store();
    let mut one = creation("nobody", 1_000);
    one.expected = Expected::At {
        revision: revision(1),
        token: token(0),
    };
    assert_eq!(
        append(store.as_ref(), one).await.unwrap(),
        AppendOutcome::Stale
    );
    assert_eq!(store.load(&gid("nobody")).await.unwrap(), None);
}

/// Chunks come back in the order of their appends; an empty one adds nothing; `Replace` takes the place of all.
pub async fn chunks_keep_their_order_and_replace_swaps_them(fixture: impl Fixture) {
    let store = fixture.store();
    let mut stored = applied(store.as_ref(), creation("g", 1_000)).await;
    for text in ["a", "", "b", "c"] {
        stored = applied(store.as_ref(), following(&stored.header, text)).await;
    }
    assert_eq!(history(&stored), "[g]abc");
    assert_eq!(stored.header.revision, revision(5));
    let mut replace = following(&stored.header, "");
    replace.chunk = Chunk::Replace(Bytes::from_static(b"<all>"));
    stored = applied(store.as_ref(), replace).await;
    stored = applied(store.as_ref(), following(&stored.header, "d")).await;
    assert_eq!(history(&stored), "<all>d");
    assert_eq!(stored.header.revision, revision(7));
    let mut end = crate::fixture::ending(&stored.header);
    end.at = UnixMillis(5_000);
    stored = applied(store.as_ref(), end).await;
    assert_eq!(history(&stored), "<all>dend");
    assert_eq!(stored.header.status, Status::Committed);
}

/// In one batch some are applied and others refused; each is answered in its place.
pub async fn a_batch_answers_each_by_itself(fixture: impl Fixture) {
    let store = fixture.store();
    let old = applied(store.as_ref(), creation("old", 1_000)).await;
    let held = applied(store.as_ref(), creation("held", 1_000)).await;
    let mut fenced = following(&held.header, "x");
    fenced.expected = Expected::At {
        revision: revision(1),
        token: token(5),
    };
    let mut stale = creation("gone", 1_000);
    stale.expected = Expected::At {
        revision: revision(1),
        token: token(0),
    };
    let batch = vec![
        creation("new-1", 2_000),
        creation("old", 2_000),
        following(&old.header, "more").clone(),
        fenced,
        stale,
        creation("new-2", 2_000),
    ];
    // One append per gid is in a batch: the second one to `old` belongs to the next.
    let (batch, next): (Vec<_>, Vec<_>) =
        batch.into_iter().enumerate().partition(|(at, _)| *at != 2);
    let answers = store
        .append(batch.into_iter().map(|(_, one)| one).collect())
        .await;
    let kinds: Vec<&str> = answers
        .iter()
        .map(|answer| match answer.as_ref().unwrap() {
            AppendOutcome::Applied(_) => "applied",
            AppendOutcome::Exists(_) => "exists",
            AppendOutcome::Stale => "stale",
            AppendOutcome::Fenced => "fenced",
        })
        .collect();
    assert_eq!(kinds, ["applied", "exists", "fenced", "stale", "applied"]);
    let answers = store
        .append(next.into_iter().map(|(_, one)| one).collect())
        .await;
    assert_eq!(
        answers[0].as_ref().unwrap(),
        &AppendOutcome::Applied(revision(2))
    );
    assert!(store.append(Vec::new()).await.is_empty());
}

/// Gids of every allowed shape, prefixes of each other among them, never mix.
pub async fn gids_that_are_prefixes_of_each_other_stay_apart(fixture: impl Fixture) {
    let store = fixture.store();
    let long = "z".repeat(128);
    let names = [
        "a",
        "ab",
        "a.b",
        "a-",
        "a:",
        "a_",
        "A",
        "a.",
        "abc",
        "-",
        ".",
        ":",
        "_",
        "0",
        long.as_str(),
    ];
    for name in names {
        applied(store.as_ref(), creation(name, 1_000)).await;
    }
    for name in names {
        let stored = loaded(store.as_ref(), &gid(name)).await;
        assert_eq!(history(&stored), format!("[{name}]"));
        let ended = applied(store.as_ref(), crate::fixture::ending(&stored.header)).await;
        assert_eq!(history(&ended), format!("[{name}]end"));
    }
    assert_eq!(store.load(&gid(&long[..127])).await.unwrap(), None);
}

/// A history up to the limit is kept whole; beyond it the append is refused and nothing changes.
pub async fn too_large_a_history_is_refused_and_nothing_is_written(fixture: impl Fixture) {
    let store = fixture.store();
    let limit = store.limits().record_bytes_max;
    let half = Bytes::from(vec![7; limit / 2]);
    let mut first = creation("large", 1_000);
    first.chunk = Chunk::Add(half.clone());
    let first = applied(store.as_ref(), first).await;
    let mut beyond = following(&first.header, "");
    beyond.chunk = Chunk::Add(Bytes::from(vec![8; limit - half.len() + 1]));
    assert_eq!(
        append(store.as_ref(), beyond).await.unwrap_err().kind,
        StoreErrorKind::Invalid
    );
    let unchanged = loaded(store.as_ref(), &gid("large")).await;
    assert_eq!(unchanged.header, first.header);
    let mut full = following(&first.header, "");
    full.chunk = Chunk::Add(Bytes::from(vec![9; limit - half.len()]));
    let full = applied(store.as_ref(), full).await;
    assert_eq!(full.chunks.concat().len(), limit);
}

/// One append that is too large, as a creation or as a swap, fails alone: its neighbours in the batch are applied.
pub async fn a_too_large_append_fails_alone(fixture: impl Fixture) {
    let store = fixture.store();
    let beyond = Bytes::from(vec![1; store.limits().record_bytes_max + 1]);
    let old = applied(store.as_ref(), creation("old", 1_000)).await;
    let mut large = creation("large", 1_000);
    large.chunk = Chunk::Add(beyond.clone());
    let mut swapped = following(&old.header, "");
    swapped.chunk = Chunk::Replace(beyond);
    let batch = vec![
        creation("first", 1_000),
        large,
        swapped,
        creation("last", 1_000),
    ];
    let kinds: Vec<_> = store
        .append(batch)
        .await
        .into_iter()
        .map(|answer| answer.map_err(|error| error.kind))
        .collect();
    let applied_first = Ok(AppendOutcome::Applied(revision(1)));
    let invalid = Err(StoreErrorKind::Invalid);
    assert_eq!(
        kinds,
        [
            applied_first.clone(),
            invalid.clone(),
            invalid,
            applied_first
        ]
    );
    assert_eq!(store.load(&gid("large")).await.unwrap(), None);
    assert_eq!(loaded(store.as_ref(), &gid("old")).await, old);
}

/// Times, states and owners come back as given; `updated_at` never goes back.
pub async fn times_and_modes_are_kept(fixture: impl Fixture) {
    let store = fixture.store();
    let mut one = creation("g", 5_000);
    one.lease = taking(u128::MAX - 1);
    one.wake_at = Some(UnixMillis(i64::from(i32::MAX) * 1_000));
    let first = applied(store.as_ref(), one).await;
    assert_eq!(first.header.created_at, UnixMillis(5_000));
    assert_eq!(first.header.owner, Some(seata_store::Owner(u128::MAX - 1)));
    assert_eq!(first.header.token, token(1));
    assert!(first.header.lease_until.is_some());
    let mut back = following(&first.header, "x");
    back.at = UnixMillis(4_000);
    back.lease = LeaseChange::Release;
    back.status = Status::Stuck;
    back.wake_at = None;
    let second = applied(store.as_ref(), back).await;
    assert_eq!(second.header.updated_at, UnixMillis(5_000));
    assert_eq!(
        (second.header.lease_until, second.header.wake_at),
        (None, None)
    );
    assert_eq!(second.header.token, token(1));
    assert_eq!(second.header.status, Status::Stuck);
}

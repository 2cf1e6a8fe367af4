//! What is kept comes back: every legal name, any bytes, batches of every size and mixture.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use seata_store::{
    AppendOutcome, Chunk, ClaimLimit, ListQuery, Owner, Revision, StoreErrorKind, TxnStore,
};
use support::{Apart, Place, applied, creation, following, gid, history, number, one, run};

const APPLIED: AppendOutcome = AppendOutcome::Applied(Revision(1));

#[tokio::test]
async fn names_are_told_apart_and_ordered_by_bytes_whatever_the_database_thinks() {
    let Some(place) = Place::new(Apart::American).await else {
        return;
    };
    let store = place.open().await;
    let legal: Vec<char> = ('\0'..='~')
        .filter(|c| c.is_ascii_alphanumeric() || "._:-".contains(*c))
        .collect();
    let mut names: Vec<String> = legal.iter().map(|c| format!("n{c}n")).collect();
    names.extend(["Zebra", "zebra", "ZEBRA", "a-b", "ab", "a.b", "a_b", "aB"].map(str::to_owned));
    names.push(legal.iter().collect());
    let batch = names.iter().map(|name| creation(name, 1_000)).collect();
    for answer in store.append(batch).await {
        assert_eq!(answer.unwrap(), APPLIED);
    }
    for name in &names {
        assert_eq!(history(&store, name).await, format!("[{name}]").as_bytes());
    }
    let page = store.list(&ListQuery::newest(1_000)).await.unwrap();
    let listed: Vec<String> = page
        .items
        .iter()
        .map(|header| header.gid.to_string())
        .collect();
    names.sort_unstable();
    assert_eq!(listed, names);
    // Pages of one cut between each two of them.
    let mut query = ListQuery::newest(1);
    for name in &names {
        let page = store.list(&query).await.unwrap();
        assert_eq!(page.items[0].gid, gid(name));
        query.behind = page.next;
    }
    assert_eq!(query.behind, None);
}

#[tokio::test]
async fn histories_of_any_bytes_come_back() {
    let Some(place) = Place::new(Apart::Schema).await else {
        return;
    };
    let store = place.open().await;
    let odd: Vec<u8> = (0..=u8::MAX)
        .chain([0, 0, b'\\', b'x', b'\'', 0xff, 0])
        .collect();
    let mut first = creation("odd", 1_000);
    first.chunk = Chunk::Add(Bytes::from(odd.clone()));
    applied(&store, first).await;
    let mut more = following("odd", 1, "");
    more.chunk = Chunk::Add(Bytes::from(odd.repeat(100)));
    applied(&store, more).await;
    assert_eq!(history(&store, "odd").await, odd.repeat(101));
    let mut nothing = creation("nothing", 1_000);
    nothing.chunk = Chunk::Add(Bytes::new());
    applied(&store, nothing).await;
    assert_eq!(history(&store, "nothing").await, b"");
}

#[tokio::test]
async fn a_batch_of_creations_and_moves_is_one_transaction() {
    let Some(place) = Place::new(Apart::Schema).await else {
        return;
    };
    let store = place.open().await;
    let creations = |from: usize| {
        (from..from + 128)
            .rev()
            .map(|n| creation(&format!("g{n}"), 1_000))
    };
    let first = store.append(creations(0).collect()).await;
    assert!(first.iter().all(|answer| answer.as_ref() == Ok(&APPLIED)));
    let moves = (0..128).map(|n| following(&format!("g{n}"), 1, "<more>"));
    let batch: Vec<_> = moves
        .zip(creations(128))
        .flat_map(|(a, b)| [a, b])
        .collect();
    assert_eq!(batch.len(), 256);
    for (place_in_batch, answer) in store.append(batch).await.into_iter().enumerate() {
        let revision = if place_in_batch % 2 == 0 { 2 } else { 1 };
        assert_eq!(answer.unwrap(), AppendOutcome::Applied(Revision(revision)));
    }
    let mut live = place.connect().await;
    let transactions = "SELECT count(DISTINCT xmin::text) FROM global_transaction";
    assert_eq!(number(&mut live, transactions).await, 1);
    assert_eq!(history(&store, "g5").await, b"[g5]<more>");
}

#[tokio::test]
async fn what_exceeds_a_batch_is_cut_and_answered_in_place() {
    let Some(place) = Place::new(Apart::Schema).await else {
        return;
    };
    let store = place.open().await;
    let limits = store.limits();
    let mut batch: Vec<_> = (0..limits.batch_count_max + 50)
        .map(|n| creation(&format!("g{n}"), 1_000))
        .collect();
    for large in batch.iter_mut().take(3) {
        large.chunk = Chunk::Add(Bytes::from(vec![1; limits.batch_bytes_max / 2 + 1]));
    }
    let expected = batch.len();
    let answers = store.append(batch).await;
    assert_eq!(answers.len(), expected);
    assert!(answers.iter().all(|answer| answer.as_ref() == Ok(&APPLIED)));
    // Of records that exist as many are answered as fit; the others are not there for the asking again.
    let again = (0..3).map(|n| creation(&format!("g{n}"), 1_000)).collect();
    let answers = store.append(again).await;
    assert!(matches!(
        answers[..2],
        [Ok(AppendOutcome::Exists(_)), Ok(AppendOutcome::Exists(_))]
    ));
    let error = answers[2].as_ref().unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}");
    // Nobody asks so; if somebody does, they are applied one after the other.
    let twice = vec![
        following("g9", 1, "a"),
        creation("new", 1_000),
        following("g9", 1, "b"),
        creation("new", 1_000),
    ];
    let answers = store.append(twice).await;
    let second = AppendOutcome::Applied(Revision(2));
    assert_eq!(answers[0], Ok(second));
    assert_eq!(answers[1], Ok(APPLIED));
    assert_eq!(answers[2], Ok(AppendOutcome::Stale));
    assert!(matches!(answers[3], Ok(AppendOutcome::Exists(_))));
    assert_eq!(one(&store, creation("g9", 1)).await.map(|_| ()), Ok(()));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_holds_up_no_other() {
    let Some(place) = Place::new(Apart::Schema).await else {
        return;
    };
    let store = place.open().await;
    for name in ["bad", "good"] {
        applied(&store, creation(name, 1_000)).await;
    }
    run(
        &mut place.connect().await,
        "UPDATE global_transaction SET status = 9 WHERE gid = 'bad'",
    )
    .await;
    let error = store.load(&gid("bad")).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Corrupt);
    assert!(error.to_string().contains("bad"), "{error}");
    let batch = vec![
        creation("bad", 2_000),
        creation("good", 2_000),
        creation("new", 2_000),
    ];
    let answers = store.append(batch).await;
    assert_eq!(
        answers[0].as_ref().map_err(|error| error.kind),
        Err(StoreErrorKind::Corrupt)
    );
    assert!(matches!(answers[1], Ok(AppendOutcome::Exists(_))));
    assert_eq!(answers[2], Ok(APPLIED));
    let all = ClaimLimit {
        count: 10,
        bytes: 1 << 20,
    };
    let claimed = store
        .claim_due(Owner(1), Duration::from_secs(600), all)
        .await
        .unwrap();
    let names: Vec<&str> = claimed.iter().map(|one| one.header.gid.as_str()).collect();
    assert_eq!(names, ["good", "new"]);
}

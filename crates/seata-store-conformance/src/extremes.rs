//! Values at the edges of what is allowed: owners, times, names, chunks.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use seata_store::{
    AppendOutcome, Chunk, Header, Held, LeaseChange, ListQuery, Owner, StoreErrorKind, UnixMillis,
};

use crate::fixture::{
    ALL, Fixture, append, applied, applied_all, creation, ending, following, gid, history, holding,
    loaded, now, revision,
};
use crate::lists::{all, names};

/// All characters that a gid may have, in the order of their bytes.
const LEGAL: &str = "-.0123456789:ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/// Far enough for anybody, and more than a double can tell from its neighbours.
const FAR_MS: i64 = i64::MAX / 2;

/// All 128 bits of an owner are kept and compared, zero and the highest among them.
pub async fn owners_are_kept_and_told_apart_to_the_last_bit(fixture: impl Fixture) {
    let store = fixture.store();
    let owners = [
        0,
        1,
        1 << 63,
        1 << 64,
        1 << 127,
        u128::MAX,
        u128::MAX >> 1,
        0xff,
        u128::from_be_bytes(*b"\0\n\r'\"\\%_\x7f\x80\xfe\xff 0\t\0"),
    ];
    for (n, owner) in owners.into_iter().enumerate() {
        let mut one = creation(&format!("g{n}"), 1_000);
        one.lease = holding(owner);
        let held = applied(store.as_ref(), one).await.header;
        assert_eq!(held.owner, Some(Owner(owner)));
        for bit in [0, 1, 31, 32, 63, 64, 126, 127] {
            let mut robbery = following(&held, "mine");
            robbery.lease = holding(owner ^ (1 << bit));
            assert_eq!(
                append(store.as_ref(), robbery).await.unwrap(),
                AppendOutcome::Fenced,
                "{owner:x} without bit {bit} is another"
            );
        }
        let mut again = following(&held, "again");
        again.lease = LeaseChange::Take {
            owner: Owner(owner),
            lasts: Duration::ZERO,
        };
        applied(store.as_ref(), again).await;
        let claimed = store.claim_due(Owner(!owner), ALL_DAY, ALL).await.unwrap();
        assert_eq!(claimed.len(), 1, "the lease ends at once");
        assert_eq!(claimed[0].header.owner, Some(Owner(!owner)));
        let header = loaded(store.as_ref(), &claimed[0].header.gid).await.header;
        assert_eq!(header, claimed[0].header);
    }
}

const ALL_DAY: Duration = Duration::from_secs(86_400);

/// Times from zero to the far future come back as they were given, to the millisecond; leases may last as long.
pub async fn times_are_kept_from_zero_to_the_far_future(fixture: impl Fixture) {
    let store = fixture.store();
    applied(store.as_ref(), creation("zero", 0)).await;
    let mut far = creation("far", FAR_MS - 1);
    far.wake_at = Some(UnixMillis(FAR_MS));
    let far = applied(store.as_ref(), far).await.header;
    assert_eq!(far.created_at, UnixMillis(FAR_MS - 1));
    assert_eq!(far.updated_at, UnixMillis(FAR_MS - 1));
    assert_eq!(far.wake_at, Some(UnixMillis(FAR_MS)));
    let mut held = creation("held", 999);
    held.lease = LeaseChange::Take {
        owner: Owner(1),
        lasts: Duration::from_millis(FAR_MS.unsigned_abs()),
    };
    let held = applied(store.as_ref(), held).await.header;
    let in_a_century = now(store.as_ref()).await.plus(ALL_DAY * 36_500);
    assert!(held.lease_until > Some(in_a_century));
    let claimed = store
        .claim_due(Owner(2), Duration::from_millis(FAR_MS.unsigned_abs()), ALL)
        .await
        .unwrap();
    assert_eq!(claimed.len(), 1);
    let zero = &claimed[0].header;
    assert_eq!(zero.gid, gid("zero"));
    assert_eq!(
        (zero.created_at, zero.wake_at),
        (UnixMillis(0), Some(UnixMillis(0)))
    );
    assert!(zero.lease_until > Some(in_a_century));
    let keys = [(gid("zero"), zero.token), (gid("held"), held.token)];
    let renewed = Held::Renewed(revision(1));
    let longer = Duration::from_millis(FAR_MS.unsigned_abs());
    assert_eq!(
        store.renew(&keys, longer).await.unwrap(),
        [renewed, renewed]
    );
    assert!(
        store
            .claim_due(Owner(3), ALL_DAY, ALL)
            .await
            .unwrap()
            .is_empty()
    );
    let listed = all(store.as_ref(), ListQuery::newest(1)).await;
    assert_eq!(names(&listed), ["far", "held", "zero"]);
}

/// An empty chunk adds nothing, at the creation too; a swap for less or for nothing is a swap, and gives its room back.
pub async fn histories_may_be_empty_and_shrink(fixture: impl Fixture) {
    let store = fixture.store();
    let mut one = creation("g", 1_000);
    one.chunk = Chunk::Add(Bytes::new());
    let empty = applied(store.as_ref(), one).await;
    assert_eq!(history(&empty), "");
    let limit = store.limits().record_bytes_max;
    let of_bytes = |header: &Header, count| {
        let mut large = following(header, "");
        large.chunk = Chunk::Add(Bytes::from(vec![b'x'; count]));
        large
    };
    let mut header = empty.header;
    for part in [limit / 2, limit - limit / 2, 0] {
        let answer = append(store.as_ref(), of_bytes(&header, part)).await;
        header.revision = header.revision.next();
        assert_eq!(answer.unwrap(), AppendOutcome::Applied(header.revision));
    }
    let beyond = append(store.as_ref(), of_bytes(&header, 1)).await;
    assert_eq!(beyond.unwrap_err().kind, StoreErrorKind::Invalid);
    let mut small = following(&header, "");
    small.chunk = Chunk::Replace(Bytes::from_static(b"small"));
    let small = applied(store.as_ref(), small).await;
    assert_eq!(history(&small), "small");
    let again = append(store.as_ref(), of_bytes(&small.header, limit / 2)).await;
    let mut header = small.header;
    header.revision = header.revision.next();
    assert_eq!(again.unwrap(), AppendOutcome::Applied(header.revision));
    let mut nothing = following(&header, "");
    nothing.chunk = Chunk::Replace(Bytes::new());
    let nothing = applied(store.as_ref(), nothing).await;
    assert_eq!(history(&nothing), "");
    let more = applied(store.as_ref(), following(&nothing.header, "more")).await;
    assert_eq!(history(&more), "more");
    let ended = applied(store.as_ref(), ending(&more.header)).await;
    assert_eq!(history(&ended), "moreend");
    assert_eq!(ended.header.revision, revision(9));
}

/// A thousand chunks come back in their order, to whoever loads and to whoever claims, and can be swapped for one.
pub async fn a_thousand_chunks_keep_their_order(fixture: impl Fixture) {
    let store = fixture.store();
    let mut header = applied(store.as_ref(), creation("g", 1_000)).await.header;
    let mut text = "[g]".to_owned();
    for n in 1..1_000 {
        let chunk = format!("<{n}>");
        let answer = append(store.as_ref(), following(&header, &chunk)).await;
        header.revision = header.revision.next();
        assert_eq!(answer.unwrap(), AppendOutcome::Applied(header.revision));
        text += &chunk;
    }
    let stored = loaded(store.as_ref(), &gid("g")).await;
    assert_eq!(stored.header.revision, revision(1_000));
    assert_eq!(history(&stored), text);
    let claimed = store.claim_due(Owner(1), ALL_DAY, ALL).await.unwrap();
    assert_eq!(history(&claimed[0]), text);
    let mut swap = following(&claimed[0].header, "");
    swap.chunk = Chunk::Replace(Bytes::from(text.clone()));
    let swapped = applied(store.as_ref(), swap).await;
    assert_eq!(history(&swapped), text);
    let ended = applied(store.as_ref(), ending(&swapped.header)).await;
    assert_eq!(history(&ended), format!("{text}end"));
}

/// Names of all legal characters, up to the longest, are kept apart, listed in the order of their bytes, and found by
/// their beginning, which is a text and no pattern.
pub async fn names_of_all_legal_characters_are_ordered_by_their_bytes(fixture: impl Fixture) {
    let store = fixture.store();
    let mut expected = BTreeSet::new();
    for legal in LEGAL.chars() {
        expected.insert(legal.to_string());
        expected.insert(format!("x{legal}y"));
        expected.insert(legal.to_string().repeat(128));
        expected.insert(format!("{}{legal}", "Z".repeat(127)));
    }
    let creations = expected.iter().map(|name| creation(name, 1_000));
    applied_all(store.as_ref(), creations.collect()).await;
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    for limit in [7, 100] {
        let found = all(store.as_ref(), ListQuery::newest(limit)).await;
        assert_eq!(names(&found), expected);
    }
    for name in &expected {
        let stored = loaded(store.as_ref(), &gid(name)).await;
        assert_eq!(history(&stored), format!("[{name}]"));
    }
    for prefix in [
        "x_", "x-", "xA", "xa", "_", "Z", "z", "%", "x%", "\\", "*", "x?", "[xy]", "'",
    ] {
        let query = ListQuery {
            gid_prefix: Some(prefix.to_owned()),
            ..ListQuery::newest(10)
        };
        let found = all(store.as_ref(), query).await;
        let begin_so = expected.iter().filter(|name| name.starts_with(prefix));
        assert_eq!(
            names(&found),
            begin_so.copied().collect::<Vec<_>>(),
            "{prefix}"
        );
    }
}

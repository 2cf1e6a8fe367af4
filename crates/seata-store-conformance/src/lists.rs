//! Listing, filtering, purging.

use std::collections::BTreeSet;

use seata_store::{
    AppendOutcome, Header, ListQuery, Mode, PAGE_MAX, SCAN_MAX, Status, TxnStore, UnixMillis,
};

use crate::fixture::{Fixture, append, applied, creation, ending, gid, loaded, names_together};

pub(crate) async fn all(store: &dyn TxnStore, mut query: ListQuery) -> Vec<Header> {
    let mut found = Vec::new();
    for _ in 0..100_000 {
        let page = store.list(&query).await.unwrap();
        assert!(page.items.len() <= query.limit);
        found.extend(page.items);
        match page.next {
            Some(cursor) => query.behind = Some(cursor),
            None => return found,
        }
    }
    panic!("the list has no end");
}

pub(crate) fn names(headers: &[Header]) -> Vec<&str> {
    headers.iter().map(|header| header.gid.as_str()).collect()
}

/// The order is newest first, then by gid, whatever the page size.
pub async fn lists_are_newest_first_and_complete(fixture: impl Fixture) {
    let store = fixture.store();
    for (name, at_ms) in [
        ("b", 2_000),
        ("a", 1_000),
        ("d", 3_000),
        ("c", 2_000),
        ("z", -5),
    ] {
        applied(store.as_ref(), creation(name, at_ms)).await;
    }
    let open = loaded(store.as_ref(), &gid("b")).await;
    applied(store.as_ref(), ending(&open.header)).await;
    for limit in [1, 2, 3, 100] {
        let found = all(store.as_ref(), ListQuery::newest(limit)).await;
        assert_eq!(names(&found), ["d", "b", "c", "a", "z"], "pages of {limit}");
    }
    let first = store.list(&ListQuery::newest(2)).await.unwrap();
    assert_eq!(first.items[1].status, Status::Committed);
}

/// What was on a later page stays there while newer ones are added; nothing comes twice.
pub async fn pages_are_stable_while_others_write(fixture: impl Fixture) {
    let store = fixture.store();
    for n in 0..30 {
        applied(store.as_ref(), creation(&format!("old{n:02}"), 1_000 + n)).await;
    }
    let mut query = ListQuery::newest(7);
    let mut seen = Vec::new();
    for round in 0..100 {
        let page = store.list(&query).await.unwrap();
        seen.extend(page.items.into_iter().map(|header| header.gid.to_string()));
        applied(
            store.as_ref(),
            creation(&format!("new{round:02}"), 9_000 + round),
        )
        .await;
        match page.next {
            Some(cursor) => query.behind = Some(cursor),
            None => break,
        }
    }
    assert_eq!(seen.len(), 30);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 30);
}

/// Each filter selects exactly what it says; a match far down the list is found by following cursors.
pub async fn filters_select_and_a_rare_match_still_comes(fixture: impl Fixture) {
    let store = fixture.store();
    let count = (SCAN_MAX + 200) * fixture.parts();
    applied(store.as_ref(), creation("rare", 0)).await;
    for chunk in (0..count).collect::<Vec<_>>().chunks(100) {
        let batch = chunk
            .iter()
            .map(|n| creation(&format!("g{n}"), 10 + i64::try_from(*n).unwrap()))
            .collect();
        for answer in store.append(batch).await {
            assert!(matches!(answer.unwrap(), AppendOutcome::Applied(_)));
        }
    }
    let prefix = ListQuery {
        gid_prefix: Some("ra".into()),
        ..ListQuery::newest(10)
    };
    let first = store.list(&prefix).await.unwrap();
    assert!(
        first.items.is_empty() && first.next.is_some(),
        "a page looks at a bounded number"
    );
    assert_eq!(names(&all(store.as_ref(), prefix).await), ["rare"]);
    let between = ListQuery {
        created_from: Some(UnixMillis(20)),
        created_before: Some(UnixMillis(23)),
        ..ListQuery::newest(10)
    };
    assert_eq!(
        names(&all(store.as_ref(), between).await),
        ["g12", "g11", "g10"]
    );
    let beyond = |created_from, created_before| ListQuery {
        created_from,
        created_before,
        ..ListQuery::newest(10)
    };
    let before_all = beyond(None, Some(UnixMillis(i64::MIN)));
    let after_all = beyond(Some(UnixMillis(i64::MAX)), None);
    for nothing in [before_all, after_all] {
        assert_eq!(all(store.as_ref(), nothing).await, []);
    }
    let open = loaded(store.as_ref(), &gid("g5")).await;
    applied(store.as_ref(), ending(&open.header)).await;
    let ended = ListQuery {
        status: vec![Status::Committed, Status::Aborted],
        ..ListQuery::newest(10)
    };
    assert_eq!(names(&all(store.as_ref(), ended).await), ["g5"]);
    let mode = ListQuery {
        mode: Some(Mode::Saga),
        ..ListQuery::newest(PAGE_MAX)
    };
    assert_eq!(all(store.as_ref(), mode).await.len(), count + 1);
}

/// Purge removes what ended before the given time, the oldest first and no more than asked; its gids are free again.
pub async fn purge_takes_only_what_ended_before(fixture: impl Fixture) {
    let store = fixture.store();
    let old = names_together(&fixture, "old", 2);
    for (name, at_ms, ends_ms) in [
        (old[0].as_str(), 1_000, Some(2_000)),
        (old[1].as_str(), 1_001, Some(2_001)),
        ("open", 1_002, None),
        ("new", 1_003, Some(9_000)),
    ] {
        let open = applied(store.as_ref(), creation(name, at_ms)).await;
        if let Some(ends_ms) = ends_ms {
            let mut end = ending(&open.header);
            end.at = UnixMillis(ends_ms);
            applied(store.as_ref(), end).await;
        }
    }
    assert_eq!(store.purge(UnixMillis(5_000), 1).await.unwrap(), 1);
    assert_eq!(store.load(&gid(&old[0])).await.unwrap(), None);
    assert_eq!(store.purge(UnixMillis(5_000), 10).await.unwrap(), 1);
    assert_eq!(store.purge(UnixMillis(5_000), 10).await.unwrap(), 0);
    let left = all(store.as_ref(), ListQuery::newest(10)).await;
    assert_eq!(names(&left), ["new", "open"]);
    assert!(matches!(
        append(store.as_ref(), creation(&old[0], 3_000))
            .await
            .unwrap(),
        AppendOutcome::Applied(_)
    ));
}

/// More old open transactions than one purge looks at don't keep for ever what ended behind them.
pub async fn purges_get_past_old_open_transactions(fixture: impl Fixture) {
    let store = fixture.store();
    let old: Vec<usize> = (0..SCAN_MAX + 50).collect();
    for chunk in old.chunks(150) {
        let batch = chunk
            .iter()
            .map(|n| creation(&format!("open{n}"), 1_000))
            .collect();
        for answer in store.append(batch).await {
            assert!(matches!(answer.unwrap(), AppendOutcome::Applied(_)));
        }
    }
    for n in 0..3 {
        let open = applied(store.as_ref(), creation(&format!("ended{n}"), 2_000)).await;
        applied(store.as_ref(), ending(&open.header)).await;
    }
    let mut purged = 0;
    for _ in 0..8 {
        purged += store.purge(UnixMillis(5_000), 2).await.unwrap();
    }
    assert_eq!(purged, 3);
    let left = all(store.as_ref(), ListQuery::newest(PAGE_MAX)).await;
    assert_eq!(left.len(), old.len());
}

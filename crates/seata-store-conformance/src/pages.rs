//! Many transactions with the same time of creation: their names alone order them.

use seata_store::{Cursor, ListQuery, Mode, Status, UnixMillis};

use crate::fixture::{Fixture, applied_all, creation, ending, gid};
use crate::lists::{all, names};

/// What was created within the same millisecond is listed by name, whole, without doubles, under each filter, whatever
/// the size of the pages, and from any cursor.
pub async fn pages_go_on_among_equal_times(fixture: impl Fixture) {
    let store = fixture.store();
    let name = |n: usize| format!("g{n:04}");
    // Neither created nor ended in the order of their names.
    let creations = (0..1_000).map(|n| n * 389 % 1_000).map(|n| {
        let mut one = creation(&name(n), 5_000);
        one.mode = match n % 3 {
            0 => Mode::Tcc,
            _ => Mode::Saga,
        };
        one
    });
    let creations: Vec<_> = creations.collect();
    let ends = creations
        .iter()
        .filter(|one| one.gid.as_str().ends_with('7'));
    let ends = ends
        .map(|one| ending(&one.judge(None, UnixMillis(0)).unwrap()))
        .collect();
    applied_all(store.as_ref(), creations).await;
    applied_all(store.as_ref(), ends).await;
    applied_all(
        store.as_ref(),
        vec![creation("newer", 5_001), creation("older", 4_999)],
    )
    .await;
    let same = |keep: &dyn Fn(usize) -> bool| {
        (0..1_000)
            .filter(|n| keep(*n))
            .map(name)
            .collect::<Vec<_>>()
    };
    for limit in [37, 333, 1_000] {
        let whole = all(store.as_ref(), ListQuery::newest(limit)).await;
        let expected = [
            vec!["newer".to_owned()],
            same(&|_| true),
            vec!["older".to_owned()],
        ]
        .concat();
        assert_eq!(names(&whole), expected, "pages of {limit}");
        let ended = ListQuery {
            status: vec![Status::Committed],
            ..ListQuery::newest(limit)
        };
        let found = all(store.as_ref(), ended).await;
        assert_eq!(names(&found), same(&|n| n % 10 == 7), "pages of {limit}");
        let tcc = ListQuery {
            mode: Some(Mode::Tcc),
            status: vec![Status::Submitted],
            created_from: Some(UnixMillis(5_000)),
            created_before: Some(UnixMillis(5_001)),
            gid_prefix: Some("g0".to_owned()),
            ..ListQuery::newest(limit)
        };
        let found = all(store.as_ref(), tcc).await;
        let expected = same(&|n| n < 1_000 && n % 3 == 0 && n % 10 != 7);
        assert_eq!(names(&found), expected, "pages of {limit}");
    }
    let behind = |gid_text: &str, at_ms| ListQuery {
        behind: Some(Cursor {
            created_at: UnixMillis(at_ms),
            gid: gid(gid_text),
        }),
        ..ListQuery::newest(1)
    };
    // A cursor points between two transactions: what it names need not be there.
    for (query, first) in [
        (behind("g0500", 5_000), "g0501"),
        (behind("g0500.", 5_000), "g0501"),
        (behind("g", 5_000), "g0000"),
        (behind("g0999", 5_000), "older"),
        (behind("zzz", 5_001), "g0000"),
        (behind("a", 5_001), "newer"),
        (behind("a", 9_000), "newer"),
    ] {
        let page = store.list(&query).await.unwrap();
        assert_eq!(names(&page.items), [first], "behind {:?}", query.behind);
    }
}

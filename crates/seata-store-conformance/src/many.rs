//! Many records: what is asked for comes as before, and in bounded pieces.

use std::collections::BTreeSet;
use std::time::Duration;

use seata_store::{
    ClaimLimit, Gid, ListQuery, Owner, PAGE_MAX, SCAN_MAX, Status, TxnStore, UnixMillis,
};

use crate::fixture::{
    Fixture, applied_all, check_order, creation, ending, following, gid, history, holding, loaded,
};
use crate::lists::all;

/// What the nth record is. Of twenty, one is due, two are leased by somebody for long, and the rest has ended; a few
/// wait for an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lot {
    Due,
    Leased,
    Stuck,
    Ended,
}

impl Lot {
    const fn of(n: usize, count: usize) -> Self {
        match n % 20 {
            _ if n % (count / 3) == 4 => Self::Stuck,
            0 => Self::Due,
            7 | 14 => Self::Leased,
            _ => Self::Ended,
        }
    }
}

/// All that was made: each name with its lot, in the order of creation, which is that of wake-ups too.
struct Made {
    count: usize,
}

impl Made {
    fn name(n: usize) -> Gid {
        gid(&format!("many-{n}"))
    }

    fn of(&self, lot: Lot) -> Vec<Gid> {
        let of_lot = (0..self.count).filter(|n| Lot::of(*n, self.count) == lot);
        of_lot.map(Self::name).collect()
    }
}

/// Makes all records, in pieces that fit into memory.
async fn make(store: &dyn TxnStore, count: usize) -> Made {
    for first in (0..count).step_by(5_000) {
        let piece = || (first..count.min(first + 5_000)).map(|n| (n, Lot::of(n, count)));
        let creations = piece().map(|(n, lot)| {
            let mut one = creation(Made::name(n).as_str(), i64::try_from(n).unwrap());
            match lot {
                Lot::Leased => one.lease = holding(1),
                Lot::Stuck => (one.status, one.wake_at) = (Status::Stuck, None),
                Lot::Due | Lot::Ended => {}
            }
            one
        });
        let creations: Vec<_> = creations.collect();
        let ends = creations
            .iter()
            .zip(piece())
            .filter(|(_, (_, lot))| *lot == Lot::Ended);
        let ends = ends.map(|(one, _)| ending(&one.judge(None, one.at).unwrap()));
        let ends = ends.collect();
        applied_all(store, creations).await;
        applied_all(store, ends).await;
    }
    Made { count }
}

/// Among many records, most of them ended and many leased, each is found by name, what is due is claimed in bounded
/// pieces in the order of its wake-ups, a rare status is found in bounded pages, and what ended long ago is purged in
/// bounded pieces.
pub async fn many_records_are_found_again(fixture: impl Fixture) {
    let store = fixture.store();
    let made = make(store.as_ref(), fixture.records_max()).await;
    are_loaded(store.as_ref(), &made).await;
    are_claimed(&fixture, &made).await;
    are_listed(store.as_ref(), &made).await;
    are_purged(store.as_ref(), &made).await;
}

async fn are_loaded(store: &dyn TxnStore, made: &Made) {
    for n in (0..made.count).step_by(made.count / 50 + 1) {
        let name = Made::name(n);
        let stored = loaded(store, &name).await;
        let end = match Lot::of(n, made.count) {
            Lot::Ended => "end",
            Lot::Due | Lot::Leased | Lot::Stuck => "",
        };
        assert_eq!(history(&stored), format!("[{name}]{end}"));
    }
}

async fn are_claimed(fixture: &dyn Fixture, made: &Made) {
    let store = fixture.store();
    let due = made.of(Lot::Due);
    let limit = ClaimLimit {
        count: 300,
        bytes: 64 << 20,
    };
    let mut claimed = BTreeSet::new();
    loop {
        let piece = store
            .claim_due(Owner(2), Duration::from_secs(600), limit)
            .await
            .unwrap();
        assert!(piece.len() <= limit.count);
        let piece: Vec<_> = piece.into_iter().map(|one| one.header.gid).collect();
        if claimed.is_empty() {
            check_order(fixture, &due, &piece);
        }
        if piece.is_empty() {
            break;
        }
        for name in piece {
            assert!(claimed.insert(name.clone()), "{name} was claimed twice");
        }
    }
    assert_eq!(claimed, due.into_iter().collect());
}

async fn are_listed(store: &dyn TxnStore, made: &Made) {
    let stuck = ListQuery {
        status: vec![Status::Stuck],
        ..ListQuery::newest(10)
    };
    let found = all(store, stuck).await.into_iter().map(|one| one.gid);
    let mut expected = made.of(Lot::Stuck);
    expected.reverse();
    assert_eq!(found.collect::<Vec<_>>(), expected);
    let whole = all(store, ListQuery::newest(PAGE_MAX)).await;
    assert!(whole.is_sorted_by(|newer, older| newer.created_at > older.created_at));
    assert_eq!(whole.len(), made.count);
}

/// The older half goes, the other half stays.
async fn are_purged(store: &dyn TxnStore, made: &Made) {
    let half = made.count / 2;
    let before = UnixMillis(i64::try_from(half).unwrap());
    let ended = (0..half).filter(|n| Lot::of(*n, made.count) == Lot::Ended);
    let expected = ended.count();
    let mut purged = 0;
    // A walk through all that there is, with twice the room that it needs.
    for _ in 0..2 * (made.count / SCAN_MAX + expected / 500 + 100) {
        let piece = store.purge(before, 500).await.unwrap();
        assert!(piece <= 500);
        purged += piece;
        if purged >= expected {
            break;
        }
    }
    assert_eq!(purged, expected);
    let left = all(store, ListQuery::newest(PAGE_MAX)).await;
    assert_eq!(left.len(), made.count - purged);
    let newer = left.iter().filter(|header| header.created_at >= before);
    assert_eq!(newer.count(), made.count - half);
    assert!(
        left.iter()
            .all(|header| header.created_at >= before || !header.status.is_final())
    );
    // Somebody's lease is no reason to lose an order.
    let leased = loaded(store, &made.of(Lot::Leased)[0]).await;
    crate::fixture::applied(store, following(&leased.header, "more")).await;
}

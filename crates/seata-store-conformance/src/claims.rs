//! Leases: who may claim what, and when.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use seata_store::{AppendOutcome, ClaimLimit, Held, LeaseChange, Owner, UnixMillis};

use crate::fixture::{
    ALL, Fixture, LEASE, append, applied, claim_eventually, creation, ending, following, gid,
    loaded, names_together, now, revision, taking, token,
};

/// Many claim at once: each due transaction goes to exactly one.
pub async fn each_due_transaction_is_claimed_once_among_many(fixture: impl Fixture) {
    let store = fixture.store();
    for n in 0..60 {
        applied(store.as_ref(), creation(&format!("g{n}"), 1_000)).await;
    }
    let workers = (0..8).map(|worker| {
        let store = fixture.store();
        async move {
            let limit = ClaimLimit {
                count: 7,
                bytes: 1 << 20,
            };
            let mut claimed = Vec::new();
            loop {
                let some = store
                    .claim_due(Owner(worker), Duration::from_secs(600), limit)
                    .await
                    .unwrap();
                if some.is_empty() {
                    return claimed;
                }
                assert!(some.len() <= 7);
                assert!(
                    some.iter()
                        .all(|one| one.header.owner == Some(Owner(worker)))
                );
                claimed.extend(some.into_iter().map(|one| one.header.gid));
            }
        }
    });
    let claimed: Vec<_> = join_all(workers).await.concat();
    assert_eq!(claimed.len(), 60);
    assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), 60);
}

/// The earliest wake-up comes first, and a claim keeps within its count.
pub async fn claims_come_by_earliest_wake_up_within_the_limit(fixture: impl Fixture) {
    let store = fixture.store();
    let names = names_together(&fixture, "g", 4);
    for (n, wake_ms) in [(2, 3_000), (0, 1_000), (3, 4_000), (1, 2_000)] {
        applied(store.as_ref(), creation(&names[n], wake_ms)).await;
    }
    let limit = ClaimLimit {
        count: 3,
        bytes: 1 << 20,
    };
    let claimed = store
        .claim_due(Owner(1), Duration::from_secs(600), limit)
        .await
        .unwrap();
    let found: BTreeSet<_> = claimed
        .iter()
        .map(|one| one.header.gid.as_str().to_owned())
        .collect();
    assert_eq!(found, names[..3].iter().cloned().collect());
    let rest = store
        .claim_due(Owner(1), Duration::from_secs(600), ALL)
        .await
        .unwrap();
    assert_eq!(rest.len(), 1);
    let small = ClaimLimit {
        count: 10,
        bytes: 1,
    };
    applied(store.as_ref(), creation("e", 1_000)).await;
    applied(store.as_ref(), creation("f", 1_000)).await;
    let some = store
        .claim_due(Owner(1), Duration::from_secs(600), small)
        .await
        .unwrap();
    assert!(
        !some.is_empty(),
        "a claim gives at least one, however small its limit in bytes"
    );
}

/// Among what is due the earliest wake-up comes first, whether or not somebody held a lease in between.
pub async fn a_lease_that_has_passed_costs_no_place_in_the_order(fixture: impl Fixture) {
    let store = fixture.store();
    let names = names_together(&fixture, "g", 2);
    let mut early = creation(&names[0], 1_000);
    early.lease = taking(1);
    applied(store.as_ref(), early).await;
    applied(store.as_ref(), creation(&names[1], 2_000)).await;
    fixture.pass(LEASE * 2).await;
    for name in &names {
        let one = ClaimLimit {
            count: 1,
            bytes: 1 << 20,
        };
        let claimed = store
            .claim_due(Owner(2), Duration::from_secs(600), one)
            .await
            .unwrap();
        assert_eq!(claimed[0].header.gid, gid(name));
    }
}

/// A claim raises the token, names the owner, and leaves revision, history and times as they are.
pub async fn a_claim_raises_the_token_and_nothing_else(fixture: impl Fixture) {
    let store = fixture.store();
    let before = applied(store.as_ref(), creation("g", 1_000)).await;
    let claimed = store
        .claim_due(Owner(9), Duration::from_secs(600), ALL)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(claimed.header.token, token(before.header.token.0 + 1));
    assert_eq!(claimed.header.owner, Some(Owner(9)));
    assert_eq!(claimed.header.revision, before.header.revision);
    assert_eq!(claimed.header.wake_at, before.header.wake_at);
    assert_eq!(claimed.header.updated_at, before.header.updated_at);
    assert_eq!(claimed.chunks.concat(), before.chunks.concat());
    assert_eq!(
        loaded(store.as_ref(), &gid("g")).await.header,
        claimed.header
    );
    assert_eq!(
        append(store.as_ref(), following(&before.header, "old"))
            .await
            .unwrap(),
        AppendOutcome::Fenced
    );
    applied(store.as_ref(), following(&claimed.header, "new")).await;
}

/// While a lease holds nobody claims; once it has passed somebody may, and the old holder is fenced.
pub async fn a_held_lease_is_not_claimed_and_a_passed_one_is(fixture: impl Fixture) {
    let store = fixture.store();
    let mut long = creation("held", 1_000);
    long.lease = LeaseChange::Take {
        owner: Owner(1),
        lasts: Duration::from_secs(600),
    };
    applied(store.as_ref(), long).await;
    assert!(
        store
            .claim_due(Owner(2), LEASE, ALL)
            .await
            .unwrap()
            .is_empty()
    );
    let mut short = creation("passing", 1_000);
    short.lease = taking(1);
    let old = applied(store.as_ref(), short).await;
    let claimed = claim_eventually(&fixture, 2).await;
    assert_eq!(claimed[0].header.gid, gid("passing"));
    assert_eq!(claimed[0].header.token, token(old.header.token.0 + 1));
    assert_eq!(
        append(store.as_ref(), following(&old.header, "late"))
            .await
            .unwrap(),
        AppendOutcome::Fenced
    );
}

/// An append can't take a lease that another owner holds, whatever the taker's clock says; its own it can.
pub async fn a_lease_that_holds_is_not_taken_by_an_append(fixture: impl Fixture) {
    let store = fixture.store();
    let long = |owner| LeaseChange::Take {
        owner: Owner(owner),
        lasts: Duration::from_secs(600),
    };
    let mut one = creation("g", 1_000);
    one.lease = long(1);
    let held = applied(store.as_ref(), one).await.header;
    let mut robbery = following(&held, "mine");
    robbery.lease = long(2);
    assert_eq!(
        append(store.as_ref(), robbery).await.unwrap(),
        AppendOutcome::Fenced
    );
    assert_eq!(loaded(store.as_ref(), &gid("g")).await.header, held);
    let mut again = following(&held, "again");
    again.lease = long(1);
    let again = applied(store.as_ref(), again).await.header;
    let mut release = following(&again, "");
    release.lease = LeaseChange::Release;
    let released = applied(store.as_ref(), release).await.header;
    let mut take = following(&released, "taken");
    take.lease = long(2);
    assert_eq!(
        applied(store.as_ref(), take).await.header.owner,
        Some(Owner(2))
    );
}

/// A wake-up in the future is not due; none is never due; the end takes it away; a release makes it due at its time.
pub async fn nothing_is_claimed_before_its_wake_up_or_without_one(fixture: impl Fixture) {
    let store = fixture.store();
    let now = now(store.as_ref()).await;
    let mut later = creation("later", 1_000);
    later.wake_at = Some(now.plus(Duration::from_secs(3_600)));
    applied(store.as_ref(), later).await;
    let mut never = creation("never", 1_000);
    never.wake_at = None;
    applied(store.as_ref(), never).await;
    let open = applied(store.as_ref(), creation("ended", 1_000)).await;
    applied(store.as_ref(), ending(&open.header)).await;
    assert!(
        store
            .claim_due(Owner(1), LEASE, ALL)
            .await
            .unwrap()
            .is_empty()
    );
    let mut held = creation("released", 1_000);
    held.lease = LeaseChange::Take {
        owner: Owner(1),
        lasts: Duration::from_secs(600),
    };
    let held = applied(store.as_ref(), held).await;
    let mut release = following(&held.header, "");
    release.lease = LeaseChange::Release;
    release.wake_at = Some(UnixMillis(1_000));
    applied(store.as_ref(), release).await;
    let claimed = store.claim_due(Owner(2), LEASE, ALL).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].header.gid, gid("released"));
}

/// A renewed lease holds on; one that was taken, released or ended is lost.
pub async fn renewal_prolongs_until_the_lease_is_taken_or_released(fixture: impl Fixture) {
    let store = fixture.store();
    let mut one = creation("g", 1_000);
    one.lease = taking(1);
    let held = applied(store.as_ref(), one).await.header;
    let key = [(gid("g"), held.token)];
    let long = Duration::from_secs(600);
    assert_eq!(
        store.renew(&key, long).await.unwrap(),
        [Held::Renewed(revision(1))]
    );
    fixture.pass(LEASE * 2).await;
    assert!(
        store
            .claim_due(Owner(2), LEASE, ALL)
            .await
            .unwrap()
            .is_empty(),
        "renewed, so still held"
    );
    let wrong = [
        (gid("g"), token(held.token.0 + 1)),
        (gid("nobody"), token(1)),
        key[0].clone(),
    ];
    assert_eq!(
        store.renew(&wrong, long).await.unwrap(),
        [Held::Lost, Held::Lost, Held::Renewed(revision(1))]
    );
    let mut release = following(&held, "");
    release.lease = LeaseChange::Release;
    let released = applied(store.as_ref(), release).await.header;
    assert_eq!(store.renew(&key, long).await.unwrap(), [Held::Lost]);
    let mut take = following(&released, "");
    take.lease = taking(3);
    let taken = applied(store.as_ref(), take).await.header;
    assert_eq!(store.renew(&key, long).await.unwrap(), [Held::Lost]);
    applied(store.as_ref(), ending(&taken)).await;
    assert_eq!(
        store.renew(&[(gid("g"), taken.token)], long).await.unwrap(),
        [Held::Lost]
    );
}

/// The holder learns of an order that somebody else appended when it renews.
pub async fn a_renewal_tells_the_revision(fixture: impl Fixture) {
    let store = fixture.store();
    let mut one = creation("g", 1_000);
    one.lease = LeaseChange::Take {
        owner: Owner(1),
        lasts: Duration::from_secs(600),
    };
    let held = applied(store.as_ref(), one).await.header;
    applied(store.as_ref(), following(&held, "an order")).await;
    let answer = store
        .renew(&[(gid("g"), held.token)], Duration::from_secs(600))
        .await
        .unwrap();
    assert_eq!(answer, [Held::Renewed(revision(2))]);
    let after = loaded(store.as_ref(), &gid("g")).await.header;
    assert_eq!(
        (after.revision, after.updated_at),
        (revision(2), held.updated_at)
    );
}

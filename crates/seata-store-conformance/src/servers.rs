//! Two servers on one store: each has a handle of its own, and both see one truth.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join;
use seata_store::{
    AppendOutcome, ClaimLimit, Gid, Held, LeaseChange, ListQuery, Owner, PAGE_MAX, TxnStore,
    UnixMillis,
};

use crate::fixture::{
    ALL, Fixture, LEASE, append, applied, applied_all, claim_eventually, creation, ending,
    following, gid, history, holding, loaded, revision, taking, token,
};

const LONG: Duration = Duration::from_secs(600);

/// What one server wrote the other reads at once; claims, takes, fences and renewals of one hold against the other.
pub async fn two_servers_see_one_truth(fixture: impl Fixture) {
    let (one, two) = (fixture.store(), fixture.another().await);
    let created = applied(one.as_ref(), creation("g", 1_000)).await;
    assert_eq!(loaded(two.as_ref(), &gid("g")).await, created);
    match append(two.as_ref(), creation("g", 2_000)).await.unwrap() {
        AppendOutcome::Exists(seen) => assert_eq!(*seen, created),
        other @ (AppendOutcome::Applied(_) | AppendOutcome::Stale | AppendOutcome::Fenced) => {
            panic!("it exists: {other:?}")
        }
    }
    let claimed = one.claim_due(Owner(1), LONG, ALL).await.unwrap().remove(0);
    assert!(two.claim_due(Owner(2), LONG, ALL).await.unwrap().is_empty());
    let late = append(two.as_ref(), following(&created.header, "late")).await;
    assert_eq!(late.unwrap(), AppendOutcome::Fenced);
    let mut robbery = following(&claimed.header, "mine");
    robbery.lease = holding(2);
    let robbed = append(two.as_ref(), robbery).await;
    assert_eq!(robbed.unwrap(), AppendOutcome::Fenced);
    let order = applied(two.as_ref(), following(&claimed.header, "<order>")).await;
    let key = [(gid("g"), claimed.header.token)];
    assert_eq!(
        one.renew(&key, LONG).await.unwrap(),
        [Held::Renewed(revision(2))]
    );
    let stale = append(one.as_ref(), following(&claimed.header, "stale")).await;
    assert_eq!(stale.unwrap(), AppendOutcome::Stale);
    let mut release = following(&order.header, "<released>");
    release.lease = LeaseChange::Release;
    let released = applied(one.as_ref(), release).await;
    let mut take = following(&released.header, "<taken>");
    take.lease = holding(2);
    let taken = applied(two.as_ref(), take).await;
    assert_eq!(taken.header.token, token(claimed.header.token.0 + 1));
    assert_eq!(one.renew(&key, LONG).await.unwrap(), [Held::Lost]);
    applied(two.as_ref(), ending(&taken.header)).await;
    let ended = loaded(one.as_ref(), &gid("g")).await;
    assert_eq!(history(&ended), "[g]<order><released><taken>end");
    assert_eq!(one.purge(UnixMillis(5_000), 10).await.unwrap(), 1);
    assert_eq!(two.load(&gid("g")).await.unwrap(), None);
    applied(two.as_ref(), creation("g", 9_000)).await;
    let page = one.list(&ListQuery::newest(10)).await.unwrap();
    assert_eq!(page.items[0].created_at, UnixMillis(9_000));
}

/// Two servers claim at once: what is due goes to one of them.
pub async fn two_servers_claim_each_due_transaction_once(fixture: impl Fixture) {
    let (one, two) = (fixture.store(), fixture.another().await);
    let names: BTreeSet<Gid> = (0..300).map(|n| gid(&format!("g{n:03}"))).collect();
    let creations = names.iter().map(|name| creation(name.as_str(), 1_000));
    applied_all(one.as_ref(), creations.collect()).await;
    let (of_one, of_two) = join(
        tokio::spawn(claim_all(one, 1)),
        tokio::spawn(claim_all(two, 2)),
    )
    .await;
    let (of_one, of_two) = (of_one.unwrap(), of_two.unwrap());
    assert_eq!(of_one.len() + of_two.len(), names.len());
    assert_eq!(
        of_one.into_iter().chain(of_two).collect::<BTreeSet<_>>(),
        names
    );
}

async fn claim_all(store: std::sync::Arc<dyn TxnStore>, owner: u128) -> Vec<Gid> {
    let few = ClaimLimit {
        count: 10,
        bytes: 1 << 20,
    };
    let mut claimed = Vec::new();
    // Rows that the other is looking at may be passed over for the moment.
    for empty in 0.. {
        let some = store.claim_due(Owner(owner), LONG, few).await.unwrap();
        claimed.extend(some.iter().map(|one| one.header.gid.clone()));
        let left = store.list(&ListQuery::newest(PAGE_MAX)).await.unwrap();
        if left.items.iter().all(|header| header.owner.is_some()) {
            break;
        }
        assert!(empty < 1_000, "what is due is not claimed");
    }
    claimed
}

/// A server whose lease has passed is fenced by the one that took over, whatever it sends then.
pub async fn a_server_that_slept_past_its_lease_is_fenced(fixture: impl Fixture) {
    let (one, two) = (fixture.store(), fixture.another().await);
    let mut create = creation("g", 1_000);
    create.lease = taking(1);
    let slept = applied(one.as_ref(), create).await.header;
    let taken = claim_eventually(&fixture, 2).await.remove(0);
    assert_eq!(taken.header.token, token(slept.token.0 + 1));
    for lease in [LeaseChange::Keep, LeaseChange::Release, taking(1)] {
        let mut late = following(&slept, "late");
        late.lease = lease;
        let late = append(one.as_ref(), late).await.unwrap();
        assert_eq!(late, AppendOutcome::Fenced);
    }
    let key = [(gid("g"), slept.token)];
    assert_eq!(one.renew(&key, LEASE).await.unwrap(), [Held::Lost]);
    let driven = applied(two.as_ref(), following(&taken.header, "<driven>")).await;
    assert_eq!(history(&driven), "[g]<driven>");
}

/// A thousand leases are renewed in one call, each answered in its place; those that were lost stay lost.
pub async fn a_thousand_leases_are_renewed_in_one_call(fixture: impl Fixture) {
    let store = fixture.store();
    let name = |n: usize| gid(&format!("g{n:04}"));
    let creations = (0..1_000).map(|n| {
        let mut one = creation(name(n).as_str(), 1_000);
        one.lease = holding(1);
        one
    });
    applied_all(store.as_ref(), creations.collect()).await;
    let header = |n| creation_header(&name(n));
    let released = (0..1_000).filter(|n| n % 7 == 0).map(|n| {
        let mut release = following(&header(n), "");
        release.lease = LeaseChange::Release;
        release
    });
    let ended = (0..1_000)
        .filter(|n| n % 7 == 1)
        .map(|n| ending(&header(n)));
    let ordered = (0..1_000)
        .filter(|n| n % 7 == 2)
        .map(|n| following(&header(n), "<order>"));
    applied_all(
        store.as_ref(),
        released.chain(ended).chain(ordered).collect(),
    )
    .await;
    // Not in the order of names, with what was never there and what has another token in between.
    let held: Vec<_> = (0..1_000)
        .map(|n| n * 617 % 1_000)
        .map(|n| match n % 7 {
            3 => (name(n), token(9)),
            4 => (gid(&format!("nobody{n}")), token(1)),
            _ => (name(n), token(1)),
        })
        .collect();
    let expected: Vec<_> = (0..1_000)
        .map(|n| n * 617 % 1_000)
        .map(|n| match n % 7 {
            2 => Held::Renewed(revision(2)),
            5 | 6 => Held::Renewed(revision(1)),
            _ => Held::Lost,
        })
        .collect();
    assert_eq!(store.renew(&held, LONG).await.unwrap(), expected);
    // What was renewed for a moment only is due soon; what is held for long is not.
    assert_eq!(store.renew(&held, LEASE).await.unwrap(), expected);
    fixture.pass(LEASE * 2).await;
    let claimed = store.claim_due(Owner(2), LONG, ALL).await.unwrap();
    let due: BTreeSet<_> = (0..1_000)
        .filter(|n| [0, 2, 5, 6].contains(&(n % 7)))
        .map(name)
        .collect();
    let claimed: BTreeSet<_> = claimed.into_iter().map(|one| one.header.gid).collect();
    assert_eq!(claimed, due);
}

/// Answers the header of a record as it was created here, held by its owner.
fn creation_header(name: &Gid) -> seata_store::Header {
    let mut one = creation(name.as_str(), 1_000);
    one.lease = holding(1);
    one.judge(None, UnixMillis(0)).unwrap()
}

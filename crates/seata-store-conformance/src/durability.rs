//! What a restart keeps.

use std::time::Duration;

use seata_store::{LeaseChange, Owner};

use crate::fixture::{
    ALL, Fixture, LEASE, Leases, applied, creation, ending, following, gid, history, loaded,
};

/// Whatever was acknowledged is there after a restart, with its token; leases are as the fixture says.
pub async fn what_was_acknowledged_survives_a_restart(mut fixture: impl Fixture) {
    if fixture.leases() == Leases::Lost {
        return;
    }
    let store = fixture.store();
    let mut headers = Vec::new();
    for n in 0..20 {
        let mut one = creation(&format!("g{n}"), 1_000 + n);
        one.lease = LeaseChange::Take {
            owner: Owner(1),
            lasts: Duration::from_secs(600),
        };
        let stored = applied(store.as_ref(), one).await;
        headers.push(
            applied(store.as_ref(), following(&stored.header, "more"))
                .await
                .header,
        );
    }
    drop(store);
    fixture.reopen().await;
    let store = fixture.store();
    for before in &headers {
        let after = loaded(store.as_ref(), &before.gid).await;
        assert_eq!(history(&after), format!("[{}]more", before.gid));
        assert_eq!(after.header.revision, before.revision);
        assert!(after.header.token >= before.token);
        assert_eq!(after.header.status, before.status);
        assert_eq!(after.header.wake_at, before.wake_at);
    }
    let claimed = store.claim_due(Owner(2), LEASE, ALL).await.unwrap();
    match fixture.leases() {
        Leases::Hold => assert!(claimed.is_empty(), "leases hold across a restart"),
        Leases::Void => {
            assert_eq!(claimed.len(), 20, "leases are void after a restart");
            assert!(claimed.iter().all(|one| one.header.token.0 >= 2));
        }
        Leases::Lost => {}
    }
}

/// Ended transactions are loaded and listed after a restart, and are not due.
pub async fn ended_transactions_survive_a_restart(mut fixture: impl Fixture) {
    if fixture.leases() == Leases::Lost {
        return;
    }
    let store = fixture.store();
    for n in 0..10 {
        let open = applied(store.as_ref(), creation(&format!("g{n}"), 1_000 + n)).await;
        applied(store.as_ref(), ending(&open.header)).await;
    }
    drop(store);
    fixture.reopen().await;
    let store = fixture.store();
    assert!(
        store
            .claim_due(Owner(2), LEASE, ALL)
            .await
            .unwrap()
            .is_empty()
    );
    let page = store
        .list(&seata_store::ListQuery::newest(100))
        .await
        .unwrap();
    assert_eq!(page.items.len(), 10);
    assert_eq!(
        history(&loaded(store.as_ref(), &gid("g3")).await),
        "[g3]end"
    );
}

/// A token that was given out by a claim alone is not given out again after a restart: whoever claims then must see
/// that somebody else may have driven meanwhile, though he appended nothing.
pub async fn a_restart_gives_out_no_token_that_a_claim_gave(mut fixture: impl Fixture) {
    if fixture.leases() != Leases::Void {
        return;
    }
    let store = fixture.store();
    applied(store.as_ref(), creation("g", 1_000)).await;
    let before = store.claim_due(Owner(1), LEASE, ALL).await.unwrap();
    drop(store);
    fixture.reopen().await;
    let after = fixture
        .store()
        .claim_due(Owner(2), LEASE, ALL)
        .await
        .unwrap();
    assert_eq!((before.len(), after.len()), (1, 1));
    assert!(after[0].header.token > before[0].header.token);
}

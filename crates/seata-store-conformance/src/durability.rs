//! What a restart and a crash keep, and what is known after a lost reply.

use std::time::Duration;

use seata_store::{AppendOutcome, Chunk, Header, LeaseChange, Owner};

use crate::fixture::{
    ALL, Fixture, LEASE, Leases, append, applied, creation, ending, following, gid, history, loaded,
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

/// The same over several restarts, and with several claims between them: what the record says stays the same, since
/// nothing is appended, so only the count of starts can tell them apart. Neither a clean stop nor a crash gives a token
/// again, and later tokens are higher. An append under the last one is applied, and one under any earlier one is fenced.
pub async fn no_start_gives_out_a_token_of_another(mut fixture: impl Fixture) {
    if fixture.leases() != Leases::Void {
        return;
    }
    let created = applied(fixture.store().as_ref(), creation("g", 1_000)).await;
    let (mut given, mut last) = (Vec::new(), created.header);
    for start in 0..4 {
        for _ in 0..3 {
            let store = fixture.store();
            let claimed = store.claim_due(Owner(start), Duration::ZERO, ALL).await;
            let header = claimed.unwrap().remove(0).header;
            assert!(header.token > last.token, "start {start}, after {given:?}");
            assert_eq!(header.revision, last.revision);
            given.push(header.token);
            last = header;
        }
        match start % 2 {
            0 => fixture.reopen().await,
            _ => fixture.crash().await,
        }
    }
    let store = fixture.store();
    let claimed = store.claim_due(Owner(9), LEASE, ALL).await.unwrap();
    let mine = &claimed[0].header;
    for token in given {
        let late = Header {
            token,
            ..mine.clone()
        };
        assert_eq!(
            append(store.as_ref(), following(&late, "late"))
                .await
                .unwrap(),
            AppendOutcome::Fenced
        );
    }
    let stored = applied(store.as_ref(), following(mine, "mine")).await;
    assert_eq!(history(&stored), "[g]mine");
}

/// Whatever was acknowledged before a crash is there: creations, later appends, ends, swapped histories; and what ended
/// is not open again.
pub async fn what_was_acknowledged_survives_a_crash(mut fixture: impl Fixture) {
    if fixture.leases() == Leases::Lost {
        return;
    }
    for round in 0..3 {
        let store = fixture.store();
        let mut expected = Vec::new();
        for n in 0..8 {
            let name = format!("r{round}-{n}");
            let mut stored = applied(store.as_ref(), creation(&name, 1_000)).await;
            for step in 0..n % 3 {
                let mut next = following(&stored.header, &format!("<{step}>"));
                if n % 4 == 2 {
                    next.chunk = Chunk::Replace(next.chunk.bytes().clone());
                }
                stored = applied(store.as_ref(), next).await;
            }
            if n % 2 == 1 {
                stored = applied(store.as_ref(), ending(&stored.header)).await;
            }
            expected.push(stored);
        }
        drop(store);
        fixture.crash().await;
        let store = fixture.store();
        for before in &expected {
            let after = loaded(store.as_ref(), &before.header.gid).await;
            assert_eq!(history(&after), history(before));
            assert_eq!(after.header.revision, before.header.revision);
            assert_eq!(after.header.status, before.header.status);
            assert_eq!(after.header.wake_at, before.header.wake_at);
        }
    }
}

/// A creation whose reply was lost is known by its owner, and an append by its revision: neither is applied twice.
pub async fn after_a_lost_reply_the_same_append_tells(fixture: impl Fixture) {
    let store = fixture.store();
    let mut create = creation("g", 1_000);
    create.lease = LeaseChange::Take {
        owner: Owner(7),
        lasts: Duration::from_secs(600),
    };
    drop(store.append(vec![create.clone()]).await);
    match append(store.as_ref(), create).await.unwrap() {
        AppendOutcome::Exists(stored) => {
            assert_eq!(stored.header.owner, Some(Owner(7)), "it is mine");
            assert_eq!(history(&stored), "[g]");
        }
        AppendOutcome::Applied(_) | AppendOutcome::Stale | AppendOutcome::Fenced => {
            panic!("a creation that was applied exists")
        }
    }
    let before = loaded(store.as_ref(), &gid("g")).await.header;
    let next = following(&before, "once");
    drop(store.append(vec![next.clone()]).await);
    assert_eq!(
        append(store.as_ref(), next).await.unwrap(),
        AppendOutcome::Stale
    );
    assert_eq!(history(&loaded(store.as_ref(), &gid("g")).await), "[g]once");
}

/// Nobody waits for an append any more: it is applied or not, now or later. The next conditional append decides it for
/// good, and no history holds it twice or half.
pub async fn an_abandoned_append_is_settled_by_the_next_one(fixture: impl Fixture) {
    let store = fixture.store();
    let mut header = applied(store.as_ref(), creation("g", 1_000)).await.header;
    let mut text = "[g]".to_owned();
    for round in 0..40 {
        let abandoned = following(&header, &format!("<lost {round}>"));
        let task = tokio::spawn({
            let store = fixture.store();
            async move { store.append(vec![abandoned]).await }
        });
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        task.abort();
        let next = following(&header, &format!("<next {round}>"));
        match append(store.as_ref(), next).await.unwrap() {
            AppendOutcome::Applied(_) => text += &format!("<next {round}>"),
            AppendOutcome::Stale => text += &format!("<lost {round}>"),
            AppendOutcome::Exists(_) | AppendOutcome::Fenced => panic!("nobody took it"),
        }
        let stored = loaded(store.as_ref(), &gid("g")).await;
        assert_eq!(history(&stored), text);
        header = stored.header;
    }
}

//! Random histories against the plainest model of the contract.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use seata_store::{
    Append, AppendOutcome, Chunk, ClaimLimit, Expected, FencingToken, Gid, Header, Held,
    LeaseChange, ListQuery, Owner, PAGE_MAX, Refusal, Status, TxnStore, UnixMillis,
};

use crate::fixture::{Fixture, check_order, creation, gid, history};

#[derive(Default)]
struct Model {
    records: BTreeMap<Gid, (Header, String)>,
    applied: usize,
}

impl Model {
    /// Applies an append as the contract says; the end of leases is the store's own and not compared.
    fn append(&mut self, append: &Append) -> Result<u64, Refusal> {
        let present = self.records.get(&append.gid);
        let mut header = append.judge(present.map(|(header, _)| header), UnixMillis(0))?;
        header.lease_until = None;
        let text = String::from_utf8(append.chunk.bytes().to_vec()).unwrap();
        let before = match append.chunk {
            Chunk::Add(_) => present.map_or(String::new(), |(_, history)| history.clone()),
            Chunk::Replace(_) => String::new(),
        };
        let revision = header.revision.0;
        self.records
            .insert(append.gid.clone(), (header, before + &text));
        self.applied += 1;
        Ok(revision)
    }
}

fn random_append(dice: &mut fastrand::Rng, model: &Model, at_ms: i64) -> Append {
    let name = format!("g{}", dice.u8(..12));
    let mut append = creation(&name, at_ms);
    let present = model
        .records
        .get(&append.gid)
        .filter(|(header, _)| !header.status.is_final());
    if let Some((header, _)) = present
        && dice.u8(..10) > 0
    {
        let off = u64::from(dice.u8(..8) == 0);
        append.expected = Expected::At {
            revision: seata_store::Revision(header.revision.0 + off),
            token: seata_store::FencingToken(header.token.0 + u64::from(dice.u8(..8) == 0)),
        };
    }
    append.status = *dice
        .choice(&[
            Status::Submitted,
            Status::Aborting,
            Status::Stuck,
            Status::Committed,
        ])
        .unwrap();
    append.wake_at = (!append.status.is_final()).then_some(UnixMillis(i64::MAX / 2));
    let text = Bytes::from(format!("<{at_ms}>"));
    append.chunk = if dice.u8(..6) == 0 {
        Chunk::Replace(text)
    } else {
        Chunk::Add(text)
    };
    append.lease = match dice.u8(..3) {
        0 => LeaseChange::Keep,
        1 => LeaseChange::Take {
            owner: Owner(7),
            lasts: std::time::Duration::from_secs(60),
        },
        _ => LeaseChange::Release,
    };
    append
}

/// Some thousand random appends, good and bad, with restarts in between: the store answers as the model does.
pub async fn random_histories_agree_with_the_model(mut fixture: impl Fixture) {
    let restarts = fixture.leases() != crate::Leases::Lost;
    let mut dice = fastrand::Rng::with_seed(4_711);
    let mut model = Model::default();
    for at_ms in 1..2_000 {
        let append = random_append(&mut dice, &model, at_ms);
        let store = fixture.store();
        let answer = store.append(vec![append.clone()]).await.remove(0).unwrap();
        match (model.append(&append), answer) {
            (Ok(revision), AppendOutcome::Applied(applied)) => assert_eq!(applied.0, revision),
            (Err(Refusal::Exists), AppendOutcome::Exists(stored)) => compare(&model, *stored),
            (Err(Refusal::Stale), AppendOutcome::Stale)
            | (Err(Refusal::Fenced), AppendOutcome::Fenced) => {}
            (expected, answer) => {
                panic!("append {at_ms}: the model says {expected:?}, the store {answer:?}")
            }
        }
        drop(store);
        if restarts && at_ms % 500 == 0 {
            fixture.reopen().await;
        }
    }
    check_all(fixture.store().as_ref(), &model).await;
}

/// Random appends, claims, renewals, lists and purges in one order: the store answers each as the model does. Leases are
/// so long that none passes, so that no clock has a say.
pub async fn random_calls_agree_with_the_model(fixture: impl Fixture) {
    let store = fixture.store();
    let mut dice = fastrand::Rng::with_seed(90_125);
    let mut model = Model::default();
    for at_ms in 1..3_000 {
        match dice.u8(..10) {
            0 => claim(&fixture, &mut model, dice.usize(1..4)).await,
            1 => renew(store.as_ref(), &model, &mut dice).await,
            2 => list(store.as_ref(), &model, &mut dice).await,
            3 if dice.bool() => purge(store.as_ref(), &mut model, at_ms - 20).await,
            3..=9 => {
                let mut append = random_append(&mut dice, &model, at_ms);
                append.wake_at = append.wake_at.map(|_| UnixMillis(at_ms));
                append_both(store.as_ref(), &mut model, append).await;
            }
            10..=u8::MAX => unreachable!("a die of ten sides"),
        }
    }
    check_all(store.as_ref(), &model).await;
    assert!(
        model.applied > 500,
        "too little happened: {}",
        model.applied
    );
}

const LONG: Duration = Duration::from_secs(600);

/// A lease that never passes, as the model writes it.
const HELD: Option<UnixMillis> = Some(UnixMillis(i64::MAX));

async fn append_both(store: &dyn TxnStore, model: &mut Model, append: Append) {
    let answer = store.append(vec![append.clone()]).await.remove(0);
    let kept = model.records.get(&append.gid);
    let lease_until = match append.lease {
        LeaseChange::Keep => kept.and_then(|(header, _)| header.lease_until),
        LeaseChange::Take { .. } => HELD,
        LeaseChange::Release => None,
    };
    match (model.append(&append), answer.unwrap()) {
        (Ok(revision), AppendOutcome::Applied(applied)) => {
            assert_eq!(applied.0, revision);
            let (header, _) = model.records.get_mut(&append.gid).unwrap();
            header.lease_until = lease_until;
        }
        (Err(Refusal::Exists), AppendOutcome::Exists(stored)) => compare(model, *stored),
        (Err(Refusal::Stale), AppendOutcome::Stale)
        | (Err(Refusal::Fenced), AppendOutcome::Fenced) => {}
        (expected, answer) => panic!("{append:?}: the model says {expected:?}, not {answer:?}"),
    }
}

async fn claim(fixture: &dyn Fixture, model: &mut Model, count: usize) {
    let store = fixture.store();
    let limit = ClaimLimit {
        count,
        bytes: 64 << 20,
    };
    let mut due: Vec<(UnixMillis, Gid)> = model
        .records
        .values()
        .filter(|(header, _)| header.lease_until.is_none() && !header.status.is_final())
        .filter_map(|(header, _)| Some((header.wake_at?, header.gid.clone())))
        .collect();
    due.sort_unstable();
    let due: Vec<_> = due.into_iter().map(|(_, gid)| gid).collect();
    let claimed = store.claim_due(Owner(7), LONG, limit).await.unwrap();
    let names: Vec<_> = claimed.iter().map(|one| one.header.gid.clone()).collect();
    assert_eq!(names.len(), count.min(due.len()));
    check_order(fixture, &due, &names);
    for stored in claimed {
        let (header, _) = model.records.get_mut(&stored.header.gid).unwrap();
        header.token.0 += 1;
        header.owner = Some(Owner(7));
        header.lease_until = HELD;
        compare(model, stored);
    }
}

async fn renew(store: &dyn TxnStore, model: &Model, dice: &mut fastrand::Rng) {
    let mut asked = vec![(gid("nobody"), FencingToken(1))];
    let mut expected = vec![Held::Lost];
    for (name, (header, _)) in &model.records {
        let token = FencingToken(header.token.0 + u64::from(dice.u8(..4) == 0));
        asked.push((name.clone(), token));
        let held =
            header.token == token && header.lease_until.is_some() && !header.status.is_final();
        expected.push(match held {
            true => Held::Renewed(header.revision),
            false => Held::Lost,
        });
    }
    assert_eq!(store.renew(&asked, LONG).await.unwrap(), expected);
}

async fn list(store: &dyn TxnStore, model: &Model, dice: &mut fastrand::Rng) {
    let query = ListQuery {
        status: match dice.bool() {
            true => vec![Status::Committed, Status::Stuck],
            false => Vec::new(),
        },
        created_from: dice.bool().then(|| UnixMillis(dice.i64(..3_000))),
        created_before: dice.bool().then(|| UnixMillis(dice.i64(..3_000))),
        gid_prefix: (dice.u8(..4) == 0).then(|| "g1".to_owned()),
        ..ListQuery::newest(PAGE_MAX)
    };
    let headers = model.records.values().map(|(header, _)| header);
    let mut expected: Vec<_> = headers
        .filter(|header| query.matches(header))
        .map(|header| (Reverse(header.created_at), header.gid.clone()))
        .collect();
    expected.sort_unstable();
    let page = store.list(&query).await.unwrap();
    let found: Vec<_> = page
        .items
        .into_iter()
        .map(|header| (Reverse(header.created_at), header.gid))
        .collect();
    assert_eq!(found, expected);
}

async fn purge(store: &dyn TxnStore, model: &mut Model, before_ms: i64) {
    let old =
        |header: &Header| header.status.is_final() && header.updated_at < UnixMillis(before_ms);
    let expected = model.records.values().filter(|(one, _)| old(one)).count();
    let mut purged = 0;
    // A purge goes on where the last one ended, and begins anew behind the newest.
    for _ in 0..4 {
        purged += store.purge(UnixMillis(before_ms), 100).await.unwrap();
    }
    assert_eq!(purged, expected);
    model.records.retain(|_, (header, _)| !old(header));
}

async fn check_all(store: &dyn TxnStore, model: &Model) {
    for gid in model.records.keys() {
        compare(model, store.load(gid).await.unwrap().unwrap());
    }
    assert_eq!(store.load(&gid("nobody")).await.unwrap(), None);
}

fn compare(model: &Model, mut stored: seata_store::Stored) {
    stored.header.lease_until = None;
    let (mut header, text) = model.records[&stored.header.gid].clone();
    header.lease_until = None;
    assert_eq!(stored.header, header);
    assert_eq!(history(&stored), text);
}

//! Random histories against the plainest model of the contract.

use std::collections::BTreeMap;

use bytes::Bytes;
use seata_store::{
    Append, AppendOutcome, Chunk, Expected, Gid, Header, LeaseChange, Owner, Refusal, Status,
    TxnStore, UnixMillis,
};

use crate::fixture::{Fixture, creation, gid, history};

#[derive(Default)]
struct Model {
    records: BTreeMap<Gid, (Header, String)>,
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

async fn check_all(store: &dyn TxnStore, model: &Model) {
    for gid in model.records.keys() {
        compare(model, store.load(gid).await.unwrap().unwrap());
    }
    assert_eq!(store.load(&gid("nobody")).await.unwrap(), None);
}

fn compare(model: &Model, mut stored: seata_store::Stored) {
    stored.header.lease_until = None;
    let (header, text) = &model.records[&stored.header.gid];
    assert_eq!(&stored.header, header);
    assert_eq!(&history(&stored), text);
}

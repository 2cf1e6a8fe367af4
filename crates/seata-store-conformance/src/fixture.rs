//! What the suite needs of an adapter, and small helpers to speak with it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use seata_store::{
    Append, AppendOutcome, Chunk, ClaimLimit, Expected, FencingToken, Gid, Header, LeaseChange,
    Mode, Owner, Revision, Status, StoreError, StoreErrorKind, Stored, TxnStore, UnixMillis,
};

/// What becomes of leases when a store is closed and opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leases {
    /// They hold on: others may share the store.
    Hold,
    /// They are void: the store has one owner at a time.
    Void,
    /// Nothing survives.
    Lost,
}

/// One store under test, empty at first.
#[async_trait]
pub trait Fixture: Send + Sync + 'static {
    /// Answers the store.
    fn store(&self) -> Arc<dyn TxnStore>;

    /// Closes and opens it again, as a restart does. Whoever holds the store from before has dropped it.
    async fn reopen(&mut self);

    /// Opens again what the store left behind at this instant, without closing it, as after kill -9. A store whose
    /// server lives on has nothing to do but to connect anew; that is [`Fixture::reopen`].
    async fn crash(&mut self) {
        self.reopen().await;
    }

    /// Says what a restart does to leases.
    fn leases(&self) -> Leases;

    /// Lets so much of the store's time pass: by waiting, or by moving its clock.
    async fn pass(&self, span: Duration);

    /// Says of how many parts the store is made. A list looks at a bounded number of each.
    fn parts(&self) -> usize {
        1
    }

    /// Says which part keeps a transaction, from 0. Claims and purges keep their order within a part.
    fn part_of(&self, _gid: &Gid) -> usize {
        0
    }

    /// Answers a second handle, as another server on the same store has one: connections of its own and no memory in
    /// common. A store that one process owns has none; the first is answered then.
    async fn another(&self) -> Arc<dyn TxnStore> {
        self.store()
    }

    /// Says how many records a large test may make. [`crate::records`] lets the environment have its say.
    fn records_max(&self) -> usize {
        crate::records(50_000)
    }
}

pub(crate) const LEASE: Duration = Duration::from_millis(150);
pub(crate) const ALL: ClaimLimit = ClaimLimit {
    count: 1_000,
    bytes: 64 << 20,
};

/// Parses a name.
///
/// # Panics
/// It is none.
#[must_use]
pub fn gid(text: &str) -> Gid {
    Gid::parse(text).unwrap()
}

/// Answers so many names, in order, that lie in one part.
pub(crate) fn names_together(fixture: &dyn Fixture, prefix: &str, count: usize) -> Vec<String> {
    let names = (0..).map(|n| format!("{prefix}{n:04}"));
    let part = fixture.part_of(&gid(&format!("{prefix}0000")));
    let together = names.filter(|name| fixture.part_of(&gid(name)) == part);
    together.take(count).collect()
}

/// Checks that of what is due in each part, nothing was passed over: what was claimed comes before what was not.
/// `due` is in the order of wake-ups.
pub(crate) fn check_order(fixture: &dyn Fixture, due: &[Gid], claimed: &[Gid]) {
    for part in 0..fixture.parts() {
        let of_part = due.iter().filter(|gid| fixture.part_of(gid) == part);
        let passed_over = of_part
            .skip_while(|gid| claimed.contains(gid))
            .find(|gid| claimed.contains(gid));
        assert_eq!(
            passed_over, None,
            "an earlier one of its part was passed over"
        );
    }
    assert!(
        claimed.iter().all(|gid| due.contains(gid)),
        "not due: {claimed:?}"
    );
}

/// Makes a creation at time `at_ms`, due at once, without a lease. Its chunk is the name in brackets.
///
/// # Panics
/// The name is none.
#[must_use]
pub fn creation(name: &str, at_ms: i64) -> Append {
    Append {
        gid: gid(name),
        mode: Mode::Saga,
        expected: Expected::Absent,
        status: Status::Submitted,
        wake_at: Some(UnixMillis(at_ms)),
        lease: LeaseChange::Keep,
        chunk: Chunk::Add(Bytes::from(format!("[{name}]"))),
        at: UnixMillis(at_ms),
    }
}

/// Makes the next append to a record, with the lease as it is.
#[must_use]
pub fn following(header: &Header, text: &str) -> Append {
    Append {
        chunk: Chunk::Add(Bytes::copy_from_slice(text.as_bytes())),
        ..Append::to(header)
    }
}

/// Makes the append that commits a record.
#[must_use]
pub fn ending(header: &Header) -> Append {
    Append {
        status: Status::Committed,
        wake_at: None,
        lease: LeaseChange::Release,
        ..following(header, "end")
    }
}

/// Takes the lease for longer than any test runs.
pub(crate) const fn holding(owner: u128) -> LeaseChange {
    LeaseChange::Take {
        owner: Owner(owner),
        lasts: Duration::from_secs(600),
    }
}

pub(crate) const fn taking(owner: u128) -> LeaseChange {
    LeaseChange::Take {
        owner: Owner(owner),
        lasts: LEASE,
    }
}

/// Appends one.
///
/// # Errors
/// The store's.
///
/// # Panics
/// There is not one answer.
pub async fn append(store: &dyn TxnStore, append: Append) -> Result<AppendOutcome, StoreError> {
    let mut answers = store.append(vec![append]).await;
    assert_eq!(answers.len(), 1, "one answer per append");
    answers.remove(0)
}

/// Appends what must be applied, and answers the record.
///
/// # Panics
/// It is not applied, or somebody else wrote meanwhile.
pub async fn applied(store: &dyn TxnStore, one: Append) -> Stored {
    let name = one.gid.clone();
    let outcome = append(store, one).await.unwrap();
    let stored = loaded(store, &name).await;
    assert_eq!(
        outcome,
        AppendOutcome::Applied(stored.header.revision),
        "{name}"
    );
    stored
}

/// Appends what must be applied, in batches as the store likes them, in no order.
pub(crate) async fn applied_all(store: &dyn TxnStore, appends: Vec<Append>) {
    let limits = store.limits();
    let mut batches = Vec::new();
    let mut appends = appends.into_iter().peekable();
    while appends.peek().is_some() {
        let batch: Vec<_> = appends.by_ref().take(limits.batch_count_max).collect();
        batches.push(store.append(batch));
    }
    stream::iter(batches)
        .buffer_unordered(limits.batches_in_flight_max)
        .for_each(|answers| async {
            for answer in answers {
                assert!(matches!(answer.unwrap(), AppendOutcome::Applied(_)));
            }
        })
        .await;
}

/// Answers whether a caller may try again after this error: servers run into each other, and say so.
pub(crate) fn is_retriable(error: &StoreError) -> bool {
    match error.kind {
        StoreErrorKind::Unavailable | StoreErrorKind::Ambiguous => true,
        StoreErrorKind::Corrupt | StoreErrorKind::Invalid => false,
    }
}

/// Loads what must be there.
///
/// # Panics
/// It is not.
pub async fn loaded(store: &dyn TxnStore, name: &Gid) -> Stored {
    store
        .load(name)
        .await
        .unwrap()
        .unwrap_or_else(|| panic!("{name} is gone"))
}

/// Answers the whole history as text.
///
/// # Panics
/// It is none.
#[must_use]
pub fn history(stored: &Stored) -> String {
    String::from_utf8(stored.chunks.concat()).unwrap()
}

pub(crate) async fn now(store: &dyn TxnStore) -> UnixMillis {
    store.ping().await.unwrap()
}

/// Claims until something comes, as long as a patient worker would.
pub(crate) async fn claim_eventually(fixture: &dyn Fixture, owner: u128) -> Vec<Stored> {
    for _ in 0..200 {
        let claimed = fixture
            .store()
            .claim_due(Owner(owner), LEASE, ALL)
            .await
            .unwrap();
        if !claimed.is_empty() {
            return claimed;
        }
        fixture.pass(Duration::from_millis(20)).await;
    }
    panic!("nothing became due");
}

pub(crate) const fn token(number: u64) -> FencingToken {
    FencingToken(number)
}

pub(crate) const fn revision(number: u64) -> Revision {
    Revision(number)
}

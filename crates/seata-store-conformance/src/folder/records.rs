//! Records whose histories the tests of folders choose.

use bytes::Bytes;
use seata_store::{
    Append, AppendOutcome, Chunk, Expected, FencingToken, Gid, Header, LeaseChange, Mode, Status,
    StoreError, Stored, TxnStore, UnixMillis,
};

use crate::fixture::gid;

/// Makes a creation, due at once, without a lease.
pub fn creation(name: &str, chunk: Bytes) -> Append {
    Append {
        gid: gid(name),
        mode: Mode::Saga,
        expected: Expected::Absent,
        status: Status::Submitted,
        wake_at: Some(UnixMillis(1_000)),
        lease: LeaseChange::Keep,
        chunk: Chunk::Add(chunk),
        at: UnixMillis(1_000),
    }
}

/// Makes the next append to a record; a final status ends it.
pub fn following(header: &Header, chunk: Bytes, status: Status) -> Append {
    Append {
        status,
        wake_at: header.wake_at.filter(|_| !status.is_final()),
        chunk: Chunk::Add(chunk),
        ..Append::to(header)
    }
}

/// Appends what must be applied, and answers the record.
///
/// # Panics
/// It is not applied.
pub async fn applied(store: &dyn TxnStore, append: Append) -> Stored {
    let name = append.gid.clone();
    let answer = store.append(vec![append]).await.remove(0).unwrap();
    assert!(
        matches!(answer, AppendOutcome::Applied(_)),
        "{name}: {answer:?}"
    );
    store.load(&name).await.unwrap().unwrap()
}

/// Loads what may be damaged: the record with its chunks joined, without the token, which a restart may raise.
///
/// # Errors
/// The store's.
pub async fn record(
    store: &dyn TxnStore,
    name: &Gid,
) -> Result<Option<(Header, Bytes)>, StoreError> {
    let stored = store.load(name).await?;
    Ok(stored.map(|mut stored| {
        stored.header.token = FencingToken(0);
        (stored.header, stored.chunks.concat().into())
    }))
}

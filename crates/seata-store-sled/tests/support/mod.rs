//! What the tests of files and processes share.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses a part of it, and fails by panicking"
)]

use std::fs;
use std::path::Path;

use bytes::Bytes;
use seata_store::{
    Append, AppendOutcome, Chunk, Expected, FencingToken, Gid, Header, LeaseChange, Mode, Status,
    StoreError, Stored, TxnStore, UnixMillis,
};
use seata_store_sled::{OpenError, SledOptions, SledStore};

/// Opens a folder; a write that fails ends the test.
pub(crate) fn open(folder: &Path) -> Result<SledStore, OpenError> {
    SledStore::open(
        folder,
        SledOptions {
            disk_free_min_bytes: 0,
            on_fatal: Box::new(|why| panic!("{why}")),
        },
    )
}

pub(crate) fn gid(text: &str) -> Gid {
    Gid::parse(text).unwrap()
}

/// A creation, due at once, without a lease.
pub(crate) fn creation(name: &str, chunk: Bytes) -> Append {
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

/// The next append to a record; a final status ends it.
pub(crate) fn following(header: &Header, chunk: Bytes, status: Status) -> Append {
    Append {
        expected: Expected::At {
            revision: header.revision,
            token: header.token,
        },
        status,
        wake_at: header.wake_at.filter(|_| !status.is_final()),
        ..creation(header.gid.as_str(), chunk)
    }
}

/// Appends what must be applied, and answers the record.
pub(crate) async fn applied(store: &SledStore, append: Append) -> Stored {
    let name = append.gid.clone();
    let answer = store.append(vec![append]).await.remove(0).unwrap();
    assert!(
        matches!(answer, AppendOutcome::Applied(_)),
        "{name}: {answer:?}"
    );
    store.load(&name).await.unwrap().unwrap()
}

/// Loads what may be damaged: the record with its chunks joined, without the token, which a restart may raise.
pub(crate) async fn record(
    store: &SledStore,
    name: &Gid,
) -> Result<Option<(Header, Bytes)>, StoreError> {
    let stored = store.load(name).await?;
    Ok(stored.map(|mut stored| {
        stored.header.token = FencingToken(0);
        (stored.header, stored.chunks.concat().into())
    }))
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

//! Appends batches to a new store and says how many there were, so that the system calls of one can be counted:
//! `strace -f -c -e trace=fdatasync,fsync target/debug/examples/appends 1000`.

use std::time::Instant;

use anyhow::{Context, ensure};
use bytes::Bytes;
use seata_store::{
    Append, AppendOutcome, Chunk, Expected, Gid, LeaseChange, Mode, Status, TxnStore, UnixMillis,
};
use seata_store_fjall::{FjallOptions, FjallStore};

const APPENDS_PER_BATCH: usize = 16;
const CHUNK_BYTES: usize = 300;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let batches = match std::env::args().nth(1) {
        Some(text) => text.parse().context("the number of batches")?,
        None => 1_000,
    };
    let folder = tempfile::tempdir()?;
    let store = FjallStore::open(folder.path(), FjallOptions::new(|why| panic!("{why}")))?;
    let began = Instant::now();
    for number in 0..batches {
        let batch = (0..APPENDS_PER_BATCH)
            .map(|part| creation(number, part))
            .collect::<Result<_, _>>()?;
        for answer in store.append(batch).await {
            ensure!(matches!(answer?, AppendOutcome::Applied(_)), "not applied");
        }
    }
    let spent = began.elapsed();
    eprintln!("{batches} batches of {APPENDS_PER_BATCH} appends in {spent:.2?}");
    Ok(())
}

fn creation(batch: usize, part: usize) -> anyhow::Result<Append> {
    Ok(Append {
        gid: Gid::parse(&format!("batch-{batch}-{part}"))?,
        mode: Mode::Saga,
        expected: Expected::Absent,
        status: Status::Submitted,
        wake_at: Some(UnixMillis(0)),
        lease: LeaseChange::Keep,
        chunk: Chunk::Add(Bytes::from(vec![b'x'; CHUNK_BYTES])),
        at: UnixMillis(0),
    })
}

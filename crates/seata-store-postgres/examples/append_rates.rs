//! Measures appends: how many records a second, by the size of batches and by how many are in flight. It writes into the
//! database that it is given: `cargo run -p seata-store-postgres --example append_rates -- postgres://…/empty_database`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use futures_util::future::try_join_all;
use seata_store::{
    Append, AppendOutcome, Chunk, Expected, FencingToken, Gid, LeaseChange, Mode, Owner, Revision,
    Status, TxnStore, UnixMillis,
};
use seata_store_postgres::{PostgresOptions, PostgresStore};

const CHUNK_BYTES: usize = 600;
const EACH: Duration = Duration::from_millis(1_500);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args()
        .nth(1)
        .context("the address of an empty database")?;
    let store = PostgresStore::open(PostgresOptions::new(address)).await?;
    eprintln!("records/s, half created and half ended; rows: batch, columns: 1, 2, 4, 8 in flight");
    let mut run = 0;
    for batch in [1, 8, 64, 256] {
        let mut line = format!("{batch:>4}");
        for in_flight in [1, 2, 4, 8] {
            run += 1;
            let rate = measure(&store, run, batch, in_flight).await?;
            line += &format!("{rate:>9.0}");
        }
        eprintln!("{line}");
    }
    Ok(())
}

async fn measure(
    store: &PostgresStore,
    run: usize,
    batch: usize,
    in_flight: usize,
) -> anyhow::Result<f64> {
    let count = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let lanes = (0..in_flight).map(|lane| {
        let (store, count) = (store.clone(), Arc::clone(&count));
        async move {
            let mut open: Vec<Gid> = Vec::new();
            for round in 0.. {
                let fresh = if batch == 1 { round % 2 } else { batch / 2 };
                let ended = open.len().min(batch - fresh);
                let mut asked: Vec<Append> = open.drain(..ended).map(ending).collect();
                for n in asked.len()..batch {
                    let gid = Gid::parse(&format!("r{run}-{lane}-{round}-{n}"))?;
                    open.push(gid.clone());
                    asked.push(creation(gid));
                }
                for answer in store.append(asked).await {
                    ensure!(matches!(answer?, AppendOutcome::Applied(_)), "not applied");
                }
                count.fetch_add(batch, Ordering::Relaxed);
                if began.elapsed() > EACH {
                    break;
                }
            }
            Ok(())
        }
    });
    try_join_all(lanes.map(tokio::spawn))
        .await?
        .into_iter()
        .collect::<anyhow::Result<()>>()?;
    Ok(f64::from(u32::try_from(count.load(Ordering::Relaxed))?) / began.elapsed().as_secs_f64())
}

fn creation(gid: Gid) -> Append {
    Append {
        gid,
        mode: Mode::Saga,
        expected: Expected::Absent,
        status: Status::Submitted,
        wake_at: Some(UnixMillis(1)),
        lease: LeaseChange::Take {
            owner: Owner(7),
            lasts: Duration::from_secs(10),
        },
        chunk: Chunk::Add(Bytes::from(vec![7; CHUNK_BYTES])),
        at: UnixMillis(1),
    }
}

fn ending(gid: Gid) -> Append {
    Append {
        expected: Expected::At {
            revision: Revision(1),
            token: FencingToken(1),
        },
        status: Status::Committed,
        wake_at: None,
        lease: LeaseChange::Release,
        chunk: Chunk::Add(Bytes::from_static(&[8; 60])),
        ..creation(gid)
    }
}

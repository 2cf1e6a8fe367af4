//! Measures durable appends on a Redis: `cargo run --example appends -- <address> [partitions] [connections]`. Prints
//! records per second by batch size and batches in flight, and what one batch costs in scripts.
#![allow(clippy::print_stdout, reason = "that is what it is for")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use seata_store::{
    Append, AppendOutcome, Chunk, ClaimLimit, Expected, Gid, LeaseChange, Mode, Owner, Status,
    TxnStore, UnixMillis,
};
use seata_store_redis::{RedisOptions, RedisStore};

const SPAN: Duration = Duration::from_millis(1_500);

fn creation(number: u64) -> Result<Append> {
    Ok(Append {
        gid: Gid::parse(&format!("measured-{number}"))?,
        mode: Mode::Saga,
        expected: Expected::Absent,
        status: Status::Submitted,
        wake_at: Some(UnixMillis(4_000_000_000_000)),
        lease: LeaseChange::Take {
            owner: Owner(1),
            lasts: Duration::from_secs(600),
        },
        chunk: Chunk::Add(vec![7; 600].into()),
        at: UnixMillis(1_000),
    })
}

async fn writer(store: RedisStore, batch: u64, numbers: Arc<AtomicU64>) -> Result<u64> {
    let (begun, mut written) = (Instant::now(), 0);
    while begun.elapsed() < SPAN {
        let first = numbers.fetch_add(batch, Ordering::Relaxed);
        let creations = (first..first + batch)
            .map(creation)
            .collect::<Result<_>>()?;
        for answer in store.append(creations).await {
            ensure!(matches!(answer?, AppendOutcome::Applied(_)), "not applied");
        }
        written += batch;
    }
    Ok(written)
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let address = words.next().context("the address of a Redis is missing")?;
    let partitions = words.next().map(|word| word.parse()).transpose()?;
    let connections: Option<u32> = words.next().map(|word| word.parse()).transpose()?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let mut options = RedisOptions::new(address);
    options.prefix = format!("measured-{}", now.as_millis());
    options.partitions = partitions;
    options.connections_max = connections.unwrap_or(options.connections_max);
    options.timeout = Duration::from_secs(10);
    let store = RedisStore::open(options).await?;
    let numbers = Arc::new(AtomicU64::new(0));
    println!("batch  in flight  records/s");
    for batch in [1, 8, 64, 256] {
        for in_flight in [1, 2, 4, 8] {
            let begun = Instant::now();
            let writers: Vec<_> = (0..in_flight)
                .map(|_| tokio::spawn(writer(store.clone(), batch, Arc::clone(&numbers))))
                .collect();
            let mut written = 0;
            for one in writers {
                written += one.await??;
            }
            let millis = u64::try_from(begun.elapsed().as_millis())?;
            println!("{batch:5}  {in_flight:9}  {:9}", written * 1_000 / millis);
        }
    }
    let begun = Instant::now();
    let limit = ClaimLimit {
        count: 256,
        bytes: 8 << 20,
    };
    for _ in 0..200 {
        store
            .claim_due(Owner(1), Duration::from_secs(60), limit)
            .await?;
    }
    println!("a claim of nothing: {:?}", begun.elapsed() / 200);
    Ok(())
}

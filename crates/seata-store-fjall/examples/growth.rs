//! Says what a transaction costs in a store that holds many: time and memory with so many open, and with so many ended.
//! Run it in release, on a disk: `cargo run --release -p seata-store-fjall --example growth -- FOLDER OPEN ENDED`.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use seata_store::{
    Append, AppendOutcome, Chunk, ClaimLimit, Expected, FencingToken, Gid, LeaseChange, ListQuery,
    Mode, Owner, Revision, Status, TxnStore, UnixMillis,
};
use seata_store_fjall::{FjallOptions, FjallStore};

/// As many as 64 connections bring into a batch.
const BATCH: usize = 32;
const CREATED_BYTES: usize = 500;
const ENDED_BYTES: usize = 120;
const PROBES: usize = 40_000;
const OWNER: Owner = Owner(7);
const HOUR: Duration = Duration::from_secs(3600);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().context("give a folder that isn't there")?;
    let mut number = || -> Result<usize> { Ok(args.next().context("give two numbers")?.parse()?) };
    let (open, ended) = (number()?, number()?);
    let folder = Path::new(&folder);
    ensure!(!folder.exists(), "the folder is there already");
    let store = opened(folder, "empty")?;
    let mut names = Names(88_172_645_463_325_252);
    probe(&store, &mut names, "empty").await?;
    if ended > 0 {
        let (resident, cpu) = (resident_bytes()?, cpu()?);
        lives(&store, &mut names, ended).await?;
        let each = cpu_us_each(cpu, ended)?;
        eprintln!("{ended} ended: {each:.1} µs of processor time each");
        grown(resident, ended, "ended")?;
        probe(&store, &mut names, "with those ended").await?;
    }
    if open > 0 {
        let resident = resident_bytes()?;
        waits(&store, &mut names, open).await?;
        grown(resident, open, "open")?;
        probe(&store, &mut names, "with those open").await?;
    }
    drop(store);
    let store = opened(folder, "again")?;
    probe(&store, &mut names, "after the start").await?;
    lists(&store).await?;
    claims(&store, open.min(50_000)).await
}

fn opened(folder: &Path, what: &str) -> Result<FjallStore> {
    let options = FjallOptions::new(|why| panic!("{why}"));
    let begun = Instant::now();
    let store = FjallStore::open(folder, options)?;
    let (took, resident) = (begun.elapsed(), resident_bytes()? >> 20);
    eprintln!("opened {what}: {took:.2?}, {resident} MiB");
    Ok(store)
}

/// Says what a transaction costs from its creation to its end.
async fn probe(store: &FjallStore, names: &mut Names, when: &str) -> Result<()> {
    let (begun, cpu) = (Instant::now(), cpu()?);
    let slowest = lives(store, names, PROBES).await?;
    let each = cpu_us_each(cpu, PROBES)?;
    let rate = PROBES as f64 / begun.elapsed().as_secs_f64();
    eprintln!("{when}: {each:.1} µs of processor time, {rate:.0}/s, slowest batch {slowest:.2?}");
    Ok(())
}

fn grown(before: u64, count: usize, what: &str) -> Result<()> {
    let after = resident_bytes()?;
    let each = after.saturating_sub(before) as f64 / count as f64;
    let resident = after >> 20;
    eprintln!("{count} {what}: {resident} MiB, {each:.1} bytes more for each");
    Ok(())
}

/// Creates and ends so many, a batch each. Answers how long the slowest batch took.
async fn lives(store: &FjallStore, names: &mut Names, count: usize) -> Result<Duration> {
    let mut slowest = Duration::ZERO;
    for _ in 0..count / BATCH {
        let gids: Vec<_> = (0..BATCH).map(|_| names.next()).collect::<Result<_>>()?;
        let now = store.ping().await?;
        let created = gids.iter().map(|gid| creation(gid.clone(), now));
        slowest = slowest.max(append(store, created.collect()).await?);
        let ended = gids.into_iter().map(|gid| Append {
            status: Status::Committed,
            wake_at: None,
            lease: LeaseChange::Release,
            chunk: Chunk::Add(Bytes::from(vec![b'e'; ENDED_BYTES])),
            ..second(gid, now)
        });
        slowest = slowest.max(append(store, ended.collect()).await?);
    }
    Ok(slowest)
}

/// Creates so many that are due at once, and that nobody claims.
async fn waits(store: &FjallStore, names: &mut Names, count: usize) -> Result<()> {
    for _ in 0..count / BATCH {
        let gids: Vec<_> = (0..BATCH).map(|_| names.next()).collect::<Result<_>>()?;
        let now = store.ping().await?;
        let created = gids.iter().map(|gid| creation(gid.clone(), now));
        append(store, created.collect()).await?;
        let released = gids.into_iter().map(|gid| second(gid, now));
        append(store, released.collect()).await?;
    }
    Ok(())
}

async fn append(store: &FjallStore, batch: Vec<Append>) -> Result<Duration> {
    let begun = Instant::now();
    for answer in store.append(batch).await {
        ensure!(matches!(answer?, AppendOutcome::Applied(_)), "not applied");
    }
    Ok(begun.elapsed())
}

fn creation(gid: Gid, now: UnixMillis) -> Append {
    Append {
        expected: Expected::Absent,
        lease: LeaseChange::Take {
            owner: OWNER,
            lasts: Duration::from_secs(10),
        },
        chunk: Chunk::Add(Bytes::from(vec![b'c'; CREATED_BYTES])),
        ..second(gid, now)
    }
}

/// What follows the creation: it waits.
fn second(gid: Gid, now: UnixMillis) -> Append {
    Append {
        gid,
        mode: Mode::Saga,
        expected: Expected::At {
            revision: Revision(1),
            token: FencingToken(1),
        },
        status: Status::Submitted,
        wake_at: Some(now),
        lease: LeaseChange::Release,
        chunk: Chunk::Add(Bytes::from(vec![b'w'; ENDED_BYTES])),
        at: now,
    }
}

async fn lists(store: &FjallStore) -> Result<()> {
    let begun = Instant::now();
    let page = store.list(&ListQuery::newest(100)).await?;
    let took = begun.elapsed();
    eprintln!("a page of {}: {took:.2?}", page.items.len());
    let begun = Instant::now();
    let purged = store.purge(store.ping().await?.plus(HOUR), 1000).await?;
    eprintln!("a purge of {purged}: {:.2?}", begun.elapsed());
    Ok(())
}

/// Claims so many, as an engine does after a start.
async fn claims(store: &FjallStore, count: usize) -> Result<()> {
    let limit = ClaimLimit {
        count: 256,
        bytes: 8 << 20,
    };
    let (begun, mut claimed) = (Instant::now(), 0);
    while claimed < count {
        claimed += store.claim_due(OWNER, HOUR, limit).await?.len();
    }
    eprintln!("{claimed} claimed: {:.2?}", begun.elapsed());
    Ok(())
}

/// Makes random names in the form of a UUID.
struct Names(u64);

impl Names {
    fn next(&mut self) -> Result<Gid> {
        let (high, low) = (self.random(), self.random());
        let text = format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        );
        Ok(Gid::parse(&text)?)
    }

    fn random(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn cpu() -> Result<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Ok(Duration::try_from(time)?)
}

/// Answers what each of so many took since then, in microseconds.
fn cpu_us_each(since: Duration, count: usize) -> Result<f64> {
    Ok((cpu()? - since).as_secs_f64() * 1e6 / count as f64)
}

fn resident_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_ascii_whitespace().next());
    Ok(kib.context("no resident memory")?.parse::<u64>()? * 1024)
}

//! Loss of power: of what was written since the last sync of a file, any part may be on the disk and any part not.
//!
//! Each sync of the log is looked at before it happens: the file as it was durable, with some of the blocks that were
//! written since, is what a loss of power could leave at that instant. It must open, and hold all that was acknowledged.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::Bytes;
use seata_store::{
    Append, AppendOutcome, Chunk, Expected, Gid, LeaseChange, Mode, Status, Stored, TxnStore,
    UnixMillis,
};

use crate::{SledOptions, SledStore};

const BLOCK_BYTES: usize = 4_096;
const SEGMENT_BYTES: usize = 8 << 20;

/// Which of the blocks that were written since the last sync reached the disk.
const LEFT: [fn(usize, usize, &mut Random) -> bool; 6] = [
    |_, _, _| false,
    |_, _, _| true,
    |_, _, random| random.below(2) == 0,
    |at, count, _| at >= count / 2,
    |at, _, _| at > 0,
    |at, count, _| at + 1 < count,
];

/// The same numbers in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// What was acknowledged.
type Acknowledged = Arc<Mutex<BTreeMap<Gid, Stored>>>;

/// The disk below one life of a store.
struct Power {
    folder: PathBuf,
    acknowledged: Acknowledged,
    /// The log as it is durable.
    durable: Vec<u8>,
    /// All other files as they are durable.
    beside: Option<tempfile::TempDir>,
    random: Random,
    syncs: usize,
    found: Arc<Mutex<Found>>,
}

/// What was found.
#[derive(Debug, Default)]
struct Found {
    looks: usize,
    /// Of these, at batches that cross from one segment into the next.
    across_segments: usize,
    wrong: Vec<String>,
}

impl Power {
    fn sync(&mut self, file: &File) -> std::io::Result<()> {
        let written = fs::read(self.folder.join("sled/db"))?;
        // A start makes all names durable between its first sync and the batch that it begins with.
        if self.syncs < 2 {
            let beside = tempfile::tempdir()?;
            copy_beside(&self.folder, beside.path());
            self.beside = Some(beside);
        }
        let beside = self.beside.as_ref().unwrap().path().to_owned();
        let changed = changed(&self.durable, &written);
        let crosses = changed.windows(2).any(|pair| {
            pair[0] * BLOCK_BYTES / SEGMENT_BYTES != pair[1] * BLOCK_BYTES / SEGMENT_BYTES
        });
        self.syncs += 1;
        for (way, left) in LEFT.iter().enumerate() {
            if !crosses && !(self.syncs + way).is_multiple_of(EVERY) {
                continue;
            }
            let image = self.image(&written, &changed, left);
            let others = match self.random.below(2) {
                0 => &self.folder,
                _ => &beside,
            };
            let what = format!(
                "sync {}, way {way}, of {} blocks",
                self.syncs,
                changed.len()
            );
            let mut found = self.found.lock().unwrap();
            found.looks += 1;
            found.across_segments += usize::from(crosses);
            if let Err(why) = look(others, &image, &self.acknowledged) {
                found.wrong.push(format!("{what}: {why}"));
            }
        }
        file.sync_data()?;
        self.durable = written;
        Ok(())
    }

    /// The log with some of what was written.
    fn image(
        &mut self,
        written: &[u8],
        changed: &[usize],
        left: &fn(usize, usize, &mut Random) -> bool,
    ) -> Vec<u8> {
        let mut image = self.durable.clone();
        // The size of the file is durable, or not.
        if self.random.below(2) == 0 {
            image.resize(written.len(), 0);
        }
        for (at, block) in changed.iter().enumerate() {
            if left(at, changed.len(), &mut self.random) {
                let from = block * BLOCK_BYTES;
                let to = written.len().min(from + BLOCK_BYTES);
                if image.len() < to {
                    image.resize(to, 0);
                }
                if from < to {
                    image[from..to].copy_from_slice(&written[from..to]);
                }
            }
        }
        image
    }
}

/// How many syncs come to one look, unless a batch crosses a segment.
const EVERY: usize = 31;

fn changed(durable: &[u8], written: &[u8]) -> Vec<usize> {
    let blocks = durable.len().max(written.len()).div_ceil(BLOCK_BYTES);
    let block = |bytes: &[u8], at: usize| {
        let from = bytes.len().min(at * BLOCK_BYTES);
        let to = bytes.len().min((at + 1) * BLOCK_BYTES);
        let mut block = bytes[from..to].to_vec();
        block.resize(BLOCK_BYTES, 0);
        block
    };
    (0..blocks)
        .filter(|at| block(durable, *at) != block(written, *at))
        .collect()
}

fn copy_beside(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_beside(&path, &target);
        } else if !path.ends_with("sled/db") && path.exists() {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Opens what is left, and looks for all that was acknowledged.
fn look(others: &Path, image: &[u8], acknowledged: &Acknowledged) -> Result<(), String> {
    let left = tempfile::tempdir().unwrap();
    copy_beside(others, left.path());
    fs::write(left.path().join("sled/db"), image).unwrap();
    let expected = acknowledged.lock().unwrap().clone();
    // The one who writes is on a thread of a runtime already.
    let looked = thread::spawn(move || {
        let store = SledStore::open(left.path(), options()).map_err(|error| error.to_string())?;
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(all_are_there(&store, &expected))
    });
    let panicked = |_| Err("panicked".to_owned());
    looked.join().unwrap_or_else(panicked)
}

async fn all_are_there(store: &SledStore, expected: &BTreeMap<Gid, Stored>) -> Result<(), String> {
    for (gid, stored) in expected {
        let found = store.load(gid).await.map_err(|error| error.to_string())?;
        // The batch that was just written may be there or not.
        let is_there = found.is_some_and(|found| {
            found.header.revision > stored.header.revision || found.chunks == stored.chunks
        });
        if !is_there {
            return Err(format!("{gid} is not as it was acknowledged"));
        }
    }
    Ok(())
}

fn options() -> SledOptions {
    SledOptions {
        disk_free_min_bytes: 0,
        on_fatal: Box::new(|why| panic!("{why}")),
    }
}

fn append(name: &str, expected: Expected, status: Status, chunk: Bytes) -> Append {
    Append {
        gid: Gid::parse(name).unwrap(),
        mode: Mode::Saga,
        expected,
        status,
        wake_at: (!status.is_final()).then_some(UnixMillis(1)),
        lease: LeaseChange::Keep,
        chunk: Chunk::Add(chunk),
        at: UnixMillis(1),
    }
}

async fn applied(store: &SledStore, batch: Vec<Append>, acknowledged: &Acknowledged) {
    let names: Vec<Gid> = batch.iter().map(|append| append.gid.clone()).collect();
    for answer in store.append(batch).await {
        assert!(matches!(answer.unwrap(), AppendOutcome::Applied(_)));
    }
    for name in names {
        let stored = store.load(&name).await.unwrap().unwrap();
        acknowledged.lock().unwrap().insert(name, stored);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loss_of_power_at_any_sync_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let acknowledged = Acknowledged::default();
    let found = Arc::new(Mutex::new(Found::default()));
    let mut random = Random(0x5eed_5eed_5eed_5eed);
    for life in 0..3 {
        let log = folder.path().join("sled/db");
        let power = Mutex::new(Power {
            folder: folder.path().to_owned(),
            acknowledged: Arc::clone(&acknowledged),
            durable: fs::read(&log).unwrap_or_default(),
            beside: None,
            random: Random(7 + life),
            syncs: 0,
            found: Arc::clone(&found),
        });
        let sync = move |file: &File| power.lock().unwrap().sync(file);
        let store = SledStore::open_with(folder.path(), options(), Box::new(sync)).unwrap();
        // Tokens rise with the start.
        let names: Vec<Gid> = acknowledged.lock().unwrap().keys().cloned().collect();
        for name in names {
            let stored = store.load(&name).await.unwrap().unwrap();
            acknowledged.lock().unwrap().insert(name, stored);
        }
        for round in 0..24 {
            let length = [40, 3_000, 60_000, 400_000][usize::try_from(random.below(4)).unwrap()];
            let chunk = Bytes::from(vec![u8::try_from(round).unwrap(); length]);
            let batch: Vec<Append> =
                (0..(1 + random.below(6)).min((1 << 20) / length as u64).max(1))
                    .map(|n| {
                        let name = format!("g{life}-{round}-{n}");
                        append(&name, Expected::Absent, Status::Submitted, chunk.clone())
                    })
                    .collect();
            applied(&store, batch, &acknowledged).await;
            let opens: Vec<Stored> = acknowledged.lock().unwrap().values().cloned().collect();
            let mut next = Vec::new();
            for stored in opens {
                let header = &stored.header;
                if header.status.is_final() || random.below(3) > 0 {
                    continue;
                }
                let status = match random.below(2) {
                    0 => Status::Submitted,
                    _ => Status::Committed,
                };
                let expected = Expected::At {
                    revision: header.revision,
                    token: header.token,
                };
                let chunk = Bytes::from_static(b"more");
                next.push(append(header.gid.as_str(), expected, status, chunk));
            }
            if !next.is_empty() {
                applied(&store, next, &acknowledged).await;
            }
            if round % 8 == 7 {
                acknowledged
                    .lock()
                    .unwrap()
                    .retain(|_, stored| !stored.header.status.is_final());
                store.purge(UnixMillis(2), 100).await.unwrap();
            }
        }
    }
    let found = found.lock().unwrap();
    assert!(found.wrong.is_empty(), "{found:#?}");
    assert!(found.looks >= 20 && found.across_segments > 0, "{found:?}");
    eprintln!("{found:?}");
}

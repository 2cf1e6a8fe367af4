//! The file: one line per batch, its checksum and its records as they stand after it. It must not decide anything.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};
use seata_store::code::{mode_code, mode_of, status_code, status_of};
use seata_store::{
    FencingToken, Gid, Header, Owner, Revision, StoreError, StoreErrorKind, Stored, UnixMillis,
};
use xxhash_rust::xxh3::xxh3_64;

/// A record as it is from now on; none: it is removed.
pub(crate) type Change = (Gid, Option<Stored>);

/// The same in the file: gid; mode, status, revision, token; owner, wake-up, creation, last append; history. A lease isn't
/// written: it ends with the process.
type Row = (String, Option<(Counts, Times, String)>);
type Counts = (u8, u8, u64, u64);
type Times = (Option<u128>, Option<i64>, i64, i64);

pub(crate) struct Log {
    file: File,
    /// Once a write has failed, only opening the folder anew tells what is on the disk.
    is_broken: bool,
    _lock: File,
}

impl Log {
    /// Reads what is there, and begins a new file with all that stands.
    pub(crate) fn open(folder: &Path) -> Result<(Self, BTreeMap<Gid, Stored>), StoreError> {
        let io = |error: std::io::Error| failed(StoreErrorKind::Invalid, &error.to_string());
        let lock = File::create(folder.join("lock")).map_err(io)?;
        lock.try_lock().map_err(|error| {
            failed(
                StoreErrorKind::Invalid,
                &format!("is it open elsewhere? {error}"),
            )
        })?;
        let records = match fs::read(folder.join("log")) {
            Ok(bytes) => read(&bytes)?,
            Err(error) if error.kind() == ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(io(error)),
        };
        let file = File::create(folder.join("new")).map_err(io)?;
        let mut log = Self {
            file,
            is_broken: false,
            _lock: lock,
        };
        let stand = |(gid, stored): (&Gid, &Stored)| (gid.clone(), Some(stored.clone()));
        log.write_line(&records.iter().map(stand).collect::<Vec<_>>())
            .map_err(io)?;
        // It gets its name when it is whole and synced: its first line is never torn.
        fs::rename(folder.join("new"), folder.join("log")).map_err(io)?;
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(io)?;
        Ok((log, records))
    }

    /// Writes changes durably, all or none.
    pub(crate) fn write(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        if self.is_broken {
            return Err(failed(
                StoreErrorKind::Unavailable,
                "a write failed before: open it anew",
            ));
        }
        let written = self.write_line(changes);
        self.is_broken = written.is_err();
        written.map_err(|error| failed(StoreErrorKind::Ambiguous, &error.to_string()))
    }

    fn write_line(&mut self, changes: &[Change]) -> std::io::Result<()> {
        let json = serde_json::to_string(&changes.iter().map(row).collect::<Vec<_>>())?;
        writeln!(self.file, "{:016x}{json}", xxh3_64(json.as_bytes()))?;
        self.file.sync_data()
    }
}

pub(crate) fn failed(kind: StoreErrorKind, why: &str) -> StoreError {
    StoreError::new(kind, "keeping transactions in a folder", why)
}

/// Answers what stands at the end. A last line that isn't whole was torn by a crash and never acknowledged; any other is
/// damage, and so is one that ends in a whole one: a line's end is missing there.
fn read(bytes: &[u8]) -> Result<BTreeMap<Gid, Stored>, StoreError> {
    let mut records = BTreeMap::new();
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let count = bytes.split(|byte| *byte == b'\n').count();
    for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1..) {
        let is_torn = || (0..line.len()).all(|from| changes(&line[from..]).is_none());
        match changes(line) {
            Some(changes) => apply(&mut records, changes),
            None if number > 1 && number == count && is_torn() => {}
            None => {
                return Err(failed(
                    StoreErrorKind::Corrupt,
                    &format!("line {number} of the log is damaged"),
                ));
            }
        }
    }
    Ok(records)
}

pub(crate) fn apply(records: &mut BTreeMap<Gid, Stored>, changes: Vec<Change>) {
    for (gid, stored) in changes {
        match stored {
            Some(stored) => drop(records.insert(gid, stored)),
            None => drop(records.remove(&gid)),
        }
    }
}

/// Answers the changes of a line, if it is whole.
fn changes(line: &[u8]) -> Option<Vec<Change>> {
    let (checksum, json) = line.split_at_checked(16)?;
    if format!("{:016x}", xxh3_64(json)).as_bytes() != checksum {
        return None;
    }
    serde_json::from_slice::<Vec<Row>>(json)
        .ok()?
        .into_iter()
        .map(change)
        .collect()
}

fn row((gid, stored): &Change) -> Row {
    let stored = stored.as_ref().map(|Stored { header, chunks }| {
        let (mode, status) = (mode_code(header.mode), status_code(header.status));
        let (owner, wake_at) = (
            header.owner.map(|owner| owner.0),
            header.wake_at.map(|at| at.0),
        );
        let counts = (mode, status, header.revision.0, header.token.0);
        let times = (owner, wake_at, header.created_at.0, header.updated_at.0);
        (counts, times, STANDARD.encode(chunks.concat()))
    });
    (gid.to_string(), stored)
}

fn change((gid, row): Row) -> Option<Change> {
    let gid = Gid::parse(&gid).ok()?;
    let Some((counts, times, history)) = row else {
        return Some((gid, None));
    };
    let header = Header {
        gid: gid.clone(),
        mode: mode_of(counts.0)?,
        status: status_of(counts.1)?,
        revision: Revision(counts.2),
        token: FencingToken(counts.3),
        owner: times.0.map(Owner),
        lease_until: None,
        wake_at: times.1.map(UnixMillis),
        created_at: UnixMillis(times.2),
        updated_at: UnixMillis(times.3),
    };
    let chunks = vec![STANDARD.decode(history).ok()?.into()];
    Some((gid, Some(Stored { header, chunks })))
}

//! Tells a torn tail from damage in the middle, before fjall opens its journals.
//!
//! fjall ends reading at the first entry that it can't parse and cuts the file there. For the last write before a
//! crash that is right: it was never acknowledged. But damage in the middle would silently drop every acknowledged
//! batch behind it. So we read the journals first. A batch is `Start(1, count u32, seqno u64)`, items, `End(3,
//! checksum u64, "FJL" 3)`; the checksum is XXH3 over the items' bytes. Behind the last batch lie zeros, because files
//! are allocated ahead. Every batch is synced before the next is written, so a crash tears at most the last one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use crate::tables::{self, Journals};

const START_BYTES: usize = 1 + 4 + 8;
const TRAILER: &[u8; 4] = b"FJL\x03";
const END_BYTES: usize = 1 + 8 + TRAILER.len();
const ITEM_HEAD_BYTES: usize = 1 + 1 + 1 + 8 + 2 + 4 + 4;

/// What is wrong, and with which file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) file: PathBuf,
    pub(crate) wrong: Wrong,
}

/// What is wrong with a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// A journal can't be read from here, and it goes on behind.
    Journal { offset: usize },
    /// It is not there.
    Missing,
    /// It is not what was written.
    Altered,
    /// It is a whole folder of a version that kept no log.
    Earlier,
}

impl Damage {
    pub(crate) const fn missing(file: PathBuf) -> Self {
        Self {
            file,
            wrong: Wrong::Missing,
        }
    }

    pub(crate) const fn altered(file: PathBuf) -> Self {
        Self {
            file,
            wrong: Wrong::Altered,
        }
    }

    pub(crate) const fn earlier(file: PathBuf) -> Self {
        Self {
            file,
            wrong: Wrong::Earlier,
        }
    }
}

/// Checks all files of a folder. Cuts a torn tail off the last journal, whatever it holds, and removes a folder that was
/// only half made: fjall can't go on there, and nothing was acknowledged yet.
///
/// # Errors
/// A file can't be read or cut. The inner error names the damage.
pub(crate) fn check(folder: &Path) -> io::Result<Result<(), Damage>> {
    if !folder.try_exists()? {
        return Ok(Ok(()));
    }
    let checked = match check_journals(folder)? {
        Ok(checked) => checked,
        Err(damage) => return Ok(Err(damage)),
    };
    let keyspaces = match tables::check(folder, checked.journals)? {
        Ok(keyspaces) => keyspaces,
        Err(damage) => return Ok(Err(damage)),
    };
    let version = folder.join("version");
    if !has_bytes(&version)? {
        // It is the last file to be made before the first keyspace.
        return match (keyspaces, checked.journals, checked.torn) {
            (0, Journals::Empty, None) => fs::remove_dir_all(folder).map(Ok),
            (..) => Ok(Err(Damage::missing(version))),
        };
    }
    if let Some(tail) = checked.torn {
        tail.cut()?;
    }
    Ok(Ok(()))
}

fn has_bytes(file: &Path) -> io::Result<bool> {
    Ok(file.try_exists()? && fs::metadata(file)?.len() > 0)
}

/// What is left of a write that a crash left unfinished.
struct Torn {
    file: PathBuf,
    offset: usize,
}

impl Torn {
    fn cut(self) -> io::Result<()> {
        tracing::warn!(file = %self.file.display(), offset = self.offset, "cut off a write that a crash left unfinished");
        let journal = fs::OpenOptions::new().write(true).open(&self.file)?;
        journal.set_len(u64::try_from(self.offset).unwrap_or(u64::MAX))?;
        journal.sync_all()
    }
}

/// Whole journals, but for a torn tail.
struct Checked {
    journals: Journals,
    torn: Option<Torn>,
}

fn check_journals(folder: &Path) -> io::Result<Result<Checked, Damage>> {
    let journals = journals(folder)?;
    if let Some(missing) = missing(folder, &journals)? {
        return Ok(Err(Damage::missing(missing)));
    }
    let last = journals.len().saturating_sub(1);
    let (mut newest, mut torn) = (None, None);
    for (at, (_, file)) in journals.into_iter().enumerate() {
        let bytes = fs::read(&file)?;
        let offset = valid_length(&bytes, &mut newest);
        let tail = &bytes[offset..];
        if tail.iter().all(|byte| *byte == 0) {
            continue;
        }
        if at < last || holds_batch(tail) {
            let wrong = Wrong::Journal { offset };
            return Ok(Err(Damage { file, wrong }));
        }
        torn = Some(Torn { file, offset });
    }
    let journals = match newest {
        Some(_) => Journals::Written,
        None => Journals::Empty,
    };
    Ok(Ok(Checked { journals, torn }))
}

/// Answers a journal that should be there: they are numbered without a gap, the oldest go first, and there is always
/// one, from before fjall writes its file `version`.
fn missing(folder: &Path, journals: &[(u64, PathBuf)]) -> io::Result<Option<PathBuf>> {
    let file = |number: u64| folder.join(format!("{number}.jnl"));
    if journals.is_empty() && folder.join("version").try_exists()? {
        return Ok(Some(file(0)));
    }
    Ok(journals
        .windows(2)
        .find(|pair| pair[1].0 != pair[0].0 + 1)
        .map(|pair| file(pair[0].0 + 1)))
}

/// Answers the journals, oldest first.
fn journals(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .and_then(|stem| stem.parse().ok());
        if let (Some(number), Some("jnl")) = (
            number,
            path.extension().and_then(|extension| extension.to_str()),
        ) {
            found.push((number, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Answers where the last of an unbroken row of whole batches ends. `newest` is the sequence number of the last batch
/// before them, and then of the last of them: it is outside of the checksum, but only ever rises.
fn valid_length(bytes: &[u8], newest: &mut Option<u64>) -> usize {
    let mut end = 0;
    while let Some(batch) = read_batch(&bytes[end..])
        && newest.is_none_or(|newest| batch.number > newest)
    {
        *newest = Some(batch.number);
        end += batch.length;
    }
    end
}

/// A whole batch: its sequence number, and its length in bytes.
struct Batch {
    number: u64,
    length: usize,
}

/// Answers whether a whole batch begins anywhere in these bytes.
fn holds_batch(bytes: &[u8]) -> bool {
    (0..bytes.len()).any(|at| bytes[at] == 1 && read_batch(&bytes[at..]).is_some())
}

/// Reads the whole batch that these bytes begin with.
fn read_batch(bytes: &[u8]) -> Option<Batch> {
    if *bytes.first()? != 1 {
        return None;
    }
    let count = u32::from_le_bytes(*bytes.get(1..)?.first_chunk()?);
    let number = u64::from_le_bytes(*bytes.get(5..)?.first_chunk()?);
    let mut at = START_BYTES;
    for _ in 0..count {
        at += item_length(bytes.get(at..)?)?;
    }
    let end = bytes.get(at..at + END_BYTES)?;
    let checksum = u64::from_le_bytes(*end[1..].first_chunk()?);
    let whole = count > 0
        && end[0] == 3
        && end.ends_with(TRAILER)
        && checksum == xxh3_64(&bytes[START_BYTES..at]);
    whole.then_some(Batch {
        number,
        length: at + END_BYTES,
    })
}

fn item_length(bytes: &[u8]) -> Option<usize> {
    match *bytes.first()? {
        2 => {
            let head = bytes.get(..ITEM_HEAD_BYTES)?;
            let key = u16::from_le_bytes(*head[11..].first_chunk()?);
            let value = u32::from_le_bytes(*head[17..].first_chunk()?);
            let length = ITEM_HEAD_BYTES + usize::from(key) + usize::try_from(value).ok()?;
            (bytes.len() >= length).then_some(length)
        }
        // A keyspace that is cleared. We never do.
        4 => (bytes.len() >= 9).then_some(9),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn batch(number: u64, text: &[u8]) -> Vec<u8> {
        let mut item = vec![2, 0, 0];
        item.extend_from_slice(&7_u64.to_le_bytes());
        item.extend_from_slice(&1_u16.to_le_bytes());
        item.extend_from_slice(&u32::try_from(text.len()).unwrap().to_le_bytes());
        item.extend_from_slice(&u32::try_from(text.len()).unwrap().to_le_bytes());
        item.push(b'k');
        item.extend_from_slice(text);
        let mut batch = vec![1];
        batch.extend_from_slice(&1_u32.to_le_bytes());
        batch.extend_from_slice(&number.to_le_bytes());
        batch.extend_from_slice(&item);
        batch.push(3);
        batch.extend_from_slice(&xxh3_64(&item).to_le_bytes());
        batch.extend_from_slice(TRAILER);
        batch
    }

    /// Checks a journal, and cuts it.
    fn checked(bytes: &[u8]) -> (Result<(), Damage>, usize) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("0.jnl");
        fs::write(&file, bytes).unwrap();
        let answer = check_journals(folder.path()).unwrap().map(|checked| {
            checked
                .torn
                .into_iter()
                .for_each(|torn| torn.cut().unwrap());
        });
        (answer, fs::read(&file).unwrap().len())
    }

    #[test]
    fn whole_batches_and_zeros_behind_them_are_left_alone() {
        let bytes = [batch(1, b"one"), batch(2, b"two"), vec![0; 100]].concat();
        assert_eq!(checked(&bytes), (Ok(()), bytes.len()));
        assert_eq!(checked(&[]), (Ok(()), 0));
    }

    #[test]
    fn half_a_record_and_garbage_behind_the_last_batch_are_cut_off() {
        let good = [batch(1, b"one"), batch(2, b"two")].concat();
        let torn = [good.clone(), batch(3, b"three")[..20].to_vec()].concat();
        assert_eq!(checked(&torn), (Ok(()), good.len()));
        let garbage = [good.clone(), vec![1, 2, 3, 1, 1, 0xff, 2, 9], vec![0; 50]].concat();
        assert_eq!(checked(&garbage), (Ok(()), good.len()));
    }

    #[test]
    fn a_journal_that_is_not_there_is_missed() {
        let folder = tempfile::tempdir().unwrap();
        let file = |number: u64| folder.path().join(format!("{number}.jnl"));
        for number in [3, 4, 5] {
            fs::write(file(number), batch(number, b"text")).unwrap();
        }
        assert!(check_journals(folder.path()).unwrap().is_ok());
        fs::remove_file(file(4)).unwrap();
        assert_eq!(
            check_journals(folder.path()).unwrap().err(),
            Some(Damage::missing(file(4)))
        );
    }

    #[test]
    fn any_flipped_byte_before_the_last_batch_is_damage() {
        let first = batch(1, b"one");
        let good = [first.clone(), batch(2, b"two"), batch(3, b"three")].concat();
        for at in 0..first.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x41;
            assert!(checked(&bad).0.is_err(), "byte {at}");
        }
    }
}

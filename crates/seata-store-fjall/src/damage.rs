//! Tells a torn tail from damage in the middle, before fjall opens its journals.
//!
//! fjall ends reading at the first entry that it can't parse and cuts the file there. For the last write before a
//! crash that is right: it was never acknowledged. But damage in the middle would silently drop every acknowledged
//! batch behind it. So we read the journals first. A batch is `Start(1, count u32, seqno u64)`, items, `End(3,
//! checksum u64, "FJL" 3)`; the checksum is XXH3 over the items' bytes. Behind the last batch lie zeros, because files
//! are allocated ahead.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

const START_BYTES: usize = 1 + 4 + 8;
const TRAILER: &[u8; 4] = b"FJL\x03";
const END_BYTES: usize = 1 + 8 + TRAILER.len();
const ITEM_HEAD_BYTES: usize = 1 + 1 + 1 + 8 + 2 + 4 + 4;

/// What is wrong with a journal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) file: PathBuf,
    pub(crate) offset: usize,
}

/// Checks all journals of a folder. Cuts a torn tail off the last one, whatever it holds.
///
/// # Errors
/// A file can't be read or cut. The inner error names the damage.
pub(crate) fn check(folder: &Path) -> io::Result<Result<(), Damage>> {
    let mut journals = journals(folder)?;
    journals.sort_unstable();
    let last = journals.len().saturating_sub(1);
    for (at, (_, file)) in journals.into_iter().enumerate() {
        let bytes = fs::read(&file)?;
        let end = valid_length(&bytes);
        let tail = &bytes[end..];
        if tail.iter().all(|byte| *byte == 0) {
            continue;
        }
        if at < last || holds_batch(tail) {
            return Ok(Err(Damage { file, offset: end }));
        }
        tracing::warn!(file = %file.display(), offset = end, "cut off a write that a crash left unfinished");
        let journal = fs::OpenOptions::new().write(true).open(&file)?;
        journal.set_len(u64::try_from(end).unwrap_or(u64::MAX))?;
        journal.sync_all()?;
    }
    Ok(Ok(()))
}

fn journals(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    if !folder.try_exists()? {
        return Ok(found);
    }
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
    Ok(found)
}

/// Answers where the last of an unbroken row of whole batches ends.
fn valid_length(bytes: &[u8]) -> usize {
    let mut end = 0;
    while let Some(length) = batch_length(&bytes[end..]) {
        end += length;
    }
    end
}

/// Answers whether a whole batch begins anywhere in these bytes.
fn holds_batch(bytes: &[u8]) -> bool {
    (1..bytes.len()).any(|at| bytes[at] == 1 && batch_length(&bytes[at..]).is_some())
}

/// Answers the length of the whole batch that these bytes begin with.
fn batch_length(bytes: &[u8]) -> Option<usize> {
    if *bytes.first()? != 1 {
        return None;
    }
    let count = u32::from_le_bytes(*bytes.get(1..)?.first_chunk()?);
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
    whole.then_some(at + END_BYTES)
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

    fn batch(text: &[u8]) -> Vec<u8> {
        let mut item = vec![2, 0, 0];
        item.extend_from_slice(&7_u64.to_le_bytes());
        item.extend_from_slice(&1_u16.to_le_bytes());
        item.extend_from_slice(&u32::try_from(text.len()).unwrap().to_le_bytes());
        item.extend_from_slice(&u32::try_from(text.len()).unwrap().to_le_bytes());
        item.push(b'k');
        item.extend_from_slice(text);
        let mut batch = vec![1];
        batch.extend_from_slice(&1_u32.to_le_bytes());
        batch.extend_from_slice(&9_u64.to_le_bytes());
        batch.extend_from_slice(&item);
        batch.push(3);
        batch.extend_from_slice(&xxh3_64(&item).to_le_bytes());
        batch.extend_from_slice(TRAILER);
        batch
    }

    fn checked(bytes: &[u8]) -> (Result<(), Damage>, usize) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("0.jnl");
        fs::write(&file, bytes).unwrap();
        let answer = check(folder.path()).unwrap();
        (answer, fs::read(&file).unwrap().len())
    }

    #[test]
    fn whole_batches_and_zeros_behind_them_are_left_alone() {
        let bytes = [batch(b"one"), batch(b"two"), vec![0; 100]].concat();
        assert_eq!(checked(&bytes), (Ok(()), bytes.len()));
        assert_eq!(checked(&[]), (Ok(()), 0));
    }

    #[test]
    fn half_a_record_and_garbage_behind_the_last_batch_are_cut_off() {
        let good = [batch(b"one"), batch(b"two")].concat();
        let torn = [good.clone(), batch(b"three")[..20].to_vec()].concat();
        assert_eq!(checked(&torn), (Ok(()), good.len()));
        let garbage = [good.clone(), vec![1, 2, 3, 1, 1, 0xff, 2, 9], vec![0; 50]].concat();
        assert_eq!(checked(&garbage), (Ok(()), good.len()));
    }

    #[test]
    fn any_flipped_byte_before_the_last_batch_is_damage() {
        let first = batch(b"one");
        let good = [first.clone(), batch(b"two"), batch(b"three")].concat();
        for at in 0..first.len() {
            // The sequence number is outside of the checksum.
            if (5..13).contains(&at) {
                continue;
            }
            let mut bad = good.clone();
            bad[at] ^= 0x41;
            assert!(checked(&bad).0.is_err(), "byte {at}");
        }
    }
}

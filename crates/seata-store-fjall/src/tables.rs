//! Checks the files that say which tables there are, before fjall reads them.
//!
//! fjall checks each block that it reads, but takes some of its own bookkeeping on trust: a keyspace without its
//! `current` file is deleted as half made, a flipped bit in a list of tables leaves one out, and one in a table of
//! contents asks for more memory than there is. So each list is compared with the checksum in `current` (list number
//! u64, XXH3-128 of the list's file), and each table of contents with the one in its trailer.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_128;

use crate::damage::Damage;

/// fjall's own keyspace and our four. They are there before the first batch is written.
const KEYSPACES: usize = 5;
/// Those of versions that kept no log. fjall names keyspaces by number, in the order in which they were made.
const KEYSPACES_EARLIER: [&str; 4] = ["0", "1", "2", "3"];
const TRAILER_BYTES: u64 = 4 + 1 + 1 + 16 + 8 + 8;
/// A table has some ten sections; a table of contents beyond this is none.
const CONTENTS_BYTES_MAX: u64 = 64 << 10;

/// A table of contents: the name, the offset and the length of each section.
type Contents = Vec<(Vec<u8>, u64, u64)>;

/// Whether the journals hold anything that was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Journals {
    Empty,
    Written,
}

/// Checks all keyspaces below fjall's folder. Answers how many are whole.
///
/// # Errors
/// A file can't be read. The inner error names the damage.
pub(crate) fn check(folder: &Path, journals: Journals) -> io::Result<Result<usize, Damage>> {
    let keyspaces = folder.join("keyspaces");
    let (mut made, mut names) = (0, BTreeSet::new());
    for keyspace in entries(&keyspaces)? {
        if !keyspace.is_dir() {
            continue;
        }
        names.extend(keyspace.file_name().map(OsStr::to_owned));
        match check_keyspace(&keyspace)? {
            Ok(Made::Whole) => made += 1,
            Ok(Made::Half) => {}
            Err(damage) => return Ok(Err(damage)),
        }
    }
    if journals == Journals::Written && made < KEYSPACES {
        if made == KEYSPACES_EARLIER.len() && names.iter().eq(&KEYSPACES_EARLIER) {
            return Ok(Err(Damage::earlier(folder.to_owned())));
        }
        return Ok(Err(Damage::missing(keyspaces.join("*/current"))));
    }
    Ok(Ok(made))
}

/// How far the making of a keyspace came.
enum Made {
    Whole,
    /// A crash came in between, before anything was written to it.
    Half,
}

fn check_keyspace(keyspace: &Path) -> io::Result<Result<Made, Damage>> {
    let current = keyspace.join("current");
    if !current.try_exists()? {
        let empty = entries(&keyspace.join("tables"))?.is_empty();
        return Ok(if empty {
            Ok(Made::Half)
        } else {
            Err(Damage::missing(current))
        });
    }
    let Some((number, checksum)) = parse_current(&fs::read(&current)?) else {
        return Ok(Err(Damage::altered(current)));
    };
    let list = keyspace.join(format!("v{number}"));
    if !list.try_exists()? {
        return Ok(Err(Damage::missing(list)));
    }
    let bytes = fs::read(&list)?;
    let tables = match contents(&list)? {
        Some(contents) if xxh3_128(&bytes) == checksum => table_numbers(&bytes, &contents),
        Some(_) | None => None,
    };
    let Some(tables) = tables else {
        return Ok(Err(Damage::altered(list)));
    };
    for number in tables {
        let table = keyspace.join("tables").join(number.to_string());
        if !table.try_exists()? {
            return Ok(Err(Damage::missing(table)));
        }
        if contents(&table)?.is_none() {
            return Ok(Err(Damage::altered(table)));
        }
    }
    Ok(Ok(Made::Whole))
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    if !folder.try_exists()? {
        return Ok(Vec::new());
    }
    fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect()
}

fn parse_current(bytes: &[u8]) -> Option<(u64, u128)> {
    let mut fields = Fields(bytes);
    Some((
        u64::from_le_bytes(fields.take()?),
        u128::from_le_bytes(fields.take()?),
    ))
}

/// Reads the table of contents of a file by its trailer: `SFA!`, version 1, checksum kind 0, XXH3-128, offset u64,
/// length u64. None: it is damaged.
fn contents(path: &Path) -> io::Result<Option<Contents>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let Some(trailer_at) = length.checked_sub(TRAILER_BYTES) else {
        return Ok(None);
    };
    let trailer = read(&file, trailer_at, TRAILER_BYTES)?;
    let mut fields = Fields(&trailer);
    let head: Option<[u8; 6]> = fields.take();
    let checksum = fields.take().map(u128::from_le_bytes);
    let at = fields.take().map(u64::from_le_bytes);
    let (Some(b"SFA!\x01\x00"), Some(checksum), Some(at)) = (head.as_ref(), checksum, at) else {
        return Ok(None);
    };
    let Some(span) = trailer_at
        .checked_sub(at)
        .filter(|span| *span <= CONTENTS_BYTES_MAX)
    else {
        return Ok(None);
    };
    let bytes = read(&file, at, span)?;
    Ok(Some(bytes)
        .filter(|bytes| xxh3_128(bytes) == checksum)
        .and_then(|bytes| parse_contents(&bytes)))
}

fn read(file: &File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

fn parse_contents(bytes: &[u8]) -> Option<Contents> {
    let mut fields = Fields(bytes);
    if fields.take::<4>()? != *b"TOC!" {
        return None;
    }
    let count = u32::from_le_bytes(fields.take()?);
    (0..count)
        .map(|_| {
            let at = u64::from_le_bytes(fields.take()?);
            let length = u64::from_le_bytes(fields.take()?);
            let name = u16::from_le_bytes(fields.take()?);
            Some((fields.slice(usize::from(name))?.to_vec(), at, length))
        })
        .collect()
}

/// Answers the numbers of the tables in a list: levels (u8 of them) of runs (u8) of tables (u32), each its number
/// u64, kind of checksum u8, checksum u128, and sequence number u64.
fn table_numbers(bytes: &[u8], contents: &Contents) -> Option<Vec<u64>> {
    let (_, at, length) = contents.iter().find(|(name, ..)| name == b"tables")?;
    let mut fields = Fields(bytes.get(usize::try_from(*at).ok()?..)?);
    fields = Fields(fields.slice(usize::try_from(*length).ok()?)?);
    let mut numbers = Vec::new();
    for _ in 0..fields.take::<1>()?[0] {
        for _ in 0..fields.take::<1>()?[0] {
            for _ in 0..u32::from_le_bytes(fields.take()?) {
                numbers.push(u64::from_le_bytes(fields.take()?));
                fields.slice(1 + 16 + 8)?;
            }
        }
    }
    Some(numbers)
}

/// Reads fields one behind another, as far as there are bytes.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (field, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(field)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.slice(N)?.try_into().ok()
    }
}

//! The log: each batch of appends as one value, written with one sync. What it says is moved to the other tables later,
//! many transactions at a time: see `settle.rs`.
//!
//! A value is a row of appends: kind (1 adds to the history, 2 replaces it), length of the gid (1 byte), gid, header,
//! length of the chunk (4 bytes, little-endian), chunk. A batch counts whole or not at all, as fjall's batches do.

use bytes::Bytes;
use seata_store::{Chunk, Header, StoreError};

use crate::layout::{self, HEADER_BYTES, corrupt};

const ADDS: u8 = 1;
const REPLACES: u8 = 2;

/// The key of a batch.
pub(crate) const fn key(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

pub(crate) fn read_key(key: &[u8]) -> Result<u64, StoreError> {
    let number = key
        .try_into()
        .map_err(|_| corrupt("a key of the log is no number"))?;
    Ok(u64::from_be_bytes(number))
}

/// Answers how many bytes an append takes.
pub(crate) fn length(header: &Header, chunk: &Chunk) -> usize {
    1 + 1 + header.gid.as_str().len() + HEADER_BYTES + 4 + chunk.bytes().len()
}

/// Writes an append behind others.
pub(crate) fn write(value: &mut Vec<u8>, header: &Header, chunk: &Chunk) {
    let (kind, bytes) = match chunk {
        Chunk::Add(bytes) => (ADDS, bytes),
        Chunk::Replace(bytes) => (REPLACES, bytes),
    };
    let gid = header.gid.as_str();
    value.push(kind);
    value.push(u8::try_from(gid.len()).expect("invariant: a gid has at most 128 bytes"));
    value.extend_from_slice(gid.as_bytes());
    layout::write_header(value, header);
    let length = u32::try_from(bytes.len()).expect("invariant: a history is bounded in bytes");
    value.extend_from_slice(&length.to_le_bytes());
    value.extend_from_slice(bytes);
}

/// Reads the appends of a batch.
pub(crate) fn read(value: &[u8]) -> impl Iterator<Item = Result<(Header, Chunk), StoreError>> {
    let mut rest = value;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let read = read_one(rest).unwrap_or_else(|| {
            Err(corrupt(
                "a batch of the log ends in the middle of an append",
            ))
        });
        let behind = read.as_ref().map_or(&[][..], |(_, behind)| behind);
        rest = behind;
        Some(read.map(|(append, _)| append))
    })
}

type Read<'a> = ((Header, Chunk), &'a [u8]);

/// Reads the first append. None: there are too few bytes.
fn read_one(value: &[u8]) -> Option<Result<Read<'_>, StoreError>> {
    let ([kind, length], rest) = value.split_first_chunk()?;
    let (gid, rest) = rest.split_at_checked(usize::from(*length))?;
    let (header, rest) = rest.split_at_checked(HEADER_BYTES)?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (chunk, rest) = rest.split_at_checked(length)?;
    Some(layout::read_gid(gid).and_then(|gid| {
        let (header, _) = layout::split_value(&gid, header)?;
        let bytes = Bytes::copy_from_slice(chunk);
        let chunk = match *kind {
            ADDS => Chunk::Add(bytes),
            REPLACES => Chunk::Replace(bytes),
            kind => return Err(corrupt(&format!("an append of {gid} is of kind {kind}"))),
        };
        Ok(((header, chunk), rest))
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use seata_store::{FencingToken, Gid, Mode, Owner, Revision, Status, UnixMillis};

    use super::*;

    fn header(gid: &str) -> Header {
        Header {
            gid: Gid::parse(gid).unwrap(),
            mode: Mode::Tcc,
            status: Status::Aborting,
            revision: Revision(7),
            token: FencingToken(3),
            owner: Some(Owner(5)),
            lease_until: None,
            wake_at: Some(UnixMillis(-9)),
            created_at: UnixMillis(1),
            updated_at: UnixMillis(i64::MAX),
        }
    }

    #[test]
    fn appends_come_back_as_they_were_written() {
        let appends = [
            (header("a"), Chunk::Add(Bytes::from_static(b"some"))),
            (header(&"x".repeat(128)), Chunk::Replace(Bytes::new())),
            (header("b"), Chunk::Add(Bytes::from(vec![3; 70_000]))),
        ];
        let mut value = Vec::new();
        let mut lengths = vec![0];
        for (header, chunk) in &appends {
            write(&mut value, header, chunk);
            lengths.push(lengths.last().unwrap() + length(header, chunk));
            assert_eq!(value.len(), *lengths.last().unwrap());
        }
        let back: Vec<_> = read(&value).collect::<Result<_, _>>().unwrap();
        assert_eq!(back, appends);
        for cut in (0..value.len())
            .filter(|cut| !lengths.contains(cut))
            .step_by(41)
        {
            let read: Result<Vec<_>, _> = read(&value[..cut]).collect();
            assert!(read.is_err(), "{cut}");
        }
        value[0] = 3;
        assert!(read(&value).next().unwrap().is_err(), "an unknown kind");
    }
}

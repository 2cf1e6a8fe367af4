//! Keys and values on disk.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `log` | number of a batch (8 bytes, big-endian) | its appends: see `log.rs` |
//! | `log` | 255, `from` | number of the oldest batch that counts (8 bytes, little-endian) |
//! | `open` | gid, 0, revision (8 bytes, big-endian) | header, the first revision of the chunk (8 bytes, little-endian), then the chunk: of all appends from that one on |
//! | `ended` | gid | header, then the whole history |
//! | `ended` | 0, `starts` | how often the folder was opened (8 bytes, little-endian) |
//! | `created` | time of creation (8 bytes, inverted, big-endian), gid | nothing |
//!
//! A gid holds no zero byte, so no gid's keys mix with another's. The header of the newest revision is the record's. What the
//! batches of the log say comes on top of what the others have.
//! `ended` is looked up by gid and never walked, so a version that does not count starts meets no key that it can't read.

use bytes::Bytes;
use seata_store::{
    FencingToken, Gid, Header, Owner, Revision, StoreError, StoreErrorKind, UnixMillis, code,
};

/// The version of these values.
const VERSION: u8 = 2;

/// The length of an encoded header, in bytes.
pub(crate) const HEADER_BYTES: usize = 1 + 1 + 1 + 8 + 8 + 1 + 16 + 1 + 8 + 8 + 8;

/// The key under which starts are counted. It is no gid.
pub(crate) const STARTS: &[u8] = b"\0starts";

/// The key under which the oldest batch of the log that counts is named. It comes behind all batches.
pub(crate) const FROM: &[u8] = b"\xfffrom";

/// Reads a number that stands by itself. `what` names it.
pub(crate) fn read_number(value: &[u8], what: &str) -> Result<u64, StoreError> {
    let number = value
        .try_into()
        .map_err(|_| corrupt(&format!("{what} is no number")))?;
    Ok(u64::from_le_bytes(number))
}

pub(crate) fn open_key(gid: &Gid, revision: Revision) -> Vec<u8> {
    let mut key = Vec::with_capacity(gid.as_str().len() + 9);
    key.extend_from_slice(gid.as_str().as_bytes());
    key.push(0);
    key.extend_from_slice(&revision.0.to_be_bytes());
    key
}

pub(crate) fn read_open_key(key: &[u8]) -> Result<(Gid, Revision), StoreError> {
    let at = key
        .iter()
        .position(|byte| *byte == 0)
        .ok_or_else(|| corrupt("a key of an open record has no end"))?;
    let revision: [u8; 8] = key[at + 1..]
        .try_into()
        .map_err(|_| corrupt("a key of an open record has no revision"))?;
    Ok((
        read_gid(&key[..at])?,
        Revision(u64::from_be_bytes(revision)),
    ))
}

pub(crate) fn created_key(created_at: UnixMillis, gid: &Gid) -> Vec<u8> {
    let mut key = Vec::with_capacity(8 + gid.as_str().len());
    key.extend_from_slice(&newest_first(created_at));
    key.extend_from_slice(gid.as_str().as_bytes());
    key
}

/// Orders times so that the newest comes first.
pub(crate) fn newest_first(at: UnixMillis) -> [u8; 8] {
    let ascending = at.0.cast_unsigned() ^ (1 << 63);
    (!ascending).to_be_bytes()
}

pub(crate) fn read_created_key(key: &[u8]) -> Result<(UnixMillis, Gid), StoreError> {
    let Some((time, gid)) = key.split_at_checked(8) else {
        return Err(corrupt("a key of the list is too short"));
    };
    let time: [u8; 8] = time
        .try_into()
        .map_err(|_| corrupt("a key of the list is too short"))?;
    let ascending = !u64::from_be_bytes(time);
    Ok((
        UnixMillis((ascending ^ (1 << 63)).cast_signed()),
        read_gid(gid)?,
    ))
}

pub(crate) fn read_gid(bytes: &[u8]) -> Result<Gid, StoreError> {
    let text = std::str::from_utf8(bytes).map_err(|_| corrupt("a gid is no text"))?;
    Gid::parse(text).map_err(|error| corrupt(&error.to_string()))
}

pub(crate) fn corrupt(why: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, "reading the embedded store", why)
}

/// Writes a header and what follows it. The end of a lease is not written: at open all leases are void.
pub(crate) fn value(header: &Header, chunks: &[Bytes]) -> Vec<u8> {
    let length: usize = chunks.iter().map(Bytes::len).sum();
    let mut value = Vec::with_capacity(HEADER_BYTES + length);
    write_header(&mut value, header);
    for chunk in chunks {
        value.extend_from_slice(chunk);
    }
    value
}

pub(crate) fn write_header(value: &mut Vec<u8>, header: &Header) {
    value.push(VERSION);
    value.push(code::mode_code(header.mode));
    value.push(code::status_code(header.status));
    value.extend_from_slice(&header.revision.0.to_le_bytes());
    value.extend_from_slice(&header.token.0.to_le_bytes());
    value.push(u8::from(header.owner.is_some()));
    value.extend_from_slice(&header.owner.map_or(0, |owner| owner.0).to_le_bytes());
    value.push(u8::from(header.wake_at.is_some()));
    value.extend_from_slice(&header.wake_at.map_or(0, |at| at.0).to_le_bytes());
    value.extend_from_slice(&header.created_at.0.to_le_bytes());
    value.extend_from_slice(&header.updated_at.0.to_le_bytes());
}

/// Writes what is open: the header, and the chunks of the appends from `since` on.
pub(crate) fn open_value(header: &Header, since: Revision, chunks: &[Bytes]) -> Vec<u8> {
    let length: usize = chunks.iter().map(Bytes::len).sum();
    let mut value = Vec::with_capacity(HEADER_BYTES + 8 + length);
    write_header(&mut value, header);
    value.extend_from_slice(&since.0.to_le_bytes());
    for chunk in chunks {
        value.extend_from_slice(chunk);
    }
    value
}

/// Reads what is open: the header, from which revision on, and the chunk.
pub(crate) fn split_open_value<'a>(
    gid: &Gid,
    value: &'a [u8],
) -> Result<(Header, Revision, &'a [u8]), StoreError> {
    let (header, rest) = split_value(gid, value)?;
    let Some((since, chunk)) = rest.split_first_chunk() else {
        return Err(corrupt(&format!("the record of {gid} is too short")));
    };
    Ok((header, Revision(u64::from_le_bytes(*since)), chunk))
}

/// Reads a value: the header, and what follows it.
pub(crate) fn read_value(gid: &Gid, value: &[u8]) -> Result<(Header, Bytes), StoreError> {
    let (header, chunk) = split_value(gid, value)?;
    Ok((header, Bytes::copy_from_slice(chunk)))
}

/// As [`read_value`], without a copy of what follows the header.
pub(crate) fn split_value<'a>(
    gid: &Gid,
    value: &'a [u8],
) -> Result<(Header, &'a [u8]), StoreError> {
    let Some((head, chunk)) = value.split_at_checked(HEADER_BYTES) else {
        return Err(corrupt(&format!("the record of {gid} is too short")));
    };
    let mut head = Fields(head);
    let version = head.byte();
    if version != VERSION {
        return Err(corrupt(&format!(
            "the record of {gid} has layout {version}, this server knows {VERSION}"
        )));
    }
    let mode = code::mode_of(head.byte())
        .ok_or_else(|| corrupt(&format!("the record of {gid} has no known mode")))?;
    let status = code::status_of(head.byte())
        .ok_or_else(|| corrupt(&format!("the record of {gid} has no known status")))?;
    let header = Header {
        gid: gid.clone(),
        mode,
        status,
        revision: Revision(u64::from_le_bytes(head.take())),
        token: FencingToken(u64::from_le_bytes(head.take())),
        owner: head.optional(|fields| Owner(u128::from_le_bytes(fields.take()))),
        lease_until: None,
        wake_at: head.optional(|fields| UnixMillis(i64::from_le_bytes(fields.take()))),
        created_at: UnixMillis(i64::from_le_bytes(head.take())),
        updated_at: UnixMillis(i64::from_le_bytes(head.take())),
    };
    Ok((header, chunk))
}

/// Reads fields of known length; the caller has checked that they are there.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self
            .0
            .split_first_chunk::<N>()
            .expect("invariant: HEADER_BYTES counts all fields");
        self.0 = rest;
        *field
    }

    fn byte(&mut self) -> u8 {
        let [byte] = self.take::<1>();
        byte
    }

    fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let present = self.byte() == 1;
        let value = read(self);
        present.then_some(value)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use seata_store::{Mode, Status};

    use super::*;

    fn header() -> Header {
        Header {
            gid: Gid::parse("order:1").unwrap(),
            mode: Mode::Saga,
            status: Status::Aborting,
            revision: Revision(7),
            token: FencingToken(3),
            owner: Some(Owner(u128::MAX - 5)),
            lease_until: None,
            wake_at: Some(UnixMillis(-9)),
            created_at: UnixMillis(1),
            updated_at: UnixMillis(i64::MAX),
        }
    }

    #[test]
    fn values_come_back_as_they_were_written() {
        let written = value(
            &header(),
            &[Bytes::from_static(b"ab"), Bytes::from_static(b"c")],
        );
        let (read, chunk) = read_value(&header().gid, &written).unwrap();
        assert_eq!((read, chunk.as_ref()), (header(), b"abc".as_ref()));
        assert!(read_value(&header().gid, &written[..HEADER_BYTES - 1]).is_err());
        assert!(read_value(&header().gid, &[9; HEADER_BYTES]).is_err());
        let open = open_value(&header(), Revision(4), &[Bytes::from_static(b"abc")]);
        let read = split_open_value(&header().gid, &open).unwrap();
        assert_eq!(read, (header(), Revision(4), b"abc".as_ref()));
        assert!(split_open_value(&header().gid, &open[..HEADER_BYTES + 7]).is_err());
    }

    #[test]
    fn keys_order_by_newest_first_and_keep_prefixes_apart() {
        let gid = |text| Gid::parse(text).unwrap();
        assert!(created_key(UnixMillis(2), &gid("a")) < created_key(UnixMillis(1), &gid("a")));
        assert!(created_key(UnixMillis(1), &gid("a")) < created_key(UnixMillis(1), &gid("b")));
        assert!(created_key(UnixMillis(0), &gid("a")) < created_key(UnixMillis(-1), &gid("a")));
        let key = created_key(UnixMillis(-77), &gid("x.y"));
        assert_eq!(
            read_created_key(&key).unwrap(),
            (UnixMillis(-77), gid("x.y"))
        );
        let key = open_key(&gid("a"), Revision(300));
        assert_eq!(read_open_key(&key).unwrap(), (gid("a"), Revision(300)));
        assert!(
            !open_key(&gid("a.b"), Revision(1)).starts_with(&open_key(&gid("a"), Revision(1))[..2])
        );
    }
}

//! Keys and values on disk, all in one tree.
//!
//! | key | value |
//! |---|---|
//! | `r`, gid, 0, revision (8 bytes, big-endian), piece (4 bytes, big-endian) | piece 0: header and the first bytes of the chunk of that append; others: further bytes |
//! | `c`, time of creation (8 bytes, inverted, big-endian), gid | nothing |
//! | `t` | the tally: see `tally.rs` |
//!
//! No key but the tally is ever written twice. A gid holds no zero byte, so no gid's keys mix with another's. The header of
//! the newest revision is the record's.

use bytes::Bytes;
use seata_store::{FencingToken, Gid, Header, Owner, Revision, StoreError, UnixMillis, code};

use crate::error::corrupt;

/// The version of these values.
const VERSION: u8 = 1;

pub(crate) const TALLY: &[u8] = b"t";

/// The most bytes of a chunk in one value. A page of sled holds some 16 values and must stay far below a quarter of its
/// segment.
pub(crate) const PIECE_BYTES: usize = 4_000;

/// The length of an encoded head, in bytes.
const HEAD_BYTES: usize = 1 + 1 + 1 + 8 + 8 + 8 + 4 + 1 + 16 + 1 + 8 + 8 + 8;

/// What stands before the chunk of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) header: Header,
    /// The oldest revision whose chunk is part of the history.
    pub(crate) first: Revision,
    /// In how many pieces the chunk of this revision is stored.
    pub(crate) pieces: u32,
}

/// What a key says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Piece(Gid, Revision, u32),
    Listed(UnixMillis, Gid),
    Tally,
}

/// Answers what the keys of one transaction begin with.
pub(crate) fn record_prefix(gid: &Gid) -> Vec<u8> {
    let mut key = Vec::with_capacity(gid.as_str().len() + 14);
    key.push(b'r');
    key.extend_from_slice(gid.as_str().as_bytes());
    key.push(0);
    key
}

pub(crate) fn piece_key(gid: &Gid, revision: Revision, piece: u32) -> Vec<u8> {
    let mut key = record_prefix(gid);
    key.extend_from_slice(&revision.0.to_be_bytes());
    key.extend_from_slice(&piece.to_be_bytes());
    key
}

pub(crate) fn listed_key(created_at: UnixMillis, gid: &Gid) -> Vec<u8> {
    let mut key = newest_first(created_at);
    key.extend_from_slice(gid.as_str().as_bytes());
    key
}

/// Answers what keys of the list begin with at this time; the newest come first.
pub(crate) fn newest_first(at: UnixMillis) -> Vec<u8> {
    let ascending = at.0.cast_unsigned() ^ (1 << 63);
    let mut key = vec![b'c'];
    key.extend_from_slice(&(!ascending).to_be_bytes());
    key
}

pub(crate) fn read_key(key: &[u8]) -> Result<Key, StoreError> {
    match key.split_first() {
        Some((b'r', rest)) => read_piece_key(rest),
        Some((b'c', rest)) => {
            let (time, gid) = take::<8>(rest)?;
            let ascending = !u64::from_be_bytes(time);
            let created_at = UnixMillis((ascending ^ (1 << 63)).cast_signed());
            Ok(Key::Listed(created_at, read_gid(gid)?))
        }
        Some((b't', [])) => Ok(Key::Tally),
        Some(_) | None => Err(corrupt("a key is none of this store's")),
    }
}

fn read_piece_key(rest: &[u8]) -> Result<Key, StoreError> {
    let end = rest.iter().position(|byte| *byte == 0);
    let end = end.ok_or_else(|| corrupt("a key of a record has no end"))?;
    let (revision, rest_of) = take::<8>(&rest[end + 1..])?;
    let (piece, _) = take::<4>(rest_of)?;
    let revision = Revision(u64::from_be_bytes(revision));
    Ok(Key::Piece(
        read_gid(&rest[..end])?,
        revision,
        u32::from_be_bytes(piece),
    ))
}

fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), StoreError> {
    let (taken, rest) = bytes
        .split_first_chunk::<N>()
        .ok_or_else(|| corrupt("a key is too short"))?;
    Ok((*taken, rest))
}

fn read_gid(bytes: &[u8]) -> Result<Gid, StoreError> {
    let text = std::str::from_utf8(bytes).map_err(|_| corrupt("a gid is no text"))?;
    Gid::parse(text).map_err(corrupt)
}

/// Answers in how many pieces so many bytes are stored.
pub(crate) fn pieces_of(length: usize) -> u32 {
    u32::try_from(length.div_ceil(PIECE_BYTES).max(1)).unwrap_or(u32::MAX)
}

/// Answers the keys and values of one append. The head comes with piece 0.
pub(crate) fn pieces(head: &Head, chunk: &Bytes) -> impl Iterator<Item = (u32, Vec<u8>, Vec<u8>)> {
    (0..head.pieces).map(move |piece| {
        let from = usize::try_from(piece)
            .unwrap_or(usize::MAX)
            .saturating_mul(PIECE_BYTES);
        let bytes = &chunk[from..chunk.len().min(from.saturating_add(PIECE_BYTES))];
        let mut value = if piece == 0 {
            write_head(head)
        } else {
            Vec::new()
        };
        value.extend_from_slice(bytes);
        (
            piece,
            piece_key(&head.header.gid, head.header.revision, piece),
            value,
        )
    })
}

/// The end of a lease is not written: at open all leases are void.
fn write_head(head: &Head) -> Vec<u8> {
    let header = &head.header;
    let mut value = Vec::with_capacity(HEAD_BYTES + PIECE_BYTES);
    value.push(VERSION);
    value.push(code::mode_code(header.mode));
    value.push(code::status_code(header.status));
    value.extend_from_slice(&header.revision.0.to_le_bytes());
    value.extend_from_slice(&header.token.0.to_le_bytes());
    value.extend_from_slice(&head.first.0.to_le_bytes());
    value.extend_from_slice(&head.pieces.to_le_bytes());
    value.push(u8::from(header.owner.is_some()));
    value.extend_from_slice(&header.owner.map_or(0, |owner| owner.0).to_le_bytes());
    value.push(u8::from(header.wake_at.is_some()));
    value.extend_from_slice(&header.wake_at.map_or(0, |at| at.0).to_le_bytes());
    value.extend_from_slice(&header.created_at.0.to_le_bytes());
    value.extend_from_slice(&header.updated_at.0.to_le_bytes());
    value
}

/// Reads piece 0: the head, and the bytes behind it.
pub(crate) fn read_head<'a>(gid: &Gid, value: &'a [u8]) -> Result<(Head, &'a [u8]), StoreError> {
    let damaged = |what: &str| corrupt(format!("the record of {gid} {what}"));
    let (fields, chunk) = value
        .split_at_checked(HEAD_BYTES)
        .ok_or_else(|| damaged("is too short"))?;
    let mut fields = Fields(fields);
    let version = fields.byte();
    if version != VERSION {
        return Err(damaged(&format!(
            "has layout {version}, this server knows {VERSION}"
        )));
    }
    let mode = code::mode_of(fields.byte()).ok_or_else(|| damaged("has no known mode"))?;
    let status = code::status_of(fields.byte()).ok_or_else(|| damaged("has no known status"))?;
    let revision = Revision(u64::from_le_bytes(fields.take()));
    let token = FencingToken(u64::from_le_bytes(fields.take()));
    let first = Revision(u64::from_le_bytes(fields.take()));
    let pieces = u32::from_le_bytes(fields.take());
    let header = Header {
        gid: gid.clone(),
        mode,
        status,
        revision,
        token,
        owner: fields.optional(|fields| Owner(u128::from_le_bytes(fields.take()))),
        lease_until: None,
        wake_at: fields.optional(|fields| UnixMillis(i64::from_le_bytes(fields.take()))),
        created_at: UnixMillis(i64::from_le_bytes(fields.take())),
        updated_at: UnixMillis(i64::from_le_bytes(fields.take())),
    };
    let head = Head {
        header,
        first,
        pieces,
    };
    Ok((head, chunk))
}

/// Reads fields of known length; the caller has checked that they are there.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let split = self.0.split_first_chunk::<N>();
        let (field, rest) = split.expect("invariant: HEAD_BYTES counts all fields");
        self.0 = rest;
        *field
    }

    fn byte(&mut self) -> u8 {
        u8::from_le_bytes(self.take())
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

    fn gid(text: &str) -> Gid {
        Gid::parse(text).unwrap()
    }

    fn head(pieces: u32) -> Head {
        let header = Header {
            gid: gid("order:1"),
            mode: Mode::Tcc,
            status: Status::Aborting,
            revision: Revision(7),
            token: FencingToken(3),
            owner: Some(Owner(u128::MAX - 5)),
            lease_until: None,
            wake_at: Some(UnixMillis(-9)),
            created_at: UnixMillis(1),
            updated_at: UnixMillis(i64::MAX),
        };
        Head {
            header,
            first: Revision(2),
            pieces,
        }
    }

    #[test]
    fn an_append_comes_back_from_its_pieces() {
        for length in [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES] {
            let chunk = Bytes::from((0..=u8::MAX).cycle().take(length).collect::<Vec<_>>());
            let head = head(pieces_of(length));
            let mut read = Vec::new();
            for (piece, key, value) in pieces(&head, &chunk) {
                assert_eq!(
                    read_key(&key).unwrap(),
                    Key::Piece(gid("order:1"), Revision(7), piece)
                );
                match piece {
                    0 => {
                        let (found, bytes) = read_head(&gid("order:1"), &value).unwrap();
                        assert_eq!(found, head);
                        read.extend_from_slice(bytes);
                    }
                    1..=u32::MAX => read.extend_from_slice(&value),
                }
                assert!(value.len() <= HEAD_BYTES + PIECE_BYTES);
            }
            assert_eq!(read, chunk);
        }
        let short = write_head(&head(1));
        assert!(read_head(&gid("order:1"), &short[..HEAD_BYTES - 1]).is_err());
        assert!(read_head(&gid("order:1"), &[9; HEAD_BYTES]).is_err());
    }

    #[test]
    fn keys_order_by_newest_first_and_keep_prefixes_apart() {
        let key = |at_ms, name| listed_key(UnixMillis(at_ms), &gid(name));
        assert!(key(2, "a") < key(1, "a") && key(1, "a") < key(1, "b"));
        assert!(key(0, "a") < key(-1, "a"));
        assert_eq!(
            read_key(&key(-77, "x.y")).unwrap(),
            Key::Listed(UnixMillis(-77), gid("x.y"))
        );
        assert!(!piece_key(&gid("a.b"), Revision(1), 0).starts_with(&record_prefix(&gid("a"))));
        assert_eq!(read_key(TALLY).unwrap(), Key::Tally);
        assert!(read_key(b"x").is_err() && read_key(b"").is_err() && read_key(b"rabc").is_err());
    }
}

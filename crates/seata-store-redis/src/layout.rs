//! Keys and fields: how a record lies in Redis. What is written here is read by every later version.

use bytes::Bytes;
use fred::types::Value;
use fred::util::redis_keyslot;
use seata_store::{
    FencingToken, Gid, Header, Owner, Revision, Status, StoreError, Stored, UnixMillis, code,
};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::corrupt;

/// Rises when an older version could no longer read what is written.
pub(crate) const VERSION: &str = "1";

pub(crate) const PARTITIONS_DEFAULT: u16 = 16;
pub(crate) const PARTITIONS_MAX: u16 = 256;

/// The largest number that a score tells from its neighbours. Times beyond it (after the year 287,000) are kept exactly,
/// and listed by name among those that the score does not tell apart.
pub(crate) const EXACT_MAX: i64 = 1 << 53;

/// One of the parts into which transactions are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Partition(pub(crate) u16);

#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) prefix: String,
    pub(crate) partitions: u16,
}

impl Layout {
    pub(crate) fn all(&self) -> impl Iterator<Item = Partition> + use<> {
        (0..self.partitions).map(Partition)
    }

    pub(crate) fn partition(&self, gid: &Gid) -> Partition {
        let hash = xxh3_64(gid.as_str().as_bytes()) % u64::from(self.partitions);
        Partition(u16::try_from(hash).unwrap_or_default())
    }

    pub(crate) fn slot(&self, partition: Partition) -> u16 {
        redis_keyslot(self.key(partition, "free").as_bytes())
    }

    pub(crate) fn free(&self, partition: Partition) -> String {
        self.key(partition, "free")
    }

    pub(crate) fn leased(&self, partition: Partition) -> String {
        self.key(partition, "leased")
    }

    pub(crate) fn listed(&self, partition: Partition) -> String {
        self.key(partition, "listed")
    }

    /// Answers what the key of each record of this partition begins with; the gid follows.
    pub(crate) fn records(&self, partition: Partition) -> String {
        self.key(partition, "t:")
    }

    pub(crate) fn record(&self, gid: &Gid) -> String {
        self.records(self.partition(gid)) + gid.as_str()
    }

    fn key(&self, Partition(number): Partition, what: &str) -> String {
        format!("{}:{{p{number:03}}}:{what}", self.prefix)
    }
}

/// Answers the key under which the layout itself is written.
pub(crate) fn layout_key(prefix: &str) -> String {
    format!("{prefix}:layout")
}

/// Answers the digits of final statuses, as scripts ask for them.
pub(crate) fn finals() -> Value {
    let digits: String = Status::ALL
        .into_iter()
        .filter(|status| status.is_final())
        .map(|status| code::status_code(status).to_string())
        .collect();
    Value::from(digits)
}

pub(crate) fn owner_text(Owner(owner): Owner) -> String {
    format!("{owner:032x}")
}

/// The fields of a header as [`Fields::header`] wants them.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub(crate) mode: Option<Bytes>,
    pub(crate) status: Option<Bytes>,
    pub(crate) revision: Option<Bytes>,
    pub(crate) token: Option<Bytes>,
    pub(crate) owner: Option<Bytes>,
    pub(crate) lease_until: Option<Bytes>,
    pub(crate) wake_at: Option<Bytes>,
    pub(crate) created_at: Option<Bytes>,
    pub(crate) updated_at: Option<Bytes>,
}

impl Fields {
    /// Answers the fields in the order in which the script `walk` reads them.
    pub(crate) fn walked(fields: Vec<Value>) -> Self {
        let mut fields = fields.into_iter().map(Value::into_bytes);
        let mut next = || fields.next().flatten();
        Self {
            mode: next(),
            status: next(),
            revision: next(),
            token: next(),
            owner: next(),
            lease_until: next(),
            wake_at: next(),
            created_at: next(),
            updated_at: next(),
        }
    }

    /// Answers whether there is a record at all.
    pub(crate) const fn is_gone(&self) -> bool {
        self.revision.is_none()
    }

    pub(crate) fn header(&self, doing: &'static str, gid: Gid) -> Result<Header, StoreError> {
        let damaged = |field: &str| corrupt(doing, format!("{gid}: field {field} can't be read"));
        let number = |field: &str, value: &Option<Bytes>| -> Result<i64, StoreError> {
            text(value)
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| damaged(field))
        };
        let maybe = |field: &str, value: &Option<Bytes>| match value {
            Some(_) => number(field, value).map(|millis| Some(UnixMillis(millis))),
            None => Ok(None),
        };
        let counted = |field: &str, value: &Option<Bytes>| -> Result<u64, StoreError> {
            u64::try_from(number(field, value)?).map_err(|_| damaged(field))
        };
        let small = |field: &str, value: &Option<Bytes>| -> Result<u8, StoreError> {
            u8::try_from(number(field, value)?).map_err(|_| damaged(field))
        };
        let owner = match &self.owner {
            Some(_) => Some(Owner(
                text(&self.owner)
                    .and_then(|text| u128::from_str_radix(text, 16).ok())
                    .ok_or_else(|| damaged("o"))?,
            )),
            None => None,
        };
        Ok(Header {
            mode: code::mode_of(small("m", &self.mode)?).ok_or_else(|| damaged("m"))?,
            status: code::status_of(small("s", &self.status)?).ok_or_else(|| damaged("s"))?,
            revision: Revision(counted("r", &self.revision)?),
            token: FencingToken(counted("k", &self.token)?),
            owner,
            lease_until: maybe("l", &self.lease_until)?,
            wake_at: maybe("w", &self.wake_at)?,
            created_at: UnixMillis(number("c", &self.created_at)?),
            updated_at: UnixMillis(number("u", &self.updated_at)?),
            gid,
        })
    }
}

fn text(value: &Option<Bytes>) -> Option<&str> {
    std::str::from_utf8(value.as_ref()?).ok()
}

/// Reads a record from its fields and values by turns, as `HGETALL` gives them. None: there is no record.
pub(crate) fn stored(
    doing: &'static str,
    gid: &Gid,
    all: Value,
) -> Result<Option<Stored>, StoreError> {
    let flat = all.into_array();
    if flat.is_empty() || matches!(flat.as_slice(), [Value::Null]) {
        return Ok(None);
    }
    let mut fields = Fields::default();
    let mut chunks: Vec<(u64, Bytes)> = Vec::new();
    let mut bytes = None;
    let mut values = flat.into_iter().map(Value::into_bytes);
    while let (Some(Some(field)), Some(value)) = (values.next(), values.next()) {
        match field.as_ref() {
            b"m" => fields.mode = value,
            b"s" => fields.status = value,
            b"r" => fields.revision = value,
            b"k" => fields.token = value,
            b"o" => fields.owner = value,
            b"l" => fields.lease_until = value,
            b"w" => fields.wake_at = value,
            b"c" => fields.created_at = value,
            b"u" => fields.updated_at = value,
            b"n" => bytes = text(&value).and_then(|text| text.parse().ok()),
            b"q" => {}
            other => {
                let revision = std::str::from_utf8(other)
                    .ok()
                    .and_then(|text| text.strip_prefix('e')?.parse().ok());
                let (Some(revision), Some(chunk)) = (revision, value) else {
                    return Err(corrupt(doing, format!("{gid}: an unknown field")));
                };
                chunks.push((revision, chunk));
            }
        }
    }
    chunks.sort_unstable_by_key(|(revision, _)| *revision);
    let chunks: Vec<Bytes> = chunks.into_iter().map(|(_, chunk)| chunk).collect();
    let kept: usize = chunks.iter().map(Bytes::len).sum();
    if bytes != Some(kept) {
        let why = format!("{gid}: {kept} bytes of history where {bytes:?} were written");
        return Err(corrupt(doing, why));
    }
    let header = fields.header(doing, gid.clone())?;
    Ok(Some(Stored { header, chunks }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that moved to another partition could not be found again.
    #[test]
    fn names_belong_to_the_partitions_of_every_released_version() {
        let layout = Layout {
            prefix: "seata".to_owned(),
            partitions: 16,
        };
        let key = |name: &str| Gid::parse(name).map(|gid| layout.record(&gid)).ok();
        let keys = ["g", "order:4711", "A.b_c-d"].map(|name| key(name).unwrap_or_default());
        let expected = [
            "seata:{p007}:t:g",
            "seata:{p003}:t:order:4711",
            "seata:{p014}:t:A.b_c-d",
        ];
        assert_eq!(keys, expected);
        assert_eq!(layout.slot(Partition(0)), 13334);
    }
}

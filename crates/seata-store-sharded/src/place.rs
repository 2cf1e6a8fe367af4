//! Which shard keeps which transaction. This never changes: what was written would not be found again.

use seata_store::Gid;
use xxhash_rust::xxh3::xxh3_64;

/// Answers which of so many shards keeps a transaction, from 0. `count` is at least 1.
#[must_use]
pub fn shard_of(gid: &Gid, count: u16) -> u16 {
    let place = xxh3_64(gid.as_str().as_bytes()) % u64::from(count.max(1));
    u16::try_from(place).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn gid(text: &str) -> Gid {
        Gid::parse(text).unwrap()
    }

    #[test]
    fn the_hash_is_the_one_that_its_authors_publish() {
        assert_eq!(xxh3_64(b""), 0x2d06_8005_38d3_94c2);
        assert_eq!(xxh3_64(b"a"), 0xe6c6_32b6_1e96_4e1f);
    }

    #[test]
    fn a_gid_maps_to_the_shard_that_every_released_version_says() {
        let uuid = "018f6f2e-7b1c-7cc2-9c3e-4f1f0a2b3c4d";
        let names = ["a", "order:1", "order:2", uuid];
        let places = |count| names.map(|name| shard_of(&gid(name), count));
        assert_eq!(places(1), [0, 0, 0, 0]);
        assert_eq!(places(2), [1, 0, 1, 1]);
        assert_eq!(places(3), [1, 0, 2, 2]);
        assert_eq!(places(16), [15, 10, 1, 11]);
    }

    #[test]
    fn shards_get_equal_parts_of_like_names() {
        const NAMES: u32 = 30_000;
        for count in [2, 3, 5, 16] {
            let mut found = vec![0_u32; usize::from(count)];
            for n in 0..NAMES {
                found[usize::from(shard_of(&gid(&format!("order-{n:08}")), count))] += 1;
            }
            let fair = NAMES / u32::from(count);
            for one in found {
                assert!(
                    one.abs_diff(fair) < fair / 8,
                    "{one} of {NAMES} over {count}"
                );
            }
        }
    }
}

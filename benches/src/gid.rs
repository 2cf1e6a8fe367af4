//! Makes the gids that the load submits under.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::case::Gids;

/// What of a time-ordered gid is chance.
const CHANCE_BITS: u32 = 80;

/// Makes one.
pub(crate) fn gid(kind: Gids) -> String {
    let number = match kind {
        Gids::Random => fastrand::u128(..),
        Gids::TimeOrdered => time_ordered(),
    };
    format!("{number:032x}")
}

/// Milliseconds and chance: the order of a UUID of version 7.
fn time_ordered() -> u128 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let ms = now.map_or(0, |since| since.as_millis());
    (ms << CHANCE_BITS) | (fastrand::u128(..) >> (u128::BITS - CHANCE_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::GID_BYTES;

    #[test]
    fn all_are_of_one_length_and_none_comes_twice() {
        for kind in [Gids::Random, Gids::TimeOrdered] {
            let (one, other) = (gid(kind), gid(kind));
            assert_eq!((one.len(), other.len()), (GID_BYTES, GID_BYTES));
            assert_ne!(one, other);
        }
    }

    #[test]
    fn one_that_is_made_later_is_greater() {
        let earlier = time_ordered() >> CHANCE_BITS;
        let later = time_ordered() >> CHANCE_BITS;
        assert!(earlier > 0 && later >= earlier);
    }
}
